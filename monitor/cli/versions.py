"""``leeway versions``: what was in force, and whether everybody goes by the last version."""

from __future__ import annotations

import click

from monitor.cli.configurations import configuration_path, show_laggards
from monitor.cli.output import as_json, as_rows
from monitor.cli.service import RunningService, asking, service
from monitor.resources.configurations import ConfigurationVersion

__all__ = ["command"]

PAGE = 1_000


@click.command("versions")
@click.argument("model")
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def command(model: str, service: RunningService, *, json_: bool) -> None:
    """List the versions of the configuration of MODEL, the last one first, and who does not go by that one, and why."""
    address = configuration_path(model, "versions")
    versions = page = service.send("GET", asking(address, limit=PAGE))
    while page["next_cursor"] is not None:
        page = service.send("GET", asking(address, limit=PAGE, cursor=page["next_cursor"]))
        versions = {**page, "items": versions["items"] + page["items"]}
    if json_:
        as_json(versions)
        return
    as_rows(ConfigurationVersion, versions["items"])
    show_laggards(versions["not_converged"])
