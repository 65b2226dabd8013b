"""An alert that fires and ends again and again is told once, until it is steady."""

from __future__ import annotations

import random
from typing import Any

from monitor.clock import ManualClock
from monitor.config.alerting import Alerting
from monitor.routing.flapping import Changes, Flapping, Hold
from monitor.routing.routed_alert import RoutedAlert
from tests.routing.test_decision_log import decided, silenced
from tests.routing.test_router import ROUTES, World, said

MINUTE_S = 60
HELD = {"changes": 4, "within": "1h", "until_steady": "30m"}


def held_by_hand(times_ms: list[int], hold: Hold, now_ms: int) -> bool:
    """Whether changes at these times are held, the slow way: by the definition."""
    since = 0
    held = False
    for place, at_ms in enumerate(times_ms):
        if held and at_ms - times_ms[place - 1] >= hold.until_steady_ms:
            held, since = False, place
        first = place - hold.changes + 1
        held = held or (first >= since and at_ms - times_ms[first] <= hold.within_ms)
    return held and now_ms - times_ms[-1] < hold.until_steady_ms


def test_what_is_held_follows_from_the_definition() -> None:
    rng = random.Random(7)
    outcomes = {True: 0, False: 0}
    for _ in range(300):
        hold = Hold(rng.randint(2, 5), rng.randint(5, 60), rng.randint(5, 40))
        known, at_ms, times_ms = Changes(), 0, []
        for number in range(rng.randint(1, 30)):
            at_ms += rng.randint(0, 40)
            known = known.after(hold, f"a{number // 2}", at_ms, fires=number % 2 == 0)
            times_ms.append(at_ms)
            now_ms = at_ms + rng.randint(0, 45)
            expected = held_by_hand(times_ms, hold, now_ms)
            assert known.holds(hold, now_ms) == expected, (hold, times_ms, now_ms)
            outcomes[expected] += 1
    assert min(outcomes.values()) > 500


def test_alerts_of_one_condition_that_overlap_are_one_and_what_is_read_twice_counts_once() -> None:
    hold = Hold(changes=3, within_ms=100, until_steady_ms=50)
    flapping = Flapping([hold])
    transitions = [("a", 0, True), ("b", 5, True), ("a", 10, False), ("b", 20, False), ("c", 30, True)]
    for _ in range(3):
        for alert_id, at_ms, fires in transitions[:4]:
            flapping.note("c", alert_id, at_ms, [hold] if fires else [])
        assert flapping.held(hold, "c", 25) is None
    for _ in range(2):
        flapping.note("c", *transitions[4][:2], [hold])
    found = flapping.held(hold, "c", 30)
    assert found is not None
    assert found.held_ms == 30


def test_what_was_written_is_known_to_the_next_process_and_what_is_past_is_forgotten() -> None:
    hold, other = Hold(2, 100, 50), Hold(3, 100, 50)
    before = Flapping([hold, other])
    for at_ms, fires in ((0, True), (10, False)):
        before.note("c", "a", at_ms, [hold, other] if fires else [])
    written = {name: state for name, _, state in before.unwritten()}
    assert list(before.unwritten()) == []
    after = Flapping([hold])
    for name, state in written.items():
        after.read(name, state)
    assert after.held(hold, "c", 59) is not None
    after.forget(110)
    assert after.held(hold, "c", 59) is not None
    after.forget(111)
    assert after.held(hold, "c", 59) is None


def holding(**hold: Any) -> World:
    return World(route=ROUTES["route"] | {"leeway": {"hold": HELD | hold}})


def flap(world: World, name: str, number: int, minutes: int = 6) -> None:
    """Let a condition come and go, each time as another alert; each change is told, if it is."""
    for place in range(number):
        for state in ("firing", "resolved"):
            world.happens(f"{name}{place}", state, cause=name)
            world.passes(minutes * MINUTE_S, each=10)


def told(world: World) -> list[tuple[list[str], list[str]]]:
    return [(firing, over) for _, firing, over in said(world.mail)]


def test_an_alert_that_flaps_is_told_so_once_and_its_end_when_it_has_been_quiet() -> None:
    world = holding()
    flap(world, "a", 5)
    assert told(world) == [(["a0"], []), ([], ["a0"]), (["a1"], []), (["a1"], [])]
    said_so = world.mail.received[3].alerts[0].annotations
    assert said_so["flapping"].startswith("it flaps: held since 2001-09-09 02:")
    assert said_so["description"].startswith(said_so["flapping"])
    world.passes(23 * MINUTE_S, each=10)
    assert len(told(world)) == 4
    world.passes(7 * MINUTE_S, each=10)
    assert told(world)[4:] == [([], ["a1"])]
    assert "flapping" not in world.mail.received[4].alerts[0].annotations
    flap(world, "a", 1)
    assert told(world)[5:] == [(["a0"], []), ([], ["a0"])], "what was before does not count any more"


def test_what_comes_each_hour_is_told_twice_and_then_that_it_flaps() -> None:
    """As the documentation of what comes again advises."""
    world = holding(changes=5, within="6h", until_steady="3h")
    flap(world, "a", 24, minutes=30)
    assert told(world)[:5] == [(["a0"], []), ([], ["a0"]), (["a1"], []), ([], ["a1"]), (["a2"], [])]
    assert "flapping" in world.mail.received[4].alerts[0].annotations
    assert told(world)[5:] == [(["a2"], [])] * 5, "repetitions, each four hours"


