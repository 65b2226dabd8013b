"""A store of each kind, empty. Making tables takes a second: the tests of a module share a store, emptied between."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sinks.store import STORES, open_store
from sinks.store.chdb import ChdbStore
from sinks.store.clickhouse import ClickhouseStore
from sinks.store.contract import Store, StoreError
from sinks.store.sqlstore import SqlStore
from tests.services.clickhouse import Target


def settings_of(target: Target, **others: Any) -> dict[str, Any]:
    """What a store takes to keep its tables in the database of ``target``."""
    settings: dict[str, Any] = {
        "hosts": [target.address],
        "database": target.database,
        "user": target.user,
        "password": target.password,
        "tls": {} if target.secure else None,
    }
    return settings | others


@contextmanager
def settings_for(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[dict[str, Any]]:
    """What an empty store of that kind takes; no other test has it, and it is gone afterwards."""
    if kind != "clickhouse":
        yield {"path": str(folder / "store")} if kind == "chdb" else {}
        return
    target: Target = request.getfixturevalue("clickhouse")
    database = f"test_{os.urandom(6).hex()}"
    try:
        yield settings_of(target.within(database))
    finally:
        with target.client() as client:
            client.execute(f"DROP DATABASE IF EXISTS {database}")


@contextmanager
def store_of(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Store]:
    """An empty store of that kind, for as long as the caller wants it."""
    with settings_for(kind, request, folder) as settings, closing(open_store(kind, **settings)) as opened:
        yield opened


def emptied(store: SqlStore) -> None:
    """Remove all rows of a store, and with them what it knows of tokens."""
    filled = store.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND total_rows > 0 "
        "AND engine LIKE '%MergeTree' AND name != 'schema_migrations'"
    )
    for name in filled["name"]:
        store.command(f"TRUNCATE TABLE {store.altered(name)}")


class Shared:
    """One store for many tests: each finds it empty, whatever the one before has done to it."""

    def __init__(self, kind: str, settings: dict[str, Any]) -> None:
        self._kind = kind
        self._settings = settings
        self._store: Store | None = None

    def empty(self) -> Store:
        """Return the store; a store that has been closed, or has nothing that outlives it, is opened again."""
        if isinstance(self._store, SqlStore):
            try:
                emptied(self._store)
                return self._store
            except StoreError as error:
                if "is closed" not in str(error):
                    raise
        self.close()
        self._store = open_store(self._kind, **self._settings)
        if isinstance(self._store, SqlStore):
            emptied(self._store)
        return self._store

    def close(self) -> None:
        """Close it until it is wanted again: the process may have one embedded store at a time."""
        if self._store is not None:
            self._store.close()


def sharing(request: pytest.FixtureRequest, folder: Path) -> Iterator[Shared]:
    """The store that a fixture's parameter names, closed at the end of the module."""
    with settings_for(request.param, request, folder) as settings:
        shared_store = Shared(request.param, settings)
        yield shared_store
        shared_store.close()


@pytest.fixture(scope="module", params=list(STORES))
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """A store of each kind that a module's tests share."""
    yield from sharing(request, tmp_path_factory.mktemp("shared"))


@pytest.fixture
def store(shared: Shared) -> Store:
    """An empty store; the test runs once for every kind there is."""
    return shared.empty()


@pytest.fixture(scope="module", params=["chdb", "clickhouse"])
def shared_sql(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """A store of each kind that understands SQL, shared by a module's tests."""
    yield from sharing(request, tmp_path_factory.mktemp("shared"))


@pytest.fixture
def sql_store(shared_sql: Shared) -> SqlStore:
    """An empty store that understands SQL; the test runs once for every kind of it."""
    opened = shared_sql.empty()
    assert isinstance(opened, SqlStore)
    return opened


@pytest.fixture(scope="session")
def made_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of an embedded store that has all tables and no row; this process may have another one open."""
    path = tmp_path_factory.mktemp("made") / "store"
    script = "import sys; from sinks.store import open_store; open_store('chdb', sys.argv[1]).close()"
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    return path


@pytest.fixture
def tables(made_tables: Path, tmp_path: Path) -> Path:
    """A copy of it for one test: making the tables anew takes a second."""
    return Path(shutil.copytree(made_tables, tmp_path / "store", symlinks=True))


@pytest.fixture
def chdb(tables: Path) -> Iterator[ChdbStore]:
    """An empty embedded store."""
    opened = ChdbStore(tables)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def shared_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """A store on a server that a module's tests share."""
    with settings_for("clickhouse", request, tmp_path_factory.mktemp("unused")) as settings:
        shared_store = Shared("clickhouse", settings)
        yield shared_store
        shared_store.close()


@pytest.fixture
def server(shared_server: Shared) -> ClickhouseStore:
    """An empty store on a server."""
    opened = shared_server.empty()
    assert isinstance(opened, ClickhouseStore)
    return opened
