"""What comes again says so: how often, since when, and at which hours."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.lifecycle import Lifecycle
from monitor.alerts.recurrence import PastSpells, Recurrence
from monitor.alerts.transition import Transition
from monitor.alerts.verdict import Change, Facts, NewNormal, Verdict
from monitor.config.model import Alerts
from monitor.evaluate.model import lifecycle_of, policy_of
from monitor.values import DAY_MS, format_duration
from monitor.watch import compile_watch
from tests.monitor.streams import configured

HOUR_MS = DAY_MS // 24
MINUTE_MS = HOUR_MS // 60
MONDAY_MS = 1_714_953_600_000
"""2024-05-06 00:00 UTC."""


def lifecycle(
    window_ms: int = HOUR_MS, for_ms: int = 0, zone: str = "UTC", holidays: Collection[date] = ()
) -> Lifecycle:
    config = Alerts.model_validate({"for": format_duration(for_ms)})
    return Lifecycle("pay", "ops", {"recurring": "mine"}, policy_of(config, window_ms, zone, holidays), window_ms)


def verdict(
    at_ms: int,
    what: str = "missing",
    *,
    is_up: bool = True,
    window_ms: int = HOUR_MS,
    signal: str = "feature:x",
    segment: str = "",
) -> Verdict:
    change = Change(what, 0.02, 1.0 if is_up else 0.0, by_day=False)
    return Verdict(
        "7", segment, signal, "change", "drift", at_ms, at_ms - window_ms, 1.0, effect=1.0, min_effect=0.1,
        facts=Facts(change=change),
    )  # fmt: skip


def days_at(days: Iterable[int], hour: float = 10, lasts: float = 2) -> list[tuple[int, int]]:
    """Spells of so many hours on some days after a Monday."""
    starts = [MONDAY_MS + day * DAY_MS + round(hour * HOUR_MS) for day in days]
    return [(start, start + round(lasts * HOUR_MS)) for start in starts]


def local_days(zone: str, first_day: str, days: Iterable[int], hour: float, lasts: float = 2) -> list[tuple[int, int]]:
    """Spells of so many hours that begin at an hour of local clocks, on some days after a date."""
    midnight = datetime.fromisoformat(first_day).replace(tzinfo=ZoneInfo(zone))
    starts = [round((midnight + timedelta(days=day, hours=hour)).timestamp() * 1_000) for day in days]
    return [(start, start + round(lasts * HOUR_MS)) for start in starts]


def play(
    spells: Sequence[tuple[int, int]], alerts: Lifecycle | None = None, *, is_up: bool = True, window_ms: int = HOUR_MS
) -> list[Transition]:
    """Lead a model through spells, and return how each of them began."""
    alerts = alerts or lifecycle(window_ms)
    firing = []
    for start, end in spells:
        for at_ms in range(start + window_ms, end + 1, window_ms):
            verdicts = [verdict(at_ms, is_up=is_up, window_ms=window_ms)]
            firing += [step for step in alerts.step(at_ms, verdicts) if step.state == "firing"]
    return firing


def titles(firing: Sequence[Transition]) -> list[str]:
    """What titles say behind what moved."""
    return [step.title.partition("; ")[2] for step in firing]


def sentence(firing: Transition) -> str:
    parts = firing.signals[0]["reason"].split("; ")
    return next((part for part in parts if part.startswith("for the ")), "")


def test_an_outage_of_each_day_says_how_often_it_came_and_from_when_to_when() -> None:
    firing = play(days_at(range(5)))
    assert titles(firing) == [
        "",
        "2nd time since 2024-05-06",
        "3rd time since 2024-05-06, each day",
        "4th time since 2024-05-06, each day",
        "5th time since 2024-05-06, each day",
    ]
    assert sentence(firing[0]) == ""
    assert sentence(firing[1]) == (
        "for the 2nd time since 2024-05-06 10:00 UTC, the one before from 2024-05-06 10:00 UTC to 2024-05-06 12:00 UTC"
    )
    assert sentence(firing[4]) == "for the 5th time since 2024-05-06 10:00 UTC, each day from about 10:00 to 12:00 UTC"
    of_signals = [step.signals[0] for step in firing]
    assert [moved["times"] for moved in of_signals] == [1, 2, 3, 4, 5]
    assert [moved["daily_since_ms"] for moved in of_signals] == [None, None, *[MONDAY_MS + 10 * HOUR_MS] * 3]


def test_routes_can_tell_what_comes_often_apart() -> None:
    """The label is Leeway's own, and alerts that come for the first or second time have none."""
    assert [step.labels.get("recurring") for step in play(days_at(range(4)))] == [None, None, "yes", "yes"]


