"""What people do on pages: find the model that needs a look, say what an alert was, retry, run and pause."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from monitor.clock import SystemClock
from monitor.config import Model, Service
from monitor.values import DAY_MS
from sinks.store.contract import Query
from sinks.store.rows import rows_of
from tests.api.world import HOUR_MS, score, step
from tests.web.browser.looking import Open
from tests.web.browser.operated import operated
from tests.web.browser.site import EDITOR, FEATURES, HOSTILE, LONG, MARKUP, NOW_MS, VIEWER, Site, drifted, serving_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

MODELS = 1_000


def rows(site: Site, table: str, **where: Any) -> list[dict[str, Any]]:
    return rows_of(site.world.store.read(Query(table, where)))


@pytest.fixture(scope="module")
def large(browser: Browser) -> Iterator[Site]:
    """A thousand models, of which one fires."""
    world = drifted()
    fraud = world.configuration.models["fraud"]
    models = {f"m{n:04d}": _named(fraud, f"m{n:04d}", "abc"[n % 3]) for n in range(MODELS)}
    world.configuration = replace(world.configuration, models=models)
    windows = [score(0, model=name, signal="volume", window_end_ms=NOW_MS, window_ms=HOUR_MS) for name in models]
    world.add("scores", windows)
    world.add("alerts", [step("z", 0, "firing", NOW_MS, model="m0777", severity="critical", title="volume 9 → 0")])
    with serving_site(world) as site:
        yield site


def _named(model: Model, name: str, namespace: str) -> Model:
    metadata = model.metadata.model_copy(update={"name": name, "namespace": namespace, "labels": {"tier": "1"}})
    return model.model_copy(update={"metadata": metadata})


def test_of_a_thousand_models_the_one_that_fires_comes_first_and_few_are_drawn(large: Site, look: Open) -> None:
    shown = look("/", of=large)
    models = shown.page.locator(".fleet li")
    models.first.wait_for()
    assert "m0777" in models.first.inner_text()
    assert "volume 9 → 0" in models.first.inner_text()
    assert models.count() < MODELS / 2
    while models.count() < MODELS:
        count = models.count()
        shown.page.get_by_role("button", name="Show more").scroll_into_view_if_needed()
        shown.page.wait_for_function("(count) => document.querySelectorAll('.fleet li').length > count", arg=count)
    assert shown.page.get_by_role("button", name="Show more").count() == 0


def test_models_are_found_by_words_and_namespace_and_the_address_says_so(large: Site, look: Open) -> None:
    shown = look("/", of=large)
    shown.page.get_by_label("Find").fill("m012 TIER=1")
    shown.page.get_by_text("10 of 1,000 shown").wait_for()
    shown.page.get_by_label("Namespace").select_option("b")
    shown.page.wait_for_function("() => document.querySelectorAll('.fleet li').length === 3")
    again = look(shown.page.url.removeprefix(large.url), of=large)
    assert again.page.locator(".fleet li").count() == 3
    again.page.get_by_role("button", name="1 fire").click()
    again.page.get_by_text("No model is like that.").wait_for()


def test_the_front_is_a_text_for_whoever_does_not_ask_for_a_page(site: Site, look: Open) -> None:
    answer = look("/").page.request.get(f"{site.url}/", headers={"Accept": "*/*"})
    assert answer.headers["content-type"].startswith("text/plain")
    assert "/v1/alerts" in answer.text()


def test_an_incident_says_what_changed_since_when_why_and_who_knows(look: Open) -> None:
    shown = look("/incidents/a")
    shown.page.get_by_text("the receiver took it").wait_for()
    shown.page.get_by_text("feature:amount 50.1 → 60.2").wait_for()
    text = shown.text
    assert text.index("warning, since 14 May 2024, 08:00") < text.index("Likely cause: deployment")
    assert shown.page.locator(".course li").all_inner_texts()[0].endswith(f"deployment {MARKUP}")
    assert shown.page.locator("a[href^=javascript]").count() == 0
    shown.page.get_by_role("link", name="feature:amount", exact=True).click()
    shown.page.wait_for_url("**/models/fraud/signals/**")


def test_what_people_say_of_an_alert_is_kept(site: Site, look: Open) -> None:
    shown = look("/incidents/a")
    dialog = shown.page.get_by_role("dialog")
    shown.page.get_by_role("button", name="I take it on").click()
    shown.page.get_by_label("Your name").fill("ann")
    shown.page.get_by_label("What you do about it").fill("rolling back")
    shown.page.get_by_role("button", name="Take it on", exact=True).click()
    shown.page.get_by_text("taken on by ann").wait_for()
    assert [row["comment"] for row in rows(site, "acknowledgements")] == ["rolling back"]
    shown.page.get_by_role("button", name="Give it back").click()
    dialog.get_by_role("button", name="Give it back").click()
    shown.page.get_by_text("taken on by ann").wait_for(state="detached")

    shown.page.get_by_role("button", name="False alarm").click()
    dialog.get_by_role("checkbox").nth(1).uncheck()
    dialog.get_by_label("Why").fill(MARKUP)
    dialog.get_by_role("button", name="False alarm").click()
    shown.page.get_by_text("False alarm (ann)").wait_for()
    assert [(row["signal"], row["says"]) for row in rows(site, "marks")] == [("feature:amount", "false")]

    shown.page.get_by_role("button", name="Silence …").click()
    dialog.get_by_label("Why").fill("known")
    dialog.get_by_label("What").select_option("model fraud")
    dialog.get_by_role("button", name="Silence").click()
    shown.page.get_by_text("Silent until").wait_for()
    assert [row["matchers"] for row in rows(site, "silences")] == ['model="fraud"']


def test_a_change_that_is_refused_says_why_and_keeps_what_was_written(look: Open) -> None:
    shown = look("/incidents/a")
    shown.page.get_by_role("button", name="Accept as new normal").click()
    dialog = shown.page.get_by_role("dialog")
    dialog.get_by_label("Why").fill("x")
    dialog.get_by_label("Your name").fill("ann")
    shown.page.route("**/v1/marks", lambda route: route.fulfill(status=409, json={"title": "No", "detail": "not now"}))
    dialog.get_by_role("button", name="Accept as new normal").click()
    dialog.get_by_role("alert").wait_for()
    assert "not now" in dialog.inner_text()
    assert dialog.get_by_label("Why").input_value() == "x"
    shown.page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    shown.allow_refusals()  # the browser notes the 409


@pytest.mark.parametrize("secret", [VIEWER, EDITOR])
def test_who_may_not_is_not_offered_it_and_refused_it(secret: str, look: Open) -> None:
    world = operated(drifted(asks_for_tokens=True))
    with serving_site(world) as site:
        headers = {"Authorization": f"Bearer {secret}"}
        shown = look("/incidents/a", secret, site)
        shown.page.get_by_text("the receiver took it").wait_for()
        shown.page.get_by_text("feature:amount 50.1 → 60.2").wait_for()
        may = secret == EDITOR
        assert shown.page.get_by_role("button", name="I take it on").count() == int(may)
        assert shown.page.get_by_role("button", name=re.compile("False alarm|normal|Silence")).count() == 3 * may
        taken = shown.page.request.post(f"{site.url}/v1/incidents/a/ack", data={"created_by": "vic"}, headers=headers)
        assert taken.status == (200 if may else 403)
        pipeline = look("/pipeline", secret, site)
        pipeline.page.get_by_text("Dead letters").wait_for()
        assert pipeline.page.get_by_role("button", name=re.compile("Retry|Run|Pause")).count() == 0


def test_dead_letters_are_put_back_and_jobs_run_and_pause(site: Site, look: Open) -> None:
    shown = look("/pipeline")
    shown.page.get_by_role("button", name="Retry all that are shown").click()
    dialog = shown.page.get_by_role("dialog")
    dialog.get_by_label("Your name").fill("ann")
    dialog.get_by_role("button", name="Retry").click()
    shown.page.get_by_text("3 of 3 put back on the stream.").wait_for()
    assert site.world.retried == [(MARKUP, 0, 2), (MARKUP, 0, 1), (MARKUP, 0, 0)]

    job = shown.page.get_by_role("row").filter(has_text="keep_lifetimes")
    job.get_by_role("button", name="Run now").click()
    shown.page.get_by_role("dialog").get_by_role("button", name="Run keep_lifetimes now").click()
    job.get_by_text("Asked for.").wait_for()
    job.get_by_role("button", name="Pause").click()
    shown.page.get_by_label("Why").fill("moving")
    shown.page.get_by_role("dialog").get_by_role("button", name="Pause keep_lifetimes").click()
    job.get_by_text("by ann: moving").wait_for()
    job.get_by_role("button", name="Resume").click()
    shown.page.get_by_role("dialog").get_by_role("button", name="Resume keep_lifetimes").click()
    job.get_by_text("by ann: moving").wait_for(state="detached")
    assert [row["asked_by"] for row in rows(site, "job_runs", outcome="asked")] == ["ann"]


def test_what_keeps_leeway_from_being_ready_comes_first(site: Site, look: Open) -> None:
    site.world.reasons.append(f"the source {MARKUP} does not answer")
    try:
        shown = look("/pipeline")
        shown.page.get_by_text("Leeway is not ready").wait_for()
        assert f"the source {MARKUP} does not answer" in shown.text
        assert all("503" in message for message in shown.messages)
        shown.allow_refusals()
    finally:
        site.world.reasons.clear()


def test_a_rollout_shows_what_may_be_concluded(look: Open) -> None:
    shown = look("/rollouts")
    shown.page.get_by_text("candidate v8 beside champion v7").wait_for()
    assert "hold: not decided" in shown.text
    assert re.search(r"Difference\s+0\.\d+ %", shown.text)
    assert shown.page.locator(".chart canvas").count() == 1


def test_performance_says_which_versions_differ_and_how_sure_that_is(look: Open) -> None:
    shown = look("/models/fraud/performance?span=7d")
    shown.page.get_by_text("differs by version").first.wait_for()
    assert re.search(r"recall differs by version: v7 9\d\.\d %, v8 [3-5]\d\.\d %", shown.text)
    assert re.search(r"recall.*?in this time\s+8\d\.\d %\s+8\d\.\d % to 8\d\.\d %", shown.text, flags=re.DOTALL)


def test_only_shares_are_written_as_percent(look: Open) -> None:
    shown = look("/models/fraud/performance?span=7d")
    recall = next(
        row
        for row in shown.page.request.get(f"{shown.page.url.split('/models')[0]}/v1/performance?model=fraud").json()[
            "items"
        ]
        if row["metric"] == "recall"
    )
    names = ["pinball", "value_per_event", "ndcg", "specificity"]
    items = [recall | {"metric": name, "value": 0.5, "low": 0.25, "high": 0.75} for name in names]
    shown.page.route("**/v1/performance?*", lambda route: route.fulfill(json={"items": items}))
    shown.page.reload()
    shown.page.get_by_role("region", name="pinball").get_by_text("0.25 to 0.75").wait_for()
    shown.page.get_by_role("region", name="ndcg").get_by_text("0.25 to 0.75").wait_for()
    shown.page.get_by_role("region", name="value_per_event").get_by_text("0.25 to 0.75").wait_for()
    shown.page.get_by_role("region", name="specificity").get_by_text("25.0 % to 75.0 %").wait_for()


def test_an_estimator_that_is_muted_says_so_where_its_metric_is(look: Open) -> None:
    day = {"signal": "estimated:r", "metric": "recall", "estimate": 0.9, "low": 0.8, "high": 1.0, "realised": None}
    muted = {"muted_since_ms": NOW_MS - HOUR_MS, "muted_because": f"0.6 of {MARKUP}"}
    heard = {"muted_since_ms": None, "muted_because": ""}
    items = [
        day | {"to_ms": NOW_MS - DAY_MS} | heard,
        day | {"to_ms": NOW_MS} | muted,
        day | {"to_ms": NOW_MS - DAY_MS, "signal": "estimated:heard"} | muted,
        day | {"to_ms": NOW_MS, "signal": "estimated:heard"} | heard,
    ]
    shown = look("/models/fraud/performance?span=7d")
    shown.page.route("**/v1/estimates?*", lambda route: route.fulfill(json={"items": items}))
    shown.page.reload()
    shown.page.get_by_role("region", name="recall").get_by_text("estimated:r muted").wait_for()
    assert f"0.6 of {MARKUP}" in shown.text
    assert "estimated:heard" not in shown.text
    assert shown.violations() == []


def test_a_finding_on_a_segment_says_which_it_is_and_a_row_of_all_models_leads_to_its_configuration(look: Open) -> None:
    finding = {"event_ms": NOW_MS, "detector": "adwin", "status": "drift", "value": 1.0}
    items = [finding | {"topic": "t", "partition": 0, "offset": n, "segment": ["", MARKUP][n]} for n in (0, 1)]
    shown = look("/")
    shown.page.route("**/v1/findings?*", lambda route: route.fulfill(json={"items": items}))
    shown.page.get_by_role("list", name="Models").get_by_role("link", name="configuration").click()
    shown.page.wait_for_url("**/models/fraud/configuration")
    shown.page.goto(shown.page.url.replace("/configuration", "/signals/feature%3Aamount"))
    shown.settle()
    _, everywhere, somewhere = shown.page.get_by_role("region", name="Findings").get_by_role("row").all_inner_texts()
    assert ("all traffic" in everywhere, MARKUP in somewhere) == (True, True)


def test_parts_whose_metrics_cannot_be_read_are_not_said_to_run(look: Open) -> None:
    shown = look("/docs")
    shown.allow_refusals()
    shown.page.route("**/metrics", lambda route: route.fulfill(status=503))
    shown.page.goto(shown.page.url.replace("/docs", "/pipeline"))
    shown.settle()
    stages = shown.page.get_by_role("region", name="Stages").inner_text()
    assert ("all run" in stages, stages.count("unknown")) == (False, 3)


def test_a_silence_is_made_and_ended_and_what_is_no_matcher_is_said(site: Site, look: Open) -> None:
    shown = look("/silences")
    shown.page.get_by_role("button", name="New silence").click()
    dialog = shown.page.get_by_role("dialog")
    dialog.get_by_label("Labels").fill("fraud")
    dialog.get_by_label("Why").fill(MARKUP)
    dialog.get_by_label("Your name").fill("bob")
    dialog.get_by_role("button", name="Silence").click()
    dialog.get_by_text("That is no matcher").wait_for()
    dialog.get_by_label("Labels").fill('model="fraud"\nseverity!~"critical|none"')
    dialog.get_by_role("button", name="Silence").click()
    row = shown.page.get_by_role("row").filter(has_text="severity!~critical|none")
    row.get_by_text("pending").wait_for()  # the clock of the service stands still, years before that of the browser
    row.get_by_role("button", name="End").click()
    dialog.get_by_role("button", name="End the silence").click()
    row.get_by_text("Ended.").wait_for()
    (kept,) = rows(site, "silences", created_by="bob")
    assert (kept["matchers"], kept["ends_ms"]) == ('model="fraud",severity!~"critical|none"', NOW_MS)


def test_what_was_chosen_is_what_is_sent_whatever_fires_meanwhile(look: Open) -> None:
    with serving_site(drifted()) as site:
        shown = look("/incidents/a", of=site)
        shown.page.get_by_role("button", name="False alarm").click()
        dialog = shown.page.get_by_role("dialog")
        dialog.get_by_role("checkbox").first.uncheck()
        since_ms = NOW_MS - 9 * HOUR_MS
        names = [f"feature:{name}" for name in FEATURES]
        moved = [{"signal": name, "segment": "", "version": "v7", "since_ms": since_ms} for name in names]
        site.world.add("alerts", [step("a", 1, "updated", NOW_MS, starts_ms=since_ms, signals=json.dumps(moved))])
        shown.page.get_by_text(f"feature:{LONG}").first.wait_for()
        dialog.get_by_label("Your name").fill("ann")
        shown.page.route("**/v1/marks", lambda route: route.fulfill(status=429, json={"title": "Later"}), times=1)
        dialog.get_by_role("button", name="False alarm").click()
        dialog.get_by_role("alert").wait_for()
        shown.allow_refusals()  # the browser notes the 429
        assert [each.is_checked() for each in dialog.get_by_role("checkbox").all()] == [False, True]
        dialog.get_by_role("button", name="False alarm").click()
        shown.page.get_by_text("False alarm (ann)").wait_for()
        assert [row["signal"] for row in rows(site, "marks")] == [f"feature:{HOSTILE}"]


def test_marks_are_of_the_signals_that_are_named_beside_what_is_of_no_signal(look: Open) -> None:
    def with_a_silence(route: Route) -> None:
        detail = route.fetch().json()
        detail["alert"]["signals"].insert(0, {"kind": "stream", "since_ms": NOW_MS - 9 * HOUR_MS})
        route.fulfill(json=detail)

    with serving_site(drifted()) as site:
        shown = look("/incidents/a", of=site)
        shown.page.route("**/v1/alerts/a", with_a_silence)
        shown.page.reload()
        shown.page.get_by_role("button", name="It was real").click()
        dialog = shown.page.get_by_role("dialog")
        dialog.get_by_role("checkbox").last.uncheck()
        dialog.get_by_label("Your name").fill("ann")
        dialog.get_by_role("button", name="It was real").click()
        shown.page.get_by_text("Real (ann)").wait_for()
        assert [row["signal"] for row in rows(site, "marks")] == ["feature:amount"]


def test_a_service_without_room_for_a_stream_is_not_said_to_be_away(look: Open) -> None:
    world = drifted()
    service = Service.model_validate({"spec": {"api": {"max_streams": 1}}})
    world.configuration = replace(world.configuration, service=service)
    with serving_site(world) as site:
        look("/models/fraud", of=site)
        shown = look("/models/fraud", of=site)
        asked: list[str] = []
        shown.page.on("request", lambda request: asked.append(request.url))
        shown.page.wait_for_timeout(2_500)
        assert shown.page.get_by_text("The service does not answer").count() == 0
        assert asked == []
        shown.allow_refusals()  # the browser notes the 503


def test_silences_begin_by_the_clock_of_the_service(site: Site, look: Open) -> None:
    shown = look("/silences")
    shown.page.clock.set_fixed_time("2030-01-01T00:00:00Z")
    shown.page.reload()
    shown.page.get_by_role("button", name="New silence").click()
    dialog = shown.page.get_by_role("dialog")
    dialog.get_by_label("Labels").fill("model=clocks")
    dialog.get_by_label("Why").fill("x")
    dialog.get_by_label("Your name").fill("ann")
    dialog.get_by_role("button", name="Silence").click()
    shown.page.get_by_text("Silent until").wait_for()
    [kept] = rows(site, "silences", matchers='model="clocks"')
    assert abs(kept["starts_ms"] - SystemClock().now_ms()) < 600_000
