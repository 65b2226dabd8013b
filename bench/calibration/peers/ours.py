"""Leeway over a log: panes of its windows, through what evaluates stored panes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.calibration.grid import Grid
from bench.calibration.panes import pane_rows
from bench.calibration.peers.logs import Log
from bench.calibration.trial import CHANGE, SKEW, Trial
from bench.calibration.watched import Rule, Watched, built_on

__all__ = ["Ours"]

Bools = NDArray[np.bool_]


class Ours:
    """A model that has lived through a reference.

    Parameters
    ----------
    data_set : Log
        What it is built on.
    reference : Log
        Its first windows.
    grid : Grid
    rule : Rule
    """

    def __init__(self, data_set: Log, reference: Log, grid: Grid, rule: Rule) -> None:
        self._grid, self._first = grid, reference.windows
        self._model: Watched = built_on(data_set.table(), reference.stream, grid, rule)
        self._trial = Trial(self._model)
        self._advance(self._trial, reference, 0)

    def alerts(self, log: Log) -> Bools:
        """Return in which of the windows after the reference each feature alarms, and the volume: bool[2, F + 1, T].

        First of a change, then of a skew.
        """
        trial = self._trial.branch()
        self._advance(trial, log, self._first)
        ends_ms = self._grid.ends_ms(self._first, log.windows)
        signals = [*self._model.signals, "volume"]
        return np.array(
            [
                [[end_ms in trial.alarmed_ms[signal, question] for end_ms in ends_ms] for signal in signals]
                for question in (CHANGE, SKEW)
            ]
        )

    def _advance(self, trial: Trial, log: Log, first: int) -> None:
        ends_ms = self._grid.ends_ms(first, log.windows)
        panes = pane_rows(self._model, log.counted(self._model), ends_ms)
        for window in range(0, log.windows, self._grid.per_day):
            trial.advance(panes, ends_ms[window : window + self._grid.per_day])
