"""Numeric sketches: a fold equals a slow count by hand, and any way of splitting the events gives the same bits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.sketch.numeric import (
    NumericFold,
    NumericLayout,
    NumericSummary,
    quantile_layout,
    sum_summaries,
    universal_layout,
)
from tests.detectors.layouts import equal_cells

LAYOUTS = (
    quantile_layout([-3.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.5, 2.0, 8.0, 1e6], max_bins=6, low=-2, high=1e3),
    equal_cells(-5, 5, cells=7),
    equal_cells(0.1, 0.7, cells=128),
    universal_layout(low=0),
    universal_layout(),
)
SPECIAL = (math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1e308, -1e308, 0.1, 0.7, 5.0, 2.0**-130, 2.0**130)
anything = st.one_of(
    st.sampled_from(SPECIAL),
    st.integers(-130, 130).map(float),
    st.floats(-10, 10),
    st.floats(allow_nan=True, allow_infinity=True),
)

batches = st.lists(anything, max_size=40)
# The first example waits for the compiler.
compiled = settings(deadline=None)


def by_hand(layout: NumericLayout, values: Sequence[float]) -> NumericSummary:
    """The obvious twin of the fold: one value after another, in Python's own arithmetic."""
    present = [value for value in values if math.isfinite(value)]
    cells = Counter(cell_by_hand(layout, value) for value in present)
    qs = [] if layout.kind == "universal" else [q_by_hand(layout, value) for value in present]
    return NumericSummary(
        n=len(present),
        missing=sum(math.isnan(value) for value in values),
        invalid=sum(math.isinf(value) for value in values),
        out_of_range=sum(not layout.low <= value <= layout.high for value in present),
        cells=np.array(sorted(cells), dtype=np.int32),
        counts=np.array([cells[cell] for cell in sorted(cells)], dtype=np.int64),
        sum_q=sum(qs),
        sum_q2=sum(q * q >> 16 for q in qs),
        min=min(present, default=math.inf),
        max=max(present, default=-math.inf),
    )


def cell_by_hand(layout: NumericLayout, value: float) -> int:
    if layout.kind != "universal":
        return sum(edge <= value for edge in layout.edges.tolist())
    if value == 0:
        return 0
    mantissa, exponent = math.frexp(abs(value))  # 0.5 <= mantissa < 1
    slot = (exponent - 1 + 128) * 64 + math.floor((2 * mantissa - 1) * 64) + 1
    return int(math.copysign(min(max(slot, 1), 16384), value))


def q_by_hand(layout: NumericLayout, value: float) -> int:
    scaled = (value - layout.location) / layout.scale * 2**16
    return round(min(max(scaled, -(2.0**26)), 2.0**26))  # both round halves to even


def folded(values: Sequence[float], rows: Sequence[int] | None = None, size: int = 1) -> NumericFold:
    fold = NumericFold(LAYOUTS)
    fold.ensure(size)
    add(fold, values, [0] * len(values) if rows is None else rows)
    return fold


def add(fold: NumericFold, values: Sequence[float], rows: Sequence[int]) -> None:
    x = np.tile(np.array(values, dtype=np.float64), (len(LAYOUTS), 1))
    fold.fold(np.array(rows, dtype=np.int64), x)


@compiled
@given(batches)
def test_a_fold_counts_what_is_counted_by_hand(values: list[float]) -> None:
    assert folded(values).peek(0) == [by_hand(layout, values) for layout in LAYOUTS]


def test_a_long_batch_with_every_magnitude_is_counted_as_by_hand() -> None:
    rng = np.random.default_rng(3)
    values = (rng.normal(size=3000) * 10.0 ** rng.integers(-50, 50, 3000)).tolist() + list(SPECIAL)
    assert folded(values).peek(0) == [by_hand(layout, values) for layout in LAYOUTS]


@compiled
@given(st.lists(st.tuples(anything, st.integers(0, 3)), max_size=40), st.randoms(use_true_random=False))
def test_events_may_be_split_and_ordered_anyhow(events: list[tuple[float, int]], random: object) -> None:
    together = folded([value for value, _ in events])
    random.shuffle(events)  # type: ignore[attr-defined]
    parts = folded([value for value, _ in events], [row for _, row in events], size=4)
    taken = [parts.take(row) for row in range(4)]
    assert [sum_summaries(of_feature) for of_feature in zip(*taken, strict=True)] == together.peek(0)


