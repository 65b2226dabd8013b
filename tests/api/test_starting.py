"""What answers while a service is being made."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from monitor.api.starting import Starting
from monitor.clock import ManualClock
from monitor.config.service import ServiceSpec


def answers(starting: Starting, *requests: str, **api: Any) -> list[httpx.Response]:
    app = starting.app(ServiceSpec.model_validate({"api": api}))
    transport = httpx.ASGITransport(app)

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=transport, base_url="http://leeway") as client:
            return [await client.request(*request.split()) for request in requests]

    return asyncio.run(ask())


def test_each_wait_has_its_own_time_and_count() -> None:
    clock = ManualClock(1_000)
    starting = Starting(clock)
    (begun,) = answers(starting, "GET /readyz")
    assert begun.json()["detail"] == "the service is starting, since 1970-01-01T00:00:01.000Z"
    clock.advance(1)
    starting.wait("db1 does not answer")
    clock.advance(1)
    (once,) = answers(starting, "GET /readyz")
    starting.wait("db2 does not answer")
    (again,) = answers(starting, "GET /readyz")
    assert [answer.json()["since_ms"] for answer in (once, again)] == [2_000, 2_000]
    assert [answer.json()["attempts"] for answer in (once, again)] == [1, 2]
    assert once.json()["detail"].endswith(
        "it waits since 1970-01-01T00:00:02.000Z, and has tried 1 time: db1 does not answer"
    )
    starting.wait("")
    assert answers(starting, "GET /readyz")[0].json() == begun.json()
    starting.wait("db1 does not answer")
    (anew,) = answers(starting, "GET /readyz")
    assert (anew.json()["since_ms"], anew.json()["attempts"]) == (3_000, 1)


def test_probes_of_alertmanager_and_its_clients_are_answered_in_their_way() -> None:
    starting = Starting(ManualClock(0))
    healthy, ready, alerts = answers(starting, "GET /-/healthy", "GET /-/ready", "GET /api/v2/alerts")
    sentence = "the service is starting, since 1970-01-01T00:00:00.000Z"
    assert (healthy.status_code, healthy.text) == (200, "OK")
    assert (ready.status_code, ready.text) == (503, sentence)
    assert (alerts.status_code, alerts.json()) == (503, sentence)


def test_answers_are_below_the_path_and_at_the_names_of_the_service() -> None:
    starting = Starting(ManualClock(0))
    below, beside = answers(starting, "GET /leeway/healthz", "GET /healthz", prefix="/leeway")
    assert (below.status_code, beside.status_code) == (200, 404)
    (foreign,) = answers(starting, "GET http://evil.example/metrics")
    assert foreign.status_code == 421


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/alerts"])
def test_every_answer_keeps_browsers_in_bounds(path: str) -> None:
    (answer,) = answers(Starting(ManualClock(0)), f"GET {path}")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
