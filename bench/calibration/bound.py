"""How soon things could be found where levels depend on one another: ``python -m bench.calibration.bound``.

Two procedures are told all about a stream but whether something has happened, and when: how far levels vary, how they
follow one another, how much chance is in a window. One is told what would happen as well, its size and its sign; the
other only that it is a step of 0.25, 0.5 or 1 standard deviations, up or down. They add up the likelihood ratios of all
times at which it may have begun (Shiryaev 1963, Roberts 1966), which next to no rule with as few false alarms can beat
(Pollak 1985), and they have the same budget as a signal of a model has. A rule that has to learn what these are told
finds less: a third procedure is told of levels of days that they are normal and independent, and not their mean and
their variance. Its likelihood ratios are those of all days that there are, with both integrated out (Jeffreys 1961).

They look at the mean of each window, as what the levels of :mod:`bench.calibration.streams` make of it, filtered to
innovations (Kalman 1960), which are independent while nothing happens.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench.calibration.forms import DAYS
from bench.calibration.grid import GRIDS, Grid
from bench.calibration.injections import INJECTIONS
from bench.calibration.power import FEATURES, HOUR, NEVER, course_name
from bench.calibration.streams import STREAMS
from bench.calibration.traffic import traffic_of

__all__ = ["CASES", "Case", "Filter", "Learner", "Procedure", "learned_lines", "lines", "main"]

Floats = NDArray[np.float64]

ALARM_DAYS = 30 * (FEATURES + 1)
"""Days in which a signal has one false alarm: those of a model, which has a volume too, are 1 per 30d."""

FILTERED_DAYS, REMEMBERED_DAYS, BLOCK_DAYS = 60, 28, 60
"""Until a filter stands; for how long a beginning is remembered; of a block in control, whose highest value counts."""

BLOCKS, TRIALS, SEED = 300, 300, 20_261_129

STEPS = (0.25, 0.5, 1.0, -0.25, -0.5, -1.0)

PHI = {"ar05": 0.5, "ar09": 0.9}
"""Of streams whose levels follow one another from window to window; others have one for each day."""


@dataclass(frozen=True)
class Case:
    """Something that is to be found in a stream within some days.

    Attributes
    ----------
    window, stream, injection : str
    days : float
    hour : int
        Of the day in which it begins.
    """

    window: str
    stream: str
    injection: str
    days: float
    hour: int = HOUR


CASES = (
    Case("1h", "ar09", "mean0.25", 14),
    Case("1h", "ar09", "mean0.5", 7),
    Case("1h", "ar09", "ramp1", 10),
    Case("1h", "ar09", "ramp2", 6.5),
    Case("1h", "daylevels", "ramp1", 10),
    Case("1h", "daylevels", "ramp2", 6.5),
    Case("1h", "daylevels", "mean0.5", 7, hour=0),
    Case("1d", "ar05", "ramp1", 10),
    Case("1d", "ar05", "ramp2", 6.5),
    Case("1d", "ar09", "ramp1", 17),
    Case("1d", "daylevels", "ramp1", 10),
    Case("1d", "daylevels", "ramp2", 6.5),
)
"""What the goals ask for where levels depend on one another, but for what is found in a window or two."""


@dataclass(frozen=True)
class Filter:
    """Turns means of windows into innovations with a standard deviation of 1, once it stands.

    Attributes
    ----------
    stream : str
    grid : Grid
    """

    stream: str
    grid: Grid

    @cached_property
    def _gains(self) -> tuple[Floats, Floats, Floats]:
        """For each window of a day: what is kept of the last level, how far means vary, how far they are followed."""
        stream, per_day = STREAMS[self.stream], self.grid.per_day
        kept = np.full(per_day, PHI.get(self.stream, 1.0))
        if self.stream not in PHI:
            kept[0] = 0.0
        noise = 1 / (self.grid.events * (1 - stream.missing))
        expected, gain = np.empty(per_day), np.empty(per_day)
        variance = stream.level_sd**2
        for window in range(FILTERED_DAYS * per_day):
            at = window % per_day
            ahead = kept[at] ** 2 * variance + (1 - kept[at] ** 2) * stream.level_sd**2
            expected[at], gain[at] = np.sqrt(ahead + noise), ahead / (ahead + noise)
            variance = ahead * (1 - gain[at])
        return kept, expected, gain

    def innovations(self, means: Floats, first: int = 0) -> Floats:
        """Return those of consecutive windows, float64[windows], of which the first is window ``first`` of its day."""
        return np.asarray(_filtered(means, first, *self._gains))

    def traces(self, injection: str) -> Floats:
        """Return what an injection adds to innovations, float64[windows of a day in which it begins, windows after]."""
        _, usual = traffic_of(STREAMS["iid"], self.grid, 1, REMEMBERED_DAYS, np.random.default_rng(SEED))
        shifts = INJECTIONS[injection].applied(usual, self.grid, 0, 1).level[0]
        return np.stack([self.innovations(shifts, first) for first in range(self.grid.per_day)])


@dataclass(frozen=True)
class Procedure:
    """Adds up the likelihood ratios of all times at which any of some things may have begun.

    Attributes
    ----------
    traces : float64 array [things, windows of a day in which they begin, windows after]
    """

    traces: Floats

    def statistics(self, innovations: Floats) -> Floats:
        """Return the logarithm of the sum after each window, float64[windows], of which the first begins a day."""
        return np.asarray(_summed(innovations, self.traces))

    def threshold(self, alarm_days: float = ALARM_DAYS, blocks: int = BLOCKS) -> float:
        """Return what the statistic exceeds once in so many days while nothing happens."""
        per_day = self.traces.shape[1]
        rng = np.random.default_rng(SEED)
        drawn = rng.normal(size=(blocks, (REMEMBERED_DAYS + BLOCK_DAYS) * per_day))
        return _exceeded([self.statistics(block)[REMEMBERED_DAYS * per_day :].max() for block in drawn], alarm_days)

    def delays_days(self, trace: Floats, hour: int, threshold: float, trials: int = TRIALS) -> Floats:
        """Return how soon something is found, in days, infinite for never; without trials that had an alarm before.

        Parameters
        ----------
        trace : float64 array [windows of a day in which it begins, windows after]
        hour : int
            Of the day in which it begins.
        threshold : float
        trials : int
        """
        per_day, windows = trace.shape
        begins = REMEMBERED_DAYS * per_day + hour * per_day // 24
        rng = np.random.default_rng(SEED + 1)
        delays: list[float] = []
        for _ in range(trials):
            innovations = rng.normal(size=begins + windows)
            innovations[begins:] += trace[begins % per_day]
            beyond = self.statistics(innovations) > threshold
            if not beyond[REMEMBERED_DAYS * per_day : begins].any():
                delays.append((int(beyond[begins:].argmax()) + 1) / per_day if beyond[begins:].any() else NEVER)
        return np.array(delays)


@dataclass(frozen=True)
class Learner:
    """Looks at levels of days of which it does not know what is usual.

    Attributes
    ----------
    days : int
        In control, before something happens.
    steps : float64 array [sizes]
        In standard deviations of a level.
    """

    days: int
    steps: Floats

    def statistics(self, levels: Floats) -> Floats:
        """Return the logarithm of the sum of likelihood ratios after each day behind the first ones, float64[days]."""
        return np.asarray(_summed_of_all(levels, self.days, self.steps))

    def threshold(self, alarm_days: float, blocks: int) -> float:
        """Return what the statistic exceeds once in so many days while nothing happens."""
        rng = np.random.default_rng(SEED)
        drawn = (rng.normal(size=self.days + BLOCK_DAYS) for _ in range(blocks))
        return _exceeded([self.statistics(block).max() for block in drawn], alarm_days)

    def delays_days(self, shift: float, threshold: float, trials: int) -> Floats:
        """Return after how many days a shift in standard deviations is found, infinite for never."""
        rng = np.random.default_rng(SEED + 1)
        delays = []
        for _ in range(trials):
            levels = rng.normal(size=self.days + REMEMBERED_DAYS)
            levels[self.days :] += shift
            beyond = self.statistics(levels) > threshold
            delays.append(float(beyond.argmax()) + 1 if beyond.any() else NEVER)
        return np.array(delays)


def _exceeded(highest: Sequence[float], alarm_days: float) -> float:
    """Return what the largest values of blocks in control exceed once in so many days."""
    return float(np.quantile(highest, np.exp(-BLOCK_DAYS / alarm_days)))


@njit(cache=True)
def _summed_of_all(levels: Floats, first: int, steps: Floats) -> Floats:
    sums = np.empty(len(levels) - first)
    for day in range(first, len(levels)):
        n = day + 1
        total, squares = levels[:n].sum(), (levels[:n] ** 2).sum()
        usual = squares - total * total / n
        ratios, shifted = 0.0, 0.0
        for length in range(1, day - first + 2):
            shifted += levels[n - length]
            for step in steps:
                moved = total - length * step
                left = squares - 2 * step * shifted + length * step * step - moved * moved / n
                ratios += (usual / left) ** ((n - 1) / 2)
        sums[day - first] = np.log(ratios / len(steps))
    return sums


@njit(cache=True)
def _filtered(means: Floats, first: int, kept: Floats, expected: Floats, gain: Floats) -> Floats:
    innovations = np.empty(len(means))
    level = 0.0
    for window in range(len(means)):
        at = (first + window) % len(kept)
        level *= kept[at]
        surprise = means[window] - level
        level += gain[at] * surprise
        innovations[window] = surprise / expected[at]
    return innovations


@njit(cache=True)
def _summed(innovations: Floats, traces: Floats) -> Floats:
    things, per_day, remembered = traces.shape
    ratios = np.zeros((things, remembered))
    sums = np.empty(len(innovations))
    for window in range(len(innovations)):
        ratios[:, window % remembered] = 0.0
        total = 0.0
        for begun in range(max(0, window - remembered + 1), window + 1):
            for thing in range(things):
                trace = traces[thing, begun % per_day, window - begun]
                ratios[thing, begun % remembered] += trace * (innovations[window] - trace / 2)
                total += np.exp(ratios[thing, begun % remembered])
        sums[window] = np.log(total / things)
    return sums


def steps_of(traces: Floats) -> Floats:
    """Return the traces of all :data:`STEPS`, of those of a step of 1."""
    return np.stack([size * traces for size in STEPS])


def lines(cases: Sequence[Case] = CASES, blocks: int = BLOCKS, trials: int = TRIALS) -> Iterator[str]:
    """Yield a table of what both procedures find."""
    yield "| window | stream | what happens | within | told all | told that it is a step |"
    yield "|---|---|---|---|---|---|"
    of_steps: dict[tuple[str, str], tuple[Procedure, float]] = {}
    for case in cases:
        filtered = Filter(case.stream, GRIDS[case.window])
        if (case.stream, case.window) not in of_steps:
            procedure = Procedure(steps_of(filtered.traces("mean1")))
            of_steps[case.stream, case.window] = procedure, procedure.threshold(blocks=blocks)
        trace = filtered.traces(case.injection)
        told_all = Procedure(trace[None])
        procedures = (told_all, told_all.threshold(blocks=blocks)), of_steps[case.stream, case.window]
        cells = [_cell(each.delays_days(trace, case.hour, limit, trials), case.days) for each, limit in procedures]
        course = course_name(case.stream, case.hour)
        yield f"| {case.window} | {course} | {case.injection} | {case.days:g} days | {' | '.join(cells)} |"


def learned_lines(blocks: int = 10 * BLOCKS, trials: int = 10 * TRIALS) -> Iterator[str]:
    """Yield a table of what is found of 0.5 sd from midnight on by whoever has to learn what days are like."""
    yield "| windows of | learned from | 0.5 sd from 00:00, within 7 days | with half of the budget |"
    yield "|---|---|---|---|"
    stream = STREAMS["daylevels"]
    for window, (days, _) in DAYS.items():
        grid = GRIDS[window]
        spread = np.sqrt(stream.level_sd**2 + 1 / (grid.events * grid.per_day))
        learner = Learner(days, np.array(STEPS) / spread)
        cells = []
        for alarm_days in (ALARM_DAYS, 2 * ALARM_DAYS):
            threshold = learner.threshold(alarm_days, blocks)
            cells.append(_cell(learner.delays_days(0.5 / spread, threshold, trials), 7))
        yield f"| {window} | {days} days | {' | '.join(cells)} |"


def _cell(delays_days: Floats, days: float) -> str:
    return f"{100 * np.mean(delays_days <= days):.0f} %, half after {np.median(delays_days):.1f} days"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.calibration.bound", description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS, help="of each case (default: %(default)s)")
    options = parser.parse_args(arguments)
    for line in chain(lines(trials=options.trials), [""], learned_lines(trials=10 * options.trials)):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
