"""`leeway jobs`: what runs by the clock, as people see it and change it."""

from __future__ import annotations

from functools import partial

import pytest

from monitor.client import Leeway
from monitor.jobs.run_log import JobRun, RunLog
from tests.api.world import NOW_MS, World, serving
from tests.cli.console import Console


def test_jobs_are_listed_paused_and_resumed(leeway: Console) -> None:
    world = World()
    RunLog(world.store).write(JobRun(NOW_MS - 90_000, "keep_lifetimes", "a:8080", NOW_MS - 88_000, "done"))
    with serving(world) as url:
        paused = leeway("jobs", "pause", "keep_lifetimes", "--reason", "audit of May", "--by", "ann", "--url", url)
        assert (paused.code, "audit of May" in paused.out) == (0, True)
        status = leeway("status", "--url", url).out.splitlines()
        assert status[0] == "Jobs that are paused:"
        assert "audit of May" in str(status)
        rows = {row["job"]: row for row in leeway("jobs", "--json", "--url", url).lines}
        kept, trimmed = rows["keep_lifetimes"], rows["trim_ingest_log"]
        assert (kept["instance"], kept["outcome"], kept["took_ms"]) == ("a:8080", "done", 2_000)
        assert (kept["paused_since_ms"], kept["paused_by"], kept["paused_reason"]) == (NOW_MS, "ann", "audit of May")
        assert (trimmed["started_ms"], trimmed["paused_since_ms"], trimmed["is_vital"]) == (None, None, True)
        refused = leeway("jobs", "run", "keep_lifetimes", "--url", url)
        assert (refused.code, refused.err.endswith("by ann: audit of May; resume it first\n")) == (2, True)
        assert leeway("jobs", "resume", "keep_lifetimes", "--url", url).out == "keep_lifetimes runs again\n"
        again = leeway("jobs", "resume", "keep_lifetimes", "--url", url)
        assert (again.code, again.err) == (2, "error: the job keep_lifetimes is not paused\n")
        unknown = leeway("jobs", "pause", "sweep", "--reason", "x", "--url", url)
        assert unknown.err.startswith("error: no job is named 'sweep'; there are trim_ingest_log, ")


def test_a_run_that_somebody_asks_for_is_waited_for(leeway: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.cli.jobs.SETTLE_S", 0.0)
    world = World()
    with serving(world) as url:
        nobody = leeway("jobs", "run", "log_status", "--by", "ann", "--wait", "0", "--url", url)
        assert (nobody.code, nobody.err) == (1, "no process has run it within 0 s: is one with its role there?\n")
        asked = partial(JobRun, asked_ms=NOW_MS, asked_by="ann")
        RunLog(world.store).write(asked(NOW_MS + 5, "log_status", "a:8080", NOW_MS + 9, "done"))
        done = leeway("jobs", "run", "log_status", "--by", "ann", "--url", url, "--json")
        assert (done.code, [run["instance"] for run in done.lines]) == (0, ["a:8080"])
        RunLog(world.store).write(asked(NOW_MS + 6, "log_status", "b:8080", NOW_MS + 9, "failed", "OSError"))
        failed = leeway("jobs", "run", "log_status", "--by", "ann", "--url", url)
        assert (failed.code, "OSError" in failed.out) == (1, True)
        history = leeway("jobs", "history", "--job", "log_status", "--outcome", "failed", "--json", "--url", url)
        assert [run["instance"] for run in history.lines] == ["b:8080"]


def test_a_client_runs_pauses_and_resumes() -> None:
    with serving(World()) as url, Leeway(url) as client:
        assert client.run_job("log_status", created_by="ann")["asked_ms"] == NOW_MS
        assert client.pause_job("log_status", created_by="ann", reason="noise")["since_ms"] == NOW_MS
        assert client.resume_job("log_status", created_by="bob")["created_by"] == "ann"
        assert [run["outcome"] for run in client.job_runs(job="log_status")] == ["asked"]
