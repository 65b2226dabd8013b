"""River's detectors of change in a bank of ours; the only file that imports river, and only when one is named.

A configuration names them as Python does: ``river.drift.binary.DDM``, with the parameters of its constructor. They see
each observation alone, in a Python loop, so they cost what river costs (0.3 µs to 0.2 ms an observation); take ours of
the same name where there is one. River's detectors tell no statistic: their score is 0.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.bank import Bank, Flags
from detectors.contract import DRIFT, OK, WARNING, FloatArray, ParameterError
from detectors.drift import UnknownDetectorError, find
from detectors.kernel import MAX_ABS
from detectors.river_state import UnkeepableError, keep, restore
from detectors.states import SnapshotError, as_float64, as_int64

__all__ = ["RiverBank", "bank_of", "check_each", "is_rivers", "river_version", "values_of"]

_PACKAGES = ("river.drift", "river.drift.binary")
_WARM_UPS = ("grace_period", "min_instances", "sliding_window_size", "warm_start", "window_size")
"""What river's detectors call the number of observations that they want to see first."""
_PROBE = [0.0, 1.0, 1.0, 0.0] * 10


def bank_of(name: str, params: Mapping[str, Any]) -> Bank | RiverBank:
    """Return an empty bank of one of our detectors of change, or of one of river's.

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
    return RiverBank(name, params) if is_rivers(name) else Bank(find(name), params)


def is_rivers(name: str) -> bool:
    """Whether `name` is written as those of river's detectors are."""
    return name.startswith("river.")


def check_each(name: str, params: Mapping[str, Any]) -> None:
    """See that river's detector `name` has each of `params`, and that it may have that value by itself.

    Raises
    ------
    UnknownDetectorError
        When river has no such detector.
    ParameterError
        On a parameter that it does not have, or a value of another type than its default.
    """
    known = inspect.signature(_class(name)).parameters
    for parameter, value in params.items():
        if parameter not in known:
            nearest = difflib.get_close_matches(parameter, known, n=1)
            hint = f"did you mean {nearest[0]!r}? " if nearest else ""
            listed = ", ".join(known) or "none"
            allowed = f"there is no such parameter; {hint}the parameters are {listed}"
            raise ParameterError(name, parameter, value, allowed)
        default = known[parameter].default
        if not _is_like(value, default):
            raise ParameterError(name, parameter, value, f"allowed is a value like its default, {default!r}")


def values_of(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return `params` if river's detector `name` can be made with them and kept in a checkpoint.

    Raises
    ------
    UnknownDetectorError, ParameterError
        As :func:`check_each`; also on what river itself refuses, and without a seed where one is needed: else no two
        runs would agree.
    """
    check_each(name, params)
    detector = _class(name)
    known = inspect.signature(detector).parameters
    if "seed" in known and params.get("seed") is None:
        raise ParameterError(
            name, "seed", None, "it draws random numbers: set a seed, so that every run gives the same"
        )
    _try_out(name, detector, params)
    return dict(params)


def _is_like(value: object, default: object) -> bool:
    for kind in (bool, str):
        if isinstance(default, kind) or isinstance(value, kind):
            return isinstance(default, kind) and isinstance(value, kind)
    # A default of None says nothing of the type; the detector is tried out with the number.
    return isinstance(value, int | float)


def _class(name: str) -> Any:
    import river.drift
    import river.drift.binary
    from river.base.drift_detector import _BaseDriftDetector

    found = {
        f"{package}.{one}": getattr(module, one)
        for package, module in zip(_PACKAGES, (river.drift, river.drift.binary), strict=True)
        for one in module.__all__
        if inspect.isclass(getattr(module, one, None)) and issubclass(getattr(module, one), _BaseDriftDetector)
    }
    if name not in found:
        raise UnknownDetectorError(name, found)
    return found[name]


def _try_out(name: str, detector: Any, params: Mapping[str, Any]) -> None:
    """Raise ParameterError unless an object is made, absorbs some numbers, and can be kept."""
    given = ", ".join(f"{key}={value!r}" for key, value in params.items())
    try:
        made = detector(**params)
        for x in _PROBE:
            made.update(x)
        keep(made)
    except UnkeepableError as error:
        raise ParameterError(name, "state", given, f"no checkpoint can hold it: {error}") from error
    # What a constructor of river's raises on a wrong value is not stated anywhere.
    except Exception as error:
        raise ParameterError(name, next(iter(params), "parameters"), given, f"river refuses it: {error}") from error


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
        self._class = _class(name)
        self._is_binary = any(base.__name__ == "BinaryDriftDetector" for base in self._class.__mro__)
        made = self._class(**self.params)
        self.min_samples = max([1, *(int(getattr(made, warm_up, None) or 0) for warm_up in _WARM_UPS)])
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
            self._detectors.append(self._class(**self.params))
            self._seen.append(0)
            self._skipped.append(0)

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
            ``detector`` str, ``river`` str (its version), ``params`` dict, ``seen`` and ``skipped`` int64 [series],
            ``states`` list of what :func:`detectors.river_state.keep` returns.
        """
        return {
            "detector": self.name,
            "river": river_version(),
            "params": dict(self.params),
            "seen": np.array(self._seen, dtype=np.int64),
            "skipped": self.skipped,
            "states": [keep(detector) for detector in self._detectors],
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up where `snapshot` was made; the series of this bank become those of the snapshot.

        Raises
        ------
        SnapshotError
            When the snapshot is not of this detector, parameters and version of river. The bank is left as it was.
        """
        for key, mine in (("detector", self.name), ("river", river_version()), ("params", self.params)):
            if snapshot.get(key) != mine:
                raise SnapshotError(f"the snapshot has {key} {snapshot.get(key)!r}, this bank {mine!r}")
        states, seen, skipped = snapshot.get("states"), snapshot.get("seen"), snapshot.get("skipped")
        if not (isinstance(states, list) and isinstance(seen, np.ndarray) and isinstance(skipped, np.ndarray)):
            raise SnapshotError("the snapshot lacks the states of the detectors, or how much they have seen")
        if not seen.shape == skipped.shape == (len(states),):
            raise SnapshotError(f"the snapshot has {len(states)} states, {len(seen)} and {len(skipped)} counts")
        detectors = [self._class(**self.params) for _ in states]
        try:
            for detector, state in zip(detectors, states, strict=True):
                restore(detector, state)
        except (UnkeepableError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise SnapshotError(f"the snapshot of {self.name} is damaged: {error}") from error
        self._detectors = detectors
        self._seen, self._skipped = seen.tolist(), skipped.tolist()


def river_version() -> str:
    """Return the version of river, which the meaning of a detector's state belongs to."""
    return version("river")
