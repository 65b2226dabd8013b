"""Why a window alarmed or did not is told from what is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sinks.store.contract import Columns, Query
from sinks.store.memory import MemoryStore
from tests.api import hours
from tests.api.test_status import fill
from tests.api.test_status import watched as fraud
from tests.api.world import Client, World, score, serving, step
from tests.cli.console import Console
from tests.monitor.streams import HOUR_MS, START_MS

QUIET = 10 * 24 + 7
"""An hour of the last day before anything changes."""


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(hours.world())


def explained(client: Client, hour: int, signal: str = "feature:amount", **asked: Any) -> dict[str, Any]:
    at_ms = hours.end_ms(hour) - 1
    answer = client.get("/v1/explain", model="loans", signal=signal, at=str(at_ms), **asked)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    document["by_name"] = {contrast["contrast"]: contrast for contrast in document["contrasts"]}
    return document


def test_a_window_that_alarmed_says_what_was_expected_and_what_there_was(client: Client) -> None:
    window = explained(client, hours.OUTAGE[0])
    assert (window["outcome"], window["n"]) == ("alarmed", hours.PER_HOUR)
    assert window["evidence"] > window["threshold"]
    missing = window["by_name"]["missing"]
    assert (missing["unit"], missing["expected"]) == ("share", 0)
    assert 0.5 < missing["actual"] < 1
    assert 0 < missing["alarms_above"] < missing["actual"]
    assert missing["alarms_below"] is None
    # The values that are left are ordinary ones.
    assert 10 < window["by_name"]["typical value"]["actual"] < 14
    [alert] = window["alerts"]
    assert (alert["state"], alert["incident_id"]) == ("resolved", alert["alert_id"])
    assert (alert["contrast"], alert["failure"]) == ("missing", None)
    assert alert["reason"].startswith("feature:amount: missing 0 % → ")
    assert window["words"][0].endswith("60 events: alarmed")


def test_a_quiet_window_says_what_would_have_been_enough(client: Client) -> None:
    window = explained(client, QUIET)
    assert (window["outcome"], window["alerts"]) == ("quiet", [])
    amount = window["by_name"]["typical value"]
    assert amount["alarms_below"] < amount["actual"] < amount["alarms_above"]
    assert amount["actual"] == pytest.approx(amount["expected"], abs=1)
    [sentence] = [each for each in window["words"] if each.startswith("any of these would have alarmed")]
    assert f"typical value below {amount['alarms_below']:.3g} or above {amount['alarms_above']:.3g}" in sentence
    assert window["words"][-1] == "it belongs to no alert"


def test_what_is_beyond_what_would_have_been_enough_alarms(client: Client) -> None:
    amount = explained(client, hours.CHANGE)["by_name"]["typical value"]
    assert amount["actual"] > amount["alarms_above"] > amount["expected"]


def test_while_an_alarm_stands_its_contrast_is_compared_with_the_new_level(client: Client) -> None:
    window = explained(client, hours.CHANGE + 3)
    assert window["outcome"] == "stands"
    amount = window["by_name"]["typical value"]
    assert (amount["judged"], amount["alarms_above"]) == ("standing", None)
    assert window["by_name"]["spread"]["alarms_above"] is not None
    [alert] = window["alerts"]
    assert alert["state"] == "firing"
    assert any(each.startswith("an alarm stands for typical value") for each in window["words"])


def test_shares_and_volumes_are_explained_too(client: Client) -> None:
    share = explained(client, QUIET, "feature:country")["by_name"]["share of 'DE'"]
    assert share["expected"] == pytest.approx(0.6, abs=0.05)
    assert 0.4 < share["actual"] < 0.8
    events = explained(client, QUIET, "volume")["by_name"]["events"]
    assert events["alarms_below"] < events["actual"] == hours.PER_HOUR < events["alarms_above"]


def test_a_window_that_was_learned_from_says_so(client: Client) -> None:
    window = explained(client, 3)
    assert (window["outcome"], window["contrasts"]) == ("learning", [])
    assert window["words"][1] == "learning: 4 of 10 windows seen"


def test_events_that_came_late_are_counted_beside_the_others() -> None:
    world = World(store=MemoryStore(), configuration=hours.watched())
    hour = {"model": "loans", "signal": "volume", "window_end_ms": hours.end_ms(3), "window_ms": HOUR_MS}
    world.add("scores", [hour | {"detector": "change", "status": "ok", "n": 61}])
    start_ms, shared = hours.end_ms(2), {"model": "loans", "signal": "volume", "topic": "loans", "pane_ms": 300_000}
    panes = [(0, 0, "2", 61), (0, 900_000, "2", 100), (300_000, 1_200_000, "1", 59), (3_600_000, 5_400_000, "2", 7)]
    world.add(
        "panes",
        [
            shared | {"pane_start_ms": start_ms + place, "late_at_ms": late and start_ms + late, "version": v, "n": n}
            for place, late, v, n in panes
        ],
    )
    window = explained(Client(world), 3, "volume")
    assert (window["n"], window["late"]) == (61, 159)
    assert window["words"][1] == "159 more events of this time came late, and count in no window"


def test_a_window_without_late_events_does_not_mention_them(client: Client) -> None:
    window = explained(client, QUIET, "volume")
    assert window["late"] == 0
    assert not any("late" in sentence for sentence in window["words"])


def test_without_the_configuration_it_says_what_was_said_then() -> None:
    world = hours.world()
    world.watches = {}
    window = explained(Client(world), QUIET)
    assert (window["outcome"], window["contrasts"]) == ("quiet", [])
    assert "what was expected at this hour was not stored, or its configuration is not at hand" in window["words"]


def test_of_a_window_without_events_it_says_that_nothing_could_be_compared() -> None:
    world = fraud()
    world.add("scores", [score(60, version="v1", n=0, detector="change", status="drift", window_ms=HOUR_MS)])
    window = Client(world).get("/v1/explain", model="fraud", signal="feature:amount", at="60000").json()
    assert "nothing came in this window that could be compared with what is expected at its hour" in window["words"]
    assert not any("not at hand" in sentence for sentence in window["words"])


def test_it_says_which_version_it_is_about_and_which_others_there_are() -> None:
    world = fraud()
    versions = {"v1": 40, "v2": 90, "": 3}
    world.add("scores", [score(60, version=version, n=n, window_ms=HOUR_MS) for version, n in versions.items()])
    client, asked = Client(world), {"model": "fraud", "signal": "feature:amount", "at": "60000"}
    most = client.get("/v1/explain", **asked).json()
    assert (most["version"], most["n"], most["other_versions"]) == ("v2", 90, ["", "v1"])
    assert most["words"][0].startswith("feature:amount of version v2 in the 1h up to 1970-01-01 01:00 UTC, 90 events")
    assert most["words"][1] == (
        "that is the version with most events; others that have this window: none, v1 (--version)"
    )
    one = client.get("/v1/explain", version="v1", **asked).json()
    assert (one["version"], one["n"], one["other_versions"]) == ("v1", 40, [])
    assert not any("most events" in sentence for sentence in one["words"])


def test_under_another_rule_each_detector_says_its_own() -> None:
    world = fraud(rule="variation")
    world.add("scores", [score(60, status="ok", window_ms=HOUR_MS, detail="not surprising: 0.4 of 3.1")])
    world.add("scores", [score(60, detector="ks", status="drift", window_ms=HOUR_MS, effect=0.3)])
    window = Client(world).get("/v1/explain", model="fraud", signal="feature:amount", at="60000").json()
    assert (window["outcome"], window["contrasts"], window["evidence"]) == ("alarmed", [], None)
    assert window["words"][1:3] == ["ks: effect 0.3 of 0.1, and surprising", "psi: not surprising: 0.4 of 3.1"]
    assert "under `detect.rule: change` only" in window["words"][3]


def test_many_alerts_of_a_window_are_read_together() -> None:
    class Counting(MemoryStore):
        reads = 0

        def read(self, query: Query) -> Columns:
            self.reads += query.table in ("alerts", "decisions")
            return super().read(query)

    def shown(alerts: int) -> tuple[list[str], int]:
        world = fraud(rule="variation")
        world.store = store = Counting()
        world.add("scores", [score(60, status="drift", window_ms=HOUR_MS)])
        fired = [step(f"a{number}", 0, "firing", 30_000 + number) for number in range(alerts)]
        world.add("alerts", [*fired, step("never", 0, "pending", 30_000)])
        window = Client(world).get("/v1/explain", model="fraud", signal="feature:amount", at="60000").json()
        assert {alert["alert_id"]: alert["incident_id"] for alert in window["alerts"]}["never"] is None
        return [alert["incident_id"] for alert in window["alerts"] if alert["incident_id"]], store.reads

    incidents, reads = shown(9)
    assert incidents == ["a0"] * 9
    assert reads == shown(1)[1]


def test_a_segment_that_was_no_news_belongs_to_the_alert_of_its_signal() -> None:
    def asked(status: str) -> dict[str, Any]:
        world = fraud(rule="variation")
        world.add("scores", [score(60, status=status, window_ms=HOUR_MS, segment="country=PL")])
        moved = '[{"signal": "feature:amount", "segment": "", "version": "v1", "reason": "it moved"}]'
        world.add("alerts", [step("a", 0, "firing", 30_000, signals=moved)])
        of = {"model": "fraud", "signal": "feature:amount", "segment": "country=PL", "at": "60000"}
        return dict(Client(world).get("/v1/explain", **of).json())

    joined, quiet = asked("drift"), asked("ok")
    assert [(alert["alert_id"], alert["reason"]) for alert in joined["alerts"]] == [("a", None)]
    assert "it is a part of the alert about feature:amount, to which it was no news when it joined" in joined["words"]
    assert quiet["alerts"] == []
    assert "it belongs to no alert" in quiet["words"]


def test_an_alert_says_what_became_of_it_with_each_receiver_and_skew_what_it_found() -> None:
    world = fill(fraud())
    decided = {"alert_id": "a", "route": "{}", "sequence": 0}
    world.add("decisions", [decided | {"receiver": "pager/0", "at_ms": 1, "why": "delivered"}])
    world.add(
        "decisions", [decided | {"receiver": "pager/0", "at_ms": 2, "why": "silenced", "detail": "by silence q1"}]
    )
    at_min = 3 * 24 * 60
    skewed = {"detector": "skew", "status": "drift", "window_ms": HOUR_MS, "detail": "spread ×1.3"}
    world.add("scores", [score(at_min, **skewed)])
    window = (
        Client(world).get("/v1/explain", model="fraud", signal="feature:amount", at=str(at_min * 60_000 - 1)).json()
    )
    [alert] = window["alerts"]
    assert alert["receivers"] == [{"receiver": "pager/0", "why": "silenced", "detail": "by silence q1"}]
    assert "against the data set that the model was built on: spread ×1.3" in window["words"]


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        ({"model": "loan"}, 404, "no model is named 'loan'; known are loans"),
        ({"signal": "feature:amuont"}, 404, "did you mean 'feature:amount'?"),
        ({"segment": "country=DE"}, 404, "feature:amount has no segment 'country=DE'"),
        ({"version": "v9"}, 404, "feature:amount has no version 'v9'"),
        (
            {"at": str(START_MS - HOUR_MS)},
            404,
            "the nearest after it is from 2024-01-01 00:00 UTC to 2024-01-01 01:00 UTC",
        ),
        ({"at": "2025-01-01"}, 404, "the nearest before it is from 2024-01-11 22:00 UTC to 2024-01-11 23:00 UTC"),
        ({"at": "soon"}, 422, "'soon' is not a time"),
        ({"at": None}, 422, "is required here"),
    ],
    ids=str,
)
def test_where_there_is_nothing_to_explain_it_says_what_there_is(
    client: Client, asked: dict[str, Any], status: int, expected: str
) -> None:
    parameters = {"model": "loans", "signal": "feature:amount", "at": "2024-01-05", **asked}
    answer = client.get("/v1/explain", **{name: value for name, value in parameters.items() if value is not None})
    assert answer.status_code == status
    assert expected in answer.text


def test_the_command_says_it_in_words_and_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    at = str(hours.end_ms(hours.OUTAGE[0]) - 1)
    words = ("explain", "loans", "feature:amount", "--at", at)
    with serving(hours.world()) as url:
        out = Console(capsys)(*words, "--url", url).out
        assert "60 events: alarmed" in out
        assert "alarms by itself below" in out
        document = json.loads(Console(capsys)(*words, "--json", "--url", url).out)
        assert document["outcome"] == "alarmed"
        assert document["scores"][0]["detector"]
        wrong = Console(capsys)("explain", "loans", "feature:amuont", "--at", at, "--url", url)
        assert wrong.code == 2
        assert "did you mean 'feature:amount'?" in wrong.err
