"""What happens to alerts, as it happens: the log of transitions followed from a position in it.

A position is the last transition seen of each model, and the last about its silence. Transitions of one model are
stored in the order of event time, those about its silence in that of the clock; between models there is no order that a
single number could stand for, since each is read at its own pace.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from monitor.alerts.alert_log import ALERT_TABLES, ALERTS, table_of
from monitor.api.buckets import EARLIEST_MS
from monitor.api.reading import CursorError, Row, decode_cursor, encode_cursor, is_storable
from monitor.api.standing_alerts import is_matched, transition
from monitor.routing.matchers import Matcher
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["Feed", "Happened", "ends_of", "positions_of"]

KIND = "feed"
PAGE = 1_000
Position = tuple[int, str, str, int]
_PLACE = ("at_ms", "model", "alert_id", "sequence")


@dataclass(frozen=True)
class Happened:
    """A transition that was stored, read once for all who follow.

    Parameters
    ----------
    row : dict
        Of one of :data:`~monitor.alerts.alert_log.ALERT_TABLES`.
    """

    row: Row

    @cached_property
    def log(self) -> str:
        """What a position in the log that it stands in is known by."""
        return _log(table_of(self.shown["labels"]), self.row["model"])

    @cached_property
    def position(self) -> Position:
        """The values of the order of time, and of the rest of the natural key."""
        row = self.row
        return int(row["at_ms"]), row["model"], row["alert_id"], int(row["sequence"])

    @cached_property
    def shown(self) -> Row:
        """The transition, with its JSON read."""
        return transition(self.row)

    @cached_property
    def text(self) -> str:
        """The transition as JSON, in one line: of what people write, clients may take more for the end of one."""
        return json.dumps(self.shown, separators=(",", ":"))


class Feed:
    """The transitions of some models behind a position.

    Parameters
    ----------
    models : sequence of str
    positions : mapping of str to (int, str, str, int)
        The last transition seen of each log; of others, none was.
    matchers : sequence of Matcher
        Only alerts whose labels all of them match.
    """

    def __init__(
        self, models: Sequence[str], positions: Mapping[str, Position], matchers: Sequence[Matcher] = ()
    ) -> None:
        self._models, self._matchers = frozenset(models), matchers
        self.positions = dict(positions)

    @property
    def position(self) -> str:
        """The position now: the ``id`` of the last event."""
        positions = {model: list(position) for model, position in sorted(self.positions.items())}
        return encode_cursor(KIND, [json.dumps(positions, separators=(",", ":"))])

    def unseen(self, rows: Iterable[Happened]) -> Iterator[Happened]:
        """Yield the transitions that were not seen, in the order of their times, each when the position is at it."""
        for happened in sorted(filter(self._is_behind, rows), key=lambda each: each.position):
            self.positions[happened.log] = happened.position
            yield happened

    def take(self, rows: Iterable[Happened]) -> Iterator[tuple[str, Happened]]:
        """Yield those of the unseen that are matched, each with the position behind it."""
        for happened in self.unseen(rows):
            if is_matched(happened.shown, self._matchers):
                yield self.position, happened

    def pages(self, store: Store) -> Iterator[list[Happened]]:
        """Yield what lies behind the position now, some of it at a time.

        Raises
        ------
        StoreError
        """
        for table in ALERT_TABLES:
            yield from self._pages(store, table)

    def _pages(self, store: Store, table: str) -> Iterator[list[Happened]]:
        logs = {model: _log(table, model) for model in self._models}
        floors = {model: self.positions.get(log, (EARLIEST_MS,))[0] for model, log in logs.items()}
        query = Query(table, floors={"at_ms": floors}, order=("at_ms",), limit=PAGE)
        while True:
            columns = store.read(query)
            rows = rows_of(columns)
            yield list(map(Happened, rows))
            if len(rows) < PAGE:
                return
            query = replace(query, after=query.cursor(columns))

    def _is_behind(self, happened: Happened) -> bool:
        is_new = happened.log not in self.positions or happened.position > self.positions[happened.log]
        return is_new and happened.row["model"] in self._models


def ends_of(store: Store, models: Iterable[str]) -> dict[str, Position]:
    """Return the newest transition of each model, and the newest about its silence.

    Raises
    ------
    StoreError
    """
    ends: dict[str, Position] = {}
    for table in ALERT_TABLES:
        # Of thousands of models in one question each time: it is asked whenever somebody looks after nobody did.
        query = Query(
            table, {"model": [*models]}, order=("at_ms",), descending=True, first_by=("model",), columns=_PLACE
        )
        for row in rows_of(store.read(query)):
            at_ms, model, alert_id, sequence = (row[name] for name in _PLACE)
            ends[_log(table, model)] = int(at_ms), model, alert_id, int(sequence)
    return ends


def _log(table: str, model: str) -> str:
    return model if table == ALERTS else f"{table}/{model}"


def positions_of(event_id: str) -> dict[str, Position]:
    """Return the positions that the ``id`` of an event stands for.

    Raises
    ------
    CursorError
        If it is none.
    """
    wrong = CursorError(f"{event_id!r} is not an event's id")
    try:
        (text,) = decode_cursor(KIND, event_id, (str,))
        positions: dict[str, Any] = json.loads(text)
        decoded = {model: (at_ms, name, alert_id, seq) for model, (at_ms, name, alert_id, seq) in positions.items()}
    except (CursorError, ValueError, AttributeError, TypeError) as error:
        raise wrong from error
    for model, position in decoded.items():
        if [type(value) for value in position] != [int, str, str, int] or not all(map(is_storable, (model, *position))):
            raise wrong
    return decoded
