"""First and second moments of vectors: sums from which their mean and covariance follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.kernel import kernel
from detectors.sketch.vector import (
    FRACTION_BITS,
    LARGEST_Q,
    VectorSummary,
    counted,
    finite,
    middle_and_spread,
    scaling,
)

__all__ = ["MomentsLayout", "moments_layout"]

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MOST_COORDINATES = 2048
"""A pane of as many coordinates takes 17 MB."""


@dataclass(frozen=True, eq=False)
class MomentsLayout:
    """How coordinates are measured. Two windows are comparable if their layouts are equal.

    Sums are of ``q`` and, for each pair of coordinates, of their product, q being ``(x - location) / scale`` in whole
    numbers of 2**-16, limited to 1,024 either way; products too are whole numbers of 2**-16. Means are exact to 2**-17,
    and so are covariances; 2**27 vectors at the limit do not overflow.

    Parameters
    ----------
    dimension
        Coordinates of a vector.
    location, scale
        float64[dimension] or one number for all.

    Raises
    ------
    ValueError
        If there are no coordinates or more than 2,048, or a number is not finite or a scale not positive.

    Examples
    --------
    >>> layout = MomentsLayout(3, location=0.0, scale=2.0)
    >>> layout.size
    9
    """

    dimension: int
    location: Floats | float
    scale: Floats | float

    def __post_init__(self) -> None:
        if self.dimension > MOST_COORDINATES:
            raise ValueError(f"at most {MOST_COORDINATES} coordinates, not {self.dimension}")
        location, scale = scaling(self.dimension, self.location, self.scale)
        object.__setattr__(self, "location", location)
        object.__setattr__(self, "scale", scale)

    @classmethod
    def plain(cls, dimension: int) -> MomentsLayout:
        """Return the layout for coordinates that are of the order of 1 already."""
        return cls(dimension, 0.0, 1.0)

    @property
    def size(self) -> int:
        """How many sums there are: one of each coordinate, and one of each pair."""
        return self.dimension + self.dimension * (self.dimension + 1) // 2

    def add(self, rows: Integers, x: Floats, counts: Integers, sums: Integers) -> None:
        """See `detectors.sketch.vector.VectorLayout`."""
        location, scale = scaling(self.dimension, self.location, self.scale)
        _add(rows, x, location, scale, np.empty(self.dimension, dtype=np.int64), counts, sums)

    def mean(self, summary: VectorSummary) -> Floats:
        """Return the mean, float64[dimension], in scales from the locations; NaN without vectors."""
        if summary.n == 0:
            return np.full(self.dimension, np.nan)
        return np.asarray(summary.sums[: self.dimension] / summary.n / (1 << FRACTION_BITS))

    def second_moment(self, summary: VectorSummary, about: Floats) -> Floats:
        """Return the mean of ``(z - about) (z - about)ᵀ``, float64[dimension, dimension], z being in scales.

        Parameters
        ----------
        summary
        about
            float64[dimension]; with the mean itself the result is the covariance, divided by n.
        """
        if summary.n == 0:
            return np.full((self.dimension, self.dimension), np.nan)
        moment = np.empty((self.dimension, self.dimension))
        upper = np.triu_indices(self.dimension)
        moment[upper] = summary.sums[self.dimension :] / summary.n / (1 << FRACTION_BITS)
        moment.T[upper] = moment[upper]
        mean = self.mean(summary)
        away = mean - about
        return np.asarray(moment - np.outer(mean, mean) + np.outer(away, away))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        location, scale = scaling(self.dimension, self.location, self.scale)
        return {
            "kind": "moments",
            "dimension": self.dimension,
            "location": location.tolist(),
            "scale": scale.tolist(),
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MomentsLayout):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]


def moments_layout(values: npt.ArrayLike) -> MomentsLayout:
    """Derive the scale of each coordinate from a baseline, so that none outweighs the others.

    Parameters
    ----------
    values
        Baseline vectors, [n, dimension]; those with a coordinate that is not finite are left out.

    Raises
    ------
    ValueError
        If no vector is finite, or the values are not a matrix.

    Examples
    --------
    >>> moments_layout([[0.0, 0.0], [3.0, 4.0]]).location.tolist()
    [1.5, 2.0]
    """
    vectors = finite(values)
    return MomentsLayout(vectors.shape[1], *middle_and_spread(vectors))


@kernel
def _add(
    rows: Integers, x: Floats, location: Floats, scale: Floats, q: Integers, counts: Integers, sums: Integers
) -> None:
    unit = float(1 << FRACTION_BITS)
    half = 1 << (FRACTION_BITS - 1)
    for i in range(rows.size):
        row = rows[i]
        if not counted(row, x[i], counts):
            continue
        for k in range(q.size):
            q[k] = int(np.rint(min(max((x[i, k] - location[k]) / scale[k] * unit, -LARGEST_Q), LARGEST_Q)))
            sums[row, k] += q[k]
        index = q.size
        for j in range(q.size):
            for k in range(j, q.size):
                sums[row, index] += (q[j] * q[k] + half) >> FRACTION_BITS
                index += 1
