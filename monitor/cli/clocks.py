"""``leeway clocks``: how far partitions are in event time; and setting their clocks back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from monitor.cli.answers import list_command
from monitor.cli.output import as_json, as_rows
from monitor.cli.records import record
from monitor.cli.service import RunningService, by, path, service
from monitor.resources.clocks import Clocks, ClockSetBack

__all__ = ["command"]


@click.group("clocks")
def command() -> None:
    """Show how far partitions are in event time, and set their clocks back."""


@dataclass(frozen=True)
class SetBack:
    """Which clocks are to be set back, as the options state it."""

    topic: str | None
    partition: int | None
    to: str | None
    reason: str
    by: str

    @property
    def body(self) -> dict[str, Any]:
        """The body of the request, less the model."""
        facts = {"topic": self.topic, "partition": self.partition, "to": self.to}
        return {**facts, "reason": self.reason, "created_by": self.by}


@command.command("back")
@click.argument("model")
@record(
    "set_back",
    SetBack,
    click.option("--topic", help="[default: every topic of the model]"),
    click.option("--partition", type=int, help="[default: every partition whose clock is ahead]"),
    click.option("--to", metavar="TIME", help="ISO 8601, ms since the epoch, or relative: -5m.  [default: now]"),
    click.option("--reason", required=True, help="Why: others will ask."),
    by,
)
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def back(model: str, set_back: SetBack, service: RunningService, *, json_: bool) -> None:
    """Set the clocks of MODEL back that a wrong clock has carried away, so that events of now are on time again.

    It holds from the partition's next checkpoint on. Windows that were evaluated meanwhile stay as they are.
    """
    document = service.send("POST", path("v1", "clocks"), {"model": model, **set_back.body})
    if json_:
        as_json(document)
        return
    as_rows(ClockSetBack, document["items"])
    evaluated_to_ms = document["evaluated_to_ms"]
    if evaluated_to_ms is not None and evaluated_to_ms > document["items"][0]["to_ms"]:
        from sinks.receivers.times import utc

        click.echo(f"Windows up to {utc(evaluated_to_ms)} were evaluated already: {model} decides again from then on.")


command.add_command(list_command("list", Clocks, "List the clocks of partitions, with how many events came late."))
