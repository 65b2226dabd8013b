"""``leeway dead-letters``: messages, or fields, that could not be used, and another try for them."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from monitor.cli.answers import Form, Target, asks, target
from monitor.cli.output import as_json, as_rows, when
from monitor.cli.records import record
from monitor.cli.service import RunningService, ServiceOrStore, service_or_store
from monitor.resources.dead_letters import DeadLetters, Retried

if TYPE_CHECKING:
    from monitor.client import Leeway
    from sinks.store.contract import Store

__all__ = ["command"]

AT_ONCE = 500
TIMEOUT_S = 600.0
NUMBER = click.IntRange(0, 2**63 - 1)
BYTES_PER_LINE = 16


def _reasons(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from monitor.decoders.contract import REASONS
    from monitor.ingest.dead_letters import FOLD_REASONS

    return [CompletionItem(reason) for reason in (*REASONS, *FOLD_REASONS) if reason.startswith(incomplete)]


@click.group("dead-letters")
def command() -> None:
    """Show messages, or fields of messages, that could not be used; put messages back."""


@command.command("list")
@asks(DeadLetters, without=["partition", "offset", "payload"], reason={"shell_complete": _reasons})
def list_(question: DeadLetters, target: Target, form: Form) -> None:
    """List dead letters, newest first."""
    with target.opened() as leeway:
        form.show(leeway.ask(replace(question, payload=form.name != "table")))


@command.command("show")
@click.argument("topic")
@click.argument("partition", type=NUMBER)
@click.argument("offset", type=NUMBER)
@click.option(
    "--payload",
    "form",
    type=click.Choice(["auto", "text", "base64", "hex", "raw"]),
    default="auto",
    help="How to write the message; `raw` writes its bytes and nothing else.  [default: text, hex if it is none]",
)
@target
@click.option("--json", "json_", is_flag=True, help="One JSON object per problem.")
def show(topic: str, partition: int, offset: int, target: Target, *, form: str, json_: bool) -> None:
    """Show all there is of the message at TOPIC PARTITION OFFSET."""
    from monitor.errors import InputError

    with target.opened() as leeway:
        rows = list(leeway.dead_letters(topic=topic, partition=partition, offset=offset))
    if not rows:
        raise InputError(f"no dead letter stands at {topic} {partition} {offset}")
    if json_:
        for row in rows:
            as_json(row)
        return
    payload = base64.b64decode(rows[0]["payload_base64"])
    if form == "raw":
        sys.stdout.buffer.write(payload)
        return
    for row in rows:
        _show_problem(row)
    _show_payload(rows[0], payload, form)


def _show_problem(row: dict[str, Any]) -> None:
    for name in ("topic", "partition", "offset", "model", "field", "action", "reason", "detail"):
        if row[name] != "":
            click.echo(f"{name:14}{row[name]}")
    click.echo(f"{'time':14}{when(row['record_ms']) or 'none'}")
    if row["retries"]:
        click.echo(f"{'retries':14}{row['retries']}, the last {when(row['retried_ms'])}")
    click.echo()


def _show_payload(row: dict[str, Any], payload: bytes, form: str) -> None:
    size = row["payload_bytes"]
    if size and not payload:
        click.echo(f"{size:,} bytes, of which nothing was kept: they stand in {row['topic']} itself, while it has them")
        return
    cut = f", of which the first {len(payload):,} were kept" if len(payload) < size else ""
    click.echo(f"{size:,} bytes{cut}")
    if form == "base64":
        click.echo(row["payload_base64"])
    elif form == "hex" or (form == "auto" and row["payload"] is None):
        for line in hex_lines(payload):
            click.echo(line)
    else:
        click.echo(payload.decode("utf-8", "backslashreplace"))


def hex_lines(payload: bytes) -> Iterator[str]:
    r"""Yield bytes as lines of their offset, their digits, and what of them can be read.

    Examples
    --------
    >>> list(hex_lines(b"{\xff}"))
    ['00000000  7b ff 7d                                         {.}']
    """
    for start in range(0, len(payload), BYTES_PER_LINE):
        part = payload[start : start + BYTES_PER_LINE]
        readable = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        yield f"{start:08x}  {part.hex(' '):<{3 * BYTES_PER_LINE}} {readable}"


@dataclass(frozen=True)
class Selection:
    """Which messages to put back, as the options state it.

    Raises
    ------
    click.UsageError
        If they state it in no way, or in two.
    """

    position: tuple[str, ...]
    topic: str | None
    model: str | None
    reason: str | None
    from_: str | None
    to: str | None
    all_: bool
    again: bool

    def __post_init__(self) -> None:
        chosen = (self.topic, self.model, self.reason, self.from_, self.to)
        if (len(self.position) > 0) + any(chosen) + self.all_ != 1:
            raise click.UsageError("Say which messages: TOPIC PARTITION OFFSET, or some of the options, or --all.")
        numbers = self.position[1:]
        if self.position and not (len(numbers) == 2 and all(n.isdecimal() and int(n) < 2**63 for n in numbers)):
            raise click.UsageError("A message has three coordinates: TOPIC PARTITION OFFSET, the last two numbers.")

    def positions(self, leeway: Leeway) -> list[tuple[str, int, int]]:
        """Return the messages, the oldest first."""
        if self.position:
            topic, partition, offset = self.position
            return [(topic, int(partition), int(offset))]
        chosen = {name: getattr(self, name) for name in ("topic", "model", "reason", "from_", "to")}
        rows = leeway.dead_letters(action="rejected", payload=False, **chosen)
        positions = [
            (row["topic"], row["partition"], row["offset"])
            for row in _shown(rows, "looking for them")
            if self.again or not row["retries"]
        ]
        return list(dict.fromkeys(reversed(positions)))


def _shown(rows: Iterable[dict[str, Any]], text: str) -> Iterator[dict[str, Any]]:
    """Yield rows, and show meanwhile how many have come: of a million, the store is asked for minutes."""
    from monitor.cli.progress import Progress

    with Progress(text, lambda: None, "messages") as progress:
        for count, row in enumerate(rows, 1):
            progress.at(count, count)
            yield row


@command.command("retry")
@record(
    "selection",
    Selection,
    click.argument("position", nargs=-1, metavar="[TOPIC PARTITION OFFSET]"),
    click.option("--topic", help="Of this topic or stream."),
    click.option("--model", help="Rejected by this model."),
    click.option("--reason", help="Rejected for this reason.", shell_complete=_reasons),
    click.option("--from", "from_", metavar="TIME", help="ISO 8601, ms since the epoch, or relative: -1h."),
    click.option("--to", metavar="TIME", help="The end, excluded."),
    click.option("--all", "all_", is_flag=True, help="Every message that was rejected."),
    click.option("--again", is_flag=True, help="Also those that were put back before."),
)
@click.option("--dry-run", is_flag=True, help="Only show what would be put back.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@service_or_store("Instead of a service: the store of this configuration.")
@click.option("--json", "json_", is_flag=True, help="One JSON object per message.")
def retry(selection: Selection, *, dry_run: bool, yes: bool, source: ServiceOrStore, json_: bool) -> None:
    """Put rejected messages back on their streams, to be read again.

    Say which: the coordinates of one, or options; with several options, those that fit all of them.
    """
    from monitor.cli.audited import audited

    with _client(source.service, source.config, json_=json_) as (leeway, store):
        positions = selection.positions(leeway)
        if positions and not (dry_run or yes) and sys.stdin.isatty():
            click.confirm(f"{len(positions):,} messages are put back on their streams. Continue?", abort=True, err=True)
        with audited(store, "leeway dead-letters retry") as subjects:
            subjects += [f"{len(positions)} messages", "dry run" if dry_run else ""]
            done = list(_retried(leeway, positions, dry_run=dry_run))
    if json_:
        for row in done:
            as_json(row)
    else:
        _show_retried(done)


@contextmanager
def _client(service: RunningService, config: str | None, *, json_: bool) -> Iterator[tuple[Leeway, Store | None]]:
    """Lend a client of a running service, or of one that reads nothing and has the store, which comes with it."""
    from monitor.client import Leeway, UnreachableError
    from monitor.errors import SourceError

    if config is None:
        try:
            shown = service.credentials
            with Leeway(service.url, token=shown.token, tls=shown.tls, timeout_s=TIMEOUT_S, retries=1) as leeway:
                yield leeway, None
        except UnreachableError as error:
            hint = "--config FILE puts back from a store that no service has open"
            raise SourceError(f"{error}; {hint}", retryable=True) from error
        return
    from monitor.api.app import create_app
    from monitor.check import load
    from monitor.client.inprocess import InProcess
    from monitor.clock import SystemClock
    from monitor.logs import log_to_stderr
    from monitor.service import Service

    log_to_stderr(as_json=json_)
    # Not started: nothing is read or evaluated. The two roles have the tables and the log of HTTP streams.
    idle = Service(load(config), SystemClock(), roles=("evaluate", "ingest"))
    try:
        app = create_app(idle, is_guarded=False)
        with Leeway("http://embedded", retries=0, transport=InProcess(app)) as leeway:
            yield leeway, idle.store
    finally:
        idle.stop()


def _retried(leeway: Leeway, positions: list[tuple[str, int, int]], *, dry_run: bool) -> Iterator[dict[str, Any]]:
    from monitor.cli.progress import Progress

    with Progress("trying" if dry_run else "retrying", lambda: len(positions), "messages") as progress:
        for start in range(0, len(positions), AT_ONCE):
            part = positions[start : start + AT_ONCE]
            yield from leeway.retry_dead_letters(part, dry_run=dry_run)
            progress.at(start + len(part), start + len(part))


def _show_retried(done: list[dict[str, Any]]) -> None:
    as_rows(Retried, done)
    counts = {name: sum(row["outcome"] == name for row in done) for name in ("retried", "planned", "refused")}
    click.echo(", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing to put back")
