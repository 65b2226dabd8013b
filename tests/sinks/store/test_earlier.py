"""Stores that earlier commits have written are brought to today's form with all of their rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sinks.store import STORES, open_store
from sinks.store.backup import BACKED_UP, backup
from sinks.store.clickhouse import ClickhouseStore
from sinks.store.contract import StoreError
from sinks.store.schema import EARLIER, RECORD, lacking, migrations
from sinks.store.sqlstore import SqlStore
from tests.sinks.store.conftest import settings_for

DUMPS = sorted((Path(__file__).parent / "earlier").glob("*.sql"))
OPENED = [
    *(("chdb", dump) for dump in DUMPS),
    *(("clickhouse", dump) for dump in DUMPS if dump.stem in ("2605b75", "556b72f_88cf1be", "bcec4a0")),
]
LANDED = Path(__file__).with_name("landed.txt")
BEFORE_525BDB8 = ["2605b75"]
"""Stores with spans and granules that only a copy of all rows could change; see 0043_one_form.sql."""


@pytest.fixture(scope="module")
def new_tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Tables, views and columns of a new store."""
    with closing(open_store("chdb", str(tmp_path_factory.mktemp("new") / "store"))) as store:
        assert isinstance(store, SqlStore)
        return form_of(store)


def form_of(store: SqlStore) -> dict[str, Any]:
    """Everything that statements depend on, table by table; settings in any order."""
    in_database = "WHERE database = currentDatabase()"
    tables = store.query(f"SELECT name, engine_full, sorting_key, partition_key FROM system.tables {in_database}")
    columns = store.query(
        f"SELECT table, groupArray((position, name, type, compression_codec, default_expression)) AS columns "
        f"FROM (SELECT * FROM system.columns {in_database} ORDER BY table, position) GROUP BY table"
    )
    described = dict(zip(columns["table"], columns["columns"], strict=True))
    rows = zip(tables["name"], tables["engine_full"], tables["sorting_key"], tables["partition_key"], strict=True)
    return {name: (sorted(re.split(r", | SETTINGS ", engine)), *keys, described[name]) for name, engine, *keys in rows}


def rows_of(store: SqlStore) -> dict[str, Any]:
    """The rows of each table, with the columns that it has."""
    sql = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    names = [name for name in store.query(sql)["name"] if name != RECORD]
    return {name: store.arrow(f"SELECT * FROM `{name}` ORDER BY ALL") for name in names}


@pytest.fixture(scope="module", params=OPENED, ids=[f"{kind}-{dump.stem}" for kind, dump in OPENED])
def earlier(
    request: pytest.FixtureRequest, new_tables: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[SqlStore, str]]:
    """A store as a commit left it, and the commit. The embedded store of ``new_tables`` is closed by then."""
    kind, dump = request.param
    with settings_for(kind, request, tmp_path_factory.mktemp("earlier")) as settings:
        store = STORES[kind](**settings)
        assert isinstance(store, SqlStore)
        with closing(store):
            if isinstance(store, ClickhouseStore):
                store._create_database()
            for statement in dump.read_text().split(";\n"):
                if statement:
                    store.command(statement)
            yield store, dump.stem


def test_a_store_of_an_earlier_commit_is_upgraded_with_all_of_its_rows(
    earlier: tuple[SqlStore, str], new_tables: dict[str, Any], tmp_path: Path
) -> None:
    store, commit = earlier
    # given rows, and a backup that would lack tables
    stored = rows_of(store)
    assert all(stored[name].num_rows == 3 for name in ("panes", "scores", "alerts", "checkpoints"))
    with pytest.raises(StoreError, match="leeway store migrate"):
        backup(store, tmp_path / "backup")
    assert list(tmp_path.iterdir()) == []
    # when
    assert not store.is_current()
    store.migrate()
    # then
    assert store.is_current()
    upgraded = rows_of(store)
    for name, rows in stored.items():
        assert upgraded[name].select(rows.column_names).equals(rows), name
    excepted = {"scores", "scores_1h"} if commit in BEFORE_525BDB8 else set()
    form = form_of(store)
    assert form.keys() == new_tables.keys()
    for name in form.keys() - excepted:
        assert form[name] == new_tables[name], name
    assert len(backup(store, tmp_path / "backup")) == len(BACKED_UP)


def test_an_upgrade_of_renumbered_migrations_may_be_cut_off_anywhere() -> None:
    for dump in DUMPS:
        (line,) = re.findall(rf"INSERT INTO `{RECORD}` VALUES (.*);", dump.read_text())
        recorded_first = {(int(number), name) for number, name in re.findall(r"\((\d+),'(\w+)'\)", line)}
        missing = [(step.version, step.name) for step in lacking(recorded_first, "data") if step.statements]
        names = {name for _, name in recorded_first}
        assert [name for _, name in missing] == [step.name for step in migrations() if step.name not in names]
        names_by_number = dict(recorded_first)
        while steps := lacking(names_by_number.items(), "data"):
            # A record takes the place of the one that had its number.
            names_by_number[steps[0].version] = steps[0].name
            assert names <= set(names_by_number.values()), (dump.stem, steps[0])


def test_a_migration_that_has_landed_is_never_changed() -> None:
    """Names and statements of a number are final: stores have them. A new migration is put on the list here."""
    landed = LANDED.read_text().splitlines()
    lines = [f"{step.version:04d} {step.name} {step.digest}" for step in migrations()]
    assert lines[: len(landed)] == landed
    if lines[len(landed) :]:
        LANDED.write_text("".join(f"{line}\n" for line in lines))
        pytest.fail(f"{LANDED.name} now lists {', '.join(lines[len(landed) :])}: commit it with the migration")


def test_no_number_or_name_is_used_twice() -> None:
    numbers = [step.version for step in migrations()]
    assert len(set(numbers)) == len(numbers)
    assert len({step.name for step in migrations()}) == len(numbers)
    current = {step.version: step.name for step in migrations()}
    assert all(current[number] == name for (_, name), number in EARLIER.items())
