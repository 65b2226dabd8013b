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

The arithmetic is compiled, and stands in `detectors.chart.decide`: here are its settings and its words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detectors.chart import decide, legend
from detectors.distance.contract import EFFECT, KNOWN, NO_TEST, P_X
from detectors.distance.tail import student_t_isf
from monitor.watch import Watch

__all__ = ["STATUSES", "Judgement", "Limits", "judge", "limits_of", "log_effect", "reason", "surprise_limit", "usual"]

Status = Literal["ok", "drift", "learning", "no_data"]
STATUSES: tuple[Status, ...] = ("ok", "drift", "learning", "no_data")
"""The status that each code of the kernels stands for."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Judgement:
    """What was decided.

    Attributes
    ----------
    status : str
        ``ok``, ``drift`` or ``learning``.
    surprise : float
        How far the window lies beyond the signal's usual, in its own scale.
    limit : float
        The surprise from which on it alarms; NaN while learning.
    reason : str
    """

    status: Status
    surprise: float
    limit: float
    reason: str


@dataclass(frozen=True)
class Limits:
    """What follows from the false-alarm budget.

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


def limits_of(watch: Watch) -> Limits:
    """The limits from which on a test alarms, so that the model's budget of false alarms holds.

    The budget is split evenly over all tests of its period: windows, times slices, times detectors of all signals.
    Tests that several versions at once make beyond those are not counted.
    """
    detect = watch.model.spec.detect
    windows = detect.false_alarms.per_ms / detect.defaults.step_ms
    slices = 1 + sum(len(cut.names) for cut in watch.slices)
    tests = sum(len(uses) - len(watch.detectors_for(signal)) for signal, uses in watch.uses.items())
    tail = min(0.05, detect.false_alarms.count / max(1.0, windows * slices * tests))
    return Limits(tail, detect.defaults.learn_windows, detect.false_alarms.count / windows)


def log_effect(effect: float, min_effect: float) -> float:
    """The scale on which a signal's variation is learned."""
    return float(decide.log_effect(effect, min_effect))


def usual(history: Sequence[float]) -> tuple[float, float]:
    """Location and scale of what a signal does when nothing is wrong.

    Examples
    --------
    >>> usual([1.0, 1.0, 1.0, 1.0])
    (1.0, 0.25)
    """
    location, scale = decide.usual(np.sort(np.asarray(history, dtype=np.float64)), len(history))
    return float(location), float(scale)


def surprise_limit(tail_probability: float, windows: int) -> float:
    """The surprise that one quiet window in ``1 / tail_probability`` exceeds, learned from ``windows`` of them."""
    return float(_surprises(tail_probability)[windows])


@lru_cache(maxsize=64)
def _surprises(tail_probability: float) -> Floats:
    windows = np.arange(2, legend.HISTORY + 1)
    table = np.full(legend.HISTORY + 1, np.nan)
    table[2:] = student_t_isf(tail_probability, windows - 1) * np.sqrt(1 + 1 / windows)
    table.setflags(write=False)
    return table


def judge(effect: float, min_effect: float, p_value: float, history: Sequence[float], limits: Limits) -> Judgement:
    """Decide about one window.

    Parameters
    ----------
    effect, min_effect : float
    p_value : float
        NaN where the detector has none; then it is no floor.
    history : sequence of float
        Log effects of the signal's quiet windows, and of the onsets of its alarms; the newest ones of more than
        ``HISTORY`` count.
    limits : Limits

    Returns
    -------
    Judgement

    Examples
    --------
    >>> limits, quiet = Limits(1e-4, 10, 0.001), [log_effect(0.01, 0.1)] * 20
    >>> judge(0.5, 0.1, 1e-9, quiet, limits).status
    'drift'
    >>> judge(0.05, 0.1, 1e-9, quiet, limits).reason
    'not material: effect 0.05 is below 0.1'
    """
    ordered = np.sort(np.asarray(history[-legend.HISTORY :], dtype=np.float64))
    numbers, codes = np.full(legend.NUMBERS, np.nan), np.zeros(legend.CODES, dtype=np.int64)
    numbers[EFFECT], numbers[P_X] = effect, p_value
    codes[legend.P_KIND] = NO_TEST if math.isnan(p_value) else KNOWN
    memory, unused = np.zeros(legend.MEMORY, dtype=np.int64), np.empty(0)
    memory[legend.COUNT] = len(ordered)
    decide.decide(
        min_effect, limits.odds, limits.surprises, unused, ordered, unused, memory, limits.enough, p_value, True,
        numbers, codes,
    )  # fmt: skip
    surprise, limit = float(numbers[legend.SURPRISE]), float(numbers[legend.LIMIT])
    status = STATUSES[codes[legend.STATUS]]
    return Judgement(status, surprise, limit, reason(numbers, codes, min_effect, p_value, limits.enough))


def reason(numbers: Floats, codes: NDArray[np.int64], min_effect: float, p_value: float, enough: int) -> str:
    """Why a test was decided as it was, in words; empty for a drift, and where there was nothing to decide.

    Parameters
    ----------
    numbers, codes : arrays
        What the kernels say of one test of one window.
    min_effect, p_value : float
    enough : int
    """
    words = _WORDS.get(int(codes[legend.REASON]), "")
    return words.format(
        seen=codes[legend.SEEN],
        enough=enough,
        effect=numbers[EFFECT],
        min_effect=min_effect,
        surprise=numbers[legend.SURPRISE],
        limit=numbers[legend.LIMIT],
        reached=codes[legend.REACHED],
        p_value=p_value,
    )


_WORDS = {
    legend.NOTHING: "nothing to compare",
    legend.TOO_EARLY: "learning: {seen} of {enough} windows seen",
    legend.NOT_MATERIAL: "not material: effect {effect:.3g} is below {min_effect:.3g}",
    legend.NOT_SURPRISING: "not surprising: {surprise:.1f} of {limit:.1f} of its usual variation",
    legend.NOT_UNUSUAL: "not unusual: reached {reached} times in {seen} windows",
    legend.CHANCE: "chance explains it: p = {p_value:.2g}",
}
