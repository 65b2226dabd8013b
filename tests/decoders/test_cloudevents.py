"""CloudEvents: which mode a message is in, its attributes beside its data, and what is none."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1 import kafka as older
from cloudevents.v1.http import CloudEvent as OlderEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decoders import Decoded, JsonDecoder, decoder_for
from monitor.events import Headers
from tests.decoders.plans import NOON_MS, plan, records
from tests.decoders.test_both_ways import messages, seen

SCHEMA = {
    "id": "ce.id",
    "version": "ce.modelversion",
    "features": {"amount": "numeric", "kind": {"type": "category", "path": "ce.type"}},
}
ATTRIBUTES = {"id": "a", "source": "/shop", "type": "order", "specversion": "1.0"}
BINARY: Headers = tuple((f"ce_{name}", value.encode()) for name, value in ATTRIBUTES.items())
STRUCTURED: Headers = (("content-type", b"application/cloudevents+json; charset=UTF-8"),)


def decode(schema: dict[str, Any], *written: tuple[Any, Headers], **source: Any) -> Decoded:
    batch = records([payload for payload, _ in written])
    batch.headers = [headers for _, headers in written]
    return decoder_for([plan(schema, format="cloudevents", **source)]).decode(batch)


def envelope(**more: Any) -> bytes:
    return json.dumps({key: value for key, value in {**ATTRIBUTES, **more}.items() if value is not ...}).encode()


def reasons(decoded: Decoded) -> list[tuple[int, str]]:
    return [(problem.offset, problem.reason) for _, problem in decoded.problems]


def test_both_modes_of_both_generations_of_the_sdk_are_read() -> None:
    attributes = {**ATTRIBUTES, "time": datetime.fromtimestamp(NOON_MS / 1000, UTC), "modelversion": "v3"}
    event = CloudEvent({**attributes, "datacontenttype": "application/json"}, {"amount": 1.5})
    old = OlderEvent({**event.get_attributes(), "time": "2023-11-14T22:13:20Z"}, {"amount": 1.5})
    written: list[Any] = [to_binary(event, JSONFormat()), to_structured(event, JSONFormat())]
    written += [older.to_binary(old), older.to_structured(old)]

    decoded = decode(SCHEMA, *((one.value, tuple(one.headers.items())) for one in written), event_time="ce.time")

    assert decoded.problems == []
    events: Any = decoded.events["m"]
    assert events.event_ms.tolist() == [NOON_MS] * 4
    assert events.numeric.tolist() == [[1.5] * 4]
    assert [list(column) for column in (events.ids or [], events.versions or [], events.category[0])] == [
        ["a"] * 4,
        ["v3"] * 4,
        ["order"] * 4,
    ]


def test_models_pick_their_events_by_attributes() -> None:
    plans = [
        plan({"features": {"amount": "numeric"}}, name, format="cloudevents", where={"ce.type": name, "live": True})
        for name in ("order", "visit")
    ]
    batch = records([b'{"amount": 1, "live": true}', envelope(type="visit", data={"amount": 2, "live": True}), b"{}"])
    batch.headers = [BINARY, STRUCTURED, BINARY]

    decoded = decoder_for(plans).decode(batch)

    assert {name: events.numeric.tolist() for name, events in decoded.events.items()} == {
        "order": [[1.0]],
        "visit": [[2.0]],
    }
    assert decoded.unmatched == 1


@pytest.mark.parametrize(
    ("payload", "headers", "amount"),
    [
        (b'{"amount": 1}', BINARY, 1.0),
        (b'{"amount": 1}', (*BINARY, ("content-type", b"application/vnd.shop+json; v=1")), 1.0),
        (b'{"amount": 1}', (*BINARY, ("Content-Type", b"Text/JSON")), 1.0),
        (b'{"amount": 1, "ce": 5}', BINARY, 1.0),
        (None, BINARY, None),
        (envelope(data={"amount": 1}), STRUCTURED, 1.0),
        (envelope(data={"amount": 1}), (("content-type", b"application/json"),), 1.0),
        (envelope(data={"amount": 1}, datacontenttype="application/json"), (), 1.0),
        (envelope(data_base64=base64.b64encode(b'{"amount": 1}').decode()), STRUCTURED, 1.0),
        (envelope(data={"amount": 1, "s": "\ud83d\ude00"}), STRUCTURED, 1.0),
        (envelope(data={"amount": float("nan")}), STRUCTURED, "not_finite"),
        (b"", BINARY, None),
        (envelope(), STRUCTURED, None),
        (envelope(data_base64=""), STRUCTURED, None),
        (envelope(specversion="1.1", data={"amount": 1}), STRUCTURED, 1.0),
        (b'{"data": {"amount": 3}, ' + envelope(data={"amount": 1})[1:], STRUCTURED, 1.0),
    ],
)
def test_what_is_an_event(payload: bytes | None, headers: Headers, amount: object) -> None:
    decoded = decode({"id": "ce.id", "features": {"amount": "numeric"}}, (payload, headers))

    kept = [reason for _, reason in reasons(decoded)]
    assert kept == ([amount] if isinstance(amount, str) else [])
    events = decoded.events["m"]
    assert list(events.ids or ()) == ["a"]
    if not kept:
        assert events.numeric[0].tolist() == [amount] or (
            amount is None and events.numeric[0, 0] != events.numeric[0, 0]
        )


@pytest.mark.parametrize(
    ("payload", "headers", "reason", "detail"),
    [
        (b'{"amount": 1}', (), "not_a_cloudevent", "the attribute specversion is missing"),
        (envelope(id=...), STRUCTURED, "not_a_cloudevent", "the attribute id is missing"),
        (envelope(id=""), STRUCTURED, "not_a_cloudevent", "the attribute id is missing"),
        (envelope(id=7), STRUCTURED, "not_a_cloudevent", "the attribute id is 7, no text"),
        (envelope(specversion="0.3"), STRUCTURED, "not_a_cloudevent", 'specversion "0.3"; 1.x is read'),
        (b"{}", BINARY[1:], "not_a_cloudevent", "the attribute id is missing"),
        (b"{}", (("content-type", b"application/cloudevents+avro"),), "not_a_cloudevent", "cloudevents+avro"),
        (b"[]", (("content-type", b"application/cloudevents-batch+json"),), "not_a_cloudevent", "batch"),
        (envelope(data={}, data_base64=""), STRUCTURED, "not_a_cloudevent", "both data and data_base64"),
        (envelope(data_base64="?"), STRUCTURED, "not_a_cloudevent", "data_base64 is"),
        (envelope(data_base64=7), STRUCTURED, "not_a_cloudevent", "data_base64 is 7"),
        (b"<a/>", (*BINARY, ("content-type", b"text/xml")), "not_json", 'datacontenttype is "text/xml"'),
        (envelope(data="<a/>", datacontenttype="text/xml"), STRUCTURED, "not_json", "text/xml"),
        (envelope(data="x"), STRUCTURED, "not_an_object", 'expected data to be an object, found "x"'),
        (envelope(data=None), STRUCTURED, "not_an_object", "found null"),
        (envelope(data_base64="W10="), STRUCTURED, "not_an_object", "found []"),
        (b"[1]", BINARY, "not_an_object", "found [1]"),
        (b"{", BINARY, "not_json", ""),
        (b"{", STRUCTURED, "not_json", ""),
        (b"[1]", STRUCTURED, "not_an_object", ""),
        (b"\xff", STRUCTURED, "not_utf8", ""),
        (None, STRUCTURED, "empty", ""),
        (None, (), "empty", ""),
        (b'{"amount": "' + b"x" * (1 << 20) + b'"}', BINARY, "too_large", ""),
    ],
)
def test_what_is_none_and_that_its_neighbours_are(
    payload: bytes | None, headers: Headers, reason: str, detail: str
) -> None:
    good = (b'{"amount": 1}', BINARY)

    decoded = decode({"features": {"amount": "numeric"}}, good, (payload, headers), good)

    assert reasons(decoded) == [(1, reason)]
    assert detail in decoded.problems[0][1].detail
    assert decoded.events["m"].offsets.tolist() == [0, 2]


def test_attributes_are_what_their_types_are() -> None:
    schema = {"version": "ce.v", "features": {"n": {"type": "numeric", "path": "ce.n"}}}
    batch = [
        (envelope(v=3, n=1.5, data={}), STRUCTURED),
        (envelope(v=True, n=True, data={}), STRUCTURED),
        (envelope(v=1, n=1, data={}), STRUCTURED),
        (b"{}", (*BINARY, ("ce_v", b"3"), ("ce_n", b"1.5"))),
        (envelope(data={"ce": {"v": 9, "n": 9}}), STRUCTURED),
        (envelope(v="\ud800", data={}), STRUCTURED),
    ]

    decoded = decode(schema, *batch)

    assert list(decoded.events["m"].versions or ()) == ["3", "", "1", "3", "", ""]
    assert [str(x) for x in decoded.events["m"].numeric[0]] == ["1.5", "1.0", "1.0", "inf", "nan", "nan"]
    assert reasons(decoded) == [(1, "wrong_type"), (3, "wrong_type"), (5, "not_unicode")]


@settings(max_examples=80, deadline=None)
@given(st.lists(messages(), max_size=5))
def test_the_data_is_what_plain_json_would_be(payloads: list[bytes]) -> None:
    schema = {"features": {"n": "numeric", "c": "category", "x": {"type": "numeric", "path": "f.x"}}, "extra": "count"}
    # An event may have no data; of JSON, an empty message is none.
    payloads = [payload for payload in payloads if payload]
    plain = JsonDecoder([plan(schema)]).decode(records(payloads))

    binary = decode(schema, *((payload, BINARY) for payload in payloads))
    in_base64 = [envelope(data_base64=base64.b64encode(payload).decode()) for payload in payloads]
    structured = decode(schema, *((payload, STRUCTURED) for payload in in_base64))

    assert seen(binary) == seen(plain)
    assert seen(structured) == seen(plain)


@settings(max_examples=80, deadline=None)
@given(st.lists(messages(), max_size=5))
def test_data_within_the_message_is_what_plain_json_would_be(payloads: list[bytes]) -> None:
    schema = {"features": {"n": "numeric", "c": "category", "x": {"type": "numeric", "path": "f.x"}}}
    whole = [payload for payload in payloads if parses(payload)]
    plain = JsonDecoder([plan(schema)]).decode(records(whole))

    within = [envelope()[:-1] + b', "data": ' + payload.strip() + b"}" for payload in whole]
    structured = decode(schema, *((payload, STRUCTURED) for payload in within))

    assert seen(structured) == seen(plain)


def parses(payload: bytes) -> bool:
    return not JsonDecoder([plan({"features": {"n": "numeric"}})]).decode(records([payload])).problems
