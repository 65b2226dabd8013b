"""From parsed rows to the columns of one model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.decoders.contract import Decoded, TopicPlan
from monitor.decoders.event_time import BOUND_MS, EventTimes
from monitor.decoders.shape import Columns, Path, Shape, split
from monitor.decoders.values import MAX_NAME, category, display, number, text
from monitor.events import KEPT, REJECTED, Events, Problem

__all__ = ["ModelColumns", "Rows"]

_PLAUSIBLE_RECORD_MS = 946_684_800_000
"""2000-01-01: an older clock of a broker or producer is a wrong clock."""


@dataclass(slots=True)
class Rows:
    """Parsed messages of one partition.

    Attributes
    ----------
    offsets, record_ms : int64 array [n]
    payloads : sequence of (bytes or None)
        The JSON of those that were scanned.
    columns : Columns
        The values of all messages of the batch, shared by all models that read some of them.
    documents : list of int
        Ascending indices of the rows that were not scanned: they may hold anything anywhere.
    chosen : list of int or None
        Which of the batch's messages the rows are; None for all.
    """

    offsets: NDArray[np.int64]
    record_ms: NDArray[np.int64]
    payloads: Sequence[bytes | None]
    columns: Columns
    documents: list[int]
    chosen: list[int] | None = None

    def __len__(self) -> int:
        return len(self.payloads)

    def of(self, path: Path) -> list[Any]:
        """The values at ``path``; not to be changed."""
        values = self.columns.of(path)
        return values if self.chosen is None else [values[index] for index in self.chosen]

    def numbers(self, paths: Sequence[Path]) -> NDArray[np.float64]:
        """The numbers at ``paths``, each for numbers only, as a float64 array [paths, n]; NaN in documents."""
        values = self.columns.numbers(paths)
        return values if self.chosen is None else np.ascontiguousarray(values[:, self.chosen])

    def at(self, path: Path, index: int) -> object:
        """The value at ``path`` of a document."""
        return self.columns.at(path, index if self.chosen is None else self.chosen[index])

    def document(self, index: int) -> object:
        """The document of a row that was not scanned, or None."""
        return self.columns.document(index if self.chosen is None else self.chosen[index])

    def take(self, indices: Sequence[int]) -> Rows:
        """The rows with the given ascending indices."""
        if len(indices) == len(self):
            return self
        odd = set(self.documents)
        return Rows(
            self.offsets[indices],
            self.record_ms[indices],
            [self.payloads[index] for index in indices],
            self.columns,
            [new for new, old in enumerate(indices) if old in odd] if odd else [],
            list(indices) if self.chosen is None else [self.chosen[index] for index in indices],
        )


class ModelColumns:
    """Builds one model's events from rows.

    Parameters
    ----------
    plan : TopicPlan
    """

    def __init__(self, plan: TopicPlan) -> None:
        self.plan = plan
        self.name = plan.model
        self.numeric = [(name, split(plan.signals[name].path or name.partition(":")[2])) for name in plan.numeric]
        self.category = [(name, split(plan.signals[name].path or name.partition(":")[2])) for name in plan.category]
        self.id = split(plan.schema.id) if plan.schema.id is not None else None
        self.version = split(plan.schema.version) if plan.schema.version is not None else None
        self.subject = split(plan.subject) if plan.subject is not None else None
        event_time = plan.source.event_time
        self.time = split(event_time.path) if event_time else None
        self.times = EventTimes(event_time.unit if event_time else "auto")
        self.where = {split(path): value for path, value in plan.source.where.items()}

    def uses(self) -> Iterator[tuple[Path, str]]:
        """Every path that the model reads, with what it is used as."""
        yield from ((path, "number") for _, path in self.numeric)
        yield from ((path, "text") for _, path in self.category)
        yield from ((path, "text") for path in (self.id, self.version, self.subject) if path is not None)
        yield from ((path, "time") for path in (self.time,) if path is not None)
        yield from ((path, "where") for path in self.where)

    def build(self, partition: int, rows: Rows, shape: Shape, decoded: Decoded) -> Rows:
        """Add the model's events and problems to ``decoded``; return the rows that became events."""
        event_ms, wrong = self._event_ms(partition, rows, shape)
        for index, (reason, detail) in sorted(wrong.items()):
            problem = Problem(int(rows.offsets[index]), REJECTED, reason, "", detail)
            decoded.problems.append((self.name, problem))
        if wrong:
            chosen = [index for index in range(len(rows)) if index not in wrong]
            rows, event_ms = rows.take(chosen), event_ms[chosen]
        if len(rows):
            decoded.events[self.name] = _Build(self, rows, shape, decoded).events(event_ms)
        return rows

    def _event_ms(
        self, partition: int, rows: Rows, shape: Shape
    ) -> tuple[NDArray[np.int64], dict[int, tuple[str, str]]]:
        if self.time is None:
            outside = (rows.record_ms < 0) | (rows.record_ms >= BOUND_MS)
            return rows.record_ms, {index: _no_record_time(rows, index) for index in np.flatnonzero(outside).tolist()}
        values = rows.of(self.time)
        event_ms, reasons = self.times.read(partition, values)
        wrong = {index: (reason, display(values[index])) for index, reason in reasons.items()}
        max_ahead_ms = self.plan.source.max_ahead
        ahead = (rows.record_ms >= _PLAUSIBLE_RECORD_MS) & (event_ms > rows.record_ms + max_ahead_ms)
        for index in np.flatnonzero(ahead & (rows.record_ms < BOUND_MS)).tolist():
            by_s = int(event_ms[index] - rows.record_ms[index]) / 1000
            detail = f"{display(values[index])} is {by_s:.0f} s after the record's own time"
            wrong[index] = ("event_time_in_future", detail)
        return event_ms, wrong


