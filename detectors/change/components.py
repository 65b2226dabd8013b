"""The components of a residual's variance, by moments.

Of products of residuals at lags 0, 1, 2, 3 and a long one, within days, follow the variance of levels that persist, how
fast they are forgotten, and that of noise beside sampling. What is learned forgets a few per cent a day. Three
things make it hold for real streams:

- Levels of which a day has not even one independent one cannot be told from a change of level by windows: there the
  scale of windows judges changes only, and levels are judged by days. While few days are known, it takes four.
- A signal borrows from the days of its family in the same model, the more days the more alike their variances are
  (empirical Bayes; `detectors.change.prior`).
- A factor on the variance of predictions is learned from squared standardised residuals, capped, so that what the
  moments miss is made good. So are more properties of standardised residuals of windows: how long their tails are, as
  degrees of freedom of Student's t, how much more a sum of them in a row varies than one of independent ones, and how
  far their scale differs from day to day.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.change.legend import (
    BEYOND,
    BY_DAY,
    BY_WINDOW,
    CALIBRATION,
    CARRY,
    CARRY_TODAY,
    COMMON,
    COUNTS,
    DAY_CHANCE,
    DAY_MEANS,
    DAY_MEANS_SEEN,
    DAY_MEANS_SQUARED,
    DAY_STEP,
    DAYS_SEEN,
    FAMILIES,
    FREEDOM,
    FREEDOM_FRESH,
    LEVEL_VARIANCE,
    LONG_SERIAL_SUM,
    LONG_TRAIL,
    LOOK,
    LOOK_SQUARES,
    LOOKS,
    LOOKS_SEEN,
    NOISE,
    PRODUCTS,
    SERIAL,
    SERIAL_SUM,
    SQUARES,
    SQUARES_SEEN,
    STEP,
    STEPS,
    STEPS_SEEN,
    STRETCH,
    TAIL_FREEDOM,
    TAILS,
    TAILS_SEEN,
    TRAIL,
)
from detectors.change.prior import prior_of
from detectors.kernel import inlined, kernel

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

DAY_SPREAD = 0.15
"""Standard deviation of the step of a level from day to day before anything is known, in that of a value."""

INDEPENDENT_LEVELS, AT_FIRST, SURE_DAYS = 1.0, 4.0, 10.0
"""Independent levels that a day must have for the scale of windows to judge levels; how many it must have at first; and
from how many days on it is known how fast levels are forgotten."""

FORGET, FORGET_CALIBRATION = np.array([0.97, 0.985]), np.array([0.9, 0.97])
"""What is left of a sum after a day, by scale."""

HIDDEN = 0.5
"""By how much the variance of days must exceed what windows explain to show a level that is too small for them."""

POOLED_DAYS = 60.0
"""Days that what a family knows of dependence from day to day counts for."""

SURELY = 2.0
"""Standard errors by which what days have of the ones before, or windows of their trails, is surely more than none."""

TAIL_STARTS, TAIL_RATIO = 3.0, 1.5
"""Standard deviations from which tails are counted, and the ratio of the distances at which they are."""

NORMAL_TAIL, ALLOWED_TAIL, TAIL_PRIOR = 0.003, 0.005, 150.0
"""Share of residuals beyond the first distance that is expected and allowed, and residuals that this counts for."""

FAR_SHARES = np.array(
    [0.00769123, 0.00433754, 0.00270324, 0.0018126, 0.000952083, 0.000577359, 0.000386157, 0.000209706, 0.0000958719]
)
FREEDOMS = np.array([4.0, 5.5, 6.5, 7.5, 9.5, 12.0, 14.0, 18.5, 27.0])
"""Share of residuals beyond the second distance, 4.5, if they are Student's t with 3, 4, 5, 6, 8, 10, 12, 16 and 24
degrees of freedom, of a scale with which their capped squares have the mean 1; and the degrees of freedom with which
normal scores of residuals as far as 6.75 in such units are right."""

OF_NEARER = 1.5
"""How many residuals beyond the second distance there are for one that is not beyond the third, in the longest tail."""

TRAIL_KEPT = 0.75
"""What is left of a trail after a window, whatever its length: longer ones are more noise than they show."""

LONG_TRAILS = 4.0
"""Parts of a day of which a long trail is one."""

FEWEST_COMMON, COMMON_PRIOR, LEAST_COMMON = 10.0, 60.0, 0.02
"""Days from which on it is known what the residuals of a day have in common; days that what a family knows of it counts
for; and the least variance of their scale."""

LOOK_PRIOR, MOST_LOOK = 10.0, 4.0
"""Days that it counts for that parts of days vary as is expected, and the limit of by how much more they do."""

TRAIL_LIMIT, MOST_SERIAL = 6.0, 15.0
"""Standard deviations to which a residual is limited in trails, and the limit of what they are learned to add up to."""

TRAIL_PRIOR = 100.0
"""Windows that what the trails of a family show counts for."""

BORROWED = 3.0
"""Days that the variance of a family counts for at least."""

STEADY = 1e-9
"""Variance below which days do not vary at all, such as those of a rate that is always zero."""

OF_SQUARES, OF_NEXT, OF_SECOND, OF_STEPS, SIGNIFICANT, CORRELATION, SHOWN, WORTH, ALL_SEEN = range(9)
OF_TRAILS, OF_LONG_TRAILS, OF_DAY_MEANS, OF_DAY_CHANCE, OF_FAR, POOL = range(9, 15)


@kernel
def pool(moments: Floats, families: Integers, sampling: Floats, scale: int, pools: Floats) -> None:
    """Write what the rows of each family have in common.

    Parameters
    ----------
    moments
        float64[R, SCALES, MOMENTS]
    families, sampling
        int64[R]; float64[R, SCALES], the mean variance by sampling.
    scale
    pools
        float64[FAMILIES, POOL]
    """
    for family in range(FAMILIES):
        sums = np.zeros(3)
        seen = 0.0
        variance = 0.0
        correlations = 0.0
        far, trails, long_trails = 0.0, 0.0, 0.0
        of_means, chance, means_squared = 0.0, 0.0, 0.0
        trails_seen = 0.0
        rows = 0
        steps = 2 * DAY_SPREAD * DAY_SPREAD
        steps_seen = 2.0
        for r in range(families.size):
            if families[r] != family:
                continue
            row = moments[r, scale]
            rows += 1
            variance += sampling[r, scale]
            seen += row[COUNTS]
            steps += row[STEPS]
            steps_seen += row[STEPS_SEEN]
            far += _surely_far(row)
            trails += row[SERIAL_SUM]
            long_trails += row[LONG_SERIAL_SUM]
            mean_squared, of_row, chance_of_row = _means_of_days(row)
            means_squared += row[DAY_MEANS_SEEN] * mean_squared
            of_means += row[DAY_MEANS_SEEN] * of_row
            chance += row[DAY_MEANS_SEEN] * chance_of_row
            trails_seen += row[TAILS_SEEN]
            for lag in range(3):
                # Each row's mean product, weighed by how many residuals it comes from.
                sums[lag] += row[lag] / max(row[COUNTS + lag], 1e-9) * row[COUNTS]
            correlations += row[COUNTS] * _correlation(row, sampling[r, scale])
        of = pools[family]
        of[OF_SQUARES] = max(sums[0] / max(seen, 1e-9), 0.0)
        share = max(of[OF_SQUARES], 1e-9)
        of[OF_NEXT] = min(max(sums[1] / max(seen, 1e-9) / share, 0.0), 1.0)
        of[OF_SECOND] = min(max(sums[2] / max(seen, 1e-9) / share, 0.0), 1.0)
        error = 1 / np.sqrt(max(seen, 4.0))
        of_all = sums[1] / max(seen, 1e-9) / max(of[OF_SQUARES] + variance / max(rows, 1), 1e-12)
        of[SIGNIFICANT] = of_all > error
        # One row that wanders far does not speak for the others.
        of[CORRELATION] = max(min(of_all - SURELY * error, correlations / max(seen, 1e-9)), 0.0)
        of[OF_STEPS] = steps / steps_seen
        of[OF_FAR] = far / max(trails_seen, 1.0)
        of[OF_TRAILS] = max(trails / max(trails_seen, 1.0), 0.0)
        of[OF_DAY_MEANS] = of_means / max(means_squared, STEADY)
        of[OF_DAY_CHANCE] = chance / max(means_squared, STEADY)
        of[OF_LONG_TRAILS] = max(long_trails / max(trails_seen, 1.0), 0.0)
        of[SHOWN] = of[OF_SQUARES]
        # The prior of the excess of days: that of the family, and of a wide one worth three days.
        prior = 0.3 * DAY_SPREAD * DAY_SPREAD
        of[OF_SQUARES] = (of[OF_SQUARES] * seen + 3 * prior) / (seen + 3)
        if scale == BY_DAY:
            of[WORTH], of[ALL_SEEN] = _worth(moments, families, sampling, family)


@inlined
def _correlation(row: Floats, sampling: float) -> float:
    """Return that of a row's residuals and the next ones."""
    square = row[0] / max(row[COUNTS], 1e-9) + sampling
    return float(min(max(row[1] / max(row[COUNTS + 1], 1e-9) / max(square, 1e-12), -1.0), 1.0))


