"""`HEAD`: the headers of what `GET` answers, for the same people, and no body."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from monitor.access.roles import MAY
from monitor.api.needs import NEEDS
from tests.api.full_world import full_world
from tests.api.test_access import GUARDED, ROLES, bearer, guarded
from tests.api.world import Client, World

READ = sorted(path for method, path in GUARDED if method == "GET")
CHANGING = {"/metrics"}  # it counts the request before, too


@pytest.fixture(scope="module")
def full() -> Client:
    return Client(full_world())


def head(client: Client, path: str, **how: Any) -> httpx.Response:
    """What `HEAD` answers; asked for longer than it may take, it fails."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://leeway") as asking:
            return await asyncio.wait_for(asking.head(path, **how), 60)

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/", "/-/healthy", "/openapi.json", *READ])
def test_head_answers_the_headers_of_get_and_no_body(path: str, full: Client) -> None:
    answer = head(full, path)
    assert answer.content == b""
    if path != "/v1/alerts/stream":
        as_get = full.get(path)
        assert answer.status_code == as_get.status_code
        if path not in CHANGING:
            assert answer.headers == as_get.headers


def test_a_stream_of_alerts_does_not_keep_head_waiting() -> None:
    client = Client(World())
    for _ in range(3):
        answer = head(client, "/v1/alerts/stream")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"].startswith("text/event-stream")
    assert client.app.state.streams.open == 0


def test_a_list_in_another_form_is_not_written_for_head(full: Client) -> None:
    answer = head(full, "/v1/history?model=fraud&format=csv")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize("path", READ)
def test_head_needs_of_whoever_asks_what_get_does(path: str) -> None:
    client = Client(guarded())
    assert head(client, path).status_code == 401
    for role in ROLES:
        may = NEEDS[f"GET {path}"] in MAY[role]
        assert (head(client, path, headers=bearer(role * 20)).status_code not in (401, 403)) == may


def test_metrics_that_are_open_are_open_to_head() -> None:
    assert head(Client(guarded(metrics="open")), "/metrics").status_code == 200


def test_what_nobody_can_read_has_no_head_and_the_refusal_names_what_is_allowed(full: Client) -> None:
    refused, missing = head(full, "/v1/exports"), head(full, "/v1/nothing")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert missing.status_code == 404


def test_requests_are_counted_by_their_own_method(full: Client) -> None:
    head(full, "/v1/status")
    text = full.get("/metrics").text
    assert 'leeway_http_requests_total{method="HEAD",route="/v1/status",status="200"}' in text
