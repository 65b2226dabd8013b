"""Which share of all events it is of which hours say something on average: counted, however few events an hour has.

What is learned of a share is a mean of arc sines, 2 asin √((x + 3/8) / (n + 3/4)), one of each hour. Of few events that
is nearer to a half than the arc sine of the share is: of three events an hour of which three in four are counted it
says 71 %. Here the mean is known for each share and each number of events, which is a Poisson one, and looked up.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

from detectors.change.residuals import share_for
from detectors.kernel import inlined, kernel

__all__ = ["counted_shares"]

Floats = npt.NDArray[np.float64]

MOST_EVENTS = 120.0
"""Events an hour from which on an arc sine is as good as that of the share, but for 3/8 of an event."""

FEWEST_EVENTS = 0.05

MEANS, SHARES = 48, 60
"""Numbers of events, and shares up to a half, for which means are known."""

MOST = 200
"""The most events that an hour has whose mean is not above the largest."""


def counted_shares(expected: npt.ArrayLike, learned: npt.ArrayLike) -> Floats:
    """Return the shares of events of which something is expected; NaN where it is not known of how many.

    Parameters
    ----------
    expected : float64 array
        In the units of expectations.
    learned : float64 array of the same shape
        Of how many events an hour it was learned.

    Examples
    --------
    >>> counted_shares([2.004, 0.651], [3.0, 60.0]).round(2).tolist()
    [0.75, 0.1]
    """
    angles, events = np.asarray(expected, dtype=np.float64), np.asarray(learned, dtype=np.float64)
    shares = np.empty(angles.size)
    _write_shares(np.ravel(angles), np.ravel(events), *_table(), shares)
    return shares.reshape(angles.shape)


@kernel
def _write_shares(
    angles: Floats, events: Floats, means: Floats, rare_and_not: Floats, angles_of: Floats, shares: Floats
) -> None:  # fmt: skip
    """Write the shares of all angles: of many events their own, of few that which is found in the table."""
    step = math.log(means[1] / means[0])
    for i in range(angles.size):
        if not events[i] > 0 or np.isnan(angles[i]):
            shares[i] = np.nan
        elif events[i] >= MOST_EVENTS:
            shares[i] = share_for(angles[i], events[i])
        else:
            at = math.log(max(events[i], FEWEST_EVENTS) / FEWEST_EVENTS) / step
            low = min(int(at), means.size - 2)
            lower = _between(angles[i], angles_of[low], rare_and_not)
            shares[i] = lower + (at - low) * (_between(angles[i], angles_of[low + 1], rare_and_not) - lower)


@inlined
def _between(angle: float, angles: Floats, shares: Floats) -> float:
    """Return the share on the line between those whose angles lie about this one."""
    if angle <= angles[0]:
        return float(shares[0])
    if angle >= angles[-1]:
        return float(shares[-1])
    i = int(np.searchsorted(angles, angle))
    part = (angle - angles[i - 1]) / (angles[i] - angles[i - 1])
    return float(shares[i - 1] + part * (shares[i] - shares[i - 1]))


@cache
def _table() -> tuple[Floats, Floats, Floats]:
    """Return numbers of events, shares, and what the mean of the arc sines of hours is, [events, shares]."""
    rare = np.concatenate(([0.0], np.geomspace(1e-5, 0.5, SHARES)))
    shares = np.concatenate((rare, 1 - rare[-2::-1]))
    log_factorials = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, MOST + 1)))))
    of_number = np.zeros((MOST, len(shares)))
    inner = shares[1:-1]
    for n in range(1, MOST + 1):
        counts = np.arange(n + 1)
        angles = 2 * np.arcsin(np.sqrt((counts + 0.375) / (n + 0.75)))
        ways = log_factorials[n] - log_factorials[counts] - log_factorials[n - counts]
        logs = ways + np.log(inner)[:, None] * counts + np.log1p(-inner)[:, None] * (n - counts)
        of_number[n - 1] = [angles[0], *(np.exp(logs) @ angles), angles[-1]]
    means = np.geomspace(FEWEST_EVENTS, MOST_EVENTS, MEANS)
    numbers = np.arange(1, MOST + 1)
    logs = numbers * np.log(means)[:, None] - log_factorials[1:]
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return means, shares, weights @ of_number / weights.sum(axis=1, keepdims=True)
