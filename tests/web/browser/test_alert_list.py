"""The list of alerts: what fires first, found by words, page by page, with what can be done; and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from sinks.store.contract import Query
from sinks.store.rows import rows_of
from tests.api.world import HOUR_MS, step
from tests.web.browser.looking import Open
from tests.web.browser.site import EDITOR, HOSTILE, MARKUP, NOW_MS, VIEWER, Site, drifted, serving_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OVER = 60


@pytest.fixture(scope="module")
def listed() -> Iterator[Site]:
    """One alert fires, another one is critical and taken on, and many are over."""
    world = drifted(asks_for_tokens=True)
    critical = step(
        "c", 0, "firing", NOW_MS - HOUR_MS, title="volume 42 → 3", severity="critical", starts_ms=NOW_MS - HOUR_MS
    )
    world.add("alerts", [critical])
    world.add("acknowledgements", [{"alert_id": "c", "sequence": 0, "created_by": "bob"}])
    for number in range(OVER):
        at_ms = NOW_MS - (100 + number) * HOUR_MS
        steps = [("firing", at_ms, 0), ("resolved", at_ms + HOUR_MS, at_ms + HOUR_MS)]
        for sequence, (state, then_ms, ends_ms) in enumerate(steps):
            of_step = {"title": f"number {number}", "starts_ms": at_ms, "ends_ms": ends_ms}
            world.add("alerts", [step(f"o{number}", sequence, state, then_ms, **of_step)])
    with serving_site(world) as site:
        yield site


def test_what_fires_comes_first_and_what_is_over_page_by_page(listed: Site, look: Open) -> None:
    page = look("/alerts", VIEWER, listed).page
    firing, over = (page.get_by_role("list", name=name, exact=True) for name in ("Firing", "Over"))
    assert "volume 42 → 3" in firing.get_by_role("listitem").first.inner_text()
    assert firing.get_by_role("listitem").count() == 2
    firing.get_by_text("taken on by bob").wait_for()
    assert over.get_by_role("listitem").count() == 50
    page.get_by_role("button", name="Show more").click()
    over.get_by_text("number 59").wait_for()
    assert over.get_by_role("listitem").count() == OVER


def test_what_is_looked_for_stands_in_the_address(listed: Site, look: Open) -> None:
    shown = look("/alerts", VIEWER, listed)
    page = shown.page
    page.get_by_role("searchbox", name="Find").fill("NUMBER 7")
    page.wait_for_url("**/alerts?text=NUMBER+7")
    page.get_by_text("No alert is like that.").wait_for()
    shown.settle()
    assert page.get_by_role("list", name="Over").get_by_role("listitem").count() == 6
    page.get_by_label("Severity").select_option("critical")
    page.wait_for_url("**severity=critical")
    page.get_by_role("searchbox", name="Find").fill("")
    page.get_by_text("volume 42 → 3").wait_for()
    page.get_by_role("link", name="Over", exact=True).click()
    page.get_by_text("No alert is like that.").wait_for()
    page.go_back()
    page.get_by_text("volume 42 → 3").wait_for()


def test_who_may_takes_an_alert_on_where_it_is_listed(listed: Site, look: Open) -> None:
    shown = look("/alerts", EDITOR, listed)
    page = shown.page
    page.get_by_role("button", name=f"What to do about amount 50.1 → 60.2 {MARKUP}").click()
    for name in ("Silence …", "False alarm", "It was real", "Accept as new normal"):
        page.get_by_role("button", name=name).wait_for()
    assert shown.violations() == []
    page.get_by_role("button", name="I take it on").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("on it")
    dialog.get_by_role("button", name="Take it on").click()
    page.get_by_text("taken on by ann").wait_for()
    [taken] = rows_of(listed.world.store.read(Query("acknowledgements", {"alert_id": "a"})))
    assert (taken["created_by"], taken["comment"]) == ("ann", "on it")


def test_what_is_taken_on_behind_the_first_page_shows_it(look: Open) -> None:
    """In a storm what is behind the first page changes like the rest."""
    world = drifted(asks_for_tokens=True)
    for number in range(OVER):
        at_ms = NOW_MS - (100 + number) * HOUR_MS
        world.add("alerts", [step(f"f{number}", 0, "firing", at_ms, title=f"number {number}", starts_ms=at_ms)])
    with serving_site(world) as site:
        page = look("/alerts", EDITOR, site).page
        page.get_by_role("button", name="Show more").click()
        page.get_by_role("button", name="What to do about number 58").click()
        page.get_by_role("button", name="I take it on").click()
        page.get_by_role("dialog").get_by_role("button", name="Take it on").click()
        page.get_by_text("taken on by ann").wait_for()
        resolved = {"title": "number 59", "starts_ms": NOW_MS - 159 * HOUR_MS, "ends_ms": NOW_MS}
        world.add("alerts", [step("f59", 1, "resolved", NOW_MS, **resolved)])
        page.get_by_role("list", name="Over").get_by_text("number 59").wait_for()
        firing = page.get_by_role("list", name="Firing", exact=True)
        firing.get_by_text("number 59").wait_for(state="detached")


def chosen(page: Page, button: str, reason: str, confirm: str) -> None:
    """Open what can be done about the alert that fires, give a reason, and do it."""
    toggle = page.get_by_role("button", name="What to do about amount 50.1 → 60.2")
    if toggle.get_attribute("aria-expanded") == "false":
        toggle.click()
    page.get_by_role("button", name=button).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why").fill(reason)
    dialog.get_by_role("button", name=confirm, exact=True).click()
    dialog.wait_for(state="detached")


def test_what_is_decided_on_the_list_is_stored(listed: Site, look: Open) -> None:
    page, store = look("/alerts", EDITOR, listed).page, listed.world.store
    chosen(page, "Silence …", "known", "Silence")
    [silence] = rows_of(store.read(Query("silences")))
    assert (silence["created_by"], silence["comment"]) == ("ann", "known")
    for button, says in (("False alarm", "false"), ("It was real", "real"), ("Accept as new normal", "accepted")):
        chosen(page, button, says, button)
        marks = rows_of(store.read(Query("marks", {"says": says})))
        assert {mark["signal"] for mark in marks} == {"feature:amount", f"feature:{HOSTILE}"}
        assert {(mark["created_by"], mark["reason"], mark["from_ms"]) for mark in marks} == {
            ("ann", says, NOW_MS - 9 * HOUR_MS)
        }


def test_each_filter_leaves_what_is_like_it(listed: Site, look: Open) -> None:
    within = f"from={NOW_MS - 120 * HOUR_MS}&to={NOW_MS - 110 * HOUR_MS}"
    shown = look(f"/alerts?{within}", VIEWER, listed)
    page = shown.page
    shown.allow_refusals()
    over = page.get_by_role("list", name="Over").get_by_role("listitem")
    # Those that started in these hours, and the one that had just not ended.
    assert over.count() == 10
    # What fires now did not fire then: that is no word about now.
    page.get_by_text("No alert is like that.").wait_for()
    page.get_by_label("Held in").select_option("30")
    page.wait_for_url("**/alerts?days=30")
    page.get_by_text("volume 42 → 3").wait_for()
    page.get_by_label("Namespace").fill("risk")
    page.wait_for_url("**namespace=risk**")
    page.get_by_text("volume 42 → 3").wait_for()
    page.get_by_label("Model").fill("fruad")
    page.get_by_text("no model is named 'fruad'; known are fraud").first.wait_for()
    page.get_by_label("Model").fill("fraud")
    page.get_by_text("volume 42 → 3").wait_for()
    assert shown.violations() == []


def test_who_may_not_is_offered_a_page_to_read_alone(listed: Site, look: Open) -> None:
    page = look("/alerts", VIEWER, listed).page
    page.get_by_role("button", name="What to do about volume").click()
    page.get_by_role("link", name="As a plain page").wait_for()
    assert page.get_by_role("button", name="I take it on").count() == 0
    assert page.get_by_role("button", name="Silence …").count() == 0


def test_who_has_no_scripts_reads_the_list_too(site: Site, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/alerts")
    page.get_by_role("link", name="amount 50.1 → 60.2").click()
    page.get_by_role("heading", name="Who was notified").wait_for()
    assert page.url == f"{site.url}/alerts/a"
    context.close()


def test_who_may_subscribes_on_the_page_of_silences(listed: Site, look: Open) -> None:
    shown = look("/silences", EDITOR, listed)
    page = shown.page
    shown.allow_refusals()
    page.get_by_role("button", name="New subscription").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Labels, one on a line").fill("model=fraud\nseverity=critical")
    dialog.get_by_label("Notify").select_option("receiver")
    dialog.get_by_label("Its name or address").fill("nobody")
    dialog.get_by_role("button", name="Subscribe").click()
    dialog.get_by_text("nobody").first.wait_for()
    dialog.get_by_label("Its name or address").fill("log")
    dialog.get_by_role("button", name="Subscribe").click()
    page.get_by_text('model="fraud", severity="critical"').wait_for()