@inlined
def _worth(moments: Floats, families: Integers, sampling: Floats, family: int) -> tuple[float, float]:
    """Return how many days the variance of a family is worth to one of its rows, many if all are alike; and all days.

    What rows that move together have in common is known less well than from so many days. But then they alarm together,
    which is one false alarm.
    """
    squares, freedoms = np.empty(families.size), np.empty(families.size)
    count = 0
    for r in range(families.size):
        seen = moments[r, BY_DAY, COUNTS]
        # What is learned of a day is beyond its sampling.
        of_days = moments[r, BY_DAY, 0] + seen * sampling[r, BY_DAY]
        if families[r] == family and seen >= BORROWED and of_days > STEADY * seen:
            squares[count], freedoms[count] = of_days, seen
            count += 1
    worth = prior_of(squares[:count], freedoms[:count])[0] if count > 1 else 0.0
    return float(worth), float(freedoms[:count].sum())


@kernel
def estimate(
    moments: Floats, sampling: float, scale: int, windows_per_day: int, pools: Floats, is_alike: bool, row: Floats
) -> float:
    """Write the components of one row's variance at one scale; return the part of a residual that the next one has.

    Parameters
    ----------
    moments
        float64[MOMENTS]
    sampling
        Its mean variance by sampling.
    scale, windows_per_day
    pools
        float64[POOL]: of its family.
    is_alike
        Whether its days may vary as those of its family do; not if they are at a level that was accepted.
    row
        float64[FILTER]
    """
    seen = moments[COUNTS]
    excess, first, second, third, long_lag = _mean_products(moments)
    by_day = scale == BY_DAY
    borrowed = BORROWED
    if by_day and is_alike:
        borrowed = max(borrowed, min(pools[WORTH], pools[ALL_SEEN] - seen))
    if by_day:
        excess = (excess * seen + borrowed * pools[OF_SQUARES]) / (seen + borrowed)
    excess = max(excess, 0.0)
    error = (excess + sampling) / np.sqrt(max(seen, 4.0))
    sure = seen / (seen + (10 if by_day else 1))
    is_of_family = by_day and pools[SIGNIFICANT] > 0
    if is_of_family:
        sure = (seen + POOLED_DAYS) / (seen + POOLED_DAYS + 10)
        first = (first * seen + POOLED_DAYS * pools[OF_NEXT] * excess) / (seen + POOLED_DAYS)
        second = (second * seen + POOLED_DAYS * pools[OF_SECOND] * excess) / (seen + POOLED_DAYS)
        third = second * min(max(pools[OF_SECOND] / max(pools[OF_NEXT], 1e-6), 0.0), 1.0)
    dependent = first > error and seen > 8
    carry = min(max((second + 0.999 * third) / max(first + second, 1e-12), 0.0), 0.995)
    distance = _long_lag(windows_per_day)
    if not by_day and long_lag > 0.3 * first and long_lag > 2 * error:
        carry = max(carry, min(min(max(long_lag / max(first, 1e-12), 0.01), 1.0) ** (1 / (distance - 1)), 0.999))
    carry = max(carry, 0.05) * sure if dependent else 0.0
    of_levels = min(max(first, 0.0) / max(carry, 0.05), excess) if dependent else 0.0
    noise = max(excess - of_levels, 0.0)
    step = of_levels * (1 - carry * carry)
    enough = INDEPENDENT_LEVELS if moments[DAYS_SEEN] >= SURE_DAYS else AT_FIRST
    # Where nothing is left beyond sampling there is no level either.
    if not by_day and dependent and excess > 0 and windows_per_day * (1 - carry) / (1 + carry) < enough:
        carry = 1.0
        step = max(2 * (first - long_lag) / (distance - 1), 1e-3 * sampling)
        noise = max(excess - first - step / 2, 0.0)
    row[CARRY], row[LEVEL_VARIANCE], row[NOISE], row[STEP] = carry, of_levels, noise, step
    row[CARRY_TODAY] = carry
    row[DAY_STEP] = 0.0 if by_day else (moments[STEPS] + 3 * pools[OF_STEPS]) / (moments[STEPS_SEEN] + 3)
    row[CALIBRATION] = min(max((moments[SQUARES] + 30) / (moments[SQUARES_SEEN] + 30), 0.7), 4.0)
    row[STRETCH] = _stretch(moments)
    if not by_day:
        row[SERIAL] = _serial(moments, pools, windows_per_day)
        row[COMMON] = _common(moments, pools)
    else:
        for i in range(LOOKS - 1):
            of_look = (moments[LOOK_SQUARES + i] + LOOK_PRIOR) / (moments[LOOKS_SEEN + i] + LOOK_PRIOR)
            row[LOOK + i] = min(max(of_look, 1.0), MOST_LOOK)
    row[CALIBRATION] *= row[STRETCH] * row[STRETCH]
    # Days, not windows, are independent: they are the degrees of freedom.
    row[FREEDOM] = borrowed + moments[DAYS_SEEN] * (1 if by_day else 2)
    row[FREEDOM_FRESH] = row[FREEDOM] if by_day else 3 + moments[STEPS_SEEN]
    # What all of a family show is not drawn to nothing.
    shown = min(first / max(excess, 1e-12), 1.0) * (1.0 if is_of_family else sure)
    return float(shown) if dependent else 0.0


