"""P-values of what kernels of distances have written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.distance.contract import (
    ANDERSONS,
    CHI2,
    CRAMERS,
    KNOWN,
    KOLMOGOROV,
    KUIPERS,
    LIMIT_DF,
    LIMIT_X,
    P_DF,
    P_X,
    PEARSON,
    RATES,
    TABLE,
    Floats,
)
from detectors.distance.limits import anderson_darling_sf, cramer_von_mises_sf, kuiper_sf
from detectors.distance.rates import fisher_exact
from detectors.distance.tail import chi2_sf, kolmogorov_sf, normal_sf

__all__ = ["p_values"]


def p_values(answers: Floats, kinds: npt.NDArray[Any]) -> Floats:
    """Return the p-values of tests.

    Parameters
    ----------
    answers
        float64[n, ANSWER] or wider.
    kinds
        int64[n]: whose tail each p-value is; ``NO_TEST`` where nothing was compared.

    Returns
    -------
    float64[n], NaN where there is no test.
    """
    out = np.full(len(answers), np.nan)
    for kind, tail in _TAILS.items():
        rows = kinds == kind
        if rows.any():
            out[rows] = tail(answers[rows])
    return out


def _of_rates(answers: Floats) -> Floats:
    out = 2 * normal_sf(answers[:, P_X])
    exact = np.isnan(answers[:, P_X])
    if exact.any():
        table = answers[exact, TABLE : TABLE + 4]
        out[exact] = fisher_exact(table[:, :2], table[:, 2:])
    return out


def _of_pearson(answers: Floats) -> Floats:
    out = chi2_sf(answers[:, P_X], answers[:, P_DF])
    # NaN where there is no second tail.
    return np.asarray(np.fmax(out, chi2_sf(answers[:, LIMIT_X], answers[:, LIMIT_DF])))


_TAILS: dict[int, Callable[[Floats], Floats]] = {
    CHI2: lambda answers: chi2_sf(answers[:, P_X], answers[:, P_DF]),
    KOLMOGOROV: lambda answers: kolmogorov_sf(answers[:, P_X]),
    KUIPERS: lambda answers: kuiper_sf(answers[:, P_X]),
    CRAMERS: lambda answers: cramer_von_mises_sf(answers[:, P_X]),
    ANDERSONS: lambda answers: anderson_darling_sf(answers[:, P_X]),
    KNOWN: lambda answers: answers[:, P_X],
    RATES: _of_rates,
    PEARSON: _of_pearson,
}
