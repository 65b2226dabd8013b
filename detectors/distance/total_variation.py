"""Total variation: the share of the observations that would have to change their cell."""

from __future__ import annotations

from detectors.distance.contract import CHI2, EFFECT, GROUPED, P_DF, P_X, STATISTIC, Distance, Floats, Integers
from detectors.distance.counts import sizes
from detectors.kernel import inlined


@inlined
def total_variation(reference: Integers, current: Integers, answer: Floats) -> None:
    """Compute ``sum(|p - q|) / 2``, the largest difference of the probability of any set of cells.

    Its distribution has no closed form, but Cauchy and Schwarz give ``(sum |p - q|)**2 <= sum((p - q)**2 / s)`` for
    pooled shares s: four squared distances are no larger than Pearson's chi-squared times ``1/n + 1/m``. The p-value
    is the tail of that, an upper bound: exact for two equal cells, and for B equal ones as if about 2/π of the evidence
    were there. The effect is the distance.

    Examples
    --------
    >>> from detectors.distance.compare import compare
    >>> result = compare("total_variation", [[50, 50]], [[80, 20]])
    >>> result.statistic.round(3).tolist(), result.p_value.round(6).tolist()
    ([0.3], [2.2e-05])
    """
    n, m, cells = sizes(reference, current)
    moved = 0.0
    for g in range(reference.size):
        moved += abs(reference[g] / n - current[g] / m) / 2
    moved = min(moved, 1.0)
    answer[STATISTIC] = moved
    answer[EFFECT] = moved
    answer[P_X] = 4 * moved * moved / (1 / n + 1 / m)
    answer[P_DF] = cells - 1


TOTAL_VARIATION = Distance(
    "total_variation",
    "Share of the events that is in another cell.",
    total_variation,
    reads=GROUPED,
    p_value=CHI2,
    # A tenth of the traffic is elsewhere, as for KS, which is never larger.
    default_min_effect=0.1,
    largest_effect=1.0,
)
