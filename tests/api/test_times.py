"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.api.times import parse_range, parse_time
from monitor.errors import InputError

moments = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1))
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(moments, offsets)
def test_iso_8601_means_the_moment_that_it_says(moment: datetime, zone: timezone) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=zone)
    expected = round(moment.timestamp() * 1000)
    text = moment.isoformat(timespec="milliseconds")
    assert parse_time(text, 0) == expected
    assert parse_time(text.replace("+", " "), 0) == expected  # what a query string makes of an unquoted plus


@given(moments)
def test_a_time_without_an_offset_is_utc(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    assert parse_time(moment.isoformat(), 0) == moment.replace(tzinfo=UTC).timestamp() * 1000


@pytest.mark.parametrize(
    ("text", "expected"), [("now", 5), ("-1s", -995), ("+1m30s", 90_005), ("17", 17), (" 17 ", 17)]
)
def test_other_forms(text: str, expected: int) -> None:
    assert parse_time(text, now_ms=5) == expected


@pytest.mark.parametrize("text", ["", "-", "-1", "1h", "noon", "2024-13-01", "1.5", "-99999999999999999w", "9" * 19])
def test_what_is_no_time_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(InputError, match=r"ISO 8601|too far"):
        parse_time(text, now_ms=0)


def test_a_range_must_hold_something() -> None:
    assert parse_range(None, "now", 5) == (None, 5)
    with pytest.raises(InputError, match="before"):
        parse_range("now", "-1s", 5)
