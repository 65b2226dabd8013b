"""``leeway explain``: why a window alarmed, or did not."""

from __future__ import annotations

import click

from monitor.cli.answers import Target, target
from monitor.cli.output import as_json, as_rows
from monitor.resources.windows import ExplainedAlert, ExplainedContrast

__all__ = ["command"]


@click.command("explain")
@click.argument("model")
@click.argument("signal")
@click.option("--at", required=True, metavar="TIME", help="A time in the window: ISO 8601, ms, or relative: -1h.")
@click.option("--segment", default="", help="A segment.  [default: all traffic]")
@click.option("--version", help="A version.  [default: the one with most events]")
@target
@click.option("--json", "json_", is_flag=True, help="One JSON document with everything.")
def command(
    model: str, signal: str, target: Target, *, at: str, segment: str, version: str | None, json_: bool
) -> None:
    """Say why the window of MODEL's SIGNAL that holds a time alarmed, or did not.

    Of several versions it is the one with most events, which is named, as are the others.

    What was expected at this hour and what there was, the evidence beside its threshold, what would have been enough,
    and the alert that it belongs to. With --store, --config is needed for what was expected.
    """
    with target.opened() as leeway:
        explained = leeway.explain_window(model, signal, at, segment=segment, version=version)
    if json_:
        as_json(explained)
        return
    for sentence in explained["words"]:
        click.echo(sentence)
    if explained["contrasts"]:
        as_rows(ExplainedContrast, explained["contrasts"])
    if explained["alerts"]:
        as_rows(ExplainedAlert, explained["alerts"])
