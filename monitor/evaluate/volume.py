"""How many events came, against the same hours of earlier weeks and days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.chart import legend
from detectors.chart.legend import ABOUT, CODES, EARLIER, EXPECTED, NUMBERS, SEASON
from detectors.chart.volume import MIN_EFFECT, judge_volumes
from detectors.distance.contract import P_X
from monitor.evaluate.alarm_rule import Limits, limits_of, reason
from monitor.evaluate.variation import Variation
from monitor.evaluate.verdicts import Judged, words
from monitor.values import DAY_MS
from monitor.watch import Watch

__all__ = ["SEASONS", "VolumeSeries"]

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class _Season:
    """Windows at the same place in a period are compared with each other."""

    period_ms: int
    words: str
    needed: int
    kept: int


SEASONS: Mapping[str, _Season] = {
    "day": _Season(DAY_MS, "days", needed=4, kept=28),
    "week": _Season(7 * DAY_MS, "weeks", needed=3, kept=8),
}
"""The same hour of the week is the better comparison; the same hour of the day is known sooner."""


class VolumeSeries:
    """The number of events of one segment, all versions together.

    Parameters
    ----------
    watch : Watch
    segment : str
    limits : Limits or None
        Those of ``watch``, unless they are at hand.
    """

    def __init__(self, watch: Watch, segment: str, limits: Limits | None = None) -> None:
        self.segment = segment
        defaults = watch.model.spec.detect.defaults
        self._window_ms, self._step_ms = defaults.window, defaults.step_ms
        given = watch.uses["volume"].get("volume", {}).get("min_effect")
        self._min_effects = np.array([float(given or MIN_EFFECT)])
        self._limits = limits or limits_of(watch)
        self._variation = Variation(list(SEASONS))
        self._rules = _rules(self._step_ms)
        last = self._rules[-1]
        places = int(last[legend.FIRST_PLACE] + last[legend.PLACES])
        self._earlier = np.zeros(int(last[legend.FIRST_COUNT] + last[legend.PLACES] * last[legend.KEPT]), np.int64)
        self._filled = np.zeros(places, dtype=np.int64)

    def judge(self, ends_ms: Integers, events: Integers) -> Judged:
        """Judge windows against the same hours of earlier weeks, or of earlier days while too few weeks are known.

        Parameters
        ----------
        ends_ms, events : int64 array [T]
        """
        count = len(ends_ms)
        numbers, codes = np.empty((count, 1, NUMBERS)), np.empty((count, 1, CODES), dtype=np.int64)
        self._variation.make_room(count)
        judge_volumes(
            events, ends_ms, self._step_ms, self._rules, float(self._min_effects[0]), self._limits.enough,
            self._limits.odds, self._limits.surprises, self._earlier, self._filled,
            self._variation.ring, self._variation.ordered, self._variation.left, self._variation.memory,
            numbers[:, 0], codes[:, 0],
        )  # fmt: skip
        found = (numbers, codes, np.zeros((count, ABOUT), dtype=np.int64), np.zeros((count, 0, 2), dtype=np.int64))
        key = ("", self.segment, "volume")
        judged = Judged(key, ["volume"], self._min_effects, self._window_ms, ends_ms, events, *found, self._detail)
        judged.p_values = numbers[:, :, P_X]
        return judged

    def _detail(self, judged: Judged, t: int, d: int) -> str:
        numbers, codes = judged.numbers[t, d], judged.codes[t, d]
        if codes[legend.REASON] == legend.NO_BASELINE:
            return "too few earlier days at this time"
        season = list(SEASONS.values())[int(numbers[SEASON])]
        expected = f"{judged.n[t]} events, {numbers[EXPECTED]:.0f} expected"
        from_what = f"{expected} from {int(numbers[EARLIER])} earlier {season.words}"
        why = reason(numbers, codes, float(self._min_effects[0]), float(numbers[P_X]), self._limits.enough)
        return words(from_what, why)

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {"segment": self.segment, "history": self._history(), "variation": self._variation.snapshot()}

    def _history(self) -> list[list[Any]]:
        found: list[list[Any]] = []
        for name, rules in zip(SEASONS, self._rules.tolist(), strict=True):
            first = rules[legend.FIRST_PLACE]
            for place in np.flatnonzero(self._filled[first : first + rules[legend.PLACES]]).tolist():
                ever = int(self._filled[first + place])
                ring = self._ring(rules, place)
                oldest = -(ever % len(ring)) if ever > len(ring) else 0
                found.append([name, place, np.roll(ring[: min(ever, len(ring))], oldest).tolist()])
        return found

    def _ring(self, rules: Sequence[int], place: int) -> Integers:
        start = rules[legend.FIRST_COUNT] + place * rules[legend.KEPT]
        return self._earlier[start : start + rules[legend.KEPT]]

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot."""
        rules = dict(zip(SEASONS, self._rules.tolist(), strict=True))
        self._filled[:] = 0
        for name, place, counts in state["history"]:
            self._ring(rules[name], place)[: len(counts)] = counts
            self._filled[rules[name][legend.FIRST_PLACE] + place] = len(counts)
        self._variation.restore(state["variation"])


def _rules(step_ms: int) -> Integers:
    """What the kernel must know of each season."""
    rules = np.zeros((len(SEASONS), legend.SEASON_RULES), dtype=np.int64)
    counts = places = 0
    for rule, season in zip(rules, SEASONS.values(), strict=True):
        here = max(1, season.period_ms // step_ms)
        rule[legend.PLACES], rule[legend.NEEDED_SEASONS], rule[legend.KEPT] = here, season.needed, season.kept
        rule[legend.FIRST_COUNT], rule[legend.FIRST_PLACE] = counts, places
        counts, places = counts + here * season.kept, places + here
    return rules
