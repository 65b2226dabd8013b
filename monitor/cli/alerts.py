"""``leeway alerts``: alerts as they stand, what happens to them, and who was told about one."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from monitor.cli.answers import DEFAULT_URL, Row, Wanted, asks
from monitor.cli.output import as_json, as_table, duration, json_line, number, when

__all__ = ["command"]


@click.group("alerts", invoke_without_command=True)
@click.option("--model")
@click.option("--namespace")
@click.option("--state", type=click.Choice(["pending", "firing", "resolved", "cancelled"]))
@click.option("--severity")
@click.option("--signal", help="Alerts in which this signal moved.")
@click.option("--matcher", "matchers", multiple=True, help="Alerts whose labels match, such as severity=critical.")
@click.option("--acknowledged/--unacknowledged", default=None, help="Alerts that somebody has, or nobody has taken on.")
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
    matchers: Sequence[str],
    acknowledged: bool | None,
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
    if summary and (state or severity or signal or matchers or acknowledged is not None or fail_on_alert):
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
            matchers=list(matchers) or None,
            acknowledged=acknowledged,
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


@command.command("show")
@click.argument("alert_id", metavar="ID")
@click.option("--url", help=f"A running service.  [default: {DEFAULT_URL}]")
@click.option("--store", type=click.Path(path_type=Path), help="A store's directory, while no service runs.")
@click.option("--config", type=click.Path(path_type=Path), help="With --store: the service's configuration.")
@click.option("--json", "json_", is_flag=True, help="One JSON document with everything.")
def show(alert_id: str, *, json_: bool, **whom: Any) -> None:
    """Show the alert ID from its beginning: what moved, what became of it, and who was told."""
    nothing: dict[str, Any] = {"from_": None, "to": None, "limit": None, "output": None}
    wanted = Wanted.of(form=None, json_=json_, csv_=False, **whom, **nothing)
    with wanted.opened() as leeway:
        said = leeway.alert(alert_id)
    if json_:
        as_json(said)
        return
    alert = said["alert"]
    until = f" until {when(alert['ends_ms'])}" if alert["ends_ms"] else ""
    click.echo(f"{alert['alert_id']}: {alert['severity']}, {alert['state']}, since {when(alert['starts_ms'])}{until}")
    click.echo(alert["title"])
    click.echo(" ".join(f"{name}={value}" for name, value in sorted(alert["labels"].items())))
    _show_acknowledged(said["acknowledged"])
    as_table(
        ("signal", "segment", "detector", "statistic", "effect", "limit", "since", "because"),
        (
            (
                *(moved.get(name, "") for name in ("signal", "segment", "detector")),
                *(number(moved.get(name)) for name in ("statistic", "effect", "min_effect")),
                when(moved.get("since_ms")),
                moved.get("reason", ""),
            )
            for moved in alert["signals"]
        ),
    )
    steps = ((step["sequence"], when(step["at_ms"]), step["state"], step["severity"]) for step in said["transitions"])
    as_table(("transition", "at", "state", "severity"), steps)
    names = ("receiver", "outcome", "attempts", "reason", "sequence")
    told = ((when(one["at_ms"]), *(one[name] for name in names)) for one in said["notifications"])
    as_table(("told at", "receiver", "outcome", "tries", "because", "transition"), told)


@command.command("follow")
@click.argument("matchers", nargs=-1, metavar="[MATCHER]...")
@click.option("--model", help="Only this model's.")
@click.option("--resume", type=click.Path(path_type=Path, dir_okay=False), help="Keep the place in this file.")
@click.option("--limit", type=click.IntRange(min=1), help="End after so many.")
@click.option("--url", default=DEFAULT_URL, help=f"Of the running service.  [default: {DEFAULT_URL}]")
@click.option("--json", "json_", is_flag=True, help="One JSON object per transition.")
def follow(
    *, matchers: Sequence[str], model: str | None, resume: Path | None, limit: int | None, url: str, json_: bool
) -> None:
    """Show what happens to alerts as it happens; of those only that all MATCHERs match, such as severity=critical.

    A service that is gone for a while is waited for. With --resume, what happened since the last call with the same
    file comes first.
    """
    nothing: dict[str, Any] = {"store": None, "config": None, "from_": None, "to": None, "limit": None, "output": None}
    left = limit
    with Wanted.of(form=None, json_=json_, csv_=False, url=url, **nothing).opened() as leeway:
        after = resume.read_text().strip() or None if resume is not None and resume.exists() else None
        for place, transition in leeway.follow(model=model, matchers=matchers, after=after):
            if transition is not None:
                click.echo(json_line(transition) if json_ else _line(transition))
                sys.stdout.flush()
                left = None if left is None else left - 1
            if resume is not None:
                _keep(place, resume)
            if left == 0:
                return


def _line(transition: Row) -> str:
    names = ("state", "severity", "model", "alert_id", "title")
    return "  ".join((when(transition["at_ms"]), *(transition[name] for name in names)))


def _keep(place: str, file: Path) -> None:
    """Write the place down, after what lies before it was shown."""
    partial = file.with_name(file.name + ".part")
    try:
        partial.write_text(f"{place}\n")
        partial.replace(file)
    except OSError as error:
        raise click.BadParameter(f"{file} cannot be written: {error.strerror}", param_hint="--resume") from error


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
        _show_acknowledged(said["acknowledged"])
        _show_decisions(said["decisions"] if history else said["receivers"])


def _show_acknowledged(taken: Row | None) -> None:
    if taken is not None:
        changed = "" if taken["holds"] else "; it has changed since"
        comment = f": {taken['comment']}" if taken["comment"] else ""
        click.echo(f"{taken['created_by']} took it on at {when(taken['at_ms'])}{comment}{changed}")


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
        ("state", "severity", "started", "ended", "model", "taken on by", "title", "id"),
        (
            (
                row["state"],
                row["severity"],
                when(row["starts_ms"]),
                when(row["ends_ms"]),
                row["model"],
                row["acknowledged_by"] or "",
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
