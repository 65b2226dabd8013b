"""Posted alerts that fire are bounded: those that are known are taken, and people learn of the rest."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from prometheus_client import generate_latest

from monitor.clock import ManualClock
from monitor.config import Configuration, Service
from monitor.config.service import ServiceSpec
from monitor.routing.posted import Posted
from monitor.routing.posted_bounds import ALERT_BYTES, PostedBounds
from monitor.routing.posted_log import PostedLog
from tests.api.world import NOW_MS, Client, World, model

MINUTE_S = 60


def bounded(**limits: int) -> World:
    spec = ServiceSpec.model_validate({"api": limits})
    return World(configuration=Configuration(Service(spec=spec), {"fraud": model("fraud")}, root=None))  # type: ignore[arg-type]


def post(client: Client, *names: str, **more: Any) -> httpx.Response:
    body = json.dumps([{"labels": {"alertname": name}, **more} for name in names]).encode()
    return client.post("/api/v2/alerts", body, content_type="application/json")


def firing(client: Client) -> list[str]:
    return sorted(alert["labels"]["alertname"] for alert in client.get("/api/v2/alerts").json())


def test_more_posted_alerts_than_may_fire_are_refused_and_those_that_are_known_are_taken() -> None:
    world = bounded(max_posted_alerts=2)
    client = Client(world)
    assert post(client, "a", "b").status_code == 200
    answer = post(client, "a", "c", "b", "d")
    assert answer.status_code == 429
    assert "2 of 4 alerts were not taken" in answer.text
    assert "max_posted_alerts" in answer.text
    assert firing(client) == ["a", "b"]
    figures = generate_latest(world.metrics).decode()
    assert "leeway_posted_alerts 2.0" in figures
    assert "leeway_posted_alerts_refused_total 2.0" in figures


def test_an_alert_that_is_over_makes_room() -> None:
    world = bounded(max_posted_alerts=1)
    client = Client(world)
    assert post(client, "a").status_code == 200
    assert post(client, "a", endsAt="2020-01-01T00:00:00Z", startsAt="2020-01-01T00:00:00Z").status_code == 200
    assert post(client, "b").status_code == 200
    # Of this one nothing is said any more: it is over after `resolve_timeout`.
    world.clock.advance(6 * MINUTE_S)
    assert post(client, "c").status_code == 200
    assert firing(client) == ["c"]


def test_a_process_that_starts_counts_what_fires_already() -> None:
    world = bounded(max_posted_alerts=1)
    assert post(Client(world), "a").status_code == 200
    # As after a restart, or in another process: nothing is known of the store.
    other = replace(world, store=_Same(world.store))
    assert post(Client(other), "b").status_code == 429
    assert post(Client(other), "a").status_code == 200


class _Same:
    """A store by another name."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.mark.parametrize(
    ("limits", "text", "reason"),
    [
        ({}, "x" * ALERT_BYTES, f"at most {ALERT_BYTES} bytes"),
        ({"max_posted_bytes": 1_000}, "x" * 600, "max_posted_bytes"),
    ],
)
def test_texts_of_posted_alerts_are_bounded_too(limits: dict[str, int], text: str, reason: str) -> None:
    client = Client(bounded(**limits))
    answer = post(client, "a", "b", annotations={"summary": text})
    assert answer.status_code == 429
    assert reason in answer.text


def test_thousands_of_refusals_are_answered_in_a_few_lines() -> None:
    answer = post(Client(bounded(max_posted_alerts=1)), *(f"a{number}" for number in range(3_000)))
    assert answer.status_code == 429
    assert "2999 of 3000" in answer.text
    assert len(answer.text) < 2_000


def test_an_alert_says_for_five_minutes_that_posts_are_refused() -> None:
    world = bounded(max_posted_alerts=1)
    client, bounds = Client(world), PostedBounds.of(world.store)
    assert bounds.holding(world.clock.now_ms()) == {}
    post(client, "a", "b")
    [title] = bounds.holding(world.clock.now_ms()).values()
    assert "max_posted_alerts" in title
    world.clock.advance(6 * MINUTE_S)
    assert bounds.holding(world.clock.now_ms()) == {}


def test_a_clock_that_was_set_back_keeps_no_post_out_for_which_there_is_room() -> None:
    world, week_ms = bounded(max_posted_alerts=1), 7 * 24 * 60 * MINUTE_S * 1000
    world.clock = ManualClock(NOW_MS + week_ms)
    client, bounds = Client(world), PostedBounds.of(world.store)
    assert [post(client, "a").status_code, post(client, "b").status_code] == [200, 429]
    world.clock = ManualClock(NOW_MS)
    assert bounds.holding(NOW_MS) == {}
    # Another process took its end.
    PostedLog(world.store).put([Posted({"alertname": "a"}, {}, NOW_MS - 1, NOW_MS - 1, NOW_MS)])
    assert post(client, "b").status_code == 200
