"""A store of each kind, empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sinks.store import STORES, open_store
from sinks.store.chdb import ChdbStore
from sinks.store.clickhouse import ClickhouseStore
from sinks.store.contract import Store
from tests.services.clickhouse import Target


def settings_of(target: Target) -> dict[str, Any]:
    """What a store takes to keep its tables in the database of ``target``."""
    return {
        "hosts": [target.address],
        "database": target.database,
        "user": target.user,
        "password": target.password,
        "tls": {} if target.secure else None,
    }


def settings_for(kind: str, request: pytest.FixtureRequest, folder: Callable[[], Path]) -> dict[str, Any]:
    """What an empty store of that kind takes; no other test uses it."""
    if kind == "clickhouse":
        return settings_of(request.getfixturevalue("clickhouse_database"))
    return {"path": str(folder())} if kind == "chdb" else {}


@pytest.fixture(params=list(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store; the test runs once for every kind there is."""
    opened = open_store(request.param, **settings_for(request.param, request, lambda: tmp_path / "store"))
    yield opened
    opened.close()


@pytest.fixture
def chdb(tmp_path: Path) -> Iterator[ChdbStore]:
    """An empty embedded store."""
    opened = ChdbStore(tmp_path / "store")
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def server(clickhouse_database: Target) -> Iterator[ClickhouseStore]:
    """An empty store on a server."""
    opened = ClickhouseStore(**settings_of(clickhouse_database))
    opened.migrate()
    yield opened
    opened.close()
