"""What to expect of a contrast at an hour of the week, the slow obvious way: whole days as rows, all at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.change.expectation import ENOUGH_DAYS, FEWEST_HOURS, OF_JUMPS, RARE_HOUR, UNSEEN, UPPER_QUARTER
from detectors.change.weekday_hours import (
    BEYOND_DOUBT,
    FEWEST_DAYS,
    FEWEST_DISTANCES,
    MOST_APART,
    NORMAL,
    SMALLEST_DEVIATION,
)
from detectors.change.weekdays import FEWEST_ALIKE, FEWEST_REPEATED, SMALLEST_VARIANCE, TELLING, UNSEEN_WEEKDAY, WEEK

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


def left_by_james_and_stein(squares: float, freedom: int, variance: float) -> float:
    """The share of a deviation that is kept, given the sum of its squares and the variance of each."""
    return max(0.0, 1.0 - freedom * variance / max(squares, 1e-12))


def weighted_mean(values: Floats, weights: Floats) -> Floats:
    """The mean of rows, without what is missing; of a column without anything, 0."""
    there = np.isfinite(values) * weights[:, None]
    return np.asarray(np.sum(there * np.nan_to_num(values), axis=0) / np.maximum(there.sum(axis=0), 1e-9))


def plain_expectation(
    hours: Floats, day_weights: Floats, weekend: Booleans, today_is_weekend: bool, first: int, today: int
) -> tuple[Floats, float]:
    """Return what to expect of each hour of day ``today``, and the variance of that.

    Parameters
    ----------
    hours
        [D, H], the days to learn from, of which the first is day ``first``.
    day_weights, weekend
        [D]
    """
    own = today_is_weekend * WEEK + today % WEEK
    days = np.arange(first, first + len(hours))
    if len(hours) > WEEK and hours.shape[1] > 1 and not are_told_apart(hours, day_weights, weekend, days, own):
        alone = hours_alone(hours[day_weights > 0], (weekend * WEEK + days % WEEK)[day_weights > 0], own)
        if 0 < np.isfinite(alone).sum() <= MOST_APART * len(alone):
            others = np.where(np.isfinite(alone), np.nan, hours)
            expected, uncertainty = by_days(others, day_weights, weekend, today_is_weekend, days, own)
            return np.where(np.isfinite(alone), alone, expected), uncertainty
    return by_days(hours, day_weights, weekend, today_is_weekend, days, own)


def hours_alone(hours: Floats, group: npt.NDArray[np.int64], own: int) -> Floats:
    """Return the medians of hours at which days of the week of this kind lie apart; NaN elsewhere."""
    alone = np.full(hours.shape[1], np.nan)
    for hour, column in enumerate(hours.T):
        of_days = {int(g): np.sort(column[(group == g) & np.isfinite(column)]) for g in np.unique(group)}
        of_days = {g: values for g, values in of_days.items() if g // WEEK == own // WEEK and len(values)}
        usual = np.median(np.concatenate([*of_days.values(), [0.0] * (not of_days)]))
        of_days = {g: values for g, values in of_days.items() if len(values) >= FEWEST_DAYS}
        middles, distances = {}, []
        for g, values in of_days.items():
            both = values[(len(values) - 1) // 2], values[len(values) // 2]
            middles[g] = min(both, key=lambda value: abs(value - usual))
            distances += sorted(np.abs(values - middles[g]))[1:]
        if own in middles and len(distances) >= FEWEST_DISTANCES:
            deviation = NORMAL * float(np.mean(distances))
            if np.ptp([*middles.values()]) >= BEYOND_DOUBT * max(deviation, SMALLEST_DEVIATION):
                alone[hour] = middles[own]
    return alone


def are_told_apart(
    hours: Floats, day_weights: Floats, weekend: Booleans, days: npt.NDArray[np.int64], own: int
) -> bool:
    """Whether days of the week are told apart as a whole: then what is expected depends on which this is."""
    of_weekday, variance = by_days(hours, day_weights, weekend, bool(own // WEEK), days, own)
    of_kind, of_kind_variance = by_days(hours, day_weights, weekend, bool(own // WEEK), days, own, alike=True)
    return variance != of_kind_variance or not np.array_equal(of_weekday, of_kind, equal_nan=True)


def by_days(
    hours: Floats,
    day_weights: Floats,
    weekend: Booleans,
    today_is_weekend: bool,
    days: npt.NDArray[np.int64],
    own: int,
    *,
    alike: bool = False,
) -> tuple[Floats, float]:
    """Return what to expect by kinds of days and, unless they are taken for alike, by days of the week."""
    is_week = len(hours) > WEEK
    seen = np.isfinite(hours).sum(axis=1)
    usable = (seen > 0) & (seen >= FEWEST_HOURS * seen.max(initial=0))
    hours, weekend, day_weights = hours[usable], weekend[usable], day_weights[usable]
    expected, uncertainty = by_kind(hours, day_weights, weekend, today_is_weekend)
    if is_week and not alike:
        group = weekend * WEEK + days[usable] % WEEK
        expected, uncertainty = by_weekday(hours, day_weights, group, own, expected, uncertainty)
    if (day_weights + 1e-9)[weekend == today_is_weekend].sum() < 0.5:
        uncertainty += UNSEEN**2
    return expected, uncertainty


def by_weekday(
    hours: Floats, weights: Floats, group: npt.NDArray[np.int64], own: int, expected: Floats, uncertainty: float
) -> tuple[Floats, float]:
    """Draw expectations to the mean of a day of the week, if such days differ: of this kind of day, or of the other."""
    hours, group, weights = hours[weights > 0], group[weights > 0], weights[weights > 0]
    members = {int(g): group == g for g in np.unique(group)}
    days = {g: weights[of].sum() ** 2 / (weights[of] ** 2).sum() for g, of in members.items()}
    means = {g: column_means(hours[of], weights[of]) for g, of in members.items()}
    squares, freedom = 0.0, 0.0
    for g, of in members.items():
        shares = np.isfinite(hours[of]) * weights[of, None]
        shares = shares / np.maximum(shares.sum(axis=0), 1e-12)
        squares += days[g] * float(np.nansum(shares * (hours[of] - means[g]) ** 2))
        freedom += (days[g] - 1) * float(shares.sum())
    if freedom <= FEWEST_REPEATED * hours.shape[1]:
        return expected, uncertainty
    variance = squares / freedom + SMALLEST_VARIANCE

    def ratio(of_weekend: int) -> float:
        of_kind = [g for g in members if g // WEEK == of_weekend]
        squares, freedom = 0.0, 0
        for hour in range(hours.shape[1]):
            seen = [g for g in of_kind if np.isfinite(means[g][hour])]
            if seen:
                middle = sum(days[g] * means[g][hour] for g in seen) / sum(days[g] for g in seen)
                squares += sum(days[g] * (means[g][hour] - middle) ** 2 for g in seen)
                freedom += len(seen) - 1
        return squares / freedom / variance if freedom else 0.0

    kind, telling, known = own // WEEK, ratio(own // WEEK), days.get(own, 0.0)
    mean = means.get(own, np.full(hours.shape[1], np.nan))
    if telling < TELLING:
        of_kind = group // WEEK == kind
        telling, mean = ratio(1 - kind), column_means(hours[of_kind], weights[of_kind])
        known = sum(days[g] for g in members if g // WEEK == kind)
    if telling < TELLING:
        return expected, uncertainty
    if known < FEWEST_ALIKE:
        return expected, uncertainty + UNSEEN_WEEKDAY**2
    drawn = expected + (1 - 1 / telling) * (mean - expected)
    return np.where(np.isfinite(mean), drawn, expected), variance / known + uncertainty / telling


def column_means(hours: Floats, weights: Floats) -> Floats:
    there = np.isfinite(hours) * weights[:, None]
    seen = there.sum(axis=0)
    sums = np.nansum(there * np.nan_to_num(hours), axis=0)
    return np.asarray(np.where(seen > 0, sums / np.where(seen > 0, seen, 1.0), np.nan))


def by_kind(hours: Floats, day_weights: Floats, weekend: Booleans, today_is_weekend: bool) -> tuple[Floats, float]:
    """Return what to expect of a day by whether it is one of a weekend."""
    weights = day_weights + 1e-9
    alike = weekend == today_is_weekend
    means = np.array([np.nanmean(day) for day in hours])
    level, uncertainty = level_of(means, weights, weekend, today_is_weekend)
    size = hours.shape[1]
    if size == 1:
        return np.array([level]), uncertainty

    deviations = hours - means[:, None]
    profile = weighted_mean(deviations, weights)
    there = np.isfinite(deviations) * weights[:, None]
    taught = np.count_nonzero(alike & (day_weights > 0))
    differ = len(hours) >= 3 and taught > 0 and not alike.all()
    if len(hours) == 1:
        steps = np.sort(np.abs(np.diff(profile)))
        upper = steps[3 * len(steps) // 4] / UPPER_QUARTER
        square = float(np.mean(steps**2))
        variance = min(max(upper**2, OF_JUMPS * square), square) / 2
    elif differ:
        squares = sum(
            float(np.nansum(there[of] * (deviations[of] - weighted_mean(deviations[of], weights[of])) ** 2))
            for of in (alike, ~alike)
        )
        variance = squares / max(there.sum() - 2 * size, 1.0)
    else:
        variance = float(np.nansum(there * (deviations - profile) ** 2)) / max(there.sum() - size, 1.0)
    of_mean = variance / max(there.sum() / size, 0.5)

    frequencies = 2 * np.pi * np.arange(size) / size
    harmonics = np.array([f(k * frequencies) for k in (1, 2) for f in (np.cos, np.sin)]) * np.sqrt(2 / size)
    smooth = harmonics.T @ (harmonics @ profile) if size > 5 else np.zeros(size)
    rest = profile - smooth
    expected = np.full(size, level)
    free = size - 1
    if size > 5:
        kept = left_by_james_and_stein(float(np.sum(smooth**2)), 4, of_mean)
        expected += kept * smooth
        uncertainty += kept * 4 * of_mean / size
        free -= 4
    kept = left_by_james_and_stein(float(np.sum(rest**2)), free, of_mean)
    expected += kept * rest
    uncertainty += kept * free * of_mean / size

    if taught >= 2 or differ:
        of_kind = weighted_mean(deviations[alike], weights[alike]) - profile
        variance_of_kind = variance / max(there[alike].sum() / size, 0.5)
        kept = left_by_james_and_stein(float(np.sum(of_kind**2)), size - 1, variance_of_kind)
        if kept > (0.3 if taught >= 2 else 0.7):
            expected += kept * of_kind
            uncertainty += kept * variance_of_kind
    if len(hours) >= ENOUGH_DAYS:
        expected[there.sum(axis=0) < RARE_HOUR * there.sum(axis=0).max()] = np.nan
    return expected, uncertainty


def level_of(means: Floats, weights: Floats, weekend: Booleans, today_is_weekend: bool) -> tuple[float, float]:
    """Return the level of a day and its variance: a mean, and an offset of weekends that is shrunk."""
    sides = [(float(weights[side].sum()), means[side], weights[side]) for side in (~weekend, weekend)]
    known = [weight > 0.5 for weight, _, _ in sides]
    levels = [float(np.sum(m * w)) / max(weight, 1e-9) for weight, m, w in sides]
    if known[0] != known[1]:
        levels = [levels[known.index(True)]] * 2
    days = float(weights.sum())
    squares = weights * (means - np.where(weekend, levels[1], levels[0])) ** 2
    variance = (float(np.sum(squares)) + 2 * 0.01**2) / (max(days - 2, 0) + 2)
    own, other = sides[int(today_is_weekend)][0], sides[int(not today_is_weekend)][0]
    of_kind = (float(np.sum(squares[weekend == today_is_weekend])) + 2 * 0.01**2) / (max(own - 1, 0) + 2)
    of_level = (min(variance, of_kind) if own >= other else variance) / max(days, 1.0)
    if not all(known):
        return float(np.sum(weights * means)) / days, of_level
    offset = levels[1] - levels[0]
    of_offset = variance * (1 / sides[0][0] + 1 / sides[1][0])
    kept = left_by_james_and_stein(offset**2, 1, of_offset)
    base = float(np.sum(weights * (means - kept * offset * weekend))) / days
    if today_is_weekend:
        return base + kept * offset, of_level + kept * of_offset
    return base, of_level
