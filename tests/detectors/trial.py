"""How a detector is tried: its slow obvious twin, and settings of its parameters."""

from __future__ import annotations

from dataclasses import dataclass
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
    """

    twin: type[Naive]
    settings: tuple[dict[str, Any], ...]
    often: dict[str, Any]
    length: int = 1200


def signed(up: float, down: float) -> float:
    """The larger of two statistics, negative if it is the second."""
    return up if up >= down else -down
