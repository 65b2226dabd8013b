"""``leeway erase``: a data subject leaves everything that Leeway keeps."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.output import as_json, as_table
from monitor.cli.records import Option, record
from monitor.cli.service import ServiceOrStore, service_or_store

if TYPE_CHECKING:
    from monitor.erasure.erase import Erased, Request

__all__ = ["TIMEOUT_S", "Subject", "command", "subject_options"]

TIMEOUT_S = 3_600.0


@dataclass(frozen=True)
class Subject:
    """Whom to erase, as the options state it."""

    subject: str
    model: str
    fields: Sequence[str]

    def request(self) -> Request:
        """Return the request; a subject of `-` comes from stdin."""
        from monitor.erasure.erase import Request

        key = sys.stdin.read().rstrip("\r\n") if self.subject == "-" else self.subject
        return Request(key, self.model, tuple(self.fields))


def subject_options(what_is_done: str) -> tuple[Option, ...]:
    """Return the options that say whom a command is about."""
    return (
        click.option("--subject", required=True, metavar="KEY", help="Who; `-` reads it from stdin."),
        click.option("--model", default="", help="Only in this model; else in all that say where the subject stands."),
        click.option(
            "--field",
            "fields",
            multiple=True,
            metavar="SIGNAL",
            help=f"{what_is_done} in this category signal too, such as feature:merchant.",
        ),
    )


@click.command("erase")
@record("subject", Subject, *subject_options("Replace the name"))
@click.option("--dry-run", is_flag=True, help="Only show what would go.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@service_or_store("Instead of a service: erase from the store of this configuration.")
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def command(subject: Subject, *, dry_run: bool, yes: bool, source: ServiceOrStore, json_: bool) -> None:
    """Erase a data subject, and prove it.

    Deletes what is kept of the subject's events, and replaces its name where categories are counted by name. Ends with
    an error while anything remains; run it again then.
    """
    request = subject.request()
    if not (dry_run or yes) and subject.subject != "-" and sys.stdin.isatty():
        click.confirm("What is erased cannot be brought back. Continue?", abort=True, err=True)
    if source.config is None:
        body = {"subject": request.subject, "model": request.model, "fields": list(request.fields), "dry_run": dry_run}
        hint = "; --config FILE erases from a store that no service has open"
        document = source.service.send("POST", "/v1/erasures", body, timeout_s=TIMEOUT_S, hint=hint)
    else:
        document = _erased(source.config, request, dry_run=dry_run).to_dict()
    if json_:
        as_json(document)
    else:
        _show(document)


def _erased(config: str, request: Request, *, dry_run: bool) -> Erased:
    """Erase from a store that no service has open."""
    from monitor.cli.audited import audited
    from monitor.cli.opened_store import opened_store
    from monitor.clock import SystemClock
    from monitor.erasure.erase import Eraser, Running

    with opened_store(config) as (configuration, store, http_log), audited(store, "leeway erase") as subjects:
        # By its hash: whoever is erased is named nowhere. Before that, since it may end half-way.
        running = Running(http_log=http_log, on_begun=lambda digest: subjects.extend([digest, request.model]))
        eraser = Eraser(store, configuration, SystemClock(), running)
        erased = eraser.plan(request) if dry_run else eraser.erase(request, lambda text: click.echo(text, err=True))
        subjects.append(erased.state)
    return erased


def _show(document: dict[str, Any]) -> None:
    planned = document["state"] == "planned"
    rows = [(table, n, ", ".join(document["mutations"].get(table, []))) for table, n in document["rows"].items()]
    rows.append(("log of HTTP events", document["ingest_log"], ""))
    as_table(("table", "rows to go" if planned else "rows", "mutations"), rows)
    if not planned:
        click.echo(f"done: looked through again, {document['remaining']} rows remain; proof {document['subject_hash']}")
    for column, n in document["elsewhere"].items():
        signal = column.partition("/")[2]
        by_field = f"--field {signal} replaces a category that is this name, and none that has other words beside it"
        remedy = by_field if signal else "for you to change where it stands"
        click.echo(f"left alone: {n} rows of {column} hold such a name; {remedy}")
    click.echo("out of reach: " + "; ".join(document["unreachable"]))
