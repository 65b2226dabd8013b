"""``leeway release``: a model that the API owns, given up."""

from __future__ import annotations

import click

from monitor.cli.configurations import Author, author, configuration_path, show_laggards, wait_for
from monitor.cli.output import as_json
from monitor.cli.service import RunningService, asking, service

__all__ = ["command"]


@click.command("release")
@click.argument("model")
@author
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def command(model: str, author: Author, service: RunningService, *, json_: bool) -> None:
    """Give up MODEL, which the API owns: it is watched no more, and what is stored of it stays.

    A file of that name, which was passed over, holds from then on.
    """
    address = asking(configuration_path(model), reason=author.reason, created_by=author.by)
    given_up = service.send("DELETE", address)
    laggards = wait_for(service, model, given_up["version"], author.wait_s)
    if json_:
        as_json({**given_up, "is_in_force": not laggards, "not_converged": laggards})
    else:
        click.echo(f"{model}: given up, as version {given_up['version']}")
        show_laggards(laggards)
    if laggards:
        click.get_current_context().exit(1)
