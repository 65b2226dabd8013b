"""``leeway rollback``: an earlier version of a model's configuration, in force again."""

from __future__ import annotations

from dataclasses import replace

import click

from monitor.cli.configurations import Author, author, change, configuration_path
from monitor.cli.service import RunningService, asking, service

__all__ = ["command"]


@click.command("rollback")
@click.argument("model")
@click.option("--to", "version", type=click.IntRange(min=1), required=True, metavar="VERSION", help="Its number.")
@author
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def command(model: str, author: Author, service: RunningService, *, version: int, json_: bool) -> None:
    """Put an earlier version of MODEL in force again, as a new version; nothing that was stored since is undone."""
    current = service.send("GET", configuration_path(model))
    earlier = service.send("GET", asking(configuration_path(model), version=version))
    reason = author.reason or f"back to version {version}"
    change(service, model, earlier["document"], replace(author, reason=reason), current["digest"], json_=json_)
