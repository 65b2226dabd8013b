"""With `only_changes` a receiver is told what it does not know yet, and how much else there is."""

from __future__ import annotations

from typing import Any

from sinks.receivers.contract import Alert, Delivered, Notification, Refused
from sinks.receivers.memory import Memory
from sinks.receivers.text import Text
from sinks.receivers.webhook import body
from tests.routing.test_decision_log import decided
from tests.routing.test_router import ROUTES, World, said

LOOK_S = 310


def changes(*, open_at_once: bool = True, **options: Any) -> World:
    route = ROUTES["route"] | {"leeway": {"only_changes": True, **options}}
    return World(open_at_once=open_at_once, route=route)


def told(world: World) -> list[tuple[list[str], list[str], int]]:
    counts = [notification.unchanged for notification in world.mail.received]
    return [(firing, over, count) for (_, firing, over), count in zip(said(world.mail), counts, strict=True)]


def test_what_is_new_or_over_is_told_with_a_count_of_the_others() -> None:
    world = changes()
    for name in "abc":
        world.happens(name)
    world.passes(40)
    world.happens("d")
    world.happens("a", "resolved")
    world.passes(LOOK_S)
    world.happens("b", "resolved")
    world.passes(LOOK_S)
    assert told(world) == [(["a", "b", "c"], [], 0), (["d"], ["a"], 2), ([], ["b"], 2)]
    assert [notification.status for notification in world.mail.received] == ["firing"] * 3
    for name in "cd":
        world.happens(name, "resolved")
    world.passes(LOOK_S)
    assert told(world)[3:] == [([], ["c", "d"], 0)]
    assert world.mail.received[3].status == "resolved"


def test_what_has_changed_is_told_when_somebody_is_told_and_a_repetition_holds_everything() -> None:
    world = changes()
    for name in "abc":
        world.happens(name)
    world.passes(40)
    world.happens("a", "updated")
    world.happens("b", "updated", severity="critical")
    world.passes(LOOK_S)
    assert told(world)[1:] == [(["a", "b"], ["b"], 1)]
    world.passes(4 * 3_600 + 360, each=30)
    assert told(world)[2:] == [(["a", "b", "c"], [], 0)]


def test_a_change_alone_tells_nobody_as_without_the_option() -> None:
    world = changes()
    world.happens("a")
    world.happens("b")
    world.passes(40)
    world.happens("a", "updated")
    world.passes(LOOK_S)
    assert len(world.mail.received) == 1


def test_what_was_not_taken_stays_new_and_a_restart_knows_what_was_told() -> None:
    world = changes(open_at_once=False)
    world.mail = Memory("mail", answers=[Delivered(), Refused("no"), Refused("no")])
    world.router = world.started()
    world.happens("a")
    world.passes(40)
    world.happens("b")
    world.passes(LOOK_S)
    world.happens("c")
    world.passes(LOOK_S)
    world.router = world.started()
    world.passes(LOOK_S)
    taken = told(world)[-1]
    assert taken == (["b", "c"], [], 1)
    world.happens("d")
    world.router = world.started()
    world.passes(LOOK_S)
    assert told(world)[-1] == (["d"], [], 3)
    assert [row[3] for row in decided(world.store, "a")] == ["delivered"]


def test_what_flaps_is_told_when_it_begins_to_and_when_it_is_steady() -> None:
    world = changes(hold={"changes": 3, "within": "1h", "until_steady": "20m"})
    world.happens("x")
    world.happens("a", cause="a")
    world.passes(40)
    world.happens("a", "resolved", cause="a")
    world.happens("b", cause="a")
    world.passes(2 * LOOK_S)
    assert told(world)[1:] == [(["a"], [], 1)]
    world.passes(4 * LOOK_S)
    assert told(world)[2:] == [(["b"], ["a"], 1)]


def test_words_and_bodies_say_how_many_others_fire() -> None:
    over = Alert("resolved", {"severity": "critical", "model": "fraud"}, {"summary": "fraud: hour moved"}, 0, 1)
    some = Notification("ops", "k", {}, (over,), unchanged=2)
    assert Text().of(some)[0] == "RESOLVED: fraud: hour moved (2 others fire as before)"
    assert (body(some)["status"], body(some)["truncatedAlerts"]) == ("firing", 2)
