"""Merge cells into groups, so that a small window has enough observations in each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Groups = npt.NDArray[np.int64]


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
    occupied = np.flatnonzero(counts)
    if occupied.size == 0:
        return np.zeros(counts.size, dtype=np.int64)
    inner = slice(int(occupied[0]), int(occupied[-1]) + 1)
    starts = np.zeros(counts.size, dtype=np.int64)
    starts[inner] = _starts(counts[inner].tolist(), float(counts.sum()), max_groups)
    if inner.stop < counts.size:
        starts[inner.stop] = 1
    groups: Groups = np.cumsum(starts)
    return np.asarray(groups - groups[0])


def coarsen_names(reference_counts: npt.ArrayLike, max_groups: int = 20) -> Groups:
    """Merge cells without an order: one group for all rare names, one for all that the baseline does not have.

    Parameters
    ----------
    reference_counts
        Counts of the baseline, [cells].
    max_groups
        Names with at least ``1 / max_groups`` of the mass stand alone, so there are at most ``max_groups + 2`` groups.

    Returns
    -------
    int64[cells]: 0, 1, … for names that stand alone, then one number for the rare ones, then one for the new ones.

    Raises
    ------
    ValueError
        If the counts are not a vector or negative, or `max_groups` is below 1.

    Examples
    --------
    >>> coarsen_names([50, 1, 0, 48, 1, 0], max_groups=10).tolist()
    [0, 2, 3, 1, 2, 3]
    """
    counts = _checked(reference_counts, max_groups)
    common = (counts > 0) & (counts * max_groups >= counts.sum())
    alone = int(common.sum())
    return np.where(common, np.cumsum(common) - 1, np.where(counts > 0, alone, alone + 1)).astype(np.int64)


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


def _checked(reference_counts: npt.ArrayLike, max_groups: int) -> npt.NDArray[Any]:
    counts = np.asarray(reference_counts)
    if counts.ndim != 1 or (counts < 0).any():
        raise ValueError("the baseline's counts must be a vector without negative numbers")
    if max_groups < 1:
        raise ValueError(f"max_groups must be at least 1, not {max_groups}")
    return counts


def _starts(counts: list[float], total: float, max_groups: int) -> list[int]:
    """Return 1 for each cell with which a group begins."""
    starts: list[int] = []
    light: list[float] = []
    for count in counts:
        if count * max_groups < total:
            light.append(count)
        else:
            starts += [*_starts_of_light(light, total, max_groups), 1]
            light = []
    return starts + _starts_of_light(light, total, max_groups)


def _starts_of_light(counts: list[float], total: float, max_groups: int) -> list[int]:
    starts = [0] * len(counts)
    mass = 0.0
    begins = [0]
    for i, count in enumerate(counts):
        mass += count
        if mass * max_groups >= total:
            begins.append(i + 1)
            mass = 0.0
    # The last group is what is left over; it stays only if it is all there is.
    for i in begins[:-1] or begins:
        if i < len(counts):
            starts[i] = 1
    return starts
