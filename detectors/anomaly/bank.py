"""A bank of scorers: one scorer over many series, batch first, and a level for each of its scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.anomaly.levels import LEVEL_FIELDS, LEVEL_PARAMETERS, LEVEL_WIDTH, calibrate
from detectors.contract import FloatArray, Scorer, Value
from detectors.states import AllRows, SnapshotError, States, as_float64, as_int64

__all__ = ["AnomalyBank", "Scores", "with_levels"]

_LEVELS = np.dtype(LEVEL_FIELDS)


def with_levels(scorer: Scorer) -> Scorer:
    """Return `scorer` with the parameters that all scorers have after its own.

    Examples
    --------
    >>> from detectors.anomaly import find
    >>> [parameter.name for parameter in with_levels(find("robust_z")).parameters]
    ['window', 'warm_up', 'false_alarm_rate', 'history', 'hold_off']
    """
    return replace(scorer, parameters=(*scorer.parameters, *LEVEL_PARAMETERS))


class Scores(NamedTuple):
    """What a scorer says of each observation of a batch.

    Parameters
    ----------
    score : float64 [n]
        How unusual it is, in the scorer's own terms; see :attr:`detectors.contract.Scorer.statistic`. NaN where it
        was skipped and while the series is not ready.
    level : float64 [n]
        How the score compares with those that the series had before, from 0 to 1: of ordinary observations, one in a
        hundred is above 0.99; see :mod:`detectors.anomaly.levels`. NaN where the score is, and for 128 scores more.
    flag : bool [n]
        Whether it is an anomaly: one of which ``1 - level`` is below the `false_alarm_rate`, and that does not come
        within `hold_off` scores of another.
    """

    score: FloatArray
    level: FloatArray
    flag: NDArray[np.bool_]

    def anomalies(self) -> NDArray[np.intp]:
        """Return the positions in the batch of what is an anomaly."""
        return np.flatnonzero(self.flag)


class AnomalyBank:
    """One scorer, with the same parameters, over many series.

    Kernels release the GIL; a bank is not locked, so let one thread at a time use it.

    Parameters
    ----------
    scorer : Scorer
        For instance ``detectors.anomaly.find("robust_z")``.
    params : mapping of str to value, optional
        What differs from the defaults; those of all scorers, `false_alarm_rate`, `history` and `hold_off`, among them.
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

    Examples
    --------
    >>> import numpy as np
    >>> from detectors.anomaly import find
    >>> bank = AnomalyBank(find("robust_z"), {"false_alarm_rate": 1e-4}, series=1)
    >>> x = np.random.default_rng(1).normal(size=5000)
    >>> x[4000] = 12.0
    >>> scores = bank.update(np.zeros(5000, dtype=int), x)
    >>> scores.anomalies()
    array([4000])
    """

    def __init__(
        self, scorer: Scorer, params: Mapping[str, object] | None = None, series: int = 0, dimension: int = 1
    ) -> None:
        if dimension < 1 or (dimension > 1 and not scorer.vectors):
            allowed = "at least 1" if scorer.vectors else "1"
            raise ValueError(f"{scorer.name}: an observation has {allowed} numbers, not {dimension}")
        self.scorer, self.dimension = scorer, dimension
        described = with_levels(scorer)
        self.params: dict[str, Value] = described.values(params)
        self.min_samples = scorer.min_samples(self.params)
        self._encoded = described.encode(self.params)
        rate, history, hold_off = self._encoded[-3:].tolist()
        self._of_levels = rate, int(history), int(hold_off)
        self._states, self._levels = self._fresh(series)

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
        self._levels.resize(series)

    def keep(self, series: ArrayLike) -> None:
        """Let go of all series but these, which are numbered anew in the order given."""
        rows = as_int64("series", series)
        self._states.keep(rows)
        self._levels.keep(rows)

    def compile(self) -> None:
        """Compile the kernels, or load them from the disk cache, before the first event needs them."""
        self._run(np.zeros(0, dtype=np.int64), np.zeros((0, self.dimension)))

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
        return self._run(rows, values)

    def copied(self) -> tuple[AllRows, AllRows]:
        """Return a copy of what the series have seen, for :meth:`exchange`: cheaper than a snapshot."""
        return self._states.copied(), self._levels.copied()

    def exchange(self, rows: tuple[AllRows, AllRows]) -> tuple[AllRows, AllRows]:
        """Let the series have seen what they had, or will have, seen at another time, and return what they have now."""
        states, levels = rows
        return self._states.exchange(states), self._levels.exchange(levels)

    def snapshot(self) -> dict[str, Any]:
        """Return a copy of all there is to know, to be kept by a checkpoint.

        Returns
        -------
        dict
            ``dimension`` int, and what :meth:`detectors.bank.Bank.snapshot` has: ``scorer`` of the scorer, ``levels``
            of its levels.
        """
        return {
            "dimension": self.dimension,
            "scorer": self._states.snapshot(),
            "levels": self._levels.snapshot(),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up where `snapshot` was made; the series of this bank become those of the snapshot.

        Raises
        ------
        SnapshotError
            When the snapshot is not of this scorer, layout, parameters and dimension. The bank is left as it was.
        """
        if snapshot.get("dimension") != self.dimension:
            raise SnapshotError(f"the snapshot has dimension {snapshot.get('dimension')!r}, this bank {self.dimension}")
        scorer, of_levels = snapshot.get("scorer"), snapshot.get("levels")
        if not isinstance(scorer, Mapping) or not isinstance(of_levels, Mapping):
            raise SnapshotError("the snapshot lacks the state of the scorer or of its levels")
        states, levels = self._fresh(0)
        states.restore(scorer)
        levels.restore(of_levels)
        if len(states) != len(levels):
            raise SnapshotError(f"the snapshot has {len(states)} series, and levels of {len(levels)}")
        self._states, self._levels = states, levels

    def _fresh(self, series: int) -> tuple[States, States]:
        """Return the state of scorer and levels for series that have seen nothing."""
        width = self.scorer.memory_width(self.params, self.dimension)
        return (
            States(self.scorer, self.params, self.scorer.dtype, width, series),
            States(self.scorer, self.params, _LEVELS, LEVEL_WIDTH, series),
        )

    def _run(self, rows: NDArray[np.int64], values: FloatArray) -> Scores:
        n = len(values)
        scores = Scores(np.empty(n), np.empty(n), np.empty(n, dtype=np.bool_))
        states, levels = self._states, self._levels
        self.scorer.update(states.all_state, states.all_memory, self._encoded, rows, values, scores.score)
        calibrate(levels.all_state, levels.all_memory, *self._of_levels, rows, *scores)
        return scores

    def _observations(self, x: ArrayLike) -> FloatArray:
        """Return `x` as float64 [n, d]."""
        if self.dimension == 1 and np.ndim(x) < 2:
            return as_float64("x", x).reshape(-1, 1)
        values = as_float64("x", x, ndim=2)
        if values.shape[1] != self.dimension:
            raise ValueError(f"an observation has {self.dimension} numbers, not {values.shape[1]}")
        return values
