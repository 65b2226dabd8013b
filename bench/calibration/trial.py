"""One model through windows, as a backtest leads it through stored ones."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from bench.calibration.watched import Watched
from detectors.chart.legend import DRIFT
from monitor.alerts.transition import Transition
from monitor.checkpoint import decode_state, encode_state
from monitor.evaluate.mark_log import Mark
from monitor.evaluate.model import ModelSeries, follow, lifecycle_of
from monitor.evaluate.verdict_columns import Verdicts
from monitor.panes.reading import PaneRows

__all__ = ["CHANGE", "SKEW", "Trial"]

CHANGE = "change"
"""What every other detector asks for."""

SKEW = "skew"
"""The detector whose alarm stands while a signal differs from its data set, whatever else happens to it."""


class Trial:
    """A model that is evaluated: what it alarms, and when.

    Parameters
    ----------
    model : Watched

    Attributes
    ----------
    fired_ms : list of int
        When alerts began to fire. Signals that start within `join_within` share one, as they do for who is notified.
    onsets_ms : dict of str to list of int
        Ends of the windows in which a signal alarmed and had not in the window before: of a change, or of a skew.
    alarmed_ms : dict of (str, str) to set of int
        Ends of all windows in which a signal alarmed, by signal and question: ``change`` or ``skew``.
    told_ms : dict of str to set of int
        Ends of the windows in which a move of a signal was told, by an alert of its own or an update of one.
    """

    def __init__(self, model: Watched) -> None:
        self._model = model
        self._series, self._lifecycle = ModelSeries(model.watch, []), lifecycle_of(model.watch)
        self._last_drift_ms: dict[tuple[str, str], int] = {}
        self.fired_ms: list[int] = []
        self.onsets_ms: dict[str, list[int]] = defaultdict(list)
        self.alarmed_ms: dict[tuple[str, str], set[int]] = defaultdict(set)
        self.told_ms: dict[str, set[int]] = defaultdict(set)

    def decide(self, marks: Sequence[Mark]) -> None:
        """Go on with what people say: all marks so far, each with the window from which it has effect."""
        self._series.decide(marks)

    def advance(self, panes: PaneRows, ends_ms: range) -> list[Transition]:
        """Evaluate windows that follow those before, and return what became of alerts."""
        verdicts = self._series.advance(panes, ends_ms)
        transitions = follow(self._lifecycle, verdicts, ends_ms)
        self.fired_ms += [transition.at_ms for transition in transitions if transition.state == "firing"]
        self._note_told(transitions)
        self._note_onsets(verdicts)
        return transitions

    def _note_onsets(self, verdicts: Sequence[Verdicts]) -> None:
        for of_series in verdicts:
            signal = of_series.key[2]
            alarmed = of_series.statuses == DRIFT
            is_skew = np.array([name == SKEW for name in of_series.detectors], dtype=np.bool_)
            # A skew that stands must not hide a change.
            for question, detectors in ((CHANGE, ~is_skew), (SKEW, is_skew)):
                ends_ms = of_series.ends_ms[alarmed[:, detectors].any(axis=1)]
                self._note(signal, question, ends_ms.tolist())

    def _note_told(self, transitions: Sequence[Transition]) -> None:
        for transition in transitions:
            for entry in transition.signals if transition.state in ("firing", "updated") else ():
                # Others of the alert only stand, as a skew does.
                moved = (entry["surprise"] or 0.0) > (entry["surprise_limit"] or math.inf) and entry["detector"] != SKEW
                if moved and entry["last_ms"] == transition.at_ms:
                    self.told_ms[entry["signal"]].add(transition.at_ms)

    def _note(self, signal: str, question: str, alarmed_ms: Sequence[int]) -> None:
        self.alarmed_ms[signal, question].update(alarmed_ms)
        for end_ms in alarmed_ms:
            if self._last_drift_ms.get((signal, question), 0) < end_ms - self._model.grid.window_ms:
                self.onsets_ms[signal].append(end_ms)
            self._last_drift_ms[signal, question] = end_ms

    def onsets(self) -> int:
        """How often any signal began to alarm."""
        return int(np.sum([len(onsets) for onsets in self.onsets_ms.values()]))

    def branch(self) -> Trial:
        """Return a trial that goes on from here by itself, and has alarmed nothing yet."""
        other = Trial(self._model)
        state = decode_state(encode_state([self._series.snapshot(), self._lifecycle.snapshot()]))
        other._series.restore(state[0])
        other._lifecycle.restore(state[1])
        other._last_drift_ms = dict(self._last_drift_ms)
        return other
