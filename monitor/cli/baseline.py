"""``leeway baseline``: what a model is compared with, built before it is in force, promoted, and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from monitor.cli.configurations import Author, author, show_change, show_notes
from monitor.cli.diff import TIMEOUT_S, show_difference
from monitor.cli.output import as_json, as_rows
from monitor.cli.records import record
from monitor.cli.service import RunningService, service
from monitor.resources.configurations import BuiltSignal

__all__ = ["command"]


@dataclass(frozen=True)
class Choice:
    """What is to be the baseline: a period, a data set, or neither."""

    from_: str | None
    to: str | None
    dataset: str | None

    def baseline(self) -> dict[str, Any] | None:
        """As a file has it; None if nothing was chosen."""
        if self.dataset is not None and (self.from_ or self.to):
            raise click.UsageError("A baseline is a period or a data set: --from and --to, or --dataset.")
        if self.dataset is not None:
            return {"kind": "dataset", "uri": self.dataset}
        if (self.from_ is None) != (self.to is None):
            raise click.UsageError("A period has --from and --to.")
        return None if self.from_ is None else {"kind": "period", "from": self.from_, "to": self.to}


choice = record(
    "choice",
    Choice,
    click.option("--from", "from_", metavar="TIME", help="Start of a period, with its zone: 2026-10-01T00:00:00Z."),
    click.option("--to", metavar="TIME", help="Its end."),
    click.option("--dataset", metavar="URI", help="A data set, as `spec.baseline.uri` names it."),
)


@click.group("baseline")
def command() -> None:
    """Build, promote and freeze baselines: what a model is compared with.

    `leeway baselines` shows what each signal is compared with now. `leeway rollback` undoes a change.
    """


@command.command("build")
@click.argument("model")
@choice
@click.option(
    "--days", type=click.IntRange(0, 90), default=0, help="Also what would have fired in the last so many days."
)
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def build(model: str, choice: Choice, service: RunningService, *, days: int, json_: bool) -> None:
    """Show what a baseline of MODEL would be, and change nothing.

    How many events of each signal it has, how far the last week is from it, and, with --days, what would have fired.
    Without --from, --to and --dataset it is what `freeze` would make.
    """
    with service.client(TIMEOUT_S) as leeway:
        built = leeway.configurations.build_baseline(model, choice.baseline(), days=days)
    if json_:
        as_json(built)
        return
    click.echo(f"{model}: {_in_words(built['baseline'])}")
    show_notes(built)
    if built["signals"]:
        as_rows(BuiltSignal, built["signals"])
    if days:
        show_difference(built["difference"])
    if built["refusal"]:
        click.echo(f"it would be refused: {built['refusal']}")


@command.command("promote")
@click.argument("model")
@choice
@click.option("--if-version", "replaces", metavar="VERSION", help="Only if this one is in force: number or digest.")
@author
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def promote(
    model: str, choice: Choice, author: Author, service: RunningService, *, replaces: str | None, json_: bool
) -> None:
    """Make a period or a data set the baseline of MODEL, in a new version of its configuration.

    What is usual is learned again, from stored panes. A model of a file is refused, with the line for the file.
    """
    baseline = choice.baseline()
    if baseline is None:
        raise click.UsageError("Name a period by --from and --to, or a data set by --dataset.")
    with service.client(TIMEOUT_S) as leeway:
        accepted = leeway.configurations.promote_baseline(model, baseline, replaces=replaces, **author.details)
    _show(accepted, json_=json_)


@command.command("freeze")
@click.argument("model")
@click.option("--if-version", "replaces", metavar="VERSION", help="Only if this one is in force: number or digest.")
@author
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def freeze(model: str, author: Author, service: RunningService, *, replaces: str | None, json_: bool) -> None:
    """Make the period that the baseline of MODEL was learned from its baseline: from now on it stands still."""
    with service.client(TIMEOUT_S) as leeway:
        accepted = leeway.configurations.freeze_baseline(model, replaces=replaces, **author.details)
    _show(accepted, json_=json_)


def _show(accepted: Mapping[str, Any], *, json_: bool) -> None:
    if not json_:
        show_notes(accepted)
    words = _in_words(accepted["baseline"])
    show_change(
        accepted, f"{accepted['model']}: {words}, version {accepted['version']} ({accepted['digest']})", json_=json_
    )


def _in_words(baseline: Mapping[str, Any]) -> str:
    if baseline["kind"] == "period":
        return f"compared with {baseline['from']} to {baseline['to']}"
    return f"compared with the data set {baseline['uri']}"
