"""The registry's client: what it knows it does not ask again, and nothing but "there is none" counts as that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.config.registry import SchemaRegistry
from monitor.decoders.registry import Registered, Registry
from monitor.errors import InputError, SourceError
from tests.services.certificates import make_certificate
from tests.services.dripping import Dripping
from tests.services.processes import free_port
from tests.services.refusing import Refusing
from tests.services.registry import RegistryServer

SCHEMA = json.dumps({"type": "record", "name": "Event", "fields": []})


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with RegistryServer() as running:
        yield running


def asking(url: str | list[str], **spec: Any) -> Registry:
    return Registry(SchemaRegistry.model_validate({"url": url, "attempts": 1, **spec}))


def closed(registry: Registry, number: int, form: str = "") -> Any:
    """Ask once, and let go of the connection."""
    try:
        return registry.schema(number, form)
    finally:
        registry.close()


def test_a_schema_is_asked_for_once(server: RegistryServer) -> None:
    number = server.register("orders-value", SCHEMA)
    registry = asking(server.url)

    found = [registry.schema(number) for _ in range(3)]

    registry.close()
    assert found == [Registered("AVRO", SCHEMA)] * 3
    assert server.asked == [f"/schemas/ids/{number}"]


def test_that_there_is_none_is_not_remembered(server: RegistryServer) -> None:
    registry = asking(server.url)
    assert registry.schema(1) is None

    server.register("orders-value", SCHEMA)

    assert closed(registry, 1) is not None


def test_references_are_followed_also_to_names_with_slashes(server: RegistryServer) -> None:
    server.register("a/b c", '{"deepest": 1}', "JSON")
    server.register("middle", '{"middle": 1}', "JSON", [{"name": "deep.json", "subject": "a/b c", "version": 1}])
    number = server.register("top", "{}", "JSON", [{"name": "m.json", "subject": "middle", "version": 1}])

    found = closed(asking(server.url), number)

    assert found.references["m.json"].text == '{"middle": 1}'
    assert found.references["m.json"].references["deep.json"].text == '{"deepest": 1}'


@pytest.mark.parametrize("version", [1, 7])
def test_a_schema_whose_references_are_gone_or_go_in_a_circle_is_none(server: RegistryServer, version: int) -> None:
    number = server.register("round", "{}", "JSON", [{"name": "itself", "subject": "round", "version": version}])

    assert closed(asking(server.url), number) is None


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (500, {"error_code": 50001, "message": "Error in the backend data store"}, "HTTP 500 Error in the backend"),
        (503, b"<html>unavailable</html>", "HTTP 503 without a JSON object"),
        (404, b"<html>not found</html>", "is this a schema registry?"),
        (404, {"error_code": 404, "message": "HTTP 404 Not Found"}, "HTTP 404 HTTP 404 Not Found"),
        (401, {"error_code": 401, "message": "Unauthorized"}, "HTTP 401 Unauthorized"),
        (403, {"error_code": 40301, "message": "Forbidden"}, "HTTP 403 Forbidden"),
        (429, {"message": "slow down"}, "HTTP 429 slow down"),
        (200, b"{", "HTTP 200 without a JSON object"),
        (200, {"schemaType": "AVRO"}, "an answer that is no schema"),
        (200, {"schema": "{}", "references": [{"name": "x"}]}, "an answer that is no schema"),
    ],
)
def test_any_other_answer_is_trouble_that_passes(server: RegistryServer, status: int, body: Any, message: str) -> None:
    number = server.register("orders-value", SCHEMA)
    registry = asking(server.url)
    server.fault = lambda path: (status, body)

    with pytest.raises(SourceError, match="the schema registry cannot be asked") as raised:
        registry.schema(number)

    assert raised.value.retryable
    assert message in str(raised.value)
    server.fault = None
    assert closed(registry, number) is not None


def test_a_registry_whose_answer_drips_keeps_nobody_from_asking_the_next(server: RegistryServer) -> None:
    number = server.register("orders-value", SCHEMA)
    with Dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{", b" ") as dripping:
        found = closed(asking([f"http://{dripping.address}", server.url], timeout="300ms"), number)
        assert dripping.was_left
    assert found == Registered("AVRO", SCHEMA)


def test_a_registry_that_is_not_there_or_says_nothing_is_trouble_that_passes(server: RegistryServer) -> None:
    number = server.register("orders-value", SCHEMA)
    with pytest.raises(SourceError, match="refused") as raised:
        closed(asking(f"http://127.0.0.1:{free_port()}"), number)
    assert raised.value.retryable

    server.hold()
    with pytest.raises(SourceError, match="timed out") as raised:
        closed(asking(server.url, timeout="50ms"), number)
    assert raised.value.retryable
    server.go_on()


def test_it_is_asked_again_as_often_as_configured(server: RegistryServer) -> None:
    number = server.register("orders-value", SCHEMA)
    server.fault = lambda path: (500, {}) if len(server.asked) < 3 else None

    assert closed(asking(server.url, attempts=3), number) is not None
    assert len(server.asked) == 3


def test_the_next_address_is_asked_if_one_fails(server: RegistryServer) -> None:
    number = server.register("orders-value", SCHEMA)
    nobody = f"http://127.0.0.1:{free_port()}"

    assert closed(asking([nobody, server.url]), number) is not None

    server.fault = lambda path: (500, {"message": "no"})
    with pytest.raises(SourceError, match=rf"{nobody}: .*; {server.url}: HTTP 500 no"):
        closed(asking([nobody, server.url]), number)


@pytest.mark.parametrize(
    ("authorization", "spec"),
    [
        ("Basic bWU6c2VjcmV0", {"user": "me", "password": "secret"}),
        ("Bearer abc", {"token": "abc"}),
    ],
)
def test_it_says_who_it_is(server: RegistryServer, authorization: str, spec: dict[str, str]) -> None:
    number = server.register("orders-value", SCHEMA)
    server.authorization = authorization

    assert closed(asking(server.url, **spec), number) is not None

    with pytest.raises(SourceError, match="HTTP 401"):
        closed(asking(server.url), number)


def test_it_trusts_the_certificates_that_it_is_told_to(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    with RegistryServer(certificate=(certificate, key)) as server:
        number = server.register("orders-value", SCHEMA)

        assert closed(asking(server.url, tls={"ca": str(certificate)}), number) is not None
        assert closed(asking(server.url, tls={"verify": False}), number) is not None
        with pytest.raises(SourceError, match="certificate verify failed"):
            closed(asking(server.url), number)

    with RegistryServer(certificate=(certificate, key), asks_for_certificate=True) as server:
        number = server.register("orders-value", SCHEMA)

        own = {"ca": str(certificate), "certificate": str(certificate), "key": str(key)}
        assert closed(asking(server.url, tls=own), number) is not None

    with Refusing(certificate, key) as refusing:
        with pytest.raises(SourceError, match=r"cannot be asked .*certificate required") as caught:
            closed(asking(refusing.url, tls={"ca": str(certificate)}), number)
        assert caught.value.retryable

    with pytest.raises(InputError, match=r"schema_registry\.tls: No such file"):
        asking("https://a", tls={"ca": str(tmp_path / "none.pem")})


def test_protobuf_is_asked_for_as_descriptors(server: RegistryServer) -> None:
    number = server.register("orders-value", "Zm9v", "PROTOBUF")

    assert closed(asking(server.url), number, "serialized").text == "Zm9v"
    assert closed(asking(server.url), number).text.startswith("syntax")
