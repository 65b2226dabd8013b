"""``leeway diff``: what a change of a model's configuration does, or would do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from monitor.cli.apply import located, read_document
from monitor.cli.output import as_json, as_table, when
from monitor.cli.service import RunningService, service
from monitor.client.errors import QuestionError
from monitor.client.leeway import Leeway

__all__ = ["TIMEOUT_S", "command", "show_difference"]

TIMEOUT_S = 600.0


@click.command("diff")
@click.argument("model")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--from", "from_", type=click.IntRange(min=1), metavar="VERSION", help="[default: the one before --to]")
@click.option("--to", type=click.IntRange(min=1), metavar="VERSION", help="[default: the last one]")
@click.option(
    "--days", type=click.IntRange(0, 90), default=0, help="Also what would have fired in the last so many days."
)
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def command(
    model: str,
    file: Path | None,
    service: RunningService,
    *,
    from_: int | None,
    to: int | None,
    days: int,
    json_: bool,
) -> None:
    """Show what FILE would change about MODEL, or what has changed from one version to another.

    Which fields differ; which series keep what they have learned, learn it again from stored panes, or start afresh;
    and, with --days, what would have fired. Nothing is changed.
    """
    if file is not None and (from_ is not None or to is not None):
        raise click.UsageError("FILE is compared with what is in force: --from and --to are for versions.")
    with service.client(TIMEOUT_S) as leeway:
        if file is None:
            answer = leeway.configurations.diff(model, from_=from_, to=to, days=days)
        else:
            answer = _of_file(leeway, model, file, days)
    if json_:
        as_json(answer)
    else:
        show_difference(answer)


def _of_file(leeway: Leeway, model: str, file: Path, days: int) -> dict[str, Any]:
    name, document = read_document(file)
    if name != model:
        raise click.UsageError(f"{file} is of the model {name!r}.")
    try:
        return leeway.configurations.diff(model, document, days=days)
    except QuestionError as error:
        raise located(error, file) from error


def show_difference(answer: Mapping[str, Any]) -> None:
    """Show which fields and series differ, and what would have fired."""
    if not answer["fields"]:
        click.echo("no field differs")
        return
    as_table(("field", "before", "after"), [(e["path"], e["before"], e["after"]) for e in answer["fields"]])
    series = [(e["signal"], e["folds"], e["learns"], e["why"]) for e in answer["series"]]
    as_table(("signal", "open panes, per-event detectors", "what is usual", "why"), series)
    tested = answer["backtest"]
    if answer["no_backtest"]:
        click.echo(f"no backtest: {answer['no_backtest']}")
    if tested is None:
        return
    alerts = [(when(e["starts_ms"]), e["which"], e["title"]) for e in tested["alerts"]]
    as_table(("alert from", "fired", "what"), alerts)
    click.echo(
        f"{when(tested['from_ms'])} to {when(tested['to_ms'])}: {tested['fired_before']} alerts fired, and"
        f" {tested['fired_now']} would have; the budget accepts {tested['false_alarms_allowed']:.2g} false ones"
    )
    for part, why in tested["not_judged"].items():
        click.echo(f"not evaluated: {part}: {why}")