class _Build:
    """One call's work for one model."""

    def __init__(self, model: ModelColumns, rows: Rows, shape: Shape, decoded: Decoded) -> None:
        self.model = model
        self.rows = rows
        self.shape = shape
        self.problems = decoded.problems

    def events(self, event_ms: NDArray[np.int64]) -> Events:
        model, rows = self.model, self.rows
        return Events(
            offsets=rows.offsets,
            record_ms=rows.record_ms,
            event_ms=event_ms,
            versions=self._versions(model.version) if model.version is not None else None,
            ids=self._texts(model.id, "id") if model.id is not None else None,
            numeric=self._all_numeric(),
            category=[self._category(signal, path) for signal, path in model.category],
            subjects=self._texts(model.subject, "subject") if model.subject is not None else None,
        )

    def _all_numeric(self) -> NDArray[np.float64]:
        numeric = self.model.numeric
        plain = [place for place, (_, path) in enumerate(numeric) if self.shape.numbers_only(path)]
        found = self.rows.numbers([numeric[place][1] for place in plain])
        for row, place in enumerate(plain):
            for index in self.rows.documents:
                found[row, index] = self._read(index, self.rows.at(numeric[place][1], index), number, numeric[place][0])
        if len(plain) == len(numeric):
            return found
        columns = np.empty((len(numeric), len(self.rows)), dtype=np.float64)
        columns[plain] = found
        for place in set(range(len(numeric))) - set(plain):
            signal, path = numeric[place]
            columns[place] = self._repaired(self.rows.of(path), range(len(self.rows)), number, signal)
        return columns

    def _category(self, signal: str, path: Path) -> list[object]:
        values = self.rows.of(path)
        return self._repaired(values, self._unusual(values), category, signal)

    def _versions(self, path: Path) -> list[str]:
        values = self.rows.of(path)
        return self._repaired(values, self._unusual(values, none_is_usual=False), _version, "version")

    def _texts(self, path: Path, field: str) -> list[str | None]:
        values = self.rows.of(path)
        if not self.rows.documents and set(map(type, values)) == {str} and "" not in values:
            return values.copy()
        odd = {index for index, value in enumerate(values) if type(value) is not str}
        values = self._repaired(values, sorted(odd.union(self.rows.documents)), text, field)
        # Without an identity nothing is a duplicate; an empty one would make all such events duplicates.
        return [value or None for value in values]

    def _unusual(self, values: list[Any], none_is_usual: bool = True) -> list[int]:
        """Rows whose value is anything but a text of allowed length (or None)."""
        kinds = {str, NoneType} if none_is_usual else {str}
        scanned = not self.rows.documents and set(map(type, values)) <= kinds
        if scanned and all(value is None or len(value) <= MAX_NAME for value in set(values)):
            return []
        odd = [
            index
            for index, value in enumerate(values)
            if (type(value) is not str or len(value) > MAX_NAME) and (value is not None or not none_is_usual)
        ]
        return sorted({*odd, *self.rows.documents}) if self.rows.documents else odd

    def _repaired(
        self,
        values: list[Any],
        suspects: Sequence[int],
        read: Callable[[object], tuple[object, str]],
        field: str,
    ) -> list[Any]:
        """A copy of ``values`` in which the suspects are what ``read`` makes of them."""
        values = values.copy()
        for index in suspects:
            values[index] = self._read(index, values[index], read, field)
        return values

    def _read(self, index: int, value: object, read: Callable[[object], tuple[Any, str]], field: str) -> Any:
        wanted, reason = read(value)
        if reason:
            problem = Problem(int(self.rows.offsets[index]), KEPT, reason, field, display(value))
            self.problems.append((self.model.name, problem))
        return wanted


def _no_record_time(rows: Rows, index: int) -> tuple[str, str]:
    record_ms = int(rows.record_ms[index])
    if record_ms < 0:
        return "no_event_time", "the record has no time of its own, and no event_time is configured"
    return "event_time_out_of_bounds", f"the record's own time is {record_ms} ms"


def _version(value: object) -> tuple[str, str]:
    version, reason = text(value)
    return (version, reason) if len(version) <= MAX_NAME else ("", "too_long")
