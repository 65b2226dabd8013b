"""``leeway release``: a model that the API owns, given up."""

from __future__ import annotations

import click

from monitor.cli.configurations import Author, author, show_change
from monitor.cli.service import RunningService, service

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
    with service.client() as leeway:
        given_up = leeway.configurations.release(model, **author.details)
    show_change(given_up, f"{model}: given up, as version {given_up['version']}", json_=json_)
