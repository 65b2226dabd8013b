"""A control chart in compiled code: the windows of one series in order, each against a baseline that learns.

What is decided about a window depends on all windows before it, through the baseline and through what the series
usually does, so that windows cannot be evaluated apart; a month of them takes Python minutes.

P-values are left out: few windows need them. Where a decision hangs on one, the loop stops and says so. So it
does where a window of vectors is to be measured, which takes linear algebra.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.chart.baseline import add_window, describe_baseline
from detectors.chart.decide import QUIET, decide, learn, log_effect
from detectors.chart.groups import fill_groups, group, group_both, tell_names_apart
from detectors.chart.legend import (
    CATEGORY,
    DRIFT,
    ENOUGH,
    INVALID,
    LEARNING,
    MIN_SAMPLES,
    MISSING,
    MOST_GROUPS,
    NO_BASELINE,
    NO_DATA,
    READS,
    REASON,
    STATUS,
    STEP_MS,
    TOO_FEW,
    WINDOW_MS,
    N,
)
from detectors.chart.measure import copy_answer, measure
from detectors.distance.contract import CUMULATIVE, EFFECT, GROUPED, LOCATED, VECTORS
from detectors.distance.counts import add_up
from detectors.kernel import kernel

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]


@kernel
def evaluate_windows(  # noqa: PLR0912, PLR0915 -- the life of a window, top to bottom
    first: int, counts: Integers, sums: Integers, extremes: Floats, ends_ms: Integers,
    positions: Floats, declared: Array, by_hash: Integers,
    tests: Integers, min_effects: Floats, rules: Integers, odds: Floats, thresholds: Floats,
    chunks: Integers, chunk_sums: Integers, chunk_extremes: Floats, chunk_times: Integers, chunks_used: Integers,
    total: Integers, total_sums: Integers, total_extremes: Floats,
    ring: Floats, ordered: Floats, displaced: Floats, memory: Integers,
    p_values: Floats, of_vectors: Floats, with_surprise: bool,
    numbers: Floats, codes: Integers, about: Integers, newest: Integers,
) -> int:  # fmt: skip
    """Evaluate windows from ``first`` on, and learn from them.

    Parameters
    ----------
    first
        Where to start; ``p_values`` are those of this very window, or NaN at 0 where they are not known.
    counts, sums, extremes, ends_ms
        The windows: int64[T, K], int64[T, SUMS], float64[T, 2], int64[T].
    positions, declared, by_hash
        The columns: where a cell lies, float64[K]; for categories bool[K], and int64[K], the columns in the order of
        hashes and then names.
    tests, min_effects
        int64[D, TEST], float64[D].
    rules, odds, thresholds
        int64[RULES]; the accepted tail probability, and the false alarms of a model per window; the surprise from
        which on a window alarms, by how many windows were seen, float64[HISTORY + 1].
    chunks … total_extremes
        The baseline, in chunks that lie in a ring, ``chunks_used`` being the first one and their number; and their
        sum.
    ring, ordered, displaced, memory
        float64[D, size] in the order of coming and of size, float64[D, MOST_WAITING], int64[D, MEMORY].
    of_vectors
        What distances of vectors answer for window ``first``, float64[D, ANSWER]; without rows where none was asked.
    with_surprise
        Whether the surprise of windows that are not material is asked for; nothing depends on it.
    numbers, codes, about, newest
        What is found: float64[T, D, NUMBERS], int64[T, D, CODES], int64[T, ABOUT], int64[T, NEWEST, 2].

    Returns
    -------
    The window that must be measured, or whose p-values are needed, before it can be decided about; or T.
    """
    groups = np.zeros(max(total.size, MOST_GROUPS) + 1, dtype=np.int64)
    mass = np.zeros(MOST_GROUPS, dtype=np.int64)
    window_mass = np.zeros(MOST_GROUPS, dtype=np.int64)
    # Sums up to each cell: groups of neighbours are differences of them, and distances of cumulative shares need them.
    total_so_far = np.zeros(total.size + 1, dtype=np.int64)
    counts_so_far = np.zeros(total.size + 1, dtype=np.int64)
    # Where cells lie, within the smallest and the largest value of both sides.
    positions_within = np.zeros(total.size)
    extremes_of_both = np.zeros(2)
    rate = np.zeros((2, 2), dtype=np.int64)
    # All names together that the baseline or the window does not count one by one, and each of the others.
    names = np.zeros(total.size + 1, dtype=np.int64)
    window_names = np.zeros(total.size + 1, dtype=np.int64)
    pooled = np.zeros(total.size, dtype=np.int64)
    floors = np.empty(min_effects.size)
    cumulative = False
    coarse = False
    located = False
    vectors = False
    for d in range(min_effects.size):
        vectors |= tests[d, READS] == VECTORS
        cumulative |= rules[CATEGORY] == 0 and tests[d, READS] <= CUMULATIVE
        coarse |= tests[d, READS] == GROUPED
        located |= tests[d, READS] == LOCATED
        floors[d] = log_effect(0.0, min_effects[d])
    stale = True
    sizes = 0
    for t in range(first, ends_ms.size):
        learned = describe_baseline(rules, chunk_sums, chunk_times, chunks_used, total_sums, about[t])
        events = sums[t, N] + sums[t, MISSING] + sums[t, INVALID]
        if events < rules[MIN_SAMPLES] or not learned:
            for d in range(min_effects.size):
                numbers[t, d, :] = np.nan
                codes[t, d, :] = 0
                codes[t, d, STATUS] = LEARNING if events >= rules[MIN_SAMPLES] else NO_DATA
                codes[t, d, REASON] = NO_BASELINE if events >= rules[MIN_SAMPLES] else TOO_FEW
            if events < rules[MIN_SAMPLES]:
                continue
        else:
            if vectors and (t > first or of_vectors.shape[0] == 0):
                return t
            if cumulative:
                if stale:
                    add_up(total, total_so_far)
                add_up(counts[t], counts_so_far)
            if rules[CATEGORY] == 1:
                tell_names_apart(
                    rules, declared, by_hash, total, total_sums, counts[t], sums[t], names, window_names,
                )  # fmt: skip
                sizes = group_both(names, window_names, pooled, groups, mass, window_mass)
            elif coarse:
                if stale:
                    sizes = group(total, total_sums, total_so_far, groups, mass)
                fill_groups(counts_so_far, groups, sizes, window_mass)
            if located:
                extremes_of_both[0] = min(total_extremes[0], extremes[t, 0])
                extremes_of_both[1] = max(total_extremes[1], extremes[t, 1])
                for k in range(total.size):
                    positions_within[k] = min(max(positions[k], extremes_of_both[0]), extremes_of_both[1])
            stale = False
            asks = False
            for d in range(min_effects.size):
                if tests[d, READS] == VECTORS:
                    copy_answer(of_vectors[d], numbers[t, d], codes[t, d])
                else:
                    measure(
                        tests[d], counts[t], sums[t], total, total_sums, total_so_far, counts_so_far,
                        mass[:sizes], window_mass[:sizes], positions_within, extremes_of_both, names, window_names,
                        rate, numbers[t, d], codes[t, d], newest[t],
                    )  # fmt: skip
                p_value = p_values[d] if t == first and not np.isnan(p_values[0]) else -1.0
                asks |= decide(
                    min_effects[d], odds, thresholds, ring[d], ordered[d], displaced[d], memory[d], rules[ENOUGH],
                    p_value, with_surprise, numbers[t, d], codes[t, d],
                )  # fmt: skip
            if asks:
                return t
        overlap = rules[WINDOW_MS] // rules[STEP_MS]
        if rules[STEP_MS] != rules[WINDOW_MS] and ends_ms[t] // rules[STEP_MS] % overlap != 0:
            # Overlapping windows repeat themselves: of sliding ones only every disjoint one teaches.
            continue
        quiet = True
        for d in range(min_effects.size):
            status = codes[t, d, STATUS]
            quiet &= status != DRIFT
            if learned and status != NO_DATA:
                effect = numbers[t, d, EFFECT]
                log = log_effect(effect, min_effects[d]) if effect > QUIET * min_effects[d] else floors[d]
                learn(status == DRIFT, log, ring[d], displaced[d], memory[d])
        if quiet:
            stale |= add_window(
                ends_ms[t], counts[t], sums[t], extremes[t], declared, by_hash, rules,
                chunks, chunk_sums, chunk_extremes, chunk_times, chunks_used, total, total_sums, total_extremes,
            )  # fmt: skip
    return ends_ms.size
