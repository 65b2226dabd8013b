"""Counts of a window added up in the groups into which the baseline's cells are merged."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.chart.legend import CATEGORY, GROUPS, OTHER, N
from detectors.distance.coarse import group_cells, group_names
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
        sizes = group_names(total, total_sums[OTHER], total_sums[N], GROUPS, groups)
    else:
        sizes = group_cells(total, total_sums[N], GROUPS, groups)
    fill_groups(rules, total, total_sums, so_far, groups, sizes, mass)
    return sizes


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
