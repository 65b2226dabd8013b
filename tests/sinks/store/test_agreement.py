"""All stores give the same rows in the same order, whatever was appended and whatever is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks.store import STORES
from sinks.store.contract import TABLES, Columns, Query, Store
from tests.sinks.store.conftest import store_of
from tests.sinks.store.samples import INTS, exact


@pytest.fixture(scope="module")
def every_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Store]]:
    """One store of each kind, for tests that compare them."""
    with ExitStack() as opened:
        yield [opened.enter_context(store_of(kind, request, tmp_path_factory.mktemp(kind))) for kind in STORES]


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "str": st.sampled_from(["", "a", "b", "é", "\t'\\"]) | st.text(st.characters(codec="utf-8"), max_size=4),
    "int": st.sampled_from([0, 1, 2, 3]) | st.sampled_from(INTS),
    "float": st.floats(),
    "bytes": st.binary(max_size=4),
    "ints": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
    "strs": st.lists(st.text(st.characters(codec="utf-8"), max_size=3), max_size=2),
}
EXAMPLES = iter(range(10**9))


def _rows(name: str, example: str) -> st.SearchStrategy[Columns]:
    """Blocks of distinct keys, drawn from few, so that later ones replace earlier ones."""
    table = TABLES[name]
    values = {column.name: VALUES[column.kind] for column in table.columns}
    # The first column of every key is a string: it keeps examples apart in stores that outlive them.
    values[table.key[0]] = st.sampled_from([f"{example}/a", f"{example}/b"])
    row = st.fixed_dictionaries(values)
    rows = st.lists(row, min_size=1, max_size=6, unique_by=lambda found: tuple(found[part] for part in table.key))
    return rows.map(lambda found: {column: [item[column] for item in found] for column in values})


def _queries(name: str, example: str) -> st.SearchStrategy[Query]:
    table = TABLES[name]
    kinds = {column.name: column.kind for column in table.columns if column.kind in ("str", "int", "float")}
    numbers = [column for column, kind in kinds.items() if kind != "str"]
    bounds = st.dictionaries(st.sampled_from(numbers), st.integers(-2, 5) | st.floats(allow_nan=False), max_size=2)
    conditions = st.fixed_dictionaries(
        {table.key[0]: st.just([f"{example}/a", f"{example}/b"])},
        optional={
            column: st.lists(VALUES[kind], max_size=4) for column, kind in kinds.items() if column != table.key[0]
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
@given(data=st.data(), name=st.sampled_from(sorted(TABLES)))
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
