"""What the windows of an alarm add up to: of shares, how many events were counted out of how many, and were usual.

Charts see residuals, each of one window. Of windows of few events the mean of residuals has no share that would be the
one of all their events: what is told of these is counted. As far back as an alarm may have begun, windows are kept
added up, the more of them in one sum the longer ago they were; those of the day also apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.change import legend
from detectors.change.model import Evidence, ModelCharts, Settings
from detectors.change.shares import counted_shares
from detectors.change.state import State

__all__ = ["CountedCharts", "CountedShare"]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

FINENESS = 16
"""The part of their age that sums span at most: a sixteenth."""

FEW = 20.0
"""Events of the rarer kind in a window from which on residuals say as well what share they are of."""


class CountedShare(NamedTuple):
    """A share that is usual, and the one that was counted."""

    usual: float
    current: float


class Tallies:
    """The counts of all shares of a model's charts, row by row as the charts have them."""

    def __init__(self) -> None:
        # Sums of windows, the newest first, with the number of windows in each: float32[R, 3].
        self._sums: list[Singles] = []
        self._windows: list[int] = []
        self._of_day: Singles = np.zeros((0, 3), dtype=np.float32)
        self._windows_of_day = 0
        # Windows of an alarm by which it is longer than it has stood, by row.
        self._longer: Floats = np.zeros(0)
        self._learned: tuple[NDArray[Any], ...] | None = None
        self._usual: Floats = np.zeros((0, 0))

    def begin_day(self) -> None:
        """Begin to count a day."""
        self._of_day = np.zeros_like(self._of_day)
        self._windows_of_day = 0

    def learn(self, state: State) -> None:
        """Take in what charts expect, if that is not what they did."""
        self._widen(len(state.rows))
        counted, events = state.totals.sum(axis=1).T
        is_share = state.rows[:, legend.KIND] == legend.RATE
        constant = np.stack((is_share & (counted == 0), is_share & (counted == events)))
        learned = state.expected, state.learned_events, constant
        if self._learned is not None and all(map(_are_equal, self._learned, learned)):
            return
        self._learned = state.expected.copy(), state.learned_events.copy(), constant
        self._usual = np.full(state.expected.shape, np.nan)
        self._usual[is_share] = counted_shares(state.expected[is_share], state.learned_events[is_share])
        # What never happened is expected as if it had once in a while.
        for share, rows in enumerate(constant):
            self._usual[rows] = np.where(np.isnan(self._usual[rows]), np.nan, float(share))
        seen = ~np.isnan(self._usual)
        means = np.where(seen, self._usual, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
        # Of an hour of which nothing is known, what the others have.
        self._usual = np.where(seen, self._usual, np.where(seen.any(axis=1), means, np.nan)[:, None])

    def add(self, values: Floats, events: Floats, time_of_day: float, most: int) -> None:
        """Add a window.

        Parameters
        ----------
        values, events : float64 arrays [R]
            What was counted, NaN where nothing was, and out of how many.
        time_of_day : float
            Where in the day it lies, in [0, 1).
        most : int
            Windows that are remembered.
        """
        hours = self._usual.shape[1]
        usual = self._usual[:, min(int(time_of_day * hours), hours - 1)]
        counts = ~np.isnan(values) & ~np.isnan(usual)
        window = np.where(counts[:, None], np.column_stack((values, events, usual * events)), 0.0).astype(np.float32)
        self._of_day = self._of_day + window
        self._windows_of_day += 1
        self._sums.insert(0, window)
        self._windows.insert(0, 1)
        self._add_up(most)

    def _add_up(self, most: int) -> None:
        """Add up sums that are old enough, and forget those that are too old."""
        i = age = 0
        while i + 1 < len(self._sums):
            if age > most:
                del self._sums[i + 1 :], self._windows[i + 1 :]
                return
            if self._windows[i] + self._windows[i + 1] <= age // FINENESS:
                self._sums[i] = self._sums[i] + self._sums.pop(i + 1)
                self._windows[i] += self._windows.pop(i + 1)
            age += self._windows[i]
            i += 1

    def raise_alarm(self, row: int, windows: int) -> None:
        """Note of how many windows an alarm is that has just been raised for a row."""
        self._longer[row] = windows

    def windows_of(self, row: int, stood: int) -> int:
        """Return of how many windows an alarm is that has stood for some."""
        return max(int(self._longer[row]) + stood, 1)

    @property
    def windows_of_day(self) -> int:
        """The windows of the day so far."""
        return self._windows_of_day

    def of_windows(self, row: int, windows: int, shift: float) -> CountedShare | None:
        """Return what the newest windows have of a row; None where residuals say it as well, or it is not counted.

        Parameters
        ----------
        row, windows : int
        shift : float
            What residuals say: what was counted has to lie on the same side of what is usual.
        """
        counted, events, usual, missing = 0.0, 0.0, 0.0, windows
        for sums, number in zip(self._sums, self._windows, strict=True):
            if 2 * missing < number or missing <= 0:
                break
            of_row = sums[row].tolist()
            counted, events, usual = counted + of_row[0], events + of_row[1], usual + of_row[2]
            missing -= number
        return _counted(counted, events, usual, windows, shift)

    def of_day(self, row: int, shift: float) -> CountedShare | None:
        """Return what the day so far has of a row, as :meth:`of_windows` does."""
        counted, events, usual = self._of_day[row].tolist()
        return _counted(counted, events, usual, self._windows_of_day, shift)

    def forget(self, rows: NDArray[np.bool_]) -> None:
        """Let go of some rows, bool[R]."""
        self._widen(len(rows))
        self._sums = [sums[~rows] for sums in self._sums]
        self._of_day, self._longer, self._learned = self._of_day[~rows], self._longer[~rows], None

    def add_rows(self, at: Sequence[int]) -> None:
        """Put rows before some of those that there are."""
        if not len(self._longer):
            return
        self._sums = [np.insert(sums, at, 0.0, axis=0) for sums in self._sums]
        self._of_day, self._longer = np.insert(self._of_day, at, 0.0, axis=0), np.insert(self._longer, at, 0.0)
        self._learned = None

    def _widen(self, rows: int) -> None:
        """Have so many rows: those of series that begin come behind all others."""
        added = rows - len(self._longer)
        if added > 0:
            nothing = np.zeros((added, 3), dtype=np.float32)
            self._sums = [np.concatenate((sums, nothing)) for sums in self._sums]
            self._of_day = np.concatenate((self._of_day, nothing))
            self._longer = np.concatenate((self._longer, np.zeros(added)))

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {
            "sums": np.stack(self._sums) if self._sums else np.zeros((0, len(self._longer), 3), dtype=np.float32),
            "windows": list(self._windows),
            "of_day": self._of_day.copy(),
            "windows_of_day": self._windows_of_day,
            "longer": self._longer.copy(),
        }

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Continue from a snapshot; from one of earlier versions as if nothing had been counted."""
        if state is None:
            return
        self._sums = [np.array(sums, dtype=np.float32) for sums in state["sums"]]
        self._windows, self._windows_of_day = list(state["windows"]), state["windows_of_day"]
        self._of_day, self._longer = np.array(state["of_day"], dtype=np.float32), np.array(state["longer"])


class CountedCharts(ModelCharts):
    """Charts of a model's signals that say of shares in windows of few events what was counted.

    Attributes
    ----------
    counted : dict of (int, int) to CountedShare or None
        By the number of each of the windows that were watched last, and by row: of rows that verdicts name, and of
        those whose alarms stand; None where residuals say it as well.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.counted: dict[tuple[int, int], CountedShare | None] = {}
        self._tallies = Tallies()

    def begin(self, day: int, *, weekend: bool) -> None:
        super().begin(day, weekend=weekend)
        self._tallies.begin_day()

    def watch(self, evidence: Evidence, standing: Floats | None = None) -> Floats:
        if standing is None:
            standing = np.zeros((*evidence.values.shape, 3))
        # What is expected is set as the day begins, and its verdicts move nothing of that.
        self._tallies.learn(self.state)
        verdicts = super().watch(evidence, standing)
        self.counted = {}
        for t, time_of_day in enumerate(evidence.places.tolist()):
            most = legend.DAYS * self.settings.windows_per_day
            self._tallies.add(evidence.values[:, t], evidence.events[:, t], time_of_day, most)
            self._count(t, verdicts[:, t], standing[:, t])
        return verdicts

    def close(self) -> Floats:
        verdicts = super().close()
        self.counted = {}
        self._count(0, verdicts, self.standing_by_day())
        return verdicts

    def _count(self, t: int, verdicts: Floats, standing: Floats) -> None:
        """Note what was counted by a window, of rows that verdicts name, and of those whose alarms stand."""
        for s in np.flatnonzero(verdicts[:, legend.STATUS] == legend.EXCEEDS).tolist():
            windows, rows = self._windows_of(verdicts[s]), self.state.rows_of(s)
            for row in range(rows.start, rows.stop):
                if standing[row, 0] and standing[row, 2] == 0:
                    self._tallies.raise_alarm(row, windows)
        is_share = self.state.rows[:, legend.KIND] == legend.RATE
        for row in np.flatnonzero((standing[:, 0] != 0) & is_share).tolist():
            shift, _, stood = standing[row].tolist()
            windows = self._tallies.windows_of(row, int(stood))
            self.counted[t, row] = self._tallies.of_windows(row, windows, shift)
        leading = verdicts[:, legend.LEADING_ROW].astype(np.int64)
        is_new = (leading >= 0) & (verdicts[:, legend.STATUS] != legend.STANDS)
        for s in np.flatnonzero(is_new & is_share[np.maximum(leading, 0)]).tolist():
            row, shift = int(leading[s]), float(verdicts[s, legend.SHIFT])
            counted = self._tallies.of_day(row, shift) if self._is_of_day(verdicts[s]) else None
            if counted is None:
                counted = self._tallies.of_windows(row, self._windows_of(verdicts[s]), shift)
            self.counted[t, row] = counted

    def _is_of_day(self, verdict: Floats) -> bool:
        return bool(verdict[legend.SCALE] == legend.BY_DAY) and self.settings.windows_per_day > 1

    def _windows_of(self, verdict: Floats) -> int:
        """Return of how many windows a verdict is: those since a change began, if it is about one."""
        span, per_day = int(np.nan_to_num(verdict[legend.SPAN])), self.settings.windows_per_day
        if self._is_of_day(verdict):
            return max(span - 1, 0) * per_day + self._tallies.windows_of_day
        # Of one that has grown since its alarm stands, what it was at first is no longer said.
        has_grown = verdict[legend.STATUS] == legend.EXCEEDS and np.isnan(verdict[legend.IS_ANEW])
        return min(span, per_day) if has_grown else span

    def forget(self, gone: NDArray[np.bool_]) -> None:
        self._tallies.forget(np.repeat(gone, self.state.series[:, legend.ROWS].astype(np.int64)))
        super().forget(gone)

    def add_rows(self, added: Sequence[tuple[int, int, int, int]]) -> None:
        first_rows = self.state.series[:, legend.FIRST_ROW].astype(np.int64)
        self._tallies.add_rows([int(first_rows[s]) + row for s, row, *_ in added])
        super().add_rows(added)

    def snapshot(self) -> dict[str, Any]:
        return {**super().snapshot(), "tallies": self._tallies.snapshot()}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        super().restore(snapshot)
        self._tallies.restore(snapshot.get("tallies"))


def _counted(counted: float, events: float, usual: float, windows: int, shift: float) -> CountedShare | None:
    if events <= 0:
        return None
    shares = CountedShare(usual / events, counted / events)
    rare = min(max(shares), 1 - min(shares)) * events / max(windows, 1)
    is_there = (shares.current - shares.usual) * shift > 0
    return shares if rare < FEW and is_there else None


def _are_equal(array: NDArray[Any], other: NDArray[Any]) -> bool:
    return array.shape == other.shape and np.array_equal(array, other, equal_nan=array.dtype.kind == "f")
