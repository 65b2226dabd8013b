"""A bank: one detector over many series, batch first. It owns the state and alone prepares what a kernel is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.contract import DRIFT, Detector, FloatArray, Value
from detectors.states import SnapshotError, States, as_float64, as_int64

__all__ = ["Bank", "Flags", "SnapshotError"]


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
    >>> bank = Bank(find("cusum"), {"mean": 0.0, "sd": 1.0, "k": 0.5, "h": 5.0, "scores": "plain"}, series=2)
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
        width = detector.memory_width(self.params)
        self._states = States(detector, self.params, detector.dtype, width, series)

    def __len__(self) -> int:
        """How many series there are."""
        return len(self._states)

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
        return self._states.state

    def resize(self, series: int) -> None:
        """Make room for `series` series; the new ones have seen nothing.

        Raises
        ------
        ValueError
            When that is fewer than there are: a row, once given, keeps its meaning.
        """
        self._states.resize(series)

    def keep(self, series: ArrayLike) -> None:
        """Let go of all series but these, which are numbered anew in the order given."""
        self._states.keep(as_int64("series", series))

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
        rows, values = as_int64("series", series), as_float64("x", x)
        self._states.check(rows, len(values))
        return self._run(rows, values)

    def update_one(self, series: int, x: ArrayLike) -> Flags:
        """Absorb a batch whose observations all belong to one series; otherwise as :meth:`update`."""
        values = as_float64("x", x)
        if not 0 <= series < len(self):
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
        return self._states.snapshot()

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up where `snapshot` was made; the series of this bank become those of the snapshot.

        Raises
        ------
        SnapshotError
            When the snapshot is not of this detector, layout and parameters. The bank is left as it was.
        """
        self._states.restore(snapshot)

    def _run(self, rows: NDArray[np.int64], values: FloatArray) -> Flags:
        flags = Flags(np.empty(len(values)), np.empty(len(values), dtype=np.uint8))
        self.detector.update(
            self._states.all_state, self._states.all_memory, self._encoded, rows, values, flags.score, flags.flag
        )
        return flags