@pytest.mark.parametrize("later", [0, 1], ids=["at once", "an hour later"])
def test_what_fails_for_the_first_time_does_not_hide_behind_what_comes_each_day(later: int) -> None:
    """Whoever leads what comes often to a ticket, or silences its cause, wants to be woken by the other one."""
    alerts = lifecycle()
    play(days_at(range(3)), alerts)
    [(start, end)] = days_at([3], lasts=4)
    transitions = []
    for hour, at_ms in enumerate(range(start + HOUR_MS, end + 1, HOUR_MS)):
        others = [verdict(at_ms, signal="feature:y")] if hour >= later else []
        transitions += alerts.step(at_ms, [verdict(at_ms), *others])
    known, other = (step for step in transitions if step.state == "firing")
    assert (known.labels["cause"], known.labels["recurring"]) == ("feature:x", "yes")
    assert (other.labels["cause"], other.labels.get("recurring")) == ("feature:y", None)
    assert known.title.endswith("; 4th time since 2024-05-06, each day")
    assert ";" not in other.title


def test_a_segment_belongs_to_what_comes_each_day_in_the_whole() -> None:
    alerts = lifecycle()
    play(days_at(range(3)), alerts)
    [(start, _)] = days_at([3])
    at_ms = start + HOUR_MS
    *_, firing = alerts.step(at_ms, [verdict(at_ms), verdict(at_ms, segment="country=DE")])
    assert firing.labels["recurring"] == "yes"
    assert len(firing.signals) == 2


def test_a_title_about_several_signals_says_which_of_them_came_before() -> None:
    alerts = lifecycle()
    play(days_at([0]), alerts)
    [(start, _)] = days_at([1])
    at_ms = start + HOUR_MS
    *_, firing = alerts.step(at_ms, [verdict(at_ms), verdict(at_ms, signal="feature:y")])
    assert firing.title.endswith("; feature:x for the 2nd time since 2024-05-06")


@pytest.mark.parametrize(
    ("days", "rhythm"),
    [
        ([0, 1, 2], "each day"),
        ([0, 2, 4], "every second day"),
        ([0, 3, 6, 9], "every 3 days"),
        ([3, 4, 7, 8], "each weekday"),
        ([4, 7, 8], "each weekday"),
        ([4, 5, 6, 7], "each day"),
        ([0, 7, 14], "each Monday"),
        ([2, 16, 30], "every second Wednesday"),
        ([0, 1, 3], ""),
        ([0, 5, 20], ""),
        ([5, 7, 8], ""),
        ([0, 3, 11, 12, 13], "of late each day"),
    ],
)
def test_a_timetable_is_named_once_three_in_a_row_keep_it(days: list[int], rhythm: str) -> None:
    newest = play(days_at(days))[-1]
    assert titles([newest])[0].partition(", ")[2] == rhythm


def test_hours_are_those_that_half_of_them_have() -> None:
    """Small changes are found some hours sooner or later; what goes over midnight ends on the next day."""
    spells = [days_at([day], hour, lasts)[0] for day, hour, lasts in ((0, 22, 4), (1, 23, 3), (2, 21, 5), (3, 23, 2))]
    assert sentence(play(spells)[-1]).endswith("each day from about 22:00 to 02:00 UTC")
    assert sentence(play(days_at(range(4), lasts=20))[-1]).endswith(", each day")
    assert sentence(play(days_at([0, 1, 4, 5, 6]))[-1]).endswith(
        "for the 5th time since 2024-05-06 10:00 UTC, of late each day from about 10:00 to 12:00 UTC"
    )


