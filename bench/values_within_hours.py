"""Whether what values do within hours is known, and what goes further is found.

Numbers whose values change for some minutes of each night, at a minute of their own, or from some minute on until
another one, as in office hours, or that have a course of their own for each day of the week with sharp corners. Models
of ten such numbers are followed for nine weeks: how many alarms there are in the first two, and in the others, of how
many accepted. Then, on a day: what comes at its minute goes three times as far, or the number moves by half a standard
deviation from noon on. Of each of these: of how many numbers it is found on that day::

    python -m bench.values_within_hours [--models 10] [--seed 1]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.change.legend import EXCEEDS, LOCATION, SCORE, STATUS
from detectors.change.model import Evidence, ModelCharts, Settings

__all__ = ["PATTERNS", "Numbers", "Pattern"]

Floats = NDArray[np.float64]
Levels = Callable[[Floats, int, Floats], Floats]
"""Makes the levels of numbers, float64[NUMBERS, T], of their minutes, of a day and of the hours of its windows."""

NUMBERS, EVENTS_AN_HOUR = 10, 4800
FALSE_ALARMS = 1 / 30
"""Accepted of a model, a day."""

WEEKS, FIRST_WEEKS = 9, 2
KNOTS = np.random.default_rng(0).normal(0.0, 0.45, size=(NUMBERS, 7 * 8))
"""Levels of each number at every third hour of the week."""


@dataclass(frozen=True)
class Pattern:
    """What numbers do within hours.

    Attributes
    ----------
    meaning : str
    minutes : int
        Of a window.
    levels : callable
    """

    meaning: str
    minutes: int
    levels: Levels


def job(size: float, minutes: float, day_of_week: int | None = None) -> Levels:
    """Higher for some minutes, from two o'clock and a minute of its own on."""

    def levels(begins: Floats, day: int, hours: Floats) -> Floats:
        comes = day_of_week in (None, day % 7)
        return np.asarray(size * comes * ((hours >= 2 + begins) & (hours < 2 + begins + minutes / 60)))

    return levels


def office_hours(size: float, days: int = 7) -> Levels:
    """Higher from a minute after nine until one after five, on the first days of the week."""

    def levels(begins: Floats, day: int, hours: Floats) -> Floats:
        return np.asarray(size * (day % 7 < days) * ((hours >= 9 + begins) & (hours < 17 + begins)))

    return levels


def corners(_: Floats, day: int, hours: Floats) -> Floats:
    """A level at every third hour of the week, and straight lines between."""
    at = 8 * (day % 7) + hours / 3
    return np.array([np.interp(at, np.arange(7 * 8), of_number, period=7 * 8) for of_number in KNOTS])


PATTERNS = (
    Pattern("nothing", 5, job(0.0, 0)),
    Pattern("1 sd for 20 minutes each night", 5, job(1.0, 20)),
    Pattern("1 sd for 20 minutes each night", 15, job(1.0, 20)),
    Pattern("0.3 sd for 10 minutes each night", 5, job(0.3, 10)),
    Pattern("1 sd from twenty past nine on, or another minute", 5, office_hours(1.0)),
    Pattern("the same on weekdays", 5, office_hours(1.0, days=5)),
    Pattern("1 sd for 20 minutes on Mondays", 5, job(1.0, 20, day_of_week=0)),
    Pattern("1 sd for two hours on Mondays", 5, job(1.0, 120, day_of_week=0)),
    Pattern("1 sd for two hours on Mondays", 60, job(1.0, 120, day_of_week=0)),
    Pattern("sharp corners, other ones on each day of the week", 5, corners),
)


class Numbers:
    """The numbers of a model, day after day; day 0 is a Monday.

    Parameters
    ----------
    seed : int
    pattern : Pattern

    Attributes
    ----------
    charts : ModelCharts
    day : int
        The one that comes next.
    raised : list of (float, int)
        When alarms were raised, in days, and of which number.
    """

    def __init__(self, seed: int, pattern: Pattern) -> None:
        self._rng, self._pattern = np.random.default_rng(seed), pattern
        windows = 1440 // pattern.minutes
        self._times, self._begins = (np.arange(windows) + 0.5) / windows, self._rng.random((NUMBERS, 1))
        # What a window has is the mean of its minutes.
        self._minutes = (np.arange(1440) + 0.5) / 60
        self.charts = ModelCharts(Settings(FALSE_ALARMS, NUMBERS, windows))
        self.charts.add([((SCORE, LOCATION),)] * NUMBERS, 0)
        self.day = 0
        self.raised: list[tuple[float, int]] = []

    def run(self, days: int, *, times: float = 1.0, from_noon: float = 0.0) -> None:
        """Let days pass on which levels are so many times what they are, and are higher from noon on."""
        ones = np.ones((NUMBERS, len(self._times)))
        events = EVENTS_AN_HOUR * self._pattern.minutes / 60
        for day in range(self.day, self.day + days):
            self.charts.begin(day, weekend=day % 7 >= 5)
            of_minutes = self._pattern.levels(self._begins, day, self._minutes)
            levels = times * of_minutes.reshape(NUMBERS, len(self._times), -1).mean(axis=2)
            values = levels + from_noon * (self._times >= 0.5) + self._rng.normal(size=ones.shape) / np.sqrt(events)
            of_day = self.charts.watch(Evidence(values, events * ones, ones, 0 * ones, ones, self._times))
            statuses = np.column_stack((of_day[..., STATUS], self.charts.close()[:, STATUS]))
            ends = np.append(self._times, 1.0)
            self.raised += [(float(day + ends[t]), n) for n, t in np.argwhere(statuses == EXCEEDS).tolist()]
        self.day += days


def lines_of(models: int, seed: int) -> Iterator[str]:
    """Yield a row of a table for each pattern."""
    for pattern in PATTERNS:
        followed = [Numbers(seed + number, pattern) for number in range(models)]
        for each in followed:
            each.run(7 * WEEKS)
        first = sum(at < 7 * FIRST_WEEKS for each in followed for at, _ in each.raised)
        later = sum(len(each.raised) for each in followed) - first
        accepted = [models * FALSE_ALARMS * 7 * weeks for weeks in (FIRST_WEEKS, WEEKS - FIRST_WEEKS)]
        cells = [pattern.meaning, f"{pattern.minutes} min", f"{first} of {accepted[0]:.1f}"]
        cells += [f"{later} of {accepted[1]:.1f}", _found(followed, times=3.0), _found(followed, from_noon=0.5)]
        yield "| " + " | ".join(cells) + " |"


def _found(followed: list[Numbers], *, times: float = 1.0, from_noon: float = 0.0) -> str:
    """Say of how many numbers what happens on the next day is found then."""
    found = 0
    for each in map(deepcopy, followed):
        begins = each.day
        each.run(1, times=times, from_noon=from_noon)
        found += len({number for at, number in each.raised if at >= begins})
    return f"{found / (NUMBERS * len(followed)):.0%}".replace("%", " %")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=10, help="of each pattern (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    options = parser.parse_args()
    print("| within hours | window | two weeks | seven more | three times as far | 0.5 sd from noon on |")
    print("|---|---|---|---|---|---|")
    for line in lines_of(options.models, options.seed):
        print(line, flush=True)


if __name__ == "__main__":
    main()
