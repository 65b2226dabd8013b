"""The components of a residual's variance by moments, the slow obvious way: mean products of residuals at some lags."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq

from tests.detectors.plain_prior import most_likely_prior

Floats = npt.NDArray[np.float64]


LIKE = {3: 4.0, 4: 5.5, 5: 6.5, 6: 7.5, 8: 9.5, 10: 12.0, 12: 14.0, 16: 18.5, 24: 27.0}
"""Degrees of freedom with which residuals of a Student's t have the right normal scores, far out."""


@dataclass
class Moments:
    """What is known of a contrast at one scale.

    Attributes
    ----------
    products, counts : float64 arrays [5]
        Sums of products of residuals at lags 0 (less what sampling adds), 1, 2, 3 and long, and of how many.
    squares, steps : (float, float)
        Of squared standardised residuals, and of squared steps between days, the sum and the number.
    days, sampling : float
    tails : (float, float, float, float)
        How many residuals lay beyond 3, 4.5 and 6.75 standard deviations, and out of how many.
    trails, long_trails : float
        The sum of products of these with those before them in their day: each counts for three quarters of the next, or
        for five sixths in windows of an hour.
    day_means : (float, float, float, float)
        The sum of the means of their squares by day, that of the squares of these means, that of 2/n with n squares a
        day, and of how many days.
    """

    products: Floats
    counts: Floats
    squares: tuple[float, float]
    steps: tuple[float, float]
    days: float
    sampling: float
    tails: tuple[float, float, float, float]
    trails: float
    long_trails: float
    day_means: tuple[float, float, float, float]

    @property
    def means(self) -> Floats:
        return np.asarray(self.products / np.maximum(self.counts, 1e-9))


@dataclass
class Components:
    """Of one contrast at one scale: φ, the variances of levels, noise and steps, and what scales them."""

    carry: float
    levels: float
    noise: float
    step: float
    calibration: float
    freedom: float

    def with_longer_tails(self, sampling: float) -> Components:
        """Of a rate: with fewer degrees of freedom, if it varies by itself."""
        varies = self.levels + self.noise > 0.5 * sampling
        return replace(self, freedom=min(self.freedom, 8.0)) if varies else self

    def with_tails_of(self, own: Moments, family: list[Moments]) -> Components:
        """Of a typical value or a spread: with those that are right for the Student's t that has as many far out.

        What its family has counts for 150 windows.
        """
        of_family = sum(map(surely_far, family)) / max(sum(m.tails[3] for m in family), 1)
        share = (surely_far(own) + 150 * of_family) / (own.tails[3] + 150)
        like = [near for nu, near in LIKE.items() if share > share_far_out(nu)]
        return replace(self, freedom=min([self.freedom, *like]))


def surely_far(own: Moments) -> float:
    """How many residuals lay far out, but for one; of those that lie further still, two in three are none."""
    _, far, further, _ = own.tails
    return max(min(far, 3 / 2 * (far - further)) - 1, 0)


@cache
def share_far_out(nu: float) -> float:
    """The share of a Student's t beyond 4.5 units in which its squares, nine at most of each, are 1 on average."""
    like = stats.t(nu)

    def mean_square(unit: float) -> float:
        near = quad(lambda x: x * x * like.pdf(x), 0, 3 * unit)[0]
        return float(2 * near / unit**2 + 9 * 2 * like.sf(3 * unit))

    unit = brentq(lambda unit: mean_square(unit) - 1, 0.5, 3)
    return float(2 * like.sf(4.5 * unit))


def serial(own: Moments, family: list[Moments]) -> float:
    """Twice the sum of autocorrelations less two standard errors; what a family shows counts for a hundred windows."""
    short = sum_of_correlations(own, [m.trails for m in family], own.trails, family, kept=3 / 4)
    long = sum_of_correlations(own, [m.long_trails for m in family], own.long_trails, family, kept=5 / 6)
    return 2 * max(short, long)


def sum_of_correlations(
    own: Moments, trails: list[float], own_trails: float, family: list[Moments], *, kept: float
) -> float:
    pooled = max(sum(trails) / max(sum(m.tails[3] for m in family), 1), 0.0)
    seen = own.tails[3] + 100
    error = math.sqrt(sum(kept ** (2 * lag) for lag in range(400)) / seen)
    return max((own_trails + 100 * pooled) / seen - 2 * error, 0.0)


def common_freedom(own: Moments, family: list[Moments]) -> float:
    """Of the inverse chi-squared scale of days whose mean squares vary as much more than by chance; 0 of none."""
    days = own.day_means[3]
    if days < 10:
        return 0.0
    of_own, of_family = parts_of_variance([own]), parts_of_variance(family)
    variance, chance = ((days * of_own[i] + 60 * of_family[i]) / (days + 60) for i in range(2))
    beyond = variance * (1 - 2 * math.sqrt(2 / (days + 60))) - chance
    return 4 + 2 / beyond if beyond > 0.02 else 0.0


