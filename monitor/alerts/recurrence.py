"""What alarms once more: how often it did of late, and whether it keeps a timetable.

Nothing is held back for coming often: the ninth outage is told as the first one was. But whoever is woken by it learns
that it is the ninth, since when, and that it comes each day at ten.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise, takewhile
from statistics import median_low
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from monitor.values import DAY_MS, ordinal
from sinks.receivers.times import FIRST_MS, LAST_MS, moment, utc

__all__ = ["OFTEN", "Cause", "LocalTime", "PastSpells", "Recurrence", "Spell"]

REMEMBERED_MS = 30 * DAY_MS
"""For how long it is remembered that something alarmed."""

MOST_SPELLS = 100
"""How many spells of one cause are remembered."""

OFTEN = 3
"""Times from which on alerts say by a label that they come again, and may be seen to keep a timetable."""

HOUR_MS = DAY_MS // 24

NEAR_MS = 3 * HOUR_MS
"""How far one may be from the hour of the one before: a small change is not found at the same hour each day."""

LONGEST_PERIOD = 14
"""Days of the longest timetable that is recognised."""

SHORT_OF_A_DAY = 20 / 24
"""Part of a day from which on a spell has no hours of its own."""

HOURS_APART = (1, 2, 3, 4, 6, 8, 12)
"""Timetables within a day that are recognised."""

OFTEN_IN_A_DAY = 5
"""Times from which on they are: what flaps is as many hours apart twice in a row by chance."""

FRIDAY = 4
"""Its number in the week, Monday being 0."""


class Cause(NamedTuple):
    """What alarms: a contrast of a signal, upwards or downwards, in whichever version."""

    segment: str
    signal: str
    contrast: str
    is_up: bool


class Spell(NamedTuple):
    """From the start of a first alarmed window to the end of a last one, in event time."""

    starts_ms: int
    ends_ms: int


class LocalTime(NamedTuple):
    """The days and hours of a model's time zone, as the rule ``change`` has them (`monitor/evaluate/calendar.py`).

    Windows go by the clock. Those of about a day or longer have no hour: they lie on the day of their middle, which is
    at least half a day after they begin, by standard time all year.

    Examples
    --------
    >>> berlin, new_year_ms = LocalTime("Europe/Berlin", 3_600_000), 1_767_222_000_000
    >>> moment(berlin.of(new_year_ms)).isoformat()
    '2026-01-01T00:00:00+00:00'
    >>> berlin.day(new_year_ms), LocalTime().day(new_year_ms)
    ('2026-01-01', '2025-12-31')
    """

    zone: str = "UTC"
    window_ms: int = 0

    def of(self, start_ms: int) -> int:
        """Return when a window begins, in milliseconds since 1970-01-01 00:00 of the zone's own clocks."""
        is_of_days = self.window_ms >= SHORT_OF_A_DAY * DAY_MS
        at_ms = start_ms + (min(self.window_ms, DAY_MS) // 2 if is_of_days else 0)
        # No zone is a day away from UTC: within these bounds every time has a date in each of them.
        local = moment(min(max(at_ms, FIRST_MS + DAY_MS), LAST_MS - DAY_MS)).astimezone(ZoneInfo(self.zone))
        offset, saving = local.utcoffset() or timedelta(), local.dst() or timedelta()
        return at_ms + (offset - saving if is_of_days else offset) // timedelta(milliseconds=1)

    def day(self, start_ms: int) -> str:
        """Return the date on which a window begins."""
        return moment(self.of(start_ms)).date().isoformat()


BY_UTC = LocalTime()


class Start(NamedTuple):
    """When a spell began, when that was by local clocks, and how many weekend days and holidays come after that day."""

    at_ms: int
    local_ms: int
    days_off: int


class Rhythm(NamedTuple):
    """A timetable: how many days apart, whether weekends are left out, and since when.

    It comes at the hour of ``usual_ms``, which is local time, and lasts for ``lasts_ms``; 0 where it comes at several
    hours, or lasts for about a day or longer. Of what comes again within a day ``hours`` is how many of them it is
    apart, and ``days`` is 0 unless it came on three days.
    """

    days: int
    is_of_weekdays: bool
    since_ms: int
    usual_ms: int
    lasts_ms: int = 0
    hours: int = 0

    @property
    def is_daily(self) -> bool:
        """Whether it comes each day, or each weekday."""
        return self.days == 1

    def __str__(self) -> str:
        if self.hours:
            return "each hour" if self.hours == 1 else f"every {self.hours} hours"
        if self.is_of_weekdays:
            return "each weekday"
        if self.days % 7 == 0:
            return f"{'each' if self.days == 7 else 'every second'} {moment(self.usual_ms):%A}"
        return {1: "each day", 2: "every second day"}.get(self.days, f"every {self.days} days")

    @property
    def time_of_day(self) -> str:
        """From when to when, in words; empty where there is no such hour."""
        if not self.lasts_ms:
            return ""
        return f" from about {moment(self.usual_ms):%H:%M} to {moment(self.usual_ms + self.lasts_ms):%H:%M}"


class Recurrence(NamedTuple):
    """That something alarmed of late already.

    Attributes
    ----------
    times : int
        With this one; of more than `MOST_SPELLS` one more than these.
    first_ms : int
        When the first one that is remembered began.
    former : Spell
        The newest of those that are over.
    rhythm : Rhythm or None
        The timetable that at least the newest three keep.
    is_throughout : bool
        Whether all of them keep it.
    local_time : LocalTime
        By which days and hours are said. Times that say UTC are that.

    Examples
    --------
    >>> spells = [Spell(day * DAY_MS, day * DAY_MS + 7_200_000) for day in range(19_000, 19_003)]
    >>> second, third = (recurrence_of(spells[:n], spells[n].starts_ms) for n in (1, 2))
    >>> second.headline, third.headline
    ('2nd time since 2022-01-08', '3rd time since 2022-01-08, each day')
    >>> second.sentence
    'for the 2nd time since 2022-01-08 00:00 UTC, the one before from 2022-01-08 00:00 UTC to 2022-01-08 02:00 UTC'
    >>> third.sentence
    'for the 3rd time since 2022-01-08 00:00 UTC, each day from about 00:00 to 02:00 UTC'
    >>> in_tokyo = recurrence_of(spells[:2], spells[2].starts_ms, LocalTime("Asia/Tokyo"))
    >>> in_tokyo.headline
    '3rd time since 2022-01-08, each day (Asia/Tokyo)'
    >>> in_tokyo.sentence
    'for the 3rd time since 2022-01-08 00:00 UTC, each day from about 09:00 to 11:00 (Asia/Tokyo)'
    """

    times: int
    first_ms: int
    former: Spell
    rhythm: Rhythm | None = None
    is_throughout: bool = False
    local_time: LocalTime = BY_UTC

    @property
    def headline(self) -> str:
        """What a title says of it."""
        return f"{self._times} since {self.local_time.day(self.first_ms)}{self._rhythm}{self._zone}"

    def headline_of(self, signal: str) -> str:
        """What a title says of it that is about other signals as well."""
        return f"{signal} {'' if self._is_cut else 'for the '}{self.headline}"

    @property
    def sentence(self) -> str:
        """What a reason says of it."""
        times = f"{self._times if self._is_cut else f'for the {self._times}'} since {utc(self.first_ms)}"
        if self.rhythm is None:
            return f"{times}, the one before from {utc(self.former.starts_ms)} to {utc(self.former.ends_ms)}"
        time_of_day = self.rhythm.time_of_day
        zone = "" if self.rhythm.hours else self._zone or (" UTC" if time_of_day else "")
        return f"{times}{self._rhythm}{time_of_day}{zone}"

    @property
    def _is_cut(self) -> bool:
        return self.times > MOST_SPELLS

    @property
    def _times(self) -> str:
        return f"more than {MOST_SPELLS} times" if self._is_cut else f"{ordinal(self.times)} time"

    @property
    def _rhythm(self) -> str:
        if self.rhythm is None:
            return ""
        return f", {self.rhythm}" if self.is_throughout else f", of late {self.rhythm}"

    @property
    def _zone(self) -> str:
        return "" if self.local_time.zone == "UTC" else f" ({self.local_time.zone})"

    @property
    def daily_since_ms(self) -> int | None:
        """When it first came of those that came each day, or each weekday, since."""
        return self.rhythm.since_ms if self.rhythm is not None and self.rhythm.is_daily else None

    @classmethod
    def from_json(cls, written: Sequence[Any] | None) -> Recurrence | None:
        """Return what `json` made of one."""
        if written is None:
            return None
        # Earlier versions went by UTC.
        times, first_ms, former, rhythm, is_throughout, *local_time = written
        local = LocalTime(*local_time[0]) if local_time else BY_UTC
        return cls(times, first_ms, Spell(*former), None if rhythm is None else Rhythm(*rhythm), is_throughout, local)


class PastSpells:
    """What alarmed in the last thirty days, and is over.

    Parameters
    ----------
    local_time : LocalTime
        The days and hours by which it comes again.
    holidays : collection of date
        Days that are like a weekend.

    Examples
    --------
    >>> past, cause = PastSpells(), Cause("", "feature:x", "missing", True)
    >>> past.add([cause], Spell(0, 3_600_000))
    >>> past.recurrence(cause, 10 * DAY_MS).times
    2
    >>> past.recurrence(cause, 31 * DAY_MS) is None
    True
    """

    def __init__(self, local_time: LocalTime = BY_UTC, holidays: Collection[date] = ()) -> None:
        self._local_time, self._holidays = local_time, frozenset(holidays)
        self._spells: dict[Cause, list[Spell]] = {}

    def add(self, causes: Iterable[Cause], spell: Spell) -> None:
        """Remember that something alarmed; what several versions had of it at one time is one spell."""
        for cause in causes:
            spells, merged = self._spells.setdefault(cause, []), spell
            while spells and not self._is_after(merged.starts_ms, spells[-1]):
                newest = spells.pop()
                merged = Spell(min(newest.starts_ms, merged.starts_ms), max(newest.ends_ms, merged.ends_ms))
            spells.append(merged)
            del spells[:-MOST_SPELLS]

    def drop(self, segment: str, signal: str) -> None:
        """Forget that a signal alarmed: what alarms from now on is something else."""
        self._spells = {
            cause: spells
            for cause, spells in self._spells.items()
            if (cause.segment, cause.signal) != (segment, signal)
        }

    def forget_older(self, at_ms: int) -> None:
        """Forget what is too long ago."""
        recent = {
            cause: [spell for spell in spells if spell.starts_ms >= at_ms - REMEMBERED_MS]
            for cause, spells in self._spells.items()
        }
        self._spells = {cause: spells for cause, spells in recent.items() if spells}

    def recurrence(self, cause: Cause, starts_ms: int) -> Recurrence | None:
        """Return how often something that begins to alarm did so already; None without such a time."""
        spells = [
            each
            for each in self._spells.get(cause, ())
            if each.starts_ms >= starts_ms - REMEMBERED_MS and self._is_after(starts_ms, each)
        ]
        return recurrence_of(spells, starts_ms, self._local_time, self._holidays) if spells else None

    def _is_after(self, starts_ms: int, spell: Spell) -> bool:
        """Whether a first alarmed window ends after the last one of a spell, though windows may overlap."""
        return starts_ms + self._local_time.window_ms > spell.ends_ms

    def snapshot(self) -> list[Any]:
        """Return the state as strict JSON."""
        return [[*cause, [list(spell) for spell in spells]] for cause, spells in sorted(self._spells.items())]

    def restore(self, snapshot: Iterable[Sequence[Any]]) -> None:
        """Continue from ``snapshot``."""
        self._spells = {}
        for *cause, spells in snapshot:
            # Earlier versions remembered a spell of each version of a model.
            for spell in sorted(spells):
                self.add([Cause(*cause)], Spell(*spell))


def recurrence_of(
    spells: Sequence[Spell], starts_ms: int, local_time: LocalTime = BY_UTC, holidays: frozenset[date] = frozenset()
) -> Recurrence:
    """Return what spells, the oldest first and at least one, say of one that begins now.

    Where a job goes by UTC, its weekdays may be Tuesday to Saturday of the zone: then they are said by UTC.
    """
    recurrence = _recurrence_by(local_time, spells, starts_ms, holidays)
    if recurrence.is_throughout or local_time.zone == BY_UTC.zone:
        return recurrence
    by_utc = _recurrence_by(local_time._replace(zone=BY_UTC.zone), spells, starts_ms, holidays)
    if by_utc.rhythm is None or not by_utc.rhythm.is_of_weekdays:
        return recurrence
    is_longer = recurrence.rhythm is None or by_utc.rhythm.since_ms < recurrence.rhythm.since_ms
    return by_utc if is_longer else recurrence


def _recurrence_by(
    local_time: LocalTime, spells: Sequence[Spell], starts_ms: int, holidays: frozenset[date]
) -> Recurrence:
    starts = [_start(at_ms, local_time, holidays) for at_ms in (*(spell.starts_ms for spell in spells), starts_ms)]
    rhythm = _at_an_hour(starts, spells) or _within_days(starts)
    first_ms = starts[0].at_ms
    is_throughout = rhythm is not None and rhythm.since_ms == first_ms
    return Recurrence(len(starts), first_ms, spells[-1], rhythm, is_throughout, local_time)


# An outage begins in the same windows for many series, and a time zone takes longer than all that is said of it.
@lru_cache(maxsize=100 * MOST_SPELLS)
def _start(at_ms: int, local_time: LocalTime, holidays: frozenset[date]) -> Start:
    local_ms = local_time.of(at_ms)
    days = (moment(local_ms + day * DAY_MS).date() for day in range(1, LONGEST_PERIOD + 1))
    return Start(at_ms, local_ms, _leading(day.weekday() > FRIDAY or day in holidays for day in days))


def _at_an_hour(starts: Sequence[Start], spells: Sequence[Spell]) -> Rhythm | None:
    """Return the timetable that the newest spells keep, if they come at about the same hour."""
    count, is_of_weekdays = _in_step(starts)
    if count < OFTEN:
        return None
    run = [start.local_ms for start in starts[-count:]]
    days = 1 if is_of_weekdays else round((run[-1] - run[-2]) / DAY_MS)
    lasts_ms = median_low([spell.ends_ms - spell.starts_ms for spell in spells[-count + 1 :]])
    half = DAY_MS // 2
    usual_ms = run[0] + median_low([(local_ms - run[0] + half) % DAY_MS - half for local_ms in run])
    has_hours = lasts_ms < SHORT_OF_A_DAY * DAY_MS
    return Rhythm(days, is_of_weekdays, starts[-count].at_ms, usual_ms, lasts_ms if has_hours else 0)


def _within_days(starts: Sequence[Start]) -> Rhythm | None:
    """Return how many hours apart the newest ones come, unless they came each day before they did so."""
    of_days = _on_days(starts)
    pairs = _newest_pairs(starts)
    hours_apart = next((hours for hours in HOURS_APART if _are_hours_apart(*pairs[0], hours)), 0)
    count = _leading(_are_hours_apart(*pair, hours_apart) for pair in pairs) + 1 if hours_apart else 0
    if count < OFTEN_IN_A_DAY:
        return of_days
    first = starts[-count]
    of_hours = of_days or Rhythm(0, is_of_weekdays=False, since_ms=first.at_ms, usual_ms=first.local_ms)
    return of_hours._replace(hours=hours_apart) if first.at_ms <= of_hours.since_ms else of_days


def _on_days(starts: Sequence[Start]) -> Rhythm | None:
    """Return that something comes each day, or each weekday, at whichever hours and however often."""
    firsts = list({start.local_ms // DAY_MS: start for start in reversed(starts)}.items())[::-1]
    count, is_of_weekdays = _in_step([Start(day * DAY_MS, day * DAY_MS, first.days_off) for day, first in firsts])
    is_daily = is_of_weekdays or (count >= OFTEN and firsts[-1][0] - firsts[-2][0] == 1)
    if count < OFTEN or not is_daily:
        return None
    first = firsts[-count][1]
    return Rhythm(1, is_of_weekdays, first.at_ms, first.local_ms)


def _in_step(starts: Sequence[Start]) -> tuple[int, bool]:
    """Return how many of the newest starts are equally many days apart, and whether that is so but for weekends."""
    pairs = _newest_pairs(starts)
    days_apart = _step(*pairs[0]) if pairs else 0
    alike = _leading(_step(*pair) == days_apart > 0 for pair in pairs)
    of_weekdays = _leading(_is_next_weekday(*pair) for pair in pairs)
    return max(alike, of_weekdays) + 1, of_weekdays > alike


def _newest_pairs(starts: Sequence[Start]) -> list[tuple[Start, Start]]:
    return list(pairwise(starts))[::-1]


def _leading(fitting: Iterable[bool]) -> int:
    return sum(1 for _ in takewhile(bool, fitting))


def _is_next_weekday(former: Start, following: Start) -> bool:
    """Whether it comes on the next weekday, or on the first that is no holiday."""
    weekday, step = moment(former.local_ms).weekday(), _step(former, following)
    return (step == 1 and weekday < FRIDAY) or (step == 1 + former.days_off and weekday <= FRIDAY)


def _step(former: Start, following: Start) -> int:
    """Return how many days later about the same hour is; 0 if it is not that hour, or too many."""
    days = round((following.local_ms - former.local_ms) / DAY_MS)
    return days if days <= LONGEST_PERIOD and _off_ms(former, following, days * DAY_MS) <= NEAR_MS else 0


def _are_hours_apart(former: Start, following: Start, hours: int) -> bool:
    """Whether they are so many hours apart, to a twelfth."""
    apart_ms = hours * HOUR_MS
    return _off_ms(former, following, apart_ms) <= min(apart_ms // 12, HOUR_MS // 2)


def _off_ms(former: Start, following: Start, apart_ms: int) -> int:
    """Return how far off two starts are from being so long apart, by the clocks that they go by.

    When clocks change, what goes by local time and what goes by UTC keep their hours alike.
    """
    by_local_ms, by_utc_ms = following.local_ms - former.local_ms, following.at_ms - former.at_ms
    return min(abs(by_local_ms - apart_ms), abs(by_utc_ms - apart_ms))
