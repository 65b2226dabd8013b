"""The tables of a cluster. None runs here: the statements are compared with written ones, and parsed by the engine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.store.chdb import ChdbStore
from sinks.store.clickhouse import ClickhouseStore
from sinks.store.clients import Address
from sinks.store.cluster import Cluster
from sinks.store.contract import TABLES, Buckets, Query, StoreError
from sinks.store.schema import migrations
from tests.services.clickhouse import Target
from tests.sinks.store.conftest import settings_of
from tests.sinks.store.samples import plain

GOLDEN = Path(__file__).parent / "cluster.sql"
CLUSTER = Cluster("prod", "leeway")
STATEMENTS = [made for step in migrations() for made in CLUSTER.statements(step.statements)]


def without_comments(statement: str) -> str:
    return re.sub(r"^--.*\n", "", statement, flags=re.MULTILINE).strip()


def named(pattern: str) -> str:
    """The one statement that begins with ``pattern``."""
    (statement,) = [made for made in map(without_comments, STATEMENTS) if re.match(pattern, made)]
    return statement


def test_tables_and_views_of_a_cluster_are_as_written() -> None:
    expected = [named(pattern) for pattern in (
        "CREATE TABLE IF NOT EXISTS `findings_local`", "CREATE TABLE IF NOT EXISTS `findings` ",
        "CREATE TABLE IF NOT EXISTS `checkpoints_local`", "CREATE TABLE IF NOT EXISTS `checkpoints` ",
        "CREATE MATERIALIZED VIEW IF NOT EXISTS `latest_from_scores`",
        "CREATE MATERIALIZED VIEW IF NOT EXISTS `touched_by_panes`",
    )]  # fmt: skip
    assert ";\n\n".join(expected) + ";\n" == GOLDEN.read_text()


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbStore]:
    store = ChdbStore(tmp_path_factory.mktemp("parser"))
    yield store
    store.close()


@pytest.mark.parametrize("number", range(len(STATEMENTS)))
def test_the_engine_can_parse_every_statement(parser: ChdbStore, number: int) -> None:
    formatted = parser.query("SELECT formatQuery({sql:String}) AS sql", {"sql": STATEMENTS[number]})
    assert formatted["sql"][0]


@pytest.mark.parametrize("name", list(TABLES))
def test_rows_with_one_key_lie_on_one_shard(name: str) -> None:
    made = named(f"CREATE TABLE IF NOT EXISTS `{name}` ")
    key = re.search(rf"Distributed\(`prod`, `leeway`, `{name}_local`, cityHash64\(([^)]+)\)\)$", made)
    assert key is not None
    chosen_by = [column.strip("` ") for column in key[1].split(",")]
    assert chosen_by == list(TABLES[name].key)[: len(chosen_by)]
    if chosen_by != list(TABLES[name].key):
        assert chosen_by[:2] in (["model", "signal"], ["model", "kind"])


def test_every_table_with_rows_is_replicated_and_remembers_its_tokens() -> None:
    made = [text for text in map(without_comments, STATEMENTS) if "MergeTree" in text]
    assert len(made) >= len(TABLES)
    for text in made:
        assert "ENGINE = Replicated" in text
        assert "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'" in text
    for name in TABLES:
        text = named(f"CREATE TABLE IF NOT EXISTS `{name}_local`")
        assert "non_replicated" not in text
        assert "replicated_deduplication_window = 10000" in text


def test_a_mark_stays_on_the_shard_of_what_it_marks() -> None:
    for source in ("scores", "panes"):
        view = named(f"CREATE MATERIALIZED VIEW IF NOT EXISTS `touched_by_{source}`")
        assert "TO `touched_local` AS" in view
        assert f"FROM `{source}_local`" in view


def test_every_statement_but_inserts_runs_on_every_server() -> None:
    for made in map(without_comments, STATEMENTS):
        assert ("ON CLUSTER `prod`" in made) != made.startswith("INSERT"), made


def test_a_change_of_columns_reaches_both_tables_another_only_the_local_one() -> None:
    (local, distributed) = CLUSTER.statements(["-- Why.\nALTER TABLE scores ADD COLUMN IF NOT EXISTS more Int64"])
    assert local == "-- Why.\nALTER TABLE `scores_local` ON CLUSTER `prod` ADD COLUMN IF NOT EXISTS more Int64"
    assert distributed == "ALTER TABLE `scores` ON CLUSTER `prod` ADD COLUMN IF NOT EXISTS more Int64"
    (only,) = CLUSTER.statements(["ALTER TABLE scores MODIFY SETTING merge_with_ttl_timeout = 60"])
    assert only == "ALTER TABLE `scores_local` ON CLUSTER `prod` MODIFY SETTING merge_with_ttl_timeout = 60"


def test_a_statement_without_a_form_for_clusters_is_refused() -> None:
    with pytest.raises(StoreError, match="no form for clusters: DROP TABLE scores"):
        CLUSTER.statements(["DROP TABLE scores"])


def test_a_store_says_what_stands_behind_a_table() -> None:
    single, cluster = ClickhouseStore(Address(("localhost",))), ClickhouseStore(Address(("a", "b")), cluster="prod")
    assert (single.altered("scores"), single.everywhere("system.mutations")) == ("`scores`", "system.mutations")
    assert cluster.altered("scores") == "`scores_local` ON CLUSTER `prod`"
    assert cluster.everywhere("system.mutations") == "clusterAllReplicas(`prod`, system.mutations)"


@pytest.mark.skipif("cluster=" not in os.environ.get("LEEWAY_TEST_CLICKHOUSE", ""), reason="no cluster is named")
def test_what_one_replica_acknowledged_every_replica_gives(clickhouse: Target) -> None:
    """Set `LEEWAY_TEST_CLICKHOUSE=clickhouse://user:password@host:port/default?cluster=NAME`."""
    with clickhouse.client() as client:
        sql = "SELECT host_name, port FROM system.clusters WHERE cluster = %(name)s"
        hosts = [f"{host}:{port}" for host, port in client.execute(sql, {"name": clickhouse.cluster})]
    target = clickhouse.within(f"test_{os.urandom(6).hex()}")
    settings = settings_of(target, cluster=target.cluster)
    stores = [ClickhouseStore.from_settings(**settings | {"hosts": [host]}) for host in hosts]
    try:
        stores[0].migrate()
        for number in range(50):
            writer = stores[number % len(stores)]
            rows = plain("scores", 1, window_end_ms=[3_600_000 * (number + 1)])
            writer.append("scores", rows, token=f"{number}")
            for reader in stores:
                assert len(reader.read(Query("scores"))["n"]) == number + 1
                buckets = reader.buckets(Buckets(0, 3_600_000 * 100, 3_600_000, columns=("windows",)))
                assert buckets["windows"].sum() == number + 1
            if number % 10 == 9:
                writer.refresh(settle_ms=0)
    finally:
        stores[0].command(f"DROP DATABASE IF EXISTS `{target.database}`{Cluster(target.cluster, '').clause} SYNC")
        for store in stores:
            store.close()
