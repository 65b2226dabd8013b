"""Hours of predictions with their labels, added up to longer spans of time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from detectors.performance import Sums, add_up, hours_until, labelled_within
from monitor.api.contract import ApiService
from monitor.api.parameters import Span, duration_ms
from monitor.api.problems import bad_parameter
from monitor.resources.estimates import Estimates
from monitor.resources.labels import Labels
from monitor.resources.performance import Performance
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of
from sinks.store.spans import HOUR_MS

__all__ = ["NEWEST_MS", "Chosen", "LabelledSpan", "hours_of", "rows_of_hours", "spans"]

NEWEST_MS = 0
"""The age of rows of what is known now."""

DEFAULT_MS = 7 * 24 * HOUR_MS
MAX_STEPS = 2_000
MAX_HOURS = 50_000
"""Hours of versions and segments that are added up for one answer, which takes a quarter of a minute."""

PAGE_ROWS = 200
"""Rows that are held at a time, each of up to a hundred kilobytes."""

HELD = 50
"""Sums that wait to be added up, of each version and segment."""

HELD_NUMBERS = 8_000_000
"""Numbers in the sums of all versions and segments that are held at a time, half of them at most once added up."""

_NUMBERS_OF_PAIR = 25
"""As large as a pair of classes with its weight is."""


@dataclass
class LabelledSpan:
    """The predictions of a span of time, of one version and segment or of all.

    Attributes
    ----------
    from_ms, to_ms : int
    version : str or None
        None is all of them.
    segment : str
    predictions, labelled : int
    classes, labelled_classes : Counter
        By predicted class.
    delays : Counter
        Labels by the whole hours that they took.
    waiting : Counter
        Predictions without a label by the hours since.
    others : int
        Hours that were summed up otherwise than the configuration has it now.
    """

    from_ms: int
    to_ms: int
    version: str | None
    segment: str
    predictions: int = 0
    labelled: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    labelled_classes: Counter[str] = field(default_factory=Counter)
    delays: Counter[int] = field(default_factory=Counter)
    waiting: Counter[int] = field(default_factory=Counter)
    others: int = 0
    _parts: list[Sums] = field(default_factory=list)

    def add(self, row: Mapping[str, Any], scheme: str, now_ms: int) -> None:
        """Add an hour."""
        self.predictions += row["predictions"]
        self.labelled += row["labelled"]
        self.classes.update(dict(zip(row["classes"], map(int, row["class_predictions"]), strict=True)))
        self.labelled_classes.update(dict(zip(row["classes"], map(int, row["class_labelled"]), strict=True)))
        self._add_delays(row, now_ms)
        if row["scheme"] != scheme:
            self.others += 1
            return
        self._parts.append(Sums.from_row(row))
        if len(self._parts) >= HELD:
            self.add_up_parts(scheme)

    def add_up_parts(self, scheme: str) -> None:
        """Have one sum in place of several."""
        self._parts = [self.sums(scheme)]

    @property
    def numbers(self) -> int:
        """How many numbers its sums hold."""
        return sum(len(part.keys) + _NUMBERS_OF_PAIR * len(part.pairs) for part in self._parts)

    def _add_delays(self, row: Mapping[str, Any], now_ms: int) -> None:
        """Add how long labels took; what came after the age of the hour's youngest prediction counts as waiting."""
        age_ms = now_ms - row["hour_ms"] - HOUR_MS if row["age_ms"] == NEWEST_MS else row["age_ms"]
        age_hours = max(age_ms, 0) // HOUR_MS
        self.waiting[age_hours] += row["predictions"] - row["labelled"]
        for hours, labels in zip(map(int, row["delay_hours"]), map(int, row["delay_labels"]), strict=True):
            if hours < age_hours:
                self.delays[max(hours, 0)] += labels
            else:
                self.waiting[age_hours] += labels

    def sums(self, scheme: str) -> Sums:
        """Return the sums over all hours of a scheme.

        Raises
        ------
        ProblemError
            If their weights are too large to be added up.
        """
        try:
            return add_up(self._parts, scheme)
        except OverflowError as error:
            raise bad_parameter("from", f"{error}: take a shorter span") from error

    @property
    def coverage(self) -> float | None:
        """The share of predictions that have a label."""
        return self.labelled / self.predictions if self.predictions else None

    def delay_ms(self, quantile: float) -> int | None:
        """Return within how long this share of predictions has its label; None if that is not known yet."""
        hours = hours_until(labelled_within(self.delays, self.waiting), quantile)
        return None if math.isnan(hours) else int(hours) * HOUR_MS


