"""The start of a series without what is wild in it."""

from __future__ import annotations

from statistics import median


def spread_of(values: list[float]) -> float:
    middle = median(values)
    distances = sorted(abs(value - middle) for value in values)
    return 1.4826 * distances[len(values) // 2] or distances[9 * len(values) // 10] / 1.645


def tamed(values: list[float], most: float) -> list[float]:
    middle, spread = median(values), spread_of(values)
    return [sorted((middle - most * spread, value, middle + most * spread))[1] for value in values]
