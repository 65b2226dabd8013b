"""Silences that recur: they count at some hours of the week, from their start to their end."""

from __future__ import annotations

import random
import time
from zoneinfo import ZoneInfo

import pytest

from monitor.clock import ManualClock
from monitor.routing.interval_spec import in_words, parse_intervals, written
from monitor.routing.intervals import Interval, span_around
from monitor.routing.matchers import parse_matchers
from monitor.routing.silence_log import SilenceLog
from monitor.routing.silences import Silence
from monitor.routing.weekly import weekly
from monitor.values import DAY_MS
from sinks.receivers.times import FIRST_MS, LAST_MS
from sinks.store.memory import MemoryStore
from tests.routing.alertmanager import HOUR_MS
from tests.routing.alertmanager import START_MS as MONDAY_MS
from tests.routing.test_decision_log import decided
from tests.routing.test_router import World, said

NIGHTS = weekly("mon-fri 22:00-06:00", "Europe/Berlin")
WEEK_MS = 7 * 24 * HOUR_MS


def recurring(log: SilenceLog, starts_ms: int, ends_ms: int, **changes: object) -> str:
    made = {"id": "", "intervals": NIGHTS, "created_by": "ann", "comment": "nightly loads", **changes}
    return log.set(Silence(matchers=parse_matchers("model=fraud"), starts_ms=starts_ms, ends_ms=ends_ms, **made))  # type: ignore[arg-type]


def test_what_fires_at_night_is_told_in_the_morning_night_after_night() -> None:
    world = World(open_at_once=False)
    world.clock = ManualClock(MONDAY_MS + 20 * HOUR_MS)  # 21:00 in Berlin
    world.router = world.started()
    name = recurring(SilenceLog(world.store, world.clock), MONDAY_MS, MONDAY_MS + WEEK_MS)
    world.happens("a")
    world.passes(31)
    assert said(world.mail) == [("fraud", ["a"], [])], "before the night"
    world.passes(3600)
    world.happens("b")
    world.passes(8 * 3600 - 600, each=60)
    assert len(world.mail.received) == 1
    world.passes(1800, each=60)
    assert said(world.mail)[1:] == [("fraud", ["a", "b"], [])], "at six"
    assert [row[3:] for row in decided(world.store, "b")] == [
        ("silenced", f"by silence {name}"),
        ("delivered", "alerts fire that were not notified: 1"),
    ]


def test_a_night_begins_on_the_days_that_are_named_and_keeps_its_hours_when_clocks_change() -> None:
    silence = Silence("s", parse_matchers("model=fraud"), MONDAY_MS, MONDAY_MS + 52 * WEEK_MS, intervals=NIGHTS)
    quiet = [hour for hour in range(7 * 24) if silence.state(MONDAY_MS + hour * HOUR_MS) == "active"]
    assert quiet == [day * 24 + 21 + hour for day in range(5) for hour in range(8)], "an hour earlier in UTC"
    summer_ms = MONDAY_MS + 26 * WEEK_MS
    assert [silence.state(summer_ms + hour * HOUR_MS) for hour in (19, 20, 27, 28)] == [
        "pending",
        "active",
        "active",
        "pending",
    ]
    assert silence.state(MONDAY_MS + 52 * WEEK_MS + 1) == "expired"


def test_ending_or_changing_one_between_two_nights_leaves_the_past_as_it_was() -> None:
    clock = ManualClock(MONDAY_MS + 12 * HOUR_MS)
    log = SilenceLog(MemoryStore(), clock)
    name = recurring(log, 0, MONDAY_MS + WEEK_MS)
    clock.advance(3600)
    assert recurring(log, log.get(name).starts_ms, MONDAY_MS + 2 * WEEK_MS, id=name) == name, "a later end"
    assert log.get(name).intervals == tuple(NIGHTS)
    other = recurring(log, log.get(name).starts_ms, MONDAY_MS + WEEK_MS, id=name, intervals=weekly("sun", "UTC"))
    assert other != name
    assert log.get(name).ends_ms == clock.now_ms()
    log.expire(other)
    assert log.get(other).state(clock.now_ms() + 1) == "expired"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mon-fri", "monday:friday UTC"),
        ("Sunday,tue-thu 00:00-24:00", "sunday,tuesday:thursday 00:00-24:00 UTC"),
        ("sat 22:00-00:00", "saturday 22:00-24:00 UTC"),
        ("sat 22:00-01:00", "saturday 22:00-24:00 UTC; sunday 00:00-01:00 UTC"),
        ("fri-mon", "sunday:monday,friday:saturday UTC"),
        ("23:00-01:00", "23:00-24:00 UTC; 00:00-01:00 UTC"),
    ],
)
def test_hours_of_the_week_are_intervals_of_alertmanager_s(text: str, words: str) -> None:
    found = weekly(text, "UTC")
    assert in_words(found) == words
    assert parse_intervals(written(found)) == found


