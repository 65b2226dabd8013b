"""Rows of state and memory, one for each series: they grow, and are kept by checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.contract import Described, FloatArray, Value

__all__ = ["AllRows", "SnapshotError", "States", "as_float64", "as_int64"]

AllRows = tuple[NDArray[np.void], FloatArray]
"""State and memory of all series."""

_INT64 = np.dtype(np.int64)
_FLOAT64 = np.dtype(np.float64)


class SnapshotError(ValueError):
    """A snapshot that this bank cannot take up: of another detector, layout or parameters, or damaged."""


class States:
    """What many series of one detector or scorer, with the same parameters, have seen.

    Parameters
    ----------
    described : Detector or Scorer
    params : mapping of str to value
        As ``described.values`` gives them.
    dtype : numpy.dtype
        Of a row of state.
    width : int
        How many float64 a row of memory has.
    series : int
        How many series there are at first.
    """

    def __init__(
        self,
        described: Described,
        params: Mapping[str, Value],
        dtype: np.dtype[np.void],
        width: int,
        series: int,
    ) -> None:
        self._described = described
        self.params = dict(params)
        self._dtype = dtype
        self._series = 0
        # Rows beyond the count are room to grow into; all of them are zeros, which is what a new series starts from.
        self.all_state = np.zeros(0, dtype=dtype)
        self.all_memory = np.zeros((0, width))
        self.resize(series)

    def __len__(self) -> int:
        """How many series there are."""
        return self._series

    @property
    def state(self) -> NDArray[np.void]:
        """The rows of state, to look at: a read-only view."""
        view = self.all_state[: self._series]
        view.flags.writeable = False
        return view

    def resize(self, series: int) -> None:
        """Make room for `series` series; the new ones have seen nothing.

        Raises
        ------
        ValueError
            When that is fewer than there are: a row, once given, keeps its meaning.
        """
        if series < len(self):
            raise ValueError(f"a bank of {len(self)} series cannot shrink to {series}")
        if series > len(self.all_state):
            # Doubling keeps it linear to add series one at a time.
            rows = max(series, 2 * len(self.all_state))
            self.all_state = _with_rows(self.all_state, rows)
            self.all_memory = _with_rows(self.all_memory, rows)
        self._series = series

    def keep(self, rows: NDArray[np.int64]) -> None:
        """Let go of all series but those of ``rows``, which are numbered anew in that order."""
        self.all_state, self.all_memory = self.all_state[rows], self.all_memory[rows]
        self._series = len(rows)

    def snapshot(self) -> dict[str, Any]:
        """Return a copy of all there is to know, to be kept by a checkpoint.

        Returns
        -------
        dict
            ``detector`` str, ``layout`` int, ``params`` dict, ``state`` structured [series], ``memory`` float64
            [series, width], without the columns at its end that are zero in all rows.
        """
        memory = self.all_memory[: self._series]
        used = np.flatnonzero(memory.any(axis=0))
        width = int(used[-1]) + 1 if len(used) else 0
        return {
            "detector": self._described.name,
            "layout": self._described.layout,
            "params": dict(self.params),
            "state": self.state.copy(),
            "memory": memory[:, :width].copy(),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up where `snapshot` was made; the series become those of the snapshot.

        Raises
        ------
        SnapshotError
            When the snapshot is not of this detector, layout and parameters. Everything is left as it was.
        """
        for name, mine in (
            ("detector", self._described.name),
            ("layout", self._described.layout),
            ("params", self.params),
        ):
            if snapshot.get(name) != mine:
                raise SnapshotError(f"the snapshot has {name} {snapshot.get(name)!r}, this bank {mine!r}")
        state, memory = snapshot.get("state"), snapshot.get("memory")
        if not isinstance(state, np.ndarray) or state.ndim != 1 or state.dtype != self._dtype:
            raise SnapshotError(f"the state of the snapshot is not an array [series] of {self._dtype}")
        if not isinstance(memory, np.ndarray) or memory.ndim != 2 or memory.dtype != np.float64:
            raise SnapshotError("the memory of the snapshot is not a float64 matrix [series, width]")
        if len(memory) != len(state) or memory.shape[1] > self.all_memory.shape[1]:
            raise SnapshotError(
                f"the memory of the snapshot is {memory.shape}, "
                f"this bank wants {len(state)} rows of at most {self.all_memory.shape[1]}"
            )
        self._series = len(state)
        self.all_state = state.copy()
        self.all_memory = np.zeros((len(state), self.all_memory.shape[1]))
        self.all_memory[:, : memory.shape[1]] = memory

    def copied(self) -> AllRows:
        """Return a copy of all rows, for :meth:`exchange`."""
        return self.all_state.copy(), self.all_memory.copy()

    def exchange(self, rows: AllRows) -> AllRows:
        """Put rows of before or after in the place of those that there are, and return these."""
        mine = self.all_state, self.all_memory
        self.all_state, self.all_memory = rows
        return mine

    def check(self, rows: NDArray[np.int64], observations: int) -> None:
        """Raise ValueError or IndexError unless `rows` [n] names a series for each of n observations."""
        if len(rows) != observations:
            raise ValueError(f"series and x differ in length: {len(rows)} and {observations}")
        # As numbers without a sign those below zero are the largest: one pass finds both.
        if len(rows) and rows.view(np.uint64).max() >= self._series:
            wrong = rows[(rows < 0) | (rows >= len(self))][0]
            raise IndexError(f"series {wrong} is not in a bank of {len(self)}")


