"""Kullback–Leibler divergence of the window from its baseline."""

from __future__ import annotations

from detectors.distance.comparison import Comparison, Counts, Floats, Pair, relative_entropy
from detectors.distance.tail import chi2_sf

# PSI is the sum of the divergences of both directions: half of its limit.
default_min_effect = 0.05


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute ``sum(q * log(q / p))`` in nats, q being the window: KL(window ‖ baseline).

    It is what an observation of the window costs in addition if it is coded as if it came from the baseline (Kullback
    and Leibler, Ann. Math. Stat. 22, 1951). Values that are new weigh heavily and values that vanish hardly at all;
    `psi` adds the other direction.

    Half an observation is added to each occupied cell on both sides, as for PSI, so that an empty cell of the baseline
    counts by how surprising its emptiness is. For small changes ``2 / (1/n + 1/m)`` times the divergence is
    chi-squared with one degree of freedom less than occupied cells. The effect is the divergence.

    See `detectors.distance.comparison.Distance` for the parameters.

    Examples
    --------
    >>> distance([[899, 99]], [[499, 499]]).statistic.round(3).tolist()
    [0.513]
    """
    pair = Pair.of(reference, current)
    p, q, cells = pair.smoothed_shares()
    divergence = pair.blank(relative_entropy(q, p))
    return Comparison(divergence, chi2_sf(2 * divergence / pair.sampling_variance(), cells - 1), divergence)
