"""A window as a few signed numbers.

A number's values are put into groups, the quantiles of its reference, each with a normal score. Beyond its ends are
more groups, whose scores grow with the logarithm of the distance: a level that leaves the range of the reference still
moves, and no value weighs more than a few others. A shift then means the same for every signal: standard deviations of
the reference.

- location: the mean score.
- spread: half the logarithm of the variance of the scores, minus what the reference would have if its location were
  that one. Groups end somewhere, so that a shift alone narrows what is left; without this every change of location
  would be one of spread.
- concentration: how many pairs of values are in one group, as they would be if its location were that of the reference.
- repeats: how alike a window and the one before it are, as the lower tail of the chi-squared statistic of the two; of
  equal ones, as the probability that what both hold falls into two equal halves. Windows of an upstream that has
  stopped repeat themselves; independent ones cannot be so alike.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.change.legend import GROUPS, INNER, OUTER
from detectors.distance.tail import normal_sf
from detectors.kernel import inlined, kernel

__all__ = [
    "FEWEST_COMPARED",
    "FEWEST_SPREAD",
    "OUTER_DISTANCES",
    "OUTER_MIDDLES",
    "SHIFTS",
    "ScoreTable",
    "concentrate",
    "group_counts",
    "limit_pairs",
    "normal_quantiles",
    "number_contrasts",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SHIFTS = np.linspace(-3.0, 3.0, 241)
"""Shifts of location for which the spread of the shifted reference is known."""

OUTER_DISTANCES = np.array([0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 32.0, 256.0])
"""Where the groups beyond an end of the reference begin, in robust standard deviations from it."""

OUTER_MIDDLES = OUTER_DISTANCES + np.diff(OUTER_DISTANCES, append=2 * OUTER_DISTANCES[-1]) / 2
"""Where the values of those groups may be assumed."""

SMALLEST_VARIANCE = 1e-3
"""Added to the variance of scores, so that a constant has a logarithm."""

ATOM_VARIANCE = 0.3
"""Added to it too, times the square of the share of the most frequent group: where most values are one, as of
visibility on clear days, a window of that value alone is ordinary, and its spread must not be far from others."""

HALF_LOG_2_PI = 0.5 * math.log(2 * math.pi)

UNRESOLVED = 0.3
"""Share of a window's values, more than of the reference's, at one end of it and beyond with which its spread is not
resolved."""

AT_AN_END = 0.85
"""Part of the score of the last group of a reference from which on windows lie at its end."""

LEAST_UNIT = 1e-12
"""What one value of a spread that is not resolved contributes at least, so that there is a sign."""

FEWEST_SPREAD = 10
"""Values of a window below which the logarithm of their variance is too skewed to be a spread."""

ALWAYS_ENOUGH = 20
"""Values of a window that have a location and a spread, whatever the reference looks like."""

FEWEST_COMPARED = 20
"""Values of a window below which nothing says that it repeats the one before it."""

OF_REFERENCE = np.array([5.0, 60.0])
"""Values of a window for which the reference counts in what one value contributes to the variance of a location and
of a spread: moments of few values are too small."""

MOST_PAIRS, PAIRS_KNOWN = 2.0, 2_000.0
"""Times the usual number of pairs for which those of a window count at most, and windows that say what is usual."""

FEWEST_GROUPS = 20
"""Groups in use below which counts that are alike, but not equal, are ordinary, and say nothing about repeats."""


def normal_quantiles(shares: npt.ArrayLike) -> Floats:
    """Return the standard normal quantiles of probabilities, by bisection: a reference has only a few.

    Examples
    --------
    >>> normal_quantiles([0.9, 0.975]).round(6).tolist()
    [1.281552, 1.959964]
    """
    upper = 1.0 - np.asarray(shares, dtype=np.float64)
    low, high = np.full(upper.shape, -9.0), np.full(upper.shape, 9.0)
    for _ in range(64):
        middle = (low + high) / 2
        beyond = normal_sf(middle) > upper
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    return np.asarray((low + high) / 2)


class ScoreTable:
    """The scores of a reference's groups, and the spread of the reference when it is shifted.

    Parameters
    ----------
    counts : int64 array [INNER]
        Of the reference.
    beyond : bool
        Whether groups beyond its ends are told apart; if not, the nearest have it all.

    Attributes
    ----------
    scores : float64 array [GROUPS]
        With variance 1 in the reference.
    locations, spreads : float64 array [len(SHIFTS)]
        Of the shifted reference.
    within : float64 array [2, len(SHIFTS)]
        Of what lies within its ends once it is shifted: the location, and the probability that two values are in one
        group.
    fewest : int64 array [2]
        Values of a window that has a location, and a spread: of rare scores far away, as those of a yes in one of a
        hundred, a mean of few is skewed.
    resolved : float64 array [2]
        Between which the share of a window's values in the highest group and above, less that in the lowest and below,
        has to be for groups to resolve its spread: at its ends a reference has wide ones, and what looks like the
        spread of values that are there depends on where they are.
    units : float64 array [2]
        The variance that one value of the reference contributes to a location and to a spread.

    Examples
    --------
    >>> from detectors.change.legend import INNER, OUTER
    >>> table = ScoreTable(np.full(INNER, 10))
    >>> inner = table.scores[OUTER : OUTER + INNER]
    >>> bool(abs(inner.mean()) < 1e-12), round(float(inner.std()), 12)
    (True, 1.0)
    """

    def __init__(self, counts: Integers, *, beyond: bool = True) -> None:
        shares = counts / max(int(counts.sum()), 1)
        self.floor = SMALLEST_VARIANCE + ATOM_VARIANCE * float(shares.max()) ** 2
        reached = np.cumsum(shares)
        # In one go, since each halving of the brackets costs about the same for one share as for hundreds.
        # A group without a share has no width of its own: nothing of the shifted reference lies in it.
        quantiles = normal_quantiles(
            np.concatenate(
                (
                    np.clip(reached - shares / 2, 1e-4, 1 - 1e-4),
                    np.clip(reached[:-1], 1e-9, 1 - 1e-9),
                    [1 - 0.5 / max(int(counts.sum()), 1)],
                )
            )
        )
        scores, fences, end = quantiles[: len(counts)], quantiles[len(counts) : -1], float(quantiles[-1])
        mean = float((shares * scores).sum())
        scale = math.sqrt(float((shares * (scores - mean) ** 2).sum())) or 1.0
        inner = (scores - mean) / scale
        outer = np.log1p(OUTER_MIDDLES)
        self.scores = np.concatenate((inner[0] - outer[::-1], inner, inner[-1] + outer))
        square, cube, fourth = (float((shares * inner**power).sum()) for power in (2, 3, 4))
        of_spread = (fourth - square * square) / (4 * (square + self.floor) ** 2)
        self.units = np.array([square, of_spread])
        # The skewness of a mean of n values is that of one by √n.
        least = np.array([1.0, FEWEST_SPREAD]), np.array([cube * cube, 2 * FEWEST_SPREAD * of_spread])
        balance = float(shares[-1] - shares[0])
        self.resolved = np.array([min(balance, 0.0) - UNRESOLVED, max(balance, 0.0) + UNRESOLVED])
        self.fewest = np.minimum(np.ceil(np.maximum(*least)), ALWAYS_ENOUGH).astype(np.int64)
        ends = end + (OUTER_DISTANCES if beyond else np.array([0.0, *[40.0] * (OUTER - 1)]))
        # A group without a share, outside of the first or the last value of the reference, has no width at its end.
        fences = np.concatenate(([-40.0], -ends[::-1], np.clip(fences, -ends[0], ends[0]), ends, [40.0]))
        above = normal_sf(fences - SHIFTS[:, np.newaxis])
        parts = above[:, :-1] - above[:, 1:]
        self.locations = (parts * self.scores).sum(axis=1)
        inside = parts[:, OUTER : OUTER + INNER]
        inside = inside / np.maximum(inside.sum(axis=1, keepdims=True), LEAST_UNIT)
        self.within = np.stack(((inside * inner).sum(axis=1), (inside * inside).sum(axis=1)))
        variances = (parts * self.scores**2).sum(axis=1) - self.locations * self.locations
        # math.log, whose last bit is not that of NumPy's on every processor.
        self.spreads = np.array([0.5 * math.log(max(variance, 0.0) + self.floor) for variance in variances.tolist()])

    @property
    def shape(self) -> Floats:
        """Where the shifted reference lies, and the spread that it has there, float64[2, len(SHIFTS)]."""
        return np.stack((self.locations, self.spreads))

    def resolves(self, location: float) -> bool:
        """Whether groups resolve the spread of narrow windows that have a location."""
        end = self.scores[GROUPS - OUTER - 1] if location > 0 else self.scores[OUTER]
        # Of a reference that has most of its values at that end, windows have them there, too.
        is_usual = self.resolved[1] >= 1 if location > 0 else self.resolved[0] <= -1
        return bool(is_usual or abs(location) < AT_AN_END * abs(end))


@kernel
def group_counts(counts: Integers, group_of: Integers, grouped: Integers) -> None:
    """Add up the columns of each group: int64[T, K] and int64[K] to int64[T, groups]; a group of -1 is left out."""
    grouped[:] = 0
    for t in range(counts.shape[0]):
        for k in range(counts.shape[1]):
            if group_of[k] >= 0:
                grouped[t, group_of[k]] += counts[t, k]


@kernel
def sum_up_values(counts: Integers, values: Floats, beyond: Floats, sums: Floats, outside: Floats) -> None:
    """Write what the values of windows add up to, in the order of the columns.

    Parameters
    ----------
    counts, values, beyond
        int64[T, K]; float64[K] twice: the value of each column, ascending, and how far it lies above a reference,
        negative if it is below, else 0.
    sums
        float64[T, 5]: how many values, their sum and median, and how many lie below and above the reference.
    outside
        float64[T, 5]: of those how many, their sum, that of their distances from the reference, how many the most
        frequent column has, and which one that is.
    """
    sums[:] = 0.0
    outside[:] = 0.0
    for t in range(counts.shape[0]):
        for k in range(counts.shape[1]):
            count = counts[t, k]
            if count == 0:
                continue
            sums[t, 0] += count
            sums[t, 1] += count * values[k]
            if beyond[k] != 0:
                sums[t, 3 if beyond[k] < 0 else 4] += count
                outside[t, 0] += count
                outside[t, 1] += count * values[k]
                outside[t, 2] += count * abs(beyond[k])
                if count > outside[t, 3]:
                    outside[t, 3] = count
                    outside[t, 4] = k
        reached = 0
        for k in range(counts.shape[1]):
            reached += counts[t, k]
            if reached > 0 and 2 * reached >= sums[t, 0]:
                sums[t, 2] = values[k]
                break


@kernel
def number_contrasts(
    counts: Integers, group_of: Integers, score_of: Floats, previous: Integers, locations: Floats, spreads: Floats,
    floor: float, fewest: Integers, resolved: Floats, of_reference: Floats, location: Floats, spread: Floats,
    repeats: Floats, units: Floats,
) -> None:  # fmt: skip
    """Write the contrasts of windows of a number.

    Parameters
    ----------
    counts, group_of, score_of
        int64[T, K]; int64[K], float64[K]: the group and the score of each column.
    previous
        int64[GROUPS], the window before the first one, left behind for the next call.
    locations, spreads, floor, fewest, resolved, of_reference
        Of a `ScoreTable`, ``of_reference`` its units.
    location, spread, repeats
        float64[T]; NaN, NaN and 0 for a window with too few values.
    units
        float64[T, 2]: the variance that one value contributes to location and spread; less than 0 of a spread that the
        groups do not resolve.
    """
    grouped = np.zeros(GROUPS, dtype=np.int64)
    for t in range(counts.shape[0]):
        grouped[:] = 0
        n = 0
        first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
        for k in range(counts.shape[1]):
            count = counts[t, k]
            if count > 0:
                grouped[group_of[k]] += count
                n += count
                score = score_of[k]
                first += count * score
                second += count * score * score
                third += count * score * score * score
                fourth += count * score * score * score * score
        repeats[t] = _resemblance(grouped, previous, n)
        location[t] = np.nan
        spread[t] = np.nan
        units[t] = np.nan
        if n >= fewest[0]:
            mean = first / n
            variance = max(second / n - mean * mean, 0.0)
            location[t] = mean
            units[t, 0] = (n * variance + OF_REFERENCE[0] * of_reference[0]) / (n - 1 + OF_REFERENCE[0])
            if n >= fewest[1]:
                central = fourth / n - 4 * mean * third / n + 6 * mean * mean * second / n
                central -= 3 * mean * mean * mean * mean
                of_one = max(central - variance * variance, 0.0) / (4 * (variance + floor) * (variance + floor))
                units[t, 1] = (n * of_one + OF_REFERENCE[1] * of_reference[1]) / (n + OF_REFERENCE[1])
                spread[t] = 0.5 * math.log(variance + floor) - _between(mean, locations, spreads)
                spread[t] += _short_of(n, floor, of_reference)
                if not _is_resolved(grouped, n, resolved):
                    units[t, 1] = -max(units[t, 1], LEAST_UNIT)
        if n > 0:
            for g in range(GROUPS):
                previous[g] = grouped[g]


@kernel
def concentrate(
    counts: Integers, group_of: Integers, score_of: Floats, locations: Floats, concentrations: Floats, clumping: float,
    angles: Floats, pairs: Floats,
) -> None:  # fmt: skip
    """Write which share of the pairs of a window's values is in one group, relative to what its location makes usual.

    Of n values n(n − 1)/2 pairs are in one group with probability Σp², whatever n is (Simpson 1949). That depends on
    where they lie: groups are narrow in the middle of a reference, and wide at its ends; what lies beyond these does
    not count. Where they lie is known to a standard error, and what is expected is convex there: without it, few
    values would seem to be less alike than many.

    The variance of 2 asin √share is the inverse of the number of pairs (Anscombe 1948).

    Parameters
    ----------
    counts, group_of, score_of
        int64[T, K]; int64[K], float64[K]: the group and the score of each column.
    locations, concentrations
        Of a `ScoreTable`, its ``within``.
    clumping
        What each value adds to the variance of the pairs in one group, relative to that of independent ones.
    angles, pairs
        float64[T] twice: 2 asin √share, and as many pairs as would vary as much if they were independent.
    """
    grouped = np.zeros(GROUPS, dtype=np.int64)
    of_reference = concentrations[concentrations.size // 2]
    for t in range(counts.shape[0]):
        grouped[:] = 0
        n = 0
        first, second = 0.0, 0.0
        for k in range(counts.shape[1]):
            count = counts[t, k]
            if count > 0 and OUTER <= group_of[k] < OUTER + INNER:
                grouped[group_of[k]] += count
                n += count
                first += count * score_of[k]
                second += count * score_of[k] * score_of[k]
        angles[t], pairs[t] = np.nan, 1.0
        if n < 2:
            continue
        equal = 0
        for g in range(OUTER, OUTER + INNER):
            equal += grouped[g] * (grouped[g] - 1) // 2
        mean = first / n
        error = math.sqrt(max(second / n - mean * mean, 0.0) / (n - 1))
        usual = _between(mean, locations, concentrations)
        beside = _between(mean - error, locations, concentrations)
        beside += _between(mean + error, locations, concentrations)
        share = equal * of_reference / max(2 * usual - beside / 2, usual / 2) / (n * (n - 1) / 2)
        pairs[t] = n * (n - 1) / 2 / (1 + (n - 2) * clumping)
        # With a quarter of a pair more the mean of roots is the root of the mean.
        angles[t] = 2 * math.asin(math.sqrt(min(share + 0.25 / pairs[t], 1.0)))


@kernel
def limit_pairs(pairs: Floats, usual: Floats, limited: Floats) -> None:
    """Write for how many pairs of values windows count: not for more than twice as many as windows usually have.

    Ten times the values have a hundred times the pairs, and would be compared with what is known from windows of few
    as if that were known as well.

    Parameters
    ----------
    pairs
        float64[T].
    usual
        float64[2]: windows so far, and the mean logarithm of their pairs; left behind for the next call.
    limited
        float64[T].
    """
    for t in range(pairs.size):
        limited[t] = pairs[t]
        if pairs[t] < 1:
            continue
        if usual[0] > 0:
            limited[t] = min(pairs[t], MOST_PAIRS * math.exp(usual[1]))
        usual[0] = min(usual[0] + 1, PAIRS_KNOWN)
        usual[1] += (math.log(pairs[t]) - usual[1]) / usual[0]


@inlined
def _is_resolved(grouped: Integers, n: int, resolved: Floats) -> bool:
    """Whether values lie where groups are narrow: at an end of the reference their spread depends on where it is."""
    balance = 0
    for g in range(OUTER + 1):
        balance += grouped[GROUPS - 1 - g] - grouped[g]
    return bool(resolved[0] * n <= balance <= resolved[1] * n)


@inlined
def _short_of(n: int, floor: float, of_reference: Floats) -> float:
    """Return by how much the logarithm of the spread of ``n`` values is smaller than that of many, on average."""
    share = of_reference[0] / (of_reference[0] + floor)
    return float(0.5 * math.log1p(share / (n - 1)) + of_reference[1] / (n - 1))


@inlined
def _between(x: float, xs: Floats, ys: Floats) -> float:
    """Interpolate linearly; constant beyond the ends."""
    if x <= xs[0]:
        return float(ys[0])
    low = 0
    high = xs.size - 1
    if x >= xs[high]:
        return float(ys[high])
    while high - low > 1:
        middle = (low + high) // 2
        if xs[middle] <= x:
            low = middle
        else:
            high = middle
    width = xs[high] - xs[low]
    part = (x - xs[low]) / width if width > 0 else 0.0
    return float(ys[low] + part * (ys[high] - ys[low]))


@inlined
def _resemblance(counts: Integers, previous: Integers, n: int) -> float:
    """Return the log probability that two windows of one distribution are at least as alike as these."""
    earlier = 0
    for g in range(GROUPS):
        earlier += previous[g]
    if min(earlier, n) < FEWEST_COMPARED:
        return 0.0
    statistic = 0.0
    used = 0
    equal = True
    up, down = np.sqrt(earlier / n), np.sqrt(n / earlier)
    for g in range(GROUPS):
        both = counts[g] + previous[g]
        equal &= counts[g] == previous[g]
        if both > 0:
            used += 1
            difference = counts[g] * up - previous[g] * down
            statistic += difference * difference / both
    if equal:
        return _halves(counts, n)
    if used <= FEWEST_GROUPS:
        return 0.0
    return _log_lower_gamma(0.5 * (used - 1), 0.5 * statistic)


@inlined
def _halves(counts: Integers, n: int) -> float:
    """Return the log probability that two windows are equal, given what both hold: Π C(2c, c) / C(2n, n).

    It is that of the multivariate hypergeometric distribution, and holds whatever the distribution of values is.
    """
    total = -_log_middle(n)
    for g in range(GROUPS):
        if counts[g] > 0:
            total += _log_middle(counts[g])
    return min(total, 0.0)


@inlined
def _log_middle(count: int) -> float:
    """Return ln C(2c, c) − 2c ln 2 by Stirling's series, to 0.001."""
    return -0.5 * math.log(math.pi * count) - 1 / (8 * count) + 1 / (192 * count**3)


@inlined
def _log_lower_gamma(a: float, x: float) -> float:
    """Return ln P(a, x) for x < a by its power series (Abramowitz and Stegun 6.5.29), and 0 beyond: there P > 1/2."""
    if x >= a:
        return 0.0
    x = max(x, 1e-300)
    term = 1.0
    total = 1.0
    n = 0
    while term > 1e-14 * total:
        n += 1
        term *= x / (a + n)
        total += term
    # ln Γ(a + 1) by Stirling's series, for a ≥ 10: the library's own is another one where the code is compiled.
    inverse = 1 / (a * a)
    series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / a
    log_gamma = (a + 0.5) * math.log(a) - a + HALF_LOG_2_PI + series
    return float(a * math.log(x) - x - log_gamma + math.log(total))
