"""``leeway slices``: what a model got wrong beside the rest of its labelled events, signal by signal."""

from __future__ import annotations

from typing import Any

import click

from monitor.cli.answers import Form, Target, asks
from monitor.cli.output import as_rows
from monitor.resources.compare import SignalDifference
from monitor.resources.slices import Slices

__all__ = ["command", "say_of_which"]


@click.command("slices")
@asks(Slices, cells={"help": "The aligned histograms too; not in a table."})
def command(question: Slices, target: Target, form: Form) -> None:
    """Compare what a model got wrong with what it got right: the signals that differ most come first."""
    with target.opened() as leeway:
        answer = leeway.ask(question)
        if form.name != "table":
            form.show(answer)
            return
        document = answer.document()
    as_rows(SignalDifference, document["items"])
    say_of_which(document)


def say_of_which(document: dict[str, Any]) -> None:
    """Say which events an answer is made of, and how many, on stderr."""
    current, baseline = document["current"], document["baseline"]
    sides = f"{current['events']:,} {current['words']} beside {baseline['events']:,} {baseline['words']}"
    click.echo(f"{sides}, of {document['events']['note']}.", err=True)
