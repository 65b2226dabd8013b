"""A store of each kind, empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.store import STORES, open_store
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Store


@pytest.fixture(params=list(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store; the test runs once for every kind there is."""
    opened = open_store(request.param, str(tmp_path / "store"))
    yield opened
    opened.close()


@pytest.fixture
def chdb(tmp_path: Path) -> Iterator[ChdbStore]:
    """An empty embedded store."""
    opened = ChdbStore(tmp_path / "store")
    opened.migrate()
    yield opened
    opened.close()
