"""Charts that say of shares in windows of few events what was counted: what is told of them has to be recomputable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.change import legend
from detectors.change.model import Evidence, ModelCharts, Settings
from detectors.change.shares import counted_shares
from detectors.change.state import State
from detectors.change.tally import count_shares, tally_windows

__all__ = ["CountedCharts", "CountedShare"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Singles = NDArray[np.float32]

SLOTS = 16
"""Sums for which there is room, and so many more whenever there is none left."""


class CountedShare(NamedTuple):
    """A share that is usual, and the one that was counted."""

    usual: float
    current: float

    @classmethod
    def of(cls, shares: Floats) -> CountedShare | None:
        """Return those of float64[2]; None if these are not known."""
        usual, current = shares.tolist()
        return None if np.isnan(usual) else cls(usual, current)


class Tallies:
    """The counts of all shares of a model's charts, row by row as the charts have them."""

    def __init__(self) -> None:
        # As `tally_windows` takes them.
        self._sums: Singles = np.zeros((0, 0, 3), dtype=np.float32)
        self._slots: Integers = np.zeros(0, dtype=np.int64)
        self._windows: Integers = np.zeros(0, dtype=np.int64)
        self._of_day: Singles = np.zeros((0, 3), dtype=np.float32)
        self._longer: Floats = np.zeros(0)
        self._numbers: Integers = np.zeros(2, dtype=np.int64)
        self._learned: tuple[NDArray[Any], ...] | None = None
        self._usual: Floats = np.zeros((0, 0))

    def begin_day(self) -> None:
        """Begin to count a day."""
        self._of_day[:] = 0.0
        self._numbers[1] = 0

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
        self._usual = counted_shares(state.expected, np.where(is_share[:, None], state.learned_events, np.nan))
        # What never happened is expected as if it had once in a while.
        for share, rows in enumerate(constant):
            if rows.any():
                self._usual[rows] = np.where(np.isnan(self._usual[rows]), np.nan, float(share))
        seen = ~np.isnan(self._usual)
        hours = seen.sum(axis=1)
        means = np.where(hours > 0, np.where(seen, self._usual, 0.0).sum(axis=1) / np.maximum(hours, 1), np.nan)
        # Of an hour of which nothing is known, what the others have.
        self._usual = np.where(seen, self._usual, means[:, None])

    def add(self, evidence: Evidence, verdicts: Floats, standing: Floats, state: State, windows_per_day: int) -> Floats:
        """Add windows of which charts have said ``verdicts`` and ``standing``.

        Returns
        -------
        float64 array [R, T, 2]
            The usual share and the one that was counted by each of the windows, of rows that verdicts name, and of
            those whose alarms stand; NaN where residuals say it as well.
        """
        counted = np.full((*evidence.values.shape, 2), np.nan)
        t, most = 0, legend.DAYS * windows_per_day
        while t < len(evidence.places):
            if self._numbers[0] == len(self._slots):
                self._make_room(SLOTS)
            t = tally_windows(
                t, evidence.values, evidence.events, evidence.places, self._usual, verdicts, standing, state.rows,
                state.series, windows_per_day, most, self._sums, self._slots, self._windows, self._of_day,
                self._longer, self._numbers, counted,
            )  # fmt: skip
        return counted

    def count(self, verdicts: Floats, standing: Floats, state: State, windows_per_day: int) -> Floats:
        """Return what was counted by now, float64[R, 2], as :meth:`add` does."""
        counted = np.full((len(state.rows), 2), np.nan)
        count_shares(
            verdicts, standing, state.rows, state.series, windows_per_day, self._sums, self._slots, self._windows,
            self._of_day, self._longer, self._numbers, counted,
        )  # fmt: skip
        return counted

    def forget(self, rows: NDArray[np.bool_]) -> None:
        """Let go of some rows, bool[R]."""
        self._widen(len(rows))
        self._sums = np.ascontiguousarray(self._sums[:, ~rows])
        self._of_day, self._longer, self._learned = self._of_day[~rows], self._longer[~rows], None

    def add_rows(self, at: Sequence[int]) -> None:
        """Put rows before some of those that there are."""
        if not len(self._longer):
            return
        self._sums = np.ascontiguousarray(np.insert(self._sums, at, 0.0, axis=1))
        self._of_day, self._longer = np.insert(self._of_day, at, 0.0, axis=0), np.insert(self._longer, at, 0.0)
        self._learned = None

    def _widen(self, rows: int) -> None:
        """Have so many rows: those of series that begin come behind all others."""
        added = rows - len(self._longer)
        if added > 0:
            self._sums = np.pad(self._sums, ((0, 0), (0, added), (0, 0)))
            self._of_day = np.pad(self._of_day, ((0, added), (0, 0)))
            self._longer = np.pad(self._longer, (0, added))

    def _make_room(self, slots: int) -> None:
        self._slots = np.append(self._slots, np.arange(len(self._sums), len(self._sums) + slots))
        self._sums = np.pad(self._sums, ((0, slots), (0, 0), (0, 0)))
        self._windows = np.pad(self._windows, (0, slots))

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        count = int(self._numbers[0])
        return {
            "sums": self._sums[self._slots[:count]],
            "windows": self._windows[:count].tolist(),
            "of_day": self._of_day.copy(),
            "windows_of_day": int(self._numbers[1]),
            "longer": self._longer.copy(),
        }

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Continue from a snapshot; from one of earlier versions as if nothing had been counted."""
        if state is None:
            return
        self._sums, self._windows = np.array(state["sums"]), np.array(state["windows"], dtype=np.int64)
        self._slots = np.arange(len(self._sums))
        self._of_day, self._longer = np.array(state["of_day"]), np.array(state["longer"])
        self._numbers = np.array([len(self._sums), state["windows_of_day"]])


class CountedCharts(ModelCharts):
    """Charts of a model's signals that say of shares in windows of few events what was counted.

    Attributes
    ----------
    counted : float64 array [R, T, 2]
        The usual share and the one that was counted by each of the windows that were watched last, or by the day that
        ended, of rows that verdicts name, and of those whose alarms stand; NaN where residuals say it as well.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.counted: Floats = np.zeros((0, 0, 2))
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
        self.counted = self._tallies.add(evidence, verdicts, standing, self.state, self.settings.windows_per_day)
        return verdicts

    def close(self) -> Floats:
        verdicts = super().close()
        counted = self._tallies.count(verdicts, self.standing_by_day(), self.state, self.settings.windows_per_day)
        self.counted = counted[:, None]
        return verdicts

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


def _are_equal(array: NDArray[Any], other: NDArray[Any]) -> bool:
    return array.shape == other.shape and np.array_equal(array, other, equal_nan=array.dtype.kind == "f")
