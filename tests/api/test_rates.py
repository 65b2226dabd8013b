"""One client cannot keep the service from others: it is told when to come again, and guesses few tokens."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from monitor.access.token_log import TokenLog
from monitor.api import rates
from monitor.api.needs import FREE
from monitor.api.rates import Buckets
from monitor.client.errors import UnavailableError, error_of
from monitor.clock import ManualClock
from monitor.config.service import Service
from tests.api.world import Client, World, configured, model

TOKENS = [{"name": role, "role": role, "token": role * 20} for role in ("viewer", "admin", "ingest")]


def limited(access: Any = None, **spec: Any) -> World:
    service = Service.model_validate({"spec": {"api": {"rates": spec}, "access": access or {"tokens": TOKENS}}})
    return World(configuration=replace(configured(model("fraud")), service=service))


class Somewhere(Client):
    """Asks from addresses that tests name."""

    def ask(self, secret: str, address: str = "203.0.113.7", path: str = "/v1/models", **how: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=(address, 5))
            async with httpx.AsyncClient(transport=transport, base_url="http://leeway", headers=headers) as client:
                return await client.request(how.pop("method", "GET"), path, **how)

        return asyncio.run(asked())


def statuses(client: Somewhere, count: int, *of: Any, **how: Any) -> list[int]:
    return [client.ask(*of, **how).status_code for _ in range(count)]


def test_who_asks_too_often_hears_when_to_come_again_and_others_do_not_notice() -> None:
    world = limited(requests_per_s=0.5, burst=3)
    client = Somewhere(world)
    assert statuses(client, 3, "viewer" * 20) == [200] * 3
    refused = client.ask("viewer" * 20, "198.51.100.1")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["type"] == "/v1/problems#too-many-requests"
    assert refused.json()["detail"].startswith("you ask too often: come again in 2 s; spec.api.rates.requests_per_s")
    assert client.ask("admin" * 20).status_code == 200
    assert world.metrics.get_sample_value("leeway_http_rate_limited_total", {"limit": "requests"}) == 1
    world.clock.advance(2)
    assert client.ask("viewer" * 20).status_code == 200


def test_the_client_takes_that_for_a_reason_to_wait() -> None:
    client = Somewhere(limited(requests_per_s=0.5, burst=1))
    client.ask("viewer" * 20)
    error = error_of(client.ask("viewer" * 20), "http://leeway")
    assert isinstance(error, UnavailableError)
    assert error.retry_after_s == 2


def test_probes_are_always_answered() -> None:
    client = Somewhere(limited(requests_per_s=0.01, burst=1))
    for path in FREE:
        assert statuses(client, 3, "", path=path) == [200] * 3


def test_who_has_no_token_is_counted_by_address() -> None:
    client = Somewhere(limited(requests_per_s=0.1, burst=2))
    assert statuses(client, 3, "") == [401, 401, 429]
    assert statuses(client, 1, "", "198.51.100.1") == [401]
    assert statuses(client, 2, "viewer" * 20) == [200, 200]
    nearby = [client.ask("", f"2001:db8::{n}").status_code for n in range(1, 4)]
    assert nearby == [401, 401, 429], "whoever has one address of IPv6 has all of its network"


def test_where_nobody_is_asked_for_a_token_addresses_are_counted_but_not_this_machine() -> None:
    client = Somewhere(limited("none", requests_per_s=0.1, burst=2))
    assert statuses(client, 3, "") == [200, 200, 429]
    assert statuses(client, 3, "", path="/healthz") == [200] * 3
    assert statuses(client, 5, "", "127.0.0.1") == [200] * 5


def test_metrics_that_are_open_are_counted_by_address() -> None:
    client = Somewhere(limited({"metrics": "open"}, requests_per_s=0.1, burst=2))
    assert statuses(client, 3, "", path="/metrics") == [200, 200, 429]


def test_what_is_sent_is_counted_in_bytes() -> None:
    world = limited(ingest_bytes_per_s=100)
    client = Somewhere(world)
    body = b'{"amount": 1, "note": "' + b"x" * 500 + b'"}'
    sent: dict[str, Any] = {"method": "POST", "path": "/v1/events/fraud", "content": body}
    assert client.ask("ingest" * 20, **sent, headers={"Content-Type": "application/json"}).status_code == 202
    refused = client.ask("ingest" * 20, **sent, headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
    assert "you send too much" in refused.json()["detail"]
    posted = client.ask("ingest" * 20, method="POST", path="/api/v2/alerts", json=[])
    assert (posted.status_code, isinstance(posted.json(), str)) == (429, True)
    world.clock.advance(2)
    assert client.ask("ingest" * 20, **sent, headers={"Content-Type": "application/json"}).status_code == 202


def test_few_tokens_are_guessed_from_an_address_and_good_ones_are_not_locked_out() -> None:
    world = limited(failed_logins_per_minute=3)
    client = Somewhere(world)
    assert statuses(client, 10, "viewer" * 20) == [200] * 10
    guessed = [client.ask(f"guess {n}").status_code for n in range(5)]
    assert guessed == [401, 401, 401, 429, 429]
    assert client.ask("admin" * 20).status_code == 429, "not even a good one is tried any more"
    assert client.ask("viewer" * 20).status_code == 200, "but for those that were good before"
    assert client.ask("admin" * 20, "198.51.100.1").status_code == 200
    assert client.ask("admin" * 20).status_code == 200
    assert world.metrics.get_sample_value("leeway_http_rate_limited_total", {"limit": "logins"}) == 3
    world.clock.advance(20)
    assert [client.ask(f"guess {n}").status_code for n in range(2)] == [401, 429]


def test_good_tokens_are_not_refused_for_coming_at_once() -> None:
    world = limited(failed_logins_per_minute=3)
    _, secret = TokenLog(world.store, world.clock).create("ci", "viewer", created_by="ann")
    client = Somewhere(world)

    async def at_once(*secrets: str) -> list[int]:
        transport = httpx.ASGITransport(client.app, client=("203.0.113.7", 5))
        async with httpx.AsyncClient(transport=transport, base_url="http://leeway") as several:
            headers = [{"Authorization": f"Bearer {secret}"} for secret in secrets]
            answers = await asyncio.gather(*[several.get("/v1/models", headers=each) for each in headers])
        return [answer.status_code for answer in answers]

    assert asyncio.run(at_once(*[secret] * 12)) == [200] * 12
    guessed = asyncio.run(at_once(*[f"guess {n}" for n in range(12)]))
    assert set(guessed) <= {401, 429}
    count = guessed.count(401)
    world.clock.advance(20 * max(0, count - 3))
    assert client.ask("guess").status_code == 429, "guesses that came at once are waited for afterwards"
    world.clock.advance(20)
    assert client.ask("guess").status_code == 401


def test_a_token_that_is_revoked_is_a_guess_like_any_other() -> None:
    world = limited(failed_logins_per_minute=2)
    client = Somewhere(world)
    log = TokenLog(world.store, world.clock)
    _, secret = log.create("ci", "viewer", created_by="ann")
    assert client.ask(secret).status_code == 200
    log.revoke("ci", revoked_by="ann")
    world.clock.advance(5)
    assert statuses(client, 3, secret) == [401, 401, 429]


def test_while_nobody_can_say_whether_a_token_is_good_nobody_is_locked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from sinks.store.contract import StoreError

    def away(_: Any) -> Any:
        raise StoreError("the store is away", retryable=True)

    world = limited(failed_logins_per_minute=2)
    monkeypatch.setattr(world.store, "read", away)
    client = Somewhere(world)
    assert statuses(client, 5, "unknown") == [503] * 5


def test_what_is_known_of_clients_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST_CLIENTS", 10)
    buckets = Buckets(ManualClock(), per_s=1, burst=1)
    for n in range(100):
        buckets.take(str(n), 1)
    assert len(buckets._filled) == 10
    assert buckets.take("99", 1) > 0
    assert buckets.take("0", 1) == 0
