"""What is watched, since when, and what is blind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from monitor.config import Service
from sinks.store import open_store
from sinks.store.contract import Store
from sinks.store.memory import MemoryStore
from tests.api.world import MINUTE_MS, Client, World, configured, model, score, serving, step
from tests.cli.console import Console

DAY_MIN, HOUR_MIN = 24 * 60, 60
LAST_MIN = 3 * DAY_MIN
MODEL = {"false_alarms": "1 per 30d", "defaults": {"window": "1h"}}
RULES = [{"on": "feature:*", "use": ["psi", {"cusum": {}}]}]


def change(end_min: int, status: str = "ok", **more: Any) -> dict[str, Any]:
    row = {"detector": "change", "status": status, "window_ms": HOUR_MIN * MINUTE_MS, "detail": f"{status} it is"}
    return score(end_min, **row, surprise=1.5, surprise_limit=8.0) | more


def fill(world: World) -> World:
    """Three days of hours: one signal protects, one fires, one is lost after two days, one only ever learns."""
    hours = range(HOUR_MIN, LAST_MIN + 1, HOUR_MIN)
    rows = [change(end, "learning" if end <= 14 * HOUR_MIN else "ok", signal="volume", version="") for end in hours]
    rows += [change(end, "drift" if end > LAST_MIN - 2 * HOUR_MIN else "ok") for end in hours]
    rows += [change(end, signal="feature:country") for end in hours if end <= 2 * DAY_MIN]
    rows += [change(end, "learning", signal="prediction:score") for end in hours]
    # For reading: under this rule it decides nothing, whatever it says.
    rows += [score(end, status="ok") for end in hours]
    world.add("scores", rows)
    ends_ms = LAST_MIN * MINUTE_MS
    world.add("alerts", [step("a", 0, "firing", ends_ms, starts_ms=ends_ms - 3 * HOUR_MIN * MINUTE_MS)])
    world.add("alerts", [step("b", 0, "pending", ends_ms, starts_ms=ends_ms)])
    return world


def watched(store: Store | None = None, **detect: Any) -> World:
    fraud = model("fraud", detect={**MODEL, "rules": RULES, **detect})
    return World(store=store or MemoryStore(), configuration=configured(fraud, model("churn")))


@pytest.fixture(params=["memory", "chdb"], scope="module")
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    store = MemoryStore() if request.param == "memory" else open_store("chdb", str(tmp_path_factory.mktemp("status")))
    world = fill(watched(store))
    store.refresh(0)
    yield Client(world)
    store.close()


def rows_of(client: Client, **asked: Any) -> dict[str, dict[str, Any]]:
    return {row["signal"]: row for row in client.items("/v1/series", model="fraud", **asked)}


def test_what_fires_comes_first_and_what_protects_last(client: Client) -> None:
    items = client.items("/v1/series", model="fraud")
    assert [(row["state"], row["signal"], row["detector"]) for row in items] == [
        ("firing", "feature:amount", "change"),
        ("blind", "feature:country", "change"),
        ("learning", "prediction:score", "change"),
        ("protecting", "volume", "change"),
    ]


def test_protection_begins_with_the_first_window_that_could_have_alarmed(client: Client) -> None:
    rows = rows_of(client)
    assert rows["volume"]["protects_since_ms"] == 15 * HOUR_MIN * MINUTE_MS
    assert rows["feature:amount"]["protects_since_ms"] == HOUR_MIN * MINUTE_MS
    assert rows["prediction:score"]["protects_since_ms"] is None
    counts = {signal: (row["windows"], row["drift_windows"]) for signal, row in rows.items()}
    assert counts == {
        "volume": (72 - 14, 0),
        "feature:amount": (72, 2),
        "feature:country": (48, 0),
        "prediction:score": (0, 0),
    }


def test_a_signal_that_learns_says_when_its_first_window_that_may_alarm_ends(client: Client) -> None:
    rows = rows_of(client)
    # It had more windows and events than it needs; most events have no value of it, and may never have one.
    assert {row["learns_until_ms"] for row in rows.values()} == {None}
    world = watched()
    world.add("scores", [change(end * HOUR_MIN, "learning", signal="volume", version="") for end in (1, 2, 3)])
    [row] = Client(world).items("/v1/series", model="fraud", signal="volume")
    assert row["learns_until_ms"] == 11 * HOUR_MIN * MINUTE_MS


def test_a_signal_of_few_values_learns_for_longer() -> None:
    world, ends = watched(), range(HOUR_MIN, 20 * HOUR_MIN + 1, HOUR_MIN)
    world.add("scores", [change(end, "learning", signal="prediction:score", n=6) for end in ends])
    [row] = Client(world).items("/v1/series", model="fraud", signal="prediction:score")
    # 120 of 200 values in 20 hours: 14 hours more, and then the first that may alarm.
    assert row["learns_until_ms"] == (20 + 14 + 1) * HOUR_MIN * MINUTE_MS


def test_the_newest_window_says_how_near_an_alarm_is(client: Client) -> None:
    row = rows_of(client)["feature:amount"]
    assert (row["evidence"], row["threshold"], row["detail"]) == (1.5, 8.0, "drift it is")
    assert (row["window_end_ms"], row["age_ms"], row["reason"]) == (LAST_MIN * MINUTE_MS, 0, "")


def test_an_alarm_that_stands_says_so_and_since_when(leeway: Console) -> None:
    world, since_ms, ends = watched(), 5 * HOUR_MIN * MINUTE_MS, range(HOUR_MIN, 9 * HOUR_MIN + 1, HOUR_MIN)
    world.add("scores", [change(end, "drift" if end > 5 * HOUR_MIN else "ok") for end in ends])
    world.add("scores", [change(end, signal="volume") for end in ends[:-1]])
    world.add("scores", [change(ends[-1], "drift", signal="volume", surprise=9.0)])
    entry = {"version": "v1", "segment": "", "signal": "feature:amount", "detector": "change", "reason": "amount moved"}
    moved = [entry | {"since_ms": since_ms, "alarmed": True}]
    world.add("alerts", [step("a", 0, "firing", 6 * HOUR_MIN * MINUTE_MS, signals=json.dumps(moved))])
    with serving(world) as url:
        lines = leeway("status", "fraud", "--state", "firing", "--json", "--url", url).lines
        shown = " ".join(leeway("status", "fraud", "--url", url).out.split())
    assert "its alarm stands since 1970-01-01 05:00 UTC, and the evidence is of more; drift it is" in shown
    assert shown.count("stands") == 1
    rows = {line["signal"]: (line["stands"], line["stands_since_ms"]) for line in lines}
    assert rows == {"feature:amount": (True, since_ms), "volume": (False, None)}


def test_a_signal_that_stopped_coming_is_blind_since_then(client: Client) -> None:
    row = rows_of(client)["feature:country"]
    assert row["blind_since_ms"] == 2 * DAY_MIN * MINUTE_MS
    assert row["age_ms"] == DAY_MIN * MINUTE_MS
    assert row["reason"] == "no window since 1970-01-03 00:00 UTC, for 1d"


def test_a_signal_that_never_came_is_blind(client: Client) -> None:
    rows = client.items("/v1/series", model="churn", signal="feature:amount")
    assert {(row["state"], row["reason"], row["window_end_ms"]) for row in rows} == {
        ("blind", "it has had no window yet", None)
    }
    assert {row["detector"] for row in rows} == {"change"}


def test_a_model_without_a_window_says_how_far_its_events_have_come() -> None:
    world = watched()
    place = {"model": "churn", "topic": "churn", "closed_ms": MINUTE_MS}
    newest = ({"partition": 0, "newest_ms": 5 * MINUTE_MS}, {"partition": 1, "newest_ms": 3 * MINUTE_MS})
    world.add("progress", [place | row for row in newest])
    rows = Client(world).items("/v1/series", model="churn")
    assert {(row["state"], row["reason"]) for row in rows} == {
        ("blind", "it has had no window yet; the newest event of its model is of 1970-01-01 00:05 UTC")
    }


def test_a_store_lists_models_that_have_had_events_and_no_window() -> None:
    world = World(configuration=configured())
    world.add("progress", [{"model": "churn", "topic": "churn", "partition": 0, "newest_ms": 5, "closed_ms": 1}])
    assert [row["model"] for row in Client(world).items("/v1/series/summary")] == ["churn"]


def test_alerts_that_somebody_marked_false_are_counted_once_each() -> None:
    world = fill(watched())
    ends_ms = LAST_MIN * MINUTE_MS
    world.add("alerts", [step("c", 0, "firing", ends_ms, starts_ms=ends_ms - MINUTE_MS)])
    marks = [("1", "false", "a"), ("2", "false", "a"), ("3", "real", "c"), ("4", "false", "from before")]
    world.add("marks", [{"id": id_, "model": "fraud", "says": says, "alert_id": alert} for id_, says, alert in marks])
    [row] = Client(world).items("/v1/series/summary", model="fraud")
    assert (row["alerts"], row["marked_false"]) == (2, 1)


@pytest.mark.parametrize(
    ("said", "marked_false"),
    [(("false", "real"), 0), (("real", "false"), 1), (("false", "accepted"), 1), (("false", "harmless", "false"), 1)],
)
def test_the_newest_mark_of_an_alert_says_whether_it_was_false(said: tuple[str, ...], marked_false: int) -> None:
    world = fill(watched())
    marks = [
        {"id": f"{9 - n}", "model": "fraud", "says": says, "alert_id": "a", "updated_ms": n, "effective_ms": 90 - n}
        for n, says in enumerate(said)
    ]
    world.add("marks", marks)
    [row] = Client(world).items("/v1/series/summary", model="fraud")
    assert row["marked_false"] == marked_false


def test_a_model_that_is_asked_for_says_when_each_version_began(client: Client) -> None:
    world = fill(watched())
    world.add("versions", [{"model": "fraud", "version": f"v{n:02}", "first_ms": n} for n in range(60, 0, -1)])
    world.add("versions", [{"model": "churn", "version": "other", "first_ms": 5}])
    [row] = Client(world).items("/v1/series/summary", model="fraud")
    assert [each["version"] for each in row["versions"]] == [f"v{n:02}" for n in range(11, 61)]
    assert row["versions"][0]["first_ms"] == 11
    assert {len(each["versions"]) for each in Client(world).items("/v1/series/summary")} == {0}


def test_a_model_has_its_alerts_beside_the_false_alarms_that_it_accepts(client: Client) -> None:
    [row] = client.items("/v1/series/summary", model="fraud")
    assert {state: row[state] for state in ("firing", "blind", "learning", "protecting")} == dict.fromkeys(
        ("firing", "blind", "learning", "protecting"), 1
    )
    assert (row["days"], row["alerts"], row["false_alarms"], row["per_ms"]) == (3.0, 1, 1.0, 30 * DAY_MIN * MINUTE_MS)
    assert row["accepted"] == pytest.approx(0.1)
    assert row["alerts_per_accepted"] == pytest.approx(10)
    assert row["marked_false"] == 0
    [nothing] = client.items("/v1/series/summary", model="churn")
    assert (nothing["protects_since_ms"], nothing["accepted"], nothing["alerts_per_accepted"]) == (None, 0.0, None)


def test_a_window_with_too_few_events_makes_blind_since_the_last_that_had_enough() -> None:
    world = watched(rule="variation", default_rules=False)
    few = {"status": "no_data", "detail": "37 of 500 events needed"}
    world.add(
        "scores", [score(5), score(10), score(15, **few), score(20, **few), score(20, segment="country=DE", **few)]
    )
    rows = {row["segment"]: row for row in Client(world).items("/v1/series", model="fraud", signal="feature:amount")}
    whole, segment = rows[""], rows["country=DE"]
    assert (whole["state"], whole["blind_since_ms"], whole["reason"]) == ("blind", 10 * MINUTE_MS, few["detail"])
    assert (segment["state"], segment["protects_since_ms"], segment["blind_since_ms"]) == ("blind", None, None)


def test_a_version_that_is_gone_is_missed_for_a_week() -> None:
    world = watched(rule="variation", default_rules=False)
    world.add(
        "scores", [score(5, version="v1"), score(5, version="v1", signal="feature:country"), score(5, version="v2")]
    )
    world.add("scores", [score(5 + 7 * DAY_MIN, version="v2")])

    def versions(signal: str) -> list[tuple[str, str]]:
        rows = Client(world).items("/v1/series", model="fraud", signal=signal)
        return [(row["version"], row["state"]) for row in rows]

    assert versions("feature:amount") == [("v1", "blind"), ("v2", "protecting")]
    world.add("scores", [score(10 + 7 * DAY_MIN, version="v2")])
    assert versions("feature:amount") == [("v2", "protecting")]
    # What no version has any more is still missed.
    assert versions("feature:country") == [("v1", "blind")]


def test_detectors_that_decide_nothing_are_left_out() -> None:
    world = watched(rule="variation", default_rules=False)
    world.add("scores", [score(5, detector=name) for name in ("psi", "change", "no_longer_configured")])
    rows = Client(world).items("/v1/series", model="fraud", signal="feature:amount")
    assert [row["detector"] for row in rows] == ["psi"]


def test_without_the_configuration_scores_say_what_decides() -> None:
    world = fill(watched())
    world.add("scores", [score(LAST_MIN, model="churn", detector="ks")])
    world.add("scores", [score(LAST_MIN, signal="vector:all", detector="mmd")])
    world.configuration = replace(world.configuration, service=Service(), models={})
    detectors = [(row["model"], row["signal"], row["detector"]) for row in Client(world).items("/v1/series")]
    assert ("churn", "feature:amount", "ks") in detectors
    assert ("fraud", "vector:all", "mmd") in detectors
    assert ("fraud", "feature:amount", "change") in detectors
    assert ("fraud", "feature:amount", "psi") not in detectors
    summaries = {row["model"]: row for row in Client(world).items("/v1/series/summary")}
    assert (summaries["fraud"]["alerts"], summaries["fraud"]["accepted"]) == (1, None)


@pytest.mark.parametrize(
    ("asked", "signals"),
    [
        ({"state": "blind"}, ["feature:country"]),
        ({"signal": "volume"}, ["volume"]),
        ({"namespace": "fraud-team", "limit": 1}, ["feature:amount"]),
        ({"namespace": "churn-team"}, []),
    ],
)
def test_signals_states_and_namespaces_narrow_it(asked: dict[str, Any], signals: list[str], client: Client) -> None:
    assert [row["signal"] for row in client.items("/v1/series", model="fraud", **asked)] == signals


def test_an_unknown_signal_is_refused_by_the_names_of_those_there_are(client: Client) -> None:
    document = client.get("/v1/series", model="fraud", signal="feature:amuont").json()
    assert document["type"] == "/v1/problems#unknown-signal"
    assert "feature:amount, feature:country, prediction:score, volume" in document["detail"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(fill(watched())) as address:
        yield address


@pytest.fixture
def leeway(capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(capsys)


def test_the_command_shows_models_and_then_what_is_blind_and_why(url: str, leeway: Console) -> None:
    said = leeway("status", "fraud", "--url", url)
    assert (said.code, said.err) == (0, "")
    models, series = said.out.split("because")
    assert "alerts / accepted" in models
    assert [line.split()[0] for line in series.splitlines()[2:] if line.strip()] == [
        "firing",
        "blind",
        "learning",
        "protecting",
    ]
    assert "no window since 1970-01-03 00:00 UTC, for 1d" in series


def test_people_see_which_partitions_a_window_was_decided_without(leeway: Console) -> None:
    world = watched()
    world.add("scores", [change(HOUR_MIN), change(2 * HOUR_MIN, idle="scores/3")])
    with serving(world) as url:
        assert "; decided without scores/3" in leeway("status", "fraud", "--url", url).out.replace("\n", " ")
        history = leeway("history", "--model", "fraud", "--url", url).out.splitlines()
    assert [line.split()[-1] for line in history if "feature:amount" in line] == ["ok", "scores/3"]


def test_the_command_shows_one_signal_or_only_models(url: str, leeway: Console) -> None:
    [line] = leeway("status", "fraud", "volume", "--json", "--url", url).lines
    assert (line["signal"], line["state"]) == ("volume", "protecting")
    assert [row["model"] for row in leeway("status", "--summary", "--json", "--url", url).lines] == ["churn", "fraud"]
    assert "alerts / accepted" not in leeway("status", "fraud", "volume", "--url", url).out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fruad"], "no model is named 'fruad'; known are fraud, churn"),
        (["fraud", "amount"], "nothing decides about a signal 'amount'; known are feature:amount"),
        (["fraud", "volume", "--summary"], "--summary is about whole models"),
        (["--summary", "--state", "blind"], "--summary is about whole models"),
    ],
)
def test_a_wrong_question_says_what_would_be_right(
    arguments: list[str], message: str, url: str, leeway: Console
) -> None:
    said = leeway("status", *arguments, "--url", url)
    assert (said.code, said.out) == (2, "")
    assert message in said.err


class Counted(dict[str, Any]):
    """Counts how often it is gone through."""

    walks = 0

    def __iter__(self) -> Iterator[str]:
        self.walks += 1
        return super().__iter__()

    def items(self) -> Any:
        self.walks += 1
        return super().items()


def test_what_decides_about_a_signal_is_asked_of_that_signal_alone() -> None:
    world = watched()
    uses = Counted(world.watches["fraud"].uses)
    world.__dict__["watches"] = {"fraud": replace(world.watches["fraud"], uses=uses)}
    rows = Client(world).items("/v1/series", model="fraud")
    assert len(rows) >= 3
    assert uses.walks < len(rows), "with thousands of signals each going through all of them took minutes"
