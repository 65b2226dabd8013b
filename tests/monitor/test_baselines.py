"""What a window is compared with."""

from __future__ import annotations

import numpy as np

from detectors.sketch import NumericFold, NumericSummary, linear_layout, sum_summaries
from monitor.baselines import Reference
from monitor.config.model import DatasetBaseline, FirstEventsBaseline, RollingBaseline
from tests.monitor.streams import DAY_MS, START_MS

LAYOUT = linear_layout(0.0, 1.0)


def summary(seed: int, n: int = 50) -> NumericSummary:
    fold = NumericFold([LAYOUT])
    fold.ensure(1)
    fold.fold(np.zeros(n, dtype=np.int64), np.random.default_rng(seed).random((1, n)))
    return fold.take(0)[0]


def rolling(days: int, enough: int = 4) -> Reference:
    baseline = RollingBaseline.model_validate({"kind": "rolling", "span": f"{days}d"})
    return Reference(baseline, DAY_MS, None, enough)


def fed(reference: Reference, days: range) -> Reference:
    for day in days:
        reference.add(START_MS + day * DAY_MS, START_MS + (day + 1) * DAY_MS, summary(day))
    return reference


def test_a_rolling_baseline_is_the_sum_of_the_trailing_windows() -> None:
    reference = fed(rolling(28), range(100))
    assert reference.summary == sum_summaries([summary(day) for day in range(72, 100)])
    assert reference.span_ms == (START_MS + 72 * DAY_MS, START_MS + 100 * DAY_MS)


def test_it_is_nothing_before_enough_windows_were_quiet() -> None:
    reference = fed(rolling(28), range(3))
    assert reference.summary is None
    assert reference.progress == "baseline: 3 of 4 windows seen"
    assert fed(reference, range(3, 4)).summary == sum_summaries([summary(day) for day in range(4)])


def test_a_long_baseline_of_short_windows_covers_its_span() -> None:
    reference = fed(rolling(100), range(400))
    windows = reference.summary.total // 50 if reference.summary is not None else 0
    assert 100 <= windows < 100 + 2 * -(-100 // 32)


def test_windows_that_are_not_added_do_not_age_it() -> None:
    """While its signal is alarmed nothing is added: a drift longer than the span is still compared with the past."""
    reference = fed(rolling(7), range(10))
    before = reference.summary
    reference.add(START_MS + 90 * DAY_MS, START_MS + 91 * DAY_MS, summary(90))
    assert before == sum_summaries([summary(day) for day in range(3, 10)])
    assert reference.summary == sum_summaries([summary(day) for day in [*range(4, 10), 90]])


def test_the_first_events_stay_the_baseline_once_there_are_enough() -> None:
    reference = Reference(FirstEventsBaseline(kind="first_events", count=120), DAY_MS, None, 4)
    assert fed(reference, range(2)).summary is None
    assert reference.progress == "baseline: 100 of 120 events seen"
    assert fed(reference, range(2, 50)).summary == sum_summaries([summary(day) for day in range(3)])


def test_a_data_set_is_the_baseline_from_the_start_and_learns_nothing() -> None:
    reference = Reference(DatasetBaseline(kind="dataset", uri="x.parquet"), DAY_MS, summary(1), 4)
    assert fed(reference, range(5)).summary == summary(1)
    assert reference.span_ms == (0, 0)


def test_a_checkpoint_changes_nothing() -> None:
    reference = fed(rolling(7), range(10))
    restored = rolling(7)
    restored.restore(reference.snapshot(), LAYOUT)
    assert fed(restored, range(10, 13)).summary == fed(reference, range(10, 13)).summary
