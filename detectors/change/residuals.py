"""From a contrast to its residual: how far it is from what was expected, and the variance that sampling gives it.

Shares and numbers of events are compared by the normal score of Peizer and Pratt (1968, J. Am. Stat. Ass. 63), at the
middle of each count: its tails are right at five expected events, where those of the arc sine are not. Divided by √n
it is in the units in which expectations are learned, 2 asin √share and the logarithm of a number.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.change.few_events import FEW, few_share_of
from detectors.change.legend import ALWAYS, IN_HOUR, KIND, NEVER, RATE, SCORE, UNIT_SEEN, UNIT_SUM
from detectors.kernel import inlined

Floats = npt.NDArray[np.float64]

SMALLEST_UNIT = 0.05
"""Least variance that one value contributes: a constant has none, until it is no longer one."""

SMALLEST_SHARE = 1e-4
"""Least share that is expected of what never happened: once in ten thousand events."""

FEWEST_COUNTED = 0.25
"""Least number that is expected of what is counted: below, the normal score of none at all is not a small one."""

LIKE = 0.8
"""Ratio of numbers of events from which on they are alike: what is expected of few needs no correction then."""

MEANS = np.array([0.9, 1.0, 1.5, 2.0, 3.0, 5.0])
VARIANCES = np.array([1.0, 1.02, 1.07, 1.08, 1.06, 1.0])
"""Means of Poisson counts, and the variances of their scores. Below, longer tails make up for less than 1; from five on
tails are right, and 0.03 more would only blunt them."""

FEWEST_EVENTS = 0.5
"""Least number of events that is expected of a window."""


@inlined
def to_residual(row: Floats, value: float, events: float, expected: float) -> tuple[float, float]:
    """Return the residual of a contrast, and its variance by sampling.

    Parameters
    ----------
    row
        float64[ROW]
    value
        A mean of scores, or a number of events.
    events
        Out of which: values that were scored, or events that were counted. Of a volume, anything.
    expected
        In the units of expectations.
    """
    if row[KIND] == SCORE:
        return value - expected, max(row[UNIT_SUM] / max(row[UNIT_SEEN], 1.0), SMALLEST_UNIT) / events
    if row[KIND] == RATE:
        if (row[NEVER] != 0 and value == 0) or (row[ALWAYS] != 0 and value == events):
            # What is expected of it is above none, the more so the fewer events it was learned of: it did not fall.
            return 0.0, 1 / events
        return _rate_residual(value, events, expected, row[IN_HOUR]), 1 / events
    mean = max(events_of(expected, row[IN_HOUR]), 0.0)
    least = max(mean, FEWEST_EVENTS)
    usual = _usual_score(mean)
    if mean < least:
        usual = _poisson_score(0.0, least) * (1 - mean) + _poisson_score(1.0, least) * mean
    return (_poisson_score(value, least) - usual) / np.sqrt(least), np.interp(mean, MEANS, VARIANCES) / least


@inlined
def _rate_residual(count: float, events: float, expected: float, in_hour: float) -> float:
    """Return the residual of a share, by the rarer of what is counted and what is not."""
    sine = math.sin(0.5 * min(max(expected, 0.0), math.pi))
    share = sine * sine
    sign = 1.0
    if share > 0.5:
        count, share, sign = events - count, 1 - share, -1.0
    mean = _rare_share(share, events * in_hour) * events
    least = min(max(mean, FEWEST_COUNTED, SMALLEST_SHARE * events), 0.5 * events)
    if events * in_hour < FEW and events == math.floor(events):
        if count == 0 and mean == 0:
            return 0.0
        usual = _mean_score(mean / events, events, least / events)
        return float(sign * (_binomial_score(count, events, least / events) - usual) / np.sqrt(events))
    if mean < least:
        if count == 0 and mean == 0:
            return 0.0
        usual = _between_counts(mean, events, least)
    else:
        usual = _usual_score(mean)
    return float(sign * (_binomial_score(count, events, least / events) - usual) / np.sqrt(events))


@inlined
def binomial_evidence(count: float, events: float, expected: float, other: float) -> float:
    """Return how many nats likelier a count is at the share that is expected than at another.

    Parameters
    ----------
    count, events
        How many of how many.
    expected, other
        Shares, in the units of expectations.
    """
    share, of_other = share_of(expected, events), share_of(other, events)
    return count * math.log(share / of_other) + (events - count) * math.log((1 - share) / (1 - of_other))


@inlined
def share_of(expected: float, events: float) -> float:
    """Return the share that is expected of events, none of which never happens."""
    least = min(FEWEST_COUNTED / events, 0.5)
    sine = math.sin(0.5 * min(max(expected, 0.0), math.pi))
    return min(max(sine * sine, least), 1 - least)


@inlined
def _between_counts(mean: float, events: float, least: float) -> float:
    """Return the mean score, against ``least``, of what is counted fewer times than that."""
    low = math.floor(mean)
    part = mean - low
    below = _binomial_score(low, events, least / events)
    return below + part * (_binomial_score(low + 1, events, least / events) - below) if part > 0 else below


@inlined
def _count_of(raised: float) -> float:
    """Return the mean μ of a Poisson count x of which the mean of √(x + 3/8), squared, is ``raised``."""
    return max(raised - 0.124 - 0.251 * math.exp(-1.55 * max(raised - 0.375, 0.0)), 0.0)


@inlined
def for_events(expected: float, learned: float, events: float) -> float:
    """Return what is expected of a share among ``events`` an hour, if it was learned from hours of ``learned`` events.

    An expectation is made with 3/8 of an event, and the mean of few arc sines is not that of many: what never happened
    in hours of twelve events is expected as a share of 3 %, in those of a hundred as one of 0.4 %.

    Parameters
    ----------
    expected
        In the units of expectations.
    learned, events
        NaN, or 0, where that is not known: then they are taken for alike.
    """
    few = min(learned, events) < FEW
    if not learned > 0 or not events > 0 or (LIKE < events / learned < 1 / LIKE and not few):
        return expected
    if learned < FEW:
        return expectation_for(few_share_of(expected, learned), events)
    return expectation_for(share_for(expected, learned), events)


@inlined
def share_for(expected: float, events: float) -> float:
    """Return the share that `to_residual` compares ``events`` an hour with."""
    sine = math.sin(0.5 * min(max(expected, 0.0), math.pi))
    share = sine * sine
    rare = _rare_share(min(share, 1 - share), events)
    return rare if share <= 0.5 else 1 - rare


@inlined
def expectation_for(share: float, events: float) -> float:
    """Return what has to be expected of ``events`` an hour for `to_residual` to compare them with a share."""
    mean = min(share, 1 - share) * events
    raised = (mean + 0.375) / (events + 0.75) if events < FEW else _raised_of(mean) / (events + 0.25)
    rare = 2 * math.asin(math.sqrt(min(raised, 0.5)))
    return rare if share <= 0.5 else math.pi - rare


@inlined
def _rare_share(share: float, events: float) -> float:
    """Return which share of ``events`` an hour, up to a half, is expected as the arc sine of one.

    The mean of arc sines is that of their mean but for a count of 1/8 near 0, and of none in the middle. Few events are
    expected by the arc sine of their mean, whatever it was learned of (`few_events`).
    """
    if events < FEW:
        return min(max((share * (events + 0.75) - 0.375) / events, 0.0), 0.5)
    return min(_count_of(share * (events + 0.25)) / events, 0.5)


@inlined
def _mean_score(mean: float, events: float, share: float) -> float:
    """Return the mean score, against ``share``, of what is counted of few events with a mean share."""
    chance, total = (1 - mean) ** events, 0.0
    for count in range(int(events) + 1):
        total += chance * _binomial_score(float(count), events, share)
        chance *= (events - count) / (count + 1) * mean / (1 - mean)
    return total


@inlined
def _raised_of(mean: float) -> float:
    """Return what `_count_of` makes ``mean`` of."""
    raised = mean + 0.375
    for _ in range(8):
        raised = mean + 0.124 + 0.251 * math.exp(-1.55 * max(raised - 0.375, 0.0))
    return raised


@inlined
def events_of(expected: float, in_hour: float) -> float:
    """Return the mean μ of Poisson counts, where that of ln(their mean in an hour + ½) is ``expected``."""
    raised = math.exp(expected)
    return raised - 0.5 + _lost(raised - 0.5, in_hour)


@inlined
def expectation_of(events: float, in_hour: float) -> float:
    """Return of what `events_of` makes so many events."""
    mean = events
    for _ in range(40):
        mean = max(events - _lost(mean, in_hour), 0.0)
    return math.log(mean + 0.5)


@inlined
def _lost(mean: float, in_hour: float) -> float:
    """Return what the mean of logarithms takes from that of counts."""
    return 0.5 * (1 - math.exp(-1.5 * max(mean, 0.0))) / max(in_hour, 1.0)


@inlined
def _usual_score(mean: float) -> float:
    """Return the mean of a count's score if it is Poisson with mean μ ≥ ¼, to 0.02."""
    if mean < 0.5:
        return 0.151 - 0.528 * (mean - 0.25)
    if mean < 1.0:
        return 0.019 - 0.096 * (mean - 0.5)
    return max(-0.029 + 0.006 * (mean - 1.0), -0.029) if mean < 5.0 else 0.0


