"""``leeway incidents``: alerts of any models that have one cause, and what that may be."""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
from click.core import ParameterSource

from monitor.cli.answers import DEFAULT_URL, Row, Wanted, asks
from monitor.cli.output import as_json, as_table, number, when
from monitor.cli.silence import asked

__all__ = ["command"]


@click.group("incidents", invoke_without_command=True)
@click.option("--model", help="Incidents with an alert of this model.")
@click.option("--namespace")
@click.option("--state", type=click.Choice(["firing", "resolved"]))
@click.option("--severity", type=click.Choice(["info", "warning", "critical"]))
@asks
def command(*, model: str | None, namespace: str | None, state: str | None, severity: str | None, **given: Any) -> None:
    """List incidents, the latest first; --from and --to choose those that held in between."""
    context = click.get_current_context()
    if context.invoked_subcommand is not None:
        _only_for_lists(context)
        return
    wanted = Wanted.of(**given)
    with wanted.opened() as leeway:
        answer = leeway.incidents(
            model=model,
            namespace=namespace,
            state=state,
            severity=severity,
            from_=wanted.from_,
            to=wanted.to,
            limit=wanted.most,
        )
        wanted.show(answer, _show)


def _only_for_lists(context: click.Context) -> None:
    """Refuse options that stand before the name of a subcommand, where they would do nothing."""
    if any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in context.params):
        name = context.invoked_subcommand
        raise click.UsageError(f"options go behind {name!r}: leeway incidents {name} …")


@command.command("show")
@click.argument("incident_id", metavar="ID")
@click.option("--url", help=f"A running service.  [default: {DEFAULT_URL}]")
@click.option("--store", type=click.Path(path_type=Path), help="A store's directory, while no service runs.")
@click.option("--config", type=click.Path(path_type=Path), help="With --store: the service's configuration.")
@click.option("--json", "json_", is_flag=True, help="One JSON document with everything.")
def show(incident_id: str, *, json_: bool, **whom: Any) -> None:
    """Show the incident ID, or the one that the alert ID belongs to: its alerts, and what may be behind them."""
    nothing: dict[str, Any] = {"from_": None, "to": None, "limit": None, "output": None}
    wanted = Wanted.of(form=None, json_=json_, csv_=False, **whom, **nothing)
    with wanted.opened() as leeway:
        said = leeway.incident(incident_id)
    if json_:
        as_json(said)
        return
    until = f" until {when(said['ends_ms'])}" if said["ends_ms"] else ""
    click.echo(f"{said['id']}: {said['severity']}, {said['state']}, since {when(said['starts_ms'])}{until}")
    click.echo(said["title"])
    causes = ((number(one["score"]), one["kind"], one["reason"], one["link"]) for one in said["causes"])
    as_table(("score", "cause", "because", "link"), causes)
    as_table(
        ("state", "severity", "fired", "ended", "belongs here", "title", "id"),
        (
            (
                *(one[name] for name in ("state", "severity")),
                *(when(one[name]) for name in ("fired_ms", "ends_ms")),
                *(one[name] for name in ("because", "title", "alert_id")),
            )
            for one in said["alerts"]
        ),
    )


@command.command("ack")
@click.argument("incident_id", metavar="ID")
@click.option("--comment", default="", help="What others should know.")
@click.option("--by", default=getpass.getuser, help="Who takes it on.  [default: your name on this machine]")
@click.option("--undo", is_flag=True, help="Take it back: the alerts are repeated again.")
@click.option("--url", default=DEFAULT_URL, help=f"Of the running service.  [default: {DEFAULT_URL}]")
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def ack(incident_id: str, *, comment: str, by: str, undo: bool, url: str, json_: bool) -> None:
    """Acknowledge all alerts of the incident ID that fire; any alert's id names it."""
    body = {"created_by": by, "comment": comment, "undo": undo}
    said = asked("POST", url, f"/v1/incidents/{quote(incident_id, safe='')}/ack", body)
    if json_:
        as_json(said)
    else:
        click.echo(f"{', '.join(said['alerts'])}: {'repeated again' if undo else 'not repeated until they change'}")


def _show(rows: Iterable[Row]) -> None:
    as_table(
        ("state", "severity", "started", "ended", "alerts", "title", "likely cause", "id"),
        (
            (
                *(row[name] for name in ("state", "severity")),
                *(when(row[name]) for name in ("starts_ms", "ends_ms")),
                *(row[name] for name in ("alert_count", "title")),
                next((cause["reason"] for cause in row["causes"]), ""),
                row["id"],
            )
            for row in rows
        ),
    )
