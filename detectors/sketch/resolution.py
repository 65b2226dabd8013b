"""Whether the cells of a layout tell the values of a feature apart: where a spread is small beside its level, few do.

A shift shows as far as values change their cells. Of a normal distribution whose standard deviation is s, in cells of
the width w, the mean of midpoints follows a shift but for a part of exp(−2π²s²/w²): a hundredth at w = 2s, and most of
it at w = 4s (Sheppard's corrections). Where w is much larger than s, all values lie in one cell, and nothing shows.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.sketch.layout import NumericLayout
from detectors.sketch.summary import NumericSummary

__all__ = ["FEWEST_CELLS", "coarse_step", "usual_range_of"]

Floats = npt.NDArray[np.float64]

CENTRAL = (0.01, 0.99)
CENTRAL_SD = 4.65
"""Between these shares lie so many standard deviations of a normal distribution."""

WIDEST = 2.0
"""Standard deviations that a cell may be wide."""

FEWEST_CELLS = 16
"""Cells of the central values from which on a layout tells them apart well: three and a half a standard deviation."""


def coarse_step(layout: NumericLayout, summary: NumericSummary) -> float:
    """Return how far apart values of a feature are told where that is wider than they spread; else 0.

    Parameters
    ----------
    layout : NumericLayout
    summary : NumericSummary
        Of its values.

    Examples
    --------
    >>> from detectors.sketch import NumericFold, universal_layout
    >>> def summary_of(values):
    ...     fold = NumericFold([universal_layout()])
    ...     fold.ensure(1)
    ...     fold.fold(np.zeros(len(values), dtype=np.int64), np.array([values]))
    ...     return fold.take(0)[0]
    >>> values = np.random.default_rng(1).normal(52.75, 0.02, 1000)
    >>> coarse_step(universal_layout(), summary_of(values)), coarse_step(universal_layout(), summary_of(values - 52.75))
    (0.5, 0.0)
    """
    if not summary.n:
        return 0.0
    reached = np.cumsum(summary.counts)
    lowest, middle, highest = (
        int(np.searchsorted(reached, share * summary.n)) for share in (CENTRAL[0], 0.5, CENTRAL[1])
    )
    values = np.clip(layout.midpoint(summary.cells), summary.min, summary.max)
    low, high = (float(bound[0]) for bound in layout.bounds(summary.cells[[middle]]))
    extent = float(values[highest] - values[lowest]) if lowest < highest else _extent_of_one(low, high, summary)
    step = high - low
    return step if 0 < extent < step * CENTRAL_SD / WIDEST and math.isfinite(step) else 0.0


def _extent_of_one(low: float, high: float, summary: NumericSummary) -> float:
    """Return how far the central values spread that lie in one cell."""
    if low <= summary.min and summary.max <= high:
        return summary.max - summary.min
    # What lies beyond hides how far they spread. A whole number that is alone in its cell is taken for all of them.
    is_whole = low.is_integer() and high - low <= 1
    return 0.0 if is_whole else high - low


def usual_range_of(values: Floats, layout: NumericLayout, fewest: int = FEWEST_CELLS) -> tuple[float, float] | None:
    """Return a usual range for a feature whose values lie in too few cells; None where cells tell them apart.

    Parameters
    ----------
    values : float64 array [N]
        Finite.
    layout : NumericLayout
        By which they are counted.
    fewest : int
        Cells of the central values that are enough.

    Examples
    --------
    >>> from detectors.sketch import universal_layout
    >>> rng = np.random.default_rng(1)
    >>> usual_range_of(rng.normal(52.75, 0.02, 1000), universal_layout())
    (52.655, 52.84)
    >>> usual_range_of(rng.integers(0, 5, 1000).astype(float), universal_layout()) is None
    True
    """
    ordered = np.sort(values)
    lowest, highest = (int(share * (len(ordered) - 1)) for share in CENTRAL)
    central = ordered[lowest : highest + 1]
    distinct = len(np.unique(central))
    cells = len(np.unique(layout.ids(central))) if distinct > 1 else distinct
    if cells >= min(fewest, distinct):
        return None
    low, high = float(central[0]), float(central[-1])
    width = high - low
    unit = 10.0 ** (math.floor(math.log10(width)) - 1) if 0 < width < math.inf else 0.0
    if not unit:
        return None
    ends = math.floor((low - width / 2) / unit) * unit, math.ceil((high + width / 2) / unit) * unit
    digits = max(-math.floor(math.log10(unit)), 0)
    rounded = round(ends[0], digits), round(ends[1], digits)
    return rounded if rounded[0] < rounded[1] else None
