"""Rollouts that are compared by labels: hours of predictions, as they were judged at the first age.

What was known of an hour at an age never changes, so these rows are a function of the log, too. They come later than
windows: `judged_notices` says with which one their verdict is notified.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from detectors.performance import Binary, Scheme
from detectors.performance import Sums as LabelSums
from detectors.performance.sums import Quantity
from monitor.rollouts.rollout_log import JUDGED, Better, Rollout, read_rollouts
from monitor.rollouts.strata import read_comparisons, rows_of_stratum
from monitor.rollouts.sums import Sums
from monitor.rollouts.verdict import Comparison, verdict_of
from monitor.watch import Watch
from sinks.store.batch import append, empty_rows, extend
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of
from sinks.store.spans import HOUR_MS

__all__ = ["BETTER", "compare_judged", "judged_signals"]

BETTER: Mapping[str, Better] = {
    "accuracy": "higher",
    "log_loss": "lower",
    "brier": "lower",
    "mae": "lower",
    "ndcg": "higher",
    "mrr": "higher",
    "value_per_event": "higher",
}
"""The metrics by which versions may be compared, and what is better: means over events."""

TOTALS = {
    "log_loss": (Quantity.LOG_LOSS, Quantity.LOG_LOSS_2, Quantity.WEIGHT),
    "brier": (Quantity.SQUARED, Quantity.SQUARED_2, Quantity.WEIGHT),
    "mae": (Quantity.ABS_E, Quantity.E_2, Quantity.WEIGHT),
    "ndcg": (Quantity.NDCG, Quantity.NDCG_2, Quantity.WEIGHT),
    "mrr": (Quantity.RECIPROCAL_RANK, Quantity.RECIPROCAL_RANK_2, Quantity.WEIGHT),
    "value_per_event": (Quantity.VALUE, Quantity.VALUE_2, Quantity.VALUE_WEIGHT),
}
TRUE_POSITIVES, FALSE_POSITIVES, FALSE_NEGATIVES, TRUE_NEGATIVES = range(4)
OF_OUTCOMES = {True: (TRUE_POSITIVES, FALSE_NEGATIVES), False: (FALSE_POSITIVES, TRUE_NEGATIVES)}
Row = Mapping[str, Any]


def judged_signals(watch: Watch) -> list[str]:
    """Return by which labels versions of a model may be compared; by none where events have weights."""
    plan = watch.model.spec.performance_plan
    if plan is None or plan.weight is not None:
        return []
    return [f"{JUDGED}{name}" for name in BETTER if name in plan.metrics]


def compare_judged(store: Store, watch: Watch, judged_ms: int) -> int:
    """Compare the hours that are judged by now; return of how many spans rows were written.

    Parameters
    ----------
    store : Store
    watch : Watch
        Of a model with ``spec.performance``.
    judged_ms : int
        Hours are judged that are as old as the first age at this time.

    Raises
    ------
    StoreError
    """
    rollouts = [rollout for rollout in read_rollouts(store, watch.name) if rollout.by_labels and rollout.stratum_ms]
    return sum(_compared(store, watch, rollout, judged_ms) for rollout in rollouts)


def _compared(store: Store, watch: Watch, rollout: Rollout, judged_ms: int) -> int:
    plan = watch.judged_plan
    comparisons, verdict, last_ms = read_comparisons(store, rollout)
    age_ms, rows, count = plan.judge_at_ms[0], empty_rows("rollout_strata"), 0
    # Where one outcome is known sooner than the other, the first labels say which version has more of it.
    of_all = set(OF_OUTCOMES) if isinstance(plan.scheme, Binary) else set()
    is_compared = any(each.candidate.n or each.champion.n for of_signal in comparisons.values() for each in of_signal)
    seen = of_all if is_compared else set()
    from_ms = max(rollout.from_ms, last_ms) if is_compared else rollout.from_ms
    for hour_ms, by_version in sorted(_hours(store, rollout, from_ms, age_ms).items()):
        end_ms = hour_ms + HOUR_MS
        if seen != of_all:
            seen = seen | _outcomes(plan.scheme, by_version.values())
        if end_ms <= last_ms:
            continue
        is_stopped = 0 < rollout.ends_ms <= end_ms + age_ms
        if verdict != "hold" or last_ms >= rollout.until_ms or is_stopped or end_ms + age_ms > judged_ms:
            break
        versions = (rollout.candidate, rollout.champion)
        candidate_row, champion_row = (by_version.get(version) if seen == of_all else None for version in versions)
        sums = {
            metric.signal: (
                _sums(plan.scheme, metric.signal, candidate_row),
                _sums(plan.scheme, metric.signal, champion_row),
            )
            for metric in rollout.metrics
        }
        for signal, (candidate, champion) in sums.items():
            comparisons.setdefault(signal, []).append(Comparison(end_ms, candidate, champion))
        verdict, last_ms, count = verdict_of(rollout, comparisons), end_ms, count + 1
        extend(rows, rows_of_stratum(rollout, end_ms, sums, verdict))
    append(store, "rollout_strata", rows)
    return count


def _hours(store: Store, rollout: Rollout, from_ms: int, age_ms: int) -> dict[int, dict[str, Row]]:
    """Return the hours that are compared, by version; the last one also if nothing happened in it: it is the end."""
    where = {
        "model": rollout.model,
        "age_ms": age_ms,
        "version": [rollout.candidate, rollout.champion],
        "segment": "",
    }
    hours: dict[int, dict[str, Row]] = {-(-rollout.until_ms // HOUR_MS) * HOUR_MS - HOUR_MS: {}}
    for row in rows_of(store.read(Query("performance", where, {"hour_ms": from_ms}, {"hour_ms": rollout.until_ms}))):
        hours.setdefault(int(row["hour_ms"]), {})[row["version"]] = row
    return hours


def _sums(scheme: Scheme, signal: str, row: Row | None) -> Sums:
    """Return what a version did; nothing where there is no row, or one of other comparisons."""
    if row is None or row["scheme"] != scheme.id:
        return Sums()
    labelled, name = LabelSums.from_row(row), signal.removeprefix(JUDGED)
    if name == "accuracy":
        n = round(labelled.weight(Quantity.WEIGHT))
        return _agreed(n, _right(scheme, labelled)) if n else Sums()
    total, squares, weight = TOTALS[name]
    n = round(labelled.weight(weight))
    if not n:
        return Sums()
    mean = labelled.exact(total) / n
    return Sums(n, float(mean), max(float(labelled.exact(squares) - n * mean * mean), 0.0))


def _outcomes(scheme: Scheme, rows: Iterable[Row]) -> set[bool]:
    """Return which outcomes labels have: the positive one, the negative one, or both."""
    labelled = [LabelSums.from_row(row) for row in rows if row["scheme"] == scheme.id]
    return {
        is_positive
        for is_positive, outcomes in OF_OUTCOMES.items()
        if any(sums.weight(Quantity.OUTCOMES, outcome) for sums in labelled for outcome in outcomes)
    }


def _right(scheme: Scheme, labelled: LabelSums) -> int:
    if isinstance(scheme, Binary):
        return round(sum(labelled.weight(Quantity.OUTCOMES, outcome) for outcome in (TRUE_POSITIVES, TRUE_NEGATIVES)))
    return round(labelled.weight(Quantity.AGREED))


def _agreed(n: int, right: int) -> Sums:
    return Sums(n, right / n, right * (n - right) / n)
