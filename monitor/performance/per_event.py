"""Errors of predictions through per-event detectors, as first labels come.

An error is shown once, by the first label of its prediction, in the hour in which both are known: when all partitions
of predictions and labels are behind its end, so that what is shown, and in which order, is a function of the log. A
label that is corrected or taken back later changes what is shown of performance, and no finding. Rows are written
before the checkpoint; after a crash the hours since the last one are shown again, and give the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from detectors.kernel import MAX_ABS
from detectors.performance import Binary, Multiclass, Ranking
from detectors.sketch import FindingLayout
from monitor import checkpoint
from monitor.checkpoint import Checkpoint
from monitor.config.performance import ERROR, PERFORMANCE, PerformancePlan
from monitor.evaluate.horizon import NOTHING_MS, Standing
from monitor.performance.error_series import DetectorAnswer, Errors, ErrorSeries
from monitor.performance.first_labels import FirstLabels, doubts, first_labels
from monitor.performance.horizon import Known, Reach, decided, decisions, reach_of
from monitor.performance.performance import PAGE_OF_RANKINGS
from monitor.values import DAY_MS
from monitor.watch import Watch
from sinks.store.batch import Rows, add_row, append, empty_rows
from sinks.store.classes import label_classes, predicted_classes
from sinks.store.contract import Query, Store
from sinks.store.first_labels import KnownSpan, first_known_ms, known_by_hour, labels_until, predictions_until
from sinks.store.label_join import EARLIEST_MS
from sinks.store.spans import HOUR_MS, Span

__all__ = ["PAGE", "STAGE", "findings_layout", "show_errors", "shown_ms"]

STAGE = "errors"
"""Under which checkpoints stand."""

PAGE = 200_000
"""So many predictions and labels are looked at together, and those of an hour if these are more."""

LONGEST_MS = 1_000 * HOUR_MS
"""Of a batch, and of a time without labels that is gone through hour by hour."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Columns = Mapping[str, Any]


def findings_layout(plan: PerformancePlan) -> FindingLayout:
    """Return what is counted of the detectors of errors."""
    return FindingLayout(plan.detectors)


def shown_ms(store: Store, model: str) -> int:
    """Return up to which hour errors were shown to the detectors of a model.

    Raises
    ------
    StoreError
    """
    positions = store.read(Query("checkpoints", {"stage": STAGE, "name": model}, columns=("position",)))["position"]
    return int(max(positions, default=NOTHING_MS))


def show_errors(
    store: Store,
    watch: Watch,
    partitions: Standing | None,
    is_enough: Callable[[], bool] = lambda: False,
    page: int | None = None,
) -> int:
    """Show the errors that are known by now to the detectors of a model; return how many rows were written.

    Parameters
    ----------
    store : Store
    watch : Watch
        Of a model with ``spec.performance``.
    partitions : mapping or None
        What :func:`monitor.evaluate.horizon.standing` returns; None where all of them have ended.
    is_enough : callable
        Once it says so, the rest is left to the next call.
    page : int, optional
        How many predictions and labels are looked at together; :data:`PAGE` if absent, of rankings fewer.

    Raises
    ------
    StoreError
    """
    if not watch.judged_plan.detectors:
        return 0
    if page is None:
        page = PAGE_OF_RANKINGS if isinstance(watch.judged_plan.scheme, Ranking) else PAGE
    reach = reach_of(store, watch.name, watch.model.spec, partitions)
    if reach.complete_ms is None or reach.complete_ms <= NOTHING_MS + HOUR_MS:
        return 0
    to_ms, written = reach.complete_ms // HOUR_MS * HOUR_MS, 0
    # To load a state takes longer than to see that nothing is new.
    if shown_ms(store, watch.name) >= to_ms:
        return 0
    course = _Course(store, watch, reach)
    for span in course.spans(to_ms, page):
        written += course.show(span)
        if is_enough():
            break
    return written


