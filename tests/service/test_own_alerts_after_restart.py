"""What was wrong when a process ended is not over because another one has started: somebody has to look first."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from monitor.alerts.own import (
    ALERTS_REFUSED,
    INSTANCE,
    JOB_FAILING,
    NAMES,
    QUOTA_EXCEEDED,
    STAGE_FAILED,
    TOO_MANY_VERSIONS,
    TOPIC_GONE,
    TOPIC_REFUSED,
    UNUSABLE_ROWS,
    StandingAlerts,
    firing_alerts,
)
from monitor.clock import ManualClock, SystemClock
from monitor.config import load
from monitor.config.instance import instance_of
from monitor.config.quotas import Quota
from monitor.config.roles import ROLES
from monitor.decoders import Schemas
from monitor.erasure.erased import ErasureList
from monitor.evaluate.crowding import WITHIN_S, Crowding
from monitor.evaluate.loop import EvaluateLoop
from monitor.heartbeat.gone_instances import GoneInstances
from monitor.heartbeat.lookout import Lookout
from monitor.ingest.intake import Intake
from monitor.jobs.job_state import JobState
from monitor.jobs.run_log import JobRun, RunLog, read_last_run
from monitor.jobs.schedule import Jobs
from monitor.quotas.event_rates import EventRates
from monitor.threads import Threads
from sinks.store.contract import Columns, Query, StoreError
from sinks.store.memory import MemoryStore
from tests.service import shop

OF_PROCESS = {
    STAGE_FAILED: ("stage", "alert", "evaluate/shop"),
    TOPIC_REFUSED: ("topic", "shop"),
    JOB_FAILING: ("job", "keep_lifetimes"),
    ALERTS_REFUSED: ("posted", "alerts"),
}
OF_STORE = {TOO_MANY_VERSIONS: ("model", "shop"), UNUSABLE_ROWS: ("table", "silences")}
UNKNOWN = {"alert", "evaluate/shop", "shop", "keep_lifetimes", "alerts", "silences"}


def firing(store: MemoryStore) -> set[str]:
    """Of what alerts fire."""
    labels = [alert.labels for alert in firing_alerts(store, NAMES)]
    return {value for each in labels for name, value in each.items() if name not in ("alertname", "severity", INSTANCE)}


def test_a_restart_resolves_nothing_before_its_cause_has_been_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.05)
    monkeypatch.setattr("monitor.threads.STEADY_S", 1e9)
    monkeypatch.setattr("monitor.heartbeat.lookout.READ_FOR_S", 1e9)
    may_evaluate, evaluate_now = Event(), EvaluateLoop.evaluate_now

    def evaluated(loop: EvaluateLoop, *options: Any) -> None:
        if may_evaluate.is_set():
            evaluate_now(loop, *options)

    monkeypatch.setattr(EvaluateLoop, "evaluate_now", evaluated)
    store, clock = MemoryStore(), SystemClock()
    configuration = load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"})))
    instance = instance_of(configuration.service.spec, frozenset(ROLES), None)
    for alertname, (label, *values) in OF_PROCESS.items():
        StandingAlerts(store, clock, alertname, label, instance=instance).step(dict.fromkeys(values, "it fails"))
    for alertname, (label, value) in OF_STORE.items():
        StandingAlerts(store, clock, alertname, label).step({value: "it fails"})
    StandingAlerts(store, clock, TOPIC_GONE, "topic", shared=True).step({"sold": "it is gone"})
    assert firing(store) == {*UNKNOWN, "sold"}
    rounds: list[int] = []
    step = Lookout.step

    def counted(lookout: Lookout) -> None:
        step(lookout)
        rounds.append(1)

    monkeypatch.setattr(Lookout, "step", counted)
    with shop.serving(configuration, store) as service:
        shop.wait_until(lambda: len(rounds) > 3, "it has looked")
        assert firing(store) == UNKNOWN, "only of the topic that nobody reads is it known"
        service.accept("shop", [json.dumps({"id": "a", "ts": shop.START_MS, "amount": 1.0}).encode()])
        may_evaluate.set()
        shop.wait_until(lambda: "evaluate/shop" not in firing(store), "it is evaluated")
        monkeypatch.setattr("monitor.threads.STEADY_S", 0.0)
        shop.wait_until(lambda: "alert" not in firing(store), "it has run for a while")
    assert firing(store) == UNKNOWN - {"alert", "evaluate/shop"}


def test_topics_are_not_refused_any_more_once_they_have_been_read_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.05)
    monkeypatch.setattr("monitor.heartbeat.lookout.READ_FOR_S", 0.1)
    store = MemoryStore()
    configuration = load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"})))
    instance = instance_of(configuration.service.spec, frozenset(ROLES), None)
    StandingAlerts(store, SystemClock(), TOPIC_REFUSED, "topic", instance=instance).step({"shop": "it is not read"})
    with shop.serving(configuration, store):
        shop.wait_until(lambda: not firing(store), "it is read")


def test_a_model_without_traffic_has_too_many_versions_for_no_longer_than_without_a_restart() -> None:
    clock = ManualClock()
    crowding = Crowding(clock)
    clock.advance(WITHIN_S)
    assert not crowding.is_over()
    clock.advance(1)
    assert crowding.is_over()


def test_a_run_that_was_killed_says_nothing_of_a_job_that_failed() -> None:
    store = MemoryStore()
    state = JobState("look", 60, JobRun(5, "look", "a", 6, "failed", "OSError", failures=3))
    RunLog(store).write(state.begin(90_000, "a"))
    following = JobState("look", 60, read_last_run(store, "look", "a"))
    assert "3 times in a row" in following.trouble(100_000)
    assert not following.is_known
    assert following.end(replace(following.begin(150_000, "a"), outcome="done", failures=0), 150_001)
    assert (following.trouble(150_002), following.is_known) == ("", True)


def test_which_jobs_are_paused_is_unknown_until_the_store_answers() -> None:
    class Away(MemoryStore):
        is_away = True

        def read(self, query: Query) -> Columns:
            if self.is_away:
                raise StoreError("it is away", retryable=True)
            return super().read(query)

    store, clock = Away(), ManualClock()
    jobs = Jobs({}, [], clock, store)
    assert jobs.forgotten() is None
    store.is_away = False
    clock.advance(60)
    jobs.follow()
    assert jobs.forgotten() == {}
    jobs.stop()


def test_others_do_not_end_an_alert_of_a_process_that_has_not_measured_for_long_enough_yet() -> None:
    store, clock = MemoryStore(), ManualClock(1_000)
    StandingAlerts(store, clock, QUOTA_EXCEEDED, "namespace", instance="a").step({"risk": "too much is read"})
    gone = GoneInstances(store, clock, [QUOTA_EXCEEDED], "b")
    gone.step()
    clock.advance(60)
    intake = Intake(Schemas(), ErasureList(store))
    loop = EvaluateLoop({}, store, clock, 60, lambda model, seconds: None)
    lookout = Lookout(store, clock, [], Threads(clock, "a"), {}, intake, loop)
    lookout.follow_rates(EventRates({"risk": Quota(events_per_s=1)}, {}, dict, clock))
    for _ in range(40):
        lookout.step()
        gone.step()
        clock.advance(10)
    assert store.read(Query("alerts"))["title"] == ["too much is read", "over: too much is read"]
