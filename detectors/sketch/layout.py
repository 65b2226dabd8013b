"""Layouts of numeric sketches: into which cells the numbers of one feature are counted.

A layout follows from configuration alone and never changes while it is in use; its `id` travels with every
summary, and summaries of different layouts are never added.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from detectors.sketch.universal import LARGEST_ID, Cells, Floats, universal_bounds, universal_ids

Kind = Literal["quantile", "linear", "universal", "share"]
KINDS: tuple[Kind, ...] = ("quantile", "linear", "universal", "share")
"""Equal cells of a declared range (``linear``) stand in stores of before; none are made any more."""

BEYOND = 2.0 ** np.concatenate((np.arange(-1.0, 7.0, 0.5), np.arange(7.0, 21.0)))
"""Where cells beyond the ends of a baseline begin, in robust standard deviations from it: √2 times as far as the one
before, and twice from 128 on."""

USUAL_CELLS = 128
"""Equal cells of the range in which most values lie."""

SHARE_CELLS = 128
"""Equal cells of a share, of which the first and the last are cut further."""

NEAR_AN_END = [2.0**exponent * (1 + quarter / 4) for exponent in range(-20, -7) for quarter in range(4)]
"""How far from 0, and from 1, those cells are cut: a fraud is rare, and so is a score of 0.01."""

BEYOND_A_SHARE = [2.0**exponent * (1 + half / 2) for exponent in range(-4, 15) for half in range(2)]
"""Where cells beyond 0 and 1 begin, as far from them: a percentage is a hundred times a share."""


@dataclass(frozen=True, eq=False)
class NumericLayout:
    """The cells of one numeric feature, its declared range, and the scale of its moments.

    Parameters
    ----------
    kind
        ``quantile``, ``universal`` or ``share``, to be built with the function of that name; or ``linear``.
    edges
        float64[k], strictly increasing; empty for ``universal``. Cell 0 is ``x < edges[0]``, cell i is
        ``edges[i - 1] <= x < edges[i]``, cell k is ``x >= edges[-1]``.
    low, high
        The declared range; a value outside is counted as out of range, besides being in its cell. Infinite
        where nothing was declared.
    location, scale
        Moments are summed in fixed point, in units of ``scale / 2**16`` from `location`.

    Raises
    ------
    ValueError
        If the edges do not increase, the range is empty or the scale is not a positive number.
    """

    kind: Kind
    edges: Floats
    low: float
    high: float
    location: float
    scale: float

    def __post_init__(self) -> None:
        edges = np.array(self.edges, dtype=np.float64) + 0.0  # -0.0 and 0.0 are the same edge and the same id
        edges.setflags(write=False)
        object.__setattr__(self, "edges", edges)
        if self.kind not in KINDS:
            raise ValueError(f"unknown layout {self.kind!r}; known: {', '.join(KINDS)}")
        if (self.kind == "universal") != (edges.size == 0):
            raise ValueError(f"a {self.kind} layout cannot have {edges.size} edges")
        if not (np.isfinite(edges).all() and (edges[1:] > edges[:-1]).all()):
            raise ValueError("edges must be finite and strictly increasing")
        if not self.low < self.high:
            raise ValueError(f"the declared range [{self.low}, {self.high}] is empty")
        if not (math.isfinite(self.location) and 0 < self.scale < math.inf):
            raise ValueError("location must be finite and scale a positive number")

    @cached_property
    def id(self) -> str:
        """Sixteen hexadecimal digits that depend on everything in the layout, the same on every machine."""
        numbers = np.array([self.low, self.high, self.location, self.scale]) + 0.0
        content = self.kind.encode() + self.edges.astype("<f8").tobytes() + numbers.astype("<f8").tobytes()
        return hashlib.blake2b(content, digest_size=8).hexdigest()

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, NumericLayout) else NotImplemented

    def __hash__(self) -> int:
        return int(self.id, 16)

    @property
    def cells(self) -> int:
        """How many cells there are; for ``universal`` the size of the id space, of which few are used."""
        return 2 * LARGEST_ID + 1 if self.kind == "universal" else self.edges.size + 1

    def ids(self, values: npt.ArrayLike) -> Cells:
        """Return the cell of each value, int32 of the same shape; the values must not be NaN."""
        if self.kind == "universal":
            return universal_ids(values)
        return np.searchsorted(self.edges, np.asarray(values, dtype=np.float64), side="right").astype(np.int32)

    def bounds(self, ids: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return the lower and the upper bound of cells; the outermost ones are infinite."""
        if self.kind == "universal":
            return universal_bounds(ids)
        fences = np.concatenate(([-np.inf], self.edges, [np.inf]))
        cells = np.asarray(ids, dtype=np.int64)
        if ((cells < 0) | (cells > self.edges.size)).any():
            raise ValueError(f"cell ids of this layout lie between 0 and {self.edges.size}")
        return fences[cells], fences[cells + 1]

    def cell_low(self, ids: npt.ArrayLike) -> Floats:
        """Return the lower bounds of cells, float64."""
        return self.bounds(ids)[0]

    def cell_high(self, ids: npt.ArrayLike) -> Floats:
        """Return the upper bounds of cells, float64."""
        return self.bounds(ids)[1]

    def midpoint(self, ids: npt.ArrayLike) -> Floats:
        """Return the middle of each cell, and for an unbounded cell its finite bound.

        Examples
        --------
        >>> NumericLayout("quantile", np.array([0.0, 0.25, 0.5]), 0, 1, 0, 1).midpoint([0, 1, 2, 3]).tolist()
        [0.0, 0.125, 0.375, 0.5]
        """
        low, high = self.bounds(ids)
        low, high = np.where(np.isinf(low), high, low), np.where(np.isinf(high), low, high)
        # The sum of two large bounds would overflow; half of the smallest double is zero.
        return np.clip(low / 2 + high / 2, low, high)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description; a missing bound of the range is None."""
        return {
            "kind": self.kind,
            "edges": self.edges.tolist(),
            "low": None if math.isinf(self.low) else self.low,
            "high": None if math.isinf(self.high) else self.high,
            "location": self.location,
            "scale": self.scale,
        }


def quantile_layout(
    values: npt.ArrayLike,
    max_bins: int = 128,
    low: float | None = None,
    high: float | None = None,
    own: Sequence[float] = (),
) -> NumericLayout:
    """Derive cells from a baseline: its quantiles, with cells of their own for values that repeat.

    A value that makes up at least ``1 / max_bins`` of the baseline gets the cell ``[v, nextafter(v))``. Without
    this, a feature with 90 % zeros would hide any change near zero in the zeros' cell. Beyond its ends cells grow with
    the distance (`BEYOND`): without them, values in another unit would lie where those just above the baseline do.

    Parameters
    ----------
    values
        Baseline values; those that are not finite are left out.
    max_bins
        Number of quantiles. Repeated values add at most one cell each, so there are at most
        ``2 * max_bins`` cells, plus 31 beyond each end, and zero.
    low, high
        The declared range, if there is one.
    own
        Values that get cells of their own, however rare they are.

    Raises
    ------
    ValueError
        If no value is finite, or `max_bins` is below 1.

    Examples
    --------
    >>> quantile_layout([0, 0, 0, 1, 2, 3, 4, 5], max_bins=4).edges[30:-30].tolist()
    [0.0, 5e-324, 2.0, 4.0, 5.000000000000001]
    """
    if max_bins < 1:
        raise ValueError(f"max_bins must be at least 1, not {max_bins}")
    flat = np.asarray(values, dtype=np.float64).ravel()
    ordered = np.sort(flat[np.isfinite(flat)])
    if ordered.size == 0:
        raise ValueError("a quantile layout needs at least one finite value")
    ranks = np.arange(max_bins) * ordered.size // max_bins
    distinct, counts = np.unique(ordered, return_counts=True)
    heavy = distinct[(counts >= 2) & (counts * max_bins >= ordered.size)]
    ends = [math.nextafter(value, math.inf) for value in (*heavy.tolist(), *own, float(ordered[-1]))]
    location, scale = _middle_and_spread(ordered)
    with np.errstate(over="ignore"):
        beyond = np.concatenate((ordered[0] - scale * BEYOND, ordered[-1] + scale * BEYOND))
    # What is never negative, or never positive, is not expected beyond zero either.
    zero = [0.0] if ordered[0] > 0 or ordered[-1] < 0 else []
    edges = np.unique(np.concatenate((ordered[ranks], heavy, own, ends, beyond, zero)) + 0.0)
    # Beyond the largest double there is nothing; the outermost cells hold what is left.
    return NumericLayout("quantile", edges[np.isfinite(edges)], *_declared(low, high), location, scale)


def usual_layout(
    usual: tuple[float, float], low: float | None = None, high: float | None = None, own: Sequence[float] = ()
) -> NumericLayout:
    """Return equal cells of the range in which most values lie, and beyond it those of a baseline's quantiles.

    Parameters
    ----------
    usual
        From where to where.
    low, high, own
        As :func:`quantile_layout` takes them; zero has a cell of its own, too.

    Examples
    --------
    >>> layout = usual_layout((52.6, 52.9))
    >>> low, high = layout.bounds(layout.ids([52.7, 52.75, 53.5]))
    >>> (high - low).round(4).tolist()
    [0.0023, 0.0023, 0.1842]
    """
    return quantile_layout(np.linspace(*usual, USUAL_CELLS + 1), USUAL_CELLS, low, high, (0.0, *own))


@lru_cache(maxsize=4096)
def share_layout(own: tuple[float, ...] = ()) -> NumericLayout:
    """Return the layout of shares and probabilities: equal cells, narrower ones near 0 and 1, wider ones beyond.

    Its moments keep a resolution of 2**-24, and count what is more than four from the middle as if it was four.

    Parameters
    ----------
    own
        Values that get cells of their own.

    Examples
    --------
    >>> layout = share_layout()
    >>> low, high = layout.bounds(layout.ids([0.002, 0.3, 0.9999, 30.0]))
    >>> (high - low).round(6).tolist()
    [0.000488, 0.007812, 1.5e-05, 8.0]
    """
    equal = [cell / SHARE_CELLS for cell in range(SHARE_CELLS)]
    below = [-distance for distance in BEYOND_A_SHARE]
    above = [1 + distance for distance in BEYOND_A_SHARE]
    ends = [math.nextafter(value, math.inf) for value in (1.0, *own)]
    inner = [*equal, *NEAR_AN_END, *(1 - distance for distance in NEAR_AN_END)]
    edges = np.unique(np.array([*below, *inner, *above, *own, *ends]) + 0.0)
    return NumericLayout("share", edges, 0.0, 1.0, 0.5, 1 / 256)


@lru_cache(maxsize=4096)
def universal_layout(low: float | None = None, high: float | None = None) -> NumericLayout:
    """Return the layout for numbers of which nothing is known (see `detectors.sketch.universal`).

    Examples
    --------
    >>> layout = universal_layout()
    >>> layout.cell_low(layout.ids([1.0, 100.0])).tolist()
    [1.0, 100.0]
    """
    return NumericLayout("universal", np.empty(0), *_declared(low, high), location=0.0, scale=1.0)


def _declared(low: float | None, high: float | None) -> tuple[float, float]:
    return (-math.inf if low is None else float(low), math.inf if high is None else float(high))


def _middle_and_spread(ordered: Floats) -> tuple[float, float]:
    """Return the median and the first of three measures of spread that is not zero.

    The interquartile range ignores outliers but is zero when half of the values are equal.
    """
    quarter, middle, three_quarters = (float(ordered[ordered.size * k // 4]) for k in (1, 2, 3))
    # Work on values below 1, since a square or a difference of large doubles would overflow.
    unit = float(np.abs(ordered).max()) or 1.0
    iqr = (three_quarters / unit - quarter / unit) / 1.349
    spread = iqr or float(np.std(ordered / unit)) or 1.0
    smallest, largest = np.finfo(np.float64).tiny, np.finfo(np.float64).max
    return middle, float(min(max(spread * unit, smallest), largest))