@compiled
@given(batches, st.lists(st.integers(0, 40), max_size=5))
def test_a_batch_may_be_cut_anywhere(values: list[float], cuts: list[int]) -> None:
    fold = NumericFold(LAYOUTS)
    fold.ensure(1)
    for start, stop in pairwise([0, *sorted(cuts), len(values)]):
        add(fold, values[start:stop], [0] * len(values[start:stop]))
    assert fold.peek(0) == folded(values).peek(0)


@compiled
@given(batches, batches, batches)
def test_addition_is_associative_and_commutative(a: list[float], b: list[float], c: list[float]) -> None:
    for x, y, z in zip(*(folded(values).take(0) for values in (a, b, c)), strict=True):
        assert (x + y) + z == x + (y + z) == sum_summaries([z, x, y])
        assert x + y == y + x
        assert x + NumericSummary.empty() == x


def test_nothing_adds_up_to_the_empty_summary() -> None:
    assert sum_summaries([]) == NumericSummary.empty() == folded([]).peek(0)[0]


def test_taking_a_row_empties_it_and_no_other() -> None:
    fold = folded([1.0, 2.0, 300.0], rows=[0, 1, 0], size=2)
    summaries = fold.peek(1)
    assert fold.take(0) == [by_hand(layout, [1.0, 300.0]) for layout in LAYOUTS]
    assert fold.take(0) == [NumericSummary.empty()] * len(LAYOUTS)
    add(fold, [-7.0], [0])
    assert fold.take(0) == [by_hand(layout, [-7.0]) for layout in LAYOUTS]
    assert fold.peek(1) == summaries


def test_taken_summaries_do_not_change_when_the_row_is_used_again() -> None:
    fold = folded([1.0, 2.0])
    earlier = fold.take(0)
    add(fold, [5.0, 6.0, 1.0, 1.0], [0] * 4)
    assert earlier == [by_hand(layout, [1.0, 2.0]) for layout in LAYOUTS]


def test_rows_can_be_reused_without_end() -> None:
    fold = NumericFold([universal_layout()])
    fold.ensure(3)
    rng = np.random.default_rng(0)
    for turn in range(60):
        values = rng.lognormal(sigma=20, size=50)
        fold.fold(np.full(50, turn % 3), values[None])
        assert fold.take(turn % 3)[0].n == 50
    # Pages of counters are given back: memory does not follow the number of turns.
    assert fold._pages.counters.shape[0] <= 128


@compiled
@given(st.lists(st.tuples(anything, st.integers(0, 2)), max_size=40), batches)
def test_a_snapshot_restores_rows_elsewhere(events: list[tuple[float, int]], earlier: list[float]) -> None:
    fold = folded([value for value, _ in events], [row for _, row in events], size=3)
    snapshot = fold.snapshot([2, 0])
    other = folded(earlier, [1] * len(earlier), size=5)
    other.restore([1, 4], snapshot)
    assert other.peek(1) == fold.peek(2)
    assert other.peek(4) == fold.peek(0)
    again = other.snapshot([1, 4])
    assert {key: array.tobytes() for key, array in again.items()} == {
        key: array.tobytes() for key, array in snapshot.items()
    }


def test_a_restored_row_goes_on_as_if_nothing_had_happened() -> None:
    values = np.random.default_rng(5).normal(size=200).tolist()
    fold = NumericFold(LAYOUTS)
    fold.ensure(1)
    fold.restore([0], folded(values[:90]).snapshot([0]))
    add(fold, values[90:], [0] * 110)
    assert fold.peek(0) == folded(values).peek(0)


def test_a_snapshot_does_not_depend_on_how_it_came_about() -> None:
    values = np.random.default_rng(6).lognormal(sigma=9, size=300).tolist()
    forward, backward = folded(values), folded([*values[::-1], 1.0], rows=[0] * 300 + [1], size=2)
    for key, array in forward.snapshot([0]).items():
        assert array.tobytes() == backward.snapshot([0])[key].tobytes(), key


