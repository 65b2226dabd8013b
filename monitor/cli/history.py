"""``leeway history``: the scores of a model's windows."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.answers import Answers, asks, between, parameters
from monitor.cli.output import as_json, as_table, number, when

if TYPE_CHECKING:
    from monitor.api.reading import Page
    from sinks.store.contract import Store

__all__ = ["command"]

Row = dict[str, Any]
SERIES = ("signal", "segment", "version", "detector")


@click.command("history")
@click.option("--model", required=True)
@click.option("--signal")
@click.option("--segment", help="Such as country=DE; empty is all traffic.")
@click.option("--version")
@click.option("--detector")
@click.option("--step", metavar="DURATION", help="Buckets of this length, such as 1h, with the worst window of each.")
@asks
@click.option("--csv", "csv_", is_flag=True, help="CSV with a header.")
def command(
    *,
    url: str | None,
    store: Path | None,
    from_: str | None,
    to: str | None,
    limit: int,
    json_: bool,
    csv_: bool,
    step: str | None,
    **series: str | None,
) -> None:
    """Show the scores of a model's windows, oldest first."""
    if json_ and csv_:
        raise click.UsageError("--json and --csv exclude each other.")
    answers = Answers.of(url, store)
    from_ms, to_ms = between(from_, to)
    step_ms = _step_ms(step)

    def local(opened: Store, size: int, cursor: str | None) -> Page:
        from monitor.api.history import read_buckets
        from monitor.api.reading import query_for, read_page

        query = query_for("scores", series, from_ms=from_ms, to_ms=to_ms, limit=size)
        return read_page(opened, query, cursor) if step_ms is None else read_buckets(opened, query, step_ms, cursor)

    given = parameters(**series, from_=from_ms, to=to_ms, step=step)
    rows = answers.items("/v1/history", given, local, limit)
    if json_:
        for row in rows:
            as_json(row)
    elif csv_:
        _as_csv(_flat(row) for row in rows)
    elif step is None:
        _show_scores(rows)
    else:
        _show_buckets(rows)


def _step_ms(step: str | None) -> int | None:
    from monitor.config.values import parse_duration

    if step is None:
        return None
    try:
        return parse_duration(step)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--step") from error


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


def _flat(row: Row) -> Row:
    """Return a bucket with its parts as columns of their own; a score is flat already."""
    flat: Row = {}
    for name, value in row.items():
        flat |= {f"{name}_{key}": part for key, part in value.items()} if isinstance(value, dict) else {name: value}
    return {
        name: "" if value is None or (isinstance(value, float) and math.isnan(value)) else value
        for name, value in flat.items()
    }


def _as_csv(rows: Iterable[Row]) -> None:
    rows = iter(rows)
    first = next(rows, None)
    if first is not None:
        writer = csv.DictWriter(sys.stdout, list(first), lineterminator="\n")
        writer.writeheader()
        writer.writerows(chain([first], rows))
