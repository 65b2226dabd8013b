"""Distances equal those of SciPy, stay calm on empty and tiny windows, and seldom alarm when nothing changed."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import scipy.spatial.distance
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from detectors.distance import DISTANCES, Comparison, Distance, coarsen, find, grouped
from detectors.distance.compare import compare
from detectors.distance.contract import GROUPED, LOCATED, NEW_NAMES, NO_TEST
from detectors.sketch.layout import quantile_layout
from tests.detectors.count_pairs import pairs as pairs_of_counts

Counts = npt.NDArray[np.int64]

# The first example waits for the compiler.
compiled = settings(deadline=None)
BOUNDS = ("total_variation", "l_infinity", "energy", "kuiper")
"""Distances whose p-values are bounds, or are conservative for binned data."""

every = pytest.mark.parametrize("distance", DISTANCES.values(), ids=list(DISTANCES))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Counts, Counts]:
    """Two rows of counts, neither of them empty."""
    size = draw(st.integers(2, 9))
    counts = st.lists(st.integers(0, 12), min_size=size, max_size=size).filter(any)
    return np.array([draw(counts)]), np.array([draw(counts)])


def has_p_value(distance: Distance) -> bool:
    return distance.p_value != NO_TEST


def columns(distance: Distance, counts: Counts) -> Counts:
    return counts[:, :2] if distance.is_rate else counts


def compared(distance: Distance, reference: Counts, current: Counts) -> Comparison:
    return compare(distance.name, columns(distance, reference), columns(distance, current))


# What SciPy says


@compiled
@given(pairs())
def test_chi_squared_is_that_of_scipy(pair: tuple[Counts, Counts]) -> None:
    result = compare("chi_squared", *pair)
    table = np.concatenate(pair)
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] == 1:
        assert (result.statistic[0], result.p_value[0], result.effect[0]) == (0, 1, 0)
        return
    expected = scipy.stats.chi2_contingency(table, correction=False)
    assert result.statistic[0] == pytest.approx(expected.statistic, abs=1e-12)


def test_the_effect_of_chi_squared_is_cramers_v_of_equally_large_samples() -> None:
    rng = np.random.default_rng(0)
    reference = rng.multinomial(1000, np.full(8, 1 / 8))
    current = rng.multinomial(1000, np.arange(1, 9) / 36)
    expected = scipy.stats.contingency.association(np.array([reference, current]), method="cramer")
    result = compare("chi_squared", [reference, reference * 1000], [current, current])
    assert result.effect == pytest.approx([expected, expected])


@compiled
@given(pairs())
def test_ks_is_that_of_scipy_on_the_samples(pair: tuple[Counts, Counts]) -> None:
    samples = [np.repeat(np.arange(counts.size), counts[0]) for counts in pair]
    n, m = (sample.size for sample in samples)
    assume(n + m > 2)  # SciPy divides by zero for two samples of one
    expected = scipy.stats.ks_2samp(*samples, method="asymp")
    result = compare("ks", *pair)
    assert result.statistic[0] == pytest.approx(expected.statistic, abs=1e-12)
    root = math.sqrt(n * m / (n + m)) * expected.statistic
    assert result.p_value[0] == pytest.approx(scipy.stats.kstwobign.sf(root), rel=1e-9)


@compiled
@given(pairs(), st.randoms(use_true_random=False))
def test_wasserstein_is_that_of_scipy(pair: tuple[Counts, Counts], random: object) -> None:
    size = pair[0].size
    places = np.sort([random.uniform(-50, 50) for _ in range(size)])  # type: ignore[attr-defined]
    expected = scipy.stats.wasserstein_distance(places, places, pair[0][0], pair[1][0])
    result = compare("wasserstein", *pair, places)
    assert result.statistic[0] == pytest.approx(expected, abs=1e-9)
    assert math.isnan(result.p_value[0])
    sd = float(np.std(np.repeat(places, pair[0][0])))
    if sd > 1e-6:
        assert result.effect[0] == pytest.approx(expected / sd, abs=1e-9)


@compiled
@given(pairs())
def test_jensen_shannon_is_that_of_scipy(pair: tuple[Counts, Counts]) -> None:
    expected = scipy.spatial.distance.jensenshannon(pair[0][0], pair[1][0], base=2)
    # SciPy's is NaN where rounding makes the divergence a little less than 0.
    expected = 0.0 if math.isnan(expected) else expected
    assert compare("jensen_shannon", *pair).statistic[0] == pytest.approx(expected, abs=1e-7)


@compiled
@given(pairs())
def test_psi_is_the_sum_of_both_relative_entropies(pair: tuple[Counts, Counts]) -> None:
    present = (pair[0] + pair[1])[0] > 0
    p, q = (counts[0][present] + 0.5 for counts in pair)
    expected = scipy.stats.entropy(p, q) + scipy.stats.entropy(q, p)
    assert compare("psi", *pair).statistic[0] == pytest.approx(expected, abs=1e-12)


@compiled
@given(st.tuples(*[st.integers(0, 40)] * 4))
def test_a_rate_has_the_p_value_of_scipy(numbers: tuple[int, int, int, int]) -> None:
    table = np.array(numbers).reshape(2, 2)
    if not table.sum(axis=1).all():
        return
    result = compare("missing_rate", table[:1], table[1:])
    if not table.sum(axis=0).all():
        assert (result.statistic[0], result.p_value[0], result.effect[0]) == (0, 1, 0)
    elif scipy.stats.contingency.expected_freq(table).min() < 5:
        assert result.p_value[0] == pytest.approx(scipy.stats.fisher_exact(table)[1], rel=1e-7)
    else:
        expected = scipy.stats.chi2_contingency(table, correction=False)
        assert result.statistic[0] ** 2 == pytest.approx(expected.statistic, abs=1e-9)
        assert result.p_value[0] == pytest.approx(expected.pvalue, rel=1e-9)


@pytest.mark.parametrize(
    ("reference", "current"),
    [((10**6, 0), (997, 3)), ((10**6, 3), (10**6, 0)), ((0, 500), (2, 10_000)), ((999_000, 1000), (500, 9))],
)
def test_a_rare_event_in_a_large_sample_has_fishers_p_value(
    reference: tuple[int, int], current: tuple[int, int]
) -> None:
    result = compare("missing_rate", [reference], [current])
    expected = scipy.stats.fisher_exact(np.array([reference, current]))[1]
    assert result.p_value[0] == pytest.approx(expected, rel=1e-6)


def test_a_rate_that_rises_is_above_zero() -> None:
    result = compare("missing_rate", [[900, 100], [900, 100]], [[80, 20], [99, 1]])
    assert result.statistic[0] > 0 > result.statistic[1]
    assert result.effect == pytest.approx(
        [2 * abs(math.asin(math.sqrt(p)) - math.asin(math.sqrt(0.1))) for p in (0.2, 0.01)]
    )


# What holds for all of them


@every
def test_a_row_that_is_empty_on_a_side_has_no_statistic(distance: Distance) -> None:
    empty, full = [0, 0, 0], [3, 4, 5]
    result = compared(distance, np.array([empty, full, empty]), np.array([full, empty, empty]))
    assert np.isnan(np.array(result)).all()
    assert np.array(result).shape == (3, 3)


@every
def test_there_may_be_no_series(distance: Distance) -> None:
    none = np.zeros((0, 3), dtype=np.int64)
    assert [values.shape for values in compared(distance, none, none)] == [(0,)] * 3


@every
def test_equal_windows_do_not_differ(distance: Distance) -> None:
    counts = np.random.default_rng(1).integers(0, 50, (20, 12)) + 1
    result = compared(distance, counts, counts * 7)
    # Half an observation more is another part of each side; an index that compares variances is 1 without a change.
    digits = 1e-2 if distance.name in ("psi", "kl") else 1e-7
    assert result.statistic == pytest.approx(np.full(20, 1.0 if distance.name == "pai" else 0.0), abs=digits)
    assert result.effect == pytest.approx(np.zeros(20), abs=digits)
    if has_p_value(distance):
        # Of one that looks one way only, half of all equal windows are beyond it.
        assert (result.p_value > (0.4 if distance.name == "pai" else 0.999)).all()


@every
def test_a_single_observation_proves_nothing(distance: Distance) -> None:
    result = compared(distance, np.array([[500, 500, 0]]), np.array([[1, 0, 0]]))
    assert np.isfinite(result.statistic[0])
    if has_p_value(distance):
        assert result.p_value[0] > 0.1


@every
def test_any_pair_of_windows_has_a_probability_and_an_effect(distance: Distance) -> None:
    for reference, current in pairs_of_counts():
        result = compared(distance, reference, current)
        if np.isnan(result.statistic[0]):
            assert distance.is_rate  # whose two columns may be empty on a side
            continue
        assert result.effect[0] >= 0
        assert not has_p_value(distance) or 0 <= result.p_value[0] <= 1


@every
def test_columns_that_are_empty_on_both_sides_change_nothing(distance: Distance) -> None:
    if distance.is_rate and distance.reads != NEW_NAMES:
        with pytest.raises(ValueError, match="two columns"):
            compare(distance.name, np.ones((1, 3)), np.ones((1, 3)))
        return
    rng = np.random.default_rng(2)
    reference, current = rng.integers(0, 9, (2, 30, 6))
    places = np.sort(rng.normal(size=6))
    empty = [1 if distance.reads == NEW_NAMES else 0, 3, 6, 6]  # the first cell is of no name of its own
    padded = (np.insert(reference, empty, 0, axis=1), np.insert(current, empty, 0, axis=1))
    padded_places = np.insert(places, empty, np.nan)
    for plain, with_padding in zip(
        compare(distance.name, reference, current, places),
        compare(distance.name, *padded, padded_places),
        strict=True,
    ):
        np.testing.assert_allclose(with_padding, plain, rtol=1e-12, atol=1e-12)


@every
def test_a_series_does_not_depend_on_its_neighbours(distance: Distance) -> None:
    rng = np.random.default_rng(3)
    reference, current = rng.integers(0, 9, (2, 40, 6))
    together = compared(distance, reference, current)
    for i in (0, 17, 39):
        alone = compared(distance, reference[i : i + 1], current[i : i + 1])
        assert [values[0] for values in alone] == pytest.approx([values[i] for values in together], nan_ok=True)


@every
def test_a_complete_change_is_material_and_significant(distance: Distance) -> None:
    result = compared(distance, np.array([[500, 0, 0]]), np.array([[0, 300, 200]]))
    assert result.effect[0] >= 5 * distance.default_min_effect
    if has_p_value(distance):
        assert result.p_value[0] < 1e-50


@every
def test_impossible_counts_are_refused(distance: Distance) -> None:
    good = np.ones((2, 2))
    for bad in (np.ones((2, 3)), np.ones(2), -good, good / 2, good * np.nan, good * np.inf):
        with pytest.raises(ValueError, match=r"\w"):
            compare(distance.name, good, bad)


@every
def test_whole_numbers_and_floats_are_the_same(distance: Distance) -> None:
    counts = np.random.default_rng(4).integers(0, 99, (2, 10, 2))
    for of_integers, of_floats in zip(
        compare(distance.name, *counts), compare(distance.name, *counts.astype(np.float64)), strict=True
    ):
        assert of_integers.tobytes() == of_floats.tobytes()


@pytest.mark.parametrize("name", [name for name, distance in DISTANCES.items() if distance.reads == LOCATED])
def test_positions_that_do_not_ascend_are_refused(name: str) -> None:
    for places in (np.array([2.0, 1.0]), np.array([0.0, np.nan]), np.array([-np.inf, 0.0])):
        with pytest.raises(ValueError, match="positions"):
            compare(name, np.ones((1, 2)), np.ones((1, 2)), places)


@pytest.mark.parametrize("name", [name for name, distance in DISTANCES.items() if distance.reads == LOCATED])
def test_positions_may_differ_by_series(name: str) -> None:
    places = np.array([[0.0, 1.0, 2.0], [0.0, 10.0, 100.0]])
    counts = [[1, 2, 1], [1, 2, 1]], [[0, 2, 4], [0, 2, 4]]
    together = compare(name, *counts, places)
    for row in (0, 1):
        alone = compare(name, counts[0][:1], counts[1][:1], places[row])
        assert [values[0] for values in alone] == pytest.approx([values[row] for values in together], nan_ok=True)
    assert together.statistic[0] != together.statistic[1]


@pytest.mark.parametrize(("name", "most"), [("wasserstein", math.inf), ("pai", math.inf), ("energy", 1.0)])
def test_a_constant_that_moves_is_as_far_away_as_can_be(name: str, most: float) -> None:
    result = compare(name, [[5, 0], [5, 0]], [[5, 0], [0, 5]])
    assert result.effect.tolist() == [0, most]


def test_an_unknown_distance_is_answered_with_the_known_ones() -> None:
    with pytest.raises(LookupError, match=r"did you mean 'wasserstein'\?.*psi, jensen_shannon"):
        find("waserstein")
    with pytest.raises(LookupError, match=r"no distance 'zz'; there are psi"):
        find("zz")


def test_the_table_names_each_distance_as_its_entry_does() -> None:
    assert all(name == distance.name for name, distance in DISTANCES.items())


def test_the_documentation_has_the_table_of_distances() -> None:
    lines = (Path(__file__).resolve().parents[2] / "docs" / "distances.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    documented = {row[0].strip("`"): row for row in cells if len(row) == 6}
    assert list(documented) == list(DISTANCES)
    for name, row in documented.items():
        assert float(row[5]) == DISTANCES[name].default_min_effect
        assert (row[3] != "none") == has_p_value(DISTANCES[name])
        assert (row[1] == "numbers") == DISTANCES[name].is_fine


# When nothing changed


@pytest.mark.parametrize("shape", ["smooth", "ties", "categories"])
@pytest.mark.parametrize(
    "name", [name for name in DISTANCES if has_p_value(DISTANCES[name]) and not DISTANCES[name].is_rate]
)
def test_p_values_are_honest_when_nothing_changed(name: str, shape: str) -> None:
    reference, current = null_counts(shape)
    p_values = compare(name, reference, current).p_value
    for level in (0.1, 0.01):
        rejected = (p_values <= level).mean()
        # Three standard errors of 4000 trials, and a fifth for the approximation of the tail.
        assert rejected <= 1.2 * level + 3 * math.sqrt(level / p_values.size), (level, rejected)
    if shape == "smooth" and name not in BOUNDS:
        # Nor so conservative that nothing would ever be found; KS is, by a factor of two or so.
        assert (p_values <= 0.1).mean() > 0.04


@pytest.mark.parametrize("size", [20, 50])
@pytest.mark.parametrize("name", [name for name in DISTANCES if DISTANCES[name].reads == GROUPED])
def test_p_values_of_tiny_windows_are_not_too_small(name: str, size: int) -> None:
    """In twenty groups, most of which expect one or two observations."""
    rng = np.random.default_rng(7)
    shares = np.full(20, 0.05)
    reference, current = (rng.multinomial(of, shares, 4000) for of in (5000, size))
    p_values = compare(name, reference, current).p_value
    for level in (0.1, 0.01):
        assert (p_values <= level).mean() <= 1.5 * level + 3 * math.sqrt(level / 4000)


@pytest.mark.parametrize("rate", [0.0005, 0.01, 0.3])
def test_rates_that_did_not_change_are_seldom_called_changed(rate: float) -> None:
    rng = np.random.default_rng(5)
    old, new = rng.binomial(5000, rate, 4000), rng.binomial(500, rate, 4000)
    counts = [np.stack((size - events, events), axis=1) for size, events in ((5000, old), (500, new))]
    p_values = compare("missing_rate", *counts).p_value
    for level in (0.1, 0.01):
        assert (p_values <= level).mean() <= 1.2 * level + 3 * math.sqrt(level / 4000)


@cache
def null_counts(shape: str) -> tuple[Counts, Counts]:
    """Return 4000 baselines of 5000 observations and windows of 500, in at most 23 groups."""
    rng = np.random.default_rng(6)
    if shape == "categories":
        shares = 1 / np.arange(1, 16)
        both = [rng.multinomial(size, shares / shares.sum(), 4000) for size in (5000, 500)]
        return both[0], both[1]
    values = np.concatenate((rng.normal(size=20_000), np.zeros(10_000) if shape == "ties" else []))
    layout = quantile_layout(values)
    shares = np.bincount(layout.ids(values), minlength=layout.cells) / values.size
    groups = coarsen(np.bincount(layout.ids(values), minlength=layout.cells))
    reference, current = (grouped(rng.multinomial(size, shares, 4000), groups) for size in (5000, 500))
    return reference, current