@inlined
def note_tail(sums: Floats, z: float) -> None:
    """Count how far a standardised residual reaches."""
    distance = TAIL_STARTS
    for i in range(TAILS):
        sums[BEYOND + i] += abs(z) > distance
        distance *= TAIL_RATIO
    sums[TAILS_SEEN] += 1


@inlined
def note_trail(window: Floats, sums: Floats, z: float, windows_per_day: float) -> None:
    """Note how a standardised residual goes with those before it, and let it be one of them."""
    limited = min(max(z, -TRAIL_LIMIT), TRAIL_LIMIT)
    sums[SERIAL_SUM] += limited * window[TRAIL]
    window[TRAIL] = TRAIL_KEPT * window[TRAIL] + limited
    sums[LONG_SERIAL_SUM] += limited * window[LONG_TRAIL]
    window[LONG_TRAIL] = _long_kept(windows_per_day) * window[LONG_TRAIL] + limited


@inlined
def _long_kept(windows_per_day: float) -> float:
    """Return what is left of a long trail after a window."""
    return float(max(1 - LONG_TRAILS / windows_per_day, TRAIL_KEPT))


@inlined
def _serial(moments: Floats, pools: Floats, windows_per_day: float) -> float:
    """Return how much more a sum of residuals in a row varies than one of independent ones, where that is sure.

    Twice the sum of autocorrelations, which for independent residuals has the standard error of its weights: of those
    just before, or of those of hours, whichever is more.
    """
    of_next = _sure(moments, moments[SERIAL_SUM], pools[OF_TRAILS], TRAIL_KEPT)
    of_hours = _sure(moments, moments[LONG_SERIAL_SUM], pools[OF_LONG_TRAILS], _long_kept(windows_per_day))
    return float(min(2 * max(of_next, of_hours), MOST_SERIAL))


