"""A control chart in compiled code: the windows of one series in order, each against a baseline that learns.

What is decided about a window depends on all windows before it, through the baseline and through what the series
usually does, so that windows cannot be judged apart; a month of them takes Python minutes. The loop and all that it
calls stand in this one file, since the disk cache of compiled code sees edits of no other (`detectors.kernel`).

Only p-values are left out: they are wanted of few windows. Where a decision hangs on one, the loop stops and says so.
`detectors.distance` has the same distances over matrices, and says where they come from.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.kernel import inlined, kernel

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]

HISTORY = 2048
"""Windows from which a series' variation is learned; those before are forgotten."""

GROUPS = 20
"""Bins of PSI, Jensen–Shannon and chi-squared: fine cells are merged until each holds a twentieth of the baseline."""

MOST_GROUPS = 2 * GROUPS + 3

QUIET = 1 / 3
"""Effects below this share of ``min_effect`` are not told apart."""

LEAST, MOST = 1e-12, 1e300
"""Effects beyond are counted as these: a ``min_effect`` of 0 has no logarithm, and an infinite effect no variation."""

SCALE_FLOOR = 0.25
"""A log effect varies that much from sampling alone (a χ² with 19 degrees of freedom: 0.32), whatever was seen."""

NORMAL_Q90 = 1.2815515655446008
"""The 90 % quantile of the standard normal distribution."""

# Sums of a summary.
N, MISSING, INVALID, OUT_OF_RANGE, OTHER, SUMS = range(6)
# Tests.
PSI, JENSEN_SHANNON, CHI_SQUARED, KS, WASSERSTEIN = range(5)
MISSING_RATE, INVALID_RATE, OUT_OF_RANGE_RATE, NEW_CATEGORY = range(5, 9)
# Rules of a series.
CATEGORY, SAMPLE, MIN_SAMPLES, WINDOW_MS, STEP_MS, ENOUGH = range(6)
BASELINE, NEEDED, SPAN_WINDOWS, CHUNK_WINDOWS, RULES = range(6, 11)
# Kinds of baselines.
DATASET, FIRST_EVENTS, ROLLING = range(3)
# What is said of one test of one window, in numbers …
STATISTIC, EFFECT, SURPRISE, LIMIT, P_X, P_DF, TABLE, NUMBERS = 0, 1, 2, 3, 4, 5, 6, 10
# … and in codes.
STATUS, REASON, SEEN, REACHED, P_KIND, CODES = range(6)
OK, DRIFT, LEARNING, NO_DATA = range(4)
NO_REASON, TOO_FEW, NO_BASELINE, NOTHING, TOO_EARLY, NOT_MATERIAL, NOT_SURPRISING, NOT_UNUSUAL, CHANCE = range(9)
NO_TEST, CHI2, KOLMOGOROV, NORMAL, FISHER = range(5)
# What is said of one window.
BASELINE_N, BASELINE_FROM, BASELINE_TO, PROGRESS, ABOUT = range(5)
NEWEST = 5
"""How many new names of a window are noted."""
# What is remembered of the variation of one test.
COUNT, HEAD, ALARMED, WAITING, MEMORY = range(5)
MOST_WAITING = 64
"""Values that are put into their order one by one when it is needed; with more, all are sorted anew."""

FROM_MS, TO_MS, WINDOWS, TIMES = range(4)


