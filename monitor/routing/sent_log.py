"""What receivers were notified of last about groups, kept in the store: table ``checkpoints``, stage :data:`TOLD`.

An entry is of use as long as its group has alerts: once their resolution was notified, it says nothing that is not true
of a group that was never notified. It is dropped after as long as Alertmanager keeps it. The store drops its row when
that is :data:`OLD_DAYS` old (``0040_told.sql``); an entry of use is written once more every day.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import xxhash

from monitor.checkpoint import decode_state, encode_state
from monitor.routing.sent import Sent, perhaps
from monitor.values import DAY_MS
from sinks.store.change_log import after
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["OLD_DAYS", "TOLD", "SentLog"]

TOLD = "told"
KEPT_MS = 5 * DAY_MS
"""Alertmanager's retention."""

OLD_DAYS = 30

_SETS = ("firing", "resolved", "open_ends", "flapping")
_PAIRS = ("stood_at", "since")
"""What is kept of a notification: sets of fingerprints, and fingerprints with a number."""

_Key = tuple[str, str]
"""A group's digest, and the name of a receiver's entry."""


class SentLog:
    """What each receiver was notified of last, by a group's digest and the name of a receiver's entry.

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
    >>> SentLog(0).load(store, now_ms=20)["group", "mail/0"].open_ends == fires
    True
    """

    def __init__(self, longest_repeat_ms: int) -> None:
        self.sent: dict[_Key, Sent] = {}
        self._kept_ms = max(KEPT_MS, longest_repeat_ms)
        self._written: dict[_Key, tuple[int, frozenset[str]]] = {}
        self._unwritten: dict[_Key, dict[str, Any]] = {}

    def load(self, store: Store, now_ms: int) -> dict[_Key, Sent]:
        """Read what is known; ``now_ms`` stands in for times that lie ahead (:meth:`Sent.taken_ms`).

        Raises
        ------
        StoreError
        """
        for row in rows_of(store.read(Query("checkpoints", where={"stage": TOLD}))):
            state = decode_state(row["state"])
            key = state["group"], state["target"]
            sets = {name: frozenset(state.get(name, ())) for name in _SETS}
            stood_at, since = (frozenset((alert, number) for alert, number in state.get(name, ())) for name in _PAIRS)
            at_ms = state.get("at_ms", row["position"])
            self.sent[key] = Sent(at_ms, **sets, stood_at=stood_at, since=since, read_ms=now_ms)
            self._written[key] = row["position"], self.sent[key].believed
        return self.sent

    def adopt(self, sent: Mapping[_Key, Sent], now_ms: int) -> None:
        """Take up what is known from elsewhere, where nothing is."""
        for key in sent.keys() - self.sent.keys():
            self.sent[key] = sent[key]
            self._keep(key, sent[key], now_ms)

    def may_know(self, key: _Key, firing: frozenset[str], now_ms: int) -> None:
        """Before a receiver is notified of new alerts: after a crash it has to be notified of their resolution, too."""
        if key not in self._written or not firing <= self._written[key][1]:
            self._keep(key, perhaps(self.sent.get(key), firing), now_ms)

    def knows(self, key: _Key, now_ms: int) -> None:
        """A receiver was notified of what :attr:`sent` says."""
        self._keep(key, self.sent[key], now_ms)

    def does_not_know(self, key: _Key, now_ms: int) -> None:
        """A receiver has certainly not taken what :meth:`may_know` noted: it believes what it did before."""
        sent = self.sent.get(key) or Sent(0, frozenset(), frozenset())
        if key in self._written and self._written[key][1] != sent.believed:
            self._keep(key, sent, now_ms)

    def tend(self, groups: Collection[str], now_ms: int) -> None:
        """Drop what is of no more use, and write the rest anew before it is too old.

        Parameters
        ----------
        groups : collection of str
            Digests of the groups that have alerts.
        now_ms : int
        """
        for key, sent in list(self.sent.items()):
            written_ms, believed = self._written.get(key, (now_ms, sent.believed))
            age_ms = now_ms - written_ms
            if key[0] in groups and age_ms >= DAY_MS:
                # With what the receiver may know besides: it is on its way, or waits for that.
                self._keep(key, perhaps(sent, believed), now_ms)
            elif key[0] not in groups and age_ms >= self._kept_ms:
                del self.sent[key], self._written[key]

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

    def _keep(self, key: _Key, sent: Sent, now_ms: int) -> None:
        position = after(self._written[key][0], now_ms) if key in self._written else now_ms
        self._written[key] = position, sent.believed
        group, target = key
        alerts = {name: sorted(getattr(sent, name)) for name in (*_SETS, *_PAIRS)}
        state = encode_state({"group": group, "target": target, "at_ms": sent.at_ms, **alerts})
        row = {"stage": TOLD, "name": f"{target}/{group}", "partition": 0, "position": position}
        self._unwritten[key] = {**row, "config": "", "state": state}
