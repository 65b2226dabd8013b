"""Two distributions side by side: their cells aligned, and the distances between them."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from detectors.distance import coarsen, coarsen_names
from monitor.compare import FINE, GROUPS, Pair, measure
from monitor.config.references import WINDOWED

__all__ = ["NotComparableError", "align", "distances"]

Distribution = dict[str, Any]
Cells = dict[str, list[Any]]


class NotComparableError(Exception):
    """The cells of the two do not fit together: they were counted in different layouts."""


def align(baseline: Distribution, current: Distribution) -> Cells:
    """Return the cells of both, in one order.

    Parameters
    ----------
    baseline, current : dict
        As ``ApiService.distribution`` gives them.

    Returns
    -------
    dict
        ``low`` and ``high`` (numeric) or ``names`` (category), ``baseline`` and ``current`` counts. Values beyond
        the named categories are the last cell, named None.

    Raises
    ------
    NotComparableError

    Examples
    --------
    >>> cells = align({"kind": "category", "names": ["a"], "count": [3], "other": 0},
    ...               {"kind": "category", "names": ["b"], "count": [2], "other": 1})
    >>> cells["names"], cells["baseline"], cells["current"]
    (['a', 'b', None], [3, 0, 0], [0, 2, 1])
    """
    if baseline["kind"] != current["kind"]:
        raise NotComparableError(f"one window is {baseline['kind']}, the other {current['kind']}")
    keys = _names if baseline["kind"] == "category" else _edges
    counts = [dict(zip(keys(side), [*side["count"], *_other(side)], strict=True)) for side in (baseline, current)]
    cells = list(dict.fromkeys([*counts[0], *counts[1]]))
    if baseline["kind"] == "category":
        head: Cells = {"names": sorted(c for c in cells if c is not None) + [c for c in cells if c is None]}
        order = head["names"]
    else:
        order = sorted(cells)
        _check_disjoint(order)
        head = {"low": [low for low, _ in order], "high": [high for _, high in order]}
    return head | {
        "baseline": [counts[0].get(cell, 0) for cell in order],
        "current": [counts[1].get(cell, 0) for cell in order],
    }


def distances(kind: str, cells: Cells) -> list[dict[str, Any]]:
    """Return every distance that applies to the kind, from the baseline to the current window.

    Parameters
    ----------
    kind : str
        ``numeric`` or ``category``.
    cells : dict
        As :func:`align` gives them.

    Returns
    -------
    list of dict
        ``detector``, ``statistic``, ``p_value``, ``effect`` (NaN where undefined), ``default_min_effect``.
    """
    positions = np.array(_middles(cells)) if kind == "numeric" else None
    pair = Pair(np.array(cells["baseline"], dtype=np.int64), np.array(cells["current"], dtype=np.int64), positions)
    merge = coarsen if kind == "numeric" else coarsen_names
    coarse = pair.grouped(merge(pair.reference, GROUPS))
    # The bins of each distance are those in which it is judged, so that this page and the history agree.
    names = [name for name, detector in WINDOWED.items() if detector.kind == "distance" and kind in detector.fits]
    measured = {name: measure(name, [pair if name in FINE else coarse])[0] for name in names}
    return [
        {
            "detector": name,
            "statistic": found.statistic,
            "p_value": found.p_value,
            "effect": found.effect,
            "default_min_effect": found.min_effect,
        }
        for name, found in measured.items()
    ]


def _names(side: Distribution) -> list[str | None]:
    return [*side["names"], *([None] if side["other"] else [])]


def _edges(side: Distribution) -> list[tuple[float, float]]:
    return list(zip(side["low"], side["high"], strict=True))


def _other(side: Distribution) -> list[int]:
    return [side["other"]] if side["kind"] == "category" and side["other"] else []


def _check_disjoint(order: list[tuple[float, float]]) -> None:
    for (_, high), (low, _) in pairwise(order):
        if low < high:
            raise NotComparableError("the two windows were counted in different bins")


def _middles(cells: Cells) -> list[float]:
    """Where each cell lies: its middle, or its finite edge where it is open."""
    pairs = zip(cells["low"], cells["high"], strict=True)
    return [low if math.isinf(high) else high if math.isinf(low) else low + (high - low) / 2 for low, high in pairs]
