"""Population accuracy index: how much less sure a model is of the window than of its baseline."""

from __future__ import annotations

import numpy as np

from detectors.distance.comparison import Comparison, Counts, Floats, Pair

# The upper of the customary limits, 1.1 (some deterioration) and 1.5 (large): Taplin and Hunt, 2019. It takes a mean
# that moves by a standard deviation, or a spread that grows by 1.4; heavy tails reach the lower one by chance.
default_min_effect = 0.5


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute ``(1 + mean((z - mean(x))**2) / var(x)) / 2``, x being the baseline and z the window.

    It is the mean variance of the predictions of a linear regression on this feature, fitted on the baseline, over the
    window's values as a ratio to that over the baseline's own (Taplin and Hunt, "The Population Accuracy Index: A New
    Measure of Population Stability for Model Monitoring", Risks 7, 2019, for one numeric variable): 1 if nothing
    changed, above it if values moved away from where the model was fitted. A window closer to the baseline's mean has
    less than 1, which is no reason for an alarm: the effect is what is above 1, and infinite where a constant moves.

    There is no p-value: how much the index varies depends on the fourth moment of the feature.

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
    ([7.0], [6.0])
    """
    pair = Pair.of(reference, current)
    places = pair.places(positions)
    p, q = pair.shares()
    away = (places - (p * places).sum(axis=1, keepdims=True)) ** 2
    variance, seen = (p * away).sum(axis=1), (q * away).sum(axis=1)
    index = np.where(seen > 0, np.inf, 1.0)
    np.divide(variance + seen, 2 * variance, out=index, where=variance > 0)
    return Comparison(pair.blank(index), np.full(index.shape, np.nan), pair.blank(np.maximum(index - 1, 0.0)))
