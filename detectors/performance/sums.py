"""Additive sums over events and what turned out to be true: integers under integer keys, and pairs of classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.performance.exact import digits, total

__all__ = ["MAX_PAIRS", "UNUSABLE", "WEIGHT_BITS", "Count", "Quantity", "SumBuilder", "Sums", "add_up"]

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Pairs = Mapping[tuple[str, str], int]

WEIGHT_BITS = 20
"""Weights are summed as whole numbers of 2**-20."""

MAX_PAIRS = 10_000
"""Sums over more pairs of classes keep none of them; which ones are kept would depend on the order of addition."""

_MOST = 1 << 62


class Count(IntEnum):
    """What events are counted as, at the places of `Quantity.COUNT`; all but the first two are not in other sums."""

    LABELS = 0
    WITHOUT_VALUE = 1
    NO_PREDICTION = 2
    OUT_OF_RANGE = 3
    WILD = 4
    BAD_WEIGHT = 5
    ZERO_ACTUAL = 6
    MANY_CLASSES = 7
    ANSWERED = 8
    NO_INTERVAL = 9
    NOTHING_RELEVANT = 10


UNUSABLE = (Count.NO_PREDICTION, Count.OUT_OF_RANGE, Count.WILD, Count.BAD_WEIGHT, Count.NOTHING_RELEVANT)
"""Events that have a label and are in no sum."""


class Quantity(IntEnum):
    """What is summed. The numbers are stored: they are never given to another quantity.

    ``*_2`` are sums of squares. Weights of cells, bins, outcomes and pairs are whole numbers of 2**-20; all else has
    the digits of `detectors.performance.exact`.
    """

    COUNT = 0
    WEIGHT = 1
    WEIGHT_2 = 2
    VALUE = 3
    VALUE_2 = 4
    VALUE_WEIGHT = 5
    AGREED = 6
    # Binary.
    POSITIVE_CELLS = 10
    NEGATIVE_CELLS = 11
    OUTCOMES = 12
    TP_2 = 13
    FP_2 = 14
    FN_2 = 15
    TN_2 = 16
    LOG_LOSS = 17
    LOG_LOSS_2 = 18
    SQUARED = 19
    SQUARED_2 = 20
    BIN_WEIGHT = 21
    BIN_POSITIVE = 22
    # Of events that a field has a naive answer for: their weights, and what is lost by the model and by the answer.
    ANSWERED_WEIGHT = 30
    ANSWERED_WEIGHT_2 = 31
    MODEL_LOSS = 32
    MODEL_LOSS_2 = 33
    NAIVE_LOSS = 34
    NAIVE_LOSS_2 = 35
    BOTH_LOSSES = 36
    # Regression: y is true, e is the prediction less y.
    Y = 40
    Y_2 = 41
    Y_3 = 42
    Y_4 = 43
    E = 44
    ABS_E = 45
    E_2 = 46
    E_4 = 47
    E_2_Y = 48
    E_2_Y_2 = 49
    SHARE = 50
    SHARE_2 = 51
    SHARE_WEIGHT = 52
    SYMMETRIC = 53
    SYMMETRIC_2 = 54
    PINBALL_WEIGHT = 55
    PINBALL = 56
    PINBALL_2 = 57
    INTERVAL_WEIGHT = 58
    COVERED = 59
    WIDTH = 60
    WIDTH_2 = 61
    # Rankings.
    NDCG = 70
    NDCG_2 = 71
    RECIPROCAL_RANK = 72
    RECIPROCAL_RANK_2 = 73
    # The scores of each bin of reliability, from here on.
    BIN_SCORES = 100


_PLACES = 8192
"""Of a quantity: digits of floats have 4,094 of them, cells of scores 4,867."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over a set of events with labels: in any order or grouping, addition gives the same integers.

    Parameters
    ----------
    scheme : str
        Of which `Scheme` they are; sums of others cannot be added.
    keys, sums
        int64[k] each, keys ascending and sums not zero.
    pairs : dict
        Weights by true and predicted class, in whole numbers of 2**-20; multiclass alone has some.

    Examples
    --------
    >>> Sums.empty("regression") + Sums.empty("regression") == Sums.empty("regression")
    True
    """

    scheme: str
    keys: Integers
    sums: Integers
    pairs: Pairs = field(default_factory=dict)

    @classmethod
    def empty(cls, scheme: str) -> Sums:
        """Return the sums over no events, the neutral element of addition."""
        nothing = np.empty(0, dtype=np.int64)
        return cls(scheme, nothing, nothing)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Sums:
        """Return what :meth:`to_row` made columns of; other columns of the row do not matter."""
        named = zip(row["true_classes"], row["predicted_classes"], strict=True)
        return cls(
            str(row["scheme"]),
            np.asarray(row["keys"], dtype=np.int64),
            np.asarray(row["sums"], dtype=np.int64),
            {(str(t), str(p)): int(w) for (t, p), w in zip(named, row["class_weights"], strict=True)},
        )

    def to_row(self) -> dict[str, Any]:
        """Return plain columns: a text, lists of integers and lists of names, always in the same order."""
        pairs = sorted(self.pairs)
        return {
            "scheme": self.scheme,
            "keys": self.keys.tolist(),
            "sums": self.sums.tolist(),
            "true_classes": [true for true, _ in pairs],
            "predicted_classes": [predicted for _, predicted in pairs],
            "class_weights": [self.pairs[pair] for pair in pairs],
        }

    @property
    def labels(self) -> int:
        """How many events there are in the sums."""
        return self.count(Count.LABELS)

    def count(self, reason: Count) -> int:
        """Return how many events were counted as this."""
        return self.fixed(Quantity.COUNT, reason)

    def fixed(self, quantity: Quantity, index: int = 0) -> int:
        """Return the integer at one place of a quantity."""
        key = quantity * _PLACES + index
        row = int(np.searchsorted(self.keys, key))
        return int(self.sums[row]) if row < len(self.keys) and self.keys[row] == key else 0

    def cells(self, quantity: Quantity) -> tuple[Integers, Integers]:
        """Return the places of a quantity and the integers there."""
        first, end = np.searchsorted(self.keys, (quantity * _PLACES, (quantity + 1) * _PLACES))
        return self.keys[first:end] - quantity * _PLACES, self.sums[first:end]

    def exact(self, quantity: int) -> Fraction:
        """Return the sum of a quantity of digits."""
        first, end = np.searchsorted(self.keys, (quantity * _PLACES, (quantity + 1) * _PLACES))
        places = (self.keys[first:end] - quantity * _PLACES).tolist()
        return total(zip(places, self.sums[first:end].tolist(), strict=True))

    def weight(self, quantity: Quantity, index: int = 0) -> float:
        """Return the sum of weights at one place of a quantity."""
        return self.fixed(quantity, index) / (1 << WEIGHT_BITS)

    def __add__(self, other: Sums) -> Sums:
        if not isinstance(other, Sums):
            return NotImplemented
        return add_up((self, other), self.scheme)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sums):
            return NotImplemented
        return self.to_row() == other.to_row()

    __hash__ = None  # type: ignore[assignment]


def add_up(parts: Sequence[Sums], scheme: str) -> Sums:
    """Add sums of one scheme, exactly and in one pass.

    Raises
    ------
    ValueError
        If one is of another scheme.
    OverflowError
        If the weights of all events come near 2**43.
    """
    if any(part.scheme != scheme for part in parts):
        others = sorted({part.scheme for part in parts} - {scheme})
        raise ValueError(f"sums of {others} cannot be added to those of {scheme!r}")
    if not parts:
        return Sums.empty(scheme)
    weight = sum(part.fixed(Quantity.WEIGHT) for part in parts)
    if weight >= _MOST:
        # Every other sum of weights is a part of this one.
        raise OverflowError("the weights of these events are too large to be added up")
    keys, row = np.unique(np.concatenate([part.keys for part in parts]), return_inverse=True)
    sums = np.zeros(len(keys), dtype=np.int64)
    np.add.at(sums, row, np.concatenate([part.sums for part in parts]))
    if any(part.count(Count.MANY_CLASSES) for part in parts):
        return _without_pairs(scheme, keys, sums)
    return _bounded(scheme, keys, sums, _added(part.pairs for part in parts))


def _added(parts: Iterable[Pairs]) -> dict[tuple[str, str], int]:
    pairs: dict[tuple[str, str], int] = {}
    for part in parts:
        for pair, weight in part.items():
            pairs[pair] = pairs.get(pair, 0) + weight
    return pairs


def _bounded(scheme: str, keys: Integers, sums: Integers, pairs: Pairs) -> Sums:
    if len(pairs) > MAX_PAIRS:
        return _without_pairs(scheme, keys, sums)
    filled = sums != 0
    return Sums(scheme, keys[filled], sums[filled], pairs)


def _without_pairs(scheme: str, keys: Integers, sums: Integers) -> Sums:
    """There are too many pairs, and so there are in every sum that these are a part of: that is said once."""
    marker = Quantity.COUNT * _PLACES + Count.MANY_CLASSES
    others = (keys != marker) & (sums != 0)
    first = int(np.searchsorted(keys[others], marker))
    return Sums(scheme, np.insert(keys[others], first, marker), np.insert(sums[others], first, 1))


class SumBuilder:
    """Sums of one batch of events, quantity by quantity.

    Parameters
    ----------
    scheme : str
    """

    def __init__(self, scheme: str) -> None:
        self._scheme = scheme
        self._parts: list[tuple[Integers, Integers]] = []
        self._floats: list[tuple[int, Floats]] = []
        self._pairs: dict[tuple[str, str], int] = {}

    def count(self, reason: Count, number: int) -> None:
        """Count events."""
        self._append(Quantity.COUNT, np.array([reason], dtype=np.int64), np.array([number], dtype=np.int64))

    def weights(self, quantity: Quantity, places: Integers, weights: Integers) -> None:
        """Add weights, in whole numbers of 2**-20, at places."""
        filled, row = np.unique(places, return_inverse=True)
        sums = np.zeros(len(filled), dtype=np.int64)
        np.add.at(sums, row, weights)
        self._append(quantity, filled, sums)

    def floats(self, quantity: int, *values: Floats) -> None:
        """Add floats; several arrays have one sum."""
        self._floats += [(quantity, each) for each in values]

    def pair(self, true: str, predicted: str, weight: int) -> None:
        """Add the weight of a pair of classes."""
        self._pairs[true, predicted] = self._pairs.get((true, predicted), 0) + weight

    def sums(self) -> Sums:
        """Return all that was added."""
        parts = [*self._parts, self._digits()]
        keys, row = np.unique(np.concatenate([keys for keys, _ in parts]), return_inverse=True)
        sums = np.zeros(len(keys), dtype=np.int64)
        np.add.at(sums, row, np.concatenate([part for _, part in parts]))
        return _bounded(self._scheme, keys, sums, self._pairs)

    def _digits(self) -> tuple[Integers, Integers]:
        """All floats at once: of the few events of an hour, a pass for each quantity would cost more than the sums."""
        if not self._floats:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        quantities = np.repeat([quantity for quantity, _ in self._floats], [len(values) for _, values in self._floats])
        return digits(np.concatenate([values for _, values in self._floats]), quantities * _PLACES)

    def _append(self, quantity: int, places: Integers, sums: Integers) -> None:
        self._parts.append((quantity * _PLACES + places, sums))
