"""Metrics of rankings: how far up what is relevant stands in an ordered list of items."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from detectors.performance.means import mean_of
from detectors.performance.metric import Estimate, Question
from detectors.performance.sums import Quantity, Sums

__all__ = ["MAX_ITEMS", "grades_in", "items_in", "mrr", "ndcg", "ranks_of"]

MAX_ITEMS = 1_000
"""Longer lists, and more relevant items, are not compared."""

_DISCOUNTS = [1 / math.log2(rank + 2) for rank in range(MAX_ITEMS)]


def ranks_of(items: Sequence[str], grades: Mapping[str, float], k: int) -> tuple[float, float]:
    """Return NDCG@k (Järvelin & Kekäläinen, ACM TOIS 20, 2002) and the reciprocal rank of an ordered list.

    Gains are the grades themselves, and an item at rank r is discounted by ``log2(r + 1)``. An item that stands in the
    list again takes up its rank and gains nothing.

    Parameters
    ----------
    items : sequence of str
        At most :data:`MAX_ITEMS`, the first one best.
    grades : mapping of str to float
        How relevant items are, not negative, at least one of them more than 0; those that are absent are not relevant.
    k : int
        NDCG is of the first so many items; the reciprocal rank is of all.

    Returns
    -------
    float, float
        Both from 0 to 1; the second one is 0 where nothing relevant is in the list.

    Examples
    --------
    >>> ranks_of(["a", "b", "c"], {"b": 1.0}, k=10)
    (0.6309297535714575, 0.5)
    """
    gain, reciprocal_rank, seen = 0.0, 0.0, set[str]()
    for rank, item in enumerate(items):
        grade = 0.0 if item in seen else grades.get(item, 0.0)
        seen.add(item)
        if grade > 0:
            gain += grade * _DISCOUNTS[rank] if rank < k else 0.0
            reciprocal_rank = reciprocal_rank or 1 / (rank + 1)
    best = sorted(grades.values(), reverse=True)[:k]
    ideal = sum(grade * discount for grade, discount in zip(best, _DISCOUNTS, strict=False))
    return min(gain / ideal, 1.0), reciprocal_rank


def items_in(text: str | None) -> list[str] | None:
    """Return the items of a JSON list of names; None where it is none.

    Examples
    --------
    >>> items_in('["a", "b"]'), items_in("[]"), items_in("yes"), items_in(None)
    (['a', 'b'], [], None, None)
    """
    items = _read(text)
    if not isinstance(items, list) or len(items) > MAX_ITEMS or not all(isinstance(item, str) for item in items):
        return None
    return items


def grades_in(text: str | None) -> dict[str, float]:
    """Return the grades of a JSON object of them by item; none where it is none, or where none is more than 0.

    Examples
    --------
    >>> grades_in('{"a": 2.0, "b": 0.0}'), grades_in('{"b": 0.0}'), grades_in("yes")
    ({'a': 2.0}, {}, {})
    """
    grades = _read(text)
    if not isinstance(grades, dict) or not all(isinstance(grade, float) for grade in grades.values()):
        return {}
    return {item: grade for item, grade in grades.items() if 0 < grade < math.inf}


def _read(text: str | None) -> object:
    try:
        return json.loads(text or "null")
    except ValueError:  # a label that was a category before
        return None


def ndcg(sums: Sums, question: Question) -> Estimate:
    """The mean of NDCG@k; the normal interval."""
    return mean_of(sums, Quantity.NDCG, Quantity.NDCG_2)


def mrr(sums: Sums, question: Question) -> Estimate:
    """The mean of ``1 / rank`` of the first relevant item, 0 where there is none; the normal interval."""
    return mean_of(sums, Quantity.RECIPROCAL_RANK, Quantity.RECIPROCAL_RANK_2)
