"""Random Fourier features: sums from which the maximum mean discrepancy of two windows follows.

A Gaussian kernel is the mean, over random frequencies w, of ``cos(w · (x - y))`` (Rahimi and Recht, NIPS 2007): of
products of cosines and of sines of each side. Their means over a window are all that its mean distance from another
window takes, and sums of them add up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
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

AT_ONCE = 8
"""Vectors whose phases are worked out together."""

# Quarters of a turn in each unit, and a quarter of a turn in three parts: the first two have so few bits that a million
# of them have no more than a double holds.
PER_QUARTER = float.fromhex("0x1.45f306dc9c883p-1")
QUARTER_1, QUARTER_2 = float.fromhex("0x1.921fb544p+0"), float.fromhex("0x1.0b4611a6p-34")
QUARTER_3 = float.fromhex("0x1.3198a2e037073p-69")

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
    concentration
        ``sum(e**2) / sum(e)**2``, e being the eigenvalues of the features' covariance: 1 if a single direction has all
        of the variance, or if that is not known.

    Raises
    ------
    ValueError
        If a number is not positive or not finite.

    Examples
    --------
    >>> layout = FourierLayout(3, frequencies=4, bandwidth=2.0, seed=1, location=0.0, scale=1.0)
    >>> layout.size, layout.matrix.shape
    (8, (4, 3))
    """

    dimension: int
    frequencies: int
    bandwidth: float
    seed: int
    location: Floats | float
    scale: Floats | float
    concentration: float = 1.0

    def __post_init__(self) -> None:
        location, scale = scaling(self.dimension, self.location, self.scale)
        object.__setattr__(self, "location", location)
        object.__setattr__(self, "scale", scale)
        if self.frequencies < 1 or not (math.isfinite(self.bandwidth) and self.bandwidth > 0):
            raise ValueError(f"{self.frequencies} frequencies of bandwidth {self.bandwidth}: both must be positive")
        if not 0 < self.concentration <= 1:
            raise ValueError(f"a concentration is above 0 and at most 1, not {self.concentration}")
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

    @cached_property
    def _columns(self) -> Floats:
        return np.ascontiguousarray(self.matrix.T)

    def add(self, rows: Integers, x: Floats, counts: Integers, sums: Integers) -> None:
        """See `detectors.sketch.vector.VectorLayout`."""
        location, scale = scaling(self.dimension, self.location, self.scale)
        _add(rows, x, location, scale, self._columns, counts, sums)

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
            "concentration": self.concentration,
        }

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
    """Derive a layout from a baseline: the scale of each coordinate, the bandwidth, and the concentration.

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
        sample = np.clip((vectors[:SAMPLE] - location) / scale, -farthest, farthest)
        apart = np.empty(len(sample) * (len(sample) - 1) // 2)
        _distances(sample, apart)
        bandwidth = float(np.median(apart)) if len(sample) > 1 else 1.0
    layout = FourierLayout(vectors.shape[1], frequencies, bandwidth or 1.0, seed, location, scale)
    return replace(layout, concentration=_concentration(layout, vectors[:SAMPLE]))


def _concentration(layout: FourierLayout, vectors: Floats) -> float:
    """Return that of some vectors, which is larger than that of all of them by about one over how many they are.

    It is rounded up to thousandths: products of matrices have other last bits on other machines, and layouts must not.
    """
    farthest = LARGEST_Q / (1 << FRACTION_BITS)
    phases = np.clip((vectors - layout.location) / layout.scale, -farthest, farthest) @ layout.matrix.T
    features = np.concatenate((np.cos(phases), np.sin(phases)), axis=1)
    features -= features.mean(axis=0)
    products = features @ features.T
    total = float(np.trace(products))
    if total <= 1e-9 * len(vectors) * layout.frequencies:
        return 1.0
    return min(math.ceil(1000 * float((products**2).sum()) / total**2) / 1000, 1.0)


@kernel
def _distances(x: Floats, out: Floats) -> None:
    """Write how far each two vectors are apart; the library's product of matrices has other bits on other machines."""
    index = 0
    for i in range(x.shape[0]):
        for j in range(i + 1, x.shape[0]):
            square = 0.0
            for k in range(x.shape[1]):
                square += (x[i, k] - x[j, k]) ** 2
            out[index] = math.sqrt(square)
            index += 1


@kernel
def _add(
    rows: Integers, x: Floats, location: Floats, scale: Floats, columns: Floats, counts: Integers, sums: Integers,
) -> None:  # fmt: skip
    """Add vectors up; ``columns`` is float64[dimension, frequencies].

    Some vectors are taken at a time, so that the frequencies need not be fetched anew for each. Cosines and sines are
    added up as whole numbers, which floating point adds exactly: the order makes no difference.
    """
    farthest = LARGEST_Q / (1 << FRACTION_BITS)
    dimension, frequencies = columns.shape
    phases = np.empty((AT_ONCE, frequencies))
    taken = np.empty(AT_ONCE, dtype=np.int64)
    cosines = np.zeros(frequencies)
    sines = np.zeros(frequencies)
    i = 0
    while i < rows.size:
        chunk_rows = 0
        while i < rows.size and chunk_rows < AT_ONCE:
            if counted(rows[i], x[i], counts):
                taken[chunk_rows] = i
                chunk_rows += 1
            i += 1
        phases[:chunk_rows] = 0.0
        for k in range(dimension):
            for s in range(chunk_rows):
                z = min(max((x[taken[s], k] - location[k]) / scale[k], -farthest), farthest)
                for j in range(frequencies):
                    phases[s, j] += columns[k, j] * z
        for s in range(chunk_rows):
            _add_waves(phases[s], cosines, sines)
            row = rows[taken[s]]
            if s + 1 == chunk_rows or rows[taken[s + 1]] != row:
                for j in range(frequencies):
                    sums[row, 2 * j] += int(cosines[j])
                    sums[row, 2 * j + 1] += int(sines[j])
                cosines[:] = 0.0
                sines[:] = 0.0


@kernel
def _add_waves(phases: Floats, cosines: Floats, sines: Floats) -> None:
    """Add cosines and sines of phases below a million, as whole numbers of 2**-24.

    The library's own are taken one by one, and have other bits on other machines. These have the bits of IEEE
    arithmetic: the phase is brought to within an eighth of a turn of 0, exactly for as many quarter turns (Cody and
    Waite, 1980), where Taylor's series need few terms.
    """
    unit = float(1 << FEATURE_BITS)
    for j in range(phases.size):
        quarters = np.rint(phases[j] * PER_QUARTER)
        r = ((phases[j] - quarters * QUARTER_1) - quarters * QUARTER_2) - quarters * QUARTER_3
        q = r * r
        # Taylor's series, the last terms first.
        sine = 1 / 362880 + q * (-1 / 39916800 + q * (1 / 6227020800 - q / 1307674368000))
        sine = r + r * q * (-1 / 6 + q * (1 / 120 + q * (-1 / 5040 + q * sine)))
        cosine = -1 / 3628800 + q * (1 / 479001600 + q * (-1 / 87178291200 + q / 20922789888000))
        cosine = 1 - q / 2 + q * q * (1 / 24 + q * (-1 / 720 + q * (1 / 40320 + q * cosine)))
        turn = quarters / 4 - np.floor(quarters / 4)
        odd = abs(turn - 0.5) == 0.25
        cosines[j] += np.rint((sine if odd else cosine) * (-unit if 0.25 <= turn <= 0.5 else unit))
        sines[j] += np.rint((cosine if odd else sine) * (-unit if turn >= 0.5 else unit))
