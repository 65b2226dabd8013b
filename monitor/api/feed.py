"""What happens to alerts, as it happens: the log of transitions followed from a position in it.

A position is the last transition seen of each model, and the last about its silence. Transitions of one model are
stored in the order of event time, those about its silence in that of the clock; between models there is no order that a
single number could stand for, since each is read at its own pace.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any

from monitor.alerts.alert_log import ALERT_TABLES, ALERTS, table_of
from monitor.api.buckets import EARLIEST_MS
from monitor.api.reading import CursorError, Row, is_storable
from monitor.api.standing_alerts import is_matched, transition
from monitor.routing.matchers import Matcher
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["EventIds", "Feed", "Happened", "ends_of", "event_id", "fitting", "positions_of"]

PAGE = 1_000
KEPT_IDS = 16
MOST_BYTES = 4 << 20
"""Of positions: of 50,000 logs."""

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
    def size(self) -> int:
        """How many characters its texts have."""
        return sum(len(value) for value in self.row.values() if isinstance(value, str))

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


class EventIds:
    """The ids written last: of thousands of models one takes milliseconds, and hundreds of streams send it."""

    def __init__(self) -> None:
        self._written: dict[frozenset[tuple[str, Position]], str] = {}

    def of(self, positions: Mapping[str, Position]) -> str:
        """Return the id of positions."""
        key = frozenset(positions.items())
        if key not in self._written:
            if len(self._written) == KEPT_IDS:
                del self._written[next(iter(self._written))]
            self._written[key] = event_id(positions)
        return self._written[key]


class Feed:
    """The transitions of some models behind a position.

    Parameters
    ----------
    models : sequence of str
    positions : mapping of str to (int, str, str, int)
        The last transition seen of each log; of others, none was.
    matchers : sequence of Matcher
        Only alerts whose labels all of them match.
    ids : EventIds or None
        Shared with others that are at the same positions.
    """

    def __init__(
        self,
        models: Sequence[str],
        positions: Mapping[str, Position],
        matchers: Sequence[Matcher] = (),
        ids: EventIds | None = None,
    ) -> None:
        self._models, self._matchers = frozenset(models), matchers
        self.positions = dict(positions)
        self._ids = EventIds() if ids is None else ids

    @property
    def position(self) -> str:
        """The position now: the ``id`` of the last event."""
        return self._ids.of(self.positions)

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

    def pages(self, store: Store, most_bytes: Callable[[], float] = lambda: math.inf) -> Iterator[list[Happened]]:
        """Yield what lies behind the position now, some of it at a time.

        Parameters
        ----------
        store : Store
        most_bytes : callable
            Returns of how many characters a page may be; it has one transition at least.

        Raises
        ------
        StoreError
        """
        for table in ALERT_TABLES:
            yield from self._pages(store, table, most_bytes)

    def _pages(self, store: Store, table: str, most_bytes: Callable[[], float]) -> Iterator[list[Happened]]:
        logs = {model: _log(table, model) for model in self._models}
        floors = {model: self.positions.get(log, (EARLIEST_MS,))[0] for model, log in logs.items()}
        query = Query(table, floors={"at_ms": floors}, order=("at_ms",), limit=PAGE)
        is_over = False
        while not is_over:
            # Whoever takes its time with a page has the others of it nowhere: neither here, nor in what was read.
            page, is_over = self._page(store, query, most_bytes())
            if page:
                newest = page[-1].row
                query = replace(query, after=tuple(newest[name] for name in query.sort_columns()))
            yield page
            del page

    def _page(self, store: Store, query: Query, most_bytes: float) -> tuple[list[Happened], bool]:
        rows = rows_of(store.read(query))
        page = fitting(list(map(Happened, rows)), most_bytes)
        return page, len(page) == len(rows) < PAGE

    def _is_behind(self, happened: Happened) -> bool:
        is_new = happened.log not in self.positions or happened.position > self.positions[happened.log]
        return is_new and happened.row["model"] in self._models


def fitting(rows: Sequence[Happened], most_bytes: float) -> list[Happened]:
    """Return the first of some transitions, of as many characters together as they may have; one at least.

    Examples
    --------
    >>> rows = [Happened({"model": name * 50}) for name in "abc"]
    >>> [len(fitting(rows, most)) for most in (0, 100, 1_000)], fitting([], 0)
    ([1, 2, 3], [])
    """
    sizes = accumulate(row.size for row in rows)
    return [row for row, size in zip(rows, sizes, strict=True) if size <= most_bytes] or list(rows[:1])


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


def event_id(positions: Mapping[str, Position]) -> str:
    """Return what is sent as the ``id`` of an event: clients send it back in a header, and so it is packed.

    Examples
    --------
    >>> positions_of(event_id({"fraud": (5, "fraud", "a", 0), "freshness_alerts/churn": (7, "churn", "b", 1)}))
    {'fraud': (5, 'fraud', 'a', 0), 'freshness_alerts/churn': (7, 'churn', 'b', 1)}
    """
    # The model stands in the name of its log.
    shortened = {log: [at_ms, alert_id, number] for log, (at_ms, _, alert_id, number) in sorted(positions.items())}
    text = json.dumps(shortened, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(zlib.compress(text.encode(), 1)).decode().rstrip("=")


def positions_of(event_id: str) -> dict[str, Position]:
    """Return the positions that the ``id`` of an event stands for.

    Raises
    ------
    CursorError
        If it is none.
    """
    wrong = CursorError(f"{event_id[:100]!r} is not an event's id")
    try:
        positions: dict[str, Any] = json.loads(_unpacked(event_id))
        decoded = {log: (at_ms, _model(log), alert_id, seq) for log, (at_ms, alert_id, seq) in positions.items()}
    except (ValueError, AttributeError, TypeError, zlib.error, RecursionError) as error:
        raise wrong from error
    for log, position in decoded.items():
        if [type(value) for value in position] != [int, str, str, int] or not all(map(is_storable, (log, *position))):
            raise wrong
    return decoded


def _unpacked(event_id: str) -> bytes:
    packed = base64.b64decode((event_id + "=" * (-len(event_id) % 4)).encode("ascii"), altchars=b"-_", validate=True)
    unpacking = zlib.decompressobj()
    text = unpacking.decompress(packed, MOST_BYTES)
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("it is cut short, longer than what it holds, or of more logs than there can be")
    return text


def _model(log: str) -> str:
    return log.rpartition("/")[2]
