"""``leeway erase``: a data subject leaves everything that Leeway keeps."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.answers import DEFAULT_URL
from monitor.cli.output import as_json, as_table

if TYPE_CHECKING:
    from monitor.erasure.erase import Erased, Request

__all__ = ["command"]

TIMEOUT_S = 3_600.0


@click.command("erase")
@click.option("--subject", required=True, metavar="KEY", help="Who; `-` reads it from stdin.")
@click.option("--model", default="", help="Only in this model; else in all that say where the subject stands.")
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="SIGNAL",
    help="Replace the name in this category signal too, such as feature:merchant.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--url", help=f"Of the running service. Default: {DEFAULT_URL}")
@click.option("--config", type=click.Path(), help="Instead of a service: erase from the store of this configuration.")
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def command(
    subject: str,
    model: str,
    fields: tuple[str, ...],
    *,
    dry_run: bool,
    yes: bool,
    url: str | None,
    config: str | None,
    json_: bool,
) -> None:
    """Erase a data subject, and prove it.

    Deletes what is kept of the subject's events, and replaces its name where categories are counted by name. Ends with
    an error while anything is left; begin again then.
    """
    from monitor.erasure.erase import Request

    if url is not None and config is not None:
        raise click.UsageError("--url and --config exclude each other.")
    key = sys.stdin.read().rstrip("\r\n") if subject == "-" else subject
    if not (dry_run or yes) and subject != "-" and sys.stdin.isatty():
        click.confirm("What is erased cannot be brought back. Go on?", abort=True, err=True)
    request = Request(key, model, fields)
    if config is None:
        document = _asked((url or DEFAULT_URL).rstrip("/"), request, dry_run=dry_run)
    else:
        document = _done(config, request, dry_run=dry_run).to_dict()
    if json_:
        as_json(document)
    else:
        _show(document)


def _asked(url: str, request: Request, *, dry_run: bool) -> dict[str, Any]:
    """Have a running service erase."""
    import httpx

    from monitor.errors import InputError, SourceError

    body = {"subject": request.subject, "model": request.model, "fields": list(request.fields), "dry_run": dry_run}
    try:
        answer = httpx.post(f"{url}/v1/erasures", json=body, timeout=TIMEOUT_S)
        document: dict[str, Any] = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        hint = "--config FILE erases from a store that no service has open"
        raise SourceError(f"{url} cannot be reached: {error}; {hint}", retryable=True) from error
    except ValueError as error:
        raise SourceError(f"{url} is no Leeway service: it does not answer JSON", retryable=False) from error
    if answer.status_code >= 500:
        raise SourceError(f"{url}: {document.get('detail', answer.status_code)}", retryable=True)
    if answer.status_code >= 400:
        raise InputError(str(document.get("detail", answer.status_code)))
    return document


def _done(config: str, request: Request, *, dry_run: bool) -> Erased:
    """Erase from a store that no service has open."""
    from pathlib import Path

    from monitor.build import open_http_log
    from monitor.check import load
    from monitor.clock import SystemClock
    from monitor.erasure.erase import erase
    from sinks.store import open_store

    configuration = load(config)
    spec = configuration.service.spec
    clock = SystemClock()
    store = open_store(spec.store.kind, **spec.store.settings())
    http_log = None
    try:
        if Path(spec.ingest_log).exists():
            http_log = open_http_log(configuration, clock)
        return erase(
            store,
            configuration,
            request,
            clock,
            http_log=http_log,
            dry_run=dry_run,
            on_step=lambda text: click.echo(text, err=True),
        )
    finally:
        if http_log is not None:
            http_log.close()
        store.close()


def _show(document: dict[str, Any]) -> None:
    planned = document["state"] == "planned"
    rows = [(table, n, ", ".join(document["mutations"].get(table, []))) for table, n in document["rows"].items()]
    rows.append(("log of HTTP events", document["ingest_log"], ""))
    as_table(("table", "rows to go" if planned else "rows", "mutations"), rows)
    if not planned:
        click.echo(f"done: looked through again, {document['remaining']} rows left; proof {document['subject_hash']}")
    for signal, n in document["elsewhere"].items():
        click.echo(f"left alone: {n} rows of {signal} hold such a name; --field {signal.partition('/')[2]} replaces it")
    click.echo("out of reach: " + "; ".join(document["unreachable"]))
