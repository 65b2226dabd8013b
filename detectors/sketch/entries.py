"""Counts of names in rows: entries of a hash table, linked by bucket and by row, in compiled code."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.kernel import kernel

Integers = npt.NDArray[np.int64]

# Codes of values that are not names; names come after them.
MISSING, INVALID_CODE, FIRST_NAME = range(3)
# Columns of the sums of one row.
OTHER, ENTRIES, SUMS = range(2, 5)
# Columns of an entry, the count of one name in one row: the next entry of its bucket, the next of its row.
ROW, CODE, COUNT, IN_BUCKET, IN_ROW, FIELDS = range(6)
NONE = -1


@kernel
def _bucket(row: int, code: int, buckets: Integers) -> int:
    """Return the bucket of a pair: the codes of a row lie side by side, from a place that looks random."""
    return (row * 0x9E3779B1 + code) & (buckets.size - 1)


@kernel
def add(
    rows: Integers, codes: Integers, amounts: Integers, sums: Integers, heads: Integers, uses: Integers,
    entries: Integers, buckets: Integers, free: Integers, free_count: Integers,
) -> None:  # fmt: skip
    """Add amounts to the counts of (row, code); there are free entries enough."""
    for i in range(codes.size):
        row = rows[i]
        code = codes[i]
        if code < FIRST_NAME:
            sums[row, code] += amounts[i]
            continue
        bucket = _bucket(row, code, buckets)
        entry = buckets[bucket]
        while entry != NONE and (entries[entry, CODE] != code or entries[entry, ROW] != row):
            entry = entries[entry, IN_BUCKET]
        if entry == NONE:
            free_count[0] -= 1
            entry = free[free_count[0]]
            entries[entry, ROW] = row
            entries[entry, CODE] = code
            entries[entry, COUNT] = 0
            entries[entry, IN_BUCKET] = buckets[bucket]
            entries[entry, IN_ROW] = heads[row]
            buckets[bucket] = entry
            heads[row] = entry
            uses[code] += 1
            sums[row, ENTRIES] += 1
        entries[entry, COUNT] += amounts[i]


@kernel
def evict(
    row: int, leaves: npt.NDArray[np.bool_], sums: Integers, heads: Integers, uses: Integers, entries: Integers,
    buckets: Integers, free: Integers, free_count: Integers,
) -> None:  # fmt: skip
    """Move the counts of the codes that leave a row to its `OTHER`, and free their entries."""
    entry = heads[row]
    heads[row] = NONE
    while entry != NONE:
        following = entries[entry, IN_ROW]
        code = entries[entry, CODE]
        if leaves[code]:
            bucket = _bucket(row, code, buckets)
            if buckets[bucket] == entry:
                buckets[bucket] = entries[entry, IN_BUCKET]
            else:
                previous = buckets[bucket]
                while entries[previous, IN_BUCKET] != entry:
                    previous = entries[previous, IN_BUCKET]
                entries[previous, IN_BUCKET] = entries[entry, IN_BUCKET]
            sums[row, OTHER] += entries[entry, COUNT]
            sums[row, ENTRIES] -= 1
            uses[code] -= 1
            entries[entry, ROW] = NONE
            free[free_count[0]] = entry
            free_count[0] += 1
        else:
            entries[entry, IN_ROW] = heads[row]
            heads[row] = entry
        entry = following


@kernel
def rebuild_buckets(entries: Integers, buckets: Integers) -> None:
    for entry in range(entries.shape[0]):
        if entries[entry, ROW] != NONE:
            bucket = _bucket(entries[entry, ROW], entries[entry, CODE], buckets)
            entries[entry, IN_BUCKET] = buckets[bucket]
            buckets[bucket] = entry


@kernel
def read_row(row: int, entries: Integers, heads: Integers, codes: Integers, counts: Integers) -> None:
    entry = heads[row]
    i = 0
    while entry != NONE:
        codes[i] = entries[entry, CODE]
        counts[i] = entries[entry, COUNT]
        i += 1
        entry = entries[entry, IN_ROW]
