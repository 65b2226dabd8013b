"""The performance of one model, worked out from the predictions and labels that the store has.

Two kinds of rows. An hour of predictions is *judged* once at each age of ``judge_at``: when everything that was known
before its end plus the age is stored, of exactly that, so the row is a function of the log. And there is what is known
*now*: an hour is worked out anew when predictions or labels have come that are of it, the older the less often
(:func:`~monitor.performance.due.delay_ms`), and at once where its rows lack predictions. Whoever is stopped anywhere
goes on from the row of progress, and writes the same rows again.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from detectors.performance import Ranking
from monitor.evaluate.horizon import NOTHING_MS, Standing
from monitor.events import ENDED
from monitor.performance.due import LONGEST_DELAY_MS, Due, delay_ms
from monitor.performance.horizon import Known, Reach, decided, reach_of
from monitor.performance.hours import NOW, Hour, rows_of_hour
from monitor.performance.join import Pairs
from monitor.performance.progress import Progress
from monitor.values import DAY_MS
from monitor.watch import Watch
from sinks.store.batch import add_row, empty_rows, joined
from sinks.store.contract import Query, Store
from sinks.store.label_join import (
    Positions,
    hours_of_labels,
    hours_of_predictions,
    labels_of,
    predictions_of_hours,
)
from sinks.store.spans import HOUR_MS, Span

__all__ = ["BUDGET", "PAGE", "PAGE_OF_RANKINGS", "Performance"]

PAGE = 200_000
"""So many predictions are held at a time, and those of an hour if these are more."""

PAGE_OF_RANKINGS = 20_000
"""The same of predictions that are lists: each may have 16 KiB, and its label as much."""

LACKING_SHARE = 0.02
"""Where more of the predictions of an hour are not in its rows, as those of a partition that is read later, these do
not wait. Of late ones that come one by one an hour is worked out a few times so, and not with each."""

BUDGET = 1_000_000
"""Predictions of hours that were touched: so many are worked out in a round at most, and the others in the next."""

Columns = dict[str, Any]


class Performance:
    """How good one model is, as far as it can be said.

    Parameters
    ----------
    watch : Watch
        Of a model with ``spec.performance``.
    store : Store

    Attributes
    ----------
    page : int
        How many predictions are held at a time.
    budget : int
        How many predictions of hours that were touched are worked out in a call, unless it is to be at once.
    """

    def __init__(self, watch: Watch, store: Store) -> None:
        plan = watch.judged_plan
        self.page, self.budget = PAGE_OF_RANKINGS if isinstance(plan.scheme, Ranking) else PAGE, BUDGET
        self._store, self._model, self._spec, self._plan = store, watch.name, watch.model.spec, plan
        compared = (plan.scheme.id, plan.prediction, plan.label_signals, plan.judge_at_ms)
        self._config = xxhash.xxh3_64_hexdigest(repr(compared).encode())

    def progress(self) -> Progress:
        """Return how far the model is.

        Raises
        ------
        StoreError
        """
        return Progress.read(self._store, self._model, self._config)

    def advance(
        self,
        partitions: Standing | None,
        now_ms: int,
        *,
        at_once: bool = False,
        is_enough: Callable[[], bool] = lambda: False,
    ) -> int:
        """Work out what is due; return how many rows were written.

        Parameters
        ----------
        partitions : mapping or None
            What :func:`monitor.evaluate.horizon.standing` returns; None where all of them have ended.
        now_ms : int
            By it hours that were touched are worked out at once or later, and those whose labels begin to go are not.
        at_once : bool
            Work out every hour that was touched, however old it is.
        is_enough : callable
            Once it says so, the rest is left to the next call.

        Raises
        ------
        StoreError
        """
        progress = self.progress()
        reach = reach_of(self._store, self._model, self._spec, partitions)
        oldest_ms = NOTHING_MS if at_once else self._oldest_ms(now_ms)
        looked, come = self._look(progress, reach, now_ms, oldest_ms)
        if not at_once:
            looked = self._hurrying(looked, come, now_ms)
        due = self._due(looked, reach, oldest_ms)
        if not at_once:
            due = replace(due, touched=self._at_their_turn(looked.touched, now_ms))
        written, worked_out = 0, set[int]()
        for predicted in self._together(self._pages(due.spans())):
            written += self._work_out(predicted, due, reach)
            worked_out |= set(np.unique(_hours(predicted)).tolist())
            if is_enough():
                due = replace(due, complete_ms=looked.judged_ms, touched=due.touched & worked_out)
                break
        touched = {hour_ms: ms for hour_ms, ms in looked.touched.items() if hour_ms not in due.touched}
        done = replace(looked, judged_ms=max(looked.judged_ms, due.complete_ms), touched=touched)
        if done != progress:
            self._write(done, progress, dict.fromkeys(due.touched, now_ms))
        return written

    def _at_their_turn(self, touched: Mapping[int, int], now_ms: int) -> frozenset[int]:
        """Those that have waited long enough, the longest overdue first, up to :data:`BUDGET` predictions of them."""
        if not touched:
            return frozenset()
        shown = self._shown(touched)
        # Of an hour that nothing is shown of yet, something is at once.
        delays = {hour_ms: delay_ms(hour_ms, now_ms) if hour_ms in shown else 0 for hour_ms in touched}
        due_ms = {hour_ms: since_ms + delays[hour_ms] for hour_ms, since_ms in touched.items()}
        overdue = sorted((ms, hour_ms) for hour_ms, ms in due_ms.items() if ms <= now_ms)
        if not overdue:
            return frozenset()
        counts = predictions_of_hours(self._store, self._model, [hour_ms for _, hour_ms in overdue])
        total, chosen = 0, set[int]()
        for _, hour_ms in overdue:
            total += counts.get(hour_ms, 0)
            # One of them is worked out however many predictions it has.
            if total > self.budget and chosen:
                break
            chosen.add(hour_ms)
        return frozenset(chosen)

    def _shown(self, hours: Collection[int]) -> dict[int, int]:
        """How many predictions the rows of what is known now have, of those of some hours that have such rows."""
        where = {"model": self._model, "age_ms": NOW, "segment": ""}
        low, high = {"hour_ms": min(hours)}, {"hour_ms": max(hours) + HOUR_MS}
        rows = self._store.read(Query("performance", where, low, high, columns=("hour_ms", "predictions")))
        counts: Counter[int] = Counter()
        for hour_ms, predictions in zip(rows["hour_ms"].tolist(), rows["predictions"].tolist(), strict=True):
            counts[hour_ms] += predictions
        return {hour_ms: counts[hour_ms] for hour_ms in hours if hour_ms in counts}

    def _hurrying(self, looked: Progress, come: Collection[int], now_ms: int) -> Progress:
        """Have hours wait no longer of which predictions have come, and whose rows lack many of them."""
        shown = self._shown(come) if come else {}
        if not shown:
            return looked
        counts = predictions_of_hours(self._store, self._model, sorted(shown))
        lacking = [hour_ms for hour_ms, count in shown.items() if counts.get(hour_ms, 0) * (1 - LACKING_SHARE) > count]
        # It is written down that they are overdue: not all of them may have their turn this time.
        return replace(looked, touched={**looked.touched, **dict.fromkeys(lacking, now_ms - LONGEST_DELAY_MS)})

    def _write(self, done: Progress, former: Progress, worked_out: Mapping[int, int]) -> None:
        newest = self.progress()
        if newest.number != former.number:
            # Another process did the same meanwhile, and of two rows of an hour the older one may be the last.
            done = replace(newest, touched={**worked_out, **newest.touched})
        replace(done, number=newest.number + 1).write(self._store, self._model)

    def _oldest_ms(self, now_ms: int) -> int:
        """Hours before this stay as they are: of those whose rows begin to go less is left than was known."""
        kept_for = self._spec.keep.for_
        lifetimes = [ms for ms in (kept_for.predictions, kept_for.labels) if ms is not None]
        return now_ms - min(lifetimes) + DAY_MS if lifetimes else NOTHING_MS

    def _look(self, progress: Progress, reach: Reach, now_ms: int, oldest_ms: int) -> tuple[Progress, set[int]]:
        """Note the hours of what has come since the last time; return those of predictions, too."""
        offsets, touched, come = dict(progress.offsets), dict(progress.touched), set[int]()
        for partition, stored in sorted(reach.next_offset.items()):
            # The end counts as one more message.
            first, stop = offsets.get(partition, 0), stored - (reach.closed[partition].closed_ms >= ENDED)
            if first < stop:
                hours = self._hours_at((*partition, first, stop), is_label=partition in reach.labels)
                come.update(() if partition in reach.labels else hours)
                touched = dict.fromkeys(hours, now_ms) | touched
            offsets[partition] = max(first, stop)
        staying = {hour_ms: since_ms for hour_ms, since_ms in touched.items() if hour_ms >= oldest_ms}
        return replace(progress, offsets=offsets, touched=staying), come & staying.keys()

    def _hours_at(self, positions: Positions, *, is_label: bool) -> list[int]:
        if is_label:
            return hours_of_labels(self._store, self._model, self._plan.label_signals, positions)
        return hours_of_predictions(self._store, self._model, positions)

    def _due(self, looked: Progress, reach: Reach, oldest_ms: int) -> Due:
        complete_ms = reach.complete_ms
        complete_ms = looked.judged_ms if complete_ms is None else max(complete_ms, looked.judged_ms)
        return Due(looked.judged_ms, complete_ms, self._plan.judge_at_ms, frozenset(looked.touched), oldest_ms)

    def _together(self, pages: Iterator[Columns]) -> Iterator[Columns]:
        """Put small pages together: finding labels reads those of months, whether for an hour or for fifty."""
        parts: list[Columns] = []
        count = 0
        for page in pages:
            size = len(page["event_ms"])
            if parts and count + size > self.page:
                yield joined(parts)
                parts, count = [], 0
            parts.append(page)
            count += size
        if parts:
            yield joined(parts)

    def _pages(self, spans: Sequence[Span]) -> Iterator[Columns]:
        """Yield predictions in the order of time, whole hours of them."""
        for first_ms, to_ms in spans:
            at_ms = first_ms
            while at_ms < to_ms:
                rows, stop_ms = self._page((at_ms, to_ms))
                if len(rows["event_ms"]):
                    yield rows
                at_ms = stop_ms

    def _page(self, span: Span) -> tuple[Columns, int]:
        """Return the first hours of a span, and where the next one begins."""
        rows = self._predicted(span, self.page)
        hours = _hours(rows)
        if len(hours) < self.page:
            return rows, span[1]
        last_ms = int(hours[-1])
        if last_ms == hours[0]:
            return self._predicted((last_ms, last_ms + HOUR_MS), None), last_ms + HOUR_MS
        return _taken(rows, np.flatnonzero(hours < last_ms)), last_ms

    def _predicted(self, span: Span, limit: int | None) -> Columns:
        low, high = {"event_ms": span[0]}, {"event_ms": span[1]}
        return self._store.read(Query("predicted", {"model": self._model}, low, high, limit=limit))

    def _work_out(self, predicted: Columns, due: Due, reach: Reach) -> int:
        hours = _hours(predicted)
        ages = {hour_ms: due.ages_of(hour_ms) for hour_ms in np.unique(hours).tolist()}
        times = [hour_ms + HOUR_MS + age for hour_ms, of_hour in ages.items() for age in of_hour if age != NOW]
        counted = decided(self._store, self._model, times, reach) if times else {}
        until_ms = ENDED if any(NOW in of_hour for of_hour in ages.values()) else max(times, default=0)
        labels = labels_of(self._store, self._model, self._plan.label_signals, list(ages), until_ms)
        rows = empty_rows("performance")
        for hour in self._hours_at_ages(predicted, labels, ages, counted):
            for row in rows_of_hour(self._plan, hour):
                add_row(rows, row)
        if count := len(rows["model"]):
            # A label may be taken back, and an hour be what it was before: no two of these are one append.
            self._store.append("performance", rows, token=f"performance/{uuid.uuid4().hex}")
        return count

    def _hours_at_ages(
        self, predicted: Columns, labels: Columns, ages: Mapping[int, Sequence[int]], counted: Mapping[int, Known]
    ) -> Iterator[Hour]:
        hours, pairs = _hours(predicted), Pairs(predicted, labels)
        others = self._plan.label_signals[1:]
        for age_ms in sorted({age_ms for of_hour in ages.values() for age_ms in of_hour}):
            until_ms = np.full(len(hours), ENDED) if age_ms == NOW else hours + HOUR_MS + age_ms
            labelled = pairs.by(until_ms, self._plan.label, others)
            for hour_ms in [hour_ms for hour_ms, of_hour in ages.items() if age_ms in of_hour]:
                rows = np.flatnonzero(hours == hour_ms)
                of_silent = counted.get(hour_ms + HOUR_MS + age_ms, {}) if age_ms != NOW else {}
                if of_silent:
                    yield self._without_silent(predicted, labels, (hour_ms, age_ms), of_silent)
                else:
                    yield Hour(self._model, hour_ms, age_ms, predicted, labels, labelled, rows)

    def _without_silent(self, predicted: Columns, labels: Columns, at: tuple[int, int], counted: Known) -> Hour:
        """What is known of an hour without what silent partitions have said since they were not waited for."""
        hour_ms, age_ms = at
        predicted = _taken(predicted, np.flatnonzero((_hours(predicted) == hour_ms) & _counts(predicted, counted)))
        labels = _taken(labels, np.flatnonzero(_counts(labels, counted)))
        until_ms = np.full(len(predicted["event_ms"]), hour_ms + HOUR_MS + age_ms)
        labelled = Pairs(predicted, labels).by(until_ms, self._plan.label, self._plan.label_signals[1:])
        return Hour(self._model, hour_ms, age_ms, predicted, labels, labelled, np.arange(len(until_ms)))


def _hours(predicted: Columns) -> NDArray[np.int64]:
    hours: NDArray[np.int64] = predicted["event_ms"] // HOUR_MS * HOUR_MS
    return hours


def _taken(columns: Columns, index: NDArray[np.int64]) -> Columns:
    if len(index) == len(columns["event_ms"]):
        return columns
    return {
        name: column[index] if isinstance(column, np.ndarray) else [column[i] for i in index.tolist()]
        for name, column in columns.items()
    }


def _counts(columns: Columns, counted: Known) -> NDArray[np.bool_]:
    counts = np.ones(len(columns["event_ms"]), dtype=np.bool_)
    topics = np.array(columns["topic"], dtype=object)
    for (topic, partition), known_ms in counted.items():
        of_partition = (topics == topic) & (columns["partition"] == partition)
        counts &= ~of_partition | (columns["known_ms"] < known_ms)
    return counts
