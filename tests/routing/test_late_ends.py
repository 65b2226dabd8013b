"""Ends that something kept quiet: with `late_ends` whoever knows that an alert fires hears of its end, later."""

from __future__ import annotations

import random
from typing import Any

from monitor.config.alerting import Alerting
from monitor.routing.silence_log import SilenceLog
from tests.routing.alertmanager import HOUR_MS, scripted
from tests.routing.test_decision_log import DEFAULT, decided, silenced
from tests.routing.test_dispatch import Player
from tests.routing.test_router import ROUTES, World, said

LATE = {"route": ROUTES["route"] | {"leeway": {"late_ends": True}}}
SCRIPTS = 60


def silenced_end(world: World, minutes: int = 30) -> str:
    """Let an alert be told, and be over while it is silenced."""
    world.happens("a")
    world.passes(31)
    name = silenced(world, "alert_id=a", minutes)
    world.happens("a", "resolved")
    world.passes(10 * 60, each=10)
    assert said(world.mail) == [("fraud", ["a"], [])]
    return name


def test_an_end_that_was_silenced_is_told_when_the_silence_is_over() -> None:
    world = World(**LATE)
    name = silenced_end(world)
    world.passes(30 * 60, each=10)
    assert said(world.mail)[1:] == [("fraud", [], ["a"])]
    assert len({one.group_key for one in world.mail.received}) == 1
    [_, waits, told] = decided(world.store)
    assert waits == (
        1,
        "mail/0",
        DEFAULT,
        "silenced",
        f"by silence {name}; the resolution is notified when that is over (late_ends: true)",
    )
    assert told == (1, "mail/0", DEFAULT, "delivered", "all are over")
    world.passes(10 * 60, each=10)
    assert len(world.mail.received) == 2


def test_without_the_option_it_is_never_told_as_in_alertmanager() -> None:
    world = World()
    name = silenced_end(world)
    world.passes(2 * 3_600, each=10)
    assert len(world.mail.received) == 1
    assert decided(world.store)[-1][3:] == ("silenced", f"by silence {name}")


def test_it_is_told_also_after_restarts_and_when_others_were_told_meanwhile() -> None:
    world = World(**LATE)
    name = silenced_end(world, minutes=120)
    world.happens("b")
    world.passes(6 * 60, each=10)
    world.happens("b", "resolved")
    world.passes(6 * 60, each=10)
    assert said(world.mail)[1:] == [("fraud", ["b"], []), ("fraud", [], ["b"])]
    for _ in range(2):
        world.router = world.started()
        world.passes(40 * 60, each=10)
    assert len(world.mail.received) == 3
    SilenceLog(world.store, world.clock).expire(name)
    world.router = world.started()
    world.passes(6 * 60, each=10)
    assert said(world.mail)[3:] == [("fraud", [], ["a"])]
    assert decided(world.store)[-1][3:] == ("delivered", "alerts are over: 1")


def test_what_fires_again_under_the_silence_is_not_over_for_anybody() -> None:
    world = World(**LATE)
    silenced_end(world)
    world.happens("a")
    world.passes(60 * 60, each=10)
    assert len(world.mail.received) == 1
    world.happens("a", "resolved")
    world.passes(6 * 60, each=10)
    assert said(world.mail)[1:] == [("fraud", [], ["a"])]


def test_an_end_that_was_inhibited_is_told_when_the_other_alert_is_over() -> None:
    world = World(**LATE)
    world.happens("a", cause="amount")
    world.passes(31)
    world.happens("v", cause="volume")
    world.passes(300)
    world.happens("a", "resolved", cause="amount")
    world.passes(300)
    assert said(world.mail) == [("fraud", ["a"], []), ("fraud", ["v"], [])]
    world.happens("v", "resolved", cause="volume")
    world.passes(300)
    assert said(world.mail)[2:] == [("fraud", [], ["a", "v"])]


def test_whoever_does_not_want_ends_or_never_knew_holds_nothing_back() -> None:
    world = World(**LATE)
    world.happens("a", severity="critical")
    world.happens("b", severity="critical")
    silenced(world, "alert_id=b", minutes=60)
    world.passes(31)
    assert len(world.pager.received) == 1
    for alert_id in ("a", "b"):
        world.happens(alert_id, "resolved", severity="critical")
    world.passes(6 * 60, each=10)
    assert said(world.mail) == [("fraud", ["a"], []), ("fraud", [], ["a"])]
    assert not any("late_ends" in row[4] for alert_id in ("a", "b") for row in decided(world.store, alert_id))
    world.passes(2 * 3_600, each=10)
    assert len(world.pager.received) == 1


def unheard(document: dict[str, Any], script: dict[str, Any]) -> int:
    """Play a script until all is over and nothing is quiet; return how often somebody takes what is over to fire."""
    alerting = Alerting.model_validate(document)
    player = Player(alerting, script)
    player.play()
    now_ms = script["until_ms"]
    for silence in player.silences.values():
        if silence.state(now_ms) != "expired":
            player.known.put(silence.expired(now_ms))
    for labels in (event["labels"] for event in script["events"] if event["kind"] == "alert"):
        player.happen({"kind": "alert", "labels": labels, "starts_ms": now_ms - 1, "ends_ms": now_ms}, now_ms)
    player.script["until_ms"] = now_ms + 2 * HOUR_MS
    player.wait(now_ms + 2 * HOUR_MS)
    believed: dict[tuple[str, str], set[str]] = {}
    for one in sorted(player.sent, key=lambda one: one["at_ms"]):
        place = believed.setdefault((one["receiver"], one["group_key"]), set())
        place.update(one["firing"])
        place.difference_update(one["resolved"])
    wanting = {one.name for one in alerting.receivers if all(hook.send_resolved for hook in one.webhook_configs)}
    return sum(len(left) for (receiver, _), left in believed.items() if receiver in wanting)


def test_in_random_scripts_nobody_takes_for_ever_what_is_over_to_fire() -> None:
    lost = 0
    for number in range(SCRIPTS):
        document, script = scripted(random.Random(f"late/{number}"))
        for route in document["route"].get("routes", ()):
            for key in ("mute_time_intervals", "active_time_intervals"):
                _drop(route, key)
        lost += unheard(document, {**script})
        document["route"]["leeway"] = {"late_ends": True}
        assert unheard(document, {**script}) == 0, (document, script)
    assert lost, "without the option there are such"


def _drop(route: dict[str, Any], key: str) -> None:
    route.pop(key, None)
    for child in route.get("routes", ()):
        _drop(child, key)
