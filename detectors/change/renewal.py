"""Other coordinates for a number whose values have left those that it had: what was learned moves along.

Scores of a reference say little of values far beyond it, and nothing of how they spread. Once a signal has left its
reference, that of a period takes its place. Its expectations are then moved to where they lie in the new scores, and
its variances by the slope there. Of a mean score of a window only the score is known, not the values that it is of:
these are taken to be those of the period, tilted until they have that mean (Esscher 1932), and narrowed until they
have the variance that values of windows were found to have. Where windows are as wide as the period, that is a tilt
alone; where they are narrow, as hours of a temperature, it is the one value that has the score. A spread grows by the
logarithm of the slope, beside what each reference has for its own where windows lie.

What has no meaning in other scores, as a share of equal pairs, begins anew. So do shares whose names are replaced.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.change.acceptance import settle
from detectors.change.legend import (
    ACCEPTED_DAY,
    ACCEPTED_SHIFT,
    ACCEPTED_VARIANCE,
    DAY_STEP,
    DEVIATION,
    ERROR,
    FIRST_ROW,
    LEVEL,
    LEVEL_VARIANCE,
    NEARER_SUM,
    NOISE,
    PRODUCTS,
    RESIDUAL,
    RESIDUALS,
    STANDING,
    STEP,
    STEPS,
    STOOD_SUM,
    TOTAL,
    UNCERTAINTY,
    UNIT_SEEN,
    UNIT_SUM,
    VARIANCE,
)
from detectors.change.state import State
from detectors.kernel import kernel

__all__ = ["Renewal", "Replacement", "Scores", "renew"]

Floats = npt.NDArray[np.float64]

TILTS, HALVINGS = 161, 10
"""Tilts whose means are known, between which they are interpolated; and how often a bracket is halved."""

STEEPEST = 6.0
"""Standard deviations of the period to which it is tilted at most, beside what narrows it."""

RESOLVED, UNSURE = 0.5, 0.1
"""Part of the hours whose spread was resolved from which on it is moved and does not begin anew; and how far it may be
from where it is moved to, until days show that, as those of an accepted level do."""

LEAST_VARIANCE, STEADY = 1e-3, 1e-3
"""Part of a period's variance that values of a window have at least, and standard deviation below which levels do not
vary."""

MOMENTS = 4

OF_ROW = [STANDING, DEVIATION, STOOD_SUM, NEARER_SUM, ACCEPTED_SHIFT]
SQUARES_OF_ROW = [UNCERTAINTY, ACCEPTED_VARIANCE, UNIT_SUM]
OF_FILTER, SQUARES_OF_FILTER = [LEVEL, RESIDUAL, ERROR], [VARIANCE, LEVEL_VARIANCE, NOISE, STEP, DAY_STEP, TOTAL]
SQUARES_OF_MOMENTS = [*range(PRODUCTS), STEPS]
"""Columns that grow with the slope, and with its square."""


@dataclass(frozen=True)
class Scores:
    """The scores that the distinct values of a period have in some coordinates.

    Attributes
    ----------
    of_values : float64 array [K]
    shape : float64 array [2, J]
        Where the reference lies when it is shifted, and the spread that it has there, as a `ScoreTable` has them.
    floor : float
        Added to a variance of scores before its logarithm is taken.
    """

    of_values: Floats
    shape: Floats
    floor: float

    def own_spread(self, locations: Floats) -> Floats:
        """Return the spread that the reference would have if it were there."""
        return np.asarray(np.interp(locations, *self.shape))


@dataclass(frozen=True)
class Replacement:
    """Contrasts of a series that are about something else from a day on.

    Attributes
    ----------
    anew : sequence of int
        Which: they begin anew.
    """

    anew: Sequence[int]


@dataclass(frozen=True)
class Renewal:
    """The values of a period in two sets of coordinates.

    Attributes
    ----------
    former, renewed : Scores
    counts : float64 array [K]
        How often the period has each value.
    anew : sequence of int
        Which contrasts of the series begin anew.
    """

    former: Scores
    renewed: Scores
    counts: Floats
    anew: Sequence[int] = ()

    def moved(self, locations: Floats, variance: float) -> tuple[Floats, Floats]:
        """Return the mean scores that windows have in the new coordinates, and by how much their spreads are larger.

        Parameters
        ----------
        locations : float64 array
            Their former mean scores, of any shape; NaN stays.
        variance : float
            Of the new scores of a window's values.

        Examples
        --------
        Where scores are twice what they were, so are their means:

        >>> values, shape = np.linspace(-2, 2, 41), np.zeros((2, 1))
        >>> former, renewed = Scores(values, shape, 0.0), Scores(2 * values, shape, 0.0)
        >>> renewal = Renewal(former, renewed, np.exp(-values * values / 2))
        >>> means, wider = renewal.moved(np.array([-0.5, np.nan, 1.0]), 4.0)
        >>> means.round(3).tolist(), np.exp(wider).round(3).tolist()
        ([-1.0, nan, 2.0], [2.0, nan, 2.0])
        """
        moments = self._tilted(variance)
        if moments is None:
            return locations + (self._mean(self.renewed) - self._mean(self.former)), 0.0 * locations
        means, renewed, variances, renewed_variances = moments.T
        # math.log, whose last bit is not that of NumPy's on every processor.
        ratios = (renewed_variances + self.renewed.floor) / (variances + self.former.floor)
        grown = np.array([0.5 * math.log(ratio) for ratio in ratios.tolist()])
        moved = np.interp(locations, means, renewed)
        # Beyond what the period had, a score is as much further as scores are wider.
        beyond = locations - np.clip(locations, means[0], means[-1])
        moved += beyond * math.sqrt(self._variance(self.renewed) / max(self._variance(self.former), 1e-12))
        moved = np.where(np.isnan(locations), np.nan, moved)
        wider = np.interp(locations, means, grown) + self.former.own_spread(locations)
        return moved, wider - self.renewed.own_spread(moved)

    def variance_of_windows(self, locations: Floats, observed: float) -> float:
        """Return how much new scores vary in windows whose former scores vary by ``observed`` there, float64[W].

        Former scores vary less at the ends of their reference, so that it depends on where windows are.
        """
        spread = self._variance(self.renewed)
        low, high = math.log(LEAST_VARIANCE), 0.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            moments = self._tilted(spread * math.exp(middle))
            if moments is None:
                break
            is_wider = float(np.interp(locations, moments[:, 0], moments[:, 2]).mean()) > observed
            low, high = (low, middle) if is_wider else (middle, high)
        return spread * math.exp((low + high) / 2)

    def _tilted(self, variance: float) -> Floats | None:
        """Return what `tilted_moments` has; None if all values have one new score."""
        shares, center, spread = self.counts / self.counts.sum(), self._mean(self.renewed), self._variance(self.renewed)
        if spread <= 0:
            return None
        values = self.renewed.of_values - center
        narrowing = max(1 / max(variance, LEAST_VARIANCE * spread) - 1 / spread, 0.0)
        reach = narrowing * float(np.abs(values).max()) + STEEPEST / math.sqrt(spread)
        moments = np.empty((TILTS, MOMENTS))
        tilted_moments(self.former.of_values, values, shares, reach, narrowing, moments)
        moments[:, 1] += center
        # They rise with the tilt, but for what rounding makes of it.
        np.maximum.accumulate(moments[:, :2], axis=0, out=moments[:, :2])
        return moments

    def _mean(self, scores: Scores) -> float:
        return float((self.counts * scores.of_values).sum() / self.counts.sum())

    def _variance(self, scores: Scores) -> float:
        """Return the variance of the period's scores."""
        distances = scores.of_values - self._mean(scores)
        return float((self.counts * distances * distances).sum() / self.counts.sum())


