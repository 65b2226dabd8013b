"""Few events vary more than many: what that does to what is expected of hours, and to what is learned of windows.

The logarithm of a number of events has the variance of a Poisson count's, about one over that number, and one that all
hours share. What is one of a hundred by day and one of one at night says nothing in the mean of the two: it would hide
what happens by day, and shrink the season of busy hours as if it were as little known as that of quiet ones.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.change.legend import BUSY, DAYS, UNCERTAINTY
from detectors.kernel import inlined

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

OF_OTHERS = 1e-6
"""Weight of days of the other kind where there are some of this one."""

BUSY_HOURS = 8
"""One hour in so many is busier than what counts as busy, so that a batch is none of the busy hours."""

FORGOTTEN = 0.05
"""What the busiest hour, and busy ones, are lowered by from day to day if there are no busier ones."""

QUIETEST = 0.01
"""Variance of windows beside chance that is always reckoned with: no traffic is steadier than to a tenth."""


@inlined
def vary_by_chance(
    hours: Floats, means: Floats, weights: Floats, weekend: Integers, start: int, stop: int, today: int,
    in_hour: float, variance: float, times: Floats,
) -> None:  # fmt: skip
    """Write how many times as far as all of them together each hour of numbers of events varies.

    Parameters
    ----------
    hours, means, weights, weekend, start, stop
        Of which days it is learned, as `learn_expectation` has them; ``means`` of those that are whole, NaN of others.
    today, in_hour
        The kind of day, and how many windows an hour has.
    variance
        Of all hours, about what is expected of them.
    times
        float64[H]
    """
    size = hours.shape[1]
    by_chance = 0.0
    for hour in range(size):
        total, days = 0.0, 0.0
        for d in range(start, stop):
            i = d % DAYS
            if not np.isnan(means[i]) and not np.isnan(hours[i, hour]):
                weight = (weights[i] + 1e-9) * (1.0 if weekend[i] == today else OF_OTHERS)
                total += weight * hours[i, hour]
                days += weight
        raised = math.exp(total / days) if days > 0 else 0.5
        times[hour] = 1 / (in_hour * max(raised, 0.5))
        by_chance += times[hour] / size
    beyond = max(variance - by_chance, 0.0)
    for hour in range(size):
        times[hour] = (times[hour] + beyond) / (by_chance + beyond)


@inlined
def part_left(factor: float, times: float) -> float:
    """Return what shrinking leaves of an hour that varies ``times`` as far as all, of which it leaves ``factor``."""
    if times == 1.0 or factor <= 0:
        return factor
    return factor / (factor + (1 - factor) * times)


@inlined
def of_busy_hours(uncertainty: float, times: Floats) -> float:
    """Return how uncertain hours are that count by how well each is known, if all are so by ``uncertainty``."""
    # No better than busy hours are: one that has a batch says nothing of the others.
    least = np.sort(times)[times.size // BUSY_HOURS]
    precision = 0.0
    for hour in range(times.size):
        precision += 1 / max(times[hour], least)
    return uncertainty * times.size / precision


@inlined
def busiest_hour(busiest: float, expected: Floats) -> float:
    """Return the most that was expected of an hour of late, which is forgotten little by little."""
    most = busiest - FORGOTTEN
    for hour in range(expected.size):
        most = max(most, expected[hour])
    return float(most)


@inlined
def busy_level(busy: float, expected: Floats, age: int) -> float:
    """Return what the busy hours of a day of late had at least."""
    hours = np.sort(expected[~np.isnan(expected)])
    if hours.size == 0:
        return busy
    of_day = hours[hours.size - 1 - hours.size // BUSY_HOURS]
    return float(max(busy - FORGOTTEN, of_day) if age > 1 else of_day)


@inlined
def counts_for(row: Floats, sampling: float, is_unsure: bool) -> float:
    """Return what a window of a number of events counts for in what is learned of how windows vary, 1 at most.

    It is weighed by how far it varies by chance, against the busy hours; where a day is hardly known, what residuals
    show is the error of what was expected, and counts for next to nothing.
    """
    varies = QUIETEST + sampling
    unsure = row[UNCERTAINTY] if is_unsure else 0.0
    return float(min((QUIETEST + math.exp(-row[BUSY])) / varies, 1.0) * (varies / (varies + unsure)) ** 2)