def test_a_day_of_the_week_is_that_of_most() -> None:
    """The first came an hour before midnight: `each Sunday from about 00:00` was said of Mondays."""
    spells = [*days_at([6], 23), *days_at([14, 21], 0)]
    newest = play(spells)[-1]
    assert titles([newest]) == ["3rd time since 2024-05-12, each Monday"]
    assert sentence(newest).endswith("each Monday from about 00:00 to 02:00 UTC")


def test_what_comes_twice_a_day_comes_each_day() -> None:
    """It has no hour of its own, and acceptances are of the days since the first one."""
    spells = [spell for day in (0, 3, 4, 7) for spell in days_at([day], 6) + days_at([day], 17)]
    newest = play(spells)[-1]
    assert titles([newest]) == ["8th time since 2024-05-06, of late each weekday"]
    assert sentence(newest).endswith("of late each weekday")
    assert newest.signals[0]["daily_since_ms"] == MONDAY_MS + 3 * DAY_MS + 6 * HOUR_MS


def test_days_of_the_week_are_those_of_the_model() -> None:
    """An outage on Mondays at 07:00 in Tokyo is one of Sundays by UTC."""
    newest = play(local_days("Asia/Tokyo", "2024-05-06", [0, 7, 14], 7), lifecycle(zone="Asia/Tokyo"))[-1]
    assert titles([newest]) == ["3rd time since 2024-05-06, each Monday (Asia/Tokyo)"]
    assert sentence(newest) == (
        "for the 3rd time since 2024-05-05 22:00 UTC, each Monday from about 07:00 to 09:00 (Asia/Tokyo)"
    )


def test_a_date_of_the_model_names_its_zone_and_other_times_say_utc() -> None:
    newest = play(local_days("Asia/Tokyo", "2024-05-06", [0, 1], 7), lifecycle(zone="Asia/Tokyo"))[-1]
    assert titles([newest]) == ["2nd time since 2024-05-06 (Asia/Tokyo)"]
    assert sentence(newest) == (
        "for the 2nd time since 2024-05-05 22:00 UTC, the one before from 2024-05-05 22:00 UTC to 2024-05-06 00:00 UTC"
    )


@pytest.mark.parametrize(
    ("zone", "hour", "hours"),
    [
        ("Asia/Tokyo", 7, "07:00 to 09:00"),
        ("America/Los_Angeles", 20, "20:00 to 22:00"),
        ("Pacific/Kiritimati", 9, "09:00 to 11:00"),
        ("Pacific/Pago_Pago", 22, "22:00 to 00:00"),
        ("Asia/Kathmandu", 4.75, "04:45 to 06:45"),
        ("Asia/Kolkata", 0.5, "00:30 to 02:30"),
    ],
)
@pytest.mark.parametrize("newest", [7, 8, 9, 10, 11])
def test_weekdays_are_those_of_the_model(zone: str, hour: float, hours: str, newest: int) -> None:
    """Beyond midnight of UTC they went from Sunday to Thursday or from Tuesday to Saturday."""
    days = [day for day in range(newest + 1) if day % 7 < 5]
    firing = play(local_days(zone, "2024-05-06", days, hour), lifecycle(zone=zone))[-1]
    assert sentence(firing).endswith(f", each weekday from about {hours} ({zone})")
    since_ms, _ = local_days(zone, "2024-05-06", [0], hour)[0]
    assert firing.signals[0]["daily_since_ms"] == since_ms


def test_weekdays_of_utc_that_are_none_of_the_model_are_said_by_utc() -> None:
    """A job of a server at 20:00 UTC runs from Tuesday to Saturday in Tokyo."""
    zone = "Asia/Tokyo"
    firing = play(days_at([0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 14], 20), lifecycle(zone=zone))
    timetables = [title.partition(", ")[2] for title in titles(firing)]
    assert timetables == ["", "", *[f"each day ({zone})"] * 3, *["each weekday"] * 6]
    assert sentence(firing[-1]) == (
        "for the 11th time since 2024-05-06 20:00 UTC, each weekday from about 20:00 to 22:00 UTC"
    )
    assert {step.signals[0]["daily_since_ms"] for step in firing[2:]} == {MONDAY_MS + 20 * HOUR_MS}


