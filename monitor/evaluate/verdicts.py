"""What was said of windows of one series: columns of the kernels, read as verdicts or as rows of ``scores``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detectors.chart.legend import (
    BASELINE_FROM,
    BASELINE_N,
    BASELINE_TO,
    DRIFT,
    LIMIT,
    P_KIND,
    STATUS,
    SURPRISE,
)
from detectors.distance.contract import EFFECT, STATISTIC
from detectors.distance.p_values import p_values
from monitor.alerts.verdict import Verdict
from monitor.evaluate.alarm_rule import STATUSES
from monitor.events import SeriesKey
from sinks.store.batch import Rows

__all__ = ["Judged", "Outline", "words"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass
class Judged:
    """Windows of one series, and what each of its tests said.

    Attributes
    ----------
    key : tuple
        Version, segment, signal.
    detectors : sequence of str
    min_effects : float64 array [D]
    window_ms : int
    ends_ms, n : int64 array [T]
        Ends of the windows, and their events.
    numbers, codes, about, newest : arrays [T, D, NUMBERS], [T, D, CODES], [T, ABOUT], [T, NEWEST, 2]
        As `detectors.chart.windows` writes them.
    detail : callable
        The words about a test of a window, from their numbers.
    """

    key: SeriesKey
    detectors: Sequence[str]
    min_effects: Floats
    window_ms: int
    ends_ms: Integers
    n: Integers
    numbers: Floats
    codes: Integers
    about: Integers
    newest: Integers
    detail: Callable[[Judged, int, int], str] = field(repr=False)

    @cached_property
    def p_values(self) -> Floats:
        """float64[T, D]: NaN where there is none."""
        shape = self.codes.shape
        flat = p_values(self.numbers.reshape(-1, self.numbers.shape[2]), self.codes[:, :, P_KIND].ravel())
        return flat.reshape(shape[:2])

    @property
    def statuses(self) -> Integers:
        """int64[T, D]: numbers of `monitor.evaluate.alarm_rule.STATUSES`."""
        return self.codes[:, :, STATUS]

    def drifts(self) -> dict[int, list[Verdict]]:
        """The verdicts that say drift, by the end of their window."""
        found: dict[int, list[Verdict]] = {}
        for t, d in np.argwhere(self.statuses == DRIFT).tolist():
            found.setdefault(int(self.ends_ms[t]), []).append(self.verdict(t, d))
        return found

    def verdict(self, t: int, d: int) -> Verdict:
        """What test ``d`` said of window ``t``."""
        version, segment, signal = self.key
        end_ms, numbers, about = int(self.ends_ms[t]), self.numbers[t, d], self.about[t]
        effect = float(numbers[EFFECT])
        return Verdict(
            version,
            segment,
            signal,
            self.detectors[d],
            STATUSES[self.codes[t, d, STATUS]],
            end_ms,
            end_ms - self.window_ms,
            statistic=numbers[STATISTIC],
            effect=effect,
            min_effect=np.nan if math.isnan(effect) else self.min_effects[d],
            surprise=numbers[SURPRISE],
            surprise_limit=numbers[LIMIT],
            p_value=self._p_value(t, d),
            n=self.n[t],
            baseline_n=about[BASELINE_N],
            baseline_from_ms=about[BASELINE_FROM],
            baseline_to_ms=about[BASELINE_TO],
            detail=self.detail(self, t, d),
        )

    def _p_value(self, t: int, d: int) -> float:
        if "p_values" in self.__dict__:
            return float(self.p_values[t, d])
        return float(p_values(self.numbers[t, d : d + 1], self.codes[t, d : d + 1, P_KIND])[0])

    def rows(self, model: str, idle: str) -> Rows:
        """Rows of ``scores``, windows in order, and tests within them."""
        windows, tests = self.codes.shape[:2]
        count = windows * tests
        version, segment, signal = self.key
        flat = self.numbers.reshape(count, -1)
        effects = flat[:, EFFECT]
        each = np.repeat(np.arange(windows), tests)
        return {
            "model": [model] * count,
            "signal": [signal] * count,
            "segment": [segment] * count,
            "version": [version] * count,
            "detector": list(self.detectors) * windows,
            "window_end_ms": self.ends_ms[each].tolist(),
            "window_ms": [self.window_ms] * count,
            "statistic": flat[:, STATISTIC].tolist(),
            "effect": effects.tolist(),
            "min_effect": np.where(np.isnan(effects), np.nan, np.tile(self.min_effects, windows)).tolist(),
            "p_value": self.p_values.ravel().tolist(),
            "surprise": flat[:, SURPRISE].tolist(),
            "surprise_limit": flat[:, LIMIT].tolist(),
            "status": [STATUSES[code] for code in self.statuses.ravel().tolist()],
            "n": self.n[each].tolist(),
            "baseline_n": self.about[each, BASELINE_N].tolist(),
            "baseline_from_ms": self.about[each, BASELINE_FROM].tolist(),
            "baseline_to_ms": self.about[each, BASELINE_TO].tolist(),
            "idle": [idle] * count,
            "detail": [self.detail(self, t, d) for t in range(windows) for d in range(tests)],
        }

    def within(self, from_ms: int, to_ms: int) -> Judged:
        """The windows that end within ``(from_ms, to_ms]``."""
        low, high = np.searchsorted(self.ends_ms, [from_ms + 1, to_ms + 1]).tolist()
        if (low, high) == (0, len(self.ends_ms)):
            return self
        some = slice(low, high)
        cut = replace(
            self,
            ends_ms=self.ends_ms[some],
            n=self.n[some],
            numbers=self.numbers[some],
            codes=self.codes[some],
            about=self.about[some],
            newest=self.newest[some],
        )
        if "p_values" in self.__dict__:
            cut.p_values = self.p_values[some]
        return cut

    def outline(self) -> Outline:
        """What the life of alerts depends on."""
        return Outline(
            self.key, self.detectors, self.window_ms, self.ends_ms, self.statuses.astype(np.int8), self.drifts()
        )


@dataclass
class Outline:
    """What the life of alerts depends on, of windows of one series.

    Attributes
    ----------
    key : tuple
        Version, segment, signal.
    detectors : sequence of str
    window_ms : int
    ends_ms : int64 array [T]
    statuses : int8 array [T, D]
        Numbers of `monitor.evaluate.alarm_rule.STATUSES`.
    drifts : dict of int to list of Verdict
        The verdicts that say drift, by the end of their window.
    """

    key: SeriesKey
    detectors: Sequence[str]
    window_ms: int
    ends_ms: Integers
    statuses: NDArray[np.int8]
    drifts: dict[int, list[Verdict]]

    def standing(self, end_ms: int) -> list[Verdict]:
        """What each test that did not alarm said of a window: no more than its status."""
        t = int(np.searchsorted(self.ends_ms, end_ms))
        if t == len(self.ends_ms) or self.ends_ms[t] != end_ms:
            return []
        version, segment, signal = self.key
        return [
            Verdict(version, segment, signal, name, STATUSES[code], end_ms, end_ms - self.window_ms)
            for name, code in zip(self.detectors, self.statuses[t].tolist(), strict=True)
            if code != DRIFT
        ]


def words(*parts: str) -> str:
    """Join what is not empty."""
    return "; ".join(part for part in parts if part)
