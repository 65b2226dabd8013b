"""Secrets stay secret: a service with one at every place, whose other sides refuse and repeat what they were sent."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote, unquote

import pytest
import structlog
from starlette.testclient import TestClient

from monitor.alerts.own import OwnAlerts
from monitor.api.app import create_app
from monitor.clock import SystemClock
from monitor.config import Configuration, load
from monitor.config.kafka import KafkaCluster, KafkaToken
from monitor.config.registry import SchemaRegistry
from monitor.decoders.registry import Registry
from monitor.errors import InputError, SourceError
from monitor.service import Service
from monitor.sources.kafka.security import security_of
from sinks.store import open_store
from sinks.store.contract import TABLES, Query, StoreError
from sinks.store.memory import MemoryStore
from tests.cli.console import Console
from tests.service import shop

SCHEMA = {"features": {"amount": {"type": "numeric"}}}
SPEC: dict[str, Any] = {"schema": SCHEMA, "detect": {"rules": []}}
ASKED: dict[str, str] = {"model": "shop", "signal": "volume", "stream": "shop"}


class Secrets:
    """Makes secrets, and looks for them."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, place: str) -> str:
        # In an address the slash and the percent sign have to be written in another way.
        self.made.append(f"hush/{place}%{len(self.made):02}zz")
        return self.made[-1]

    def in_url(self, place: str) -> str:
        return quote(self(place), safe="")

    def found_in(self, text: str) -> set[str]:
        return {secret for secret in self.made if any(form in text for form in forms(secret))}


def forms(secret: str) -> set[str]:
    """A secret as it is, as it stands in an address or JSON, and as base64 wherever it begins in what is encoded."""
    quoted = {secret, quote(secret), quote(secret, safe=""), quote(quote(secret, safe=""))}
    encoded = set()
    for text in quoted:
        for before in range(3):
            found = base64.b64encode(b"x" * before + text.encode()).decode().rstrip("=")
            # The characters at both ends are of what stands beside it, too.
            encoded.add(found[(0, 2, 3)[before] : -1])
    return quoted | encoded


