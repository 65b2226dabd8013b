"""``leeway deployments``: what was changed and when, so that incidents can name it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from monitor.cli.answers import list_command
from monitor.cli.output import as_json
from monitor.cli.records import record
from monitor.cli.service import RunningService, by, path, service
from monitor.resources.deployments import Deployments

__all__ = ["command"]


@click.group("deployments")
def command() -> None:
    """Announce what was changed, and list it: incidents that follow name it as a likely cause."""


@dataclass(frozen=True)
class Announcement:
    """What was changed, as the options state it."""

    models: Sequence[str]
    topics: Sequence[str]
    labels: Sequence[str]
    version: str
    at: str | None
    link: str
    id_: str
    by: str

    @property
    def body(self) -> dict[str, Any]:
        """The body of the request, less the name."""
        affected = {"models": list(self.models), "topics": list(self.topics), "labels": dict(map(_label, self.labels))}
        facts = {"version": self.version, "at": self.at, "link": self.link, "id": self.id_, "created_by": self.by}
        return affected | facts


@command.command("add")
@click.argument("name")
@record(
    "announcement",
    Announcement,
    click.option("--model", "models", multiple=True, help="A model that it changed; may be repeated."),
    click.option("--topic", "topics", multiple=True, help="A topic: models that read it are affected."),
    click.option(
        "--label", "labels", multiple=True, metavar="NAME=VALUE", help="Models whose alerts have all of these."
    ),
    click.option("--version", default="", help="The new version, as events have it."),
    click.option("--at", help="When: ISO 8601, ms since the epoch, or relative: -5m.  [default: now]"),
    click.option("--link", default="", help="Where people can read about it."),
    click.option("--id", "id_", default="", help="Adding one again with the same id changes it."),
    by,
)
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def add(name: str, announcement: Announcement, service: RunningService, *, json_: bool) -> None:
    """Announce that NAME was deployed, as the last step of a pipeline does; print its id."""
    document = service.send("POST", path("v1", "deployments"), {"name": name, **announcement.body})
    if json_:
        as_json(document)
    else:
        click.echo(document["id"])


def _label(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise click.BadParameter(f"expected NAME=VALUE, got {text!r}", param_hint="--label")
    return name, value


command.add_command(list_command("list", Deployments, "List deployments, the latest first."))
