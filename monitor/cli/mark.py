"""``leeway mark``: what an alert was."""

from __future__ import annotations

import click

from monitor.cli.output import as_json
from monitor.cli.service import MarkedSeries, RunningService, path, series, service
from sinks.receivers.times import utc

__all__ = ["command"]


@click.command("mark")
@click.argument("model")
@click.argument("signal")
@click.argument("says", type=click.Choice(["false", "harmless", "real"]))
@series
@click.option("--at", metavar="TIME", help="A time at which the alert fired.  [default: its newest alert]")
@click.option("--reason", default="", help="Why.")
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def command(series: MarkedSeries, service: RunningService, *, json_: bool, **mark: str | None) -> None:
    """Say what an alert of SIGNAL of MODEL was: false, harmless or real.

    What is usual is learned from the days of a false or harmless one too, of one that still fires from those so far;
    `leeway status --summary` counts false ones. A level that stays is the new normal: `leeway accept` says so.
    The newest mark of an alert counts: another one takes a mark back. What has been learned stays learned; it is from
    the time at which the mark has effect (see `leeway marks`).
    """
    document = service.send("POST", path("v1", "marks"), series.body | mark)
    if json_:
        as_json(document)
    else:
        click.echo(document["id"])
    if document["says"] != "real" and document["to_ms"] is None:
        click.echo(
            "The alert still fires: what is usual is learned from its days so far, and not from later ones. If this is "
            "the new normal, accept it (`leeway accept`).",
            err=True,
        )
    if document["learned_ms"] is not None:
        click.echo(
            f"What is usual has been learned from this alert, since an older mark had effect at "
            f"{utc(document['learned_ms'])}: that is not taken back.",
            err=True,
        )
