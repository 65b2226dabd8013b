"""``leeway alerts``: alerts as they stand, what happens to them, and who was notified of one."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from monitor.cli.answers import Form, Target, asks, has_subcommand, target
from monitor.cli.output import as_json, as_rows, json_line, when
from monitor.cli.service import RunningService, service
from monitor.resources.alerts import (
    STANDING,
    AcceptedLevel,
    Alerts,
    AlertSummary,
    Decision,
    Moved,
    Notification,
    Transition,
)

__all__ = ["command"]


@click.group("alerts", invoke_without_command=True)
@click.option("--summary", is_flag=True, help="How many fired on each day, and how long they held.")
@click.option("--fail-on-alert", is_flag=True, help="Exit with 1 if an alert that is listed has fired.")
@asks(Alerts, without=["transitions"], state={"type": click.Choice(STANDING)})
def command(question: Alerts, target: Target, form: Form, *, summary: bool, fail_on_alert: bool) -> None:
    """List alerts as they stand, the latest changed first; --from and --to choose those that held in between."""
    context = click.get_current_context()
    if has_subcommand(context):
        return
    days = AlertSummary(model=question.model, namespace=question.namespace, from_=question.from_, to=question.to)
    if summary and (fail_on_alert or question.wire() != days.wire()):
        raise click.UsageError("--summary counts all alerts: of the other options it takes --model and --namespace.")
    with target.opened() as leeway:
        if summary:
            form.show(leeway.ask(days))
            return
        answer = leeway.ask(question)
        rows = form.show(answer)
        if fail_on_alert and any(row["state"] in ("firing", "resolved") for row in rows or answer):
            context.exit(1)


@command.command("show")
@click.argument("alert_id", metavar="ID")
@target
@click.option("--json", "json_", is_flag=True, help="One JSON document with everything.")
def show(alert_id: str, target: Target, *, json_: bool) -> None:
    """Show the alert ID from its start: what moved, what became of it, and who was notified."""
    with target.opened() as leeway:
        document = leeway.alert(alert_id)
    if json_:
        as_json(document)
        return
    alert = document["alert"]
    until = f" until {when(alert['ends_ms'])}" if alert["ends_ms"] else ""
    click.echo(f"{alert['alert_id']}: {alert['severity']}, {alert['state']}, since {when(alert['starts_ms'])}{until}")
    click.echo(alert["title"])
    click.echo(" ".join(f"{name}={value}" for name, value in sorted(alert["labels"].items())))
    _show_acknowledged(document["acknowledged"])
    as_rows(Moved, alert["signals"])
    # Services of earlier versions do not say it.
    if levels := document.get("accepted"):
        as_rows(AcceptedLevel, levels)
    as_rows(Transition, document["transitions"])
    as_rows(Notification, document["notifications"])


@command.command("follow")
@click.argument("matchers", nargs=-1, metavar="[MATCHER]...")
@click.option("--model", help="Only this model's.")
@click.option("--resume", type=click.Path(path_type=Path, dir_okay=False), help="Keep the position in this file.")
@click.option("--limit", type=click.IntRange(min=1), help="End after so many.")
@service
@click.option("--json", "json_", is_flag=True, help="One JSON object per transition.")
def follow(
    matchers: Sequence[str],
    service: RunningService,
    *,
    model: str | None,
    resume: Path | None,
    limit: int | None,
    json_: bool,
) -> None:
    """Show what happens to alerts as it happens; of those only that all MATCHERs match, such as severity=critical.

    A service that is away for a while is waited for. With --resume, what happened since the last call with that file
    comes first.
    """
    remaining = limit
    with Target(service.url, credentials=service.credentials).opened() as leeway:
        after = resume.read_text().strip() or None if resume is not None and resume.exists() else None
        for position, transition in leeway.follow(model=model, matchers=matchers, after=after):
            if transition is not None:
                click.echo(json_line(transition) if json_ else _line(transition))
                sys.stdout.flush()
                remaining = None if remaining is None else remaining - 1
            if resume is not None:
                _keep(position, resume)
            if remaining == 0:
                return


def _line(transition: Mapping[str, Any]) -> str:
    names = ("state", "severity", "model", "alert_id", "title")
    return "  ".join((when(transition["at_ms"]), *(transition[name] for name in names)))


def _keep(position: str, file: Path) -> None:
    """Write a position down, once what lies before it was shown."""
    partial = file.with_name(file.name + ".part")
    try:
        partial.write_text(f"{position}\n")
        partial.replace(file)
    except OSError as error:
        raise click.BadParameter(f"{file} cannot be written: {error.strerror}", param_hint="--resume") from error


@command.command("explain")
@click.argument("alert_id", metavar="ID")
@target
@click.option("--history", is_flag=True, help="Every decision, not only the last ones.")
@click.option("--json", "json_", is_flag=True, help="One JSON document with everything.")
def explain(alert_id: str, target: Target, *, history: bool, json_: bool) -> None:
    """Show who was notified of the alert ID, who was not, and why."""
    with target.opened() as leeway:
        document = leeway.explain(alert_id)
    if json_:
        as_json(document)
    else:
        _show_acknowledged(document["acknowledged"])
        as_rows(Decision, document["decisions"] if history else document["receivers"])


def _show_acknowledged(taken: Mapping[str, Any] | None) -> None:
    if taken is not None:
        changed = "" if taken["holds"] else "; it has changed since"
        comment = f": {taken['comment']}" if taken["comment"] else ""
        click.echo(f"{taken['created_by']} took it on at {when(taken['at_ms'])}{comment}{changed}")
