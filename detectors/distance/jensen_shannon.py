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
    degree of freedom less than occupied cells. That is where the p-value comes from, after half an observation was
    added to each occupied cell on both sides: without it, it is far too small for small windows. The effect is the
    distance.

    See `detectors.distance.comparison.Distance` for the parameters.

    Examples
    --------
    >>> distance([[10, 0]], [[0, 10]]).statistic.tolist()
    [1.0]
    """
    pair = Pair.of(reference, current)
    p, q = pair.shares()
    root = pair.blank(np.minimum(np.sqrt(divergence(p, q) / math.log(2)), 1.0))
    p, q, cells = pair.smoothed_shares()
    return Comparison(root, chi2_sf(pair.blank(8 * divergence(p, q)) / pair.sampling_variance(), cells - 1), root)


def divergence(p: Floats, q: Floats) -> Floats:
    """Return the Jensen–Shannon divergence [series] of shares, in nats.

    Examples
    --------
    >>> divergence(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])).round(4).tolist()
    [0.6931]
    """
    middle = (p + q) / 2
    return np.maximum((relative_entropy(p, middle) + relative_entropy(q, middle)) / 2, 0.0)
