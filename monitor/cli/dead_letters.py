"""``leeway dead-letters``: messages, or fields, that could not be used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from monitor.cli.answers import Row, Wanted, asks
from monitor.cli.output import as_table, when

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
def list_(*, topic: str | None, model: str | None, reason: str | None, action: str | None, **given: Any) -> None:
    """List dead letters, newest first."""
    wanted = Wanted.of(**given)
    with wanted.opened() as leeway:
        chosen = {"topic": topic, "model": model, "reason": reason, "action": action}
        answer = leeway.dead_letters(**chosen, from_=wanted.from_, to=wanted.to, limit=wanted.most)
        wanted.show(answer, _show)


def _show(rows: Iterable[Row]) -> None:
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
