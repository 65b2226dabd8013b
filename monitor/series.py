"""What is known of one series from window to window: its baseline, its usual variation, its life cycle.

::

    no_data ──► learning ──► active ◄──► alarmed
                (baseline, then variation)

A window with fewer than ``min_samples`` events has no say: it is neither quiet nor alarmed, and teaches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from detectors.sketch import CategorySummary
from monitor.alerts.verdict import Verdict
from monitor.baselines import Reference
from monitor.compare import Measured, Pair, pair_of, unseen
from monitor.judge import judge, log_effect
from monitor.volume import VolumeHistory
from monitor.watch import Layout, Summary, Watch

__all__ = ["HISTORY", "DistributionSeries", "VolumeSeries", "tail_probability"]

HISTORY = 2048
"""Quiet windows from which a series' variation is learned."""

DAY_MS = 86_400_000
Key = tuple[str, str, str]  # version, segment, signal


def tail_probability(watch: Watch) -> float:
    """The accepted probability of a false alarm per test, so that the model's budget holds.

    The budget is split evenly over all tests of the period: windows, times slices, times detectors of all signals.
    A test that a version or slice makes beyond those (two versions at once) is not counted.
    """
    detect = watch.model.spec.detect
    windows = detect.false_alarms.per_ms / detect.defaults.step_ms
    slices = 1 + sum(len(cut.names) for cut in watch.slices)
    tests = sum(len(uses) - len(watch.detectors_for(signal)) for signal, uses in watch.uses.items())
    return min(0.05, detect.false_alarms.count / max(1.0, windows * slices * tests))


