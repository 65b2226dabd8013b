"""Jobs: what happens by the clock, what became of each run; running one now, and pausing it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from monitor.api.auditor import about
from monitor.api.forms import InPages, Whole, listed, listed_whole, lists
from monitor.api.parameters import TheService, answer, question_of, span_of
from monitor.api.people import Author, Comment, Reason
from monitor.api.problems import ProblemError
from monitor.api.reading import pages_of
from monitor.api.tables import schema
from monitor.jobs.job import JOBS, Job
from monitor.jobs.pause_log import Pause, pause_job, read_pauses, resume_job
from monitor.jobs.run_log import JobRun, ask_to_run, latest_runs
from monitor.resources.jobs import JobRunRow, JobRuns, Jobs, KnownJob, KnownPause
from monitor.values import Strict

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["jobs"])


class PostedPause(Strict):
    """Who pauses a job, and why."""

    created_by: Author
    reason: Reason = Field(description="others will ask")


class PostedRun(Strict):
    """Who wants a job to run now."""

    created_by: Author
    reason: Comment = ""


@lists(router, Jobs)
def jobs(service: TheService, form: Whole) -> Response:
    runs = latest_runs(service.store, service.clock.now_ms())
    pauses = read_pauses(service.store)
    rows = [row for name, job in JOBS.items() for row in _rows(name, job, runs.get(name, []), pauses.get(name))]
    return listed_whole(form, rows, KnownJob, {})


@lists(router, JobRuns)
def job_runs(
    service: TheService, form: InPages, question: Annotated[JobRuns, Depends(question_of(JobRuns))]
) -> Response:
    if question.job is not None:
        _check(question.job)
    span = span_of(service, question)
    where = {"job": question.job, "outcome": question.outcome, "asked_ms": question.asked_ms}
    read = pages_of(service.store, "job_runs", where, span, descending=True)
    return listed(form, read, schema(JobRunRow), span._asdict())


@router.post("/jobs/{job}/run", summary="Run a job now", response_model=JobRunRow)
def run_job(job: str, posted: PostedRun, service: TheService) -> Response:
    _check(job)
    if (pause := read_pauses(service.store).get(job)) is not None:
        raise ProblemError("job-paused", f"{pause.sentence}; resume it first")
    request = ask_to_run(service.store, service.clock, job, posted.created_by, posted.reason)
    return answer(asdict(request))


@router.put("/jobs/{job}/pause", summary="Pause a job in every process", response_model=KnownPause)
def put_pause(job: str, posted: PostedPause, service: TheService) -> Response:
    _check(job)
    return answer(asdict(pause_job(service.store, service.clock, job, posted.created_by, posted.reason)))


@router.delete("/jobs/{job}/pause", summary="Have a job run by the clock again", response_model=KnownPause)
def delete_pause(
    job: str,
    service: TheService,
    created_by: Annotated[Author, Query(description="who resumes it")],
    reason: Annotated[Comment, Query()] = "",
) -> Response:
    _check(job)
    if (pause := read_pauses(service.store).get(job)) is None:
        raise ProblemError("not-found", f"the job {job} is not paused")
    resume_job(service.store, service.clock, job, created_by, reason)
    about(f"paused since {pause.since_ms}")
    return answer(asdict(pause))


def _check(job: str) -> None:
    if job not in JOBS:
        raise ProblemError("unknown-job", f"no job is named {job!r}; there are {', '.join(JOBS)}")


def _rows(name: str, job: Job, runs: list[JobRun], pause: Pause | None) -> Iterator[dict[str, Any]]:
    """Yield a row for each process that runs a job, or one without a process."""
    facts = {"job": name, "every_ms": round(1000 * job.every_s), "role": job.role, "summary": job.summary}
    paused = {
        "paused_since_ms": pause and pause.since_ms,
        "paused_by": pause.created_by if pause else "",
        "paused_reason": pause.reason if pause else "",
    }
    runs_or_none: list[JobRun | None] = [*runs] or [None]
    for run in runs_or_none:
        yield {**facts, "is_vital": job.is_vital, **_last_run(run), **paused}


def _last_run(run: JobRun | None) -> dict[str, Any]:
    if run is None:
        return {"instance": "", "started_ms": None, "outcome": "", "took_ms": None, "failures": 0, "reason": ""}
    return {
        "instance": run.instance,
        "started_ms": run.started_ms,
        "outcome": run.outcome,
        "took_ms": run.ended_ms - run.started_ms if run.ended_ms else None,
        "failures": run.failures,
        "reason": run.reason,
    }
