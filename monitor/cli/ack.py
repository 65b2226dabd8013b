"""``leeway ack``: somebody takes an alert on."""

from __future__ import annotations

import getpass
from urllib.parse import quote

import click

from monitor.cli.answers import DEFAULT_URL
from monitor.cli.output import as_json
from monitor.cli.silence import asked

__all__ = ["command"]


@click.command("ack")
@click.argument("alert_id", metavar="ID")
@click.option("--comment", default="", help="What others should know.")
@click.option("--by", default=getpass.getuser, help="Who takes it on.  [default: your name on this machine]")
@click.option("--undo", is_flag=True, help="Take it back: the alert is repeated again.")
@click.option("--url", default=DEFAULT_URL, help=f"Of the running service.  [default: {DEFAULT_URL}]")
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def command(alert_id: str, *, comment: str, by: str, undo: bool, url: str, json_: bool) -> None:
    """Acknowledge the alert ID: people are not told again and again of what has not changed."""
    body = {"created_by": by, "comment": comment, "undo": undo}
    said = asked("POST", url, f"/v1/alerts/{quote(alert_id, safe='')}/ack", body)
    if json_:
        as_json(said)
    else:
        click.echo(f"{alert_id} is {'repeated again' if undo else 'not repeated until it changes'}")
