"""Silences in the store: adding, changing and ending them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from monitor.clock import Clock
from monitor.routing.interval_spec import parse_intervals, written
from monitor.routing.matchers import Matcher, parse_matchers
from monitor.routing.quarantine import Quarantine
from monitor.routing.silences import Silence, SilenceError
from sinks.receivers.times import OUTSIDE, lies_within
from sinks.store.change_log import ChangeLog, Row
from sinks.store.contract import Store

__all__ = ["KEPT_MS", "SilenceLog"]

KEPT_MS = 5 * 86_400_000
"""For so long a silence that is over is shown."""

MOST_REMEMBERED = 20_000
"""So many silences, and texts of matchers, are remembered as they were read."""


class SilenceLog:
    """The silences of one store.

    Parameters
    ----------
    store : Store
    clock : Clock

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> clock = ManualClock(now_ms=1_000)
    >>> log = SilenceLog(MemoryStore(), clock)
    >>> name = log.set(Silence("", parse_matchers("model=fraud"), 0, 9_000, "ann", "a new version is rolled out"))
    >>> clock.advance(2)
    >>> log.expire(name)
    >>> [(silence.starts_ms, silence.ends_ms) for silence in log.all()]
    [(1000, 3000)]
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._log, self._clock = ChangeLog(store, "silences"), clock
        self._quarantine = Quarantine.of(store)

    def all(self) -> list[Silence]:
        """Return the silences that are not long over.

        Raises
        ------
        StoreError
        """
        return self._usable(self._log.rows(low={"ends_ms": self._clock.now_ms() - KEPT_MS}))

    def named(self, names: Collection[str]) -> list[Silence]:
        """Return those with these ids, however long they are over.

        Raises
        ------
        StoreError
        """
        return self._usable(self._log.named(names).values()) if names else []

    def get(self, name: str) -> Silence:
        """Return one.

        Raises
        ------
        SilenceError
            There is none.
        StoreError
        """
        silence = next((silence for silence in self.all() if silence.id == name), None)
        if silence is None:
            raise SilenceError(f"there is no silence {name}")
        return silence

    def set(self, silence: Silence) -> str:
        """Add a silence, or change the one with its id; return the id, which may be another.

        A change that would make the past look different ends the old silence and adds a new one, as Alertmanager
        does.

        Raises
        ------
        SilenceError
            There is none with this id, or its times lie outside the years 1 to 9999.
        StoreError
        """
        if not (lies_within(silence.starts_ms) and lies_within(silence.ends_ms)):
            raise SilenceError(OUTSIDE)
        now_ms = self._clock.now_ms()
        stored = self.get(silence.id) if silence.id else None
        if stored is not None and stored.can_become(silence, now_ms):
            self._write(silence, now_ms)
            return silence.id
        # Refused before anything is written: the old one stays if there is nothing to take its turn.
        added = replace(silence, id=str(uuid.uuid4()), starts_ms=max(silence.starts_ms, now_ms))
        if stored is not None and stored.state(now_ms) != "expired":
            self._write(stored.expired(now_ms), now_ms)
        self._write(added, now_ms)
        return added.id

    def expire(self, name: str) -> None:
        """End a silence; one that is over stays as it is.

        Raises
        ------
        SilenceError
            There is none.
        StoreError
        """
        silence, now_ms = self.get(name), self._clock.now_ms()
        if silence.state(now_ms) != "expired":
            self._write(silence.expired(now_ms), now_ms)

    def _usable(self, rows: Iterable[Row]) -> list[Silence]:
        return self._quarantine.usable("silences", "id", rows, _read)

    def _write(self, silence: Silence, now_ms: int) -> None:
        row = {
            "id": silence.id,
            "updated_ms": now_ms,
            "starts_ms": silence.starts_ms,
            "ends_ms": silence.ends_ms,
            "matchers": ",".join(map(str, silence.matchers)),
            "created_by": silence.created_by,
            "comment": silence.comment,
            "intervals": json.dumps(written(silence.intervals)) if silence.intervals else "",
            "tells": json.dumps(list(silence.tells)) if silence.tells else "",
        }
        self._log.put([row])


@lru_cache(MOST_REMEMBERED)
def _matchers(text: str) -> tuple[Matcher, ...]:
    # Compiling a regular expression takes its time, and many silences may have the same.
    return tuple(parse_matchers(text))


def _read(row: Row) -> Silence:
    return _silence(tuple(row[name] for name in _COLUMNS))


_COLUMNS = ("id", "matchers", "starts_ms", "ends_ms", "created_by", "comment", "updated_ms", "intervals", "tells")


@lru_cache(MOST_REMEMBERED)
def _silence(values: tuple[Any, ...]) -> Silence:
    # All silences are read at each look, and few have changed since the one before.
    stored = dict(zip(_COLUMNS, values, strict=True))
    read = {
        "matchers": _matchers(stored["matchers"]),
        "intervals": tuple(parse_intervals(json.loads(stored["intervals"] or "[]"))),
        "tells": tuple(json.loads(stored["tells"] or "[]")),
    }
    return Silence(**(stored | read))
