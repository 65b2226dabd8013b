"""Add the summaries of many panes up to those of windows, as matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.kernel import kernel

__all__ = ["mark", "slide", "stack"]

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]


@kernel
def stack(
    rows: Integers, blocks: Integers, row_sums: Integers, row_extremes: Floats,
    keys: Array, key_starts: Integers, counts: Array, count_starts: Integers,
    column_of: Integers, lowest: int,
    out: Integers, sums: Integers, extremes: Floats, panes: Integers,
) -> int:  # fmt: skip
    """Add panes to blocks.

    Parameters
    ----------
    rows, blocks
        int64[r]: which panes, and the block that each belongs to.
    row_sums, row_extremes
        int64[R, S] and float64[R, 2]: numbers that all panes have; smallest and largest value.
    keys, key_starts, counts, count_starts
        The cells (or numbers of names) of all panes one after another and where each pane's begin, int64[R + 1]; and
        the same of their counts.
    column_of, lowest
        The column of each key from ``lowest`` on; empty where a key is its own column.
    out, sums, extremes, panes
        What is added to: int64[B, K], int64[B, S], float64[B, 2], and the number of panes, int64[B].

    Returns
    -------
    -1, or the first pane with a key that has no column.
    """
    for i in range(rows.size):
        row: int = rows[i]
        block = blocks[i]
        panes[block] += 1
        for s in range(sums.shape[1]):
            sums[block, s] += row_sums[row, s]
        extremes[block, 0] = min(extremes[block, 0], row_extremes[row, 0])
        extremes[block, 1] = max(extremes[block, 1], row_extremes[row, 1])
        shift = count_starts[row] - key_starts[row]
        for j in range(key_starts[row], key_starts[row + 1]):
            column = int(keys[j])
            if column_of.size > 0:
                index = column - lowest
                column = int(column_of[index]) if 0 <= index < column_of.size else -1
            if column < 0 or column >= out.shape[1]:
                return row
            out[block, column] += counts[j + shift]
    return -1


@kernel
def slide(
    parts: int, blocks: Integers, block_sums: Integers, block_extremes: Floats, block_panes: Integers,
    out: Integers, sums: Integers, extremes: Floats, panes: Integers,
) -> None:  # fmt: skip
    """Add each ``parts`` consecutive blocks up to a window; there are ``parts - 1`` fewer windows than blocks."""
    for t in range(out.shape[0]):
        if t == 0:
            for b in range(parts):
                for column in range(out.shape[1]):
                    out[0, column] += blocks[b, column]
                for s in range(sums.shape[1]):
                    sums[0, s] += block_sums[b, s]
                panes[0] += block_panes[b]
        else:
            for column in range(out.shape[1]):
                out[t, column] = out[t - 1, column] + blocks[t + parts - 1, column] - blocks[t - 1, column]
            for s in range(sums.shape[1]):
                sums[t, s] = sums[t - 1, s] + block_sums[t + parts - 1, s] - block_sums[t - 1, s]
            panes[t] = panes[t - 1] + block_panes[t + parts - 1] - block_panes[t - 1]
        for b in range(t, t + parts):
            extremes[t, 0] = min(extremes[t, 0], block_extremes[b, 0])
            extremes[t, 1] = max(extremes[t, 1], block_extremes[b, 1])


@kernel
def mark(rows: Integers, keys: Array, starts: Integers, lowest: int, seen: Array) -> None:
    """Note which keys occur in some panes; ``seen`` is bool, from the key ``lowest`` on."""
    for i in range(rows.size):
        for j in range(starts[rows[i]], starts[rows[i] + 1]):
            seen[keys[j] - lowest] = True
