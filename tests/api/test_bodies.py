"""Bodies of requests: whatever they hold, they are answered, and none is read beyond the limit."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from monitor.api.body_limit import AT_ONCE
from monitor.config import Configuration, Service
from monitor.config.service import Api, ServiceSpec
from tests.api.world import Client, World, document, model

JSON = "application/json"
NAMES = dict.fromkeys(("incident_id", "subscription", "alert_id", "name", "model", "job", "rollout"), "x")
ROUTES = [
    (method.upper(), "/v1/events?stream=fraud" if path == "/v1/events" else path.format(stream="fraud", **NAMES))
    for path, operations in document()["paths"].items()
    for method in operations
    if method in {"post", "put", "patch"}
]
HALF = rb'"\ud800"'
HOSTILE = {
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "cut off": b"[" * 100_000,
    "nested": b'[{"labels":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}]",
    "not UTF-8": b'{"a": "\xe9"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "long number": b"9" * 5_000,
    "halves": b'{"subject":' + HALF + b',"labels":{' + HALF + b":" + HALF + b'},"comment":' + HALF + b"}",
    "half a key": b"{" + HALF + b": 1}",
    "alerts of halves": b'[{"labels":{' + HALF + b":" + HALF + b'},"annotations":{' + HALF + b":" + HALF + b"}}]",
    "null": b"null",
    "nothing": b"",
    "zero": rb'"\u0000"',
}


@pytest.fixture(scope="module")
def client() -> Client:
    """A service that goes on whatever bodies it has had."""
    return Client(World())


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("kind", HOSTILE)
def test_no_body_is_an_internal_error(method: str, path: str, kind: str, client: Client) -> None:
    for content_type in (JSON, "application/x-ndjson"):
        answer = client.request(method, path, content=HOSTILE[kind], headers={"content-type": content_type})
        assert answer.status_code < 500, answer.text
        assert answer.status_code != 429, "the body was not looked at"
        if answer.status_code >= 400:
            # Alertmanager's clients read errors as JSON strings.
            media = "application/json" if path.startswith("/api/v2/") else "application/problem+json"
            assert answer.headers["content-type"] == media


@pytest.mark.parametrize("kind", ["deep", "not UTF-8", "long number"])
def test_what_is_no_json_is_said_to_be_none(kind: str) -> None:
    answer = Client(World()).post("/v1/marks", HOSTILE[kind], content_type=JSON)
    assert (answer.status_code, answer.json()["type"]) == (400, "/v1/problems#bad-body")
    assert "not JSON" in answer.json()["detail"]


def small_world() -> World:
    service = Service(spec=ServiceSpec(api=Api(max_body_bytes=1_000)))
    return World(configuration=Configuration(service, {"fraud": model("fraud")}, root=None))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def small_client() -> Client:
    return Client(small_world())


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("content_type", [JSON, "text/plain"])
def test_no_route_reads_a_body_beyond_the_limit(
    method: str, path: str, content_type: str, small_client: Client
) -> None:
    sent_bytes = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent_bytes
        for _ in range(1_000):
            sent_bytes += 100
            yield b"x" * 100

    for content in (chunks(), b"x" * 1_001):
        answer = small_client.request(method, path, content=content, headers={"content-type": content_type})
        assert sent_bytes <= 1_100
        if path == "/-/reload":  # it reads no body at all
            continue
        assert answer.status_code == 413, answer.text
        assert "the body is larger than 1000 bytes" in answer.text


def test_a_body_that_says_its_length_is_refused_before_it_is_read() -> None:
    chunks_read = []

    async def chunks() -> AsyncIterator[bytes]:
        chunks_read.append(1)
        yield b"{}"

    answer = Client(small_world()).request(
        "POST", "/v1/erasures", content=chunks(), headers={"content-length": "600000000", "content-type": JSON}
    )
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "members", [[b'{"a":1}\n'], [b'{"a":1}\n', b"", b'{"b":2}\n' * 300], [b"x" * 70_000 + b"\n"] * 3]
)
def test_members_are_unpacked_wherever_they_end(members: list[bytes]) -> None:
    world = World()
    body = b"".join(gzip.compress(member, 1, mtime=0) for member in members)
    headers: dict[str, Any] = {"content_type": "application/x-ndjson", "content_encoding": "gzip"}
    assert Client(world).post("/v1/events/fraud", body, **headers).status_code == 202
    assert world.accepted["fraud"] == b"".join(members).splitlines()


def test_many_members_take_time_in_proportion() -> None:
    world = World()
    body = gzip.compress(b"{}\n", mtime=0) * 100_000
    began_s = time.process_time()
    answer = Client(world).post("/v1/events/fraud", body, content_type="application/x-ndjson", content_encoding="gzip")
    assert answer.status_code == 202
    assert len(world.accepted["fraud"]) == 100_000
    assert time.process_time() - began_s < 20


def test_half_a_surrogate_pair_keeps_no_alert_back() -> None:
    world = World()
    client = Client(world)
    alerts = [{"labels": {"alertname": "odd \ud800"}}, {"labels": {"alertname": "fine"}}]
    answer = client.post("/api/v2/alerts", json.dumps(alerts).encode(), content_type=JSON)
    assert answer.status_code == 200, answer.text
    names = {alert["labels"]["alertname"] for alert in client.get("/api/v2/alerts").json()}
    assert names == {"odd \ufffd", "fine"}


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("path", ["/api/v2/alerts", "/api/v2/silences", "/v1/erasures", "/v1/alerts/a/ack"])
def test_a_body_of_another_type_than_json_is_refused_as_such(path: str, content_type: str) -> None:
    headers = {"content_type": content_type} if content_type else {}
    answer = Client(World()).post(path, b"[]", **headers)
    assert answer.status_code == 415
    assert "application/json here" in answer.text


def test_bodies_that_are_read_at_once_are_bounded_together() -> None:
    world = World(configuration=Configuration(Service(spec=ServiceSpec(api=Api(max_body_bytes=100))), {}, root=None))  # type: ignore[arg-type]
    app = Client(world).app

    async def ask() -> list[int]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://leeway") as client:
            begun, go_on = asyncio.Event(), asyncio.Event()

            async def slow() -> AsyncIterator[bytes]:
                yield b"[" + b" " * 90
                begun.set()
                await go_on.wait()
                yield b"]"

            async def post(content: Any) -> int:
                headers = {"Content-Type": "application/json"}
                return (await client.post("/api/v2/alerts", content=content, headers=headers)).status_code

            held = []
            for _ in range(AT_ONCE):
                begun.clear()
                held.append(asyncio.create_task(post(slow())))
                await begun.wait()
            await asyncio.sleep(0)
            refused = await post(b"[" + b" " * 97 + b"]")
            go_on.set()
            return [refused, *await asyncio.gather(*held), await post(b"[" + b" " * 97 + b"]")]

    assert asyncio.run(ask()) == [503, *[200] * AT_ONCE, 200]


@pytest.mark.parametrize(
    ("path", "most_bytes"), [("/v1/marks", 1 << 20), ("/api/v2/silences", 1 << 20), ("/api/v2/alerts", 4 << 20)]
)
def test_a_document_that_would_keep_others_waiting_is_refused(path: str, most_bytes: int) -> None:
    client = Client(World())
    refused = client.post(path, b" " * (most_bytes + 1), content_type=JSON)

    assert (refused.status_code, f"larger than {most_bytes} bytes" in refused.text) == (413, True)
    assert client.post(path, b" " * most_bytes, content_type=JSON).status_code != 413


def test_events_and_configurations_are_as_large_as_the_service_says() -> None:
    client = Client(World())
    events = b"[" + b",".join([b"{}"] * (1 << 20)) + b"]"

    assert client.post("/v1/events/fraud", events, content_type=JSON).status_code == 202
    configuration = client.request(
        "PUT", "/v1/models/fraud/configuration", content=b"#" * (2 << 20), headers={"content-type": "application/yaml"}
    )
    assert configuration.status_code == 409


def test_a_silence_has_no_more_matchers_than_each_alert_may_be_compared_with() -> None:
    matchers = [{"name": "model", "value": "fraud"}] * 101
    posted = {
        "matchers": matchers,
        "startsAt": "2023-11-14T00:00:00Z",
        "endsAt": "2033-11-14T00:00:00Z",
        "createdBy": "ann",
        "comment": "",
    }

    assert Client(World()).request("POST", "/api/v2/silences", json=posted).status_code == 400
    posted["matchers"] = matchers[:100]
    assert Client(World()).request("POST", "/api/v2/silences", json=posted).status_code == 200