@kernel
def tilted_moments(
    former: Floats, renewed: Floats, shares: Floats, reach: float, narrowing: float, moments: Floats
) -> None:
    """Write the means and then the variances of both scores, float64[T, 4], for tilts from one ``reach`` to the other.

    A tilt of t makes a share p of a new score s one of p·exp(t s − narrowing s²/2).
    """
    for i in range(moments.shape[0]):
        tilt = reach * (2 * i / (moments.shape[0] - 1) - 1)
        highest = -np.inf
        for k in range(former.size):
            highest = max(highest, tilt * renewed[k] - 0.5 * narrowing * renewed[k] * renewed[k])
        total, first, second, squares, renewed_squares = 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(former.size):
            exponent = tilt * renewed[k] - 0.5 * narrowing * renewed[k] * renewed[k]
            share = shares[k] * math.exp(exponent - highest)
            total += share
            first += share * former[k]
            second += share * renewed[k]
            squares += share * former[k] * former[k]
            renewed_squares += share * renewed[k] * renewed[k]
        # The value with the highest exponent has a share, however small it was.
        total = max(total, 1e-300)
        moments[i, 0], moments[i, 1] = first / total, second / total
        moments[i, 2] = max(squares / total - moments[i, 0] * moments[i, 0], 0.0)
        moments[i, 3] = max(renewed_squares / total - moments[i, 1] * moments[i, 1], 0.0)


