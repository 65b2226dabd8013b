"""A group that nobody takes on is told to others, step by step."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from monitor.config.alerting import Alerting
from monitor.routing.acknowledgement_log import AcknowledgementLog
from sinks.receivers.contract import Refused
from sinks.receivers.memory import Memory
from tests.routing.test_decision_log import decided, silenced
from tests.routing.test_router import ROUTES, World, said

LOOK_S = 300
FIRST_LOOK_S = 31
QUARTER_S = 900


def chained(*, first: str = "pager", then: str = "mail", answers: tuple[Refused, ...] = (), **options: Any) -> World:
    """Everything goes to one receiver, and to another if nobody takes it on; the pager wants no ends."""
    chain = [{"after": "15m", "receiver": then}]
    route = {**ROUTES["route"], "receiver": first, "routes": [], "leeway": {"escalate": chain, **options}}
    world = World(open_at_once=False, route=route)
    world.pager = Memory("pager", answers=answers)
    world.router = world.started()
    return world


def take_on(world: World, alert_id: str) -> AcknowledgementLog:
    log = AcknowledgementLog(world.store, world.clock)
    log.set(alert_id, world.sequence[alert_id], "ann", "mine")
    return log


def told(inbox: Memory) -> list[tuple[list[str], list[str]]]:
    return [(firing, over) for _, firing, over in said(inbox)]


def reasons(world: World, receiver: str, alert_id: str = "a") -> list[tuple[str, str]]:
    return [(why, detail) for _, name, _, why, detail in decided(world.store, alert_id) if name == f"{receiver}/0"]


def test_what_nobody_takes_on_is_told_to_the_next_one_until_it_is_over() -> None:
    world = chained()
    world.happens("a")
    world.passes(FIRST_LOOK_S + QUARTER_S - 2)
    assert (told(world.pager), told(world.mail)) == ([(["a"], [])], [])
    world.passes(2)
    assert told(world.mail) == [(["a"], [])]
    assert world.mail.received[0].group_key == world.pager.received[0].group_key
    world.happens("b")
    world.passes(LOOK_S)
    world.happens("a", "resolved")
    world.happens("b", "resolved")
    world.passes(LOOK_S)
    assert told(world.mail)[1:] == [(["a", "b"], []), ([], ["a", "b"])]
    world.happens("c")
    world.passes(2 * LOOK_S)
    assert len(told(world.mail)) == 3, "what begins afterwards waits anew"
    again = "escalated: it was notified when nobody acknowledged an alert of the group"
    assert reasons(world, "mail") == [
        ("waiting", "it is notified at 2001-09-09 02:02:11 UTC if nobody acknowledges an alert of the group"),
        ("delivered", "escalated: nobody acknowledged an alert of the group within 15m; it was never notified"),
        ("delivered", f"{again}; alerts fire that were not notified: 1"),
        ("delivered", f"{again}; all are over"),
    ]


def test_one_that_wants_no_ends_is_told_anew_when_something_else_is_not_taken_on() -> None:
    world = chained(first="mail", then="pager")
    for name in "ab":
        world.happens(name)
        world.passes(FIRST_LOOK_S + QUARTER_S)
        world.happens(name, "resolved")
        world.passes(2 * LOOK_S)
    assert told(world.pager) == [(["a"], []), (["b"], [])]


def test_nobody_else_is_told_of_what_somebody_has_taken_on_also_if_it_changes() -> None:
    world = chained()
    world.happens("a")
    world.happens("b")
    world.passes(FIRST_LOOK_S + LOOK_S)
    log = take_on(world, "a")
    world.happens("a", "updated")
    world.passes(QUARTER_S)
    assert told(world.mail) == []
    assert reasons(world, "mail")[-1] == ("acknowledged", "somebody has acknowledged an alert of the group")
    log.take_back("a", created_by="ann")
    world.passes(LOOK_S)
    assert told(world.mail) == [(["a", "b"], [])]


def test_a_restart_neither_forgets_the_time_that_has_passed_nor_whom_it_told() -> None:
    world = chained()
    world.happens("a")
    world.passes(FIRST_LOOK_S + LOOK_S)
    world.clock.advance(2 * LOOK_S)
    world.router = world.started()
    world.passes(FIRST_LOOK_S)
    assert told(world.mail) == [(["a"], [])]
    world.router = world.started()
    take_on(world, "a")
    world.happens("a", "resolved")
    world.passes(LOOK_S)
    assert told(world.mail)[1:] == [([], ["a"])]
    assert len(told(world.pager)) == 1


def test_a_receiver_that_takes_nothing_keeps_nobody_from_being_told() -> None:
    world = chained(answers=(Refused("no"),) * 9)
    world.happens("a")
    world.passes(FIRST_LOOK_S + QUARTER_S)
    assert told(world.mail) == [(["a"], [])]


def test_what_is_silenced_is_not_escalated_before_the_silence_is_over() -> None:
    world = chained()
    world.happens("a")
    world.passes(FIRST_LOOK_S)
    silenced(world, "alert_id=a", 20)
    world.passes(20 * 60)
    assert told(world.mail) == []
    assert reasons(world, "mail")[-1][0] == "silenced"
    world.passes(2 * LOOK_S)
    assert told(world.mail) == [(["a"], [])]


def test_one_that_never_heard_of_an_end_is_not_told_at_once_of_what_begins_later() -> None:
    world = chained()
    world.happens("a")
    world.passes(FIRST_LOOK_S + QUARTER_S)
    silenced(world, "alert_id=a", 60)
    world.happens("a", "resolved")
    world.passes(LOOK_S)
    world.happens("b")
    world.passes(2 * LOOK_S)
    assert told(world.mail) == [(["a"], [])]
    assert reasons(world, "mail", "b")[-1][0] == "waiting"


def test_the_time_of_an_alert_counts_and_not_that_of_its_group() -> None:
    world = chained()
    world.happens("a")
    world.passes(FIRST_LOOK_S)
    take_on(world, "a")
    world.passes(QUARTER_S)
    world.happens("b")
    world.passes(LOOK_S)
    world.happens("a", "resolved")
    world.passes(LOOK_S)
    assert told(world.mail) == []
    world.passes(2 * LOOK_S)
    assert told(world.mail) == [(["b"], [])]


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        ([{"after": "15m", "receiver": "pager"}, {"after": "15m", "receiver": "mail"}], "later than the one before"),
        ([{"after": "0s", "receiver": "pager"}], "later than the one before"),
        ([{"after": "15m", "receiver": "pager", "until": "1h"}], "until"),
        ([{"after": "15m"}], "receiver"),
    ],
)
def test_a_chain_that_makes_no_sense_is_refused(chain: list[dict[str, str]], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Alerting.model_validate(ROUTES | {"route": {"receiver": "mail", "leeway": {"escalate": chain}}})


def test_a_step_to_nobody_is_named_with_its_place() -> None:
    route = {"receiver": "mail", "leeway": {"escalate": [{"after": "15m", "receiver": "bos"}]}}
    alerting = Alerting.model_validate(ROUTES | {"route": route})
    place = ("route", "leeway", "escalate", 0, "receiver")
    assert list(alerting.wrong_names([])) == [(place, "no receiver is named 'bos'")]
