from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.sketch.category import INVALID
from monitor.decoders import Decoded, JsonDecoder
from monitor.decoders.document import MAX_DEPTH
from tests.decoders.plans import NOON_MS, plan, records

AMOUNT = {"features": {"amount": "numeric"}}
COUNTRY = {"features": {"country": "category"}}


def decode(schema: dict[str, Any], *payloads: bytes | None, record_ms: int = NOON_MS, **source: Any) -> Decoded:
    return JsonDecoder([plan(schema, **source)]).decode(records(payloads, record_ms=record_ms))


def problems(decoded: Decoded) -> list[tuple[int, str, str, str]]:
    return [(p.offset, p.action, p.reason, p.field) for _, p in decoded.problems]


@pytest.mark.parametrize(
    ("literal", "value", "reason"),
    [
        ("3", 3.0, ""),
        ("-2.5e3", -2500.0, ""),
        ("true", 1.0, ""),
        ("false", 0.0, ""),
        ("9007199254740993", 9007199254740992.0, ""),
        ("null", math.nan, ""),
        ('"3"', math.inf, "wrong_type"),
        ("[3]", math.inf, "wrong_type"),
        ("{}", math.inf, "wrong_type"),
        ("NaN", math.inf, "not_finite"),
        ("-Infinity", math.inf, "not_finite"),
        ("1e999", math.inf, "not_finite"),
        ("9" * 400, math.inf, "not_finite"),
        ("9" * 5000, math.inf, "not_finite"),
    ],
)
def test_what_counts_as_a_number(literal: str, value: float, reason: str) -> None:
    decoded = decode(AMOUNT, b'{"amount": %s}' % literal.encode())

    found = decoded.events["m"].numeric[0, 0]
    assert math.isnan(found) if math.isnan(value) else found == value
    assert problems(decoded) == ([(0, "kept", reason, "feature:amount")] if reason else [])


@pytest.mark.parametrize(
    ("literal", "value", "reason"),
    [
        ('"DE"', "DE", ""),
        ('""', "", ""),
        ("7", "7", ""),
        ("-0", "0", ""),
        ("123456789012345678901234567890", "123456789012345678901234567890", ""),
        ("true", "true", ""),
        ("null", None, ""),
        ("1.0", "1", ""),
        ("-2e2", "-200", ""),
        ("1.5", INVALID, "wrong_type"),
        ("1e300", INVALID, "wrong_type"),
        ("[]", INVALID, "wrong_type"),
        ('{"a": 1}', INVALID, "wrong_type"),
        ("NaN", INVALID, "wrong_type"),
        ('"' + "ä" * 256 + '"', "ä" * 256, ""),
        ('"' + "x" * 257 + '"', INVALID, "too_long"),
        ("9" * 257, INVALID, "too_long"),
        ('"\\ud800"', INVALID, "not_unicode"),
        ('"\\ud83d\\ude00"', "😀", ""),
    ],
)
def test_what_counts_as_a_category(literal: str, value: object, reason: str) -> None:
    decoded = decode(COUNTRY, b'{"country": %s}' % literal.encode())

    assert decoded.events["m"].category == [[value]]
    assert problems(decoded) == ([(0, "kept", reason, "feature:country")] if reason else [])


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"  ", "not_json"),
        (b'{"amount": 1', "not_json"),
        (b'{"amount": 1}}', "not_json"),
        (b'{"amount": 01}', "not_json"),
        (b'\xef\xbb\xbf{"amount": 1}', "not_json"),
        (b'{"amount": ' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"}", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'"\\' * 300_000, "not_json"),
        (b"[1]", "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"other": "\xff"}', "not_utf8"),
        (b'{"amount": 1, "other": "' + b"x" * (1 << 20) + b'"}', "too_large"),
    ],
)
def test_what_is_rejected_and_that_its_neighbours_are_not(payload: bytes | None, reason: str) -> None:
    decoded = decode(AMOUNT, b'{"amount": 1}', payload, b'{"amount": 2}')

    assert problems(decoded) == [(1, "rejected", reason, "")]
    assert decoded.problems[0][0] == ""
    assert decoded.events["m"].offsets.tolist() == [0, 2]
    assert decoded.events["m"].numeric.tolist() == [[1.0, 2.0]]


