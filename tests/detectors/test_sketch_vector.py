"""Summaries of vectors: sums by hand, to the bit, however events are split; what cannot be summed is counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.sketch import (
    FourierLayout,
    MomentsLayout,
    ProjectedLayout,
    VectorFold,
    VectorSummary,
    fourier_layout,
    moments_layout,
    sum_vectors,
)

Floats = npt.NDArray[np.float64]
Layout = FourierLayout | MomentsLayout | ProjectedLayout

PLACES = np.array([0.5, -2.0, 1e6])
SCALES = np.array([1.0, 1e-3, 1e5])
LAYOUTS: list[Layout] = [
    FourierLayout(3, frequencies=5, bandwidth=1.5, seed=7, location=PLACES, scale=SCALES),
    MomentsLayout(3, PLACES, SCALES),
    ProjectedLayout(3, directions=2, seed=7, location=PLACES, scale=SCALES),
]
every = pytest.mark.parametrize("layout", LAYOUTS, ids=["fourier", "moments", "projected"])
coordinate = st.one_of(
    st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1e308, -1e308, 5e-324, 1e6]), st.floats(-3, 3)
)
batches = st.lists(st.tuples(coordinate, coordinate, coordinate), max_size=25)
# The first example waits for the compiler.
compiled = settings(deadline=None, max_examples=40)


def by_hand(layout: Layout, vectors: Sequence[Sequence[float]]) -> VectorSummary:
    """The obvious twin of the fold: one vector after another, in Python's own arithmetic."""
    infinite = [any(math.isinf(x) for x in vector) for vector in vectors]
    missing = [any(math.isnan(x) for x in vector) and not bad for vector, bad in zip(vectors, infinite, strict=True)]
    good = [vector for vector in vectors if all(math.isfinite(x) for x in vector)]
    sums = [0] * layout.size
    for vector in good:
        z = [
            min(max((x - location) / scale, -1024.0), 1024.0)
            for x, location, scale in zip(vector, PLACES.tolist(), SCALES.tolist(), strict=True)
        ]
        if isinstance(layout, FourierLayout):
            added = waves(layout, z)
        else:
            added = products(projected(layout, z) if isinstance(layout, ProjectedLayout) else z)
        sums = [a + b for a, b in zip(sums, added, strict=True)]
    return VectorSummary(len(good), sum(missing), sum(infinite), np.array(sums, dtype=np.int64))


def waves(layout: FourierLayout, z: list[float]) -> list[int]:
    expected_sums = []
    for frequency in layout.matrix.tolist():
        phase = 0.0
        for w, x in zip(frequency, z, strict=True):
            phase += w * x
        expected_sums += [round(math.cos(phase) * 2**24), round(math.sin(phase) * 2**24)]
    return expected_sums


def projected(layout: ProjectedLayout, z: list[float]) -> list[float]:
    expected_sums = []
    for signs in layout.matrix.tolist():
        along = 0.0
        for sign, x in zip(signs, z, strict=True):
            along += sign * x
        expected_sums.append(min(max(along, -1024.0), 1024.0))
    return expected_sums


def products(z: list[float]) -> list[int]:
    q = [round(x * 2**16) for x in z]
    return q + [(q[j] * q[k] + 2**15) >> 16 for j in range(len(q)) for k in range(j, len(q))]


def folded(layout: Layout, vectors: Sequence[Sequence[float]]) -> VectorSummary:
    fold = VectorFold(layout)
    fold.ensure(1)
    fold.fold(np.zeros(len(vectors), dtype=np.int64), matrix(vectors))
    return fold.take(0)


def matrix(vectors: Sequence[Sequence[float]]) -> Floats:
    return np.array(vectors, dtype=np.float64).reshape(-1, 3)


@every
@compiled
@given(vectors=batches)
def test_a_fold_sums_what_is_summed_by_hand(layout: Layout, vectors: list[tuple[float, float, float]]) -> None:
    assert folded(layout, vectors) == by_hand(layout, vectors)


@every
@compiled
@given(vectors=batches, rows=st.lists(st.integers(0, 3), min_size=25, max_size=25), random=st.randoms())
def test_events_may_be_split_and_ordered_anyhow(
    layout: Layout, vectors: list[tuple[float, float, float]], rows: list[int], random: object
) -> None:
    together = folded(layout, vectors)
    random.shuffle(vectors)  # type: ignore[attr-defined]
    fold = VectorFold(layout)
    fold.ensure(4)
    fold.fold(np.array(rows[: len(vectors)], dtype=np.int64), matrix(vectors))
    parts = [fold.take(row) for row in range(4)]
    random.shuffle(parts)  # type: ignore[attr-defined]
    assert sum_vectors(parts) == together
    assert parts[0] + (parts[1] + (parts[2] + parts[3])) == together
    assert all(fold.peek(row) == folded(layout, []) for row in range(4))


@every
@compiled
@given(vectors=batches, cuts=st.lists(st.integers(0, 25), max_size=5))
def test_a_batch_may_be_cut_anywhere(
    layout: Layout, vectors: list[tuple[float, float, float]], cuts: list[int]
) -> None:
    fold = VectorFold(layout)
    fold.ensure(1)
    for start, stop in pairwise([0, *sorted(cuts), len(vectors)]):
        batch = vectors[start:stop]
        fold.fold(np.zeros(len(batch), dtype=np.int64), matrix(batch))
    assert fold.peek(0) == folded(layout, vectors)


