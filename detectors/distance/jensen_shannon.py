"""Jensen–Shannon distance: how well the two sides can be told apart from their cells, between 0 and 1."""

from __future__ import annotations

import math

import numpy as np

from detectors.distance.comparison import Comparison, Counts, Floats, Pair, relative_entropy
from detectors.distance.tail import chi2_sf

# For small changes the square is PSI / (8 log 2), so that 0.13 matches PSI's 0.1; 0.1 is the round number that other
# monitoring tools start from.
default_min_effect = 0.1


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute the square root of the Jensen–Shannon divergence in bits (Endres and Schindelin, IEEE IT 49, 2003).

    Unlike PSI it is bounded, and an empty cell needs no correction. For small changes the divergence in nats is an
    eighth of ``sum((p - q)**2 / p)``, which sampling makes ``(1/n + 1/m)`` times a chi-squared variable with one
    degree of freedom less than occupied cells; that is where the p-value comes from. The effect is the distance.

    See `detectors.distance.comparison.Distance` for the parameters.

    Examples
    --------
    >>> distance([[10, 0]], [[0, 10]]).statistic.tolist()
    [1.0]
    """
    pair = Pair.of(reference, current)
    p, q = pair.shares()
    middle = (p + q) / 2
    nats = np.maximum((relative_entropy(p, middle) + relative_entropy(q, middle)) / 2, 0.0)
    root = pair.blank(np.minimum(np.sqrt(nats / math.log(2)), 1.0))
    p_value = chi2_sf(pair.blank(8 * nats / pair.sampling_variance()), pair.occupied.sum(axis=1) - 1)
    return Comparison(root, p_value, root)
