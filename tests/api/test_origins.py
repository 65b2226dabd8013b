"""A page of another site changes nothing, though its reader's browser shows a token or is on the machine."""

from __future__ import annotations

import pytest

from tests.api.test_access import basic, guarded
from tests.api.world import Client, World

FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://leeway:9090"},
    {"origin": "http://[", "host": "leeway"},
    {"origin": "https://alerts.example.org:8443", "host": "alerts.example.org"},
    {"origin": "null", "host": ""},
    {"origin": "https://a.example.com:x", "host": "leeway"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": "http://leeway"},
]
OWN = [
    {},
    {"origin": "http://leeway"},
    {"origin": "http://LEEWAY:8080", "host": "leeway:8080"},
    {"origin": "https://alerts.example.org", "host": "leeway:8080"},
    {"origin": "https://alerts.example.org", "host": "alerts.example.org:8080"},
    {"origin": "https://eu.leeway.example.com", "host": "leeway:8080"},
    {"sec-fetch-site": "same-origin", "origin": "http://leeway"},
    {"sec-fetch-site": "none"},
]


@pytest.fixture
def world() -> World:
    return guarded({"hosts": ["alerts.example.org", "*.leeway.example.com"]})


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_change_of_another_sites_page_is_refused(headers: dict[str, str], world: World) -> None:
    client = Client(world)
    for method, path in (("POST", "/-/reload"), ("DELETE", "/v1/subscriptions/x"), ("POST", "/api/v2/silences")):
        answer = client.request(method, path, headers=basic("admin" * 20) | headers)
        assert answer.status_code == 403
        assert "a page of another site asks for this change" in answer.text
    assert world.reloads == 0
    assert client.request("GET", "/v1/models", headers=basic("admin" * 20) | headers).status_code == 200


@pytest.mark.parametrize("headers", OWN)
def test_programs_and_own_pages_change_things(headers: dict[str, str], world: World) -> None:
    assert Client(world).request("POST", "/-/reload", headers=basic("admin" * 20) | headers).status_code == 200
    assert world.reloads == 1


def test_where_no_token_is_asked_for_it_is_the_same() -> None:
    assert Client(World()).request("POST", "/-/reload", headers=FOREIGN[0]).status_code == 403
