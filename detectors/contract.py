"""The page to read first: what a detector and a scorer are. `detectors.distance.contract` says what a distance is.

A **detector** reads one observation after another and says of each whether the stream has changed. It is described by
a frozen :class:`Detector` and is nothing but two arrays and one function over them:

``update(state, memory, params, series, x, score, flag)``

========== ====================== =====================================================================================
argument   type                   meaning
========== ====================== =====================================================================================
``state``  structured [series]    one row per series; only 8-byte fields. A row of zeros is a series that saw nothing
``memory`` float64 [series, width] whatever is sized by a parameter (windows, buckets); zeros at first
``params`` float64 [k]            the parameters, encoded by :meth:`Detector.encode`; never changed
``series`` int64 [n]              the row that each observation belongs to
``x``      float64 [n]            the observations, in order
``score``  float64 [n], out       the detector's statistic after each observation; always finite. Its sign is the
                                  direction of the change: above zero, the values rise
``flag``   uint8 [n], out         :data:`OK`, :data:`WARNING` or :data:`DRIFT`
========== ====================== =====================================================================================

Every detector keeps these promises, and ``tests/detectors/test_contract.py`` walks the table to see that it does:

* The result is a function of each series' own observations: a batch may be cut anywhere, and series may be
  interleaved anyhow, without changing a bit of score, flag or state.
* An observation that is NaN, infinite, beyond ±``kernel.MAX_ABS`` or outside :attr:`Detector.domain` gets flag ``OK``
  and score 0, is counted in ``state["skipped"]``, and leaves everything else as it was.
* After ``DRIFT`` the detector starts anew at the *next* observation that it absorbs, so that the state which led to an
  alarm can still be looked at. ``state["drifted"]`` is 1 until then.
* With default settings one wild value, wherever it comes, is no drift, and a later step of 3 sd is found in time; so it
  is where one in a hundred is wild. What a detector is not for is declared in :attr:`Detector.unsuited`, and compared
  with what ``make detector-table`` measured.
* Before :attr:`Detector.min_samples` observations nothing but ``OK`` is said, and :attr:`Detector.ready` is false:
  "not ready" is never mistaken for "no drift".

A new detector is one file under ``detectors/drift/`` and one line in its table, ``DETECTORS``.

A **scorer** says of each observation how unusual it is, and learns from it. It is a :class:`Scorer`, and its function
is ``update(state, memory, params, series, x, score)``, with two differences to the above:

========== ====================== =====================================================================================
``x``      float64 [n, d]         the observations, in order; d is 1 for a scorer of numbers
``score``  float64 [n], out       how unusual each is, judged by what the series saw *before* it: the more, the higher
========== ====================== =====================================================================================

* The promises about batches and series are the same.
* An observation of which any number is not finite or beyond ±``kernel.MAX_ABS`` gets the score NaN, is counted in
  ``state["skipped"]``, and leaves everything else as it was. So does a series that is not ready yet, except that it
  learns: an ordinary score is never made up.
* What lies farther outside of all that the series has seen than that is wide scores at least as high as anything
  within it, and higher the farther out it is. (Just outside is not enough: the smallest of many waiting times ever is
  no anomaly.)
* What a score means depends on the scorer and the data. An ``AnomalyBank`` turns it into a level from 0 to 1, by the
  scores that the series had before; see :mod:`detectors.anomaly`.

A new scorer is one file under ``detectors/anomaly/`` and one line in its table, ``SCORERS``.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DOMAINS",
    "DRIFT",
    "OK",
    "SCORER_FIELDS",
    "SIGNALS",
    "STATE_FIELDS",
    "WARNING",
    "Detector",
    "FloatArray",
    "Parameter",
    "ParameterError",
    "Scorer",
    "Unsuited",
    "Value",
    "never_quiet",
]

OK = 0
"""Flag: no change seen (or too little seen to tell: ask ``ready``)."""
WARNING = 1
"""Flag: a change is suspected."""
DRIFT = 2
"""Flag: the stream has changed."""

DOMAINS = {"real": "any numbers", "unit": "numbers from 0 to 1", "binary": "0 and 1, where 1 is an error"}
"""What detectors of each domain take, in words."""

SIGNALS = {
    "heavy tails": "values that are sparse, or of heavy tails",
    "few errors": "0 and 1 of which 1 % or fewer are 1",
    "bursts": "values whose spread comes in bursts",
    "neighbours": "values that follow one another",
}
"""Kinds of signals that a detector may be unsuited for, in words."""

STATE_FIELDS: list[tuple[str, str]] = [("skipped", "<i8"), ("drifted", "<i8")]
"""What the state of every detector begins with."""

SCORER_FIELDS: list[tuple[str, str]] = [("skipped", "<i8"), ("n", "<i8")]
"""What the state of every scorer begins with; ``n`` counts the observations that it has learned from."""

Value = float | int | str | None
"""What a parameter may be set to."""
FloatArray = NDArray[np.float64]
Update = Callable[..., None]


class ParameterError(ValueError):
    """A parameter that does not exist or has a value that it may not have.

    Parameters
    ----------
    detector : str
    parameter : str
    value : object
        What was given.
    allowed : str
        What would have been accepted, in words.
    """

    def __init__(self, detector: str, parameter: str, value: object, allowed: str) -> None:
        super().__init__(f"{detector}: {parameter}={value!r} is not allowed; {allowed}")
        self.detector = detector
        self.parameter = parameter
        self.value = value
        self.allowed = allowed


@dataclass(frozen=True)
class Parameter:
    """One setting of a detector, with the limits within which it has been tried.

    Parameters
    ----------
    name : str
    kind : {"float", "int", "choice"}
    default : float, int, str or None
        None stands for "not given", and is accepted only where it is the default.
    low, high : float
        Smallest and largest value allowed, both included; unused for a choice.
    unit : str
        What it is counted in: ``"observations"``, ``"sd"``, ``"units of x"``, ``"probability"``; ``""`` for a choice.
    meaning : str
        One sentence for the user.
    choices : tuple of str
        The values of a choice.

    Examples
    --------
    >>> slots = Parameter("slots", "int", 5, 1, 100, "buckets", "How many to keep.")
    >>> slots.allowed
    'allowed is an integer from 1 to 100 (buckets)'
    >>> slots.accept("adwin", 0)
    Traceback (most recent call last):
    detectors.contract.ParameterError: adwin: slots=0 is not allowed; allowed is an integer from 1 to 100 (buckets)
    """

    name: str
    kind: Literal["float", "int", "choice"]
    default: Value
    low: float
    high: float
    unit: str
    meaning: str
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """The accepted values, in words."""
        if self.kind == "choice":
            return "allowed is one of " + ", ".join(self.choices)
        noun = "an integer" if self.kind == "int" else "a number"
        unit = f" ({self.unit})" if self.unit else ""
        missing = ", or nothing" if self.default is None else ""
        return f"allowed is {noun} from {self.low:.12g} to {self.high:.12g}{unit}{missing}"

    def accept(self, detector: str, value: object) -> Value:
        """Return `value` as the type of this parameter.

        Raises
        ------
        ParameterError
            When the value is of another type or out of range.
        """
        if value is None and self.default is None:
            return None
        if self.kind == "choice":
            if isinstance(value, str) and value in self.choices:
                return value
        elif isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
            number = float(value)
            if self.low <= number <= self.high and (self.kind == "float" or number.is_integer()):
                return int(number) if self.kind == "int" else number
        raise ParameterError(detector, self.name, value, self.allowed)

    def encode(self, value: Value) -> float:
        """Return the number that stands for `value` in a kernel: a choice is its index, nothing is NaN."""
        if value is None:
            return math.nan
        return float(self.choices.index(value)) if isinstance(value, str) else float(value)


def _no_further_check(values: Mapping[str, Value]) -> None:
    """Accept every combination of values that are allowed one by one."""


def never_quiet(state: np.void, params: FloatArray) -> int:
    """Say of a series that its next observation may alarm."""
    return 0


@dataclass(frozen=True, kw_only=True)
class Described:
    """What detectors and scorers have in common.

    Parameters
    ----------
    name : str
        The name in configurations and in stored rows.
    summary : str
        One sentence for the user: what it finds.
    use_when : str
        When to take this one, and when another.
    statistic : str
        What ``score`` is, and what it is compared with.
    reference : str
        The paper.
    parameters : tuple of Parameter
    fields : list of (str, str)
        The fields of a row of state, after those that all have; all of 8 bytes.
    update : callable
        The kernel; see the top of this page.
    min_samples : callable
        From the values of the parameters to the fewest observations after which it can say anything.
    ready : callable
        ``ready(state, params) -> bool [series]``: which series have seen enough to be judged.
    check : callable
        Raises ParameterError on values that are allowed one by one but not together.
    layout : int
        Raised when state or memory change their meaning, so that no old checkpoint is misread.
    """

    name: str
    summary: str
    use_when: str
    statistic: str
    reference: str
    parameters: tuple[Parameter, ...]
    fields: list[tuple[str, str]]
    update: Update
    min_samples: Callable[[Mapping[str, Any]], int]
    ready: Callable[[NDArray[np.void], FloatArray], NDArray[np.bool_]]
    check: Callable[[Mapping[str, Value]], None] = _no_further_check
    layout: int = 1

    def values(self, settings: Mapping[str, object] | None = None) -> dict[str, Value]:
        """Return the value of every parameter: those given, checked, and the defaults of the others.

        Raises
        ------
        ParameterError
            On a name that is not a parameter, with the nearest one that is, or on a value that is not allowed.
        """
        settings = settings or {}
        by_name = {parameter.name: parameter for parameter in self.parameters}
        for name in settings:
            if name not in by_name:
                raise ParameterError(self.name, name, settings[name], _no_such_parameter(name, list(by_name)))
        values = {
            name: parameter.accept(self.name, settings.get(name, parameter.default))
            for name, parameter in by_name.items()
        }
        self.check(values)
        return values

    def encode(self, values: Mapping[str, Value]) -> FloatArray:
        """Return `values`, as :meth:`values` gives them, as the kernel wants them.

        Returns
        -------
        float64 [k]
            In the order of :attr:`parameters`.
        """
        return np.array([p.encode(values[p.name]) for p in self.parameters], dtype=np.float64)


@dataclass(frozen=True)
class Unsuited:
    """A kind of signal that a detector should not be given, because it alarms too often, or finds too little.

    Parameters
    ----------
    signals : str
        Which of :data:`SIGNALS`.
    reason : str
        What happens, with what was measured; a sentence without its full stop.
    instead : str
        The name of a detector that does work for them.
    """

    signals: str
    reason: str
    instead: str


@dataclass(frozen=True, kw_only=True)
class Detector(Described):
    """What there is to know about one detector of change; holds no state. See also :class:`Described`.

    Parameters
    ----------
    false_alarms : str
        How often it fires when nothing changed: what is guaranteed, and under what assumption, or what was measured.
    domain : {"real", "unit", "binary"}
        What it can be given: any number, numbers from 0 to 1, or 0 and 1. Errors are 1.
    memory_width : callable
        From the values of the parameters to the number of float64 in a row of memory.
    quiet : callable
        ``quiet(row, params) -> int``: how many observations, from the next on, will get score 0 and flag OK whatever
        they are. ``Online`` absorbs those together, if a series that saw nothing has any.
    unsuited : tuple of Unsuited
        What it is not for: where, by default, more than one alarm in 100,000 observations was measured in which nothing
        changes, or where most changes that there were to find were missed.
    """

    false_alarms: str
    domain: Literal["real", "unit", "binary"] = "real"
    memory_width: Callable[[Mapping[str, Any]], int] = lambda values: 0
    quiet: Callable[[np.void, FloatArray], int] = never_quiet
    unsuited: tuple[Unsuited, ...] = ()

    @property
    def dtype(self) -> np.dtype[np.void]:
        """The dtype of a row of state."""
        return np.dtype(STATE_FIELDS + self.fields)


@dataclass(frozen=True, kw_only=True)
class Scorer(Described):
    """What there is to know about one scorer of anomalies; holds no state. See also :class:`Described`.

    Parameters
    ----------
    vectors : bool
        Whether observations may have several numbers.
    memory_width : callable
        From the values of the parameters and the numbers in an observation to the float64 in a row of memory.
    """

    vectors: bool
    memory_width: Callable[[Mapping[str, Any], int], int] = lambda values, d: 0

    @property
    def dtype(self) -> np.dtype[np.void]:
        """The dtype of a row of state."""
        return np.dtype(SCORER_FIELDS + self.fields)


def _no_such_parameter(name: str, names: list[str]) -> str:
    nearest = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"there is no such parameter; {hint}the parameters are " + ", ".join(names)