@pytest.mark.parametrize(
    ("days", "timetable"),
    [
        ([0, 1, 2, 4, 7], "each weekday"),
        ([0, 1, 2, 3, 4, 7], "each weekday"),
        ([2, 4, 7], "each weekday"),
        ([1, 2, 4], "each weekday"),
        # Whit Monday: from Friday to Tuesday none is worked.
        ([9, 10, 11, 15], "each weekday"),
        ([9, 10, 14], ""),
        ([0, 1, 4], ""),
    ],
)
def test_a_weekday_that_is_a_holiday_may_be_left_out(days: list[int], timetable: str) -> None:
    """Ascension Day was a Thursday in 2024, and what comes in office hours did not come on it."""
    holidays = [date(2024, 5, 9), date(2024, 5, 20)]
    newest = play(days_at(days), lifecycle(holidays=holidays))[-1]
    assert titles([newest])[0].partition(", ")[2] == timetable


def test_holidays_are_those_of_the_model() -> None:
    detect = {"pane": "1h", "defaults": {"window": "1h"}, "holidays": ["2024-05-09"], "time_zone": "Asia/Tokyo"}
    alerts = lifecycle_of(compile_watch(configured("pay", detect=detect), "pay"))
    newest = play(local_days("Asia/Tokyo", "2024-05-06", [0, 1, 2, 4], 7), alerts)[-1]
    assert titles([newest]) == ["4th time since 2024-05-06, each weekday (Asia/Tokyo)"]


def test_what_comes_twice_a_day_comes_on_days_of_the_model() -> None:
    """At 01:00 and 08:00 in Tokyo, which are two days by UTC."""
    zone = "Asia/Tokyo"
    spells = [spell for day in range(3) for hour in (1, 8) for spell in local_days(zone, "2024-05-06", [day], hour)]
    third_day = play(spells, lifecycle(zone=zone))[-2]
    assert titles([third_day]) == ["5th time since 2024-05-06, each day (Asia/Tokyo)"]
    assert sentence(third_day).endswith("since 2024-05-05 16:00 UTC, each day (Asia/Tokyo)")
    assert third_day.signals[0]["daily_since_ms"] == spells[0][0]


@pytest.mark.parametrize(
    ("zone", "first_day"),
    [("Europe/Berlin", "2024-03-27"), ("Europe/Berlin", "2024-10-23"), ("Australia/Lord_Howe", "2024-04-03")],
)
def test_what_comes_by_local_clocks_keeps_its_hour_when_they_change(zone: str, first_day: str) -> None:
    each_day = play(local_days(zone, first_day, range(10), 2), lifecycle(zone=zone))
    assert {sentence(step).partition(", ")[2] for step in each_day[2:]} == {
        f"each day from about 02:00 to 04:00 ({zone})"
    }
    each_week = play(local_days(zone, first_day, [0, 7, 14], 0, lasts=1), lifecycle(zone=zone))
    assert sentence(each_week[-1]).endswith(f", each Wednesday from about 00:00 to 01:00 ({zone})")


def test_what_comes_by_utc_keeps_its_timetable_when_clocks_change() -> None:
    """It moves by an hour of local time, to that of half of the days: here from the fourth day after the change on."""
    zone = "Europe/Berlin"
    first_ms = local_days(zone, "2024-03-28", [0], 2)[0][0]
    # A job that is some hours late now and then is further away from the former one by local clocks.
    starts = [first_ms + day * DAY_MS + (3 * HOUR_MS if day == 3 else 0) for day in range(8)]
    firing = play([(start, start + HOUR_MS) for start in starts], lifecycle(zone=zone))
    sentences = [sentence(step).partition(", ")[2] for step in firing[2:]]
    assert sentences[:4] == [f"each day from about 02:00 to 03:00 ({zone})"] * 4
    assert sentences[4:] == [f"each day from about 03:00 to 04:00 ({zone})"] * 2


