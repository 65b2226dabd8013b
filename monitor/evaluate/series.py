"""Distributions: each signal of each version and segment, from window to window.

A series has a baseline, its usual variation, and a life of its own:

::

    no_data ──► learning ──► active ◄──► alarmed
                (baseline, then variation)

A window with fewer than ``min_samples`` events has no say: it is neither quiet nor alarmed, and teaches nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.chart import legend
from detectors.chart.legend import P_KIND, PROGRESS, REACHED, REASON, RULES, SEEN
from detectors.chart.measure import as_tests
from detectors.chart.windows import evaluate_windows
from detectors.distance import VECTOR_DISTANCES
from detectors.distance.contract import ANSWER, EFFECT, P_X, STATISTIC, TABLE
from detectors.distance.p_values import p_values
from detectors.sketch import CategoryLayout
from monitor.alerts.verdict import Facts, Share
from monitor.config.references import WINDOWED
from monitor.evaluate.alarm_rule import WHYS, Budget, budget_of
from monitor.evaluate.baselines import Reference
from monitor.evaluate.mark_log import Mark
from monitor.evaluate.pinned import PinnedPeriod
from monitor.evaluate.variation import Variation
from monitor.evaluate.verdict_columns import Measured, Verdicts
from monitor.evaluate.windows import Blocks, Windows, distinct_keys
from monitor.events import SeriesKey
from monitor.panes.compare import measure_vectors
from monitor.panes.reading import PaneRows, SeriesPanes
from monitor.watch import Layout, Watch

__all__ = ["DistributionSeries", "Distributions"]

CELLS_AT_ONCE = 4_000_000
"""Counts of windows in memory at once; a series with more is evaluated in several parts."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class Distributions:
    """The distributions of a model; a :class:`~monitor.evaluate.kinds.SeriesKind`.

    Parameters
    ----------
    watch : Watch
    shown : sequence of str or None
    pinned : PinnedPeriod or None
        The baseline of all of them, if it is a period.
    """

    def __init__(self, watch: Watch, shown: Sequence[str] | None, pinned: PinnedPeriod | None = None) -> None:
        self._watch, self._shown, self._pinned, self._budget = watch, shown, pinned, budget_of(watch)
        self._series: dict[SeriesKey, DistributionSeries] = {}

    def decide(self, marks: Sequence[Mark]) -> None:
        """Nothing: what is learned here are distances, which nobody accepts."""

    def advance(self, panes: PaneRows, ends_ms: range) -> Iterator[Verdicts]:
        """Yield the verdicts on windows."""
        for key in panes.series():
            series = self._series.get(key) or self._new(key)
            if series.detectors:
                self._series[key] = series
                for ends in self._before_and_after(ends_ms):
                    series.refer(self._pinned, ends[0])
                    yield from series.advance(panes.of(key), self._watch, ends)

    def _before_and_after(self, ends_ms: range) -> list[range]:
        """Cut windows where the first begins that is compared with a period."""
        if self._pinned is None:
            return [ends_ms]
        first_ms = self._pinned.to_ms + self._watch.model.spec.detect.defaults.window
        first = min(max(-(-(first_ms - ends_ms[0]) // ends_ms.step), 0), len(ends_ms))
        return [ends for ends in (ends_ms[:first], ends_ms[first:]) if ends]

    def _new(self, key: SeriesKey) -> DistributionSeries:
        shown = self._shown is None or key[2] in self._shown
        return DistributionSeries(self._watch, key, self._budget, shown=shown)

    def forget(self, versions: Collection[str]) -> None:
        """Let go of the series of versions."""
        if versions:
            self._series = {key: series for key, series in self._series.items() if key[0] not in versions}

    def versions(self) -> Collection[str]:
        """The versions that have series."""
        return {version for version, _, _ in self._series}

    def snapshot(self) -> list[dict[str, Any]]:
        """State for a checkpoint."""
        return [series.snapshot() for _, series in sorted(self._series.items())]

    def restore(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Continue from a snapshot."""
        for state in states:
            version, segment, signal = state["key"]
            series = self._new((version, segment, signal))
            series.restore(state)
            self._series[series.key] = series


@dataclass(frozen=True)
class _Tests:
    """The tests of one series: their names, what compiled code has to know of them, and the effects that matter."""

    names: Sequence[str]
    compiled: Integers
    min_effects: Floats

    @classmethod
    def of(cls, watch: Watch, signal: str) -> _Tests:
        uses = {n: p for n, p in watch.uses[signal].items() if n not in watch.detectors_for(signal)}
        effects = [float(params.get("min_effect", WINDOWED[name].default_min_effect)) for name, params in uses.items()]
        return cls(list(uses), as_tests(list(uses)), np.array(effects, dtype=np.float64))

    def __len__(self) -> int:
        return len(self.names)


class DistributionSeries:
    """The distribution of one signal in one version and segment.

    Parameters
    ----------
    watch : Watch
    key : SeriesKey
    budget : Budget or None
        That of ``watch``, unless it is at hand.
    shown : bool
        False: verdicts on windows that are not material lack their surprise, which takes a third of the time and which
        no decision depends on.
    """

    def __init__(self, watch: Watch, key: SeriesKey, budget: Budget | None = None, *, shown: bool = True) -> None:
        self.key, self._shown, self._budget = key, shown, budget or budget_of(watch)
        _, segment, signal = key
        defaults = watch.model.spec.detect.defaults
        self.layout: Layout = watch.layouts[signal]
        self._tests = _Tests.of(watch, signal)
        self._window_ms, self._min_samples = defaults.window, defaults.min_samples
        dataset = watch.reference.get((segment, signal))
        baseline = watch.model.spec.baseline
        self.reference = Reference(
            baseline, defaults.window, self.layout, dataset, defaults.learn_windows, defaults.min_samples
        )
        self._variation = Variation(self.detectors)
        self._rules = self._kernel_rules(defaults.step_ms)
        self._decides = not watch.is_charted(signal)

    @property
    def detectors(self) -> Sequence[str]:
        """The names of its tests."""
        return self._tests.names

    def _kernel_rules(self, step_ms: int) -> Integers:
        rules, baseline = np.zeros(RULES, dtype=np.int64), self.reference.rules
        rules[legend.CATEGORY] = isinstance(self.layout, CategoryLayout)
        rules[legend.SAMPLE] = self.layout.sample if isinstance(self.layout, CategoryLayout) else 0
        rules[legend.MIN_SAMPLES], rules[legend.WINDOW_MS] = self._min_samples, self._window_ms
        rules[legend.STEP_MS], rules[legend.ENOUGH] = step_ms, self._budget.enough
        rules[legend.BASELINE], rules[legend.NEEDED] = baseline.kind, baseline.needed
        rules[legend.SPAN_WINDOWS], rules[legend.CHUNK_WINDOWS] = baseline.span_windows, baseline.chunk_windows
        return rules

    def refer(self, pinned: PinnedPeriod | None, end_ms: int) -> None:
        """Compare windows with a period from the one on that ends at ``end_ms``, if that begins behind the period."""
        if pinned is None or self._is_within(end_ms) or self.reference.summary is not None:
            return
        summary = pinned.summary(*self.key[1:])
        if summary is not None and pinned.since_ms is not None:
            self.reference.pin(pinned.since_ms, pinned.to_ms, summary)

    def _is_within(self, end_ms: int) -> bool:
        """Whether a window begins before the period of its baseline is over."""
        from_ms = self.reference.rules.from_ms
        return from_ms is not None and end_ms - self._window_ms < from_ms

    def advance(self, panes: SeriesPanes, watch: Watch, ends_ms: range) -> Iterator[Verdicts]:
        """Yield the verdicts on the windows that end at ``ends_ms`` and have panes, in order, and learn from them.

        Parameters
        ----------
        panes : SeriesPanes
            All panes of the series from the first window's start to the last one's end.
        watch : Watch
        ends_ms : range
            Later than at every call before.
        """
        pending = [ends_ms]
        while pending:
            ends = pending.pop()
            blocks = Blocks(watch, ends)
            inside = blocks.inside(panes)
            if not inside:
                continue
            self.reference.make_room(distinct_keys(inside, self.reference.columns))
            if len(ends) > 1 and len(ends) * len(self.reference.columns) > CELLS_AT_ONCE:
                # Its windows do not fit into memory at once: the earlier half comes next.
                half = len(ends) // 2
                pending += [ends[half:], ends[:half]]
                continue
            yield self.verdicts(blocks.windows(inside, self.reference.columns))

    def verdicts(self, windows: Windows) -> Verdicts:
        """Return the verdicts on windows, in order, and learn from them."""
        count, tests = len(windows.ends_ms), len(self._tests)
        measured = Measured.unwritten(count, tests)
        self._variation.make_room(count)
        elsewhere = [name for name in self.detectors if name in VECTOR_DISTANCES]
        unknown, nothing = np.full(max(tests, 1), np.nan), np.empty((0, ANSWER))
        # The kernel stops at a window of which it lacks p-values, or distances of vectors, and continues with them.
        first, vectors_of, probabilities, vectors = 0, -1, unknown, nothing
        while (first := self._decide(first, windows, probabilities, vectors, measured)) < count:
            if elsewhere and vectors_of != first:
                vectors_of, probabilities, vectors = first, unknown, self._vectors(elsewhere, windows, first)
                continue
            # No test at all has no p-value: nothing hangs on it then.
            probabilities = np.nan_to_num(p_values(measured.numbers[first], measured.codes[first, :, P_KIND]), nan=0.0)
        names, sums = self.reference.columns.names, windows.sums

        def facts(verdicts: Verdicts, t: int, d: int) -> Facts:
            return self._facts(verdicts, t, d, names)

        events = sums[:, legend.N] + sums[:, legend.MISSING] + sums[:, legend.INVALID]
        verdicts = Verdicts(
            self.key, self.detectors, self._tests.min_effects, self._window_ms, windows.ends_ms, events, measured, facts
        )
        verdicts.decides = self._decides
        return verdicts

    def _decide(self, first: int, windows: Windows, probabilities: Floats, vectors: Floats, measured: Measured) -> int:
        """Decide from window ``first`` on; return the first that is not decided yet."""
        reference, columns, variation = self.reference, self.reference.columns, self._variation
        ring, total = reference.ring, reference.total
        return int(
            evaluate_windows(
                first, windows.counts, windows.sums, windows.extremes, windows.ends_ms,
                columns.positions, columns.known, columns.by_hash,
                self._tests.compiled, self._tests.min_effects, self._rules, self._budget.odds, self._budget.surprises,
                ring.counts, ring.sums, ring.extremes, reference.times,
                reference.span, total.counts, total.sums, total.extremes,
                variation.ring, variation.ordered, variation.left, variation.memory, probabilities, vectors,
                self._shown, measured.numbers, measured.codes, measured.about, measured.newest,
            )
        )  # fmt: skip

    def _vectors(self, names: Sequence[str], windows: Windows, t: int) -> Floats:
        """What the distances of vectors say of a window, float64[D, ANSWER]."""
        vectors = np.full((len(self._tests), ANSWER), np.nan)
        window = self.reference.columns.summary_of(windows.counts[t], windows.sums[t], windows.extremes[t])
        baseline = self.reference.summary
        for name in names:
            distance = measure_vectors(name, self.layout, baseline, window)
            answer = vectors[self.detectors.index(name)]
            answer[[STATISTIC, EFFECT, P_X]] = distance.statistic, distance.effect, distance.p_value
        return vectors

    def _facts(self, verdicts: Verdicts, t: int, d: int, names: Sequence[str]) -> Facts:
        measured = verdicts.measured
        numbers, codes = measured.numbers[t, d], measured.codes[t, d].tolist()
        match why := WHYS[codes[REASON]]:
            case "too_few":
                return Facts(why, needed=self._min_samples, unit="events")
            case "no_baseline" if self._is_within(int(verdicts.ends_ms[t])):
                return Facts(why, unit="period")
            case "no_baseline":
                rules = self.reference.rules
                return Facts(why, int(measured.about[t, PROGRESS]), rules.needed, rules.unit)
        new_values: tuple[tuple[str, int], ...] = ()
        if self.detectors[d] == "new_category" and numbers[EFFECT] > 0:
            new_values = tuple((names[column], n) for column, n in measured.newest[t].tolist() if column >= 0)
        table = numbers[TABLE:ANSWER].tolist()
        shares = None if math.isnan(table[0]) else (Share(*table[:2]), Share(*table[2:]))
        return Facts(why, codes[SEEN], self._budget.enough, "windows", codes[REACHED], shares, new_values)

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {"key": list(self.key), "reference": self.reference.snapshot(), "variation": self._variation.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        self.reference.restore(state["reference"])
        self._variation.restore(state["variation"])
