"""The quality of a model as signals that alarm: hours of predictions, as they were judged at the first age.

What was known of an hour at an age never changes. So these scores and alerts are a function of the log, too, and later
corrections change what is shown and not what has alarmed. They come later than windows of events, by labels, and have a
log and a checkpoint of their own. Rows are written before the checkpoint; after a crash the hours since the last one
are evaluated again, and give the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import xxhash

from detectors.change.model import Settings
from monitor import checkpoint
from monitor.alerts.alert_log import PERFORMANCE, PERFORMANCE_ALERTS
from monitor.alerts.lifecycle import Lifecycle, Transition, to_columns
from monitor.checkpoint import Checkpoint
from monitor.evaluate.change import DETECTOR, Changes, signals_of
from monitor.evaluate.expectations import ExpectedDay
from monitor.evaluate.mark_log import Mark, marks_in_effect, note_adopted, take_up
from monitor.evaluate.model import follow, policy_of
from monitor.evaluate.verdict_columns import Verdicts
from monitor.events import ENDED, SeriesKey
from monitor.performance.contrasts import JudgedRow, contrasts_for
from monitor.performance.evidence import JudgedEvidence, JudgedHours
from monitor.values import DAY_MS
from monitor.watch import Watch
from sinks.store.batch import append, empty_rows, extend
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of
from sinks.store.spans import HOUR_MS

__all__ = [
    "LEARN_HOURS",
    "STAGE",
    "JudgedSignals",
    "alarm_judged",
    "hours_between",
    "judged_span",
    "measured_hours",
    "read_hours",
]

STAGE = "performance"
"""Under which checkpoints stand."""

LEARN_HOURS = 24
"""Hours of a signal before it may alarm."""

HOURS_AT_ONCE = 7 * 24
MOST_LEARNED_MS = 70 * DAY_MS
"""How much teaches a changed configuration at most."""


class JudgedSignals:
    """The signals of a model that labels make, and the life of their alerts.

    Parameters
    ----------
    watch : Watch
        Of a model with ``spec.performance``.
    """

    def __init__(self, watch: Watch) -> None:
        plan, detect = watch.model.spec.performance_plan, watch.model.spec.detect
        assert plan is not None
        self._watch = watch
        self.settings = Settings(
            false_alarms=detect.false_alarms.count * DAY_MS / detect.false_alarms.per_ms,
            signals=signals_of(watch),
            windows_per_day=24,
            learn_windows=LEARN_HOURS,
        )
        self.changes = Changes(_by_hours(watch), None, JudgedEvidence(plan), self.settings)
        self.lifecycle = _lifecycle_of(watch)
        learned = (
            plan.scheme.id, plan.prediction, plan.label_signals, plan.judge_at_ms[0], plan.signals, plan.beta,
            self.settings, detect.time_zone, sorted(detect.holidays), detect.adopt_after, sorted(watch.segment_names),
        )  # fmt: skip
        self.config = xxhash.xxh3_64_hexdigest(repr(learned).encode())

    def advance(self, hours: JudgedHours, ends_ms: range) -> tuple[list[Verdicts], list[Transition]]:
        """Return the verdicts on hours, by their ends, and what becomes of alerts.

        Parameters
        ----------
        hours : JudgedHours
        ends_ms : range
            Later than at every call before.
        """
        verdicts = list(self.changes.advance(hours, ends_ms))
        return verdicts, follow(self.lifecycle, verdicts, ends_ms)

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {"config": self.config, "lifecycle": self.lifecycle.snapshot(), "changes": self.changes.snapshot()}


def alarm_judged(
    store: Store, watch: Watch, judged_ms: int, is_enough: Callable[[], bool] = lambda: False
) -> list[Transition]:
    """Evaluate the hours that are judged by now; return what became of alerts.

    Parameters
    ----------
    store : Store
    watch : Watch
        Of a model with ``spec.performance``.
    judged_ms : int
        Hours are judged that are as old as the first age at this time.
    is_enough : callable
        Once it says so, the rest is left to the next call.

    Raises
    ------
    StoreError
    """
    plan = watch.model.spec.performance_plan
    assert plan is not None
    if not watch.judged_signals:
        return []
    last_ms = _end_of(store, watch, newest=True)
    if last_ms is None:
        return []
    last_ms = min(last_ms, (judged_ms - plan.judge_at_ms[0]) // HOUR_MS * HOUR_MS)
    where = {"stage": STAGE, "name": watch.name}
    positions = store.read(Query("checkpoints", where, columns=("position",)))["position"]
    # To load a state takes longer than to see that nothing is new.
    if len(positions) and int(positions[0]) > last_ms:
        return []
    return _Course(store, watch).run(last_ms, is_enough)


class _Course:
    """The way of a model's signals through its hours, from a checkpoint on."""

    def __init__(self, store: Store, watch: Watch) -> None:
        self._store, self._watch = store, watch
        self._signals = JudgedSignals(watch)
        self._next_ms: int | None = None
        loaded = checkpoint.load(store, STAGE, watch.name, 0)
        if loaded is None:
            self._next_ms = _end_of(store, watch, newest=False)
            return
        self._next_ms, state = loaded
        self._signals.lifecycle.restore(state["lifecycle"])
        if state["config"] == self._signals.config:
            self._signals.changes.restore(state["changes"])
        else:
            self._learn(self._next_ms)

    def run(self, last_ms: int, is_enough: Callable[[], bool]) -> list[Transition]:
        """Evaluate up to an end of an hour."""
        transitions: list[Transition] = []
        if self._next_ms is None or self._next_ms > last_ms:
            return transitions
        for ends_ms in hours_between(self._next_ms, last_ms):
            transitions += self._evaluate(ends_ms)
            self._save(ends_ms[-1] + HOUR_MS)
            if is_enough():
                break
        return transitions

    def _evaluate(self, ends_ms: range) -> list[Transition]:
        store, model, signals = self._store, self._watch.name, self._signals
        signals.changes.decide(take_up(store, model, ends_ms[0], HOUR_MS, judged=True))
        verdicts, transitions = signals.advance(read_hours(store, self._watch, ends_ms), ends_ms)
        scores = empty_rows("scores")
        for of_series in verdicts:
            extend(scores, of_series.rows(model, ""))
        idle = self._idle(ends_ms)
        scores["idle"] = [idle.get(end_ms, "") for end_ms in scores["window_end_ms"]]
        note_adopted(store, list(_adopted(model, verdicts)))
        append(store, "expectations", signals.changes.expectations())
        append(store, "scores", scores)
        append(store, PERFORMANCE_ALERTS, to_columns(transitions))
        return transitions

    def _idle(self, ends_ms: range) -> dict[int, str]:
        """Return which partitions hours were judged without, as they were taken for silent, by the ends of hours."""
        plan = self._watch.model.spec.performance_plan
        assert plan is not None
        age_ms = plan.judge_at_ms[0]
        span = {"at_ms": ends_ms[0] + age_ms}, {"at_ms": ends_ms[-1] + age_ms + 1}
        idle = {}
        for row in rows_of(self._store.read(Query("performance_horizons", {"model": self._watch.name}, *span))):
            counted = zip(row["partitions"], row["counted_ms"], strict=True)
            idle[int(row["at_ms"]) - age_ms] = ",".join(sorted(name for name, ms in counted if ms < ENDED))
        return idle

    def _learn(self, next_ms: int) -> None:
        """Learn from stored hours as the new configuration would have; nothing alarms."""
        first_ms = _end_of(self._store, self._watch, newest=False)
        if first_ms is None:
            return
        self._signals.changes.decide(marks_in_effect(self._store, self._watch.name))
        for ends_ms in hours_between(max(first_ms, next_ms - MOST_LEARNED_MS), next_ms - HOUR_MS):
            for _ in self._signals.changes.advance(read_hours(self._store, self._watch, ends_ms), ends_ms):
                pass

    def _save(self, next_ms: int) -> None:
        signals = self._signals
        saved = Checkpoint(STAGE, self._watch.name, 0, next_ms, signals.config, signals.snapshot())
        checkpoint.save(self._store, saved)


