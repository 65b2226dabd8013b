"""A store's rows as a folder of Parquet files, and back into an empty store, of this kind or another.

A backup holds what :data:`BACKED_UP` lists; what a store derives from it is derived again. Other programs may write
meanwhile: checkpoints and progress are read first, and everything that they rely on was there by then; what came after
them is replaced by itself when a restored store goes on.

A cluster of many terabytes is better served by ClickHouse's own ``BACKUP``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sinks.store.arrow import number_array
from sinks.store.contract import TABLES, Columns, Query, Store, StoreError, Table
from sinks.store.filling import IDENTITY, begin, end
from sinks.store.rows import row_count, split
from sinks.store.sqlstore import SqlStore
from sinks.store.verify import Damage, Verified

if TYPE_CHECKING:
    import pyarrow

__all__ = ["BACKED_UP", "BackedUp", "backup", "contents", "restore", "verify"]

FORMAT = 1
MANIFEST = "manifest.json"
_FIRST = ("checkpoints", "progress", "performance_progress", "label_progress", "alerts")
"""Others are read after these, since these speak of others."""

BACKED_UP = tuple(name for name in TABLES if name != IDENTITY)
"""A restored store is another one than the store that the backup is of."""

OnTable = Callable[[str, int], None]


@dataclass(frozen=True)
class BackedUp:
    """One table of a backup.

    Attributes
    ----------
    table : str
    rows, bytes : int
    sha256 : str
        Of the file.
    columns : str
        Names and kinds, as the table had them.
    """

    table: str
    rows: int
    bytes: int
    sha256: str
    columns: str


def backup(store: Store, folder: Path, on_table: OnTable = lambda table, rows: None) -> list[BackedUp]:
    """Write every table into ``folder``, which appears when it is complete.

    Parameters
    ----------
    store : Store
    folder : Path
        Must not exist.
    on_table : callable
        Called with a table and how many of its rows are written, now and then.

    Returns
    -------
    list of BackedUp

    Raises
    ------
    StoreError
        If the folder exists or cannot be written, or the store is not up to date; nothing is written then.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    if not store.is_current():
        raise StoreError("the store lacks tables or columns of this version: `leeway store migrate` brings them")
    try:
        if folder.exists():
            raise StoreError(f"{folder} exists: a backup is a folder of its own")
        partial.mkdir(mode=0o700, parents=True)
        names = [*_FIRST, *(name for name in BACKED_UP if name not in _FIRST)]
        done = [_write(store, TABLES[name], partial, on_table) for name in names]
        document = {"format": FORMAT, "tables": [asdict(table) for table in done]}
        _write_text(partial / MANIFEST, json.dumps(document, indent=1))
        partial.rename(folder)  # last, so that a folder of this name is a whole backup
    except OSError as error:
        reason = "an earlier backup was cut off; remove it" if isinstance(error, FileExistsError) else error.strerror
        raise StoreError(f"cannot write a backup to {partial}: {reason}") from error
    return done


def _write(store: Store, table: Table, folder: Path, on_table: OnTable) -> BackedUp:
    import pyarrow.parquet

    path = folder / f"{table.name}.parquet"
    rows = 0
    with path.open("wb") as file, pyarrow.parquet.ParquetWriter(file, _schema(table), compression="zstd") as writer:
        for page in _pages(store, table):
            writer.write_table(_to_arrow(table, page))
            rows += row_count(page)
            on_table(table.name, rows)
        writer.close()
        file.flush()
        os.fsync(file.fileno())
    return BackedUp(table.name, rows, path.stat().st_size, _digest(path), _columns(table))


def _pages(store: Store, table: Table) -> Iterator[Columns]:
    query = Query(table.name, limit=table.page_rows)
    while row_count(page := store.read(query)):
        yield page
        query = replace(query, after=query.cursor(page))


