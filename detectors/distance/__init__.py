"""Distances between a window and its baseline, for many series at once. A new one is a file and a line in the table."""

from __future__ import annotations

import difflib

from detectors.distance import chi_squared, jensen_shannon, ks, proportion, psi, wasserstein
from detectors.distance.align import align, spread
from detectors.distance.coarse import coarsen, coarsen_names, grouped
from detectors.distance.comparison import Comparison, Distance
from detectors.distance.matrices import Aligned, align_all, group_all

__all__ = [
    "DISTANCES",
    "Aligned",
    "Comparison",
    "Distance",
    "align",
    "align_all",
    "coarsen",
    "coarsen_names",
    "find",
    "group_all",
    "grouped",
    "spread",
]

DISTANCES: dict[str, Distance] = {
    distance.name: distance
    for distance in (
        Distance("psi", psi.distance, psi.default_min_effect, ordered=False, p_values=True),
        Distance(
            "jensen_shannon",
            jensen_shannon.distance,
            jensen_shannon.default_min_effect,
            ordered=False,
            p_values=True,
        ),
        Distance("ks", ks.distance, ks.default_min_effect, ordered=True, p_values=True),
        Distance("wasserstein", wasserstein.distance, wasserstein.default_min_effect, ordered=True, p_values=False),
        Distance("chi_squared", chi_squared.distance, chi_squared.default_min_effect, ordered=False, p_values=True),
        Distance("proportion", proportion.distance, proportion.default_min_effect, ordered=False, p_values=True),
    )
}


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
