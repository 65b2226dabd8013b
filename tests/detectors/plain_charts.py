"""Levels and charts of one contrast, the slow obvious way: a Kalman filter, and CUSUMs that know what it absorbs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.optimize import brentq


@dataclass
class Chart:
    """A CUSUM of log likelihood ratios for one size and direction of a shift."""

    size: float
    sign: int
    evidence: float = 0.0
    absorbed: float = 0.0

    def take(self, x: float, zone: float, onset: float, carry: float, gain: float, serial: float) -> None:
        """Take in a normal score, given what is too small to matter, and the mean that a shift has at its onset."""
        left = 1 - self.absorbed
        later = onset * left
        goes_on = self.evidence + (later * (x - zone * left) - later**2 / 2) / (1 + serial)
        begins = onset * (x - zone) - onset**2 / 2
        if begins >= goes_on or goes_on < 0:
            self.absorbed = 0.0
        self.evidence = max(goes_on, begins, 0.0)
        self.absorbed = carry * (self.absorbed + gain * (1 - self.absorbed))


@dataclass
class PlainRow:
    """A contrast at one scale, with the components of its variance.

    Attributes
    ----------
    charts : list of Chart
        For each size and direction of a shift.
    carry, level_variance, noise, step, day_step : float
        φ, and the variances of levels, of noise beside sampling, of a level's step, and of its step between days.
    calibration, freedom, freedom_fresh, zone : float
    level, variance : float
        The filter's.
    overnight : float
        Which part of a level the next day has too.
    serial : float
        How much more a sum of residuals in a row varies than one of independent ones.
    common, today, today_seen : float
        Of how many degrees of freedom the scale is that windows of a day have in common, 0 if they have none; squared
        standardised residuals of today, nine at most of each, and their number.
    tail_freedom : float
        Degrees of freedom that its tails show, 0 if they are not longer than a normal one's.
    """

    charts: list[Chart]
    carry: float
    level_variance: float
    noise: float
    step: float
    day_step: float
    calibration: float
    freedom: float
    freedom_fresh: float
    zone: float
    level: float
    variance: float
    overnight: float
    serial: float
    common: float
    today: float
    today_seen: float
    tail_freedom: float

    def step_on(self, new_day: bool) -> None:
        overnight = self.overnight if new_day else 1.0
        self.level *= overnight * self.carry
        if new_day:
            self.today = self.today_seen = 0
        self.variance = (overnight * self.carry) ** 2 * self.variance + self.step + self.day_step * new_day
        for chart in self.charts:
            chart.absorbed *= overnight
        self.variance = min(self.variance, 4 * (self.level_variance + self.day_step) + 1e-12)

    def take(self, residual: float, sampling: float, fresh: bool) -> None:
        predicted = self.variance + self.noise + sampling
        between = min(self.day_step, self.variance) if fresh else 0.0
        within = self.calibration * (predicted - between)
        spread = math.sqrt(between + within)
        error = residual - self.level
        freedom = self.freedom
        if fresh:
            of_both = (between + within) ** 2 / (between**2 / self.freedom_fresh + within**2 / self.freedom)
            freedom = min(of_both, self.freedom)
        z, scale = error / spread, 1.0
        if self.common:
            scale = max((self.common + self.today) / (self.common + self.today_seen), 1)
            freedom = min(freedom, self.common + self.today_seen)
            self.today += min(z**2, 9)
            self.today_seen += 1
        score = normal_score(z / math.sqrt(scale), freedom)
        gain = self.variance / predicted
        unit = math.sqrt(self.calibration * (self.step + self.noise + sampling)) / spread
        if fresh:
            unit = max(unit, 0.4)
        for chart in self.charts:
            chart.take(chart.sign * score, self.zone / spread, chart.size * unit, self.carry, gain, self.serial)
        reach = 3 * spread
        if self.tail_freedom:
            reach = spread * brentq(lambda far: normal_score(far, self.tail_freedom) - 3, 0, 100)
        self.level += gain * (error if fresh else max(-reach, min(reach, error)))
        self.variance *= 1 - gain


def normal_score(z: float, freedom: float) -> float:
    """Wallace's normal score of Student's t."""
    size = (8 * freedom + 1) / (8 * freedom + 3) * math.sqrt(freedom * math.log(1 + z**2 / freedom))
    return math.copysign(size, z)


def plain_score(rows: list[PlainRow], log_likeness: float) -> float:
    """The logarithm of the mean of exp(S) over all charts, and of one for repeats."""
    all_evidence = [chart.evidence for row in rows for chart in row.charts] + [-0.9 * log_likeness - 2.3]
    largest = max(all_evidence)
    return largest + math.log(math.fsum(math.exp(e - largest) for e in all_evidence) / len(all_evidence))