class _Course:
    """The way of a model's errors through its detectors, from a checkpoint on."""

    def __init__(self, store: Store, watch: Watch, reach: Reach) -> None:
        self._store, self._watch, self._reach = store, watch, reach
        self._plan = plan = watch.judged_plan
        layout = findings_layout(plan)
        self._series = ErrorSeries(layout)
        scheme = plan.scheme
        compared: tuple[object, ...] = (scheme.positive, scheme.threshold) if isinstance(scheme, Binary) else ()
        compared = (scheme.k,) if isinstance(scheme, Ranking) else compared
        shown = (scheme.kind, compared, plan.prediction, plan.label, layout.id)
        self._config = xxhash.xxh3_64_hexdigest(repr(shown).encode())
        self._next_ms: int | None = None
        self._counted = dict[int, Known]()
        self._read_ms: int | None = None
        loaded = checkpoint.load(store, STAGE, watch.name, 0)
        if loaded is not None:
            self._next_ms, state = loaded
            # What detectors have seen of other errors, or under other parameters, says nothing of these.
            if state["config"] == self._config:
                self._series.restore(state["series"])

    def spans(self, to_ms: int, page: int) -> Iterator[Span]:
        """Yield spans of hours, one after the other, up to a time."""
        plan, next_ms = self._plan, self._next_ms
        if next_ms is None:
            first_ms = first_known_ms(self._store, KnownSpan(self._watch.name, plan.label, (NOTHING_MS, to_ms)))
            next_ms = to_ms if first_ms is None else min(first_ms // HOUR_MS * HOUR_MS, to_ms)
            if next_ms == to_ms:
                yield to_ms, to_ms
        counts = known_by_hour(self._store, KnownSpan(self._watch.name, plan.label, (next_ms, to_ms)))
        while next_ms < to_ms:
            first_ms = min((hour_ms for hour_ms in counts if hour_ms >= next_ms), default=to_ms)
            if first_ms - next_ms > LONGEST_MS:
                next_ms = first_ms
            stop_ms, rows = next_ms, 0
            while stop_ms < min(to_ms, next_ms + LONGEST_MS) and (not rows or rows + counts.get(stop_ms, 0) <= page):
                rows += counts.get(stop_ms, 0)
                stop_ms += HOUR_MS
            yield next_ms, stop_ms
            next_ms = stop_ms

    def show(self, span: Span) -> int:
        """Show the errors that became known in a span of hours."""
        written = 0
        if span[0] < span[1]:
            model = self._watch.name
            decided(self._store, model, range(span[0] + HOUR_MS, span[1] + 1, HOUR_MS), self._reach)
            findings, counts = self._rows(span)
            written += append(self._store, "findings", findings)
            written += append(self._store, "performance_findings", counts)
        state = {"config": self._config, "series": self._series.snapshot(span[1])}
        checkpoint.save(self._store, Checkpoint(STAGE, self._watch.name, 0, span[1], self._config, state))
        return written

    def _rows(self, span: Span) -> tuple[Rows, Rows]:
        counted = self._counted_until(span)
        part = KnownSpan(self._watch.name, self._plan.label, span, doubts(counted))
        predicted = predictions_until(self._store, part, self._oldest_ms(span[0]))
        labels = labels_until(self._store, part, predicted)
        first = first_labels(predicted, labels, span, counted)
        error = _errors_of(self._plan, predicted, labels, first)
        is_shown = (np.abs(error) <= MAX_ABS) & (predicted["event_ms"][first.prediction] >= self._oldest(first.hour_ms))
        index = np.flatnonzero(is_shown)
        events, errors = self._by_series(predicted, first, error, index)
        answers = self._series.update(errors)
        return self._findings(predicted, first.prediction[events], errors, answers), self._counts(errors, answers)

    def _counted_until(self, span: Span) -> Mapping[int, Known]:
        """Return, by hour, what counts of partitions of which not everything does that was known by its end."""
        # No label of a prediction that is shown was known longer ago.
        first_ms = self._oldest_ms(span[0]) - EARLIEST_MS - DAY_MS if self._read_ms is None else self._read_ms
        of_times = decisions(self._store, self._watch.name, (first_ms, span[1]), self._reach)
        self._counted |= {at_ms - HOUR_MS: of_time for at_ms, of_time in of_times.items()}
        self._read_ms = span[1]
        return self._counted

    def _oldest_ms(self, hour_ms: int) -> int:
        return int(self._oldest(np.array([hour_ms]))[0])

    def _oldest(self, hour_ms: Integers) -> Integers:
        """Of predictions before this the first label may be gone, by what is known in an hour."""
        kept_for = self._watch.model.spec.keep.for_
        lifetimes = [ms for ms in (kept_for.predictions, kept_for.labels) if ms is not None]
        if not lifetimes:
            return np.full(len(hour_ms), NOTHING_MS)
        return hour_ms + HOUR_MS + DAY_MS - min(lifetimes)

    def _by_series(
        self, predicted: Columns, first: FirstLabels, error: Floats, index: Integers
    ) -> tuple[Integers, Errors]:
        """Return each error once for all traffic, and once for each segment, and which one of ``first`` it is."""
        names: dict[tuple[str, str], int] = {}
        series, events = list[int](), list[int]()
        configured = self._watch.segment_names
        for event, row in zip(index.tolist(), first.prediction[index].tolist(), strict=True):
            for segment in ("", *predicted["segments"][row]):
                if segment in configured:
                    series.append(names.setdefault((predicted["version"][row], segment), len(names)))
                    events.append(event)
        at = np.array(events, dtype=np.int64)
        return at, Errors(list(names), np.array(series, dtype=np.int64), error[at], first.hour_ms[at])

    def _findings(self, predicted: Columns, rows: Integers, errors: Errors, answers: Sequence[DetectorAnswer]) -> Rows:
        findings = empty_rows("findings")
        for answer in answers:
            for at in answer.fired.tolist():
                row, (version, segment) = int(rows[at]), errors.names[errors.series[at]]
                add_row(
                    findings,
                    {
                        "model": self._watch.name,
                        "signal": f"{PERFORMANCE}{ERROR}",
                        "version": version,
                        "segment": segment,
                        "detector": answer.detector,
                        "status": "drift",
                        "topic": predicted["topic"][row],
                        **{name: int(predicted[name][row]) for name in ("partition", "offset", "event_ms")},
                        "value": float(errors.error[at]),
                        "score": float(answer.score[at]),
                        "level": float("nan"),
                    },
                )
        return findings

    def _counts(self, errors: Errors, answers: Sequence[DetectorAnswer]) -> Rows:
        rows, layout = empty_rows("performance_findings"), self._series.layout
        for (hour_ms, (version, segment)), counts in sorted(self._series.counts(errors, answers).items()):
            key = {"model": self._watch.name, "hour_ms": hour_ms, "version": version, "segment": segment}
            judged = int(counts[layout.names.index(f"{layout.detectors[0]} judged")])
            of_hour = {"layout": layout.id, "n": judged, "names": list(layout.names), "counts": counts.tolist()}
            add_row(rows, key | of_hour)
        return rows


def _errors_of(plan: PerformancePlan, predicted: Columns, labels: Columns, first: FirstLabels) -> Floats:
    """Return 1 where a class was wrong and 0 where it was right, by how much a number was, or what NDCG lacks of 1.

    NaN of events that cannot be compared.
    """
    scores, truths = (np.asarray(columns["value"], dtype=np.float64) for columns in (predicted, labels))
    predictions, rows = first.prediction, first.label
    if isinstance(plan.scheme, Ranking):
        rankings = [predicted["label"][row] for row in predictions.tolist()]
        return plan.scheme.losses(rankings, [labels["label"][row] for row in rows.tolist()])
    if not isinstance(plan.scheme, (Binary, Multiclass)):
        with np.errstate(invalid="ignore", over="ignore"):
            return np.abs(scores[predictions] - truths[rows])
    names = label_classes(labels["label"], truths, rows)
    if isinstance(plan.scheme, Binary):
        score = scores[predictions]
        is_positive = np.array([name == plan.scheme.positive for name in names], dtype=np.bool_)
        wrong, is_usable = (score >= plan.scheme.threshold) != is_positive, (score >= 0) & (score <= 1)
    else:
        classes = predicted_classes(predicted["label"], scores, predictions)
        wrong = np.array([name != true for name, true in zip(classes, names, strict=True)], dtype=np.bool_)
        is_usable = np.array([name is not None for name in classes], dtype=np.bool_)
    has_label = np.array([name is not None for name in names], dtype=np.bool_)
    return np.where(is_usable & has_label, wrong.astype(np.float64), np.nan)
