"""``leeway performance``: how good a model is, by its labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from monitor.cli.answers import Form, Target, asks
from monitor.cli.output import as_table, number, when
from monitor.resources.performance import Performance

__all__ = ["command"]


@click.command("performance")
@asks(Performance, arguments=["model"], step={"metavar": "DURATION"})
def command(question: Performance, target: Target, form: Form) -> None:
    """Show how good MODEL is, by its labels: of the last week, or of any span of predictions.

    Where it is no better than what costs nothing (skill:NAME), that is said first. One metric that has a table or a
    curve behind it, as --metric confusion or --metric ece, is shown with it.
    """
    with target.opened() as leeway:
        rows = form.show(leeway.ask(question), say=_no_better)
    if form.name == "table" and question.metrics and len(question.metrics) == 1:
        _show_details(rows)


def _no_better(rows: Sequence[Mapping[str, Any]]) -> None:
    """Say first where a model is no better than what costs nothing: no other figure matters as much."""
    for row in rows:
        if row["verdict"] in ("no_better", "worse"):
            parts = (
                f"version {row['version']}" if row["version"] else "",
                row["segment"],
                f"from {when(row['from_ms'])}",
            )
            click.echo(f"{row['model']} ({', '.join(filter(None, parts))}) is {row['reason']}.")


def _show_details(rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        if row["detail"]:
            heading = [name for name, value in row["detail"][0].items() if value is not None]
            as_table(heading, [[_cell(each[name]) for name in heading] for each in row["detail"]])


def _cell(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)
