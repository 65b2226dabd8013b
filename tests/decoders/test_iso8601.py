"""Times in the common form are read as the standard library reads them, and all others are left to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decoders.event_time import EventTimes
from monitor.decoders.iso8601 import times
from monitor.packed import Packed

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
ZONES: Any = st.none() | st.just(UTC) | OFFSETS
MOMENTS = st.datetimes(datetime(1970, 1, 3), datetime(9999, 12, 28), timezones=ZONES)
PARTS = st.sampled_from(["seconds", "milliseconds", "microseconds"])


def read(*texts: str) -> list[int] | None:
    found = times(Packed.of([text.encode() for text in texts]))
    return None if found is None else found.tolist()


def by_the_library(text: str) -> int:
    moment = datetime.fromisoformat(text)
    since = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)) - EPOCH
    return since // timedelta(milliseconds=1)


@settings(max_examples=300, deadline=None)
@given(MOMENTS, PARTS, st.sampled_from("T "), st.booleans())
def test_every_moment_in_the_common_form_is_read(moment: datetime, parts: str, separator: str, zulu: bool) -> None:
    text = moment.isoformat(separator, parts)
    text = text.replace("+00:00", "Z") if zulu else text

    assert read(text) == [by_the_library(text)]


@settings(max_examples=500, deadline=None)
@given(MOMENTS, PARTS, st.integers(0, 30), st.characters(codec="ascii") | st.just(""), st.integers(0, 2))
def test_a_damaged_time_is_read_as_by_the_library_or_left_to_it(
    moment: datetime, parts: str, at: int, put: str, cut: int
) -> None:
    text = moment.isoformat("T", parts)
    text = text[:at] + put + text[at + cut :]

    found = read(text)
    if found is not None:
        assert found == [by_the_library(text)]


OTHER_FORMS = """
2026-11-24 2026-02-29T00:00:00 2026-11-24T24:00:00 2026-11-24T23:59:60Z 20261124T000000Z 2026-11-24T00:00:00.Z
2026-11-24T00:00:00+0100 2026-11-24T00:00:00+24:00 1969-12-31T23:59:59Z
1970-01-01T00:00:00Z 2026-11-24T00:00:00ZZ 1700000000000000000000
"""


@pytest.mark.parametrize("text", ["", "2026-11-24T00:00:00 Z", "2026-1１-24T00:00:00", *OTHER_FORMS.split()])
def test_other_texts_are_left_to_the_library(text: str) -> None:
    assert read("2026-11-24T00:00:00Z", text) is None


def test_fractions_of_any_length_are_cut_to_milliseconds() -> None:
    assert read("1970-01-01T00:00:00.1", "1970-01-01T00:00:00.0129999999999", "2000-02-29T00:00:00") == [
        100,
        12,
        951_782_400_000,
    ]


def test_a_batch_with_times_of_both_kinds_is_read_as_each_alone() -> None:
    texts = ["2026-11-24T23:46:11.123Z", "20261124T234611Z", "nonsense", "9999-12-31T00:00:00Z"]
    whole, apart = EventTimes("iso"), EventTimes("iso")

    event_ms, wrong = whole.read(Packed.of([text.encode() for text in texts]))

    alone = [apart.read([text]) for text in texts]
    assert event_ms.tolist() == [found[0] for found, _ in alone]
    assert wrong == {2: "event_time_unreadable", 3: "event_time_out_of_bounds"}
