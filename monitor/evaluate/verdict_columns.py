"""What the tests of one series say of windows: columns of the kernels, read as verdicts or as rows of ``scores``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.chart.legend import (
    ABOUT,
    BASELINE_FROM,
    BASELINE_N,
    BASELINE_TO,
    CODES,
    DRIFT,
    NEWEST,
    NUMBERS,
    OK,
    P_KIND,
    STATUS,
    SURPRISE,
    THRESHOLD,
)
from detectors.distance.contract import EFFECT, NO_TEST, STATISTIC
from detectors.distance.p_values import p_values
from monitor.alerts.verdict import NO_FACTS, Facts, NewNormal, Status, Verdict
from monitor.alerts.wording import detail
from monitor.evaluate.alarm_rule import STATUSES
from monitor.events import SeriesKey
from sinks.store.batch import Rows

__all__ = ["Measured", "Verdicts"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(slots=True)
class Measured:
    """What the kernels write about T windows and D tests.

    Attributes
    ----------
    numbers, codes, about, newest : arrays [T, D, NUMBERS], [T, D, CODES], [T, ABOUT], [T, NEWEST, 2]
        As `detectors.chart.windows` writes them.
    """

    numbers: Floats
    codes: Integers
    about: Integers
    newest: Integers

    @classmethod
    def unwritten(cls, windows: int, tests: int) -> Measured:
        """Return room for so many windows and tests, for the kernels to write into."""
        return cls(
            np.empty((windows, tests, NUMBERS)),
            np.empty((windows, tests, CODES), dtype=np.int64),
            np.zeros((windows, ABOUT), dtype=np.int64),
            np.empty((windows, NEWEST, 2), dtype=np.int64),
        )

    def part(self, windows: slice) -> Measured:
        """Return what was written about some of the windows."""
        return Measured(self.numbers[windows], self.codes[windows], self.about[windows], self.newest[windows])


class _Said(NamedTuple):
    """What :func:`monitor.alerts.wording.detail` takes of a verdict: a whole one would take longer than the words."""

    facts: Facts
    status: Status
    n: int
    effect: float
    min_effect: float
    surprise: float
    surprise_limit: float
    p_value: float


@dataclass
class Verdicts:
    """Windows of one series, and the verdict of each of its tests.

    Attributes
    ----------
    key : SeriesKey
    detectors : sequence of str
    min_effects : float64 array [D]
    window_ms : int
    ends_ms, n : int64 array [T]
        Ends of the windows, and their events.
    measured : Measured
    facts : callable
        Returns what a test found in a window beside its numbers.
    decides : bool
        False: the tests are for reading, and whatever they say a window is no drift.
    new_normals : mapping of int to NewNormal
        By the end of a window: what became of the signal's level in it.
    """

    key: SeriesKey
    detectors: Sequence[str]
    min_effects: Floats
    window_ms: int
    ends_ms: Integers
    n: Integers
    measured: Measured
    facts: Callable[[Verdicts, int, int], Facts] = field(repr=False)
    decides: bool = True
    new_normals: Mapping[int, NewNormal] = field(default_factory=dict)

    @cached_property
    def p_values(self) -> Floats:
        """float64[T, D]: NaN where there is none."""
        numbers, codes = self.measured.numbers, self.measured.codes
        flat = p_values(numbers.reshape(-1, numbers.shape[2]), codes[:, :, P_KIND].ravel())
        return flat.reshape(codes.shape[:2])

    @property
    def statuses(self) -> Integers:
        """int64[T, D]: numbers of `monitor.evaluate.alarm_rule.STATUSES`."""
        codes = self.measured.codes[:, :, STATUS]
        return codes if self.decides else np.where(codes == DRIFT, OK, codes)

    @cached_property
    def drifts(self) -> dict[int, list[Verdict]]:
        """The verdicts that say drift, by the end of their window."""
        by_end: dict[int, list[Verdict]] = {}
        for t, d in np.argwhere(self.statuses == DRIFT).tolist():
            by_end.setdefault(int(self.ends_ms[t]), []).append(self.verdict(t, d))
        return by_end

    def standing(self, end_ms: int) -> list[Verdict]:
        """Return what each test that does not say drift says of a window: its status, and a new normal."""
        t = int(np.searchsorted(self.ends_ms, end_ms))
        if t == len(self.ends_ms) or self.ends_ms[t] != end_ms:
            return []
        version, segment, signal = self.key
        facts = Facts(new_normal=self.new_normals[end_ms]) if end_ms in self.new_normals else NO_FACTS
        return [
            Verdict(version, segment, signal, name, STATUSES[code], end_ms, end_ms - self.window_ms, facts=facts)
            for name, code in zip(self.detectors, self.statuses[t].tolist(), strict=True)
            if code != DRIFT
        ]

    def verdict(self, t: int, d: int) -> Verdict:
        """Return what test ``d`` says of window ``t``."""
        version, segment, signal = self.key
        end_ms, numbers, about = int(self.ends_ms[t]), self.measured.numbers[t, d], self.measured.about[t]
        effect = float(numbers[EFFECT])
        return Verdict(
            version,
            segment,
            signal,
            self.detectors[d],
            STATUSES[self.statuses[t, d]],
            end_ms,
            end_ms - self.window_ms,
            statistic=numbers[STATISTIC],
            effect=effect,
            min_effect=np.nan if math.isnan(effect) else self.min_effects[d],
            surprise=numbers[SURPRISE],
            surprise_limit=numbers[THRESHOLD],
            p_value=self._p_value(t, d),
            n=self.n[t],
            baseline_n=about[BASELINE_N],
            baseline_from_ms=about[BASELINE_FROM],
            baseline_to_ms=about[BASELINE_TO],
            facts=self.facts(self, t, d),
        )

    def _p_value(self, t: int, d: int) -> float:
        if "p_values" in self.__dict__:
            return float(self.p_values[t, d])
        if self.measured.codes[t, d, P_KIND] == NO_TEST:
            return math.nan
        # Of a backtest's windows few are looked at one by one: not worth the p-values of all.
        return float(p_values(self.measured.numbers[t, d : d + 1], self.measured.codes[t, d : d + 1, P_KIND])[0])

    def rows(self, model: str, idle: str) -> Rows:
        """Return rows of ``scores``, windows in order, and tests within them."""
        windows, tests = self.measured.codes.shape[:2]
        count = windows * tests
        version, segment, signal = self.key
        numbers, about = self.measured.numbers, self.measured.about
        flat = numbers.reshape(count, numbers.shape[2])
        effects = flat[:, EFFECT]
        each = np.repeat(np.arange(windows), tests)
        sentence_columns: dict[str, list[Any]] = {
            "status": [STATUSES[code] for code in self.statuses.ravel().tolist()],
            "n": self.n[each].tolist(),
            "effect": effects.tolist(),
            "min_effect": np.where(np.isnan(effects), np.nan, np.tile(self.min_effects, windows)).tolist(),
            "surprise": flat[:, SURPRISE].tolist(),
            "surprise_limit": flat[:, THRESHOLD].tolist(),
            "p_value": self.p_values.ravel().tolist(),
        }
        alarms = self._facts_of_alarms()
        facts = [alarms.get((t, d)) or self.facts(self, t, d) for t in range(windows) for d in range(tests)]
        return {
            "model": [model] * count,
            "signal": [signal] * count,
            "segment": [segment] * count,
            "version": [version] * count,
            "detector": list(self.detectors) * windows,
            "window_end_ms": self.ends_ms[each].tolist(),
            "window_ms": [self.window_ms] * count,
            "statistic": flat[:, STATISTIC].tolist(),
            "baseline_n": about[each, BASELINE_N].tolist(),
            "baseline_from_ms": about[each, BASELINE_FROM].tolist(),
            "baseline_to_ms": about[each, BASELINE_TO].tolist(),
            "idle": [idle] * count,
            **sentence_columns,
            "detail": [detail(_Said(*row)) for row in zip(facts, *sentence_columns.values(), strict=True)],
        }

    def _facts_of_alarms(self) -> dict[tuple[int, int], Facts]:
        """Return what alerts were made of, if any were: in a window of an alarm nothing costs as much as its facts."""
        if "drifts" not in self.__dict__:
            return {}
        places = np.argwhere(self.statuses == DRIFT).tolist()
        verdicts = chain.from_iterable(self.drifts.values())
        return {(t, d): verdict.facts for (t, d), verdict in zip(places, verdicts, strict=True)}

    def within(self, from_ms: int, to_ms: int) -> Verdicts:
        """Return those of the windows that end within ``(from_ms, to_ms]``."""
        low, high = np.searchsorted(self.ends_ms, [from_ms + 1, to_ms + 1]).tolist()
        if (low, high) == (0, len(self.ends_ms)):
            return self
        windows = slice(low, high)
        cut = replace(self, ends_ms=self.ends_ms[windows], n=self.n[windows], measured=self.measured.part(windows))
        if "p_values" in self.__dict__:
            cut.p_values = self.p_values[windows]
        return cut
