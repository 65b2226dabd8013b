"""Whether estimators are still near to what turns out to be true, by the days of predictions that are judged.

A day's predictions were estimated as they came, and are realised at the first age. What was known of them then never
changes, so this is a function of the log; it comes later than windows, and a mark says from which on it has effect
(:mod:`monitor.evaluate.muting`). Marks are written before the checkpoint, and after a crash the same ones again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from detectors.estimate import FidelityChart
from detectors.performance import Question, Sums, add_up
from detectors.performance import estimates as metrics_of
from detectors.performance.sums import Quantity
from detectors.sketch import NumericSummary, sum_summaries
from monitor import checkpoint
from monitor.checkpoint import Checkpoint
from monitor.estimators.estimator import Estimator
from monitor.evaluate.mark_log import Mark, Says, read_marks
from monitor.evaluate.muting import alert_of, mutings
from monitor.events import ENDED
from monitor.panes.codec import summary_of
from monitor.panes.coverage import ON_TIME
from monitor.performance.alarms import JudgedWindows
from monitor.values import DAY_MS
from monitor.watch import Watch
from sinks.receivers.times import utc
from sinks.store.change_log import ChangeLog
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of
from sinks.store.spans import HOUR_MS

__all__ = ["FEWEST_LABELS", "LEAST_COVERAGE", "follow_estimators", "margin_of", "own_deviation_of"]

STAGE = "estimators"

FEWEST_LABELS = 100
LEAST_COVERAGE = 0.8
"""Of a day with fewer labels, or a smaller share of predictions with one, nothing is said."""

TIMES_USUAL = 2.0
LEAST_POINTS, LEAST_SHARE = 0.02, 0.05
"""How far off an estimator may be: twice as far as it usually is, at least 2 points, or 5 % of a mean error."""

DAYS_AT_ONCE = 28
DEVIATION_OF_MEAN_SIZE = math.sqrt(math.pi / 2)
"""Of a normal number: its standard deviation in units of its mean size."""


class ComparedDay(NamedTuple):
    """What an estimator said of a day, and what turned out to be true; `deviation` is by chance alone."""

    estimate: float
    realised: float
    deviation: float


@dataclass
class _Watched:
    """An estimator with its chart; ``alert_id`` is that of the alert about it, when it was lost last."""

    estimator: Estimator
    chart: FidelityChart
    alert_id: str = ""

    def snapshot(self) -> dict[str, Any]:
        return {"digest": self.estimator.artefact.digest, "alert_id": self.alert_id, **vars(self.chart)}

    @classmethod
    def restored(cls, estimator: Estimator, state: Mapping[str, Any] | None, replaced: Collection[str]) -> _Watched:
        """Return it as it was; another fit begins anew, and one that was lost when it was replaced (alerts' ids)."""
        if state is None or state["digest"] != estimator.artefact.digest:
            return cls(estimator, FidelityChart())
        if state["is_lost"] and state["alert_id"] in replaced:
            # It alarms again, and no day would ever mute what is lost already.
            return cls(estimator, FidelityChart())
        return cls(
            estimator, FidelityChart(state["is_lost"], list(state["lost"]), list(state["regained"])), state["alert_id"]
        )


def margin_of(estimator: Estimator) -> float:
    """Return how far an estimator may be off: in shares that are right, or in units of the number."""
    artefact = estimator.artefact
    least = LEAST_SHARE * artefact.fitted.mean if artefact.kind == "dle" else LEAST_POINTS
    return max(TIMES_USUAL * artefact.fidelity.error, least, 1e-300)


def own_deviation_of(estimator: Estimator) -> float:
    """Return how far days stray beyond chance: as chunks did when it was fitted, less the chance of their outcomes."""
    fidelity = estimator.artefact.fidelity
    return DEVIATION_OF_MEAN_SIZE * math.sqrt(max(fidelity.error**2 - fidelity.chance_error**2, 0.0))


def follow_estimators(
    store: Store, watch: Watch, judged_ms: int, is_enough: Callable[[], bool] = lambda: False
) -> None:
    """Compare the days that are judged by now, and write down which estimators are muted by that, or heard again.

    Parameters
    ----------
    store : Store
    watch : Watch
        Of a model with ``spec.performance``; without estimators, or with weights, nothing is compared.
    judged_ms : int
        Hours are judged that are as old as the first age at this time.
    is_enough : callable
        Once it says so, the rest is left to the next call.

    Raises
    ------
    StoreError
    """
    plan = watch.judged_plan
    if plan.weight is not None or not watch.estimators:
        return
    days = JudgedWindows(DAY_MS, watch.model.spec.detect.defaults.offset // HOUR_MS * HOUR_MS % DAY_MS)
    positions = store.read(Query("checkpoints", {"stage": STAGE, "name": watch.name}, columns=("position",)))
    hour_ms = _hour(store, watch, newest=True)
    if hour_ms is None:
        return
    last_ms = min(days.of(hour_ms), days.last(judged_ms - plan.judge_at_ms[0]))
    if len(positions["position"]) and int(positions["position"][0]) > last_ms:
        return
    loaded = checkpoint.load(store, STAGE, watch.name, 0)
    next_ms, states = (days.of(_hour(store, watch, newest=False) or 0), {}) if loaded is None else loaded
    # Days may begin at another hour than before.
    next_ms = days.of(next_ms - HOUR_MS)
    replaced = {spell.muted.alert_id for spell in mutings(read_marks(store, watch.name)) if spell.is_replaced}
    watched = [_Watched.restored(each, states.get(each.signal), replaced) for each in watch.estimators]
    for first_ms in range(next_ms, last_ms + 1, DAYS_AT_ONCE * DAY_MS):
        ends = range(first_ms, min(first_ms + DAYS_AT_ONCE * DAY_MS, last_ms + 1), DAY_MS)
        realised, counted = _realised(store, watch, ends), _counted(store, watch, ends)
        for each in watched:
            for end_ms, day in _compared(store, watch, each.estimator, ends, realised, counted):
                _take(store, watch, each, end_ms, day)
        state = {each.estimator.signal: each.snapshot() for each in watched}
        checkpoint.save(store, Checkpoint(STAGE, watch.name, 0, ends[-1] + DAY_MS, "", state))
        if is_enough():
            break


def _take(store: Store, watch: Watch, watched: _Watched, end_ms: int, day: ComparedDay) -> None:
    estimator, margin = watched.estimator, margin_of(watched.estimator)
    deviation = math.hypot(day.deviation, own_deviation_of(estimator))
    if not watched.chart.take(day.realised - day.estimate, deviation, margin):
        return
    realised, estimate = _words(estimator, day.realised), _words(estimator, day.estimate)
    facts = f"realised {realised} where {estimate} was estimated on the day up to {utc(end_ms)}"
    if watched.chart.is_lost:
        watched.alert_id = alert_of(watch.name, estimator, end_ms)
        reason = f"{facts}: it has been off by more than {_words(estimator, margin)} for longer than chance explains"
    else:
        reason = f"{facts}: it is off by less than {_words(estimator, margin)} again"
    says: Says = "muted" if watched.chart.is_lost else "heard"
    mark = Mark(watch.name, estimator.signal, "", "", says, end_ms, 0, "", reason, end_ms, alert_id=watched.alert_id)
    _note(store, mark)


def _note(store: Store, mark: Mark) -> None:
    row = {**vars(mark), "id": mark.known_as}
    log = ChangeLog(store, "marks")
    # Once more, after a crash: from which window on it has effect stays as it was settled.
    if not log.named([row["id"]]):
        log.put([row], {})


# -- what is compared --------------------------------------------------------------------------------------------------


def _compared(
    store: Store,
    watch: Watch,
    estimator: Estimator,
    ends: range,
    realised: Mapping[int, _Realised],
    counted: Mapping[int, Mapping[str, int]],
) -> Iterator[tuple[int, ComparedDay]]:
    estimated = _estimated(store, watch, estimator, ends, counted)
    for end_ms in ends:
        summary, of_day = estimated.get(end_ms), realised.get(end_ms)
        if summary is None or not summary.n or of_day is None or of_day.sums.labels < FEWEST_LABELS:
            continue
        if of_day.sums.labels < LEAST_COVERAGE * of_day.predictions:
            continue
        day = _day(watch, estimator, summary, of_day.sums)
        if all(map(math.isfinite, day)):
            yield end_ms, day


def _day(watch: Watch, estimator: Estimator, summary: NumericSummary, sums: Sums) -> ComparedDay:
    metric = "mae" if estimator.artefact.kind == "dle" else "accuracy"
    question = Question(watch.judged_plan.scheme.id.partition(":")[0])
    realised = float(metrics_of(sums, [metric], question)[metric].value)
    mean, n = float(summary.mean(estimator.layout)), sums.labels
    if metric == "mae":
        variance = float(sums.exact(Quantity.E_2)) / n - realised**2
    else:
        # Of outcomes each of which is 1 with its own estimate as its probability.
        variance = mean - mean**2 - float(summary.std(estimator.layout)) ** 2
    return ComparedDay(mean, realised, math.sqrt(max(variance, 0.0) / n))


class _Realised(NamedTuple):
    predictions: int
    sums: Sums


def _realised(store: Store, watch: Watch, ends: range) -> dict[int, _Realised]:
    plan = watch.judged_plan
    where = {"model": watch.name, "age_ms": plan.judge_at_ms[0], "segment": ""}
    low, high = {"hour_ms": ends[0] - DAY_MS}, {"hour_ms": ends[-1]}
    by_day: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows_of(store.read(Query("performance", where, low, high))):
        if row["scheme"] == plan.scheme.id:
            by_day.setdefault(_end_of_day(ends, int(row["hour_ms"])), []).append(row)
    return {
        end_ms: _Realised(
            sum(row["predictions"] for row in rows), add_up([Sums.from_row(row) for row in rows], plan.scheme.id)
        )
        for end_ms, rows in by_day.items()
    }


def _estimated(
    store: Store, watch: Watch, estimator: Estimator, ends: range, counted: Mapping[int, Mapping[str, int]]
) -> dict[int, NumericSummary]:
    """Return the estimates of each day, of what came on time and of partitions that were not taken for silent."""
    where = {"model": watch.name, "segment": "", "signal": estimator.signal}
    low, high = {"pane_start_ms": ends[0] - DAY_MS}, {"pane_start_ms": ends[-1], **ON_TIME}
    rows = store.read(Query("panes", where, low, high))
    pane_ms, by_day = watch.model.spec.detect.pane, dict[int, list[NumericSummary]]()
    for i, start_ms in enumerate(rows["pane_start_ms"].tolist()):
        end_ms = _end_of_day(ends, start_ms)
        decided = counted.get(end_ms, {})
        known_ms = decided.get(f"{rows['topic'][i]}/{rows['partition'][i]}", 0) if decided else ENDED
        if rows["layout"][i] == estimator.layout.id and start_ms + pane_ms <= known_ms:
            summary = summary_of(rows, i, estimator.layout)
            assert isinstance(summary, NumericSummary)
            by_day.setdefault(end_ms, []).append(summary)
    return {end_ms: sum_summaries(summaries) for end_ms, summaries in by_day.items()}


def _counted(store: Store, watch: Watch, ends: range) -> dict[int, Mapping[str, int]]:
    """Return up to when partitions counted in the last hour of each day; nothing where all of everything did."""
    age_ms = watch.judged_plan.judge_at_ms[0]
    bounds = {"at_ms": ends[0] + age_ms}, {"at_ms": ends[-1] + age_ms + 1}
    rows = rows_of(store.read(Query("performance_horizons", {"model": watch.name}, *bounds)))
    return {
        int(row["at_ms"]) - age_ms: dict(zip(row["partitions"], map(int, row["counted_ms"]), strict=True))
        for row in rows
    }


def _end_of_day(ends: range, at_ms: int) -> int:
    return ends[(at_ms - ends[0] + DAY_MS) // DAY_MS]


def _hour(store: Store, watch: Watch, *, newest: bool) -> int | None:
    where = {"model": watch.name, "age_ms": watch.judged_plan.judge_at_ms[0]}
    query = Query("performance", where, order=("hour_ms",), descending=newest, limit=1, columns=("hour_ms",))
    hours: Sequence[int] = store.read(query)["hour_ms"]
    return int(hours[0]) if len(hours) else None


def _words(estimator: Estimator, number: float) -> str:
    return f"{number:.4g}" if estimator.artefact.kind == "dle" else f"{100 * number:.3g} %"