@pytest.mark.parametrize(
    ("zone", "weekday"),
    [("America/Los_Angeles", "Monday"), ("Asia/Tokyo", "Monday"), ("Pacific/Norfolk", "Monday"), ("UTC", "Monday")],
)
@pytest.mark.parametrize("first_day", [0, 147, 182], ids=["May", "September", "November"])
def test_windows_of_a_day_lie_on_the_day_that_they_have_most_of(zone: str, weekday: str, first_day: int) -> None:
    """One of Monday by UTC begins on Sunday in Los Angeles, and is one of Monday for the alarm rule."""
    spells = days_at([first_day, first_day + 7, first_day + 14], hour=0, lasts=24)
    newest = play(spells, lifecycle(DAY_MS, zone=zone), window_ms=DAY_MS)[-1]
    date = datetime.fromtimestamp(spells[0][0] / 1_000, ZoneInfo("UTC")).date()
    suffix = "" if zone == "UTC" else f" ({zone})"
    assert titles([newest]) == [f"3rd time since {date}, each {weekday}{suffix}"]


def hourly(minutes: Iterable[int], zone: str = "UTC", first_day: str = "2024-05-06") -> list[Transition]:
    """How outages of ten minutes began, so many minutes after a local midnight, in windows of five."""
    ((midnight_ms, _),) = local_days(zone, first_day, [0], 0)
    starts = [midnight_ms + minute * MINUTE_MS for minute in minutes]
    window_ms = 5 * MINUTE_MS
    spells = [(start, start + 2 * window_ms) for start in starts]
    return play(spells, lifecycle(window_ms, zone=zone), window_ms=window_ms)


def test_what_comes_each_hour_says_so_from_the_fifth_time_on() -> None:
    """Windows of five minutes find it five minutes sooner or later."""
    firing = hourly(60 * hour + 20 + 5 * (hour % 2) for hour in range(24))
    assert [title.partition(", ")[2] for title in titles(firing)] == [""] * 4 + ["each hour"] * 20
    assert sentence(firing[-1]) == "for the 24th time since 2024-05-06 00:20 UTC, each hour"
    assert {step.signals[0]["daily_since_ms"] for step in firing} == {None}


def test_what_has_come_each_hour_for_three_days_comes_each_day_too() -> None:
    zone = "Asia/Tokyo"
    newest = hourly((60 * hour + 20 for hour in range(50)), zone)[-1]
    assert titles([newest]) == ["50th time since 2024-05-06, each hour (Asia/Tokyo)"]
    assert sentence(newest) == "for the 50th time since 2024-05-05 15:20 UTC, each hour"
    assert newest.signals[0]["daily_since_ms"] == local_days(zone, "2024-05-06", [0], 1 / 3)[0][0]


@pytest.mark.parametrize(
    ("hours", "timetable"),
    [
        (range(0, 30, 6), "every 6 hours"),
        (range(0, 24, 5), ""),
        (range(0, 7 * 5, 7), ""),
        ([0, 1, 2, 3, 5], ""),
        ([0, 3, 7, 8, 9, 10, 11], "of late each hour"),
        # It came each day before: that is how it is accepted.
        ([*range(0, 96, 12), 96, 97, 98, 99, 100], "each day"),
    ],
)
def test_hours_apart_are_whole_parts_of_a_day(hours: Iterable[int], timetable: str) -> None:
    newest = hourly(60 * hour for hour in hours)[-1]
    assert titles([newest])[0].partition(", ")[2] == timetable


@pytest.mark.parametrize("first_day", ["2024-03-30", "2024-10-26"])
def test_hours_apart_stay_so_when_clocks_change(first_day: str) -> None:
    by_utc = hourly((60 * hour for hour in range(36)), "Europe/Berlin", first_day)
    assert titles(by_utc)[-1].endswith(", each hour (Europe/Berlin)")
    spells = [
        spell for day in range(3) for hour in (6, 18) for spell in local_days("Europe/Berlin", first_day, [day], hour)
    ]
    assert titles(play(spells, lifecycle(zone="Europe/Berlin")))[-1].endswith(", every 12 hours (Europe/Berlin)")


