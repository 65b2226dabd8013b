"""How many days expectations do not see yet, and what residuals grow by since they see ever fewer.

A slow drift must not teach that it is usual. So, once a signal is two weeks old, expectations lag behind, little by
little up to a week. Of days that are AR(1) with ρ, a residual against the mean of w days that ends l days before it has
the variance of a day times

    v(l, w, ρ) = 1 − 2/w Σ ρ^k + 1/w² Σ Σ ρ^|i−j|,    k, i, j from l + 1 to l + w

which grows with l and w: of a slow level fourfold, from the second to the seventh week. What was learned before, with
the weights of `FORGET`, is of smaller ones: it is multiplied by how much v has grown since.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.change.components import FORGET
from detectors.change.legend import (
    BY_DAY,
    BY_WINDOW,
    DAY_STEP,
    LAG_DAYS,
    LEVEL_VARIANCE,
    NOISE,
    REFERENCE_DAYS,
    STEP,
)
from detectors.change.teaching import SETTLED
from detectors.kernel import inlined

__all__ = ["grow", "lag_of"]

Floats = npt.NDArray[np.float64]

AGES = 200
"""Days after which residuals have long been as large as they get."""

CARRIES = np.linspace(0.0, 0.98, 50)
"""Parts of a day's residual that the next one has, for which growth is known."""


@inlined
def lag_of(age: int) -> int:
    """Days that expectations and variances do not see yet: a slow drift must not teach that it is usual."""
    return 0 if age < SETTLED else min(LAG_DAYS, (age - SETTLED) // 2)


def _variances(carry: float) -> Floats:
    """Return the variance of a residual by the age of its signal, for days of variance 1, float64[AGES]."""
    variances = np.ones(AGES)
    for age in range(1, AGES):
        lag = lag_of(age)
        back = lag + 1 + np.arange(min(age - lag, REFERENCE_DAYS))
        variances[age] -= 2 * np.mean(carry**back) - np.mean(carry ** np.abs(back[:, None] - back))
    return variances


def _growth() -> Floats:
    """Return what the variance of a residual is, by what was learned of earlier ones, float64[AGES, CARRIES]."""
    growth = np.ones((AGES, CARRIES.size))
    for c, carry in enumerate(CARRIES):
        variances = _variances(carry)
        for age in range(1, AGES):
            learned = np.arange(1, age - lag_of(age - 1))
            if learned.size:
                weights = FORGET[BY_DAY] ** (age - learned)
                growth[age, c] = variances[age] * weights.sum() / (weights @ variances[learned])
    return np.maximum(growth, 1.0)


GROWTH = _growth()


@inlined
def grow(filters: Floats, carry: float, age: int) -> None:
    """Let what was learned of a row's days grow as its residuals do.

    Parameters
    ----------
    filters
        float64[SCALES, FILTER], with components that were estimated.
    carry
        The part of a day's residual that the next one has.
    age
        Days since the row had its first value.
    """
    growth = GROWTH[min(age, AGES - 1), int(min(carry, CARRIES[-1]) / CARRIES[-1] * (CARRIES.size - 1))]
    filters[BY_DAY, LEVEL_VARIANCE] *= growth
    filters[BY_DAY, NOISE] *= growth
    filters[BY_DAY, STEP] *= growth
    filters[BY_WINDOW, DAY_STEP] *= growth
