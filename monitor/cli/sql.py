"""``leeway sql``: a statement in ClickHouse's SQL on a store that no service has open, or on a server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.answers import FORMATS, write_parts
from monitor.cli.output import as_json, as_table, json_line

if TYPE_CHECKING:
    import pyarrow

    from sinks.store.sqlstore import SqlStore

__all__ = ["command"]


@click.command("sql")
@click.argument("statement")
@click.option("--store", type=click.Path(path_type=Path), help="A store's directory, while no service runs.")
@click.option("--config", type=click.Path(path_type=Path), help="The store that this configuration names.")
@click.option("--param", "params", metavar="NAME=VALUE", multiple=True, help="What {NAME:Type} stands for.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write this file.")
def command(
    statement: str, *, store: Path | None, config: Path | None, params: tuple[str, ...], form: str, output: Path | None
) -> None:
    """Run a statement that only reads; "-" reads it from stdin. docs/sql.md describes tables and views.

    An embedded store belongs to one process: while a service runs, ask for its history with `leeway history` and the
    like. A ClickHouse server has any number of readers: use clickhouse-client, or --config here.
    """
    if (store is None) == (config is None):
        raise click.UsageError("Give --store or --config: where the tables are.")
    from sinks.store.date_times import arrow_with_times

    parameters = dict(_parameter(text) for text in params)
    sql = sys.stdin.read() if statement == "-" else statement
    opened = _opened(store, config)
    try:
        table = arrow_with_times(opened, sql, parameters)
    finally:
        opened.close()
    _show(table, form, output)


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--param")
    return name, value


def _opened(store: Path | None, config: Path | None) -> SqlStore:
    from monitor.client.archive import MARK
    from monitor.errors import InputError
    from monitor.logs import warn_on_stderr
    from sinks.store import open_store
    from sinks.store.sessions import InUseError
    from sinks.store.sqlstore import SqlStore

    warn_on_stderr()
    if config is not None:
        from monitor.check import load

        spec = load(config).service.spec.store
        kind, settings = spec.kind, spec.settings()
    else:
        kind, settings = "chdb", {"path": str(store)}
    if kind == "chdb" and not (Path(settings["path"]) / MARK).is_file():
        raise InputError(f"no store at {settings['path']}")
    try:
        opened = open_store(kind, **settings)
    except InUseError as error:
        raise InUseError(f"{error}; then many read at once: clickhouse-client, or --config here") from error
    if not isinstance(opened, SqlStore):
        opened.close()
        raise InputError(f"the store {kind} understands no SQL")
    return opened


def _show(table: pyarrow.Table, form: str, output: Path | None) -> None:
    if form == "table":
        as_table(table.column_names, (tuple(row.values()) for row in _rows(table)))
    elif form == "json" and output is None:
        for row in _rows(table):
            as_json(row)
    elif form == "json":
        write_parts((f"{json_line(row)}\n".encode() for row in _rows(table)), form, output)
    else:
        write_parts(_parts(table, form), form, output)


def _rows(table: pyarrow.Table) -> list[dict[str, Any]]:
    """Return rows as Python's values; strings are bytes to ClickHouse, and what is no UTF-8 is shown escaped."""
    import pyarrow

    as_bytes = pyarrow.schema([field.with_type(_with_bytes(field.type)) for field in table.schema])
    return [{name: _text(value) for name, value in row.items()} for row in table.cast(as_bytes).to_pylist()]


def _with_bytes(kind: pyarrow.DataType) -> pyarrow.DataType:
    import pyarrow

    if pyarrow.types.is_list(kind):
        return pyarrow.list_(_with_bytes(kind.value_type))
    return pyarrow.binary() if pyarrow.types.is_string(kind) else kind


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(item) for item in value]
    if isinstance(value, datetime):
        return str(value)
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value


def _parts(table: pyarrow.Table, form: str) -> Iterator[bytes]:
    from monitor.api.forms import written

    return written(iter(table.to_batches()), table.schema, form)
