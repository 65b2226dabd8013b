"""Every page in a real browser: nothing goes wrong, everybody can use it, and what is hostile is only text."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from monitor.config import Service
from monitor.web.shells import ALERTS, SHELLS
from tests.api.world import step
from tests.web.browser.looking import Open
from tests.web.browser.site import HOSTILE, MARKUP, NOW_MS, Site, drifted, serving_site

if TYPE_CHECKING:
    from playwright.sync_api import Route

WALKED: dict[str, tuple[str, str]] = {
    "access": ("/access", "This service asks nobody who they are"),
    "alerts": ("/alerts", "What to do"),
    "fleet": ("/", "All 1"),
    "incident": ("/incidents/a", "Who was notified"),
    "pipeline": ("/pipeline", "Leeway is ready"),
    "performance": ("/models/fraud/performance", "predictions have a label"),
    "silences": ("/silences", "Nobody has subscribed"),
    "rollouts": ("/rollouts", "candidate v8"),
    "configuration": ("/models/fraud/configuration?from=1&to=2", "What holds, and what says it"),
    "model": ("/models/fraud", "Every signal, the strongest first"),
    "signal": (f"/models/fraud/signals/{quote(f'feature:{HOSTILE}', safe='')}", "Effect against its threshold"),
    "compare": ("/models/fraud/compare?way=version&against_version=v8&version=v7&span=7d", "How good it was"),
}
"""By module: the path of a page, and what it shows once it is there."""

QUESTIONS = {shell.module: shell.questions for shell in (*SHELLS, ALERTS)}


def test_every_page_is_walked() -> None:
    assert set(QUESTIONS) == set(WALKED)


@pytest.mark.parametrize("module", WALKED)
def test_everybody_can_use_every_page(module: str, look: Open) -> None:
    path, text = WALKED[module]
    shown = look(path)
    shown.page.get_by_text(text).first.wait_for()
    assert shown.violations() == []
    assert shown.unreached() == []
    assert shown.too_wide_at() == []


@pytest.mark.parametrize("module", WALKED)
def test_a_page_says_that_it_waits_for_answers_and_shows_them_once_it_does_not(module: str, look: Open) -> None:
    path, text = WALKED[module]
    held = r"/v1/whoami" if module == "access" else r"/(v1/(?!whoami)|api/v2/|readyz|metrics)"
    shown = look("/docs")
    shown.page.route(re.compile(held), lambda route: None)
    shown.page.goto(shown.page.url.removesuffix("/docs") + path)
    shown.page.locator("main [aria-busy=true]").filter(has_text="…").first.wait_for()
    shown.page.unroute_all()
    shown.settle()
    assert text in shown.text


@pytest.mark.parametrize("module", WALKED)
def test_what_a_page_asks_first_is_asked_once_and_beside_its_scripts(module: str, look: Open) -> None:
    shown = look("/docs")
    asked: list[str] = []
    shown.page.on("request", lambda request: asked.append(request.url))
    shown.page.goto(shown.page.url.removesuffix("/docs") + WALKED[module][0])
    shown.settle()
    first = shown.page.locator("link[rel=preload]").evaluate_all("links => links.map((link) => link.href)")
    assert len(first) == 1 + len(QUESTIONS[module])
    assert {question: asked.count(question) for question in first} == dict.fromkeys(first, 1)
    assert len([address for address in asked if "/static/" in address and not address.endswith(".svg")]) == 2


@pytest.mark.parametrize("path", ["/alerts/a", "/docs"])
def test_pages_without_scripts_are_as_good(path: str, look: Open) -> None:
    shown = look(path)
    assert shown.page.locator("script").count() == 0
    assert shown.violations() == []
    assert shown.too_wide_at() == []


def test_names_that_are_markup_are_shown_as_text(look: Open) -> None:
    shown = look("/models/fraud")
    link = shown.page.get_by_role("link", name=HOSTILE).first
    link.wait_for()
    assert shown.page.locator("img[src=x]").count() == 0
    assert MARKUP in shown.text
    link.click()
    shown.page.wait_for_url("**/signals/**")
    shown.settle()
    assert shown.page.evaluate("() => JSON.parse(document.getElementById('app').dataset.names).signal") == (
        f"feature:{HOSTILE}"
    )


def test_nothing_runs_that_is_not_a_file_of_ours(look: Open) -> None:
    shown = look("/models/fraud")
    shown.page.evaluate(
        """() => { const script = document.createElement('script');
        try { script.textContent = 'window.ran = 1'; document.body.append(script); } catch { /* refused at once */ }
        try { document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.ran = 1">'); } catch { } }"""
    )
    assert shown.page.evaluate("() => window.ran") is None
    assert len(shown.messages) >= 2, "the policy says what it refused"
    shown.allow_refusals()


def test_every_page_survives_that_the_service_starts_again_and_says_so(site: Site, look: Open) -> None:
    pages = {text: look(path) for path, text in WALKED.values()}
    for text, shown in pages.items():
        shown.page.get_by_text(text).first.wait_for()
    site.stop()
    for shown in pages.values():
        shown.page.get_by_text("The service does not answer").wait_for()
    site.start()
    for text, shown in pages.items():
        shown.page.get_by_text("The service does not answer").wait_for(state="detached")
        assert text in shown.text
        assert all("Failed to load resource" in message for message in shown.messages), shown.messages
        shown.allow_refusals()


def test_a_service_that_hangs_is_said_to_be_away_and_one_whose_probes_a_proxy_keeps_to_itself_is_not(
    look: Open,
) -> None:
    hangs, guarded = look("/access"), look("/access")
    hangs.page.route("**/healthz", lambda route: None)
    refused: list[str] = []

    def refuse(route: Route) -> None:
        refused.append(route.request.url)
        route.fulfill(status=403)

    guarded.page.route("**/healthz", refuse)
    hangs.page.get_by_text("The service does not answer").wait_for()
    assert refused
    assert guarded.page.get_by_text("The service does not answer").count() == 0
    hangs.page.unroute("**/healthz")
    hangs.page.get_by_text("The service does not answer").wait_for(state="detached")
    guarded.allow_refusals()


def test_a_page_of_the_version_before_says_that_it_is_to_be_loaded_again(
    site: Site, look: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = look("/models/fraud")
    shown.allow_refusals()
    site.stop()
    shown.page.get_by_text("The service does not answer").wait_for()
    with monkeypatch.context() as changed:
        changed.setattr("monitor.web.assets.build", lambda: "another")
        site.start()
        shown.page.get_by_text("The service has been changed.").wait_for()
    assert "One alert fires" in shown.text
    shown.page.get_by_role("button", name="Load again").click()
    shown.page.get_by_text("The service has been changed.").wait_for(state="detached")


def test_pages_work_below_the_path_of_a_proxy(look: Open) -> None:
    world = drifted()
    service = Service.model_validate({"spec": {"api": {"prefix": "/leeway"}}})
    world.configuration = replace(world.configuration, service=service)
    with serving_site(world) as site:
        shown = look("/leeway/models/fraud", of=site)
        shown.page.get_by_text("One alert fires").wait_for()
        for link, path in (("volume", "/leeway/models/fraud/signals/volume"), ("Alerts", "/leeway/alerts")):
            shown.page.get_by_role("link", name=link, exact=True).first.click()
            shown.page.wait_for_url(f"**{path}**")
            shown.settle()
        shown.page.get_by_text("amount 50.1").first.wait_for()
        world.add("alerts", [step("p", 0, "firing", NOW_MS, title="score 0.2 → 0.9", starts_ms=NOW_MS)])
        shown.page.get_by_text("score 0.2 → 0.9").first.wait_for()


def test_a_mistake_in_the_address_is_said_with_what_there_is(look: Open) -> None:
    shown = look("/models/nobody")
    shown.page.get_by_role("alert").wait_for()
    assert "no model is named 'nobody'; known are fraud" in shown.text
    assert all("404" in message for message in shown.messages)
    shown.allow_refusals()