class _Tests:
    """The variation of each detector of a series."""

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}

    def add(self, effects: Mapping[str, float]) -> None:
        for name, effect in effects.items():
            past = self.history.setdefault(name, [])
            past.append(log_effect(effect))
            del past[:-HISTORY]

    def snapshot(self) -> dict[str, Any]:
        return {name: np.array(past) for name, past in self.history.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.history = {name: [float(x) for x in past] for name, past in state.items()}


class DistributionSeries:
    """The distribution of one signal in one version and segment.

    Parameters
    ----------
    watch : Watch
    key : tuple
        Version, segment, signal.
    """

    def __init__(self, watch: Watch, key: Key) -> None:
        self.key = key
        self.version, self.segment, self.signal = key
        defaults = watch.model.spec.detect.defaults
        self._window_ms, self._step_ms = defaults.window, defaults.step_ms
        self._enough, self._min_samples = defaults.learn_windows, defaults.min_samples
        self._tail = tail_probability(watch)
        self.layout: Layout = watch.layouts[self.signal]
        self.uses = {n: p for n, p in watch.uses[self.signal].items() if n not in watch.detectors_for(self.signal)}
        dataset = watch.reference.get((self.segment, self.signal))
        self.reference = Reference(watch.model.spec.baseline, self._window_ms, dataset, self._enough)
        self._tests = _Tests()

    def tests(self, window: Summary) -> dict[str, Pair]:
        """What must be measured of a window; nothing while there is too little of it, or no baseline."""
        reference = self.reference.summary
        if reference is None or window.total < self._min_samples:
            return {}
        return {name: pair_of(name, self.layout, reference, window) for name in self.uses}

    def conclude(self, end_ms: int, window: Summary, measured: Mapping[str, Measured]) -> list[Verdict]:
        """Judge a window and learn from it if it was quiet.

        Parameters
        ----------
        end_ms : int
        window : Summary
        measured : mapping
            By detector, what came of :meth:`tests`.
        """
        if window.total < self._min_samples:
            detail = f"{window.total} of {self._min_samples} events needed"
            return [self._verdict(name, "no_data", end_ms, window, detail=detail) for name in self.uses]
        verdicts = [
            self._judged(name, end_ms, window, measured[name])
            if name in measured
            else self._verdict(name, "learning", end_ms, window, detail=self.reference.progress)
            for name in self.uses
        ]
        quiet = all(verdict.status != "drift" for verdict in verdicts)
        if quiet and self._independent(end_ms):
            self._tests.add({name: m.effect for name, m in measured.items() if not np.isnan(m.effect)})
            self.reference.add(end_ms - self._window_ms, end_ms, window)
        return verdicts

    def _independent(self, end_ms: int) -> bool:
        """Overlapping windows repeat themselves: of sliding ones only every disjoint one teaches."""
        return self._step_ms == self._window_ms or end_ms // self._step_ms % (self._window_ms // self._step_ms) == 0

    def _judged(self, name: str, end_ms: int, window: Summary, measured: Measured) -> Verdict:
        if np.isnan(measured.effect):
            return self._verdict(name, "no_data", end_ms, window, detail="nothing to compare")
        min_effect = float(self.uses[name].get("min_effect", measured.min_effect))
        history = self._tests.history.get(name, [])
        judged = judge(measured.effect, min_effect, measured.p_value, history, (self._tail, self._enough))
        detail = judged.reason
        if name == "new_category" and measured.effect > 0:
            detail = f"{detail}; new: {self._new_names(window)}"
        return self._verdict(
            name,
            judged.status,
            end_ms,
            window,
            detail=detail,
            statistic=measured.statistic,
            effect=measured.effect,
            min_effect=min_effect,
            p_value=measured.p_value,
            surprise=judged.surprise,
            surprise_limit=judged.limit,
        )

    def _new_names(self, window: Summary) -> str:
        reference = self.reference.summary
        assert isinstance(reference, CategorySummary)
        assert isinstance(window, CategorySummary)
        new = sorted(unseen(reference, window).items(), key=lambda item: (-item[1], item[0]))
        return ", ".join(f"{name[:40]!r} ({count})" for name, count in new[:5])

    def _verdict(self, name: str, status: Any, end_ms: int, window: Summary, **values: Any) -> Verdict:
        from_ms, to_ms = self.reference.span_ms
        reference = self.reference.summary
        return Verdict(
            self.version,
            self.segment,
            self.signal,
            name,
            status,
            end_ms,
            end_ms - self._window_ms,
            n=window.total,
            baseline_n=reference.total if reference is not None else 0,
            baseline_from_ms=from_ms,
            baseline_to_ms=to_ms,
            **values,
        )

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {"key": list(self.key), "reference": self.reference.snapshot(), "tests": self._tests.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot."""
        self.reference.restore(state["reference"], self.layout)
        self._tests.restore(state["tests"])


class VolumeSeries:
    """The number of events of one segment, all versions together.

    Parameters
    ----------
    watch : Watch
    segment : str
    """

    def __init__(self, watch: Watch, segment: str) -> None:
        self.segment = segment
        defaults = watch.model.spec.detect.defaults
        self._window_ms, self._enough = defaults.window, defaults.learn_windows
        self._min_effect = watch.uses["volume"].get("volume", {}).get("min_effect")
        self._tail = tail_probability(watch)
        self._history = VolumeHistory(defaults.step_ms)
        self._tests = _Tests()

    def conclude(self, end_ms: int, n: int) -> Verdict:
        """Judge a window and learn from it if it was quiet."""
        measured = self._history.measure(end_ms, n)
        if measured is None:
            self._history.add(end_ms, n)
            return self._verdict("learning", end_ms, n, detail="too few earlier days at this time")
        min_effect = float(self._min_effect or measured.min_effect)
        past = self._tests.history.get("volume", [])
        judged = judge(measured.effect, min_effect, measured.p_value, past, (self._tail, self._enough))
        if judged.status != "drift":
            self._history.add(end_ms, n)
            self._tests.add({"volume": measured.effect})
        return self._verdict(
            judged.status,
            end_ms,
            n,
            detail=f"{measured.detail}; {judged.reason}",
            statistic=measured.statistic,
            effect=measured.effect,
            min_effect=min_effect,
            p_value=measured.p_value,
            surprise=judged.surprise,
            surprise_limit=judged.limit,
        )

    def _verdict(self, status: Any, end_ms: int, n: int, **values: Any) -> Verdict:
        start_ms = end_ms - self._window_ms
        return Verdict("", self.segment, "volume", "volume", status, end_ms, start_ms, n=n, **values)

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {"segment": self.segment, "history": self._history.snapshot(), "tests": self._tests.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot."""
        self._history.restore(state["history"])
        self._tests.restore(state["tests"])
