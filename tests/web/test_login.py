"""People log in with a browser at the OpenID provider, and nobody gets in or does anything in their name."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import pytest

from monitor.access.issuer import Issuer
from monitor.api import sign_on
from monitor.api.app import ROUTERS
from monitor.config.service import Service
from monitor.web import PAGES
from sinks.store.contract import Query
from tests.api.issuer import AUDIENCE, ISSUER, FakeIssuer, claims
from tests.api.world import NOW_MS, Client, World, configured, model

HOME = "https://leeway.example.org"
CLIENT_ID, SECRET = "leeway-web", "a secret of the web that is long"


def with_login(
    secret: str = SECRET,
    prefix: str = "",
    home: str = HOME,
    login: dict[str, Any] | None = None,
    failures: int = 1_000,
    **oidc: Any,
) -> World:
    login = {"client_id": CLIENT_ID, "client_secret": secret, "session": "1h", **(login or {})}
    roles = {"map": {"viewers": "viewer", "editors": "editor"}}
    access = {"oidc": {"issuer": ISSUER, "audience": AUDIENCE, "roles": roles, "login": login} | oidc}
    api = {"prefix": prefix, "rates": {"failed_logins_per_minute": failures}}
    spec = {"access": access, "api": api, "external_url": home + prefix}
    return World(configuration=replace(configured(model("fraud")), service=Service.model_validate({"spec": spec})))


class Browser(Client):
    """Keeps cookies, and says whence a request comes, as a browser does."""

    def __init__(self, world: World) -> None:
        super().__init__(world, routers=(*ROUTERS, *PAGES))
        self.app.state.stopping.set()
        self.cookies: dict[str, str] = {}
        self.origin = HOME

    def go(self, path: str, method: str = "GET", **how: Any) -> httpx.Response:
        own = {
            "Accept": "text/html",
            "Sec-Fetch-Site": "same-origin",
            "Origin": self.origin if method != "GET" else None,
        }
        headers = own | how.pop("headers", {})
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {name: value for name, value in headers.items() if value is not None}
        answer = self.request(method, HOME + path, headers=headers, **how)
        self.origin = "null" if answer.headers["Referrer-Policy"] == "no-referrer" else HOME
        for cookie in answer.headers.get_list("set-cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
        self.cookies = {name: value for name, value in self.cookies.items() if value}
        return answer

    def begin(self, path: str = "/login") -> dict[str, str]:
        """Go to the provider; return what it is asked."""
        answer = self.go(path)
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"].startswith(f"{ISSUER}/auth?")
        return dict(httpx.URL(answer.headers["location"]).params)

    def log_in(self, issuer: FakeIssuer, *groups: str, path: str = "/login", **changed: Any) -> httpx.Response:
        asked = self.begin(path)
        issuer.id_token = issuer.sign(claims(*groups, **({"aud": CLIENT_ID, "nonce": asked["nonce"]} | changed)))
        return self.go(f"/login/callback?code=c0de&state={asked['state']}&session_state=x")


@pytest.fixture(scope="module")
def keys() -> FakeIssuer:
    return FakeIssuer()


@pytest.fixture
def issuer(keys: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeIssuer]:
    monkeypatch.setattr(sign_on, "Issuer", partial(Issuer, transport=keys.transport))
    yield keys
    keys.fault, keys.asked = None, []


def test_a_browser_is_sent_to_the_provider_and_comes_back_to_the_page_that_it_wanted(issuer: FakeIssuer) -> None:
    browser = Browser(with_login())
    first = browser.go("/alerts?x=1")
    assert (first.status_code, first.headers["location"]) == (303, "/login?to=%2Falerts%3Fx%3D1")
    back = browser.log_in(issuer, "viewers", path=first.headers["location"])
    assert (back.status_code, back.headers["location"]) == (303, "/alerts?x=1")
    assert browser.go("/alerts").status_code == 200
    assert list(browser.cookies) == ["leeway_session"]


def test_programs_are_not_sent_anywhere(issuer: FakeIssuer) -> None:
    browser = Browser(with_login())
    assert browser.go("/alerts", headers={"Accept": "*/*"}).status_code == 401
    assert browser.go("/v1/models", headers={"Authorization": "Bearer x"}).status_code == 401


def test_the_code_is_redeemed_by_whoever_began_with_proof_of_it(issuer: FakeIssuer) -> None:
    browser = Browser(with_login())
    asked = browser.begin()
    assert (asked["response_type"], asked["client_id"], asked["scope"]) == ("code", CLIENT_ID, "openid profile email")
    assert (asked["redirect_uri"], asked["code_challenge_method"]) == (f"{HOME}/login/callback", "S256")
    issuer.id_token = issuer.sign(claims("viewers", aud=CLIENT_ID, nonce=asked["nonce"]))
    assert browser.go(f"/login/callback?code=c0de&state={asked['state']}").status_code == 303
    form, authorization = issuer.redeemed
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
    assert (form["code"], form["redirect_uri"]) == ("c0de", f"{HOME}/login/callback")
    assert authorization == "Basic " + base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
    assert form["code_verifier"] not in browser.go("/login").headers["location"]


def test_cookies_are_for_this_service_alone(issuer: FakeIssuer) -> None:
    browser = Browser(with_login())
    for answer in (browser.go("/login"), browser.log_in(issuer, "viewers")):
        cookie = answer.headers.get_list("set-cookie")[0].lower()
        assert {"httponly", "secure", "samesite=lax", "path=/"} <= set(cookie.split("; "))
        assert "domain" not in cookie


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"nonce": "another"}, "it is of another login"),
        ({"nonce": None}, "it is of another login"),
        ({"aud": AUDIENCE}, "its &#39;aud&#39; is wrong"),
        ({"iss": "https://evil.example"}, "its &#39;iss&#39; is wrong"),
        ({"exp": NOW_MS // 1000 - 100}, "has expired"),
    ],
    ids=["nonce of another login", "no nonce", "for another program", "another issuer", "expired"],
)
def test_an_id_of_somewhere_else_logs_nobody_in(changed: Any, reason: str, issuer: FakeIssuer) -> None:
    browser = Browser(with_login())
    answer = browser.log_in(issuer, "editors", **changed)
    assert (answer.status_code, reason in answer.text) == (401, True)
    assert "leeway_session" not in browser.cookies


def test_a_login_that_somebody_else_began_logs_nobody_in(issuer: FakeIssuer) -> None:
    world = with_login()
    browser, victim = Browser(world), Browser(world)
    asked = browser.begin()
    issuer.id_token = issuer.sign(claims("editors", aud=CLIENT_ID, nonce=asked["nonce"]))
    path = f"/login/callback?code=c0de&state={asked['state']}"
    assert victim.go(path).status_code == 401, "it has begun none"
    victim.begin()
    assert victim.go(path).status_code == 401, "it has begun another one"
    assert browser.go("/login/callback?code=c0de").status_code == 401
    world.clock.advance(601)
    assert "took too long" in browser.go(path).text
    assert not any(path.endswith("/token") for path in issuer.asked)


def test_who_has_no_role_is_told_so(issuer: FakeIssuer) -> None:
    answer = Browser(with_login()).log_in(issuer, "strangers")
    assert (answer.status_code, "has a role here" in answer.text) == (403, True)


def test_what_the_provider_says_of_a_failure_is_shown_as_text(issuer: FakeIssuer) -> None:
    answer = Browser(with_login()).go("/login/callback?error=<script>")
    assert (answer.status_code, "&lt;script&gt;" in answer.text, "<script>" in answer.text) == (401, True, False)
    issuer.fault = lambda path: httpx.Response(400, json={"error": "invalid_grant"}) if "token" in path else None
    assert "answers 400: invalid_grant" in Browser(with_login()).log_in(issuer, "viewers").text
    issuer.fault = lambda path: httpx.Response(500)
    assert Browser(with_login()).go("/login").status_code == 503


def test_ways_back_that_nobody_began_cost_nobody_the_login_and_the_provider_nothing(issuer: FakeIssuer) -> None:
    world = with_login(failures=2)
    stranger = Browser(world)
    junk = [stranger.go(f"/login/callback?code=x&state=guess{n}").status_code for n in range(5)]
    junk += [stranger.go("/login/callback?error=access_denied").status_code for _ in range(5)]
    assert junk == [401] * 10
    assert issuer.asked == []
    assert Browser(world).log_in(issuer, "viewers").status_code == 303


def test_from_an_address_with_many_failed_logins_the_provider_is_asked_no_more(issuer: FakeIssuer) -> None:
    world = with_login(failures=2)
    browser = Browser(world)
    issuer.fault = lambda path: httpx.Response(400, json={"error": "invalid_grant"}) if "token" in path else None
    assert [browser.log_in(issuer, "viewers").status_code for _ in range(2)] == [401, 401]
    asked = list(issuer.asked)
    refused = browser.log_in(issuer, "viewers")
    assert (refused.status_code, refused.headers["Retry-After"], issuer.asked) == (429, "30", asked)
    issuer.fault = None
    world.clock.advance(30)
    assert browser.log_in(issuer, "viewers").status_code == 303


def test_while_the_provider_is_away_no_login_counts_as_failed(issuer: FakeIssuer) -> None:
    browser = Browser(with_login(failures=2))
    issuer.fault = lambda path: httpx.Response(502) if "token" in path else None
    away = [browser.log_in(issuer, "viewers") for _ in range(5)]
    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in away] == [(503, "5")] * 5
    issuer.fault = None
    assert browser.log_in(issuer, "viewers").status_code == 303


def test_logins_that_are_refused_are_in_the_audit_log(issuer: FakeIssuer) -> None:
    world = with_login()
    browser = Browser(world)
    browser.log_in(issuer, "strangers")
    world.clock.advance(1)
    browser.go("/login/callback?code=x&state=guess")
    rows = world.store.read(Query("audit", columns=("operation", "status", "reason")))
    assert (rows["operation"], list(rows["status"])) == (["GET /login/callback"] * 2, [403, 401])
    assert "of 'ann' has a role here" in rows["reason"][0]


@pytest.mark.parametrize("to", ["https://evil.example", "//evil.example", "/\\evil.example", "/\nevil", "x" * 600])
def test_nobody_is_sent_on_to_another_site(to: str, issuer: FakeIssuer) -> None:
    browser = Browser(with_login())
    asked = dict(httpx.URL(browser.go("/login", params={"to": to}).headers["location"]).params)
    issuer.id_token = issuer.sign(claims("viewers", aud=CLIENT_ID, nonce=asked["nonce"]))
    back = browser.go(f"/login/callback?code=c0de&state={asked['state']}")
    assert back.headers["location"] == "/alerts"


def test_a_session_does_what_its_role_may_and_not_for_other_pages(issuer: FakeIssuer) -> None:
    browser = Browser(with_login())
    browser.log_in(issuer, "editors")
    mark: dict[str, Any] = {"json": {"model": "fraud"}, "method": "POST"}
    assert browser.go("/v1/marks", **mark).status_code == 422
    assert browser.go("/v1/audit").status_code == 403
    unknown: dict[str, Any] = {"Sec-Fetch-Site": None}
    evil = "https://evil.example"
    for foreign in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": evil},
        unknown | {"Origin": None},
        unknown | {"Origin": "null"},
        {"Sec-Fetch-Site": "none", "Origin": "null"},
    ):
        assert browser.go("/v1/marks", headers=foreign, **mark).status_code == 403
    own = {"Sec-Fetch-Site": None, "Origin": HOME}
    assert browser.go("/v1/marks", headers=own, **mark).status_code == 422


def test_a_session_ends(issuer: FakeIssuer) -> None:
    world = with_login()
    browser = Browser(world)
    browser.log_in(issuer, "viewers")
    world.clock.advance(3_599)
    assert browser.go("/v1/models").status_code == 200
    world.clock.advance(1)
    ended = browser.go("/v1/models", headers={"Accept": "*/*"})
    assert ended.status_code == 401
    # A browser asks whoever looks at a page for a password if this says `Basic`, and only then the page hears of it.
    assert ended.headers.get_list("WWW-Authenticate") == ['Bearer realm="Leeway"']


def test_a_page_of_a_signal_with_an_odd_name_is_come_back_to(issuer: FakeIssuer) -> None:
    browser, page = Browser(with_login()), "/models/fraud/signals/feature%3Aa%3F%23%25?span=1d"
    first = browser.go(page)
    back = browser.log_in(issuer, "viewers", path=first.headers["location"])
    assert httpx.URL(HOME + back.headers["location"]) == httpx.URL(HOME + page)
    shown = browser.go(back.headers["location"])
    assert (shown.status_code, '"signal": "feature:a?#%"' in shown.text) == (200, True)


def test_a_cookie_that_is_changed_or_of_another_service_is_none(issuer: FakeIssuer) -> None:
    browser = Browser(with_login())
    browser.log_in(issuer, "viewers")
    session = browser.cookies["leeway_session"]
    head, body, signature = session.split(".")
    changed = base64.urlsafe_b64decode(body + "==").replace(b"viewer", b"editor")
    forged = f"{head}.{base64.urlsafe_b64encode(changed).rstrip(b'=').decode()}.{signature}"
    browser.begin()
    for value in (forged, session[:-1], "x", "", browser.cookies["leeway_login"], issuer.sign(claims("editors"))):
        browser.cookies = {"leeway_session": value}
        assert browser.go("/v1/models", headers={"Accept": "*/*"}).status_code == 401
    browser.cookies = {"leeway_session": session}
    assert browser.go("/v1/models").status_code == 200
    assert Browser(with_login()).go("/v1/models", headers={"Cookie": ""}).status_code == 303
    other = Browser(with_login("another" + SECRET))
    other.cookies = {"leeway_session": session}
    assert other.go("/v1/models", headers={"Accept": "*/*"}).status_code == 401
    again = Browser(with_login())
    again.cookies = {"leeway_session": session}
    assert again.go("/v1/models").status_code == 200, "another process knows it"
    assert browser.go("/v1/models", headers={"Authorization": f"Bearer {session}", "Accept": "*/*"}).status_code == 401


@pytest.mark.parametrize(
    "other",
    [
        {"roles": {"map": {"viewers": "editor", "editors": "admin"}}},
        {"login": {"client_id": "leeway-staging"}},
        {"login": {"session": "30m"}},
        {"home": f"{HOME}:8443"},
        {"issuer": "https://login.example.org/realms/staging"},
    ],
    ids=["roles", "client", "length", "address", "issuer"],
)
def test_a_session_is_of_one_service_also_where_another_has_the_same_secret(other: Any, issuer: FakeIssuer) -> None:
    browser = Browser(with_login())
    browser.log_in(issuer, "editors")
    elsewhere = Browser(with_login(**other))
    elsewhere.cookies = browser.cookies
    assert elsewhere.go("/v1/models", headers={"Accept": "*/*"}).status_code == 401


def test_who_logs_out_is_out(issuer: FakeIssuer) -> None:
    browser = Browser(with_login())
    browser.log_in(issuer, "viewers")
    assert browser.go("/logout").status_code == 200
    assert browser.go("/v1/models").status_code == 200, "nobody is logged out by a link"
    assert browser.go("/logout", "POST", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    browser.go("/logout")
    assert "You have logged out" in browser.go("/logout", "POST", headers={"Sec-Fetch-Site": None}).text
    assert browser.go("/v1/models", headers={"Accept": "*/*"}).status_code == 401


def test_below_a_prefix_people_log_in_too(issuer: FakeIssuer) -> None:
    browser = Browser(with_login(prefix="/leeway"))
    first = browser.go("/leeway/alerts")
    assert first.headers["location"] == "/leeway/login?to=%2Falerts"
    asked = browser.begin("/leeway/login?to=/alerts")
    assert asked["redirect_uri"] == f"{HOME}/leeway/login/callback"
    issuer.id_token = issuer.sign(claims("viewers", aud=CLIENT_ID, nonce=asked["nonce"]))
    back = browser.go(f"/leeway/login/callback?code=c0de&state={asked['state']}")
    assert back.headers["location"] == "/leeway/alerts"
    assert "path=/leeway" in back.headers["set-cookie"].lower()


def test_where_nobody_logs_in_there_is_no_such_page() -> None:
    assert Client(World(), routers=(*ROUTERS, *PAGES)).get("/login").status_code == 404
