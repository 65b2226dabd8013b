"""What is known of some windows of one series and detector, and how it is added up to buckets.

A mean must not depend on the order in which parts are added, nor on whether some were added up before. Sums of
floats do. So sums are kept exactly: of each float ``m * 2**(e - 1075)`` the lower 26 bits of ``m`` are added to a digit
at the place ``2 * e``, and the upper 27 to one at ``2 * e + 1``. Digits are integers that never carry (the "long
accumulator" of Kulisch, "Computer Arithmetic and Validity", 2013), and the mean is rounded once, at the end.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinks.store.contract import Buckets, Columns
from sinks.store.derived import SERIES, STATUSES, WORST

__all__ = [
    "COUNTS",
    "INFINITY",
    "KEPT",
    "MINUS_INFINITY",
    "combined",
    "exact_mean",
    "kept_for",
    "pieces_of_scores",
    "scores_for",
]

INFINITY, MINUS_INFINITY = 4096, 4097
"""Places of the digits that count infinities; finite numbers have places below."""

COUNTS = ("windows", "events", *STATUSES, "measured")
KEPT = (*COUNTS, "statistic_min", "statistic_max", "places", "digits", "severity", *(f"worst_{n}" for n in WORST))
"""The columns of a piece, besides its series and ``bucket_end_ms``."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


_FOLLOWS = {
    "n": ("events",),
    "statistic_min": ("measured", "statistic_min"),
    "statistic_max": ("measured", "statistic_max"),
    "statistic_mean": ("measured", "places", "digits"),
}
"""Columns of buckets that do not follow from the column of the pieces that has their name."""

_SCORES = {
    "windows": (),
    "events": ("n",),
    "severity": ("status", "effect", "min_effect"),
    **dict.fromkeys(STATUSES, ("status",)),
    **dict.fromkeys(("measured", "statistic_min", "statistic_max", "places", "digits"), ("statistic",)),
    **{f"worst_{name}": (name,) for name in WORST},
}
"""The columns of scores that each column of the pieces follows from."""


def kept_for(buckets: Buckets) -> tuple[str, ...]:
    """Return the columns of pieces that the columns of ``buckets``, which are checked, follow from; in order."""
    needed = {piece_column for name in buckets.columns for piece_column in _FOLLOWS.get(name, (name,))}
    if any(name.startswith("worst_") for name in buckets.columns):
        needed |= {"worst_effect", "worst_window_end_ms"}
    if buckets.order == "worst":
        needed.add("severity")
    return tuple(name for name in KEPT if name in needed)


def scores_for(piece_columns: Collection[str]) -> tuple[str, ...]:
    """Return the columns of scores, besides their series, that ``piece_columns`` follow from; in order."""
    needed = {"window_end_ms", *(name for column in piece_columns for name in _SCORES[column])}
    return tuple(name for name in WORST if name in needed)


def pieces_of_scores(scores: Columns, bucket_end_ms: Integers, piece_columns: Collection[str] = KEPT) -> Columns:
    """Return a piece for each of ``scores``, with the columns ``piece_columns``."""
    series = {name: scores[name] for name in SERIES}
    return {**series, "bucket_end_ms": bucket_end_ms, **_columns_of_scores(scores, set(piece_columns))}


def _columns_of_scores(scores: Columns, piece_columns: set[str]) -> Columns:
    count = len(scores["window_end_ms"])
    columns: Columns = {f"worst_{name}": scores[name] for name in WORST if f"worst_{name}" in piece_columns}
    columns |= {"windows": np.ones(count, np.int64)} if "windows" in piece_columns else {}
    columns |= {"events": scores["n"]} if "events" in piece_columns else {}
    if "measured" in piece_columns:
        columns |= _statistics(scores["statistic"] + 0.0)
    if piece_columns & {"severity", *STATUSES}:
        status = np.array(scores["status"], dtype=object)
        columns |= {name: (status == name).astype(np.int64) for name in STATUSES}
        if "severity" in piece_columns:
            with np.errstate(all="ignore"):
                ratio = scores["effect"] / scores["min_effect"]
            columns["severity"] = np.where((status == "drift") & (ratio > 0), ratio, 0.0)
    return {name: columns[name] for name in KEPT if name in piece_columns}


def _statistics(statistic: Floats) -> Columns:
    missing = np.isnan(statistic)
    places, digits = _digits(statistic)
    return {
        "measured": (~missing).astype(np.int64),
        "statistic_min": np.where(missing, np.inf, statistic),
        "statistic_max": np.where(missing, -np.inf, statistic),
        "places": places,
        "digits": digits,
    }


def _digits(values: Floats) -> tuple[list[Integers], list[Integers]]:
    bits = values.view(np.int64)
    biased = bits >> 52 & 2047
    sign = np.where(bits < 0, -1, 1)
    low, high = bits & (1 << 26) - 1, (bits >> 26 & (1 << 26) - 1) + np.where(biased > 0, 1 << 26, 0)
    first_place = 2 * np.maximum(biased, 1)
    infinite = np.isinf(values)
    first_place[infinite] = np.where(values[infinite] > 0, INFINITY, MINUS_INFINITY)
    low[infinite], high[infinite], sign[infinite] = 1, 0, 1
    used = np.where(np.isnan(values), 0, np.where(infinite, 1, 2)).tolist()
    places, digits = np.stack((first_place, first_place + 1), axis=1), np.stack((low * sign, high * sign), axis=1)
    return [row[:n] for row, n in zip(places, used, strict=True)], [
        row[:n] for row, n in zip(digits, used, strict=True)
    ]


