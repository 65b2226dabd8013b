"""From a contrast to its residual: how far it is from what was expected, and the variance that sampling gives it.

Shares and numbers of events are compared by the normal score of Peizer and Pratt (1968, J. Am. Stat. Ass. 63), at the
middle of each count: its tails are right at five expected events, where those of the arc sine are not. Divided by √n
it is in the units in which expectations are learned, 2 asin √share and the logarithm of a number.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.change.legend import KIND, RATE, SCORE, UNIT_SEEN, UNIT_SUM
from detectors.kernel import inlined

Floats = npt.NDArray[np.float64]

SMALLEST_UNIT = 0.05
"""Least variance that one value contributes: a constant has none, until it is no longer one."""

SMALLEST_SHARE = 1e-4
"""Least share that is expected of what never happened: once in ten thousand events."""

FEWEST_EXPECTED = 0.1
"""Least number of events, with and without what is counted, that is expected of a window."""


@inlined
def to_residual(row: Floats, value: float, events: float, expected: float) -> tuple[float, float]:
    """Return the residual of a contrast, and its variance by sampling.

    Parameters
    ----------
    row
        float64[ROW]
    value
        A mean of scores, or a number of events.
    events
        Out of which: values that were scored, or events that were counted. Of a volume, anything.
    expected
        In the units of expectations.
    """
    if row[KIND] == SCORE:
        return value - expected, max(row[UNIT_SUM] / max(row[UNIT_SEEN], 1.0), SMALLEST_UNIT) / events
    if row[KIND] == RATE:
        angle = min(max(expected, 0.02), 3.12)
        sine = math.sin(0.5 * angle)
        share = sine * sine - 0.125 / events
        # The score is made for counts: where next to none is expected, none would be as strange as many.
        least = min(max(SMALLEST_SHARE, FEWEST_EXPECTED / events), 0.5)
        share = min(max(share, least), 1 - least)
        return _binomial_score(value, events, share) / np.sqrt(events), 1 / events
    mean = max(math.exp(expected) - 0.5, 0.05)
    return _poisson_score(value, mean) / np.sqrt(mean), 1 / mean


@inlined
def to_expectation(kind: float, value: float, events: float, windows: float) -> float:
    """Return what an hour's sums amount to in the units of expectations.

    Parameters
    ----------
    kind
    value, events
        Sums of what `to_residual` takes; of scores, the sum of value times events.
    windows
        How many of them.
    """
    if kind == SCORE:
        return value / events
    if kind == RATE:
        return float(2 * math.asin(math.sqrt(min((value + 0.375) / (events + 0.75), 1.0))))
    return float(math.log(value / windows + 0.5))


@inlined
def _binomial_score(count: float, events: float, share: float) -> float:
    rest = 1 - share
    distance = count - events * share + (rest - share) / 6
    bent = 1 + rest * _bend(count / (events * share)) + share * _bend((events - count) / (events * rest))
    return float(distance * np.sqrt(max(bent, 0.0) / ((events + 1 / 6) * share * rest)))


@inlined
def _poisson_score(count: float, mean: float) -> float:
    return float((count - mean + 1 / 6) * np.sqrt(max(1 + _bend(count / mean), 0.0) / mean))


@inlined
def _bend(ratio: float) -> float:
    """Return Peizer and Pratt's g: (1 − t² + 2 t ln t)/(1 − t)²."""
    t = max(ratio, 1e-12)
    if abs(t - 1) < 1e-4:
        return (1 - t) / 3
    return float((1 - t * t + 2 * t * math.log(t)) / ((1 - t) * (1 - t)))
