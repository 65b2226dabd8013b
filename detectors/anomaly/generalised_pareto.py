"""The generalised Pareto distribution of largest likelihood, by Grimshaw's reduction to one unknown.

S. D. Grimshaw, Computing maximum likelihood estimates for the generalized Pareto distribution, Technometrics 35 (1993).
"""

from __future__ import annotations

import math

from detectors.contract import FloatArray
from detectors.kernel import kernel

__all__ = ["FEW", "fit", "fit_safely"]

FEW = 10
"""Of fewer peaks the shape cannot be told: they are taken to be exponential."""

_FAR, _NEAR, _WIDE = 13, 6, 16  # places towards the pole, towards 0 and away from 0, each 4 times the one before


@kernel
def equation(peaks: FloatArray, count: int, unit: float, x: float) -> tuple[float, float]:
    """Return Grimshaw's ``u(x) * v(x) - 1`` and the shape ``v(x) - 1``, of peaks in units of `unit`."""
    inverse, logarithm = 0.0, 0.0
    for j in range(count):
        part = x * (peaks[j] / unit)
        inverse += 1.0 / (1.0 + part)
        logarithm += math.log1p(part)
    shape = logarithm / count
    return inverse / count * (1.0 + shape) - 1.0, shape


@kernel
def root(peaks: FloatArray, count: int, unit: float, end_a: float, end_b: float) -> float:
    """Return where between `end_a` and `end_b`, of different sign, the equation holds; by 40 halvings."""
    positive = equation(peaks, count, unit, end_a)[0] > 0.0
    for _ in range(40):
        middle = 0.5 * (end_a + end_b)
        if (equation(peaks, count, unit, middle)[0] > 0.0) == positive:
            end_a = middle
        else:
            end_b = middle
    return 0.5 * (end_a + end_b)


@kernel
def looked_at(j: int, pole: float) -> float:
    """Return the `j`-th place at which the equation is looked at: from the pole to near 0, then away from 0."""
    if j < _FAR:
        return pole * (1.0 - 0.25 ** (_FAR - j))
    if j < _FAR + _NEAR:
        return pole * 0.5 * 0.25 ** (j - _FAR)
    return 0.25**_NEAR * 4.0 ** (j - _FAR - _NEAR)


@kernel
def fit(peaks: FloatArray, count: int) -> tuple[float, float]:
    """Return shape and scale of largest likelihood of the first `count` peaks (Grimshaw 1993, section 2).

    Every change of sign between the places that are looked at gives a candidate; shape 0, which is exponential, is one
    too, and its likelihood the one to beat.
    """
    total, largest = 0.0, 0.0
    for j in range(count):
        total += peaks[j] / count
        largest = max(largest, peaks[j])
    if total == 0.0:  # peaks of the smallest numbers
        return 0.0, largest
    unit = total
    best_shape, best_scale, best = 0.0, 1.0, -1.0
    if count >= FEW:
        pole = -unit / largest
        previous_sign = 0.0
        for j in range(_FAR + _NEAR + _WIDE):
            x = looked_at(j, pole)
            sign = equation(peaks, count, unit, x)[0]
            # Between the last place on the one side of 0 and the first on the other there is 0 itself, no solution.
            if j not in (0, _FAR + _NEAR) and (sign > 0.0) != (previous_sign > 0.0):
                at = root(peaks, count, unit, looked_at(j - 1, pole), x)
                shape = equation(peaks, count, unit, at)[1]
                if shape / at > 0.0:
                    likelihood = -math.log(shape / at) - shape - 1.0
                    if likelihood > best:
                        best_shape, best_scale, best = shape, shape / at, likelihood
            previous_sign = sign
    return best_shape, best_scale * unit


@kernel
def fit_safely(peaks: FloatArray, count: int, margin: float) -> tuple[float, float]:
    """Return what :func:`fit` does, with a shape that is `margin` standard errors more, ``(1 + shape) / sqrt(k)`` each.

    That holds for shapes above -1/2 (Smith 1985), below which likelihood says too much of where a tail ends.
    """
    shape, scale = fit(peaks, count)
    if margin == 0.0:
        return shape, scale
    shape = max(shape, -0.5)
    return shape + margin * (1.0 + shape) / math.sqrt(count), scale
