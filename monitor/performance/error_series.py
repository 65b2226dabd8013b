"""Per-event detectors over the errors of a model: their state by version and segment, and what they say of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.bank import Bank
from detectors.drift import find
from detectors.sketch import FindingLayout
from detectors.sketch.findings import COUNTED, SPELL
from monitor.values import DAY_MS

__all__ = ["DetectorAnswer", "ErrorSeries", "Errors"]

FORGOTTEN_MS = 60 * DAY_MS
"""A series without errors for so long begins anew."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
SeriesName = tuple[str, str]


@dataclass(frozen=True)
class Errors:
    """Errors in the order in which they are shown to detectors, each once for all traffic and once for each segment.

    Attributes
    ----------
    names : sequence of (str, str)
        Version and segment of the series that there are.
    series : int64 array [n]
        Which of these an error is of.
    error : float64 array [n]
    hour_ms : int64 array [n]
        When it became known; ascending.
    """

    names: Sequence[SeriesName]
    series: Integers
    error: Floats
    hour_ms: Integers


@dataclass(frozen=True)
class DetectorAnswer:
    """What one detector answers to errors.

    Attributes
    ----------
    detector : str
    fired, begins : int64 arrays
        Of which errors there is a finding, and with which of them a spell of findings begins.
    score : float64 array [n]
    """

    detector: str
    fired: Integers
    begins: Integers
    score: Floats


class ErrorSeries:
    """The detectors of a model's errors, with a series for each version and segment.

    However errors are cut into batches, the same is answers of each.

    Parameters
    ----------
    layout : FindingLayout
        The detectors with their parameters.

    Examples
    --------
    >>> series = ErrorSeries(FindingLayout({"ddm": {}}))
    >>> error, row = np.repeat([0.0, 1.0], 200), np.zeros(400, dtype=np.int64)
    >>> ddm, = series.update(Errors([("v1", "")], row, error, row))
    >>> bool(ddm.fired[0] > 200)
    True
    """

    def __init__(self, layout: FindingLayout) -> None:
        self.layout = layout
        self._banks = {name: Bank(find(name), layout.uses[name]) for name in layout.detectors}
        self._index: dict[SeriesName, int] = {}
        self._last_ms = np.zeros(0, dtype=np.int64)
        self._seen = np.zeros(0, dtype=np.int64)
        # Of how many errors of the series the last finding was the last, by detector.
        self._last_finding = np.zeros((len(self._banks), 0), dtype=np.int64)

    def update(self, errors: Errors) -> list[DetectorAnswer]:
        """Show errors to all detectors; return what each says, in the order of the layout."""
        if not len(errors.error):
            return []
        self._make_room(errors)
        series = np.array([self._index[name] for name in errors.names], dtype=np.int64)[errors.series]
        # How many errors its series has seen with each.
        number = _running_counts(series, self._seen)
        answers = []
        for at, (name, bank) in enumerate(self._banks.items()):
            flags = bank.update(series, errors.error)
            fired = flags.drifts()
            answers.append(DetectorAnswer(name, fired, self._begins(at, fired, series, number), flags.score))
        self._seen += np.bincount(series, minlength=len(self._seen))
        np.maximum.at(self._last_ms, series, errors.hour_ms)
        return answers

    def counts(self, errors: Errors, answers: Sequence[DetectorAnswer]) -> dict[tuple[int, SeriesName], Integers]:
        """Return what is counted of errors, in the order of the layout's names, by hour and series."""
        hours, hour = np.unique(errors.hour_ms, return_inverse=True)
        cell = hour.astype(np.int64) * len(errors.names) + errors.series
        cells, row = np.unique(cell, return_inverse=True)
        counts = np.zeros((len(cells), len(answers), len(COUNTED)), dtype=np.int64)
        for at, answer in enumerate(answers):
            for column, chosen in enumerate((answer.fired, np.arange(len(cell)), answer.begins)):
                counts[:, at, column] = np.bincount(row[chosen], minlength=len(cells))
        keys = [(int(hours[at // len(errors.names)]), errors.names[at % len(errors.names)]) for at in cells.tolist()]
        return {key: of_cell.ravel() for key, of_cell in zip(keys, counts, strict=True)}

    def _begins(self, detector: int, fired: Integers, series: Integers, number: Integers) -> Integers:
        begins = []
        newest = self._last_finding[detector]
        for each in fired.tolist():
            of_series = series[each]
            if number[each] - newest[of_series] > SPELL + 1:
                begins.append(each)
            newest[of_series] = number[each]
        return np.array(begins, dtype=np.int64)

    def _make_room(self, errors: Errors) -> None:
        """Let series begin: new ones, and those that had nothing for long."""
        first_ms = {errors.names[at]: int(errors.hour_ms[row]) for at, row in _firsts(errors.series)}
        forgotten = {
            name
            for name, at_ms in first_ms.items()
            if name in self._index and self._last_ms[self._index[name]] < at_ms - FORGOTTEN_MS
        }
        if forgotten:
            self._keep([name for name in self._index if name not in forgotten])
        for name in sorted(first_ms.keys() - self._index.keys()):
            self._index[name] = len(self._index)
        added = len(self._index) - len(self._seen)
        self._last_ms, self._seen = (np.append(each, [0] * added) for each in (self._last_ms, self._seen))
        never = np.full((len(self._banks), added), -SPELL - 1, dtype=np.int64)
        self._last_finding = np.hstack([self._last_finding, never])
        for bank in self._banks.values():
            bank.resize(len(self._index))

    def _keep(self, names: Sequence[SeriesName]) -> None:
        rows = np.array([self._index[name] for name in names], dtype=np.int64)
        for bank in self._banks.values():
            bank.keep(rows)
        self._index = {name: row for row, name in enumerate(names)}
        self._last_ms, self._seen = self._last_ms[rows], self._seen[rows]
        self._last_finding = self._last_finding[:, rows]

    def snapshot(self, now_ms: int) -> dict[str, Any]:
        """State for a checkpoint, without series that had nothing for so long that they would begin anew."""
        self._keep(sorted(name for name, row in self._index.items() if self._last_ms[row] >= now_ms - FORGOTTEN_MS))
        return {
            "series": [list(name) for name in self._index],
            "last_ms": self._last_ms,
            "seen": self._seen,
            "last_finding": self._last_finding,
            "banks": {name: bank.snapshot() for name, bank in self._banks.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot, of the same layout."""
        self._index = {(version, segment): row for row, (version, segment) in enumerate(state["series"])}
        self._last_ms, self._seen = np.array(state["last_ms"]), np.array(state["seen"])
        self._last_finding = np.array(state["last_finding"])
        for name, bank in self._banks.items():
            bank.restore(state["banks"][name])


def _running_counts(series: Integers, seen: Integers) -> Integers:
    order = np.argsort(series, kind="stable")
    counts = np.bincount(series, minlength=len(seen))
    first = np.cumsum(counts) - counts
    number = np.empty(len(series), dtype=np.int64)
    number[order] = np.arange(len(series)) - first[series[order]] + 1
    return number + seen[series]


def _firsts(series: Integers) -> list[tuple[int, int]]:
    values, rows = np.unique(series, return_index=True)
    return list(zip(values.tolist(), rows.tolist(), strict=True))
