"""Whether a window is beyond what its series usually does, in compiled code.

`monitor.evaluate.alarm_rule` says how and why.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.chart.legend import (
    ALARMED,
    CHANCE,
    COUNT,
    DRIFT,
    HEAD,
    HISTORY,
    LEARNING,
    MOST_WAITING,
    NO_DATA,
    NO_REASON,
    NOT_MATERIAL,
    NOT_SURPRISING,
    NOT_UNUSUAL,
    NOTHING,
    OK,
    P_KIND,
    REACHED,
    REASON,
    SEEN,
    STATUS,
    SURPRISE,
    THRESHOLD,
    TOO_EARLY,
    WAITING,
)
from detectors.distance.contract import CHI2, EFFECT, KNOWN, KOLMOGOROV, NO_TEST, P_DF, P_X, RATES
from detectors.kernel import inlined, kernel

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

QUIET = 1 / 3
"""Effects below this share of ``min_effect`` are not told apart."""

LEAST, MOST = 1e-12, 1e300
"""Effects beyond are counted as these: a ``min_effect`` of 0 has no logarithm, and an infinite effect no variation."""

SCALE_FLOOR = 0.25
"""A log effect varies that much from sampling alone (a χ² with 19 degrees of freedom: 0.32), whatever was seen."""

NORMAL_Q90 = 1.2815515655446008
"""The 90 % quantile of the standard normal distribution."""


@inlined
def log_effect(effect: float, min_effect: float) -> float:
    """Return the scale on which a signal's variation is learned."""
    return math.log(min(max(effect, QUIET * min_effect, LEAST), MOST))


@kernel
def decide(  # noqa: PLR0911 -- one return for each reason
    min_effect: float, odds: Floats, thresholds: Floats,
    ring: Floats, ordered: Floats, displaced: Floats, memory: Integers, enough: int,
    p_value: float, with_surprise: bool, numbers: Floats, codes: Integers,
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
        if not with_surprise:
            return False
    _settle(ring, ordered, displaced, memory)
    log_of_effect = log_effect(effect, min_effect)
    location, scale = usual(ordered, seen)
    surprise = (log_of_effect - location) / scale
    numbers[SURPRISE] = surprise
    numbers[THRESHOLD] = thresholds[seen]
    if not material:
        return False
    if surprise <= thresholds[seen]:
        codes[REASON] = NOT_SURPRISING
        return False
    codes[REACHED] = seen - _position(ordered, seen, log_of_effect)
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
    elif codes[P_KIND] == RATES:
        bound = -x * x / 2  # no number where the p-value is Fisher's, and then not below anything
    elif codes[P_KIND] == KNOWN and x > 0:
        bound = math.log(x)
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
    position = q * (seen - 1)
    below = int(position)
    low: float = ordered[below]
    high: float = ordered[min(below + 1, seen - 1)]
    return low + (high - low) * (position - below)


@inlined
def _median_distance(ordered: Floats, seen: int, median: float) -> float:
    """Return the median of the distances from ``median``, which grow to both sides of it."""
    position = 0.5 * (seen - 1)
    below = int(position)
    middle = _position(ordered, seen, median)
    low = _nth_distance(ordered, seen, median, middle, below)
    high = _nth_distance(ordered, seen, median, middle, min(below + 1, seen - 1))
    return low + (high - low) * (position - below)


@inlined
def _nth_distance(ordered: Floats, seen: int, median: float, middle: int, n: int) -> float:
    """Return the n-th smallest of the distances: ``from_left`` of the n + 1 smallest lie before ``middle``."""
    low = max(0, n + 1 - (seen - middle))
    high = min(n + 1, middle)
    while low < high:
        from_left = (low + high) // 2
        # The next one to the left is nearer than the last one taken from the right: take it instead.
        if median - ordered[middle - from_left - 1] < ordered[middle + n - from_left] - median:
            low = from_left + 1
        else:
            high = from_left
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
def learn(alarmed: bool, value: float, ring: Floats, displaced: Floats, memory: Integers) -> None:
    """Take in a window, unless an alarm merely goes on.

    The order of all values is needed only when a change is material: until then values wait, and those that were
    forgotten for them are kept in ``displaced``.
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
        displaced[memory[WAITING]] = forgotten
    memory[WAITING] += 1


@inlined
def _settle(ring: Floats, ordered: Floats, displaced: Floats, memory: Integers) -> None:
    """Put the values that wait into the order of all."""
    waiting = memory[WAITING]
    count = memory[COUNT]
    memory[WAITING] = 0
    if waiting > MOST_WAITING:
        for i in range(count):  # a slice of a slice would take two seconds to compile, for the words of its errors
            ordered[i] = ring[i]
        ordered[:count].sort()
        return
    fresh = 0
    for i in range(waiting):
        fresh += np.isnan(displaced[i])
    for i in range(waiting):
        # The newest value lies before the head; while nothing is forgotten the head is 0.
        value = ring[(memory[HEAD] + count - waiting + i) % count]
        if i < fresh:
            insert(ordered, count - fresh + i, value)
        else:
            _replace(ordered, displaced[i], value)


@inlined
def insert(ordered: Floats, seen: int, value: float) -> None:
    index = seen
    while index > 0 and ordered[index - 1] > value:
        ordered[index] = ordered[index - 1]
        index -= 1
    ordered[index] = value


@inlined
def _replace(ordered: Floats, old: float, value: float) -> None:
    if old == value:
        return
    index = _position(ordered, HISTORY, old)
    while index + 1 < HISTORY and ordered[index + 1] < value:
        ordered[index] = ordered[index + 1]
        index += 1
    while index > 0 and ordered[index - 1] > value:
        ordered[index] = ordered[index - 1]
        index -= 1
    ordered[index] = value