def test_brackets_in_text_and_wide_lists_are_not_depth() -> None:
    wide = b'{"amount": 1, "list": [' + b"[]," * 1000 + b'[]], "text": "' + b"[" * 1000 + b'"}'
    assert decode(AMOUNT, wide).events["m"].numeric.tolist() == [[1.0]]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=5))
@example([b"\x80abc", b'{"amount":', b"\x00"])
def test_no_bytes_make_it_raise_and_every_message_is_accounted_for(payloads: list[bytes]) -> None:
    decoded = EVERYTHING.decode(records(payloads))

    events = decoded.events["m"].offsets.tolist() if "m" in decoded.events else []
    rejected = [p.offset for _, p in decoded.problems if p.action == "rejected"]
    assert sorted(events + rejected) == list(range(len(payloads)))


EVERYTHING = JsonDecoder([plan({**AMOUNT, "id": "id", "version": "v", "extra": "count"}, event_time="ts")])


def test_a_source_carries_what_its_kind_says() -> None:
    schema = {"features": {"x": "numeric", "c": "category"}, "prediction": {"score": "numeric"}}
    payload = b'{"x": 1, "c": "a", "score": 0.5}'

    for kind, numeric, category in (
        ("event", [[1.0], [0.5]], [["a"]]),
        ("features", [[1.0]], [["a"]]),
        ("prediction", [[0.5]], []),
    ):
        events: Any = decode(schema, payload, kind=kind).events["m"]
        assert (events.numeric.tolist(), events.category) == (numeric, category)


def test_fields_are_found_by_path() -> None:
    schema = {"id": "meta.id", "features": {"x": {"type": "numeric", "path": "a.b.c"}}}

    decoded = decode(schema, b'{"a": {"b": {"c": 4}}, "meta": {"id": 9}}', b'{"a": {"b": null}}', b'{"a": "{}"}')

    events = decoded.events["m"]
    assert [str(x) for x in events.numeric[0]] == ["4.0", "nan", "inf"]
    assert events.ids == ["9", None, None]
    assert problems(decoded) == [(2, "kept", "wrong_type", "feature:x")]
    assert decoded.problems[0][1].detail == 'inside "{}", which is not an object'


def test_versions_and_identities() -> None:
    schema = {**AMOUNT, "id": "id", "version": "v"}

    decoded = decode(schema, b'{"id": "a", "v": 3}', b'{"id": "", "v": null}', b'{"id": 1.5, "v": true}', b"{}")

    events = decoded.events["m"]
    assert events.versions == ["3", "", "", ""]
    assert events.ids == ["a", None, None, None]
    assert problems(decoded) == [(2, "kept", "wrong_type", "id"), (2, "kept", "wrong_type", "version")]
    assert decode(AMOUNT, b"{}").events["m"].versions is None


def test_numbers_that_a_data_frame_wrote_as_floats_are_the_same_versions_and_identities() -> None:
    schema = {**AMOUNT, "id": "id", "version": "v"}

    decoded = decode(schema, b'{"id": 7, "v": 2}', b'{"id": 7.0, "v": 2.0}', b'{"id": 8.0, "v": 1.2}')

    assert decoded.events["m"].ids == ["7", "7", "8"]
    assert decoded.events["m"].versions == ["2", "2", "1.2"]
    assert problems(decoded) == []


