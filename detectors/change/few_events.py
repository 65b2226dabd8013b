"""Which share a mean of arc sines stands for, where hours have few events.

What is learned of a share is a mean of arc sines, 2 asin √((x + 3/8) / (n + 3/4)), one of each hour. Of a single event
it is no more than a weighed mean of two of them, 0.96 and 2.18: a share of 35 % looks like one of 40 %, and one of 2 %
like 22 %. With numbers of events that are Poisson, the mean is known for each share, and looked up.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.kernel import inlined

__all__ = ["FEW", "few_share_of"]

Floats = npt.NDArray[np.float64]

FEW = 10.0
"""Events an hour below which they are few."""

SHARES = np.array([0.0, 0.003, 0.006, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5])
"""Those of which the mean is known; of the others by symmetry."""

FEWEST, STEPS = 0.05, 16
"""Events an hour from which on it is known, and for how many numbers of events, up to `FEW`."""

MOST = 40
"""The most events that an hour has where `FEW` are usual."""


def _means() -> Floats:
    """Return the means, [events, shares], with six digits: the same on every processor."""
    of_number = np.zeros((MOST, SHARES.size))
    for n in range(1, MOST + 1):
        counts = np.arange(n + 1)
        ways = np.array([math.comb(n, count) for count in counts.tolist()], dtype=np.float64)
        chances = ways * SHARES[:, None] ** counts * (1 - SHARES[:, None]) ** (n - counts)
        of_number[n - 1] = chances @ (2 * np.arcsin(np.sqrt((counts + 0.375) / (n + 0.75))))
    numbers = np.arange(1, MOST + 1)
    factorials = np.array([math.factorial(n) for n in numbers.tolist()], dtype=np.float64)
    weights = np.geomspace(FEWEST, FEW, STEPS)[:, None] ** numbers / factorials
    return np.asarray(np.round(weights @ of_number / weights.sum(axis=1, keepdims=True), 6))


MEANS = _means()

STEP = math.log(FEW / FEWEST) / (STEPS - 1)


@inlined
def few_share_of(expected: float, learned: float) -> float:
    """Return the share of events of which a mean of arc sines is expected that was learned of few of them an hour."""
    at = min(max(math.log(max(learned, FEWEST) / FEWEST) / STEP, 0.0), STEPS - 1.000001)
    low = int(at)
    part = at - low
    rare = min(expected, math.pi - expected)
    below, share = 0.0, 0.5
    for i in range(SHARES.size):
        mean = MEANS[low, i] + part * (MEANS[low + 1, i] - MEANS[low, i])
        if mean >= rare:
            share = SHARES[i] if i == 0 else SHARES[i] - (SHARES[i] - SHARES[i - 1]) * (mean - rare) / (mean - below)
            break
        below = mean
    return share if expected <= math.pi / 2 else 1 - share
