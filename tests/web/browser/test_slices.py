"""What a model got wrong beside the rest, on the page, and single events for those who may see them."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.web.browser.looking import Look, Open
from tests.web.browser.operated import FORMULA, operated
from tests.web.browser.site import EDITOR, HOSTILE, MARKUP, VIEWER, drifted, serving_site

if TYPE_CHECKING:
    from playwright.sync_api import Route

SLICES = "/models/fraud/compare?way=slices"


def test_what_it_got_wrong_is_ranked_and_single_events_are_shown(look: Open, tmp_path: Path) -> None:
    shown = look(SLICES)
    page = shown.page
    page.get_by_text("signals differ by more than what matters").wait_for()
    assert "predicted wrongly" in shown.text
    page.get_by_text("labelled events of 240 that are stored").wait_for()
    first = page.get_by_role("row").nth(1)
    assert first.get_by_role("link").inner_text() in (f"feature:{HOSTILE}", "feature:country")
    page.get_by_role("button", name="Show single events").click()
    table = page.get_by_role("group", name="Single events", exact=True)
    table.wait_for()
    assert page.locator("img[src=x]").count() == 0
    assert shown.violations() == []
    assert shown.unreached() == []
    with page.expect_download() as download:
        page.get_by_role("region", name="Single events").get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "events.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "events.csv").read_text())))
    assert {row["feature:country"] for row in rows} == {"DE", f"'{FORMULA}"}
    assert shown.too_wide_at() == []


def test_slices_are_chosen_and_stand_in_the_address(look: Open) -> None:
    shown = look(SLICES)
    page = shown.page
    page.get_by_role("combobox", name="events", exact=True).select_option("label=yes")
    page.get_by_text("label 'yes'").first.wait_for()
    page.get_by_role("combobox", name="beside").select_option("all")
    page.get_by_text("all labelled events").first.wait_for()
    assert "slice=label%3Dyes&against=all" in page.url
    page.get_by_role("combobox", name="events", exact=True).select_option("worst")
    page.get_by_text("the 10% with the largest squared error").first.wait_for()


def test_a_slice_that_is_not_there_is_said_with_a_way_out(look: Open) -> None:
    shown = look(f"{SLICES}&slice=over")
    shown.page.get_by_role("alert").wait_for()
    assert "there is no slice 'over' of binary predictions" in shown.text
    shown.page.get_by_role("button", name="Show what it got wrong").click()
    shown.page.get_by_text("signals differ by more than what matters").wait_for()
    shown.allow_refusals()


def test_single_events_are_for_editors_alone(look: Open) -> None:
    with serving_site(operated(drifted(asks_for_tokens=True))) as site:
        for secret, buttons in ((VIEWER, 0), (EDITOR, 1)):
            shown = look(SLICES, secret, site)
            shown.page.get_by_text("signals differ by more than what matters").wait_for()
            shown.page.wait_for_load_state("networkidle")
            assert shown.page.get_by_role("button", name="Show single events").count() == buttons


def test_where_no_events_are_kept_the_page_says_what_to_configure(look: Open) -> None:
    with serving_site(drifted()) as site:
        shown = look(SLICES, of=site)
        shown.page.get_by_text("has no `spec.performance`").wait_for()
        assert shown.page.get_by_role("alert").count() == 0
        shown.allow_refusals()
        whole = look("/models/fraud/compare", of=site)
        whole.page.get_by_text("How good the model is on either side is not known").wait_for()


@pytest.fixture
def versions(look: Open) -> Look:
    return look("/models/fraud/compare?way=version&version=v8&against_version=v7&span=7d")


def test_how_good_both_sides_are_is_said_in_words_first(versions: Look) -> None:
    versions.page.get_by_text("right ").first.wait_for()
    assert "by " in versions.text
    assert "labels; the 95 % intervals do not touch" in versions.text
    versions.page.get_by_text("Every metric").click()
    assert "worse" in versions.page.get_by_role("group", name="Metrics of both sides").inner_text()


def test_where_two_sides_differ_is_shown_hour_by_hour_and_by_segment(look: Open) -> None:
    def with_a_segment(route: Route) -> None:
        answer = route.fetch().json()
        answer["items"].append(answer["items"][0] | {"segment": MARKUP})
        route.fulfill(json=answer)

    shown = look("/models/fraud")
    page = shown.page
    page.route("**/v1/series?*", with_a_segment)
    page.goto(page.url + "/compare")
    page.get_by_role("button", name="By segment").click()
    row = page.get_by_role("group", name="Divergence by signal and segment").get_by_role("row").nth(1)
    assert re.search(r"feature:country\s+[\d.]+×\s+–", row.inner_text())
    page.get_by_role("button", name="Hour by hour").click()
    field = page.get_by_role("group", name="Divergence by signal and time")
    field.wait_for()
    field.press("ArrowRight")
    page.get_by_text("what matters").last.wait_for()
    assert shown.violations() == []
    assert shown.too_wide_at() == []
