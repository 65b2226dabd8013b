"""``leeway models``: which models are watched, and which names have appeared and are not."""

from __future__ import annotations

import click

from monitor.cli.answers import Form, Target, asks
from monitor.resources.models import Models, UnregisteredModels

__all__ = ["command"]


@click.command("models")
@click.option("--unregistered", is_flag=True, help="Names that messages give models, and that no model has: why not.")
@asks(Models)
def command(question: Models, target: Target, form: Form, *, unregistered: bool) -> None:
    """List the models that are watched.

    With --unregistered those that have appeared on a stream whose source says `models`, and are not watched: beyond
    `at_most`, by a name that no model can have, or given up by somebody.
    """
    with target.opened() as leeway:
        form.show(leeway.ask(UnregisteredModels() if unregistered else question))
