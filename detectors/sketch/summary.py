"""What a numeric sketch says about a pane: counts per cell, and integer sums for the moments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.sketch.layout import NumericLayout

Cells = npt.NDArray[np.int32]
Counts = npt.NDArray[np.int64]

# Moments are sums of whole numbers of 2**-16 scales; see NumericFold.
FRACTION_BITS = 16


@dataclass(slots=True, eq=False)
class NumericSummary:
    """The additive summary of one numeric feature over any set of events.

    Everything is an integer sum, a minimum or a maximum: adding summaries in any order or grouping gives the same
    bits as folding all events at once.

    Parameters
    ----------
    n
        Number of finite values.
    missing, invalid, out_of_range
        Number of missing values; of values that are infinite or of a wrong type; of finite values outside the
        declared range (these are part of `n` too).
    cells, counts
        int32[k] ascending and int64[k] positive: the cells that hold values, and how many.
    sum_q, sum_q2
        Sums of q and of ``q * q >> 16``, q being ``(x - location) / scale * 2**16`` rounded and limited to
        ±2**26; zero for a universal layout.
    min, max
        Over the finite values; inf and -inf if there are none.

    Examples
    --------
    >>> NumericSummary.empty().total
    0
    """

    n: int
    missing: int
    invalid: int
    out_of_range: int
    cells: Cells
    counts: Counts
    sum_q: int
    sum_q2: int
    min: float
    max: float

    @classmethod
    def empty(cls) -> NumericSummary:
        """Return the summary of no events, the neutral element of addition."""
        none = np.empty(0, dtype=np.int64)
        return cls(0, 0, 0, 0, none.astype(np.int32), none, 0, 0, math.inf, -math.inf)

    @property
    def total(self) -> int:
        """Number of events, whatever their value."""
        return self.n + self.missing + self.invalid

    def __add__(self, other: NumericSummary) -> NumericSummary:
        if not isinstance(other, NumericSummary):
            return NotImplemented
        return sum_summaries((self, other))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NumericSummary):
            return NotImplemented
        return (
            self._numbers() == other._numbers()
            and np.array_equal(self.cells, other.cells)
            and np.array_equal(self.counts, other.counts)
        )

    __hash__ = None  # type: ignore[assignment]

    def mean(self, layout: NumericLayout) -> float:
        """Return the mean, NaN without values.

        For layouts with edges its error is below ``scale / 2**17``, with values limited to 1,024 scales
        from the location; for universal ones it is the mean of cell midpoints, within 0.8 %.
        """
        if self.n == 0:
            return math.nan
        if layout.kind == "universal":
            return float(self._midpoints(layout) @ (self.counts / self.n))
        mean = layout.location + layout.scale * (self.sum_q / self.n / (1 << FRACTION_BITS))
        return min(max(mean, self.min), self.max)

    def std(self, layout: NumericLayout) -> float:
        """Return the population standard deviation, with the same limits as `mean`; NaN without values.

        Spreads below ``scale / 2**8`` are not resolved by layouts with edges.
        """
        if self.n == 0:
            return math.nan
        if layout.kind == "universal":
            deviation = self._midpoints(layout) - self.mean(layout)
            largest = float(np.abs(deviation).max()) or 1.0
            return largest * math.sqrt(float((deviation / largest) ** 2 @ (self.counts / self.n)))
        # Python's integers: the difference of two nearly equal sums is taken without rounding.
        spread = self.n * (self.sum_q2 << FRACTION_BITS) - self.sum_q * self.sum_q
        return layout.scale * (math.sqrt(max(spread, 0)) / self.n / (1 << FRACTION_BITS))

    def _midpoints(self, layout: NumericLayout) -> npt.NDArray[np.float64]:
        """Return where the values of each cell may be assumed: cells reach no further than the extremes."""
        return np.clip(layout.midpoint(self.cells), self.min, self.max)

    def _numbers(self) -> tuple[float, ...]:
        sums = (self.n, self.missing, self.invalid, self.out_of_range, self.sum_q, self.sum_q2)
        return (*sums, self.min, self.max)


def sum_summaries(summaries: Sequence[NumericSummary]) -> NumericSummary:
    """Add summaries of one layout; exact, in any order, one pass however many there are.

    Parameters
    ----------
    summaries
        Summaries of the same layout; none at all gives the empty summary.
    """
    if not summaries:
        return NumericSummary.empty()
    cells, counts = _sum_counts([s.cells for s in summaries], [s.counts for s in summaries])
    return NumericSummary(
        n=sum(s.n for s in summaries),
        missing=sum(s.missing for s in summaries),
        invalid=sum(s.invalid for s in summaries),
        out_of_range=sum(s.out_of_range for s in summaries),
        cells=cells,
        counts=counts,
        sum_q=sum(s.sum_q for s in summaries),
        sum_q2=sum(s.sum_q2 for s in summaries),
        min=min(s.min for s in summaries),
        max=max(s.max for s in summaries),
    )


def _sum_counts(cells: Sequence[Cells], counts: Sequence[Counts]) -> tuple[Cells, Counts]:
    """Add sparse counts by way of a dense array: the ids of any layout span less than 2**16."""
    ids = np.concatenate(cells)
    if ids.size == 0:
        return ids, np.empty(0, dtype=np.int64)
    first = int(ids.min())
    dense = np.zeros(int(ids.max()) - first + 1, dtype=np.int64)
    np.add.at(dense, ids - first, np.concatenate(counts))
    present = np.flatnonzero(dense)
    return (present + first).astype(np.int32), dense[present]
