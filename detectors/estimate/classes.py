"""From the scores of several classes to their probabilities: isotonic regression of each class against the others.

One calibration a class, and what they say is divided by its sum (Zadrozny and Elkan, "Transforming classifier scores
into accurate multiclass probability estimates", KDD 2002). That of the predicted class is how probable it is that the
prediction is right; the mean of it estimates accuracy (Guo, Pleiss, Sun and Weinberger, "On calibration of modern
neural networks", ICML 2017; compared with other ways by Garg et al., "Leveraging unlabeled data to predict
out-of-distribution performance", ICLR 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.estimate.calibration import Calibration, calibrate

__all__ = ["ClassCalibration", "calibrate_classes"]

Floats = NDArray[np.float64]

BLOCKS = 5

AS_IT_IS = Calibration(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
"""Says the same as the score."""


@dataclass(frozen=True, eq=False)
class ClassCalibration:
    """A calibration for each class.

    Attributes
    ----------
    of_classes : sequence of Calibration
        At least two, in the order of the columns of scores.

    Examples
    --------
    >>> half = Calibration(np.array([0.0, 1.0]), np.array([0.0, 0.5]))
    >>> same = Calibration(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    >>> two = ClassCalibration([half, same])
    >>> two.probabilities([[0.5, 0.75]]).tolist()
    [[0.25, 0.75]]
    >>> two.confidence([[0.5, 0.75], [0.5, 0.75], [0.5, 2.0]], [0, 1, 1]).tolist()
    [0.25, 0.75, nan]
    """

    of_classes: Sequence[Calibration]

    def probabilities(self, scores: ArrayLike) -> Floats:
        """Return how probable each class is: all alike where every calibration says 0.

        Parameters
        ----------
        scores : array_like [n, classes]

        Returns
        -------
        float64 array [n, classes]
            Rows whose sum is 1; NaN where a score of the row is none.

        Raises
        ------
        ValueError
            If there are not as many scores as classes.
        """
        x = np.asarray(scores, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != len(self.of_classes):
            raise ValueError(f"an event has {len(self.of_classes)} scores, and these are of shape {x.shape}")
        columns = [each.probability(column) for each, column in zip(self.of_classes, x.T, strict=True)]
        # Column after column, since numpy may add up a row in an order that depends on how many rows there are.
        total = np.zeros(len(x))
        for column in columns:
            total += column
        is_nothing = total == 0.0
        shares = np.stack(columns, axis=1) / np.where(is_nothing, 1.0, total)[:, None]
        return np.where(is_nothing[:, None], 1.0 / len(columns), shares)

    def confidence(self, scores: ArrayLike, predicted: ArrayLike) -> Floats:
        """Return how probable the predicted class is.

        Parameters
        ----------
        scores : array_like [n, classes]
            Probabilities, as the model says.
        predicted : array_like [n]
            The column of the predicted class; NaN where it is none of them.

        Returns
        -------
        float64 array [n]
            NaN without a predicted class, or where one of the scores is missing or no probability.
        """
        x, columns = np.asarray(scores, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
        is_known = np.isfinite(columns) & ((x >= 0) & (x <= 1)).all(axis=1)
        chosen = np.where(is_known, columns, 0.0).astype(np.int64)
        confidence = np.take_along_axis(self.probabilities(x), chosen[:, None], axis=1)[:, 0]
        return np.where(is_known, confidence, np.nan)


def calibrate_classes(scores: ArrayLike, truth: ArrayLike) -> ClassCalibration:
    """Fit a calibration for each class on what turned out to be true.

    A class keeps its scores as they are unless calibrated ones are nearer to the truth, by mean squared error, in
    blocks of consecutive events that they were not fitted on: isotonic regression of few events, or of a class that is
    all but certain, says 0 and 1 too often.

    Parameters
    ----------
    scores : array_like [n, classes]
        From 0 to 1, in the order in which events came.
    truth : array_like [n]
        The column of the true class.

    Raises
    ------
    ValueError
        If there are none, or one is no number.

    Examples
    --------
    >>> fitted = calibrate_classes([[0.75, 0.25], [0.25, 0.75]] * 20, [0, 1, 1, 1] * 10)
    >>> fitted.probabilities([[0.75, 0.25], [0.25, 0.75]]).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    x, columns = np.asarray(scores, dtype=np.float64), np.asarray(truth)
    pairs = [(column, (columns == number).astype(np.float64)) for number, column in enumerate(x.T)]
    return ClassCalibration([calibrate(*pair) if _is_nearer(*pair) else AS_IT_IS for pair in pairs])


def _is_nearer(scores: Floats, outcomes: Floats) -> bool:
    """Whether scores are nearer to outcomes if they are calibrated, by events that were not calibrated on."""
    events = np.arange(len(scores))
    errors = 0.0
    for block in np.array_split(events, BLOCKS):
        others = np.delete(events, block)
        calibrated = calibrate(scores[others], outcomes[others]).probability(scores[block])
        errors += float(((calibrated - outcomes[block]) ** 2).sum())
    return errors < float(((scores - outcomes) ** 2).sum())