def _write_text(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def contents(folder: Path) -> list[BackedUp]:
    """Return what a backup says that it holds, after comparing its files with that.

    Raises
    ------
    StoreError
        If it is no backup, or damaged.
    """
    tables = _listed(folder)
    for damage in (damage for table in tables for damage in _damage(folder, table)):
        raise StoreError(f"{folder} is not a whole backup: {damage.reason}")
    return tables


def verify(folder: Path) -> list[Verified]:
    """Compare every file of a backup with what was written; see :func:`sinks.store.verify.verify`.

    Raises
    ------
    StoreError
        If it is no backup.
    """
    return [Verified(table.table, 1, tuple(_damage(folder, table))) for table in _listed(folder)]


def _damage(folder: Path, table: BackedUp) -> Iterator[Damage]:
    path = folder / f"{table.table}.parquet"
    try:
        if _digest(path) != table.sha256:
            yield Damage(path.name, f"{path} is not the file that was written")
    except OSError as error:
        yield Damage(path.name, f"{path}: {error.strerror}")


def _listed(folder: Path) -> list[BackedUp]:
    try:
        document = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise StoreError(f"{folder}: a backup of format {document['format']}; this version reads {FORMAT}")
        return [BackedUp(**table) for table in document["tables"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{folder} is not a whole backup: {error}") from error


def restore(store: Store, folder: Path, on_table: OnTable = lambda table, rows: None) -> list[BackedUp]:
    """Write the rows of a backup into a store that has none.

    Raises
    ------
    StoreError
        If the backup is damaged or of other tables, or the store has rows of another origin: nothing is written then.
        If it fails later, the store holds a part, and the same restore goes on from there.
    """
    tables = contents(folder)
    for saved in tables:
        if saved.table not in TABLES or saved.columns != _columns(TABLES[saved.table]):
            raise StoreError(
                f"{folder}: table {saved.table!r} has other columns here; restore it with the version of Leeway that "
                "made the backup, and let a newer one open the store then"
            )
    origin = f"backup {_digest(folder / MANIFEST)}"
    is_resumed = begin(store, origin)
    for saved in tables:
        _read(store, folder, saved, _count(store, saved.table) if is_resumed else 0, on_table)
        count = _count(store, saved.table)
        if count != saved.rows:
            raise StoreError(f"{saved.table}: {saved.rows} rows in {folder}, {count} in the store after restoring it")
    end(store, origin)
    return tables


def _read(store: Store, folder: Path, saved: BackedUp, stored: int, on_table: OnTable) -> None:
    """Write a table; of its pages those are there already that ``stored`` rows cover whole."""
    import pyarrow.parquet

    table = TABLES[saved.table]
    rows = 0
    with pyarrow.parquet.ParquetFile(folder / f"{table.name}.parquet") as file:
        for page in range(file.num_row_groups):
            rows += file.metadata.row_group(page).num_rows
            if rows > stored:
                columns = _from_arrow(table, file.read_row_group(page))
                store.append(table.name, columns, token=f"restore/{saved.sha256}/{page}")
            on_table(table.name, rows)


def _count(store: Store, table: str) -> int:
    if isinstance(store, SqlStore):
        return int(store.query(f"SELECT count() AS n FROM `{table}`")["n"][0])
    return row_count(store.read(Query(table)))


def _columns(table: Table) -> str:
    return " ".join(f"{column.name}:{column.kind}" for column in table.columns)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _schema(table: Table) -> pyarrow.Schema:
    import pyarrow

    types: dict[str, pyarrow.DataType] = {
        "int": pyarrow.int64(),
        "float": pyarrow.float64(),
        "str": pyarrow.string(),
        "bytes": pyarrow.binary(),
        "ints": pyarrow.list_(pyarrow.int64()),
        "strs": pyarrow.list_(pyarrow.string()),
    }
    return pyarrow.schema([(column.name, types[column.kind]) for column in table.columns])


def _to_arrow(table: Table, page: Columns) -> pyarrow.Table:
    import pyarrow

    schema = _schema(table)
    arrays = [
        # From numpy without a mask: pyarrow would make a null of a NaN when asked the other way.
        pyarrow.array(page[field.name], field.type, from_pandas=False)
        for field in schema
    ]
    return pyarrow.table(arrays, schema=schema)


def _from_arrow(table: Table, page: Any) -> Mapping[str, Any]:
    columns: dict[str, Any] = {}
    for column in table.columns:
        values = page[column.name].combine_chunks()
        if column.kind in ("int", "float"):
            columns[column.name] = number_array(values)
        elif column.kind == "ints":
            lengths = np.diff(number_array(values.offsets))
            columns[column.name] = split(number_array(values.flatten()), lengths)
        else:
            columns[column.name] = values.to_pylist()
    return columns
