"""P-values of what a control chart has measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.chart.legend import (
    ANDERSONS,
    CHI2,
    CRAMERS,
    FISHER,
    KNOWN,
    KOLMOGOROV,
    KUIPERS,
    NORMAL,
    P_DF,
    P_KIND,
    P_X,
    TABLE,
)
from detectors.distance.limits import anderson_darling_sf, cramer_von_mises_sf, kuiper_sf
from detectors.distance.proportion import fisher_exact
from detectors.distance.tail import chi2_sf, kolmogorov_sf, normal_sf

__all__ = ["p_values"]

Floats = npt.NDArray[np.float64]


def p_values(numbers: Floats, codes: npt.NDArray[Any]) -> Floats:
    """Return the p-values of tests.

    Parameters
    ----------
    numbers, codes
        float64[n, NUMBERS] and int64[n, CODES], as `detectors.chart.windows.judge_windows` writes them.

    Returns
    -------
    float64[n], NaN where there is no test.
    """
    out = np.full(len(numbers), np.nan)
    kind = codes[:, P_KIND]
    for wanted, tail in _TAILS.items():
        of = kind == wanted
        if of.any():
            out[of] = tail(numbers[of])
    return out


_TAILS: dict[int, Callable[[Floats], Floats]] = {
    CHI2: lambda of: chi2_sf(of[:, P_X], of[:, P_DF]),
    KOLMOGOROV: lambda of: kolmogorov_sf(of[:, P_X]),
    KUIPERS: lambda of: kuiper_sf(of[:, P_X]),
    CRAMERS: lambda of: cramer_von_mises_sf(of[:, P_X]),
    ANDERSONS: lambda of: anderson_darling_sf(of[:, P_X]),
    KNOWN: lambda of: of[:, P_X],
    NORMAL: lambda of: 2 * normal_sf(of[:, P_X]),
    FISHER: lambda of: fisher_exact(of[:, TABLE : TABLE + 2], of[:, TABLE + 2 : TABLE + 4]),
}
