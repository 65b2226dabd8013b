"""What a detector says about one window of one series: the input of the alert lifecycle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

__all__ = ["Status", "Verdict"]

Status = Literal["ok", "drift", "no_data", "learning"]

FLOATS = ("statistic", "effect", "min_effect", "surprise", "surprise_limit", "p_value")
WHOLE = ("at_ms", "window_start_ms", "n", "baseline_n", "baseline_from_ms", "baseline_to_ms")


@dataclass(frozen=True)
class Verdict:
    """One detector's judgement of one window of one series.

    Numbers of numpy are taken as well and kept as Python's, so that a verdict can be written as JSON.

    Parameters
    ----------
    version, segment, signal : str
        The series; the empty segment is all of the traffic.
    detector : str
    status : {"ok", "drift", "no_data", "learning"}
    at_ms, window_start_ms : int
        The window, ``[window_start_ms, at_ms)``, in event time.
    statistic : float
        What the detector computed, in its own unit.
    effect, min_effect : float
        How large the change is, and how large it must be to matter.
    surprise, surprise_limit : float
        How far the change lies beyond the signal's usual variation, and how far it must.
    p_value : float
        NaN if the detector has none.
    n, baseline_n : int
        Events in the window and in the baseline.
    baseline_from_ms, baseline_to_ms : int
        The baseline's stretch of event time; both 0 for a data set.
    detail : str
        The detector's own words, for people.

    Raises
    ------
    ValueError
        If the status is unknown or the window is empty.

    Examples
    --------
    >>> verdict = Verdict("v1", "", "feature:hour", "psi", "drift", 600_000, 300_000, effect=1.5, min_effect=0.1)
    >>> verdict.strength
    15.0
    """

    version: str
    segment: str
    signal: str
    detector: str
    status: Status
    at_ms: int
    window_start_ms: int
    statistic: float = math.nan
    effect: float = math.nan
    min_effect: float = math.nan
    surprise: float = math.nan
    surprise_limit: float = math.nan
    p_value: float = math.nan
    n: int = 0
    baseline_n: int = 0
    baseline_from_ms: int = 0
    baseline_to_ms: int = 0
    detail: str = ""

    def __post_init__(self) -> None:
        for name in FLOATS:
            object.__setattr__(self, name, float(getattr(self, name)))
        for name in WHOLE:
            object.__setattr__(self, name, int(getattr(self, name)))
        if self.status not in get_args(Status):
            raise ValueError(f"unknown status {self.status!r}")
        if self.window_start_ms >= self.at_ms:
            raise ValueError(f"empty window [{self.window_start_ms}, {self.at_ms})")

    @property
    def series(self) -> tuple[str, str, str]:
        """``(version, segment, signal)``."""
        return self.version, self.segment, self.signal

    @property
    def strength(self) -> float:
        """``effect / min_effect``: how many times the change exceeds its limit; 0 if there is no effect."""
        if not self.effect > 0:
            return 0.0
        return self.effect / self.min_effect if self.min_effect > 0 else math.inf

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able twin from which :meth:`from_json` gets the same verdict, NaN and infinity too."""
        return {key: _written(value) for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Verdict:
        """Return the verdict that :meth:`to_json` wrote."""
        return cls(**{field.name: written[field.name] for field in fields(cls)})


def _written(value: Any) -> Any:
    # JSON has no NaN; `float` reads these three words back in __post_init__.
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value
