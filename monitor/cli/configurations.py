"""What the commands about models' configurations share: who changes, and whether everybody has followed."""

from __future__ import annotations

import getpass
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from monitor.cli.output import as_json, as_rows
from monitor.cli.records import record
from monitor.cli.service import RunningService, asking, path
from monitor.resources.configurations import Laggard

__all__ = ["Author", "author", "change", "configuration_path", "show_laggards"]

LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class Author:
    """Who changes something, and why; and how long to wait until it is in force."""

    by: str
    reason: str
    wait_s: float


author = record(
    "author",
    Author,
    click.option("--author", "by", default=getpass.getuser, help="Who you are.  [default: your name on this machine]"),
    click.option("--reason", default="", help="Why, for whoever reads the versions."),
    click.option(
        "--wait", "wait_s", type=click.FloatRange(min=0), default=15.0, show_default=True, metavar="SECONDS",
        help="How long to wait until every process goes by it.",
    ),
)  # fmt: skip
"""Adds the options of a change; the command takes ``author``."""


def configuration_path(model: str, *parts: str) -> str:
    """Return the path of a model's configuration."""
    return path("v1", "models", model, "configuration", *parts)


def change(
    service: RunningService, model: str, document: str, author: Author, replaces: str | None, *, json_: bool
) -> None:
    """Have a document put in force, wait until it is, and say so; exit with 1 if it is not in time."""
    headers = {"Content-Type": "application/yaml"} | ({} if replaces is None else {"If-Match": f'"{replaces}"'})
    address = asking(configuration_path(model), reason=author.reason, created_by=author.by)
    accepted = service.send("PUT", address, document, headers=headers)
    laggards = wait_for(service, model, accepted["version"], author.wait_s)
    if json_:
        as_json({**accepted, "is_in_force": not laggards, "not_converged": laggards})
    else:
        click.echo(f"{model}: version {accepted['version']} ({accepted['digest']}) is accepted")
        show_laggards(laggards)
    if laggards:
        click.get_current_context().exit(1)


def wait_for(service: RunningService, model: str, version: int, wait_s: float) -> list[Mapping[str, Any]]:
    """Return who does not go by a version, or a later one, when everybody does or the time is over."""
    from monitor.clock import SystemClock

    clock = SystemClock()
    until_s = clock.monotonic_s() + wait_s
    while True:
        versions = service.send("GET", asking(configuration_path(model, "versions"), limit=1))
        laggards: list[Mapping[str, Any]] = versions["not_converged"]
        if not laggards or clock.monotonic_s() >= until_s:
            return laggards
        clock.wait(threading.Event(), LOOK_EVERY_S)


def show_laggards(laggards: list[Mapping[str, Any]]) -> None:
    """Say whether every process goes by the last version, or who does not, and why."""
    if not laggards:
        click.echo("in force everywhere")
        return
    click.echo("not converged: these processes do not go by it", err=True)
    as_rows(Laggard, laggards)
