"""What is known of some windows of one series and detector, and how it is added up to buckets.

A mean must not depend on the order in which parts are added, nor on whether some were added up before. Sums of
floats do. So sums are kept exactly: of each float ``m * 2**(e - 1075)`` the lower 26 bits of ``m`` are added to a digit
at the place ``2 * e``, and the upper 27 to one at ``2 * e + 1``. Digits are integers that never carry (the "long
accumulator" of Kulisch, "Computer Arithmetic and Validity", 2013), and the mean is rounded once, at the end.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinks.store.contract import BUCKETS, Buckets, Columns
from sinks.store.derived import SERIES, STATUSES, WORST

__all__ = ["COUNTS", "INFINITY", "KEPT", "MINUS_INFINITY", "combined", "exact_mean", "joined", "pieces_of_scores"]

INFINITY, MINUS_INFINITY = 4096, 4097
"""Places of the digits that count infinities; finite numbers have places below."""

COUNTS = ("windows", "events", *STATUSES, "measured")
KEPT = (*COUNTS, "statistic_min", "statistic_max", "places", "digits", "severity", *(f"worst_{n}" for n in WORST))
"""The columns of a piece, besides its series and ``bucket_end_ms``."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def pieces_of_scores(scores: Columns, bucket_end_ms: Integers) -> Columns:
    """Return a piece for each of ``scores``, which has every column of the table."""
    statistic, ones = scores["statistic"] + 0.0, np.ones(len(bucket_end_ms), np.int64)
    missing = np.isnan(statistic)
    status = np.array(scores["status"], dtype=object)
    with np.errstate(all="ignore"):
        ratio = scores["effect"] / scores["min_effect"]
        severity = np.where((status == "drift") & (ratio > 0), ratio, 0.0)
    places, digits = _digits(statistic)
    return {
        **{name: scores[name] for name in SERIES},
        "bucket_end_ms": bucket_end_ms,
        "windows": ones,
        "events": scores["n"],
        **{name: (status == name).astype(np.int64) for name in STATUSES},
        "measured": (~missing).astype(np.int64),
        "statistic_min": np.where(missing, np.inf, statistic),
        "statistic_max": np.where(missing, -np.inf, statistic),
        "places": places,
        "digits": digits,
        "severity": severity,
        **{f"worst_{name}": scores[name] for name in WORST},
    }


def _digits(values: Floats) -> tuple[list[Integers], list[Integers]]:
    bits = values.view(np.int64)
    biased = bits >> 52 & 2047
    sign = np.where(bits < 0, -1, 1)
    low, high = bits & (1 << 26) - 1, (bits >> 26 & (1 << 26) - 1) + np.where(biased > 0, 1 << 26, 0)
    place = 2 * np.maximum(biased, 1)
    infinite = np.isinf(values)
    place[infinite] = np.where(values[infinite] > 0, INFINITY, MINUS_INFINITY)
    low[infinite], high[infinite], sign[infinite] = 1, 0, 1
    used = np.where(np.isnan(values), 0, np.where(infinite, 1, 2)).tolist()
    places, digits = np.stack((place, place + 1), axis=1), np.stack((low * sign, high * sign), axis=1)
    return [row[:n] for row, n in zip(places, used, strict=True)], [
        row[:n] for row, n in zip(digits, used, strict=True)
    ]


def joined(parts: list[Columns]) -> Columns:
    """Return the rows of ``parts``, one after another."""
    if len(parts) == 1:
        return parts[0]
    return {name: _concatenated([part[name] for part in parts]) for name in parts[0]}


def _concatenated(columns: list[Any]) -> Any:
    if isinstance(columns[0], np.ndarray):
        return np.concatenate(columns)
    return [value for column in columns for value in column]


