"""``leeway history``: the scores of a model's windows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from monitor.cli.answers import Row, Wanted, asks
from monitor.cli.output import as_table, number, sparkline, when

__all__ = ["command"]

SERIES = ("signal", "segment", "version", "detector")
WIDTH = 60
"""Buckets that one line of bars shows."""


@click.command("history")
@click.option("--model", required=True)
@click.option("--signal")
@click.option("--segment", help="Such as country=DE; empty is all traffic.")
@click.option("--version")
@click.option("--detector")
@click.option(
    "--step", metavar="DURATION", help="Buckets of this length, such as 1h, with the worst window of each; or auto."
)
@click.option("--points", type=click.IntRange(1, 100_000), help="With --step auto: most buckets of a series.")
@click.option("--line", is_flag=True, help="A line of bars for each series: its effects over time.")
@asks
def command(
    *,
    model: str,
    signal: str | None,
    segment: str | None,
    version: str | None,
    detector: str | None,
    step: str | None,
    points: int | None,
    line: bool,
    **given: Any,
) -> None:
    """Show the scores of a model's windows, oldest first."""
    wanted = Wanted.of(**given)
    if line and wanted.form != "table":
        raise click.UsageError("--line is a table: it goes with no other format.")
    if line and step is None:
        step, points = "auto", points or WIDTH
    with wanted.opened() as leeway:
        answer = leeway.history(
            model,
            signal,
            segment=segment,
            version=version,
            detector=detector,
            from_=wanted.from_,
            to=wanted.to,
            step=step,
            points=points,
            limit=wanted.limit if line else wanted.most,
        )
        if line:
            _show_lines(answer)
        else:
            wanted.show(answer, _show_scores if step is None else _show_buckets)


def _show_scores(rows: Iterable[Row]) -> None:
    as_table(
        ("window end", *SERIES, "effect", "min", "surprise", "limit", "n", "status"),
        (
            (
                when(row["window_end_ms"]),
                *(row[name] for name in SERIES),
                *(number(row[name]) for name in ("effect", "min_effect", "surprise", "surprise_limit")),
                row["n"],
                row["status"],
            )
            for row in rows
        ),
    )


def _show_buckets(rows: Iterable[Row]) -> None:
    as_table(
        ("bucket end", *SERIES, "windows", "drift", "mean", "worst effect", "worst at", "status"),
        (
            (
                when(row["bucket_end_ms"]),
                *(row[name] for name in SERIES),
                row["windows"],
                row["statuses"]["drift"],
                number(row["statistic_mean"]),
                number(row["worst"]["effect"]),
                when(row["worst"]["window_end_ms"]),
                row["worst"]["status"],
            )
            for row in rows
        ),
    )


def _show_lines(rows: Iterable[Row]) -> None:
    """One line for each series: the worst effect of each bucket, gaps where no window ended."""
    series: dict[tuple[str, ...], dict[int, Row]] = {}
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


def _line(span: range, buckets: dict[int, Row]) -> tuple[str, str, int]:
    effects = [buckets[end_ms]["worst"]["effect"] if end_ms in buckets else None for end_ms in span]
    largest = max((effect for effect in effects if effect is not None), default=None)
    # What does not matter is to look small: a bar is full at the smallest effect that matters, or beyond.
    matters = max(bucket["worst"]["min_effect"] or 0.0 for bucket in buckets.values())
    return sparkline(effects, matters), number(largest), sum(bucket["statuses"]["drift"] for bucket in buckets.values())
