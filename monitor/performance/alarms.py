"""The quality of a model as signals that alarm: hours of predictions, as they were judged at the first age.

Where the windows of a model are longer than an hour, hours are added up to these, a day at most.

What was known of an hour at an age never changes. So these scores and alerts are a function of the log, too, and later
corrections change what is shown and not what has alarmed. They come later than windows of events, by labels, and have a
log and a checkpoint of their own. Rows are written before the checkpoint; after a crash the hours since the last one
are evaluated again, and give the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import xxhash

from detectors.change.model import Settings
from detectors.performance.schemes import Multiclass
from monitor import checkpoint
from monitor.alerts.alert_log import PERFORMANCE, PERFORMANCE_ALERTS
from monitor.alerts.lifecycle import Lifecycle
from monitor.alerts.transition import Transition, to_columns
from monitor.checkpoint import Checkpoint
from monitor.config.model import Model
from monitor.evaluate.change import DETECTOR, Changes, signals_of
from monitor.evaluate.expectations import ExpectedDay
from monitor.evaluate.mark_log import Mark, marks_in_effect, note_adopted, take_up
from monitor.evaluate.model import follow, policy_of
from monitor.evaluate.verdict_columns import Verdicts
from monitor.events import ENDED, SeriesKey
from monitor.performance.contrasts import MOST_CLASSES, JudgedRow, contrasts_for
from monitor.performance.evidence import FirstPane, JudgedEvidence, JudgedHours, start_of_window
from monitor.performance.per_event import findings_layout, shown_ms
from monitor.performance.performance import Performance
from monitor.performance.skill_statements import SkillStatements
from monitor.values import DAY_MS
from monitor.watch import Watch
from sinks.store.batch import append, empty_rows, extend
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of
from sinks.store.spans import HOUR_MS

__all__ = [
    "STAGE",
    "JudgedSignals",
    "JudgedWindows",
    "alarm_judged",
    "first_panes",
    "judged_span",
    "learned_windows",
    "measured_hours",
    "read_hours",
]

STAGE = "performance"
"""Under which checkpoints stand."""

DIVIDE_DAY = (1, 2, 3, 4, 6, 8, 12, 24)
"""Into windows of how many hours a day can be cut."""

AT_ONCE_MS = 7 * DAY_MS
MOST_LEARNED_MS = 70 * DAY_MS
"""How much teaches a changed configuration at most."""


class JudgedWindows(NamedTuple):
    """Into which windows hours are added up.

    Attributes
    ----------
    step_ms : int
        How long one is.
    offset_ms : int
        Where one begins, after a multiple of that.

    Examples
    --------
    >>> by_days = JudgedWindows(DAY_MS, 5 * HOUR_MS)
    >>> [by_days.of(hour * HOUR_MS) // HOUR_MS for hour in (4, 5, 28, 29)], by_days.last(28 * HOUR_MS) // HOUR_MS
    ([5, 29, 29, 53], 5)
    """

    step_ms: int
    offset_ms: int

    @classmethod
    def of_model(cls, model: Model) -> JudgedWindows:
        """Return those of a model: as long as its own, or the next shorter of whole hours that make up a day."""
        defaults = model.spec.detect.defaults
        step_ms = max(hours for hours in DIVIDE_DAY if hours == 1 or hours * HOUR_MS <= defaults.step_ms) * HOUR_MS
        return cls(step_ms, defaults.offset // HOUR_MS * HOUR_MS % step_ms)

    def of(self, hour_ms: int) -> int:
        """Return the end of the window in which an hour lies."""
        return self.last(hour_ms) + self.step_ms

    def last(self, at_ms: int) -> int:
        """Return the end of the last window that is over at a time."""
        return at_ms - (at_ms - self.offset_ms) % self.step_ms

    def between(self, first_ms: int, last_ms: int) -> Iterator[range]:
        """Yield the ends of windows from one to another, some of them at a time."""
        for start_ms in range(first_ms, last_ms + 1, AT_ONCE_MS):
            yield range(start_ms, min(start_ms + AT_ONCE_MS, last_ms + 1), self.step_ms)


class JudgedSignals:
    """The signals of a model that labels make, and the life of their alerts.

    Parameters
    ----------
    watch : Watch
        Of a model with ``spec.performance``.
    first_pane_ms : callable, optional
        When a version first came, as `JudgedEvidence` takes it.
    """

    def __init__(self, watch: Watch, first_pane_ms: FirstPane = start_of_window) -> None:
        plan, detect = watch.judged_plan, watch.model.spec.detect
        self._watch = watch
        self.windows = windows = JudgedWindows.of_model(watch.model)
        self.settings = Settings(
            false_alarms=detect.false_alarms.count * DAY_MS / detect.false_alarms.per_ms,
            signals=signals_of(watch),
            windows_per_day=DAY_MS // windows.step_ms,
            learn_windows=learned_windows(watch),
        )
        evidence = JudgedEvidence(plan, first_pane_ms)
        self.changes = Changes(_by_windows(watch, windows), None, evidence=evidence, settings=self.settings)
        self.skills = SkillStatements(plan, windows.step_ms)
        self.lifecycle = _lifecycle_of(watch, windows.step_ms)
        learned = (
            plan.scheme.id, plan.prediction, plan.label_signals, plan.judge_at_ms[0], plan.signals, plan.beta,
            self.settings, windows, detect.time_zone, sorted(detect.holidays), detect.adopt_after,
            sorted(watch.segment_names), *([findings_layout(plan).id] if plan.detectors else []),
            *(naive for naive in plan.naive if naive.metric in plan.alarm_on),
            # They came later than checkpoints.
            *([MOST_CLASSES] if isinstance(plan.scheme, Multiclass) else []),
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
        verdicts = [*self.changes.advance(hours, ends_ms), *self.skills.advance(hours, ends_ms)]
        return verdicts, follow(self.lifecycle, verdicts, ends_ms)

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {
            "config": self.config,
            "lifecycle": self.lifecycle.snapshot(),
            "changes": self.changes.snapshot(),
            "skills": self.skills.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot of the same configuration, but for the life of alerts."""
        self.changes.restore(state["changes"])
        # Checkpoints from before skills were followed have none.
        self.skills.restore(state.get("skills", ()))

    def decide(self, marks: Sequence[Mark]) -> None:
        """Take in what people say of signals, for windows to come; each time all of it."""
        self.changes.decide(marks)
        self.skills.decide(marks)


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
    plan = watch.judged_plan
    if not watch.judged_signals:
        return []
    newest_ms, windows = _end_of(store, watch, newest=True), JudgedWindows.of_model(watch.model)
    if newest_ms is None:
        return []
    known_ms = judged_ms - plan.judge_at_ms[0]
    if plan.detectors:
        # What detectors say of errors stands in the hours in which these came to be known.
        known_ms = min(known_ms, shown_ms(store, watch.name))
    last_ms = min(newest_ms, windows.last(known_ms))
    where = {"stage": STAGE, "name": watch.name}
    positions = store.read(Query("checkpoints", where, columns=("position",)))["position"]
    # To load a state takes longer than to see that nothing is new.
    if len(positions) and windows.of(int(positions[0]) - HOUR_MS) > last_ms:
        return []
    return _Course(store, watch).run(last_ms, is_enough)


class _Course:
    """The way of a model's signals through its hours, from a checkpoint on."""

    def __init__(self, store: Store, watch: Watch) -> None:
        self._store, self._watch = store, watch
        self._signals = JudgedSignals(watch, first_panes(store, watch))
        self._next_ms: int | None = None
        loaded = checkpoint.load(store, STAGE, watch.name, 0)
        if loaded is None:
            self._next_ms = _end_of(store, watch, newest=False)
            return
        next_ms, state = loaded
        # Under other windows than before, the next one is that of the hour that comes next.
        self._next_ms = next_ms = self._signals.windows.of(next_ms - HOUR_MS)
        self._signals.lifecycle.restore(state["lifecycle"])
        if state["config"] == self._signals.config:
            self._signals.restore(state)
        else:
            self._learn(next_ms)

    def run(self, last_ms: int, is_enough: Callable[[], bool]) -> list[Transition]:
        """Evaluate up to an end of an hour."""
        transitions: list[Transition] = []
        if self._next_ms is None or self._next_ms > last_ms:
            return transitions
        for ends_ms in self._signals.windows.between(self._next_ms, last_ms):
            transitions += self._evaluate(ends_ms)
            # The hour that comes next, since the next window may be another one.
            self._save(ends_ms[-1] + HOUR_MS)
            if is_enough():
                break
        return transitions

    def _evaluate(self, ends_ms: range) -> list[Transition]:
        store, model, signals = self._store, self._watch.name, self._signals
        signals.decide(take_up(store, model, ends_ms[0], ends_ms.step, judged=True))
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
        """Return which partitions hours were judged without, as they were taken for silent, by the ends of windows."""
        plan = self._watch.judged_plan
        age_ms = plan.judge_at_ms[0]
        span = {"at_ms": ends_ms[0] - ends_ms.step + HOUR_MS + age_ms}, {"at_ms": ends_ms[-1] + age_ms + 1}
        idle: dict[int, set[str]] = {}
        for row in rows_of(self._store.read(Query("performance_horizons", {"model": self._watch.name}, *span))):
            counted = zip(row["partitions"], row["counted_ms"], strict=True)
            end_ms = self._signals.windows.of(int(row["at_ms"]) - age_ms - HOUR_MS)
            idle.setdefault(end_ms, set()).update(name for name, ms in counted if ms < ENDED)
        return {end_ms: ",".join(sorted(names)) for end_ms, names in idle.items()}

    def _learn(self, next_ms: int) -> None:
        """Learn from stored hours as the new configuration would have; nothing alarms."""
        first_ms = _end_of(self._store, self._watch, newest=False)
        if first_ms is None:
            return
        self._signals.decide(marks_in_effect(self._store, self._watch.name))
        windows = self._signals.windows
        first_ms = max(first_ms, windows.of(next_ms - MOST_LEARNED_MS))
        for ends_ms in windows.between(first_ms, next_ms - windows.step_ms):
            hours = read_hours(self._store, self._watch, ends_ms)
            for _ in self._signals.changes.advance(hours, ends_ms):
                pass
            self._signals.skills.advance(hours, ends_ms)

    def _save(self, next_ms: int) -> None:
        signals = self._signals
        saved = Checkpoint(STAGE, self._watch.name, 0, next_ms, signals.config, signals.snapshot())
        checkpoint.save(self._store, saved)


def first_panes(store: Store, watch: Watch) -> FirstPane:
    """Return what says in which pane a version first came, by the predictions that were known when it was judged."""
    pane_ms, age_ms = watch.model.spec.detect.pane, watch.judged_plan.judge_at_ms[0]

    def first_pane_ms(version: str, window: range) -> int:
        for hour_ms in range(window.start, window.stop, HOUR_MS):
            where = {"model": watch.name, "version": version}
            high = {"event_ms": hour_ms + HOUR_MS, "known_ms": hour_ms + HOUR_MS + age_ms}
            query = Query("predicted", where, {"event_ms": hour_ms}, high, limit=1, columns=("event_ms",))
            for event_ms in store.read(query)["event_ms"].tolist():
                return max(int(event_ms) // pane_ms * pane_ms, window.start)
        # As a lifetime has it, they may be gone when a backtest asks.
        return start_of_window(version, window)

    return first_pane_ms


def read_hours(store: Store, watch: Watch, ends_ms: range) -> JudgedHours:
    """Return what was judged of the hours of some windows at the first age, of the segments that are configured.

    Raises
    ------
    StoreError
    """
    plan = watch.judged_plan
    where = {"model": watch.name, "age_ms": plan.judge_at_ms[0]}
    low, high = {"hour_ms": ends_ms[0] - ends_ms.step}, {"hour_ms": ends_ms[-1]}
    hours: dict[int, dict[tuple[str, str], JudgedRow]] = {}
    for row in rows_of(store.read(Query("performance", where, low, high))):
        # Sums of other comparisons say nothing of this one.
        if row["scheme"] == plan.scheme.id and row["segment"] in watch.segment_names:
            end_ms = ends_ms[(int(row["hour_ms"]) - low["hour_ms"]) // ends_ms.step]
            of_window, key = hours.setdefault(end_ms, {}), (row["version"], row["segment"])
            judged = JudgedRow.read(row)
            of_window[key] = of_window[key] + judged if key in of_window else judged
    if plan.detectors:
        _add_findings(store, watch, ends_ms, hours)
    return hours


def _add_findings(
    store: Store, watch: Watch, ends_ms: range, hours: dict[int, dict[tuple[str, str], JudgedRow]]
) -> None:
    plan, layout = watch.judged_plan, findings_layout(watch.judged_plan)
    low, high = {"hour_ms": ends_ms[0] - ends_ms.step}, {"hour_ms": ends_ms[-1]}
    # Those of other parameters are not compared.
    where = {"model": watch.name, "layout": layout.id}
    for row in rows_of(store.read(Query("performance_findings", where, low, high))):
        if row["segment"] in watch.segment_names:
            end_ms = ends_ms[(int(row["hour_ms"]) - low["hour_ms"]) // ends_ms.step]
            of_window, key = hours.setdefault(end_ms, {}), (row["version"], row["segment"])
            counted = JudgedRow.of_findings(plan.scheme.id, np.asarray(row["counts"], dtype=np.int64))
            of_window[key] = of_window[key] + counted if key in of_window else counted


def measured_hours(
    store: Store, watch: Watch, key: SeriesKey, day: ExpectedDay, ends_ms: range
) -> list[dict[str, tuple[float, float]]]:
    """Return what each of some hours has of the contrasts of a series, by name, as `to_residual` takes them.

    Labels that had waited for others before the first of these hours are left out.

    Raises
    ------
    StoreError
    """
    plan = watch.judged_plan
    contrasts = contrasts_for(plan, key[2])
    contrasts.say_all()
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
    """Return the ends of the first and the newest window all hours of which are judged; None if nothing was.

    Raises
    ------
    StoreError
    """
    first_ms, newest_ms = _hour_of(store, watch, newest=False), _hour_of(store, watch, newest=True)
    if first_ms is None or newest_ms is None:
        return None, None
    plan, windows = watch.judged_plan, JudgedWindows.of_model(watch.model)
    # Hours without predictions are judged, too; how far is known of the comparison that runs.
    judged_ms = max(Performance(watch, store).progress().judged_ms - plan.judge_at_ms[0], newest_ms + HOUR_MS)
    return windows.of(first_ms), min(windows.of(newest_ms), windows.last(judged_ms))


def _end_of(store: Store, watch: Watch, *, newest: bool) -> int | None:
    """Return the end of the first or the newest window of which something was judged; None if there is none."""
    hour_ms = _hour_of(store, watch, newest=newest)
    return None if hour_ms is None else JudgedWindows.of_model(watch.model).of(hour_ms)


def _hour_of(store: Store, watch: Watch, *, newest: bool) -> int | None:
    """Return the first or the newest hour of which something was judged; None if there is none."""
    plan = watch.judged_plan
    where = {"model": watch.name, "age_ms": plan.judge_at_ms[0], "scheme": plan.scheme.id, "segment": ""}
    query = Query("performance", where, order=("hour_ms",), descending=newest, limit=1, columns=("hour_ms",))
    hours_ms = store.read(query)["hour_ms"]
    return int(hours_ms[0]) if len(hours_ms) else None


def learned_windows(watch: Watch) -> int:
    """Return how many windows of a signal that labels make come before it may alarm: a day of them at least."""
    defaults = watch.model.spec.detect.defaults
    of_day = DAY_MS // JudgedWindows.of_model(watch.model).step_ms
    # How many short windows there are to be says nothing of hours.
    return of_day if defaults.step_ms < HOUR_MS else max(of_day, defaults.learn_windows)


def _adopted(model: str, verdicts: list[Verdicts]) -> Iterator[Mark]:
    for of_series in verdicts:
        version, segment, signal = of_series.key
        for end_ms, normal in of_series.new_normals.items():
            if not normal.by:
                yield Mark(
                    model, signal, segment, version, "adopted", normal.from_ms, 0, "", normal.reason, end_ms, end_ms
                )


def _by_windows(watch: Watch, windows: JudgedWindows) -> Watch:
    """Return a model as if these were its windows, which the rule `change` judges."""
    spec = watch.model.spec
    update = {"window": windows.step_ms, "every": None, "offset": windows.offset_ms}
    defaults = spec.detect.defaults.model_copy(update=update)
    detect = spec.detect.model_copy(update={"rule": DETECTOR, "defaults": defaults})
    return replace(watch, model=watch.model.model_copy(update={"spec": spec.model_copy(update={"detect": detect})}))


def _lifecycle_of(watch: Watch, step_ms: int) -> Lifecycle:
    metadata, spec = watch.model.metadata, watch.model.spec
    policy = policy_of(spec.alerts, step_ms, spec.detect.time_zone, spec.detect.holidays)
    return Lifecycle(metadata.name, metadata.namespace, metadata.labels, policy, step_ms, PERFORMANCE)
