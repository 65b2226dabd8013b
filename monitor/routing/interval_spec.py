"""Named intervals of time, as Alertmanager writes them: `monday:friday`, `-3:-1`, `09:00`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, PlainSerializer, TypeAdapter, WithJsonSchema, model_validator

from monitor.routing.intervals import Interval, Range
from monitor.values import Strict

__all__ = [
    "IntervalSpec",
    "Minute",
    "NamedIntervals",
    "TimeRange",
    "Zone",
    "in_words",
    "minute_of",
    "parse_intervals",
    "written",
    "zone_of",
]

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|(24):(00)")
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
SHORTEST_MONTH = 28


def _range(value: object, members: Sequence[str] = (), first: int = 0) -> Range:
    """A number or name, or two with a colon between."""
    # YAML 1.1 reads 1:5 as 65, in base 60, like a time.
    text = f"{value // 60}:{value % 60}" if isinstance(value, int) and 60 <= value < 1_000 else str(value).lower()
    parts = text.split(":")
    if len(parts) > 2:
        raise ValueError(f"expected one, or a range of two with a colon between, got {value!r}")
    low, *high = (_member(part, members, first) for part in parts)
    return low, (high[0] if high else low)


def _member(text: str, members: Sequence[str], first: int) -> int:
    if text in members:
        return members.index(text) + first
    if not re.fullmatch(r"[+-]?\d+", text) or members is _DAYS:
        raise ValueError(f"{text!r} is none of {', '.join(members)}" if members else f"{text!r} is no number")
    return int(text)


def _weekdays(value: object) -> Range:
    low, high = _range(value, _DAYS)
    if low > high:
        raise ValueError(f"the range {value!r} ends before it begins; a week begins on Sunday")
    return low, high


def _days_of_month(value: object) -> Range:
    low, high = _range(value)
    for day in (low, high):
        if day == 0 or abs(day) > 31:
            raise ValueError(f"{day} is no day of a month: 1 to 31, or -1 (the last) to -31")
    if low < 0 < high:
        raise ValueError(f"the range {value!r} begins from the month's end, and so has to end from there")
    shortest = [day if day > 0 else SHORTEST_MONTH + day for day in (low, high)]
    if shortest[0] > shortest[1]:
        raise ValueError(f"the range {value!r} ends before it begins")
    return low, high


def _ordered(value: object, members: Sequence[str] = ()) -> Range:
    low, high = _range(value, members, first=1)
    if low > high:
        raise ValueError(f"the range {value!r} ends before it begins")
    return low, high


def minute_of(value: object) -> int:
    """Return a time of the day in minutes; YAML 1.1 reads 17:00 as that already."""
    text = f"{value // 60:02d}:{value % 60:02d}" if isinstance(value, int) else str(value)
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a time from 00:00 to 24:00, got {value!r}")
    hour, minute = (int(part) for part in match.groups() if part is not None)
    return hour * 60 + minute


def zone_of(value: object) -> ZoneInfo:
    """Return the time zone of a name; the empty one is UTC, as Alertmanager has it."""
    name = str(value) or "UTC"
    if name not in _zones():
        raise ValueError(f"no such time zone: {value!r}; names are those of the tz database, as Europe/Berlin")
    return ZoneInfo(name)


@cache
def _zones() -> frozenset[str]:
    """Return the names that are alike everywhere: `localtime`, `posixrules` and `right/…` are a host's own."""
    return frozenset(files("tzdata").joinpath("zones").read_text().split())


def _range_text(members: Sequence[str] = ()) -> PlainSerializer:
    """Write a range as it is read."""

    def write(span: Range) -> str:
        low, high = (members[end] if members else str(end) for end in span)
        return low if low == high else f"{low}:{high}"

    return PlainSerializer(write, when_used="json")


