"""Pages say of an alarm what alarmed: in its own words, of its own segment and contrast, and of its own window."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from monitor.values import DAY_MS
from tests.api.world import HOUR_MS, score, step
from tests.web.browser.looking import Look, Open
from tests.web.browser.site import NOW_MS, drifted, serving_site

if TYPE_CHECKING:
    from playwright.sync_api import Route

MODEL = "/models/fraud"
SIGNAL = "/models/fraud/signals/feature%3Aamount"
CONTRAST = {"unit": "share", "alarms_below": None, "alarms_above": None, "judged": "standing"}
ALERT = {
    "alert_id": "a",
    "incident_id": "a",
    "state": "firing",
    "severity": "warning",
    "starts_ms": NOW_MS - HOUR_MS,
    "ends_ms": None,
    "title": "amount moved",
    "contrast": "missing",
    "failure": None,
    "answer": None,
    "answer_before": None,
    "answer_after": None,
    "reason": "feature:amount: share of new values 0 % → 15.7 %, since about 2024-05-14 07:00 UTC; of 42 events",
    "receivers": [],
}


def colours(shown: Look) -> list[list[int]]:
    """The colours of the first row of the heat map, cell by cell."""
    cells: list[list[int]] = shown.page.evaluate(
        """() => { const canvas = document.querySelector('.heat canvas'), wide = canvas.width;
        const row = canvas.getContext('2d').getImageData(0, 27 * devicePixelRatio, wide, 1).data;
        return [0, 1, 2, 3].map((at) => [...row.slice(4 * Math.floor((at + 0.5) * wide / 4)).slice(0, 4)]); }"""
    )
    return cells


def test_only_cells_with_windows_in_drift_have_its_colour(look: Open) -> None:
    def in_four_cells(route: Route) -> None:
        answer = route.fetch().json()
        row = answer["items"][0] | {"cell_ms": DAY_MS, "first_cell_ms": NOW_MS - 4 * DAY_MS}
        answer["items"] = [row | {"strengths": [1.0, 4.0, 4.0, 0.0], "drift_cells": [0, 1]}]
        route.fulfill(json=answer)

    shown = look("/docs")
    shown.page.route("**/v1/heatmap?*", in_four_cells)
    shown.page.goto(shown.page.url.removesuffix("/docs") + MODEL)
    shown.settle()
    is_warm = [red > blue for red, _, blue, _ in colours(shown)]
    assert is_warm == [True, True, False, False]
    field = shown.page.locator(".heat .field")
    field.focus()
    for key in ("ArrowLeft", "ArrowLeft"):
        field.press(key)
    assert "4.0× what matters, without an alarm" in shown.page.inner_text(".reading >> nth=0")


def test_every_transition_of_an_alert_has_its_own_words_and_time(look: Open) -> None:
    with serving_site(drifted()) as site:
        begun = {"starts_ms": NOW_MS - 8 * HOUR_MS}
        quiet = {"ends_ms": NOW_MS - 3 * HOUR_MS}
        site.world.add("alerts", [step("b", 0, "firing", NOW_MS - 7 * HOUR_MS, **begun, title="recall fell to 13 %")])
        site.world.add("alerts", [step("b", 1, "updated", NOW_MS - 5 * HOUR_MS, **begun, title="recall fell to 17 %")])
        over = begun | quiet | {"title": "recall fell to 16 %"}
        site.world.add("alerts", [step("b", 2, "resolved", NOW_MS - HOUR_MS, **over)])
        shown = look("/incidents/b", of=site)
        shown.page.get_by_text("over: recall").wait_for()
        steps = [each.inner_text() for each in shown.page.locator(".course li").all()]
    of_recall = [text.replace("\n", " ") for text in steps if "recall" in text]
    for text, expected in zip(
        of_recall,
        [
            "first window of: recall fell to 13 %",
            "fired (warning): recall fell to 13 %",
            "updated (warning): recall fell to 17 %",
            "quiet from here on: recall fell to 16 %",
            "over: recall fell to 16 %",
        ],
        strict=True,
    ):
        assert text.endswith(expected)
    assert "16:00" in of_recall[-1], "an hour before five in Tokyo"


def test_evidence_of_a_bucket_is_its_largest_and_leads_to_the_window_that_has_it(look: Open) -> None:
    largest_ms = NOW_MS - 2 * HOUR_MS

    def judged_by_evidence(route: Route) -> None:
        answer = route.fetch().json()
        asked = parse_qs(urlsplit(route.request.url).query)
        if "step" not in asked:
            window = {"surprise": 1.5, "window_end_ms": NOW_MS}
            answer["items"] = [window, {"surprise": 27.7, "window_end_ms": largest_ms}]
        for item in answer["items"] if "step" in asked else []:
            item |= {"statistic_max": 27.7, "windows": 6, "bucket_start_ms": item["bucket_end_ms"] - 6 * HOUR_MS}
            item["worst"] |= {"surprise": 1.5, "surprise_limit": 9.9}
        route.fulfill(json=answer)

    shown = look("/docs")
    shown.page.route("**/v1/history?*", judged_by_evidence)
    shown.page.goto(shown.page.url.removesuffix("/docs") + SIGNAL)
    card = shown.page.get_by_role("region", name="Evidence against its threshold")
    chart = card.get_by_role("group", name="Arrow keys read the values")
    chart.focus()
    chart.press("ArrowLeft")
    card.locator(".legend").get_by_text("27.7").first.wait_for()
    chart.press("Enter")
    shown.page.wait_for_url(f"**at={largest_ms}")


@pytest.mark.parametrize(
    ("alert", "values", "headline"),
    [
        (ALERT, {"missing": 0.5}, "missing: 0 % → 50.0 %"),
        (
            ALERT | {"contrast": "share of new values"},
            {"share of new values": None},
            "share of new values 0 % → 15.7 % \n",
        ),
        (
            ALERT | {"failure": "stuck", "answer": "0.03", "answer_before": 0.09, "answer_after": 1.0},
            {"missing": 0.0},
            "stuck at 0.03: 9.00 % → 100 % of its answers",
        ),
    ],
)
def test_the_first_line_is_about_what_the_alert_is_about(
    alert: dict[str, Any], values: dict[str, float | None], headline: str, look: Open
) -> None:
    def of_an_alert(route: Route) -> None:
        answer = route.fetch().json()
        spread = {"contrast": "spread", "unit": "factor", "expected": 0.97, "actual": 0.87, "judged": "levels"}
        moved = [{**CONTRAST, "contrast": name, "expected": 0.0, "actual": value} for name, value in values.items()]
        answer["contrasts"] = [{**spread, "alarms_below": 0.5, "alarms_above": 2.0}, *moved]
        route.fulfill(json=answer | {"outcome": "stands", "alerts": [alert]})

    shown = look("/docs")
    shown.page.route("**/v1/explain?*", of_an_alert)
    shown.page.goto(shown.page.url.removesuffix("/docs") + SIGNAL)
    verdict = shown.page.get_by_role("region", name="What changed")
    verdict.get_by_text("still alarmed").wait_for()
    shown.settle()
    assert verdict.locator(".first").inner_text().startswith(headline)


def test_of_a_span_the_first_line_is_about_its_last_alarm_or_its_newest_window(look: Open) -> None:
    alarmed_ms = NOW_MS - 30 * HOUR_MS

    def alarmed_once(route: Route) -> None:
        answer = route.fetch().json()
        for item in answer["items"]:
            item["statuses"] |= {"drift": int(item["bucket_end_ms"] == alarmed_ms)}
        route.fulfill(json=answer)

    def explained(shown: Look) -> list[int]:
        asked: list[str] = []
        shown.page.on("request", lambda each: asked.append(each.url))
        shown.page.goto(f"{site}{SIGNAL}?from={NOW_MS - 48 * HOUR_MS}&to={NOW_MS - 12 * HOUR_MS}")
        shown.page.get_by_role("region", name="What changed").wait_for()
        shown.settle()
        return [int(parse_qs(urlsplit(url).query)["at"][0]) for url in asked if "/v1/explain" in url]

    shown = look("/docs")
    site = shown.page.url.removesuffix("/docs")
    assert set(explained(shown)) == {NOW_MS - 13 * HOUR_MS - 1}
    shown.page.goto(f"{site}/docs")
    shown.page.route("**/v1/history?*", alarmed_once)
    assert alarmed_ms - 1 in explained(shown)


def test_what_moved_most_is_said_in_the_words_of_its_own_segment(look: Open) -> None:
    with serving_site(drifted()) as site:
        germany = {"signal": "feature:amount", "segment": "country=DE", "version": "v7"}
        moved = {"detector": "change", "status": "drift", "effect": 0.9, "min_effect": 0.2, "window_ms": HOUR_MS}
        site.world.add("scores", [score(0, **germany, **moved, window_end_ms=NOW_MS)])
        signals = [{**germany, "reason": "in DE 85.2 → 30.6"}, {**germany, "segment": "", "reason": "in all 1 → 2"}]
        fired = {"starts_ms": NOW_MS - HOUR_MS, "signals": json.dumps(signals)}
        site.world.add("alerts", [step("c", 0, "firing", NOW_MS, **fired)])
        shown = look(MODEL, of=site)
        card = shown.page.get_by_role("region", name="What moved most")
        row = card.get_by_role("row").filter(has_text="country=DE")
        row.get_by_text("in DE 85.2 → 30.6").wait_for()
        assert "in all" not in row.inner_text()
        shown = look(f"{MODEL}?segment=country%3DDE", of=site)
        card = shown.page.get_by_role("region", name="What moved most, segment country=DE")
        card.get_by_text("in DE 85.2 → 30.6").wait_for()
        assert card.locator("tbody tr").count() == 1


def test_a_chosen_segment_is_asked_for_wherever_figures_are(look: Open) -> None:
    shown = look("/docs")
    asked: dict[str, list[str]] = {}
    shown.page.on("request", lambda each: asked.setdefault(urlsplit(each.url).path, []).append(each.url))
    shown.page.goto(shown.page.url.removesuffix("/docs") + f"{MODEL}?segment=country%3DDE")
    shown.settle()
    for path in ("/v1/heatmap", "/v1/top", "/v1/performance", "/v1/history"):
        assert [parse_qs(urlsplit(url).query)["segment"] for url in asked[path]] == [["country=DE"]]
