r"""Whether a signal differs from the reference that a model was built on, day after day.

Unlike a change, a skew needs no onset: it may be there from the first event. The mean m of the last days of a contrast
is compared with that of its reference, r. It is one if it is larger than what matters, ε, by more than chance explains:

    t = (|m − r| − ε) / √(s² min((1 + φ)/(1 − φ), w)/w + v)

Here w is the number of days, s² the variance of days about the mean of their kind, φ their autocorrelation, and v the
variance of the reference's mean. Days are what is independent, and few: t is compared with Student's distribution. The
test of a difference beyond ε, rather than of none, is what keeps a million events from alarming about nothing (Hodges
and Lehmann 1954, J. R. Stat. Soc. B 16). Two spans are looked at, a week and four, since levels that vary from day to
day hide a small skew from a single week.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.change.accepted_skew import FEWEST_DAYS, USUAL_DAYS, USUAL_SPREAD, AcceptedSkews
from detectors.change.expectation import FEWEST_HOURS, hours_seen, mean_of_hours
from detectors.change.legend import (
    DAYS,
    FAMILIES,
    FAMILY,
    FIRST_DAY,
    FIRST_ROW,
    LOCATION,
    RATE,
    RATES,
    ROWS,
    SHARES,
    SPREAD,
)
from detectors.change.residuals import to_expectation
from detectors.change.state import State
from detectors.distance.tail import t_tail
from detectors.kernel import inlined, kernel

__all__ = ["MATERIAL", "SKEW_SHARE", "Skews"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SPANS = np.array([7, 28])
"""Days whose mean is compared with the reference."""

SKEW_SHARE = 0.2
"""Share of the budget of false alarms, beside what changes have."""

MATERIAL = np.full(FAMILIES, np.inf)
"""What matters by family, in the units of residuals; a volume has no reference."""
MATERIAL[[LOCATION, SPREAD, SHARES, RATES]] = 0.1, 0.1, 0.05, 0.03

# What is said of a series: whether it is skewed, the evidence −ln p and its threshold; of the row that shows it most,
# which that is, what the reference has, and what there is; the days seen. Too few days give no evidence and no row.
SKEWED, EVIDENCE, THRESHOLD, ROW, REFERENCE, CURRENT, DAYS_SEEN, VERDICT = range(8)


class Skews:
    """The skews of a model's signals.

    Parameters
    ----------
    false_alarms : float
        Accepted a day for all of them; `SKEW_SHARE` of the model's.
    signals : int

    Examples
    --------
    >>> from detectors.change.legend import SCORE
    >>> state = State.fresh([[(SCORE, LOCATION)]], 0, 1, 5)
    >>> skews = Skews(false_alarms=0.2 / 30, signals=1)
    >>> skews.add(np.array([[0.0, 1e-4]]))
    >>> weekend = np.zeros(DAYS, dtype=np.int64)
    >>> for day in range(10):
    ...     state.hours_known[0, day] = 1.0 + 0.02 * (-1) ** day
    ...     verdict = skews.judge(state, day, weekend)[0]
    ...     if verdict[SKEWED]:
    ...         break
    >>> day, round(float(verdict[CURRENT]), 1)
    (2, 1.0)
    """

    def __init__(self, false_alarms: float, signals: int) -> None:
        self._false_alarms, self._signals = false_alarms, signals
        self.references = np.empty((0, 2))
        self.skewed = np.empty(0)
        self.accepted = AcceptedSkews()

    def add(self, reference: Floats) -> None:
        """Add a series with the reference of each of its contrasts, float64[K, 2]: mean and variance, or NaN."""
        self.references = np.concatenate((self.references, reference))
        self.skewed = np.append(self.skewed, 0.0)
        self.accepted.add()

    def forget(self, gone: npt.NDArray[np.bool_], rows: Integers) -> None:
        """Go on without some series, bool[S], that have so many contrasts each, int64[S]."""
        self.references, self.skewed = self.references[np.repeat(~gone, rows)], self.skewed[~gone]
        self.accepted.forget(gone)

    def accept(self, s: int, day: int) -> None:
        """Refer to the level that a series has from a day on."""
        self.skewed[s] = 0.0
        self.accepted.accept(s, day)

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {
            "references": self.references.copy(),
            "skewed": self.skewed.copy(),
            "accepted": self.accepted.snapshot(),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        self.references, self.skewed = np.array(snapshot["references"]), np.array(snapshot["skewed"])
        self.accepted.restore(snapshot.get("accepted"), len(self.skewed))

    def judge(self, state: State, day: int, weekend: Integers) -> Floats:
        """Judge a day that has ended, float64[S, VERDICT]."""
        verdicts = np.full((len(state.series), VERDICT), np.nan)
        rate = self._false_alarms / max(self._signals, len(state.series))
        self.accepted.refer(state, day, self.references)
        judge_skews(
            day, rate, MATERIAL, weekend, state.rows, state.series, state.hours_known, state.totals, self.references,
            self.accepted.since, self.skewed, verdicts,
        )  # fmt: skip
        self.accepted.pass_over(verdicts, self.skewed)
        return verdicts


@kernel
def judge_skews(
    day: int, rate: float, material: Floats, weekend: Integers, rows: Floats, series: Floats, hours_known: Floats,
    totals: Floats, references: Floats, since: Floats, skewed: Floats, verdicts: Floats,
) -> None:  # fmt: skip
    """Write what a day says of the skew of each series.

    Parameters
    ----------
    day, rate
        The day that has ended; accepted false alarms a day, of one signal.
    material, weekend
        float64[FAMILIES], int64[DAYS].
    rows, series, hours_known, totals
        As `detectors.change.state.State` has them.
    references, since, skewed
        float64[R, 2]; float64[S], the days from which they hold; float64[S], which series are skewed so far.
    verdicts
        float64[S, VERDICT]
    """
    means = np.empty(DAYS)
    for s in range(series.shape[0]):
        first, count = int(series[s, FIRST_ROW]), int(series[s, ROWS])
        referred = 0
        for r in range(first, first + count):
            referred += not np.isnan(references[r, 0])
        verdicts[s, SKEWED] = skewed[s]
        verdicts[s, THRESHOLD] = -np.log(rate)
        verdicts[s, DAYS_SEEN] = 0
        stays = False
        for r in range(first, first + count):
            if np.isnan(references[r, 0]):
                continue
            begin = max(int(series[s, FIRST_DAY]), day - int(SPANS[-1]) + 1, int(since[s]))
            days = _day_means(hours_known[r], totals[r], begin, day, means)
            verdicts[s, DAYS_SEEN] = max(verdicts[s, DAYS_SEEN], days)
            limit = material[int(rows[r, FAMILY])]
            for span in SPANS:
                difference, probability, current = _compare(
                    means, totals[r], weekend, max(begin, day - span + 1), begin, day, references[r], limit
                )
                if np.isnan(current):
                    continue
                stays |= difference > limit
                evidence = 0.0 - np.log(max(min(probability * referred * SPANS.size, 1.0), 1e-300))
                if not (evidence <= verdicts[s, EVIDENCE]):
                    verdicts[s, EVIDENCE] = evidence
                    verdicts[s, ROW] = r
                    verdicts[s, REFERENCE] = references[r, 0]
                    verdicts[s, CURRENT] = current
        if referred > 0:
            # Said once: it lasts until nothing that matters is left of it.
            if verdicts[s, EVIDENCE] > verdicts[s, THRESHOLD]:
                skewed[s] = 1.0
            elif not stays:
                skewed[s] = 0.0
            verdicts[s, SKEWED] = skewed[s]


@inlined
def _day_means(hours: Floats, totals: Floats, begin: int, day: int, means: Floats) -> int:
    """Write the means of the days that have nearly all of their hours, NaN for the others; return how many have.

    A share is that of all events of a day: hours of few events have a mean of their own.
    """
    fullest, days = 0, 0
    for d in range(begin, day + 1):
        fullest = max(fullest, hours_seen(hours[d % DAYS]))
    for d in range(begin, day + 1):
        seen = hours_seen(hours[d % DAYS])
        is_full = seen > 0 and seen >= FEWEST_HOURS * fullest
        counted, events = totals[d % DAYS, 0], totals[d % DAYS, 1]
        mean = to_expectation(RATE, counted, events, 1.0) if events > 0 else mean_of_hours(hours[d % DAYS])
        means[d % DAYS] = mean if is_full else np.nan
        days += is_full
    return days


@inlined
def _compare(
    means: Floats, totals: Floats, weekend: Integers, start: int, begin: int, day: int, reference: Floats, limit: float
) -> tuple[float, float, float]:
    """Return how far the mean of days from ``start`` on is from a reference, the probability of that, and the mean."""
    sums, counts = np.zeros(3), np.zeros(3)
    width = 0
    current = 0.0
    counted, events = 0.0, 0.0
    for d in range(begin, day + 1):
        if not np.isnan(means[d % DAYS]):
            sums[weekend[d % DAYS]] += means[d % DAYS]
            counts[weekend[d % DAYS]] += 1
            if d >= start:
                current += means[d % DAYS]
                counted += totals[d % DAYS, 0]
                events += totals[d % DAYS, 1]
                width += 1
    if width < FEWEST_DAYS:
        return 0.0, 1.0, np.nan
    # A mean of angles is that of few events: all of them together say what the share is.
    current = 2 * math.asin(math.sqrt(min(counted / events, 1.0))) if events > 0 else current / width
    days = counts[0] + counts[1]
    overall = (sums[0] + sums[1]) / days
    squares, products = 0.0, 0.0
    former = np.nan
    for d in range(begin, day + 1):
        if np.isnan(means[d % DAYS]):
            former = np.nan
            continue
        kind = weekend[d % DAYS]
        # With few weeks, the mean of a kind of day would explain what it should be judged by.
        deviation = means[d % DAYS] - (sums[kind] / counts[kind] if days >= 14 else overall)
        squares += deviation * deviation
        if not np.isnan(former):
            products += former * deviation
        former = deviation
    usual = USUAL_SPREAD * USUAL_SPREAD
    variance = (squares + USUAL_DAYS * usual) / (days - 1 + USUAL_DAYS)
    dependence = min(max(products / (squares + 5 * usual) + (1 / days if days > 7 else 0.0), 0.0), 0.95)
    inflation = min((1 + dependence) / (1 - dependence), width)
    spread = np.sqrt(variance * inflation / width + reference[1])
    difference = abs(current - reference[0])
    t = (difference - limit) / spread
    return difference, t_tail(t, USUAL_DAYS + days - 1) if t > 0 else 1.0, current
