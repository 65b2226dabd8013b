"""Who wants to know hears once that a silence began, and once that it is over, whatever breaks."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from monitor.clock import ManualClock
from monitor.routing.matchers import parse_matchers
from monitor.routing.silence_log import SilenceLog
from monitor.routing.silences import Silence
from monitor.routing.weekly import weekly
from sinks.receivers.contract import Notification, Outcome, Refused, Retry
from sinks.receivers.memory import Memory
from tests.routing.alertmanager import HOUR_MS
from tests.routing.alertmanager import START_MS as MONDAY_MS
from tests.routing.test_decision_log import decided
from tests.routing.test_posted_log import Posts
from tests.routing.test_recurring_silences import NIGHTS
from tests.routing.test_router import MINUTE_MS, World

SCRIPTS = 5
HOURS = ["22:00-06:00", "mon,wed 09:30-17:00", "day 11:55-12:05", "tue"]
ALL: dict[str, Any] = {"leeway": {"silence_notices": ["pager"]}}


def silenced(world: World, minutes: int = 30, **changes: Any) -> str:
    now_ms = world.clock.now_ms()
    made = Silence(
        "", parse_matchers("model=fraud"), now_ms, now_ms + minutes * MINUTE_MS, "ann", "a rollout", **changes
    )
    return SilenceLog(world.store, world.clock).set(made)


class DeadError(BaseException):
    """The process is gone."""


class Deadly(Memory):
    """Takes what it is told, and whoever told it dies, the first time."""

    def send(self, notification: Notification) -> Outcome:
        outcome = super().send(notification)
        if len(self.received) == 1:
            raise DeadError
        return outcome


def dying() -> World:
    """A world whose router has died between telling of a silence and noting that."""
    world = World(open_at_once=False, **ALL)
    world.pager = Deadly("pager")
    world.router = world.started()
    silenced(world)
    with pytest.raises(DeadError):
        world.passes(1)
    return world


def heard(inbox: Memory) -> list[tuple[str, str, list[str]]]:
    """Status, summary and the lines of what an inbox was told of silences."""
    return [
        (said.status, said.alerts[0].annotations["summary"], said.alerts[0].annotations["description"].split("\n"))
        for said in notices(inbox)
    ]


def notices(inbox: Memory) -> list[Notification]:
    return [said for said in inbox.received if "silence_id" in said.group_labels]


def test_who_a_silence_names_hears_that_it_began_and_what_it_kept_quiet() -> None:
    world = World()
    world.happens("a")
    world.passes(31)
    name = silenced(world, tells=["mail"])
    world.passes(11)
    world.happens("b")
    world.happens("c", model="churn")
    world.passes(20 * 60, each=10)
    world.happens("a", "resolved")
    world.passes(20 * 60, each=10)
    began, over = heard(world.mail)
    until = "2001-09-09 02:17:11 UTC"
    assert began == (
        "firing",
        'silence of model="fraud" began',
        [f"until {until}, by ann: a rollout", "it began: alerts that fire and that it keeps quiet: 1", "a moved"],
    )
    assert over == (
        "resolved",
        'silence of model="fraud" is over',
        ["by ann: a rollout", "it is over: alerts that it kept quiet: 2, that still fire: 1", "b moved"],
    )
    first, last = notices(world.mail)
    assert first.group_key == last.group_key
    assert name in first.group_key
    assert [(row[1], row[3], row[4]) for row in decided(world.store, name)] == [
        ("mail/0", "delivered", "it began: alerts that fire and that it keeps quiet: 1"),
        ("mail/0", "delivered", "it is over: alerts that it kept quiet: 2, that still fire: 1"),
    ]
    assert notices(world.pager) == []


def test_what_others_post_is_named_by_its_labels_if_it_says_nothing_of_itself() -> None:
    world = Posts()
    world.post({"alertname": "Disk", "model": "fraud"}, runbook="http://wiki.example/disk")
    world.post({"alertname": "Cpu", "model": "fraud"}, summary="cpu is busy", runbook="http://wiki.example/cpu")
    world.passes(31)
    silenced(world, tells=["mail"])
    now_ms = world.clock.now_ms()
    by_annotation = parse_matchers("annotation:runbook=~.*disk")
    made = Silence("", by_annotation, now_ms, now_ms + 30 * MINUTE_MS, "ann", "a rollout", tells=["mail"])
    SilenceLog(world.store, world.clock).set(made)
    world.passes(11)
    disk = '{alertname="Disk", model="fraud"}'
    assert sorted(sorted(lines[2:]) for _, _, lines in heard(world.mail)) == [["cpu is busy", disk], [disk]]


def test_nobody_hears_of_silences_unless_they_want_to() -> None:
    world = World()
    silenced(world)
    world.passes(40 * 60, each=10)
    assert world.mail.received == world.pager.received == []


def test_receivers_of_the_configuration_hear_of_every_silence_and_once_if_it_names_them_too() -> None:
    world = World(**ALL)
    silenced(world)
    silenced(world, tells=["pager", "mail"])
    world.passes(40 * 60, each=10)
    assert [len(notices(inbox)) for inbox in (world.pager, world.mail)] == [4, 2]


def test_restarts_repeat_nothing_and_what_ended_meanwhile_is_told_however_late() -> None:
    world = World(**ALL)
    silenced(world)
    world.passes(11)
    for _ in range(2):
        world.router = world.started()
        world.passes(60)
    assert len(notices(world.pager)) == 1
    world.clock.advance(20 * 86_400)
    world.router = world.started()
    world.passes(11)
    assert [status for status, _, _ in heard(world.pager)] == ["firing", "resolved"]
    world.router = world.started()
    world.passes(60)
    assert len(notices(world.pager)) == 2
    [_, over] = notices(world.pager)
    assert over.alerts[0].ends_at_ms == 10**12 + 30 * MINUTE_MS, "when it ended, not when that was told"


def test_a_process_that_dies_between_sending_and_noting_says_it_again_under_the_same_key() -> None:
    world = dying()
    world.clock.advance(60)
    world.router = world.started()
    world.passes(11)
    assert [status for status, _, _ in heard(world.pager)] == ["firing", "firing"]
    assert len({said.group_key for said in notices(world.pager)}) == 1


def test_who_may_have_heard_of_a_beginning_hears_of_the_end_though_the_process_died() -> None:
    world = dying()
    world.clock.advance(3600)
    world.router = world.started()
    world.passes(11)
    assert [status for status, _, _ in heard(world.pager)] == ["firing", "resolved"]


def test_each_night_is_told_of_under_a_key_of_its_own() -> None:
    world = World(open_at_once=False, **ALL)
    world.clock = ManualClock(MONDAY_MS + 20 * HOUR_MS)
    world.router = world.started()
    silenced(world, minutes=7 * 24 * 60, intervals=NIGHTS)
    for _ in range(30):
        world.passes(3600, each=1200)
        world.router = world.started()
    told = notices(world.pager)
    assert [said.status for said in told] == ["firing", "resolved", "firing"]
    assert [said.group_labels["since"] for said in told] == ["2024-01-01 21:00 UTC"] * 2 + ["2024-01-02 21:00 UTC"]
    assert told[1].alerts[0].ends_at_ms == MONDAY_MS + 29 * HOUR_MS
    assert heard(world.pager)[0][2][0] == "until 2024-01-02 05:00 UTC, by ann: a rollout"


def test_who_was_away_from_one_night_to_the_next_tells_of_the_end_of_the_one_and_of_the_other() -> None:
    world = World(open_at_once=False, **ALL)
    world.clock = ManualClock(MONDAY_MS + 22 * HOUR_MS)
    world.router = world.started()
    silenced(world, minutes=7 * 24 * 60, intervals=NIGHTS)
    world.passes(11)
    world.clock.advance(24 * 3_600)
    world.router = world.started()
    world.passes(30)
    assert [said.status for said in notices(world.pager)] == ["firing", "resolved", "firing"]
    first, over, second = notices(world.pager)
    assert first.group_key == over.group_key != second.group_key
    assert over.alerts[0].ends_at_ms == MONDAY_MS + 29 * HOUR_MS


def test_a_silence_that_somebody_ends_early_is_over() -> None:
    world = World(**ALL)
    name = silenced(world, minutes=600)
    world.passes(60)
    SilenceLog(world.store, world.clock).expire(name)
    world.passes(11)
    assert [status for status, _, _ in heard(world.pager)] == ["firing", "resolved"]


def test_who_does_not_answer_is_asked_again_and_who_refuses_is_not() -> None:
    world = World(open_at_once=False, **ALL)
    world.pager = Memory("pager", answers=[Retry("busy", after_s=300), Refused("no such channel")])
    world.router = world.started()
    name = silenced(world)
    world.passes(60)
    assert [(row[3], row[4].partition("; ")[2]) for row in decided(world.store, name)] == [
        ("gave_up", "busy"),
        ("refused", "no such channel"),
    ]
    assert len(world.pager.received) == 2
    world.passes(40 * 60, each=10)
    assert len(world.pager.received) == 2, "nor is it told of the end of what it would not hear of"


def random_days(rng: random.Random) -> World:
    """Three days in which silences are made, changed and ended, and the service is stopped now and then."""
    world = World(open_at_once=False, **ALL)
    world.clock = ManualClock(MONDAY_MS + rng.randrange(24 * HOUR_MS))
    world.router = world.started()
    log = SilenceLog(world.store, world.clock)
    for _ in range(60):
        chance, live = rng.random(), [one for one in log.all() if one.state(world.clock.now_ms()) != "expired"]
        if chance < 0.3:
            hours = weekly(
                rng.choice(["22:00-06:00", "mon,wed 09:30-17:00", "day 11:55-12:05", "tue"]), "America/New_York"
            )
            starts_ms = world.clock.now_ms() + rng.choice([0, 0, 40 * MINUTE_MS])
            length_ms = rng.choice([20, 300, 3_000]) * MINUTE_MS
            intervals = rng.choice([(), tuple(hours)])
            model = f"model=m{rng.randrange(3)}"
            made = Silence("", parse_matchers(model), starts_ms, starts_ms + length_ms, "ann", "", intervals=intervals)
            log.set(made)
        elif chance < 0.4 and live:
            log.expire(rng.choice(live).id)
        elif chance < 0.5 and live:
            chosen = rng.choice(live)
            log.set(replace(chosen, ends_ms=chosen.ends_ms + 90 * MINUTE_MS))
        elif chance < 0.6:
            world.clock.advance(rng.choice([60, 3_600, 20_000]))
            world.router = world.started()
        world.passes(rng.choice([60, 4_000]), each=200)
    return world


def test_in_random_days_each_stretch_of_a_silence_is_told_of_once_and_each_beginning_has_its_end() -> None:
    stretches = 0
    for number in range(SCRIPTS):
        world = random_days(random.Random(f"notices/{number}"))
        silences = {one.id: one for one in SilenceLog(world.store, world.clock).all()}
        by_key: dict[str, list[Notification]] = {}
        for said in notices(world.pager):
            by_key.setdefault(said.group_key, []).append(said)
        now_ms = world.clock.now_ms()
        for first, *rest in by_key.values():
            silence, begins_ms = silences[first.group_labels["silence_id"]], first.alerts[0].starts_at_ms
            assert first.status == "firing"
            assert silence.state(max(begins_ms, silence.starts_ms)) == "active"
            assert silence.state(begins_ms - 1_000) != "active"
            counts = silence.span(now_ms)
            goes_on = counts is not None and counts[0] // 1_000 * 1_000 == begins_ms
            assert goes_on or [said.status for said in rest] == ["resolved"]
            for over in rest:
                ends_ms = over.alerts[0].ends_at_ms
                assert silence.state(ends_ms + 1) != "active"
                assert silence.state(ends_ms - 1) == "active"
        stretches += len(by_key)
    assert stretches > 5 * SCRIPTS
