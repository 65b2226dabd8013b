r"""A level that people accept: what was a shift becomes what is expected.

The size of a shift is how far windows are from what was expected, on average since its alarm began. It is added to what
is expected, and to what is remembered of the days before, which keep their season. From the first day that is wholly at
the new level on, days teach; at the beginning of each day the older ones are moved once more, so that their mean m is
that of the new days:

    δ = Σ_k n_k (m_k' − m_k) / Σ_k n_k        over the two kinds of day k, of which n_k are new

So are the difference of the kinds and single hours, as far as they differ by more than chance explains: contrasts are
no straight function of a signal, and a season looks different from another level. A mean of n days has the variance
s²/n, with s² the variance of days about the mean of their kind. It is added to the uncertainty of what is expected, by
which levels are learned within the day where they are hardly known (`detectors.change.days`), such as on the first
weekend. Changes from the accepted level are found from the first window on.

What one value contributes to the variance of a window is another variance at another level, and is learned anew. Of a
number that has gone far, to where its reference has next to no values, scores follow other seasons and vary otherwise:
of what was before only the reference is kept, and it learns as a number does that has just begun.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.change.expectation import FEWEST_HOURS, UNSEEN, learn_expectation, mean_of_hours
from detectors.change.lag import lag_of
from detectors.change.legend import (
    ACCEPTED_DAY,
    ACCEPTED_SHIFT,
    ACCEPTED_VARIANCE,
    ALARMED,
    BEGAN,
    BEGUN_ANEW,
    BY_DAY,
    BY_WINDOW,
    CARRY,
    CARRY_TODAY,
    DAY_STEP,
    DAYS,
    DAYS_SEEN,
    FAMILIES,
    FAMILY,
    FIRST_DAY,
    FIRST_ROW,
    IN_HOUR,
    KIND,
    LEVEL,
    LEVEL_VARIANCE,
    LOCATION,
    NOISE,
    OF_ALARM,
    REFERENCE_DAYS,
    RENEWED,
    ROWS,
    SCORE,
    SPREAD,
    STANDING,
    STEP,
    STOOD,
    STOOD_SEEN,
    STOOD_SUM,
    TOTAL,
    UNCERTAINTY,
    UNIT_SEEN,
    UNIT_SUM,
    VARIANCE,
    VOLUME,
    WEEKDAYS,
)
from detectors.change.state import State

__all__ = ["Acceptance", "accept", "align", "rows_of", "settle", "teach", "windows_stood"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ALIGNED_DAYS = 14
"""Days at an accepted level by which those before it are moved; then they count as much as any other."""

UNKNOWN = 25.0
"""Variance of a level of which nothing has been seen yet."""


LEARNED_IN_DAY = 0.004
"""A variance of levels from which on they are learned within the day, whatever else they vary by."""

BENDS = (0.5, 0.25)
"""How far a season may be another one at another level, as a part of the shift: of shares and volumes; of scores."""

SPREAD_BENDS = 0.5
"""How far the season of a spread may be another one, as a part of the shift of the typical value beside it."""

KIND_CHANGES = 0.5
"""How far the difference between weekdays and weekends may be another one at another level, as a part of it."""

FAR = np.full(FAMILIES, np.inf)
"""Shifts from which on a number is as good as another one: near the ends of its reference nothing holds that was
learned of its season and its variances."""
FAR[[LOCATION, SPREAD]] = 2.2, 0.28

UNRESOLVED = 0.1
"""Part of the hours at an accepted level whose spread was not resolved from which on it is learned anew."""


@dataclass(frozen=True)
class Acceptance:
    """From when on a level is accepted, as days.

    Attributes
    ----------
    day : int
        The day that has begun.
    from_day : int
        The day in which the level begins.
    whole_day : int
        The first one that is wholly at it.
    """

    day: int
    from_day: int
    whole_day: int


def accept(state: State, s: int, acceptance: Acceptance, weekend: Integers, windows_per_day: int) -> None:
    """Make the level that series ``s`` has what is expected of it, and end its alarm.

    Of a series without an alarm the levels of whole days count; without such a day, its level is learned anew.

    Parameters
    ----------
    state : State
    s : int
    acceptance : Acceptance
    weekend : int64 array [DAYS]
    windows_per_day : int
    """
    rows = rows_of(state, s)
    standing = [r for r in rows if state.rows[r, STANDING] != 0]
    acceptance = _as_shown(state, s, standing, acceptance, windows_per_day)
    alarm_day = acceptance.day
    unseen = acceptance.whole_day >= acceptance.day
    is_far = any(_is_far(state.rows[r], _standing_shift(state.rows[r])) for r in standing)
    moved = sum(_standing_shift(state.rows[r]) for r in standing if state.rows[r, FAMILY] == LOCATION)
    for r in standing:
        alarm_day = min(alarm_day, _alarm_day(state, r, acceptance.day, windows_per_day))
        shift = _standing_shift(state.rows[r])
        variance = _shift_to_standing(state, s, r, acceptance, windows_per_day)
        # Some windows do not show a level as sharply as days do: until there is one, it is learned within the day.
        bent = _bent(state.rows[r], shift, moved)
        least = unseen * max(float(state.filters[r, BY_WINDOW, TOTAL]), LEARNED_IN_DAY, bent)
        settle(state, r, max(variance, least, is_far * bent), windows_per_day)
    are_of_vectors = sum(state.rows[r, FAMILY] == LOCATION for r in rows) > 1
    for r in (r for r in rows if r not in standing):
        # Beside an alarm, little of what has not alarmed has changed; but vectors that lie elsewhere do so along most
        # directions, and those that say it first need not be all.
        is_open = not standing or (are_of_vectors and state.rows[r, KIND] == SCORE)
        bent = _bent(state.rows[r], 0.0, moved)
        least = unseen * max(UNKNOWN if is_open else UNSEEN * UNSEEN, bent)
        settle(state, r, max(least, is_far * bent), windows_per_day)
    _weigh(state, s, acceptance, min(alarm_day, acceptance.from_day))
    for r in rows:
        # At another level a value contributes another variance: it is learned as of a new signal.
        state.rows[r, UNIT_SUM] /= max(state.rows[r, UNIT_SEEN], 1.0)
        state.rows[r, UNIT_SEEN] = min(state.rows[r, UNIT_SEEN], 1.0)
        state.rows[r, ACCEPTED_DAY] = acceptance.whole_day
    for r in rows:
        if state.rows[r, FAMILY] == SPREAD and _was_unresolved(state, r, acceptance):
            # Of hours whose spread was not resolved it is not known: days that alarm for that would never teach it.
            state.begin_row_anew(r)
            state.rows[r, ACCEPTED_DAY] = acceptance.whole_day
    if is_far:
        _renew(state, s)
    far_rows = [r for r in rows if _align(state, r, acceptance.day, weekend)]
    if far_rows:
        _renew(state, s)
    for r in rows:
        _expect(state, s, r, acceptance.day, weekend)


def _was_unresolved(state: State, r: int, acceptance: Acceptance) -> bool:
    """Whether hours at the accepted level had a location, and spread ``r`` was not resolved in some of them."""
    days = np.arange(max(acceptance.whole_day, acceptance.day - DAYS + 1), acceptance.day) % DAYS
    located, resolved = (
        np.vstack((np.isfinite(state.hours_known[row, days]), state.hours[row, :, 1] > 0)) for row in (r - 1, r)
    )
    return bool(np.count_nonzero(located & ~resolved) > UNRESOLVED * np.count_nonzero(located))


def align(state: State, day: int, weekend: Integers) -> None:
    """Move what is remembered to accepted levels, before ``day`` begins: the later the day, the better they are known.

    Parameters
    ----------
    state : State
    day : int
    weekend : int64 array [DAYS]
    """
    for r in np.flatnonzero(state.rows[:, ACCEPTED_DAY]):
        if _align(state, int(r), day, weekend):
            _renew(state, _series_of(state, int(r)))


def teach(state: State, s: int, days: range) -> None:
    """Learn from days of a series that were alarmed."""
    first = max(days.start, int(state.series[s, FIRST_DAY]), days.stop - DAYS)
    for day in range(first, days.stop):
        state.weights[s, day % DAYS] = 1.0


def windows_stood(state: State, s: int) -> int:
    """Return for how many windows the longest alarm of a series has stood; 0 without one."""
    rows = state.rows[rows_of(state, s)]
    return int(np.max(np.where(rows[:, STANDING] != 0, rows[:, STOOD] + 1, 0), initial=0))


def rows_of(state: State, s: int) -> list[int]:
    """Return the numbers of the rows of a series."""
    first = int(state.series[s, FIRST_ROW])
    return list(range(first, first + int(state.series[s, ROWS])))


def _day_means(hours_known: Floats, days: range) -> Floats:
    """Return the means of days that have nearly all of their hours, NaN for the others."""
    hours = hours_known[np.arange(days.start, days.stop) % DAYS]
    seen = np.count_nonzero(~np.isnan(hours), axis=1)
    means = np.full(len(hours), np.nan)
    complete = (seen > 0) & (seen >= FEWEST_HOURS * seen.max(initial=0))
    means[complete] = np.nansum(hours[complete], axis=1) / seen[complete]
    return means


def _align(state: State, r: int, day: int, weekend: Integers) -> bool:
    """Move the days before an accepted level to it, and take its variance from what is expected: a day adds it.

    Return whether that is far.
    """
    row = state.rows[r]
    row[UNCERTAINTY] -= row[ACCEPTED_VARIANCE]
    if day > row[ACCEPTED_DAY] + ALIGNED_DAYS:
        row[ACCEPTED_DAY] = row[ACCEPTED_VARIANCE] = 0.0
        return False
    if day > row[ACCEPTED_DAY] and _is_renewed(state, _series_of(state, r), r):
        row[ACCEPTED_VARIANCE] = 0.0
        return False
    moved = _difference(state, r, day, weekend)
    if moved is None:
        return False
    differences, variance = moved
    former = np.arange(max(day - DAYS + 1, 0), min(int(row[ACCEPTED_DAY]), day)) % DAYS
    _shift(state, r, former, differences[weekend[former]])
    state.expected[r] += differences[weekend[day % DAYS]]
    state.of_other_days[r, 0] += differences[1 - weekend[day % DAYS]]
    if row[ACCEPTED_VARIANCE] >= UNSEEN * UNSEEN:
        state.recent_days[r] = np.nan
    row[ACCEPTED_VARIANCE] = variance
    shift = float(differences[weekend[(day - 1) % DAYS]].mean())
    row[ACCEPTED_SHIFT] += shift
    return _is_far(row, shift)


def _series_of(state: State, r: int) -> int:
    return int(np.searchsorted(state.series[:, FIRST_ROW], r, side="right")) - 1


def _first_day(state: State, s: int, r: int) -> int:
    """Return the first day of a row; of one that was renewed, the first one since."""
    return int(state.series[s, FIRST_DAY] + max(state.rows[r, BEGAN] - 1, 0.0))


def _is_far(row: Floats, shift: float) -> bool:
    return abs(shift) >= float(FAR[int(row[FAMILY])])


def _bent(row: Floats, shift: float, of_location: float) -> float:
    """Return the variance of the season of a row at another level."""
    bent = BENDS[int(row[KIND] == SCORE)] * abs(shift)
    if row[FAMILY] == SPREAD:
        bent = max(bent, SPREAD_BENDS * abs(of_location))
    return bent * bent


def _is_renewed(state: State, s: int, r: int) -> bool:
    """Whether a row of scores is no older than the level that was accepted of it."""
    row = state.rows[r]
    return bool(row[KIND] == SCORE and row[BEGAN] >= row[ACCEPTED_DAY] - state.series[s, FIRST_DAY] + 1)


def _renew(state: State, s: int) -> None:
    """Let the scores of a series be as young as their level: nothing that was before says how they vary now."""
    for r in rows_of(state, s):
        row = state.rows[r]
        if row[KIND] == SCORE and row[BEGAN] > 0 and not _is_renewed(state, s, r):
            row[BEGAN] = row[ACCEPTED_DAY] - state.series[s, FIRST_DAY] + 1
            row[RENEWED] = 1.0
            state.moments[r] = 0.0
            state.waiting[r] = state.recent_days[r] = np.nan


def _expect(state: State, s: int, r: int, day: int, weekend: Integers) -> None:
    """Expect of the rest of a day what the accepted days teach, if any do; what has been shifted stays otherwise."""
    row = state.rows[r]
    first = _first_day(state, s, r)
    lag = lag_of(day - first)
    teaching = np.arange(max(first, day - lag - REFERENCE_DAYS), max(day - lag, first)) % DAYS
    if state.weights[s, teaching].any():
        weights, told_apart = state.weights[s], bool(row[BEGUN_ANEW])
        row[UNCERTAINTY], row[WEEKDAYS] = learn_expectation(
            state.hours_known[r], weights, weekend, first, day, lag, told_apart,
            row[IN_HOUR] if row[KIND] == VOLUME else 0.0, state.expected[r], np.empty_like(state.expected[r]),
        )  # fmt: skip
    row[UNCERTAINTY] += row[ACCEPTED_VARIANCE]


def _alarm_day(state: State, r: int, day: int, windows_per_day: int) -> int:
    """Return the day in which the alarm of a row began."""
    before_today = state.rows[r, STOOD] + 1 - state.in_day[r]
    return day - int(np.ceil(max(before_today, 0.0) / windows_per_day))


def _standing_shift(row: Floats) -> float:
    return float(row[STOOD_SUM] / max(row[STOOD_SEEN], 1.0))


def _as_shown(state: State, s: int, standing: list[int], acceptance: Acceptance, windows_per_day: int) -> Acceptance:
    """Return an acceptance from when on rows whose alarm stands show their level: people name a day by and large."""
    for r in standing:
        alarm_day = _alarm_day(state, r, acceptance.day, windows_per_day)
        start = max(acceptance.whole_day, int(state.series[s, FIRST_DAY]), acceptance.day - DAYS + 1)
        if start >= alarm_day:
            continue
        means = _day_means(state.hours_known[r], range(start, alarm_day))
        is_former = np.abs(means - mean_of_hours(state.expected[r])) < 0.5 * abs(_standing_shift(state.rows[r]))
        # A course that moved, or an outage that comes each day, leaves the mean of a day where it was.
        is_former &= state.weights[s, np.arange(start, alarm_day) % DAYS] >= 1.0
        if is_former.any():
            first = start + int(np.flatnonzero(is_former)[-1]) + 1
            acceptance = Acceptance(acceptance.day, first, first + (first == alarm_day))
    return acceptance


def _shift_to_standing(state: State, s: int, r: int, acceptance: Acceptance, windows_per_day: int) -> float:
    """Expect the level of a row whose alarm stands, and return the variance of what is known of it."""
    row, of_days = state.rows[r], state.filters[r, BY_DAY]
    seen = max(row[STOOD_SEEN], 1.0)
    shift = _standing_shift(row)
    alarm_day = _alarm_day(state, r, acceptance.day, windows_per_day)
    shifted_until = min(alarm_day, acceptance.from_day)
    former = np.arange(max(int(state.series[s, FIRST_DAY]), acceptance.day - DAYS + 1), shifted_until) % DAYS
    _shift(state, r, former, np.array(shift))
    state.expected[r] += shift
    state.of_other_days[r, 0] += shift
    row[ACCEPTED_SHIFT] += shift
    days_stood = max(row[STOOD] / windows_per_day, 1.0)
    return float(state.filters[r, BY_WINDOW, TOTAL] / seen + (of_days[LEVEL_VARIANCE] + of_days[NOISE]) / days_stood)


def _shift(state: State, r: int, former: Integers, shifts: Floats) -> None:
    """Add to what is remembered of days, modulo `DAYS`."""
    # Seven digits, as everywhere: a checkpoint goes on with the same numbers.
    state.hours_known[r, former] = (state.hours_known[r, former] + shifts).astype(np.float32)


def settle(state: State, r: int, variance: float, windows_per_day: int) -> None:
    """End the alarm of a row, if there is one: its level is what is expected, with some variance."""
    row, window, of_days = state.rows[r], state.filters[r, BY_WINDOW], state.filters[r, BY_DAY]
    row[OF_ALARM] = 0.0
    state.charts[r] = 0.0
    state.filters[r, :, LEVEL] = 0.0
    state.filters[r, :, CARRY] = state.filters[r, :, CARRY_TODAY]
    row[UNCERTAINTY] += variance - row[ACCEPTED_VARIANCE]
    row[ACCEPTED_VARIANCE] = variance
    window[DAY_STEP] += variance
    if variance > 0.5 * window[TOTAL] and variance > 0.003:
        # As on a day whose expectation is unsure: the level is learned within it.
        window[[CARRY, CARRY_TODAY]] = 1.0
        window[LEVEL_VARIANCE] += variance
        window[STEP] = max(window[STEP], 0.25 * min(variance, 1.0) / windows_per_day)
    window[VARIANCE] = window[LEVEL_VARIANCE] + variance
    of_days[VARIANCE] = of_days[LEVEL_VARIANCE]
    of_days[NOISE] += variance * 8 / (8 + state.moments[r, BY_DAY, DAYS_SEEN])
    if variance >= UNSEEN * UNSEEN:
        state.recent_days[r] = np.nan


def _weigh(state: State, s: int, acceptance: Acceptance, mixed_from: int) -> None:
    """Let whole days at the accepted level teach, and those not in which it began."""
    day, whole_day = acceptance.day, acceptance.whole_day
    first = max(int(state.series[s, FIRST_DAY]), day - DAYS + 1)
    for mixed in range(max(mixed_from, first), min(whole_day, day)):
        state.weights[s, mixed % DAYS] = 0.0
    teach(state, s, range(max(whole_day, first), day))
    # What today counts for is settled when it ends.
    state.series[s, ALARMED] = float(whole_day > day)


def _difference(state: State, r: int, day: int, weekend: Integers) -> tuple[Floats, float] | None:
    """Return how far days at an accepted level are from those before it, and the variance of that for ``day``.

    float64[2, H], by the kind of day; None where no day of one kind is on either side.
    """
    accepted_day = int(state.rows[r, ACCEPTED_DAY])
    s = _series_of(state, r)
    days = range(max(_first_day(state, s, r), day - DAYS + 1), day)
    numbers = np.arange(days.start, days.stop)
    hours, means = state.hours_known[r, numbers % DAYS], _day_means(state.hours_known[r], days)
    usable, kinds = ~np.isnan(means) & (state.weights[s, numbers % DAYS] > 0), weekend[numbers % DAYS]
    of_days, of_hours = _Spread(), _Spread()
    counts, levels, shapes = np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 2, hours.shape[1]))
    for kind in (0, 1):
        for side, is_there in enumerate((numbers < accepted_day, numbers >= accepted_day)):
            chosen = usable & (kinds == kind) & is_there
            counts[kind, side] = np.count_nonzero(chosen)
            levels[kind, side] = of_days.mean(means[chosen][:, None])[0]
            shapes[kind, side] = of_hours.mean(hours[chosen] - means[chosen][:, None])
    # New days count where there are former ones of their kind to compare them with.
    weights = counts[:, 1] * (counts[:, 0] > 0)
    if not weights.any():
        return None
    weights /= weights.sum()
    of_means = np.where(weights > 0, (1 / np.maximum(counts, 1)).sum(axis=1), 0.0)
    by_kind = levels[:, 1] - levels[:, 0]
    level = float(weights @ by_kind)
    shape_by_kind = shapes[:, 1] - shapes[:, 0]
    pooled, of_hour = weights @ shape_by_kind, of_hours.variance() * float(weights**2 @ of_means)
    shape, shape_variance = _shrunk(pooled, len(pooled) - 1, of_hour)
    variance = of_days.variance() / float(counts[weights > 0, 1].sum()) + shape_variance
    differences = np.tile(level + shape, (2, 1))
    if (weights > 0).all():
        apart, of_kinds = _shrunk(by_kind - level, 1, of_days.variance() * float(of_means.sum()))
        differences, variance = differences + apart[:, None], variance + of_kinds
        for kind in (0, 1):
            of_kind = of_hours.variance() * float(of_means[kind])
            differences[kind] += _shrunk(shape_by_kind[kind] - pooled, len(pooled) - 1, of_kind)[0]
    elif counts[weekend[day % DAYS], 1] == 0 and (counts[:, 0] > 0).all():
        of_kind = KIND_CHANGES * float(levels[1, 0] - levels[0, 0])
        variance += max(of_kind * of_kind, UNSEEN * UNSEEN * (state.rows[r, FAMILY] == SPREAD))
    return differences, variance


def _shrunk(differences: Floats, freedom: int, variance: float) -> tuple[Floats, float]:
    """Return what differs by more than chance explains (James and Stein 1961), and its variance."""
    factor = max(1 - freedom * variance / max(float(np.sum(differences * differences)), 1e-12), 0.0)
    return factor * differences, factor * variance


class _Spread:
    """The variance of values about the means of their groups; no contrast repeats itself exactly from day to day."""

    def __init__(self) -> None:
        self._squares, self._freedom = 2e-4, 2.0

    def mean(self, rows: Floats) -> Floats:
        """Return the means of columns, 0 where there is nothing, and take in how far values are from them."""
        counts = np.count_nonzero(~np.isnan(rows), axis=0)
        means: Floats = np.nansum(rows, axis=0) / np.maximum(counts, 1)
        self._squares += float(np.nansum((rows - means) ** 2))
        self._freedom += float(np.sum(np.maximum(counts - 1, 0)))
        return means

    def variance(self) -> float:
        return self._squares / self._freedom
