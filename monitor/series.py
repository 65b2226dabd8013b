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
from monitor.compare import Measured, Pair, pairs_of, unseen
from monitor.judge import Limits, judge, log_effect
from monitor.volume import SEASONS, VolumeHistory
from monitor.watch import Layout, Summary, Watch

__all__ = ["HISTORY", "DistributionSeries", "VolumeSeries", "limits_of"]

HISTORY = 2048
"""Quiet windows from which a series' variation is learned."""

DAY_MS = 86_400_000
Key = tuple[str, str, str]  # version, segment, signal


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


class _Variation:
    """What a series' detectors have shown: log effects of quiet windows and of the onsets of alarms."""

    def __init__(self) -> None:
        self._history: dict[str, list[float]] = {}
        self._alarmed: set[str] = set()

    def of(self, name: str) -> list[float]:
        """The history of one detector, oldest first."""
        return self._history.get(name, [])

    def learn(self, name: str, status: str, log: float) -> None:
        """Take in a window, unless an alarm merely goes on."""
        onset = name not in self._alarmed
        (self._alarmed.add if status == "drift" else self._alarmed.discard)(name)
        if status == "drift" and not onset:
            return
        past = self._history.setdefault(name, [])
        past.append(log)
        del past[:-HISTORY]

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        history = {name: np.array(past) for name, past in self._history.items()}
        return {"history": history, "alarmed": sorted(self._alarmed)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot."""
        self._history = {name: [float(x) for x in past] for name, past in state["history"].items()}
        self._alarmed = set(state["alarmed"])


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
        self._min_samples = defaults.min_samples
        self._limits = limits_of(watch)
        self.layout: Layout = watch.layouts[self.signal]
        self.uses = {n: p for n, p in watch.uses[self.signal].items() if n not in watch.detectors_for(self.signal)}
        dataset = watch.reference.get((self.segment, self.signal))
        self.reference = Reference(watch.model.spec.baseline, self._window_ms, dataset, defaults.learn_windows)
        self._variation = _Variation()

    def tests(self, window: Summary) -> dict[str, Pair]:
        """What must be measured of a window; nothing while there is too little of it, or no baseline."""
        reference = self.reference.summary
        if reference is None or window.total < self._min_samples:
            return {}
        return pairs_of(self.uses, self.layout, reference, window)

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
        if self._independent(end_ms):
            for verdict in verdicts:
                if verdict.status in {"ok", "drift"} or (verdict.status == "learning" and verdict.detector in measured):
                    log = log_effect(verdict.effect, verdict.min_effect)
                    self._variation.learn(verdict.detector, verdict.status, log)
            if all(verdict.status != "drift" for verdict in verdicts):
                self.reference.add(end_ms - self._window_ms, end_ms, window)
        return verdicts

    def _independent(self, end_ms: int) -> bool:
        """Overlapping windows repeat themselves: of sliding ones only every disjoint one teaches."""
        return self._step_ms == self._window_ms or end_ms // self._step_ms % (self._window_ms // self._step_ms) == 0

    def _judged(self, name: str, end_ms: int, window: Summary, measured: Measured) -> Verdict:
        if np.isnan(measured.effect):
            return self._verdict(name, "no_data", end_ms, window, detail="nothing to compare")
        min_effect = float(self.uses[name].get("min_effect", measured.min_effect))
        judged = judge(measured.effect, min_effect, measured.p_value, self._variation.of(name), self._limits)
        detail = judged.reason
        if name == "new_category" and measured.effect > 0:
            detail = _joined(detail, f"new: {self._new_names(window)}")
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
        return {"key": list(self.key), "reference": self.reference.snapshot(), "variation": self._variation.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot."""
        self.reference.restore(state["reference"], self.layout)
        self._variation.restore(state["variation"])


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


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
        self._window_ms = defaults.window
        self._min_effect = watch.uses["volume"].get("volume", {}).get("min_effect")
        self._limits = limits_of(watch)
        self._history = VolumeHistory(defaults.step_ms)
        self._variation = _Variation()

    def conclude(self, end_ms: int, n: int) -> Verdict:
        """Judge a window against the same hours of earlier weeks, or of earlier days while too few weeks are known."""
        verdict = self._verdict("learning", end_ms, n, detail="too few earlier days at this time")
        for season in reversed(list(SEASONS)):
            measured = self._history.measure(season, end_ms, n)
            if measured is None:
                continue
            judged = self._judged(season, end_ms, n, measured)
            if judged.status != "learning" or verdict.status == "learning":
                verdict = judged
            self._variation.learn(season, judged.status, log_effect(judged.effect, judged.min_effect))
        if verdict.status != "drift":
            self._history.add(end_ms, n)
        return verdict

    def _judged(self, season: str, end_ms: int, n: int, measured: Measured) -> Verdict:
        min_effect = float(self._min_effect or measured.min_effect)
        judged = judge(measured.effect, min_effect, measured.p_value, self._variation.of(season), self._limits)
        return self._verdict(
            judged.status,
            end_ms,
            n,
            detail=_joined(measured.detail, judged.reason),
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
        return {"segment": self.segment, "history": self._history.snapshot(), "variation": self._variation.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot."""
        self._history.restore(state["history"])
        self._variation.restore(state["variation"])
