"""Everything that the API can do, the client can."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from monitor.api.app import create_app
from monitor.client import Leeway, UnknownError
from monitor.client.errors import ClientError
from monitor.client.inprocess import InProcess
from tests.api.full_world import ADMIN, full_world
from tests.api.world import NOW_MS, document

ENDS = datetime(2100, 1, 1, tzinfo=UTC)
SPEC = {"sources": [{"http": "fraud"}], "schema": {"features": {"amount": {"type": "numeric"}}}}
DOCUMENT = {"apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": "fraud"}, "spec": SPEC}

TWINS = {
    "GET /v1/problems": "a page for people who read an error",
    "GET /v1/status": "the version and the routes, as GET /api/v2/status has them",
    "POST /v1/events": "the stream as a parameter: POST /v1/events/{stream}",
}
"""Operations that the client has no use for."""

LABELLED: dict[str, Any] = {"from_": 1_699_999_200_000, "to": 1_700_013_600_000}

CALLS: dict[str, Callable[[Leeway], Any]] = {
    "models": lambda leeway: list(leeway.models()),
    "fleet": lambda leeway: list(leeway.fleet()),
    "unregistered_models": lambda leeway: list(leeway.unregistered_models()),
    "model": lambda leeway: leeway.model("fraud"),
    "history": lambda leeway: list(leeway.history("fraud")),
    "heatmap": lambda leeway: list(leeway.heatmap("fraud")),
    "expected": lambda leeway: list(leeway.expected("fraud", "feature:amount")),
    "findings": lambda leeway: list(leeway.findings("fraud")),
    "baselines": lambda leeway: list(leeway.baselines("fraud")),
    "status": lambda leeway: list(leeway.status("fraud")),
    "status_summary": lambda leeway: list(leeway.status_summary()),
    "performance": lambda leeway: list(leeway.performance("fraud", metrics=["accuracy"])),
    "labels": lambda leeway: list(leeway.labels("fraud")),
    "estimates": lambda leeway: list(leeway.estimates("fraud")),
    "top": lambda leeway: list(leeway.top()),
    "compare": lambda leeway: list(leeway.compare("fraud", from_=10_000, to=20_000, against_from=0, against_to=10_000)),
    "slices": lambda leeway: list(leeway.slices("fraud", **LABELLED)),
    "rows": lambda leeway: list(leeway.rows("fraud", **LABELLED, limit=2)),
    "distribution": lambda leeway: leeway.distribution("fraud", "feature:amount", from_=0, to=20_000),
    "explain_window": lambda leeway: leeway.explain_window("fraud", "feature:amount", 5),
    "alerts": lambda leeway: list(leeway.alerts()),
    "alert": lambda leeway: leeway.alert("a"),
    "alert_summary": lambda leeway: list(leeway.alert_summary()),
    "explain": lambda leeway: leeway.explain("a"),
    "acknowledge": lambda leeway: leeway.acknowledge("b", created_by="ann", comment="on it"),
    "incidents": lambda leeway: list(leeway.incidents()),
    "incident": lambda leeway: leeway.incident("b"),
    "acknowledge_incident": lambda leeway: leeway.acknowledge_incident("b", created_by="ann", undo=True),
    "follow": lambda leeway: next(leeway.follow()),
    "silence": lambda leeway: leeway.silence(['model="fraud"'], ENDS, created_by="ann", comment="moving"),
    "silences": lambda leeway: leeway.silences(),
    "silence_outcome": lambda leeway: leeway.silence_outcome("quiet"),
    "end_silence": lambda leeway: leeway.end_silence("quiet"),
    "subscribe": lambda leeway: leeway.subscribe(['model="fraud"'], created_by="ann", receiver="log"),
    "subscriptions": lambda leeway: leeway.subscriptions(),
    "subscription": lambda leeway: leeway.subscription(leeway.subscriptions()[0]["id"]),
    "unsubscribe": lambda leeway: leeway.unsubscribe(leeway.subscriptions()[0]["id"]),
    "announce": lambda leeway: leeway.announce("r2", models=["fraud"], at=timedelta(minutes=5)),
    "deployments": lambda leeway: list(leeway.deployments()),
    "marks": lambda leeway: list(leeway.marks()),
    "mark": lambda leeway: leeway.mark("fraud", "feature:amount", "harmless", created_by="ann", reason="a sale"),
    "accept": lambda leeway: leeway.accept("fraud", "feature:amount", created_by="ann", reason="new prices", at=2_000),
    "rollouts": lambda leeway: list(leeway.rollouts()),
    "rollout": lambda leeway: leeway.rollout("r"),
    "start_rollout": lambda leeway: leeway.start_rollout("fraud", candidate="v3", champion="v1", created_by="ann"),
    "stop_rollout": lambda leeway: leeway.stop_rollout("r", created_by="ann"),
    "clocks": lambda leeway: list(leeway.clocks()),
    "set_clocks_back": lambda leeway: leeway.set_clocks_back("fraud", created_by="ann", reason="a wrong clock"),
    "jobs": lambda leeway: list(leeway.jobs()),
    "job_runs": lambda leeway: list(leeway.job_runs()),
    "run_job": lambda leeway: leeway.run_job("keep_lifetimes", created_by="ann"),
    "pause_job": lambda leeway: leeway.pause_job("keep_lifetimes", created_by="ann", reason="slow"),
    "resume_job": lambda leeway: leeway.resume_job("log_status", created_by="ann"),
    "whoami": lambda leeway: leeway.whoami(),
    "audit": lambda leeway: list(leeway.audit()),
    "tokens": lambda leeway: leeway.tokens(),
    "create_token": lambda leeway: leeway.create_token("cd", "viewer", namespaces=["default"], expires="90d"),
    "revoke_token": lambda leeway: leeway.revoke_token("ci"),
    "dead_letters": lambda leeway: list(leeway.dead_letters()),
    "retry_dead_letters": lambda leeway: leeway.retry_dead_letters([("t", 0, 0)], dry_run=True),
    "erasures": lambda leeway: leeway.erasures(),
    "erase": lambda leeway: leeway.erase("u1", dry_run=True),
    "export": lambda leeway: list(leeway.export("u1")),
    "send": lambda leeway: leeway.send("fraud", [{"amount": 1.0}]),
    "configurations.get": lambda leeway: leeway.configurations.get("fraud"),
    "configurations.versions": lambda leeway: leeway.configurations.versions("fraud"),
    "configurations.effective": lambda leeway: leeway.configurations.effective("fraud"),
    "configurations.schema": lambda leeway: leeway.configurations.schema(),
    "configurations.diff": lambda leeway: leeway.configurations.diff("fraud"),
    "configurations.plan": lambda leeway: leeway.configurations.plan("fraud", json.dumps(DOCUMENT)),
    "configurations.build_baseline": lambda leeway: leeway.configurations.build_baseline(
        "fraud", {"kind": "rolling", "span": "7d"}
    ),
    "configurations.release": lambda leeway: leeway.configurations.release("fraud", created_by="ann", reason="files"),
}

REFUSED = {
    "erase": "a store in memory erases nothing",
    "export": "a store in memory exports nothing",
    "configurations.release": "the service's own configuration owns fraud",
    "set_clocks_back": "no such partition",
}
"""What this world cannot do, and what it says then: it has understood the request."""


class Recorder(httpx.BaseTransport):
    """Notes what is sent to an application, and how it answers."""

    def __init__(self, app: Any) -> None:
        self._inner = InProcess(app)
        self.sent: list[tuple[str, int]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        self.sent.append((f"{request.method} {request.url.path}", answer.status_code))
        return answer


@pytest.fixture(scope="module")
def outcomes() -> dict[str, tuple[list[tuple[str, int]], Any]]:
    """By call: what it sent, and what it returned or raised."""
    every: dict[str, tuple[list[tuple[str, int]], Any]] = {}
    app = create_app(full_world(asks_for_tokens=True))
    app.state.stopping.set()  # a stream ends with its first event
    recorder = Recorder(app)
    with Leeway("http://leeway", token=ADMIN, transport=recorder, retries=0) as leeway:
        for name, call in CALLS.items():
            recorder.sent = []
            try:
                result = call(leeway)
            except ClientError as error:
                result = error
            every[name] = recorder.sent, result
    return every


def test_every_call_does_what_it_says(outcomes: dict[str, tuple[list[tuple[str, int]], Any]]) -> None:
    failed = {name: str(result) for name, (_, result) in outcomes.items() if isinstance(result, ClientError)}
    assert set(failed) == set(REFUSED), failed
    assert [name for name, why in REFUSED.items() if why not in failed[name]] == [], failed


def test_every_method_is_called() -> None:
    public = {name for name, value in vars(Leeway).items() if callable(value) and not name.startswith("_")}
    assert public - {"ask", "close", "embedded"} == {name for name in CALLS if "." not in name}


def test_there_is_a_call_for_every_operation(outcomes: dict[str, tuple[list[tuple[str, int]], Any]]) -> None:
    operations = {
        f"{method.upper()} {path}": re.compile(f"{method.upper()} {re.sub(r'{[^}]*}', '[^/]+', path)}")
        for path, methods in document()["paths"].items()
        for method in methods
        if path.startswith("/v1/")
    }
    sent = {request for requests, _ in outcomes.values() for request, _ in requests}
    lacking = {name for name, pattern in operations.items() if not any(map(pattern.fullmatch, sent))}
    assert lacking == set(TWINS)


def test_what_is_told_is_there_afterwards() -> None:
    with Leeway("http://leeway", transport=InProcess(create_app(full_world()))) as leeway:
        silence = leeway.silence(["model=~fr.*"], ENDS, created_by="ann", comment="moving", starts=datetime(1970, 1, 1))
        [kept] = [each for each in leeway.silences() if each["id"] == silence]
        assert (kept["matchers"][0]["isRegex"], kept["endsAt"][:10]) == (True, "2100-01-01")
        leeway.end_silence(silence)
        with pytest.raises(UnknownError):
            leeway.end_silence("another")
        subscription = leeway.subscribe(created_by="ann", receiver="log", group_wait="1m")
        assert leeway.subscription(subscription["id"])["group_wait_ms"] == 60_000
        leeway.unsubscribe(subscription["id"])
        assert subscription["id"] not in {each["id"] for each in leeway.subscriptions()}
        leeway.announce("r2", id="r2", models=["fraud"], at=NOW_MS)
        assert "r2" in {each["id"] for each in leeway.deployments()}
        assert leeway.acknowledge("b", created_by="ann")["acknowledged"]["created_by"] == "ann"
        leeway.revoke_token("ci")
        assert [each["state"] for each in leeway.tokens() if each["name"] == "ci"] == ["revoked"]


def test_events_are_sent_a_line_each() -> None:
    def taken(request: httpx.Request) -> httpx.Response:
        events = [json.loads(line) for line in request.content.splitlines()]
        assert (request.url.path, events) == ("/v1/events/shop", [{"a": 1}, {"a": "é\n"}])
        assert request.headers["Content-Type"] == "application/x-ndjson"
        return httpx.Response(202, json={"accepted": 2, "first_offset": 0, "last_offset": 1})

    events: list[dict[str, Any]] = [{"a": 1}, {"a": "é\n"}]
    with Leeway("http://leeway", transport=httpx.MockTransport(taken)) as leeway:
        assert leeway.send("shop", iter(events))["accepted"] == 2
