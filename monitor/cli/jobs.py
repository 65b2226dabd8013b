"""``leeway jobs``: what runs by the clock."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import click

from monitor.cli.answers import Form, Target, asks, has_subcommand, list_command
from monitor.cli.output import as_json, as_rows
from monitor.cli.service import RunningService, asking, by, path, service
from monitor.resources.jobs import JobRunRow, JobRuns, Jobs, KnownPause

__all__ = ["command"]

LOOK_EVERY_S, SETTLE_S = 0.5, 4.0


@click.group("jobs", invoke_without_command=True)
@asks(Jobs)
def command(question: Jobs, target: Target, form: Form) -> None:
    """Show what runs by the clock in every process, when it ran last, and what is paused.

    A job runs in each process that has its role, and does no more if it runs twice.
    """
    if not has_subcommand(click.get_current_context()):
        with target.opened() as leeway:
            form.show(leeway.ask(question))


@command.command("run")
@click.argument("job")
@click.option("--reason", default="", help="Why.")
@by
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait until it has run.",
)
@service
@click.option("--json", "json_", is_flag=True, help="One JSON object per run.")
def run(job: str, *, reason: str, by: str, wait_s: float, service: RunningService, json_: bool) -> None:
    """Run JOB now, in every process of its role, and print what became of it.

    It ends with 1 if a run failed, or none has ended in time.
    """
    request = service.send("POST", path("v1", "jobs", job, "run"), {"created_by": by, "reason": reason})
    runs = _wait_for(service, request, wait_s)
    if json_:
        for each in runs:
            as_json(each)
    else:
        as_rows(JobRunRow, runs)
    if not runs:
        click.echo(f"no process has run it within {wait_s:g} s: is one with its role there?", err=True)
    if not runs or any(each["outcome"] != "done" for each in runs):
        click.get_current_context().exit(1)


@command.command("pause")
@click.argument("job")
@click.option("--reason", required=True, help="Why: others will ask.")
@by
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def pause(job: str, *, reason: str, by: str, service: RunningService, json_: bool) -> None:
    """Keep JOB from running by the clock, in every process, until somebody resumes it."""
    document = service.send("PUT", path("v1", "jobs", job, "pause"), {"created_by": by, "reason": reason})
    if json_:
        as_json(document)
    else:
        as_rows(KnownPause, [document])


@command.command("resume")
@click.argument("job")
@click.option("--reason", default="", help="Why.")
@by
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def resume(job: str, *, reason: str, by: str, service: RunningService, json_: bool) -> None:
    """Have JOB run by the clock again."""
    document = service.send("DELETE", asking(path("v1", "jobs", job, "pause"), created_by=by, reason=reason))
    if json_:
        as_json(document)
    else:
        click.echo(f"{job} runs again")


def _wait_for(service: RunningService, request: Mapping[str, Any], wait_s: float) -> Sequence[Mapping[str, Any]]:
    """Return the runs that do what was asked for, once they have ended and no other begins, or the time is over."""
    from monitor.clock import SystemClock

    clock, question = SystemClock(), asking("/v1/jobs/runs", job=request["job"], asked_ms=request["asked_ms"])
    began_s = clock.monotonic_s()
    while True:
        runs = [run for run in service.send("GET", question)["items"] if run["outcome"] != "asked"]
        passed_s = clock.monotonic_s() - began_s
        have_ended = bool(runs) and all(run["ended_ms"] for run in runs) and passed_s >= SETTLE_S
        if have_ended or passed_s >= wait_s:
            return runs
        clock.wait(threading.Event(), LOOK_EVERY_S)


command.add_command(list_command("history", JobRuns, "Show what became of runs, the latest first."))
