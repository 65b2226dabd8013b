"""``leeway rows``: single events of a slice, where a model keeps them."""

from __future__ import annotations

import click

from monitor.cli.answers import Form, Target, asks
from monitor.cli.output import as_rows
from monitor.cli.slices import say_of_which
from monitor.resources.rows import EventRow, Rows

__all__ = ["command"]


@click.command("rows")
@asks(Rows)
def command(question: Rows, target: Target, form: Form) -> None:
    """Show single events of a slice, where a model keeps them, without private fields."""
    with target.opened() as leeway:
        answer = leeway.ask(question)
        if form.name != "table":
            form.show(answer)
            return
        document = answer.document()
    as_rows(EventRow, document["items"])
    say_of_which(document)
