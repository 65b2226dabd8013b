"""Every distance as its formula reads, in NumPy: what the kernels are compared with."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.stats

from detectors.distance.anderson_darling import THIN
from detectors.distance.contract import Comparison
from detectors.distance.counts import PSEUDO_COUNT
from detectors.distance.energy import BOUND_HOLDS_FROM
from detectors.distance.homogeneity import FEWEST_OBSERVATIONS, LARGEST_DF, ROUNDING
from detectors.distance.limits import anderson_darling_sf, cramer_von_mises_sf, kuiper_sf
from detectors.distance.pai import FEWEST, SMALLEST_SPREAD
from detectors.distance.rates import SMALLEST_EXPECTED, fisher_exact
from detectors.distance.tail import chi2_sf, kolmogorov_sf, normal_sf

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[Any]


@dataclass(frozen=True)
class Pair:
    """Two count matrices of one shape, checked, with what every distance derives from them."""

    reference: Floats
    current: Floats
    n: Floats
    m: Floats
    filled: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, reference: Counts, current: Counts) -> Pair:
        r, c = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
        n, m = r.sum(axis=1), c.sum(axis=1)
        return cls(r, c, n, m, (n > 0) & (m > 0))

    @property
    def occupied(self) -> npt.NDArray[np.bool_]:
        """Which cells hold something on either side, bool[series, cells]."""
        return (self.reference > 0) | (self.current > 0)

    def shares(self) -> tuple[Floats, Floats]:
        """Return the counts as fractions of their row; zero in a row that is empty."""
        unit = np.float64(1)
        return self.reference / np.maximum(self.n, unit)[:, None], self.current / np.maximum(self.m, unit)[:, None]

    def smoothed_shares(self) -> tuple[Floats, Floats, Floats]:
        """Return the shares with :data:`PSEUDO_COUNT` in each occupied cell, and how many of those a row has.

        Cells that are empty on both sides have a share of 1 on both, whose logarithm is 0.
        """
        occupied = self.occupied
        cells = occupied.sum(axis=1)
        size = np.maximum(PSEUDO_COUNT * cells, PSEUDO_COUNT)
        p = np.where(occupied, (self.reference + PSEUDO_COUNT) / (self.n + size)[:, None], 1.0)
        q = np.where(occupied, (self.current + PSEUDO_COUNT) / (self.m + size)[:, None], 1.0)
        return p, q, cells

    def gaps(self) -> Floats:
        """Return the difference of the cumulative shares before each cell and at the end, [series, cells + 1]."""
        out = np.zeros((self.reference.shape[0], self.reference.shape[1] + 1))
        # Counts are added before they are divided: their sums are exact.
        n, m = (np.maximum(size, 1)[:, None] for size in (self.n, self.m))
        out[:, 1:] = np.cumsum(self.reference, axis=1) / n - np.cumsum(self.current, axis=1) / m
        return out

    def places(self, positions: Floats | None) -> Floats:
        """Return the positions [series, cells]; a column without counts has that of the one before it."""
        shape = self.reference.shape
        at = np.broadcast_to(np.asarray(np.arange(shape[1]) if positions is None else positions, np.float64), shape)
        filled = np.maximum.accumulate(np.where(self.occupied, at, -np.inf), axis=1)
        first = np.min(np.where(self.occupied, at, np.inf), axis=1, initial=np.inf, keepdims=True)
        return np.where(np.isinf(filled), np.where(np.isinf(first), 0.0, first), filled)

    def blank(self, values: Floats) -> Floats:
        """Return `values` [series] with NaN for series that are empty on a side."""
        return np.where(self.filled, values, np.nan)

    def sampling_variance(self) -> Floats:
        """Return 1/n + 1/m [series], by which sampling alone inflates squared relative differences of shares."""
        unit = np.float64(1)
        return 1 / np.maximum(self.n, unit) + 1 / np.maximum(self.m, unit)


def relative_entropy(p: Floats, q: Floats) -> Floats:
    """Return ``sum(p * log(p / q))`` [series]; a cell without mass in p adds nothing."""
    present = p > 0
    ratio = np.divide(p, q, out=np.ones_like(p), where=present)
    return np.asarray((p * np.log(ratio)).sum(axis=1))


def psi(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    pair = Pair.of(reference, current)
    p, q, cells = pair.smoothed_shares()
    index = pair.blank(((p - q) * np.log(p / q)).sum(axis=1))
    return Comparison(index, chi2_sf(index / pair.sampling_variance(), cells - 1), index)


def jensen_shannon(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    pair = Pair.of(reference, current)
    p, q = pair.shares()
    root = pair.blank(np.minimum(np.sqrt(divergence(p, q) / math.log(2)), 1.0))
    p, q, cells = pair.smoothed_shares()
    return Comparison(root, chi2_sf(pair.blank(8 * divergence(p, q)) / pair.sampling_variance(), cells - 1), root)


def divergence(p: Floats, q: Floats) -> Floats:
    """Return the Jensen–Shannon divergence [series] of shares, in nats."""
    middle = (p + q) / 2
    return np.maximum((relative_entropy(p, middle) + relative_entropy(q, middle)) / 2, 0.0)


def hellinger(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    pair = Pair.of(reference, current)
    p, q = pair.shares()
    root = pair.blank(np.minimum(np.sqrt(_hellinger_square(p, q)), 1.0))
    p, q, cells = pair.smoothed_shares()
    return Comparison(
        root, chi2_sf(pair.blank(8 * _hellinger_square(p, q)) / pair.sampling_variance(), cells - 1), root
    )


def _hellinger_square(p: Floats, q: Floats) -> Floats:
    return np.asarray(((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=1) / 2)


def kl(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    pair = Pair.of(reference, current)
    p, q, cells = pair.smoothed_shares()
    divergence = pair.blank(relative_entropy(q, p))
    twice = np.minimum(2 * divergence, divergence + pair.blank(relative_entropy(p, q)))
    return Comparison(divergence, chi2_sf(twice / pair.sampling_variance(), cells - 1), divergence)


def total_variation(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    pair = Pair.of(reference, current)
    p, q = pair.shares()
    moved = pair.blank(np.minimum(np.abs(p - q).sum(axis=1) / 2, 1.0))
    p_value = chi2_sf(4 * moved**2 / pair.sampling_variance(), pair.occupied.sum(axis=1) - 1)
    return Comparison(moved, p_value, moved)


def l_infinity(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    pair = Pair.of(reference, current)
    p, q = pair.shares()
    largest = pair.blank(np.abs(p - q).max(axis=1, initial=0.0))
    pooled = (pair.reference + pair.current) / np.maximum(pair.n + pair.m, 1)[:, None]
    rest = np.maximum((pair.n + pair.m)[:, None] - pair.reference - pair.current, 0.0)
    rest /= np.maximum(pair.n + pair.m, 1)[:, None]
    variance = pooled * rest * pair.sampling_variance()[:, None]
    z = _l_infinity_root(largest[:, None], variance, 1 / np.maximum(np.minimum(pair.n, pair.m), 1)[:, None])
    # A cell that holds everything on both sides cannot differ: without a change its probability is not 0 but 1.
    alone = ((pair.occupied.sum(axis=1) == 1) & pair.filled).astype(np.float64)
    return Comparison(largest, np.minimum(pair.blank((2 * normal_sf(z)).sum(axis=1) + alone), 1.0), largest)


def _l_infinity_root(away: Floats, variance: Floats, step: Floats) -> Floats:
    """Return the place of a normal variable with Bennett's exponent, [series, cells]; infinite without variance."""
    u = np.divide(step * away, variance, out=np.zeros_like(variance), where=variance > 0)
    exponent = variance / step**2 * ((1 + u) * np.log1p(u) - u)
    return np.where(variance > 0, np.sqrt(2 * np.maximum(exponent, 0.0)), math.inf)