def combined(buckets: Buckets, pieces: Columns) -> Columns:
    """Return the columns of ``buckets``, which are checked, from the pieces of all of them.

    Parameters
    ----------
    buckets : Buckets
    pieces : dict
        Series, ``bucket_end_ms`` and the columns that :func:`kept_for` names; several pieces of one bucket are added
        up.
    """
    group, keys = _groups(pieces)
    # The last row of each group is then its worst window, and groups are runs that reduceat adds up.
    order = _up_to_the_worst(pieces, group)
    starts = np.searchsorted(group[order], np.arange(len(keys)))
    severity = _reduced(np.maximum, pieces["severity"][order], starts) if "severity" in pieces else None
    chosen = _chosen(buckets, keys, severity)
    worst = order[np.append(starts[1:], len(order))[chosen] - 1]
    columns = _bounds(buckets, [keys[group_index] for group_index in chosen.tolist()])
    columns |= {n: _reduced(np.add, pieces[n][order], starts)[chosen] for n in COUNTS if n in pieces}
    columns |= {"n": columns["events"]} if "events" in columns else {}
    for name, function in (("statistic_min", np.minimum), ("statistic_max", np.maximum)):
        if name in pieces:
            extremes = _reduced(function, pieces[name][order], starts)[chosen]
            columns[name] = np.where(columns["measured"] > 0, extremes, np.nan)
    if "places" in pieces:
        columns["statistic_mean"] = _means(pieces, group, chosen, columns["measured"])
    if severity is not None:
        columns["severity"] = severity[chosen]
    columns |= {n: _taken(values, worst) for n, values in pieces.items() if n.startswith("worst_")}
    return {name: columns[name] for name in buckets.columns}


def _up_to_the_worst(pieces: Columns, group: Integers) -> Integers:
    """The order by bucket, and within a bucket up to the window with the largest effect, among equals the latest."""
    if "worst_effect" not in pieces:
        return np.argsort(group, kind="stable")
    effect = pieces["worst_effect"]
    rank = np.where(np.isnan(effect), -np.inf, effect + 0.0)
    return np.lexsort((pieces["worst_window_end_ms"], rank, group))


def _groups(pieces: Columns) -> tuple[Integers, list[tuple[Any, ...]]]:
    group_of_key: dict[tuple[Any, ...], int] = {}
    keys = zip(pieces["bucket_end_ms"].tolist(), *(pieces[name] for name in SERIES), strict=True)
    group = np.array([group_of_key.setdefault(key, len(group_of_key)) for key in keys], np.int64)
    return group, list(group_of_key)


def _reduced(function: np.ufunc, ordered: NDArray[Any], starts: Integers) -> NDArray[Any]:
    return function.reduceat(ordered, starts) if len(starts) else ordered[:0]


def _chosen(buckets: Buckets, keys: list[tuple[Any, ...]], severity: Floats | None) -> Integers:
    """Return which buckets are to be returned, in their order."""
    ranks, after = keys, buckets.after
    if buckets.order == "worst":
        assert severity is not None  # kept_for names it for this order
        ranks = [(-s, *key) for s, key in zip(severity.tolist(), keys, strict=True)]
        after = (-after[0], *after[1:]) if after else after
    behind = [group_index for group_index, rank in enumerate(ranks) if not after or rank > after]
    return np.array(sorted(behind, key=ranks.__getitem__)[: buckets.limit], np.int64)


def _bounds(buckets: Buckets, keys: list[tuple[Any, ...]]) -> Columns:
    ends = np.array([key[0] for key in keys], np.int64)
    starts = ends - buckets.step_ms if buckets.step_ms else np.full(len(keys), buckets.from_ms, np.int64)
    series = {name: [key[position] for key in keys] for position, name in enumerate(SERIES, start=1)}
    return {**series, "bucket_start_ms": starts, "bucket_end_ms": ends}


def _means(pieces: Columns, group: Integers, chosen: Integers, measured: Integers) -> Floats:
    sums: dict[int, tuple[list[int], list[int]]] = {group_index: ([], []) for group_index in chosen.tolist()}
    for row in np.flatnonzero(np.isin(group, chosen)).tolist():
        places, digits = sums[int(group[row])]
        places += pieces["places"][row].tolist()
        digits += pieces["digits"][row].tolist()
    return np.array([exact_mean(*s, n) for s, n in zip(sums.values(), measured.tolist(), strict=True)], np.float64)


def exact_mean(places: list[int], digits: list[int], count: int) -> float:
    """Return the mean of ``count`` numbers whose sum has ``digits`` at ``places``, rounded once; NaN for none.

    Examples
    --------
    >>> exact_mean([2 * 1023 + 1], [3 * 2**26], 2)  # a sum of 3 * 2**(26 + 26 + 1023 - 1075)
    1.5
    """
    infinities = {digit_place for digit_place in places if digit_place >= INFINITY}
    if infinities or count == 0:
        return math.inf if infinities == {INFINITY} else -math.inf if infinities == {MINUS_INFINITY} else math.nan
    pairs = zip(places, digits, strict=True)
    total = sum(digit << digit_place // 2 + 26 * (digit_place % 2) for digit_place, digit in pairs)
    return total / (count << 1075)


def _taken(values: Any, row_indexes: Integers) -> Any:
    return values[row_indexes] if isinstance(values, np.ndarray) else [values[index] for index in row_indexes.tolist()]
