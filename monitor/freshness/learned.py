"""What was learned of the gaps of each stream, and kept: the table ``freshness``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from detectors.freshness import Gaps, Silences
from monitor.checkpoint import decode_state, encode_state
from monitor.errors import CheckpointError
from monitor.freshness.follower import Heard
from monitor.freshness.streams import Stream
from sinks.store.batch import Rows, add_row, append, empty_rows
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["UNSEEN", "Learned", "unseen"]

UNSEEN = ("silent", "behind", "unanswered", "unread")
"""How a stream stands of which nothing is seen."""


class Learned:
    """Everything that is known of streams.

    Parameters
    ----------
    store : Store

    Attributes
    ----------
    last_ms : dict of Stream to int
        When the last event of each came; 0 if none did.
    streams : list of Stream
        Those that are watched, in the order in which :meth:`silences` answers.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.last_ms: dict[Stream, int] = {}
        self.streams: list[Stream] = []
        self._gaps = Gaps.empty(0)
        self._numbers: dict[Stream, int] = {}
        self._stored: dict[Stream, dict[str, Any]] | None = None

    def observe(self, at_ms: int, heard: Mapping[Stream, Heard], alarmed: Collection[Stream]) -> None:
        """Take in what was heard since the last time.

        Parameters
        ----------
        at_ms : int
            Now.
        heard : mapping of Stream to Heard
        alarmed : collection of Stream
            Of which an alert fires: the silence that ends is nothing to expect.

        Raises
        ------
        StoreError
        """
        self._align(sorted(heard))
        # Events that came while nobody watched for silence show in the time of the last one alone.
        missed = {stream for stream, new in heard.items() if new.is_first and new.last_ms > self.last_ms[stream]}
        events = np.array([max(heard[s].events, int(s in missed)) for s in self.streams], dtype=np.float64)
        watched_s = np.array([heard[s].watched_s for s in self.streams], dtype=np.float64)
        self._gaps.observe(at_ms, events, watched_s, np.array([s in alarmed for s in self.streams], dtype=np.bool_))
        for stream, came in zip(self.streams, events.tolist(), strict=True):
            if came:
                self.last_ms[stream] = heard[stream].last_ms

    def silences(self, at_ms: int) -> Silences:
        """Return what is to be said of the silence of each of :attr:`streams`.

        A model has a budget of false alarms, and all of its parts share another one.
        """
        parts = Counter(stream.model for stream in self.streams if stream.kind != "model")
        sharers = [1 if stream.kind == "model" else parts[stream.model] for stream in self.streams]
        return self._gaps.silences(at_ms, sharers=np.array(sharers, dtype=np.float64))

    def save(self, at_ms: int, standing: Mapping[Stream, str]) -> None:
        """Keep what is known.

        Parameters
        ----------
        at_ms : int
            Now.
        standing : mapping of Stream to str
            How each stands, for people.

        Raises
        ------
        StoreError
        """
        rows: Rows = empty_rows("freshness")
        silences = self.silences(at_ms)
        for i, stream in enumerate(self.streams):
            # Of two rows the larger number counts: clocks go back.
            number = self._numbers[stream] = max(self._numbers[stream] + 1, at_ms)
            state = encode_state(self._gaps.state(i))
            silence = {"silent_ms": round(1000 * silences.age_s[i]), "allowed_ms": _ms(silences.allowed_s[i])}
            values = {
                "number": number,
                "last_ms": self.last_ms[stream],
                "standing": standing.get(stream, ""),
                "state": state,
            }
            add_row(rows, stream.key | silence | values)
        append(self._store, "freshness", rows)

    def _align(self, streams: list[Stream]) -> None:
        """Have the rows of the state be those of some streams."""
        if streams == self.streams:
            return
        rows = {stream: self._gaps.state(i) for i, stream in enumerate(self.streams)}
        empty = Gaps.empty(1).state(0)
        states = [rows.get(stream) or self._read(stream) or empty for stream in streams]
        self._gaps, self.streams = Gaps.joined(states), streams

    def _read(self, stream: Stream) -> dict[str, Any] | None:
        if self._stored is None:
            rows = rows_of(self._store.read(Query("freshness")))
            self._stored = {Stream(*(row[name] for name in vars(stream))): row for row in rows}
        row = self._stored.get(stream, {"number": 0, "last_ms": 0, "state": b""})
        self._numbers[stream], self.last_ms[stream] = row["number"], row["last_ms"]
        try:
            state: dict[str, Any] | None = decode_state(row["state"]) if row["state"] else None
        except CheckpointError:
            # Of another version: it is learned again.
            return None
        return state


def _ms(seconds: float) -> int:
    """Return a length that may be infinite, in ms; 0 if it is."""
    return round(1000 * seconds) if math.isfinite(seconds) else 0


def unseen(store: Store) -> list[dict[str, Any]]:
    """Return the streams of which nothing is seen: what is silent, what waits to be read, and what nobody reads.

    Raises
    ------
    StoreError
    """
    columns = ("model", "kind", "topic", "partition", "standing", "last_ms")
    rows = rows_of(store.read(Query("freshness", {"standing": [*UNSEEN]}, columns=columns)))
    return [row | {"last_ms": row["last_ms"] or None} for row in rows]