@pytest.mark.parametrize(
    ("text", "location", "why"),
    [
        ("", "UTC", "expected days, hours or both"),
        ("mon fri", "UTC", "expected days, hours or both"),
        ("monx", "UTC", "'monx' is no day of the week"),
        ("mon 22:00-25:00", "UTC", "expected a time from 00:00 to 24:00"),
        ("mon", "Europe/Bonn", "no such time zone"),
        ("mon", "localtime", "no such time zone"),
        ("mon", "right/Europe/Berlin", "no such time zone"),
    ],
)
def test_what_are_no_hours_is_refused(text: str, location: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        weekly(text, location)


def test_what_holds_all_the_time_is_found_at_once_however_long_it_is() -> None:
    always = [Interval(times=[(0, 24 * 60)], zone=ZoneInfo("Pacific/Kiritimati"))]
    silence = Silence("s", parse_matchers("model=fraud"), FIRST_MS, LAST_MS, intervals=always)
    begun_s = time.monotonic()
    assert silence.span(MONDAY_MS) == (FIRST_MS, LAST_MS)
    assert time.monotonic() - begun_s < 10, "not through eight thousand years"
    assert [silence.state(at_ms) for at_ms in (FIRST_MS, LAST_MS)] == ["active", "active"]


def test_nobody_waits_for_silences_that_begin_and_end_each_minute_of_a_year() -> None:
    minutes = [Interval(times=[(minute, minute + 1) for minute in range(first, 24 * 60, 50)]) for first in range(50)]
    silence = Silence("s", parse_matchers("model=fraud"), FIRST_MS, LAST_MS, intervals=minutes)
    begun_s = time.monotonic()
    assert silence.span(MONDAY_MS) == (FIRST_MS, LAST_MS)
    assert time.monotonic() - begun_s < 10, "it would take minutes to go through all of them"


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Cairo", "UTC"])
def test_a_span_begins_and_ends_where_the_intervals_do_also_while_clocks_change(zone: str) -> None:
    rng, checked = random.Random(zone), 0
    while checked < 30:
        intervals = []
        for _ in range(rng.choice([1, 2])):
            low, high = sorted(rng.sample(range(0, 24 * 60 + 1, 15), 2))
            days = rng.choice([None, [(0, 3)], [(2, 6)]])
            intervals.append(Interval([(low, high)], days, zone=ZoneInfo(rng.choice([zone, "UTC"]))))
        # In the last days of March and October of 2024, and around an end of October.
        at_ms = (
            rng.choice([1_711_846_800_000, 1_729_990_800_000, 1_541_300_400_000]) + rng.randrange(-2880, 2880) * 60_000
        )
        if any(interval.holds(at_ms) for interval in intervals):
            checked += 1
            bounds = at_ms - 3 * DAY_MS, at_ms + 3 * DAY_MS
            minute_ms = at_ms - at_ms % 60_000
            first_ms, last_ms = minute_ms, minute_ms
            while first_ms > bounds[0] and any(interval.holds(first_ms - 60_000) for interval in intervals):
                first_ms -= 60_000
            while last_ms < bounds[1] and any(interval.holds(last_ms) for interval in intervals):
                last_ms += 60_000
            assert span_around(intervals, at_ms, *bounds) == (max(first_ms, bounds[0]), min(last_ms, bounds[1]))
