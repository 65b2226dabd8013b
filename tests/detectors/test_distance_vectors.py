"""Distances of vectors equal those that scikit-learn has of the vectors themselves."""

from __future__ import annotations

import contextlib
import io
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import rbf_kernel

from detectors.distance import VECTOR_DISTANCES, Comparison, VectorDistance
from detectors.distance.contract import KNOWN
from detectors.distance.reconstruction import EXPLAINED
from detectors.sketch import (
    FourierLayout,
    MomentsLayout,
    ProjectedLayout,
    VectorFold,
    fourier_layout,
    moments_layout,
)
from detectors.sketch.projected import DIRECTIONS

Floats = npt.NDArray[np.float64]

every = pytest.mark.parametrize("distance", VECTOR_DISTANCES.values(), ids=list(VECTOR_DISTANCES))
mmd, reconstruction = (VECTOR_DISTANCES[name].compare for name in ("mmd", "reconstruction"))


def streams() -> Iterator[tuple[Floats, Floats]]:
    """Yield 50 pairs of baseline and window, and then some that break formulas."""
    rng = np.random.default_rng(30)
    for i in range(50):
        d = int(rng.integers(1, 8))
        mixing = rng.normal(size=(d, d)) * 10.0 ** rng.integers(-3, 4, d)
        n, m = rng.integers(5, 200), rng.integers(2, 80)
        draw: tuple[Callable[..., Any], ...] = (
            rng.normal,
            rng.exponential,
            lambda size: rng.standard_t(3, size),
            lambda size: rng.integers(0, 3, size),
        )
        reference, current = (draw[i % 4](size=(size, d)) @ mixing for size in (n, m))
        yield reference, current * (1 + 0.2 * (i % 3)) + 0.1 * (i % 5) * np.abs(mixing).max()
    vectors = rng.normal(size=(1, 3))
    yield np.repeat(vectors, 20, axis=0), np.repeat(vectors, 7, axis=0)
    yield np.repeat(vectors, 20, axis=0), np.repeat(vectors + 5, 7, axis=0)
    yield rng.normal(size=(50, 3)), vectors
    yield rng.normal(size=(50, 1)) @ [[1.0, 2.0, 3.0]], rng.normal(size=(20, 3))
    yield rng.normal(size=(50, 2)) + 1e9, rng.normal(size=(50, 2)) + 1e9
    yield rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 1e6


def compared(distance: VectorDistance, reference: Floats, current: Floats, layout: object = None) -> Comparison:
    fold = VectorFold(distance.derive(reference) if layout is None else layout)  # type: ignore[arg-type]
    fold.ensure(2)
    for row, side in enumerate((reference, current)):
        fold.fold(np.full(len(side), row), side)
    return distance.compare(fold.layout, [fold.peek(0)], [fold.peek(1)])


def standardised(layout: FourierLayout | MomentsLayout, *sides: Floats) -> list[Floats]:
    return [np.clip((side - layout.location) / layout.scale, -1024, 1024) for side in sides]


def discrepancy(kernel_of: object, x: Floats, y: Floats) -> tuple[float, float]:
    """MMD with all pairs, and the squared one without those of a vector with itself."""
    within_x, within_y, across = (kernel_of(a, b) for a, b in ((x, x), (y, y), (x, y)))  # type: ignore[operator]
    biased = within_x.mean() + within_y.mean() - 2 * across.mean()
    n, m = len(x), len(y)
    if min(n, m) == 1:
        return math.sqrt(max(biased, 0)), math.nan
    sums = (within_x.sum() - n) / (n * (n - 1)) + (within_y.sum() - m) / (m * (m - 1))
    return math.sqrt(max(biased, 0)), sums - 2 * across.mean()


def test_mmd_is_that_of_its_kernel_over_all_pairs_of_vectors() -> None:
    for reference, current in streams():
        layout = fourier_layout(reference, frequencies=32)
        x, y = standardised(layout, reference, current)

        def kernel_of(a: Floats, b: Floats, matrix: Floats = layout.matrix) -> Floats:
            return np.asarray(np.cos((a @ matrix.T)[:, None] - (b @ matrix.T)).mean(axis=2))

        expected, unbiased = discrepancy(kernel_of, x, y)
        result = compared(VECTOR_DISTANCES["mmd"], reference, current, layout)
        assert result.statistic[0] == pytest.approx(expected, abs=1e-5)
        apart = 2 * (1 - kernel_of(x, y).mean())
        if not math.isnan(unbiased) and apart > 1e-9:
            assert result.effect[0] ** 2 == pytest.approx(max(unbiased, 0) / apart, abs=1e-5)


