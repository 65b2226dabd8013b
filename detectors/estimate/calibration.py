"""From a score to a probability: isotonic regression.

The pool-adjacent-violators algorithm (Ayer, Brunk, Ewing, Reid and Silverman, Ann. Math. Statist. 26, 1955) on the
distinct scores, as Zadrozny and Elkan took it to calibrate classifiers ("Transforming classifier scores into accurate
multiclass probability estimates", KDD 2002).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.kernel import kernel

__all__ = ["Calibration", "calibrate"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Calibration:
    """A function that never falls, linear between its knots and constant beyond them.

    Attributes
    ----------
    scores : float64 array [k]
        Ascending.
    probabilities : float64 array [k]
        From 0 to 1, never falling.

    Examples
    --------
    >>> half = Calibration(np.array([0.0, 1.0]), np.array([0.25, 0.75]))
    >>> half.probability([0.5, 2.0]).tolist()
    [0.5, 0.75]
    """

    scores: Floats
    probabilities: Floats

    def probability(self, scores: ArrayLike) -> Floats:
        """Return what scores mean, in the shape of ``scores``: NaN where one is no number."""
        numbers = np.asarray(scores, dtype=np.float64)
        probabilities: Floats = np.interp(numbers, self.scores, self.probabilities)
        return np.where(np.isnan(numbers), np.nan, probabilities)


def calibrate(scores: ArrayLike, outcomes: ArrayLike, weights: ArrayLike | None = None) -> Calibration:
    """Fit probabilities to what came of scores: of all functions that never fall, the nearest by weighted squares.

    Parameters
    ----------
    scores : array_like [n]
        Finite.
    outcomes : array_like [n]
        1 where the event happened, else 0; or any share of it.
    weights : array_like [n], optional
        Above 0; each counts once if absent.

    Returns
    -------
    Calibration
        With the first and the last score of each level as knots.

    Raises
    ------
    ValueError
        If there are none, or of different lengths, or one is no number.

    Examples
    --------
    >>> fitted = calibrate([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    >>> fitted.probability([0.1, 0.35, 0.4, 0.6, 0.8]).tolist()
    [0.0, 0.5, 0.5, 0.75, 1.0]
    """
    x, y = np.asarray(scores, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    w = np.ones(x.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if x.ndim != 1 or not len(x) or x.shape != y.shape or x.shape != w.shape:
        raise ValueError(f"scores, outcomes and weights are arrays of one length, not {x.shape}, {y.shape}, {w.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite(w).all() and (w > 0).all()):
        raise ValueError("scores and outcomes are finite numbers, and weights are above 0")
    distinct, row = np.unique(x, return_inverse=True)
    weight, outcome = (np.bincount(row, sums).astype(np.float64) for sums in (w, w * y))
    levels, firsts = np.empty(len(distinct)), np.empty(len(distinct) + 1, dtype=np.int64)
    count = _pool(outcome / weight, weight, levels, np.empty(len(distinct)), firsts)
    firsts[count] = len(distinct)
    begins, ends = firsts[:count], firsts[1 : count + 1]
    knots = np.unique(np.stack((begins, ends - 1), axis=1).ravel())
    return Calibration(distinct[knots], np.clip(np.repeat(levels[:count], ends - begins)[knots], 0.0, 1.0))


@kernel
def _pool(means: Floats, weights: Floats, levels: Floats, sizes: Floats, firsts: Integers) -> int:
    """Write the levels and where each begins, and return how many there are."""
    count = 0
    for i in range(means.size):
        levels[count], sizes[count], firsts[count] = means[i], weights[i], i
        count += 1
        while count > 1 and levels[count - 2] >= levels[count - 1]:
            size = sizes[count - 2] + sizes[count - 1]
            total = levels[count - 2] * sizes[count - 2] + levels[count - 1] * sizes[count - 1]
            levels[count - 2], sizes[count - 2] = total / size, size
            count -= 1
    return count
