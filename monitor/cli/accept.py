"""``leeway accept``: the level that a signal has is its new normal."""

from __future__ import annotations

import click

from monitor.cli.output import as_json
from monitor.cli.service import MarkedSeries, RunningService, path, series, service

__all__ = ["command"]


@click.command("accept")
@click.argument("model")
@click.argument("signal")
@series
@click.option(
    "--from",
    "at",
    metavar="TIME",
    help="From when on.  [default: since its alert began, or the first one where it comes each day]",
)
@click.option("--reason", required=True, help="Why: others will ask.")
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def command(
    model: str, signal: str, series: MarkedSeries, at: str | None, reason: str, service: RunningService, *, json_: bool
) -> None:
    """Accept the level that SIGNAL of MODEL has as its new normal: later changes are found from there.

    It has effect from the next window on; days since TIME teach what is usual. Its alert ends at once when all that
    moved in it is accepted; what is accepted of all traffic is not of segments. Once the rest is quiet, it ends after
    `resolve_after`.
    """
    mark = series.body | {"model": model, "signal": signal, "says": "accepted", "at": at, "reason": reason}
    document = service.send("POST", path("v1", "marks"), mark)
    if json_:
        as_json(document)
    else:
        click.echo(document["id"])
