"""The page of tokens and of the audit log, and what whoever is bound to namespaces sees of every page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from monitor.access.token_log import TokenLog
from sinks.store.contract import TABLES, Query
from sinks.store.rows import rows_of
from tests.api.world import World
from tests.web.browser.governed import governed
from tests.web.browser.looking import Look, Open
from tests.web.browser.operated import operated
from tests.web.browser.site import ADMIN, EDITOR, HOSTILE, MARKUP, OF_RISK, VIEWER, Site, drifted, serving_site
from tests.web.browser.test_pages import WALKED

if TYPE_CHECKING:
    from playwright.sync_api import Locator

HIDDEN = "payroll"
"""A model of another namespace, of which there is as much as of the own one."""


def with_another(world: World) -> World:
    """Add a model of another namespace, with a copy of every row."""
    fraud = world.configuration.models["fraud"]
    metadata = fraud.metadata.model_copy(update={"name": HIDDEN, "namespace": f"{HIDDEN}-team", "owner": HIDDEN})
    models = {**world.configuration.models, HIDDEN: fraud.model_copy(update={"metadata": metadata})}
    for name in TABLES:
        copies = [_of_hidden(row) for row in rows_of(world.store.read(Query(name))) if row.get("model") == "fraud"]
        if copies:
            world.add(name, copies)
    texts = {**world.configuration.texts, HIDDEN: world.configuration.texts["fraud"].replace("fraud", HIDDEN)}
    world.configuration = replace(
        world.configuration, models=models, texts=texts, posted=world.configuration.posted | {HIDDEN}
    )
    world.__dict__.pop("watches", None)
    return world


def _of_hidden(row: dict[str, Any]) -> dict[str, Any]:
    other = {name: f"{HIDDEN}-{row[name]}" for name in ("alert_id", "id", "title") if name in row}
    return row | other | {"model": HIDDEN}


@pytest.fixture(scope="module")
def guarded() -> Iterator[Site]:
    """A service that asks who is there, with models of two namespaces."""
    with serving_site(with_another(governed(operated(drifted(asks_for_tokens=True))))) as site:
        yield site


def row_of(shown: Look, table: str, text: str) -> Locator:
    return shown.page.get_by_role("group", name=table, exact=True).get_by_role("row").filter(has_text=text)


def test_a_token_is_made_shown_once_used_and_revoked(guarded: Site, look: Open) -> None:
    shown = look("/access", ADMIN, guarded)
    name = "ci <img src=x onerror=alert(1)>"
    shown.page.get_by_role("button", name="New token").click()
    dialog = shown.page.get_by_role("dialog")
    assert shown.violations() == []
    dialog.get_by_label("Who will hold it").fill(name)
    dialog.get_by_label("Role").select_option("editor")
    dialog.get_by_label("For the models of these namespaces alone").fill("risk, other")
    dialog.get_by_role("button", name="Make the token").click()
    field = shown.page.get_by_label(f"Secret of {name}")
    secret = field.input_value()
    assert secret.startswith("leeway_")
    shown.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown.page.get_by_role("button", name="Copy").click()
    shown.page.get_by_text("Copied.").wait_for()
    assert shown.page.evaluate("() => navigator.clipboard.readText()") == secret
    assert shown.violations() == []
    assert shown.too_wide_at() == []
    [token] = [each for each in TokenLog(guarded.world.store, guarded.world.clock).all() if each.name == name]
    assert (token.role, token.namespaces, token.created_by) == ("editor", ("other", "risk"), "ada")
    assert token.expires_ms - token.created_ms == 90 * 86_400_000
    shown.page.get_by_role("button", name="I have it, hide it").click()
    row = row_of(shown, "Tokens", name)
    assert token.prefix in row.inner_text()
    assert secret not in shown.page.content()

    theirs = look("/access", secret, guarded)
    theirs.page.get_by_text("ada, who made your token").wait_for()
    row.get_by_role("button", name="Revoke").click()
    dialog.get_by_role("button", name=f"Revoke {name}").click()
    row.wait_for(state="detached")
    shown.page.get_by_role("button", name="New token").click()
    dialog.get_by_label("Who will hold it").fill("of all")
    dialog.get_by_label("Ends after").select_option("never by itself")
    dialog.get_by_role("button", name="Make the token").click()
    row_of(shown, "Tokens", "of all").get_by_text("never").wait_for()
    answer = shown.page.request.get(f"{guarded.url}/v1/models", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status == 401
    shown.page.get_by_role("button", name="Those that have ended, too").click()
    assert "by ada" in row.inner_text()
    theirs.allow_refusals()


def test_the_audit_log_is_searched_and_read_page_by_page(guarded: Site, look: Open) -> None:
    fields = {"role": "editor", "address": "10.0.0.1", "status": 200, "reason": ""}
    made = [{"who": "bea", "operation": "POST /v1/marks", "subject": f"mark {n:03d} {HOSTILE}"} for n in range(60)]
    made += [{"who": MARKUP, "operation": "POST /v1/rollouts", "subject": "another"}]
    guarded.world.add("audit", [fields | row | {"at_ms": 1_000 + n, "id": f"{n:03d}"} for n, row in enumerate(made)])
    shown = look("/access", ADMIN, guarded)
    shown.page.get_by_label("Who", exact=True).fill("bea")
    shown.page.get_by_role("button", name="Find").click()
    row_of(shown, "The audit log", "mark 059").wait_for()
    assert "who=bea" in shown.page.url
    assert row_of(shown, "The audit log", "mark 009").count() == 0
    shown.page.get_by_role("button", name="Earlier ones").click()
    row_of(shown, "The audit log", "mark 000").wait_for()
    assert row_of(shown, "The audit log", "mark 059").count() == 0
    assert shown.violations() == []
    shown.page.get_by_role("button", name="Later ones").click()
    row_of(shown, "The audit log", "mark 059").wait_for()
    shown.page.get_by_label("Who", exact=True).fill("")
    shown.page.get_by_label("What", exact=True).fill("POST /v1/rollouts")
    shown.page.get_by_role("button", name="Find").click()
    row_of(shown, "The audit log", "another").wait_for()
    assert row_of(shown, "The audit log", "mark").count() == 0
    again = look(f"{shown.page.url.removeprefix(guarded.url)}&from=1060&to=1061", ADMIN, guarded)
    assert again.page.get_by_role("group", name="The audit log").get_by_role("row").count() == 2
    again.page.get_by_role("link", name="Day", exact=True).click()
    again.page.get_by_text("Nothing is written of that.").wait_for()


@pytest.mark.parametrize(("secret", "name"), [(VIEWER, "vic (viewer)"), (EDITOR, "ann (editor)")])
def test_others_are_told_what_they_may_and_whom_to_ask(secret: str, name: str, guarded: Site, look: Open) -> None:
    shown = look("/access", secret, guarded)
    shown.page.get_by_text(f"You are {name}").wait_for()
    shown.page.get_by_text("whoever keeps the service's configuration").wait_for()
    shown.page.get_by_text("What you may ask of the API").click()
    assert "GET /v1/tokens" not in shown.text
    assert shown.page.get_by_role("button", name="New token").count() == 0
    assert shown.page.get_by_role("group", name="The audit log").count() == 0
    assert shown.violations() == []


PATHS = [path for path, _ in WALKED.values()] + ["/alerts", "/alerts/a", "/docs"]


@pytest.mark.parametrize("path", PATHS)
def test_whoever_is_bound_sees_nothing_of_others_on_any_page_and_none_breaks(
    path: str, guarded: Site, look: Open
) -> None:
    shown = look(path, OF_RISK["admin"], guarded)
    assert HIDDEN not in shown.page.content()
    assert "has a mistake" not in shown.text
    assert shown.page.get_by_role("alert").count() == 0, shown.text


@pytest.mark.parametrize("path", ["", "/configuration", "/performance", "/compare", "/signals/volume"])
def test_a_model_of_others_is_to_them_as_none(path: str, guarded: Site, look: Open) -> None:
    shown = look(f"/models/{HIDDEN}{path}", OF_RISK["viewer"], guarded)
    shown.page.get_by_role("alert").first.wait_for()
    shown.allow_refusals()
    for nobodys in ("no model is named", "there is no configuration of"):
        if nobodys in shown.text:
            break
    else:
        pytest.fail(shown.text)
    assert f"{HIDDEN}-team" not in shown.text


def test_whoever_is_bound_to_nothing_sees_both(guarded: Site, look: Open) -> None:
    shown = look("/", VIEWER, guarded)
    shown.page.get_by_role("link", name=HIDDEN).first.wait_for()
    assert f"{HIDDEN}-team" in shown.page.content()
