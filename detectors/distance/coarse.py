"""Merge cells into groups, so that a small window has enough observations in each.

One kernel does it for windows that are evaluated and for spans that are compared.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.kernel import inlined, kernel

Groups = npt.NDArray[np.int64]
Integers = npt.NDArray[np.int64]


def coarsen(reference_counts: npt.ArrayLike, max_groups: int = 20) -> Groups:
    """Merge neighbouring cells by the mass that the baseline has in them.

    - A cell with at least ``1 / max_groups`` of the mass stands alone: what it says is not to be diluted.
    - Between such cells, neighbours are merged from the left until they have as much; what is left over joins the
      group before it, or is a group by itself if there is none.
    - Empty cells before the first and after the last occupied cell are a group of their own on each side. Joining
      them to a neighbour would hide values beyond the baseline's extremes whenever they replace that neighbour's.
      While they stay empty they are free: no distance counts a group that is empty on both sides.

    Parameters
    ----------
    reference_counts
        Counts of the baseline, [cells] in the order of values.
    max_groups
        The reciprocal of the least mass of a group. There are at most ``2 * max_groups + 3`` groups.

    Returns
    -------
    int64[cells], ascending from 0: the group of each cell. A baseline without mass is one group.

    Raises
    ------
    ValueError
        If the counts are not a vector or negative, or `max_groups` is below 1.

    Examples
    --------
    >>> coarsen([0, 2, 3, 90, 1, 4, 0, 0], max_groups=10).tolist()
    [0, 1, 1, 2, 3, 3, 4, 4]
    """
    counts = _checked(reference_counts, max_groups)
    bounds = np.zeros(max(counts.size, 2 * max_groups + 3) + 2, dtype=np.int64)
    lengths = np.diff(bounds[: 1 + _group_cells(counts, max_groups, bounds)])
    return np.repeat(np.arange(np.count_nonzero(lengths)), lengths[lengths > 0])


def coarsen_names(pooled_counts: npt.ArrayLike, max_groups: int = 20) -> Groups:
    """Merge cells without an order by what both sides together have of them.

    - A name with at least ``1 / max_groups`` of the mass stands alone.
    - Of rarer names those are together that are about as frequent: that occur once, two or three times, four to seven
      times, and so on. What is new is so diluted only by what is as rare.
    - All names that are not counted one by one are a group.

    Groups that were made by the baseline's counts alone would differ though nothing changed: where names are many, a
    group of those that the baseline lacks has nothing in it on that side, and something in nearly every window. Given
    what both sides together have of each name, all ways to deal events out to them are equally likely, and so they are
    for groups that follow from nothing else: tests of homogeneity given all margins (Agresti, *Categorical Data
    Analysis*, 2013, section 3.5) hold for them.

    Parameters
    ----------
    pooled_counts
        Counts of both sides added up, [cells]; the last cell is of all names that are not counted one by one.
    max_groups
        The reciprocal of the least mass of a name that stands alone.

    Returns
    -------
    int64[cells]: 0, 1, … for names that stand alone, then for rare ones by how often they occur, then for all others.

    Raises
    ------
    ValueError
        If the counts are not a vector or negative, or `max_groups` is below 1.

    Examples
    --------
    >>> coarsen_names([50, 1, 3, 48, 2, 0], max_groups=10).tolist()
    [0, 2, 3, 1, 3, 4]
    """
    counts = _checked(pooled_counts, max_groups)
    groups = np.zeros(counts.size, dtype=np.int64)
    if counts.size:
        _group_names(counts, max_groups, groups)
    return groups


def grouped(counts: npt.ArrayLike, groups: Groups) -> npt.NDArray[Any]:
    """Add up the columns of each group.

    Parameters
    ----------
    counts
        [cells] or [series, cells].
    groups
        int64[cells], from `coarsen` or `coarsen_names`.

    Returns
    -------
    [groups] or [series, groups], of the dtype of `counts`.

    Raises
    ------
    ValueError
        If there is not one group for each cell.

    Examples
    --------
    >>> grouped([[1, 2, 3], [4, 5, 6]], np.array([0, 1, 1])).tolist()
    [[1, 5], [4, 11]]
    """
    columns = np.asarray(counts)
    if columns.shape[-1:] != groups.shape:
        raise ValueError(f"{groups.shape} groups do not fit counts of shape {columns.shape}")
    sums = np.zeros((int(groups.max(initial=-1)) + 1, *columns.shape[:-1]), dtype=columns.dtype)
    np.add.at(sums, groups, np.moveaxis(columns, -1, 0))
    return np.ascontiguousarray(np.moveaxis(sums, 0, -1))


def _checked(of_cells: npt.ArrayLike, max_groups: int) -> Groups:
    counts = np.asarray(of_cells)
    if counts.ndim != 1 or (counts < 0).any():
        raise ValueError("counts of cells must be a vector without negative numbers")
    if max_groups < 1:
        raise ValueError(f"max_groups must be at least 1, not {max_groups}")
    return counts.astype(np.int64)


@kernel
def _group_cells(counts: Groups, most: int, bounds: Groups) -> int:
    return group_cells(counts, counts.sum(), most, bounds)


@kernel
def _group_names(counts: Groups, most: int, groups: Groups) -> None:
    group_names(counts[:-1], counts.sum(), most, groups)


@inlined
def group_names(pooled: Integers, mass: int, most: int, groups: Integers) -> int:
    """Write the group of each name, and last that of all others; return how many groups there are at most.

    Common names stand alone, rare ones are with those of which there are as many, up to a factor of two.
    """
    alone = 0
    octaves = 1
    for k in range(pooled.size):
        if pooled[k] * most < mass:
            octaves = max(octaves, math.frexp(float(pooled[k]))[1])
        elif pooled[k] > 0:
            groups[k] = alone
            alone += 1
    groups[pooled.size] = alone + octaves
    for k in range(pooled.size):
        if pooled[k] == 0:
            groups[k] = alone + octaves
        elif pooled[k] * most < mass:
            groups[k] = alone + math.frexp(float(pooled[k]))[1] - 1
    return alone + octaves + 1


@inlined
def group_cells(counts: Integers, mass: int, most: int, groups: Integers) -> int:
    """Write the first cell of each group, and the end of the last one; return how many groups there are.

    Neighbours are merged until they hold one part in ``most``; a cell that does by itself stands alone. The first and
    the last group are of the cells outside of the baseline's, which may be none.
    """
    low = 0
    while low < counts.size and counts[low] == 0:
        low += 1
    high = counts.size - 1
    while high > low and counts[high] == 0:
        high -= 1
    groups[0] = 0
    groups[1] = counts.size
    if low == counts.size:
        return 1
    # Group 0 lies before the baseline's first cell. `group` is the one under way, `light` what it holds, `run_start`
    # the first of the run of light cells under way: what is left over at its end joins the group before it, if it has
    # one.
    group = 1
    groups[1] = low
    run_start = 1
    light = 0
    for k in range(low, high + 1):
        light += counts[k]
        if counts[k] * most >= mass:
            if groups[group] < k:
                # The run before this cell ends.
                group += 1 if group == run_start else 0
                groups[group] = k
            group += 1
            groups[group] = k + 1
            run_start = group
            light = 0
        elif light * most >= mass:
            group += 1
            groups[group] = k + 1
            light = 0
    if groups[group] <= high:
        group += 1 if group == run_start else 0
        groups[group] = high + 1
    groups[group + 1] = counts.size
    return group + 1
