"""How many days expectations do not see yet, and what residuals grow by since they see ever fewer.

A slow drift must not teach that it is usual. So, once a signal is two weeks old, expectations lag behind, little by
little up to a week. Of days that are AR(1) with ρ, a residual against the mean of w days that ends l days before it has
the variance of a day times

    v(l, w, ρ) = 1 − 2/w Σ ρ^k + 1/w² Σ Σ ρ^|i−j|,    k, i, j from l + 1 to l + w

which grows with l and w: of a slow level fourfold, from the second to the seventh week. What was learned before, with
the weights of `FORGET`, is of smaller ones: it is multiplied by how much v has grown since.
"""

from __future__ import annotations

import math
from itertools import accumulate, repeat
from operator import mul

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

AGES, LONGEST = 200, LAG_DAYS + REFERENCE_DAYS + 1
"""Days after which what was learned is all of such residuals, and those after which they are as large as they get."""

STEPS_OF_CARRY = 50
CARRIES = [step / STEPS_OF_CARRY for step in range(STEPS_OF_CARRY)]
"""Parts of a day's residual that the next one has, for which growth is known."""

FORGOTTEN = float(FORGET[BY_DAY])
"""What is left of a day after the next."""


def _lag_of(age: int) -> int:
    """Days that expectations and variances do not see yet: a slow drift must not teach that it is usual."""
    return 0 if age < SETTLED else min(LAG_DAYS, (age - SETTLED) // 2)


lag_of = inlined(_lag_of)


def _variances(carry: float) -> list[float]:
    """Return the variance of a residual by the age of its signal, for days of variance 1."""
    # Sums and products only, which every processor rounds alike.
    powers = list(accumulate(repeat(carry, REFERENCE_DAYS + LAG_DAYS), mul, initial=1.0))
    variances = [1.0]
    for age in range(1, LONGEST):
        lag = _lag_of(age)
        width = min(age - lag, REFERENCE_DAYS)
        with_today = math.fsum(powers[lag + 1 : lag + width + 1])
        apart = math.fsum((width - distance) * powers[distance] for distance in range(1, width))
        variances.append(1 - 2 * with_today / width + (width + 2 * apart) / (width * width))
    return variances + [variances[-1]] * (AGES - LONGEST)


def _growth() -> Floats:
    """Return what the variance of a residual is, by what was learned of earlier ones, float64[AGES, CARRIES]."""
    growth = np.ones((AGES, len(CARRIES)))
    for c, carry in enumerate(CARRIES):
        variances = _variances(carry)
        weights, learned, newest = 0.0, 0.0, 0
        for age in range(1, AGES):
            weights, learned = FORGOTTEN * weights, FORGOTTEN * learned
            while newest + 1 < age - _lag_of(age - 1):
                newest += 1
                weight = math.prod(repeat(FORGOTTEN, age - newest))
                weights, learned = weights + weight, learned + weight * variances[newest]
            if newest:
                growth[age, c] = max(variances[age] * weights / learned, 1.0)
    return growth


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
        Days since the row had its first value; less than 0 of one that begins anew at a level to come.
    """
    growth = GROWTH[min(max(age, 0), AGES - 1), min(int(carry * STEPS_OF_CARRY), STEPS_OF_CARRY - 1)]
    filters[BY_DAY, LEVEL_VARIANCE] *= growth
    filters[BY_DAY, NOISE] *= growth
    filters[BY_DAY, STEP] *= growth
    filters[BY_WINDOW, DAY_STEP] *= growth
