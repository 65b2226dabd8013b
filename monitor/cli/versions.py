"""``leeway versions``: what was in force, and whether everybody goes by the last version."""

from __future__ import annotations

import click

from monitor.cli.configurations import show_laggards
from monitor.cli.output import as_json, as_rows
from monitor.cli.service import RunningService, service
from monitor.resources.configurations import ConfigurationVersion

__all__ = ["command"]


@click.command("versions")
@click.argument("model")
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def command(model: str, service: RunningService, *, json_: bool) -> None:
    """List the versions of the configuration of MODEL, the last one first, and who does not go by that one, and why."""
    with service.client() as leeway:
        versions = leeway.configurations.versions(model)
    if json_:
        as_json(versions)
        return
    as_rows(ConfigurationVersion, versions["items"])
    show_laggards(versions["not_converged"])
