"""Every answer tells browsers to show it in no frame, to run nothing of it, and to keep no copy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from monitor.api.app import ROUTERS
from monitor.api.http_protocol import REFUSED, TIMED_OUT
from monitor.api.security_headers import HEADERS
from monitor.config.service import Service
from monitor.web import PAGES
from tests.api.world import Client, World, configured, document, model

OPERATIONS = [(method.upper(), path) for path, operations in document()["paths"].items() for method in operations]


@pytest.fixture(scope="module")
def client() -> Client:
    client = Client(World(), routers=(*ROUTERS, *PAGES))
    client.app.state.stopping.set()  # streams end at once
    return client


def assert_secured(answer: Any) -> None:
    headers = answer.headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    for name in HEADERS:
        assert len(headers.get_list(name)) == 1, f"{name} is said once"


def test_every_route_says_so(client: Client) -> None:
    for method, path in OPERATIONS:
        assert_secured(client.request(method, path))


@pytest.mark.parametrize("path", ["/alerts", "/alerts/none", "/nowhere", "/openapi.json"])
def test_so_do_pages_and_addresses_that_are_no_route(path: str, client: Client) -> None:
    assert_secured(client.get(path))


def test_so_do_lists_in_other_forms(client: Client) -> None:
    for form in ("csv", "parquet", "arrow"):
        assert_secured(client.get("/v1/findings", format=form))


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_so_do_refusals(headers: dict[str, str], client: Client) -> None:
    answer = client.request("POST", "/v1/marks", headers=headers)
    assert answer.status_code in (403, 421)
    assert_secured(answer)


def test_so_does_a_failure_that_nobody_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def fail() -> Any:
        raise RuntimeError("unexpected")

    monkeypatch.setattr(world, "status", fail)
    answer = Client(world).get("/v1/status")
    assert answer.status_code == 500
    assert_secured(answer)


def test_so_does_what_lies_beside_a_prefix() -> None:
    service = Service.model_validate({"spec": {"api": {"prefix": "/leeway"}}})
    client = Client(World(configuration=replace(configured(model("fraud")), service=service)))
    assert client.get("/healthz").status_code == 404
    assert_secured(client.get("/healthz"))


@pytest.mark.parametrize("answer", [TIMED_OUT, REFUSED], ids=["a timeout", "a refused connection"])
def test_so_does_what_is_sent_past_the_application(answer: bytes) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    for name, value in HEADERS.items():
        assert f"\r\n{name}: {value}".encode() in head


def test_only_what_is_encrypted_asks_to_stay_so(client: Client) -> None:
    assert "Strict-Transport-Security" not in client.get("/healthz").headers
    answer = client.request("GET", "https://leeway/healthz")
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
