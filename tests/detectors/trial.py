"""How a detector or a scorer is tried: its slow obvious twin, and settings of its parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


class Naive(Protocol):
    """A detector as its paper has it, in plain Python, one observation after another.

    It is given the values of all parameters, and answers each observation with its score and flag.
    """

    def __init__(self, **params: Any) -> None: ...

    def update(self, x: float) -> tuple[float, int]: ...


@dataclass(frozen=True)
class Trial:
    """What ``tests/detectors/trials/NAME.py`` says, as ``TRIAL``, of the detector NAME.

    Parameters
    ----------
    twin : class with the interface of Naive
    settings : tuple of dict
        Parameters with which the detector must equal its twin.
    often : dict
        Parameters with which it fires often, so that what follows a drift is tried too.
    length : int
        How long the streams are on which it is compared with its twin.
    in_time : int
        Within how many observations it finds a step of 3 sd, up or down, with the defaults. Of zeros and ones, of which
        one in five is 1, those that become all zeros can hardly be found before the 50th: in 100,000 there are as many
        zeros on end.
    """

    twin: type[Naive]
    settings: tuple[dict[str, Any], ...]
    often: dict[str, Any]
    length: int = 1200
    in_time: int = 50


class NaiveScorer(Protocol):
    """A scorer as its paper has it, in plain Python, one observation after another.

    It is given the values of all parameters, and answers each observation, a list of its numbers, with its score, or
    NaN before it is ready. It is shown nothing that would be skipped.
    """

    def __init__(self, **params: Any) -> None: ...

    def update(self, x: list[float]) -> float: ...


@dataclass(frozen=True)
class ScorerTrial:
    """What ``tests/detectors/scorer_trials/NAME.py`` says, as ``TRIAL``, of the scorer NAME.

    Parameters
    ----------
    twin : class with the interface of NaiveScorer
    settings : tuple of dict
        Parameters with which the scorer must equal its twin.
    quick : dict
        Parameters with which it is ready within some dozen observations, and forgets within a few hundred.
    dimension : int
        How many numbers an observation of the trial has; 1 for scorers of numbers.
    length : int
        How long the streams are on which it is compared with its twin.
    rounding : float
        How far a score may be from the twin's where both work out what they follow in different ways.
    """

    twin: type[NaiveScorer]
    settings: tuple[dict[str, Any], ...]
    quick: dict[str, Any] = field(default_factory=dict)
    dimension: int = 1
    length: int = 600
    rounding: float = 1e-9


def signed(up: float, down: float) -> float:
    """The larger of two statistics, negative if it is the second."""
    return up if up >= down else -down


def outside(value: float, low: float, high: float) -> float:
    """What scorers of vectors add to a score for a number beyond the limits of what was seen."""
    beyond = max(low - value, value - high)
    return 8 * (beyond / (beyond + high - low)) ** 3 if beyond > 0 else 0.0


def centre_and_unit(column: tuple[float, ...]) -> tuple[float, float]:
    """The median of a number, and the unit that it is measured in."""
    ordered, n = sorted(column), len(column)
    within, extent = 5 * (ordered[3 * n // 4] - ordered[n // 4]), ordered[-1] - ordered[0]
    return ordered[n // 2], (min(within, extent) if within else extent) or 1.0
