"""``leeway ack``: somebody takes an alert on."""

from __future__ import annotations

import click

from monitor.cli.output import as_json
from monitor.cli.service import Acknowledgement, RunningService, acknowledgement, path, service

__all__ = ["command"]


@click.command("ack")
@click.argument("alert_id", metavar="ID")
@acknowledgement
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def command(alert_id: str, acknowledgement: Acknowledgement, service: RunningService, *, json_: bool) -> None:
    """Acknowledge the alert ID: it is not repeated until it changes."""
    document = service.send("POST", path("v1", "alerts", alert_id, "ack"), acknowledgement.body)
    if json_:
        as_json(document)
    else:
        click.echo(f"{alert_id} is {'repeated again' if acknowledgement.undo else 'not repeated until it changes'}")
