"""Distances between a window and its baseline, one a file; :data:`DISTANCES` is the table of them."""

from __future__ import annotations

import difflib

from detectors.distance.align import align
from detectors.distance.anderson_darling import ANDERSON_DARLING
from detectors.distance.chi_squared import CHI_SQUARED
from detectors.distance.coarse import coarsen, coarsen_names, grouped
from detectors.distance.contract import Comparison, Distance, VectorDistance
from detectors.distance.cramer_von_mises import CRAMER_VON_MISES
from detectors.distance.energy import ENERGY
from detectors.distance.g_test import G_TEST
from detectors.distance.hellinger import HELLINGER
from detectors.distance.jensen_shannon import JENSEN_SHANNON
from detectors.distance.kl import KL
from detectors.distance.ks import KS
from detectors.distance.kuiper import KUIPER
from detectors.distance.l_infinity import L_INFINITY
from detectors.distance.matrices import Aligned, align_all, group_all
from detectors.distance.mmd import MMD
from detectors.distance.new_category import NEW_CATEGORY
from detectors.distance.pai import PAI
from detectors.distance.psi import PSI
from detectors.distance.rates import INVALID_RATE, MISSING_RATE, OUT_OF_RANGE_RATE
from detectors.distance.reconstruction import RECONSTRUCTION
from detectors.distance.total_variation import TOTAL_VARIATION
from detectors.distance.wasserstein import WASSERSTEIN

__all__ = [
    "DISTANCES",
    "VECTOR_DISTANCES",
    "Aligned",
    "Comparison",
    "Distance",
    "VectorDistance",
    "align",
    "align_all",
    "coarsen",
    "coarsen_names",
    "find",
    "group_all",
    "grouped",
]

DISTANCES: dict[str, Distance] = {
    "psi": PSI,
    "jensen_shannon": JENSEN_SHANNON,
    "hellinger": HELLINGER,
    "kl": KL,
    "total_variation": TOTAL_VARIATION,
    "l_infinity": L_INFINITY,
    "chi_squared": CHI_SQUARED,
    "g_test": G_TEST,
    "ks": KS,
    "kuiper": KUIPER,
    "cramer_von_mises": CRAMER_VON_MISES,
    "anderson_darling": ANDERSON_DARLING,
    "energy": ENERGY,
    "wasserstein": WASSERSTEIN,
    "pai": PAI,
    "missing_rate": MISSING_RATE,
    "invalid_rate": INVALID_RATE,
    "out_of_range_rate": OUT_OF_RANGE_RATE,
    "new_category": NEW_CATEGORY,
}
"""Every distance of counts by its name. A new one is one file and one line here, from which all else follows."""

VECTOR_DISTANCES: dict[str, VectorDistance] = {
    "mmd": MMD,
    "reconstruction": RECONSTRUCTION,
}
"""Every distance of vectors, which are summed up by `detectors.sketch.vector`."""


def find(name: str) -> Distance:
    """Return a distance by its name.

    Raises
    ------
    LookupError
        If there is none of that name; the message says which there are.

    Examples
    --------
    >>> find("psi").default_min_effect
    0.1
    >>> find("pis")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    LookupError: there is no distance 'pis', did you mean 'psi'? there are psi, ...
    """
    if name in DISTANCES:
        return DISTANCES[name]
    near = difflib.get_close_matches(name, DISTANCES, n=1)
    hint = f", did you mean {near[0]!r}?" if near else ";"
    raise LookupError(f"there is no distance {name!r}{hint} there are {', '.join(DISTANCES)}")
