"""What river has that a rule may name; the only file that imports river, and only when one is named.

A configuration names a class of ``river.drift`` or ``river.anomaly`` as Python does, ``river.drift.binary.DDM``, with
the parameters of its constructor. The banks that run them are in :mod:`detectors.river_banks`.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from detectors.anomaly.levels import LEVEL_PARAMETERS
from detectors.contract import ParameterError, Value
from detectors.drift import UnknownDetectorError
from detectors.river_state import UnkeepableError, keep, seed_what_has_no_seed

if TYPE_CHECKING:
    from detectors.anomaly.online import OnlineScorer

__all__ = [
    "Feed",
    "as_rivers",
    "check_each",
    "feeding",
    "is_anomalies",
    "is_rivers",
    "make",
    "river_class",
    "river_version",
    "values_of",
]

_PROBE = [0.0, 1.0, 1.0, 0.0] * 10
_OF_LEVELS = {parameter.name: parameter for parameter in LEVEL_PARAMETERS}

Feed = Callable[[float], float]


def is_rivers(name: str) -> bool:
    """Whether `name` is written as those of river's detectors and scorers are."""
    return name.startswith("river.")


def is_anomalies(name: str) -> bool:
    """Whether `name` is written as those of river's scorers of anomalies are."""
    return name.startswith("river.anomaly.")


def check_each(name: str, params: Mapping[str, Any]) -> None:
    """See that river's detector `name` has each of `params`, and that it may have that value by itself.

    Raises
    ------
    UnknownDetectorError
        When river has no such detector.
    ParameterError
        On a parameter that it does not have, or a value of another type than its default.
    """
    parameters = inspect.signature(river_class(name)).parameters
    for parameter, value in params.items():
        if is_anomalies(name) and parameter in _OF_LEVELS:
            _OF_LEVELS[parameter].accept(name, value)
            continue
        if parameter not in parameters:
            names = [*parameters, *(_OF_LEVELS if is_anomalies(name) else ())]
            nearest = difflib.get_close_matches(parameter, names, n=1)
            hint = f"did you mean {nearest[0]!r}? " if nearest else ""
            listed = ", ".join(names) or "none"
            allowed = f"there is no such parameter; {hint}the parameters are {listed}"
            raise ParameterError(name, parameter, value, allowed)
        default = parameters[parameter].default
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
    parameters = inspect.signature(river_class(name)).parameters
    for parameter, described in parameters.items():
        if described.default is inspect.Parameter.empty:
            allowed = "it has no default and is an object, which no configuration can name"
            raise ParameterError(name, parameter, params.get(parameter), allowed)
    if "seed" in parameters and params.get("seed") is None:
        raise ParameterError(
            name, "seed", None, "it draws random numbers: set a seed, so that every run gives the same"
        )
    _try_out(name, params)
    return dict(params)


def make(name: str, params: Mapping[str, Any]) -> Any:
    """Return a new object of river's; what it draws at random and gave no seed for has one."""
    own = {key: value for key, value in params.items() if not (is_anomalies(name) and key in _OF_LEVELS)}
    made = river_class(name)(**own)
    seed_what_has_no_seed(made)
    return made


def feeding(name: str, made: Any) -> Feed:
    """Return what shows one number to an object of river's: a scorer's score of it before it learns it, else 0."""
    if not is_anomalies(name):
        return lambda x: made.update(x) or 0.0
    if "y" in inspect.signature(made.learn_one).parameters:
        return lambda x: _scored(made, None, x)
    return lambda x: _scored(made, {"x": x})


def _scored(made: Any, *observation: Any) -> float:
    score = float(made.score_one(*observation))
    made.learn_one(*observation)
    return score


def _is_like(value: object, default: object) -> bool:
    for kind in (bool, str):
        if isinstance(default, kind) or isinstance(value, kind):
            return isinstance(default, kind) and isinstance(value, kind)
    # A default of None says nothing of the type; the detector is tried out with the number.
    return isinstance(value, int | float)


def river_class(name: str) -> Any:
    """Return the class of river's that a configuration calls `name`.

    Raises
    ------
    UnknownDetectorError
        When there is none, or it neither detects change nor scores anomalies.
    """
    import river.anomaly
    import river.drift
    import river.drift.binary
    from river.base import AnomalyDetector, SupervisedAnomalyDetector
    from river.base.drift_detector import _BaseDriftDetector

    kinds = (_BaseDriftDetector, AnomalyDetector, SupervisedAnomalyDetector)
    classes = {
        f"{package.__name__}.{exported}": getattr(package, exported)
        for package in (river.drift, river.drift.binary, river.anomaly)
        for exported in package.__all__
        if inspect.isclass(getattr(package, exported, None)) and issubclass(getattr(package, exported), kinds)
    }
    if name not in classes:
        raise UnknownDetectorError(name, classes)
    return classes[name]


def _try_out(name: str, params: Mapping[str, Any]) -> None:
    """Raise ParameterError unless an object is made, absorbs some numbers, and can be kept."""
    written = ", ".join(f"{key}={value!r}" for key, value in params.items())
    try:
        made = make(name, params)
        feed = feeding(name, made)
        for x in _PROBE:
            feed(x)
        keep(made)
    except UnkeepableError as error:
        raise ParameterError(name, "state", written, f"no checkpoint can hold it: {error}") from error
    # What a constructor of river's raises on a wrong value is not stated anywhere.
    except Exception as error:
        raise ParameterError(name, next(iter(params), "parameters"), written, f"river refuses it: {error}") from error


def as_rivers(scorer: str, **params: Value) -> OnlineScorer:
    """Return one of our scorers of anomalies as one that river takes for its own, in pipelines, filters and metrics.

    Our detectors of change need nothing of the kind: ``detectors.online.Online`` goes wherever river's go.

    Raises
    ------
    UnknownScorerError, ParameterError

    Examples
    --------
    >>> from river.base import AnomalyDetector
    >>> isinstance(as_rivers("robust_z"), AnomalyDetector)
    True
    """
    return _scorer_of_river()(scorer, **params)


@cache
def _scorer_of_river() -> type[OnlineScorer]:
    from river.base import AnomalyDetector

    from detectors.anomaly.online import OnlineScorer

    return type("OnlineScorer", (OnlineScorer, AnomalyDetector), {"remade": staticmethod(as_rivers)})


def river_version() -> str:
    """Return the version of river, which the meaning of a detector's state belongs to."""
    return version("river")
