"""A window beside its baseline: the matrices that distances take, and which numbers they stand for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.chart.legend import GROUPS
from detectors.distance import (
    DISTANCES,
    VECTOR_DISTANCES,
    Aligned,
    align,
    align_all,
    coarsen_names,
    group_all,
    grouped,
)
from detectors.distance.compare import compare
from detectors.distance.contract import INVALID_EVENTS, LOCATED, MISSING_EVENTS, NEW_NAMES
from detectors.sketch import CategorySummary, JointLayout, NumericLayout, NumericSummary, VectorSummary
from monitor.watch import Layout, Summary

__all__ = [
    "FINE",
    "RATES",
    "Measured",
    "Stack",
    "measure_all",
    "measure_vectors",
    "stacked",
    "unseen",
]

FINE = frozenset(name for name, distance in DISTANCES.items() if distance.is_fine)
"""Distances that use every cell."""

PLACED = frozenset(name for name, distance in DISTANCES.items() if distance.reads == LOCATED)
"""Distances that ask where cells lie."""

RATES = frozenset(name for name, distance in DISTANCES.items() if distance.is_rate)
"""Distances of the share of events, or values, with a property."""


@dataclass(frozen=True)
class Measured:
    """What a distance says of one window.

    Attributes
    ----------
    statistic, effect, p_value, min_effect : float
    detail : str
    """

    statistic: float
    effect: float
    p_value: float
    min_effect: float
    detail: str = ""


@dataclass(frozen=True)
class Stack:
    """Counts of the same cells in the baseline and in the window, of many signals, one a row.

    Behind a row's own cells all counts are 0.

    Attributes
    ----------
    signals : sequence of str
    reference, current : int64 array [signals, cells]
    positions : float64 array [signals, cells] or None
    """

    signals: Collection[str]
    reference: NDArray[np.int64]
    current: NDArray[np.int64]
    positions: NDArray[np.float64] | None = None


def measure_all(name: str, stacks: Sequence[Stack]) -> dict[str, Measured]:
    """Apply a distance to all signals of some stacks.

    Parameters
    ----------
    name : str
    stacks : sequence of Stack
        One at least.
    """
    reference = _on_top([stack.reference for stack in stacks])
    current = _on_top([stack.current for stack in stacks])
    positions = stacks[0].positions if name in PLACED else None  # numbers alone have a place: one stack
    measured = _measured(name, reference, current, positions)
    return dict(zip((signal for stack in stacks for signal in stack.signals), measured, strict=True))


def _on_top(matrices: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    rows, width = sum(len(matrix) for matrix in matrices), max(matrix.shape[1] for matrix in matrices)
    out, row = np.zeros((rows, width), dtype=np.int64), 0
    for matrix in matrices:
        out[row : row + len(matrix), : matrix.shape[1]] = matrix
        row += len(matrix)
    return out


def _measured(name: str, reference: Any, current: Any, positions: Any) -> list[Measured]:
    compared, min_effect = compare(name, reference, current, positions), DISTANCES[name].default_min_effect
    columns = (compared.statistic.tolist(), compared.effect.tolist(), compared.p_value.tolist())
    return [Measured(s, e, p, min_effect) for s, e, p in zip(*columns, strict=True)]


def measure_vectors(name: str, layout: Layout, reference: Summary | None, window: Summary) -> Measured:
    """Apply a distance of vectors to one series.

    Parameters
    ----------
    name : str
    layout : Layout
        With a part for the distance.
    reference, window : Summary
    """
    assert isinstance(layout, JointLayout)
    assert isinstance(reference, VectorSummary)
    assert isinstance(window, VectorSummary)
    distance = VECTOR_DISTANCES[name]
    sides = [layout.part(name, side) for side in (reference, window)]
    compared = distance.compare(layout.parts[name], sides[:1], sides[1:])
    statistic, effect, p_value = (float(part[0]) for part in (compared.statistic, compared.effect, compared.p_value))
    return Measured(statistic, effect, p_value, distance.default_min_effect)


def stacked(
    detectors: Mapping[str, Sequence[str]],
    layouts: Mapping[str, Layout],
    sides: Mapping[str, tuple[Summary, Summary]],
) -> dict[str, list[Stack]]:
    """Align the two sides of many signals for each detector.

    Parameters
    ----------
    detectors : mapping of str to sequence of str
        The signals that each detector is for; a distance of numbers is for all that there are.
    layouts : mapping of str to layout
    sides : mapping of str to (summary, summary)
        Baseline and window.
    """
    numbers = [signal for signal, (baseline, _) in sides.items() if isinstance(baseline, NumericSummary)]
    fine, coarse = _stacks_of_numbers(numbers, layouts, sides)
    of_names: dict[str, Stack] = {}
    stacks: dict[str, list[Stack]] = {}
    for name, signals in detectors.items():
        if DISTANCES[name].reads == NEW_NAMES:
            stacks[name] = [_stack_of_new_names(signal, *sides[signal]) for signal in signals]
            continue
        if name in RATES:
            shares = np.array([_shares(name, *sides[signal]) for signal in signals]).reshape(-1, 2, 2)
            stacks[name] = [Stack(signals, shares[:, 0], shares[:, 1])]
            continue
        alone = [signal for signal in signals if signal not in fine.signals]
        stacks[name] = [fine if name in FINE else coarse] if len(alone) < len(signals) else []
        for signal in alone:
            if signal not in of_names:
                of_names[signal] = _stack_of_names(signal, *sides[signal])
            stacks[name].append(of_names[signal])
    return stacks


def _stacks_of_numbers(
    signals: Sequence[str], layouts: Mapping[str, Layout], sides: Mapping[str, tuple[Any, Any]]
) -> tuple[Stack, Stack]:
    """All numeric signals in their own cells, and in merged ones."""
    names = dict.fromkeys(signals)
    aligned = align_all([sides[signal][0] for signal in signals], [sides[signal][1] for signal in signals])
    fine = Stack(names, aligned.reference, aligned.current, _positions(signals, layouts, sides, aligned))
    return fine, Stack(names, *group_all(aligned, GROUPS))


def _positions(
    signals: Sequence[str], layouts: Mapping[str, Layout], sides: Mapping[str, tuple[Any, Any]], aligned: Aligned
) -> NDArray[np.float64]:
    """Where the cells lie; behind a row's own cells, where its last one does."""
    positions: NDArray[np.float64] = np.zeros(aligned.cells.shape)
    inside = np.arange(aligned.cells.shape[1]) < aligned.widths[:, None]
    kinds: dict[str, list[int]] = {}
    for row, signal in enumerate(signals):
        kinds.setdefault(layouts[signal].id, []).append(row)
    for rows in kinds.values():  # signals whose layouts are the same at once
        layout = layouts[signals[rows[0]]]
        assert isinstance(layout, NumericLayout)
        where = np.zeros_like(inside)
        where[rows] = inside[rows]
        positions[where] = layout.midpoint(aligned.cells[where])
    for row, signal in enumerate(signals):
        a, b = sides[signal]
        width = aligned.widths[row]
        if width:
            np.clip(positions[row], min(a.min, b.min), max(a.max, b.max), out=positions[row])
            positions[row, width:] = positions[row, width - 1]
    return positions


