"""What people do on pages: look closer, go back, take figures home, and say what an alarm was, if they may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from monitor.values import DAY_MS
from sinks.store.contract import Query
from sinks.store.rows import rows_of
from tests.api.world import HOUR_MS, step
from tests.web.browser.looking import Look, Open
from tests.web.browser.site import EDITOR, HOSTILE, LONG, NOW_MS, VIEWER, Site, drifted, serving_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Request, Route

SIGNAL = "/models/fraud/signals/feature%3Aamount"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Site]:
    """A service that asks who is there."""
    with serving_site(drifted(asks_for_tokens=True)) as site:
        yield site


def test_what_is_shown_stands_in_the_address_and_the_way_back_works(look: Open) -> None:
    shown = look("/models/fraud")
    page = shown.page
    page.get_by_role("link", name="Day", exact=True).click()
    page.wait_for_url("**/models/fraud?span=1d")
    page.get_by_text("13 May 2024, 17:00 to 14 May 2024, 17:00").wait_for()
    page.go_back()
    page.get_by_text("7 May 2024, 17:00 to 14 May 2024, 17:00").wait_for()
    page.goto(f"{page.url}?from={NOW_MS - HOUR_MS * 48}&to={NOW_MS}")
    page.get_by_text("12 May 2024, 17:00 to 14 May 2024, 17:00").first.wait_for()
    time = page.locator("main time").first
    assert time.get_attribute("title") == "2024-05-12 08:00:00 UTC", "Tokyo is nine hours ahead"


def test_the_heat_map_is_read_and_followed_by_keyboard(look: Open) -> None:
    shown = look("/models/fraud")
    field = shown.page.locator(".heat .field")
    field.focus()
    field.press("ArrowLeft")
    assert "3.0× what matters, in drift" in shown.page.inner_text(".reading >> nth=0")
    field.press("ArrowDown")
    assert "amount, " in shown.page.inner_text(".reading >> nth=0")
    field.press("Enter")
    shown.page.wait_for_url("**/signals/**at=**")
    shown.page.get_by_text("still alarmed").first.wait_for()


def test_the_signal_says_first_from_what_to_what_it_changed(look: Open) -> None:
    shown = look(SIGNAL)
    verdict = shown.page.get_by_role("region", name="What changed")
    verdict.get_by_text("mean 5").wait_for()
    first = verdict.inner_text().splitlines()[0]
    assert first.startswith("mean 52.")
    assert "→ 61." in first
    chart = shown.page.get_by_role("group", name="Arrow keys read the values")
    chart.focus()
    for key in ("ArrowLeft", *["PageUp"] * 3, "Enter"):
        chart.press(key)
    verdict.locator(".badge", has_text="quiet").wait_for()
    assert "at=" in shown.page.url


def test_figures_are_taken_home_and_no_spreadsheet_runs_them(look: Open) -> None:
    shown = look(SIGNAL)
    with shown.page.expect_download() as download:
        shown.page.get_by_role("button", name="CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0] == "time,effect,threshold,in drift"
    assert lines[-1] == "2024-05-14T08:00:00.000Z,0.6,0.2,0.6"
    with shown.page.expect_download() as download:
        shown.page.get_by_role("button", name="PNG").click()
    assert Path(download.value.path()).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    cells = shown.page.evaluate(
        """async () => { const blobs = []; URL.createObjectURL = (blob) => { blobs.push(blob); return 'blob:x'; };
        HTMLAnchorElement.prototype.click = () => {};
        const { saveCsv } = await import([...document.scripts].at(-1).src.replace('bundle/pages.js', 'lib/save.js'));
        saveCsv([['name', ['=1+1', 'a,"b']], ['n', [-1, null]]], 'x');
        return await blobs[0].text(); }"""
    )
    assert cells == 'name,n\r\n\'=1+1,-1\r\n"a,""b",\r\n'


def test_what_was_expected_is_a_band_with_what_there_was_on_it(look: Open) -> None:
    shown = look("/models/fraud/signals/volume")
    card = shown.page.get_by_role("region", name="What was expected, and what there was")
    chart = card.get_by_role("group", name="volume of fraud: events. Arrow keys read the values")
    chart.focus()
    chart.press("ArrowLeft")
    legend = card.locator(".legend")
    legend.get_by_text("was 42", exact=True).wait_for()
    low, high = (float(end) for end in legend.locator("output").last.inner_text().split(" to "))
    assert low < 42 < high
    with shown.page.expect_download() as download:
        card.get_by_role("button", name="CSV").click()
    head, *lines = Path(download.value.path()).read_text().splitlines()
    assert head == 'time,was,expected at that hour,"nothing alarms within, from","nothing alarms within, to"'
    assert lines[-1].startswith("2024-05-14T08:00:00.000Z,42,4")
    card.get_by_role("button", name="Table").click()
    card.get_by_role("columnheader", name="nothing alarms within, from").wait_for()
    assert shown.violations() == []


def test_deployments_and_versions_are_marks_on_the_axes_of_time(look: Open) -> None:
    shown = look("/models/fraud")
    shown.page.get_by_role("cell", name="version v8 begins").wait_for()
    events = shown.page.get_by_role("region", name="Events")
    assert [each.inner_text() for each in events.locator(".legend li").all()[1:]] == ["deployment", "version"]
    field = shown.page.locator(".heat .field")
    field.focus()
    readings = []
    for _ in range(20):
        field.press("ArrowLeft")
        readings.append(shown.page.inner_text(".reading >> nth=0"))
    assert sum("version v8 begins" in each for each in readings) == 1


def test_who_may_says_that_a_level_is_the_new_normal(guarded: Site, look: Open) -> None:
    shown = look(SIGNAL, EDITOR, guarded)
    shown.page.get_by_role("button", name="Accept as new normal").click()
    dialog = shown.page.get_by_role("dialog")
    assert shown.violations() == []
    dialog.get_by_role("textbox").fill(f"prices rose {HOSTILE}")
    dialog.get_by_role("button", name="Accept as new normal").click()
    dialog.wait_for(state="detached")
    [mark] = rows_of(guarded.world.store.read(Query("marks", {"signal": "feature:amount"})))
    assert (mark["says"], mark["created_by"], mark["reason"]) == ("accepted", "ann", f"prices rose {HOSTILE}")


def test_who_may_not_is_offered_nothing(guarded: Site, look: Open) -> None:
    shown = look(SIGNAL, VIEWER, guarded)
    shown.page.get_by_text("vic (viewer)").wait_for()
    shown.page.get_by_text("still alarmed").first.wait_for()
    assert shown.page.get_by_role("button", name="Accept as new normal").count() == 0
    assert shown.page.get_by_role("button", name="Mark as false alarm").count() == 0


def test_an_alert_that_fires_appears_by_itself(site: Site, look: Open) -> None:
    shown = look("/models/fraud")
    shown.page.get_by_text("One alert fires").wait_for()
    site.world.add("alerts", [step("b", 0, "firing", NOW_MS, title="score 0.2 → 0.9", starts_ms=NOW_MS)])
    shown.page.get_by_text("2 alerts fire").wait_for()
    site.world.add("alerts", [step("b", 1, "resolved", NOW_MS + 1, title="score 0.2 → 0.9", starts_ms=NOW_MS)])
    shown.page.get_by_text("One alert fires").wait_for()


def test_both_sides_of_a_comparison_are_whole_panes_and_hours_of_which_none_is_on_both(look: Open) -> None:
    ends = ("from", "to", "against_from", "against_to")
    queries: dict[str, list[dict[str, int]]] = {"/v1/compare": [], "/v1/performance": []}

    def note(request: Request) -> None:
        address = urlsplit(request.url)
        if address.path in queries:
            query = parse_qs(address.query)
            queries[address.path].append({name: int(query[name][0]) for name in ends if name in query})

    shown = look("/models/fraud")
    shown.page.on("request", note)
    # when
    shown.page.goto(shown.page.url + "/compare")
    shown.page.get_by_text("Every metric").wait_for()
    # then
    now, day_ago, two_days_ago = (NOW_MS - days * DAY_MS for days in range(3))
    sides = {"from": day_ago, "to": now, "against_from": two_days_ago, "against_to": day_ago}
    assert queries["/v1/compare"] == [sides]
    of_metrics = sorted(queries["/v1/performance"], key=lambda query: query["from"])
    assert of_metrics == [{"from": two_days_ago, "to": day_ago}, {"from": day_ago, "to": now}]


def test_two_versions_or_spans_are_compared(look: Open) -> None:
    shown = look("/models/fraud/compare?way=week")
    shown.page.get_by_text("now: 13 May 2024, 17:00").wait_for()
    shown.page.get_by_text("before: 6 May 2024, 17:00").wait_for()
    shown.page.get_by_role("combobox", name="Compare").select_option("before")
    shown.page.get_by_text("before: 12 May 2024, 17:00").wait_for()
    row = shown.page.get_by_role("row").filter(has_text="feature:country").first
    assert "62.5 % → " in row.inner_text()


def test_the_alert_that_is_shown_is_the_one_that_was_false(look: Open) -> None:
    with serving_site(drifted(asks_for_tokens=True)) as site:
        moved = [{"signal": "feature:amount", "segment": "", "version": "v7", "since_ms": NOW_MS - 20 * HOUR_MS}]
        former = {"starts_ms": NOW_MS - 20 * HOUR_MS, "signals": json.dumps(moved)}
        site.world.add("alerts", [step("former", 0, "firing", NOW_MS - 20 * HOUR_MS, **former)])
        over = {"ends_ms": NOW_MS - 18 * HOUR_MS}
        site.world.add("alerts", [step("former", 1, "resolved", NOW_MS - 18 * HOUR_MS, **former, **over)])
        shown = look(f"{SIGNAL}?at={NOW_MS - 19 * HOUR_MS}", EDITOR, site)
        shown.page.get_by_role("button", name="Mark as false alarm").click()
        dialog = shown.page.get_by_role("dialog")
        dialog.get_by_role("button", name="Mark as false alarm").click()
        dialog.wait_for(state="detached")
        [mark] = rows_of(site.world.store.read(Query("marks")))
        assert mark["alert_id"] == "former"


def test_a_token_is_the_password_that_a_browser_asks_for(guarded: Site, browser: Browser) -> None:
    shown = Look.at(browser, guarded.url, "/", http_credentials={"username": "anybody", "password": VIEWER})
    shown.page.locator("#account").get_by_text("vic (viewer)").wait_for()
    assert shown.messages == []
    shown.page.context.close()


def test_evidence_comes_first_where_an_alarm_needs_it(look: Open) -> None:
    def judged_by_evidence(route: Route) -> None:
        answer = route.fetch().json()
        for item in answer["items"]:
            item["worst"] |= {"surprise": 1.0, "surprise_limit": 8.0}
        route.fulfill(json=answer)

    shown = look("/models/fraud")
    shown.page.route("**/v1/history?*", judged_by_evidence)
    shown.page.goto(shown.page.url.replace("/models/fraud", SIGNAL))
    shown.page.get_by_role("region", name="Evidence against its threshold").wait_for()
    shown.page.get_by_role("button", name="Effect", exact=True).click()
    shown.page.get_by_text("with the evidence for it alone").wait_for()


@pytest.mark.parametrize("path", ["/models/fraud", "/models/fraud/performance", "/models/fraud/compare", SIGNAL])
def test_times_that_are_none_are_left_out(path: str, look: Open) -> None:
    odd = "from=-9007199254740991&to=9007199254740991&at=1.5&way=custom&against_from=1&against_to=9007199254740991"
    shown = look(f"{path}?{odd}")
    assert "has a mistake" not in shown.text
    assert shown.page.get_by_role("alert").count() == 0


def test_a_signal_of_one_large_value_is_drawn_and_its_figures_have_an_ending(look: Open) -> None:
    def of_one_value(route: Route) -> None:
        answer = route.fetch().json()
        answer["cells"] = {"low": [2**52], "high": [2**52 + 1], "baseline": [9], "current": [9]}
        route.fulfill(json=answer)

    shown = look("/models/fraud")
    shown.page.route("**/v1/distributions?*", of_one_value)
    shown.page.goto(shown.page.url.replace("/models/fraud", f"/models/fraud/signals/feature%3A{LONG}"))
    shown.page.get_by_role("img", name="histogram").wait_for()
    with shown.page.expect_download() as download:
        shown.page.get_by_role("button", name="CSV").click()
    assert download.value.suggested_filename.endswith(".csv")


def test_an_answer_that_breaks_off_is_asked_for_again(look: Open) -> None:
    shown = look("/silences")
    # What the first look asks for is not to be answered so.
    shown.page.get_by_text("Nobody has subscribed").wait_for()
    shown.page.route("**/v1/whoami", lambda route: route.fulfill(status=429, json={"title": "Later"}), times=1)
    shown.page.route("**/v1/subscriptions", lambda route: route.fulfill(status=200, body="<html>"), times=1)
    shown.page.reload()
    shown.page.get_by_role("alert").get_by_text("This is no answer of the service").wait_for()
    shown.allow_refusals()  # the browser notes the 429
    shown.page.get_by_role("button", name="Try again").click()
    shown.page.get_by_text("Nobody has subscribed").wait_for()


DRAWN_OUTSIDE = """() => {
  window.cut = [];
  const draw = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...rest) {
    const left = this.getTransform().e + x - (this.textAlign === "right" ? this.measureText(text).width : 0);
    if (left < 0) window.cut.push(text);
    return draw.call(this, text, x, y, ...rest);
  };
}"""


def test_no_value_on_an_axis_is_cut_however_long(look: Open) -> None:
    def in_millions(route: Route) -> None:
        items = [
            row | {"currency": "USD", "value": -12_345_678.0 - i, "low": -12_345_690.0 - i, "high": -12_345_600.0 - i}
            for i, row in enumerate(route.fetch().json()["items"])
        ]
        route.fulfill(json={"items": items})

    shown = look("/docs")
    shown.page.add_init_script(f"({DRAWN_OUTSIDE})()")
    shown.page.route("**/v1/performance?*", in_millions)
    shown.page.goto(shown.page.url.removesuffix("/docs") + "/models/fraud/performance?span=7d")
    shown.settle()
    assert shown.page.locator("figure.chart canvas").count() > 0
    assert shown.page.evaluate("window.cut") == []


def test_a_table_that_is_wider_than_the_window_has_a_shadow_where_it_goes_on(look: Open) -> None:
    matchers = [{"name": "model", "value": "fraud", "isRegex": False, "isEqual": True}]
    silence = {"id": "s", "status": {"state": "active"}, "matchers": matchers, "endsAt": "2024-05-15T00:00:00Z"}
    shown = look("/docs")
    shown.page.set_viewport_size({"width": 390, "height": 800})
    named = silence | {"createdBy": "ann", "comment": "nightly loads"}
    shown.page.route("**/api/v2/silences", lambda route: route.fulfill(json=[named]))
    shown.page.goto(shown.page.url.removesuffix("/docs") + "/silences")
    shown.settle()
    table = shown.page.get_by_role("group", name="Kept silences")
    table.evaluate("of => { of.firstElementChild.style.visibility = 'hidden'; }")
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    assert box is not None
    assert table.evaluate("of => of.scrollWidth - of.clientWidth") > 0

    def edges() -> list[bytes]:
        y, height = box["y"] + 5, box["height"] - 10
        ends = (box["x"], box["x"] + box["width"] - 8)
        return [shown.page.screenshot(clip={"x": x, "y": y, "width": 8, "height": height}) for x in ends]

    at_start = edges()
    table.evaluate("of => of.scrollTo(of.scrollWidth, 0)")
    at_end = edges()
    assert at_start[0] != at_end[0]  # a shadow at the left once the beginning is out of sight
    assert at_start[1] != at_end[1]  # and one at the right until the end is in sight
    assert at_start[0] == at_end[1]  # none at either end


NARROW_CELLS = """() => [...document.querySelectorAll('main td')]
  .filter((cell) => cell.textContent.trim().length > 8 && cell.clientWidth < 200).map((cell) => cell.textContent)"""


@pytest.mark.parametrize("path", ["/alerts/a", "/docs"])
def test_a_plain_page_can_be_read_on_a_phone(path: str, look: Open) -> None:
    shown = look(path)
    shown.page.set_viewport_size({"width": 390, "height": 800})
    assert shown.page.locator("main td").count() > 0
    assert shown.page.evaluate(NARROW_CELLS) == []
    assert shown.too_wide_at() == []
    assert shown.violations() == []
