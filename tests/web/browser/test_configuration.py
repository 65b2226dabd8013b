"""The page of a model's configuration: what holds and why, what a change would do, and who may make it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from monitor.api.configuration_diff import Backtested, BacktestedAlert
from monitor.clock import ManualClock
from monitor.configurations.log import Change, ConfigurationLog, Version
from monitor.values import DAY_MS
from tests.api.world import HOUR_MS
from tests.web.browser.governed import DOCUMENT, FILE, FILED, filed, governed
from tests.web.browser.looking import Look, Open
from tests.web.browser.site import EDITOR, HOSTILE, MARKUP, NOW_MS, VIEWER, Site, drifted, serving_site

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Route

PATH = "/models/fraud/configuration"
BACKTEST = Backtested(
    from_ms=NOW_MS - 7 * DAY_MS,
    to_ms=NOW_MS,
    fired_before=1,
    fired_now=2,
    false_alarms_allowed=7 / 30,
    alerts=[
        BacktestedAlert(which=which, starts_ms=NOW_MS - hours * HOUR_MS, title=f"amount {which} {MARKUP}")
        for which, hours in (("both", 9), ("only now", 5))
    ],
    not_judged={HOSTILE: "kept in other cells"},
)
DAYS, DIFF = "**/configuration?*days=7*", "**/configuration/diff?*days=7*"
CHECK, APPLY = "Check, and see what it does", "Apply …"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Site]:
    """A service that asks who is there, with a model of the API and one of a file."""
    with serving_site(filed(governed(drifted(asks_for_tokens=True)))) as site:
        yield site


@pytest.fixture(autouse=True)
def _as_before(guarded: Site) -> Iterator[None]:
    """Every test begins with the same document in force."""
    yield
    log_of(guarded).put(Change("fraud", DOCUMENT, author="ann", reason="as it was"))


def log_of(site: Site) -> ConfigurationLog:
    return ConfigurationLog(site.world.store, ManualClock(NOW_MS))


def newest(site: Site) -> Version:
    version = log_of(site).newest("fraud")
    assert version is not None
    return version


def text_of(shown: Look) -> Locator:
    return shown.page.get_by_role("textbox", name="The model's document, YAML")


def foretell(route: Route) -> None:
    """Answer what a backtest would: it takes minutes, and has tests of its own."""
    from playwright.sync_api import Error

    try:
        answer = route.fetch(url=route.request.url.replace("days=7", "days=0")).json()
    except Error as error:
        # The page has gone on, and does not wait for it any more.
        if "disposed" not in str(error):
            raise
        return
    answer.get("difference", answer)["backtest"] = BACKTEST.model_dump()
    route.fulfill(json=answer)


def apply(shown: Look, reason: str) -> None:
    shown.page.get_by_role("button", name=APPLY).click()
    dialog = shown.page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill(reason)
    dialog.get_by_role("button", name="Apply", exact=True).click()


def test_who_may_not_change_it_reads_all_of_it_and_is_offered_nothing(guarded: Site, look: Open) -> None:
    shown = look(f"{PATH}?to=2", VIEWER, guarded)
    shown.page.get_by_text("To change it takes the role editor").wait_for()
    shown.page.get_by_text("spec.detect.false_alarms.per_ms").wait_for()
    assert text_of(shown).input_value() == DOCUMENT
    assert not text_of(shown).is_editable()
    for name in (CHECK, APPLY, "Roll back"):
        assert shown.page.get_by_role("button", name=name).count() == 0
    assert f"quieter {HOSTILE}" in shown.text
    assert shown.page.locator("img[src=x]").count() == 0
    assert shown.violations() == []


def test_a_configuration_of_a_file_says_so_and_is_not_changed_here(guarded: Site, look: Open) -> None:
    shown = look(f"/models/{FILED}/configuration", EDITOR, guarded)
    shown.page.get_by_text("A file owns this configuration: it is not changed here.").wait_for()
    assert FILE in shown.text
    shown.page.get_by_text("What holds, and what says it").wait_for()
    assert not text_of(shown).is_editable()
    assert shown.page.get_by_role("button", name=CHECK).count() == 0


def test_every_value_says_where_it_comes_from(guarded: Site, look: Open) -> None:
    shown = look(PATH, VIEWER, guarded)
    row = shown.page.get_by_role("row").filter(has_text="spec.detect.false_alarms")
    row.get_by_role("button").click()
    line = DOCUMENT.splitlines().index("  detect:") + 1
    at = text_of(shown).evaluate("(area) => area.value.slice(0, area.selectionStart).split('\\n').length")
    assert DOCUMENT.splitlines()[at - 1] == "    false_alarms: 1 per 30d"
    assert at > line
    shown.page.get_by_role("button", name="Leeway's defaults too").click()
    shown.page.get_by_label("Find").fill("detect.pane")
    assert "Leeway's default" in shown.page.get_by_role("row").filter(has_text="spec.detect.pane").inner_text()


def test_the_key_under_the_cursor_is_explained_and_mistakes_stand_at_their_lines(guarded: Site, look: Open) -> None:
    shown = look(PATH, EDITOR, guarded)
    wrong = DOCUMENT.replace("window: 1h", "window: soon").replace("rule: change", "rul: change")
    text_of(shown).fill(wrong)
    shown.page.get_by_role("button", name=CHECK).click()
    mistakes = shown.page.get_by_role("alert")
    mistakes.get_by_text("2 mistakes").wait_for()
    shown.allow_refusals()
    lines = [number for number, line in enumerate(wrong.splitlines(), 1) if "soon" in line or "rul:" in line]
    buttons = mistakes.get_by_role("button").all_inner_texts()
    assert [int(text.split()[1].strip(",")) for text in buttons] == lines
    numbers = shown.page.inner_text(".written pre").split()
    assert [text for text in numbers if text.startswith("▲")] == [f"▲{line}" for line in lines]
    assert shown.violations() == []
    mistakes.get_by_role("button").last.click()
    explained = shown.page.get_by_role("group", name="What may stand here")
    explained.get_by_text("spec.detect.defaults.window").wait_for()
    text_of(shown).press("Home")
    text_of(shown).press("Enter")
    text_of(shown).press("ArrowUp")
    explained.get_by_text("Keys that may stand here").wait_for()
    assert newest(guarded).document == DOCUMENT


def test_a_change_is_seen_before_it_is_applied_with_a_reason_and_taken_back(guarded: Site, look: Open) -> None:
    shown = look(PATH, EDITOR, guarded)
    version = newest(guarded).version
    changed = DOCUMENT.replace("1 per 30d", "1 per 1d")
    text_of(shown).fill(changed)
    shown.page.route(DAYS, foretell)
    shown.page.get_by_role("button", name=CHECK).click()
    shown.page.get_by_text("One value differs").wait_for()
    shown.page.get_by_text("7 of 7 signals restart learning").wait_for()
    alerts = shown.page.get_by_role("group", name="Alerts that fired, or would have")
    alerts.get_by_text(f"amount only now {MARKUP}").wait_for()
    assert "would have fired" in alerts.get_by_role("row").nth(2).inner_text()
    assert "fired, and would again" in alerts.get_by_role("row").nth(1).inner_text()
    assert shown.violations() == []
    shown.page.reload()
    shown.settle()
    assert text_of(shown).input_value() == changed, "the page can be left"
    shown.page.get_by_role("button", name=CHECK).click()
    apply(shown, f"louder {MARKUP}")
    shown.page.get_by_text(f"Version {version + 1} is accepted").wait_for()
    applied = newest(guarded)
    assert (applied.document, applied.author, applied.reason) == (changed, "ann", f"louder {MARKUP}")
    row = shown.page.get_by_role("row").filter(has_text="the first one")
    row.get_by_role("button", name="Roll back").click()
    dialog = shown.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Roll back to version 1").click()
    shown.page.get_by_text(f"Version {version + 2} is as version 1 was").wait_for()
    assert "1 per 7d" in newest(guarded).document
    assert newest(guarded).reason == "back to version 1"


def test_what_is_to_know_of_a_period_is_said_before_it_is_applied(guarded: Site, look: Open) -> None:
    shown = look(PATH, EDITOR, guarded)
    shown.page.route(DAYS, foretell)
    period = "{kind: period, from: 2033-01-01T00:00Z, to: 2033-02-01T00:00Z}"
    text_of(shown).fill(f"{DOCUMENT}  baseline: {period}\n")
    shown.page.get_by_role("button", name=CHECK).click()
    shown.page.get_by_text("nothing is compared with it before 2033-02-01").wait_for()


def test_whoever_was_faster_is_named_with_what_they_changed(guarded: Site, look: Open) -> None:
    shown = look(PATH, EDITOR, guarded)
    mine = DOCUMENT.replace("1 per 30d", "1 per 2d")
    text_of(shown).fill(mine)
    shown.page.get_by_role("button", name=CHECK).click()
    shown.page.get_by_role("button", name=APPLY).wait_for()
    theirs = Change("fraud", DOCUMENT.replace("1h", "2h"), author="bob", reason=f"slower {MARKUP}")
    log_of(guarded).put(theirs)
    apply(shown, "louder")
    shown.page.get_by_role("dialog").get_by_text("Someone changed it meanwhile").wait_for()
    shown.allow_refusals()
    shown.page.keyboard.press("Escape")
    conflict = shown.page.get_by_role("alert").filter(has_text="Someone changed it meanwhile")
    conflict.get_by_text("spec.detect.defaults.window").first.wait_for()
    assert f"by bob, 14 May 2024, 17:00: slower {MARKUP}" in conflict.inner_text()
    assert newest(guarded).author == "bob"
    conflict.get_by_role("button", name="Go on with my text").click()
    shown.page.get_by_role("button", name=CHECK).click()
    apply(shown, "louder, all the same")
    shown.page.get_by_text("is accepted").wait_for()
    assert newest(guarded).document == mine


def test_what_takes_long_says_so_and_can_be_stopped(guarded: Site, look: Open) -> None:
    held: list[Route] = []
    shown = look(PATH, EDITOR, guarded)
    shown.page.route(DIFF, lambda route: held.append(route))  # noqa: PLW0108
    shown.page.goto(f"{shown.page.url}?from=1&to=2")
    shown.page.get_by_label("in the last").select_option("7")
    shown.page.get_by_role("progressbar", name="Working out what would have fired").wait_for()
    shown.page.get_by_text("One value differs").wait_for()
    assert shown.violations() == []
    shown.page.get_by_role("button", name="Stop waiting").click()
    shown.page.get_by_text("Stopped.").wait_for()
    shown.page.route(DIFF, foretell)
    shown.page.get_by_role("button", name="Work it out").click()
    shown.page.get_by_text("False alarms accepted").wait_for()


PLACES = {
    "spec:\n  det^ect:\n    window: 1h\n": (["spec", "detect"], False),
    "spec:\n  detect:\n    ^\n": (["spec", "detect"], True),
    "spec:\n  detect:\n    window: 1h\n  ^": (["spec"], True),
    "spec:\n  sources:\n  - http: x\n    event_time: {path: ts, un^it: ms}\n": (
        ["spec", "sources", 0, "event_time", "unit"],
        False,
    ),
    "spec:\n  sources:\n    - http: x\n    - kafka: {a: 1, ^}\n": (["spec", "sources", 1, "kafka"], True),
    'features: {"a: b": {ty^pe: numeric}, c: {}}': (["features", "a: b", "type"], False),
    "features: {x: 1,\n  y: {range: [0, ^200]}}\ndetect: 1\n": (["features", "y", "range", 1], False),
    "owner: |\n  long: text^\nx: 1": (["owner"], False),
    '{"kind": "x", "spec": {"det^ect": {}}}': (["spec", "detect"], False),
    "metadata: {name: orders}\nspe^": ([], True),
    "rules:\n- on: 'a:*'\n  use:\n  - psi^": (["rules", 0, "use", 0], True),
    "# a: {\nb: 1^": (["b"], False),
    "a: 'it''s' # {\nb: {c: '}', ^}": (["b"], True),
}
"""Texts with the cursor at `^`: the keys above it, and whether a key may be written there."""


def test_the_keys_above_the_cursor_are_read_from_any_text(guarded: Site, look: Open) -> None:
    shown = look("/silences", VIEWER, guarded)
    read = shown.page.evaluate(
        """async (texts) => {
        const module = [...document.scripts].at(-1).src.replace('bundle/pages.js', 'editor/key_path.js');
        const { pathAt } = await import(module);
        const at = (text) => pathAt(text.replace('^', ''), text.indexOf('^'));
        return texts.map(at).map(({ path, isNew }) => [path, isNew]); }""",
        list(PLACES),
    )
    assert dict(zip(PLACES, map(tuple, read), strict=True)) == PLACES
