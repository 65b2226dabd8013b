"""``leeway status``: what is watched, since when, and what is blind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from monitor.cli.answers import Form, Target, asks
from monitor.cli.output import as_rows, as_table, when
from monitor.resources.alerts import Alerts
from monitor.resources.clocks import Clocks, KnownClock
from monitor.resources.jobs import Jobs
from monitor.resources.status import ModelProtection, Protection, ProtectionSummary, SmallestShift

__all__ = ["command"]


@click.command("status")
@click.argument("model", required=False)
@click.argument("signal", required=False)
@asks(Protection, without=["model", "signal"])
@click.option("--summary", is_flag=True, help="A row for each model, with its alerts and the false alarms accepted.")
def command(
    question: Protection, target: Target, form: Form, *, model: str | None, signal: str | None, summary: bool
) -> None:
    """Show what is watched, since when, and what is blind, of all models, of MODEL, or of its SIGNAL.

    Alerts about Leeway itself that fire come before all, in a table and in JSON, whatever is asked for; in a table,
    jobs that are paused, too. Then comes what fires, what is blind, what still learns, and what protects. Of one SIGNAL
    under the rule `change`, the smallest shifts that can be found follow, in one window, in a day and in a week.
    """
    from monitor.alerts.own import MODEL as OWN

    of_models = ProtectionSummary(model=model, namespace=question.namespace)
    if summary and (signal is not None or question.wire() != Protection(namespace=question.namespace).wire()):
        raise click.UsageError("--summary is about whole models: of the rest it takes MODEL and --namespace.")
    with target.opened() as leeway:
        own = list(leeway.ask(Alerts(model=OWN, state="firing"))) if form.name in ("table", "json") else []
        if form.name == "table":
            _show_own(own)
            _show_paused(list(leeway.ask(Jobs())))
        if summary:
            form.show(leeway.ask(of_models), own)
            return
        if form.name == "table" and signal is None:
            as_rows(ModelProtection, leeway.ask(of_models))
            _show_late(list(leeway.ask(Clocks(model=model))))
        rows = form.show(leeway.ask(replace(question, model=model, signal=signal)), own)
        if form.name == "table" and signal is not None:
            _show_shifts(rows)


def _show_own(alerts: Sequence[Mapping[str, Any]]) -> None:
    """Show the alerts about Leeway itself that fire."""
    if alerts:
        rows = [[alert["labels"]["alertname"], when(alert["starts_ms"]), alert["title"]] for alert in alerts]
        as_table(["alert", "since", "what"], rows, title="About Leeway itself:")


def _show_paused(jobs: Sequence[Mapping[str, Any]]) -> None:
    """Show the jobs that somebody has paused."""
    paused = {job["job"]: job for job in jobs if job["paused_since_ms"] is not None}
    if paused:
        rows = [
            [name, when(job["paused_since_ms"]), job["paused_by"], job["paused_reason"]] for name, job in paused.items()
        ]
        as_table(["job", "since", "by", "why"], rows, title="Jobs that are paused:")


def _show_late(clocks: Sequence[Mapping[str, Any]]) -> None:
    """Show the clocks of partitions of which a tenth of the events, or more, comes late."""
    late = [clock for clock in clocks if clock["late"] and 10 * clock["late"] >= clock["events"]]
    if late:
        as_rows(KnownClock, late, title="Many events come late, and count in no window:")


def _show_shifts(rows: Sequence[Mapping[str, Any]]) -> None:
    """Show what can be found of a signal."""
    shifts = [shift for row in rows for shift in row["detectable"]]
    if shifts:
        as_rows(SmallestShift, shifts, title="Lasting shifts that alarm nine times in ten, if they begin within a day:")
