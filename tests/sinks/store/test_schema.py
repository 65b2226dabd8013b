"""Migrations: finished after an interruption anywhere, and without a change to what is stored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sinks.store import open_store
from sinks.store.chdb import ChdbStore
from sinks.store.contract import BUCKETS, READABLE, TABLES, Buckets, Query, Store, StoreError
from sinks.store.new_store import FILE
from sinks.store.rows import checked_query
from sinks.store.schema import migrations, recorded
from sinks.store.sql import select
from tests.sinks.store.samples import exact, plain
from tests.sinks.store.test_rollups import HOUR_MS, START_MS, scores
from tests.sinks.store.test_tiers import rows_of

DERIVING = ("latest", "panes_5m", "panes_1h")
QUESTION = Buckets(START_MS, START_MS + 30 * HOUR_MS, HOUR_MS)
SORTED_BY_TIME = "SELECT sorting_key FROM system.tables WHERE name IN ('panes', 'scores')"
PANES = {(i, 0, 0): [(i / 7, "abc"[i % 3])] for i in range(40)}


def filled(store: Store) -> Store:
    store.append("scores", scores(300), "a")
    store.append("panes", rows_of("m", PANES), "a")
    return store


@pytest.fixture
def first(tmp_path: Path) -> Iterator[ChdbStore]:
    """An embedded store with rows, as the first version left it."""
    store = ChdbStore(tmp_path / "store")
    for statement in migrations()[0].statements:
        store.command(statement)
    store.command("INSERT INTO schema_migrations VALUES (1, 'tables')")
    filled(store)
    yield store
    store.close()


def same(store: Store, twin: Store) -> None:
    for name in ("scores", "panes", *DERIVING):
        assert exact(READABLE[name], store.read(Query(name))) == exact(READABLE[name], twin.read(Query(name))), name
    assert exact(BUCKETS, store.buckets(QUESTION)) == exact(BUCKETS, twin.buckets(QUESTION))


def test_an_upgrade_that_is_cut_off_after_any_statement_is_finished_by_the_next(first: ChdbStore) -> None:
    twin = filled(open_store("memory"))
    for step in migrations()[1:]:
        for reached in range(len(step.statements) + 1):
            for statement in step.statements[:reached]:
                first.command(statement)
            for name in ("scores", "panes"):
                counts = first.query(f"SELECT count() AS n FROM {name} FINAL")["n"]
                assert list(counts) == [len(twin.read(Query(name))["model"])], (step.name, reached)
    first.migrate()
    assert all("intDiv" in key for key in first.query(SORTED_BY_TIME)["sorting_key"])
    same(first, twin)
    first.refresh(0)
    same(first, twin)


def test_an_upgraded_store_has_the_tables_of_a_new_one(first: ChdbStore, tmp_path: Path) -> None:
    first.migrate()
    upgraded = described(first)
    first.close()
    fresh = open_store("chdb", str(tmp_path / "fresh"))
    assert described(fresh) == upgraded  # type: ignore[arg-type]
    fresh.close()


def described(store: ChdbStore) -> dict[str, Any]:
    """Names, columns with their codecs, keys, engines, settings and queries of all tables and views."""
    sql = "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()"
    return store.query(f"{sql} ORDER BY name")


class CutOff(ChdbStore):
    """Runs so many statements that write, and is cut off then."""

    left = -1

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        if self.left == 0:
            raise InterruptedError(sql)
        self.left -= 1
        super().command(sql, parameters)


def test_a_new_store_that_is_cut_off_after_any_kind_of_statement_is_finished_by_the_next_start(tmp_path: Path) -> None:
    store = CutOff(tmp_path / "whole")
    store.migrate()
    statements, whole, records = -1 - store.left, described(store), recorded(store)
    store.close()
    # The mark, some tables, all tables, all but the end of the mark; and once more between the latter two.
    for cuts in ([1], [30], [statements - 2], [statements - 1], [30, statements - 1]):
        store = CutOff(tmp_path / "-".join(map(str, cuts)))
        for store.left in cuts:
            with pytest.raises(InterruptedError):
                store.migrate()
        store.left = -1
        store.migrate()
        assert described(store) == whole
        assert recorded(store) == records
        assert store.is_current()
        store.close()


def test_a_new_store_that_another_version_began_is_refused_and_a_mark_it_left_on_a_whole_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CutOff(tmp_path / "half")
    store.left = 40
    with pytest.raises(InterruptedError):
        store.migrate()
    store.left = -1
    newer = tmp_path / "newer.sql"
    newer.write_text(FILE.read_text("utf-8").replace("`created_by` String,", "`created_by` String, `more` String,", 1))
    with monkeypatch.context() as patch:
        patch.setattr("sinks.store.new_store.FILE", newer)
        # Its tables would lack a column, and their migrations be recorded all the same.
        with pytest.raises(StoreError, match=r"another version of Leeway was cut off .*: nothing is stored .*empty it"):
            store.migrate()
    store.migrate()
    whole = described(store)
    # One that started at the same time was cut off with its mark there.
    store.command("CREATE TABLE new_store (x UInt8) ENGINE = Memory COMMENT 'another'")
    store.migrate()
    assert described(store) == whole
    store.close()


@pytest.mark.parametrize("name", ["panes", "scores"])
def test_a_bound_of_the_time_skips_other_spans_of_every_series(chdb: ChdbStore, name: str) -> None:
    time, span_ms = TABLES[name].time, TABLES[name].span_ms
    rows = 20_000
    starts = START_MS + np.arange(rows) % 4 * span_ms
    chdb.append(name, plain(name, rows, signal=[f"feature:{i // 4:05}" for i in range(rows)], **{time: starts}), "a")
    query = Query(name, {"model": "a"}, {time: START_MS + span_ms}, {time: START_MS + span_ms + 1})
    sql, values = select(checked_query(query))
    plan = "\n".join(chdb.query(f"EXPLAIN indexes = 1 {sql}", values)["explain"])
    read, of = map(int, re.findall(r"Granules: (\d+)/(\d+)", plan)[-1])
    assert 0 < read < of / 2
    assert len(chdb.read(query)["model"]) == rows / 4
