"""A store that is moved is the same store elsewhere, row by row, whatever cut the move off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sinks.store import move as module
from sinks.store.chdb import ChdbStore
from sinks.store.clickhouse import ClickhouseStore
from sinks.store.contract import TABLES, StoreError
from sinks.store.filling import begin, end, unfinished
from sinks.store.move import move
from sinks.store.tables import EVERY_TABLE
from tests.sinks.store.samples import awkward, plain

HOUR_MS = 3_600_000
STATUSES = ("ok", "drift")


def fill(store: ChdbStore) -> None:
    """Every table has rows, ordinary and awkward ones; sums of days whose rows are gone, too."""
    for name, table in TABLES.items():
        store.append(name, shortened(awkward(table)), token="awkward")
    hours = range(HOUR_MS, 40 * HOUR_MS, HOUR_MS // 2)
    for status in STATUSES:
        drifting = plain("scores", len(hours), window_end_ms=hours, status=status, effect=1.0, detector=status)
        store.append("scores", drifting, token=status)
    panes = plain("panes", len(hours), pane_start_ms=hours, pane_ms=60_000, names=("a", "b"))
    store.append("panes", panes | {"cells": [[] for _ in hours]}, token="panes")
    store.refresh(settle_ms=0)
    for name, time in (("scores", "window_end_ms"), ("panes", "pane_start_ms")):
        store.command(f"ALTER TABLE {name} DELETE WHERE {time} < {20 * HOUR_MS} SETTINGS mutations_sync = 1")
    # and an hour that nobody has added up yet
    store.append("scores", plain("scores", 1, window_end_ms=39 * HOUR_MS + 1), token="new")


def shortened(rows: dict[str, Any]) -> dict[str, Any]:
    return {n: [v[:100] if isinstance(v, str) else v for v in values] for n, values in rows.items()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbStore]:
    store = ChdbStore(tmp_path_factory.mktemp("source") / "store")
    store.migrate()
    fill(store)
    yield store
    store.close()


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_ROWS", 40)


def test_every_row_of_every_table_is_moved_to_a_server(source: ChdbStore, server: ClickhouseStore) -> None:
    said: list[tuple[str, int]] = []
    moved = move(source, server, on_table=lambda table, rows: said.append((table, rows)))
    rows = {table.table: table.rows for table in moved}
    assert rows.keys() == EVERY_TABLE.keys() - {"schema_migrations", "fillings"}
    assert all(rows.values()), "a table without rows proves nothing"
    assert all((table, n) in said for table, n in rows.items())
    # compared by a statement of the test's own, as values
    for name in rows:
        sql = f"SELECT * FROM {name} ORDER BY ALL"
        assert comparable(server, sql) == comparable(source, sql), name
    assert unfinished(server) == ""


def comparable(store: Any, sql: str) -> list[list[str]]:
    import pyarrow

    table = store.arrow(sql)
    binary = pyarrow.schema(
        [field.with_type(pyarrow.binary()) if field.type == "string" else field for field in table.schema]
    )
    return [[repr(value) for value in column.to_pylist()] for column in table.cast(binary).columns]


def test_a_move_that_was_cut_off_goes_on_where_it_was(
    source: ChdbStore, server: ClickhouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for blocks in (0, 5, 20):
        with monkeypatch.context() as patch:
            patch.setattr(server, "write", going_away(server, blocks))
            with pytest.raises(StoreError, match="away"):
                move(source, server)
        assert unfinished(server) == f"move from {source.where}"
    written: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(server, "write", noting(server, written))
        moved = move(source, server)
    assert (written.count("panes"), written.count("scores")) == (1, 1), "only the last page is written again"
    assert [table.rows for table in moved] == [count(source, table.table) for table in moved]
    assert unfinished(server) == ""


def going_away(server: ClickhouseStore, blocks: int) -> Any:
    """A way to write after which the server is away when it has taken some blocks."""
    write, taken = server.write, iter(range(blocks))

    def cut(*block: Any) -> None:
        if next(taken, None) is None:
            raise StoreError("the server is away", retryable=True)
        write(*block)

    return cut


def noting(server: ClickhouseStore, tables: list[str]) -> Any:
    write = server.write

    def noted(table: Any, rows: Any, token: str) -> None:
        tables.append(table.name)
        write(table, rows, token)

    return noted


def count(store: ChdbStore, table: str) -> int:
    return int(store.query(f"SELECT count() AS n FROM {table}")["n"][0])


def test_rows_of_another_origin_are_refused(source: ChdbStore, server: ClickhouseStore) -> None:
    server.append("marks", plain("marks", 1), token="one")
    with pytest.raises(StoreError, match="without rows can be filled; marks has some"):
        move(source, server)
    assert count_of_all(server) == 1


def test_what_was_begun_and_left_nothing_behind_does_not_stay_in_the_way(server: ClickhouseStore) -> None:
    assert not begin(server, "move from a")
    assert begin(server, "move from a")
    assert not begin(server, "backup b")
    end(server, "backup b")
    assert unfinished(server) == ""


def count_of_all(server: ClickhouseStore) -> int:
    return sum(int(server.query(f"SELECT count() AS n FROM {name}")["n"][0]) for name in TABLES)


def test_a_row_that_did_not_arrive_is_found(
    source: ChdbStore, server: ClickhouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = [EVERY_TABLE["marks"]]
    monkeypatch.setattr(module, "_tables", lambda: marks)
    write = server.write
    monkeypatch.setattr(
        server, "write", lambda table, rows, token: write(table, {n: v[:-1] for n, v in rows.items()}, token)
    )
    with pytest.raises(StoreError, match=r"marks: 23 rows at .*, 22 at"):
        move(source, server)
    assert unfinished(server) != ""
