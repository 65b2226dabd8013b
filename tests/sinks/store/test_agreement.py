"""All stores give the same, whatever was appended and whatever is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks.store import STORES
from sinks.store.contract import TABLES, Columns, Query, Store, Table
from sinks.store.sqlstore import SqlStore
from tests.sinks.store.conftest import store_of
from tests.sinks.store.samples import INTS, exact


@pytest.fixture(scope="module")
def every_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Store]]:
    """One store of each kind, for tests that compare them."""
    with ExitStack() as opened:
        yield [opened.enter_context(store_of(kind, request, tmp_path_factory.mktemp(kind))) for kind in STORES]


TYPES = r"""
toInt8(-1) | toUInt8(1) | toInt16(-1) | toUInt16(2) | toInt32(-1) | toUInt32(1) | toInt64(-1) | toUInt64(-1)
toInt128(-5) | toUInt256(7) | toFloat32(0.5) | -inf | true | 'x' | 'nul\0' | toFixedString('ab', 4) | NULL | 'é'
toLowCardinality('a') | toNullable('a') | toNullable(3) | toLowCardinality(toNullable('a'))
[1, 2] | ['a'] | [[1], [2, 3]] | [toNullable(1), NULL] | [] | (1, 'a') | map('a', 1) | [(1, 'a')] | map('k', [1])
CAST((1, 'x'), 'Tuple(first UInt8, `second` String)') | toDate('2020-01-02') | toDate32('1960-01-02')
toDateTime('2020-01-02', 'UTC') | toDateTime('2020-01-02') | toDateTime64('2020-01-02 03:04:05.678', 3, 'UTC')
toDateTime64('1960-01-02', 6, 'Europe/Berlin') | toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0') | toIntervalDay(3)
CAST('it\'s', 'Enum8(\'it\\\'s\' = 1, \'b\' = 2)') | toDecimal64(1.5, 4) | toDecimal128(-1.5, 10) | toDecimal256(2, 50)
toIPv4('1.2.3.4') | toIPv6('::1') | [toDateTime('2020-01-02', 'UTC')] | map('a', toIPv4('1.2.3.4'))
(toDateTime('2020-01-02', 'UTC'), 2) | CAST(NULL, 'Nullable(Int8)') | [toIPv4('1.2.3.4')]
"""
EXPRESSIONS = [text.strip() for line in TYPES.strip().splitlines() for text in line.split(" | ")]


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("rows", [0, 3])
def test_a_type_is_the_same_in_arrow_from_every_store(every_store: list[Store], expression: str, rows: int) -> None:
    first, other = (store for store in every_store if isinstance(store, SqlStore))
    sql = f"SELECT materialize({expression}) AS value FROM numbers({rows})"
    expected, actual = first.arrow(sql), other.arrow(sql)
    assert str(actual.schema.field(0).type) == str(expected.schema.field(0).type).replace(" not null", "")
    assert repr(actual["value"].to_pylist()) == repr(expected["value"].to_pylist())
    assert repr(other.query(sql)) == repr(first.query(sql))


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "str": st.sampled_from(["", "a", "b", "é", "\t'\\"]) | st.text(st.characters(codec="utf-8"), max_size=4),
    "int": st.sampled_from([0, 1, 2, 3]) | st.sampled_from(INTS),
    "float": st.floats(),
    "bytes": st.binary(max_size=4),
    "ints": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
    "strs": st.lists(st.text(st.characters(codec="utf-8"), max_size=3), max_size=2),
}
LET_GO = {"configurations_taken"}
"""Tables of which the engine lets rows go by their age: those drawn here are of 1970."""

EXAMPLES = iter(range(10**9))


def _rows(name: str, example: str) -> st.SearchStrategy[Columns]:
    """Blocks of distinct keys, drawn from few, so that later ones replace earlier ones."""
    table = TABLES[name]
    values = {column.name: VALUES[column.kind] for column in table.columns}
    # Every key holds a string: it keeps examples apart in stores that outlive them.
    values[_text(table)] = st.sampled_from([f"{example}/a", f"{example}/b"])
    row = st.fixed_dictionaries(values)
    rows = st.lists(row, min_size=1, max_size=6, unique_by=lambda actual: tuple(actual[part] for part in table.key))
    return rows.map(lambda actual: {column: [item[column] for item in actual] for column in values})


def _text(table: Table) -> str:
    return next(name for name in table.key if table.column(name).kind == "str")


def _queries(name: str, example: str) -> st.SearchStrategy[Query]:
    table = TABLES[name]
    kinds = {column.name: column.kind for column in table.columns if column.kind in ("str", "int", "float")}
    numbers = [column for column, kind in kinds.items() if kind != "str"]
    limits = st.integers(-2, 5) | st.floats(allow_nan=False)
    bounds = st.dictionaries(st.sampled_from(numbers), limits, max_size=2) if numbers else st.just({})
    conditions = st.fixed_dictionaries(
        {_text(table): st.just([f"{example}/a", f"{example}/b"])},
        optional={
            column: st.lists(VALUES[kind], max_size=4) for column, kind in kinds.items() if column != _text(table)
        },
    )
    exact_order = [column for column, kind in kinds.items() if kind != "float"]
    return st.builds(
        Query,
        table=st.just(name),
        where=conditions,
        low=bounds,
        high=bounds,
        order=st.lists(st.sampled_from(exact_order), unique=True, max_size=2).map(tuple),
        descending=st.booleans(),
        limit=st.none() | st.integers(0, 5),
    )


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), name=st.sampled_from(sorted(TABLES.keys() - LET_GO)))
def test_all_stores_give_the_same_rows_in_the_same_order(every_store: list[Store], data: Any, name: str) -> None:
    example, table = str(next(EXAMPLES)), TABLES[name]
    for number, rows in enumerate(data.draw(st.lists(_rows(name, example), min_size=1, max_size=4), "appends")):
        for opened in every_store:
            opened.append(name, rows, f"{example}/{number}")
    for query in data.draw(st.lists(_queries(name, example), min_size=1, max_size=5), "queries"):
        pages = [opened.read(query) for opened in every_store]
        answers = [exact(table, page) for page in pages]
        assert all(answer == answers[0] for answer in answers[1:])
        behind = replace(query, after=query.cursor(pages[0]))
        answers = [exact(table, opened.read(behind)) for opened in every_store]
        assert all(answer == answers[0] for answer in answers[1:])
