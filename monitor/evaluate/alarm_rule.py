"""When a window alarms: the change must be material and surprising.

Material is an effect of at least ``min_effect``. Surprising is one that lies beyond what this signal does from window
to window when nothing is wrong, at a tail probability that follows from the accepted number of false alarms. Textbook
p-values assume independent observations; real traffic is not, so they fire all the time on big data: here they are a
floor, never enough by themselves.

The signal's own variation is learned from its log effects, in quiet windows and at the onset of each alarm. With m of
them the next one lies beyond

    median + t(p; m - 1) · scale · sqrt(1 + 1/m)

with probability p (the prediction interval for a normal sample, e.g. Hahn and Meeker, *Statistical Intervals*, 1991,
§4.7). Three things make that hold for real signals:

- Effects below a third of ``min_effect`` are all the same quiet: how they vary among themselves says nothing about
  changes that matter.
- The scale is the larger of two robust ones, so that a pattern which returns every week is part of what is usual:
  1.4826 times the median absolute deviation, and the distance of the 90 % quantile in normal units.
- What this signal alone has shown as often as the whole model may alarm falsely is its way (rain on one day in
  eight, say), however strange the normal law finds it. The onset of an alarm is learned for this reason; the rest of
  the alarm is not, so that a lasting change does not become usual by lasting.

The arithmetic is compiled, and stands in `detectors.chart.decide`; here are its settings, and what its codes mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from detectors.chart import legend
from detectors.distance.tail import student_t_isf
from monitor.alerts.verdict import Status, Why
from monitor.watch import Watch

__all__ = ["STATUSES", "WHYS", "Budget", "budget_of"]

STATUSES: tuple[Status, ...] = ("ok", "drift", "learning", "no_data")
"""The status that each code of the kernels stands for."""

WHYS: tuple[Why, ...] = get_args(Why)
"""The reason that each code of the kernels stands for."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Budget:
    """What follows from the accepted number of false alarms.

    Attributes
    ----------
    tail_probability : float
        Accepted probability of a false alarm per test.
    enough : int
        Windows that must have been seen before anything alarms.
    per_window : float
        False alarms that the whole model may raise per window.
    """

    tail_probability: float
    enough: int
    per_window: float

    @cached_property
    def odds(self) -> Floats:
        """The probabilities as the kernels take them."""
        return np.array([self.tail_probability, self.per_window])

    @property
    def surprises(self) -> Floats:
        """The surprise from which on a window alarms, by the number of windows seen; NaN where none can."""
        return _surprises(self.tail_probability)


def budget_of(watch: Watch) -> Budget:
    """Return the budget of each test, so that the model's budget of false alarms holds.

    It is split evenly over all tests of its period: windows, times segments, times detectors of all signals. Tests that
    several versions at once make beyond those are not counted.
    """
    detect = watch.model.spec.detect
    windows = detect.false_alarms.per_ms / detect.defaults.step_ms
    segments = 1 + sum(len(segmentation.names) for segmentation in watch.segmentations)
    tests = sum(len(uses) - len(watch.detectors_for(signal)) for signal, uses in watch.uses.items())
    # Signals that labels make have their part of it, under whichever rule the others are.
    tests += len(watch.judged_signals)
    tail = min(0.05, detect.false_alarms.count / max(1.0, windows * segments * tests))
    return Budget(tail, detect.defaults.learn_windows, detect.false_alarms.count / windows)


@lru_cache(maxsize=64)
def _surprises(tail_probability: float) -> Floats:
    windows = np.arange(2, legend.HISTORY + 1)
    table = np.full(legend.HISTORY + 1, np.nan)
    table[2:] = student_t_isf(tail_probability, windows - 1) * np.sqrt(1 + 1 / windows)
    table.setflags(write=False)
    return table
