"""Wasserstein distance: how far the mass has to be moved on average, in units of the feature."""

from __future__ import annotations

import numpy as np

from detectors.distance.comparison import Comparison, Counts, Floats, Pair, row_sums

# A tenth of a standard deviation: half of what Cohen (1988) calls a small difference of means.
default_min_effect = 0.1


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute ``integral(|F - G|)``, each cell's mass being at its position (Vallender, Theory Prob. Appl. 18, 1974).

    There is no p-value: the distribution of the distance under no change depends on the feature's own distribution.
    The effect is the distance in standard deviations of the baseline; where those are zero it is 0 or infinite.

    See `detectors.distance.comparison.Distance` for the parameters. Positions may be anything in columns that are
    zero on both sides.

    Raises
    ------
    ValueError
        If positions do not fit, or are not ascending and finite where counts are.

    Examples
    --------
    >>> result = distance([[5, 5, 0]], [[0, 5, 5]], np.array([0.0, 1.0, 3.0]))
    >>> result.statistic.tolist(), result.effect.tolist()
    ([1.5], [3.0])
    """
    pair = Pair.of(reference, current)
    places = pair.places(positions)
    p, q = pair.shares()
    gap = np.abs(np.cumsum(p - q, axis=1))[:, :-1]
    moved = pair.blank(row_sums(gap * np.diff(places, axis=1)))
    sd = _standard_deviation(p, places)
    effect = np.where(moved > 0, np.inf, 0.0)
    np.divide(moved, sd, out=effect, where=sd > 0)
    return Comparison(moved, np.full(moved.shape, np.nan), pair.blank(effect))


def _standard_deviation(shares: Floats, places: Floats) -> Floats:
    mean = row_sums(shares * places)[:, None]
    return np.asarray(np.sqrt(row_sums(shares * (places - mean) ** 2)))
