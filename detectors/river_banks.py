"""Banks of river's detectors and scorers, an object for each series, with the interfaces of ours.

They see each observation alone, in a Python loop, so they cost what river costs (0.3 µs to 0.9 ms an observation); take
ours of the same name where there is one. River's detectors tell no statistic: their score is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.anomaly import SCORERS, AnomalyBank
from detectors.anomaly.levels import LEVEL_PARAMETERS
from detectors.bank import Bank, Flags
from detectors.contract import DRIFT, OK, WARNING, FloatArray, Scorer
from detectors.drift import find
from detectors.kernel import MAX_ABS
from detectors.river_adapter import feeding, is_anomalies, is_rivers, make, river_class, river_version, values_of
from detectors.river_state import UnkeepableError, keep, restore
from detectors.states import SnapshotError, as_float64, as_int64

__all__ = ["RiverAnomalyBank", "RiverBank", "bank_of"]

_WARM_UPS = ("grace_period", "min_instances", "n_neighbors", "sliding_window_size", "warm_start", "window_size")
"""What river calls the number of observations that it wants to see first."""


def bank_of(name: str, params: Mapping[str, Any], dimension: int = 1) -> Bank | RiverBank | AnomalyBank:
    """Return an empty bank of a detector or scorer, ours or river's; only a scorer of ours may take several numbers.

    Raises
    ------
    UnknownDetectorError, ParameterError

    Examples
    --------
    >>> bank_of("adwin", {"delta": 0.01}).params["delta"]
    0.01
    >>> bank_of("river.drift.ADWIN", {"delta": 0.01}).params
    {'delta': 0.01}
    """
    if is_anomalies(name):
        return RiverAnomalyBank(name, params)
    if is_rivers(name):
        return RiverBank(name, params)
    if name in SCORERS:
        return AnomalyBank(SCORERS[name], params, dimension=dimension)
    return Bank(find(name), params)


def _warm_up(made: Any) -> int:
    return max([1, *(int(getattr(made, name, None) or 0) for name in _WARM_UPS)])


def _restored(name: str, params: Mapping[str, Any], snapshot: Mapping[str, Any]) -> list[Any]:
    """Return the objects of a snapshot, if it is of this name, parameters and version of river."""
    for key, mine in (("river", river_version()), ("named", name), ("given", dict(params))):
        if snapshot.get(key) != mine:
            raise SnapshotError(f"the snapshot has {key} {snapshot.get(key)!r}, this bank {mine!r}")
    states = snapshot.get("objects")
    if not isinstance(states, list):
        raise SnapshotError("the snapshot lacks the state of river's objects")
    objects = [make(name, params) for _ in states]
    try:
        for made, state in zip(objects, states, strict=True):
            restore(made, state)
    except (UnkeepableError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise SnapshotError(f"the snapshot of {name} is damaged: {error}") from error
    return objects


def _kept(name: str, params: Mapping[str, Any], objects: list[Any]) -> dict[str, Any]:
    packed = [keep(made) for made in objects]
    return {"river": river_version(), "named": name, "given": dict(params), "objects": packed}


class RiverBank:
    """One of river's detectors, an object for each series, with the interface of :class:`detectors.bank.Bank`.

    Values that are NaN, infinite or beyond ``MAX_ABS`` are skipped and counted, and so is what is neither 0 nor 1 if
    the detector is one of errors.

    Parameters
    ----------
    name : str
        ``river.drift.`` or ``river.drift.binary.``, and the class.
    params : mapping of str to value, optional
        As its constructor has them.
    series : int
        How many series there are at first.

    Raises
    ------
    UnknownDetectorError, ParameterError

    Examples
    --------
    >>> bank = RiverBank("river.drift.binary.DDM", {"warm_start": 20}, series=1)
    >>> flags = bank.update_one(0, [0.0] * 40 + [1.0] * 40)
    >>> flags.drifts()
    array([40])
    >>> bank.ready.tolist()
    [True]
    """

    def __init__(self, name: str, params: Mapping[str, Any] | None = None, series: int = 0) -> None:
        self.name = name
        self.params = values_of(name, params or {})
        self._is_binary = any(base.__name__ == "BinaryDriftDetector" for base in river_class(name).__mro__)
        self.min_samples = _warm_up(make(name, self.params))
        self._detectors: list[Any] = []
        self._seen: list[int] = []
        self._skipped: list[int] = []
        self.resize(series)

    def __len__(self) -> int:
        """How many series there are."""
        return len(self._detectors)

    @property
    def ready(self) -> NDArray[np.bool_]:
        """Which series have seen as many observations as the detector waits for, bool [series]."""
        return np.array(self._seen, dtype=np.int64) >= self.min_samples

    @property
    def skipped(self) -> NDArray[np.int64]:
        """How many observations of each series were skipped, int64 [series]."""
        return np.array(self._skipped, dtype=np.int64)

    def resize(self, series: int) -> None:
        """Make room for `series` series; the new ones have seen nothing.

        Raises
        ------
        ValueError
            When that is fewer than there are.
        """
        if series < len(self):
            raise ValueError(f"a bank of {len(self)} series cannot shrink to {series}")
        while len(self) < series:
            self._detectors.append(make(self.name, self.params))
            self._seen.append(0)
            self._skipped.append(0)

    def keep(self, series: ArrayLike) -> None:
        """Let go of all series but these, which are numbered anew in the order given."""
        rows = as_int64("series", series).tolist()
        self._detectors = [self._detectors[row] for row in rows]
        self._seen = [self._seen[row] for row in rows]
        self._skipped = [self._skipped[row] for row in rows]

    def compile(self) -> None:
        """Do nothing: river is compiled, or is not."""

    def update(self, series: ArrayLike, x: ArrayLike) -> Flags:
        """Absorb a batch; see :meth:`detectors.bank.Bank.update`."""
        rows, values = as_int64("series", series), as_float64("x", x)
        if len(rows) != len(values):
            raise ValueError(f"series and x differ in length: {len(rows)} and {len(values)}")
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"the series of the batch are not all in a bank of {len(self)}")
        return self._run(rows.tolist(), values)

    def update_one(self, series: int, x: ArrayLike) -> Flags:
        """Absorb a batch whose observations all belong to one series."""
        values = as_float64("x", x)
        if not 0 <= series < len(self):
            raise IndexError(f"series {series} is not in a bank of {len(self)}")
        return self._run([series] * len(values), values)

    def _run(self, rows: list[int], values: FloatArray) -> Flags:
        flags = Flags(np.zeros(len(values)), np.full(len(values), OK, dtype=np.uint8))
        for i, (row, x) in enumerate(zip(rows, values.tolist(), strict=True)):
            if not abs(x) <= MAX_ABS or (self._is_binary and x not in (0.0, 1.0)):
                self._skipped[row] += 1
                continue
            detector = self._detectors[row]
            # After a drift it starts anew at this observation, as ours do.
            self._seen[row] = 1 if detector.drift_detected else self._seen[row] + 1
            detector.update(x)
            if detector.drift_detected:
                flags.flag[i] = DRIFT
            elif getattr(detector, "warning_detected", False):
                flags.flag[i] = WARNING
        return flags

    def snapshot(self) -> dict[str, Any]:
        """Return a copy of all there is to know, to be kept by a checkpoint.

        Returns
        -------
        dict
            ``river`` str (its version), ``named`` str, ``given`` dict, ``seen`` and ``skipped`` int64 [series],
            ``objects`` list of what :func:`detectors.river_state.keep` returns.
        """
        packed = _kept(self.name, self.params, self._detectors)
        return packed | {"seen": np.array(self._seen, dtype=np.int64), "skipped": self.skipped}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up where `snapshot` was made; the series of this bank become those of the snapshot.

        Raises
        ------
        SnapshotError
            When the snapshot is not of this detector, parameters and version of river. The bank is left as it was.
        """
        detectors = _restored(self.name, self.params, snapshot)
        seen, skipped = snapshot.get("seen"), snapshot.get("skipped")
        if not (isinstance(seen, np.ndarray) and isinstance(skipped, np.ndarray)):
            raise SnapshotError("the snapshot lacks how much the detectors have seen")
        if not seen.shape == skipped.shape == (len(detectors),):
            raise SnapshotError(f"the snapshot has {len(detectors)} objects, {len(seen)} and {len(skipped)} counts")
        self._detectors, self._seen, self._skipped = detectors, seen.tolist(), skipped.tolist()


