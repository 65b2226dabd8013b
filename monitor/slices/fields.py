"""What is stored of the fields of labelled events, and what two slices of them look like in the model's own layouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.sketch import INVALID, CategoryFold, CategoryLayout, NumericFold, NumericLayout
from monitor.panes.distributions import Part, Summaries
from monitor.slices.sample import AROUND_MS, Sample, TooManyEventsError
from monitor.watch import Watch
from sinks.store.contract import Query, Store

__all__ = ["Fields", "fields_of", "not_stored", "sides_of", "stored_signals"]

EVENTS_AT_ONCE = 25, 5_000
VALUES_AT_ONCE = 200_000
"""A value has up to 256 characters: so many are held at once, of however many fields an event has."""
ROWS_AN_EVENT = 4
"""An event's fields may come on several topics, and an id may stand in for several events: so many rows on average."""

Integers = NDArray[np.int64]
Fields = Mapping[str, float | str | None]
"""What is stored of an event, by signal; None where it was missing or could not be read."""

_Position = tuple[str, int, int]


def not_stored(watch: Watch) -> dict[str, str]:
    """Return why nothing is stored of some signals' single values, by signal."""
    reasons: dict[str, str] = {}
    for signal, layout in watch.layouts.items():
        mask = watch.privacy.masks.get(signal)
        if mask is not None and not mask.shows_values:
            reasons[signal] = f"privacy: {mask.kind}"
        elif signal in watch.model.spec.keep.without:
            reasons[signal] = "keep.without"
        elif not isinstance(layout, NumericLayout | CategoryLayout):
            reasons[signal] = "vectors are not stored"
    return reasons


def stored_signals(watch: Watch) -> list[str]:
    """Return the signals whose values stored events have, in the order of the configuration."""
    hidden = not_stored(watch)
    return [signal for signal in watch.layouts if signal not in hidden]


def fields_of(
    store: Store, watch: Watch, part: Part, sample: Sample, rows: Integers
) -> Iterator[tuple[Integers, list[Fields]]]:
    """Yield some events of a sample, a few at a time, with what is stored of them.

    Where the event at the log position of the prediction has features, it alone counts. Else its fields came on
    several topics, and what is stored under its id is put together in the order of time and log position.

    Raises
    ------
    TooManyEventsError
        An id stands in for too many events to read them at once.
    StoreError
    """
    fewest, most = EVENTS_AT_ONCE
    at_once = min(most, max(fewest, VALUES_AT_ONCE // max(1, len(watch.layouts))))
    for start in range(0, len(rows), at_once):
        yield from _some_fields(store, watch, part, sample, rows[start : start + at_once], ROWS_AN_EVENT * at_once)


def _some_fields(
    store: Store, watch: Watch, part: Part, sample: Sample, rows: Integers, most: int
) -> Iterator[tuple[Integers, list[Fields]]]:
    """Yield some events at once, or by halves where more than ``most`` are stored under their ids."""
    ids = [sample.columns["id"][row] for row in rows.tolist()]
    where = {"model": watch.name, "id": sorted(set(ids))}
    span = {"event_ms": part.from_ms - AROUND_MS}, {"event_ms": part.to_ms + AROUND_MS}
    columns = ("event_ms", "topic", "partition", "offset", "id", "fields")
    events = store.read(Query("events", where, *span, limit=most + 1, columns=columns))
    if len(events["id"]) <= most:
        yield rows, _fields_at(events, ids, [_position(sample.columns, row) for row in rows.tolist()])
    elif len(where["id"]) == 1:
        # The id itself may be somebody's name.
        detail = f"more than {most:,} stored events of {watch.name} have the same id: ids must tell events apart"
        raise TooManyEventsError(detail)
    else:
        for half in np.array_split(rows, 2):
            yield from _some_fields(store, watch, part, sample, half, most)


def _position(columns: Mapping[str, Any], row: int) -> _Position:
    return columns["topic"][row], int(columns["partition"][row]), int(columns["offset"][row])


def _fields_at(events: Mapping[str, Any], ids: Sequence[str], positions: Sequence[_Position]) -> list[Fields]:
    """Return the fields of events by their ids and the log positions of their predictions."""
    stored: dict[str, list[Fields]] = {}
    by_position: dict[_Position, Fields] = {}
    for row, name in enumerate(events["id"]):
        fields = msgspec.json.decode(events["fields"][row])
        stored.setdefault(name, []).append(fields)
        if any(signal.startswith("feature:") for signal in fields):
            by_position.setdefault(_position(events, row), fields)
    return [
        by_position[at] if at in by_position else _together(stored.get(name, ()))
        for name, at in zip(ids, positions, strict=True)
    ]


def _together(stored: Sequence[Fields]) -> Fields:
    together: dict[str, float | str | None] = {}
    for fields in stored:
        together |= {signal: value for signal, value in fields.items() if value is not None or signal not in together}
    return together


@dataclass(frozen=True)
class _Fold:
    """Events of two sides, counted as panes count them."""

    numeric: Mapping[str, NumericLayout]
    category: Mapping[str, CategoryLayout]
    numbers: NumericFold
    names: CategoryFold

    @classmethod
    def of(cls, watch: Watch, signals: Sequence[str]) -> _Fold:
        layouts = {signal: watch.layouts[signal] for signal in signals}
        numeric = {s: layout for s, layout in layouts.items() if isinstance(layout, NumericLayout)}
        category = {s: layout for s, layout in layouts.items() if isinstance(layout, CategoryLayout)}
        fold = cls(numeric, category, NumericFold(list(numeric.values())), CategoryFold(list(category.values())))
        fold.numbers.ensure(2)
        fold.names.ensure(2)
        return fold

    def add(self, side: int, events: Sequence[Fields]) -> None:
        rows = np.full(len(events), side, dtype=np.int64)
        numbers = [[_number(fields.get(signal)) for fields in events] for signal in self.numeric]
        self.numbers.fold(rows, np.array(numbers, dtype=np.float64).reshape(len(self.numeric), len(events)))
        self.names.fold(rows, [[_name(fields.get(signal)) for fields in events] for signal in self.category])

    def summaries(self, side: int) -> Summaries:
        numbers = zip(self.numeric, self.numbers.take(side), strict=True)
        return Summaries(dict([*numbers, *zip(self.category, self.names.take(side), strict=True)]))


def _number(value: float | str | None) -> float:
    """A number; a name, which was stored when the field was one, is none that could be read."""
    return np.nan if value is None else np.inf if isinstance(value, str) else float(value)


def _name(value: float | str | None) -> Any:
    return value if value is None or isinstance(value, str) else INVALID


def sides_of(
    watch: Watch, signals: Sequence[str], sides: Sequence[Integers], events: Iterator[tuple[Integers, list[Fields]]]
) -> tuple[Summaries, Summaries]:
    """Return what the signals of two slices look like.

    Parameters
    ----------
    watch : Watch
    signals : sequence of str
    sides : two int64 arrays
        Which events of a sample each slice has; an event may be in both.
    events : iterator
        What :func:`fields_of` yields, of all of them.
    """
    fold = _Fold.of(watch, signals)
    for rows, fields in events:
        for side, members in enumerate(sides):
            chosen = np.flatnonzero(np.isin(rows, members)).tolist()
            if chosen:
                fold.add(side, [fields[index] for index in chosen])
    return fold.summaries(0), fold.summaries(1)
