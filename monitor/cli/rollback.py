"""``leeway rollback``: an earlier version of a model's configuration, in force again."""

from __future__ import annotations

import click

from monitor.cli.configurations import Author, author, show_change
from monitor.cli.service import RunningService, service

__all__ = ["command"]


@click.command("rollback")
@click.argument("model")
@click.option("--to", "version", type=click.IntRange(min=1), required=True, metavar="VERSION", help="Its number.")
@author
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def command(model: str, author: Author, service: RunningService, *, version: int, json_: bool) -> None:
    """Put an earlier version of MODEL in force again, as a new version; nothing that was stored since is undone."""
    with service.client() as leeway:
        accepted = leeway.configurations.rollback(model, version, **author.details)
    sentence = f"{model}: version {accepted['version']} ({accepted['digest']}) is accepted"
    show_change(accepted, sentence, json_=json_)
