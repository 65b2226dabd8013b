"""What receivers were told last about groups, kept in the store: table ``checkpoints``, stage :data:`TOLD`.

An entry is of use as long as its group has alerts: once they are over and told, it says nothing that is not true of a
group that was never told either. It is dropped after as long as Alertmanager keeps it. In the store it then grows old,
and goes when it is :data:`OLD_DAYS` old (``0040_told.sql``); an entry of use is written anew every day.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import xxhash

from monitor.checkpoint import decode_state, encode_state
from monitor.routing.sent import Sent, perhaps
from sinks.store.change_log import after
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["OLD_DAYS", "TOLD", "SentLog"]

TOLD = "told"
DAY_MS = 86_400_000
KEPT_MS = 5 * DAY_MS
"""Alertmanager's retention."""

OLD_DAYS = 30

_SETS = ("firing", "resolved", "open_ends", "flapping")
_PAIRS = ("stood_at", "since")
"""What is kept of a notification: sets of fingerprints, and fingerprints with a number."""

_Place = tuple[str, str]


class SentLog:
    """Who knows what, by a group's digest and the name of a receiver's entry.

    Parameters
    ----------
    longest_repeat_ms : int
        The longest `repeat_interval` of all routes.

    Attributes
    ----------
    sent : dict of (str, str) to Sent

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> log, store, fires = SentLog(0), MemoryStore(), frozenset({"a"})
    >>> log.may_know(("group", "mail/0"), fires, now_ms=10)
    >>> log.write(store)
    >>> SentLog(0).load(store)["group", "mail/0"].open_ends == fires
    True
    """

    def __init__(self, longest_repeat_ms: int) -> None:
        self.sent: dict[_Place, Sent] = {}
        self._kept_ms = max(KEPT_MS, longest_repeat_ms)
        self._written: dict[_Place, tuple[int, frozenset[str]]] = {}
        self._unwritten: dict[_Place, dict[str, Any]] = {}

    def load(self, store: Store) -> dict[_Place, Sent]:
        """Read what is known.

        Raises
        ------
        StoreError
        """
        for row in rows_of(store.read(Query("checkpoints", where={"stage": TOLD}))):
            state = decode_state(row["state"])
            place = state["group"], state["target"]
            sets = {name: frozenset(state.get(name, ())) for name in _SETS}
            stood_at, since = (frozenset((one, number) for one, number in state.get(name, ())) for name in _PAIRS)
            self.sent[place] = Sent(state.get("at_ms", row["position"]), **sets, stood_at=stood_at, since=since)
            self._written[place] = row["position"], self.sent[place].believed
        return self.sent

    def may_know(self, place: _Place, firing: frozenset[str], now_ms: int) -> None:
        """Before a receiver is told what is new: who comes after a crash has to tell it the end, too."""
        if place not in self._written or not firing <= self._written[place][1]:
            self._keep(place, perhaps(self.sent.get(place), firing), now_ms)

    def knows(self, place: _Place, now_ms: int) -> None:
        """A receiver was told what :attr:`sent` says."""
        self._keep(place, self.sent[place], now_ms)

    def tend(self, groups: Collection[str], now_ms: int) -> None:
        """Drop what is of no use any more, and keep young what is.

        Parameters
        ----------
        groups : collection of str
            Digests of the groups that have alerts.
        now_ms : int
        """
        for place, sent in list(self.sent.items()):
            age_ms = now_ms - self._written.get(place, (now_ms,))[0]
            if place[0] in groups and age_ms >= DAY_MS:
                self._keep(place, sent, now_ms)
            elif place[0] not in groups and age_ms >= self._kept_ms:
                del self.sent[place], self._written[place]

    def write(self, store: Store) -> None:
        """Write what is not written.

        Raises
        ------
        StoreError
        """
        rows = list(self._unwritten.values())
        if rows:
            names = repr([(row["name"], row["position"]) for row in rows])
            token = f"{TOLD}/{xxhash.xxh3_64_hexdigest(names.encode())}"
            store.append("checkpoints", {name: [row[name] for row in rows] for name in rows[0]}, token)
            self._unwritten.clear()

    def _keep(self, place: _Place, sent: Sent, now_ms: int) -> None:
        position = after(self._written[place][0], now_ms) if place in self._written else now_ms
        self._written[place] = position, sent.believed
        group, target = place
        alerts = {name: sorted(getattr(sent, name)) for name in (*_SETS, *_PAIRS)}
        state = encode_state({"group": group, "target": target, "at_ms": sent.at_ms, **alerts})
        key = {"stage": TOLD, "name": f"{target}/{group}", "partition": 0}
        self._unwritten[place] = {**key, "position": position, "config": "", "state": state}
