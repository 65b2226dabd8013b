"""``leeway store``: look after the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from monitor.cli.output import as_json, as_table, when

if TYPE_CHECKING:
    from monitor.config import Configuration
    from sinks.store.contract import Store
    from sinks.store.sqlstore import SqlStore
    from sinks.store.upkeep import TableStatus

__all__ = ["command", "opened_store", "which_store"]

F = TypeVar("F", bound=Callable[..., Any])


@click.group("store")
def command() -> None:
    """Look after the store: what it holds, upgrades, room, backups.

    A running service has its embedded store to itself: stop it first. A ClickHouse server may be in use.
    """


def which_store(function: F) -> F:
    """Add the options that name the store."""
    options = (
        click.option("--store", "folder", type=click.Path(path_type=Path), help="The directory of an embedded store."),
        click.option("--config", type=click.Path(), help="The configuration that names the store."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@contextmanager
def opened_store(folder: Path | None, config: str | None, *, new: bool = False) -> Iterator[tuple[Store, Any]]:
    """Open a store as it is, without an upgrade; lend it with the configuration that was named."""
    from monitor.client.archive import MARK
    from monitor.errors import InputError
    from monitor.logs import warn_on_stderr
    from sinks.store import STORES

    warn_on_stderr()
    kind, settings, configuration = _named(folder, config)
    directory = settings.get("path") if kind == "chdb" else None
    if directory is not None and not new and not (Path(directory) / MARK).exists():
        raise InputError(f"no store at {directory}")
    store = STORES[kind](**settings)
    try:
        yield store, configuration
    finally:
        store.close()


def _named(folder: Path | None, config: str | None) -> tuple[str, dict[str, Any], Configuration | None]:
    if (folder is None) == (config is None):
        raise click.UsageError("Say which store: --store DIR or --config FILE.")
    if folder is not None:
        return "chdb", {"path": str(folder)}, None
    from monitor.check import load

    configuration = load(str(config))
    spec = configuration.service.spec.store
    if spec.kind == "memory":
        raise click.UsageError("A store in memory ends with its process: there is nothing to look after.")
    return spec.kind, spec.settings(), configuration


def _sql(store: Store) -> SqlStore:
    from sinks.store.sqlstore import SqlStore

    assert isinstance(store, SqlStore)  # `memory` is refused before
    return store


@command.command("status")
@which_store
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def status(folder: Path | None, config: str | None, *, json_: bool) -> None:
    """Show what the store holds: rows, bytes, times, lifetimes, changes under way, disk."""
    from monitor.erasure.erase import unfinished
    from sinks.store import filling
    from sinks.store.upkeep import status as status_of
    from sinks.store.upkeep import tables_of

    with opened_store(folder, config) as (store, _):
        stored = status_of(_sql(store))
        names = tables_of(_sql(store))
        begun = unfinished(store) if "erasures" in names else 0
        origin = filling.unfinished(store) if filling.RECORD in names else ""
    if json_:
        as_json({**asdict(stored), "unfinished_erasures": begun, "unfinished_filling": origin})
        return
    as_table(
        ("table", "rows", "bytes", "parts", "oldest", "newest", "outdated", "changes", "lifetime"),
        map(_row, stored.tables),
    )
    click.echo(f"{stored.where}, ClickHouse {stored.engine}, {_size(stored.disk_free_bytes)} of disk free")
    newest = "the newest" if stored.schema_version == stored.newest_version else f"newest is {stored.newest_version}"
    click.echo(f"schema version {stored.schema_version}, {newest}")
    if begun:
        click.echo(f"{begun} erasures were begun and not finished: erase the same subjects again")
    if origin:
        click.echo(f"a part is here of what the store is being filled with ({origin}): begin the same again")


def _row(table: TableStatus) -> tuple[object, ...]:
    return (
        table.name,
        f"{table.rows:,}",
        _size(table.bytes),
        table.parts,
        when(table.oldest_ms),
        when(table.newest_ms),
        _size(table.outdated_bytes) if table.outdated_parts else "",
        table.mutations or "",
        table.ttl or "forever",
    )


@command.command("migrate")
@which_store
@click.option("--dry-run", is_flag=True, help="Only list what would run.")
def migrate(folder: Path | None, config: str | None, *, dry_run: bool) -> None:
    """Bring the tables up to date; `leeway run` does so by itself."""
    from sinks.store.schema import pending

    with opened_store(folder, config, new=config is not None and not dry_run) as (store, _):
        steps = pending(_sql(store))
        if not dry_run:
            store.migrate()
    for step in steps:
        click.echo(f"{'would run' if dry_run else 'ran'} {step.version:04d}_{step.name}")
    if not steps:
        click.echo("nothing to do")


@command.command("vacuum")
@which_store
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def vacuum(folder: Path | None, config: str | None, *, json_: bool) -> None:
    """Remove rows whose time is over and rows that newer ones have replaced.

    With --config, lifetimes are first made those of the configuration.
    """
    from sinks.store.retention import retain
    from sinks.store.upkeep import vacuum as vacuum_of

    with opened_store(folder, config) as (store, configuration):
        if configuration is not None:
            from monitor.clock import SystemClock
            from monitor.evaluate.pane_lifetimes import lifetimes_now

            store.migrate()
            for change in retain(store, lifetimes_now(configuration, store, SystemClock().now_ms())):
                click.echo(f"{change.table}: lifetime {change.after or 'forever'}", err=True)
        sizes = vacuum_of(_sql(store), on_table=lambda table: click.echo(f"{table} …", err=True))
    if json_:
        as_json({table: {"before_bytes": old, "after_bytes": new} for table, (old, new) in sizes.items()})
        return
    as_table(("table", "before", "after"), ((table, _size(old), _size(new)) for table, (old, new) in sizes.items()))
    freed = sum(old - new for old, new in sizes.values())
    click.echo(f"{_size(freed)} freed")


@command.command("backup")
@click.argument("target", type=click.Path(path_type=Path))
@which_store
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def backup(target: Path, folder: Path | None, config: str | None, *, json_: bool) -> None:
    """Write everything into the folder TARGET, with checksums.

    With --config, HTTP events that wait to be read are in it too.
    """
    from sinks.store.backup import backup as backup_of

    with opened_store(folder, config) as (store, configuration):
        store.migrate()
        # First, as checkpoints are: what the log then lacks, the store has read.
        log_copy = _copy_log(target, configuration)
        done = backup_of(store, target, on_table=_say)
        if log_copy is not None:
            log_copy.rename(target / LOG)
    _say_done(done, json_=json_)


@command.command("restore")
@click.argument("source", type=click.Path(path_type=Path))
@which_store
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def restore(source: Path, folder: Path | None, config: str | None, *, json_: bool) -> None:
    """Write the backup in the folder SOURCE into a store without rows, of this kind or another."""
    from sinks.store.backup import restore as restore_of

    with opened_store(folder, config, new=True) as (store, configuration):
        store.migrate()
        done = restore_of(store, source, on_table=_say)
        if configuration is not None and (source / LOG).exists():
            _put_log_back(source / LOG, configuration)
    _say_done(done, json_=json_)


@command.command("move")
@click.argument("target", type=click.Path(path_type=Path))
@which_store
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def move(target: Path, folder: Path | None, config: str | None, *, json_: bool) -> None:
    """Copy every row into the store that the configuration TARGET names, and compare both.

    The target must have no rows. A move that was cut off goes on where it was when it is begun again. Stop services
    that write into either.
    """
    from sinks.store.move import move as move_of

    to_kind = _named(None, str(target))[0]
    if _named(folder, config)[0] == to_kind == "chdb":
        raise click.UsageError("One process can open one embedded store: `leeway store backup` and `restore` copy it.")
    with opened_store(folder, config) as (source, _), opened_store(None, str(target), new=True) as (store, _):
        moved = move_of(_sql(source), _sql(store), on_table=_say)
    if json_:
        as_json({"tables": [asdict(table) for table in moved]})
        return
    as_table(("table", "rows", "digest"), ((table.table, f"{table.rows:,}", table.digest) for table in moved))
    rows = sum(table.rows for table in moved)
    click.echo(f"{rows:,} rows are the same in both; start the service with {target}", err=True)


@command.command("verify")
@which_store
@click.option("--backup", type=click.Path(path_type=Path), help="The folder of a backup, instead of a store.")
@click.option(
    "--repair", "repairs", is_flag=True, help="First write anew what follows from rows, such as newest scores."
)
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def verify(folder: Path | None, config: str | None, *, backup: Path | None, repairs: bool, json_: bool) -> None:
    """Compare every byte with its checksum, and say where there is damage; the exit code is 1 then.

    Also whether what follows from rows is there, such as newest scores: --repair writes it. Damage it cannot mend.
    """
    from sinks.store.backup import verify as verify_backup
    from sinks.store.verify import repair
    from sinks.store.verify import verify as verify_store

    if backup is not None:
        if folder is not None or config is not None or repairs:
            raise click.UsageError("--backup stands alone: a store is verified by itself.")
        verified = verify_backup(backup)
    else:
        with opened_store(folder, config) as (store, _):
            if repairs:
                repair(_sql(store))
            verified = verify_store(_sql(store), on_table=lambda table: click.echo(f"{table} …", err=True))
    is_whole = all(table.is_whole for table in verified)
    if json_:
        as_json({"tables": [asdict(table) for table in verified], "is_whole": is_whole})
    else:
        damaged = [(table.table, damage.part, damage.reason) for table in verified for damage in table.damage]
        as_table(("table", "part", "damage"), damaged)
        for table in (table for table in verified if table.lacking):
            click.echo(f"{table.table} lacks {table.lacking:,} rows that follow from others; --repair writes them")
        parts = sum(table.parts for table in verified)
        click.echo(f"{parts:,} parts of {len(verified)} tables, {len(damaged) or 'none'} of them damaged")
    if not is_whole:
        from monitor.cli import ALERTED

        click.get_current_context().exit(ALERTED)


LOG = "ingest.log"


def _copy_log(target: Path, configuration: Configuration | None) -> Path | None:
    """Copy the log of HTTP events beside the folder that will hold it."""
    from monitor.build import open_http_log
    from monitor.clock import SystemClock

    if configuration is None or not Path(configuration.service.spec.ingest_log).exists():
        return None
    copy = target.with_name(f"{target.name}.{LOG}")
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.unlink(missing_ok=True)
    copy.touch(mode=0o600)
    log = open_http_log(configuration, SystemClock())
    try:
        log.copy_to(copy)
    finally:
        log.close()
    return copy


def _put_log_back(copy: Path, configuration: Configuration) -> None:
    import shutil

    log = Path(configuration.service.spec.ingest_log)
    if log.exists():
        raise click.UsageError(f"{log} exists: the store is restored, the log of HTTP events is not.")
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    log.touch(mode=0o600)
    shutil.copyfile(copy, log)


def _say(table: str, rows: int) -> None:
    click.echo(f"{table}: {rows:,} rows", err=True)


def _say_done(done: Any, *, json_: bool) -> None:
    if json_:
        as_json({"tables": [asdict(table) for table in done]})
        return
    as_table(("table", "rows", "size"), ((t.table, f"{t.rows:,}", _size(t.bytes)) for t in done))


def _size(count: int) -> str:
    """Write bytes as people do.

    Examples
    --------
    >>> _size(1_234), _size(12), _size(3_456_789_000)
    ('1.2 kB', '12 B', '3.5 GB')
    """
    size, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if abs(size) < 1_000:
            break
        size, unit = size / 1_000, larger
    return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
