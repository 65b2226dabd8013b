"""``leeway incidents``: alerts of any models that have one cause, and what that may be."""

from __future__ import annotations

import click

from monitor.cli.answers import Form, Target, asks, has_subcommand, target
from monitor.cli.output import as_json, as_rows, when
from monitor.cli.service import Acknowledgement, RunningService, acknowledgement, path, service
from monitor.resources.incidents import IncidentAlert, Incidents, PossibleCause

__all__ = ["command"]


@click.group("incidents", invoke_without_command=True)
@asks(Incidents)
def command(question: Incidents, target: Target, form: Form) -> None:
    """List incidents, the latest first; --from and --to choose those that held in between."""
    if not has_subcommand(click.get_current_context()):
        with target.opened() as leeway:
            form.show(leeway.ask(question))


@command.command("show")
@click.argument("incident_id", metavar="ID")
@target
@click.option("--json", "json_", is_flag=True, help="One JSON document with everything.")
def show(incident_id: str, target: Target, *, json_: bool) -> None:
    """Show the incident ID, or the one that the alert ID belongs to: its alerts, and what may be behind them."""
    with target.opened() as leeway:
        document = leeway.incident(incident_id)
    if json_:
        as_json(document)
        return
    until = f" until {when(document['ends_ms'])}" if document["ends_ms"] else ""
    since = when(document["starts_ms"])
    click.echo(f"{document['id']}: {document['severity']}, {document['state']}, since {since}{until}")
    click.echo(document["title"])
    as_rows(PossibleCause, document["causes"])
    as_rows(IncidentAlert, document["alerts"])


@command.command("ack")
@click.argument("incident_id", metavar="ID")
@acknowledgement
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def ack(incident_id: str, acknowledgement: Acknowledgement, service: RunningService, *, json_: bool) -> None:
    """Acknowledge all alerts of the incident ID that fire; the id of any of its alerts names it."""
    document = service.send("POST", path("v1", "incidents", incident_id, "ack"), acknowledgement.body)
    if json_:
        as_json(document)
    else:
        alerts = ", ".join(document["alerts"])
        click.echo(f"{alerts}: {'repeated again' if acknowledgement.undo else 'not repeated until they change'}")