@inlined
def _sure(moments: Floats, products: float, of_family: float, remaining: float) -> float:
    seen = moments[TAILS_SEEN] + TRAIL_PRIOR
    mean = (products + TRAIL_PRIOR * of_family) / seen
    return float(max(mean - SURELY / np.sqrt((1 - remaining * remaining) * seen), 0.0))


@inlined
def _common(moments: Floats, pools: Floats) -> float:
    """Return of how many degrees of freedom the scale is that residuals of a day have in common; 0 if they have none.

    Means of squares vary from day to day as those of independent residuals do. What is beyond is the variance of the
    scale of a day, 2/(ν − 4) if that is a scaled inverse χ² with ν degrees of freedom.
    """
    seen = moments[DAY_MEANS_SEEN]
    mean_squared, of_means, chance = _means_of_days(moments)
    if seen < FEWEST_COMMON or mean_squared <= STEADY:
        return 0.0
    days = seen + COMMON_PRIOR
    of_means = (seen * of_means / mean_squared + COMMON_PRIOR * pools[OF_DAY_MEANS]) / days
    chance = (seen * chance / mean_squared + COMMON_PRIOR * pools[OF_DAY_CHANCE]) / days
    excess = of_means * (1 - SURELY * np.sqrt(2 / days)) - chance
    return float(4 + 2 / excess) if excess > LEAST_COMMON else 0.0


@inlined
def _means_of_days(moments: Floats) -> tuple[float, float, float]:
    """Return the square of the mean of days' mean squares, how far these vary, and how far they would by chance."""
    seen = max(moments[DAY_MEANS_SEEN], 1.0)
    mean = moments[DAY_MEANS] / seen
    return mean * mean, max(moments[DAY_MEANS_SQUARED] / seen - mean * mean, 0.0), moments[DAY_CHANCE] / seen


