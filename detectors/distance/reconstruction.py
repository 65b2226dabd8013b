"""Reconstruction error: how far vectors lie from the plane in which those of the baseline mostly vary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detectors.distance.contract import NO_TEST, Comparison, VectorDistance
from detectors.sketch.moments import MomentsLayout
from detectors.sketch.projected import ProjectedLayout, bounded_moments_layout, plain_bounded_layout
from detectors.sketch.vector import FRACTION_BITS, VectorSummary

Floats = npt.NDArray[np.float64]

EXPLAINED = 0.95
"""Principal components are kept until they have this share of the baseline's variance."""

RESOLUTION = 1 / (1 << FRACTION_BITS)
"""The variance of a coordinate below which the sums tell nothing apart."""


def reconstruction(
    layout: MomentsLayout | ProjectedLayout,
    reference: Sequence[VectorSummary],
    current: Sequence[VectorSummary],
    explained: float = EXPLAINED,
) -> Comparison:
    """Compute the mean squared distance of the window's vectors from the baseline's principal components.

    With the baseline's mean and the components w that are left out it is the sum of ``wᵀ M w``, M being the second
    moment of the window about that mean: sums are enough, and no vector is looked at again (Jackson and Mudholkar,
    Technometrics 21, 1979, have it for one vector as Q). It is in squared scales of the layout.

    There is no p-value: how much it varies depends on the fourth moments. The effect is ``|log(Q / Q0)| / 2``, Q0 being
    the baseline's own: the change of the typical distance, in either direction. Both Q have the resolution of the sums
    added, so that a baseline that lies within a plane has one.

    The baseline's own error is that of the vectors to which its components were fitted, and so a little small: where no
    direction stands out, the effect of an equal window is about ``sqrt(dimension / n)`` of the baseline, 0.04 with 10
    coordinates and 4,000 vectors; where some do, it was 0.003 to 0.03.

    Of long vectors it is the distance of their projections onto random directions from the components of those.

    A change within the plane (along the components that are kept) is not seen; `mmd` sees it.

    Parameters
    ----------
    layout
        That of all summaries.
    reference, current
        One summary of each side for each series.
    explained
        Share of the variance that the components that are kept have, at least; one component is always left out.

    Raises
    ------
    ValueError
        If the numbers of summaries differ, or of sums from the layout's, or `explained` is not within 0 and 1.

    Examples
    --------
    >>> from detectors.sketch.moments import moments_layout
    >>> from detectors.sketch.vector import VectorFold
    >>> rng = np.random.default_rng(0)
    >>> line = rng.normal(size=(1000, 1)) * [1.0, 2.0] + rng.normal(size=(1000, 2)) * 0.1
    >>> fold = VectorFold(moments_layout(line))
    >>> fold.ensure(2)
    >>> fold.fold(np.repeat([0, 1], 1000), np.concatenate((line, line * [1.0, -1.0])))
    >>> result = reconstruction(fold.layout, [fold.peek(0)], [fold.peek(1)])
    >>> bool(result.effect[0] > 2)
    True
    """
    if len(reference) != len(current):
        raise ValueError(f"{len(reference)} summaries cannot be compared with {len(current)}")
    if not 0 <= explained <= 1:
        raise ValueError(f"explained is a share from 0 to 1, not {explained}")
    if any(summary.sums.size != layout.size for summary in (*reference, *current)):
        raise ValueError(f"the summaries are not of a layout of {layout.size} sums")
    pairs = [_errors(layout, a, b, explained) for a, b in zip(reference, current, strict=True)]
    errors = np.array(pairs, dtype=np.float64).reshape(-1, 3)
    floor = RESOLUTION * errors[:, 2]
    effect = np.abs(np.log((errors[:, 1] + floor) / (errors[:, 0] + floor))) / 2
    return Comparison(errors[:, 1], np.full(len(errors), np.nan), effect)


def _errors(
    layout: MomentsLayout | ProjectedLayout, reference: VectorSummary, current: VectorSummary, explained: float
) -> tuple[float, float, int]:
    """Return the error of the baseline and that of the window, and how many components were left out."""
    if reference.n == 0 or current.n == 0:
        return np.nan, np.nan, 1
    mean = layout.mean(reference)
    variances, axes = np.linalg.eigh(layout.second_moment(reference, mean))
    left_out = _left_out(np.maximum(variances, 0.0), explained)
    rest = axes[:, :left_out]
    moment = layout.second_moment(current, mean)
    error = float(np.einsum("ik,ij,jk->", rest, moment, rest))
    return float(np.maximum(variances[:left_out], 0.0).sum()), max(error, 0.0), left_out


def _left_out(variances: Floats, explained: float) -> int:
    """Return how many of the smallest variances, which ascend, are left out; one at least."""
    allowed = (1 - explained) * float(variances.sum())
    return max(int((np.cumsum(variances) <= allowed).sum()), 1)


RECONSTRUCTION = VectorDistance(
    "reconstruction",
    "Distance from the baseline's principal components.",
    reconstruction,
    derive=bounded_moments_layout,
    assume=plain_bounded_layout,
    p_value=NO_TEST,
    # The typical distance from the plane grows or falls by a tenth.
    default_min_effect=0.1,
)
