r"""Whether a signal differs from the reference that a model was built on, day after day.

Unlike a change, a skew needs no onset: it may be there from the first event. The mean m of the last days of a contrast
is compared with that of its reference, r. It is one if it is larger than what matters, ε, and a fifth of that by more
than chance explains:

    t = (|m − r| − ε/5) / √(Σ P(ρ) s²(ρ) (a(ρ) + b(ρ)) + u + v),  |m − r| > ε

Here s² is the variance of days about the mean of their kind, and a that of m for days of variance 1 of which each hands
a part ρ of its deviation on to the next one; both, and how likely each ρ is, are learned from all signals of the family
(`detectors.change.day_variance`). u is the variance of a kind of day that has not come yet, and v that of the
reference's mean, as its values say it. Those of a data set do not say of which days they are: b is what a is for four
weeks of them. A spread of several days holds what their levels differ by, V out of T in all: to first order it is ½ V/T
(a − b) short of that of a data set, and has ½ (V/T)² (a + b) more variance, with ρ² in the place of ρ. Days are what is
independent, and few: t is compared with Student's distribution, with the days that s² was learned from. Weekdays and
weekends count as they do in whole weeks. That part of what matters must be certain is what keeps a million events from
alarming about nothing (Hodges and Lehmann 1954, J. R. Stat. Soc. B 16). Two spans are looked at, a week and four, since
levels that vary from day to day hide a small skew from a single week.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate, repeat
from operator import mul
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.change.accepted_skew import FEWEST_DAYS, USUAL_DAYS, USUAL_SPREAD, AcceptedSkews
from detectors.change.day_levels import levels_of_days, location_of, pooled_level
from detectors.change.day_variance import (
    CARRIES,
    FREEDOM,
    LEARNED,
    POOL,
    PRIOR,
    SQUARES,
    VARIANCES,
    borrow,
    learn_days,
    pool_days,
    varies,
)
from detectors.change.legend import (
    DAYS,
    FAMILIES,
    FAMILY,
    FIRST_DAY,
    FIRST_ROW,
    LOCATION,
    RATES,
    ROWS,
    SHARES,
    SPREAD,
)
from detectors.change.state import State
from detectors.distance.tail import t_tail
from detectors.kernel import inlined, kernel

__all__ = ["MATERIAL", "SKEW_SHARE", "Skews"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def _inflation_of(carry: float, days: int) -> float:
    """Return the variance of the mean of AR(1) days of variance 1."""
    # Sums and products only, which every processor rounds alike.
    powers = accumulate(repeat(carry, days - 1), mul)
    apart = math.fsum((days - distance) * power for distance, power in enumerate(powers, start=1))
    return (days + 2 * apart) / (days * days)


SPANS = np.array([7, 28])
"""Days whose mean is compared with the reference."""

LONGEST = int(SPANS.max())

OFF_SHARE = 2 / 7
"""Part of a reference's days that were weekends."""

UNSEEN_OFFSET = 0.25
"""Standard deviation of the offset of weekends, or of other days, while there were none."""

DATA_SET_DAYS = 28
"""Days that a data set is taken to be of: it is no surer than they are."""

OF_DATA_SET = np.array([_inflation_of(carry, DATA_SET_DAYS) for carry in CARRIES.tolist()])
"""The variance of its mean for days of variance 1, by the part of a deviation that the next day has."""

OF_ITS_SQUARES = np.array([_inflation_of(carry * carry, DATA_SET_DAYS) for carry in CARRIES.tolist()])
"""The same of the mean of squares, of which the next day has the square of that part."""

CERTAIN = 0.2
"""Part of what matters that more than chance must explain."""

