"""What a window is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from detectors.chart.legend import BASELINE_FROM, BASELINE_N, BASELINE_TO, PROGRESS
from detectors.sketch import CategoryLayout, CategorySummary, NumericFold, NumericSummary, sum_summaries
from detectors.sketch.category import summarize
from monitor.alerts.verdict import Facts, Verdict
from monitor.alerts.wording import detail
from monitor.evaluate.baselines import add_up
from monitor.evaluate.series import DistributionSeries
from monitor.watch import Watch, compile_watch
from tests.detectors.layouts import equal_cells
from tests.evaluate.feeding import fed as judged
from tests.monitor.streams import DAY_MS, START_MS, configured, detecting

LAYOUT = equal_cells(0.0, 1.0)
NUMBER, NAME = "prediction:score", "feature:country"


def summary(seed: int, n: int = 50) -> NumericSummary:
    fold = NumericFold([LAYOUT])
    fold.ensure(1)
    fold.fold(np.zeros(n, dtype=np.int64), np.random.default_rng(seed).random((1, n)))
    # Moments are no part of a baseline.
    return replace(fold.take(0)[0], sum_q=0, sum_q2=0)


def watched(baseline: Mapping[str, Any], enough: int = 4) -> Watch:
    """Daily windows, which nothing can alarm."""
    defaults = {"window": "1d", "min_samples": 2, "learn_windows": enough}
    detect = detecting(pane="1d", default_rules=False, rules=[], defaults=defaults)
    return compile_watch(configured(baseline=baseline, detect=detect), "loans")


def rolling(days: int, enough: int = 4) -> DistributionSeries:
    return DistributionSeries(watched({"kind": "rolling", "span": f"{days}d"}, enough), ("", "", NUMBER))


def fed(series: DistributionSeries, days: range) -> DistributionSeries:
    judged(series, [START_MS + (day + 1) * DAY_MS for day in days], [summary(day) for day in days])
    return series


def about(series: DistributionSeries, day: int = 1_000) -> dict[str, int]:
    """What is said of the baseline of the next window, which is too small to be added to it."""
    found = judged(series, [START_MS + (day + 1) * DAY_MS], [summary(0, n=1)]).measured.about[0]
    names = {"n": BASELINE_N, "from_ms": BASELINE_FROM, "to_ms": BASELINE_TO, "seen": PROGRESS}
    return {name: int(found[column]) for name, column in names.items()}


def learning(series: DistributionSeries) -> str:
    """What a verdict says of the baseline while it is learned."""
    rules = series.reference.rules
    facts = Facts("no_baseline", about(series)["seen"], rules.needed, rules.unit)
    return detail(Verdict("", "", NUMBER, "psi", "learning", at_ms=1, window_start_ms=0, facts=facts))


def test_a_rolling_baseline_is_the_sum_of_the_trailing_windows() -> None:
    series = fed(rolling(28), range(100))
    assert series.reference.summary == sum_summaries([summary(day) for day in range(72, 100)])
    assert about(series) == {
        "n": 28 * 50,
        "from_ms": START_MS + 72 * DAY_MS,
        "to_ms": START_MS + 100 * DAY_MS,
        "seen": 28,
    }


def test_it_is_nothing_before_enough_windows_were_quiet() -> None:
    series = fed(rolling(28), range(3))
    assert about(series)["n"] == 0
    assert learning(series) == "baseline: 3 of 4 windows seen"
    assert about(fed(series, range(3, 4)))["n"] == 200


def test_a_long_baseline_of_short_windows_covers_its_span() -> None:
    seen = about(fed(rolling(100), range(400)))["seen"]
    assert 100 <= seen < 100 + 2 * -(-100 // 32)


def test_windows_that_are_not_added_do_not_age_it() -> None:
    """While its signal is alarmed nothing is added: a drift longer than the span is still compared with the past."""
    series = fed(rolling(7), range(10))
    before = series.reference.summary
    fed(series, range(90, 91))
    assert before == sum_summaries([summary(day) for day in range(3, 10)])
    assert series.reference.summary == sum_summaries([summary(day) for day in [*range(4, 10), 90]])


def test_the_first_events_stay_the_baseline_once_there_are_enough() -> None:
    series = DistributionSeries(watched({"kind": "first_events", "count": 120}), ("", "", NUMBER))
    assert about(fed(series, range(2)))["n"] == 0
    assert learning(series) == "baseline: 100 of 120 events seen"
    assert fed(series, range(2, 50)).reference.summary == sum_summaries([summary(day) for day in range(3)])


def test_a_data_set_is_the_baseline_from_the_start_and_learns_nothing() -> None:
    watch = watched({"kind": "rolling", "span": "5d"})
    spec = watch.model.spec.model_copy(update={"baseline": _dataset()})
    model = watch.model.model_copy(update={"spec": spec})
    series = DistributionSeries(replace(watch, model=model, reference={("", NUMBER): summary(1)}), ("", "", NUMBER))
    assert fed(series, range(5)).reference.summary == summary(1)
    assert about(series) == {"n": 50, "from_ms": 0, "to_ms": 0, "seen": 1}


def _dataset() -> Any:
    from monitor.config.baseline import DatasetBaseline

    return DatasetBaseline(kind="dataset", uri="x.parquet")


def test_a_checkpoint_changes_nothing() -> None:
    series = fed(rolling(7), range(10))
    restored = rolling(7)
    restored.restore(series.snapshot())
    assert fed(restored, range(10, 13)).reference.summary == fed(series, range(10, 13)).reference.summary


def test_names_beyond_the_sample_leave_a_baseline_as_they_leave_a_sum() -> None:
    """What is subtracted when a window leaves must not be what was cut away before."""
    watch = watched({"kind": "rolling", "span": "6d"})
    layout = CategoryLayout(("DE", "FR"), sample=8)
    series = DistributionSeries(replace(watch, layouts={**watch.layouts, NAME: layout}), ("", "", NAME))
    rng = np.random.default_rng(3)
    days: list[CategorySummary] = []
    for day in range(40):
        names = [f"n{i}" for i in rng.integers(0, 60 if day % 9 else 5, 30)] + ["DE"]
        days.append(summarize(layout, {name: names.count(name) for name in names}))
        judged(series, [START_MS + (day + 1) * DAY_MS], days[-1:])
        assert series.reference.summary == add_up(days[-6:])
