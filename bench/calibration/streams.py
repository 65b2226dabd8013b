"""Streams in which nothing changes, but much varies."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from bench.calibration.grid import HISTORY_DAYS, Grid

__all__ = ["STREAMS", "Levels", "Stream"]

Floats = NDArray[np.float64]
Levels = Callable[[np.random.Generator, Grid, int, int], Floats]
"""Makes the levels of features in consecutive windows, float64[features, windows]."""


@dataclass(frozen=True)
class Stream:
    """What the windows of a model look like while nothing is wrong.

    Attributes
    ----------
    name, meaning : str
    levels : callable
        Of numbers in their standard deviations; of names how far the logarithm of the first name's weight goes up, and
        that of the second one's down.
    family : str
        The distribution of numbers: ``normal``, ``t3`` or ``lognormal``.
    shares : tuple of float
        Of names; empty for numbers.
    level_sd : float
        How far levels vary beside what a season explains, which a chart that knows the stream allows for.
    missing, missing_sd : float
        The rate of missing values, and how far its logit varies.
    cluster : int
        Equal events come in groups of so many.
    burst_sd : float
        How far the logarithm of the volume varies.
    rush : float
        The size of the daily sine of that logarithm.
    """

    name: str
    meaning: str
    levels: Levels
    family: str = "normal"
    shares: tuple[float, ...] = ()
    level_sd: float = 0.0
    missing: float = 0.02
    missing_sd: float = 0.0
    cluster: int = 1
    burst_sd: float = 0.0
    rush: float = 0.0


def steady(_: np.random.Generator, grid: Grid, features: int, windows: int) -> Floats:
    """Levels that stay."""
    return np.broadcast_to(0.0, (features, windows))


def autocorrelated(phi: float, sd: float = 0.25) -> Levels:
    """Levels that follow one another: AR(1) from window to window."""

    def levels(rng: np.random.Generator, grid: Grid, features: int, windows: int) -> Floats:
        steps = rng.normal(0.0, sd * math.sqrt(1 - phi * phi), (features, windows))
        steps[:, 0] = rng.normal(0.0, sd, features)
        return np.asarray(lfilter([1.0], [1.0, -phi], steps, axis=1))

    return levels


def seasonal(size: float) -> Levels:
    """A sine a day, of so many standard deviations and with a phase of each feature's own; weekends are half higher."""

    def levels(rng: np.random.Generator, grid: Grid, features: int, windows: int) -> Floats:
        days = (np.arange(windows) + 0.5) / grid.per_day
        levels = np.tile(size / 2 * (np.floor(days) % 7 >= 5), (features, 1))
        if grid.per_day > 1:
            levels += size * np.sin(2 * np.pi * (days + rng.random((features, 1))))
        return levels

    return levels


