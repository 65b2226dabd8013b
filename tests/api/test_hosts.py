"""The API answers by its own names, and not to a page that leads a name of its own to this machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.config.service import Service
from tests.api.world import Client, World, configured, model


@pytest.fixture(scope="module")
def client() -> Client:
    spec = {"external_url": "https://Alerts.example.org/leeway", "api": {"hosts": ["*.svc.cluster.local"]}}
    service = Service.model_validate({"spec": spec})
    return Client(World(configuration=replace(configured(model("fraud")), service=service)))


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost:8080", "leeway:8080", "127.0.0.1", "10.0.0.7:80", "[::1]:8080", "alerts.example.org",
        "ALERTS.EXAMPLE.ORG:443", "alerts.example.org.", "leeway.risk.svc.cluster.local", "app.localhost:8080",
    ],
)  # fmt: skip
def test_it_answers_by_its_own_names(host: str, client: Client) -> None:
    assert client.request("GET", "/v1/models", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "alerts.example.org.evil.example", "127.0.0.1.evil.example"],
)
def test_it_does_not_answer_by_a_name_of_a_stranger(host: str, client: Client) -> None:
    for path in ("/v1/models", "/metrics", "/api/v2/alerts", "/nowhere"):
        answer = client.request("GET", path, headers={"host": host})
        assert answer.status_code == 421
        assert "add the name to spec.api.hosts" in answer.text
    answer = client.post("/v1/erasures", b'{"subject": "anna"}', content_type="application/json", host=host)
    assert answer.status_code == 421


def test_probes_answer_by_any_name(client: Client) -> None:
    assert client.request("GET", "/healthz", headers={"host": "evil.example"}).status_code == 200
