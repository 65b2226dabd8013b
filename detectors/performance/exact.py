"""Sums of floats that do not depend on their order.

This is a long accumulator (Kulisch, "Computer Arithmetic and Validity", 2013).
A float is ``m * 2**(e - 1075)``. The lower 26 bits of ``m`` are added to the digit at place ``2 * e``, the upper 27 to
the one at ``2 * e + 1``; digits are integers that never carry, so 2**36 floats may be added before one could overflow.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import numpy.typing as npt

__all__ = ["digits", "total", "two_product"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_HALF = (1 << 26) - 1
_SPLITTER = float((1 << 27) + 1)


def digits(values: Floats, offsets: Integers | int = 0) -> tuple[Integers, Integers]:
    """Return places and digits of the sum of finite floats, places ascending.

    Parameters
    ----------
    values : float64 array [n]
    offsets : int64 array [n] or int
        Added to places: so several sums, at offsets further apart than places go, are taken at once.

    Examples
    --------
    >>> total(zip(*digits(np.array([1e16, 1.0, -1e16]))))
    Fraction(1, 1)
    """
    bits = np.ascontiguousarray(values, dtype=np.float64).view(np.int64)
    biased = bits >> 52 & 2047
    sign = np.where(bits < 0, -1, 1)
    high = (bits >> 26 & _HALF) + np.where(biased > 0, 1 << 26, 0)
    first = 2 * np.maximum(biased, 1) + offsets
    places, row = np.unique(np.concatenate((first, first + 1)), return_inverse=True)
    sums = np.zeros(len(places), dtype=np.int64)
    np.add.at(sums, row, np.concatenate(((bits & _HALF) * sign, high * sign)))
    filled = sums != 0
    return places[filled], sums[filled]


def total(pairs: Iterable[tuple[int, int]]) -> Fraction:
    """Return the sum that digits at places stand for, exactly."""
    numerator = sum(int(digit) << int(power) // 2 + 26 * (int(power) % 2) for power, digit in pairs)
    return Fraction(numerator, 1 << 1075)


def two_product(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return ``a * b`` as rounded, and what rounding took away (Dekker, Numer. Math. 18, 1971).

    Examples
    --------
    >>> product, rest = two_product(np.array([1e9 + 1]), np.array([1e9 + 1]))
    >>> int(product[0]) + int(rest[0]) == (10**9 + 1) ** 2
    True
    """
    product = a * b
    a_high, b_high = _upper_half(a), _upper_half(b)
    a_low, b_low = a - a_high, b - b_high
    rest = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, rest


def _upper_half(a: Floats) -> Floats:
    scaled = _SPLITTER * a
    return scaled - (scaled - a)
