"""Tails of the limits of tests that compare distribution functions.

As in `detectors.distance.tail`, far tails keep their relative precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.kernel import kernel

__all__ = ["anderson_darling_sf", "cramer_von_mises_sf", "kuiper_sf"]

Floats = npt.NDArray[np.float64]


def cramer_von_mises_sf(x: npt.ArrayLike) -> Floats:
    """Return P(W > x) for the limit of the Cramér–von Mises statistic, ``sum(Z_j**2 / (j pi)**2)``.

    Examples
    --------
    >>> cramer_von_mises_sf([0.0, 0.46136]).round(5).tolist()
    [1.0, 0.05]
    """
    return _sf(x, _cramer_von_mises())


def anderson_darling_sf(x: npt.ArrayLike) -> Floats:
    """Return P(A > x) for the limit of the Anderson–Darling statistic, ``sum(Z_j**2 / (j (j + 1)))``.

    Examples
    --------
    >>> anderson_darling_sf([0.0, 2.492367]).round(6).tolist()
    [1.0, 0.05]
    """
    return _sf(x, _anderson_darling())


def kuiper_sf(x: npt.ArrayLike) -> Floats:
    """Return P(V > x) for the limit of Kuiper's statistic, the range of a Brownian bridge.

    Kuiper's series, ``2 * sum((4 j² x² - 1) exp(-2 j² x²))`` (1960), and for small x its complement after Poisson's
    summation, ``sqrt(2) pi**(5/2) / x³ * sum(j² exp(-j² pi² / (2 x²)))``.

    Examples
    --------
    >>> kuiper_sf([0.0, 1.7473]).round(4).tolist()
    [1.0, 0.05]
    """
    values = np.asarray(x, np.float64)
    out = np.empty(values.size)
    _kuiper_sf(values.ravel(), out)
    return out.reshape(values.shape)


class _Form(NamedTuple):
    """The tail of a sum of weighted squares of normal variables as a sum of exponentials, ``sum(w * exp(-x t))``.

    With weights 1/(2 t_j), descending, and D(t) = prod(1 - t / t_j), Smirnov's formula (Mat. Sbornik 2, 1937) is

        P(Q > x) = 1/pi * sum over k of (-1)**(k+1) * integral from t_(2k-1) to t_(2k) of exp(-x t) / (t sqrt(|D(t)|))

    With t = middle + half * cos(a) the roots at both ends cancel, and what remains is smooth and periodic in a:
    midpoints in a converge faster than any power of their number.

    Parameters
    ----------
    t, w
        float64: midpoints and what they weigh, of all intervals one after another.
    starts
        int64: where each interval begins.
    least
        Below it the tail is 1 to double precision.
    """

    t: Floats
    w: Floats
    starts: npt.NDArray[np.int64]
    least: float


def _form(roots: Floats, determinant: Callable[[Floats], Floats], least: float) -> _Form:
    t, w, starts = [], [], [0]
    for k, (low, high) in enumerate(roots.reshape(-1, 2)):
        # Far out only the first interval counts, near its lower end; the others matter for small x, which is easy.
        count = 32 if k else 128
        angle = (np.arange(count) + 0.5) * math.pi / count
        at = (low + high) / 2 + (high - low) / 2 * np.cos(angle)
        smooth = np.abs(determinant(at)) / ((at - low) * (high - at))
        t.append(at)
        w.append((-1) ** k / count / (at * np.sqrt(smooth)))
        starts.append(starts[-1] + count)
    return _Form(np.concatenate(t), np.concatenate(w), np.array(starts), least)


@cache
def _cramer_von_mises() -> _Form:
    j = np.arange(1, 81)
    return _form((j * math.pi) ** 2 / 2, lambda t: np.sin(np.sqrt(2 * t)) / np.sqrt(2 * t), 0.0015)


@cache
def _anderson_darling() -> _Form:
    j = np.arange(1, 61)
    return _form(j * (j + 1) / 2, lambda t: -np.cos(math.pi / 2 * np.sqrt(1 + 8 * t)) / (2 * math.pi * t), 0.03)


def _sf(x: npt.ArrayLike, form: _Form) -> Floats:
    values = np.asarray(x, np.float64)
    out = np.empty(values.size)
    _exponentials(values.ravel(), form.t, form.w, form.starts, form.least, out)
    return out.reshape(values.shape)


@kernel
def _exponentials(x: Floats, t: Floats, w: Floats, starts: npt.NDArray[np.int64], least: float, out: Floats) -> None:
    for i in range(x.size):
        if np.isnan(x[i]):
            out[i] = np.nan
            continue
        total = 1.0
        if x[i] > least:
            total = 0.0
            for k in range(starts.size - 1):
                part = 0.0
                for j in range(starts[k], starts[k + 1]):
                    part += w[j] * math.exp(-x[i] * t[j])
                total += part
                if abs(part) < 1e-17 * total:
                    break
        out[i] = min(max(total, 0.0), 1.0)


@kernel
def _kuiper_sf(x: Floats, out: Floats) -> None:
    for i in range(x.size):
        value = x[i]
        if np.isnan(value):
            out[i] = np.nan
        elif value < 0.1 or value > 30:
            # The complement, or the tail, is below the smallest double.
            out[i] = 1.0 if value < 1 else 0.0
        elif value < 1:
            total = 0.0
            for j in range(1, 8):
                total += j * j * math.exp(-((j * math.pi / value) ** 2) / 2)
            out[i] = 1 - math.sqrt(2.0) * math.pi**2.5 / value**3 * total
        else:
            total = 0.0
            for j in range(1, 6):
                square = (j * value) ** 2
                total += (4 * square - 1) * math.exp(-2 * square)
            out[i] = 2 * total