def parts_of_variance(family: list[Moments]) -> tuple[float, float]:
    """How far mean squares of days vary about that of their own contrast, and would by chance, as parts of its square.

    A contrast that hardly moves says hardly anything of others.
    """
    squares = varies = by_chance = 0.0
    for means, means_squared, chance, days in (m.day_means for m in family if m.day_means[3]):
        squares += days * (means / days) ** 2
        varies += days * (means_squared / days - (means / days) ** 2)
        by_chance += chance
    return varies / squares, by_chance / squares


def mean_step_between_days(family: list[Moments]) -> float:
    """Of a family, with a prior of two days with a standard deviation of 0.15."""
    return (sum(m.steps[0] for m in family) + 2 * 0.15**2) / (sum(m.steps[1] for m in family) + 2)


def step_between_days(own: Moments, family: list[Moments]) -> float:
    """A contrast's own, drawn to that of its family with a weight of three days."""
    return (own.steps[0] + 3 * mean_step_between_days(family)) / (own.steps[1] + 3)


def calibration(own: Moments) -> float:
    """The mean squared standardised residual, with a prior of thirty windows, times what longer tails ask for."""
    return min(max((own.squares[0] + 30) / (own.squares[1] + 30), 0.7), 4.0) * longer_tails(own) ** 2


def longer_tails(own: Moments) -> float:
    """How much longer tails are than those of which one in 200 is beyond; a prior of 150 windows has fewer."""
    *beyond, seen = own.tails
    shares = [(n + 150 * normal) / (seen + 150) for n, normal in zip(beyond, (3e-3, 5e-4, 3e-3 / 36), strict=True)]
    stretches = [min(1 + math.log(share / 0.005) / 2, 1.5**i) for i, share in enumerate(shares, start=1)]
    return max(1.0, *stretches)


def with_lasting_level(
    window: Components, own: Moments, family: list[Moments], of_windows: Moments, uncertainty: float
) -> Components:
    """Of windows, whose level lasts for its day if days differ by half more than windows explain."""
    weights = np.array([m.counts[0] for m in family])
    all_days = max(float(weights.sum()), 1e-9)
    shown, following = (float(np.sum(weights * [m.means[lag] for m in family])) / all_days for lag in (0, 1))
    shown = max(shown, 0.0)
    ratio = min(max(following / max(shown, 1e-9), 0.0), 1.0)
    borrowed = 3
    days = own.counts[0] + borrowed
    differences = own.counts[0] * (own.means[0] - max(own.means[1], 0.0))
    between = max(differences + borrowed * shown * (1 - ratio), 0.0) / days
    carry = min(window.carry, 0.9)
    explained = own.sampling + window.levels * min((1 + carry) / (1 - carry) / 24, 1) + window.noise / 24
    explained += uncertainty
    if own.sampling + between <= (1 + max(0.5, 3 * math.sqrt(2 / days))) * explained:
        return window
    levels, step = max(window.levels, between), max(window.step, 1e-3 * of_windows.sampling)
    return replace(window, carry=1.0, levels=levels, step=step)


