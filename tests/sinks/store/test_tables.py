"""What migrations make is what the tables declare, and so is the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sinks.store import open_store
from sinks.store.chdb import ChdbStore
from sinks.store.reference import reference
from sinks.store.tables import DERIVED, EVERY_TABLE, READABLE, TABLES
from sinks.store.tables.table import FORMS
from sinks.store.upkeep import tables_of

PARTS = {"": "", "week": "toMonday", "month": "toYYYYMM", "year": "toYear"}
ROLL_UPS = ("panes_5m", "panes_1h")
"""Their version is the store's own: no query reads it."""

DOCUMENT = Path(__file__).parents[3] / "docs" / "schema.md"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbStore]:
    with closing(open_store("chdb", str(tmp_path_factory.mktemp("tables") / "store"))) as opened:
        assert isinstance(opened, ChdbStore)
        yield opened


def described(store: ChdbStore, name: str) -> dict[str, Any]:
    sql = "SELECT * FROM system.tables WHERE database = currentDatabase() AND name = {t:String}"
    return {key: values[0] for key, values in store.query(sql, {"t": name}).items()}


def test_migrations_make_the_tables_that_are_declared_and_no_others(store: ChdbStore) -> None:
    assert tables_of(store) == sorted(EVERY_TABLE)


@pytest.mark.parametrize("name", list(EVERY_TABLE))
def test_a_table_has_the_columns_that_are_declared(store: ChdbStore, name: str) -> None:
    of_table = "database = currentDatabase() AND table = {t:String}"
    sql = f"SELECT name, type, compression_codec FROM system.columns WHERE {of_table} ORDER BY position"
    columns = [*zip(*store.query(sql, {"t": name}).values(), strict=True)]
    declared = [(column.name, FORMS[column.form]) for column in EVERY_TABLE[name].columns]
    declared += [("refreshed_ms", FORMS["even"])] if name in ROLL_UPS else []
    assert columns == [(n, form.type, f"CODEC({form.codec})" if form.codec else "") for n, form in declared]


@pytest.mark.parametrize("name", [name for name, table in EVERY_TABLE.items() if table.is_personal])
def test_what_is_replaced_where_people_may_be_named_leaves_the_disk_within_seconds(store: ChdbStore, name: str) -> None:
    """An erasure waits for that; of itself the engine takes half a minute."""
    assert re.search(r"\bcleanup_delay_period = 1\b", described(store, name)["engine_full"])


@pytest.mark.parametrize("name", list(EVERY_TABLE))
def test_a_table_has_the_key_the_version_and_the_partitions_that_are_declared(store: ChdbStore, name: str) -> None:
    table, made = EVERY_TABLE[name], described(store, name)
    sorted_by = list(table.key)
    if table.span_ms:
        sorted_by.insert(1, f"intDiv({table.time}, {table.span_ms})")
    assert made["sorting_key"].replace("`", "") == ", ".join(sorted_by)
    engine = re.match(r"(?:Replacing|Aggregating)MergeTree(?:\((\w+)\))?", made["engine_full"])
    assert engine is not None
    assert (engine[1] or "") == ("refreshed_ms" if name in ROLL_UPS else table.newest_by)
    part = PARTS[table.part]
    assert made["partition_key"] == (f"{part}(fromUnixTimestamp64Milli({table.time}))" if part else "")
    assert not part or table.time in table.key, "rows with one key would lie in two partitions"


@pytest.mark.parametrize("name", list(TABLES))
def test_a_table_that_is_written_remembers_its_tokens(store: ChdbStore, name: str) -> None:
    window = re.search(r"non_replicated_deduplication_window = (\d+)", described(store, name)["engine_full"])
    assert window is not None
    assert int(window[1]) >= 10_000


@pytest.mark.parametrize("table", EVERY_TABLE.values(), ids=list(EVERY_TABLE))
def test_a_declaration_names_columns_and_tables_that_there_are(table: Any) -> None:
    for name in (*table.key, *filter(None, (table.time, table.newest_by))):
        assert table.column(name)
    assert table.source in ("", *TABLES)
    assert table.row
    assert not table.span_ms or table.time


def test_every_table_is_written_derived_or_the_stores_own() -> None:
    assert READABLE == TABLES | DERIVED
    assert not TABLES.keys() & DERIVED.keys()


def test_the_documentation_lists_every_table_as_it_is_declared() -> None:
    assert reference() in DOCUMENT.read_text(encoding="utf-8"), "run: make docs"
