"""Whether a model is better than what costs nothing: the share of a naive answer's loss that it spares."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from detectors.performance.interval import Z
from detectors.performance.means import ALIKE, spread_around
from detectors.performance.naive import Losses

__all__ = ["Skill", "gain_of", "skill_of"]

Verdict = Literal["better", "no_better", "worse", "unknown"]

NAIVE_IS_RIGHT = "the naive answer loses nothing, or next to nothing"
FEW_LOSSES = "the naive answer loses too little, too seldom, for an interval"
FAR_FROM_ZERO = "true values spread too little for their size"

LARGEST_RATIO = 2**200
"""Of losses, above which there is no value; its square still is a float."""

_ROUNDING = Fraction(1, 1 << 48)
_LOST_DIGITS = 1 << 40


@dataclass(frozen=True)
class Skill:
    """How a model compares with a naive answer on the same events.

    Attributes
    ----------
    value : float
        ``1 - loss / loss of the naive answer``: 1 is without loss, 0 no better, below 0 worse. NaN if there is none.
    low, high : float
        The 95 % confidence interval; NaN if there is none.
    model, naive : float
        What is lost by an event, on average.
    labels : int
        Events that both are made of.
    verdict : str
        ``better`` or ``worse`` where the interval says so; ``no_better`` where it holds 0, or no event could be better;
        ``unknown`` without an interval.
    reason : str
        Why there is no value or no interval.
    """

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    model: float = math.nan
    naive: float = math.nan
    labels: int = 0
    verdict: Verdict = "unknown"
    reason: str = ""


def skill_of(losses: Losses, min_labels: int = 100) -> Skill:
    """Return the skill of a model with the interval of a ratio of two means of the same events.

    The interval holds each ratio ``r`` for which ``model - r * naive``, event by event, may be 0 on average (Fieller,
    J. R. Stat. Soc. B 16, 1954). So it holds 0 just where the paired difference of losses is not significant. Events
    count as in other metrics: as many as would have the same variance (Kish, 1965).

    Parameters
    ----------
    losses : Losses
    min_labels : int
        Fewer labels give no interval.

    Examples
    --------
    >>> import numpy as np
    >>> from detectors.performance import Binary
    >>> from detectors.performance.naive import losses_of
    >>> sums = Binary("yes").fold(np.linspace(0, 1, 200), ["no", "yes"] * 100)
    >>> skill = skill_of(losses_of(sums, "brier", 0.5))
    >>> round(skill.value, 2), skill.verdict
    (-0.33, 'worse')
    """
    if not losses.labels:
        return Skill(reason="no labels")
    a, b = losses.model / losses.weight, losses.naive / losses.weight
    skill = Skill(model=float(a), naive=float(b), labels=losses.labels)
    if a > LARGEST_RATIO * b or not b:
        return replace(skill, verdict="no_better", reason=NAIVE_IS_RIGHT)
    skill = replace(skill, value=float(1 - a / b))
    if losses.labels < min_labels:
        return replace(skill, reason=f"{losses.labels:,} labels, and an interval needs {min_labels:,}")
    if losses.size > _LOST_DIGITS * losses.naive_2:
        return replace(skill, reason=FAR_FROM_ZERO)
    return _with_interval(skill, losses, (a, b))


def gain_of(worths: Losses, min_labels: int = 100) -> Skill:
    """Return what an event is worth more by the model than by a naive answer, with the interval of that difference.

    Parameters
    ----------
    worths : Losses
        What `detectors.performance.naive.worths_of` returns, or a sum of such.
    min_labels : int
        Fewer labels give no interval.

    Examples
    --------
    >>> import numpy as np
    >>> from detectors.performance import Binary
    >>> from detectors.performance.naive import worths_of
    >>> scheme = Binary("yes", values=(120, -8, -450, 0))
    >>> sums = scheme.fold(np.tile([0.9, 0.8, 0.1], 100), ["yes", "no", "yes"] * 100)
    >>> gain = gain_of(worths_of(sums, scheme, 0.0))
    >>> round(gain.value, 2), gain.verdict
    (187.33, 'better')
    """
    if not worths.labels:
        return Skill(reason="no labels")
    model, naive = worths.model / worths.weight, worths.naive / worths.weight
    gain = Skill(float(naive - model), model=float(model), naive=float(naive), labels=worths.labels)
    if worths.labels < min_labels:
        return replace(gain, reason=f"{worths.labels:,} labels, and an interval needs {min_labels:,}")
    square = (worths.model_2 - 2 * worths.both + worths.naive_2) / worths.weight
    count = float(worths.weight**2 / worths.weight_2)
    (low, high), reason = spread_around(gain.value, float(square), count)
    if reason:
        return replace(gain, reason=reason, verdict="unknown" if gain.value > 0 else "no_better")
    return replace(gain, low=low, high=high, verdict="better" if low > 0 else "worse" if high < 0 else "no_better")


def _with_interval(skill: Skill, losses: Losses, means: tuple[Fraction, Fraction]) -> Skill:
    a, b = means
    aa, bb, ab = (total / losses.weight for total in (losses.model_2, losses.naive_2, losses.both))
    aa, bb, ab, ratio = aa - a * a, bb - b * b, ab - a * b, a / b
    if aa - 2 * ratio * ab + ratio * ratio * bb <= _ROUNDING * (a * a + aa):
        return replace(skill, reason=ALIKE, verdict="no_better" if ratio >= 1 else "unknown")
    # The roots in r of (a - r b)**2 = z**2 / n * (variance of model - r naive).
    share = Fraction(Z) ** 2 * losses.weight_2 / losses.weight**2
    square, middle, rest = b * b - share * bb, a * b - share * ab, a * a - share * aa
    if square <= b * b / LARGEST_RATIO:
        return replace(skill, reason=FEW_LOSSES)
    spread = math.sqrt(max(float((middle * middle - square * rest) / (square * square)), 0.0))
    low, high = float(1 - middle / square) - spread, float(1 - middle / square) + spread
    return replace(skill, low=low, high=high, verdict="better" if low > 0 else "worse" if high < 0 else "no_better")
