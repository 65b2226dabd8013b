"""What a metric is: what it can be worked out of, and what it answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detectors.performance.sums import Count, Sums

__all__ = ["ALL_KINDS", "CLASSES", "NO_INTERVAL", "Estimate", "Metric", "Question", "nothing"]

CLASSES = ("binary", "multiclass")
ALL_KINDS = (*CLASSES, "regression", "ranking")
NO_INTERVAL = (math.nan, math.nan)


@dataclass(frozen=True)
class Question:
    """What an estimate is to go by.

    Attributes
    ----------
    kind : str
        Of the scheme: ``binary``, ``multiclass``, ``regression`` or ``ranking``.
    min_labels : int
        Fewer labels give no interval.
    beta : float
        How much more recall counts than precision in ``f_beta``.
    """

    kind: str
    min_labels: int = 100
    beta: float = 1.0


@dataclass(frozen=True)
class Estimate:
    """The value of a metric, and how sure it is.

    Attributes
    ----------
    value : float
        NaN if there is none.
    low, high : float
        The 95 % confidence interval; NaN if there is none.
    error : float
        The standard error, where the interval may be cut off at what there can be; NaN where it says that itself.
    bound : float
        How far ``value`` may be from that of the single events, because scores are counted in cells.
    reason : str
        Why there is no value or no interval; empty where there are both.
    detail : sequence of mappings
        Rows of a table or curve behind the value, of metrics that have one.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    error: float = math.nan
    bound: float = 0.0
    reason: str = ""
    detail: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Metric:
    """A metric of performance.

    Attributes
    ----------
    name : str
    description : str
        What it says, in a line.
    kinds : tuple of str
        The kinds of scheme that have it.
    estimate : callable
        Works it out of sums of at least one label.
    better : str
        ``higher``, ``lower``, or ``zero`` for what should be near it; empty for tables and for what is to be neither.
    needs_value : bool
        Whether it is about what outcomes are worth.
    needs : str
        The key of the configuration without which there is nothing to work it out of; empty for most.
    without : Count or None
        As what events with a label are counted that say nothing of it, if there are such.
    """

    name: str
    description: str
    kinds: tuple[str, ...]
    estimate: Callable[[Sums, Question], Estimate]
    better: str = "higher"
    needs_value: bool = False
    needs: str = ""
    without: Count | None = None

    def events(self, sums: Sums) -> int:
        """How many events it is made of."""
        return sums.labels - (0 if self.without is None else sums.count(self.without))


def nothing(reason: str) -> Estimate:
    """Return the estimate of what cannot be worked out."""
    return Estimate(math.nan, reason=reason)
