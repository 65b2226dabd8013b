"""``leeway export``: all that is held about a data subject."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from monitor.cli.erase import TIMEOUT_S, Subject, subject_options
from monitor.cli.records import record
from monitor.cli.service import ServiceOrStore, service_or_store

if TYPE_CHECKING:
    from monitor.erasure.erase import Request
    from monitor.erasure.export import Record

__all__ = ["command"]

_OUT_OF_REACH = (
    "not in it: Kafka topics, files, backups, Leeway's log and what receivers keep. `leeway erase --dry-run` names "
    "them, and where else the name stands, such as in signals that are looked at with --field"
)


@click.command("export")
@record("subject", Subject, *subject_options("Look for the name"))
@service_or_store("Instead of a service: read the store of this configuration.")
def command(subject: Subject, *, source: ServiceOrStore) -> None:
    """Print all that is held about a data subject, a line of JSON for each row.

    What is printed is what `leeway erase` would remove or change: the table, the key of the row in it, and the row.
    """
    request = subject.request()
    if source.config is not None:
        _print_from_store(source.config, request)
        return
    from monitor.client import Leeway

    service = source.service
    shown = service.credentials
    with Leeway(service.url, token=shown.token, tls=shown.tls, timeout_s=TIMEOUT_S) as leeway:
        _print(leeway.export(request.subject, request.model, request.fields))


def _print_from_store(config: str, request: Request) -> None:
    """Read a store that no service has open."""
    from monitor.cli.audited import audited
    from monitor.cli.opened_store import opened_store
    from monitor.clock import SystemClock
    from monitor.erasure.export import exported

    with opened_store(config) as (configuration, store, http_log):
        with audited(store, "leeway export") as subjects:
            at_ms = SystemClock().now_ms()
            records = exported(
                store,
                configuration,
                request,
                http_log,
                lambda erasures: subjects.extend([erasures.digest_of(request.subject, at_ms), request.model]),
            )
        # Who asked is written down before anything is shown.
        _print(records)


def _print(records: Iterable[Record]) -> None:
    from monitor.erasure.export import line_of

    for each in records:
        click.echo(line_of(each), nl=False)
    click.echo(_OUT_OF_REACH, err=True)
