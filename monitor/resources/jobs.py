"""Jobs: what happens by the clock, what became of each run, and which are paused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.resources.contract import LengthMs, Moment, Question, Row, TimeMs, described

__all__ = ["JobRunRow", "JobRuns", "Jobs", "KnownJob", "KnownPause"]


@dataclass(frozen=True, kw_only=True)
class KnownJob(Row):
    """A job, in one of the processes that run it."""

    table = (
        "job",
        ("every", "every_ms"),
        "instance",
        ("last run", "started_ms"),
        "outcome",
        ("took", "took_ms"),
        "failures",
        "reason",
        ("paused since", "paused_since_ms"),
        ("by", "paused_by"),
        ("why", "paused_reason"),
    )

    job: str
    every_ms: LengthMs = described("how often it runs")
    role: str = described("whose processes run it; empty: every process")
    summary: str = described("what it does")
    is_vital: bool = described("whether something grows without end while it does not run")
    instance: str = described("the process; empty if no run is known")
    started_ms: TimeMs | None = described("when its last run began there; null if none is known")
    outcome: str = described("of that run; `running` while it goes on, empty if none is known")
    took_ms: LengthMs | None = described("how long the run took; null while it goes on")
    failures: int = described("how many runs have failed in a row")
    reason: str = described("why the run failed")
    paused_since_ms: TimeMs | None = described("null: it is not paused")
    paused_by: str = described("who paused it; empty if it is not paused")
    paused_reason: str = described("why; empty if it is not paused")


@dataclass(frozen=True, kw_only=True)
class Jobs(Question):
    """What happens by the clock, in every process; and what is paused."""

    path = "/v1/jobs"
    answer = KnownJob
    is_paged = False
    verb = "Show what runs by the clock, and its history; run, pause and resume it."


@dataclass(frozen=True, kw_only=True)
class JobRunRow(Row):
    """A run of a job in one process; or that somebody asked for one."""

    table = (
        ("began", "started_ms"),
        "job",
        "instance",
        "outcome",
        ("ended", "ended_ms"),
        "missed",
        "failures",
        ("asked by", "asked_by"),
        "reason",
    )

    started_ms: TimeMs = described("when it began, or was asked for")
    job: str
    instance: str = described("the process; empty where `outcome` is `asked`")
    ended_ms: TimeMs = described("0 while it runs")
    outcome: str = described(
        "`done`, `failed`, `running` of one that takes long, `unfinished` of one whose process ended first; `asked`: "
        "somebody asked for a run"
    )
    reason: str = described("why it failed, or was asked for")
    missed: int = described("how many runs before it did not take place when they were due")
    failures: int = described("how many have failed in a row, with this one")
    asked_ms: TimeMs = described("when somebody asked for this run; 0 if it ran by the clock")
    asked_by: str = described("who did; empty if it ran by the clock")


@dataclass(frozen=True, kw_only=True)
class JobRuns(Question):
    """What became of runs of jobs, the latest first."""

    path = "/v1/jobs/runs"
    answer = JobRunRow

    job: str | None = described("only of this job", default=None)
    outcome: Literal["asked", "running", "done", "failed", "unfinished"] | None = described("only these", default=None)
    asked_ms: int | None = described(
        "only what was done when somebody asked at this time", default=None, low=0, high=2**53
    )
    from_: Moment | None = None
    to: Moment | None = None
    limit: int | None = None


@dataclass(frozen=True, kw_only=True)
class KnownPause(Row):
    """A job that is paused, in every process."""

    table = ("job", ("since", "since_ms"), ("by", "created_by"), "reason")

    job: str
    since_ms: TimeMs = described("since when it does not run")
    created_by: str
    reason: str
