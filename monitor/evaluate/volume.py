"""How many events came, against the same hours of earlier weeks and days."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.chart import legend
from detectors.chart.legend import EARLIER, EXPECTED, REACHED, REASON, SEASON, SEEN
from detectors.chart.volume import MIN_EFFECT, evaluate_volumes
from detectors.distance.contract import P_X
from monitor.alerts.verdict import Expected, Facts
from monitor.evaluate.alarm_rule import WHYS, Budget, budget_of
from monitor.evaluate.mark_log import Mark
from monitor.evaluate.pinned import PinnedPeriod
from monitor.evaluate.variation import Variation
from monitor.evaluate.verdict_columns import Measured, Verdicts
from monitor.evaluate.windows import Blocks
from monitor.panes.reading import PaneRows
from monitor.values import DAY_MS
from monitor.watch import Watch

__all__ = ["SEASONS", "VolumeSeries", "Volumes"]

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class _Season:
    """Windows at the same place in a period are compared with each other."""

    period_ms: int
    plural: str
    needed: int
    remembered: int


SEASONS: Mapping[str, _Season] = {
    "day": _Season(DAY_MS, "days", needed=4, remembered=28),
    "week": _Season(7 * DAY_MS, "weeks", needed=3, remembered=8),
}
"""The same hour of the week is the better comparison; the same hour of the day is known sooner."""


class Volumes:
    """The volumes of a model, one a segment; a :class:`~monitor.evaluate.kinds.SeriesKind`.

    Parameters
    ----------
    watch : Watch
    shown : sequence of str or None
        Makes no difference: a volume has one test.
    pinned : PinnedPeriod or None
        Makes no difference: a volume is compared with earlier weeks and days.
    """

    def __init__(self, watch: Watch, shown: Sequence[str] | None, pinned: PinnedPeriod | None = None) -> None:
        self._watch, self._budget = watch, budget_of(watch)
        self._series: dict[str, VolumeSeries] = {}

    def decide(self, marks: Sequence[Mark]) -> None:
        """Nothing: what is learned here are distances, which nobody accepts."""

    def advance(self, panes: PaneRows, ends_ms: range) -> Iterator[Verdicts]:
        """Yield the verdicts on windows; a segment's first is the first that has a pane."""
        if "volume" not in self._watch.uses.get("volume", {}):
            return
        blocks = Blocks(self._watch, ends_ms)
        for segment in sorted({*self._series, *panes.segments()}):
            events, first = blocks.events(panes.volume_of(segment))
            if segment in self._series:
                first = 0
            elif first < len(events):
                self._series[segment] = VolumeSeries(self._watch, segment, self._budget)
            if first < len(events):
                yield self._series[segment].verdicts(blocks.ends_ms[first:], events[first:])

    def forget(self, versions: Collection[str]) -> None:
        """Nothing: a volume is that of all versions together."""

    def versions(self) -> Collection[str]:
        """None: a volume is that of all versions together."""
        return ()

    def snapshot(self) -> list[dict[str, Any]]:
        """State for a checkpoint."""
        return [series.snapshot() for _, series in sorted(self._series.items())]

    def restore(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Continue from a snapshot."""
        for state in states:
            series = VolumeSeries(self._watch, state["segment"], self._budget)
            series.restore(state)
            self._series[series.segment] = series


class VolumeSeries:
    """The number of events of one segment, all versions together.

    Parameters
    ----------
    watch : Watch
    segment : str
    budget : Budget or None
        That of ``watch``, unless it is at hand.
    """

    def __init__(self, watch: Watch, segment: str, budget: Budget | None = None) -> None:
        self.segment, self._budget = segment, budget or budget_of(watch)
        defaults = watch.model.spec.detect.defaults
        self._window_ms, self._step_ms = defaults.window, defaults.step_ms
        min_effect = watch.uses["volume"].get("volume", {}).get("min_effect")
        self._min_effects = np.array([float(min_effect or MIN_EFFECT)])
        self._variation = Variation(list(SEASONS))
        self._rules = _rules(self._step_ms)
        self._decides = not watch.is_charted("volume")
        longest = self._rules[-1]
        counts = int(longest[legend.FIRST_COUNT] + longest[legend.PLACES] * longest[legend.KEPT])
        self._earlier = np.zeros(counts, dtype=np.int64)
        self._filled = np.zeros(int(longest[legend.FIRST_PLACE] + longest[legend.PLACES]), dtype=np.int64)

    def verdicts(self, ends_ms: Integers, events: Integers) -> Verdicts:
        """Return the verdicts on windows, and learn from them.

        They are compared with the same hours of earlier weeks, or of earlier days while too few weeks are known.

        Parameters
        ----------
        ends_ms, events : int64 array [T]
        """
        measured = Measured.unwritten(len(ends_ms), 1)
        self._variation.make_room(len(ends_ms))
        evaluate_volumes(
            events, ends_ms, self._step_ms, self._rules, float(self._min_effects[0]), self._budget.enough,
            self._budget.odds, self._budget.surprises, self._earlier, self._filled,
            self._variation.ring, self._variation.ordered, self._variation.left, self._variation.memory,
            measured.numbers[:, 0], measured.codes[:, 0],
        )  # fmt: skip
        key = ("", self.segment, "volume")
        verdicts = Verdicts(
            key, ["volume"], self._min_effects, self._window_ms, ends_ms, events, measured, _facts(self._budget.enough)
        )
        verdicts.decides = self._decides
        verdicts.p_values = measured.numbers[:, :, P_X]
        return verdicts

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {"segment": self.segment, "history": self._history(), "variation": self._variation.snapshot()}

    def _history(self) -> list[list[Any]]:
        history: list[list[Any]] = []
        for name, rules in zip(SEASONS, self._rules.tolist(), strict=True):
            first = rules[legend.FIRST_PLACE]
            for hour in np.flatnonzero(self._filled[first : first + rules[legend.PLACES]]).tolist():
                ever = int(self._filled[first + hour])
                ring = self._ring(rules, hour)
                oldest = -(ever % len(ring)) if ever > len(ring) else 0
                history.append([name, hour, np.roll(ring[: min(ever, len(ring))], oldest).tolist()])
        return history

    def _ring(self, rules: Sequence[int], hour: int) -> Integers:
        start = rules[legend.FIRST_COUNT] + hour * rules[legend.KEPT]
        return self._earlier[start : start + rules[legend.KEPT]]

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        rules = dict(zip(SEASONS, self._rules.tolist(), strict=True))
        self._filled[:] = 0
        for name, hour, counts in state["history"]:
            self._ring(rules[name], hour)[: len(counts)] = counts
            self._filled[rules[name][legend.FIRST_PLACE] + hour] = len(counts)
        self._variation.restore(state["variation"])


def _facts(enough: int) -> Callable[[Verdicts, int, int], Facts]:
    seasons = list(SEASONS.values())

    def facts(verdicts: Verdicts, t: int, d: int) -> Facts:
        numbers, codes = verdicts.measured.numbers[t, d], verdicts.measured.codes[t, d].tolist()
        why = WHYS[codes[REASON]]
        if why == "no_baseline":
            return Facts(why, unit="days")
        season = seasons[int(numbers[SEASON])]
        expected = Expected(float(numbers[EXPECTED]), int(numbers[EARLIER]), season.plural)
        return Facts(why, codes[SEEN], enough, "windows", codes[REACHED], expected=expected)

    return facts


def _rules(step_ms: int) -> Integers:
    """What the kernel must know of each season."""
    rules = np.zeros((len(SEASONS), legend.SEASON_RULES), dtype=np.int64)
    first_count = first_hour = 0
    for rule, season in zip(rules, SEASONS.values(), strict=True):
        hours = max(1, season.period_ms // step_ms)
        rule[legend.PLACES], rule[legend.NEEDED_SEASONS], rule[legend.KEPT] = hours, season.needed, season.remembered
        rule[legend.FIRST_COUNT], rule[legend.FIRST_PLACE] = first_count, first_hour
        first_count, first_hour = first_count + hours * season.remembered, first_hour + hours
    return rules
