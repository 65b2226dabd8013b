"""``leeway labels``: how many predictions have a label, and how long labels take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from monitor.cli.answers import Form, Target, asks
from monitor.cli.output import when
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
        answer = leeway.ask(question)
        if form.name == "table":
            document = answer.document()
            _show_waiting(document)
            _show_corrections(document["said"])
        form.show(answer)


def _show_waiting(document: Mapping[str, Any]) -> None:
    """Say up to when hours are judged, and which partition the next ones wait for."""
    if document["judged_ms"] is not None:
        click.echo(f"Judged are hours whose age is reached before {when(document['judged_ms'])}.")
    if document["held_back_by"]:
        first = document["held_back_by"][0]
        reached = "of which nothing is known" if first["known_ms"] is None else f"known up to {when(first['known_ms'])}"
        click.echo(f"The next ones wait for {first['topic']}/{first['partition']}, {reached}.")


def _show_corrections(counts: Mapping[str, int] | None) -> None:
    """Say what labels do that is not seen in how many predictions have one."""
    parts = {"corrected": "correct what was said", "taken_back": "take it back", "unmatched": "are of no prediction"}
    shown = [f"{counts[name]:,} {does}" for name, does in parts.items() if counts[name]] if counts else []
    if counts and shown:
        click.echo(f"Of {counts['labels']:,} labels of this time, {', '.join(shown)}.")