def by_reference(value: Any, secret: Secrets, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is written in a file: names of variables in place of texts with secrets."""
    if isinstance(value, dict):
        return {key: by_reference(part, secret, monkeypatch) for key, part in value.items()}
    if isinstance(value, list):
        return [by_reference(part, secret, monkeypatch) for part in value]
    if not isinstance(value, str) or not secret.found_in(value):
        return value
    name = f"HUSH_{base64.b16encode(value.encode()).decode()}"
    monkeypatch.setenv(name, value)
    return f"${{{name}}}"


class Parrot:
    """A server that refuses everything, and says what it was sent: by its path, its headers and its body."""

    statuses: tuple[int, ...] = (500, 429, 403)

    def __enter__(self) -> Parrot:
        self.heard: list[str] = []
        parrot = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                headers = "\n".join(f"{name}: {value}" for name, value in self.headers.items())
                # Which part comes first differs, since only the start of an answer is quoted.
                parts = [f"{self.path} {unquote(self.path)}", headers, body.decode()]
                turn = len(parrot.heard) % 3
                text = "\n".join(parts[turn:] + parts[:turn])
                parrot.heard.append(text)
                if self.command == "GET":
                    text = json.dumps({"message": text})
                self.send_response(parrot.statuses[len(parrot.heard) % len(parrot.statuses)])
                self.send_header("Content-Length", str(len(text.encode())))
                self.send_header("X-Sent-To", self.path)
                self.end_headers()
                self.wfile.write(text.encode())

            do_POST = do_GET = _answer  # noqa: N815 -- names that the library calls

            def log_message(self, format: str, *args: object) -> None:
                """Keep the tests' output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def parrot() -> Iterator[Parrot]:
    with Parrot() as server:
        yield server


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    with everything_logged() as text:
        yield text


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """Everything that anybody logs, from DEBUG on."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=repr)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.PrintLoggerFactory(text),
    )
    try:
        yield text
    finally:
        structlog.configure(**before)
        root.setLevel(level)
        root.removeHandler(handler)


def receivers(secret: Secrets, address: str) -> list[dict[str, Any]]:
    """One of every kind."""
    here = {"allow_private": True, "timeout": "2s"}
    return [
        {"kind": "log"},
        {
            **{"kind": "webhook", "name": "webhook", **here, "secret": secret("signed")},
            "url": f"http://me:{secret.in_url('user')}@{address}/hooks/{secret.in_url('path')}?key={secret.in_url('query')}",
            "headers": {"X-Key": secret("header")},
        },
        {
            **{"kind": "alertmanager", "name": "alertmanager", **here, "headers": {"Authorization": secret("auth")}},
            "url": f"http://{address}/{secret.in_url('prefix')}",
        },
        {"kind": "slack", "name": "slack", **here, "url": f"http://{address}/services/{secret.in_url('slack')}"},
        {
            **{"kind": "slack", "name": "slack-app", **here, "url": f"http://{address}/api", "channel": "#ml"},
            "token": secret("token"),
        },
        {"kind": "teams", "name": "teams", **here, "url": f"http://{address}/w?sig={secret.in_url('teams')}"},
        {"kind": "pagerduty", "name": "pagerduty", **here, "url": f"http://{address}/", "routing_key": secret("pager")},
        {"kind": "opsgenie", "name": "opsgenie", **here, "url": f"http://{address}/", "api_key": secret("genie")},
        {
            **{"kind": "email", "name": "email", "host": "127.0.0.1", "port": 1, "sender": "a@b.c", "to": ["d@e.f"]},
            **{"username": "me", "password": secret("smtp")},
        },
        {"kind": "apprise", "name": "apprise", "url": f"json://me:{secret.in_url('apprise')}@{address}/x"},
        {
            **{"kind": "clickhouse", "name": "clickhouse", "timeout": "2s"},
            "url": f"clickhouse://me:{secret.in_url('clickhouse')}@{address}/d",
        },
        {"kind": "kafka", "name": "kafka", "topic": "alerts", "timeout": "1s"},
    ]


def configured(folder: Path, monkeypatch: pytest.MonkeyPatch, secret: Secrets, address: str, *, routed: bool) -> Path:
    spec: dict[str, Any] = {
        "store": {"kind": "memory"},
        "kafka": {
            "bootstrap": ["127.0.0.1:1"],
            "sasl": {"mechanism": "PLAIN", "user": "me", "password": secret("kafka")},
            "options": {"bootstrap_timeout_ms": 300},
        },
        "schema_registry": {"url": f"http://{address}", "user": "me", "password": secret("registry"), "attempts": 1},
        "receivers": receivers(secret, address),
        "external_url": "http://leeway.example",
        "subscriptions": {"webhook": {"hosts": ["127.0.0.1"], "allow_private": True}},
    }
    if routed:
        hook = {"url": f"http://{address}/{secret.in_url('routed')}", "allow_private": True}
        names = [receiver.get("name", "log") for receiver in spec["receivers"]]
        spec["alerting"] = {
            "route": {
                **{"receiver": "hook", "group_wait": "0s", "group_interval": "1s"},
                "routes": [{"receiver": name, "continue": True} for name in names],
            },
            "receivers": [{"name": "hook", "webhook_configs": [hook]}],
        }
    written = by_reference(spec, secret, monkeypatch)
    return shop.configured(folder, shop.model("shop", {"http": "shop"}, {"kafka": "orders"}, **SPEC), **written)


def everything_of(api: TestClient, alert_id: str) -> str:
    """What the API says at every address that can be read, whether it knows what is asked for or not."""
    said = []
    for path, operations in api.get("/openapi.json").json()["paths"].items():
        if "get" not in operations or path.endswith("/stream"):
            continue
        address = path.format_map(defaultdict(lambda: "none", model="shop", alert_id=alert_id))
        answer = api.get(address, params=ASKED)
        assert answer.status_code < 500 or path == "/readyz", (path, answer.text)
        said.append(f"{path} {answer.status_code} {answer.headers} {answer.text}")
    return "\n".join(said)


@contextmanager
def running(configuration: Configuration, store: MemoryStore) -> Iterator[Service]:
    service = Service(configuration, SystemClock(), store)
    service.start()
    try:
        yield service
    finally:
        service.stop()


class StillOpen(MemoryStore):
    """Is read when the service has stopped."""

    def close(self) -> None:
        pass


def notified(store: MemoryStore, table: str) -> set[str]:
    return {name.partition("/")[0] for name in store.read(Query(table))["receiver"]}


@pytest.mark.parametrize("routed", [True, False], ids=["routed", "unrouted"])
def test_no_log_answer_row_or_error_holds_a_secret(
    routed: bool,
    parrot: Parrot,
    logged: io.StringIO,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret, store = Secrets(), StillOpen()
    path = configured(tmp_path, monkeypatch, secret, parrot.address, routed=routed)
    configuration = load(path)
    names = {receiver.name for receiver in configuration.service.spec.receivers} - {"log"}
    # What is tried again is noted when the group's time is over, or when the service stops.
    refused = names - {"email", "apprise", "clickhouse", "kafka"}
    if routed:
        parrot.statuses = (403,)
    with running(configuration, store) as service, TestClient(create_app(service)) as api:
        wanted = {
            **{"webhook": f"http://{parrot.address}/{secret.in_url('subscribed')}", "created_by": "ann"},
            **{"group_wait": "0s", "group_interval": "1s"},
        }
        subscribed = api.post("/v1/subscriptions", json=wanted)
        assert subscribed.status_code == 200, subscribed.text
        names.add(subscribed.json()["told"])
        OwnAlerts(store, SystemClock()).lost(("orders", 0, 5, 9))

        def tried() -> bool:
            return notified(store, "notifications") >= refused if routed else len(parrot.heard) > len(refused)

        shop.wait_until(tried, "every receiver was tried")
        alert_id = store.read(Query("alerts"))["alert_id"][0]
        answers = everything_of(api, alert_id) + subscribed.text
    # An address that was subscribed through the API has no other place than its table.
    rows = {name: repr(store.read(Query(name))) for name in TABLES.keys() - {"subscriptions"}}
    assert notified(store, "decisions") >= names
    checked = Console(capsys)("check", path)
    assert checked.code == 0
    heard = "\n".join(parrot.heard)
    # given that the other sides have heard the secrets, and what they answered was quoted
    assert len(secret.found_in(heard)) >= 10
    assert "***" in rows["decisions"]
    # then nobody else has
    for where, text in {"log": logged.getvalue(), "API": answers, "check": checked.out + checked.err, **rows}.items():
        assert secret.found_in(text) == set(), where
    assert secret.found_in(repr(configuration) + str(configuration.service.model_dump_json())) == set()


def test_a_secret_that_is_found_is_found_in_every_form() -> None:
    secret = Secrets()
    [one] = [secret("a")]
    basic = [base64.b64encode(f"{user}:{one}".encode()).decode() for user in ("a", "me", "you")]
    for text in (one, f"http://h/{quote(one, safe='')}", json.dumps({"k": one}), *basic):
        assert secret.found_in(f"x{text}y") == {one}
    assert secret.found_in("hush") == set()


def test_errors_of_what_the_service_depends_on_hold_no_secret(parrot: Parrot, logged: io.StringIO) -> None:
    secret = Secrets()
    registry = Registry(
        SchemaRegistry.model_validate(
            {"url": f"http://{parrot.address}", "user": "me", "password": secret("registry"), "attempts": 1}
        )
    )
    said = []
    for number in range(3):
        with pytest.raises(SourceError) as refused:
            registry.schema(number)
        said.append(str(refused.value))
    registry.close()
    assert secret.found_in("\n".join(parrot.heard)) == set(secret.made)
    token = KafkaToken.model_validate(
        {"url": f"http://{parrot.address}/t", "client_id": "me", "client_secret": secret("client")}
    )
    sasl = {"mechanism": "OAUTHBEARER", "token": token}
    for _ in range(3):
        with pytest.raises(Exception, match="token") as failed:
            security_of(KafkaCluster.model_validate({"sasl": sasl}))["sasl_oauth_token_provider"].token()
        said.append(str(failed.value))
    assert secret.found_in("\n".join(parrot.heard)) == set(secret.made)
    for address in (parrot.address, "127.0.0.1:1"):
        hosts: dict[str, Any] = {"hosts": [address], "user": "me", "password": secret("store")}
        with pytest.raises(StoreError) as away:
            open_store("clickhouse", **hosts, connect_timeout_ms=300, timeout_ms=500).migrate()
        said.append(str(away.value))
    assert secret.found_in("\n".join([*said, logged.getvalue()])) == set()


@pytest.mark.parametrize(
    "written",
    [
        "receivers: [{kind: webhook, name: w, url: 'ftp://me:SECRET@host'}]",
        "receivers: [{kind: webhook, name: w, url: 'http://a', headers: {k: [SECRET]}}]",
        "receivers: [{kind: webhook, name: w, url: 'http://a', secret: {SECRET: SECRET}}]",
        "receivers: [{kind: slack, name: s, token: SECRET}]",
        "receivers: [{kind: email, name: m, host: h, sender: a@b, to: [b@c], security: none, password: SECRET}]",
        "receivers: [{kind: pigeon, name: p, url: SECRET}]",
        "receivers: [{kind: apprise, name: a, url: 'SECRET'}]",
        "receivers: [{kind: clickhouse, name: c, url: 'http://me:SECRET@host'}]",
        "receivers: [SECRET]",
        "kafka: {sasl: {mechanism: PLAIN, user: a, password: [SECRET]}}",
        "kafka: {sasl: {mechanism: OAUTHBEARER, token: {url: 'https://me:SECRET@host/'}}}",
        "schema_registry: {url: 'http://me:SECRET@host/'}",
        "schema_registry: {url: 'http://host/', password: [SECRET], user: a}",
        "store: {kind: clickhouse, password: [SECRET]}",
        "store: {kind: clickhouse, hosts: ['me:SECRET@host:9000']}",
        "alerting: {route: {receiver: r}, receivers: [{name: r, webhook_configs: [{url: 'ftp://SECRET'}]}]}",
        "alerting: {route: {receiver: r}, receivers: [{name: r, slack_configs: [{api_url: SECRET}]}]}",
        "store: {kind: clickhouse, password: 'SECRET}",
        "store: {kind: clickhouse, password: SECRET: a}",
    ],
)
def test_what_is_wrong_with_a_configuration_is_said_without_its_secrets(
    written: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.configured(tmp_path, shop.model("shop", {"http": "shop"}, **SPEC))
    path = tmp_path / "leeway.yaml"
    path.write_text(f"apiVersion: leeway/v1\nkind: Service\nspec:\n  {written.replace('SECRET', 'hush-hush')}\n")
    said = Console(capsys)("check", path)
    if "apprise" in written:
        with pytest.raises(InputError) as refused:
            Service(load(path), SystemClock(), MemoryStore())
        assert "hush-hush" not in str(refused.value)
    else:
        assert said.code == 2
    assert "hush-hush" not in said.out + said.err