def renew(state: State, s: int, renewal: Renewal | Replacement, day: int, windows_per_day: int) -> None:
    """Move what series ``s`` has learned to other coordinates, between two days.

    Parameters
    ----------
    state : State
    s : int
        Of which no alarm stands; the first contrasts of a number are its location and its spread.
    renewal : Renewal or Replacement
    day : int
        The next one.
    windows_per_day : int
    """
    first = int(state.series[s, FIRST_ROW])
    if isinstance(renewal, Replacement):
        for k in renewal.anew:
            state.begin_row_anew(first + k)
        return
    level = _level(state, first)
    is_resolved = _hours_known(state, first + 1) >= RESOLVED * max(_hours_known(state, first), 1)
    anew = {*renewal.anew, *(() if level is not None else (0, 1)), *(() if is_resolved else (1,))}
    for k in sorted(anew):
        state.begin_row_anew(first + k)
    if level is not None and 0 not in anew:
        variance = renewal.variance_of_windows(*_as_observed(state, first, renewal.former, level))
        _scale(state, first, _move(state, first, renewal, variance))
    if 1 not in anew:
        settle(state, first + 1, UNSURE * UNSURE, windows_per_day)
        state.rows[first + 1, ACCEPTED_DAY] = day


def _hours_known(state: State, r: int) -> int:
    return int(np.isfinite(state.hours_known[r]).sum())


def _level(state: State, r: int) -> float | None:
    """Return about where a row is; None of one that has learned nothing."""
    for learned in (state.expected[r], state.hours_known[r]):
        values = learned[np.isfinite(learned)]
        if len(values):
            return float(values.mean())
    return None


def _as_observed(state: State, r: int, former: Scores, level: float) -> tuple[Floats, float]:
    """Return where windows were, and how much their values varied there; without a spread, as those of a new signal."""
    locations, spreads = state.hours_known[r : r + 2]
    both = np.isfinite(locations) & np.isfinite(spreads)
    if not both.any():
        return np.array([level]), float(state.rows[r, UNIT_SUM] / max(state.rows[r, UNIT_SEEN], 1.0))
    widths = (spreads[both] + former.own_spread(locations[both])).tolist()
    return locations[both], sum(math.exp(2 * width) for width in widths) / len(widths) - former.floor


def _move(state: State, r: int, renewal: Renewal, variance: float) -> float:
    """Move what is known of location ``r``, and of its spread, and return how much more the location varies.

    At the ends of the former coordinates it varied less than in their middle: that of what is known of days counts.
    """
    levels = state.hours_known[r][np.isfinite(state.hours_known[r])]
    state.expected[r], wider = renewal.moved(state.expected[r], variance)
    state.expected[r + 1] += wider
    # Days of the other kind learn it again.
    state.of_other_days[r : r + 2] = np.nan
    state.farthest[r : r + 2], state.margins[r : r + 2], state.margins_of_other_days[r : r + 2] = np.nan, 0.0, np.nan
    # Seven digits, as everywhere: a checkpoint goes on with the same numbers.
    hours, wider = renewal.moved(state.hours_known[r], variance)
    state.hours_known[r] = hours.astype(np.float32)
    state.hours_known[r + 1] = (state.hours_known[r + 1] + wider).astype(np.float32)
    _move_totals(state, r, renewal, variance)
    spread = float(np.std(levels)) if len(levels) else 0.0
    return float(np.nanstd(hours)) / spread if spread > STEADY else 1.0


def _move_totals(state: State, r: int, renewal: Renewal, variance: float) -> None:
    """Move what the events of days add up to: scores, and the squares of scores."""
    (sums, of_sums), (squares, of_squares) = state.totals[r].T, state.totals[r + 1].T
    counted = of_sums > 0
    locations = sums[counted] / of_sums[counted]
    moved, wider = renewal.moved(locations, variance)
    state.totals[r, counted, 0] = (moved * of_sums[counted]).astype(np.float32)
    events = of_squares[counted]
    factors = np.array([math.exp(2 * each) for each in wider.tolist()])
    within = np.maximum(squares[counted] / np.maximum(events, 1.0) - locations * locations, 0.0) * factors
    state.totals[r + 1, counted, 0] = ((within + moved * moved) * events).astype(np.float32)


def _scale(state: State, r: int, slope: float) -> None:
    """Let what a location differs by be as much larger as scores are."""
    state.charts[r, ..., RESIDUALS] *= slope
    for array in (state.recent, state.recent_days):
        array[r] *= slope
    state.rows[r, OF_ROW] *= slope
    state.filters[r][:, OF_FILTER] *= slope
    for columns, array in (
        (SQUARES_OF_ROW, state.rows[r]),
        (SQUARES_OF_FILTER, state.filters[r]),
        (SQUARES_OF_MOMENTS, state.moments[r]),
        (SQUARES_OF_MOMENTS, state.sums[r]),
    ):
        array[..., columns] *= slope * slope
    waiting = state.waiting[r]
    waiting[..., SQUARES_OF_MOMENTS] = (waiting[..., SQUARES_OF_MOMENTS] * slope * slope).astype(np.float32)
    state.sampling[r] *= slope * slope
