"""Counts of a window and of its baseline added up in groups of cells, and of names which both count one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.chart.legend import GROUPS, SAMPLE, N
from detectors.distance.coarse import group_cells, group_names
from detectors.kernel import inlined

Integers = npt.NDArray[np.int64]
Array = npt.NDArray[Any]


@inlined
def group(total: Integers, total_sums: Integers, so_far: Integers, groups: Integers, mass: Integers) -> int:
    """Merge neighbours by the baseline's counts, as `detectors.distance.coarse` says; return how many groups there are.

    ``groups`` is the first cell of each group, and the end of the last one.
    """
    sizes = group_cells(total, total_sums[N], GROUPS, groups)
    fill_groups(so_far, groups, sizes, mass)
    return sizes


@inlined
def fill_groups(so_far: Integers, groups: Integers, sizes: int, out: Integers) -> None:
    """Add counts up by group."""
    for g in range(sizes):
        out[g] = so_far[groups[g + 1]] - so_far[groups[g]]


@inlined
def group_both(
    names: Integers, window_names: Integers, pooled: Integers, groups: Integers, mass: Integers, window_mass: Integers
) -> int:
    """Merge names by what baseline and window have together, and add both up; return how many groups there are.

    ``names`` and ``window_names`` are what :func:`tell_names_apart` writes; ``pooled`` and ``groups`` are room for
    work.
    """
    events = names[0] + window_names[0]
    for k in range(pooled.size):
        pooled[k] = names[k + 1] + window_names[k + 1]
        events += pooled[k]
    sizes = group_names(pooled, events, GROUPS, groups)
    mass[:] = 0
    window_mass[:] = 0
    mass[sizes - 1] = names[0]
    window_mass[sizes - 1] = window_names[0]
    for k in range(pooled.size):
        mass[groups[k]] += names[k + 1]
        window_mass[groups[k]] += window_names[k + 1]
    return sizes


@inlined
def tell_names_apart(
    rules: Integers, declared: Array, by_hash: Integers, total: Integers, total_sums: Integers, counts: Integers,
    sums: Integers, names: Integers, window_names: Integers,
) -> None:  # fmt: skip
    """Write the counts of names that baseline and window both count one by one, behind that of all others.

    These are declared ones, and the bottom-k sample of the names of both. Of another name a side may have counted some
    with all others, and it would seem to be new.
    """
    names[0] = total_sums[N]
    window_names[0] = sums[N]
    sampled = 0
    for i in range(by_hash.size):
        k = by_hash[i]
        sampled += total[k] + counts[k] > 0 and not declared[k]
        is_apart = declared[k] or sampled <= rules[SAMPLE]
        names[k + 1] = total[k] if is_apart else 0
        window_names[k + 1] = counts[k] if is_apart else 0
        names[0] -= names[k + 1]
        window_names[0] -= window_names[k + 1]
