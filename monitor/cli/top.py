"""``leeway top``: the signals that drifted most."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from monitor.cli.answers import Row, Wanted, asks
from monitor.cli.output import as_table, number, when

__all__ = ["command"]


@click.command("top")
@click.option("--model")
@click.option("--namespace", help="The models of this namespace.")
@asks
def command(*, model: str | None, namespace: str | None, **given: Any) -> None:
    """Show the signals that drifted most, the strongest first."""
    wanted = Wanted.of(**given)
    with wanted.opened() as leeway:
        answer = leeway.top(
            model=model, namespace=namespace, from_=wanted.from_, to=wanted.to, limit=wanted.limit or 20
        )
        wanted.show(answer, _show)


def _show(rows: Iterable[Row]) -> None:
    as_table(
        (
            "model",
            "signal",
            "segment",
            "version",
            "strength",
            "detector",
            "in drift",
            "first",
            "worst",
            "last",
            "alerts",
        ),
        (
            (
                *(row[name] for name in ("model", "signal", "segment", "version")),
                number(row["strength"]),
                row["detector"],
                f"{row['drift_share']:.0%} of {row['windows']}",
                *(when(row[name]) for name in ("first_drift_ms", "worst_ms", "last_drift_ms")),
                " ".join(row["alert_ids"]),
            )
            for row in rows
        ),
    )
