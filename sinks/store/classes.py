"""Which class a row of a prediction or a label names: the empty text is a class like any other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["EMPTY_CLASS", "label_classes", "predicted_classes"]

EMPTY_CLASS = math.inf
"""Beside a prediction whose class is the empty text; no number that was predicted is infinite, and NaN is none."""

Rows = NDArray[np.int64]
Names = Sequence[str]
Numbers = Sequence[float] | NDArray[np.float64]


def predicted_classes(names: Names, numbers: Numbers, rows: Rows) -> list[str | None]:
    """Return the classes that rows of ``predicted`` name; None where there is no prediction.

    Parameters
    ----------
    names, numbers : sequence
        The columns ``label`` and ``value``, or ``naive_label`` and ``naive_value``.
    rows : int64 array

    Examples
    --------
    >>> predicted_classes(["a", "", ""], [math.nan, EMPTY_CLASS, math.nan], np.arange(3))
    ['a', '', None]
    """
    return [None if names[row] == "" and numbers[row] != EMPTY_CLASS else names[row] for row in rows.tolist()]


def label_classes(names: Names, numbers: Numbers, rows: Rows) -> list[str | None]:
    """Return the classes that rows of ``labels`` name, of those that take nothing back; None where a number is said.

    Parameters
    ----------
    names, numbers : sequence
        The columns ``label`` and ``value``.
    rows : int64 array

    Examples
    --------
    >>> label_classes(["a", "", ""], [math.nan, math.nan, 5.0], np.arange(3))
    ['a', '', None]
    """
    return [None if names[row] == "" and not math.isnan(numbers[row]) else names[row] for row in rows.tolist()]