def test_each_model_gets_the_messages_that_its_filter_picks() -> None:
    decoder = JsonDecoder(
        [
            plan(AMOUNT, "all_of_team_1", where={"team": 1}),
            plan(COUNTRY, "fraud", where={"model": "fraud", "team": 1}),
            plan(COUNTRY, "live", where={"live": True}),
        ]
    )
    decoded = decoder.decode(
        records(
            [
                b'{"model": "fraud", "team": 1, "amount": 5, "country": "DE"}',
                b'{"model": "spam", "team": 1.0, "amount": 6}',
                b'{"model": "fraud", "team": true, "live": 1}',
                b'{"team": [1], "live": true}',
                b"{",
            ]
        )
    )

    assert {name: events.offsets.tolist() for name, events in decoded.events.items()} == {
        "all_of_team_1": [0, 1],
        "fraud": [0],
        "live": [3],
    }
    assert decoded.unmatched == 1
    assert problems(decoded) == [(4, "rejected", "not_json", "")]


@pytest.mark.parametrize(
    ("unit", "literal", "event_ms"),
    [
        ("auto", "1700000000", 1_700_000_000_000),
        ("auto", "1700000000.001", 1_700_000_000_001),
        ("auto", "1700000000123", 1_700_000_000_123),
        ("auto", "1700000000123456", 1_700_000_000_123),
        ("auto", "1700000000123999999", 1_700_000_000_123),
        ("auto", '"1700000000123"', 1_700_000_000_123),
        ("auto", '"2023-11-14T22:13:20.5Z"', 1_700_000_000_500),
        ("auto", '"2023-11-15 00:13:20+02:00"', 1_700_000_000_000),
        ("auto", '"2023-11-14T22:13:20"', 1_700_000_000_000),
        ("ms", "946684800000", 946_684_800_000),
        ("us", "946684800005999", 946_684_800_005),
        ("s", "946684800.25", 946_684_800_250),
        ("iso", '"1970-01-02"', 86_400_000),
        ("iso", '"1970-01-01T00:00:00.001Z"', 1),
        ("auto", '"1987-10-19T14:30:00Z"', 561_652_200_000),
    ],
)
def test_event_times_in_every_unit(unit: str, literal: str, event_ms: int) -> None:
    payload = b'{"ts": %s}' % literal.encode()
    decoded = decode(AMOUNT, payload, event_time={"path": "ts", "unit": unit})
    assert decoded.problems == []
    assert decoded.events["m"].event_ms.tolist() == [event_ms]


@pytest.mark.parametrize(
    ("unit", "literal", "reason"),
    [
        ("auto", "null", "no_event_time"),
        ("auto", '""', "no_event_time"),
        ("auto", "true", "event_time_unreadable"),
        ("auto", '"yesterday"', "event_time_unreadable"),
        ("auto", "{}", "event_time_unreadable"),
        ("ms", '"2023-11-14T22:13:20Z"', "event_time_unreadable"),
        ("iso", "1700000000", "event_time_unreadable"),
        ("auto", "-1", "event_time_out_of_bounds"),
        ("auto", "0", "event_time_out_of_bounds"),
        ("auto", "946684799", "event_time_out_of_bounds"),
        ("s", "1700000000000", "event_time_out_of_bounds"),
        ("ms", "1700000000", "event_time_out_of_bounds"),
        ("ms", '"1700000000"', "event_time_out_of_bounds"),
        ("us", "1700000000000.5", "event_time_out_of_bounds"),
        ("auto", '"1969-12-31T23:59:59Z"', "event_time_out_of_bounds"),
        ("auto", '"1970-01-01T00:00:00Z"', "event_time_out_of_bounds"),
        ("iso", '"1970-01-01 01:00:00+01:00"', "event_time_out_of_bounds"),
        ("iso", '"1970-01-01"', "event_time_out_of_bounds"),
        ("auto", '"2200-01-01T00:00:00Z"', "event_time_out_of_bounds"),
        ("auto", "NaN", "event_time_out_of_bounds"),
        ("auto", "1e999", "event_time_out_of_bounds"),
        ("auto", "1700001801", "event_time_in_future"),
    ],
)
def test_event_times_that_cannot_be(unit: str, literal: str, reason: str) -> None:
    payload = b'{"ts": %s}' % literal.encode()
    decoded = decode(AMOUNT, payload, event_time={"path": "ts", "unit": unit})
    assert problems(decoded) == [(0, "rejected", reason, "")]
    assert decoded.events == {}