def read_hours(store: Store, watch: Watch, ends_ms: range) -> JudgedHours:
    """Return what was judged of some hours at the first age, of the segments that are configured.

    Raises
    ------
    StoreError
    """
    plan = watch.model.spec.performance_plan
    assert plan is not None
    where = {"model": watch.name, "age_ms": plan.judge_at_ms[0]}
    low, high = {"hour_ms": ends_ms[0] - HOUR_MS}, {"hour_ms": ends_ms[-1]}
    hours: dict[int, dict[tuple[str, str], JudgedRow]] = {}
    for row in rows_of(store.read(Query("performance", where, low, high))):
        # Sums of other comparisons say nothing of this one.
        if row["scheme"] == plan.scheme.id and row["segment"] in watch.segment_names:
            of_hour = hours.setdefault(int(row["hour_ms"]) + HOUR_MS, {})
            of_hour[row["version"], row["segment"]] = JudgedRow.read(row)
    return hours


def measured_hours(
    store: Store, watch: Watch, key: SeriesKey, day: ExpectedDay, ends_ms: range
) -> list[dict[str, tuple[float, float]]]:
    """Return what each of some hours has of the contrasts of a series, by name, as `to_residual` takes them.

    Labels that had waited for others before the first of these hours are left out.

    Raises
    ------
    StoreError
    """
    plan = watch.model.spec.performance_plan
    assert plan is not None
    contrasts = contrasts_for(plan, key[2])
    for scale in (contrast.scale for contrast in day.contrasts if contrast.scale is not None):
        contrasts.use_scale(scale)
    hours = read_hours(store, watch, ends_ms)
    measured: list[dict[str, tuple[float, float]]] = []
    for end_ms in ends_ms:
        row = hours.get(end_ms, {}).get(key[:2])
        _, observed = (0, []) if row is None else contrasts.observe(row, end_ms)
        of_hour = {contrasts.name(k): each[:2] for k, each in enumerate(observed) if each is not None}
        measured.append(of_hour)
    return measured


