"""One test of one window, in compiled code: how far it is from its baseline, and what a p-value is made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detectors.chart.legend import (
    INVALID,
    MISSING,
    NEWEST,
    NUMBER,
    OUT_OF_RANGE,
    P_KIND,
    READS,
    TAIL,
    TEST,
    N,
)
from detectors.distance import DISTANCES, VECTOR_DISTANCES
from detectors.distance.contract import (
    ANSWER,
    CUMULATIVE,
    GROUPED,
    KNOWN,
    LOCATED,
    MISSING_EVENTS,
    NEW_NAMES,
    NO_TEST,
    OUT_OF_RANGE_VALUES,
    P_X,
)
from detectors.distance.dispatch import NUMBERS, dispatch
from detectors.kernel import inlined, kernel
from detectors.rows import copy_row

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def as_tests(names: Sequence[str]) -> Integers:
    """Return what compiled code has to know of distances, int64[D, TEST]."""
    tests = np.zeros((len(names), TEST), dtype=np.int64)
    for test, name in zip(tests, names, strict=True):
        distance = DISTANCES.get(name) or VECTOR_DISTANCES[name]
        test[[NUMBER, READS, TAIL]] = NUMBERS.get(name, 0), distance.reads, distance.p_value
    return tests


@kernel
def measure(
    test: Integers, counts: Integers, sums: Integers, total: Integers, total_sums: Integers,
    total_so_far: Integers, counts_so_far: Integers, mass: Integers, window_mass: Integers,
    positions: Floats, extremes: Floats, names: Integers, window_names: Integers, rate: Integers,
    numbers: Floats, codes: Integers, newest: Integers,
) -> None:  # fmt: skip
    """Write statistic, effect, and what a p-value is made of; ``rate``, int64[2, 2], is room for work.

    ``names`` and ``window_names`` are what `detectors.chart.groups.tell_names_apart` writes.
    """
    numbers[:] = np.nan
    codes[:] = 0
    reads = test[READS]
    if reads == GROUPED:
        a = mass
        b = window_mass
    elif reads == CUMULATIVE:
        a = total_so_far
        b = counts_so_far
    elif reads == LOCATED:
        a = total
        b = counts
    elif reads == NEW_NAMES:
        note_new_names(names, window_names, newest)
        a = names
        b = window_names
    else:
        _count(reads, sums, total_sums, rate)
        a = rate[0]
        b = rate[1]
    if reads <= LOCATED and (total_sums[N] == 0 or sums[N] == 0):
        return
    if reads > LOCATED and (a.sum() == 0 or b.sum() == 0):
        return
    dispatch(test[NUMBER], a, b, positions, extremes, numbers)
    codes[P_KIND] = test[TAIL]


@inlined
def copy_answer(answer: Floats, numbers: Floats, codes: Integers) -> None:
    """Write what a distance of vectors has answered."""
    numbers[:] = np.nan
    codes[:] = 0
    copy_row(answer, numbers[:ANSWER])
    codes[P_KIND] = NO_TEST if np.isnan(answer[P_X]) else KNOWN


@inlined
def events_of(sums: Integers) -> int:
    """How many events a window or a baseline has, whatever their values."""
    events: int = sums[N] + sums[MISSING] + sums[INVALID]
    return events


@inlined
def _count(reads: int, sums: Integers, total_sums: Integers, rate: Integers) -> None:
    """Write how many events have a property and how many have not, in the baseline and in the window."""
    column = MISSING if reads == MISSING_EVENTS else OUT_OF_RANGE if reads == OUT_OF_RANGE_VALUES else INVALID
    of_values = reads >= OUT_OF_RANGE_VALUES
    rate[0, 0] = total_sums[column]
    rate[1, 0] = sums[column]
    rate[0, 1] = (total_sums[N] if of_values else events_of(total_sums)) - rate[0, 0]
    rate[1, 1] = (sums[N] if of_values else events_of(sums)) - rate[1, 0]


@inlined
def note_new_names(names: Integers, window_names: Integers, newest: Integers) -> None:
    """Note the most frequent ones of the names that the baseline does not hold."""
    newest[:] = -1
    for k in range(names.size - 1):
        count = window_names[k + 1]
        if count == 0 or names[k + 1] > 0:
            continue
        rank = NEWEST
        while rank > 0 and count > newest[rank - 1, 1]:
            rank -= 1
        for r in range(NEWEST - 1, rank, -1):
            newest[r, 0] = newest[r - 1, 0]
            newest[r, 1] = newest[r - 1, 1]
        if rank < NEWEST:
            newest[rank, 0] = k
            newest[rank, 1] = count
