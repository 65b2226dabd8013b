"""Windows of a number become location, spread and likeness, as the slow obvious way has them."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from detectors.change.contrasts import (
    FEWEST_COMPARED,
    FEWEST_GROUPS,
    FEWEST_SPREAD,
    OUTER_DISTANCES,
    SHIFTS,
    ScoreTable,
    concentrate,
    group_counts,
    limit_pairs,
    number_contrasts,
)
from detectors.change.legend import GROUPS, INNER, OUTER
from tests.detectors.change_streams import FENCES

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

UNEVEN = np.random.default_rng(64).permutation(np.arange(INNER) ** 2)
"""Counts of a reference, one group of which has none."""


def contrasts_of(counts: Integers, table: ScoreTable, previous: Integers | None = None) -> tuple[Floats, ...]:
    """Return location, spread, repeats and units of windows."""
    last = np.zeros(GROUPS, dtype=np.int64) if previous is None else previous
    location, spread, repeats = np.empty((3, len(counts)))
    units = np.empty((len(counts), 2))
    number_contrasts(
        counts, np.arange(GROUPS), table.scores, last, table.locations, table.spreads, table.floor,
        table.fewest, table.resolved, table.units, location, spread, repeats, units,
    )  # fmt: skip
    return location, spread, repeats, units


def drawn(rng: np.random.Generator, windows: int, *, shift: float = 0.0, spread: float = 1.0, n: int = 500) -> Integers:
    """Windows of normal values, in the quantiles of a standard normal reference."""
    ends = special.ndtr((np.concatenate(([-np.inf], FENCES, [np.inf])) - shift) / spread)
    return np.asarray(rng.multinomial(n, np.diff(ends), windows))


@pytest.mark.parametrize("counts", [np.full(INNER, 7), UNEVEN], ids=["even", "uneven"])
def test_scores_are_normal_quantiles_with_mean_0_and_variance_1_in_the_reference(counts: Integers) -> None:
    table = ScoreTable(counts)
    shares = counts / counts.sum()
    raw = special.ndtri(np.clip(np.cumsum(shares) - shares / 2, 1e-4, 1 - 1e-4))
    raw -= np.sum(shares * raw)
    inner = table.scores[OUTER:-OUTER]
    np.testing.assert_allclose(inner, raw / np.sqrt(np.sum(shares * raw**2)), atol=1e-6)
    assert np.sum(shares * inner) == pytest.approx(0, abs=1e-12)
    assert np.sum(shares * inner**2) == pytest.approx(1)


def test_beyond_the_reference_scores_grow_with_the_logarithm_of_the_distance() -> None:
    scores = ScoreTable(UNEVEN).scores
    middles = np.array([0.25, 0.75, 1.5, 3, 6, 20, 144, 384])
    np.testing.assert_allclose(scores[-OUTER:], scores[-OUTER - 1] + np.log1p(middles))
    np.testing.assert_allclose(scores[:OUTER][::-1], scores[OUTER] - np.log1p(middles))
    assert (np.diff(scores) >= 0).all()


def test_where_most_values_are_one_a_window_of_it_alone_is_not_far_from_others() -> None:
    # Visibility: on nine of ten hours ten miles.
    clear = np.zeros(INNER, dtype=np.int64)
    clear[INNER - 1], clear[:8] = 90, 1
    for counts, nearest, farthest in ((np.full(INNER, 10), 2.5, 3.6), (clear, 0.1, 1.5)):
        table = ScoreTable(counts)
        windows = np.zeros((2, GROUPS), dtype=np.int64)
        windows[0, OUTER + INNER - 1] = 100
        windows[1, OUTER : OUTER + INNER] = counts
        spread = contrasts_of(windows, table)[1]
        assert nearest < spread[1] - spread[0] < farthest


@pytest.mark.parametrize("beyond", [True, False])
def test_spreads_are_those_of_the_shifted_reference(beyond: bool) -> None:
    table = ScoreTable(UNEVEN, beyond=beyond)
    fences = special.ndtri(np.clip(np.cumsum(UNEVEN / UNEVEN.sum())[:-1], 1e-9, 1 - 1e-9))
    ends = special.ndtri(1 - 0.5 / UNEVEN.sum()) + (OUTER_DISTANCES if beyond else np.array([0.0] + [40.0] * 7))
    fences = np.concatenate((-ends[::-1], fences, ends))
    for i in (0, 60, 120, 200, 240):
        shares = np.diff(np.concatenate(([0], special.ndtr(fences - SHIFTS[i]), [1])))
        location = np.sum(shares * table.scores)
        assert table.locations[i] == pytest.approx(location, abs=1e-6)
        variance = np.sum(shares * (table.scores - location) ** 2)
        assert table.spreads[i] == pytest.approx(0.5 * math.log(variance + table.floor), abs=1e-6)


@given(st.lists(st.integers(2, 50), min_size=1, max_size=20), st.randoms())
def test_what_a_shift_does_goes_one_way_whatever_groups_the_reference_has(counts: list[int], draw: Random) -> None:
    """Of whole numbers, a sixth of which are 0, none is in the groups below that of 0."""
    sizes = np.zeros(INNER, dtype=np.int64)
    sizes[draw.sample(range(INNER), len(counts))] = counts
    for one_way in (sizes, sizes[::-1]):
        table = ScoreTable(one_way)
        for locations in (table.locations, table.within[0]):
            assert (np.diff(locations) >= -1e-9).all()
        assert (table.within[1] >= 0).all()
        assert (table.within[1] <= 1 + 1e-9).all()


@pytest.mark.parametrize("reference", [np.full(INNER, 7), UNEVEN], ids=["even", "uneven"])
def test_a_window_equals_the_slow_obvious_way(reference: Integers) -> None:
    rng, table = np.random.default_rng(2), ScoreTable(reference)
    windows = np.concatenate([drawn(rng, 8, shift=shift, spread=spread, n=n) for shift, spread, n in [
        (0, 1, 500), (2, 1, 40), (-4, 1, 500), (0, 0.05, 300), (0.3, 3, 20), (0, 1, 12), (0, 1, 3), (0, 1, 10_000)
    ]])  # fmt: skip
    location, spread, repeats, units = contrasts_of(windows, table)
    for t, counts in enumerate(windows):
        values = np.repeat(table.scores, counts)
        enough = len(values) >= table.fewest
        ends = (counts[-OUTER - 1 :].sum() - counts[: OUTER + 1].sum()) / max(len(values), 1)
        of_reference = (reference[-1] - reference[0]) / reference.sum()
        resolved = min(of_reference, 0) - 0.3 <= ends <= max(of_reference, 0) + 0.3
        np.testing.assert_array_equal(np.isnan(units[t]), ~enough)
        np.testing.assert_array_equal(np.isnan([location[t], spread[t]]), ~enough)
        if enough[0]:
            assert location[t] == pytest.approx(values.mean(), abs=1e-9)
            squares = np.sum((values - values.mean()) ** 2)
            assert units[t, 0] == pytest.approx((squares + 5 * table.units[0]) / (len(values) - 1 + 5), abs=1e-7)
        if enough[1]:
            of_shifted = np.interp(values.mean(), table.locations, table.spreads)
            of_few = np.log1p(1 / ((1 + table.floor) * (len(values) - 1))) / 2 + table.units[1] / (len(values) - 1)
            of_window = 0.5 * math.log(values.var() + table.floor)
            assert spread[t] == pytest.approx(of_window - of_shifted + of_few, abs=1e-9)
            of_variance = np.mean((values - values.mean()) ** 4) - values.var() ** 2
            of_spread = of_variance / (2 * (values.var() + table.floor)) ** 2
            shrunk = (len(values) * of_spread + 60 * table.units[1]) / (len(values) + 60)
            assert units[t, 1] == pytest.approx(shrunk if resolved else -shrunk, abs=1e-7)
        if t:
            is_equal = bool((counts == windows[t - 1]).all())
            relative, absolute = (0.0, 1e-3 * GROUPS) if is_equal else (1e-9, 1e-12)
            assert repeats[t] == pytest.approx(likeness(counts, windows[t - 1]), rel=relative, abs=absolute)


@pytest.mark.parametrize("n", [1, 3, 6, 10, 20, 60])
def test_windows_of_few_values_have_the_mean_and_the_variance_that_is_said_of_them(n: int) -> None:
    table = ScoreTable(np.full(INNER, 30))
    location, spread, _, units = contrasts_of(drawn(np.random.default_rng(11), 20_000, n=n), table)
    assert location.mean() == pytest.approx(0, abs=0.02)
    assert location.var() == pytest.approx(units[:, 0].mean() / n, rel=0.06)
    if n >= FEWEST_SPREAD:
        # Of many values the spread is 0 but for what lies beyond the reference.
        many = contrasts_of(drawn(np.random.default_rng(12), 500, n=2_000), table)[1].mean()
        assert spread.mean() == pytest.approx(many, abs=0.02)
        assert spread.var() == pytest.approx(units[:, 1].mean() / (n - 1), rel=0.25)


@pytest.mark.parametrize("side", [-1, 1])
def test_a_spread_that_depends_on_where_values_are_is_marked(side: int) -> None:
    """The last group of a reference is wide: values that are half as far apart look like a third of that there."""
    table, errors = ScoreTable(np.full(INNER, 100)), []
    for shift in (0.0, 1.5, 2.0, 2.5, 3.0, 4.0):
        counts = drawn(np.random.default_rng(5), 50, shift=side * shift, spread=0.5)
        _, spread, _, units = contrasts_of(counts, table)
        if shift in {0, 1.5, 2.5}:
            assert ((units[:, 1] < 0) == (shift > 2)).all()
        errors += np.abs(spread - math.log(0.5))[units[:, 1] > 0].tolist()
    assert max(errors) < 0.4


def test_a_reference_that_has_most_of_its_values_at_an_end_resolves_windows_like_it() -> None:
    clear_days = np.ones(INNER, dtype=np.int64)
    clear_days[-1] = 9 * INNER
    table = ScoreTable(clear_days)
    windows = np.zeros((3, GROUPS), dtype=np.int64)
    windows[0, OUTER + INNER - 1] = 100
    windows[1, OUTER + INNER - 1], windows[1, OUTER : OUTER + 50] = 50, 1
    windows[2, 0] = 100
    units = contrasts_of(windows, table)[3]
    assert (units[:, 1] < 0).tolist() == [False, False, True]


def test_rare_values_far_away_need_more_of_them_for_a_typical_value() -> None:
    yes_in_hundred = np.zeros(INNER, dtype=np.int64)
    yes_in_hundred[[0, INNER - 1]] = 990, 10
    assert ScoreTable(np.full(INNER, 30)).fewest.tolist() == [1, FEWEST_SPREAD]
    assert ScoreTable(yes_in_hundred).fewest.tolist() == [20, 20]


def likeness(counts: Integers, previous: Integers) -> float:
    """Log probability that two windows of one distribution are so alike, or 0 where that is nothing special."""
    n, earlier, both = counts.sum(), previous.sum(), counts + previous
    used = both > 0
    if min(n, earlier) < FEWEST_COMPARED:
        return 0.0
    if (counts == previous).all():
        return float(log_middle(counts).sum() - log_middle(n))
    if used.sum() <= FEWEST_GROUPS:
        return 0.0
    differences = counts * math.sqrt(earlier / n) - previous * math.sqrt(n / earlier)
    statistic, freedom = float(np.sum(differences[used] ** 2 / both[used])), int(used.sum()) - 1
    return float(stats.chi2.logcdf(statistic, freedom)) if statistic < freedom else 0.0


def log_middle(count: Any) -> Any:
    """The logarithm of the number of ways in which 2c fall into two halves."""
    return special.gammaln(2 * count + 1) - 2 * special.gammaln(count + 1)


def concentrations_of(counts: Integers) -> Floats:
    """Return which share of the pairs of each window is in one group, as far as its location does not explain it."""
    table, (angles, pairs) = ScoreTable(np.full(INNER, 30)), np.empty((2, len(counts)))
    concentrate(counts, np.arange(GROUPS), table.scores, table.within[0], table.within[1], 0.0, angles, pairs)
    n = counts[:, OUTER : OUTER + INNER].sum(axis=1)
    np.testing.assert_array_equal(pairs, n * (n - 1) / 2)
    return np.asarray(np.sin(angles / 2) ** 2 - 0.25 / pairs)


def test_pairs_in_one_group_are_counted_as_one_by_one() -> None:
    # Both sides of the middle are alike, and it is known for sure that they lie there; what is beyond does not count.
    counts = np.zeros((1, GROUPS), dtype=np.int64)
    counts[0, [OUTER + 31, OUTER + 32]] = 5_000
    counts[0, [0, GROUPS - 1]] = 2_000
    values = np.array([5_000, 5_000])
    pairs = (values * (values - 1)).sum() / (10_000 * 9_999)
    assert concentrations_of(counts)[0] == pytest.approx(pairs, rel=1e-4)


@pytest.mark.parametrize("n", [12, 40, 500])
@pytest.mark.parametrize("shift", [-1.0, 0.0, 0.6])
def test_a_shift_makes_values_no_more_alike_however_many_there_are(shift: float, n: int) -> None:
    of_windows = concentrations_of(drawn(np.random.default_rng(8), 400_000 // n, shift=shift, n=n))
    # In first order: of a dozen values, far from the middle, one part in twenty is left.
    assert of_windows.mean() == pytest.approx(1 / INNER, rel=0.03 + 0.4 / n)


def test_half_the_spread_makes_them_twice_as_alike() -> None:
    # Σp² of a normal distribution among quantiles of one twice as wide: 1 / (s √(2 − s²)) with s = 1/2.
    of_windows = concentrations_of(drawn(np.random.default_rng(9), 200, spread=0.5))
    assert of_windows.mean() == pytest.approx(1 / INNER / 0.5 / math.sqrt(1.75), rel=0.03)


@pytest.mark.parametrize("at", [0, 5, 30])
def test_pairs_count_for_twice_as_many_as_usual_at_most(at: int) -> None:
    pairs, usual, limited = np.array([0.0, *[66.0] * 20, *[7_140.0] * 9]), np.zeros(2), np.empty(30)
    for part in (slice(None, at), slice(at, None)):
        limit_pairs(pairs[part], usual, limited[part])
    assert limited[:21].tolist() == pairs[:21].tolist()
    means = np.exp([np.mean(np.log(pairs[1 : 21 + more])) for more in range(9)])
    np.testing.assert_allclose(limited[21:], 2 * means)


def test_a_shift_moves_the_location_by_as_much_and_no_spread() -> None:
    rng, table = np.random.default_rng(3), ScoreTable(np.full(INNER, 100))
    for shift in (-1.0, -0.5, 0.25, 0.5, 1.0):
        location, spread, _, _ = contrasts_of(drawn(rng, 400, shift=shift), table)
        assert location.mean() == pytest.approx(shift, abs=0.1 * abs(shift) + 0.01)
        assert spread.mean() == pytest.approx(0, abs=0.01)


def test_a_doubled_spread_is_one_and_moves_no_location() -> None:
    location, spread, _, _ = contrasts_of(
        drawn(np.random.default_rng(4), 400, spread=2.0), ScoreTable(np.full(INNER, 100))
    )
    assert location.mean() == pytest.approx(0, abs=0.01)
    # Groups end somewhere: of ln 2 = 0.69 a part is left.
    assert 0.35 < spread.mean() < math.log(2)


def test_what_sampling_does_to_a_window_is_what_its_units_say() -> None:
    location, spread, _, units = contrasts_of(drawn(np.random.default_rng(5), 4000), ScoreTable(np.full(INNER, 100)))
    assert location.var() == pytest.approx(units[:, 0].mean() / 500, rel=0.1)
    assert spread.var() == pytest.approx(units[:, 1].mean() / 500, rel=0.1)


def test_likeness_is_a_p_value_where_nothing_repeats_and_certain_where_all_does() -> None:
    table = ScoreTable(np.full(INNER, 100))
    _, _, repeats, _ = contrasts_of(drawn(np.random.default_rng(6), 4000), table)
    for probability in (0.3, 0.1, 0.01):
        share = np.mean(repeats < math.log(probability))
        assert share == pytest.approx(probability, abs=4 * math.sqrt(probability / 4000))
    frozen = np.repeat(drawn(np.random.default_rng(7), 1), 3, axis=0)
    assert contrasts_of(frozen, table)[2][1:].max() < -80


def test_in_a_few_groups_counts_that_are_nearly_equal_are_ordinary_and_equal_ones_are_not() -> None:
    counts = np.zeros((3, GROUPS), dtype=np.int64)
    counts[:, :FEWEST_GROUPS] = 25
    assert (contrasts_of(counts, ScoreTable(np.full(INNER, 100)))[2][1:] < -35).all()
    counts[1, 0] = 26
    assert contrasts_of(counts, ScoreTable(np.full(INNER, 100)))[2].tolist() == [0, 0, 0]


@pytest.mark.parametrize("shares", [[1.0], [0.5, 0.5], [0.97, 0.03], [0.6, 0.3, 0.1]])
def test_the_probability_of_equal_windows_is_how_often_they_are_equal(shares: list[float]) -> None:
    """Of a constant, a flag and a few names equal windows are ordinary, and say so."""
    counts = np.zeros((4000, GROUPS), dtype=np.int64)
    counts[:, OUTER : OUTER + len(shares)] = np.random.default_rng(8).multinomial(40, shares, 4000)
    repeats = contrasts_of(counts, ScoreTable(np.full(INNER, 100)))[2][1:]
    equal = (counts[1:] == counts[:-1]).all(axis=1)
    for probability in (0.1, 0.01, 0.001):
        assert np.mean(equal & (repeats < math.log(probability))) <= probability + 3 * math.sqrt(probability / 4000)


@pytest.mark.parametrize("at", [1, 3, 9])
def test_windows_may_be_cut_anywhere(at: int) -> None:
    table, previous = ScoreTable(UNEVEN), np.zeros(GROUPS, dtype=np.int64)
    windows = drawn(np.random.default_rng(8), 10)
    windows[3] = 0
    whole = contrasts_of(windows, table)
    parts = [contrasts_of(part, table, previous) for part in (windows[:at], windows[at:])]
    for i in range(4):
        np.testing.assert_array_equal(np.concatenate([part[i] for part in parts]), whole[i])


@pytest.mark.parametrize("counts", [np.zeros(INNER, dtype=np.int64), np.eye(1, INNER, 30, dtype=np.int64)[0]])
def test_a_reference_without_values_or_with_one_has_finite_scores(counts: Integers) -> None:
    table = ScoreTable(counts)
    assert np.isfinite([*table.scores, *table.locations, *table.spreads]).all()
    location, spread, _, units = contrasts_of(
        np.vstack((np.zeros(GROUPS), np.full(GROUPS, 5))).astype(np.int64) * 30, table
    )
    assert np.isfinite([location[1], spread[1], *units[1]]).all()


def test_groups_are_sums_of_columns_and_some_are_left_out() -> None:
    counts, grouped = np.arange(12).reshape(2, 6), np.full((2, 3), 99)
    group_counts(counts, np.array([0, 2, -1, 2, 0, 1]), grouped)
    assert grouped.tolist() == [[0 + 4, 5, 1 + 3], [6 + 10, 11, 7 + 9]]