def combined(buckets: Buckets, pieces: Columns) -> Columns:
    """Return the columns of ``BUCKETS`` from the pieces of all buckets; ``buckets`` is checked.

    Parameters
    ----------
    buckets : Buckets
    pieces : dict
        Series, ``bucket_end_ms`` and the columns ``KEPT``; several pieces of one bucket are added up.
    """
    group, keys = _groups(pieces)
    # Sorted by bucket, and within a bucket up to the window with the largest effect, among equals the latest.
    effect = pieces["worst_effect"]
    rank = np.where(np.isnan(effect), -np.inf, effect + 0.0)
    order = np.lexsort((pieces["worst_window_end_ms"], rank, group))
    starts = np.searchsorted(group[order], np.arange(len(keys)))
    severity = _reduced(np.maximum, pieces["severity"][order], starts)
    chosen = _chosen(buckets, keys, severity)
    worst = order[np.append(starts[1:], len(order))[chosen] - 1]
    sums = {name: _reduced(np.add, pieces[name][order], starts)[chosen] for name in COUNTS}
    least = _reduced(np.minimum, pieces["statistic_min"][order], starts)[chosen]
    most = _reduced(np.maximum, pieces["statistic_max"][order], starts)[chosen]
    measured = sums.pop("measured")
    found = {
        **_bounds(buckets, [keys[place] for place in chosen.tolist()]),
        "n": sums.pop("events"),
        **sums,
        "statistic_min": np.where(measured > 0, least, np.nan),
        "statistic_mean": _means(pieces, group, chosen, measured),
        "statistic_max": np.where(measured > 0, most, np.nan),
        "severity": severity[chosen],
        **{f"worst_{name}": _taken(pieces[f"worst_{name}"], worst) for name in WORST},
    }
    return {column.name: found[column.name] for column in BUCKETS.columns}


def _groups(pieces: Columns) -> tuple[Integers, list[tuple[Any, ...]]]:
    places: dict[tuple[Any, ...], int] = {}
    keys = zip(pieces["bucket_end_ms"].tolist(), *(pieces[name] for name in SERIES), strict=True)
    group = np.array([places.setdefault(key, len(places)) for key in keys], np.int64)
    return group, list(places)


def _reduced(function: np.ufunc, ordered: NDArray[Any], starts: Integers) -> NDArray[Any]:
    return function.reduceat(ordered, starts) if len(starts) else ordered[:0]


def _chosen(buckets: Buckets, keys: list[tuple[Any, ...]], severity: Floats) -> Integers:
    """Return which buckets are asked for, in their order."""
    worst = buckets.order == "worst"
    ranks = [(-s, *key) for s, key in zip(severity.tolist(), keys, strict=True)] if worst else keys
    after = (-buckets.after[0], *buckets.after[1:]) if worst and buckets.after else buckets.after
    behind = [place for place, rank in enumerate(ranks) if not after or rank > after]
    return np.array(sorted(behind, key=ranks.__getitem__)[: buckets.limit], np.int64)


def _bounds(buckets: Buckets, keys: list[tuple[Any, ...]]) -> Columns:
    ends = np.array([key[0] for key in keys], np.int64)
    starts = ends - buckets.step_ms if buckets.step_ms else np.full(len(keys), buckets.from_ms, np.int64)
    series = {name: [key[place] for key in keys] for place, name in enumerate(SERIES, start=1)}
    return {**series, "bucket_start_ms": starts, "bucket_end_ms": ends}


def _means(pieces: Columns, group: Integers, chosen: Integers, measured: Integers) -> Floats:
    sums: dict[int, tuple[list[int], list[int]]] = {place: ([], []) for place in chosen.tolist()}
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
    infinities = {place for place in places if place >= INFINITY}
    if infinities or count == 0:
        return math.inf if infinities == {INFINITY} else -math.inf if infinities == {MINUS_INFINITY} else math.nan
    total = sum(digit << (place // 2 + 26 * (place % 2)) for place, digit in zip(places, digits, strict=True))
    return total / (count << 1075)


def _taken(values: Any, places: Integers) -> Any:
    return values[places] if isinstance(values, np.ndarray) else [values[place] for place in places.tolist()]
