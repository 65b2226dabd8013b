"""Signals for the alarm rule, as contrasts of windows day after day, and what its charts say of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from detectors.change.contrasts import OUTER_DISTANCES, ScoreTable, normal_quantiles, number_contrasts
from detectors.change.legend import (
    EVIDENCE,
    EXCEEDS,
    GROUPS,
    INNER,
    LEADING_ROW,
    LOCATION,
    RATE,
    RATES,
    SCORE,
    SHIFT,
    SPREAD,
    STATUS,
    VOLUME,
    VOLUMES,
)
from detectors.change.model import Evidence, ModelCharts, Settings
from detectors.distance.tail import normal_sf

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

NUMBER = ((SCORE, LOCATION), (SCORE, SPREAD), (RATE, RATES))
"""A number: its location, its spread, and the rate of missing values."""

SHARE = ((RATE, RATES),)
COUNT = ((VOLUME, VOLUMES),)

EVENTS = 500
"""Events of an hour."""

TABLE = ScoreTable(np.full(INNER, 100))
ENDS = float(normal_quantiles([1 - 0.5 / (INNER * 100)])[0]) + OUTER_DISTANCES
FENCES = np.concatenate((-ENDS[::-1], normal_quantiles(np.arange(1, INNER) / INNER), ENDS))
"""What lies between groups, where values of the reference are standard normal."""


def is_weekend(day: int) -> bool:
    return day % 7 >= 5


def times_of(windows_per_day: int) -> Floats:
    return (np.arange(windows_per_day) + 0.5) / windows_per_day


def evidence_of(
    values: npt.ArrayLike, events: npt.ArrayLike = 1.0, units: npt.ArrayLike = 1.0, *, series: int = 1
) -> Evidence:
    """Evidence of a whole day, of contrasts [R, T]; nothing repeats itself, and every series is present."""
    rows = np.array(values, dtype=np.float64)
    shape = (series, rows.shape[1])
    return Evidence(
        values=rows,
        events=np.array(np.broadcast_to(np.asarray(events, dtype=np.float64), rows.shape)),
        units=np.array(np.broadcast_to(np.asarray(units, dtype=np.float64), rows.shape)),
        repeats=np.zeros(shape),
        present=np.ones(shape),
        places=times_of(rows.shape[1]),
    )


def cut(evidence: Evidence, start: int, stop: int) -> Evidence:
    """Return the windows from ``start`` to before ``stop``."""
    parts = (evidence.values, evidence.events, evidence.units, evidence.repeats, evidence.present)
    values, events, units, repeats, present = (np.ascontiguousarray(part[:, start:stop]) for part in parts)
    return Evidence(values, events, units, repeats, present, evidence.places[start:stop].copy())


def beside(*signals: Evidence) -> Evidence:
    """Return series side by side."""

    def stacked(name: str) -> Floats:
        return np.concatenate([getattr(signal, name) for signal in signals])

    values, events, units = stacked("values"), stacked("events"), stacked("units")
    return Evidence(values, events, units, stacked("repeats"), stacked("present"), signals[0].places)


@dataclass
class Number:
    """A number's windows, drawn as counts of its groups.

    Attributes
    ----------
    rng : Generator
    events : float, or float64 array [T]
        Of a window on average.
    missing, spread : float
        The share of them without a value, standard deviation of a value.
    """

    rng: np.random.Generator
    events: float | Floats = EVENTS
    missing: float = 0.02
    spread: float = 1.0
    previous: Integers = field(default_factory=lambda: np.zeros(GROUPS, dtype=np.int64))

    def day(self, locations: npt.ArrayLike, *, missing: float | Floats | None = None) -> Evidence:
        """Draw the windows of a day, with these locations, float64[T]."""
        location = np.asarray(locations, dtype=np.float64)
        beyond = normal_sf((FENCES - location[:, np.newaxis]) / self.spread)
        ends = np.ones((len(location), 1)), np.zeros((len(location), 1))
        shares = -np.diff(np.concatenate((ends[0], beyond, ends[1]), axis=1), axis=1)
        events = self.rng.poisson(self.events, len(location))
        absent = self.rng.binomial(events, self.missing if missing is None else missing)
        return self.of_counts(self.rng.multinomial(events - absent, shares), absent)

    def of_counts(self, grouped: Integers, absent: Integers) -> Evidence:
        """Return the evidence of windows with these counts of groups, int64[T, GROUPS], and of missing values."""
        size = len(grouped)
        values, units, repeats = np.empty((3, size)), np.empty((size, 2)), np.empty(size)
        number_contrasts(
            grouped, np.arange(GROUPS), TABLE.scores, self.previous, TABLE.locations, TABLE.spreads, TABLE.floor,
            TABLE.fewest, TABLE.resolved, TABLE.units, values[0], values[1], repeats, units,
        )  # fmt: skip
        values[2] = absent
        n = grouped.sum(axis=1)
        events = np.array([np.maximum(n, 1), np.maximum(n - 1, 1), n + absent], dtype=np.float64)
        evidence = evidence_of(values, events)
        evidence.units[:2] = units.T
        evidence.repeats[0] = repeats
        return evidence


@dataclass
class Course:
    """What charts said of days, window by window and day by day.

    Attributes
    ----------
    by_window, by_day : list of float64 arrays [S, T, VERDICT] and [S, VERDICT]
    """

    by_window: list[Floats] = field(default_factory=list)
    by_day: list[Floats] = field(default_factory=list)

    @property
    def evidence(self) -> Floats:
        """Of each series in each window."""
        return np.concatenate(self.by_window, axis=1)[..., EVIDENCE]

    @property
    def status(self) -> Floats:
        return np.concatenate(self.by_window, axis=1)[..., STATUS]

    def alarms(self, series: int = 0) -> list[tuple[int, int]]:
        """Return the day and window of each alarm of a series; that of a whole day has its number of windows."""
        alarms = []
        for day, (windows, whole) in enumerate(zip(self.by_window, self.by_day, strict=True)):
            alarms += [(day, int(t)) for t in np.flatnonzero(windows[series, :, STATUS] == EXCEEDS)]
            alarms += [(day, windows.shape[1])] * bool(whole[series, STATUS] == EXCEEDS)
        return alarms

    def shift(self, day: int, window: int, series: int = 0) -> tuple[int, float]:
        """Return which contrast moved most in an alarm, and how far."""
        verdict = self.by_window[day][series, window]
        return int(verdict[LEADING_ROW]), float(verdict[SHIFT])


def charts_of(
    *signals: Sequence[tuple[int, int]],
    windows_per_day: int = 24,
    signals_in_all: int = 10,
    false_alarms: float = 1 / 30,
) -> ModelCharts:
    """Return the charts of signals that begin on day 0, in a model that has a budget of its own for each."""
    charts = ModelCharts(Settings(false_alarms, signals_in_all, windows_per_day))
    charts.add(signals, 0)
    return charts


def follow(
    charts: ModelCharts, days: range, evidence: Callable[[int], Evidence], course: Course | None = None
) -> Course:
    """Lead charts through days."""
    course = course or Course()
    for day in days:
        charts.begin(day, weekend=is_weekend(day))
        course.by_window.append(charts.watch(evidence(day)))
        course.by_day.append(charts.close())
    return course


def autoregressive(rng: np.random.Generator, size: int, carry: float, spread: float) -> Floats:
    """A stationary level: a_t = φ a_{t-1} + u_t with standard deviation ``spread``."""
    level = np.empty(size)
    level[0] = spread * rng.normal()
    for t in range(1, size):
        level[t] = carry * level[t - 1] + spread * np.sqrt(1 - carry * carry) * rng.normal()
    return level


def daily_season(day: int, windows_per_day: int = 24, *, height: float = 0.6, weekend: float = 0.3) -> Floats:
    """A sine over the day, higher on weekends."""
    wave = height * np.sin(2 * np.pi * times_of(windows_per_day))
    return np.asarray(wave + weekend * is_weekend(day))
