"""Marks over HTTP: a level is accepted, an alert was false, and both are listed."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.evaluate.mark_log import take_up
from tests.api.world import MINUTE_MS, NOW_MS, Client, World, configured, model, step

MOVED = '[{"signal":"feature:amount","segment":"","version":"v1","since_ms":%d,"last_ms":%d,"reason":"moved"}]'


def world() -> World:
    """A model with an alert that is over and one that fires."""
    segments = [{"by": ["country"], "values": ["DE"]}]
    fraud, churn = model("fraud", segments=segments), model("churn", detect={"rule": "variation"})
    made = World(configuration=configured(fraud, churn))
    made.add("versions", [{"model": "fraud", "version": "v1", "first_ms": 1}])
    old, new = MOVED % (10_000, 20_000), MOVED % (50_000, 60_000)
    made.add("alerts", [step("old", 0, "firing", 20_000, starts_ms=10_000, signals=old)])
    made.add("alerts", [step("old", 1, "resolved", 30_000, starts_ms=10_000, signals=old)])
    made.add("alerts", [step("new", 0, "firing", 60_000, starts_ms=40_000, signals=new)])
    return made


def post(client: Client, **more: Any) -> Any:
    body = {"model": "fraud", "signal": "feature:amount", "says": "accepted", "reason": "prices", "created_by": "ann"}
    return client.request("POST", "/v1/marks", json=body | more)


def test_a_level_is_accepted_since_its_alert_began_and_listed() -> None:
    client = Client(world())
    mark = post(client, version="v1").json()
    assert mark | {"id": ""} == {
        "id": "",
        "model": "fraud",
        "signal": "feature:amount",
        "segment": "",
        "version": "v1",
        "says": "accepted",
        "from_ms": 50_000,
        "to_ms": None,
        "alert_id": "new",
        "created_by": "ann",
        "reason": "prices",
        "created_ms": NOW_MS,
        "effective_ms": None,
        "learned_ms": None,
    }
    assert client.items("/v1/marks") == [mark]
    assert client.items("/v1/marks", model="churn") == []
    assert client.items("/v1/marks", says="false") == []


def test_what_comes_each_day_is_accepted_since_it_first_came() -> None:
    """Its alert began this morning: the days since the first one show how it is now."""
    made = world()
    daily = (MOVED % (50_000, 60_000)).replace('"since_ms"', '"times":4,"daily_since_ms":5000,"since_ms"')
    made.add("alerts", [step("new", 1, "updated", 61_000, starts_ms=40_000, signals=daily)])
    client = Client(made)
    assert post(client).json()["from_ms"] == 5_000
    assert post(client, says="real").json()["from_ms"] == 50_000
    # Somebody who comes an hour later finds it resolved.
    made.add("alerts", [step("new", 2, "resolved", 70_000, starts_ms=40_000, signals=daily)])
    over = post(client).json()
    assert (over["from_ms"], over["alert_id"]) == (5_000, "new")


def test_a_level_is_accepted_from_a_time_on_whether_it_alarmed_or_not() -> None:
    client = Client(world())
    assert post(client, at="-1m").json()["from_ms"] == NOW_MS - MINUTE_MS
    planned = post(client, signal="volume", segment="country=DE", at=NOW_MS + MINUTE_MS)
    assert planned.json()["from_ms"] == NOW_MS + MINUTE_MS
    assert len(client.items("/v1/marks", signal="volume")) == 1


def test_an_alert_is_marked_by_a_time_at_which_it_fired() -> None:
    client = Client(world())
    false = post(client, says="false", at=15_000, reason="").json()
    assert (false["says"], false["from_ms"], false["to_ms"]) == ("false", 10_000, 20_000 + 10_000)
    newest = post(client, says="harmless").json()
    assert (newest["from_ms"], newest["to_ms"]) == (50_000, None)
    assert [mark["id"] for mark in client.items("/v1/marks", says="false")] == [false["id"]]


def settle(made: World, effective_ms: int) -> None:
    """Let marks have effect of which that is not settled yet."""
    take_up(made.store, "fraud", effective_ms, MINUTE_MS)


def test_the_newest_mark_of_an_alert_counts_and_says_if_it_came_too_late_to_be_learned_from() -> None:
    made = world()
    client = Client(made)
    for says in ("false", "real"):
        made.clock.advance(1_000)
        assert post(client, says=says).json()["learned_ms"] is None, "none has had effect yet"
    settle(made, 120_000)
    assert {mark["learned_ms"] for mark in client.items("/v1/marks")} == {None}, "both have it from one window on"
    made.clock.advance(1_000)
    again = post(client, says="real").json()
    settle(made, 150_000)
    assert again["learned_ms"] is None, "nothing was learned from the first one"
    made.clock.advance(1_000)
    harmless = post(client, says="harmless").json()
    settle(made, 180_000)
    made.clock.advance(1_000)
    late = post(client, says="real", version="v1").json()
    assert (harmless["learned_ms"], late["learned_ms"]) == (None, 180_000)
    assert post(client, says="real", at=15_000).json()["learned_ms"] is None, "that is another alert"


def test_an_alert_whose_signals_say_little_is_marked_like_others() -> None:
    """Silent sources name no signal, and what another version stored may lack a field."""
    made = world()
    for name, member in (("silent", '{"kind":"stream"}'), ("bare", '{"signal":"volume"}')):
        made.add("alerts", [step(name, 0, "firing", 70_000, starts_ms=65_000, signals=f"[{member}]")])
    client = Client(made)
    assert post(client, says="false").json()["alert_id"] == "new"
    mark = post(client, signal="volume", says="false").json()
    assert (mark["alert_id"], mark["from_ms"]) == ("bare", 65_000)


@pytest.mark.parametrize(
    ("said", "status", "detail"),
    [
        ({"model": "fruad"}, 404, "no model is named 'fruad'; known are fraud, churn"),
        ({"model": "churn"}, 422, "churn has no normal levels: they come with `detect.rule: change`"),
        ({"signal": "feature:amuont"}, 404, "fraud has no signal 'feature:amuont', but volume, feature:amount"),
        ({"segment": "country=FR"}, 422, "fraud has no segment 'country=FR'; known are country=DE"),
        ({"version": "v9"}, 422, "fraud has no version 'v9'; known are v1"),
        ({"signal": "volume", "version": "v1", "at": 1}, 422, "events of all versions are counted together"),
        ({"signal": "volume"}, 422, "volume has no alert that has not ended; say from when on its level is normal"),
        ({"says": "false", "at": 35_000}, 422, "feature:amount has no alert at that time; say another time"),
        ({"at": "yesterday"}, 422, "'yesterday' is not a time"),
        ({"reason": ""}, 422, "say why this level is the new normal: others will ask"),
        ({"created_by": ""}, 422, "created_by"),
        ({"says": "adopted"}, 422, "says"),
        ({"because": "x"}, 422, "because"),
    ],
)
def test_what_cannot_be_meant_is_refused(said: dict[str, Any], status: int, detail: str) -> None:
    client = Client(world())
    answer = post(client, **said)
    assert (answer.status_code, detail in answer.json()["detail"]) == (status, True), answer.text
    assert client.items("/v1/marks") == []
