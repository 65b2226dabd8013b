"""From parsed rows to the columns of one model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.sketch import Coded
from monitor.decoders.contract import Decoded, TopicPlan
from monitor.decoders.document import parse
from monitor.decoders.event_time import BOUND_MS, EARLIEST_MS, EventTimes
from monitor.decoders.shape import Columns, Path, Shape, split
from monitor.decoders.values import MAX_NAME, category, display, number, ranking, relevant, text, vector
from monitor.events import KEPT, REJECTED, Events, Problem
from monitor.packed import Packed, Texts
from monitor.privacy.mask import Mask

__all__ = ["ModelColumns", "Rows", "parsed"]

Integers = NDArray[np.int64]

JSON_TEXT = frozenset({"json", "json_schema", "cloudevents"})
"""Formats in which null is something that a producer has written."""


@dataclass(slots=True)
class Rows:
    """Parsed messages of one partition.

    Attributes
    ----------
    offsets, record_ms : int64 array [n]
    payloads : Packed
        The JSON of those that were scanned.
    columns : Columns
        The values of all messages of the batch, shared by all models that read some of them.
    documents : list of int
        Ascending indices of the rows that were not scanned: they may hold anything anywhere.
    chosen : int64 array or None
        Which of the batch's messages the rows are, ascending; None for all.
    are_times_given : bool
        Whether ``record_ms`` says nothing of when a message was written (:class:`~monitor.events.Records`).
    """

    offsets: Integers
    record_ms: Integers
    payloads: Packed
    columns: Columns
    documents: list[int]
    chosen: Integers | None = None
    are_times_given: bool = False

    def __len__(self) -> int:
        return len(self.offsets)

    def coded(self, path: Path) -> Coded[Any]:
        """The values at ``path``."""
        values = self.columns.coded(path)
        return values if self.chosen is None else values.take(self.chosen)

    def numbers(self, paths: Sequence[Path]) -> NDArray[np.float64]:
        """The numbers at ``paths``, each for numbers only, as a float64 array [paths, n]; NaN in documents."""
        values = self.columns.numbers(paths)
        return values if self.chosen is None else np.ascontiguousarray(values[:, self.chosen])

    def unusable(self, path: Path) -> list[tuple[int, object]]:
        """What rows that were scanned have at ``path``, for numbers only, that is no number, with their index."""
        return self.columns.unusable(path, self.chosen)

    def vectors(self, path: Path, dimension: int) -> tuple[NDArray[np.float64], Integers]:
        """The lists of so many numbers at ``path``, float64 array [n, dimension], and which rows have to be read."""
        vectors, present = self.columns.vectors(path, dimension)
        if self.chosen is not None:
            vectors, present = vectors[self.chosen], present[self.chosen]
        return vectors, np.flatnonzero(~present)

    def times(self, path: Path) -> Integers | Packed | list[Any]:
        """The values at ``path``, together if all messages of the batch have integers of 64 bits or texts there."""
        numbers = self.columns.whole(path)
        if numbers is not None:
            return numbers if self.chosen is None else numbers[self.chosen]
        return self.texts(path)[0] if self.columns.texts_only(path) else self.coded(path).tolist()

    def texts(self, path: Path) -> tuple[Packed, list[int]]:
        """The texts at ``path``, absent where there is none; and which rows hold something else than one."""
        packed, odd = self.columns.texts(path)
        if self.chosen is None:
            return packed, odd.tolist()
        return packed.take(self.chosen), np.flatnonzero(np.isin(self.chosen, odd)).tolist()

    def holding(self, word: bytes) -> Integers:
        """Which rows may hold a word: those that were scanned and have it somewhere, and all others."""
        held = [index for index, payload in enumerate(self.payloads) if word in (payload or b"")]
        return np.union1d(np.array(held, dtype=np.int64), np.array(self.documents, dtype=np.int64))

    def value(self, path: Path, index: int) -> object:
        """The value at ``path`` of one row."""
        return self.columns.value(path, index if self.chosen is None else int(self.chosen[index]))

    def document(self, index: int) -> object:
        """The document of a row that was not scanned, or None."""
        return self.columns.document(index if self.chosen is None else int(self.chosen[index]))

    def take(self, indices: Integers) -> Rows:
        """The rows with the given ascending indices."""
        if len(indices) == len(self):
            return self
        odd = np.isin(indices, self.documents) if self.documents else np.zeros(0, dtype=np.bool_)
        return Rows(
            self.offsets[indices],
            self.record_ms[indices],
            self.payloads.take(indices),
            self.columns,
            np.flatnonzero(odd).tolist(),
            indices if self.chosen is None else self.chosen[indices],
            self.are_times_given,
        )

    def without_record_times(self) -> Rows:
        """The same rows, of which nobody knows when they were written."""
        return replace(self, record_ms=np.full(len(self), -1, dtype=np.int64), are_times_given=False)


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
        self.vectors = [
            (name, split(plan.signals[name].path or name.partition(":")[2]), plan.signals[name].dimension or 0)
            for name in plan.vectors
        ]
        self.by = split(plan.by) if plan.by else None
        self.id = split(plan.schema.id) if plan.schema.id is not None else None
        self.version = split(plan.schema.version) if plan.schema.version is not None else None
        self.subject = split(plan.subject) if plan.subject is not None else None
        event_time = plan.source.event_time
        self.time = split(event_time.path) if event_time else None
        self.times = EventTimes(event_time.unit if event_time else "auto")
        self.where = {split(path): value for path, value in plan.source.where.items()}

    @property
    def rankings(self) -> list[tuple[str, Path]]:
        """The predictions that are ordered lists, with their paths."""
        specs = self.plan.schema.rankings() if self.plan.rankings else {}
        return [(name, split(spec.path or name.partition(":")[2])) for name, spec in specs.items()]

    def uses(self) -> Iterator[tuple[Path, str]]:
        """Every path that the model reads, with what it is used as."""
        if self.by is not None:
            yield from ((path, "where") for path in (*self.where, self.by))
            return
        yield from ((path, "number") for _, path in self.numeric)
        yield from ((path, "text") for _, path in (*self.category, *self.rankings))
        yield from ((path, "vector") for _, path, _ in self.vectors)
        yield from ((path, "text") for path in (self.id, self.version, self.subject) if path is not None)
        yield from ((path, "time") for path in (self.time,) if path is not None)
        yield from ((path, "where") for path in self.where)

    @property
    def may_retract(self) -> bool:
        """Whether null takes back a label: formats with a schema, and CSV, write it for what is not there."""
        return self.plan.source.kind == "labels" and self.plan.source.format.kind in JSON_TEXT

    @property
    def masks(self) -> Mapping[str, Mask]:
        """What values become, by signal."""
        return self.plan.privacy.masks

    def mask_at(self, path: Path) -> Mask | None:
        """What identities become that stand in a private field."""
        return self.plan.privacy.paths.get(".".join(path))

    def build(self, rows: Rows, shape: Shape, decoded: Decoded) -> Rows:
        """Add the model's events and problems to ``decoded``; return the rows that became events."""
        if rows.are_times_given and self.time is not None:
            rows = rows.without_record_times()
        event_ms, wrong = self._event_ms(rows)
        for index, (reason, detail) in sorted(wrong.items()):
            problem = Problem(int(rows.offsets[index]), REJECTED, reason, "", detail)
            decoded.problems.append((self.name, problem))
        if wrong:
            chosen = np.delete(np.arange(len(rows)), list(wrong))
            rows, event_ms = rows.take(chosen), event_ms[chosen]
        if len(rows):
            events = _Build(self, rows, shape, decoded).events(event_ms)
            decoded.events[self.name] = self.plan.estimates.added(events)
        return rows

    def _event_ms(self, rows: Rows) -> tuple[NDArray[np.int64], dict[int, tuple[str, str]]]:
        if self.time is None:
            outside = (rows.record_ms < EARLIEST_MS) | (rows.record_ms >= BOUND_MS)
            return rows.record_ms, {index: _no_record_time(rows, index) for index in np.flatnonzero(outside).tolist()}
        event_ms, reasons = self.times.read(rows.times(self.time))
        wrong = {
            index: (reason, self.times.detail(rows.value(self.time, index), reason))
            for index, reason in reasons.items()
        }
        max_ahead_ms = self.plan.source.max_ahead
        ahead = (rows.record_ms >= EARLIEST_MS) & (event_ms > rows.record_ms + max_ahead_ms)
        for index in np.flatnonzero(ahead & (rows.record_ms < BOUND_MS)).tolist():
            by_s = int(event_ms[index] - rows.record_ms[index]) / 1000
            detail = f"{display(rows.value(self.time, index))} is {by_s:.0f} s after the record's own time"
            wrong[index] = ("event_time_in_future", detail)
        return event_ms, wrong


