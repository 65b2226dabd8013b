"""``leeway compare``: two spans, versions or segments of a model, signal by signal."""

from __future__ import annotations

import click

from monitor.cli.answers import Form, Target, asks
from monitor.cli.output import as_rows
from monitor.resources.compare import Compare, SignalDifference

__all__ = ["command"]


@click.command("compare")
@asks(Compare, cells={"help": "The aligned histograms too; not in a table."})
def command(question: Compare, target: Target, form: Form) -> None:
    """Compare two spans, versions or segments of a model: the signals that differ most come first."""
    with target.opened() as leeway:
        answer = leeway.ask(question)
        if form.name != "table":
            form.show(answer)
            return
        document = answer.document()
    as_rows(SignalDifference, document["items"])
    if document["not_comparable"]:
        names = ", ".join(document["not_comparable"])
        click.echo(f"Not compared, since a side was counted in other bins than today's: {names}", err=True)