@dataclass(frozen=True)
class Chosen:
    """Which hours to read, and how to add them up.

    Attributes
    ----------
    span : tuple of int and int
        Whole hours.
    step_ms : int or None
        None is all of them together.
    now_ms : int
    where : mapping
        Model, age, and perhaps version and segment.
    by : str or None
        ``version`` or ``segment``.
    """

    span: tuple[int, int]
    step_ms: int | None
    now_ms: int
    where: Mapping[str, Any]
    by: str | None

    def steps(self) -> range:
        """The starts of spans, the first of which may lie before that of the hours."""
        first, end = self.span
        if self.step_ms is None:
            return range(first, end, max(end - first, 1))
        return range(first // self.step_ms * self.step_ms, end, self.step_ms)

    def start_of(self, row: Mapping[str, Any]) -> int:
        """Return the start of the step that a row belongs to."""
        steps, hour_ms = self.steps(), int(row["hour_ms"])
        return steps[(hour_ms - steps.start) // steps.step]

    def key_of(self, row: Mapping[str, Any]) -> tuple[str | None, str]:
        """Return version and segment that a row is added to."""
        together = None if self.by != "version" and "version" not in self.where else row["version"]
        return together, row["segment"]


def hours_of(
    service: ApiService, question: Performance | Labels | Estimates, span: Span, age_ms: int = NEWEST_MS
) -> Chosen:
    """Return what to read for a question.

    Raises
    ------
    ProblemError
        If its step is no whole hours, or there are too many of them.
    """
    now_ms = service.clock.now_ms()
    to_ms = now_ms if span.to_ms is None else span.to_ms
    from_ms = to_ms - DEFAULT_MS if span.from_ms is None else span.from_ms
    hours = from_ms // HOUR_MS * HOUR_MS, -(-to_ms // HOUR_MS) * HOUR_MS
    step_ms = None if question.step is None else duration_ms("step", question.step)
    if step_ms is not None and step_ms % HOUR_MS:
        raise bad_parameter("step", "hours are added up: a step is a multiple of `1h`")
    where = {"model": question.model, "age_ms": age_ms, "version": question.version, "segment": question.segment}
    if question.by == "segment":
        if question.segment:
            raise bad_parameter("by", "one segment is asked for: leave out either `segment` or `by=segment`")
        where["segment"] = None
    stated = {name: value for name, value in where.items() if value is not None}
    chosen = Chosen(hours, step_ms, now_ms, stated, question.by)
    if len(chosen.steps()) > MAX_STEPS:
        message = (
            f"the span has {len(chosen.steps()):,} of these, and at most {MAX_STEPS:,} are shown: take longer ones"
        )
        raise bad_parameter("step", message)
    return chosen


def spans(store: Store, chosen: Chosen, scheme: str) -> Iterator[LabelledSpan]:
    """Yield the spans that have predictions, by time, version and segment; one step of them is held at a time.

    Raises
    ------
    ProblemError
        If there are too many hours in them, or too many versions and segments in one.
    StoreError
    """
    steps = chosen.steps()
    held: dict[tuple[str | None, str], LabelledSpan] = {}
    start, numbers = -1, 0
    for row in rows_of_hours(store, chosen):
        step = chosen.start_of(row)
        if step != start:
            yield from _in_order(held, scheme)
            held, start, numbers = {}, step, 0
        key = chosen.key_of(row)
        if key not in held:
            ends = max(step, chosen.span[0]), min(step + steps.step, chosen.span[1])
            held[key] = LabelledSpan(*ends, *key)
        held[key].add(row, scheme, chosen.now_ms)
        numbers += len(row["keys"]) + _NUMBERS_OF_PAIR * len(row["true_classes"])
        if numbers > HELD_NUMBERS:
            numbers = _added_up(held, scheme)
    yield from _in_order(held, scheme)


def _added_up(held: Mapping[tuple[str | None, str], LabelledSpan], scheme: str) -> int:
    """Add up the sums that are held, and return how many numbers these are."""
    for labelled in held.values():
        labelled.add_up_parts(scheme)
    numbers = sum(labelled.numbers for labelled in held.values())
    if numbers > HELD_NUMBERS // 2:
        message = f"the sums of {len(held):,} versions and segments are too large to be held at once: ask for one"
        raise bad_parameter("by", message)
    return numbers


def _in_order(held: Mapping[tuple[str | None, str], LabelledSpan], scheme: str) -> Iterator[LabelledSpan]:
    for key in sorted(held, key=lambda key: (key[0] or "", key[1])):
        # Whoever collects spans holds one sum of each.
        held[key].add_up_parts(scheme)
        yield held[key]


def rows_of_hours(store: Store, chosen: Chosen) -> Iterator[dict[str, Any]]:
    """Yield the rows of hours, in the order of time.

    Raises
    ------
    ProblemError
        If there are too many.
    StoreError
    """
    low, high = ({"hour_ms": end} for end in chosen.span)
    after: tuple[Any, ...] = ()
    for _ in range(0, MAX_HOURS, PAGE_ROWS):
        query = Query("performance", chosen.where, low, high, after=after, limit=PAGE_ROWS)
        columns = store.read(query)
        rows = rows_of(columns)
        yield from rows
        if len(rows) < PAGE_ROWS:
            return
        after = tuple(rows[-1][name] for name in query.sort_columns())
    message = f"there are more than {MAX_HOURS:,} hours of versions and segments in this span: take a shorter one"
    raise bad_parameter("from", message)
