"""Streams of events by the minute, as models are asked, and what the watch for silence makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.freshness import FLOOR_S, Gaps

MINUTE_MS, HOUR_M, DAY_M = 60_000, 60, 1_440
WEEK_M = 7 * DAY_M
MONDAY_MS = 4 * DAY_M * MINUTE_MS

Floats = NDArray[np.float64]
Traffic = Callable[[np.random.Generator, int, int], Floats]
"""From streams and minutes to the events of each, float64[minutes, streams]."""


def poisson(per_hour: float) -> Traffic:
    """Traffic without a season."""
    return lambda draw, count, minutes: draw.poisson(per_hour / 60, (minutes, count)).astype(np.float64)


def day_and_night(per_hour: float, night: float = 0.05) -> Traffic:
    """Traffic that swings by the hour of the day, down to a share at night."""

    def make(draw: np.random.Generator, count: int, minutes: int) -> Floats:
        phase = 2 * np.pi * (np.arange(minutes) % DAY_M) / DAY_M
        rate = per_hour / 60 * (night + (1 - night) * (1 - np.cos(phase)) / 2)
        return draw.poisson(np.broadcast_to(rate[:, None], (minutes, count))).astype(np.float64)

    return make


def office_hours(per_hour: float) -> Traffic:
    """Traffic from about nine to about six, Monday to Friday, and none else."""

    def make(draw: np.random.Generator, count: int, minutes: int) -> Floats:
        events = np.zeros((minutes, count))
        for day in range(minutes // DAY_M):
            if day % 7 < 5:
                for i in range(count):
                    opens, closes = day * DAY_M + np.array([9, 18]) * HOUR_M + draw.integers(-15, 16, 2)
                    events[opens:closes, i] = draw.poisson(per_hour / 60, closes - opens)
        return events

    return make


def bursts(per_day: float, events: int = 1_000, spread: float = 0.0) -> Traffic:
    """Many events within five minutes, again and again: evenly, or with log-normal pauses."""

    def make(draw: np.random.Generator, count: int, minutes: int) -> Floats:
        made = np.zeros((minutes, count))
        for i in range(count):
            at = 0.0
            while at < minutes - 5:
                made[int(at) : int(at) + 5, i] += draw.poisson(events / 5, 5)
                pause = DAY_M / per_day
                at += pause * draw.lognormal(-(spread**2) / 2, spread) if spread else pause + draw.integers(-10, 11)
        return made

    return make


@dataclass(frozen=True)
class Trial:
    """What came of streams, one of which each ends for good.

    Attributes
    ----------
    early, false : int
        Alarms in the first week, and later, before the end.
    days : float
        Of all streams together, behind the first week and before the end.
    delays_m : float64 array [streams]
        Minutes from the end to the alarm; infinity without one.
    """

    early: int
    false: int
    days: float
    delays_m: Floats


def tried(traffic: Traffic, seed: int, streams: int = 20, weeks: int = 6, stops_m: int = 10 * HOUR_M) -> Trial:
    """Watch streams that end on a Tuesday, at a minute of the day, after some weeks."""
    draw = np.random.default_rng(seed)
    end = weeks * WEEK_M + DAY_M + stops_m
    events = traffic(draw, streams, end // DAY_M * DAY_M + DAY_M)
    events[end:] = 0
    events = np.concatenate([events, np.zeros((10 * DAY_M, streams))])
    gaps, alarmed = Gaps.empty(streams), np.zeros(streams, np.bool_)
    watched_s, counts, delays = np.full(streams, 60.0), np.zeros(3, np.int64), np.full(streams, np.inf)
    for minute in range(len(events)):
        at_ms = MONDAY_MS + minute * MINUTE_MS
        gaps.observe(at_ms, events[minute], watched_s, alarmed)
        alarmed &= events[minute] == 0
        late = gaps.silences(at_ms, FLOOR_S).late & ~alarmed
        counts[0 if minute < WEEK_M else 1 if minute < end else 2] += late.sum()
        alarmed |= late
        if minute >= end:
            delays[np.isinf(delays) & alarmed] = minute - end
            if np.isfinite(delays).all():
                break
    return Trial(int(counts[0]), int(counts[1]), streams * (end - WEEK_M) / DAY_M, delays)


KINDS: dict[str, Traffic] = {
    "one every 3 s": poisson(1_200),
    "six an hour": poisson(6),
    "three a day": poisson(3 / 24),
    "1,200 an hour by day, a twentieth at night": day_and_night(1_200),
    "six an hour by day, a twentieth at night": day_and_night(6),
    "1,200 an hour from nine to six on weekdays, give or take a quarter of an hour": office_hours(1_200),
    "30 an hour from nine to six on weekdays": office_hours(30),
    "1,000 in five minutes, each hour": bursts(24),
    "1,000 in five minutes, with log-normal pauses of an hour (sigma 1)": bursts(24, spread=1.0),
}
