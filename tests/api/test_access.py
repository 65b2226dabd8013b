"""Whoever asks needs a token with the role for it, on every route of the OpenAPI document."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from monitor.access.roles import MAY, Role
from monitor.access.token_log import TokenLog
from monitor.access.tokens import digest_of
from monitor.api import live_tokens, streams
from monitor.api.app import ROUTERS, create_app
from monitor.api.live_tokens import KEPT_S, REREAD_S, USED_S
from monitor.api.needs import FREE, LOGGING_IN, NEEDS, SEALED, STATIC
from monitor.client.inprocess import InProcess
from monitor.config.service import Service
from monitor.errors import InputError
from monitor.web import PAGES
from sinks.store.change_log import ChangeLog
from sinks.store.contract import StoreError
from tests.api.world import Client, World, configured, document, model, serving, step
from tests.services.alertmanager import amtool
from tests.services.cache import UnavailableError

ROLES: tuple[Role, ...] = get_args(Role)
OPERATIONS = [(method.upper(), path) for path, operations in document()["paths"].items() for method in operations]
GUARDED = [operation for operation in OPERATIONS if operation[1] not in FREE]


def guarded(api: dict[str, Any] | None = None, **access: Any) -> World:
    """A world whose configuration has a token of each role: its name, twenty times."""
    tokens = [{"name": f"the {role}", "role": role, "token": role * 20} for role in ROLES]
    # Their clock stands still, and so the rates would let nobody in any more.
    rates = {"requests_per_s": 1e9, "burst": 10**9, "failed_logins_per_minute": 1e9}
    service = Service.model_validate(
        {"spec": {"api": {"rates": rates, **(api or {})}, "access": {"tokens": tokens, **access}}}
    )
    return World(configuration=replace(configured(model("fraud")), service=service))


@pytest.fixture(scope="module")
def world() -> World:
    return guarded()


@pytest.fixture(scope="module")
def client(world: World, useless: dict[str, str]) -> Client:
    client = Client(world, routers=(*ROUTERS, *PAGES))
    client.app.state.stopping.set()  # streams end at once
    return client


@pytest.fixture(scope="module")
def useless(world: World) -> dict[str, str]:
    """Secrets that are good for nothing."""
    log = TokenLog(world.store, world.clock)
    _, expired = log.create("brief", "admin", created_by="ann", lasts_ms=1)
    _, revoked = log.create("lost", "admin", created_by="ann")
    log.revoke("lost", revoked_by="ann")
    world.clock.advance(1)
    return {"expired": expired, "revoked": revoked, "forged": f"leeway_{'x' * 43}"}


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def basic(secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"anybody:{secret}".encode()).decode()}


def test_every_route_says_what_it_needs() -> None:
    app = create_app(World(), (*ROUTERS, *PAGES))
    routes = iter_route_contexts(app.routes)
    operations = {f"{method} {route.path}" for route in routes for method in route.methods or ()}
    assert operations == set(NEEDS) | {"HEAD /openapi.json"}


def test_only_probes_logging_in_and_signed_addresses_are_free() -> None:
    free = {operation for operation, need in NEEDS.items() if need == "nothing"} - {*LOGGING_IN, *SEALED, *STATIC}
    assert {operation.partition(" ")[2] for operation in free} == set(FREE)


def test_probes_need_no_token(client: Client) -> None:
    assert [client.get(path).status_code for path in FREE] == [200] * len(FREE)


@pytest.mark.parametrize(("method", "path"), GUARDED, ids=map(" ".join, GUARDED))
def test_nobody_does_anything_without_a_good_token(
    method: str, path: str, client: Client, useless: dict[str, str]
) -> None:
    shown = [{}, *map(bearer, useless.values()), {"Authorization": "Basic !"}, {"Authorization": "Bearer"}]
    for headers in shown:
        answer = client.request(method, path, headers=headers)
        assert answer.status_code == 401
        bearers, passwords = answer.headers.get_list(
            "WWW-Authenticate"
        )  # in one header, Chromium reads the first alone
        assert (bearers, passwords) == ('Bearer realm="Leeway"', 'Basic realm="Leeway", charset="UTF-8"')
        assert_is_refusal(path, answer)


@pytest.mark.parametrize(("method", "path"), GUARDED, ids=map(" ".join, GUARDED))
def test_a_token_does_what_its_role_may_and_nothing_else(method: str, path: str, client: Client) -> None:
    for role in ROLES:
        answer = client.request(method, path, headers=bearer(role * 20))
        may = NEEDS[f"{method} {path}"] in MAY[role]
        assert (answer.status_code not in (401, 403)) == may
        if not may:
            assert answer.status_code == 403
            assert f"needs the role {NEEDS[f'{method} {path}']}; the token 'the {role}' has {role}" in answer.text
            assert_is_refusal(path, answer)


def assert_is_refusal(path: str, answer: Any) -> None:
    if path.startswith("/api/v2/"):
        assert isinstance(answer.json(), str)  # as Alertmanager's clients read it
    else:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["type"] in ("/v1/problems#unauthorized", "/v1/problems#forbidden")


def test_roles_may_what_they_are_for() -> None:
    may = {role: {need for operation, need in NEEDS.items() if need in MAY[role]} for role in ROLES}
    assert may["admin"] == set(NEEDS.values())
    assert may["editor"] == {"nothing", "viewer", "editor"}
    assert may["viewer"] == {"nothing", "viewer"}
    assert may["ingest"] == {"nothing", "ingest"}


def test_who_has_no_token_does_not_hear_which_routes_there_are(client: Client) -> None:
    assert client.get("/v1/nowhere").status_code == 401
    assert client.request("GET", "/v1/nowhere", headers=bearer("viewer" * 20)).status_code == 404
    assert client.request("PATCH", "/v1/alerts", headers=bearer("viewer" * 20)).status_code == 405


def test_a_token_is_taken_as_the_password_of_basic_authentication(client: Client) -> None:
    assert client.request("GET", "/api/v2/alerts", headers=basic("viewer" * 20)).status_code == 200
    assert client.request("GET", "/alerts", headers=basic("viewer" * 20)).status_code == 200
    assert client.request("GET", "/api/v2/alerts", headers=basic("viewer")).status_code == 401


@pytest.mark.parametrize("form", ["basic_auth: {{username: ann, password: {}}}", "authorization: {{credentials: {}}}"])
def test_amtool_shows_a_token_in_both_ways(form: str, tmp_path: Path) -> None:
    file = tmp_path / "amtool.yaml"
    with serving(guarded()) as url:
        words = (f"--alertmanager.url={url}", f"--http.config.file={file}", "silence")
        file.write_text(form.format("editor" * 20))
        added = amtool(*words, "add", "--comment=night", "model=fraud").strip()
        assert added in amtool(*words, "query")
        file.write_text(form.format("viewer" * 20))
        with pytest.raises(UnavailableError, match="status 403"):
            amtool(*words, "expire", added)


def test_the_body_of_a_refused_request_is_not_read(client: Client) -> None:
    async def refused() -> int:
        scope = {"type": "http", "method": "POST", "path": "/v1/erasures", "headers": [], "query_string": b""}
        status: list[int] = []

        async def receive() -> Any:
            raise AssertionError("the body is read")

        async def send(message: Any) -> None:
            status.append(message.get("status", 0))

        await client.app(scope, receive, send)
        return status[0]

    assert asyncio.run(refused()) == 401


def test_the_refusal_says_why_a_token_is_good_for_nothing(client: Client, useless: dict[str, str]) -> None:
    details = {why: client.request("GET", "/v1/models", headers=bearer(useless[why])).text for why in useless}
    assert "the token 'brief' has expired" in details["expired"]
    assert "the token 'lost' was revoked" in details["revoked"]
    assert "nobody knows this token" in details["forged"]


def test_metrics_are_open_if_the_configuration_says_so() -> None:
    client = Client(guarded(metrics="open"))
    assert client.get("/metrics").status_code == 200
    assert client.get("/v1/status").status_code == 401


def test_a_service_that_asks_for_no_tokens_makes_none() -> None:
    answer = Client(World()).post("/v1/tokens", b'{"name": "ci", "role": "admin"}', content_type="application/json")
    assert answer.status_code == 422
    assert "configure spec.access first" in answer.json()["detail"]


def test_an_administrator_makes_lists_and_revokes_tokens() -> None:
    world = guarded()
    client = Client(world)
    admin = bearer("admin" * 20)
    body = {"name": "ci", "role": "viewer", "expires": "90d"}
    made = client.request("POST", "/v1/tokens", json=body, headers=admin).json()
    assert client.request("POST", "/v1/tokens", json=body, headers=admin).status_code == 422  # the name is taken
    assert client.request("GET", "/v1/models", headers=bearer(made["secret"])).status_code == 200
    listed = client.request("GET", "/v1/tokens", headers=admin)
    (ci,) = [row for row in listed.json()["items"] if row["name"] == "ci"]
    assert made["secret"] not in listed.text
    assert made["secret"].startswith(ci["prefix"])
    assert (ci["state"], ci["created_by"], ci["used_ms"]) == ("good", "the admin", world.clock.now_ms())
    assert ci["expires_ms"] - ci["created_ms"] == 90 * 86_400_000
    assert client.request("DELETE", "/v1/tokens/ci", headers=admin).json()["state"] == "revoked"
    assert client.request("GET", "/v1/models", headers=bearer(made["secret"])).status_code == 401
    assert client.request("DELETE", "/v1/tokens/ci", headers=admin).status_code == 404


def test_the_store_holds_no_secret() -> None:
    world = guarded()
    _, secret = TokenLog(world.store, world.clock).create("ci", "viewer", created_by="ann")
    (row,) = TokenLog(world.store, world.clock).all()
    assert secret not in repr(row)
    assert len(row.digest) == 64


def test_what_another_process_does_to_tokens_is_known_within_seconds() -> None:
    world = guarded()
    client, elsewhere = Client(world), TokenLog(world.store, world.clock)
    client.request("GET", "/v1/models", headers=bearer("x"))
    _, secret = elsewhere.create("ci", "viewer", created_by="ann")
    world.clock.advance(REREAD_S)
    assert client.request("GET", "/v1/models", headers=bearer(secret)).status_code == 200
    elsewhere.revoke("ci", revoked_by="ann")
    world.clock.advance(REREAD_S)
    assert client.request("GET", "/v1/models", headers=bearer(secret)).status_code == 401


def test_a_use_is_written_once_a_minute_and_undoes_no_revocation() -> None:
    world = guarded()
    client, log = Client(world), TokenLog(world.store, world.clock)
    token, secret = log.create("ci", "viewer", created_by="ann")
    first_ms = world.clock.now_ms()
    for _ in range(3):
        assert client.request("GET", "/v1/models", headers=bearer(secret)).status_code == 200
        world.clock.advance(USED_S / 4)
    assert log.last_uses() == {token.id: first_ms}
    log.revoke("ci", revoked_by="ann")
    log.note_use(token)  # by a process that has not heard of it
    assert log.all()[0].revoked_ms


def test_while_the_store_is_away_known_tokens_go_on_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: Any) -> Any:
        raise StoreError("the store is away", retryable=True)

    world = guarded()
    client = Client(world)
    _, secret = TokenLog(world.store, world.clock).create("ci", "viewer", created_by="ann")
    assert client.request("GET", "/v1/problems", headers=bearer(secret)).status_code == 200
    monkeypatch.setattr(world.store, "read", away)
    world.clock.advance(REREAD_S)
    assert client.request("GET", "/v1/problems", headers=bearer(secret)).status_code == 200
    world.clock.advance(KEPT_S)
    refused = client.request("GET", "/v1/problems", headers=bearer(secret))
    assert (refused.status_code, refused.json()["detail"]) == (503, "the store does not say which tokens are good")
    assert client.request("GET", "/v1/problems", headers=bearer("viewer" * 20)).status_code == 200


def test_a_stream_ends_when_its_token_is_revoked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LOOK_S", 0.02)
    world = guarded()
    world.add("alerts", [step("one", 0, "firing", 1_000)])
    log = TokenLog(world.store, world.clock)
    _, secret = log.create("desk", "viewer", created_by="ann")
    app = create_app(world, alert_poll_s=0.01)
    with httpx.Client(transport=InProcess(app), base_url="http://leeway", headers=bearer(secret)) as client:
        with client.stream("GET", "/v1/alerts/stream") as answer:
            parts = answer.iter_text()
            assert "id:" in next(parts)
            log.revoke("desk", revoked_by="ann")
            world.clock.advance(REREAD_S)
            assert "".join(parts) == ": this stream has ended: its token is not good any more\n\n"
        figures = {sample.name: sample for metric in world.metrics.collect() for sample in metric.samples}
        ended = figures["leeway_http_streams_ended_total"]
        assert (ended.labels, ended.value) == ({"reason": "token"}, 1)
        assert client.get("/v1/alerts/stream").status_code == 401


def test_a_stream_of_which_nobody_knows_whether_its_token_is_good_does_not_blame_the_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(_: Any) -> Any:
        raise StoreError("the store is away", retryable=True)

    monkeypatch.setattr(streams, "LOOK_S", 0.02)
    world = guarded()
    _, secret = TokenLog(world.store, world.clock).create("desk", "viewer", created_by="ann")
    app = create_app(world, alert_poll_s=600)
    with httpx.Client(transport=InProcess(app), base_url="http://leeway", headers=bearer(secret)) as client:
        with client.stream("GET", "/v1/alerts/stream") as answer:
            parts = answer.iter_text()
            assert "id:" in next(parts)
            monkeypatch.setattr(world.store, "read", away)
            world.clock.advance(REREAD_S + KEPT_S)
            assert "".join(parts) == ": this stream has ended: the store does not answer\n\n"
        figures = {sample.name: sample for metric in world.metrics.collect() for sample in metric.samples}
        ended = figures["leeway_http_streams_ended_total"]
        assert (ended.labels, ended.value) == ({"reason": "store"}, 1)


def test_below_a_prefix_the_same_holds() -> None:
    client = Client(guarded({"prefix": "/leeway"}))
    assert client.get("/leeway/healthz").status_code == 200
    assert client.get("/leeway/v1/models").status_code == 401
    assert client.request("GET", "/leeway/v1/models", headers=bearer("viewer" * 20)).status_code == 200
    assert client.request("POST", "/leeway/v1/erasures", headers=bearer("viewer" * 20)).status_code == 403


def test_a_store_that_hangs_is_waited_for_once_by_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    world, hangs, waits = guarded(), threading.Event(), []
    app = create_app(world)

    def hang(_: Any) -> Any:
        waits.append(1)
        hangs.wait(120)
        raise StoreError("the store hangs", retryable=True)

    async def ask() -> set[int]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://leeway", headers=bearer("x" * 43)) as client:
            answers = await asyncio.gather(*[client.get("/v1/problems") for _ in range(20)])
        async with asyncio.timeout(120):
            while not waits:
                await asyncio.sleep(0.01)
        return {answer.status_code for answer in answers}

    monkeypatch.setattr(world.store, "read", hang)
    monkeypatch.setattr(live_tokens, "PATIENCE_S", 0.05)
    try:
        assert asyncio.run(ask()) == {503}
        assert len(waits) == 1
    finally:
        hangs.set()


@contextmanager
def one_hanging_read(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The next read of tokens returns what was true when it began, once the event is set."""
    read, released, hanging = world.store.read, threading.Event(), threading.Lock()

    def slow(query: Any) -> Any:
        rows = read(query)
        if query.table == "tokens" and hanging.acquire(blocking=False):
            released.wait(120)
        return rows

    monkeypatch.setattr(world.store, "read", slow)
    monkeypatch.setattr(live_tokens, "PATIENCE_S", 0.05)
    try:
        yield released
    finally:
        released.set()