def _minute_text(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


_AS_TEXT = WithJsonSchema({"type": "string"})
_AS_TEXT_OR_NUMBER = WithJsonSchema({"type": ["string", "integer"]})
Zone = Annotated[ZoneInfo, BeforeValidator(zone_of), PlainSerializer(str), _AS_TEXT]
_Days = Annotated[Range, BeforeValidator(_days_of_month), _range_text(), _AS_TEXT_OR_NUMBER]
_Months = Annotated[Range, BeforeValidator(lambda value: _ordered(value, _MONTHS)), _range_text(), _AS_TEXT_OR_NUMBER]
Minute = Annotated[int, BeforeValidator(minute_of), PlainSerializer(_minute_text, when_used="json"), _AS_TEXT]


class TimeRange(Strict):
    """A part of the day."""

    start_time: Minute = Field(description="such as `09:00`")
    end_time: Minute = Field(description="not included; at most `24:00`")

    @model_validator(mode="after")
    def _has_a_length(self) -> Self:
        if self.start_time >= self.end_time:
            raise ValueError("start_time has to lie before end_time; a night takes two ranges")
        return self


class IntervalSpec(Strict):
    """Holds a time that lies in one range of each kind that is named."""

    times: list[TimeRange] | None = Field(default=None, description="parts of the day")
    weekdays: list[Annotated[Range, BeforeValidator(_weekdays), _range_text(_DAYS), _AS_TEXT]] | None = Field(
        default=None, description="such as `monday:friday`"
    )
    days_of_month: list[_Days] | None = Field(default=None, description="such as `1:5`, or `-3:-1` for the last three")
    months: list[_Months] | None = Field(default=None, description="such as `may:august`, or `12`")
    years: list[Annotated[Range, BeforeValidator(_ordered), _range_text(), _AS_TEXT_OR_NUMBER]] | None = Field(
        default=None, description="such as `2026:2028`"
    )
    location: Zone | None = Field(default=None, description="a time zone, such as `Europe/Berlin`; UTC if absent")

    def build(self) -> Interval:
        """Return the interval as the router uses it."""
        times = None if self.times is None else [(span.start_time, span.end_time) for span in self.times]
        return Interval(times, self.weekdays, self.days_of_month, self.months, self.years, self.location)

    @classmethod
    def of(cls, interval: Interval) -> Self:
        """Return what builds an interval."""
        parts = {name: getattr(interval, name) for name in ("weekdays", "days_of_month", "months", "years")}
        if interval.times is not None:
            parts["times"] = [TimeRange(start_time=low, end_time=high) for low, high in interval.times]
        return cls.model_construct(**parts, location=interval.zone)


class NamedIntervals(Strict):
    """Intervals under one name."""

    name: str = Field(min_length=1)
    time_intervals: list[IntervalSpec] = Field(default_factory=list, description="one of them has to hold the time")


_SPECS = TypeAdapter(list[IntervalSpec])


def parse_intervals(document: object) -> list[Interval]:
    """Return the intervals of a list, as Alertmanager writes them.

    Raises
    ------
    ValueError
        One of them is none.
    """
    return [spec.build() for spec in _SPECS.validate_python(document)]


def written(intervals: Iterable[Interval]) -> list[dict[str, Any]]:
    """Return intervals as :func:`parse_intervals` takes them.

    Examples
    --------
    >>> written(parse_intervals([{"weekdays": ["monday:friday"], "location": "Europe/Berlin"}]))
    [{'weekdays': ['monday:friday'], 'location': 'Europe/Berlin'}]
    """
    return [IntervalSpec.of(interval).model_dump(mode="json", exclude_none=True) for interval in intervals]


def in_words(intervals: Iterable[Interval]) -> str:
    """Return intervals for people, in a line.

    Examples
    --------
    >>> night = {"weekdays": ["monday:friday"], "times": [{"start_time": "22:00", "end_time": "24:00"}]}
    >>> in_words(parse_intervals([night, {"weekdays": ["sunday"], "location": "Asia/Tokyo"}]))
    'monday:friday 22:00-24:00 UTC; sunday Asia/Tokyo'
    """
    return "; ".join(map(_in_words, written(intervals)))


def _in_words(document: dict[str, Any]) -> str:
    times = [f"{span['start_time']}-{span['end_time']}" for span in document.get("times", ())]
    days = [f"day {span}" for span in document.get("days_of_month", ())]
    parts = [document.get("weekdays"), days, document.get("months"), document.get("years"), times]
    return " ".join([*(",".join(part) for part in parts if part), document.get("location", "UTC")])
