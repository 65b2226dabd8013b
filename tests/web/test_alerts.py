"""The page that the links in messages lead to."""

from __future__ import annotations

import html
import json
import re
import shlex
from dataclasses import replace
from typing import Any

import pytest

from monitor.api.app import ROUTERS
from monitor.routing.message import annotations_of
from monitor.web import PAGES
from sinks.store.contract import Query
from sinks.store.rows import rows_of
from tests.api.world import Client, World, step

HOSTILE = "<script>alert(1)</script> & 'x'"


@pytest.fixture
def world() -> World:
    world = World()
    moved = '[{"signal":"feature:amount","segment":"country=DE","since_ms":2000,"reason":"amount 3.3 → 5.0"}]'
    world.add(
        "alerts",
        [
            step("a", 0, "firing", 2_000, title=HOSTILE, signals=moved),
            step("b", 0, "firing", 1_000),
            step("b", 1, "resolved", 3_000),
        ],
    )
    sent = {"alert_id": "a", "sequence": 0, "receiver": "mail/0", "outcome": "delivered", "at_ms": 2_500, "attempts": 1}
    world.add("notifications", [sent])
    return world


def client(world: World) -> Client:
    return Client(world, routers=(*ROUTERS, *PAGES))


def test_the_link_of_a_message_leads_to_what_moved_and_what_to_do(world: World) -> None:
    (row,) = rows_of(world.store.read(Query("alerts", {"alert_id": "a"})))
    link = annotations_of(row, "http://leeway")["dashboard"]
    answer = client(world).get(link.removeprefix("http://leeway"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for text in ("amount 3.3 → 5.0", "country=DE", "since 1970-01-01 00:00", "leeway ack a", "mail/0", "delivered"):
        assert text in answer.text
    assert "leeway explain fraud feature:amount --at 1999" in answer.text


def commands_of(alert_id: str, *steps: dict[str, Any]) -> dict[str, list[str]]:
    """The commands on an alert's page as a shell reads them, by their verb."""
    world = World()
    world.add("alerts", list(steps))
    shown = re.findall(r"<code>(leeway [^<]*)</code>", client(world).get(f"/alerts/{alert_id}").text)
    commands = [shlex.split(html.unescape(command)) for command in shown]
    return {command[1]: command[2:] for command in commands}


def test_the_commands_on_an_alerts_page_ask_about_its_own_series() -> None:
    """Without them, `explain` takes the version with most events, and `accept` every version and all traffic."""
    segment = "city=Bad Homburg; rm -rf $HOME,tier=it's"
    moved = {"signal": "feature:amount", "version": "v2 <new>", "segment": segment, "reason": "amount 3.3 → 5.0"}
    commands = commands_of("a", step("a", 0, "firing", 2_000, signals=json.dumps([moved])))
    for verb in ("explain", "history", "accept"):
        assert {"--version=v2 <new>", f"--segment={segment}"} < set(commands[verb])


def test_a_series_of_all_traffic_and_every_version_needs_no_more_words() -> None:
    moved = {"signal": "volume", "version": "", "segment": "", "reason": "fewer"}
    commands = commands_of("a", step("a", 0, "firing", 2_000, signals=json.dumps([moved])))
    assert commands["explain"] == ["fraud", "volume", "--at", "1999"]
    assert commands["accept"] == ["fraud", "volume", "--reason", "…"]


AMOUNTS = json.dumps(
    [
        {"signal": "feature:amount", "version": "v1", "segment": segment, "last_ms": 2_000, "alarmed": True}
        for segment in ("land=DE", "", "land=AT", "land=CH", "land=FR")
    ]
)
"""What moved in an alert whose title names the whole: a segment did so most."""


def acceptances(world: World) -> list[list[str]]:
    """The commands on the page of alert `a` that accept a level, as a shell reads them."""
    shown = re.findall(r"<code>(leeway accept [^<]*)</code>", client(world).get("/alerts/a").text)
    return [shlex.split(html.unescape(command))[2:] for command in shown]


def accepted(segment: str, effective_ms: int, says: str = "accepted") -> dict[str, Any]:
    return {
        "model": "fraud",
        "id": f"{segment}{effective_ms}",
        "signal": "feature:amount",
        "segment": segment,
        "says": says,
        "from_ms": 1_000,
        "created_by": "ann",
        "effective_ms": effective_ms,
    }


def test_the_level_that_the_title_names_is_accepted_first_and_each_by_a_command_of_its_own() -> None:
    world = World()
    world.add("alerts", [step("a", 0, "firing", 2_000, signals=AMOUNTS)])
    text = client(world).get("/alerts/a").text
    whole, *segments = acceptances(world)
    assert whole == ["fraud", "feature:amount", "--version=v1", "--reason", "…"]
    assert [words[3] for words in segments] == [f"--segment=land={land}" for land in ("DE", "AT", "CH")]
    assert "and 1 more" in text
    assert "if the new level of feature:amount [land=DE] [v1] is right" in text
    assert "leeway explain fraud feature:amount --at 1999 --version=v1<" in text, "about what the title names, too"


def test_a_level_that_is_accepted_is_not_offered_again_unless_it_alarms_again() -> None:
    world = World()
    world.add("alerts", [step("a", 0, "firing", 2_000, signals=AMOUNTS)])
    # The first has no effect yet, the second has; the third did before it alarmed again, the fourth was no acceptance.
    marks = [accepted("", 0), accepted("land=DE", 3_000), accepted("land=AT", 1_500), accepted("land=CH", 0, "real")]
    world.add("marks", marks)
    assert [words[3] for words in acceptances(world)] == ["--segment=land=AT", "--segment=land=CH", "--segment=land=FR"]


def test_what_is_accepted_is_said_and_what_is_planned_only_is_offered_still() -> None:
    world = World()
    world.add("alerts", [step("a", 0, "firing", 2_000, signals=AMOUNTS)])
    planned = accepted("land=FR", 4_102_444_800_000) | {"from_ms": 4_102_444_800_000}
    marks = [accepted("land=DE", 3_000), accepted("land=AT", 1_500), planned]
    world.add("marks", [mark | {"reason": "prices <rose>"} for mark in marks])
    text = client(world).get("/alerts/a").text
    assert text.count("accepted by ann: prices &lt;rose&gt;") == 3
    assert "; it has alarmed again since" in text
    assert "; not yet, it alarms until then" in text
    assert [words[3] for words in acceptances(world)][1:] == [f"--segment=land={land}" for land in ("AT", "CH", "FR")]


def test_what_went_quiet_has_no_level_to_accept_and_an_alert_that_is_over_neither() -> None:
    world = World()
    moved = [signal | {"alarmed": signal["segment"] == "land=DE"} for signal in json.loads(AMOUNTS)]
    world.add("alerts", [step("a", 0, "firing", 2_000, signals=json.dumps(moved))])
    assert [words[3] for words in acceptances(world)] == ["--segment=land=DE"]
    world.add("alerts", [step("a", 1, "resolved", 3_000, signals=AMOUNTS)])
    assert acceptances(world) == []


def test_every_command_asks_the_service_where_people_reach_it() -> None:
    world = World()
    world.add("alerts", [step("a", 0, "firing", 2_000, signals=AMOUNTS)])
    spec = world.configuration.service.spec.model_copy(update={"external_url": "https://leeway.example.org/x"})
    service = world.configuration.service.model_copy(update={"spec": spec})
    world.configuration = replace(world.configuration, service=service)
    commands = re.findall(r"<code>(leeway [^<]*)</code>", client(world).get("/alerts/a").text)
    assert len(commands) == 8
    assert all(command.endswith(" --url https://leeway.example.org/x") for command in commands)


def test_why_an_alert_that_is_over_alarmed_is_asked_of_a_window_that_did() -> None:
    steps = [step("b", 0, "firing", 2_000), step("b", 1, "updated", 5_000), step("b", 2, "resolved", 9_000)]
    assert commands_of("b", *steps)["explain"] == ["fraud", "feature:amount", "--at", "4999"]


def test_what_alerts_say_is_text_and_nothing_on_the_page_runs(world: World) -> None:
    for path, scripts in (("/alerts", 1), ("/alerts/a", 0)):
        answer = client(world).get(path)
        assert answer.text.count("<script") == scripts, "our own, which draws the page"
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_what_fires_is_listed_first(world: World) -> None:
    text = client(world).get("/alerts").text
    assert text.index('href="alerts/a"') < text.index('href="alerts/b"')
    assert "There are none." in client(World()).get("/alerts").text


def test_an_alert_that_is_not_there_is_a_page_too(world: World) -> None:
    answer = client(world).get("/alerts/nope%22%3E")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "no alert has the id" in answer.text


def test_an_alert_that_another_system_posted_shows_what_that_says() -> None:
    world = World()
    signals = '[{"annotations":{"summary":"payments are down","runbook":"http://x"},"link":"http://prom"}]'
    world.add("alerts", [step("p", 0, "firing", 2_000, model="_posted", signals=signals)])
    text = client(world).get("/alerts/p").text
    assert "payments are down" in text
    assert "leeway explain" not in text


def test_a_silence_and_a_verdict_on_a_rollout_have_a_page_with_what_to_do(world: World) -> None:
    silence = '[{"kind":"model","topic":"","partition":0,"since_ms":5,"reason":"no events for 5 min"}]'
    silent = step("s", 0, "firing", 2_000, signals=silence, labels='{"alertname":"LeewayFreshness"}')
    world.add("freshness_alerts", [silent])
    verdict = '[{"signal":"missing:amount","since_ms":5,"reason":"missing:amount 1 % → 5 %"}]'
    labels = '{"alertname":"LeewayRollout","rollout":"4f1c"}'
    world.add("alerts", [step("r", 0, "firing", 2_000, signals=verdict, labels=labels)])
    shown = {"s": ("no events for 5 min", "leeway ack s"), "r": ("1 % → 5 %", "leeway rollout status 4f1c")}
    for alert_id, texts in shown.items():
        answer = client(world).get(f"/alerts/{alert_id}")
        assert (answer.status_code, [text for text in texts if text not in answer.text]) == (200, [])
        assert "leeway accept" not in answer.text
