"""What the commands about models' configurations share: who changes, and whether everybody has followed."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from monitor.cli.output import as_json, as_rows
from monitor.cli.records import record
from monitor.client.configurations import WAIT_S
from monitor.resources.configurations import Laggard

__all__ = ["Author", "author", "show_change", "show_laggards", "show_notes"]


@dataclass(frozen=True)
class Author:
    """Who changes something, and why; and how long to wait until it is in force."""

    by: str
    reason: str
    wait_s: float

    @property
    def details(self) -> dict[str, Any]:
        """What the client takes."""
        return {"created_by": self.by, "reason": self.reason, "wait_s": self.wait_s}


author = record(
    "author",
    Author,
    click.option("--author", "by", default=getpass.getuser, help="Who you are.  [default: your name on this machine]"),
    click.option("--reason", default="", help="Why, for whoever reads the versions."),
    click.option(
        "--wait", "wait_s", type=click.FloatRange(min=0), default=WAIT_S, show_default=True, metavar="SECONDS",
        help="How long to wait until every process goes by it.",
    ),
)  # fmt: skip
"""Adds the options of a change; the command takes ``author``."""


def show_change(version: Mapping[str, Any], sentence: str, *, json_: bool) -> None:
    """Show a version that was accepted, and who does not go by it in time; exit with 1 then."""
    if json_:
        as_json(version)
    else:
        click.echo(sentence)
        show_laggards(version["not_converged"])
    if not version["is_in_force"]:
        click.get_current_context().exit(1)


def show_notes(change: Mapping[str, Any]) -> None:
    """Say what to know of the baseline that a change names."""
    for note in change["notes"]:
        click.echo(f"note: {note}", err=True)


def show_laggards(laggards: list[Mapping[str, Any]]) -> None:
    """Say whether every process goes by the last version, or who does not, and why."""
    if not laggards:
        click.echo("in force everywhere")
        return
    click.echo("not converged: these processes do not go by it", err=True)
    as_rows(Laggard, laggards)