def test_frequencies_follow_from_the_seed_alone_and_are_normal() -> None:
    layout = FourierLayout(20, frequencies=500, bandwidth=2.0, seed=1, location=0.0, scale=1.0)
    assert layout.matrix.tobytes() == FourierLayout(20, 500, 2.0, 1, 0.0, 1.0).matrix.tobytes()
    # what is stored means the same on every machine and with every NumPy
    assert layout.matrix[0, :3] == pytest.approx([-0.25708290561571, 0.51545556088067, -0.50523563625187], abs=1e-13)
    assert not np.array_equal(layout.matrix, FourierLayout(20, 500, 2.0, 2, 0.0, 1.0).matrix)
    assert layout.matrix.mean() == pytest.approx(0, abs=0.02)
    assert layout.matrix.std() == pytest.approx(0.5, abs=0.02)


def test_signs_follow_from_the_seed_alone_and_are_even() -> None:
    layout = ProjectedLayout(400, directions=50, seed=1, location=0.0, scale=1.0)
    assert layout.matrix.tobytes() == ProjectedLayout(400, 50, 1, 0.0, 1.0).matrix.tobytes()
    # what is stored means the same on every machine and with every NumPy
    assert (layout.matrix[0, :8] > 0).tolist() == [True, True, True, True, True, False, True, True]
    assert np.abs(layout.matrix).tolist() == [[0.05] * 400] * 50
    assert layout.matrix.mean() == pytest.approx(0, abs=0.05 / 50)
    with pytest.raises(ValueError, match="direction"):
        ProjectedLayout(400, directions=0, seed=1, location=0.0, scale=1.0)


def test_waves_are_right_for_phases_of_up_to_a_million() -> None:
    layout = FourierLayout(1, frequencies=400, bandwidth=3e-3, seed=3, location=0.0, scale=1.0)
    for x in (1e-6, 0.7, -31.0, 1024.0):
        phases = layout.matrix[:, 0] * x
        fold = VectorFold(layout)
        fold.ensure(1)
        fold.fold(np.zeros(1, dtype=np.int64), np.array([[x]]))
        sums = fold.take(0).sums / 2**24
        assert np.abs(sums[::2] - np.cos(phases)).max() < 2**-24
        assert np.abs(sums[1::2] - np.sin(phases)).max() < 2**-24
    assert np.abs(phases).max() > 5e5


def test_moments_are_those_of_numpy() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(3000, 4)) @ rng.normal(size=(4, 4)) * [1, 10, 1e-3, 1e4] + [0, 5, 1, -1e6]
    layout = moments_layout(values)
    fold = VectorFold(layout)
    fold.ensure(1)
    fold.fold(np.zeros(3000, dtype=np.int64), values)
    summary = fold.take(0)
    z = (values - layout.location) / layout.scale
    assert layout.mean(summary) == pytest.approx(z.mean(axis=0), abs=1e-5)
    assert layout.second_moment(summary, layout.mean(summary)) == pytest.approx(np.cov(z.T, ddof=0), abs=1e-4)
    assert np.isnan(layout.mean(folded(MomentsLayout.plain(3), []))).all()
    assert np.isnan(MomentsLayout.plain(3).second_moment(folded(MomentsLayout.plain(3), []), np.zeros(3))).all()


def test_layouts_are_derived_from_the_vectors_that_are_finite() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(400, 3)) * [1, 100, 0] + [0, 1e4, 7]
    values[::7, 1] = np.nan
    values[3, 0] = np.inf
    layout = fourier_layout(values, frequencies=16)
    assert layout.location == pytest.approx([0, 1e4, 7], rel=1e-2, abs=0.2)
    assert layout.scale == pytest.approx([1, 100, 1], rel=0.2)
    # two normal coordinates, and one that does not vary: the median of the root of 2 chi-squared with 2 degrees
    assert layout.bandwidth == pytest.approx(math.sqrt(2 * 1.386), rel=0.15)
    assert fourier_layout([[5.0], [5.0]]).bandwidth == fourier_layout([[5.0]]).bandwidth == 1
    for refused in ([[math.nan, 1.0]], np.zeros((0, 2)), [1.0, 2.0]):
        with pytest.raises(ValueError, match=r"vector"):
            moments_layout(refused)


def test_impossible_layouts_are_refused() -> None:
    for wrong in (
        {"dimension": 0},
        {"frequencies": 0},
        {"bandwidth": 0.0},
        {"bandwidth": math.nan},
        {"seed": -1},
        {"scale": 0.0},
        {"location": math.inf},
    ):
        settings_: dict[str, object] = {"dimension": 2, "frequencies": 2, "bandwidth": 1.0, "seed": 0}
        with pytest.raises(ValueError, match=r"\w"):
            FourierLayout(**{"location": 0.0, "scale": 1.0, **settings_, **wrong})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="2048"):
        MomentsLayout.plain(5000)


@every
def test_batches_that_do_not_fit_are_refused(layout: Layout) -> None:
    fold = VectorFold(layout)
    fold.ensure(2)
    for rows, x in (
        ([0], np.zeros((1, 2))),
        ([0, 1], np.zeros((1, 3))),
        ([2], np.zeros((1, 3))),
        ([-1], np.zeros((1, 3))),
    ):
        with pytest.raises(ValueError, match=r"shape|rows"):
            fold.fold(np.array(rows), x)
    with pytest.raises(ValueError, match="one layout"):
        sum_vectors([])
    with pytest.raises(ValueError, match="one layout"):
        folded(LAYOUTS[0], []) + folded(LAYOUTS[1], [])
