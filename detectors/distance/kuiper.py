"""Kuiper's distance: how far the cumulative shares lie apart in both directions together."""

from __future__ import annotations

from detectors.distance.comparison import Comparison, Counts, Floats, Pair
from detectors.distance.limits import kuiper_sf

# That of KS, which is the larger of the two parts.
default_min_effect = 0.1


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute ``max(F - G) + max(G - F)`` (Kuiper, Proc. Kon. Ned. Akad. Wet. A 63, 1960).

    Unlike KS it is as sensitive to a change of spread as to a shift, and it does not depend on where a circle (hours
    of the day, angles) is cut open. The p-value is that of the limit at ``sqrt(n * m / (n + m)) * V``, which is
    conservative for few observations and for ties. The effect is the distance.

    See `detectors.distance.comparison.Distance` for the parameters.

    Examples
    --------
    >>> distance([[1, 2, 1]], [[2, 0, 2]]).statistic.tolist()
    [0.5]
    """
    pair = Pair.of(reference, current)
    gap = pair.gaps()
    apart = pair.blank(gap.max(axis=1, initial=0.0) - gap.min(axis=1, initial=0.0))
    return Comparison(apart, kuiper_sf(apart / pair.sampling_variance() ** 0.5), apart)
