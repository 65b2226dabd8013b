"""Cells merged into groups by the baseline's counts, in compiled code: `detectors.distance.coarse` says how."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.chart.legend import CATEGORY, GROUPS, OTHER, N
from detectors.kernel import inlined

Integers = npt.NDArray[np.int64]


@inlined
def group(
    rules: Integers, total: Integers, total_sums: Integers, so_far: Integers, groups: Integers, mass: Integers
) -> int:
    """Merge cells by the baseline's counts, as `detectors.distance.coarse` says; return how many groups there are.

    Of names ``groups`` is the group of each; of cells the first cell of each group, and the end of the last one.
    """
    if rules[CATEGORY] == 1:
        sizes = _group_names(total, total_sums, groups)
    else:
        sizes = _group_cells(total, total_sums[N], groups)
    fill_groups(rules, total, total_sums, so_far, groups, sizes, mass)
    return sizes


@inlined
def _group_names(total: Integers, total_sums: Integers, groups: Integers) -> int:
    """Common names stand alone, rare ones are together; the last cell is of all names that the baseline lacks."""
    cells = total.size + 1
    alone = 0
    for k in range(cells):
        count = total[k] if k < total.size else total_sums[OTHER]
        common = count > 0 and count * GROUPS >= total_sums[N]
        groups[k] = alone if common else -1
        alone += common
    rest = total_sums[OTHER]
    if groups[total.size] < 0:
        groups[total.size] = alone if rest > 0 else alone + 1
    for k in range(total.size):
        if groups[k] < 0:
            groups[k] = alone if total[k] > 0 else groups[total.size]
    return alone + 2


@inlined
def _group_cells(total: Integers, mass: int, groups: Integers) -> int:
    """Merge neighbours until they hold a twentieth; a cell that does by itself stands alone."""
    low = 0
    while low < total.size and total[low] == 0:
        low += 1
    high = total.size - 1
    while high > low and total[high] == 0:
        high -= 1
    groups[0] = 0
    groups[1] = total.size
    if low == total.size:
        return 1
    # Group 0 lies before the baseline's first cell. `group` is the one under way, `light` what it holds, `run_start`
    # the first of the run of light cells under way: what is left over at its end joins the group before it, if it has
    # one.
    group = 1
    groups[1] = low
    run_start = 1
    light = 0
    for k in range(low, high + 1):
        light += total[k]
        if total[k] * GROUPS >= mass:
            if groups[group] < k:
                # The run before this cell ends.
                group += 1 if group == run_start else 0
                groups[group] = k
            group += 1
            groups[group] = k + 1
            run_start = group
            light = 0
        elif light * GROUPS >= mass:
            group += 1
            groups[group] = k + 1
            light = 0
    if groups[group] <= high:
        group += 1 if group == run_start else 0
        groups[group] = high + 1
    groups[group + 1] = total.size
    return group + 1


@inlined
def fill_groups(
    rules: Integers, counts: Integers, sums: Integers, so_far: Integers, groups: Integers, sizes: int, out: Integers
) -> None:
    """Add counts up by group."""
    if rules[CATEGORY] == 0:
        for g in range(sizes):
            out[g] = so_far[groups[g + 1]] - so_far[groups[g]]
        return
    out[:] = 0
    for k in range(counts.size):
        out[groups[k]] += counts[k]
    out[groups[counts.size]] += sums[OTHER]
