"""Numbers of events compared with the same hours of earlier days and weeks, in compiled code."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.chart.decide import decide, insert, learn, log_effect
from detectors.chart.legend import (
    CODES,
    DRIFT,
    EARLIER,
    EXPECTED,
    FIRST_COUNT,
    FIRST_PLACE,
    KEPT,
    LEARNING,
    NEEDED_SEASONS,
    NO_BASELINE,
    NUMBERS,
    P_KIND,
    PLACES,
    REASON,
    SEASON,
    STATUS,
)
from detectors.distance.contract import EFFECT, KNOWN, P_X, STATISTIC
from detectors.kernel import inlined, kernel

MIN_EFFECT = 0.5
"""Log of the ratio that is material unless the user says otherwise: two thirds more, or two fifths less."""

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@kernel
def evaluate_volumes(
    events: Integers, ends_ms: Integers, step_ms: int, seasons: Integers, min_effect: float, enough: int, odds: Floats,
    thresholds: Floats, earlier: Integers, filled: Integers,
    ring: Floats, ordered: Floats, displaced: Floats, memory: Integers, numbers: Floats, codes: Integers,
) -> None:  # fmt: skip
    """Compare numbers of events with the same hours of earlier days and weeks, and learn from them.

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
            slot = ends_ms[t] // step_ms % seasons[s, PLACES]
            start = seasons[s, FIRST_COUNT] + slot * seasons[s, KEPT]
            count = min(filled[seasons[s, FIRST_PLACE] + slot], seasons[s, KEPT])
            if count < seasons[s, NEEDED_SEASONS]:
                continue
            _measure_volume(events[t], earlier[start : start + count], work, trial, code)
            trial[SEASON] = s
            decide(
                min_effect, odds, thresholds, ring[s], ordered[s], displaced[s], memory[s], enough, trial[P_X], True,
                trial, code,
            )  # fmt: skip
            if code[STATUS] != LEARNING or codes[t, STATUS] == LEARNING:
                for i in range(trial.size):
                    numbers[t, i] = trial[i]
                for i in range(code.size):
                    codes[t, i] = code[i]
            learn(code[STATUS] == DRIFT, log_effect(trial[EFFECT], min_effect), ring[s], displaced[s], memory[s])
        if codes[t, STATUS] != DRIFT:
            for s in range(seasons.shape[0]):
                slot = ends_ms[t] // step_ms % seasons[s, PLACES]
                ever = filled[seasons[s, FIRST_PLACE] + slot]
                earlier[seasons[s, FIRST_COUNT] + slot * seasons[s, KEPT] + ever % seasons[s, KEPT]] = events[t]
                filled[seasons[s, FIRST_PLACE] + slot] = ever + 1


@inlined
def _measure_volume(events: int, earlier: Integers, work: Floats, numbers: Floats, codes: Integers) -> None:
    """Write the log ratio to the median of earlier windows, and the p-value of their difference."""
    for i in range(earlier.size):
        insert(work, i, float(earlier[i]))
    middle = earlier.size // 2
    expected = work[middle] if earlier.size % 2 else (work[middle - 1] + work[middle]) / 2
    both = events + expected
    numbers[:] = np.nan
    codes[:] = 0
    numbers[STATISTIC] = events
    numbers[EFFECT] = abs(math.log((events + 1) / (expected + 1)))
    away = abs(events - expected) / math.sqrt(both) if both > 0 else 0.0
    numbers[P_X] = 2 * (math.erfc(away / math.sqrt(2.0)) / 2)
    numbers[EXPECTED] = expected
    numbers[EARLIER] = earlier.size
    codes[P_KIND] = KNOWN