def test_mmd_is_that_of_the_gaussian_kernel_of_scikit_learn_up_to_the_number_of_frequencies() -> None:
    frequencies = 400
    errors = []
    for reference, current in streams():
        layout = fourier_layout(reference, frequencies=frequencies)
        x, y = standardised(layout, reference, current)

        def kernel_of(a: Floats, b: Floats, gamma: float = 1 / (2 * layout.bandwidth**2)) -> Floats:
            return np.asarray(rbf_kernel(a, b, gamma=gamma))

        expected, _ = discrepancy(kernel_of, x, y)
        result = compared(VECTOR_DISTANCES["mmd"], reference, current, layout)
        errors.append(abs(result.statistic[0] ** 2 - expected**2))
    assert max(errors) < 4 / math.sqrt(frequencies)
    assert float(np.mean(errors)) < 1 / math.sqrt(frequencies)


def test_the_reconstruction_error_is_that_of_scikit_learns_pca() -> None:
    met = 0
    for reference, current in streams():
        layout = moments_layout(reference)
        x, y = standardised(layout, reference, current)
        result = compared(VECTOR_DISTANCES["reconstruction"], reference, current)
        if x.shape[1] == 1 or len(x) <= x.shape[1] or np.ptp(x) == 0:
            continue
        shares = np.cumsum(PCA().fit(x).explained_variance_ratio_[::-1])
        if np.abs(shares - (1 - EXPLAINED)).min() < 1e-3:
            continue  # rounding decides about a component
        components = PCA(x.shape[1] - max(int((shares <= 1 - EXPLAINED).sum()), 1)).fit(x)
        errors = [((z - components.inverse_transform(components.transform(z))) ** 2).sum(axis=1).mean() for z in (x, y)]
        assert result.statistic[0] == pytest.approx(errors[1], rel=1e-3, abs=1e-3)
        if min(errors) > 0.01:
            assert result.effect[0] == pytest.approx(abs(math.log(errors[1] / errors[0])) / 2, abs=0.01)
        met += 1
    assert met > 35


def test_the_reconstruction_error_of_long_vectors_is_that_of_their_projections() -> None:
    rng = np.random.default_rng(31)
    mixing = rng.normal(size=(6, 300))
    x, y = (rng.normal(size=(n, 6)) @ mixing + rng.normal(size=(n, 300)) for n in (3_000, 500))
    y[:, ::2] *= -1
    layout = VECTOR_DISTANCES["reconstruction"].derive(x)
    assert isinstance(layout, ProjectedLayout)
    result = compared(VECTOR_DISTANCES["reconstruction"], x, y)
    sides = [(side - layout.location) / layout.scale @ layout.matrix.T for side in (x, y)]
    shares = np.cumsum(PCA().fit(sides[0]).explained_variance_ratio_[::-1])
    components = PCA(DIRECTIONS - int((shares <= 1 - EXPLAINED).sum())).fit(sides[0])
    errors = [((z - components.inverse_transform(components.transform(z))) ** 2).sum(axis=1).mean() for z in sides]
    assert result.statistic[0] == pytest.approx(errors[1], rel=1e-3)
    assert result.effect[0] == pytest.approx(abs(math.log(errors[1] / errors[0])) / 2, abs=0.01)
    assert result.effect[0] > 0.5


@pytest.mark.parametrize("threads", ["1", "4"])
def test_how_many_threads_linear_algebra_has_shows_in_no_bit(threads: str) -> None:
    run = [sys.executable, "-c", ERRORS]
    process = subprocess.run(run, env=os.environ | {"OPENBLAS_NUM_THREADS": threads}, capture_output=True, check=True)
    expected = io.StringIO()
    with contextlib.redirect_stdout(expected):
        exec(ERRORS, {})
    assert process.stdout.decode() == expected.getvalue() != ""


ERRORS = """
import numpy as np
from detectors.distance.reconstruction import reconstruction
from detectors.sketch import MomentsLayout, VectorSummary

rng = np.random.default_rng(1)
for d in (10, 64, 128):
    layout, sums = MomentsLayout.plain(d), []
    for _ in range(2):
        x = rng.normal(size=(300, d)) * rng.random(d)
        upper = np.triu_indices(d)
        products = np.einsum("ij,ik->jk", x, x)[upper]
        sums.append(VectorSummary(300, 0, 0, np.rint(np.concatenate((x.sum(axis=0), products)) * 2**16).astype(int)))
    print(*(part[0].hex() for part in reconstruction(layout, sums[:1], sums[1:])))
"""


def test_a_baseline_without_any_variation_has_a_finite_effect() -> None:
    vectors = np.array([[1.0, -2.0, 3.0]] * 20)
    assert compared(VECTOR_DISTANCES["reconstruction"], vectors, vectors[:7]).effect[0] == 0
    assert 5 < compared(VECTOR_DISTANCES["reconstruction"], vectors, vectors[:7] + 5).effect[0] < 20


