"""Which kinds of signals some values are of: those that detectors may be unsuited for."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["kinds_of"]

Floats = NDArray[np.float64]

FEWEST = 200
"""Values, below which nothing is said."""

FEW = 0.015
"""Of ones among zeros: what is meant to be 1 % may be somewhat more."""

ALIKE = 0.9
"""A share of equal values from which on they are sparse."""

FAR, OFTEN = 15.0, 0.001
"""Standard deviations of the middle of the distribution, and the share of values beyond them, of heavy tails."""

FOLLOWS, BURSTS = 0.2, 0.05
"""Correlations of neighbours, and of the sizes of neighbouring deviations, that matter."""

CERTAIN = 5.0
"""Standard errors."""


def kinds_of(values: Floats) -> dict[str, str]:
    """Return the kinds of signals, of :data:`detectors.contract.SIGNALS`, that values are of, and what shows it.

    Parameters
    ----------
    values : float64 array [n]
        In the order in which they came; what is not finite is left out. Fewer than 200 say nothing.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> kinds_of(np.arange(2_000) % 250 == 0)
    {'few errors': '0.4 % are 1'}
    >>> rng = np.random.default_rng(1)
    >>> kinds_of(rng.normal(size=2_000))
    {}
    >>> kinds_of(np.cumsum(rng.normal(size=2_000)))
    {'neighbours': 'neighbours correlate by 0.99'}
    """
    x = np.asarray(values, dtype=np.float64)
    x = x[np.isfinite(x)]
    if len(x) < FEWEST:
        return {}
    distinct, counts = np.unique(x, return_counts=True)
    kinds = {}
    if np.isin(distinct, (0.0, 1.0)).all():
        if 0 < x.mean() <= FEW:
            kinds["few errors"] = f"{100 * x.mean():.2g} % are 1"
    elif seen := _heavy_tails(x, float(counts.max()) / len(x)):
        kinds["heavy tails"] = seen
    # Ranks: one wild value must not hide what the others have in common.
    follows = _correlation(_ranked(x))
    if follows > max(FOLLOWS, CERTAIN / math.sqrt(len(x))):
        kinds["neighbours"] = f"neighbours correlate by {follows:.2f}"
    elif (bursts := _correlation(_ranked(np.abs(x - np.median(x))))) > max(BURSTS, CERTAIN / math.sqrt(len(x))):
        kinds["bursts"] = f"sizes of neighbouring deviations correlate by {bursts:.2f}"
    return kinds


def _heavy_tails(x: Floats, alike: float) -> str:
    if ALIKE <= alike < 1:
        return f"{100 * alike:.3g} % are one value"
    lower, median, upper = np.quantile(x, (0.159, 0.5, 0.841))
    beyond = float((np.abs(x - median) > FAR * (upper - lower) / 2).mean())
    return (
        f"{100 * beyond:.2g} % are further than {FAR:g} sd from the others" if upper > lower and beyond > OFTEN else ""
    )


def _ranked(x: Floats) -> Floats:
    distinct, ranks = np.unique(x, return_inverse=True)
    return np.asarray(ranks / len(distinct))


def _correlation(x: Floats) -> float:
    deviations = x - x.mean()
    variance = float(deviations @ deviations)
    return float(deviations[1:] @ deviations[:-1]) / variance if variance > 0 else 0.0