class RiverAnomalyBank(AnomalyBank):
    """One of river's scorers of anomalies, an object for each series, with levels as those of ours have them.

    Scorers of river's that are supervised see the value as their target, the others as a feature called ``x``.

    Parameters
    ----------
    name : str
        ``river.anomaly.`` and the class.
    params : mapping of str to value, optional
        As its constructor has them, and `false_alarm_rate` and `history` as all scorers have them.
    series : int
        How many series there are at first.

    Raises
    ------
    UnknownDetectorError, ParameterError

    Examples
    --------
    >>> bank = RiverAnomalyBank("river.anomaly.StandardAbsoluteDeviation", {"false_alarm_rate": 1e-3}, series=1)
    >>> x = np.random.default_rng(1).normal(size=5000)
    >>> x[4000] = 12.0
    >>> bank.update(np.zeros(5000, dtype=int), x).anomalies()
    array([4000])
    """

    def __init__(self, name: str, params: Mapping[str, Any] | None = None, series: int = 0) -> None:
        self.name = name
        self.settings = values_of(name, params or {})
        self._objects: list[Any] = []
        warm_up = _warm_up(make(name, self.settings))
        levels = {parameter.name for parameter in LEVEL_PARAMETERS}
        scorer = Scorer(
            name=name,
            summary="One of river's scorers of anomalies.",
            use_when="To keep what works with river.",
            statistic="What river calls the score of an observation before it learns it.",
            reference="https://riverml.xyz",
            parameters=(),
            fields=[],
            update=self._score,
            min_samples=lambda values: warm_up,
            ready=lambda state, params: np.asarray(state["n"] >= warm_up, dtype=np.bool_),
            vectors=False,
        )
        super().__init__(scorer, {key: value for key, value in self.settings.items() if key in levels})
        self.resize(series)

    def __reduce__(self) -> tuple[Any, ...]:
        """Say what a copy or a pickle needs: the objects are made anew, and go on from the snapshot."""
        return RiverAnomalyBank, (self.name, self.settings), self.snapshot()

    def __setstate__(self, snapshot: Mapping[str, Any]) -> None:
        """Go on from what :meth:`__reduce__` returned."""
        self.restore(snapshot)

    def resize(self, series: int) -> None:
        """Make room for `series` series; the new ones have seen nothing."""
        super().resize(series)
        while len(self._objects) < series:
            self._objects.append(make(self.name, self.settings))

    def keep(self, series: ArrayLike) -> None:
        """Let go of all series but these, which are numbered anew in the order given."""
        super().keep(series)
        self._objects = [self._objects[row] for row in as_int64("series", series).tolist()]

    def _score(
        self,
        state: NDArray[np.void],
        memory: FloatArray,
        params: FloatArray,
        series: NDArray[np.int64],
        x: FloatArray,
        score: FloatArray,
    ) -> None:
        feeds = [feeding(self.name, made) for made in self._objects]
        for i, (row, value) in enumerate(zip(series.tolist(), x[:, 0].tolist(), strict=True)):
            score[i] = np.nan
            if not abs(value) <= MAX_ABS:
                state["skipped"][row] += 1
                continue
            outcome = feeds[row](value)
            if state["n"][row] >= self.min_samples and abs(outcome) <= MAX_ABS:
                score[i] = outcome
            state["n"][row] += 1

    def snapshot(self) -> dict[str, Any]:
        """Return a copy of all there is to know, to be kept by a checkpoint."""
        return super().snapshot() | _kept(self.name, self.settings, self._objects)

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up where `snapshot` was made; the series of this bank become those of the snapshot.

        Raises
        ------
        SnapshotError
            When the snapshot is not of this scorer, parameters and version of river. The bank is left as it was.
        """
        objects = _restored(self.name, self.settings, snapshot)
        scorer = snapshot.get("scorer")
        if not isinstance(scorer, Mapping) or np.shape(scorer.get("state", ())) != (len(objects),):
            raise SnapshotError(f"the snapshot has {len(objects)} objects, and counts of another number")
        super().restore(snapshot)
        self._objects = objects
