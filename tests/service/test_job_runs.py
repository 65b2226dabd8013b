"""What becomes of runs of jobs, who asks for them, and which are paused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.api.app import create_app
from monitor.client.inprocess import InProcess
from monitor.clock import ManualClock, SystemClock
from monitor.config import load
from monitor.ingest.intake import Intake
from monitor.jobs.job import JOBS, Job
from monitor.jobs.job_state import JobState
from monitor.jobs.pause_log import pause_job, read_pauses, resume_job
from monitor.jobs.run_log import MOST_WAITING, AskedRuns, JobRun, RunLog, ask_to_run, latest_runs, read_last_run
from monitor.jobs.schedule import Jobs
from monitor.values import DAY_MS
from sinks.store.contract import Query, Store, StoreError
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.service import shop
from tests.service.test_reload import AwayStore

NEVER_S, OFTEN_S = 3_600.0, 0.02


def runs_of(store: Store, **where: Any) -> list[dict[str, Any]]:
    return rows_of(store.read(Query("job_runs", where)))


@contextmanager
def running(
    store: Store, jobs: Mapping[str, Callable[[], object]], every_s: float = NEVER_S, instance: str = "a:8080"
) -> Iterator[Jobs]:
    """Jobs of every process, which are followed in a thread of their own."""
    stop = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("monitor.jobs.schedule.JOBS", {name: Job(every_s) for name in jobs})
        patch.setattr("monitor.jobs.schedule.LOOK_EVERY_S", 0.01)
        followed = Jobs(jobs, [], SystemClock(), store, instance)

        def follow() -> None:
            while not stop.wait(0.02):
                followed.follow()

        following = threading.Thread(target=follow)
        following.start()
        try:
            yield followed
        finally:
            stop.set()
            following.join()
            followed.stop()


class ClosedStore(AwayStore):
    """One that takes no rows while it is away."""

    def append(self, table: str, columns: Mapping[str, Any], token: str) -> None:
        if self.is_away:
            raise StoreError("Connection refused", retryable=True)
        super().append(table, columns, token)


def test_each_run_is_recorded_with_what_became_of_it_and_without_what_an_error_quotes() -> None:
    store, trials = MemoryStore(), iter([StoreError("no answer", retryable=True), KeyError("Anna Muster"), None])

    def look() -> None:
        if (error := next(trials, None)) is not None:
            raise error

    with running(store, {"look": look}, OFTEN_S):
        shop.wait_until(lambda: runs_of(store, outcome="done"), "it is done again")
    runs = runs_of(store)[:3]
    assert [(run["outcome"], run["failures"], run["instance"]) for run in runs] == [
        ("failed", 1, "a:8080"), ("failed", 2, "a:8080"), ("done", 0, "a:8080"),
    ]  # fmt: skip
    assert [run["reason"] for run in runs] == [
        "StoreError: no answer", "KeyError; the log of the process says more", "",
    ]  # fmt: skip
    assert all(run["started_ms"] <= run["ended_ms"] for run in runs)


def test_that_the_store_was_away_is_no_trouble_of_a_job() -> None:
    store, begun = ClosedStore(), list[int]()

    def look() -> None:
        begun.append(1)
        if store.is_away:
            raise StoreError("Connection refused", retryable=True)

    with running(store, {"look": look}, OFTEN_S) as jobs:
        shop.wait_until(lambda: begun, "it runs")
        store.is_away = True
        shop.wait_until(lambda: jobs.states["look"].failures > 3, "it fails again and again")
        assert jobs.troubles() == {}
        store.is_away = False
        shop.wait_until(lambda: not jobs.states["look"].failures, "it works")


def test_a_store_that_is_away_makes_no_run_fail_and_has_all_of_them_afterwards() -> None:
    store, begun = ClosedStore(), list[int]()
    with running(store, {"look": lambda: begun.append(1)}, OFTEN_S):
        shop.wait_until(lambda: begun, "it runs")
        store.is_away = True
        count = len(begun)
        shop.wait_until(lambda: len(begun) > count + 2, "it runs on")
        store.is_away = False
        shop.wait_until(lambda: len(runs_of(store)) > count + 2, "they are recorded")
    assert {run["outcome"] for run in runs_of(store)} == {"done"}


def test_few_runs_are_held_while_the_store_is_away() -> None:
    store = ClosedStore()
    log = RunLog(store)
    store.is_away = True
    for at_ms in range(MOST_WAITING + 5):
        log.write(JobRun(at_ms, "look", "a", at_ms, "done"))
    store.is_away = False
    log.write(JobRun(9_999, "look", "a", 9_999, "done"))
    assert len(runs_of(store)) == MOST_WAITING


def test_a_paused_job_runs_in_no_process_until_it_is_resumed() -> None:
    store, clock, begun = MemoryStore(), SystemClock(), list[str]()
    with (
        running(store, {"look": lambda: begun.append("a")}, OFTEN_S, "a") as one,
        running(store, {"look": lambda: begun.append("b")}, OFTEN_S, "b") as other,
    ):
        shop.wait_until(lambda: {"a", "b"} <= set(begun), "both run it")
        pause_job(store, clock, "look", "ann", "it hurts")
        shop.wait_until(lambda: all("look" in jobs.pauses for jobs in (one, other)), "they know")
        shop.wait_until(lambda: all(run["ended_ms"] for run in runs_of(store)), "none goes on")
        count = len(begun)
        threading.Event().wait(10 * OFTEN_S)
        assert len(begun) <= count + 2
        resume_job(store, clock, "look", "ann", "")
        shop.wait_until(lambda: len(begun) > count + 4, "they run it again")


def test_a_pause_survives_a_restart_and_is_said_again_after_a_day() -> None:
    store, clock, begun = MemoryStore(), ManualClock(1_700_000_000_000), list[int]()
    pause_job(store, clock, "look", "ann", "it hurts")
    with running(store, {"look": lambda: begun.append(1)}, OFTEN_S) as jobs:
        shop.wait_until(lambda: jobs.pauses, "it is known")
        assert jobs.forgotten() == {
            "look": "the job look is paused since 2023-11-14 22:13:20 UTC by ann: it hurts. "
            "`leeway jobs resume look` has it run again"
        }
    assert not begun
    assert not read_pauses(store)["look"].is_forgotten(clock.now_ms() + 3_600_000)


def test_what_somebody_asks_for_runs_once_in_each_process_also_after_a_restart() -> None:
    store, begun = MemoryStore(), list[str]()
    with running(store, {"look": lambda: begun.append("a")}, instance="a"):
        with running(store, {"look": lambda: begun.append("b")}, instance="b"):
            asked = ask_to_run(store, SystemClock(), "look", "ann", "after a change")
            shop.wait_until(lambda: len(runs_of(store, asked_ms=asked.asked_ms, outcome="done")) == 2, "both have")
        with running(store, {"look": lambda: begun.append("b")}, instance="b"):
            shop.wait_until(lambda: len(threading.enumerate()), "it is there")
            threading.Event().wait(0.1)
    assert sorted(begun) == ["a", "b"]
    assert {run["asked_by"] for run in runs_of(store)} == {"ann"}


def test_what_is_asked_for_while_a_run_goes_on_has_a_run_of_its_own_each() -> None:
    store, clock, go_on, begun = MemoryStore(), SystemClock(), threading.Event(), list[int]()

    def look() -> None:
        begun.append(1)
        go_on.wait(60)

    def done() -> list[int]:
        return sorted(run["asked_ms"] for run in runs_of(store, outcome="done"))

    with running(store, {"look": look}) as jobs:
        requests = [ask_to_run(store, clock, "look", "ann", "").asked_ms]
        shop.wait_until(lambda: begun, "it runs")
        for _ in range(2):
            threading.Event().wait(0.002)
            requests.append(ask_to_run(store, clock, "look", "bob", "").asked_ms)
        shop.wait_until(lambda: len(jobs.states["look"].requests) == 2, "they are known")
        go_on.set()
        shop.wait_until(lambda: done() == requests, "each is done")


def test_a_request_by_a_clock_that_is_ahead_or_behind_keeps_no_other_from_being_done() -> None:
    store, clock = MemoryStore(), ManualClock(1_700_000_000_000)
    asked = AskedRuns(store, clock, "a")
    for ahead_ms in (DAY_MS, 0, -200_000):
        ask_to_run(store, ManualClock(clock.now_ms() + ahead_ms), "look", "ann", "")
        assert [run.asked_ms - clock.now_ms() for run in asked.take()] == [ahead_ms]
        clock.advance(3)
    assert asked.take() == []
    RunLog(store).write(JobRun(5, "look", "a", 6, "done", asked_ms=clock.now_ms() - 9_000 + DAY_MS))
    RunLog(store).write(JobRun(7, "look", "a", 8, "done", asked_ms=clock.now_ms() - 6_000))
    RunLog(store).write(JobRun(9, "look", "a", 9, "done", asked_ms=clock.now_ms() - 203_000))
    assert AskedRuns(store, clock, "a").take() == [], "who was here before has done them"


def test_what_a_process_missed_while_it_was_down_runs_soon_after_its_start_and_is_counted() -> None:
    store, clock = MemoryStore(), SystemClock()
    hours_ago_ms = clock.now_ms() - round(3.2 * 3_600_000)
    RunLog(store).write(JobRun(hours_ago_ms, "look", "a:8080", hours_ago_ms + 5, "done"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("monitor.jobs.schedule.SETTLED_S", 0.05)
        with running(store, {"look": lambda: None}):
            shop.wait_until(lambda: len(runs_of(store)) == 2, "it has run")
    assert runs_of(store)[1]["missed"] == 2


def test_a_run_whose_process_was_killed_is_told_from_one_that_goes_on() -> None:
    store = MemoryStore()
    RunLog(store).write(JobRun(5, "look", "a:8080"))
    with running(store, {"look": lambda: None}):
        assert [run["outcome"] for run in runs_of(store)] == ["unfinished"]


def test_a_run_of_a_process_of_which_nothing_is_heard_any_more_is_unfinished() -> None:
    store, clock = MemoryStore(), SystemClock()
    RunLog(store).write(JobRun(5, "look", "gone:8080"))
    RunLog(store).write(JobRun(5, "look", "busy:8080"))
    RunLog(store).write(JobRun(clock.now_ms(), "log", "busy:8080", clock.now_ms(), "done"))
    with running(store, {"look": lambda: None}):
        shop.wait_until(lambda: runs_of(store, outcome="unfinished"), "it is noted")
    outcomes = {run["instance"]: run["outcome"] for run in runs_of(store, job="look")}
    assert outcomes == {"gone:8080": "unfinished", "busy:8080": "running"}


def test_a_run_that_does_not_end_is_seen_and_alerted_about(monkeypatch: pytest.MonkeyPatch) -> None:
    store, go_on, looking = MemoryStore(), threading.Event(), threading.Event()
    monkeypatch.setattr("monitor.jobs.job_state.LONG_MS", 0)

    def look() -> None:
        looking.set()
        go_on.wait(60)

    with running(store, {"look": look}) as jobs:
        ask_to_run(store, SystemClock(), "look", "ann", "")
        assert looking.wait(120)
        shop.wait_until(lambda: runs_of(store, outcome="running"), "it is recorded")
        [run] = latest_runs(store, SystemClock().now_ms())["look"]
        assert (run.outcome, run.ended_ms) == ("running", 0)
        assert jobs.troubles() == {}
        text = jobs.states["look"].trouble(run.started_ms + 4 * 3_600_000)
        assert text.startswith("the job look runs since ")
        go_on.set()
        shop.wait_until(lambda: runs_of(store, outcome="done"), "it is done")
    assert runs_of(store, outcome="running") == []


def test_a_job_that_fails_again_and_again_is_alerted_about_until_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = threading.Event()
    failing.set()

    def look(intake: Intake) -> None:
        if failing.is_set():
            raise OSError("no space left on /secret")

    def own_alerts() -> list[tuple[str, str]]:
        return [
            (row["state"], row["title"])
            for row in rows_of(store.read(Query("alerts")))
            if '"job_failing"' in row["labels"]
        ]

    monkeypatch.setattr(Intake, "look_at_group", look)
    monkeypatch.setattr("monitor.jobs.schedule.JOBS", {"look_at_group": Job(OFTEN_S, "ingest")})
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.05)
    store = MemoryStore()
    with shop.serving(load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"}))), store):
        [(state, title)] = shop.wait_until(own_alerts, "it is alerted about")
        assert state == "firing"
        assert title.startswith("the job look_at_group fails since ")
        assert " times in a row: OSError; the log of the process says more; `leeway jobs history" in title
        assert "/secret" not in title
        failing.clear()
        shop.wait_until(lambda: len(own_alerts()) == 2, "it is over")
    assert own_alerts()[1][0] == "resolved"


def test_failures_in_a_row_are_counted_on_by_the_next_process() -> None:
    store = MemoryStore()
    RunLog(store).write(JobRun(5, "look", "a", 6, "failed", "OSError", failures=3))
    state = JobState("look", 60, read_last_run(store, "look", "a"))
    assert "fails since 1970-01-01 00:00:00 UTC, 3 times in a row: OSError" in state.trouble(10)


def test_a_service_says_which_jobs_are_paused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.05)
    monkeypatch.setattr("monitor.jobs.schedule.LOOK_EVERY_S", 0.05)
    store = MemoryStore()
    path = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}))
    with shop.serving(load(path), store) as service:
        client = httpx.Client(transport=InProcess(create_app(service)), base_url="http://leeway")
        body = {"created_by": "ann", "reason": "audit of May"}
        assert client.put("/v1/jobs/keep_lifetimes/pause", json=body).status_code == 200
        sentences = shop.wait_until(service.notes, "it is in force")
        assert [text.partition(" since ")[0] for text in sentences] == ["the job keep_lifetimes is paused"]
        assert "ann" not in str(sentences), "probes answer everybody"
        assert client.get("/readyz").json() == {"status": "ready", "notes": sentences}
        assert client.get("/v1/status").json()["notes"] == sentences
        refused = client.post("/v1/jobs/keep_lifetimes/run", json={"created_by": "bob"})
        assert (refused.status_code, "resume it first" in refused.json()["detail"]) == (409, True)
    assert set(JOBS) == {row["job"] for row in client.get("/v1/jobs").json()["items"]}