def test_a_snapshot_of_other_features_is_refused() -> None:
    snapshot = folded([1.0]).snapshot([0])
    fold = NumericFold(LAYOUTS[:2])
    fold.ensure(1)
    with pytest.raises(ValueError, match="does not fit"):
        fold.restore([0], snapshot)
    with pytest.raises(ValueError, match="room is for"):
        folded([]).restore([1], snapshot)


@pytest.mark.parametrize("rows", [[1], [-1]])
def test_a_row_without_room_is_refused(rows: list[int]) -> None:
    with pytest.raises(ValueError, match="room is for 1"):
        add(folded([]), [1.0], rows)


def test_columns_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        folded([]).fold(np.zeros(2, dtype=np.int64), np.zeros((len(LAYOUTS), 3)))


def test_a_fold_without_features_is_possible() -> None:
    fold = NumericFold([])
    fold.ensure(1)
    fold.fold(np.zeros(3, dtype=np.int64), np.zeros((0, 3)))
    assert fold.take(0) == []


def test_the_zero_of_the_extremes_has_no_sign() -> None:
    first, second = (folded(values).peek(0)[0] for values in ([0.0, -0.0], [-0.0, 0.0]))
    signs = [math.copysign(1, zero) for zero in (first.min, first.max, second.min, second.max)]
    assert signs == [1, 1, 1, 1]


@pytest.mark.parametrize("shape", ["normal", "lognormal", "far from zero", "mostly zero"])
@pytest.mark.parametrize("kind", ["quantile", "linear", "universal"])
def test_mean_and_standard_deviation_are_those_of_numpy(kind: str, shape: str) -> None:
    rng = np.random.default_rng(7)
    values = {
        "normal": rng.normal(size=20_000),
        "lognormal": rng.lognormal(size=20_000),
        "far from zero": rng.normal(1e6, 10, size=20_000),
        "mostly zero": rng.normal(size=20_000) * (rng.random(20_000) < 0.1),
    }[shape]
    layout = {
        "quantile": quantile_layout(values[:2000]),
        "linear": equal_cells(values.min(), values.max()),
        "universal": universal_layout(),
    }[kind]
    fold = NumericFold([layout])
    fold.ensure(1)
    fold.fold(np.zeros(values.size, dtype=np.int64), values[None])
    summary = fold.take(0)[0]
    if kind == "universal":
        # Midpoints of cells a 64th wide; the spread cannot be finer than the cells.
        assert summary.mean(layout) == pytest.approx(values.mean(), rel=0.008, abs=0.008 * values.std())
        assert summary.std(layout) == pytest.approx(values.std(), rel=0.01, abs=0.005 * abs(values.mean()))
    else:
        assert summary.mean(layout) == pytest.approx(values.mean(), abs=layout.scale / 2**17)
        assert summary.std(layout) == pytest.approx(values.std(), abs=layout.scale / 2**12)


def test_a_constant_has_its_value_as_mean_and_no_spread() -> None:
    for layout, summary in zip(LAYOUTS, folded([3.7] * 100).take(0), strict=True):
        assert summary.mean(layout) == 3.7
        assert summary.std(layout) <= layout.scale / 2**8
    assert folded([3.7] * 100).take(0)[-1].std(LAYOUTS[-1]) == 0.0


def test_without_values_there_is_no_mean() -> None:
    for layout, summary in zip(LAYOUTS, folded([math.nan, math.inf]).take(0), strict=True):
        assert math.isnan(summary.mean(layout))
        assert math.isnan(summary.std(layout))
        assert (summary.n, summary.missing, summary.invalid, summary.total) == (0, 1, 1, 2)


@settings(max_examples=20)
@given(st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_the_sums_of_many_summaries_stay_exact_beyond_64_bits(n: int, seed: int) -> None:
    summary = NumericSummary(1, 0, 0, 0, np.array([seed % 7], np.int32), np.array([1]), 2**62, 2**62 + 1, 0.0, 0.0)
    total = sum_summaries([summary] * n)
    assert (total.n, total.sum_q, total.sum_q2) == (n, n * 2**62, n * (2**62 + 1))
