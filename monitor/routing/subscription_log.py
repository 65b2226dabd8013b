"""Subscriptions in the store: adding, reading and ending them."""

from __future__ import annotations

import json

from monitor.clock import Clock
from monitor.routing.matchers import parse_matchers
from monitor.routing.quarantine import Quarantine
from monitor.routing.routes import RouteOptions
from monitor.routing.subscriptions import Subscription
from sinks.store.change_log import ChangeLog, Row
from sinks.store.contract import Store

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
    >>> subscription = Subscription(parse_matchers("model=fraud"), "mail", created_by="ann")
    >>> log.add(subscription).created_ms
    1000
    >>> log.end(subscription.id)
    True
    >>> log.all(), log.end(subscription.id)
    ({}, False)
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._log, self._clock = ChangeLog(store, "subscriptions"), clock
        self._quarantine = Quarantine.of(store)
        self._parsed: dict[tuple[str, int], Subscription] = {}

    def all(self) -> dict[str, Subscription]:
        """Return those that have not ended, by id, in the order in which they were made.

        Raises
        ------
        StoreError
        """
        rows = [row for row in self._log.rows() if not row["ended"]]
        rows.sort(key=lambda row: (row["created_ms"], row["id"]))
        # Matchers are parsed once: the router asks every second.
        self._parsed = dict(self._quarantine.usable("subscriptions", "id", rows, self._parse))
        return {name: subscription for (name, _), subscription in self._parsed.items()}

    def _parse(self, row: Row) -> tuple[tuple[str, int], Subscription]:
        key = row["id"], row["updated_ms"]
        return key, self._parsed.get(key) or _read(row)

    def add(self, subscription: Subscription) -> Subscription:
        """Add a subscription, unless there is one to the same alerts by the same receiver; return the one that stands.

        Raises
        ------
        StoreError
        """
        row = self._row(subscription, ended=0)
        stored = self._log.change(subscription.id, lambda stored: row if stored is None or stored["ended"] else None)
        return subscription if stored is None else _read(stored)

    def end(self, name: str) -> bool:
        """End the subscription with an id; return whether there was one.

        Raises
        ------
        StoreError
        """
        subscription = self.all().get(name)
        if subscription is not None:
            row = self._row(subscription, ended=1)
            self._log.change(name, lambda stored: None if stored is None or stored["ended"] else row)
        return subscription is not None

    def _row(self, subscription: Subscription, *, ended: int) -> Row:
        now_ms, options = self._clock.now_ms(), subscription.options
        return {
            "id": subscription.id,
            "updated_ms": now_ms,
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


def _read(row: Row) -> Subscription:
    labels = json.loads(row["group_by"])
    waits = row["group_wait_ms"], row["group_interval_ms"], row["repeat_interval_ms"]
    return Subscription(
        parse_matchers(row["matchers"]) if row["matchers"] else (),
        row["receiver"],
        row["address"],
        RouteOptions("", None if labels is None else frozenset(labels), *waits),
        row["created_by"],
        row["comment"],
        row["created_ms"],
    )
