"""``leeway labels``: how many predictions have a label, and how long labels take."""

from __future__ import annotations

import click

from monitor.cli.answers import Form, Target, asks
from monitor.resources.labels import Labels

__all__ = ["command"]


@click.group("labels")
def command() -> None:
    """Show how many predictions have a label, and how long labels take."""


@command.command("status")
@asks(Labels, arguments=["model"], step={"metavar": "DURATION"})
def status(question: Labels, target: Target, form: Form) -> None:
    """Show how many of the predictions of MODEL have a label by now, by day and by predicted class."""
    with target.opened() as leeway:
        form.show(leeway.ask(question))
