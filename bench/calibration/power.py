"""How soon a model finds what happens to its signals."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bench.calibration.draw import draw
from bench.calibration.grid import Grid
from bench.calibration.injections import INJECTIONS, Injection
from bench.calibration.oracle import oracle_delays
from bench.calibration.panes import pane_rows
from bench.calibration.streams import STREAMS, Stream
from bench.calibration.traffic import Traffic, traffic_of
from bench.calibration.trial import Trial
from bench.calibration.watched import Rule, Watched, watched
from monitor.values import DAY_MS

__all__ = ["FEATURES", "INJECTED", "NEVER", "Course", "Found", "course_name", "find"]

FEATURES, INJECTED = 10, 5
"""Features of a model, and those of them to which something happens: each of these is a trial."""

HOUR = 10
"""Of the day in which things happen, unless stated."""

NEVER = math.inf
"""The delay of what is not found."""


@dataclass(frozen=True)
class Course:
    """A stream that is in control for some days, and then is not.

    Attributes
    ----------
    stream : str
    grid : Grid
    trials : int
    before, after : int
        Days in control, and days in which something is to be found.
    hour : int
        Of the day in which it begins.
    """

    stream: str
    grid: Grid
    trials: int
    before: int
    after: int
    hour: int = HOUR

    @property
    def start(self) -> int:
        """The window in which it begins."""
        return self.before * self.grid.per_day + self.hour * self.grid.per_day // 24

    def injections(self, names: Sequence[str] = ()) -> list[Injection]:
        """Return what can happen to the stream, or those of it that are named."""
        of_names = bool(STREAMS[self.stream].shares)
        return [
            injection
            for injection in INJECTIONS.values()
            if injection.fits(names=of_names, grid=self.grid) and (not names or injection.name in names)
        ]


@dataclass(frozen=True)
class Found:
    """How soon one thing was found in each trial of a course.

    Attributes
    ----------
    stream, window, injection : str
    hour : int
    per_day : int
        Windows of a day.
    delays : tuple of float
        Windows after the first one in which it happens; ``NEVER``.
    oracle : tuple of float
        Those of a chart that knows the stream; empty for what it cannot see.
    recurrences, recurrences_found : int
        How often it came again, and how often it was found anew.
    """

    stream: str
    window: str
    injection: str
    hour: int
    per_day: int
    delays: tuple[float, ...]
    oracle: tuple[float, ...]
    recurrences: int = 0
    recurrences_found: int = 0

    @property
    def course(self) -> str:
        """The stream, and when it began if that is not the usual hour."""
        return course_name(self.stream, self.hour)

    def within(self, windows: float) -> float:
        """Return the share of trials in which it was found in its first so many windows."""
        return float(np.mean([delay < windows for delay in self.delays]))

    def within_days(self, days: float) -> float:
        """Return the share of trials in which it was found in its first so many days."""
        return self.within(max(days * self.per_day, 1))

    def oracle_within(self, windows: float) -> float:
        """Return the share of trials in which the chart that knows the stream found it."""
        return float(np.mean([delay < windows for delay in self.oracle])) if self.oracle else math.nan

    def to_json(self) -> dict[str, Any]:
        """Return the trials with None for what was not found."""
        delays = {
            name: [None if delay == NEVER else delay for delay in getattr(self, name)] for name in ("delays", "oracle")
        }
        return vars(self) | delays

    @classmethod
    def from_json(cls, cell: Mapping[str, Any]) -> Found:
        """Return the trials that `to_json` gave."""
        delays = {
            name: tuple(NEVER if delay is None else delay for delay in cell[name]) for name in ("delays", "oracle")
        }
        return cls(**{**cell, **delays})


def course_name(stream: str, hour: int) -> str:
    """Return the name of a stream, with the hour in which something happens if that is not the usual one."""
    return stream if hour == HOUR else f"{stream} from {hour:02}:00"


def find(
    course: Course, injections: Sequence[Injection], rule: Rule, seed: int, step: Callable[[], None] = lambda: None
) -> list[Found]:
    """Let things happen to models of one course.

    Parameters
    ----------
    course : Course
    injections : sequence of Injection
    rule : Rule
    seed : int
    step : callable
        Called after each model.
    """
    outcomes: dict[str, list[_Outcome]] = defaultdict(list)
    for number in range(course.trials):
        # A model has one volume, but several features.
        wanted = [
            injection for injection in injections if injection.signal == "volume" or number * INJECTED < course.trials
        ]
        if wanted:
            model = _Model.made(course, rule, [seed, number, *f"{course.stream}/{course.grid.name}".encode()])
            for injection in wanted:
                outcomes[injection.name] += model.outcomes(injection)
        step()
    return [_found(course, injection, outcomes[injection.name]) for injection in injections]


def _found(course: Course, injection: Injection, outcomes: Sequence[_Outcome]) -> Found:
    return Found(
        course.stream,
        course.grid.name,
        injection.name,
        course.hour,
        course.grid.per_day,
        delays=tuple(outcome.delay for outcome in outcomes),
        oracle=tuple(outcome.oracle for outcome in outcomes if outcome.oracle is not None),
        recurrences=sum(len(outcome.recurrences) for outcome in outcomes),
        recurrences_found=sum(sum(outcome.recurrences) for outcome in outcomes),
    )


@dataclass(frozen=True)
class _Outcome:
    """One trial: when it was found, by the chart that knows the stream too; which of its recurrences were."""

    delay: float
    oracle: float | None
    recurrences: tuple[bool, ...]


@dataclass
class _Model:
    """A model to which something is to happen."""

    course: Course
    seed: int
    watched: Watched
    traffic: Traffic

    @classmethod
    def made(cls, course: Course, rule: Rule, seed: Sequence[int]) -> _Model:
        """Build a model."""
        stream, rng = STREAMS[course.stream], np.random.default_rng(list(seed))
        days = course.before + course.after + 1
        history, traffic = traffic_of(stream, course.grid, FEATURES, days, rng)
        own = int(rng.integers(1 << 60))
        model = watched(stream, course.grid, history, rule, [own, 0])
        return cls(course, own, model, traffic)

    @cached_property
    def in_control(self) -> Trial:
        """The model up to the block of windows in which something happens."""
        trial = Trial(self.watched)
        self._lead(trial, self.traffic, range(self.course.start // self.course.grid.block))
        return trial

    def outcomes(self, injection: Injection) -> list[_Outcome]:
        """Let something happen to it, and return a trial of each signal."""
        course, grid = self.course, self.course.grid
        start = 0 if injection.from_start else course.start
        changed = injection.applied(self.traffic, grid, start, INJECTED)
        trial = Trial(self.watched) if injection.from_start else self.in_control.branch()
        first = start // grid.block
        end = start + course.after * grid.per_day
        self._lead(trial, changed, range(first, -(-end // grid.block)), self._is_over(injection, start))
        oracle = self._oracle(injection, start, end, changed)
        return [
            _Outcome(self._delay(trial, signal, start), None if oracle is None else oracle[number],
                     tuple(self._recurrences(injection, trial, signal, start, end)))
            for number, signal in enumerate(self._signals(injection))
        ]  # fmt: skip

    def _signals(self, injection: Injection) -> list[str]:
        return ["volume"] if injection.signal == "volume" else self.watched.signals[:INJECTED]

    def _is_over(self, injection: Injection, start: int) -> Callable[[Trial], bool]:
        """Whether there is nothing left to find."""
        signals = self._signals(injection)
        return lambda trial: (
            not injection.recurs_days and all(self._delay(trial, signal, start) < NEVER for signal in signals)
        )

    def _lead(
        self, trial: Trial, traffic: Traffic, blocks: range, is_over: Callable[[Trial], bool] = lambda trial: False
    ) -> None:
        grid, stream = self.course.grid, self.watched.stream
        repeated = traffic.between(self.course.start, self.course.start + 1)
        for block in blocks:
            part = traffic.between(block * grid.block, (block + 1) * grid.block)
            if not part.windows or is_over(trial):
                return
            drawn = draw(stream, self.watched.layouts, part, repeated, [self.seed, 1, block])
            ends_ms = grid.ends_ms(block * grid.block, part.windows)
            panes = pane_rows(self.watched, drawn, ends_ms)
            for first in range(0, part.windows, grid.per_day):
                if is_over(trial):
                    return
                trial.advance(panes, ends_ms[first : first + grid.per_day])

    def _delay(self, trial: Trial, signal: str, start: int) -> float:
        start_ms, window_ms = self.course.grid.end_ms(start), self.course.grid.window_ms
        # Of a signal in whose alarm it happens people are told by an update.
        told_ms = [at_ms for at_ms in (*trial.onsets_ms[signal], *trial.told_ms[signal]) if at_ms >= start_ms]
        return (min(told_ms) - start_ms) // window_ms if told_ms else NEVER

    def _recurrences(self, injection: Injection, trial: Trial, signal: str, start: int, end: int) -> Iterator[bool]:
        """Yield whether each recurrence was told while it lasted, or a window later: by an alert, or by its update."""
        if injection.recurs_days:
            grid = self.course.grid
            lasts_ms = DAY_MS // 12 + grid.window_ms
            for window in range(start, end, injection.recurs_days * grid.per_day):
                at_ms = grid.end_ms(window)
                yield any(at_ms <= told_ms < at_ms + lasts_ms for told_ms in trial.told_ms[signal])

    def _oracle(self, injection: Injection, start: int, end: int, changed: Traffic) -> list[float] | None:
        per_day = self.watched.watch.model.spec.detect.false_alarms
        rate = per_day.count * self.course.grid.window_ms / per_day.per_ms / (FEATURES + 1)
        stream: Stream = self.watched.stream
        usual = self.traffic.between(start, end)
        found = oracle_delays(stream, injection, usual, changed.between(start, end), rate, self.seed)
        return None if found is None else [NEVER if delay < 0 else float(delay) for delay in found]