@every
def test_an_empty_side_has_no_statistic_and_there_may_be_no_series(distance: VectorDistance) -> None:
    values = np.random.default_rng(1).normal(size=(20, 2))
    nothing = values[:0]
    for sides in ((values, nothing), (nothing, values), (nothing, nothing)):
        assert np.isnan(np.array(compared(distance, *sides, layout=distance.derive(values)))).all()
    assert [part.shape for part in distance.compare(distance.derive(values), [], [])] == [(0,)] * 3


@every
def test_equal_windows_do_not_differ_and_a_moved_one_does(distance: VectorDistance) -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(500, 2)) @ [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]] + rng.normal(size=(500, 3)) * 0.05
    equal = compared(distance, values, values)
    assert (equal.statistic[0] if distance.name == "mmd" else 0, equal.effect[0]) == pytest.approx((0, 0), abs=1e-6)
    moved = compared(distance, values, values + np.array([2.0, 0.0, 0.0]))
    assert moved.effect[0] >= 5 * distance.default_min_effect
    if distance.p_value == KNOWN:
        assert equal.p_value[0] == 1
        assert moved.p_value[0] < 1e-30
    else:
        assert np.isnan(moved.p_value[0])


@every
def test_summaries_of_another_layout_are_refused(distance: VectorDistance) -> None:
    layout = distance.derive(np.eye(3))
    fold = VectorFold(distance.derive(np.eye(2)) if distance.name != "mmd" else fourier_layout(np.eye(3), 7))
    fold.ensure(1)
    with pytest.raises(ValueError, match="sums"):
        distance.compare(layout, [fold.peek(0)], [fold.peek(0)])
    with pytest.raises(ValueError, match="compared"):
        distance.compare(layout, [], [fold.peek(0)])


@pytest.mark.parametrize("dimension", [1, 2, 20])
def test_the_p_value_of_mmd_is_an_upper_bound(dimension: int) -> None:
    rng = np.random.default_rng(3)
    layout = fourier_layout(rng.normal(size=(500, dimension)), frequencies=32)
    fold = VectorFold(layout)
    fold.ensure(2 * 1500)
    for row in range(1500):
        fold.fold(np.full(200, 2 * row), rng.normal(size=(200, dimension)))
        fold.fold(np.full(30, 2 * row + 1), rng.normal(size=(30, dimension)))
    p_values = mmd(layout, *([fold.peek(2 * row + side) for row in range(1500)] for side in (0, 1))).p_value
    for level in (0.2, 0.1, 0.01):
        assert (p_values <= level).mean() <= level + 3 * math.sqrt(level / 1500)
    assert (p_values <= 0.2).mean() > 0.005


def test_many_directions_make_the_bound_of_mmd_tight() -> None:
    rng = np.random.default_rng(6)
    earlier, later = rng.normal(size=(2, 2_000, 10))
    layout = fourier_layout(earlier)
    phases = (earlier - layout.location) / layout.scale @ layout.matrix.T
    shares = PCA().fit(np.concatenate((np.cos(phases), np.sin(phases)), axis=1)).explained_variance_ratio_
    assert (shares**2).sum() <= layout.concentration < (shares**2).sum() + 0.005
    unsure = replace(layout, concentration=1.0)
    moved = later + 0.12
    wide, tight = (compared(VECTOR_DISTANCES["mmd"], earlier, moved, each).p_value[0] for each in (unsure, layout))
    assert tight < 1e-6 < 1e-4 < wide


@pytest.mark.parametrize("dimension", [1, 10, 100])
def test_the_default_of_mmd_is_a_tenth_of_a_standard_deviation_in_any_number_of_dimensions(dimension: int) -> None:
    rng = np.random.default_rng(4)
    earlier, later = rng.normal(size=(2, 10_000, dimension))
    assert compared(VECTOR_DISTANCES["mmd"], earlier, later).effect[0] < VECTOR_DISTANCES["mmd"].default_min_effect / 2
    effect = compared(VECTOR_DISTANCES["mmd"], earlier, later + 0.1).effect[0]
    assert effect == pytest.approx(VECTOR_DISTANCES["mmd"].default_min_effect, rel=0.35)


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="share"):
        reconstruction(MomentsLayout.plain(2), [], [], explained=1.5)


def test_the_documentation_has_the_table_of_distances_of_vectors() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "distances.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in page if line.startswith("| `")]
    documented = {row[0].strip("`"): row for row in cells if len(row) == 5}
    assert list(documented) == list(VECTOR_DISTANCES)
    for name, row in documented.items():
        assert float(row[4]) == VECTOR_DISTANCES[name].default_min_effect
        assert (row[2] != "none") == (VECTOR_DISTANCES[name].p_value == KNOWN)