def judged_span(store: Store, watch: Watch) -> tuple[int | None, int | None]:
    """Return the ends of the first and the newest hour that were judged at the first age; None if there are none.

    Raises
    ------
    StoreError
    """
    return _end_of(store, watch, newest=False), _end_of(store, watch, newest=True)


def _end_of(store: Store, watch: Watch, *, newest: bool) -> int | None:
    """Return the end of the first or the newest hour that was judged at the first age; None if there is none."""
    plan = watch.model.spec.performance_plan
    assert plan is not None
    where = {"model": watch.name, "age_ms": plan.judge_at_ms[0], "scheme": plan.scheme.id, "segment": ""}
    query = Query("performance", where, order=("hour_ms",), descending=newest, limit=1, columns=("hour_ms",))
    hours_ms = store.read(query)["hour_ms"]
    return int(hours_ms[0]) + HOUR_MS if len(hours_ms) else None


def hours_between(first_ms: int, last_ms: int) -> Iterator[range]:
    """Yield the ends of hours from one to another, some of them at a time."""
    for start_ms in range(first_ms, last_ms + 1, HOURS_AT_ONCE * HOUR_MS):
        stop_ms = min(start_ms + HOURS_AT_ONCE * HOUR_MS, last_ms + 1)
        yield range(start_ms, stop_ms, HOUR_MS)


def _adopted(model: str, verdicts: list[Verdicts]) -> Iterator[Mark]:
    for of_series in verdicts:
        version, segment, signal = of_series.key
        for end_ms, normal in of_series.new_normals.items():
            if not normal.by:
                yield Mark(
                    model, signal, segment, version, "adopted", normal.from_ms, 0, "", normal.reason, end_ms, end_ms
                )


def _by_hours(watch: Watch) -> Watch:
    """Return a model as if its windows were hours, which the rule `change` judges."""
    spec = watch.model.spec
    defaults = spec.detect.defaults.model_copy(update={"window": HOUR_MS, "every": None, "offset": 0})
    detect = spec.detect.model_copy(update={"rule": DETECTOR, "defaults": defaults})
    return replace(watch, model=watch.model.model_copy(update={"spec": spec.model_copy(update={"detect": detect})}))


def _lifecycle_of(watch: Watch) -> Lifecycle:
    metadata = watch.model.metadata
    policy = policy_of(watch.model.spec.alerts, HOUR_MS)
    return Lifecycle(metadata.name, metadata.namespace, metadata.labels, policy, HOUR_MS, PERFORMANCE)
