"""``leeway history``: the scores of a model's windows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import click

from monitor.cli.answers import Form, Target, asks
from monitor.cli.output import as_table, number, sparkline, when
from monitor.resources.history import POINTS, SERIES, History

__all__ = ["command"]

WIDTH = 60
"""Buckets that one line of bars shows."""


@click.command("history")
@click.option("--line", is_flag=True, help="A line of bars for each series: its effects over time.")
@asks(History, step={"metavar": "DURATION"})
def command(question: History, target: Target, form: Form, *, line: bool) -> None:
    """Show the scores of a model's windows, oldest first."""
    if line and form.name != "table":
        raise click.UsageError("--line is a table: it goes with no other format.")
    if line and question.step is None:
        question = replace(question, step="auto", points=WIDTH if question.points == POINTS else question.points)
    with target.opened() as leeway:
        if line:
            _show_lines(leeway.ask(replace(question, limit=form.limit)))
        else:
            form.show(leeway.ask(question))


def _show_lines(rows: Iterable[dict[str, Any]]) -> None:
    """One line for each series: the worst effect of each bucket, gaps where no window ended."""
    series: dict[tuple[str, ...], dict[int, dict[str, Any]]] = {}
    for row in rows:
        series.setdefault(tuple(row[name] for name in SERIES), {})[row["bucket_end_ms"]] = row
    ends = sorted({end_ms for buckets in series.values() for end_ms in buckets})
    step_ms = min((b["bucket_end_ms"] - b["bucket_start_ms"] for of in series.values() for b in of.values()), default=1)
    span = range(ends[0], ends[-1] + 1, step_ms) if ends else range(0)
    as_table(
        (*SERIES, "effect", "largest", "drift"),
        ((*name, *_line(span, buckets)) for name, buckets in sorted(series.items())),
        title=f"{when(span[0] - step_ms)} to {when(span[-1])}" if ends else "",
    )


def _line(span: range, buckets: dict[int, dict[str, Any]]) -> tuple[str, str, int]:
    effects = [buckets[end_ms]["worst"]["effect"] if end_ms in buckets else None for end_ms in span]
    largest = max((effect for effect in effects if effect is not None), default=None)
    # What does not matter has to look small: a bar is full at the smallest effect that matters, or beyond.
    matters = max(bucket["worst"]["min_effect"] or 0.0 for bucket in buckets.values())
    return sparkline(effects, matters), number(largest), sum(bucket["statuses"]["drift"] for bucket in buckets.values())
