"""``leeway alerts``: alerts as they stand, and who was told about one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from monitor.cli.answers import DEFAULT_URL, Row, Wanted, asks
from monitor.cli.output import as_json, as_table, duration, when

__all__ = ["command"]


@click.group("alerts", invoke_without_command=True)
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
    context = click.get_current_context()
    if context.invoked_subcommand is not None:
        _only_for_lists(context)
        return
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
            context.exit(1)


def _only_for_lists(context: click.Context) -> None:
    """Refuse options that stand before the name of a subcommand, where they would do nothing."""
    given = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if given:
        raise click.UsageError(
            f"options go behind {context.invoked_subcommand!r}: leeway alerts {context.invoked_subcommand} …"
        )


@command.command("explain")
@click.argument("alert_id", metavar="ID")
@click.option("--url", help=f"A running service.  [default: {DEFAULT_URL}]")
@click.option("--store", type=click.Path(path_type=Path), help="A store's directory, while no service runs.")
@click.option("--config", type=click.Path(path_type=Path), help="With --store: the service's configuration.")
@click.option("--history", is_flag=True, help="Every decision, not only the last ones.")
@click.option("--json", "json_", is_flag=True, help="One JSON document with everything.")
def explain(alert_id: str, *, history: bool, json_: bool, **whom: Any) -> None:
    """Say who was told about the alert ID, who was not, and why."""
    nothing: dict[str, Any] = {"from_": None, "to": None, "limit": None, "output": None}
    wanted = Wanted.of(form=None, json_=json_, csv_=False, **whom, **nothing)
    with wanted.opened() as leeway:
        said = leeway.explain(alert_id)
    if json_:
        as_json(said)
    else:
        taken = said["acknowledged"]
        if taken is not None:
            changed = "" if taken["holds"] else "; it has changed since"
            comment = f": {taken['comment']}" if taken["comment"] else ""
            click.echo(f"{taken['created_by']} took it on at {when(taken['at_ms'])}{comment}{changed}")
        _show_decisions(said["decisions"] if history else said["receivers"])


def _show_decisions(rows: Iterable[Row]) -> None:
    as_table(
        ("receiver", "decided", "at", "because", "transition", "route"),
        (
            (
                row["receiver"],
                row["why"],
                when(row["at_ms"]),
                row["detail"],
                "" if row["sequence"] is None else row["sequence"],
                row["route"],
            )
            for row in rows
        ),
    )


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
