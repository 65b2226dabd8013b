"""Whether an estimator still comes near to what turns out to be true: evidence that it does not, day by day.

A day's difference is realised minus estimated. While an estimator is faithful, its mean is within a margin on either
side, whatever the days before were. For each side and each of some alternatives ``d``, a day multiplies by
``L = exp(l (x - margin) - l**2 s**2 / 2)`` with ``l = d / s**2``, ``x`` the difference towards that side and ``s`` how
far a day strays by itself. ``L`` has an expectation of 1 at most while the estimator is faithful, if differences stray
no more wildly than a normal deviation of ``s``; so the sums ``S = L (1 + S)`` grow by 1 a day at most on average, and
together reach a limit after ``limit / 2`` days on average at the earliest (e-detectors of Shiryaev and Roberts; Shin,
Ramdas and Rinaldo 2024). No day multiplies by more than the cube root of the limit: fewer than three days never do.

Whether it has become faithful again is asked likewise, of both sides at once, with a limit of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["LOST_LIMIT", "REGAINED_LIMIT", "FidelityChart"]

LOST_LIMIT = 2 * 3_650.0
"""An estimator that is as far off as it may be, every day, is called lost once in ten years at most."""

REGAINED_LIMIT = 365.0
"""One that is still as far off is called faithful once in a year at most."""

LOST_BY = (0.5, 1.0, 2.0, 4.0)
REGAINED_BY = (0.5, 1.0)
"""Alternatives, in margins behind the border."""

STEADIEST = 0.25
"""In margins: no day is taken for steadier than this."""

SIDES = (1.0, -1.0)


def _nothing(alternatives: Sequence[float]) -> list[list[float]]:
    return [[0.0] * len(alternatives) for _ in SIDES]


@dataclass
class FidelityChart:
    """The evidence for and against one estimator.

    Attributes
    ----------
    is_lost : bool
    lost, regained : list of list of float
        The sums of each side, by alternative.

    Examples
    --------
    >>> chart = FidelityChart()
    >>> [chart.take(-0.10, 0.01, 0.02) for _ in range(4)]
    [False, False, True, False]
    >>> chart.is_lost, [chart.take(0.0, 0.01, 0.02) for _ in range(5)].count(True), chart.is_lost
    (True, 1, False)
    """

    is_lost: bool = False
    lost: list[list[float]] = field(default_factory=lambda: _nothing(LOST_BY))
    regained: list[list[float]] = field(default_factory=lambda: _nothing(REGAINED_BY))

    def take(self, difference: float, deviation: float, margin: float) -> bool:
        """Take in a day; return whether the estimator is lost or regained with it.

        Parameters
        ----------
        difference : float
            Realised minus estimated.
        deviation : float
            How far such a difference strays by itself: its standard deviation.
        margin : float
            How far off the estimator may be, above 0.
        """
        towards = [side * difference / margin for side in SIDES]
        strays = max(deviation / margin, STEADIEST)
        if self.is_lost:
            self.regained = _grown(self.regained, [-x for x in towards], strays, -1.0, (REGAINED_BY, REGAINED_LIMIT))
            changes = min(map(_mean, self.regained)) >= REGAINED_LIMIT
        else:
            self.lost = _grown(self.lost, towards, strays, 1.0, (LOST_BY, LOST_LIMIT))
            changes = sum(map(_mean, self.lost)) >= LOST_LIMIT
        if changes:
            self.is_lost = not self.is_lost
            self.lost, self.regained = _nothing(LOST_BY), _nothing(REGAINED_BY)
        return changes


def _grown(
    sums: list[list[float]],
    towards: Sequence[float],
    strays: float,
    border: float,
    by: tuple[Sequence[float], float],
) -> list[list[float]]:
    """Return the sums after a day; differences, deviation and border are in margins."""
    alternatives, limit = by
    most = math.log(limit) / 3
    return [
        [
            math.exp(min(alternative / strays**2 * (x - border - alternative / 2), most)) * (1.0 + former)
            for alternative, former in zip(alternatives, of_side, strict=True)
        ]
        for x, of_side in zip(towards, sums, strict=True)
    ]


def _mean(sums: Sequence[float]) -> float:
    return sum(sums) / len(sums)
