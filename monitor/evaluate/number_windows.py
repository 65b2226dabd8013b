"""What a reader can recompute of a number's windows: how many values lie beyond its reference, their mean and median.

Charts follow mean scores, in which no value weighs more than a few others. What is said of an alarm in the units of
the data comes from here where a mean score would say something else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.change.contrasts import sum_up_values
from detectors.sketch import NumericLayout
from monitor.evaluate.answers import roundest
from monitor.evaluate.windows import Windows

__all__ = ["RECENT", "NumberLog", "NumberWindows", "Peak", "Recent"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

RECENT = 24
"""Windows that are described together at most."""

VALUES, SUM, MEDIAN, BELOW, ABOVE, EXPECTED, END_MS, PEAK, PEAK_USUAL, PEAK_SHARE, COLUMNS = range(11)
"""What is noted of a window: how many values, their sum and median, and how many lie below and above the reference; the
mean score that was expected of them, NaN where nothing was; and when it ended. If one value stands out, that, and which
share of values is usual and which there is; else NaN."""

OUTSIDE, SUM_OUTSIDE, DISTANCE, OF_CELL, CELL, VALUE, FREQUENT = range(7)
"""What is noted of values outside the reference: how many, their sum, that of their distances from
it, how many the most frequent cell has, and which cell and value that is."""

FADES = 0.9
"""Part of how many values lay outside that a window leaves of those before it."""

MOSTLY = 0.5
"""Share of the values outside from which on one of them is named."""


NEARLY_ALL = 0.9
"""Share of the values of a window from which on it is taken for a constant."""


class Peak(NamedTuple):
    """A value that stands out in a window: about which, and which share of all values is usual and which there is."""

    value: float
    usual: float
    share: float


@dataclass(frozen=True)
class Recent:
    """Consecutive windows of a number, described together.

    Attributes
    ----------
    n : int
    mean, median : float
        The median is the mean of those of windows.
    below, above : float
        The shares of values below the smallest one of the reference and above the largest one.
    outside, mostly : float or None
        The mean of such values, lately, and the one that most of them are, if there is one.
    distance : float
        How far they are from the nearest end on average.
    weights, expected : tuple of float
        Of each window: how many values it has, and the mean score that was expected of them, NaN where nothing was.
    peak : Peak or None
        What stands out in the last of them.
    """

    n: int
    mean: float
    median: float
    below: float
    above: float
    outside: float | None
    mostly: float | None
    distance: float = 0.0
    weights: tuple[float, ...] = ()
    expected: tuple[float, ...] = ()
    peak: Peak | None = None

    @property
    def is_constant(self) -> bool:
        """Whether the values of the last of them are one value, or nearly all are."""
        return self.peak is not None and self.peak.share >= NEARLY_ALL


@dataclass(slots=True)
class NumberWindows:
    """Windows of a batch, and those before it.

    Attributes
    ----------
    rows : float64 array [RECENT + T, COLUMNS]
    frequent : float64 array [1 + T, FREQUENT]
        Up to the batch, and up to each of its windows.
    places : int64 array [T]
        The numbers of the windows in the batch, ascending.
    """

    rows: Floats
    frequent: Floats
    places: Integers

    def placed(self, occupied: Integers, earlier: NumberWindows | None) -> NumberWindows:
        """Number the windows as a batch does, int64[T], of which earlier ones may be at hand already."""
        rows, frequent, places = self.rows, self.frequent, occupied[self.places]
        if earlier is not None:
            rows = np.concatenate((earlier.rows, rows[RECENT:]))
            frequent = np.concatenate((earlier.frequent, frequent[1:]))
            places = np.concatenate((earlier.places, places))
        return NumberWindows(rows, frequent, places)

    def until(self, t: int, windows: int, since_ms: int | None = None) -> Recent | None:
        """Describe so many windows with values up to window ``t`` of the batch together; None if there are none.

        None of them, if a time is stated, ends then or before.
        """
        index = int(np.searchsorted(self.places, t, side="right"))
        rows = self.rows[index + RECENT - min(max(windows, 1), RECENT) : index + RECENT]
        if since_ms is not None:
            rows = rows[rows[:, END_MS] > since_ms]
        n = math.fsum(rows[:, VALUES])
        if not n:
            return None
        # The same on every processor, whatever it adds at a time.
        median = math.fsum(rows[:, VALUES] * rows[:, MEDIAN]) / n
        total, below, above = (math.fsum(rows[:, column]) / n for column in (SUM, BELOW, ABOVE))
        outside, sum_outside, distance, of_cell, _, value = self.frequent[index].tolist()
        mean_outside = sum_outside / outside if outside else None
        mostly = value if outside and of_cell >= MOSTLY * outside else None
        weights, expected = (tuple(rows[:, column].tolist()) for column in (VALUES, EXPECTED))
        peak = Peak(*rows[-1, PEAK:].tolist())
        return Recent(
            int(n), total, median, below, above, mean_outside, mostly, distance / outside if outside else 0.0, weights,
            expected, None if math.isnan(peak.value) else peak,
        )  # fmt: skip

    def expect(self, windows: range, expected: Floats) -> None:
        """Note what was expected of some windows of the batch, float64[T]: a mean score each."""
        first, stop = np.searchsorted(self.places, [windows.start, windows.stop])
        self.rows[RECENT + first : RECENT + stop, EXPECTED] = expected[self.places[first:stop] - windows.start]


class NumberLog:
    """The newest windows of a number.

    Parameters
    ----------
    layout : NumericLayout
    """

    def __init__(self, layout: NumericLayout) -> None:
        self._layout = layout
        self._rows = np.zeros((RECENT, COLUMNS))
        self._rows[:, EXPECTED] = np.nan
        self._frequent = np.zeros(FREQUENT)

    def newest(self) -> NumberWindows:
        """Return the windows so far, of a batch that has none."""
        return NumberWindows(self._rows, self._frequent[None], np.empty(0, dtype=np.int64))

    def take(
        self, windows: Windows, cells: Integers, positions: Floats, beyond: Floats, peaks: Floats, first: int
    ) -> NumberWindows:
        """Take in windows.

        Parameters
        ----------
        windows : Windows
        cells, positions : int64 array [K], float64 array [K]
            The cells of their counts, and a value in each.
        beyond : float64 array [K]
            How far that lies above the reference, negative if it is below, else 0.
        peaks : float64 array [T, 3]
            Of each window the number of the cell that stands out, its usual share and the one that it has, or NaN.
        first : int
            The number of the first one in its batch.
        """
        rows, outside = np.zeros((len(windows.counts), EXPECTED)), np.zeros((len(windows.counts), CELL + 1))
        sum_up_values(windows.counts, positions, beyond, rows, outside)
        for t in np.flatnonzero(~np.isnan(peaks[:, 0])).tolist():
            peaks[t, 0] = self._value(int(cells[int(peaks[t, 0])]), windows.extremes[t])
        rows = np.column_stack((rows, np.full(len(rows), np.nan), windows.ends_ms, peaks))
        frequent = np.tile(self._frequent, (1 + len(rows), 1))
        self._follow(outside, windows.extremes, cells, frequent)
        described = NumberWindows(np.concatenate((self._rows, rows)), frequent, first + np.arange(len(rows)))
        # Copies: a batch is let go of, and these stay.
        self._rows, self._frequent = described.rows[-RECENT:].copy(), frequent[-1].copy()
        return described

    def keep(self, windows: NumberWindows) -> None:
        """Take over what was expected of the windows of a batch."""
        self._rows[:, EXPECTED] = windows.rows[-RECENT:, EXPECTED]

    def _follow(self, outside: Floats, extremes: Floats, cells: Integers, frequent: Floats) -> None:
        """Follow which value outside is the most frequent one."""
        state = self._frequent.copy()
        for t in range(len(outside)):
            state[: OF_CELL + 1] *= FADES
            if outside[t, OUTSIDE]:
                state[: DISTANCE + 1] += outside[t, : DISTANCE + 1]
                cell, count = int(cells[int(outside[t, CELL])]), outside[t, OF_CELL]
                if cell == state[CELL]:
                    state[OF_CELL] += count
                elif count > state[OF_CELL]:
                    state[CELL], state[OF_CELL] = cell, count
                    state[VALUE] = self._value(cell, extremes[t])
            frequent[1 + t] = state

    def _value(self, cell: int, extremes: Floats) -> float:
        """Return a number in a cell: one that a window has, where that is known, else the roundest."""
        low, high = (float(bound[0]) for bound in self._layout.bounds(np.array([cell])))
        of_window = extremes[(low <= extremes) & (extremes < high)]
        return float(of_window[0]) if len(of_window) else float(roundest(low, high))

    def snapshot(self) -> Mapping[str, Any]:
        """State for a checkpoint."""
        return {"rows": self._rows.copy(), "frequent": self._frequent.copy()}

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Continue from a snapshot; earlier checkpoints have none, or do not say all of it."""
        if state is not None:
            rows = np.full((RECENT, COLUMNS), np.nan)
            rows[:, : np.shape(state["rows"])[1]] = state["rows"]
            self._rows, self._frequent = rows, np.array(state["frequent"])
