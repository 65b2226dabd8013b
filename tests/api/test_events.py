"""Posting events: what is accepted arrives byte for byte, what is not says where it is wrong."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.api.bodies import split_messages
from monitor.config import Configuration, Service
from monitor.config.service import Api, ServiceSpec
from tests.api.world import Client, World, model

JSON = "application/json"
LINES = "application/x-ndjson"


@pytest.mark.parametrize(
    ("content_type", "body", "messages"),
    [
        (JSON, b'{"a": 1}', [b'{"a": 1}']),
        (JSON, b' [ {"a" :1} , {"b":\n2}, 3 ]\n', [b'{"a" :1}', b'{"b":\n2}', b"3"]),
        ("application/json; charset=utf-8", b"{}", [b"{}"]),
        (LINES, b'{"a":1}\r\n\n{broken\n{"b":2}', [b'{"a":1}', b"{broken", b'{"b":2}']),
        ("application/jsonl", b"{}\n", [b"{}"]),
    ],
)
def test_messages_arrive_as_they_were_sent(content_type: str, body: bytes, messages: list[bytes]) -> None:
    world = World()
    world.accept("fraud", [b"earlier"])
    answer = Client(world).post("/v1/events/fraud", body, content_type=content_type)
    assert (answer.status_code, answer.json()) == (
        202,
        {"accepted": len(messages), "first_offset": 1, "last_offset": len(messages)},
    )
    assert world.accepted["fraud"][1:] == messages


def test_the_stream_may_be_a_parameter() -> None:
    world = World()
    assert Client(world).post("/v1/events?stream=churn", b"{}", content_type=JSON).status_code == 202
    assert world.accepted == {"churn": [b"{}"]}


def test_an_unknown_stream_names_the_known_ones() -> None:
    answer = Client(World()).post("/v1/events/fruad", b"{}", content_type=JSON)
    assert (answer.status_code, answer.json()["known"]) == (404, ["churn", "fraud"])


@pytest.mark.parametrize("members", [1, 3])
def test_a_gzip_body_is_unpacked_member_by_member(members: int) -> None:
    world = World()
    body = b"".join(gzip.compress(b'{"a":%d}\n' % n, mtime=0) for n in range(members))
    answer = Client(world).post("/v1/events/fraud", body, content_type=LINES, content_encoding="gzip")
    assert answer.status_code == 202
    assert world.accepted["fraud"] == [b'{"a":%d}' % n for n in range(members)]


packed = gzip.compress(b'{"a": 1}', mtime=0)


@pytest.mark.parametrize(
    ("body", "headers", "position"),
    [
        (b'[{"a": 1}, {"a" 2}]', {}, 16),
        (b'{"a": 1', {}, 7),
        (b"", {}, 0),
        (b"[]", {}, 0),
        (b"{} {}", {}, 3),
        (packed[:-3], {"content_encoding": "gzip"}, len(packed) - 3),
        (b"plain", {"content_encoding": "gzip"}, 0),
        (b"", {"content_encoding": "gzip"}, 0),
        (packed + b"rest", {"content_encoding": "gzip"}, len(packed)),
    ],
)
def test_a_bad_body_says_where_it_is_bad(body: bytes, headers: dict[str, str], position: int) -> None:
    world = World()
    answer = Client(world).post("/v1/events/fraud", body, content_type=JSON, **headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "/v1/problems#bad-body")
    assert answer.json()["position"] == position
    assert world.accepted == {}


@pytest.mark.parametrize(
    "headers", [{"content_type": "text/csv"}, {}, {"content_type": JSON, "content_encoding": "br"}]
)
def test_an_unknown_kind_of_body_names_the_known_ones(headers: dict[str, str]) -> None:
    answer = Client(World()).post("/v1/events/fraud", b"{}", **headers)
    assert answer.status_code == 415
    assert "supported are" in answer.json()["detail"]


def small_world(max_body_bytes: int) -> World:
    service = Service(spec=ServiceSpec(api=Api(max_body_bytes=max_body_bytes)))
    return World(configuration=Configuration(service, {"fraud": model("fraud")}, root=None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "how", "status"),
    [(100, "plain", 202), (101, "plain", 413), (100, "gzip", 202), (101, "gzip", 413), (100_000_000, "gzip", 413)],
)
def test_a_body_is_limited_as_sent_and_as_unpacked(size: int, how: str, status: int) -> None:
    body = b'"' + b"a" * (size - 2) + b'"'
    headers = {"content_encoding": "gzip"} if how == "gzip" else {}
    sent = gzip.compress(body, 9, mtime=0) if how == "gzip" else body
    world = small_world(100)
    if len(sent) > 100 and how == "gzip" and size < 1_000:
        pytest.fail("the packed body must fit, so that unpacking is what is tested")
    assert Client(world).post("/v1/events/fraud", sent, content_type=JSON, **headers).status_code == status


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(values, min_size=1, max_size=5), st.sampled_from([None, 1]))
def test_an_array_is_cut_into_its_items(items: list[Any], indent: int | None) -> None:
    messages = split_messages(json.dumps(items, indent=indent).encode(), JSON)
    assert [json.loads(message) for message in messages] == items