@kernel
def judge_windows(  # noqa: PLR0912 -- the life of a window, top to bottom
    first: int, counts: Integers, sums: Integers, extremes: Floats, ends_ms: Integers,
    positions: Floats, hashes: Array, known: Array, by_hash: Integers,
    tests: Integers, min_effects: Floats, rules: Integers, odds: Floats, limits: Floats,
    chunks: Integers, chunk_sums: Integers, chunk_extremes: Floats, chunk_times: Integers, place: Integers,
    total: Integers, total_sums: Integers, total_extremes: Floats,
    ring: Floats, ordered: Floats, left: Floats, memory: Integers, given: Floats, whole: bool,
    numbers: Floats, codes: Integers, about: Integers, newest: Integers,
) -> int:  # fmt: skip
    """Judge windows from ``first`` on, and learn from them.

    Parameters
    ----------
    first
        Where to start; ``given`` holds p-values for this very window, or NaN at 0 where they are not known.
    counts, sums, extremes, ends_ms
        The windows: int64[T, K], int64[T, SUMS], float64[T, 2], int64[T].
    positions, hashes, known, by_hash
        The columns: where a cell lies, float64[K]; for categories uint64[K], bool[K], and int64[K], the columns in
        the order of hashes and then names.
    tests, min_effects
        int64[D], float64[D].
    rules, odds, limits
        int64[RULES]; the accepted tail probability, and the false alarms of a model per window; the surprise from
        which on a window alarms, by how many windows were seen, float64[HISTORY + 1].
    chunks … total_extremes
        The baseline, in stretches that lie in a ring, ``place`` being the first and how many there are; and their sum.
    ring, ordered, left, memory
        float64[D, size] in the order of coming and of size, float64[D, MOST_WAITING], int64[D, MEMORY].
    whole
        Whether the surprise of windows that are not material is wanted; nothing depends on it.
    numbers, codes, about, newest
        What is found: float64[T, D, NUMBERS], int64[T, D, CODES], int64[T, ABOUT], int64[T, NEWEST, 2].

    Returns
    -------
    The window whose p-values are needed before it can be judged, or T.
    """
    groups = np.zeros(max(total.size, MOST_GROUPS) + 1, dtype=np.int64)
    mass = np.zeros(MOST_GROUPS, dtype=np.int64)
    here = np.zeros(MOST_GROUPS, dtype=np.int64)
    # Sums up to each cell: groups of neighbours are differences of them, and distances of cumulative shares need them.
    before = np.zeros(total.size + 1, dtype=np.int64)
    now = np.zeros(total.size + 1, dtype=np.int64)
    floors = np.empty(tests.size)
    cumulative = False
    coarse = False
    for d in range(tests.size):
        cumulative |= rules[CATEGORY] == 0 and tests[d] <= KS
        coarse |= tests[d] <= CHI_SQUARED
        floors[d] = log_effect(0.0, min_effects[d])
    stale = True
    sizes = 0
    for t in range(first, ends_ms.size):
        learned = _describe_baseline(rules, chunk_sums, chunk_times, place, total_sums, about[t])
        events = sums[t, N] + sums[t, MISSING] + sums[t, INVALID]
        if events < rules[MIN_SAMPLES] or not learned:
            for d in range(tests.size):
                numbers[t, d, :] = np.nan
                codes[t, d, :] = 0
                codes[t, d, STATUS] = LEARNING if events >= rules[MIN_SAMPLES] else NO_DATA
                codes[t, d, REASON] = NO_BASELINE if events >= rules[MIN_SAMPLES] else TOO_FEW
            if events < rules[MIN_SAMPLES]:
                continue
        else:
            if cumulative:
                if stale:
                    _sum_so_far(total, before)
                _sum_so_far(counts[t], now)
            if coarse:
                if stale:
                    sizes = _group(rules, total, total_sums, before, groups, mass)
                _fill_groups(rules, counts[t], sums[t], now, groups, sizes, here)
            stale = False
            asks = False
            for d in range(tests.size):
                _measure(
                    tests[d], counts[t], sums[t], extremes[t], positions, hashes, known, total, total_sums,
                    total_extremes, before, now, mass[:sizes], here[:sizes], numbers[t, d], codes[t, d], newest[t],
                )  # fmt: skip
                p_value = given[d] if t == first and not np.isnan(given[0]) else -1.0
                asks |= decide(
                    min_effects[d], odds, limits, ring[d], ordered[d], left[d], memory[d], rules[ENOUGH],
                    p_value, whole, numbers[t, d], codes[t, d],
                )  # fmt: skip
            if asks:
                return t
        overlap = rules[WINDOW_MS] // rules[STEP_MS]
        if rules[STEP_MS] != rules[WINDOW_MS] and ends_ms[t] // rules[STEP_MS] % overlap != 0:
            # Overlapping windows repeat themselves: of sliding ones only every disjoint one teaches.
            continue
        quiet = True
        for d in range(tests.size):
            status = codes[t, d, STATUS]
            quiet &= status != DRIFT
            if learned and status != NO_DATA:
                effect = numbers[t, d, EFFECT]
                log = log_effect(effect, min_effects[d]) if effect > QUIET * min_effects[d] else floors[d]
                _learn(status == DRIFT, log, ring[d], left[d], memory[d])
        if quiet:
            stale |= _add_window(
                ends_ms[t], counts[t], sums[t], extremes[t], known, by_hash, rules,
                chunks, chunk_sums, chunk_extremes, chunk_times, place, total, total_sums, total_extremes,
            )  # fmt: skip
    return ends_ms.size