def test_an_event_is_not_in_the_future_of_a_record_without_a_credible_time() -> None:
    for record_ms in (-1, 0, 1_000):
        decoded = decode(AMOUNT, b'{"ts": 1700001801}', record_ms=record_ms, event_time="ts")
        assert decoded.problems == []


def test_without_a_field_for_it_the_record_time_counts() -> None:
    assert decode(AMOUNT, b"{}").events["m"].event_ms.tolist() == [NOON_MS]
    assert problems(decode(AMOUNT, b"{}", record_ms=-1)) == [(0, "rejected", "no_event_time", "")]


@pytest.mark.parametrize(
    ("unit", "literal", "detail"),
    [
        ("ms", "1790000000", "1790000000 in ms is 1970-01-21; in s it is 2026-09-21: is `unit: s` meant?"),
        ("ms", '"1790000000"', '"1790000000" in ms is 1970-01-21; in s it is 2026-09-21: is `unit: s` meant?'),
        ("s", "1790000000000", "1790000000000 in s is after 2199; in ms it is 2026-09-21: is `unit: ms` meant?"),
        (
            "ns",
            "1790000000000000",
            "1790000000000000 in ns is 1970-01-21; in us it is 2026-09-21: is `unit: us` meant?",
        ),
        ("s", "0", "0 in s is 1970-01-01: numbers are times from 2000 to 2200"),
        ("s", "830000000", "830000000 in s is 1996-04-20: numbers are times from 2000 to 2200"),
        ("ms", "-1", "-1 in ms is before 1970: numbers are times from 2000 to 2200"),
        ("auto", "86400", "86400 is in no unit a time from 2000 to 2200"),
        ("ms", "NaN", "NaN in ms is no time: numbers are times from 2000 to 2200"),
    ],
)
def test_what_is_out_of_bounds_says_which_time_it_would_be(unit: str, literal: str, detail: str) -> None:
    payload = b'{"ts": %s}' % literal.encode()

    decoded = decode(AMOUNT, payload, event_time={"path": "ts", "unit": unit})

    assert [problem.detail for _, problem in decoded.problems] == [detail]


def test_a_record_time_before_2000_is_no_event_time() -> None:
    """A producer that states seconds where Kafka takes ms."""
    assert problems(decode(AMOUNT, b"{}", record_ms=1_700_000_000)) == [(0, "rejected", "event_time_out_of_bounds", "")]


def test_extra_fields_are_counted_and_the_first_message_with_each_is_recorded() -> None:
    schema = {"features": {"x": {"type": "numeric", "path": "f.x"}}, "extra": "count", "id": "f.id"}
    decoder = JsonDecoder([plan(schema)])
    payloads = [
        b'{"f": {"x": 1, "id": 2}, "top": 1}',
        b'{"f": {"x": 1, "y": "new"}}',
        b'{"f": {"y": NaN}}',
        b'{"f": 1}',
    ]

    decoded = decoder.decode(records(payloads))

    assert decoded.extra == {("m", "f.y"): 2}
    extra = [p for _, p in decoded.problems if p.reason == "extra_field"]
    assert [(p.offset, p.action, p.field, p.detail) for p in extra] == [(1, "kept", "f.y", '"new"')]
    assert [p.reason for _, p in decoder.decode(records(payloads[:3])).problems] == []


def test_what_one_model_makes_of_an_odd_message_is_its_own() -> None:
    plans = [
        plan(AMOUNT, "all"),
        plan(AMOUNT, "some", where={"c": "a"}),
        plan({"features": {"amount": "numeric", "n": "numeric"}}, "more"),
    ]
    payloads = [b'{"amount": 1, "c": "a"}', b'{"amount": 2, "n": NaN}', b'{"amount": "x", "c": "a"}']

    events = JsonDecoder(plans).decode(records(payloads)).events

    assert events["all"].numeric.tolist() == [[1.0, 2.0, math.inf]]
    assert events["some"].numeric.tolist() == [[1.0, math.inf]]
    assert events["more"].numeric[0].tolist() == [1.0, 2.0, math.inf]
