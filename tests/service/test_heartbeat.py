"""Whoever expects pings gets them while everything works, and none when a part has stopped."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from monitor.clock import ManualClock, SystemClock
from monitor.config import load
from monitor.config.document import ConfigError
from monitor.delivery.reception import Reception
from monitor.delivery.target import Target
from monitor.heartbeat.failing_receivers import FailingReceivers
from monitor.heartbeat.heartbeat import NOT_TAKEN, Heartbeat
from monitor.heartbeat.pulses import STAGES, Pulses
from monitor.ingest.arrivals import Arrivals, Flow
from monitor.threads import Threads
from sinks.receivers import build, read_parameters
from sinks.receivers.contract import Refused, Retry
from sinks.receivers.memory import Memory
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.service import shop
from tests.service.test_stages import Poisoned
from tests.sinks.receivers.listener import Answer, Listener


def _is_silent(listener: Listener) -> bool:
    """Whether no ping comes for as long as two would take."""
    count = len(listener.requests)
    threading.Event().wait(2.5)
    return len(listener.requests) == count


class World:
    """Stages that work as long as they are told to, and what is pinged."""

    def __init__(self) -> None:
        self.store, self.clock, self.inbox = MemoryStore(), ManualClock(now_ms=10**12), Memory("deadman")
        self.pulses, self.rounds = Pulses(self.store, self.clock), dict.fromkeys(STAGES, 0)
        self.heartbeat = Heartbeat(self.store, self.clock, [self.inbox], every_s=60)
        self.arrivals, self.reads = Arrivals(self.store, self.clock), True

    def passes(self, minutes: int, *stopped: str) -> int:
        """Let time pass in which all but some stages work; return how many pings there were."""
        pings = len(self.inbox.received)
        for second in range(10, 60 * minutes + 1, 10):
            self.clock.advance(10)
            self.rounds |= {stage: n + 1 for stage, n in self.rounds.items() if stage not in stopped}
            self.pulses.state(STAGES, self.rounds)
            if self.reads:
                self.arrivals.look({Flow("shop", "events", 0): 0}, {}, at_end={("events", 0)})
            if second % 60 == 0:
                self.heartbeat.step()
            else:
                self.heartbeat.missing()
        return len(self.inbox.received) - pings


def test_pings_come_while_everything_works() -> None:
    world = World()
    assert world.passes(5) == 5
    assert {n.alerts[0].labels["alertname"] for n in world.inbox.received} == {"LeewayHeartbeat"}


def test_a_source_that_no_model_names_any_more_is_not_missed() -> None:
    store, threads = MemoryStore(), Threads(SystemClock())
    threads.run("ingest-http-0", lambda: None)
    threads.run("ingest-kafka-1", threads.stop.wait)
    shop.wait_until(lambda: threads.names == ["ingest-kafka-1"], "what read it has ended")
    threads.counting("ingest-kafka-1")()
    Pulses(store, ManualClock(1_000)).state(threads.names, threads.rounds)
    assert store.read(Query("pulses"))["stage"] == ["ingest"]
    threads.join()


@pytest.mark.parametrize("stage", STAGES)
def test_no_ping_comes_when_a_stage_has_stopped_and_they_come_again_with_it(stage: str) -> None:
    world = World()
    world.passes(5)
    assert world.passes(10, stage) <= 1
    assert world.heartbeat.missing() == [f"{stage} does not work"]
    assert world.passes(5) >= 4


def test_no_ping_comes_when_nobody_reads_a_partition() -> None:
    world = World()
    world.passes(5)
    world.reads = False
    assert world.passes(10) <= 1
    assert world.heartbeat.missing() == ["events/0 is not read"]


def test_what_a_process_stated_that_is_gone_is_no_sign_of_life() -> None:
    world = World()
    world.passes(5)
    heartbeat = Heartbeat(world.store, world.clock, [world.inbox], every_s=60)
    assert not heartbeat.step()


def test_a_running_service_pings_a_url_until_a_stage_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "monitor.heartbeat.heartbeat.WORKS_WITHIN_S": 2.0,
        "monitor.heartbeat.lookout.PULSE_EVERY_S": 0.1,
        "monitor.service.WATCH_EVERY_S": 0.1,
        "monitor.freshness.freshness.LOOK_EVERY_S": 0.1,
    }.items():
        monkeypatch.setattr(name, value)
    with Listener() as listener:
        hook: dict[str, Any] = {
            "kind": "webhook",
            "name": "deadman",
            "url": listener.url("/ping"),
            "allow_private": True,
        }
        heartbeat = {"every": "1s", "receivers": [hook]}
        configuration = load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"}), heartbeat=heartbeat))
        store = Poisoned()
        with shop.serving(configuration, store) as service:
            shop.wait_until(lambda: listener.requests, "it is pinged")
            store.stage = "alert"
            shop.wait_until(service.ready, "the stage fails")
            shop.wait_until(lambda: _is_silent(listener), "no more pings come")
            store.stage = ""
            count = len(listener.requests)
            shop.wait_until(lambda: len(listener.requests) > count, "pings come again")
    assert {request.path for request in listener.requests} == {"/ping"}


def test_a_receiver_that_hangs_keeps_no_other_from_its_pings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("monitor.heartbeat.lookout.PULSE_EVERY_S", "monitor.freshness.freshness.LOOK_EVERY_S"):
        monkeypatch.setattr(name, 0.1)
    with capture_logs() as logs, ExitStack() as hanging, Listener() as well:
        sick = hanging.enter_context(Listener(Answer(hang=True)))
        hooks: list[dict[str, Any]] = [
            {"kind": "webhook", "name": name, "url": listener.url(), "allow_private": True, "timeout": "5m"}
            for name, listener in (("sick", sick), ("well", well))
        ]
        heartbeat = {"every": "1s", "receivers": hooks}
        configuration = load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"}), heartbeat=heartbeat))
        with shop.serving(configuration, MemoryStore()):
            shop.wait_until(lambda: len(well.requests) >= 3, "the other is pinged again and again")
            shop.wait_until(lambda: sick.requests, "so was this one")
            assert len(sick.requests) == 1
            hanging.close()
    late = {"receiver": "sick", "reason": "the one before it is still being sent"}
    assert late in [{name: log.get(name) for name in late} for log in logs if log["event"] == NOT_TAKEN]


def test_a_ping_that_is_not_taken_is_said_and_not_tried_again() -> None:
    world = World()
    world.inbox = Memory("deadman", answers=[Retry("busy"), Refused("no")])
    world.heartbeat = Heartbeat(world.store, world.clock, [world.inbox], every_s=60)
    with capture_logs() as logs:
        assert world.passes(4) == 4
    said = [(log["receiver"], log["reason"]) for log in logs if log["event"] == NOT_TAKEN]
    assert said == [("deadman", "busy"), ("deadman", "no")]


def test_people_are_notified_of_one_that_takes_no_pings_for_a_quarter_of_an_hour_until_it_does() -> None:
    world = World()
    world.inbox = Memory("deadman", answers=[Refused("404 Not Found")] * 20)
    reception = Reception.of(world.store)
    # A receiver of alerts may have the same name.
    reception.follow(world.store, [Target("deadman")])
    world.heartbeat = Heartbeat(world.store, world.clock, [world.inbox], every_s=60)
    receivers = FailingReceivers(world.store, world.clock)
    states = []
    for minutes in (10, 8, 10):
        for _ in range(minutes):
            world.passes(1)
            receivers.step()
        rows = rows_of(world.store.read(Query("alerts", order=("at_ms",))))
        states.append([(row["state"], json.loads(row["labels"])["receiver"]) for row in rows])
        reception.follow(world.store, [Target("deadman")])
    fires, over = ("firing", "heartbeat/deadman"), ("resolved", "heartbeat/deadman")
    assert states == [[], [fires], [fires, over]]
    assert world.inbox.received[0].receiver == "deadman"
    assert reception.counts == {}, "pings are no notifications"


def test_a_receiver_that_tells_people_of_each_ping_is_refused(tmp_path: Path) -> None:
    heartbeat = {"receivers": [{"kind": "log", "name": "log"}]}
    with pytest.raises(ConfigError, match="a ping is for webhook or alertmanager, not for log"):
        load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"}), heartbeat=heartbeat))


def test_an_alertmanager_lets_a_heartbeat_end_by_itself() -> None:
    with Listener() as listener:
        parameters = {"kind": "alertmanager", "name": "am", "url": listener.url(""), "allow_private": True}
        world = World()
        world.heartbeat = Heartbeat(world.store, world.clock, [build(read_parameters(parameters))], every_s=60)
        world.passes(1)
        [alert] = listener.requests[0].body
        assert (alert["startsAt"], alert["endsAt"]) == ("2001-09-09T01:47:40Z", "2001-09-09T01:50:40Z")
