"""``leeway dead-letters``: messages, or fields, that could not be used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.answers import Answers, asks, between, parameters
from monitor.cli.output import as_json, as_table, when

if TYPE_CHECKING:
    from monitor.api.reading import Page
    from sinks.store.contract import Store

__all__ = ["command"]


@click.group("dead-letters")
def command() -> None:
    """Look at messages, or fields of messages, that could not be used."""


@command.command("list")
@click.option("--topic")
@click.option("--model")
@click.option("--reason", help="A code; docs/dead-letters.md lists them.")
@click.option("--action", type=click.Choice(["rejected", "kept"]))
@asks
def list_(
    *,
    url: str | None,
    store: Path | None,
    from_: str | None,
    to: str | None,
    limit: int,
    json_: bool,
    **where: str | None,
) -> None:
    """List dead letters, newest first."""
    answers = Answers.of(url, store)
    from_ms, to_ms = between(from_, to)

    def local(opened: Store, size: int, cursor: str | None) -> Page:
        from dataclasses import replace

        from monitor.api.reading import query_for, read_page, readable

        query = query_for("dead_letters", where, from_ms=from_ms, to_ms=to_ms, limit=size, descending=True)
        page = read_page(opened, query, cursor)
        return replace(page, rows=[readable(row) for row in page.rows])

    rows = answers.items("/v1/dead-letters", parameters(**where, from_=from_ms, to=to_ms), local, limit)
    if json_:
        for row in rows:
            as_json(row)
        return
    as_table(
        ("time", "topic", "partition", "offset", "model", "field", "action", "reason", "detail"),
        (
            (
                when(row["record_ms"] if row["record_ms"] > 0 else None),
                *(row[name] for name in ("topic", "partition", "offset", "model", "field", "action", "reason")),
                row["detail"],
            )
            for row in rows
        ),
    )
