"""Whether a signal that people call false alarms of comes to alarm at the accepted rate, and what it still finds.

Models of ten numbers that do what no model of levels expects: they spike at any time, jump between two levels, or stay
somewhere else for a while. Each is followed twice: nobody says anything, or each alert is marked ``false`` when the day
is over on which it ended. Alarms are counted in the first half of the time and in the last two weeks, beside those that
are accepted. Then all numbers move by half a standard deviation, for good: of how many is that told within an hour, and
within a day::

    python -m bench.false_marks [--models 3] [--seed 1]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.calibration.draw import draw
from bench.calibration.grid import GRIDS, START_MS, Grid
from bench.calibration.injections import INJECTIONS
from bench.calibration.panes import pane_rows
from bench.calibration.streams import Levels, Stream
from bench.calibration.traffic import traffic_of
from bench.calibration.trial import Trial
from bench.calibration.watched import MODEL, Rule, watched
from monitor.alerts.transition import Transition
from monitor.evaluate.mark_log import Mark
from monitor.values import DAY_MS

__all__ = ["STREAMS", "Counted", "main", "measured"]

Floats = NDArray[np.float64]

FEATURES, ACCEPTED_PER_DAY = 10, 1 / 7
DAYS = {"5m": 56, "1h": 112}
"""How long a model is followed, by its windows."""

LAST_DAYS, AFTER_DAYS = 14, 1
"""Days of which alarms are counted last, and days for which numbers stay where they have moved to."""


def spiking(per_day: float, minutes: float) -> Levels:
    """Higher by one for so many minutes, at any time."""

    def levels(rng: np.random.Generator, grid: Grid, features: int, windows: int) -> Floats:
        begins = rng.random((features, windows)) < per_day / grid.per_day
        long = max(round(minutes / 1440 * grid.per_day), 1)
        return np.array([np.convolve(begun, np.ones(long))[:windows] for begun in begins]).clip(0.0, 1.0)

    return levels


def switching(days: float) -> Levels:
    """Half a standard deviation up and down again, each time after so many days on average."""

    def levels(rng: np.random.Generator, grid: Grid, features: int, windows: int) -> Floats:
        switched = np.cumsum(rng.random((features, windows)) < 1 / (days * grid.per_day), axis=1)
        return np.asarray(0.5 * (switched % 2))

    return levels


STREAMS = (
    (Stream("spikes", "five minutes of 1 sd once a day, at any time", spiking(1.0, 5)), "5m"),
    (Stream("levels", "two levels 0.5 sd apart, for two days each", switching(2.0)), "5m"),
    (Stream("hours", "an hour of 1 sd every ten days, at any time", spiking(0.1, 60)), "1h"),
    (Stream("visits", "90 minutes of 1 sd every third day, at any time", spiking(1 / 3, 90)), "1h"),
)


@dataclass
class Counted:
    """Alarms of models, of which everything or nothing was called false.

    Attributes
    ----------
    marks, first, later : int
        Marks, and alarms in the first half of the days and in the last two weeks.
    in_hour, in_day : int
        Numbers of which a lasting move was told so soon.
    """

    marks: int = 0
    first: int = 0
    later: int = 0
    in_hour: int = 0
    in_day: int = 0


def measured(stream: Stream, grid: Grid, models: int, seed: int, *, is_marked: bool) -> Counted:
    """Follow models, with or without marks."""
    counted, days = Counted(), DAYS[grid.name]
    for number in range(models):
        rng = np.random.default_rng([seed, number])
        history, traffic = traffic_of(stream, grid, FEATURES, days + AFTER_DAYS, rng)
        traffic = INJECTIONS["mean0.5"].applied(traffic, grid, days * grid.per_day, FEATURES)
        model = watched(stream, grid, history, Rule(budget="1 per 7d"), [seed, number, 0])
        trial, marks = Trial(model), dict[tuple[str, str], Mark]()
        for day in range(days + AFTER_DAYS):
            first = day * grid.per_day
            part = traffic.between(first, first + grid.per_day)
            drawn = draw(stream, model.layouts, part, part.between(0, 1), [seed, number, 1, day])
            ends_ms = grid.ends_ms(first, part.windows)
            transitions = trial.advance(pane_rows(model, drawn, ends_ms), ends_ms)
            if is_marked:
                marks |= dict(_marked(transitions, ends_ms[-1] + grid.window_ms))
                trial.decide(list(marks.values()))
        fired = (np.array(trial.fired_ms) - START_MS) / DAY_MS
        counted.marks += len(marks)
        counted.first += int((fired <= days / 2).sum())
        counted.later += int(((fired > days - LAST_DAYS) & (fired <= days)).sum())
        moved_ms = START_MS + days * DAY_MS
        told = [{at_ms - moved_ms for at_ms in trial.told_ms[signal] if at_ms > moved_ms} for signal in model.signals]
        counted.in_hour += sum(min(of_signal, default=DAY_MS) <= DAY_MS // 24 for of_signal in told)
        counted.in_day += sum(bool(of_signal) for of_signal in told)
    return counted


def _marked(transitions: Sequence[Transition], effective_ms: int) -> Iterator[tuple[tuple[str, str], Mark]]:
    """Yield a mark for each signal of an alert that has ended, by both."""
    for transition in transitions:
        for entry in transition.signals if transition.state == "resolved" else ():
            from_ms, to_ms = entry["since_ms"], transition.at_ms
            mark = Mark(
                MODEL, entry["signal"], "", "", "false", from_ms, to_ms, "bench", "", to_ms, effective_ms,
                transition.alert_id,
            )  # fmt: skip
            yield (transition.alert_id, entry["signal"]), mark


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each stream."""
    parser = argparse.ArgumentParser(prog="python -m bench.false_marks", description=__doc__)
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    print("| numbers | windows | alerts | marks | first half | last two weeks | told in an hour | in a day |")
    print("|---|---|---|---|---|---|---|---|")
    numbers = FEATURES * options.models
    for stream, window in STREAMS:
        for is_marked in (False, True):
            counted = measured(stream, GRIDS[window], options.models, options.seed, is_marked=is_marked)
            first, later = (options.models * ACCEPTED_PER_DAY * days for days in (DAYS[window] / 2, LAST_DAYS))
            print(
                f"| {stream.meaning} | {window} | {'marked' if is_marked else 'not marked'} | {counted.marks} "
                f"| {counted.first} of {first:.0f} | {counted.later} of {later:.0f} "
                f"| {counted.in_hour / numbers:.0%} | {counted.in_day / numbers:.0%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