def in_one_loop(world: World, script: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def run() -> None:
        transport = httpx.ASGITransport(create_app(world))
        async with httpx.AsyncClient(transport=transport, base_url="http://leeway") as client:
            await script(client)

    asyncio.run(run())


async def status(client: httpx.AsyncClient, secret: str) -> int:
    return (await client.get("/v1/problems", headers=bearer(secret))).status_code


def test_tokens_that_a_slow_store_gives_late_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    world = guarded()
    _, secret = TokenLog(world.store, world.clock).create("ci", "viewer", created_by="ann")

    async def script(client: httpx.AsyncClient) -> None:
        assert await status(client, secret) == 503  # nothing is known yet
        world.clock.advance(KEPT_S / 2)
        assert await status(client, secret) == 503  # the same read is still under way: no other one is begun
        released.set()
        async with asyncio.timeout(120):
            while await status(client, secret) != 200:
                await asyncio.sleep(0.01)

    with one_hanging_read(world, monkeypatch) as released:
        in_one_loop(world, script)


def test_a_revocation_holds_at_once_though_an_older_read_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    world = guarded()
    _, secret = TokenLog(world.store, world.clock).create("ci", "viewer", created_by="ann")

    async def script(client: httpx.AsyncClient) -> None:
        assert await status(client, secret) == 200
        world.clock.advance(REREAD_S)
        with one_hanging_read(world, monkeypatch) as released:
            assert await status(client, secret) == 200  # the store hangs: what was known counts
            revoked = await client.delete("/v1/tokens/ci", headers=bearer("admin" * 20))
            assert (revoked.status_code, await status(client, secret)) == (200, 401)
            released.set()
            for _ in range(20):
                assert await status(client, secret) == 401
                await asyncio.sleep(0.001)

    in_one_loop(world, script)


def test_all_good_tokens_of_a_name_are_revoked() -> None:
    world = guarded()
    client, log = Client(world), TokenLog(world.store, world.clock)
    token, first = log.create("ci", "viewer", created_by="ann")
    second = "leeway_" + "y" * 43  # made by another process at the same time
    digest = digest_of(second)
    ChangeLog(world.store, "tokens").put([{**asdict(token), "id": digest[:12], "digest": digest, "updated_ms": 1}])
    assert {client.request("GET", "/v1/models", headers=bearer(each)).status_code for each in (first, second)} == {200}
    assert client.request("DELETE", "/v1/tokens/ci", headers=bearer("admin" * 20)).status_code == 200
    assert {client.request("GET", "/v1/models", headers=bearer(each)).status_code for each in (first, second)} == {401}


def test_of_two_who_make_a_token_of_one_name_at_once_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    world, both = guarded(), threading.Barrier(2)
    read = world.store.read

    def meet(query: Any) -> Any:
        rows = read(query)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.2)
        return rows

    monkeypatch.setattr(world.store, "read", meet)

    def create(_: int) -> bool:
        try:
            TokenLog(world.store, world.clock).create("ci", "viewer", created_by="ann")
        except InputError:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(create, range(2))) == [False, True]


@pytest.mark.parametrize("name", ["a/b", "leeway_ci", "the viewer"])
def test_names_that_nobody_can_revoke_are_refused(name: str) -> None:
    body = {"name": name, "role": "viewer"}
    assert Client(guarded()).request("POST", "/v1/tokens", json=body, headers=bearer("admin" * 20)).status_code == 422