def _stack_of_names(signal: str, reference: Summary, window: Summary) -> Stack:
    """The names that both sides count one by one, and last all other names together, in merged cells."""
    assert isinstance(reference, CategorySummary)
    assert isinstance(window, CategorySummary)
    _, a, b = align(reference, window)
    groups = coarsen_names(a + b, GROUPS)
    return Stack([signal], grouped(a[None], groups), grouped(b[None], groups))


def _stack_of_new_names(signal: str, reference: Summary, window: Summary) -> Stack:
    """All other names together, and the names that both sides count one by one."""
    assert isinstance(reference, CategorySummary)
    assert isinstance(window, CategorySummary)
    _, a, b = align(reference, window)
    return Stack([signal], np.roll(a, 1)[None], np.roll(b, 1)[None])


def unseen(reference: CategorySummary, window: CategorySummary) -> dict[str, int]:
    """Names in the window that the baseline does not hold, with their counts.

    Where a side holds more names than it tells apart, only names that both would have told apart count.
    """
    names, a, b = align(reference, window)
    return {name: int(b[k]) for k, name in enumerate(names) if b[k] and not a[k]}


def _shares(detector: str, reference: Summary, window: Summary) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return how many events have a property, and how many have not, in the baseline and in the window."""
    reads = DISTANCES[detector].reads
    (a, a_all), (b, b_all) = _share(reads, reference), _share(reads, window)
    return (a, a_all - a), (b, b_all - b)


def _share(reads: int, summary: Summary) -> tuple[int, int]:
    if reads == MISSING_EVENTS:
        return summary.missing, summary.total
    if reads == INVALID_EVENTS:
        return summary.invalid, summary.total
    assert isinstance(summary, NumericSummary)
    return summary.out_of_range, summary.n