class _Build:
    """One call's work for one model."""

    def __init__(self, model: ModelColumns, rows: Rows, shape: Shape, decoded: Decoded) -> None:
        self.model = model
        self.rows = rows
        self.shape = shape
        self.problems = decoded.problems
        self.digested: dict[str, str] = {}

    def events(self, event_ms: NDArray[np.int64]) -> Events:
        model, rows = self.model, self.rows
        return Events(
            offsets=rows.offsets,
            record_ms=rows.record_ms,
            event_ms=event_ms,
            versions=self._names(model.version, _version, "version") if model.version is not None else None,
            ids=self._ids(model.id) if model.id is not None else None,
            numeric=self._masked_numeric(),
            category=[self._categories(signal, path) for signal, path in model.category],
            subjects=self._subjects(model.subject) if model.subject is not None else None,
            vectors=[self._vectors(*field) for field in model.vectors],
            digested=self.digested,
            retracted=self._retracted() if model.may_retract else None,
            rankings=[self._names(path, ranking, signal) for signal, path in model.rankings],
        )

    def _retracted(self) -> NDArray[np.bool_]:
        """Which fields of labels say null outright: messages that lack any are looked into once more."""
        paths = [path for _, path in [*self.model.numeric, *self.model.category]]
        retracted = np.zeros((len(paths), len(self.rows)), dtype=np.bool_)
        may_hold = self.rows.holding(b"null")
        for index in may_hold.tolist():
            document = self.rows.document(index)
            document = parsed(self.rows.payloads[index]) if document is None else document
            retracted[:, index] = [_is_null(document, path) for path in paths]
        return retracted

    def _ids(self, path: Path) -> Texts:
        ids, mask = self._texts(path, "id"), self.model.mask_at(path)
        return ids if mask is None else Texts.of(mask.names(ids.tolist()))

    def _subjects(self, path: Path) -> Coded[Any]:
        return self._masked(self._names(path, _identity, "subject"), self.model.mask_at(path))

    def _categories(self, signal: str, path: Path) -> Coded[Any]:
        read = relevant if self.model.plan.signals[signal].type == "ranking" else category
        return self._masked(self._names(path, read, signal), self.model.masks.get(signal))

    def _masked(self, names: Coded[Any], mask: Mask | None) -> Coded[Any]:
        if mask is None:
            return names
        masked = mask.names(names.names)
        if mask.key:
            pairs = zip(masked, names.names, strict=True)
            self.digested |= {digest: name for digest, name in pairs if isinstance(digest, str)}
        return Coded(masked, names.codes)

    def _masked_numeric(self) -> NDArray[np.float64]:
        numbers, masks = self._all_numeric(), self.model.masks
        private = [(column, masks[signal]) for column, (signal, _) in enumerate(self.model.numeric) if signal in masks]
        if private:
            # What was scanned is every model's: what one makes of it goes into a copy.
            numbers = numbers.copy()
        for column, mask in private:
            numbers[column] = mask.numbers(numbers[column])
        return numbers

    def _all_numeric(self) -> NDArray[np.float64]:
        numeric = self.model.numeric
        plain = [column for column, (_, path) in enumerate(numeric) if self.shape.numbers_only(path)]
        numbers = self.rows.numbers([numeric[column][1] for column in plain])
        for row, column in enumerate(plain):
            signal, path = numeric[column]
            for index in self.rows.documents:
                numbers[row, index] = self._read(index, self.rows.value(path, index), number, signal)
            self._report_unusable(self.rows.unusable(path), signal)
        if len(plain) == len(numeric):
            return numbers
        columns = np.empty((len(numeric), len(self.rows)), dtype=np.float64)
        columns[plain] = numbers
        for column in set(range(len(numeric))) - set(plain):
            signal, path = numeric[column]
            values = self._names(path, number, signal)
            columns[column] = np.array(values.names, dtype=np.float64)[values.codes]
        return columns

    def _report_unusable(self, unusable: Sequence[tuple[int, object]], signal: str) -> None:
        """Report values that are no numbers; as a rule there are few different ones."""
        reasons: dict[tuple[type, str], tuple[str, str]] = {}
        for index, value in unusable:
            key = type(value), str(value)
            if key not in reasons:
                reasons[key] = number(value)[1], display(value)
            problem = Problem(int(self.rows.offsets[index]), KEPT, reasons[key][0], signal, reasons[key][1])
            self.problems.append((self.model.name, problem))

    def _vectors(self, signal: str, path: Path, dimension: int) -> NDArray[np.float64]:
        out, unread = self.rows.vectors(path, dimension)
        for index in unread.tolist():
            value = self.rows.value(path, index)
            out[index], reason = vector(value, dimension)
            if reason:
                detail = f"{len(value)} numbers" if reason == "wrong_length" and isinstance(value, list) else ""
                problem = Problem(int(self.rows.offsets[index]), KEPT, reason, signal, detail or display(value))
                self.problems.append((self.model.name, problem))
        mask = self.model.masks.get(signal)
        return out if mask is None else mask.numbers(out)

    def _names(self, path: Path, read: Callable[[object], tuple[Any, str]], field: str) -> Coded[Any]:
        """What ``read`` makes of each distinct value, with a problem for each row that holds a bad one."""
        values = self.rows.coded(path)
        made = list(map(read, values.names))
        bad = np.array([reason != "" for _, reason in made], dtype=np.bool_)
        if bad.any():
            for index in np.flatnonzero(bad[values.codes]).tolist():
                self._read(index, values[index], read, field)
        return Coded([read_value for read_value, _ in made], values.codes)

    def _texts(self, path: Path, field: str) -> Texts:
        packed, odd = self.rows.texts(path)
        if not odd:
            return Texts(packed.compact())
        # Without an identity nothing is a duplicate; an empty one would make all such events duplicates.
        read = [self._read(index, self.rows.value(path, index), text, field) or None for index in odd]
        places = np.arange(len(self.rows))
        places[odd] = len(places) + np.arange(len(odd))
        return Texts.joined([Texts(packed), Texts.of(read)]).take(places)

    def _read(self, index: int, value: object, read: Callable[[object], tuple[Any, str]], field: str) -> Any:
        made, reason = read(value)
        if reason:
            problem = Problem(int(self.rows.offsets[index]), KEPT, reason, field, display(value))
            self.problems.append((self.model.name, problem))
        return made


def parsed(payload: bytes | None) -> object:
    """The document of a message that was scanned, and so is JSON."""
    try:
        return msgspec.json.decode(payload or b"")
    except (msgspec.MsgspecError, ValueError):
        return parse(payload, len(payload or b""))


def _is_null(document: object, path: Path) -> bool:
    for key in path[:-1]:
        document = document.get(key) if isinstance(document, dict) else None
    return isinstance(document, dict) and path[-1] in document and document[path[-1]] is None


def _no_record_time(rows: Rows, index: int) -> tuple[str, str]:
    record_ms = int(rows.record_ms[index])
    if record_ms < 0:
        return "no_event_time", "the record has no time of its own, and no event_time is configured"
    return "event_time_out_of_bounds", f"the record's own time is {record_ms} ms"


def _version(value: object) -> tuple[str, str]:
    # `1.2` without quotes is a number to JSON, and a version to whoever wrote it.
    is_fraction = isinstance(value, float) and math.isfinite(value) and not value.is_integer()
    version, reason = (str(value), "") if is_fraction else text(value)
    return (version, reason) if len(version) <= MAX_NAME else ("", "too_long")


def _identity(value: object) -> tuple[str | None, str]:
    identity, reason = text(value)
    return identity or None, reason