@inlined
def to_expectation(kind: float, value: float, events: float, windows: float) -> float:
    """Return what an hour's sums amount to in the units of expectations.

    Parameters
    ----------
    kind
    value, events
        Sums of what `to_residual` takes; of scores, the sum of value times events.
    windows
        How many of them.
    """
    if kind == SCORE:
        return value / events
    if kind == RATE:
        return float(2 * math.asin(math.sqrt(min((value + 0.375) / (events + 0.75), 1.0))))
    return float(math.log(value / windows + 0.5))


@inlined
def _binomial_score(count: float, events: float, share: float) -> float:
    rest = 1 - share
    distance = count - events * share + (rest - share) / 6
    bent = 1 + rest * _bend(count / (events * share)) + share * _bend((events - count) / (events * rest))
    return float(distance * np.sqrt(max(bent, 0.0) / ((events + 1 / 6) * share * rest)))


@inlined
def _poisson_score(count: float, mean: float) -> float:
    return float((count - mean + 1 / 6) * np.sqrt(max(1 + _bend(count / mean), 0.0) / mean))


@inlined
def _bend(ratio: float) -> float:
    """Return Peizer and Pratt's g: (1 − t² + 2 t ln t)/(1 − t)²."""
    t = max(ratio, 1e-12)
    if abs(t - 1) < 1e-4:
        return (1 - t) / 3
    return float((1 - t * t + 2 * t * math.log(t)) / ((1 - t) * (1 - t)))
