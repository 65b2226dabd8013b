"""Layouts: which cell a number belongs to, what a cell says about its numbers, and that layouts travel unchanged."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detectors.sketch.layout import (
    BEYOND,
    NumericLayout,
    quantile_layout,
    share_layout,
    universal_layout,
)
from detectors.sketch.universal import LARGEST_ID, universal_bounds, universal_ids
from tests.detectors.layouts import equal_cells

finite = st.floats(allow_nan=False, allow_infinity=False)
samples = st.lists(finite, min_size=1, max_size=60)
LARGEST = np.finfo(np.float64).max


@st.composite
def layouts(draw: st.DrawFn) -> NumericLayout:
    kind = draw(st.sampled_from(("quantile", "linear", "share", "universal")))
    if kind == "share":
        return share_layout(tuple(draw(st.lists(st.floats(-1e6, 1e6), max_size=2))))
    if kind == "universal":
        return universal_layout()
    if kind == "linear":
        low = draw(st.floats(-1e6, 1e6))
        return equal_cells(low, low + draw(st.floats(1e-3, 1e9)), cells=draw(st.integers(1, 40)))
    return quantile_layout(draw(samples), max_bins=draw(st.integers(1, 40)))


@given(layouts(), finite)
def test_a_value_lies_within_the_bounds_of_its_cell(layout: NumericLayout, value: float) -> None:
    cell = layout.ids([value])
    low, high = layout.cell_low(cell)[0], layout.cell_high(cell)[0]
    assert low <= value <= high
    if layout.kind != "universal":
        assert value < high


@given(layouts(), st.lists(finite, min_size=2, max_size=30))
def test_cells_are_in_the_order_of_values(layout: NumericLayout, values: list[float]) -> None:
    ids = layout.ids(sorted(values))
    assert ids.dtype == np.int32
    assert (np.diff(ids.astype(np.int64)) >= 0).all()


@given(layouts(), finite)
def test_a_midpoint_lies_in_its_cell_or_on_its_finite_bound(layout: NumericLayout, value: float) -> None:
    cell = layout.ids([value])
    middle = layout.midpoint(cell)[0]
    assert math.isfinite(middle)
    assert layout.cell_low(cell)[0] <= middle <= layout.cell_high(cell)[0]


def test_the_id_is_the_same_in_every_process() -> None:
    # Stored rows carry these: a change would make every pane that is stored today unreadable.
    assert equal_cells(0, 1).id == "a0447c2b68b66c86"
    assert share_layout().id == "83bc19316ed9188e"
    assert quantile_layout([1.0, 2.0, 3.0]).id == "13717b6dc5078c8b"
    assert universal_layout().id == "9ebd72f2e615b1ad"


def test_everything_in_a_layout_is_in_its_id() -> None:
    edges, moved = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.5])
    base = NumericLayout(kind="linear", edges=edges, low=0.0, high=1.0, location=0.5, scale=2.0)
    other: dict[str, Any] = {
        "kind": "quantile",
        "edges": moved,
        "low": -math.inf,
        "high": 3.0,
        "location": 0.0,
        "scale": 1.0,
    }
    ids = {base.id} | {replace(base, **{key: value}).id for key, value in other.items()}
    assert len(ids) == 1 + len(other)


def test_negative_zero_does_not_change_the_id() -> None:
    assert quantile_layout([-0.0, 1.0, 2.0]).id == quantile_layout([0.0, 1.0, 2.0]).id


def test_a_repeated_value_has_a_cell_of_its_own() -> None:
    values = np.concatenate((np.zeros(900), np.linspace(-1, 1, 100)))
    layout = quantile_layout(values)
    cell = layout.ids([0.0])
    assert layout.cell_low(cell)[0] == 0.0
    assert layout.cell_high(cell)[0] == np.nextafter(0.0, 1.0)
    assert layout.ids([-1e-9])[0] < cell[0] < layout.ids([1e-9])[0]


def test_quantile_cells_of_distinct_values_have_equal_shares() -> None:
    values = np.random.default_rng(1).lognormal(size=128 * 50)
    counts = np.bincount(quantile_layout(values).ids(values))
    assert counts[counts > 0].tolist() == [50] * 128


@pytest.mark.parametrize("sign", [1, -1])
def test_beyond_the_baseline_cells_tell_how_far_a_value_lies(sign: int) -> None:
    values = np.random.default_rng(1).normal(50, 10, 5000)
    layout = quantile_layout(values)
    far = 50 + sign * 10 * np.array([20.0, 100.0, 1e3, 1e4, 1e5])
    middles = layout.midpoint(layout.ids(far))
    assert np.abs((middles - 50) / (far - 50) - 1).max() < 0.5
    assert np.abs((middles - 50) / (far - 50) - 1)[:2].max() < 0.2


def test_of_values_that_are_never_negative_cells_end_at_zero() -> None:
    layout = quantile_layout(np.random.default_rng(1).lognormal(size=5000))
    assert layout.midpoint(layout.ids([1e-6])).tolist() > [0.0]
    assert layout.midpoint(layout.ids([-1e-6])).tolist() < [0.0]


@given(samples, st.integers(1, 128))
def test_no_baseline_value_is_below_or_above_the_baseline(values: list[float], max_bins: int) -> None:
    layout = quantile_layout(values, max_bins=max_bins)
    assert layout.cells <= 2 * max_bins + 2 * len(BEYOND) + 3
    assert layout.ids([min(values)])[0] >= 1
    if max(values) < LARGEST:
        assert layout.ids([max(values)])[0] < layout.cells - 1


def test_values_that_are_not_finite_do_not_shape_a_quantile_layout() -> None:
    assert quantile_layout([1, np.nan, 2, np.inf, 3, -np.inf]) == quantile_layout([1, 2, 3])


def test_the_upper_end_of_a_share_is_inside() -> None:
    below, end, beyond = share_layout().ids([np.nextafter(1, 0), 1, np.nextafter(1, 2)]).tolist()
    assert below == end < beyond


@pytest.mark.parametrize(
    "build",
    [
        lambda: quantile_layout([np.nan]),
        lambda: quantile_layout([1.0], max_bins=0),
        lambda: quantile_layout([1.0], low=2, high=1),
        lambda: NumericLayout("other", np.empty(0), 0, 1, 0, 1),  # type: ignore[arg-type]
        lambda: NumericLayout("universal", np.array([1.0]), 0, 1, 0, 1),
        lambda: NumericLayout("quantile", np.array([1.0, 1.0]), 0, 1, 0, 1),
        lambda: NumericLayout("quantile", np.array([1.0]), 0, 1, 0, 0),
    ],
)
def test_an_impossible_layout_is_refused(build: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        build()  # type: ignore[operator]


def test_extreme_baselines_have_layouts() -> None:
    for values in ([LARGEST, -LARGEST], [LARGEST] * 3, [5e-324, 0.0], [5e-324], [0.0], [1e308, 1e308, -1e308]):
        layout = quantile_layout(values)
        assert 0 < layout.scale < math.inf
        assert math.isfinite(layout.location)


def test_integers_below_128_have_universal_cells_of_their_own() -> None:
    integers = np.arange(-128, 129)
    ids = universal_ids(integers)
    assert len(set(ids.tolist())) == integers.size
    low, high = universal_bounds(ids)
    assert np.where(integers < 0, high, low).tolist() == integers.tolist()


@given(st.floats(2.0**-127, 2.0**127), st.sampled_from((-1, 1)))
def test_a_universal_cell_is_at_most_a_64th_wide(magnitude: float, sign: int) -> None:
    low, high = (bound[0] for bound in universal_bounds(universal_ids([sign * magnitude])))
    assert high - low <= min(abs(low), abs(high)) / 64


@given(finite)
@example(5e-324)
@example(LARGEST)
@example(2.0**128)
@example(2.0**-129)
def test_universal_cells_of_negative_values_are_mirrored(value: float) -> None:
    assert universal_ids([-value])[0] == -universal_ids([value])[0]
    assert abs(universal_ids([value])[0]) <= LARGEST_ID


def test_universal_cells_join_without_gaps() -> None:
    low, high = universal_bounds(np.arange(-LARGEST_ID, LARGEST_ID + 1))
    smallest = np.nextafter(0.0, 1.0)
    joints = low[1:] - high[:-1]
    assert low[0] == -np.inf
    assert high[-1] == np.inf
    # Zero's cell is one number, next to which the smallest doubles begin.
    assert set(joints.tolist()) == {0.0, smallest}
    assert np.flatnonzero(joints).tolist() == [LARGEST_ID - 1, LARGEST_ID]


def test_what_is_no_cell_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        universal_ids([np.nan])
    with pytest.raises(ValueError, match="between"):
        universal_bounds([LARGEST_ID + 1])
    with pytest.raises(ValueError, match="between"):
        equal_cells(0, 1).midpoint([130])