def test_what_is_a_month_ago_is_forgotten() -> None:
    assert titles(play(days_at([0, 30, 31]))) == ["", "2nd time since 2024-05-06", "2nd time since 2024-06-05"]
    assert titles(play(days_at([0, 31]))) == ["", ""]


@pytest.mark.parametrize("group_by", [["model"], ["model", "version"]])
def test_an_outage_that_several_versions_have_is_one(group_by: list[str]) -> None:
    """With two of them the second was the `3rd time`, and had the label of what comes often."""
    config = Alerts.model_validate({"group_by": group_by})
    alerts = Lifecycle("pay", "ops", {}, policy_of(config, HOUR_MS), HOUR_MS)
    firing = []
    for start, end in days_at(range(4), lasts=3):
        for at_ms in range(start + HOUR_MS, end + 1, HOUR_MS):
            # One of them begins an hour later, and the other one ends an hour sooner.
            versions = ["7"] * (at_ms < end) + ["8"] * (at_ms > start + HOUR_MS)
            verdicts = [replace(verdict(at_ms), version=version) for version in versions]
            firing += [step for step in alerts.step(at_ms, verdicts) if step.state == "firing"]
    by_day = {step.starts_ms // DAY_MS: {moved["times"] for moved in step.signals} for step in firing}
    assert list(by_day.values()) == [{1}, {2}, {3}, {4}]
    assert sentence(firing[-1]).endswith(", each day from about 10:00 to 13:00 UTC")


def test_windows_that_overlap_do_not_make_one_outage_of_two() -> None:
    """The hour up to half past eleven has some minutes of the first one in it, and shows the second."""
    alerts, firing = lifecycle(), []
    for minute, is_out in ((605, True), (635, True), (660, False), (690, True)):
        at_ms = MONDAY_MS + minute * MINUTE_MS
        firing += [step for step in alerts.step(at_ms, [verdict(at_ms)] * is_out) if step.state == "firing"]
    assert [step.signals[0]["times"] for step in firing] == [1, 2]


def test_the_other_way_and_other_contrasts_are_something_else() -> None:
    alerts = lifecycle()
    up, down = days_at([0], 10)[0], days_at([0], 16)[0]
    assert titles(play([up], alerts)) + titles(play([down], alerts, is_up=False)) == ["", ""]
    at_ms = MONDAY_MS + 2 * DAY_MS
    (firing, *_) = [step for step in alerts.step(at_ms, [verdict(at_ms, "spread")]) if step.state == "firing"]
    assert titles([firing]) == [""]
    up, down = days_at([3], 10)[0], days_at([3], 16)[0]
    assert titles(play([up], alerts)) == ["2nd time since 2024-05-06"]
    assert titles(play([down], alerts, is_up=False)) == ["2nd time since 2024-05-06"]


def test_what_was_accepted_is_not_what_comes_after_it() -> None:
    alerts = lifecycle()
    (start, end), (following, over) = days_at([0, 1])
    play([(start, end)], alerts)
    normal = NewNormal("ann", "prices rose", start)
    still = replace(verdict(end + HOUR_MS), status="ok", facts=Facts(new_normal=normal))
    assert [step.state for step in alerts.step(end + HOUR_MS, [still])] == ["resolved"]
    assert titles(play([(following, over)], alerts)) == [""]
    # Also of a signal of which no alert is open, and of what moved otherwise.
    play(days_at([1], 16), alerts, is_up=False)
    accepted = MONDAY_MS + 2 * DAY_MS
    alerts.step(accepted, [replace(verdict(accepted), status="ok", facts=Facts(new_normal=normal))])
    assert titles(play(days_at([2], 10), alerts)) == [""]
    assert titles(play(days_at([2], 16), alerts, is_up=False)) == [""]


def test_what_never_fired_does_not_count() -> None:
    alerts = lifecycle(for_ms=2 * HOUR_MS)
    firing = play([*days_at([0, 1], lasts=1), *days_at([2, 3], lasts=4)], alerts)
    assert titles(firing) == ["", "2nd time since 2024-05-08"]


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=12, unique=True),
    st.integers(0, 12),
    st.sampled_from(["UTC", "Asia/Kathmandu", "America/St_Johns"]),
)
def test_a_restart_forgets_nothing(hours: list[int], restarts_after: int, zone: str) -> None:
    spells = [(MONDAY_MS + hour * HOUR_MS, MONDAY_MS + (hour + 1) * HOUR_MS) for hour in sorted(hours)]
    unbroken = play(spells, lifecycle(zone=zone))
    alerts, broken = lifecycle(zone=zone), []
    broken += play(spells[:restarts_after], alerts)
    written = json.dumps(alerts.snapshot(), allow_nan=False)
    resumed = lifecycle(zone=zone)
    resumed.restore(json.loads(written))
    assert json.dumps(resumed.snapshot()) == written
    broken += play(spells[restarts_after:], resumed)
    assert broken == unbroken