def by_windows(own: Moments, windows_per_day: int) -> Components:
    """Return the components at the scale of windows."""
    excess, first, second, third, long_product = own.means
    seen, long_lag = own.counts[0], max(4, windows_per_day // 12)
    excess = max(excess, 0.0)
    error = (excess + own.sampling) / math.sqrt(max(seen, 4))
    scale, freedom = calibration(own), 3 + 2 * own.days
    if first <= error or seen <= 8:
        return Components(0.0, 0.0, excess, 0.0, scale, freedom)
    carry = min(max((second + 0.999 * third) / max(first + second, 1e-12), 0.0), 0.995)
    if long_product > 0.3 * first and long_product > 2 * error:
        carry = max(carry, min((long_product / first) ** (1 / (long_lag - 1)), 0.999))
    carry = max(carry, 0.05) * seen / (seen + 1)
    levels = min(first / max(carry, 0.05), excess)
    # Nor is there a level where nothing is left beyond sampling.
    if excess == 0 or windows_per_day * (1 - carry) / (1 + carry) >= (1 if own.days >= 10 else 4):
        return Components(carry, levels, excess - levels, levels * (1 - carry**2), scale, freedom)
    # Not even one independent level a day: a level is a walk within the day, of which only changes are judged.
    step = max(2 * (first - long_product) / (long_lag - 1), 1e-3 * own.sampling)
    return Components(1.0, levels, max(excess - first - step / 2, 0.0), step, scale, freedom)


def days_borrowed(own: Moments, family: list[Moments]) -> float:
    """Return how many days the variance of a family is worth, of those that vary; three at least, and no more than are.

    A sum of squares of days is what is beyond their sampling, and their sampling.
    """
    squares = [(m.products[0] + m.counts[0] * m.sampling, m.counts[0]) for m in family if m.counts[0] >= 3]
    varying = [(square, days) for square, days in squares if square > 1e-9 * days]
    worth = most_likely_prior(*zip(*varying, strict=True))[0] if len(varying) > 1 else 0.0
    return max(3.0, min(worth, float(sum(days for _, days in varying) - own.counts[0])))


def products_by_days(own: Moments, family: list[Moments]) -> tuple[float, float, float, float, float]:
    """Return mean products of residuals of days at lags 0 to 3, and how sure it is what one day has of the one before.

    A signal with few days of its own borrows from its family.
    """
    weights = np.array([m.counts[0] for m in family])
    days = max(float(weights.sum()), 1e-9)
    pooled = np.array([float(np.sum(weights * [m.means[lag] for m in family])) / days for lag in range(3)])
    pooled[0] = max(pooled[0], 0.0)
    ratios = np.clip(pooled[1:] / max(pooled[0], 1e-9), 0, 1)

    seen = known = own.counts[0]
    excess, first, second, third, _ = own.means
    of_family = (pooled[0] * weights.sum() + 3 * 0.3 * 0.15**2) / (weights.sum() + 3)
    borrowed = days_borrowed(own, family)
    excess = max((excess * seen + borrowed * of_family) / (seen + borrowed), 0.0)
    if is_significant(family):
        first = (first * seen + 60 * ratios[0] * excess) / (seen + 60)
        second = (second * seen + 60 * ratios[1] * excess) / (seen + 60)
        third = second * min(ratios[1] / max(ratios[0], 1e-6), 1.0)
        known = seen + 60
    return excess, first, second, third, known / (known + 10)


def is_significant(family: list[Moments]) -> bool:
    """Whether the mean product of a family's residuals and the next ones is more than its standard error."""
    weights = np.array([m.counts[0] for m in family])
    days = max(float(weights.sum()), 1e-9)
    square, following = (float(np.sum(weights * [m.means[lag] for m in family])) / days for lag in (0, 1))
    mean_sampling = float(np.mean([m.sampling for m in family]))
    return following > (max(square, 0.0) + mean_sampling) / math.sqrt(max(days, 4))


def by_days(own: Moments, family: list[Moments]) -> Components:
    """Return the components at the scale of days."""
    seen = own.counts[0]
    excess, first, second, third, sure = products_by_days(own, family)
    scale, freedom = calibration(own), days_borrowed(own, family) + own.days
    if first <= (excess + own.sampling) / math.sqrt(max(seen, 4)) or seen <= 8:
        return Components(0.0, 0.0, excess, 0.0, scale, freedom)
    carry = min(max((second + 0.999 * third) / max(first + second, 1e-12), 0.0), 0.995)
    carry = max(carry, 0.05) * sure
    levels = min(first / max(carry, 0.05), excess)
    return Components(carry, levels, excess - levels, levels * (1 - carry**2), scale, freedom)


def level_shown(own: Moments, family: list[Moments], age: int) -> tuple[float, float]:
    """Return how large the variance of a residual is by those learned from, and how much more a level lasts."""
    excess, first, _, _, sure = products_by_days(own, family)
    seen, shown = own.counts[0], 0.0
    if first > (excess + own.sampling) / math.sqrt(max(seen, 4)) and seen > 8:
        shown = min(first / max(excess, 1e-12), 1.0) * (1.0 if is_significant(family) else sure)
    return level_that_shows(shown, age)


def level_that_shows(part: float, age: int) -> tuple[float, float]:
    """Return the same of the AR(1) level of days of whose residual the next one has so much.

    By steps of 1/50 of its carry, the first that has, or 0.98.
    """
    shown = math.floor(min(part, 0.98) * 50) / 50
    days = np.arange(age + 1)

    def of_residual(day: int) -> Floats:
        reference = (days < day - lag_of(day)) & (days >= day - lag_of(day) - 35)
        return np.asarray((days == day) - reference / max(reference.sum(), 1))

    learned = range(1, age - lag_of(age - 1))
    residuals = np.array([of_residual(day) for day in range(age + 1)])
    weights = np.array([0.985 ** (age - day) for day in learned])
    for carry in np.arange(50) / 50:
        products = residuals @ carry ** np.abs(days[:, None] - days) @ residuals.T
        square = np.average([products[day, day] for day in learned], weights=weights)
        following = np.average([products[day, day - 1] for day in learned[1:]], weights=weights[1:])
        if following / square >= shown:
            break
    return max(products[age, age] / square, 1.0), max(carry / shown, 1.0) if shown > 0 else 1.0


def lag_of(age: int) -> int:
    """Days that are not seen yet: none in two weeks, then one more every second day, up to a week."""
    return 0 if age < 14 else min(7, (age - 14) // 2)


def products_of_day(residuals: Floats, limits: Floats, sampling: Floats, long_lag: int) -> tuple[Floats, Floats]:
    """Return the sums of products within a day, and of how many; NaN where there was no residual."""
    limited = np.clip(residuals, -limits, limits)
    sums, counts = np.zeros(5), np.zeros(5)
    for i, lag in enumerate((0, 1, 2, 3, long_lag)):
        product = limited[lag:] * limited[: len(limited) - lag] - (sampling if lag == 0 else 0)
        sums[i], counts[i] = np.nansum(product), np.isfinite(product).sum()
    return sums, counts
