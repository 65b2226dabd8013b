"""Windows judged in compiled code are judged as one would by hand: distances, history and baseline one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.chart.legend import HISTORY
from detectors.sketch import (
    CategoryFold,
    CategoryLayout,
    CategorySummary,
    NumericFold,
    NumericLayout,
    quantile_layout,
    universal_layout,
)
from detectors.sketch.category import summarize
from monitor.alerts.verdict import Share, Verdict
from monitor.alerts.wording import detail
from monitor.config.references import WINDOWED
from monitor.evaluate.alarm_rule import budget_of
from monitor.evaluate.series import DistributionSeries
from monitor.panes.compare import measure_all, stacked
from monitor.watch import Layout, Summary, Watch, compile_watch
from tests.detectors.layouts import equal_cells
from tests.evaluate.deciding import decided, log_effect, usual
from tests.evaluate.feeding import fed
from tests.monitor.streams import HOUR_MS, START_MS, configured, detecting

NUMBER, NAME = "prediction:score", "feature:country"
EVERY = [name for name, detector in WINDOWED.items() if detector.kind != "volume"]
BEFORE = np.random.default_rng(5).gamma(2.0, 0.1, 4_000)
LAYOUTS: Mapping[str, Layout] = {
    "linear": equal_cells(0.0, 1.0),
    "quantile": quantile_layout(BEFORE, low=0.0, high=0.9),
    "universal": universal_layout(),
    "category": CategoryLayout(("a", "b"), sample=12),
}


def watched(layout: Layout, min_samples: int = 30, **defaults: Any) -> Watch:
    """Hourly windows of one signal with all detectors."""
    signal = NAME if isinstance(layout, CategoryLayout) else NUMBER
    spec = {"window": "1h", "min_samples": min_samples, "learn_windows": 6} | defaults
    rules = [{"on": "*:*", "use": EVERY}]
    detect = detecting(rule="variation", false_alarms="3 per 1d", defaults=spec, default_rules=False, rules=rules)
    watch = compile_watch(configured(detect=detect, segments=[], baseline={"kind": "rolling", "span": "2d"}), "loans")
    return replace(watch, layouts={**watch.layouts, signal: layout})


def series_of(watch: Watch, layout: Layout) -> DistributionSeries:
    return DistributionSeries(watch, ("", "", NAME if isinstance(layout, CategoryLayout) else NUMBER))


def numbers(layout: NumericLayout, window: int, rng: np.random.Generator) -> Summary:
    scale = 0.3 if 60 <= window < 75 else 0.1 + 0.01 * np.sin(window / 4)
    values = rng.gamma(2.0, scale, int(rng.integers(20, 400)))
    values[rng.random(len(values)) < (0.3 if window % 37 == 36 else 0.01)] = np.nan
    values[rng.random(len(values)) < 0.005] = np.inf
    fold = NumericFold([layout])
    fold.ensure(1)
    fold.fold(np.zeros(len(values), dtype=np.int64), values[None, :])
    return fold.take(0)[0]


def names(layout: CategoryLayout, window: int, rng: np.random.Generator) -> Summary:
    words = [f"{'z' if window % 41 == 40 else 'n'}{i}" for i in range(8 if window < 50 else 40)] + ["a", "b"]
    values: list[Any] = [words[i] for i in rng.zipf(1.4, int(rng.integers(20, 400))) % len(words)]
    values = [None if rng.random() < 0.01 else value for value in values]
    fold = CategoryFold([layout])
    fold.ensure(1)
    fold.fold(np.zeros(len(values), dtype=np.int64), [values])
    return fold.take(0)[0]


def summaries(layout: Layout, count: int, seed: int = 1) -> list[Summary]:
    rng = np.random.default_rng(seed)
    if isinstance(layout, CategoryLayout):
        return [names(layout, window, rng) for window in range(count)]
    assert isinstance(layout, NumericLayout)
    return [numbers(layout, window, rng) for window in range(count)]


def ends(count: int, first: int = 0) -> list[int]:
    return [START_MS + (first + window + 1) * HOUR_MS for window in range(count)]


def said(series: DistributionSeries, ends_ms: Sequence[int], windows: Sequence[Summary]) -> list[Verdict]:
    found = fed(series, ends_ms, windows)
    return [found.verdict(t, d) for t in range(len(ends_ms)) for d in range(len(series.detectors))]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_each_window_is_judged_as_its_summaries_are_compared_one_by_one(layout: Layout) -> None:
    watch = watched(layout)
    series, budget = series_of(watch, layout), budget_of(watch)
    history: dict[str, list[float]] = {name: [] for name in series.detectors}
    alarmed: set[str] = set()
    statuses = set()
    for window, summary in enumerate(summaries(layout, 160)):
        reference = series.reference.summary
        verdicts = said(series, ends(1, window), [summary])
        statuses |= {verdict.status for verdict in verdicts}
        if not verdicts[0].baseline_n or verdicts[0].n < 30:
            continue
        assert reference is not None
        signal = series.key[2]
        detectors = {name: [signal] for name in series.detectors}
        stacks = stacked(detectors, {signal: layout}, {signal: (reference, summary)})
        for verdict in verdicts:
            name = verdict.detector
            measured = measure_all(name, stacks[name])[signal]
            assert verdict.effect == pytest.approx(measured.effect, rel=1e-9, abs=1e-12)
            assert verdict.statistic == pytest.approx(measured.statistic, rel=1e-9, abs=1e-12)
            assert verdict.p_value == pytest.approx(measured.p_value, rel=1e-6, abs=1e-12, nan_ok=True)
            alone = decided(verdict.effect, verdict.min_effect, verdict.p_value, history[name], budget)
            assert verdict.status == alone.status
            assert verdict.surprise == pytest.approx(alone.surprise, nan_ok=True, abs=0, rel=0)
            assert detail(verdict).startswith(detail(alone))
            if alone.status != "drift" or name not in alarmed:
                history[name].append(log_effect(verdict.effect, verdict.min_effect))
            (alarmed.add if alone.status == "drift" else alarmed.discard)(name)
    assert statuses == {"no_data", "learning", "ok", "drift"}


def test_what_a_baseline_lacks_anyway_stands_beside_what_is_new() -> None:
    # given windows of names of which there are always more
    layout, rng = CategoryLayout(()), np.random.default_rng(6)
    series = series_of(watched(layout), layout)
    drawn = [Counter(f"name {i}" for i in rng.zipf(1.6, 200)) for _ in range(12)]
    windows = [summarize(layout, counts) for counts in drawn]
    said(series, ends(11), windows[:11])
    reference = series.reference.summary
    assert isinstance(reference, CategorySummary)
    # when the next one is judged
    (verdict,) = (each for each in said(series, ends(1, 11), windows[11:]) if each.detector == "new_category")
    # then what is new is said beside the share of the baseline's names that occur once, and is no surprise
    baseline = dict(zip(reference.names, reference.counts.tolist(), strict=True))
    once = sum(count == 1 for count in baseline.values())
    new = sum(count for name, count in drawn[11].items() if name not in baseline)
    assert once > 20
    assert new > 5
    assert verdict.facts.shares == (Share(once, reference.n - once), Share(new, 200 - new))
    assert verdict.effect < verdict.min_effect
    assert verdict.p_value > 0.05


def cut(draw: Callable[[Any], int], count: int) -> list[int]:
    places = [0]
    while places[-1] < count:
        places.append(min(count, places[-1] + draw(st.integers(1, 50))))
    return places


@given(data=st.data(), kind=st.sampled_from(sorted(LAYOUTS)))
@settings(max_examples=12, deadline=None)
def test_windows_may_be_cut_into_batches_and_checkpoints_anywhere(data: st.DataObject, kind: str) -> None:
    layout = LAYOUTS[kind]
    watch, windows = watched(layout), summaries(layout, 120, seed=2)
    whole = said(series_of(watch, layout), ends(120), windows)
    places = cut(data.draw, 120)
    series, found = series_of(watch, layout), []
    for start, stop in pairwise(places):
        found += said(series, ends(stop - start, start), windows[start:stop])
        if data.draw(st.booleans()):
            restored = series_of(watch, layout)
            restored.restore(series.snapshot())
            series = restored
    assert repr(found) == repr(whole)


def test_a_history_longer_than_is_kept_forgets_its_oldest_whenever_its_order_is_asked_for() -> None:
    """The order of values is made when it is needed: always, now and then, or for the first time after thousands."""
    layout = LAYOUTS["linear"]
    watch = replace(watched(layout, min_samples=2), uses={NUMBER: {"psi": {}, "missing_rate": {}}})
    rng = np.random.default_rng(9)
    several = summaries(layout, 40)
    windows = [several[i] for i in rng.integers(0, 40, HISTORY + 400)]
    always = DistributionSeries(watch, ("", "", NUMBER))
    seldom = DistributionSeries(watch, ("", "", NUMBER), shown=False)
    first = said(always, ends(len(windows)), windows)
    second = said(seldom, ends(len(windows)), windows)
    material = [(a, b) for a, b in zip(first, second, strict=True) if not np.isnan(b.surprise)]
    assert [repr(a) for a, _ in material] == [repr(b) for _, b in material]
    assert [a.status for a in first] == [b.status for b in second]
    assert len(material) > 100
    restored = DistributionSeries(watch, ("", "", NUMBER))
    restored.restore(seldom.snapshot())
    assert repr(said(restored, ends(300, 9_000), windows[:300])) == repr(said(always, ends(300, 9_000), windows[:300]))


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=60))
def test_what_is_usual_is_the_median_and_the_larger_of_two_scales(values: list[float]) -> None:
    location, scale = usual(values)
    ordered = np.sort(values)
    assert location == pytest.approx(np.median(ordered), abs=1e-12)
    mad = 1.4826 * np.median(np.abs(ordered - location))
    upper = (np.quantile(ordered, 0.9) - location) / 1.2815515655446008
    assert scale == pytest.approx(max(mad, upper, 0.25), abs=1e-9)
