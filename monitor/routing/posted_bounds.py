"""How much posted alerts that fire may be: others decide how many they post, and this process holds them all."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from monitor.routing.posted import Posted
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["ALERT_BYTES", "HOLDS_MS", "PostedBounds", "Room"]

ALERT_BYTES = 65_536
"""Of the labels and annotations of one alert, in UTF-8."""

RENEW_MS = 10_000
HOLDS_MS = 300_000
COLUMNS = ("fingerprint", "labels", "annotations", "link")


class Room(NamedTuple):
    """How many posted alerts may fire, and how many bytes of labels and annotations they may have together."""

    alerts: int
    bytes: int


class PostedBounds:
    """Counts the posted alerts of one store that fire, and refuses those that would be too many.

    Where several processes take posts, each learns of the others' alerts before it refuses one.

    Attributes
    ----------
    refused : int
        Alerts that were refused, each time that they came.

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> store = MemoryStore()
    >>> alerts = [Posted({"alertname": name}, {}, 0, 100, 0) for name in ("Disk", "Fan")]
    >>> PostedBounds.of(store).refusals(store, alerts, now_ms=5, room=Room(alerts=1, bytes=1_000))
    {1: '1 posted alerts fire, as many as `spec.api.max_posted_alerts` allows'}
    """

    def __init__(self) -> None:
        self.refused = 0
        self._turn = threading.Lock()
        self._sizes: dict[str, int] = {}
        self._bytes = 0
        self._renewed_ms: int | None = None
        self._refused_ms: int | None = None
        self._reason = ""

    @staticmethod
    def of(store: Store) -> PostedBounds:
        """Return the one of a store, which everybody shares who takes posts."""
        return _BY_STORE.setdefault(store, PostedBounds())

    @property
    def count(self) -> int:
        """How many posted alerts fire, as far as is known here."""
        return len(self._sizes)

    def holding(self, now_ms: int) -> dict[str, str]:
        """By ``alerts`` what an alert is to say while posts are refused, and for five minutes after."""
        # Either way: a clock that was set back makes it no longer.
        if self._refused_ms is None or abs(now_ms - self._refused_ms) > HOLDS_MS:
            return {}
        return {"alerts": f"posted alerts are refused, and nobody is notified of them: {self._reason}"}

    def refusals(self, store: Store, alerts: Sequence[Posted], now_ms: int, room: Room) -> dict[int, str]:
        """Take up the alerts that there is room for, and return by their indices why the others are refused.

        Raises
        ------
        StoreError
        """
        with self._turn:
            if self._renewed_ms is None:
                self._renew(store, now_ms)
            reasons = self._take_all(alerts, range(len(alerts)), now_ms, room)
            if reasons and abs(now_ms - (self._renewed_ms or 0)) >= RENEW_MS:
                # Some are over meanwhile, by their own ends or in another process.
                self._renew(store, now_ms)
                reasons = self._take_all(alerts, sorted(reasons), now_ms, room)
            if reasons:
                self.refused += len(reasons)
                self._refused_ms, self._reason = now_ms, next(iter(reasons.values()))
            return reasons

    def _renew(self, store: Store, now_ms: int) -> None:
        rows = rows_of(store.read(Query("posted", low={"ends_ms": now_ms + 1}, columns=COLUMNS)))
        texts = ("labels", "annotations", "link")
        self._sizes = {row["fingerprint"]: sum(len(row[name].encode()) for name in texts) for row in rows}
        self._bytes, self._renewed_ms = sum(self._sizes.values()), now_ms

    def _take_all(self, alerts: Sequence[Posted], indices: Iterable[int], now_ms: int, room: Room) -> dict[int, str]:
        reasons = {index: self._take(alerts[index], now_ms, room) for index in indices}
        return {index: reason for index, reason in reasons.items() if reason}

    def _take(self, alert: Posted, now_ms: int, room: Room) -> str:
        if not alert.fires(now_ms):
            self._bytes -= self._sizes.pop(alert.fingerprint, 0)
            return ""
        size, former_size = size_of(alert), self._sizes.get(alert.fingerprint, 0)
        if size > ALERT_BYTES:
            return f"labels and annotations of an alert have at most {ALERT_BYTES} bytes"
        if not former_size and len(self._sizes) >= room.alerts:
            return f"{room.alerts} posted alerts fire, as many as `spec.api.max_posted_alerts` allows"
        if self._bytes - former_size + size > room.bytes:
            return f"posted alerts that fire have {room.bytes} bytes, as many as `spec.api.max_posted_bytes` allows"
        self._sizes[alert.fingerprint] = size
        self._bytes += size - former_size
        return ""


def size_of(alert: Posted) -> int:
    """Return how many bytes of text an alert has."""
    texts = (*alert.labels, *alert.labels.values(), *alert.annotations, *alert.annotations.values(), alert.link)
    return sum(len(text.encode()) for text in texts)


_BY_STORE: WeakKeyDictionary[Store, PostedBounds] = WeakKeyDictionary()
