"""Kolmogorov–Smirnov distance: the largest difference between the two cumulative shares."""

from __future__ import annotations

import numpy as np

from detectors.distance.comparison import Comparison, Counts, Floats, Pair
from detectors.distance.tail import kolmogorov_sf

# A tenth of the traffic on the other side of some value; for normal data a shift of a quarter of a standard deviation.
default_min_effect = 0.1


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute ``max(|F - G|)`` over the upper ends of cells, which must be in ascending order.

    Within a cell the two may differ by more than at its ends, so that the distance of the binned samples is a lower
    bound of that of the samples. The p-value is that of Kolmogorov's limit at ``sqrt(n * m / (n + m)) * D`` (Smirnov,
    Ann. Math. Stat. 19, 1948), which is conservative both for few observations and for ties. The effect is the
    distance.

    See `detectors.distance.comparison.Distance` for the parameters.

    Examples
    --------
    >>> distance([[5, 5, 0]], [[0, 5, 5]]).statistic.tolist()
    [0.5]
    """
    pair = Pair.of(reference, current)
    largest = pair.blank(np.abs(pair.gaps()).max(axis=1, initial=0.0))
    return Comparison(largest, kolmogorov_sf(largest / np.sqrt(pair.sampling_variance())), largest)
