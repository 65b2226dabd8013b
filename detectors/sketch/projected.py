"""Moments of random combinations of the coordinates of long vectors, of which all pairs would be too many.

A projection onto random directions keeps distances and angles up to about ``1 / sqrt(directions)`` (Johnson and
Lindenstrauss, 1984), and signs do as well as normal numbers (Achlioptas, J. Comput. Syst. Sci. 66, 2003).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.kernel import kernel
from detectors.sketch.fourier import AT_ONCE
from detectors.sketch.moments import MomentsLayout, moments_layout
from detectors.sketch.vector import (
    FRACTION_BITS,
    LARGEST_Q,
    VectorSummary,
    counted,
    finite,
    middle_and_spread,
    scaling,
)

__all__ = ["DIRECTIONS", "MOST_PLAIN", "ProjectedLayout", "bounded_moments_layout", "plain_bounded_layout"]

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DIRECTIONS = 64
"""Random directions onto which long vectors are projected: 2,144 sums."""

MOST_PLAIN = 128
"""Coordinates of which all pairs are summed: 8,384 sums."""


@dataclass(frozen=True, eq=False)
class ProjectedLayout:
    """How vectors are projected. Two windows are comparable if their layouts are equal.

    Sums are those of `MomentsLayout`, of ``directions`` combinations ``±z ±z … / sqrt(dimension)``, z being coordinates
    as ``(x - location) / scale``.

    Parameters
    ----------
    dimension
        Coordinates of a vector.
    directions
        How many combinations.
    seed
        What signs are drawn from: the bits of Philox 4×64 (Salmon et al., SC 2011), keyed with it.
    location, scale
        float64[dimension] or one number for all.

    Raises
    ------
    ValueError
        If a number is not positive or not finite.

    Examples
    --------
    >>> layout = ProjectedLayout(300, directions=4, seed=0, location=0.0, scale=1.0)
    >>> layout.size, layout.matrix.shape
    (14, (4, 300))
    """

    dimension: int
    directions: int
    seed: int
    location: Floats | float
    scale: Floats | float

    def __post_init__(self) -> None:
        location, scale = scaling(self.dimension, self.location, self.scale)
        object.__setattr__(self, "location", location)
        object.__setattr__(self, "scale", scale)
        if self.directions < 1 or not 0 <= self.seed < 1 << 64:
            raise ValueError(f"{self.directions} directions from seed {self.seed}: at least one, from 0 to 2**64 - 1")

    @cached_property
    def moments(self) -> MomentsLayout:
        """The layout of the combinations."""
        return MomentsLayout.plain(self.directions)

    @property
    def size(self) -> int:
        """How many sums there are."""
        return self.moments.size

    @cached_property
    def matrix(self) -> Floats:
        """float64[directions, dimension]: plus or minus ``1 / sqrt(dimension)``."""
        count = self.directions * self.dimension
        words = np.random.Philox(key=self.seed).random_raw(-(-count // 64)).astype("<u8")
        bits = np.unpackbits(words.view(np.uint8), bitorder="little")[:count].reshape(self.directions, self.dimension)
        return np.asarray(np.where(bits, 1.0, -1.0) / np.sqrt(self.dimension))

    @cached_property
    def _columns(self) -> Floats:
        return np.ascontiguousarray(self.matrix.T)

    def add(self, rows: Integers, x: Floats, counts: Integers, sums: Integers) -> None:
        """See `detectors.sketch.vector.VectorLayout`."""
        location, scale = scaling(self.dimension, self.location, self.scale)
        _add(rows, x, location, scale, self._columns, np.empty(self.directions, dtype=np.int64), counts, sums)

    def mean(self, summary: VectorSummary) -> Floats:
        """Return the mean of the combinations, float64[directions]; NaN without vectors."""
        return self.moments.mean(summary)

    def second_moment(self, summary: VectorSummary, about: Floats) -> Floats:
        """Return the combinations' second moment about a point, float64[directions, directions]."""
        return self.moments.second_moment(summary, about)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        location, scale = scaling(self.dimension, self.location, self.scale)
        return {
            "kind": "projected",
            "dimension": self.dimension,
            "directions": self.directions,
            "seed": self.seed,
            "location": location.tolist(),
            "scale": scale.tolist(),
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ProjectedLayout):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]


def bounded_moments_layout(values: npt.ArrayLike) -> MomentsLayout | ProjectedLayout:
    """Derive a layout from baseline vectors, [n, dimension]: of all pairs of coordinates, or of projections of many.

    Raises
    ------
    ValueError
        If no vector is finite, or the values are not a matrix.

    Examples
    --------
    >>> [type(bounded_moments_layout(np.ones((1, dimension)))).__name__ for dimension in (128, 129)]
    ['MomentsLayout', 'ProjectedLayout']
    """
    vectors = finite(values)
    if vectors.shape[1] <= MOST_PLAIN:
        return moments_layout(vectors)
    return ProjectedLayout(vectors.shape[1], DIRECTIONS, 0, *middle_and_spread(vectors))


def plain_bounded_layout(
    dimension: int, location: Floats | float, scale: Floats | float
) -> MomentsLayout | ProjectedLayout:
    """Return the same where no more is known than where coordinates lie, and how far they spread."""
    if dimension <= MOST_PLAIN:
        return MomentsLayout(dimension, location, scale)
    return ProjectedLayout(dimension, DIRECTIONS, 0, location, scale)


@kernel
def _add(
    rows: Integers, x: Floats, location: Floats, scale: Floats, columns: Floats, q: Integers, counts: Integers,
    sums: Integers,
) -> None:  # fmt: skip
    """Add vectors up, some at a time; ``columns`` is float64[dimension, directions]."""
    farthest = LARGEST_Q / (1 << FRACTION_BITS)
    unit = float(1 << FRACTION_BITS)
    half = 1 << (FRACTION_BITS - 1)
    dimension, directions = columns.shape
    along = np.empty((AT_ONCE, directions))
    taken = np.empty(AT_ONCE, dtype=np.int64)
    i = 0
    while i < rows.size:
        chunk_rows = 0
        while i < rows.size and chunk_rows < AT_ONCE:
            if counted(rows[i], x[i], counts):
                taken[chunk_rows] = i
                chunk_rows += 1
            i += 1
        along[:chunk_rows] = 0.0
        for k in range(dimension):
            for s in range(chunk_rows):
                z = min(max((x[taken[s], k] - location[k]) / scale[k], -farthest), farthest)
                for j in range(directions):
                    along[s, j] += columns[k, j] * z
        for s in range(chunk_rows):
            row = rows[taken[s]]
            for j in range(directions):
                q[j] = int(np.rint(min(max(along[s, j] * unit, -LARGEST_Q), LARGEST_Q)))
                sums[row, j] += q[j]
            index = directions
            for j in range(directions):
                for k in range(j, directions):
                    sums[row, index] += (q[j] * q[k] + half) >> FRACTION_BITS
                    index += 1
