r"""The smallest shift that the charts find, before there is one: in one window, in a day, in a week.

The path of a chart's evidence under a lasting shift d is known beforehand. After its onset the level absorbs a share λ
of it, by the recursion of the filter (`charts`), so that the standardised residual has the mean z = d (m − λ)/√(cF),
where m is the part of the window that is shifted. With weights w, what a chart expects of a shift of its size,

    S_n = Σ w_t (g(z_t) − zone_t) − w_t²/2,    standard deviation √(Σ w_t² s_t²)

where g is the normal score of Student's t and s its slope. Where sums of residuals vary V times as much as those of
independent ones, each window after the first counts for 1/V in S, and in the square of its standard deviation. Where
windows of a day have a scale in common, the shift that was seen since its onset passes for a part of that. Nine in
ten paths lie above S_n less 1.28 standard deviations. The smallest shift is the d for which that passes the threshold
at some n within the time, by bisection. It is a bound on the safe side, if the model holds: charts start without
evidence, and no second chance counts, neither a later start nor a larger sum in between.

A shift is taken to begin at noon: of its first day half is shifted, and the level of the day is known. One that comes
over night, in a signal whose level differs from day to day, takes until days can tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.change.charts import LEAST_FRESH, MOST_SQUARE
from detectors.change.legend import (
    ALWAYS,
    CALIBRATION,
    CARRY,
    COMMON,
    DAY_STEP,
    DIRECTIONS,
    FREEDOM,
    FREEDOM_FRESH,
    IN_HOUR,
    KIND,
    LEVEL_VARIANCE,
    MAGNITUDES,
    NEVER,
    NOISE,
    OVERNIGHT,
    RATE,
    SCORE,
    SERIAL,
    STEP,
    VARIANCE,
    ZONE,
)
from detectors.change.residuals import share_for, to_residual
from detectors.kernel import kernel

__all__ = ["DAYS_OF_WEEK", "MOST_EVENTS", "Onset", "contrast_at", "contrast_on_average", "smallest_shifts"]

Floats = npt.NDArray[np.float64]

NINE_IN_TEN = 1.2816
"""Standard deviations below the mean, above which nine in ten paths lie."""

SIZES = 0.5 * 2.0 ** np.arange(MAGNITUDES)
"""Sizes of shifts that charts look for, in standard deviations of a prediction."""

SMALLEST, LARGEST, HALVINGS = 1e-4, 30.0, 30
"""Between which shifts the smallest is looked for, in the units of residuals, and in how many steps."""

COUNT_HALVINGS = 26

MORE, MOST_EVENTS = 1000.0, 1e18
"""How many times what is expected a volume is looked for in, and again as many, up to what no window has."""

RARE = 40
"""Events of a window up to which they are counted one by one."""

MOST_COUNTED = 4 * RARE
"""Events of a window up to which each number of them that may be counted is looked at."""

LEAST_SHARE = 1e-7

EXACT = 32
"""Windows that are looked at one by one; later ones in blocks that grow by an eighth."""

DAYS_OF_WEEK = 7


@dataclass(frozen=True)
class Onset:
    """When a shift comes.

    Parameters
    ----------
    parts : float64 array [N]
        Which part of each window from the onset on is shifted.
    first_of_day : bool array [N]
        Whether a window begins a day.
    before : int
        Windows of the day before the onset.
    margin : float
        How many standard deviations above the threshold the expected path is to be.
    """

    parts: Floats
    first_of_day: npt.NDArray[np.bool_]
    before: int
    margin: float = NINE_IN_TEN

    @classmethod
    def in_window(cls, *, first: bool) -> Onset:
        """Return one window alone, the first of a day or not: without a margin, since what is enough is what alarms."""
        return cls(np.ones(1), np.array([first]), 0, margin=0.0)

    @classmethod
    def by_window(cls, windows_per_day: int) -> Onset:
        """Return a week from noon on, window by window."""
        noon = windows_per_day // 2
        windows = np.arange(DAYS_OF_WEEK * windows_per_day)
        return cls(np.ones(len(windows)), (windows + noon) % windows_per_day == 0, noon)

    @classmethod
    def by_day(cls, windows_per_day: int) -> Onset:
        """Return a week of days, the first of which is shifted from noon on; all of it if it has one window only."""
        parts = np.ones(DAYS_OF_WEEK)
        parts[0] = 1.0 if windows_per_day == 1 else 0.5
        return cls(parts, np.zeros(DAYS_OF_WEEK, dtype=np.bool_), DAYS_OF_WEEK)


@dataclass(frozen=True)
class _Path:
    """What R contrasts do with a shift of size 1, in blocks of windows, float64[R, B] each.

    Attributes
    ----------
    weights, squares : sums of what a chart of size 1 expects, and of its square
    means, zones, freedom : of standardised residuals per unit of the shift, of the zone of indifference, of Student's t
    last : int64 array [B], the number of windows up to the end of each block
    earlier : int64 array [B], how many windows of its day each block has before it
    common : float64 array [R], of how many degrees of freedom the scale is that windows of a day have in common, or 0
    """

    weights: Floats
    squares: Floats
    means: Floats
    zones: Floats
    freedom: Floats
    last: npt.NDArray[np.int64]
    earlier: npt.NDArray[np.int64]
    common: Floats


def smallest_shifts(
    filters: npt.ArrayLike,
    sampling: npt.ArrayLike,
    threshold: npt.ArrayLike,
    onset: Onset,
    within: npt.ArrayLike,
    *,
    contrasts: npt.ArrayLike | None = None,
) -> Floats:
    """Return the smallest shifts that nine in ten times make a signal alarm; NaN where there is none.

    Parameters
    ----------
    filters : float64 array [R, FILTER]
        Contrasts, of one signal or of several, at one scale.
    sampling : float64 array [R]
        The variance that sampling gives a residual.
    threshold : float, or float64 array [R]
        Of the score of each contrast's signal.
    onset : Onset
    within : int array [H]
        Windows, or days, within which it is to alarm.
    contrasts : int, int array [R] or None
        How many its signal has in all; R if None.

    Returns
    -------
    float64 array [R, H]
        In the units of residuals.

    Examples
    --------
    Independent windows with a variance of 0.01, a threshold of 8, one window and a day of them:

    >>> from detectors.change.legend import CALIBRATION, FILTER, FREEDOM, FREEDOM_FRESH
    >>> row = np.zeros((1, FILTER))
    >>> row[:, [CALIBRATION, FREEDOM, FREEDOM_FRESH]] = 1, 50, 50
    >>> smallest_shifts(row, [0.01], 8.0, Onset.by_window(24), [1, 24, 168]).round(2).tolist()
    [[0.64, 0.12, 0.05]]
    """
    within = np.asarray(within, dtype=np.int64)
    filters = np.asarray(filters, dtype=np.float64)
    charts, thresholds = np.empty((2, len(filters), 1))
    charts[:, 0] = np.asarray(len(filters) if contrasts is None else contrasts) * MAGNITUDES * DIRECTIONS + 1
    thresholds[:, 0] = threshold
    path = _path(filters, np.asarray(sampling, dtype=np.float64), onset)
    smallest = np.full((len(filters), len(within)), np.nan)
    for h, windows in enumerate(within.tolist()):
        blocks = path.last <= windows

        def alarms(shifts: Floats, blocks: npt.NDArray[np.bool_] = blocks) -> npt.NDArray[np.bool_]:
            return np.asarray((_scores(path, shifts, charts, onset.margin)[:, blocks] > thresholds).any(axis=1))

        low, high = (np.full(len(filters), np.log(end)) for end in (SMALLEST, LARGEST))
        attainable = alarms(np.exp(high))
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            enough = alarms(np.exp(middle))
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        smallest[attainable, h] = np.exp(high[attainable])
    return smallest


@kernel
def contrast_at(row: Floats, residual: float, events: float, expected: float) -> float:
    """Return what a contrast is whose residual is given: a mean score, a share, or a number of events; or NaN.

    Parameters
    ----------
    row
        float64[ROW]
    residual
    events
        Of the window.
    expected
        In the units of expectations.
    """
    if row[KIND] == SCORE:
        return expected + residual
    low = 0.0
    # A count that nothing exceeds: all events, or of a volume what is far beyond it.
    high = events if row[KIND] == RATE else MORE * (math.exp(expected) + 1)
    fewest, _ = to_residual(row, low, events, expected)
    most, _ = to_residual(row, high, events, expected)
    while row[KIND] != RATE and most < residual and high < MOST_EVENTS:
        high *= MORE
        most, _ = to_residual(row, high, events, expected)
    if (residual > 0 and residual > most) or (residual < 0 and residual < fewest):
        return np.nan
    for _ in range(COUNT_HALVINGS):
        middle = (low + high) / 2
        reached, _ = to_residual(row, middle, events, expected)
        if reached >= residual:
            high = middle
        else:
            low = middle
    return high


def contrast_on_average(row: Floats, residual: float, events: float, expected: float) -> float:
    """Return what a contrast is on average over windows whose residuals have a mean; as `contrast_at` otherwise.

    Of few events, or rare ones, the mean of residuals is not the residual of the mean: most windows have none. Where
    nearly all of many are counted, the others are rare.
    """
    if row[KIND] == RATE and round(events) <= MOST_COUNTED:
        return _share_on_average(row, residual, max(round(events), 1), expected) * events
    count = contrast_at(row, residual, events, expected)
    if row[KIND] == RATE and count > events / 2:
        others = row.copy()
        others[[NEVER, ALWAYS]] = row[[ALWAYS, NEVER]]
        return events - _on_average(others, -residual, events, math.pi - expected, events - count)
    return _on_average(row, residual, events, expected, float(count))


def _share_on_average(row: Floats, residual: float, events: int, expected: float) -> float:
    """Return the share of which windows of so few events have a mean of residuals beyond that of what is usual."""
    counts = np.arange(events + 1)
    residuals = np.array([to_residual(row, float(each), float(events), expected)[0] for each in counts])
    log_factorials = np.concatenate(([0.0], np.cumsum(np.log(counts[1:]))))
    log_ways = log_factorials[-1] - log_factorials - log_factorials[::-1]

    def mean_at(share: float) -> float:
        logs = log_ways + counts * math.log(share) + counts[::-1] * math.log1p(-share)
        return float(np.exp(logs) @ residuals)

    low, high = LEAST_SHARE, 1 - LEAST_SHARE
    sought = residual + mean_at(min(max(share_for(expected, events * row[IN_HOUR]), low), high))
    if not residuals[0] <= sought <= residuals[-1]:
        return math.nan
    for _ in range(COUNT_HALVINGS):
        middle = (low + high) / 2
        if mean_at(middle) >= sought:
            high = middle
        else:
            low = middle
    return high


def _on_average(row: Floats, residual: float, events: float, expected: float, count: float) -> float:
    """Return what has a mean of residuals, if ``count`` is what would have it as its only one."""
    if row[KIND] == SCORE or math.isnan(count) or count > RARE:
        return count
    most = min(int(events), 4 * RARE) if row[KIND] == RATE else 4 * RARE
    counts = np.arange(most + 1)
    residuals = np.array([to_residual(row, float(each), events, expected)[0] for each in counts])
    log_factorials = np.cumsum(np.log(np.maximum(counts, 1)))
    low, high = 0.0, float(most)
    # Of less than one event a window there is nothing to count.
    if residual < residuals[0] or most == 0:
        return np.nan
    for _ in range(COUNT_HALVINGS):
        middle = (low + high) / 2
        weights = np.exp(counts * math.log(middle) - middle - log_factorials)
        if (weights * residuals).sum() >= residual * weights.sum():
            high = middle
        else:
            low = middle
    return high


def _path(filters: Floats, sampling: Floats, onset: Onset) -> _Path:
    """Follow the filters of all contrasts, and what a shift of size 1 leaves them to see."""
    carry, calibration, ordinary = filters[:, CARRY], filters[:, CALIBRATION], filters[:, NOISE] + sampling
    largest = 4 * (filters[:, LEVEL_VARIANCE] + filters[:, DAY_STEP]) + 1e-12
    variance = filters[:, VARIANCE].copy()
    steps = len(onset.parts)
    seen = np.empty((5, steps, len(filters)))
    going_on = 1 / (1 + filters[:, SERIAL])
    response, absorbed = np.zeros((2, len(filters)))
    common, earlier, in_day = filters[:, COMMON], np.empty(steps, dtype=np.int64), onset.before - 1
    for t in range(-onset.before, steps):
        first = t == -onset.before if t < 0 else bool(onset.first_of_day[t])
        overnight = filters[:, OVERNIGHT] if first else 1.0
        carried = overnight * carry
        variance = np.minimum(carried * carried * variance + filters[:, STEP] + first * filters[:, DAY_STEP], largest)
        total = variance + ordinary
        between = first * filters[:, DAY_STEP]
        within = (total - between) * calibration
        gain, spread = variance / total, np.sqrt(between + within)
        variance *= 1 - gain
        if t < 0:
            continue
        response *= carried
        absorbed *= overnight
        steady = np.sqrt((filters[:, STEP] + ordinary) * calibration) / spread
        freedom = filters[:, FREEDOM]
        if first:
            steady = np.maximum(steady, LEAST_FRESH)
            of_both = (between + within) ** 2 / (between**2 / filters[:, FREEDOM_FRESH] + within**2 / freedom)
            freedom = np.minimum(of_both, freedom)
        zone = filters[:, ZONE] * (1 - absorbed) / spread
        counts = going_on if t > 0 else np.ones(len(filters))
        in_day = 0 if first else in_day + 1
        earlier[t] = in_day
        freedom = np.where(common > 0, np.minimum(freedom, common + in_day), freedom)
        seen[:, t] = steady * (1 - absorbed), (onset.parts[t] - response) / spread, zone, freedom, counts
        response += gain * (onset.parts[t] - response)
        absorbed = carry * (absorbed + gain * (1 - absorbed))
    return _in_blocks(seen, earlier, common)


def _in_blocks(seen: Floats, earlier: npt.NDArray[np.int64], common: Floats) -> _Path:
    """Add windows up to blocks, float64[5, N, R] to float64[R, B]: far from the onset they are alike."""
    steps = seen.shape[1]
    ends = list(range(1, min(EXACT, steps) + 1))
    while ends[-1] < steps:
        ends.append(min(ends[-1] + max(ends[-1] // 8, 1), steps))
    starts = [0, *ends[:-1]]
    of_size, means, zones, freedom, counts = seen
    weights = counts * of_size
    sums = [np.add.reduceat(each, starts, axis=0).T for each in (weights, weights * means, weights * zones)]
    nonzero = np.maximum(sums[0], 1e-300)
    return _Path(
        sums[0],
        np.add.reduceat(weights * of_size, starts, axis=0).T,
        sums[1] / nonzero,
        sums[2] / nonzero,
        freedom[np.array(ends) - 1].T,
        np.array(ends, dtype=np.int64),
        earlier[np.array(starts)],
        common,
    )


def _scores(path: _Path, shifts: Floats, charts: Floats, margin: float) -> Floats:
    """Return the score by the end of each block less a margin, for a shift of each contrast alone."""
    z = path.means * shifts[:, None]
    if path.common.any():
        z = z / np.sqrt(_common_scale(path, z))
    score = _normal_score(z, path.freedom)
    # Far out, a score varies less than a residual does.
    varies = (score - _normal_score(z - NINE_IN_TEN, path.freedom)) / NINE_IN_TEN
    drift, squares = np.cumsum(path.weights * (score - path.zones), axis=1), np.cumsum(path.squares, axis=1)
    below = margin * np.sqrt(np.cumsum(path.squares * varies * varies, axis=1))
    sizes = SIZES[:, None, None]
    evidence = np.maximum(sizes * (drift - below) - sizes * sizes * squares / 2, 0.0)
    # All other charts of the signal have no evidence, which is as if each held 1.
    largest = evidence.max(axis=0)
    own = np.exp(evidence - largest).sum(axis=0) + (charts - MAGNITUDES) * np.exp(-largest)
    return np.asarray(largest + np.log(own / charts))


def _common_scale(path: _Path, z: Floats) -> Floats:
    """Return the scale that windows of a day have in common by the start of each block, float64[R, B].

    What is seen of a shift passes for a part of it; before the onset it is 1.
    """
    scale = np.ones_like(z)
    has_any = path.common > 0
    squares, windows = np.zeros(len(z)), np.diff(path.last, prepend=0)
    for b, earlier in enumerate(path.earlier.tolist()):
        started = b == 0 or earlier < path.earlier[b - 1]
        squares = np.full(len(z), float(earlier)) if started else squares
        within = (path.common + squares) / np.maximum(path.common + earlier, 1e-9)
        scale[:, b] = np.where(has_any, np.maximum(within, 1.0), 1.0)
        squares = squares + windows[b] * np.minimum(z[:, b] ** 2 + 1, MOST_SQUARE)
    return scale


def _normal_score(z: Floats, freedom: Floats) -> Floats:
    size = (8 * freedom + 1) / (8 * freedom + 3) * np.sqrt(freedom * np.log1p(z * z / freedom))
    return np.asarray(np.copysign(size, z))