def daily(rng: np.random.Generator, grid: Grid, features: int, windows: int) -> Floats:
    """A level for each day."""
    days = -(-windows // grid.per_day)
    return np.repeat(rng.normal(0.0, 0.25, (features, days)), grid.per_day, axis=1)[:, :windows]


def by_window(rng: np.random.Generator, grid: Grid, features: int, windows: int) -> Floats:
    """A level for each window."""
    return rng.normal(0.0, 0.5, (features, windows))


def wandering(rng: np.random.Generator, grid: Grid, features: int, windows: int) -> Floats:
    """A random walk that goes 0.3 standard deviations in 90 days; it begins at zero after the history."""
    walk = np.cumsum(rng.normal(0.0, 0.3 / math.sqrt(90 * grid.per_day), (features, windows)), axis=1)
    start = min(HISTORY_DAYS * grid.per_day, windows) - 1
    return np.asarray(walk - walk[:, start : start + 1])


def swinging(rng: np.random.Generator, grid: Grid, features: int, windows: int) -> Floats:
    """A sine a day of 0.6 standard deviations, each day higher or lower by a factor whose logarithm has sd 0.2."""
    days = (np.arange(windows) + 0.5) / grid.per_day
    heights = 0.6 * np.exp(rng.normal(0.0, 0.2, (features, -(-windows // grid.per_day))))
    return np.asarray(heights[:, days.astype(int)] * np.sin(2 * np.pi * (days + rng.random((features, 1)))))


def of_weekdays(rng: np.random.Generator, grid: Grid, features: int, windows: int) -> Floats:
    """A course of its own for each day of the week: a level for every three hours, and straight lines between."""
    levels = rng.normal(0.0, 0.3, (features, 7 * 8))
    times = 8 * (np.arange(windows) + 0.5) / grid.per_day
    return np.array([np.interp(times, np.arange(7 * 8), of_feature, period=7 * 8) for of_feature in levels])


def jumping(rng: np.random.Generator, grid: Grid, features: int, windows: int) -> Floats:
    """Levels AR(0.7) from window to window, sd 0.36, with steps like Student's t with 3 degrees of freedom."""
    return np.asarray(lfilter([1.0], [1.0, -0.7], 0.15 * rng.standard_t(3, (features, windows)), axis=1))


def in_common(levels: Levels) -> Levels:
    """All features have one cause."""
    return lambda rng, grid, features, windows: np.tile(levels(rng, grid, 1, windows), (features, 1))


FIVE = (0.4, 0.25, 0.2, 0.1, 0.05)
FIVE_HUNDRED = tuple((1 / np.arange(1, 501) / (1 / np.arange(1, 501)).sum()).tolist())

STREAMS = {
    stream.name: stream
    for stream in (
        Stream("iid", "independent normal values", steady),
        Stream("t3", "independent values, Student's t with 3 degrees of freedom", steady, family="t3"),
        Stream("lognormal", "independent log-normal values", steady, family="lognormal"),
        Stream("rate1", "a yes in 1 % of events", steady, shares=(0.99, 0.01)),
        Stream("rate30", "a yes in 30 % of events", steady, shares=(0.7, 0.3)),
        Stream("names5", "5 categories", steady, shares=FIVE),
        Stream("names500", "500 categories, the k-th with a share like 1/k", steady, shares=FIVE_HUNDRED),
        Stream("ar05", "levels AR(0.5) from window to window, sd 0.25", autocorrelated(0.5), level_sd=0.25),
        Stream("ar09", "levels AR(0.9) from window to window, sd 0.25", autocorrelated(0.9), level_sd=0.25),
        Stream("weather", "levels AR(0.9) from window to window, sd 1", autocorrelated(0.9, 1.0), level_sd=1.0),
        Stream("season", "a daily sine of 0.6 sd, weekends 0.3 sd higher", seasonal(0.6)),
        Stream("rush", "a daily sine of 1.5 sd, and seven times the events by day", seasonal(1.5), rush=1.0),
        Stream("mixseason", "5 categories, the season of 0.6 in their log-odds", seasonal(0.6), shares=FIVE),
        Stream("daylevels", "a level for each day, sd 0.25", daily, level_sd=0.25),
        Stream("mixdays", "5 categories, log-odds with a level for each day", daily, shares=FIVE, level_sd=0.25),
        Stream("windowlevels", "a level for each window, sd 0.5", by_window, level_sd=0.5),
        Stream(
            "mixwindows", "5 categories, log-odds with a level for each window", by_window, shares=FIVE, level_sd=0.5
        ),
        Stream("swings", "a daily sine whose height differs from day to day, by a fifth", swinging),
        Stream("weekdays", "a course of its own for each day of the week, sd 0.3", of_weekdays),
        Stream("jumps", "levels AR(0.7) that step like Student's t with 3 degrees of freedom", jumping, level_sd=0.36),
        Stream("walk", "a random walk of 0.3 sd in 90 days", wandering),
        Stream("clusters", "events come as five equal ones", steady, cluster=5),
        Stream("missing", "a rate of missing values whose logit has sd 0.5", steady, missing_sd=0.5),
        Stream("bursts", "a volume whose logarithm has sd 0.5", steady, burst_sd=0.5),
        Stream("onecause", "AR(0.9) levels that all features share", in_common(autocorrelated(0.9)), level_sd=0.25),
    )
}
"""Every stream, by its name."""
