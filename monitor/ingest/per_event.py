"""What has to see every event of a signal, in the order of the log: detectors of change and scorers of anomalies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly import AnomalyBank
from detectors.river_banks import bank_of
from monitor.watch import Watch

__all__ = ["ANOMALY", "DRIFT", "Fired", "PerEvent"]

DRIFT, ANOMALY = "drift", "anomaly"
"""The status of a finding."""


@dataclass(frozen=True, slots=True)
class Fired:
    """Where in a batch a detector fired.

    Attributes
    ----------
    signal, detector : str
    status : str
        ``drift``: from here on things are different. ``anomaly``: this one observation is.
    places : int [k]
        Positions in the batch.
    value, score, level : float [k]
        What was observed, and what was said of it: a vector has no value, and a detector of change gives no level.
    """

    signal: str
    detector: str
    status: str
    places: NDArray[np.intp]
    value: NDArray[np.float64]
    score: NDArray[np.float64]
    level: NDArray[np.float64]


class PerEvent:
    """The per-event detectors of one partition: a bank for each use on a signal, with a series for each version.

    A vector is watched if the partition's events carry all of its signals.

    Parameters
    ----------
    watch : Watch
    signals : list of str
        Numeric signals, in the order of the columns of a batch.
    fields : mapping of str to int
        Vector fields, in the order of a batch, with how many numbers they have.
    """

    def __init__(self, watch: Watch, signals: list[str], fields: Mapping[str, int]) -> None:
        parts = {signal: [signal] for signal in signals} | dict(watch.vectors)
        there = {signal: len(of) for signal, of in parts.items() if set(of) <= set(signals)} | dict(fields)
        self._banks = {
            (signal, name): bank_of(name, params, dimension)
            for signal, dimension in there.items()
            for name, params in watch.detectors_for(signal).items()
        }
        self._fields = {signal: place for place, signal in enumerate(fields)}
        self._columns = {s: [signals.index(part) for part in parts.get(s, ())] for s, _ in self._banks}
        self._series = 0

    def add_series(self) -> None:
        """Make room for one more series, which has seen nothing."""
        self._series += 1
        for bank in self._banks.values():
            bank.resize(self._series)

    def update(
        self, series: NDArray[np.int64], columns: NDArray[np.float64], vectors: list[NDArray[np.float64]]
    ) -> list[Fired]:
        """Show a batch to all detectors, and return where they fired.

        Parameters
        ----------
        series : int64 [n]
        columns : float64 [signals, n]
        vectors : list of float64 [n, dimension]
        """
        found = []
        for (signal, name), bank in self._banks.items():
            if signal in self._fields:
                values, value = vectors[self._fields[signal]], np.full(len(series), np.nan)
            else:
                values, value = _observed(columns, self._columns[signal])
            if isinstance(bank, AnomalyBank):
                scores = bank.update(series, values)
                at, status, score, level = scores.anomalies(), ANOMALY, scores.score, scores.level
            else:
                flags = bank.update_one(0, values) if self._series == 1 else bank.update(series, values)
                at, status, score = flags.drifts(), DRIFT, flags.score
                level = np.full(len(values), np.nan)
            if len(at):
                found.append(Fired(signal, name, status, at, value[at], score[at], level[at]))
        return found

    def snapshot(self) -> dict[str, Any]:
        """Everything that is to be said depends on."""
        return {f"{signal}|{name}": bank.snapshot() for (signal, name), bank in self._banks.items()}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Go on from a snapshot of the same uses, with as many series."""
        for (signal, name), bank in self._banks.items():
            bank.restore(kept[f"{signal}|{name}"])


def _observed(columns: NDArray[np.float64], of: list[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a bank is shown, [n] or [n, d], and what a finding says was observed, [n]."""
    if len(of) == 1:
        return columns[of[0]], columns[of[0]]
    return np.ascontiguousarray(columns[of].T), np.full(columns.shape[1], np.nan)
