"""Every page in a real browser: nothing goes wrong, everybody can use it, and what is hostile is only text."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from monitor.web.shells import ALERTS, SHELLS
from tests.web.browser.looking import Open
from tests.web.browser.site import HOSTILE, MARKUP, Site

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


def test_every_page_is_walked() -> None:
    assert {shell.module for shell in (*SHELLS, ALERTS)} == set(WALKED)


@pytest.mark.parametrize("module", WALKED)
def test_everybody_can_use_every_page(module: str, look: Open) -> None:
    path, text = WALKED[module]
    shown = look(path)
    shown.page.get_by_text(text).first.wait_for()
    assert shown.violations() == []
    assert shown.unreached() == []
    assert shown.too_wide_at() == []


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


def test_a_page_survives_that_the_service_starts_again_and_says_so(site: Site, look: Open) -> None:
    shown = look("/models/fraud")
    site.stop()
    shown.page.get_by_text("The service does not answer").wait_for()
    site.start()
    shown.page.get_by_text("The service does not answer").wait_for(state="detached")
    assert "One alert fires" in shown.text
    assert all("Failed to load resource" in message for message in shown.messages), shown.messages
    shown.allow_refusals()


def test_a_mistake_in_the_address_is_said_with_what_there_is(look: Open) -> None:
    shown = look("/models/nobody")
    shown.page.get_by_role("alert").wait_for()
    assert "no model is named 'nobody'; known are fraud" in shown.text
    assert all("404" in message for message in shown.messages)
    shown.allow_refusals()
