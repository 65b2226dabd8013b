"""A bank: one detector over many series, batch first. It owns the state and alone prepares what a kernel is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.contract import DRIFT, Detector, FloatArray, Value

__all__ = ["Bank", "Flags", "SnapshotError"]

_INT64 = np.dtype(np.int64)
_FLOAT64 = np.dtype(np.float64)


class SnapshotError(ValueError):
    """A snapshot that this bank cannot take up: of another detector, layout or parameters, or damaged."""


class Flags(NamedTuple):
    """What a detector says of each observation of a batch.

    Parameters
    ----------
    score : float64 [n]
        The detector's statistic; see :attr:`detectors.contract.Detector.statistic`.
    flag : uint8 [n]
        OK, WARNING or DRIFT.
    """

    score: FloatArray
    flag: NDArray[np.uint8]

    def drifts(self) -> NDArray[np.intp]:
        """Return the positions in the batch at which there was a drift."""
        return np.flatnonzero(self.flag == DRIFT)


class Bank:
    """One detector, with the same parameters, over many series.

    Kernels release the GIL; a bank is not locked, so let one thread at a time use it.

    Parameters
    ----------
    detector : Detector
        For instance ``detectors.drift.find("adwin")``.
    params : mapping of str to value, optional
        What differs from the defaults.
    series : int
        How many series there are at first; see :meth:`resize`.

    Raises
    ------
    ParameterError
        On a parameter that is unknown or out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from detectors.drift import find
    >>> bank = Bank(find("cusum"), {"mean": 0.0, "sd": 1.0, "h": 5.0}, series=2)
    >>> flags = bank.update([0, 1, 1, 1, 0], [0.1, 3.0, 3.0, 3.0, -0.2])
    >>> flags.score
    array([0. , 2.5, 5. , 7.5, 0. ])
    >>> flags.drifts()
    array([3])
    """

    def __init__(self, detector: Detector, params: Mapping[str, object] | None = None, series: int = 0) -> None:
        self.detector = detector
        self.params: dict[str, Value] = detector.values(params)
        self.min_samples = detector.min_samples(self.params)
        self._encoded = detector.encode(self.params)
        self._series = 0
        # Rows beyond the count are room to grow into; all of them are zeros, which is what a new series starts from.
        self._state = np.zeros(0, dtype=detector.dtype)
        self._memory = np.zeros((0, detector.memory_width(self.params)))
        self.resize(series)

    def __len__(self) -> int:
        """How many series there are."""
        return self._series

    @property
    def ready(self) -> NDArray[np.bool_]:
        """Which series have seen enough to be judged, bool [series]."""
        return self.detector.ready(self.state, self._encoded)

    @property
    def skipped(self) -> NDArray[np.int64]:
        """How many observations of each series were NaN, infinite or beyond ``MAX_ABS``, int64 [series]."""
        return np.array(self.state["skipped"], dtype=np.int64)

    @property
    def state(self) -> NDArray[np.void]:
        """The rows of state, to look at: a read-only view, with the fields that the detector lists."""
        view = self._state[: self._series]
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
        if series > len(self._state):
            # Doubling keeps it linear to add series one at a time.
            rows = max(series, 2 * len(self._state))
            self._state = _with_rows(self._state, rows)
            self._memory = _with_rows(self._memory, rows)
        self._series = series

    def compile(self) -> None:
        """Compile the kernel, or load it from the disk cache, before the first event needs it."""
        self._run(np.zeros(0, dtype=np.int64), np.zeros(0))

    def update(self, series: ArrayLike, x: ArrayLike) -> Flags:
        """Absorb a batch: ``x[i]`` is the next observation of series ``series[i]``.

        Parameters
        ----------
        series : int [n]
            From 0 to ``len(bank) - 1``.
        x : float [n]

        Returns
        -------
        Flags

        Raises
        ------
        TypeError
            When an array does not hold what it should.
        ValueError
            When the arrays differ in length or are not one-dimensional.
        IndexError
            When a series is out of range; nothing was absorbed.
        """
        rows, values = _int64("series", series), _float64("x", x)
        if rows.shape != values.shape:
            raise ValueError(f"series and x differ in length: {len(rows)} and {len(values)}")
        if len(rows) and (rows.min() < 0 or rows.max() >= self._series):
            wrong = rows[(rows < 0) | (rows >= len(self))][0]
            raise IndexError(f"series {wrong} is not in a bank of {len(self)}")
        return self._run(rows, values)

    def update_one(self, series: int, x: ArrayLike) -> Flags:
        """Absorb a batch whose observations all belong to one series; otherwise as :meth:`update`."""
        values = _float64("x", x)
        if not 0 <= series < self._series:
            raise IndexError(f"series {series} is not in a bank of {len(self)}")
        rows = np.empty(len(values), dtype=np.int64)
        rows.fill(series)
        return self._run(rows, values)

    def snapshot(self) -> dict[str, Any]:
        """Return a copy of all there is to know, to be kept by a checkpoint.

        Returns
        -------
        dict
            ``detector`` str, ``layout`` int, ``params`` dict, ``state`` structured [series], ``memory`` float64
            [series, width], without the columns at its end that are zero in all rows.
        """
        memory = self._memory[: self._series]
        used = np.flatnonzero(memory.any(axis=0))
        width = int(used[-1]) + 1 if len(used) else 0
        return {
            "detector": self.detector.name,
            "layout": self.detector.layout,
            "params": dict(self.params),
            "state": self.state.copy(),
            "memory": memory[:, :width].copy(),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up where `snapshot` was made; the series of this bank become those of the snapshot.

        Raises
        ------
        SnapshotError
            When the snapshot is not of this detector, layout and parameters. The bank is left as it was.
        """
        for name, mine in (
            ("detector", self.detector.name),
            ("layout", self.detector.layout),
            ("params", self.params),
        ):
            if snapshot.get(name) != mine:
                raise SnapshotError(f"the snapshot has {name} {snapshot.get(name)!r}, this bank {mine!r}")
        state, memory = snapshot.get("state"), snapshot.get("memory")
        if not isinstance(state, np.ndarray) or state.ndim != 1 or state.dtype != self.detector.dtype:
            raise SnapshotError(f"the state of the snapshot is not an array [series] of {self.detector.dtype}")
        if not isinstance(memory, np.ndarray) or memory.ndim != 2 or memory.dtype != np.float64:
            raise SnapshotError("the memory of the snapshot is not a float64 matrix [series, width]")
        if len(memory) != len(state) or memory.shape[1] > self._memory.shape[1]:
            raise SnapshotError(
                f"the memory of the snapshot is {memory.shape}, "
                f"this bank wants {len(state)} rows of at most {self._memory.shape[1]}"
            )
        self._series = len(state)
        self._state = state.copy()
        self._memory = np.zeros((len(state), self._memory.shape[1]))
        self._memory[:, : memory.shape[1]] = memory

    def _run(self, rows: NDArray[np.int64], values: FloatArray) -> Flags:
        flags = Flags(np.empty(len(values)), np.empty(len(values), dtype=np.uint8))
        self.detector.update(self._state, self._memory, self._encoded, rows, values, flags.score, flags.flag)
        return flags