def chi_squared(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    pair = Pair.of(reference, current)
    p, q = pair.shares()
    pooled = (pair.reference + pair.current) / np.maximum(pair.n + pair.m, 1)[:, None]
    statistic = pair.blank(_chi_squared_squares(p, q, pooled) / pair.sampling_variance())
    effect = pair.blank(np.sqrt(_chi_squared_squares(p, q, p + q) / 2))
    totals = pair.reference + pair.current
    p_values = np.array([_gamma_p(s, row[row > 0], m) for s, row, m in zip(statistic, totals, pair.m, strict=True)])
    return Comparison(statistic, pair.blank(p_values), effect)


def _gamma_p(statistic: float, totals: Floats, m: float) -> float:
    """Return the p-value by the moments of Pearson's statistic given all margins, as exact fractions."""
    limit_df = totals.size - 1
    if totals.sum() < FEWEST_OBSERVATIONS or limit_df < 1 or math.isnan(statistic):
        return 1.0
    mean, variance, third = pearson_moments([int(total) for total in totals], int(m))
    if variance <= ROUNDING * mean**2:
        return 1.0
    df = float(8 * variance**3 / third**2) if third > 0 else math.inf
    df = min(df, max(LARGEST_DF, limit_df))
    shifted = df + (statistic - float(mean)) * math.sqrt(2 * df / variance)
    p_value = float(chi2_sf(shifted, df))
    return max(p_value, float(chi2_sf(statistic, limit_df))) if df < limit_df else p_value


def pearson_moments(totals: Sequence[int], m: int) -> tuple[Fraction, Fraction, Fraction]:
    """Return mean, variance and third central moment of Pearson's statistic, m observations being drawn of all.

    The statistic is ``N² / (n m) * (sum(a² / t) - m² / N)``. Powers of the counts a are sums of falling factorials,
    ``E[a(a-1)...(a-i+1) b(b-1)...(b-j+1)]`` is ``f[i + j]`` times the same of both totals, and sums over
    different cells are those over all, less those in which cells coincide.
    """
    size = sum(totals)
    f = [Fraction(math.perm(m, j), math.perm(size, j)) for j in range(7) if math.perm(size, j)] + [Fraction(0)] * 6
    one, two, three = (
        [(j, [Fraction(of * math.perm(t, j), t**power) for t in totals]) for j, of in enumerate(stirling, 1)]
        for power, stirling in ((1, (1, 1)), (2, (1, 7, 6, 1)), (3, (1, 31, 90, 65, 15, 1)))
    )
    first = sum((f[j] * sum(x) for j, x in one), Fraction(0))
    second = sum((f[j] * sum(x) for j, x in two), Fraction(0))
    for (i, x), (j, y) in itertools.product(one, one):
        second += f[i + j] * (sum(x) * sum(y) - _dot(x, y))
    third = sum((f[j] * sum(x) for j, x in three), Fraction(0))
    for (i, x), (j, y) in itertools.product(two, one):
        third += 3 * f[i + j] * (sum(x) * sum(y) - _dot(x, y))
    for (i, x), (j, y), (k, z) in itertools.product(one, one, one):
        apart = sum(x) * sum(y) * sum(z) - _dot(x, y) * sum(z) - _dot(x, z) * sum(y) - _dot(y, z) * sum(x)
        third += f[i + j + k] * (apart + 2 * _dot(x, y, z))
    scale = Fraction(size * size, (size - m) * m)
    variance, central = second - first**2, third - 3 * first * second + 2 * first**3
    return scale * (first - Fraction(m * m, size)), scale**2 * variance, scale**3 * central


def _dot(*columns: Sequence[Fraction]) -> Fraction:
    return sum((math.prod(row, start=Fraction(1)) for row in zip(*columns, strict=True)), Fraction(0))


def _chi_squared_squares(p: Floats, q: Floats, weight: Floats) -> Floats:
    """Return ``sum((p - q)**2 / weight)`` [series]; a cell without weight adds nothing."""
    terms = np.divide((p - q) ** 2, weight, out=np.zeros_like(p), where=weight > 0)
    return np.asarray(terms.sum(axis=1))


def g_test(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    pair = Pair.of(reference, current)
    p, q = pair.shares()
    total, both = np.maximum(pair.n + pair.m, 1), pair.reference + pair.current
    pooled = both / total[:, None]
    g = pair.blank(2 * np.maximum(pair.n * relative_entropy(p, pooled) + pair.m * relative_entropy(q, pooled), 0.0))
    df = pair.occupied.sum(axis=1) - 1
    spread = np.divide(1.0, pooled, out=np.zeros_like(pooled), where=both > 0).sum(axis=1)
    correction = 1 + (total * pair.sampling_variance() - 1) * (spread - 1) / (6 * total * np.maximum(df, 1))
    effect = pair.blank(np.minimum(np.sqrt(divergence(p, q) / math.log(2)), 1.0))
    return Comparison(g, chi2_sf(g / correction, df), effect)


def ks(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    pair = Pair.of(reference, current)
    largest = pair.blank(np.abs(pair.gaps()).max(axis=1, initial=0.0))
    return Comparison(largest, kolmogorov_sf(largest / np.sqrt(pair.sampling_variance())), largest)


def kuiper(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    pair = Pair.of(reference, current)
    gap = pair.gaps()
    apart = pair.blank(gap.max(axis=1, initial=0.0) - gap.min(axis=1, initial=0.0))
    return Comparison(apart, kuiper_sf(apart / pair.sampling_variance() ** 0.5), apart)


def cramer_von_mises(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    pair = Pair.of(reference, current)
    p, q = pair.shares()
    gap = pair.gaps()
    square = (gap[:, :-1] ** 2 + gap[:, :-1] * gap[:, 1:] + gap[:, 1:] ** 2) / 3
    n, m = np.maximum(pair.n, 1), np.maximum(pair.m, 1)
    statistic = pair.blank(n * m / (n + m) ** 2 * (square * (pair.reference + pair.current)).sum(axis=1))
    effect = pair.blank(np.sqrt((square * (p + q) / 2).sum(axis=1)))
    return Comparison(statistic, cramer_von_mises_sf(standardised(statistic, n, m)), effect)


def standardised(statistic: Floats, n: Floats, m: Floats) -> Floats:
    """Return the statistic with the limit's variance of 1/45; its mean of 1/6 it has.

    One observation on either side has no variance, and shows nothing.
    """
    both = n + m
    variance = (both + 1) * (4 * n * m * both - 3 * (n * n + m * m) - 2 * n * m) / (180 * both**2 * n * m)
    scale = np.sqrt(np.divide(1 / 45, variance, out=np.zeros_like(variance), where=variance > 0))
    return np.asarray(1 / 6 + (statistic - 1 / 6) * scale)


def anderson_darling(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    pair = Pair.of(reference, current)
    n, m = np.maximum(pair.n, 1), np.maximum(pair.m, 1)
    gap = pair.gaps()
    p, q = pair.shares()
    even, pooled = (p + q) / 2, (pair.reference + pair.current) / (n + m)[:, None]
    below, above = _anderson_darling_knots(pooled)
    statistic = (n + m - 1) * n * m / (n + m) ** 2 * _anderson_darling_mid_rank(gap, pooled, below, above)
    for_limit = n * m / (n + m) * _anderson_darling_integral(gap, pooled, below, above)
    effect = pair.blank(np.sqrt(np.maximum(_anderson_darling_integral(gap, even, *_anderson_darling_knots(even)), 0.0)))
    return Comparison(pair.blank(statistic), anderson_darling_sf(pair.blank(for_limit)), effect)


def _anderson_darling_knots(shares: Floats) -> tuple[Floats, Floats]:
    """Return what lies below and above the ends of cells, [series, cells + 1], both of them to all digits."""
    nothing = np.zeros((len(shares), 1))
    below = np.cumsum(shares, axis=1)
    above = np.cumsum(shares[:, ::-1], axis=1)[:, ::-1]
    return np.hstack((nothing, below)), np.hstack((above, nothing))


def _anderson_darling_mid_rank(gap: Floats, share: Floats, below: Floats, above: Floats) -> Floats:
    """Return the sum over cells of ``share * d**2 / (c (1 - c) - share / 4)``, d and c being those of mid-ranks."""
    weight = (below[:, :-1] + below[:, 1:]) * (above[:, :-1] + above[:, 1:]) / 4 - share / 4
    middle = (gap[:, :-1] + gap[:, 1:]) / 2
    return np.asarray(
        np.divide(share * middle**2, weight, out=np.zeros_like(share), where=(share > 0) & (weight > 0)).sum(axis=1)
    )


def _anderson_darling_integral(gap: Floats, share: Floats, below: Floats, above: Floats) -> Floats:
    """Return the integral of ``gap**2 / (h (1 - h))`` over h, that is of ``gap**2 / h`` and of ``gap**2 / (1 - h)``."""
    from_left = _anderson_darling_half(gap[:, :-1], gap[:, 1:], share, below[:, :-1], below[:, 1:])
    from_right = _anderson_darling_half(gap[:, 1:], gap[:, :-1], share, above[:, 1:], above[:, :-1])
    return np.asarray((from_left + from_right).sum(axis=1))


def _anderson_darling_half(near: Floats, far: Floats, share: Floats, low: Floats, high: Floats) -> Floats:
    """Return the integral of ``g**2 / u`` for u from low to high, g going straight from near to far, [series, cells].

    With ``g = c + d u`` it is ``c**2 log(high / low) + 2 c d (high - low) + d**2 (high**2 - low**2) / 2``. Where the
    ends are close to each other, these would cancel.
    """
    occupied, rise = share > 0, far - near
    away = np.divide(low, share, out=np.zeros_like(share), where=occupied)
    at_0 = near - rise * away
    log = np.log(np.divide(high, low, out=np.ones_like(share), where=low > 0))
    exact = at_0**2 * log + rise * (2 * at_0 + rise * (away + 0.5))
    middle = low + share / 2
    ends = [np.divide(g**2, u, out=np.zeros_like(u), where=u > 0) for g, u in ((near, low), (far, high))]
    between = np.divide((near + far) ** 2, middle, out=np.zeros_like(share), where=middle > 0)
    simpson = share * (ends[0] + between + ends[1]) / 6
    return np.where(occupied, np.where(away * THIN > 1, simpson, exact), 0.0)


def energy(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    pair = Pair.of(reference, current)
    steps = np.diff(pair.places(positions), axis=1)
    n, m = np.maximum(pair.n, 1), np.maximum(pair.m, 1)
    below = [np.cumsum(side, axis=1)[:, :-1] / size[:, None] for side, size in ((pair.reference, n), (pair.current, m))]
    f, g = below
    pooled = (n[:, None] * f + m[:, None] * g) / (n + m)[:, None]
    square = 2 * ((f - g) ** 2 * steps).sum(axis=1)
    usual = 2 * (pooled * (1 - pooled) * steps).sum(axis=1)
    between = 2 * ((f * (1 - g) + g * (1 - f)) * steps).sum(axis=1)
    ratio = np.divide(square / pair.sampling_variance(), usual, out=np.zeros_like(usual), where=usual > 0)
    effect = np.sqrt(np.divide(square, between, out=np.zeros_like(between), where=between > 0))
    p_value = np.where(ratio < BOUND_HOLDS_FROM, 1.0, chi2_sf(ratio, 1))
    return Comparison(pair.blank(np.sqrt(square)), pair.blank(p_value), pair.blank(np.minimum(effect, 1.0)))


def wasserstein(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    pair = Pair.of(reference, current)
    places = pair.places(positions)
    p, q = pair.shares()
    gap = np.abs(np.cumsum(p - q, axis=1))[:, :-1]
    moved = pair.blank((gap * np.diff(places, axis=1)).sum(axis=1))
    sd = _wasserstein_standard_deviation(p, places)
    effect = np.where(moved > 0, np.inf, 0.0)
    np.divide(moved, sd, out=effect, where=sd > 0)
    return Comparison(moved, np.full(moved.shape, np.nan), pair.blank(effect))


def _wasserstein_standard_deviation(shares: Floats, places: Floats) -> Floats:
    mean = (shares * places).sum(axis=1)[:, None]
    return np.asarray(np.sqrt((shares * (places - mean) ** 2).sum(axis=1)))


def pai(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    pair = Pair.of(reference, current)
    places = pair.places(positions)
    places = places - places[:, :1]  # a mean far from zero would lose the digits of its distances
    p, q = pair.shares()
    away = (places - (p * places).sum(axis=1)[:, None]) ** 2
    variance, seen = (p * away).sum(axis=1), (q * away).sum(axis=1)
    ratio = np.where(seen > 0, np.inf, 1.0)
    np.divide(seen, variance, out=ratio, where=variance > 0)
    pooled = (pair.reference + pair.current) / np.maximum(pair.n + pair.m, 1)[:, None]
    mean = (pooled * away).sum(axis=1)[:, None]
    relative = np.divide(away - mean, mean, out=np.zeros_like(away), where=mean > 0)
    spread = np.maximum((pooled * relative**2).sum(axis=1), SMALLEST_SPREAD)
    index = (1 + ratio) / 2
    # A baseline's own variance is that much too small, and that of one value says nothing.
    unbiased = np.multiply(ratio, (pair.n - 1) / (pair.n + 1), out=np.zeros_like(ratio), where=pair.n > 1)
    p_value = _pai_f_sf(unbiased, 2 * pair.m / spread, 2 * pair.n / spread)
    return Comparison(pair.blank(index), pair.blank(p_value), pair.blank(np.maximum(index - 1, 0.0)))


def _pai_f_sf(ratio: Floats, m: Floats, n: Floats) -> Floats:
    """Return P(F > ratio) for m and n degrees of freedom; 1 where either are fewer than :data:`FEWEST`."""
    root = np.cbrt(np.maximum(ratio, 0.0))
    a, b = (2 / (9 * np.maximum(df, FEWEST)) for df in (m, n))
    # Of an infinite ratio what counts is where the quotient goes to.
    finite = np.isfinite(root)
    root = np.where(finite, root, 1.0)
    z = np.where(finite, ((1 - b) * root - (1 - a)) / np.sqrt(b * root**2 + a), (1 - b) / np.sqrt(b))
    return np.where((m >= FEWEST) & (n >= FEWEST), normal_sf(z), 1.0)


def proportion(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    pair = Pair.of(reference, current)
    p, q = (share[:, 1] for share in pair.shares())
    columns = pair.reference + pair.current
    pooled = columns / np.maximum(pair.n + pair.m, 1)[:, None]
    sd = np.sqrt(pooled[:, 0] * pooled[:, 1] * pair.sampling_variance())
    z = np.divide(q - p, sd, out=np.zeros_like(sd), where=sd > 0)
    p_value = 2 * normal_sf(np.abs(z))
    few = np.minimum(pair.n, pair.m) * pooled.min(axis=1) < SMALLEST_EXPECTED
    exact = pair.filled & few & (sd > 0)
    p_value[exact] = fisher_exact(pair.reference[exact], pair.current[exact])
    # The difference of the arcs as one arc: two close arcs would cancel.
    sine = np.sqrt(q) * np.sqrt(1 - p) - np.sqrt(p) * np.sqrt(1 - q)
    effect = 2 * np.abs(np.arcsin(np.clip(sine, -1, 1)))
    return Comparison(pair.blank(z), pair.blank(p_value), pair.blank(effect))


def new_category(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    pair = Pair.of(reference, current)
    a, b = pair.reference[:, 1:], pair.current[:, 1:]
    is_new = (a == 0) & (b > 0)
    # The rate that Good and Turing expect, and that of the window.
    once, new = (a == 1).sum(axis=1), np.where(is_new, b, 0).sum(axis=1)
    compared = proportion(np.stack((once, pair.n - once), axis=1), np.stack((new, pair.m - new), axis=1))
    rises = new * pair.n > once * pair.m
    p_value = np.ones(len(a))
    for row in np.flatnonzero(pair.filled & is_new.any(axis=1)):
        n, m, both = pair.n[row], pair.m[row], (a + b)[row]
        share, occurs = m / (n + m), both > 0
        chance = share ** both[occurs]
        of_events = (both[occurs] * chance).sum() ** 2 * (1 - share) / ((n + m) * share)
        mean = chance.sum()
        shift = math.floor(mean - max((chance * (1 - chance)).sum() - of_events, 0.0))
        count = int(is_new[row].sum()) - shift
        as_many = 1.0 if count <= mean - shift else float(scipy.stats.poisson.sf(count - 1, mean - shift))
        as_frequent = chance[both[occurs] >= b[row][is_new[row]].max()].sum()
        p_value[row] = min(2 * min(as_many, as_frequent), 1.0)
    statistic = np.where(rises, compared.statistic, 0.0)
    return Comparison(pair.blank(statistic), pair.blank(p_value), pair.blank(np.where(rises, compared.effect, 0.0)))


Plain = Callable[[Counts, Counts, "Floats | None"], Comparison]
_PLAIN: tuple[Plain, ...] = (
    psi,
    jensen_shannon,
    hellinger,
    kl,
    total_variation,
    l_infinity,
    chi_squared,
    g_test,
    ks,
    kuiper,
    cramer_von_mises,
    anderson_darling,
    energy,
    wasserstein,
    pai,
    new_category,
)
RATES = ("missing_rate", "invalid_rate", "out_of_range_rate")
PLAIN: dict[str, Plain] = {plain.__name__: plain for plain in _PLAIN} | dict.fromkeys(RATES, proportion)
"""The plain twin of every distance in `detectors.distance.DISTANCES`."""
