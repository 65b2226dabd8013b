"""Silences in the store: adding, changing and ending them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from dataclasses import replace

from monitor.clock import Clock
from monitor.routing.interval_spec import parse_intervals, written
from monitor.routing.matchers import parse_matchers
from monitor.routing.silences import Silence, SilenceError
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["KEPT_MS", "SilenceLog"]

KEPT_MS = 5 * 86_400_000
"""For so long a silence that is over is shown."""


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
        self._store, self._clock = store, clock

    def all(self) -> list[Silence]:
        """Return the silences that are not long over.

        Raises
        ------
        StoreError
        """
        return self._read(Query("silences", low={"ends_ms": self._clock.now_ms() - KEPT_MS}))

    def named(self, names: Collection[str]) -> list[Silence]:
        """Return those with these ids, however long they are over.

        Raises
        ------
        StoreError
        """
        return self._read(Query("silences", where={"id": sorted(names)})) if names else []

    def _read(self, query: Query) -> list[Silence]:
        return [
            Silence(
                row["id"],
                tuple(parse_matchers(row["matchers"])),
                row["starts_ms"],
                row["ends_ms"],
                row["created_by"],
                row["comment"],
                row["updated_ms"],
                tuple(parse_intervals(json.loads(row["intervals"] or "[]"))),
                tuple(json.loads(row["tells"] or "[]")),
            )
            for row in rows_of(self._store.read(query))
        ]

    def get(self, name: str) -> Silence:
        """Return one.

        Raises
        ------
        SilenceError
            There is none.
        StoreError
        """
        found = next((silence for silence in self.all() if silence.id == name), None)
        if found is None:
            raise SilenceError(f"there is no silence {name}")
        return found

    def set(self, wanted: Silence) -> str:
        """Add a silence, or change the one with its id; return the id, which may be another.

        A change that would make the past look different ends the old silence and adds a new one, as Alertmanager
        does.

        Raises
        ------
        SilenceError
            There is none with this id.
        StoreError
        """
        now_ms = self._clock.now_ms()
        known = self.get(wanted.id) if wanted.id else None
        if known is not None and known.can_become(wanted, now_ms):
            self._write(wanted, now_ms)
            return wanted.id
        made = replace(wanted, id=str(uuid.uuid4()), starts_ms=max(wanted.starts_ms, now_ms))
        if known is not None and known.state(now_ms) != "expired":
            self._write(known.expired(now_ms), now_ms)
        self._write(made, now_ms)
        return made.id

    def expire(self, name: str) -> None:
        """End a silence; one that is over stays as it is.

        Raises
        ------
        SilenceError
            There is none.
        StoreError
        """
        known, now_ms = self.get(name), self._clock.now_ms()
        if known.state(now_ms) != "expired":
            self._write(known.expired(now_ms), now_ms)

    def _write(self, silence: Silence, now_ms: int) -> None:
        # Of two changes in the same millisecond the later one counts.
        updated_ms = max(now_ms, silence.updated_ms + 1)
        row = {
            "id": silence.id,
            "updated_ms": updated_ms,
            "starts_ms": silence.starts_ms,
            "ends_ms": silence.ends_ms,
            "matchers": ",".join(map(str, silence.matchers)),
            "created_by": silence.created_by,
            "comment": silence.comment,
            "intervals": json.dumps(written(silence.intervals)) if silence.intervals else "",
            "tells": json.dumps(list(silence.tells)) if silence.tells else "",
        }
        columns = {name: [value] for name, value in row.items()}
        self._store.append("silences", columns, token=f"silences/{silence.id}/{updated_ms}")
