"""The baseline of a chart in compiled code: chunks of quiet windows in a ring, and their sum."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.chart.legend import (
    BASELINE,
    BASELINE_FROM,
    BASELINE_N,
    BASELINE_TO,
    CATEGORY,
    CHUNK_WINDOWS,
    DATASET,
    FIRST_EVENTS,
    FROM_MS,
    INVALID,
    MISSING,
    NEEDED,
    OTHER,
    PERIOD,
    PROGRESS,
    ROLLING,
    SAMPLE,
    SPAN_WINDOWS,
    SUMS,
    TO_MS,
    WINDOW_MS,
    WINDOWS,
    N,
)
from detectors.chart.measure import events_of
from detectors.kernel import inlined, kernel

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]


@inlined
def describe_baseline(
    rules: Integers,
    chunk_sums: Integers,
    chunk_times: Integers,
    chunks_used: Integers,
    total_sums: Integers,
    about: Integers,
) -> bool:
    """Write what the baseline is; return whether there is enough of it."""
    size = chunk_times.shape[0]
    first = chunks_used[0]
    count = chunks_used[1]
    events = total_sums[N] + total_sums[MISSING] + total_sums[INVALID]
    about[:] = 0
    if count > 0 and rules[BASELINE] != DATASET:
        about[BASELINE_FROM] = chunk_times[first, FROM_MS]
        about[BASELINE_TO] = chunk_times[(first + count - 1) % size, TO_MS]
    if rules[BASELINE] == FIRST_EVENTS or rules[BASELINE] == PERIOD:
        about[PROGRESS] = events
    elif rules[BASELINE] == ROLLING:
        for c in range(count):
            about[PROGRESS] += chunk_times[(first + c) % size, WINDOWS]
    else:
        about[PROGRESS] = count
    learned: bool = count > 0 and about[PROGRESS] >= rules[NEEDED]
    about[BASELINE_N] = events if learned else 0
    return learned


@kernel
def add_window(
    end_ms: int, counts: Integers, sums: Integers, extremes: Floats, declared: Array, by_hash: Integers,
    rules: Integers, chunks: Integers, chunk_sums: Integers, chunk_extremes: Floats, chunk_times: Integers,
    chunks_used: Integers, total: Integers, total_sums: Integers, total_extremes: Floats,
) -> bool:  # fmt: skip
    """Take a quiet window into the baseline; return whether that changed it."""
    if rules[BASELINE] == DATASET or rules[BASELINE] == PERIOD:
        return False
    if rules[BASELINE] == FIRST_EVENTS and events_of(total_sums) >= rules[NEEDED]:
        return False
    size = chunk_times.shape[0]
    newest = (chunks_used[0] + chunks_used[1] - 1) % size
    if chunks_used[1] > 0 and chunk_times[newest, WINDOWS] < rules[CHUNK_WINDOWS]:
        chunk_times[newest, TO_MS] = end_ms
        chunk_times[newest, WINDOWS] += 1
    else:
        chunks_used[1] += 1
        newest = (chunks_used[0] + chunks_used[1] - 1) % size
        chunks[newest] = 0
        chunk_sums[newest] = 0
        chunk_extremes[newest, 0] = np.inf
        chunk_extremes[newest, 1] = -np.inf
        chunk_times[newest, FROM_MS] = end_ms - rules[WINDOW_MS]
        chunk_times[newest, TO_MS] = end_ms
        chunk_times[newest, WINDOWS] = 1
    _add(counts, sums, extremes, chunks[newest], chunk_sums[newest], chunk_extremes[newest])
    _add(counts, sums, extremes, total, total_sums, total_extremes)
    # A name that was cut away cannot be told from a window that leaves: sums that lack names are added up again.
    lacking_names = rules[CATEGORY] == 1 and _cut(rules[SAMPLE], declared, by_hash, chunks[newest], chunk_sums[newest])
    lacking_names |= rules[CATEGORY] == 1 and _cut(rules[SAMPLE], declared, by_hash, total, total_sums)
    lacking_names |= total_sums[OTHER] > 0
    dropped = _drop_oldest(rules, chunks, chunk_sums, chunk_times, chunks_used, total, total_sums)
    if lacking_names or dropped:
        _sum_up(lacking_names, chunks, chunk_sums, chunk_extremes, chunks_used, total, total_sums, total_extremes)
    if lacking_names:
        _cut(rules[SAMPLE], declared, by_hash, total, total_sums)
    return True


@inlined
def _add(
    counts: Integers, sums: Integers, extremes: Floats, to: Integers, to_sums: Integers, to_extremes: Floats
) -> None:
    for k in range(to.size):
        to[k] += counts[k]
    for s in range(SUMS):
        to_sums[s] += sums[s]
    to_extremes[0] = min(to_extremes[0], extremes[0])
    to_extremes[1] = max(to_extremes[1], extremes[1])


@inlined
def _drop_oldest(
    rules: Integers, chunks: Integers, chunk_sums: Integers, chunk_times: Integers, chunks_used: Integers,
    total: Integers, total_sums: Integers,
) -> bool:  # fmt: skip
    """Take chunks off a rolling baseline that reaches over its span without them."""
    if rules[BASELINE] != ROLLING:
        return False
    size = chunk_times.shape[0]
    windows = 0
    for c in range(1, chunks_used[1]):
        windows += chunk_times[(chunks_used[0] + c) % size, WINDOWS]
    dropped = False
    while chunks_used[1] > 1 and windows >= rules[SPAN_WINDOWS]:
        oldest = chunks_used[0]
        for k in range(total.size):
            total[k] -= chunks[oldest, k]
        for s in range(SUMS):
            total_sums[s] -= chunk_sums[oldest, s]
        chunks_used[0] = (oldest + 1) % size
        chunks_used[1] -= 1
        windows -= chunk_times[chunks_used[0], WINDOWS]
        dropped = True
    return dropped


@inlined
def _sum_up(
    recount: bool, chunks: Integers, chunk_sums: Integers, chunk_extremes: Floats, chunks_used: Integers,
    total: Integers, total_sums: Integers, total_extremes: Floats,
) -> None:  # fmt: skip
    """Find the extremes of what is left of the baseline, which cannot be subtracted; ``recount`` its counts too."""
    if recount:
        total[:] = 0
        total_sums[:] = 0
    total_extremes[0] = np.inf
    total_extremes[1] = -np.inf
    for c in range(chunks_used[1]):
        chunk = (chunks_used[0] + c) % chunks.shape[0]
        if recount:
            for k in range(total.size):
                total[k] += chunks[chunk, k]
            for s in range(SUMS):
                total_sums[s] += chunk_sums[chunk, s]
        total_extremes[0] = min(total_extremes[0], chunk_extremes[chunk, 0])
        total_extremes[1] = max(total_extremes[1], chunk_extremes[chunk, 1])


@inlined
def _cut(sample: int, declared: Array, by_hash: Integers, counts: Integers, sums: Integers) -> bool:
    """Count the undeclared names beyond the bottom-k sample as others; return whether there were any."""
    sampled = 0
    cut = False
    for i in range(by_hash.size):
        k = by_hash[i]
        if counts[k] == 0 or declared[k]:
            continue
        sampled += 1
        if sampled > sample:
            sums[OTHER] += counts[k]
            counts[k] = 0
            cut = True
    return cut


@kernel
def cut_windows(sample: int, declared: Array, by_hash: Integers, counts: Integers, sums: Integers) -> None:
    """Cut each window's names, [T, K] and [T, SUMS], to the bottom-k sample."""
    for t in range(counts.shape[0]):
        _cut(sample, declared, by_hash, counts[t], sums[t])
