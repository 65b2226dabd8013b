"""Single sign-on with a real, certified OpenID provider."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from monitor.api.issuer_keys import AGAIN_S
from monitor.clock import ManualClock, SystemClock
from tests.api.test_sign_on import ask, trusting
from tests.api.world import Client
from tests.services.cache import UnavailableError
from tests.services.oidc import Provider, new_keys, provider
from tests.services.processes import free_port
from tests.web.test_login import HOME, Browser, with_login


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    try:
        with provider(new_keys("first"), redirect=f"{HOME}/login/callback") as started:
            yield started
    except UnavailableError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def client_of(url: str, audience: str) -> tuple[Client, ManualClock]:
    world = trusting(issuer=url, audience=audience)
    world.clock = ManualClock(SystemClock().now_ms())
    return Client(world), world.clock


@pytest.mark.parametrize("audience", ["urn:leeway", "urn:leeway:ec"], ids=["RSA", "EC"])
def test_a_program_gets_in_with_the_token_that_it_is_given(audience: str, running: Provider) -> None:
    token = running.program_token(audience)
    client, clock = client_of(running.url, audience)
    posted = client.request(
        "POST", "/v1/events/fraud", json={"amount": 5}, headers={"Authorization": f"Bearer {token}"}
    )
    assert posted.status_code == 202
    refused = ask(client, token)
    assert refused.status_code == 403
    assert "the token 'oidc:checkout' has ingest" in refused.json()["detail"]
    assert ask(client_of(running.url, "urn:other")[0], token).status_code == 401
    clock.advance(3_600 + 61)
    assert "the token has expired" in ask(client, token).json()["detail"]


@pytest.mark.parametrize(("account", "status"), [("ann.editor", 422), ("bob.viewer", 403)])
def test_a_person_logs_in_with_a_browser(account: str, status: int, running: Provider) -> None:
    roles = {"map": {"editor": "editor", "viewer": "viewer"}}
    world = with_login(login={"client_id": "leeway"}, issuer=running.url, roles=roles)
    world.clock = ManualClock(SystemClock().now_ms())
    browser = Browser(world)
    asked = browser.go(browser.go("/alerts").headers["location"])
    place = running.log_in(asked.headers["location"], account)
    assert browser.go(place.removeprefix(HOME)).headers["location"] == "/alerts"
    assert browser.go("/alerts").status_code == 200
    assert browser.go("/v1/marks", "POST", json={"model": "fraud"}).status_code == status
    replayed = browser.go(place.removeprefix(HOME))
    assert replayed.status_code == 401, "a login is of use once"


def test_after_the_provider_has_new_keys_only_tokens_of_these_are_good() -> None:
    port = free_port()
    with provider(new_keys("first"), port=port) as first:
        former = first.program_token("urn:leeway")
        client, clock = client_of(first.url, "urn:leeway")
        assert ask(client, former).status_code == 403
    clock.advance(AGAIN_S)
    assert ask(client, former).status_code == 403, "while it is away, what is known counts"
    with provider(new_keys("second"), port=port) as second:
        assert ask(client, second.program_token("urn:leeway")).status_code == 403
        assert ask(client, former).status_code == 401
