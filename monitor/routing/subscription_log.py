"""Subscriptions in the store: adding, reading and ending them."""

from __future__ import annotations

import json
from typing import Any

from monitor.clock import Clock
from monitor.routing.matchers import parse_matchers
from monitor.routing.routes import RouteOptions
from monitor.routing.subscriptions import Subscription
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["SubscriptionLog"]


class SubscriptionLog:
    """The subscriptions of one store.

    Parameters
    ----------
    store : Store
    clock : Clock

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> log = SubscriptionLog(MemoryStore(), ManualClock(now_ms=1_000))
    >>> wanted = Subscription(parse_matchers("model=fraud"), "mail", created_by="ann")
    >>> log.add(wanted).created_ms
    1000
    >>> log.end(wanted.id)
    True
    >>> log.all(), log.end(wanted.id)
    ({}, False)
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._known: dict[tuple[str, int], Subscription] = {}

    def all(self) -> dict[str, Subscription]:
        """Return those that have not ended, by id, in the order in which they were made.

        Raises
        ------
        StoreError
        """
        rows = [row for row in rows_of(self._store.read(Query("subscriptions"))) if not row["ended"]]
        rows.sort(key=lambda row: (row["created_ms"], row["id"]))
        before, self._known = self._known, {}
        for row in rows:
            # Matchers are read once: the router asks every second.
            key = row["id"], row["updated_ms"]
            self._known[key] = before.get(key) or _read(row)
        return {name: found for (name, _), found in self._known.items()}

    def add(self, wanted: Subscription) -> Subscription:
        """Add a subscription; one that wants the same, and is there, stays as it is and is returned.

        Raises
        ------
        StoreError
        """
        found = self.all().get(wanted.id)
        if found is None:
            self._write(wanted, ended=0)
            found = self.all()[wanted.id]
        return found

    def end(self, name: str) -> bool:
        """End the subscription with an id; return whether there was one.

        Raises
        ------
        StoreError
        """
        known = self.all().get(name)
        if known is not None:
            self._write(known, ended=1)
        return known is not None

    def _write(self, subscription: Subscription, *, ended: int) -> None:
        before = self._store.read(Query("subscriptions", where={"id": subscription.id}))["updated_ms"]
        now_ms = self._clock.now_ms()
        # Of two changes in the same millisecond the later one counts.
        updated_ms = max(now_ms, int(before[0]) + 1 if len(before) else 0)
        options = subscription.options
        row: dict[str, Any] = {
            "id": subscription.id,
            "updated_ms": updated_ms,
            "created_ms": subscription.created_ms or now_ms,
            "ended": ended,
            "matchers": ",".join(map(str, subscription.matchers)),
            "receiver": subscription.receiver,
            # An address is a person's: it is not kept for longer than it is needed.
            "address": "" if ended else subscription.address,
            "group_by": json.dumps(None if options.group_by is None else sorted(options.group_by)),
            "group_wait_ms": options.group_wait_ms,
            "group_interval_ms": options.group_interval_ms,
            "repeat_interval_ms": options.repeat_interval_ms,
            "created_by": "" if ended else subscription.created_by,
            "comment": "" if ended else subscription.comment,
        }
        columns = {name: [value] for name, value in row.items()}
        self._store.append("subscriptions", columns, f"subscriptions/{subscription.id}/{updated_ms}")


def _read(row: dict[str, Any]) -> Subscription:
    by = json.loads(row["group_by"])
    waits = row["group_wait_ms"], row["group_interval_ms"], row["repeat_interval_ms"]
    return Subscription(
        parse_matchers(row["matchers"]) if row["matchers"] else (),
        row["receiver"],
        row["address"],
        RouteOptions("", None if by is None else frozenset(by), *waits),
        row["created_by"],
        row["comment"],
        row["created_ms"],
    )
