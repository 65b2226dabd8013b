"""Headers are found by `header:NAME` wherever a field's path may stand."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.decoders import Decoded, JsonDecoder
from monitor.decoders.shape import split
from monitor.events import Headers
from tests.decoders.plans import NOON_MS, plan, records

AMOUNT = {"features": {"amount": "numeric"}}


def decode(decoder: JsonDecoder, payloads: list[bytes], headers: list[Headers] | None) -> Decoded:
    batch = records(payloads)
    batch.headers = headers
    return decoder.decode(batch)


@pytest.mark.parametrize("fast", [True, False])
def test_each_model_gets_the_messages_whose_header_its_filter_picks(fast: bool) -> None:
    plans = [
        plan(AMOUNT, "by_header", where={"header:model.name": "fraud"}),
        plan(AMOUNT, "by_both", where={"header:team": 1, "live": True}),
        plan(AMOUNT, "by_word", where={"header:live": True}),
    ]
    headers: list[Headers] = [
        (("model.name", b"fraud"), ("team", b"1")),
        (("model.name", b"fraud"), ("model.name", b"spam")),
        (("team", b"1"), ("live", b"true")),
        (("model.name", None), ("team", b"\xff")),
        (),
    ]
    payloads = [
        b'{"live": true}',
        b"{}",
        b'{"live": true, "header:live": true}',
        b'{"header:team": 1, "live": true}',
        b"{",
    ]

    decoded = decode(JsonDecoder(plans, fast=fast), payloads, headers)

    assert {name: events.offsets.tolist() for name, events in decoded.events.items()} == {
        "by_header": [0],
        "by_both": [0, 2],
        "by_word": [2],
    }
    assert decoded.unmatched == 2
    assert [problem.reason for _, problem in decoded.problems] == ["not_json"]


def test_without_headers_no_filter_by_one_picks_anything() -> None:
    decoder = JsonDecoder([plan(AMOUNT, where={"header:model": "fraud"})])

    assert decode(decoder, [b"{}", b"{}"], None).unmatched == 2


@pytest.mark.parametrize("fast", [True, False])
def test_identity_version_time_and_category_may_stand_in_headers(fast: bool) -> None:
    schema: dict[str, Any] = {
        "id": "header:id",
        "version": "header:v",
        "features": {"where": {"type": "category", "path": "header:c"}, "n": {"type": "numeric", "path": "header:n"}},
    }
    headers: list[Headers] = [
        (("id", b"a"), ("v", b"3"), ("c", "ä".encode()), ("n", b"1"), ("ts", str(NOON_MS).encode())),
        (("ts", b"2023-11-14T22:13:20Z"), ("c", b"x" * 257)),
        (("id", b"c"),),
    ]
    decoder = JsonDecoder([plan(schema, event_time="header:ts")], fast=fast)

    decoded = decode(decoder, [b"{}", b"{}", b"{}"], headers)

    events: Any = decoded.events["m"]
    assert (events.ids, events.versions, events.event_ms.tolist()) == (["a", None], ["3", ""], [NOON_MS, NOON_MS])
    assert events.category[0][0] == "ä"
    problems = [(problem.offset, problem.reason, problem.field) for _, problem in decoded.problems]
    assert problems == [
        (0, "wrong_type", "feature:n"),
        (1, "too_long", "feature:where"),
        (2, "no_event_time", ""),
    ]


def test_dots_in_the_name_of_a_header_belong_to_it() -> None:
    assert split("header:trace.id") == ("header:trace.id",)
