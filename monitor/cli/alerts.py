"""``leeway alerts``: alerts as they stand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from monitor.cli.answers import Row, Wanted, asks
from monitor.cli.output import as_table, duration, when

__all__ = ["command"]


@click.command("alerts")
@click.option("--model")
@click.option("--namespace")
@click.option("--state", type=click.Choice(["pending", "firing", "resolved", "cancelled"]))
@click.option("--severity")
@click.option("--signal", help="Alerts in which this signal moved.")
@click.option("--summary", is_flag=True, help="How many fired on each day, and how long they held.")
@asks
@click.option("--fail-on-alert", is_flag=True, help="Exit with 1 if an alert that is listed has fired.")
def command(
    *,
    model: str | None,
    namespace: str | None,
    state: str | None,
    severity: str | None,
    signal: str | None,
    summary: bool,
    fail_on_alert: bool,
    **given: Any,
) -> None:
    """List alerts as they stand, the latest changed first; --from and --to choose those that held in between."""
    wanted = Wanted.of(**given)
    if summary and (state or severity or signal or fail_on_alert):
        raise click.UsageError("--summary counts all alerts: of the other options it takes --model and --namespace.")
    with wanted.opened() as leeway:
        if summary:
            days = leeway.alert_summary(model=model, namespace=namespace, from_=wanted.from_, to=wanted.to)
            wanted.show(days, _show_days)
            return
        answer = leeway.alerts(
            model=model,
            namespace=namespace,
            state=state,
            severity=severity,
            signal=signal,
            from_=wanted.from_,
            to=wanted.to,
            limit=wanted.most,
        )
        rows = wanted.show(answer, _show)
        if fail_on_alert and any(row["state"] in ("firing", "resolved") for row in rows or answer):
            click.get_current_context().exit(1)


def _show(rows: Iterable[Row]) -> None:
    as_table(
        ("state", "severity", "started", "ended", "model", "title", "id"),
        (
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
        ),
    )


def _show_days(rows: Iterable[Row]) -> None:
    as_table(
        ("day", "model", "severity", "fired", "resolved", "firing", "held on average", "at most"),
        (
            (
                when(row["day_ms"])[:10],
                *(row[name] for name in ("model", "severity", "fired", "resolved", "firing")),
                duration(row["mean_resolve_ms"]),
                duration(row["longest_resolve_ms"]),
            )
            for row in rows
        ),
    )
