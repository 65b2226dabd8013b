"""Random Fourier features: sums from which the maximum mean discrepancy of two windows follows.

A Gaussian kernel is the mean, over random frequencies w, of ``cos(w · (x - y))`` (Rahimi and Recht, NIPS 2007): of
products of cosines and of sines of each side. Their means over a window are all that its mean distance from another
window takes, and sums of them add up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.kernel import kernel
from detectors.sketch.vector import FRACTION_BITS, LARGEST_Q, counted, finite, middle_and_spread, scaling

__all__ = ["FEATURE_BITS", "FREQUENCIES", "FourierLayout", "fourier_layout", "plain_fourier_layout"]

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FEATURE_BITS = 24
"""Cosines and sines are summed as whole numbers of 2**-24; 2**38 vectors do not overflow."""

FREQUENCIES = 256
"""Random frequencies unless somebody says otherwise."""

SAMPLE = 500
"""Vectors from which a bandwidth is taken."""


@dataclass(frozen=True, eq=False)
class FourierLayout:
    """Which features are summed. Two windows are comparable if their layouts are equal.

    Parameters
    ----------
    dimension
        Coordinates of a vector.
    frequencies
        How many random frequencies; the kernel is met up to about ``1 / sqrt(frequencies)``.
    bandwidth
        The kernel is ``exp(-|x - y|**2 / (2 bandwidth**2))``, in units of the scales.
    seed
        What frequencies are drawn from: the bits of Philox 4×64 (Salmon et al., SC 2011), keyed with it.
    location, scale
        float64[dimension] or one number for all: coordinates are taken as ``(x - location) / scale``.

    Raises
    ------
    ValueError
        If a number is not positive or not finite.

    Examples
    --------
    >>> layout = FourierLayout(3, frequencies=4, bandwidth=2.0, seed=1, location=0.0, scale=1.0)
    >>> layout.size, layout.matrix.shape
    (8, (4, 3))
    >>> FourierLayout.from_dict(layout.to_dict()) == layout
    True
    """

    dimension: int
    frequencies: int
    bandwidth: float
    seed: int
    location: Floats | float
    scale: Floats | float

    def __post_init__(self) -> None:
        location, scale = scaling(self.dimension, self.location, self.scale)
        object.__setattr__(self, "location", location)
        object.__setattr__(self, "scale", scale)
        if self.frequencies < 1 or not (math.isfinite(self.bandwidth) and self.bandwidth > 0):
            raise ValueError(f"{self.frequencies} frequencies of bandwidth {self.bandwidth}: both must be positive")
        if not 0 <= self.seed < 1 << 64:
            raise ValueError(f"a seed is a whole number from 0 to 2**64 - 1, not {self.seed}")

    @property
    def size(self) -> int:
        """How many sums there are: a cosine and a sine of each frequency."""
        return 2 * self.frequencies

    @cached_property
    def matrix(self) -> Floats:
        """float64[frequencies, dimension]: normal, with a standard deviation of ``1 / bandwidth``."""
        bits = np.random.Philox(key=self.seed).random_raw(self.frequencies * self.dimension)
        normal = NormalDist(0.0, 1 / self.bandwidth)
        # 53 bits, moved off 0 and 1.
        drawn = [normal.inv_cdf(((word >> 11) + 0.5) / (1 << 53)) for word in bits.tolist()]
        return np.array(drawn).reshape(self.frequencies, self.dimension)

    def add(self, rows: Integers, x: Floats, counts: Integers, sums: Integers) -> None:
        """See `detectors.sketch.vector.VectorLayout`."""
        location, scale = scaling(self.dimension, self.location, self.scale)
        _add(rows, x, location, scale, self.matrix, np.empty(self.dimension), counts, sums)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        location, scale = scaling(self.dimension, self.location, self.scale)
        return {
            "kind": "fourier",
            "dimension": self.dimension,
            "frequencies": self.frequencies,
            "bandwidth": self.bandwidth,
            "seed": self.seed,
            "location": location.tolist(),
            "scale": scale.tolist(),
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> FourierLayout:
        """Build the layout that `to_dict` described, bit for bit."""
        return cls(
            int(description["dimension"]),
            int(description["frequencies"]),
            float(description["bandwidth"]),
            int(description["seed"]),
            np.array(description["location"], dtype=np.float64),
            np.array(description["scale"], dtype=np.float64),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FourierLayout):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]


def plain_fourier_layout(dimension: int, location: Floats | float, scale: Floats | float) -> FourierLayout:
    """Return a layout for vectors of which no more is known than where coordinates lie, and how far they spread.

    The bandwidth is the root of the mean squared distance of two vectors whose coordinates spread like that.

    Examples
    --------
    >>> plain_fourier_layout(2, 0.0, 10.0).bandwidth
    2.0
    """
    return FourierLayout(dimension, FREQUENCIES, math.sqrt(2 * dimension), 0, location, scale)


def fourier_layout(
    values: npt.ArrayLike, frequencies: int = FREQUENCIES, seed: int = 0, bandwidth: float | None = None
) -> FourierLayout:
    """Derive a layout from a baseline: the scale of each coordinate, and the bandwidth.

    Parameters
    ----------
    values
        Baseline vectors, [n, dimension]; those with a coordinate that is not finite are left out.
    frequencies, seed
        See `FourierLayout`.
    bandwidth
        Without one, the median distance of two of the first 500 vectors (Gretton et al., JMLR 13, 2012, section 8).

    Raises
    ------
    ValueError
        If no vector is finite, or the values are not a matrix.

    Examples
    --------
    >>> layout = fourier_layout([[0.0, 0.0], [3.0, 4.0]], frequencies=8, bandwidth=1.0)
    >>> layout.location.tolist(), layout.scale.round(3).tolist()
    ([1.5, 2.0], [1.112, 1.483])
    """
    vectors = finite(values)
    location, scale = middle_and_spread(vectors)
    if bandwidth is None:
        farthest = LARGEST_Q / (1 << FRACTION_BITS)
        some = np.clip((vectors[:SAMPLE] - location) / scale, -farthest, farthest)
        apart = np.empty(len(some) * (len(some) - 1) // 2)
        _distances(some, apart)
        bandwidth = float(np.median(apart)) if len(some) > 1 else 1.0
    return FourierLayout(vectors.shape[1], frequencies, bandwidth or 1.0, seed, location, scale)


@kernel
def _distances(x: Floats, out: Floats) -> None:
    """Write how far each two vectors are apart; the library's product of matrices has other bits on other machines."""
    place = 0
    for i in range(x.shape[0]):
        for j in range(i + 1, x.shape[0]):
            square = 0.0
            for k in range(x.shape[1]):
                square += (x[i, k] - x[j, k]) ** 2
            out[place] = math.sqrt(square)
            place += 1


@kernel
def _add(
    rows: Integers, x: Floats, location: Floats, scale: Floats, matrix: Floats, z: Floats, counts: Integers,
    sums: Integers,
) -> None:  # fmt: skip
    farthest = LARGEST_Q / (1 << FRACTION_BITS)
    one = float(1 << FEATURE_BITS)
    for i in range(rows.size):
        row = rows[i]
        if not counted(row, x[i], counts):
            continue
        for k in range(z.size):
            z[k] = min(max((x[i, k] - location[k]) / scale[k], -farthest), farthest)
        for j in range(matrix.shape[0]):
            phase = 0.0
            for k in range(z.size):
                phase += matrix[j, k] * z[k]
            sums[row, 2 * j] += int(np.rint(math.cos(phase) * one))
            sums[row, 2 * j + 1] += int(np.rint(math.sin(phase) * one))
