"""The baseline of a chart in compiled code: stretches of quiet windows in a ring, and their sum."""

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
    rules: Integers, chunk_sums: Integers, chunk_times: Integers, place: Integers, total_sums: Integers, about: Integers
) -> bool:
    """Write what the baseline is; return whether there is enough of it."""
    size = chunk_times.shape[0]
    first = place[0]
    count = place[1]
    events = total_sums[N] + total_sums[MISSING] + total_sums[INVALID]
    about[:] = 0
    if count > 0 and rules[BASELINE] != DATASET:
        about[BASELINE_FROM] = chunk_times[first, FROM_MS]
        about[BASELINE_TO] = chunk_times[(first + count - 1) % size, TO_MS]
    if rules[BASELINE] == FIRST_EVENTS:
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
    end_ms: int, counts: Integers, sums: Integers, extremes: Floats, known: Array, by_hash: Integers, rules: Integers,
    chunks: Integers, chunk_sums: Integers, chunk_extremes: Floats, chunk_times: Integers, place: Integers,
    total: Integers, total_sums: Integers, total_extremes: Floats,
) -> bool:  # fmt: skip
    """Take a quiet window into the baseline; return whether that changed it."""
    if rules[BASELINE] == DATASET or (rules[BASELINE] == FIRST_EVENTS and events_of(total_sums) >= rules[NEEDED]):
        return False
    size = chunk_times.shape[0]
    last = (place[0] + place[1] - 1) % size
    if place[1] > 0 and chunk_times[last, WINDOWS] < rules[CHUNK_WINDOWS]:
        chunk_times[last, TO_MS] = end_ms
        chunk_times[last, WINDOWS] += 1
    else:
        place[1] += 1
        last = (place[0] + place[1] - 1) % size
        chunks[last] = 0
        chunk_sums[last] = 0
        chunk_extremes[last, 0] = np.inf
        chunk_extremes[last, 1] = -np.inf
        chunk_times[last, FROM_MS] = end_ms - rules[WINDOW_MS]
        chunk_times[last, TO_MS] = end_ms
        chunk_times[last, WINDOWS] = 1
    _add(counts, sums, extremes, chunks[last], chunk_sums[last], chunk_extremes[last])
    _add(counts, sums, extremes, total, total_sums, total_extremes)
    # A name that was cut away cannot be told from a window that leaves: sums that lack names are made anew.
    lacking = rules[CATEGORY] == 1 and _cut(rules[SAMPLE], known, by_hash, chunks[last], chunk_sums[last])
    lacking |= rules[CATEGORY] == 1 and _cut(rules[SAMPLE], known, by_hash, total, total_sums)
    lacking |= total_sums[OTHER] > 0
    left = _drop_oldest(rules, chunks, chunk_sums, chunk_times, place, total, total_sums)
    if lacking or left:
        _sum_up(lacking, chunks, chunk_sums, chunk_extremes, place, total, total_sums, total_extremes)
    if lacking:
        _cut(rules[SAMPLE], known, by_hash, total, total_sums)
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
    rules: Integers, chunks: Integers, chunk_sums: Integers, chunk_times: Integers, place: Integers,
    total: Integers, total_sums: Integers,
) -> bool:  # fmt: skip
    """Take stretches off a rolling baseline that reaches over its span without them."""
    if rules[BASELINE] != ROLLING:
        return False
    size = chunk_times.shape[0]
    windows = 0
    for c in range(1, place[1]):
        windows += chunk_times[(place[0] + c) % size, WINDOWS]
    left = False
    while place[1] > 1 and windows >= rules[SPAN_WINDOWS]:
        oldest = place[0]
        for k in range(total.size):
            total[k] -= chunks[oldest, k]
        for s in range(SUMS):
            total_sums[s] -= chunk_sums[oldest, s]
        place[0] = (oldest + 1) % size
        place[1] -= 1
        windows -= chunk_times[place[0], WINDOWS]
        left = True
    return left


@inlined
def _sum_up(
    anew: bool, chunks: Integers, chunk_sums: Integers, chunk_extremes: Floats, place: Integers,
    total: Integers, total_sums: Integers, total_extremes: Floats,
) -> None:  # fmt: skip
    """Find the extremes of what is left of the baseline, which cannot be subtracted; ``anew`` its counts too."""
    if anew:
        total[:] = 0
        total_sums[:] = 0
    total_extremes[0] = np.inf
    total_extremes[1] = -np.inf
    for c in range(place[1]):
        chunk = (place[0] + c) % chunks.shape[0]
        if anew:
            for k in range(total.size):
                total[k] += chunks[chunk, k]
            for s in range(SUMS):
                total_sums[s] += chunk_sums[chunk, s]
        total_extremes[0] = min(total_extremes[0], chunk_extremes[chunk, 0])
        total_extremes[1] = max(total_extremes[1], chunk_extremes[chunk, 1])


@inlined
def _cut(sample: int, known: Array, by_hash: Integers, counts: Integers, sums: Integers) -> bool:
    """Count the undeclared names beyond the bottom-k sample as others; return whether there were any."""
    kept = 0
    cut = False
    for i in range(by_hash.size):
        k = by_hash[i]
        if counts[k] == 0 or known[k]:
            continue
        kept += 1
        if kept > sample:
            sums[OTHER] += counts[k]
            counts[k] = 0
            cut = True
    return cut


@kernel
def cut_windows(sample: int, known: Array, by_hash: Integers, counts: Integers, sums: Integers) -> None:
    """Cut each window's names, [T, K] and [T, SUMS], to the bottom-k sample."""
    for t in range(counts.shape[0]):
        _cut(sample, known, by_hash, counts[t], sums[t])