def test_one_that_goes_on_firing_is_told_again_when_it_is_steady_and_others_are_told_meanwhile() -> None:
    world = holding()
    flap(world, "a", 2)
    world.happens("a9", cause="a")
    world.happens("b", cause="b")
    world.passes(10 * MINUTE_S, each=10)
    assert told(world)[3:] == [(["a1"], []), (["a1", "b"], [])]
    world.passes(30 * MINUTE_S, each=10)
    assert told(world)[5:] == [(["a9", "b"], ["a1"])]


def test_one_that_was_held_when_it_began_is_told_to_fire_steadily() -> None:
    world = holding(changes=5)
    flap(world, "a", 2)
    world.happens("a2", cause="a")
    world.passes(50 * MINUTE_S, each=10)
    assert told(world)[4:] == [(["a2"], []), (["a2"], [])]
    flaps = [said.alerts[0].annotations.get("flapping", "")[:9] for said in world.mail.received[4:]]
    assert flaps == ["it flaps:", ""]
    assert [row[3:] for row in decided(world.store, "a2")][-1] == ("delivered", "alerts that flapped fire steadily: 1")


def test_a_condition_is_the_same_in_another_incident_and_with_another_severity() -> None:
    labels = {"alertname": "LeewayDrift", "cause": "volume", "model": "fraud"}
    first = RoutedAlert(labels | {"alert_id": "a", "incident": "1", "severity": "warning"}, 0)
    again = RoutedAlert(labels | {"alert_id": "b", "incident": "2", "severity": "critical", "recurring": "yes"}, 9)
    assert first.condition == again.condition != RoutedAlert(labels | {"cause": "feature:amount"}, 0).condition


def test_a_severity_that_rises_is_told_all_the_same() -> None:
    world = holding()
    flap(world, "a", 2)
    world.happens("a2", cause="a", severity="critical")
    world.passes(6 * MINUTE_S, each=10)
    assert told(world)[4:] == [(["a1", "a2"], [])]


def test_without_the_option_everything_is_told_as_by_alertmanager() -> None:
    world = World()
    flap(world, "a", 5)
    assert len(told(world)) == 10


def test_a_restart_neither_ends_a_hold_nor_counts_anew() -> None:
    world = holding()
    for place in range(2):
        for state in ("firing", "resolved"):
            world.happens(f"a{place}", state, cause="a")
            world.passes(6 * MINUTE_S, each=10)
            world.router = world.started()
    world.passes(10 * MINUTE_S, each=10)
    assert told(world) == [(["a0"], []), ([], ["a0"]), (["a1"], []), (["a1"], [])]
    world.happens("a2", cause="a")
    world.passes(6 * MINUTE_S, each=10)
    world.router = world.started()
    world.passes(6 * MINUTE_S, each=10)
    world.happens("a2", "resolved", cause="a")
    world.passes(20 * MINUTE_S, each=10)
    world.router = world.started()
    assert len(told(world)) == 4
    world.passes(20 * MINUTE_S, each=10)
    assert told(world)[4:] == [([], ["a1"])]


def test_a_store_that_fails_forgets_no_change() -> None:
    world = holding()
    flap(world, "a", 1)
    world.happens("a1", cause="a")
    world.store.failing = "checkpoints"
    world.passes(6 * MINUTE_S, each=10)
    world.router = world.started()
    world.happens("a1", "resolved", cause="a")
    world.passes(6 * MINUTE_S, each=10)
    assert told(world)[-1] == (["a1"], [])


def test_whoever_asks_why_is_told_that_it_flaps() -> None:
    world = holding()
    flap(world, "a", 3)
    by_alert = {name: [row[3:] for row in decided(world.store, name)][-1] for name in ("a0", "a1", "a2")}
    since = "it flaps: held since 2001-09-09 02:04:40 UTC until it is steady for 30m"
    assert by_alert == {"a0": ("delivered", "all are over"), "a1": ("held", since), "a2": ("held", since)}
    assert ("delivered", "alerts flap: 1") in [row[3:] for row in decided(world.store, "a1")]


def test_what_is_silenced_is_not_told_to_flap() -> None:
    world = holding()
    silenced(world, "cause=a", 3 * 60)
    flap(world, "a", 4)
    assert told(world) == []


def test_a_child_may_hold_nothing() -> None:
    options = [
        route.options.hold
        for route in Alerting.model_validate(
            ROUTES | {"route": ROUTES["route"] | {"leeway": {"hold": True}, "routes": [{"leeway": {"hold": False}}]}}
        )
        .route.build()
        .walk()
    ]
    assert options == [Hold(5, 3_600_000, 1_800_000), None]


def test_what_flapped_by_a_clock_that_was_a_week_ahead_is_over_once_that_is_right() -> None:
    at_once = {"group_wait": "0s", "group_interval": "10s", "routes": []}
    leeway = {"hold": HELD, "late_ends": True}
    world = World(route={**ROUTES["route"], **at_once, "leeway": leeway}, inhibit_rules=[])
    right_ms = world.clock.now_ms()
    world.clock = ManualClock(right_ms + 7 * 24 * 60 * MINUTE_S * 1000)
    world.router = world.started()
    for number in range(3):
        world.happens(f"a{number}")
        world.passes(MINUTE_S, each=10)
        world.happens(f"a{number}", "resolved")
        world.passes(MINUTE_S, each=10)
    assert "flapping" in world.mail.received[-1].alerts[0].annotations
    heard = len(said(world.mail))
    world.clock = ManualClock(right_ms + 60 * MINUTE_S * 1000)
    world.router = world.started()
    world.passes(10 * MINUTE_S, each=10)
    assert said(world.mail)[heard:] == [("fraud", [], ["a1"])]
