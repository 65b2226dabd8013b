"""``leeway alerts``: alerts as they stand."""

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


@click.command("alerts")
@click.option("--model")
@click.option("--state", type=click.Choice(["pending", "firing", "resolved", "cancelled"]))
@asks
@click.option("--fail-on-alert", is_flag=True, help="Exit with 1 if an alert that is listed has fired.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    model: str | None,
    state: str | None,
    url: str | None,
    store: Path | None,
    from_: str | None,
    to: str | None,
    limit: int,
    json_: bool,
    fail_on_alert: bool,
) -> None:
    """List alerts as they stand, the latest changed first; --from and --to choose those that held in between."""
    answers = Answers.of(url, store)
    from_ms, to_ms = between(from_, to)

    def local(opened: Store, size: int, cursor: str | None) -> Page:
        from monitor.api.alarms import read_alerts

        return read_alerts(opened, model=model, state=state, from_ms=from_ms, to_ms=to_ms, limit=size, cursor=cursor)

    given = parameters(model=model, state=state, from_=from_ms, to=to_ms)
    rows = list(answers.items("/v1/alerts", given, local, limit))
    if json_:
        for row in rows:
            as_json(row)
    else:
        columns = ("state", "severity", "started", "ended", "model", "title", "id")
        cells = (
            (
                row["state"],
                row["severity"],
                when(row["starts_ms"]),
                when(row["ends_ms"]),
                row["model"],
                row["title"],
                row["alert_id"],
            )
            for row in rows
        )
        as_table(columns, cells)
    if fail_on_alert and any(row["state"] in ("firing", "resolved") for row in rows):
        ctx.exit(1)
