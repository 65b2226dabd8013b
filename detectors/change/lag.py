"""How many days expectations do not see yet, and what residuals of days say of levels by it.

A slow drift must not teach that it is usual. So, once a signal is two weeks old, expectations lag behind, little by
little up to a week. Of days that are AR(1) with ρ and have a variance of 1, residuals against the mean of w days that
end l days before them have the covariance

    c(d) = ρ^d − 1/w Σ ρ^|k−d| − 1/w' Σ ρ^(k'+d) + 1/(w w') Σ Σ ρ^|k−d−k'|

where l and w are those of the later day, l' and w' of the one d days earlier, k goes from l + 1 to l + w, and k' from
l' + 1 to l' + w'. Two things follow:

- The variance c(0) grows with l and w: of a slow level fourfold, from the second to the seventh week. What was learned
  before, with the weights of `FORGET`, is of smaller residuals: it is multiplied by how much c(0) has grown since.
- An expectation follows its level, so that residuals have less in common than levels do: c(1)/c(0) is 0.8 after two
  weeks of a random walk. By it the ρ is found that would show as much (Kendall 1954, Biometrika 41, is the case of a
  mean of all days).
"""

from __future__ import annotations

import math
from itertools import repeat

import numpy as np
import numpy.typing as npt

from detectors.change.components import FORGET
from detectors.change.legend import (
    BY_DAY,
    BY_WINDOW,
    CARRY,
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

AGES, LONGEST = 200, LAG_DAYS + REFERENCE_DAYS + 2
"""Days after which what was learned is all of such residuals, and those after which they are as alike as they get."""

STEPS_OF_CARRY = 50
CARRIES = np.array([step / STEPS_OF_CARRY for step in range(STEPS_OF_CARRY)])
"""Parts of a day's deviation that the next one has, for which this is known."""

FORGOTTEN = float(FORGET[BY_DAY])
"""What is left of a day after the next."""


def _lag_of(age: int) -> int:
    """Days that expectations and variances do not see yet: a slow drift must not teach that it is usual."""
    return 0 if age < SETTLED else min(LAG_DAYS, (age - SETTLED) // 2)


lag_of = inlined(_lag_of)


def _expected_of(age: int) -> range:
    """Return how long before a day those are that it is expected to be like."""
    lag = _lag_of(age)
    return range(lag + 1, lag + 1 + min(age - lag, REFERENCE_DAYS))


def _covariance(powers: list[Floats], age: int, distance: int) -> Floats:
    """Return that of the residuals of a day and of one so many days earlier, by `CARRIES`, for days of variance 1."""
    # Sums and products only, which every processor rounds alike.
    days, earlier = _expected_of(age), _expected_of(age - distance)
    total = powers[distance].copy()
    for k in days:
        total -= powers[abs(k - distance)] / len(days)
    for k in earlier:
        total -= powers[k + distance] / len(earlier)
    apart = np.bincount(np.abs(np.subtract.outer(days, earlier) - distance).ravel())
    for lag, pairs in enumerate(apart.tolist()):
        total += powers[lag] * (pairs / (len(days) * len(earlier)))
    return total


def _tables() -> tuple[Floats, Floats]:
    """Return growth and carry by the age of a signal and by what residuals show, float64[AGES, CARRIES] each."""
    powers = [np.ones(STEPS_OF_CARRY)]
    for _ in range(2 * LONGEST):
        powers.append(powers[-1] * CARRIES)
    ages = range(1, LONGEST)
    variances = [np.ones(STEPS_OF_CARRY), *(_covariance(powers, age, 0) for age in ages)]
    products = [np.zeros(STEPS_OF_CARRY)] * 2 + [_covariance(powers, age, 1) for age in ages[1:]]
    growth, carries = np.ones((AGES, STEPS_OF_CARRY)), np.tile(CARRIES, (AGES, 1))
    squares, nexts = np.zeros(STEPS_OF_CARRY), np.zeros(STEPS_OF_CARRY)
    weight, weight_of_nexts, newest = 0.0, 0.0, 0
    for age in range(1, AGES):
        squares, nexts = FORGOTTEN * squares, FORGOTTEN * nexts
        weight, weight_of_nexts = FORGOTTEN * weight, FORGOTTEN * weight_of_nexts
        while newest + 1 < age - _lag_of(age - 1):
            newest += 1
            of_day, at_age = math.prod(repeat(FORGOTTEN, age - newest)), min(newest, LONGEST - 1)
            squares, weight = squares + of_day * variances[at_age], weight + of_day
            if newest > 1:
                nexts, weight_of_nexts = nexts + of_day * products[at_age], weight_of_nexts + of_day
        if newest > 1:
            learned = squares / weight
            like = np.searchsorted(nexts / weight_of_nexts / learned, CARRIES).clip(max=STEPS_OF_CARRY - 1)
            carries[age] = np.maximum(CARRIES[like], CARRIES)
            growth[age] = np.maximum((variances[min(age, LONGEST - 1)] / learned)[like], 1.0)
    return growth, carries


GROWTH, CARRY_SHOWN = _tables()


@inlined
def grow(filters: Floats, shown: float, age: int) -> None:
    """Let what was learned of a row's days grow as its residuals do, and levels last as long as these show.

    Parameters
    ----------
    filters
        float64[SCALES, FILTER], with components that were estimated.
    shown
        The part of a day's residual that the next one has.
    age
        Days since the row had its first value; less than 0 of one that begins anew at a level to come.
    """
    at_age, at_shown = min(max(age, 0), AGES - 1), min(int(shown * STEPS_OF_CARRY), STEPS_OF_CARRY - 1)
    growth = GROWTH[at_age, at_shown]
    if at_shown > 0:
        carry = filters[BY_DAY, CARRY] * CARRY_SHOWN[at_age, at_shown] / CARRIES[at_shown]
        filters[BY_DAY, CARRY] = min(carry, CARRIES[STEPS_OF_CARRY - 1])
    filters[BY_DAY, LEVEL_VARIANCE] *= growth
    filters[BY_DAY, NOISE] *= growth
    filters[BY_DAY, STEP] *= growth
    filters[BY_WINDOW, DAY_STEP] *= growth
