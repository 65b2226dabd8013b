"""Tokens of an OpenID issuer give roles; forged, foreign and expired ones give none, on every route."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from monitor.access.issuer import Issuer
from monitor.access.roles import MAY, Role
from monitor.api import issuer_keys, sign_on
from monitor.api.app import ROUTERS
from monitor.api.issuer_keys import AGAIN_S, REREAD_S
from monitor.api.needs import FREE, NEEDS
from monitor.config.service import Service
from monitor.errors import SourceError
from monitor.tls.client import trusting as trusting_file
from monitor.web import PAGES
from tests.api.issuer import AUDIENCE, ISSUER, FakeIssuer, claims
from tests.api.world import NOW_MS, Client, World, configured, document, model
from tests.services.certificates import make_certificate
from tests.services.refusing import Refusing

ROLES: tuple[Role, ...] = get_args(Role)
OPERATIONS = [
    (method.upper(), path)
    for path, operations in document()["paths"].items()
    for method in operations
    if path not in FREE
]
NOW_S = NOW_MS // 1000


def trusting(*, failures: float = 1e9, **oidc: Any) -> World:
    """A world in which the groups of an issuer are named as roles."""
    roles = {"map": {role: role for role in ROLES}}
    access = {"oidc": {"issuer": ISSUER, "audience": AUDIENCE, "roles": roles, **oidc}}
    rates = {"failed_logins_per_minute": failures}
    service = Service.model_validate({"spec": {"api": {"rates": rates}, "access": access}})
    return World(configuration=replace(configured(model("fraud")), service=service))


@pytest.fixture(scope="module")
def keys() -> FakeIssuer:
    return FakeIssuer()


@pytest.fixture
def issuer(keys: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeIssuer]:
    monkeypatch.setattr(sign_on, "Issuer", partial(Issuer, transport=keys.transport))
    published = keys.published
    yield keys
    keys.published, keys.fault, keys.asked = published, None, []


def ask(client: Client, token: str, method: str = "GET", path: str = "/v1/models", **how: Any) -> httpx.Response:
    return client.request(method, path, headers={"Authorization": f"Bearer {token}"}, **how)


def test_a_token_does_what_its_role_may_on_every_route(issuer: FakeIssuer) -> None:
    client = Client(trusting(), routers=(*ROUTERS, *PAGES))
    client.app.state.stopping.set()
    tokens = {role: issuer.sign(claims(role)) for role in ROLES}
    # Roles are the same as those of other tokens, with which each is tried on each route.
    for (method, path), role in zip(OPERATIONS, itertools.cycle(ROLES), strict=False):
        answer = ask(client, tokens[role], method, path)
        may = NEEDS[f"{method} {path}"] in MAY[role]
        assert (answer.status_code not in (401, 403)) == may, f"{method} {path} as {role}"
    assert len(issuer.asked) == 2, "the issuer is asked once"


def worthless(issuer: FakeIssuer) -> dict[str, str]:
    """Tokens that are good for nothing, each by what is wrong with it."""
    admin, foreign = claims("admin"), RSAKey.generate_key(2048, {"kid": "rsa"})
    good = issuer.sign(admin)
    head, body, signature = good.split(".")
    _, other_body, _ = issuer.sign(claims("admin", sub="eve")).split(".")
    public = issuer.rsa.as_pem(private=False)
    return {
        "signed by somebody else": issuer.sign(admin, foreign),
        "signed by a key that nobody knows": issuer.sign(admin, RSAKey.generate_key(2048, {"kid": "x"})),
        "signed by the other key's name": issuer.sign(admin, issuer.ec, "ES256", kid="rsa"),
        "of another body": f"{head}.{other_body}.{signature}",
        "without a signature": f"{head}.{body}.",
        "signed by none": issuer.by_hand({"alg": "none", "kid": "rsa"}, admin),
        "signed by None": issuer.by_hand({"alg": "None", "kid": "rsa"}, admin),
        "signed with the public key as a secret": issuer.by_hand({"alg": "HS256", "kid": "rsa"}, admin, public),
        "signed with a secret": issuer.sign(admin, OctKey.import_key("s" * 32, {"kid": "rsa"}), "HS256"),
        "signed in a way that is not taken": issuer.sign(admin, algorithm="RS512"),
        "with a key of its own": issuer.sign(admin, foreign, jwk=foreign.as_dict(private=False), kid=None),
        "with an address of keys": issuer.sign(admin, foreign, jku="https://evil.example/keys", kid="evil"),
        "with an extension that must be known": issuer.by_hand({"alg": "RS256", "crit": ["x"], "x": 1}, admin, b"s"),
        "for logging out": issuer.sign(admin, typ="logout+jwt"),
        "of another issuer": issuer.sign(claims("admin", iss="https://evil.example")),
        "of an issuer with a slash": issuer.sign(claims("admin", iss=f"{ISSUER}/")),
        "of no issuer": issuer.sign(claims("admin", iss=None)),
        "for another audience": issuer.sign(claims("admin", aud=["other", "leeway2"])),
        "for no audience": issuer.sign(claims("admin", aud=None)),
        "expired": issuer.sign(claims("admin", exp=NOW_S - 61)),
        "without an end": issuer.sign(claims("admin", exp=None)),
        "with an end that is no time": issuer.sign(claims("admin", exp="never")),
        "for later": issuer.sign(claims("admin", nbf=NOW_S + 61)),
        "issued later": issuer.sign(claims("admin", iat=NOW_S + 61)),
        "of nobody": issuer.sign(claims("admin", sub=None)),
        "too long": issuer.sign(claims("admin", note="x" * 20_000)),
        "no token": "ey..",
        "garbage": "eyJhbGciOi.!!.??",
    }


def test_on_no_route_does_a_worthless_token_do_anything(issuer: FakeIssuer) -> None:
    client = Client(trusting(), routers=(*ROUTERS, *PAGES))
    tokens = worthless(issuer)
    assert ask(client, issuer.sign(claims("admin"))).status_code == 200
    for why, token in tokens.items():
        assert (ask(client, token).status_code, why) == (401, why)
    for (method, path), why in zip(OPERATIONS, itertools.cycle(tokens), strict=False):
        assert (ask(client, tokens[why], method, path).status_code, why) == (401, why)


@pytest.mark.parametrize("exp", ["NaN", "Infinity", "1e400", "true"])
def test_an_end_that_only_python_takes_for_a_number_is_none(exp: str, issuer: FakeIssuer) -> None:
    from joserfc import jws

    body = json.dumps(claims("admin", exp=0)).replace('"exp": 0', f'"exp": {exp}')
    token = jws.serialize_compact({"alg": "RS256", "kid": "rsa"}, body, issuer.rsa)
    assert ask(Client(trusting()), token).status_code == 401


def test_either_algorithm_is_taken_and_clocks_may_differ_a_little(issuer: FakeIssuer) -> None:
    client = Client(trusting())
    assert ask(client, issuer.sign(claims("viewer"), issuer.ec, "ES256")).status_code == 200
    for changed in ({"exp": NOW_S - 59}, {"nbf": NOW_S + 59}, {"iat": NOW_S + 59}, {"aud": ["x", AUDIENCE]}):
        assert ask(client, issuer.sign(claims("viewer", **changed))).status_code == 200
    assert ask(client, issuer.sign(claims("viewer"), typ="at+jwt")).status_code == 200


def test_the_largest_role_of_all_counts_and_none_is_said(issuer: FakeIssuer) -> None:
    client = Client(trusting())
    assert ask(client, issuer.sign(claims("viewer", "editor", "x")), "POST", "/v1/marks").status_code == 415
    for groups in (("x",), (), ("Viewer",)):
        refused = ask(client, issuer.sign(claims(*groups)))
        assert refused.status_code == 403
        assert "nothing in the 'groups' of 'ann' has a role here" in refused.json()["detail"]


def test_roles_and_names_may_be_in_any_claims(issuer: FakeIssuer) -> None:
    roles = {"claim": "realm_access.roles", "map": {"ops": "editor"}}
    client = Client(trusting(roles=roles, name="email"))
    said = claims(email="ann@example.org", realm_access={"roles": ["ops"]})
    body = {"signal": "feature:amount", "model": "fraud"}
    answer = ask(client, issuer.sign(said), "GET", "/v1/audit", params=body)
    assert "the token 'oidc:ann@example.org' has editor" in answer.json()["detail"]
    assert ask(client, issuer.sign(claims(realm_access={"roles": ["ops"]}))).status_code == 401


def test_what_is_done_with_a_token_is_in_the_audit_log_by_its_holders_name(issuer: FakeIssuer) -> None:
    world = trusting()
    client = Client(world)
    assert ask(client, issuer.sign(claims("admin")), "POST", "/-/reload").status_code == 200
    (entry,) = ask(client, issuer.sign(claims("admin")), path="/v1/audit").json()["items"]
    assert (entry["who"], entry["role"], entry["operation"]) == ("oidc:ann", "admin", "POST /-/reload")


def test_new_keys_are_read_when_a_token_names_one_and_not_more_often_than_may_be(issuer: FakeIssuer) -> None:
    world = trusting()
    client = Client(world)
    assert ask(client, issuer.sign(claims("viewer"))).status_code == 200
    rotated = ECKey.generate_key("P-256", {"kid": "next"})
    issuer.published = [*issuer.published, rotated.as_dict(private=False)]
    token = issuer.sign(claims("viewer"), rotated, "ES256")
    assert ask(client, token).status_code == 401, "the issuer was asked just now"
    world.clock.advance(AGAIN_S)
    assert ask(client, token).status_code == 200
    asked = len(issuer.asked)
    for n in range(20):
        assert ask(client, issuer.sign(claims("viewer"), kid=f"made up {n}")).status_code == 401
    assert len(issuer.asked) == asked


def test_who_guesses_locks_out_nobody_who_shows_a_signed_token(issuer: FakeIssuer) -> None:
    client = Client(trusting(failures=2))
    assert [ask(client, f"guess {n}").status_code for n in range(3)] == [401, 401, 429]
    assert ask(client, issuer.sign(claims("viewer"))).status_code == 200
    refreshed = issuer.sign(claims("viewer", exp=NOW_S + 400))
    assert ask(client, refreshed).status_code == 200


def test_signed_tokens_that_are_not_good_lock_nobody_out(issuer: FakeIssuer) -> None:
    client = Client(trusting(failures=2))
    rotated = ECKey.generate_key("P-256", {"kid": "next"})
    token = issuer.sign(claims("viewer"), rotated, "ES256")
    assert [ask(client, token).status_code for _ in range(5)] == [401] * 5
    assert [ask(client, f"guess {n}").status_code for n in range(3)] == [401, 401, 429]


def until(client: Client, token: str, is_so: Callable[[httpx.AsyncClient], Awaitable[bool]]) -> int:
    """Ask in one loop, in which something may go on behind the answers; return how often."""

    async def run() -> int:
        transport, headers = httpx.ASGITransport(client.app), {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://leeway", headers=headers) as again:
            async with asyncio.timeout(120):
                for count in itertools.count(1):
                    if await is_so(again):
                        return count
                    await asyncio.sleep(0.01)
        raise AssertionError

    return asyncio.run(run())


def test_a_key_that_the_issuer_withdraws_counts_no_more(issuer: FakeIssuer) -> None:
    world = trusting()
    client = Client(world)
    token = issuer.sign(claims("viewer", exp=NOW_S + 3_600))
    assert ask(client, token).status_code == 200
    issuer.published = [issuer.ec.as_dict(private=False)]
    world.clock.advance(REREAD_S)

    async def is_refused(again: httpx.AsyncClient) -> bool:
        return (await again.get("/v1/models")).status_code == 401

    assert until(client, token, is_refused) == 1


def test_a_key_that_was_withdrawn_in_quiet_hours_opens_nothing_afterwards(issuer: FakeIssuer) -> None:
    world = trusting()
    client = Client(world)
    token = issuer.sign(claims("admin", exp=NOW_S + 86_400))
    assert ask(client, token).status_code == 200
    issuer.published = [issuer.ec.as_dict(private=False)]
    world.clock.advance(20 * 3_600)
    assert ask(client, token, "POST", "/v1/tokens", json={"name": "eve", "role": "admin"}).status_code == 401


def test_old_keys_count_where_the_issuer_is_late_and_one_request_waits_for_it(
    issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = trusting()
    client = Client(world)
    token = issuer.sign(claims("viewer", exp=NOW_S + 86_400))
    assert ask(client, token).status_code == 200
    monkeypatch.setattr(issuer_keys, "PATIENCE_S", 0.05)
    released = threading.Event()
    issuer.fault = lambda path: (released.wait(120) and None) or None
    world.clock.advance(REREAD_S)
    waits: list[float | None] = []
    wait = asyncio.wait

    async def counted(tasks: Any, timeout: float | None = None) -> Any:
        waits.append(timeout)
        return await wait(tasks, timeout=timeout)

    monkeypatch.setattr("monitor.api.issuer_keys.asyncio.wait", counted)
    try:

        async def is_answered_twice(again: httpx.AsyncClient) -> bool:
            first = await again.get("/v1/models")
            world.clock.advance(1)
            second = await again.get("/v1/models")
            released.set()
            return (first.status_code, second.status_code) == (200, 200)

        assert until(client, token, is_answered_twice) == 1
        assert [timeout for timeout in waits if timeout is not None] == [0.05]
    finally:
        released.set()


def test_while_the_issuer_is_away_known_keys_count_for_a_while_and_it_is_said(issuer: FakeIssuer) -> None:
    world = trusting(keep="2h")
    client = Client(world)
    token = issuer.sign(claims("viewer", exp=NOW_S + 86_400))
    assert ask(client, token).status_code == 200
    assert client.get("/readyz").json()["notes"] == []
    issuer.fault = lambda path: httpx.Response(502)
    world.clock.advance(3_600)

    async def is_said(again: httpx.AsyncClient) -> bool:
        assert (await again.get("/v1/models")).status_code == 200
        return bool((await again.get("/readyz")).json()["notes"])

    until(client, token, is_said)
    (note,) = client.get("/readyz").json()["notes"]
    assert note.startswith(f"the issuer {ISSUER}: ")
    assert note.endswith("answers 502; its tokens are checked with the keys that are known, for 1.0 h")
    assert world.metrics.get_sample_value("leeway_oidc_keys_age_seconds") == 3_600
    world.clock.advance(720)
    (later,) = client.get("/readyz").json()["notes"]
    assert "answers 502 (12 min ago, and was not asked since); its tokens" in later
    assert world.metrics.get_sample_value("leeway_oidc_failures_total") == 1
    world.clock.advance(3_601)
    refused = ask(client, token)
    assert (refused.status_code, "its tokens cannot be checked" in refused.json()["detail"]) == (503, True)
    issuer.fault = None
    world.clock.advance(AGAIN_S)
    assert ask(client, token).status_code == 200
    assert client.get("/readyz").json()["notes"] == []


def test_an_issuer_that_hangs_holds_nobody_up(issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuer_keys, "PATIENCE_S", 0.05)
    released = threading.Event()
    issuer.fault = lambda path: (released.wait(120) and None) or None
    client = Client(trusting())
    try:

        async def asked() -> set[int]:
            transport = httpx.ASGITransport(client.app)
            token = issuer.sign(claims("viewer"))
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(transport=transport, base_url="http://leeway", headers=headers) as several:
                answers = await asyncio.gather(*[several.get("/v1/models") for _ in range(10)])
            # The thread that asks the issuer may begin after all of them have been answered.
            async with asyncio.timeout(60):
                while not issuer.asked:
                    await asyncio.sleep(0.01)
            released.set()
            return {answer.status_code for answer in answers}

        assert asyncio.run(asked()) == {503}
        assert issuer.asked.count(f"{httpx.URL(ISSUER).path}/.well-known/openid-configuration") == 1
    finally:
        released.set()


def test_an_issuer_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.access.issuer.ASKED_FOR_S", 0.3)
    given_up = threading.Event()

    def trickle(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not given_up.wait(0.05):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle, args=[listener], daemon=True)
        thread.start()
        try:
            with pytest.raises(SourceError, match="answers too slowly"):
                Issuer(f"http://127.0.0.1:{listener.getsockname()[1]}").metadata()
        finally:
            given_up.set()
            thread.join(120)


def test_an_issuer_that_wants_a_certificate_is_named(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    with Refusing(certificate, key) as server, pytest.raises(SourceError, match=r"certificate required") as caught:
        Issuer(server.url, trusting_file(str(certificate))).metadata()
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"issuer": "https://evil.example", "jwks_uri": f"{ISSUER}/keys"}, "it says that it is 'https://evil.example'"),
        ({"issuer": ISSUER, "jwks_uri": "http://login.example.org/keys"}, "its jwks_uri is not protected"),
        ({"issuer": ISSUER}, "it does not say where its keys are"),
        ([1], "answers 200"),
    ],
)
def test_an_issuer_that_says_something_else_is_not_believed(answer: Any, reason: str, issuer: FakeIssuer) -> None:
    issuer.fault = lambda path: httpx.Response(200, json=answer) if "well-known" in path else None
    refused = ask(Client(trusting()), issuer.sign(claims("viewer")))
    assert (refused.status_code, reason in refused.json()["detail"]) == (503, True)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"kty": "oct", "k": "c2VjcmV0"}, "no key"), ({"use": "enc"}, "no key"), ({"alg": "RS512"}, "no key")],
)
def test_keys_for_something_else_are_not_used(changed: dict[str, str], reason: str, issuer: FakeIssuer) -> None:
    issuer.published = [issuer.rsa.as_dict(private=False) | changed, {"kty": "RSA"}, {}]
    refused = ask(Client(trusting()), issuer.sign(claims("viewer")))
    assert (refused.status_code, reason in refused.json()["detail"]) == (503, True)


def test_the_issuer_is_followed_to_no_other_address_and_read_only_so_far(issuer: FakeIssuer) -> None:
    for answer in (
        httpx.Response(302, headers={"Location": "https://evil.example"}),
        httpx.Response(200, content=b"x" * 2_000_000),
    ):
        issuer.fault = lambda path, answer=answer: answer
        assert ask(Client(trusting()), issuer.sign(claims("viewer"))).status_code == 503


def test_tokens_of_the_service_are_known_beside_those_of_the_issuer(issuer: FakeIssuer) -> None:
    issuer.fault = lambda path: httpx.Response(502)
    world = trusting()
    world.configuration = replace(
        world.configuration,
        service=Service.model_validate(
            {
                "spec": {
                    "access": {
                        "tokens": [{"name": "ci", "role": "viewer", "token": "v" * 40}],
                        "oidc": {"issuer": ISSUER, "audience": AUDIENCE, "roles": {"map": {"a": "admin"}}},
                    }
                }
            }
        ),
    )
    assert ask(Client(world), "v" * 40).status_code == 200
    assert issuer.asked == []
