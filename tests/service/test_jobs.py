"""What happens by the clock."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from apscheduler.job import Job as Scheduled
from apscheduler.schedulers.background import BackgroundScheduler
from structlog.testing import capture_logs

from monitor.clock import SystemClock
from monitor.config import load
from monitor.evaluate.loop import EvaluateLoop
from monitor.heartbeat.gone_instances import GoneInstances
from monitor.ingest.intake import Intake
from monitor.jobs.job import JOBS, Job
from monitor.jobs.schedule import Every, Jobs
from monitor.service import Service
from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.service.test_late_events import DAY_MS, TurnedClock
from tests.service.test_reload import AwayStore

WAITS = "a job waits for the store"


def test_an_ingest_log_that_is_not_trimmed_since_the_store_is_away_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.jobs.schedule.JOBS", {"trim_ingest_log": Job(0.05, "ingest")})
    store = AwayStore()
    path = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}))
    with capture_logs() as log, shop.serving(load(path), store):
        store.is_away = True
        shop.wait_until(lambda: [line for line in log if line["event"] == WAITS], "it is in the log")
        store.is_away = False
    about = {"job": "trim_ingest_log", "reason": "Connection refused", "log_level": "warning"}
    assert {"event": WAITS, **about} in log
    assert "a job failed" not in {line["event"] for line in log}


def test_a_process_runs_the_jobs_of_its_roles() -> None:
    jobs = dict.fromkeys(JOBS, lambda: None)
    scheduled = {}
    for role in ("ingest", "evaluate", "api"):
        running = Jobs(jobs, [role], SystemClock(), MemoryStore())
        scheduled[role] = sorted(running.states)
        running.stop()
    assert scheduled == {
        "ingest": ["give_back_memory", "log_status", "look_at_group", "look_at_store", "trim_ingest_log"],
        "evaluate": [
            "give_back_memory",
            "keep_lifetimes",
            "log_status",
            "look_at_store",
            "refresh_roll_ups",
            "self_test",
            "work_out_performance",
        ],
        "api": ["give_back_memory", "log_status", "look_at_store"],
    }


def test_a_job_is_done_again_after_it_failed() -> None:
    runs, enough = list[int](), threading.Event()

    def trim() -> None:
        runs.append(1)
        if len(runs) == 3:
            enough.set()
        raise OSError("no space left on device")

    with capture_logs() as log, pytest.MonkeyPatch.context() as patch:
        patch.setattr("monitor.jobs.schedule.JOBS", {"trim_ingest_log": Job(0.01, "ingest")})
        running = Jobs({"trim_ingest_log": trim}, ["ingest"], SystemClock(), MemoryStore())
        assert enough.wait(120)
        running.stop()
    assert log[0] == {
        "job": "trim_ingest_log",
        "reason": "OSError: no space left on device",
        "event": "a job failed",
        "log_level": "error",
    }


def test_a_clock_that_leaps_ahead_makes_a_job_due_now_and_not_once_for_each_time_it_missed() -> None:
    start = datetime(1970, 1, 1, tzinfo=UTC)
    trigger, now = Every(seconds=30, start_date=start, timezone=UTC), start + timedelta(days=1, seconds=7)
    job = Scheduled(BackgroundScheduler(), trigger=trigger, func=print, args=(), kwargs={}, next_run_time=start)
    due = job._get_run_times(now)
    assert due == [start, now]
    assert trigger.get_next_fire_time(due[-1], now) == now + timedelta(seconds=30)


@pytest.mark.parametrize("watch_fails", [False, True])
def test_jobs_go_on_at_once_after_a_clock_that_ran_a_day_ahead_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watch_fails: bool
) -> None:
    clock, runs = TurnedClock(), list[int]()

    class Turned(datetime):
        """The time of day as APScheduler reads it."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Turned:
            return cls.fromtimestamp(clock.now_ms() / 1000, tz)

    def turn_back(gone: GoneInstances) -> None:
        if len(runs) > 1 and clock.ahead_ms:
            clock.ahead_ms = 0
            if watch_fails:
                raise KeyError("a bug")

    monkeypatch.setattr("apscheduler.schedulers.base.datetime", Turned)
    monkeypatch.setattr("monitor.jobs.schedule.JOBS", {"look_at_group": Job(0.05, "ingest")})
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.05)
    monkeypatch.setattr("monitor.threads.FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(Intake, "look_at_group", lambda intake: runs.append(1))
    monkeypatch.setattr(GoneInstances, "step", turn_back)
    path = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}))
    clock.ahead_ms = DAY_MS
    with shop.serving(load(path), MemoryStore(), clock=clock):
        shop.wait_until(lambda: not clock.ahead_ms, "it is set back")
        count = len(runs)
        shop.wait_until(lambda: len(runs) > count + 3, "it runs on")


def test_a_service_ends_with_its_checkpoints_written_while_a_job_waits_for_a_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, answer, saved = threading.Event(), threading.Event(), threading.Event()

    def look(intake: Intake) -> None:
        looking.set()
        answer.wait(60)

    monkeypatch.setattr(Intake, "look_at_group", look)
    monkeypatch.setattr(EvaluateLoop, "save", lambda loop: saved.set())
    monkeypatch.setattr("monitor.jobs.schedule.JOBS", {"look_at_group": Job(0.01, "ingest")})
    monkeypatch.setattr("monitor.jobs.schedule.LEAVE_WITHIN_S", 0.2)
    path = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}), checkpoint_every="1h")
    service = Service(load(path), SystemClock(), MemoryStore())
    service.start()
    with capture_logs() as log:
        try:
            assert looking.wait(120)
            [thread] = [thread for thread in threading.enumerate() if thread.name == "look_at_group"]
            assert thread.daemon, "it ends with the process"
            ending = threading.Thread(target=service.stop)
            ending.start()
            ending.join(120)
            assert not ending.is_alive()
        finally:
            answer.set()
    service.intake.close()
    assert saved.is_set()
    assert {"jobs": ["look_at_group"], "event": "jobs are left unfinished", "log_level": "warning"} in log
