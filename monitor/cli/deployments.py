"""``leeway deployments``: what was changed and when, so that incidents can name it."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Sequence
from typing import Any

import click

from monitor.cli.answers import DEFAULT_URL, Row, Wanted, asks
from monitor.cli.output import as_json, as_table, when
from monitor.cli.silence import asked

__all__ = ["command"]


@click.group("deployments")
def command() -> None:
    """Say what was changed, and list it: incidents that follow name it as a likely cause."""


@command.command("add")
@click.argument("name")
@click.option("--model", "models", multiple=True, help="A model that it changed; may be given several times.")
@click.option("--topic", "topics", multiple=True, help="A topic: models that read it are affected.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Models whose alerts have all of these.")
@click.option("--version", default="", help="The new version, as events have it.")
@click.option("--at", help="When: ISO 8601, ms since the epoch, or relative: -5m.  [default: now]")
@click.option("--link", default="", help="Where people can read about it.")
@click.option("--id", "id_", default="", help="Adding one again with the same id changes it.")
@click.option("--by", default=getpass.getuser, help="Who says so.  [default: your name on this machine]")
@click.option("--url", default=DEFAULT_URL, help=f"Of the running service.  [default: {DEFAULT_URL}]")
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def add(
    name: str,
    *,
    models: Sequence[str],
    topics: Sequence[str],
    labels: Sequence[str],
    at: str | None,
    id_: str,
    by: str,
    url: str,
    json_: bool,
    **given: str,
) -> None:
    """Say that NAME was deployed, as the last step of a pipeline does; print its id."""
    whom = {"models": list(models), "topics": list(topics), "labels": dict(map(_label, labels))}
    said = asked("POST", url, "/v1/deployments", {"name": name, "at": at, "id": id_, "created_by": by, **whom, **given})
    if json_:
        as_json(said)
    else:
        click.echo(said["id"])


def _label(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise click.BadParameter(f"expected NAME=VALUE, got {text!r}", param_hint="--label")
    return name, value


@command.command("list")
@click.option("--model", help="Those that name this model.")
@asks
def list_(*, model: str | None, **given: Any) -> None:
    """List deployments, the latest first."""
    wanted = Wanted.of(**given)
    with wanted.opened() as leeway:
        wanted.show(leeway.deployments(model=model, from_=wanted.from_, to=wanted.to, limit=wanted.most), _show)


def _show(rows: Iterable[Row]) -> None:
    as_table(
        ("at", "name", "version", "changed", "by", "link", "id"),
        (
            (
                when(row["at_ms"]),
                row["name"],
                row["version"],
                ", ".join([*row["models"], *row["topics"], *(f"{k}={v}" for k, v in row["labels"].items())]),
                row["created_by"],
                row["link"],
                row["id"],
            )
            for row in rows
        ),
    )
