"""``leeway whoami``: who asks, and what they may."""

from __future__ import annotations

import click

from monitor.cli.answers import Target, target
from monitor.cli.output import as_json

__all__ = ["command"]


@click.command("whoami")
@target
@click.option("--json", "json_", is_flag=True, help="One JSON document, with every operation that is allowed.")
def command(target: Target, *, json_: bool) -> None:
    """Show as whom a service sees you, with which role, and for which namespaces."""
    with target.opened() as leeway:
        who = leeway.whoami()
    if json_:
        as_json(who)
    elif who["role"] is None:
        click.echo("The service asks nobody who they are: whoever reaches it may do everything.")
    else:
        namespaces = f", for {', '.join(who['namespaces'])}" if who["namespaces"] else ""
        click.echo(f"{who['name']}: {who['role']}{namespaces}")
