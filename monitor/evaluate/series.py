"""What is known of one series from window to window: its baseline, its usual variation, its life cycle.

::

    no_data ──► learning ──► active ◄──► alarmed
                (baseline, then variation)

A window with fewer than ``min_samples`` events has no say: it is neither quiet nor alarmed, and teaches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.chart import legend
from detectors.chart.legend import (
    ABOUT,
    CODES,
    DRIFT,
    NEWEST,
    NO_BASELINE,
    NUMBERS,
    P_KIND,
    PROGRESS,
    REASON,
    RULES,
    STATUS,
    TOO_FEW,
)
from detectors.chart.measure import as_tests
from detectors.chart.windows import judge_windows
from detectors.distance import VECTOR_DISTANCES
from detectors.distance.contract import ANSWER, EFFECT, P_X, STATISTIC, TABLE
from detectors.distance.p_values import p_values
from detectors.sketch import CategoryLayout
from monitor.config.references import WINDOWED
from monitor.evaluate.alarm_rule import Limits, limits_of, reason
from monitor.evaluate.baselines import Reference
from monitor.evaluate.variation import Variation
from monitor.evaluate.verdicts import Judged, words
from monitor.evaluate.windows import Blocks, Windows, distinct_keys
from monitor.events import SeriesKey
from monitor.panes.compare import measure_vectors
from monitor.panes.reading import Part
from monitor.watch import Layout, Watch

__all__ = ["DistributionSeries", "limits_of"]

CELLS_AT_ONCE = 4_000_000
"""Counts of windows in memory at once; a series with more is judged in several stretches."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class DistributionSeries:
    """The distribution of one signal in one version and segment.

    Parameters
    ----------
    watch : Watch
    key : tuple
        Version, segment, signal.
    limits : Limits or None
        Those of ``watch``, unless they are at hand.
    whole : bool
        False: what was said of windows that are not material lacks its surprise, which takes a third of the time and
        which no decision depends on.
    """

    def __init__(self, watch: Watch, key: SeriesKey, limits: Limits | None = None, *, whole: bool = True) -> None:
        self.key, self._whole = key, whole
        _, segment, signal = key
        defaults = watch.model.spec.detect.defaults
        uses = {n: p for n, p in watch.uses[signal].items() if n not in watch.detectors_for(signal)}
        self.detectors = list(uses)
        self.layout: Layout = watch.layouts[signal]
        self._window_ms, self._min_samples = defaults.window, defaults.min_samples
        self._limits = limits or limits_of(watch)
        self._of_vectors = [name for name in uses if name in VECTOR_DISTANCES]
        self._tests = as_tests(self.detectors)
        effects = [float(params.get("min_effect", WINDOWED[name].default_min_effect)) for name, params in uses.items()]
        self._min_effects = np.array(effects, dtype=np.float64)
        dataset = watch.reference.get((segment, signal))
        baseline = watch.model.spec.baseline
        self.reference = Reference(baseline, defaults.window, self.layout, dataset, defaults.learn_windows)
        self._variation = Variation(self.detectors)
        self._rules = self._settled(defaults.step_ms)

    def _settled(self, step_ms: int) -> Integers:
        rules = np.zeros(RULES, dtype=np.int64)
        category = isinstance(self.layout, CategoryLayout)
        rules[legend.CATEGORY] = category
        rules[legend.SAMPLE] = self.layout.sample if isinstance(self.layout, CategoryLayout) else 0
        rules[legend.MIN_SAMPLES], rules[legend.WINDOW_MS] = self._min_samples, self._window_ms
        rules[legend.STEP_MS], rules[legend.ENOUGH] = step_ms, self._limits.enough
        rules[legend.BASELINE], rules[legend.NEEDED] = self.reference.kind, self.reference.needed
        rules[legend.SPAN_WINDOWS] = self.reference.span_windows
        rules[legend.CHUNK_WINDOWS] = self.reference.chunk_windows
        return rules

    def advance(self, part: Part, watch: Watch, ends_ms: range) -> list[Judged]:
        """Judge the windows that end at ``ends_ms`` and have panes, in order, and learn from them.

        Parameters
        ----------
        part : Part
            All panes of the series from the first window's start to the last one's end.
        watch : Watch
        ends_ms : range
            Behind all that were judged before.

        Returns
        -------
        list of Judged
            Of one stretch of windows after the other.
        """
        pending, found = [ends_ms], []
        while pending:
            ends = pending.pop()
            blocks = Blocks(watch, ends)
            inside = blocks.inside(part)
            if not inside:
                continue
            self.reference.make_room(distinct_keys(inside, self.reference.columns))
            if len(ends) > 1 and len(ends) * len(self.reference.columns) > CELLS_AT_ONCE:
                half = len(ends) // 2
                pending += [ends[half:], ends[:half]]
                continue
            found.append(self.judge(blocks.windows(inside, self.reference.columns)))
        return found

    def judge(self, windows: Windows) -> Judged:
        """Judge windows, in order, and learn from them."""
        count, tests = len(windows.ends_ms), len(self._tests)
        numbers, codes = np.empty((count, tests, NUMBERS)), np.empty((count, tests, CODES), dtype=np.int64)
        about = np.empty((count, ABOUT), dtype=np.int64)
        newest = np.empty((count, NEWEST, 2), dtype=np.int64)
        self._variation.make_room(count)
        unknown, none = np.full(max(tests, 1), np.nan), np.empty((0, ANSWER))
        first, measured, p_values_at, of_vectors = 0, -1, unknown, none
        while (first := self._from(first, windows, p_values_at, of_vectors, numbers, codes, about, newest)) < count:
            if self._of_vectors and measured != first:
                measured, p_values_at, of_vectors = first, unknown, self._answers_of_vectors(windows, first)
                continue
            # No test at all has no p-value: nothing hangs on it then.
            p_values_at = np.nan_to_num(p_values(numbers[first], codes[first, :, P_KIND]), nan=0.0)
        sums = windows.sums
        names, progress = self.reference.columns.names, self.reference.progress

        def detail(judged: Judged, t: int, d: int) -> str:
            return self._detail(judged, t, d, progress, names)

        return Judged(
            self.key,
            self.detectors,
            self._min_effects,
            self._window_ms,
            windows.ends_ms,
            sums[:, legend.N] + sums[:, legend.MISSING] + sums[:, legend.INVALID],
            numbers,
            codes,
            about,
            newest,
            detail,
        )

    def _from(
        self, first: int, windows: Windows, p_values_at: Floats, of_vectors: Floats, numbers: Floats, codes: Integers,
        about: Integers, newest: Integers,
    ) -> int:  # fmt: skip
        reference, columns, variation = self.reference, self.reference.columns, self._variation
        return int(
            judge_windows(
                first, windows.counts, windows.sums, windows.extremes, windows.ends_ms,
                columns.positions, columns.hashes, columns.known, columns.by_hash,
                self._tests, self._min_effects, self._rules, self._limits.odds, self._limits.surprises,
                reference.chunks, reference.chunk_sums, reference.chunk_extremes, reference.chunk_times,
                reference.place, reference.total, reference.total_sums, reference.total_extremes,
                variation.ring, variation.ordered, variation.left, variation.memory,
                p_values_at, of_vectors, self._whole, numbers, codes, about, newest,
            )
        )  # fmt: skip

    def _answers_of_vectors(self, windows: Windows, t: int) -> Floats:
        """What the distances of vectors answer for a window, float64[D, ANSWER]."""
        answers = np.full((len(self._tests), ANSWER), np.nan)
        window = self.reference.columns.summary_of(windows.counts[t], windows.sums[t], windows.extremes[t])
        baseline = self.reference.summary
        for name in self._of_vectors:
            measured = measure_vectors(name, self.layout, baseline, window)
            answer = answers[self.detectors.index(name)]
            answer[[STATISTIC, EFFECT, P_X]] = measured.statistic, measured.effect, measured.p_value
        return answers

    def _detail(self, judged: Judged, t: int, d: int, progress: Any, names: Sequence[str]) -> str:
        numbers, codes = judged.numbers[t, d], judged.codes[t, d]
        if codes[REASON] == TOO_FEW:
            return f"{judged.n[t]} of {self._min_samples} events needed"
        if codes[REASON] == NO_BASELINE:
            return str(progress(int(judged.about[t, PROGRESS])))
        p_value = float(judged.p_values[t, d]) if codes[REASON] == legend.CHANCE else np.nan
        why = reason(numbers, codes, float(self._min_effects[d]), p_value, self._limits.enough)
        if codes[STATUS] == DRIFT and not np.isnan(numbers[TABLE]):
            with_it, without, with_it_now, without_now = numbers[TABLE:ANSWER].tolist()
            why = f"{_percent(with_it, without)} → {_percent(with_it_now, without_now)}"
        if self.detectors[d] == "new_category" and numbers[EFFECT] > 0:
            new = [(names[column], count) for column, count in judged.newest[t].tolist() if column >= 0]
            why = words(why, f"new: {', '.join(f'{name[:40]!r} ({count})' for name, count in new)}")
        return why

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {"key": list(self.key), "reference": self.reference.snapshot(), "variation": self._variation.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot."""
        self.reference.restore(state["reference"])
        self._variation.restore(state["variation"])


def _percent(part: float, rest: float) -> str:
    return f"{100 * part / (part + rest):.3g} %"
