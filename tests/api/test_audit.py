"""Administrators see who changed what, and what was refused."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from monitor.access.audit_log import Repeats
from monitor.access.token_log import TokenLog
from monitor.api import auditor
from monitor.api.needs import NEEDS, PERSONAL
from monitor.clock import ManualClock
from monitor.erasure.erase import Erased
from sinks.store.contract import StoreError
from tests.api.test_access import bearer, guarded, in_one_loop, status
from tests.api.world import Client, World

SILENCE = {
    "matchers": [{"name": "model", "value": "fraud"}],
    "startsAt": "2023-11-14T00:00:00Z",
    "endsAt": "2099-01-01T00:00:00Z",
    "createdBy": "somebody",
    "comment": "night",
}


@pytest.fixture
def world() -> World:
    return guarded()


@pytest.fixture
def client(world: World) -> Client:
    return Client(world)


def ask(client: Client, role: str, method: str, path: str, **how: Any) -> int:
    return client.request(method, path, headers=bearer(role * 20), **how).status_code


def entries(client: Client, **parameters: Any) -> list[dict[str, Any]]:
    answer = client.request("GET", "/v1/audit", headers=bearer("admin" * 20), params=parameters)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_changes_are_listed_with_who_made_them_and_what_they_were_about(world: World, client: Client) -> None:
    assert ask(client, "editor", "POST", "/api/v2/silences", json=SILENCE) == 200
    world.clock.advance(1)
    assert ask(client, "editor", "DELETE", "/api/v2/silence/nowhere") == 404
    world.clock.advance(1)
    assert ask(client, "admin", "POST", "/v1/tokens", json={"name": "ci", "role": "viewer"}) == 200
    made, ended, silenced = entries(client)
    assert (silenced["who"], silenced["role"], silenced["operation"]) == (
        "the editor",
        "editor",
        "POST /api/v2/silences",
    )
    assert silenced["subject"].endswith('model="fraud"')
    assert (ended["subject"], ended["status"]) == ("/api/v2/silence/nowhere", 404)
    assert (made["subject"][:9], made["at_ms"], made["address"]) == ("ci viewer", world.clock.now_ms(), "127.0.0.1")
    assert entries(client, who="the admin") == [made]
    assert entries(client, to=silenced["at_ms"] + 1) == [silenced]


def test_questions_and_events_are_not_listed(client: Client) -> None:
    assert ask(client, "viewer", "GET", "/v1/alerts") == 200
    assert ask(client, "ingest", "POST", "/v1/events/fraud", json={"a": 1}) == 202
    assert entries(client) == []


@pytest.mark.parametrize("path", sorted(operation.partition(" ")[2] for operation in PERSONAL))
def test_who_reads_data_of_persons_is_listed_on_every_such_route(path: str, client: Client) -> None:
    role = NEEDS[f"GET {path}"]
    answer = ask(client, role, "GET", path)
    listed = [(entry["who"], entry["operation"], entry["subject"]) for entry in entries(client)]
    assert listed == ([(f"the {role}", f"GET {path}", path)] if answer == 200 else [])


def test_the_same_look_is_listed_once_a_minute_for_each_token(world: World, client: Client) -> None:
    asked = {"model": "fraud", "limit": "1"}
    for _ in range(3):
        assert ask(client, "viewer", "GET", "/v1/dead-letters", params=asked) == 200
    assert ask(client, "viewer", "GET", "/v1/dead-letters", params={"model": "fraud", "limit": "2"}) == 200
    assert ask(client, "editor", "GET", "/v1/dead-letters", params=asked | {"format": "csv"}) == 200
    assert ask(client, "viewer", "GET", "/v1/dead-letters", params={"model": "churn"}) == 200
    assert ask(client, "viewer", "GET", "/v1/dead-letters", params={"limit": "none"}) == 422
    listed = {(entry["who"], entry["subject"]) for entry in entries(client)}
    subject = "/v1/dead-letters?model="
    assert listed == {
        ("the viewer", f"{subject}fraud"),
        ("the editor", f"{subject}fraud"),
        ("the viewer", f"{subject}churn"),
    }
    world.clock.advance(60)
    assert ask(client, "viewer", "GET", "/v1/dead-letters", params=asked) == 200
    assert entries(client, limit=1)[0]["unlisted"] == 3


def test_many_questions_do_not_fill_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditor, "MOST_READS", 5)
    client = Client(guarded())
    client.get("/healthz")  # the parts of an application are made with its first answer
    for n in range(8):
        assert ask(client, "viewer", "GET", "/v1/findings", params={"model": "fraud", "to": n + 1}) == 200
    assert len(entries(client)) == 5


def test_refused_attempts_are_listed_with_the_reason(client: Client) -> None:
    assert ask(client, "viewer", "POST", "/v1/erasures", json={"subject": "anna"}) == 403
    assert ask(client, "forged", "GET", "/v1/nowhere") == 401
    listed = {entry["status"]: entry for entry in entries(client)}
    assert (listed[403]["who"], listed[403]["operation"]) == ("the viewer", "POST /v1/erasures")
    assert "needs the role admin" in listed[403]["reason"]
    assert (listed[401]["who"], listed[401]["operation"], listed[401]["subject"]) == ("", "GET", "/v1/nowhere")


def test_only_administrators_read_it(client: Client) -> None:
    for role in ("viewer", "editor", "ingest"):
        assert ask(client, role, "GET", "/v1/audit") == 403


def test_a_flood_of_refused_attempts_is_counted_and_not_listed(world: World, client: Client) -> None:
    for _ in range(40):
        ask(client, "forged", "GET", "/v1/alerts")
    assert len(entries(client)) == 30
    world.clock.advance(6)
    ask(client, "forged", "GET", "/v1/alerts")
    assert entries(client, limit=1)[0]["unlisted"] == 10


def test_an_erasure_is_listed_without_whom_it_erased(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def erased(*_: Any, on_begun: Callable[[str], None], **__: Any) -> Erased:
        on_begun("5e3f")
        return Erased(subject_hash="5e3f", model="fraud", state="done", at_ms=1)

    monkeypatch.setattr(World, "erase", erased)
    assert ask(client, "admin", "POST", "/v1/erasures", json={"subject": "anna@example.org", "model": "fraud"}) == 200
    (entry,) = entries(client)
    assert (entry["operation"], entry["subject"]) == ("POST /v1/erasures", "5e3f fraud done")
    assert "anna" not in repr(entry)


def test_a_change_that_breaks_is_listed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, on_begun: Callable[[str], None], **__: Any) -> Any:
        on_begun("0123abcd")
        raise ZeroDivisionError

    monkeypatch.setattr(World, "erase", broken)
    assert ask(client, "admin", "POST", "/v1/erasures", json={"subject": "anna@example.org", "model": "fraud"}) == 500
    [entry] = entries(client)
    assert (entry["operation"], entry["status"]) == ("POST /v1/erasures", 500)
    assert entry["subject"] == "0123abcd fraud", "by its hash, though it was not erased"


def test_a_method_that_nobody_knows_is_other(client: Client) -> None:
    for word in ("ANNA", "LEEWAY-1"):
        assert client.request(word, "/v1/alerts", headers=bearer("forged")).status_code == 401
    assert [entry["operation"] for entry in entries(client)] == ["other", "other"]
    metrics = client.request("GET", "/metrics", headers=bearer("viewer" * 20)).text
    assert 'leeway_http_requests_total{method="other",route="other",status="401"} 2.0' in metrics


def test_what_the_store_does_not_take_is_in_the_log_of_the_process(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    taken, hangs = world.store.append, threading.Event()

    def hang(table: str, *more: Any, **named: Any) -> Any:
        if table != "audit":
            return taken(table, *more, **named)
        hangs.wait(120)
        raise StoreError("the store hangs", retryable=True)

    monkeypatch.setattr(world.store, "append", hang)
    monkeypatch.setattr(auditor, "PATIENCE_S", 0.05)
    logged: list[dict[str, Any]] = []
    monkeypatch.setattr(auditor.log, "error", lambda event, **fields: logged.append(fields), raising=False)
    try:
        assert ask(client, "editor", "POST", "/api/v2/silences", json=SILENCE) == 200
    finally:
        hangs.set()
    assert [(fields["who"], fields["operation"]) for fields in logged] == [("the editor", "POST /api/v2/silences")]


def test_a_store_that_hangs_holds_few_threads_and_every_entry_is_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, begun, logged = threading.Event(), [], []

    def hang(*more: Any, **named: Any) -> Any:
        begun.append(1)
        hangs.wait(120)

    monkeypatch.setattr(world.store, "append", hang)
    monkeypatch.setattr(auditor, "PATIENCE_S", 0.05)
    monkeypatch.setattr(auditor.log, "error", lambda event, **fields: logged.append(fields["lost"]), raising=False)

    async def script(client: httpx.AsyncClient) -> None:
        assert {await status(client, "forged") for _ in range(10)} == {401}
        assert logged == list(range(1, 11))
        assert len(begun) <= auditor.THREADS

    try:
        in_one_loop(world, script)
    finally:
        hangs.set()


def test_strangers_hide_nothing_that_is_tried_with_a_token(client: Client) -> None:
    for _ in range(40):
        ask(client, "forged", "GET", "/v1/alerts")
    assert ask(client, "viewer", "POST", "/v1/erasures", json={"subject": "anna"}) == 403
    assert [entry["status"] for entry in entries(client)].count(403) == 1


def test_a_secret_that_is_pasted_as_a_name_is_revoked_and_stands_nowhere(world: World, client: Client) -> None:
    token, secret = TokenLog(world.store, world.clock).create("ci", "viewer", created_by="ann")
    assert ask(client, "viewer", "DELETE", f"/v1/tokens/{secret}") == 403
    assert ask(client, "admin", "DELETE", f"/v1/tokens/{secret}/") in (307, 404, 405)
    assert ask(client, "admin", "DELETE", f"/v1/tokens/{secret}") == 200
    assert client.request("GET", "/v1/models", headers=bearer(secret)).status_code == 401
    assert ask(client, "admin", "DELETE", "/v1/tokens/leeway_nobodys-secret") == 404
    assert ask(client, "forged", "GET", f"/v1/tokens/{secret}") == 401
    for path in (
        "/v1/findings?model=fraud&detector=",
        "/v1/dead-letters?topic=x",
        "/v1/dead-letters?topic=leeway_demo&reason=",
    ):
        assert ask(client, "admin", "GET", f"{path}{secret}") == 200
    listed = entries(client)
    assert "topic=leeway_demo&reason=" in repr(listed)
    assert f"ci {token.id}" in [entry["subject"] for entry in listed]
    assert secret not in repr(listed)
    assert "nobodys-secret" not in repr(listed)


def test_a_parameter_is_there_once_so_that_the_log_has_the_one_that_counted(world: World, client: Client) -> None:
    twice = f"/v1/dead-letters?topic={'A' * 310}&topic=fraud"
    refused = client.request("GET", twice, headers=bearer("viewer" * 20))
    assert (refused.status_code, "topic is there more than once" in refused.json()["detail"]) == (422, True)
    assert ask(client, "viewer", "GET", f"/v1/dead-letters?topic={'A' * 310}&model=fraud") == 200
    (entry,) = entries(client)
    assert "&model=fraud" in entry["subject"], "a long value hides no other one"
    assert ask(client, "viewer", "GET", "/v1/alerts?matcher=a%3D1&matcher=b%3D2") == 200


def test_long_questions_cost_no_memory() -> None:
    repeats = Repeats(ManualClock())
    tracemalloc.start()
    for n in range(200):
        assert repeats.take(f"{n} {'x' * 10_000}") == 0
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 200_000


def test_what_a_page_of_another_site_asks_for_is_listed_as_refused(client: Client) -> None:
    assert client.request("POST", "/v1/marks", headers={"Sec-Fetch-Site": "cross-site"}, json={}).status_code == 403
    (entry,) = entries(client)
    assert (entry["subject"], entry["status"], entry["who"]) == ("/v1/marks", 403, "")
    assert "a page of another site" in entry["reason"]