def test_snapshots_of_earlier_versions_are_read() -> None:
    alerts = lifecycle()
    play(days_at([0]), alerts)
    written = json.loads(json.dumps(alerts.snapshot()))
    del written["past"]
    for alert in written["live"]:
        for member in alert["members"]:
            del member["recurrence"]
    resumed = lifecycle()
    resumed.restore(written)
    assert titles(play(days_at([1]), resumed)) == ["2nd time since 2024-05-06"]


def test_what_was_said_by_utc_stays_so_until_its_alert_is_over() -> None:
    """Checkpoints of earlier versions have no zone: hours that they hold are those of UTC."""
    *former, (third, third_over), fourth = local_days("Asia/Tokyo", "2024-05-06", range(4), 7)
    alerts = lifecycle()
    play([*former, (third, third_over - HOUR_MS)], alerts)
    written = json.loads(json.dumps(alerts.snapshot()))
    (recurrence,) = [member["recurrence"] for alert in written["live"] for member in alert["members"]]
    del recurrence[5:], recurrence[3][5:]
    resumed = lifecycle(zone="Asia/Tokyo")
    resumed.restore(written)
    resumed.step(third_over, [verdict(third_over)])
    (resolved,) = resumed.step(third_over + 12 * HOUR_MS, [])
    assert (
        "; for the 3rd time since 2024-05-05 22:00 UTC, each day from about 22:00 to 00:00 UTC; "
        in (resolved.signals[0]["reason"])
    )
    (newest,) = play([fourth], resumed)
    assert sentence(newest).endswith(", each day from about 07:00 to 09:00 (Asia/Tokyo)")


def test_what_is_remembered_is_bounded() -> None:
    """A condition that flaps each hour for a month is a hundred spells, and not seven hundred."""
    alerts = lifecycle()
    newest = play(
        [(start, start + HOUR_MS) for start in range(MONDAY_MS, MONDAY_MS + 29 * DAY_MS, 2 * HOUR_MS)], alerts
    )
    assert newest[-1].signals[0]["times"] == 101
    assert titles(newest)[-1].startswith("more than 100 times since 2024-05-")
    restored = PastSpells()
    restored.restore(alerts.snapshot()["past"])
    ((*_, spells),) = restored.snapshot()
    assert len(spells) == 100
    assert Recurrence.from_json(None) is None


def test_checkpoints_of_earlier_versions_count_an_outage_of_several_versions_once() -> None:
    alerts = lifecycle()
    play(days_at([0, 1]), alerts)
    written = json.loads(json.dumps(alerts.snapshot()))
    ((*_, spells),) = written["past"]
    spells += [[start + HOUR_MS, end] for start, end in spells]
    resumed = lifecycle()
    resumed.restore(written)
    assert titles(play(days_at([2]), resumed)) == ["3rd time since 2024-05-06, each day"]
