"""Which share of all events it is of which hours say something on average: counted, however few events an hour has.

What is learned of a share is a mean of arc sines, 2 asin √((x + 3/8) / (n + 3/4)), one of each hour. Of few events that
is nearer to a half than the arc sine of the share is: of three events an hour of which three in four are counted it
says 71 %. Here the mean is known for each share and each number of events, which is a Poisson one, and looked up.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from detectors.change.residuals import share_for

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
    is_learned = (events > 0) & ~np.isnan(angles)
    few = is_learned & (events < MOST_EVENTS)
    many = is_learned & ~few
    shares = np.full(angles.shape, np.nan)
    shares[many] = [share_for(angle, n) for angle, n in zip(angles[many].tolist(), events[many].tolist(), strict=True)]
    if few.any():
        means, grid, angles_of = _table()
        at = np.interp(np.log(np.maximum(events[few], FEWEST_EVENTS)), np.log(means), np.arange(len(means)))
        low = np.minimum(at.astype(np.int64), len(means) - 2)
        part, of_few = at - low, angles[few]
        of_angles = np.empty(len(of_few))
        for i in np.unique(low).tolist():
            chosen = low == i
            ends = [np.interp(of_few[chosen], angles_of[j], grid) for j in (i, i + 1)]
            of_angles[chosen] = ends[0] + part[chosen] * (ends[1] - ends[0])
        shares[few] = of_angles
    return np.asarray(shares)


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