def _with_rows(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """Return `array` with zeros appended up to `rows` rows."""
    grown = np.zeros((rows, *array.shape[1:]), dtype=array.dtype)
    grown[: len(array)] = array
    return grown


def as_int64(name: str, values: ArrayLike) -> NDArray[np.int64]:
    """Return `values` as kernels want it; raise TypeError or ValueError if it cannot be."""
    if _is_as_kernels_want(values, _INT64):
        return cast(NDArray[np.int64], values)
    if np.ma.is_masked(values):
        raise TypeError(f"{name} has masked entries; leave those observations out")
    array = np.atleast_1d(np.asarray(values))
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name} is an array of integers, not of {array.dtype}")
    return _as_kernels_want(name, array, np.int64)


def as_float64(name: str, values: ArrayLike, ndim: int = 1) -> FloatArray:
    """Return `values` as kernels want it; raise TypeError or ValueError if it cannot be."""
    if _is_as_kernels_want(values, _FLOAT64, ndim):
        return cast(FloatArray, values)
    array = np.atleast_1d(_without_mask(values))
    if array.size and array.dtype.kind not in "biuf":
        raise TypeError(f"{name} is an array of numbers, not of {array.dtype}")
    return _as_kernels_want(name, array, np.float64, ndim)


def _without_mask(values: ArrayLike) -> NDArray[Any]:
    """Return `values` as an array in which what is masked is NaN, as every other value that is missing."""
    if isinstance(values, np.ma.MaskedArray) and values.dtype.kind in "biuf":
        return np.ma.filled(values.astype(np.float64), np.nan)
    return np.asarray(values)


def _is_as_kernels_want(values: ArrayLike, dtype: np.dtype[Any], ndim: int = 1) -> bool:
    """Whether nothing has to be done, as is nearly always so: with small batches, checking more would cost most."""
    return type(values) is np.ndarray and values.dtype is dtype and values.ndim == ndim and values.flags.carray


def _as_kernels_want(name: str, array: NDArray[Any], dtype: type[Any], ndim: int = 1) -> NDArray[Any]:
    """Return `array` as the one type that kernels are compiled for; any other would compile anew, in the hot path."""
    if array.ndim != ndim:
        expected = "one dimension" if ndim == 1 else f"{ndim} dimensions"
        raise ValueError(f"{name} has the shape {array.shape}; it must have {expected}")
    native = np.ascontiguousarray(array, dtype=dtype)
    return native if native.flags.carray else native.copy()