REMAINS = 0.5
"""Part of what matters that keeps a skew standing: one that is about as large as what matters is said once."""

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
        self.skewed, self.of_data_set = np.empty(0), np.empty(0)
        self.accepted = AcceptedSkews()

    def add(self, reference: Floats) -> None:
        """Add a series with the reference of each of its contrasts, float64[K, 2]: mean and variance, or NaN."""
        self.references = np.concatenate((self.references, reference))
        self.skewed, self.of_data_set = np.append(self.skewed, 0.0), np.append(self.of_data_set, 1.0)
        self.accepted.add()

    def add_rows(self, rows: Sequence[int], references: Floats) -> None:
        """Add contrasts, float64[K, 2], before the numbers of rows that there are."""
        self.references = np.insert(self.references, rows, references, axis=0)

    def forget(self, gone: npt.NDArray[np.bool_], rows: Integers) -> None:
        """Go on without some series, bool[S], that have so many contrasts each, int64[S]."""
        self.references, self.skewed = self.references[np.repeat(~gone, rows)], self.skewed[~gone]
        self.of_data_set = self.of_data_set[~gone]
        self.accepted.forget(gone)

    def begin(self, s: int, day: int) -> None:
        """Compare days of a series from ``day`` on: those before were another version's."""
        self.accepted.since[s] = day

    def refer(self, s: int, rows: slice, reference: Floats, day: int) -> None:
        """Compare days of a series from ``day`` on with a reference that it did not begin with, if there is any."""
        if not np.isnan(reference[:, 0]).all():
            self.references[rows], self.of_data_set[s] = reference, 0.0
            self.accepted.since[s] = max(self.accepted.since[s], day)

    def accept(self, s: int, day: int) -> None:
        """Refer to the level that a series has from a day on."""
        self.skewed[s], self.of_data_set[s] = 0.0, 0.0
        self.accepted.accept(s, day)

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {
            "references": self.references.copy(),
            "skewed": self.skewed.copy(),
            "of_data_set": self.of_data_set.copy(),
            "accepted": self.accepted.snapshot(),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        self.references, self.skewed = np.array(snapshot["references"]), np.array(snapshot["skewed"])
        self.accepted.restore(snapshot.get("accepted"), len(self.skewed))
        # Earlier checkpoints do not say it: there what was never accepted, nor another version's, is a data set's.
        self.of_data_set = np.array(snapshot.get("of_data_set", (self.accepted.since == 0).astype(np.float64)))

    def judge(self, state: State, day: int, weekend: Integers) -> Floats:
        """Judge a day that has ended, float64[S, VERDICT]."""
        verdicts = np.full((len(state.series), VERDICT), np.nan)
        rate = self._false_alarms / max(self._signals, len(state.series), 1)
        self.accepted.refer(state, day, self.references)
        judge_skews(
            day, rate, MATERIAL, weekend, state.rows, state.series, state.hours_known, state.totals, self.references,
            self.accepted.since, self.of_data_set, self.skewed, verdicts,
        )  # fmt: skip
        self.accepted.pass_over(verdicts, self.skewed)
        return verdicts


@kernel
def judge_skews(
    day: int, rate: float, material: Floats, weekend: Integers, rows: Floats, series: Floats, hours_known: Floats,
    totals: Floats, references: Floats, since: Floats, of_data_set: Floats, skewed: Floats, verdicts: Floats,
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
    references, since, of_data_set, skewed
        float64[R, 2]; float64[S], the days from which they hold; float64[S], 1 where they are a data set's, whose
        variance knows of no days; float64[S], which series are skewed so far.
    verdicts
        float64[S, VERDICT]
    """
    kinds = np.zeros(LONGEST, dtype=np.int64)
    for d in range(LONGEST):
        kinds[d] = weekend[(day - LONGEST + 1 + d) % DAYS]
    means, counted = np.full((rows.shape[0], LONGEST), np.nan), np.zeros((rows.shape[0], LONGEST, 2))
    for s in range(series.shape[0]):
        begin = max(int(series[s, FIRST_DAY]), day - LONGEST + 1, int(since[s]))
        for r in range(int(series[s, FIRST_ROW]), int(series[s, FIRST_ROW] + series[s, ROWS])):
            if not np.isnan(references[r, 0]):
                levels_of_days(
                    rows[r], hours_known[r], totals[r], totals[location_of(rows, r)], begin, day, means[r], counted[r]
                )
    learned, pools = np.zeros((rows.shape[0], LEARNED)), np.zeros((FAMILIES, POOL))
    learn_days(means, kinds, learned)
    pool_days(means, kinds, rows, learned, pools)
    prior = PRIOR[1 if hours_known.shape[2] == 1 else 0]
    for s in range(series.shape[0]):
        verdicts[s, SKEWED] = skewed[s]
        verdicts[s, THRESHOLD] = -np.log(rate)
        verdicts[s, DAYS_SEEN] = 0
        first, stop = int(series[s, FIRST_ROW]), int(series[s, FIRST_ROW] + series[s, ROWS])
        if np.isnan(references[first:stop, 0]).all():
            continue
        stays = _judge_series(
            first, stop, material, prior, rows, means, counted, kinds, references, of_data_set[s], learned, pools,
            verdicts[s],
        )  # fmt: skip
        # Said once: it lasts until less than half of what matters is left of it.
        if verdicts[s, EVIDENCE] > verdicts[s, THRESHOLD]:
            skewed[s] = 1.0
        elif not stays:
            skewed[s] = 0.0
        verdicts[s, SKEWED] = skewed[s]


@inlined
def _judge_series(
    first: int, stop: int, material: Floats, prior: Floats, rows: Floats, means: Floats, counted: Floats,
    kinds: Integers, references: Floats, of_data_set: float, learned: Floats, pools: Floats, verdict: Floats,
) -> bool:  # fmt: skip
    """Write the strongest evidence of a series' rows; return whether one differs by what matters."""
    weights, levels = np.empty(CARRIES.size), np.zeros((2, CARRIES.size))
    varying = 0
    for r in range(first, stop):
        varying += varies(learned[r])
    stays = False
    for r in range(first, stop):
        days, oldest = 0, LONGEST
        for d in range(LONGEST):
            if not np.isnan(means[r, d]):
                days += 1
                oldest = min(oldest, d)
        verdict[DAYS_SEEN] = max(verdict[DAYS_SEEN], days)
        family = int(rows[r, FAMILY])
        prior_days = borrow(learned[r], pools[family], prior, weights)
        located = location_of(rows, r)
        if family == SPREAD:
            _levels_of(learned[located], pools[LOCATION], prior, levels)
        # What never varies cannot alarm, and takes nothing from the others. Of a single week there is a single span.
        tests = (varying + (not varies(learned[r]))) * (SPANS.size if LONGEST - oldest > SPANS[0] else 1)
        for span in SPANS:
            difference, probability, current = _compare(
                rows[r], means[r, LONGEST - span :], counted[r, LONGEST - span :],
                counted[located, LONGEST - span :], kinds[LONGEST - span :], references[r], of_data_set,
                material[family], learned[r], pools[family], prior_days, weights, levels,
            )  # fmt: skip
            if np.isnan(current):
                continue
            stays |= difference > REMAINS * material[family]
            evidence = 0.0 - np.log(max(min(probability * tests, 1.0), 1e-300))
            if not (evidence <= verdict[EVIDENCE]):
                verdict[EVIDENCE] = evidence
                verdict[ROW] = r
                verdict[REFERENCE] = references[r, 0]
                verdict[CURRENT] = current
    return stays


@inlined
def _levels_of(learned: Floats, pool: Floats, prior: Floats, levels: Floats) -> None:
    """Write how likely each carry is for days of a location, and the variance of these then, float64[2, CARRIES]."""
    prior_days = borrow(learned, pool, prior, levels[0])
    freedom = learned[FREEDOM] + prior_days + USUAL_DAYS
    for c in range(CARRIES.size):
        squares = learned[SQUARES + c] + prior_days * pool[VARIANCES + c] + USUAL_DAYS * USUAL_SPREAD * USUAL_SPREAD
        levels[1, c] = squares / freedom


@inlined
def _compare(
    row: Floats, means: Floats, counted: Floats, of_location: Floats, kinds: Integers, reference: Floats,
    of_data_set: float, limit: float, learned: Floats, pool: Floats, prior_days: float, weights: Floats, levels: Floats,
) -> tuple[float, float, float]:  # fmt: skip
    """Return how far the mean of days is from a reference, the probability of that, and the mean; NaN of too few."""
    counts = np.zeros(2)
    for d in range(kinds.size):
        if not np.isnan(means[d]):
            counts[kinds[d]] += 1
    if counts.sum() < FEWEST_DAYS or np.isnan(reference[0]):
        return 0.0, 1.0, np.nan
    variance_unseen = 0.0
    parts = np.empty(2)
    if counts[0] > 0 and counts[1] > 0:
        parts[0], parts[1] = (1 - OFF_SHARE) / counts[0], OFF_SHARE / counts[1]
    else:
        parts[:] = 1 / counts.sum()
        variance_unseen = ((OFF_SHARE if counts[0] > 0 else 1 - OFF_SHARE) * UNSEEN_OFFSET) ** 2
    current, part, events, location, located = 0.0, 0.0, 0.0, 0.0, 0.0
    uncounted = False
    for d in range(kinds.size):
        if not np.isnan(means[d]):
            current += parts[kinds[d]] * means[d]
            part += parts[kinds[d]] * counted[d, 0]
            events += parts[kinds[d]] * counted[d, 1]
            location += parts[kinds[d]] * of_location[d, 0]
            located += parts[kinds[d]] * of_location[d, 1]
            uncounted |= counted[d, 1] <= 0
    narrower, of_levels = 0.0, 0.0
    if not uncounted:
        current = pooled_level(row, part, events, location / max(located, 1e-300))
        if row[FAMILY] == SPREAD:
            narrower, of_levels = _by_levels(
                means, kinds, parts, levels, of_data_set, np.exp(min(current, reference[0]) + reference[0])
            )
    difference = abs(current + narrower - reference[0])
    if difference <= limit:
        return difference, 1.0, current
    freedom = learned[FREEDOM] + prior_days + USUAL_DAYS
    usual = USUAL_DAYS * USUAL_SPREAD * USUAL_SPREAD * _inflation(means, kinds, parts, 0.0)
    variance = variance_unseen + reference[1] + usual / freedom + of_levels
    for c in range(CARRIES.size):
        squares = learned[SQUARES + c] + prior_days * pool[VARIANCES + c]
        inflation = _inflation(means, kinds, parts, CARRIES[c]) + of_data_set * OF_DATA_SET[c]
        variance += weights[c] * squares / freedom * inflation
    probability = t_tail((difference - CERTAIN * limit) / np.sqrt(variance), freedom)
    return difference, probability, current


@inlined
def _by_levels(
    means: Floats, kinds: Integers, parts: Floats, levels: Floats, of_data_set: float, total: float
) -> tuple[float, float]:  # fmt: skip
    """Return by how much levels of days make a spread narrower than that of a data set, and by how much they vary it.

    What values of several days differ by holds what their levels do, and few days show less of that, and more or less
    of it by chance, than the days of a data set.
    """
    narrower, variance = 0.0, 0.0
    for c in range(CARRIES.size):
        share = min(levels[1, c] / total, 1.0)
        fewer_days = _inflation(means, kinds, parts, CARRIES[c]) - OF_DATA_SET[c]
        narrower += levels[0, c] * 0.5 * share * of_data_set * fewer_days
        squares = _inflation(means, kinds, parts, CARRIES[c] * CARRIES[c]) + of_data_set * OF_ITS_SQUARES[c]
        variance += levels[0, c] * 0.5 * share * share * squares
    return narrower, variance


@inlined
def _inflation(means: Floats, kinds: Integers, parts: Floats, carry: float) -> float:
    """Return the variance of a weighed sum of days, of which each has a variance of 1 and hands a part of it on."""
    total, carried = 0.0, 0.0
    for d in range(kinds.size):
        carried *= carry
        if not np.isnan(means[d]):
            part = parts[kinds[d]]
            total += part * (part + 2 * carried)
            carried += part
    return total