# -- the baseline ----------------------------------------------------------------------------------------------


@inlined
def _describe_baseline(
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


@inlined
def _add_window(
    end_ms: int, counts: Integers, sums: Integers, extremes: Floats, known: Array, by_hash: Integers, rules: Integers,
    chunks: Integers, chunk_sums: Integers, chunk_extremes: Floats, chunk_times: Integers, place: Integers,
    total: Integers, total_sums: Integers, total_extremes: Floats,
) -> bool:  # fmt: skip
    """Take a quiet window into the baseline; return whether that changed it."""
    if rules[BASELINE] == DATASET or (rules[BASELINE] == FIRST_EVENTS and _events(total_sums) >= rules[NEEDED]):
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
def _events(sums: Integers) -> int:
    events: int = sums[N] + sums[MISSING] + sums[INVALID]
    return events


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


# -- groups of cells -------------------------------------------------------------------------------------------


@inlined
def _sum_so_far(counts: Integers, so_far: Integers) -> None:
    """Write the sum of the counts before each cell, and after the last one."""
    mass = 0
    for k in range(counts.size):
        so_far[k] = mass
        mass += counts[k]
    so_far[counts.size] = mass


@inlined
def _group(
    rules: Integers, total: Integers, total_sums: Integers, before: Integers, groups: Integers, mass: Integers
) -> int:
    """Merge cells by the baseline's counts, as `detectors.distance.coarse` says; return how many groups there are.

    Of names ``groups`` is the group of each; of cells the first cell of each group, and the end of the last one.
    """
    if rules[CATEGORY] == 1:
        sizes = _group_names(total, total_sums, groups)
    else:
        sizes = _group_cells(total, total_sums[N], groups)
    _fill_groups(rules, total, total_sums, before, groups, sizes, mass)
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
    # Group 0 lies before the baseline's first cell. `group` is the one under way, `light` what it holds, `kept` the
    # first of the run of light cells under way: what is left over at its end joins the group before it, if it has one.
    group = 1
    groups[1] = low
    kept = 1
    light = 0
    for k in range(low, high + 1):
        light += total[k]
        if total[k] * GROUPS >= mass:
            if groups[group] < k:
                # The run before this cell ends.
                group += 1 if group == kept else 0
                groups[group] = k
            group += 1
            groups[group] = k + 1
            kept = group
            light = 0
        elif light * GROUPS >= mass:
            group += 1
            groups[group] = k + 1
            light = 0
    if groups[group] <= high:
        group += 1 if group == kept else 0
        groups[group] = high + 1
    groups[group + 1] = total.size
    return group + 1


@inlined
def _fill_groups(
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


# -- distances -------------------------------------------------------------------------------------------------


@inlined
def _measure(
    test: int, counts: Integers, sums: Integers, extremes: Floats, positions: Floats, hashes: Array, known: Array,
    total: Integers, total_sums: Integers, total_extremes: Floats, before: Integers, now: Integers, mass: Integers,
    here: Integers, numbers: Floats, codes: Integers, newest: Integers,
) -> None:  # fmt: skip
    """Write statistic, effect, and what a p-value is made of."""
    numbers[:] = np.nan
    codes[:] = 0
    if test >= MISSING_RATE:
        if test == NEW_CATEGORY:
            a = 0
            n = total_sums[N]
            b = _new_names(counts, total, total_sums, hashes, known, newest)
            m = sums[N]
        elif test == OUT_OF_RANGE_RATE:
            a = total_sums[OUT_OF_RANGE]
            n = total_sums[N]
            b = sums[OUT_OF_RANGE]
            m = sums[N]
        else:
            column = MISSING if test == MISSING_RATE else INVALID
            a = total_sums[column]
            n = _events(total_sums)
            b = sums[column]
            m = _events(sums)
        _proportion(a, n, b, m, numbers, codes)
    elif total_sums[N] == 0 or sums[N] == 0:
        codes[P_KIND] = NO_TEST
    elif test == PSI:
        _psi(mass, here, numbers, codes)
    elif test == JENSEN_SHANNON:
        _jensen_shannon(mass, here, numbers, codes)
    elif test == CHI_SQUARED:
        _chi_squared(mass, here, numbers, codes)
    elif test == KS:
        _ks(before, now, numbers, codes)
    else:
        low = min(total_extremes[0], extremes[0])
        high = max(total_extremes[1], extremes[1])
        _wasserstein(total, counts, total_sums[N], sums[N], positions, low, high, numbers)


@inlined
def _sizes(mass: Integers, here: Integers) -> tuple[int, int, int]:
    """How many values both sides hold, and in how many bins there are any."""
    n = 0
    m = 0
    cells = 0
    for g in range(mass.size):
        n += mass[g]
        m += here[g]
        cells += (mass[g] > 0) | (here[g] > 0)
    return n, m, cells


@inlined
def _psi(mass: Integers, here: Integers, numbers: Floats, codes: Integers) -> None:
    n, m, cells = _sizes(mass, here)
    index = 0.0
    for g in range(mass.size):
        if mass[g] > 0 or here[g] > 0:
            p = (mass[g] + 0.5) / (n + 0.5 * cells)
            q = (here[g] + 0.5) / (m + 0.5 * cells)
            index += (p - q) * math.log(p / q)
    numbers[STATISTIC] = index
    numbers[EFFECT] = index
    numbers[P_X] = index / (1 / n + 1 / m)
    numbers[P_DF] = cells - 1
    codes[P_KIND] = CHI2


@inlined
def _jensen_shannon(mass: Integers, here: Integers, numbers: Floats, codes: Integers) -> None:
    n, m, cells = _sizes(mass, here)
    nats = 0.0
    for g in range(mass.size):
        p = mass[g] / n
        q = here[g] / m
        middle = (p + q) / 2
        if p > 0:
            nats += p * math.log(p / middle) / 2
        if q > 0:
            nats += q * math.log(q / middle) / 2
    nats = max(nats, 0.0)
    root = min(math.sqrt(nats / math.log(2.0)), 1.0)
    numbers[STATISTIC] = root
    numbers[EFFECT] = root
    numbers[P_X] = 8 * nats / (1 / n + 1 / m)
    numbers[P_DF] = cells - 1
    codes[P_KIND] = CHI2


@inlined
def _chi_squared(mass: Integers, here: Integers, numbers: Floats, codes: Integers) -> None:
    n, m, cells = _sizes(mass, here)
    against_pooled = 0.0
    against_both = 0.0
    for g in range(mass.size):
        if mass[g] > 0 or here[g] > 0:
            p = mass[g] / n
            q = here[g] / m
            square = (p - q) * (p - q)
            against_pooled += square / (mass[g] + here[g])
            against_both += square / (p + q)
    statistic = against_pooled * (n + m) / (1 / n + 1 / m)
    numbers[STATISTIC] = statistic
    numbers[EFFECT] = math.sqrt(against_both / 2)
    numbers[P_X] = statistic
    numbers[P_DF] = cells - 1
    codes[P_KIND] = CHI2


@inlined
def _ks(before: Integers, now: Integers, numbers: Floats, codes: Integers) -> None:
    n = before[before.size - 1]
    m = now[now.size - 1]
    if n < 2**31 and m < 2**31:
        # Of whole numbers, and divided once.
        furthest = 0
        for k in range(before.size):
            furthest = max(furthest, abs(before[k] * m - now[k] * n))
        largest = furthest / (float(n) * float(m))
    else:
        largest = 0.0
        for k in range(before.size):
            largest = max(largest, abs(before[k] / n - now[k] / m))
    numbers[STATISTIC] = largest
    numbers[EFFECT] = largest
    numbers[P_X] = largest / math.sqrt(1 / n + 1 / m)
    codes[P_KIND] = KOLMOGOROV


@inlined
def _wasserstein(
    total: Integers, counts: Integers, n: int, m: int, positions: Floats, low: float, high: float, numbers: Floats
) -> None:
    moved = 0.0
    gap = 0.0
    mean = 0.0
    previous = 0.0
    started = False
    for k in range(total.size):
        if total[k] > 0 or counts[k] > 0:
            at = min(max(positions[k], low), high)
            if started:
                moved += abs(gap) * (at - previous)
            started = True
            previous = at
            p = total[k] / n
            gap += p - counts[k] / m
            mean += p * at
    variance = 0.0
    for k in range(total.size):
        if total[k] > 0:
            variance += total[k] / n * (min(max(positions[k], low), high) - mean) ** 2
    numbers[STATISTIC] = moved
    if variance > 0:
        numbers[EFFECT] = moved / math.sqrt(variance)
    else:
        numbers[EFFECT] = np.inf if moved > 0 else 0.0


@inlined
def _proportion(a: int, n: int, b: int, m: int, numbers: Floats, codes: Integers) -> None:
    if n == 0 or m == 0:
        return
    numbers[TABLE] = a
    numbers[TABLE + 1] = n - a
    numbers[TABLE + 2] = b
    numbers[TABLE + 3] = m - b
    codes[P_KIND] = NORMAL
    if a == 0 and b == 0:
        numbers[STATISTIC] = 0.0
        numbers[EFFECT] = 0.0
        numbers[P_X] = 0.0
        return
    p = (n - a) / n
    q = (m - b) / m
    with_it = (a + b) / (n + m)
    without = ((n - a) + (m - b)) / (n + m)
    sd = math.sqrt(with_it * without * (1 / n + 1 / m))
    z = (q - p) / sd if sd > 0 else 0.0
    sine = math.sqrt(q) * math.sqrt(1 - p) - math.sqrt(p) * math.sqrt(1 - q)
    numbers[STATISTIC] = z
    numbers[EFFECT] = 2 * abs(math.asin(min(max(sine, -1.0), 1.0)))
    numbers[P_X] = abs(z)
    if sd > 0 and min(n, m) * min(with_it, without) < 5.0:
        codes[P_KIND] = FISHER


@inlined
def _new_names(
    counts: Integers, total: Integers, total_sums: Integers, hashes: Array, known: Array, newest: Integers
) -> int:
    """Count names that the baseline does not hold, and note the most frequent ones.

    Where the baseline holds more names than it tells apart, only names that it would have told apart count.
    """
    limit = np.uint64(0)
    for k in range(total.size):
        if total[k] > 0 and not known[k]:
            limit = max(limit, hashes[k])
    newest[:] = -1
    new = 0
    for k in range(total.size):
        if counts[k] == 0 or total[k] > 0 or (total_sums[OTHER] > 0 and hashes[k] > limit):
            continue
        new += counts[k]
        rank = NEWEST
        while rank > 0 and counts[k] > newest[rank - 1, 1]:
            rank -= 1
        for r in range(NEWEST - 1, rank, -1):
            newest[r, 0] = newest[r - 1, 0]
            newest[r, 1] = newest[r - 1, 1]
        if rank < NEWEST:
            newest[rank, 0] = k
            newest[rank, 1] = counts[k]
    return new


# -- deciding --------------------------------------------------------------------------------------------------


@inlined
def log_effect(effect: float, min_effect: float) -> float:
    """Return the scale on which a signal's variation is learned."""
    return math.log(min(max(effect, QUIET * min_effect, LEAST), MOST))


@inlined
def decide(  # noqa: PLR0911 -- one return for each reason
    min_effect: float, odds: Floats, limits: Floats, ring: Floats, ordered: Floats, left: Floats, memory: Integers,
    enough: int, p_value: float, whole: bool, numbers: Floats, codes: Integers,
) -> bool:  # fmt: skip
    """Decide about one test; return whether its p-value must be known first. ``p_value`` is below 0 if it is not."""
    effect = numbers[EFFECT]
    seen = memory[COUNT]
    codes[SEEN] = seen
    if np.isnan(effect):
        codes[STATUS] = NO_DATA
        codes[REASON] = NOTHING
        return False
    if seen < enough:
        codes[STATUS] = LEARNING
        codes[REASON] = TOO_EARLY
        return False
    codes[STATUS] = OK
    material = effect >= min_effect
    if not material:
        codes[REASON] = NOT_MATERIAL
        if not whole:
            return False
    _settle(ring, ordered, left, memory)
    here = log_effect(effect, min_effect)
    location, scale = usual(ordered, seen)
    surprise = (here - location) / scale
    numbers[SURPRISE] = surprise
    numbers[LIMIT] = limits[seen]
    if not material:
        return False
    if surprise <= limits[seen]:
        codes[REASON] = NOT_SURPRISING
        return False
    codes[REACHED] = seen - _position(ordered, seen, here)
    if codes[REACHED] > max(1.0, odds[1] * seen):
        codes[REASON] = NOT_UNUSUAL
        return False
    if codes[P_KIND] != NO_TEST and not _surely_below(odds[0], numbers, codes):
        if p_value < 0:
            return True
        if p_value > odds[0]:
            codes[REASON] = CHANCE
            return False
    codes[STATUS] = DRIFT
    codes[REASON] = NO_REASON
    return False


@inlined
def _surely_below(tail: float, numbers: Floats, codes: Integers) -> bool:
    """Whether the p-value is below ``tail`` by a bound that is cheaper than itself.

    Chernoff's bounds for the normal and the chi-squared distribution; Kolmogorov's series has terms that alternate
    and shrink, so that its first one is a bound.
    """
    x: float = numbers[P_X]
    df: float = numbers[P_DF]
    bound = 0.0  # of the logarithm
    if codes[P_KIND] == CHI2 and x > df > 0:
        bound = (df - x + df * math.log(x / df)) / 2
    elif codes[P_KIND] == KOLMOGOROV:
        bound = math.log(2.0) - 2 * x * x
    elif codes[P_KIND] == NORMAL:
        bound = -x * x / 2
    return bound < math.log(tail) - 1e-6


@inlined
def usual(ordered: Floats, seen: int) -> tuple[float, float]:
    """Return location and scale of what a signal does when nothing is wrong, from ordered log effects."""
    if ordered[0] == ordered[seen - 1]:
        return ordered[0], SCALE_FLOOR
    median = _quantile(ordered, seen, 0.5)
    spread = 1.4826 * _median_distance(ordered, seen, median)
    return median, max(spread, (_quantile(ordered, seen, 0.9) - median) / NORMAL_Q90, SCALE_FLOOR)


@inlined
def _quantile(ordered: Floats, seen: int, q: float) -> float:
    place = q * (seen - 1)
    below = int(place)
    low: float = ordered[below]
    high: float = ordered[min(below + 1, seen - 1)]
    return low + (high - low) * (place - below)


@inlined
def _median_distance(ordered: Floats, seen: int, median: float) -> float:
    """Return the median of the distances from ``median``, which grow to both sides of it."""
    place = 0.5 * (seen - 1)
    below = int(place)
    middle = _position(ordered, seen, median)
    low = _nth_distance(ordered, seen, median, middle, below)
    high = _nth_distance(ordered, seen, median, middle, min(below + 1, seen - 1))
    return low + (high - low) * (place - below)


@inlined
def _nth_distance(ordered: Floats, seen: int, median: float, middle: int, n: int) -> float:
    """Return the n-th smallest of the distances: ``left`` of the n + 1 smallest lie before ``middle``."""
    low = max(0, n + 1 - (seen - middle))
    high = min(n + 1, middle)
    while low < high:
        left = (low + high) // 2
        # The next one to the left is nearer than the last one taken from the right: take it instead.
        if median - ordered[middle - left - 1] < ordered[middle + n - left] - median:
            low = left + 1
        else:
            high = left
    largest = 0.0
    if low > 0:
        largest = median - ordered[middle - low]
    if low <= n:
        largest = max(largest, ordered[middle + n - low] - median)
    return largest


@inlined
def _position(ordered: Floats, seen: int, value: float) -> int:
    """Return how many are smaller than ``value``."""
    low = 0
    high = seen
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def _learn(alarmed: bool, value: float, ring: Floats, left: Floats, memory: Integers) -> None:
    """Take in a window, unless an alarm merely goes on.

    The order of all values is needed only when a change is material: until then values wait, and those that were
    forgotten for them are kept in ``left``.
    """
    onset = memory[ALARMED] == 0
    memory[ALARMED] = alarmed
    if alarmed and not onset:
        return
    forgotten = np.nan
    if memory[COUNT] < HISTORY:
        ring[memory[COUNT]] = value
        memory[COUNT] += 1
    else:
        forgotten = ring[memory[HEAD]]
        ring[memory[HEAD]] = value
        memory[HEAD] = (memory[HEAD] + 1) % HISTORY
    if memory[WAITING] < MOST_WAITING:
        left[memory[WAITING]] = forgotten
    memory[WAITING] += 1


@inlined
def _settle(ring: Floats, ordered: Floats, left: Floats, memory: Integers) -> None:
    """Put the values that wait into the order of all."""
    waiting = memory[WAITING]
    count = memory[COUNT]
    memory[WAITING] = 0
    if waiting > MOST_WAITING:
        ordered[:count] = ring[:count]
        ordered[:count].sort()
        return
    fresh = 0
    for i in range(waiting):
        fresh += np.isnan(left[i])
    for i in range(waiting):
        # The newest value lies before the head; while nothing is forgotten the head is 0.
        value = ring[(memory[HEAD] + count - waiting + i) % count]
        if i < fresh:
            _insert(ordered, count - fresh + i, value)
        else:
            _replace(ordered, left[i], value)


@inlined
def _insert(ordered: Floats, seen: int, value: float) -> None:
    place = seen
    while place > 0 and ordered[place - 1] > value:
        ordered[place] = ordered[place - 1]
        place -= 1
    ordered[place] = value


@inlined
def _replace(ordered: Floats, old: float, value: float) -> None:
    if old == value:
        return
    place = _position(ordered, HISTORY, old)
    while place + 1 < HISTORY and ordered[place + 1] < value:
        ordered[place] = ordered[place + 1]
        place += 1
    while place > 0 and ordered[place - 1] > value:
        ordered[place] = ordered[place - 1]
        place -= 1
    ordered[place] = value


# -- volume ----------------------------------------------------------------------------------------------------

EXPECTED, EARLIER, SEASON = TABLE, TABLE + 1, TABLE + 2
"""Where a volume's numbers hold what was expected, from how many earlier windows, and of which season."""

# What is known of a season: how many places it has, how many earlier windows are needed and kept of each, and where its
# places begin in the arrays of all seasons' counts and of how many there were.
PLACES, NEEDED_SEASONS, KEPT, FIRST_COUNT, FIRST_PLACE, SEASON_RULES = range(6)


@kernel
def judge_volumes(
    events: Integers, ends_ms: Integers, step_ms: int, seasons: Integers, min_effect: float, enough: int, odds: Floats,
    limits: Floats, earlier: Integers, filled: Integers, ring: Floats, ordered: Floats, left: Floats, memory: Integers,
    numbers: Floats, codes: Integers,
) -> None:  # fmt: skip
    """Judge numbers of events against the same hours of earlier days and weeks, and learn from them.

    Parameters
    ----------
    events, ends_ms
        int64[T].
    seasons
        int64[S, SEASON_RULES], from the one that is known soonest to the best.
    earlier, filled
        int64: the last counts of each place in each season, in rings, and how many there ever were.
    numbers, codes
        float64[T, NUMBERS], int64[T, CODES].
    """
    trial = np.empty(NUMBERS)
    code = np.zeros(CODES, dtype=np.int64)
    work = np.empty(seasons[:, KEPT].max())
    for t in range(events.size):
        numbers[t] = np.nan
        codes[t] = 0
        codes[t, STATUS] = LEARNING
        codes[t, REASON] = NO_BASELINE
        for s in range(seasons.shape[0]):
            place = ends_ms[t] // step_ms % seasons[s, PLACES]
            start = seasons[s, FIRST_COUNT] + place * seasons[s, KEPT]
            known = min(filled[seasons[s, FIRST_PLACE] + place], seasons[s, KEPT])
            if known < seasons[s, NEEDED_SEASONS]:
                continue
            _measure_volume(events[t], earlier[start : start + known], work, trial, code)
            trial[SEASON] = s
            decide(
                min_effect, odds, limits, ring[s], ordered[s], left[s], memory[s], enough, trial[P_DF], True,
                trial, code,
            )  # fmt: skip
            if code[STATUS] != LEARNING or codes[t, STATUS] == LEARNING:
                numbers[t] = trial
                codes[t] = code
            _learn(code[STATUS] == DRIFT, log_effect(trial[EFFECT], min_effect), ring[s], left[s], memory[s])
        if codes[t, STATUS] != DRIFT:
            for s in range(seasons.shape[0]):
                place = ends_ms[t] // step_ms % seasons[s, PLACES]
                ever = filled[seasons[s, FIRST_PLACE] + place]
                earlier[seasons[s, FIRST_COUNT] + place * seasons[s, KEPT] + ever % seasons[s, KEPT]] = events[t]
                filled[seasons[s, FIRST_PLACE] + place] = ever + 1


@inlined
def _measure_volume(events: int, earlier: Integers, work: Floats, numbers: Floats, codes: Integers) -> None:
    """Write the log ratio to the median of earlier windows; its p-value stands at ``P_DF``."""
    for i in range(earlier.size):
        _insert(work, i, float(earlier[i]))
    middle = earlier.size // 2
    expected = work[middle] if earlier.size % 2 else (work[middle - 1] + work[middle]) / 2
    both = events + expected
    numbers[:] = np.nan
    codes[:] = 0
    numbers[STATISTIC] = events
    numbers[EFFECT] = abs(math.log((events + 1) / (expected + 1)))
    numbers[P_X] = abs(events - expected) / math.sqrt(both) if both > 0 else 0.0
    numbers[P_DF] = 2 * (math.erfc(numbers[P_X] / math.sqrt(2.0)) / 2)
    numbers[EXPECTED] = expected
    numbers[EARLIER] = earlier.size
    codes[P_KIND] = FISHER  # taken as it is
