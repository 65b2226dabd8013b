"""Whether jobs in traffic that never ends are known, and what fails beside them is found.

Traffic has a daily season of 0.6 in the logarithm, and a job on the hour, each night or each Monday, or much more of
it comes in working hours. Of each such pattern streams are followed for twelve weeks. The last nine of them say how
many alarms there are, of how many accepted; then the job does not come for a day, half of it does, all traffic is
halved, or there is none. Of each of these: in how many streams it is found, and after how many hours in half of those::

    python -m bench.scheduled_jobs [--streams 20] [--seed 1]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.change.legend import EXCEEDS, LEADING_ROW, SHIFT, STATUS, VOLUME, VOLUMES
from detectors.change.model import Evidence, ModelCharts, Settings

__all__ = ["PATTERNS", "Pattern", "Traffic"]

Floats = NDArray[np.float64]

SEASON = 0.6
"""Amplitude of the daily sine of the logarithm of traffic."""

WEEKS, SETTLED_WEEKS = 12, 3
"""For how long a stream is followed, and after how much of it a pattern has to be known."""

FALSE_ALARMS = 1 / 30
"""Accepted of a model, a day, which has one signal more."""

SIGNALS = 2


@dataclass(frozen=True)
class Pattern:
    """A job, and the traffic that it is in.

    Attributes
    ----------
    meaning : str
    windows : int
        Of a day.
    per_hour : float
        Events of ordinary traffic, on average.
    jobs : callable
        Makes the events of the windows of a day that are expected of a job.
    """

    meaning: str
    windows: int
    per_hour: float
    jobs: Callable[[int, int], Floats]


def on_the_hour(_: int, windows: int) -> Floats:
    """A hundred events in the first window of each hour."""
    return np.where(np.arange(windows) % (windows // 24) == 0, 100.0, 0.0)


def at_three(_: int, windows: int) -> Floats:
    """Three thousand events within five minutes."""
    minutes = np.arange(windows) * 1440 // windows
    is_there = (minutes >= 180) & (minutes < 185)
    return np.where(is_there, 3000.0 / is_there.sum(), 0.0)


def on_mondays(day: int, windows: int) -> Floats:
    """As many, in an hour."""
    hour = np.arange(windows) // (windows // 24) == 3
    return np.where(hour & (day % 7 == 0), 3000.0 / hour.sum(), 0.0)


def from_nine(_: int, windows: int) -> Floats:
    """Fifteen hundred an hour from 8:53 until 18:00."""
    times = (np.arange(windows) + 0.5) / windows
    return np.where((times > 0.37) & (times < 0.75), 1500.0 * 24 / windows, 0.0)


def in_office_hours(day: int, windows: int) -> Floats:
    """Two hundred an hour from nine to five on weekdays, and eight else from seven until ten at night."""
    hours = (np.arange(windows) + 0.5) * 24 / windows
    awake = np.where((hours > 7) & (hours < 22), 8.0, 0.0)
    at_work = (hours > 9) & (hours < 17) & (day % 7 < 5)
    return np.where(at_work, 200.0, awake) * 24 / windows


def none(_: int, windows: int) -> Floats:
    """No job."""
    return np.zeros(windows)


PATTERNS = (
    Pattern("no job", 288, 20.0, none),
    Pattern("100 events on the hour", 288, 20.0, on_the_hour),
    Pattern("3000 events at three at night", 288, 20.0, at_three),
    Pattern("3000 events at three at night", 288, 500.0, at_three),
    Pattern("3000 events on Mondays, in an hour", 288, 20.0, on_mondays),
    Pattern("3000 events on Mondays, in an hour", 24, 20.0, on_mondays),
    Pattern("3000 events on Mondays, in an hour", 24, 500.0, on_mondays),
    Pattern("1500 more an hour from 8:53 to 18:00", 288, 500.0, from_nine),
    Pattern("200 more an hour in office hours", 288, 1.0, in_office_hours),
    Pattern("200 more an hour in office hours", 24, 1.0, in_office_hours),
)


class Traffic:
    """The number of events of a model, day after day; day 0 is a Monday.

    Parameters
    ----------
    seed : int
    pattern : Pattern

    Attributes
    ----------
    charts : ModelCharts
    day : int
        The one that comes next.
    raised : list of (float, float)
        When alarms were raised, in days, and about which shift.
    """

    def __init__(self, seed: int, pattern: Pattern) -> None:
        self._rng, self._pattern = np.random.default_rng(seed), pattern
        self._times = (np.arange(pattern.windows) + 0.5) / pattern.windows
        self.charts = ModelCharts(Settings(FALSE_ALARMS, SIGNALS, pattern.windows))
        self.charts.add([[(VOLUME, VOLUMES)]], 0)
        self.day = 0
        self.raised: list[tuple[float, float]] = []

    def run(self, days: int, *, jobs: Callable[[int, int], Floats] | None = None, share: float = 1.0) -> None:
        """Let days pass, with other jobs than usual, and with a share of all events."""
        pattern, times = self._pattern, self._times
        ones = np.ones((1, len(times)))
        for day in range(self.day, self.day + days):
            self.charts.begin(day, weekend=day % 7 >= 5)
            usual = pattern.per_hour * 24 / pattern.windows * np.exp(SEASON * np.sin(2 * np.pi * times))
            means = share * (usual + (jobs or pattern.jobs)(day, pattern.windows))
            counts = self._rng.poisson(means).astype(np.float64)[np.newaxis]
            of_day = self.charts.watch(Evidence(counts, ones, ones, 0 * ones, ones, times))[0]
            for at, verdict in [*zip(times, of_day, strict=True), (1.0, self.charts.close()[0])]:
                if verdict[STATUS] == EXCEEDS and verdict[LEADING_ROW] >= 0:
                    self.raised.append((float(day + at), float(verdict[SHIFT])))
        self.day += days

    def raised_from(self, day: float) -> list[tuple[float, float]]:
        """Return the alarms from a day on."""
        return [(at, shift) for at, shift in self.raised if at >= day]


def lines_of(streams: int, seed: int) -> Iterator[str]:
    """Yield a row of a table for each pattern."""
    for pattern in PATTERNS:
        traffic = [Traffic(seed + number, pattern) for number in range(streams)]
        for each in traffic:
            each.run(7 * WEEKS)
        alarms = sum(len(each.raised_from(7 * SETTLED_WEEKS)) for each in traffic)
        accepted = streams * 7 * (WEEKS - SETTLED_WEEKS) * FALSE_ALARMS / SIGNALS
        faults = [_found(traffic, jobs=none), _found(traffic, jobs=_half_of(pattern.jobs))]
        if pattern.jobs is none:
            faults = ["", ""]
        faults += [_found(traffic, share=0.5), _found(traffic, share=0.0)]
        cells = [pattern.meaning, f"{1440 // pattern.windows} min", f"{pattern.per_hour:.0f}"]
        yield "| " + " | ".join([*cells, f"{alarms} of {accepted:.0f}", *faults]) + " |"


def _half_of(jobs: Callable[[int, int], Floats]) -> Callable[[int, int], Floats]:
    return lambda day, windows: 0.5 * jobs(day, windows)


def _found(traffic: list[Traffic], *, jobs: Callable[[int, int], Floats] | None = None, share: float = 1.0) -> str:
    """Say in how many streams what happens on the next day is found then, and after how many hours in half of these."""
    hours = []
    for each in map(deepcopy, traffic):
        begins = each.day
        each.run(1, jobs=jobs, share=share)
        # It is less than usual, whatever it is.
        found = [at - begins for at, shift in each.raised_from(begins) if shift < 0]
        hours += [24 * found[0]] if found else []
    return f"{len(hours) / len(traffic):.0%}".replace("%", " %") + (f", {np.median(hours):.1f} h" if hours else "")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=20, help="of each pattern (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    options = parser.parse_args()
    print("| job | window | events an hour | alarms, of accepted | no job | half of it | half of all | nothing |")
    print("|---|---|---|---|---|---|---|---|")
    for line in lines_of(options.streams, options.seed):
        print(line, flush=True)


if __name__ == "__main__":
    main()
