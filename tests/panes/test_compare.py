"""A window beside its baseline: summaries give the distances that their values have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from detectors.sketch import (
    CategoryFold,
    CategoryLayout,
    CategorySummary,
    NumericFold,
    NumericLayout,
    NumericSummary,
    quantile_layout,
    universal_layout,
)
from monitor.panes.compare import Measured, Stack, measure_all, stacked, unseen
from monitor.watch import Layout
from tests.detectors.layouts import equal_cells

RNG = np.random.default_rng(5)
BEFORE = RNG.gamma(2.0, 50.0, 4_000)
AFTER = RNG.gamma(2.0, 65.0, 700)


def numbers(layout: NumericLayout, values: np.ndarray) -> NumericSummary:
    fold = NumericFold([layout])
    fold.ensure(1)
    fold.fold(np.zeros(len(values), dtype=np.int64), values[None, :].astype(np.float64))
    return fold.take(0)[0]


def names(layout: CategoryLayout, values: Sequence[str | None]) -> CategorySummary:
    fold = CategoryFold([layout])
    fold.ensure(1)
    fold.fold(np.zeros(len(values), dtype=np.int64), [values])
    return fold.take(0)[0]


LAYOUTS = {
    "universal": universal_layout(),
    "linear": equal_cells(0.0, 1_000.0),
    "quantile": quantile_layout(BEFORE),
}


def stack_of(name: str, layout: Layout, before: Any, after: Any) -> Stack:
    """One signal for one detector."""
    (stack,) = stacked({name: ["x"]}, {"x": layout}, {"x": (before, after)})[name]
    return stack


def measure(name: str, layout: Layout, before: Any, after: Any) -> Measured:
    return measure_all(name, [stack_of(name, layout, before, after)])["x"]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_distances_of_summaries_are_those_of_the_values_up_to_the_width_of_a_cell(layout: NumericLayout) -> None:
    before, after = numbers(layout, BEFORE), numbers(layout, AFTER)
    ks, moved = (measure(name, layout, before, after) for name in ("ks", "wasserstein"))
    assert ks.statistic == pytest.approx(stats.ks_2samp(BEFORE, AFTER).statistic, abs=0.02)
    assert moved.statistic == pytest.approx(stats.wasserstein_distance(BEFORE, AFTER), rel=0.1)


def test_many_series_at_once_are_measured_as_each_alone() -> None:
    windows = (AFTER, AFTER[:60], BEFORE)
    layouts = {f"{kind}{i}": layout for kind, layout in LAYOUTS.items() for i in range(len(windows))}
    sides = {
        signal: (numbers(layout, BEFORE), numbers(layout, windows[int(signal[-1])]))
        for signal, layout in layouts.items()
    }
    names_of_distances = ("psi", "ks", "wasserstein", "chi_squared")
    for name, stacks in stacked({name: list(sides) for name in names_of_distances}, layouts, sides).items():
        for signal, together in measure_all(name, stacks).items():
            alone = measure(name, layouts[signal], *sides[signal])
            expected = pytest.approx((alone.effect, alone.p_value), rel=1e-9, nan_ok=True)
            assert (together.effect, together.p_value) == expected


def test_the_chi_squared_of_categories_is_that_of_their_table() -> None:
    layout = CategoryLayout(())
    before = ["a"] * 500 + ["b"] * 300 + ["c"] * 200
    after = ["a"] * 40 + ["b"] * 50 + ["c"] * 10 + ["d"] * 20
    measured = measure("chi_squared", layout, names(layout, before), names(layout, after))
    table = [[500, 300, 200, 0], [40, 50, 10, 20]]
    assert measured.statistic == pytest.approx(stats.chi2_contingency(table, correction=False).statistic)


def test_new_names_are_those_the_baseline_does_not_hold() -> None:
    layout = CategoryLayout(())
    before = names(layout, ["a", "b", None])
    assert unseen(before, names(layout, ["a", "z", "z", "y", None])) == {"z": 2, "y": 1}


def test_where_the_baseline_holds_more_names_than_it_tells_apart_known_ones_are_not_new() -> None:
    layout = CategoryLayout((), sample=64)
    everything = [f"n{i}" for i in range(1_000)]
    before = names(layout, everything)
    assert before.other > 0
    assert unseen(before, names(layout, everything[:300])) == {}
    new = unseen(before, names(layout, [f"m{i}" for i in range(1_000)]))
    assert new
    assert all(name.startswith("m") for name in new)


@pytest.mark.parametrize(("detector", "of"), [("missing_rate", np.nan), ("invalid_rate", np.inf)])
def test_a_rate_counts_its_share_of_all_events(detector: str, of: float) -> None:
    layout = universal_layout()
    before = numbers(layout, np.append(BEFORE, [of] * 40))
    after = numbers(layout, np.append(AFTER, [of] * 70))
    stack = stack_of(detector, layout, before, after)
    assert (stack.reference.tolist(), stack.current.tolist()) == ([[40, 4_000]], [[70, 700]])


def test_a_value_that_nine_in_ten_events_share_has_a_cell_of_its_own() -> None:
    values = np.where(RNG.random(5_000) < 0.9, 0.0, RNG.normal(500, 100, 5_000))
    fewer = np.where(RNG.random(2_000) < 0.6, 0.0, RNG.normal(500, 100, 2_000))
    for layout in (universal_layout(), quantile_layout(values)):
        stack = stack_of("psi", layout, numbers(layout, values), numbers(layout, fewer))
        assert Counter(stack.reference[0].tolist())[int((values == 0).sum())] == 1
        assert measure_all("psi", [stack])["x"].effect > 0.4


def test_many_signals_at_once_are_measured_to_the_bit_as_one_by_one() -> None:
    # given signals of several layouts and of names, some of them empty on a side, or on both
    layouts: dict[str, NumericLayout | CategoryLayout] = {
        "linear": equal_cells(0.0, 300.0),
        "quantile": quantile_layout(BEFORE, low=0.0, high=500.0),
        "the same": quantile_layout(BEFORE, low=0.0, high=500.0),
        "universal": universal_layout(),
        "vanished": equal_cells(0.0, 300.0),
        "new": equal_cells(0.0, 300.0),
        "never": universal_layout(),
        "names": CategoryLayout(("a", "b"), sample=6),
        "few names": CategoryLayout(("a",), sample=6),
    }
    sides: dict[str, tuple[Any, Any]] = {}
    for signal, layout in layouts.items():
        if isinstance(layout, CategoryLayout):
            words = [f"n{i}" for i in range(12)] + ["a", "b"]
            sides[signal] = names(layout, [words[i] for i in RNG.integers(0, 14, 300)]), names(layout, ["a", "z"] * 40)
            continue
        before = np.zeros(0) if signal in ("new", "never") else BEFORE[: int(RNG.integers(50, 4_000))]
        after = np.zeros(0) if signal in ("vanished", "never") else AFTER * RNG.uniform(0.5, 1.5)
        sides[signal] = numbers(layout, before), numbers(layout, after)
    numeric = [signal for signal, layout in layouts.items() if isinstance(layout, NumericLayout)]
    detectors = {name: list(layouts) for name in ("psi", "jensen_shannon", "chi_squared", "missing_rate")}
    detectors |= {"ks": numeric, "wasserstein": numeric, "out_of_range_rate": numeric, "new_category": ["names"]}
    # when they are measured together
    for name, stacks in stacked(detectors, layouts, sides).items():
        together = measure_all(name, stacks)
        # then each is what it is alone
        assert {signal: repr(measured) for signal, measured in together.items()} == {
            signal: repr(measure(name, layouts[signal], *sides[signal])) for signal in detectors[name]
        }, name