def _with_rows(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """Return `array` with zeros appended up to `rows` rows."""
    grown = np.zeros((rows, *array.shape[1:]), dtype=array.dtype)
    grown[: len(array)] = array
    return grown


def _int64(name: str, given: ArrayLike) -> NDArray[np.int64]:
    if _is_as_kernels_want(given, _INT64):
        return cast(NDArray[np.int64], given)
    array = np.atleast_1d(np.asarray(given))
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name} is an array of integers, not of {array.dtype}")
    return _as_kernels_want(name, array, np.int64)


def _float64(name: str, given: ArrayLike) -> FloatArray:
    if _is_as_kernels_want(given, _FLOAT64):
        return cast(FloatArray, given)
    array = np.atleast_1d(np.asarray(given))
    if array.size and array.dtype.kind not in "biuf":
        raise TypeError(f"{name} is an array of numbers, not of {array.dtype}")
    return _as_kernels_want(name, array, np.float64)


def _is_as_kernels_want(given: ArrayLike, dtype: np.dtype[Any]) -> bool:
    """Whether nothing has to be done, as is nearly always so: with small batches, checking more would cost most."""
    return type(given) is np.ndarray and given.dtype is dtype and given.ndim == 1 and given.flags.carray


def _as_kernels_want(name: str, array: NDArray[Any], dtype: type[Any]) -> NDArray[Any]:
    """Return `array` as the one type that kernels are compiled for; any other would compile anew, in the hot path."""
    if array.ndim != 1:
        raise ValueError(f"{name} has the shape {array.shape}; it must have one dimension")
    native = np.ascontiguousarray(array, dtype=dtype)
    return native if native.flags.carray else native.copy()
