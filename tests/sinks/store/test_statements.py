"""Statements of one's own, on the stores that understand ClickHouse's SQL."""

from __future__ import annotations

import numpy as np
import pytest

from sinks.store.contract import Query, StoreError
from sinks.store.sqlstore import SqlStore
from tests.sinks.store.samples import STRINGS, plain


def test_no_value_of_a_query_is_read_as_sql(sql_store: SqlStore) -> None:
    texts = sorted(STRINGS[:-1])
    sql_store.append(
        "alerts", plain("alerts", len(texts), alert_id=texts, title=texts, sequence=range(len(texts))), "a"
    )
    for number, text in enumerate(texts):
        assert sql_store.read(Query("alerts", where={"alert_id": text}))["sequence"].tolist() == [number]
        assert sql_store.read(Query("alerts", where={"title": [text, "none"]}))["sequence"].tolist() == [number]
        behind = sql_store.read(Query("alerts", after=("a", text, number)))
        assert behind["alert_id"] == texts[number + 1 :]
    assert len(sql_store.read(Query("alerts", where={"alert_id": texts}))["sequence"]) == len(texts)


def test_a_statement_of_ones_own_takes_parameters_and_sees_only_the_newest_rows(sql_store: SqlStore) -> None:
    for token, value in (("a", 0.1), ("b", 0.2)):
        sql_store.append("scores", plain("scores", 2, window_end_ms=[10, 20], statistic=value), token)
    sql = "SELECT model, sum(statistic) AS total, count() AS n FROM scores WHERE model IN {m:Array(String)} GROUP BY 1"
    result = sql_store.query(sql, {"m": ["a", "it's"]})
    assert result["model"] == ["a"]
    assert result["total"].tolist() == [0.4]
    assert result["n"] == [2]


def test_a_statement_of_ones_own_may_return_anything(sql_store: SqlStore) -> None:
    sql = (
        "SELECT toInt32(1) AS i, toFloat32(0.5) AS f, NULL AS nothing, [1, 2] AS array, toUInt64(-1) AS large, 'é' AS s"
    )
    result = sql_store.query(sql)
    assert (result["i"].dtype, result["f"].dtype) == (np.int64, np.float64)
    assert (result["nothing"], result["array"], result["large"], result["s"]) == ([None], [[1, 2]], [2**64 - 1], ["é"])


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE scores",
        "INSERT INTO scores (model) VALUES ('x')",
        "ALTER TABLE scores DELETE WHERE 1",
        "TRUNCATE TABLE scores",
        "SET readonly = 0",
        "SET final = 0",
        "SELECT 1; DROP TABLE scores",
    ],
)
def test_a_statement_of_ones_own_only_reads(sql_store: SqlStore, sql: str) -> None:
    sql_store.append("scores", plain("scores", 1), "a")
    with pytest.raises(StoreError):
        sql_store.query(sql)
    assert len(sql_store.read(Query("scores"))["n"]) == 1


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT throwIf(number = 70000) FROM numbers(100000)", "SELECT {x:Int64}"])
def test_a_failed_statement_leaves_nothing_behind_for_the_next(sql_store: SqlStore, sql: str) -> None:
    with pytest.raises(StoreError) as failure:
        sql_store.query(sql)
    assert sql_store.where in str(failure.value)
    assert sql_store.query("SELECT 1 AS one") == {"one": np.array([1])}
