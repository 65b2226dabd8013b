"""A bank of scorers: one scorer over many series, batch first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.contract import FloatArray, Scorer, Value
from detectors.states import SnapshotError, States, as_float64, as_int64

__all__ = ["AnomalyBank", "Scores"]


class Scores(NamedTuple):
    """What a scorer says of each observation of a batch.

    Parameters
    ----------
    score : float64 [n]
        How unusual it is, in the scorer's own terms; see :attr:`detectors.contract.Scorer.statistic`. NaN where it
        was skipped and while the series is not ready.
    """

    score: FloatArray


class AnomalyBank:
    """One scorer, with the same parameters, over many series.

    Kernels release the GIL; a bank is not locked, so let one thread at a time use it.

    Parameters
    ----------
    scorer : Scorer
        For instance ``detectors.anomaly.find("robust_z")``.
    params : mapping of str to value, optional
        What differs from the defaults.
    series : int
        How many series there are at first; see :meth:`resize`.
    dimension : int
        How many numbers an observation has.

    Raises
    ------
    ParameterError
        On a parameter that is unknown or out of range.
    ValueError
        If `dimension` is more than 1 and the scorer takes single numbers, or below 1.
    """

    def __init__(
        self, scorer: Scorer, params: Mapping[str, object] | None = None, series: int = 0, dimension: int = 1
    ) -> None:
        if dimension < 1 or (dimension > 1 and not scorer.vectors):
            allowed = "at least 1" if scorer.vectors else "1"
            raise ValueError(f"{scorer.name}: an observation has {allowed} numbers, not {dimension}")
        self.scorer, self.dimension = scorer, dimension
        self.params: dict[str, Value] = scorer.values(params)
        self.min_samples = scorer.min_samples(self.params)
        self._encoded = scorer.encode(self.params)
        self._states = States(scorer, self.params, scorer.dtype, scorer.memory_width(self.params, dimension), series)

    def __len__(self) -> int:
        """How many series there are."""
        return len(self._states)

    @property
    def ready(self) -> NDArray[np.bool_]:
        """Which series have seen enough to be judged, bool [series]."""
        return self.scorer.ready(self.state, self._encoded)

    @property
    def skipped(self) -> NDArray[np.int64]:
        """How many observations of each series were not finite or beyond ``MAX_ABS``, int64 [series]."""
        return np.array(self.state["skipped"], dtype=np.int64)

    @property
    def state(self) -> NDArray[np.void]:
        """The rows of state, to look at: a read-only view, with the fields that the scorer lists."""
        return self._states.state

    def resize(self, series: int) -> None:
        """Make room for `series` series; the new ones have seen nothing.

        Raises
        ------
        ValueError
            When that is fewer than there are.
        """
        self._states.resize(series)

    def update(self, series: ArrayLike, x: ArrayLike) -> Scores:
        """Score a batch, and learn from it: ``x[i]`` is the next observation of series ``series[i]``.

        Parameters
        ----------
        series : int [n]
            From 0 to ``len(bank) - 1``.
        x : float [n, d], or float [n] if d is 1

        Returns
        -------
        Scores

        Raises
        ------
        TypeError
            When an array does not hold what it should.
        ValueError
            When the arrays differ in length or have another shape.
        IndexError
            When a series is out of range; nothing was learned.
        """
        rows, values = as_int64("series", series), self._observations(x)
        self._states.check(rows, len(values))
        scores = Scores(np.empty(len(values)))
        self.scorer.update(self._states.all_state, self._states.all_memory, self._encoded, rows, values, scores.score)
        return scores

    def snapshot(self) -> dict[str, Any]:
        """Return a copy of all there is to know, for a checkpoint; see :meth:`detectors.bank.Bank.snapshot`."""
        return self._states.snapshot() | {"dimension": self.dimension}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up where `snapshot` was made; the series of this bank become those of the snapshot.

        Raises
        ------
        SnapshotError
            When the snapshot is not of this scorer, layout, parameters and dimension. The bank is left as it was.
        """
        if snapshot.get("dimension") != self.dimension:
            raise SnapshotError(f"the snapshot has dimension {snapshot.get('dimension')!r}, this bank {self.dimension}")
        self._states.restore(snapshot)

    def _observations(self, x: ArrayLike) -> FloatArray:
        """Return `x` as float64 [n, d]."""
        if self.dimension == 1 and np.ndim(x) < 2:
            return as_float64("x", x).reshape(-1, 1)
        values = as_float64("x", x, ndim=2)
        if values.shape[1] != self.dimension:
            raise ValueError(f"an observation has {self.dimension} numbers, not {values.shape[1]}")
        return values
