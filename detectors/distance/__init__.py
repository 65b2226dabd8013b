"""Distances between a window and its baseline, for many series at once. A new one is a file and a line in the table."""

from __future__ import annotations

import difflib
from typing import Any

from detectors.distance import (
    anderson_darling,
    chi_squared,
    cramer_von_mises,
    energy,
    g_test,
    hellinger,
    jensen_shannon,
    kl,
    ks,
    kuiper,
    l_infinity,
    mmd,
    pai,
    proportion,
    psi,
    reconstruction,
    total_variation,
    wasserstein,
)
from detectors.distance.align import align, spread
from detectors.distance.coarse import coarsen, coarsen_names, grouped
from detectors.distance.comparison import Comparison, Distance, VectorDistance
from detectors.distance.matrices import Aligned, align_all, group_all
from detectors.sketch.fourier import fourier_layout, plain_fourier_layout
from detectors.sketch.projected import bounded_moments_layout, plain_bounded_layout

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
    "spread",
]


def _distance(
    name: str, module: Any, *, ordered: bool = False, located: bool = False, p_values: bool = True
) -> Distance:
    return Distance(name, module.distance, module.default_min_effect, ordered, p_values, located)


DISTANCES: dict[str, Distance] = {
    distance.name: distance
    for distance in (
        _distance("psi", psi),
        _distance("jensen_shannon", jensen_shannon),
        _distance("hellinger", hellinger),
        _distance("kl", kl),
        _distance("total_variation", total_variation),
        _distance("l_infinity", l_infinity),
        _distance("chi_squared", chi_squared),
        _distance("g_test", g_test),
        _distance("ks", ks, ordered=True),
        _distance("kuiper", kuiper, ordered=True),
        _distance("cramer_von_mises", cramer_von_mises, ordered=True),
        _distance("anderson_darling", anderson_darling, ordered=True),
        _distance("energy", energy, ordered=True, located=True),
        _distance("wasserstein", wasserstein, ordered=True, located=True, p_values=False),
        _distance("pai", pai, ordered=True, located=True),
        _distance("proportion", proportion),
    )
}

VECTOR_DISTANCES: dict[str, VectorDistance] = {
    distance.name: distance
    for distance in (
        VectorDistance(
            "mmd", mmd.distance, fourier_layout, plain_fourier_layout, mmd.default_min_effect, p_values=True
        ),
        VectorDistance(
            "reconstruction",
            reconstruction.distance,
            bounded_moments_layout,
            plain_bounded_layout,
            reconstruction.default_min_effect,
            p_values=False,
        ),
    )
}
"""Distances of summaries of vectors (`detectors.sketch.vector`)."""


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