@inlined
def heed_tails(moments: Floats, pools: Floats, row: Floats) -> None:
    """Give a row, float64[FILTER], no more degrees of freedom than a Student's t with as many residuals far out has.

    While it has shown few residuals, they are those of its family, float64[POOL].
    """
    share = (_surely_far(moments) + TAIL_PRIOR * pools[OF_FAR]) / (moments[TAILS_SEEN] + TAIL_PRIOR)
    row[TAIL_FREEDOM] = 0.0
    for i in range(FREEDOMS.size - 1, -1, -1):
        if share > FAR_SHARES[i]:
            row[TAIL_FREEDOM] = FREEDOMS[i]
            row[FREEDOM] = min(row[FREEDOM], FREEDOMS[i])


@inlined
def _surely_far(moments: Floats) -> float:
    """Return how many residuals of a row lay far out, less a standard error: one may be what is looked for.

    Of a Student's t, two in three of these at least are not as far as the next distance: what is beyond that without
    them are outages that come again, which must not pass for a tail.
    """
    far = min(moments[BEYOND + 1], OF_NEARER * (moments[BEYOND + 1] - moments[BEYOND + 2]))
    return float(max(far - 1, 0.0))


@inlined
def _stretch(moments: Floats) -> float:
    """Return by how much longer than a normal one's a row's tails are, by how many residuals lie beyond distances."""
    seen = moments[TAILS_SEEN] + TAIL_PRIOR
    stretch = 1.0
    longest = TAIL_RATIO
    for i in range(TAILS):
        share = (moments[BEYOND + i] + TAIL_PRIOR * NORMAL_TAIL / 6.0**i) / seen
        if share > ALLOWED_TAIL:
            stretch = max(stretch, min(1 + 0.5 * math.log(share / ALLOWED_TAIL), longest))
        longest *= TAIL_RATIO
    return stretch


@inlined
def keep_level(
    filters: Floats, sampling: Floats, of_days: Floats, pools: Floats, uncertainty: float, usual_windows: float
) -> None:
    """Let a level last for its day if days differ by more than windows explain: a small one shows by days only.

    Parameters
    ----------
    filters, sampling
        float64[SCALES, FILTER], float64[SCALES]: of a row whose components were estimated.
    of_days, pools
        float64[MOMENTS], float64[POOL]: at the scale of days.
    uncertainty, usual_windows
        The variance of what is expected, and how many windows with a value a day has.
    """
    window, days = filters[BY_WINDOW], of_days[COUNTS] + BORROWED
    # Less what one day has in common with the next: a shift that lasts must not look like levels that come and go.
    own = of_days[0] / max(of_days[COUNTS], 1e-9) - max(of_days[1] / max(of_days[COUNTS + 1], 1e-9), 0.0)
    of_family = pools[SHOWN] * (1 - pools[OF_NEXT])
    between = max(of_days[COUNTS] * own + BORROWED * of_family, 0.0) / days
    carry = min(window[CARRY], 0.9)
    of_levels = window[LEVEL_VARIANCE] * min((1 + carry) / (1 - carry) / usual_windows, 1.0)
    explained = sampling[BY_DAY] + of_levels + window[NOISE] / usual_windows + uncertainty
    # Three standard errors of a variance at least.
    if sampling[BY_DAY] + between > (1 + max(HIDDEN, 3 * np.sqrt(2 / days))) * explained:
        window[CARRY], window[CARRY_TODAY] = 1.0, 1.0
        window[LEVEL_VARIANCE] = max(window[LEVEL_VARIANCE], between)
        window[STEP] = max(window[STEP], 1e-3 * sampling[BY_WINDOW])


@kernel
def remember(moments: Floats, day: Floats, scale: int) -> None:
    """Add a day's sums, float64[MOMENTS], to what is known, which forgets a little."""
    forget = FORGET[scale]
    forget_calibration = FORGET_CALIBRATION[scale]
    for i in range(moments.size):
        share = forget_calibration if i in (SQUARES, SQUARES_SEEN) else forget
        moments[i] = share * moments[i] + day[i]


@inlined
def _long_lag(windows_per_day: int) -> int:
    return max(4, windows_per_day // 12)


@inlined
def _mean_products(moments: Floats) -> tuple[float, float, float, float, float]:
    means = np.empty(PRODUCTS)
    for i in range(PRODUCTS):
        means[i] = moments[i] / max(moments[COUNTS + i], 1e-9)
    return means[0], means[1], means[2], means[3], means[4]
