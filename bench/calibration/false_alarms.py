"""How often a model alarms while nothing changes, against what its budget accepts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from bench.calibration.draw import draw
from bench.calibration.grid import START_MS, Grid
from bench.calibration.panes import pane_rows
from bench.calibration.streams import STREAMS, Stream
from bench.calibration.traffic import traffic_of
from bench.calibration.trial import Trial
from bench.calibration.watched import Rule, watched
from monitor.values import DAY_MS, parse_duration

__all__ = ["BUDGETS", "FIRST_DAYS", "Counted", "Setting", "count_false_alarms", "interval", "pooled"]

BUDGETS = ("1 per 7d", "1 per 30d")

FIRST_DAYS = 14
"""Days that are counted apart, while signals are still being learned."""


@dataclass(frozen=True)
class Setting:
    """Where false alarms are counted: so many models of so many features, for so many days each."""

    stream: str
    grid: Grid
    features: int
    models: int
    days: int


@dataclass(frozen=True)
class Counted:
    """What was counted at one setting with one budget.

    Attributes
    ----------
    stream, window, budget : str
    features : int
    first, accepted_first : int, float
        Alerts that fired in the first days of a model, and those that the budget accepts there.
    later, accepted_later : int, float
        The same after them.
    onsets : int
        How often a single signal began to alarm, after the first days too.
    """

    stream: str
    window: str
    budget: str
    features: int
    first: int
    accepted_first: float
    later: int
    accepted_later: float
    onsets: int

    def to_json(self) -> dict[str, Any]:
        """Return the counts with ratios and intervals."""
        low, high = interval(self.later)
        ratios = {"ratio": self.later, "low": low, "high": high}
        return vars(self) | {name: round(count / self.accepted_later, 3) for name, count in ratios.items()}

    @classmethod
    def from_json(cls, cell: Mapping[str, Any]) -> Counted:
        """Return the counts that `to_json` gave."""
        return cls(**{name: cell[name] for name in cls.__dataclass_fields__})


def interval(count: int) -> tuple[float, float]:
    """Return the 95 % interval of the mean of a Poisson count (Garwood 1936).

    Examples
    --------
    >>> [round(end, 2) for end in interval(10)]
    [4.8, 18.39]
    """
    low = float(stats.chi2.ppf(0.025, 2 * count)) / 2 if count else 0.0
    return low, float(stats.chi2.ppf(0.975, 2 * count + 2)) / 2


def count_false_alarms(
    setting: Setting,
    rules: Mapping[str, Rule],
    seed: int,
    step: Callable[[], None] = lambda: None,
) -> list[Counted]:
    """Count alerts of models in which nothing changes.

    Parameters
    ----------
    setting : Setting
    rules : mapping of str to Rule
        By budget: all see the same windows.
    seed : int
    step : callable
        Called after each model.
    """
    trials: dict[str, list[Trial]] = {budget: [] for budget in rules}
    for number in range(setting.models):
        for budget, trial in zip(rules, _led(setting, list(rules.values()), [seed, number]), strict=True):
            trials[budget].append(trial)
        step()
    return [_counted(setting, budget, of_budget) for budget, of_budget in trials.items()]


def pooled(cells: Sequence[Counted]) -> Iterator[Counted]:
    """Yield the sums over streams, by window, budget and features."""
    for window, budget, features in dict.fromkeys((cell.window, cell.budget, cell.features) for cell in cells):
        alike = [cell for cell in cells if (cell.window, cell.budget, cell.features) == (window, budget, features)]
        sums = {
            name: sum(getattr(cell, name) for cell in alike)
            for name in ("first", "accepted_first", "later", "accepted_later", "onsets")
        }
        yield Counted("all", window, budget, features, **sums)


def _led(setting: Setting, rules: Sequence[Rule], seed: Sequence[int]) -> list[Trial]:
    stream, grid = STREAMS[setting.stream], setting.grid
    rng = np.random.default_rng([*seed, *_words(stream, grid), setting.features])
    history, traffic = traffic_of(stream, grid, setting.features, setting.days, rng)
    own = int(rng.integers(1 << 60))
    models = [watched(stream, grid, history, rule, [own, 0]) for rule in rules]
    trials = [Trial(model) for model in models]
    for block, first in enumerate(range(0, traffic.windows, grid.block)):
        part = traffic.between(first, first + grid.block)
        drawn = draw(stream, models[0].layouts, part, part.between(0, 1), [own, 1, block])
        ends_ms = grid.ends_ms(first, part.windows)
        panes = pane_rows(models[0], drawn, ends_ms)
        for trial in trials:
            trial.advance(panes, ends_ms)
    return trials


def _words(stream: Stream, grid: Grid) -> list[int]:
    """Seeds of every stream and grid differ."""
    return list(f"{stream.name}/{grid.name}".encode())


def _counted(setting: Setting, budget: str, trials: Sequence[Trial]) -> Counted:
    per_day = _accepted_per_day(budget) * len(trials)
    until_ms = START_MS + FIRST_DAYS * DAY_MS
    first = sum(at_ms <= until_ms for trial in trials for at_ms in trial.fired_ms)
    return Counted(
        stream=setting.stream,
        window=setting.grid.name,
        budget=budget,
        features=setting.features,
        first=first,
        accepted_first=FIRST_DAYS * per_day,
        later=sum(len(trial.fired_ms) for trial in trials) - first,
        accepted_later=(setting.days - FIRST_DAYS) * per_day,
        onsets=sum(trial.onsets() for trial in trials),
    )


def _accepted_per_day(budget: str) -> float:
    count, _, span = budget.partition(" per ")
    return float(count) * DAY_MS / parse_duration(span)
