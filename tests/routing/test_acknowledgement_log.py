"""What somebody has taken on is not repeated, until it changes."""

from __future__ import annotations

from monitor.routing.acknowledgement_log import AcknowledgementLog
from tests.routing.test_decision_log import decided
from tests.routing.test_router import World, said

REPEAT_S = 4 * 3_600 + 600


def told(world: World) -> list[tuple[list[str], list[str]]]:
    return [(firing, over) for _, firing, over in said(world.mail)]


def taking_on(world: World, alert_id: str) -> AcknowledgementLog:
    log = AcknowledgementLog(world.store, world.clock)
    log.set(alert_id, world.sequence[alert_id], "ann", "I look into it")
    return log


def test_an_alert_that_was_taken_on_is_not_repeated_and_its_end_is_told() -> None:
    world = World()
    world.happens("a")
    world.passes(40)
    taking_on(world, "a")
    world.passes(2 * REPEAT_S, each=60)
    assert told(world) == [(["a"], [])]
    reasons = [(why, detail) for _, _, _, why, detail in decided(world.store)]
    assert reasons == [
        ("delivered", "it was never notified"),
        ("acknowledged", "nothing is new, and somebody has acknowledged all that fires"),
    ]
    world.happens("a", "resolved")
    world.passes(360, each=10)
    assert told(world)[1:] == [([], ["a"])]


def test_an_alert_that_changes_or_is_given_back_is_repeated() -> None:
    world = World()
    world.happens("a")
    world.passes(40)
    log = taking_on(world, "a")
    world.happens("a", "updated")
    world.passes(REPEAT_S, each=60)
    assert len(told(world)) == 2
    taking_on(world, "a")
    world.passes(REPEAT_S, each=60)
    assert len(told(world)) == 2
    log.take_back("a", created_by="ann")
    world.passes(600, each=60)
    assert len(told(world)) == 3


def test_what_joins_the_group_is_told_and_repeated_until_it_is_taken_on_too() -> None:
    world = World()
    world.happens("a")
    world.passes(40)
    taking_on(world, "a")
    world.passes(300, each=10)
    world.happens("b")
    world.passes(360, each=10)
    assert told(world)[1:] == [(["a", "b"], [])]
    world.passes(REPEAT_S, each=60)
    assert len(told(world)) == 3
    taking_on(world, "b")
    world.passes(REPEAT_S, each=60)
    assert len(told(world)) == 3
