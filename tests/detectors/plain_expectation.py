"""What to expect of a contrast at an hour of the week, the slow obvious way: whole days as rows, all at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.change.expectation import ENOUGH_DAYS, FEWEST_HOURS, RARE_HOUR, UNSEEN

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
    hours: Floats, day_weights: Floats, weekend: Booleans, today_is_weekend: bool
) -> tuple[Floats, float]:
    """Return what to expect of each hour, and the variance of that.

    Parameters
    ----------
    hours
        [D, H], the days to learn from.
    day_weights, weekend
        [D]
    """
    seen = np.isfinite(hours).sum(axis=1)
    usable = (seen > 0) & (seen >= FEWEST_HOURS * seen.max(initial=0))
    hours, weekend = hours[usable], weekend[usable]
    weights = day_weights[usable] + 1e-9
    alike = weekend == today_is_weekend
    means = np.array([np.nanmean(day) for day in hours])

    level, uncertainty = level_of(means, weights, weekend, today_is_weekend)
    if weights[alike].sum() < 0.5:
        uncertainty += UNSEEN**2
    size = hours.shape[1]
    if size == 1:
        return np.array([level]), uncertainty

    deviations = hours - means[:, None]
    profile = weighted_mean(deviations, weights)
    there = np.isfinite(deviations) * weights[:, None]
    if len(hours) == 1:
        variance = float(np.mean(np.diff(profile) ** 2)) / 2
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

    if alike.sum() >= 2:
        of_kind = weighted_mean(deviations[alike], weights[alike]) - profile
        variance_of_kind = variance / max(there[alike].sum() / size, 0.5)
        kept = left_by_james_and_stein(float(np.sum(of_kind**2)), size - 1, variance_of_kind)
        if kept > 0.3:
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
    squares = float(np.sum(weights * (means - np.where(weekend, levels[1], levels[0])) ** 2))
    variance = (squares + 2 * 0.01**2) / (max(days - 2, 0) + 2)
    if not all(known):
        return float(np.sum(weights * means)) / days, variance / max(days, 1.0)
    offset = levels[1] - levels[0]
    of_offset = variance * (1 / sides[0][0] + 1 / sides[1][0])
    kept = left_by_james_and_stein(offset**2, 1, of_offset)
    base = float(np.sum(weights * (means - kept * offset * weekend))) / days
    if today_is_weekend:
        return base + kept * offset, variance / max(days, 1.0) + kept * of_offset
    return base, variance / max(days, 1.0)
