"""``leeway findings``: observations at which a per-event detector fired."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import click

from monitor.cli.answers import Row, Wanted, asks
from monitor.cli.output import as_table, number, when

__all__ = ["command"]


@click.command("findings")
@click.option("--model", required=True)
@click.option("--signal")
@click.option("--version")
@click.option("--detector")
@asks
def command(*, model: str, signal: str | None, version: str | None, detector: str | None, **given: Any) -> None:
    """Show observations at which a per-event detector fired, oldest first."""
    wanted = Wanted.of(**given)
    with wanted.opened() as leeway:
        answer = leeway.findings(
            model,
            signal,
            version=version,
            detector=detector,
            from_=wanted.from_,
            to=wanted.to,
            limit=wanted.most,
        )
        wanted.show(answer, _show)


def _show(rows: Iterable[Row]) -> None:
    columns = ("signal", "version", "detector", "status", "value", "score", "level", "topic", "partition", "offset")
    as_table(
        ("time", *columns), ((when(row["event_ms"]), *(_cell(name, row[name]) for name in columns)) for row in rows)
    )


def _cell(name: str, value: Any) -> Any:
    if name == "level":
        # Levels of anomalies differ only in what comes after some nines.
        return "" if value is None or math.isnan(value) else f"{value:.8f}"
    return number(value) if name in ("value", "score") else value
