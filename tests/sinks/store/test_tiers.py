"""Panes added up by the store, against the sums that the sketches themselves give."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.sketch import (
    CategoryFold,
    CategoryLayout,
    NumericFold,
    quantile_layout,
    sum_categories,
    sum_summaries,
    universal_layout,
)
from monitor.panes.codec import category_columns, numeric_columns, pane_columns, summary_of
from sinks.store import open_store
from sinks.store.batch import empty_rows
from sinks.store.contract import DERIVED, Query, Store, StoreError
from sinks.store.sqlstore import SqlStore
from tests.detectors.layouts import equal_cells
from tests.sinks.store.samples import exact, plain

HOUR_MS = 3_600_000
START_MS = 1_700_000_000_000 // HOUR_MS * HOUR_MS + HOUR_MS - 400_000  # an hour ends soon
PANE_MS = 10_000
TIERS = {"panes_5m": 300_000, "panes_1h": HOUR_MS}
LAYOUTS: dict[str, Any] = {
    "feature:universal": universal_layout(),
    "feature:linear": equal_cells(-2, 2, cells=8),
    "feature:quantile": quantile_layout([0.0, 0.0, 1.0, 2.0, 3.0], max_bins=4, low=0),
    "feature:category": CategoryLayout(("a", "it's"), sample=2),
}
NUMBERS = st.sampled_from([0.0, -0.0, 0.5, 1.0, -3.5, 1e9, float("nan"), float("inf")])
NAMES = st.sampled_from(["a", "it's", "b", "c", "d", "e", "", "é", None])
PLACES = st.tuples(st.integers(0, 70), st.sampled_from([0, 0, 0, START_MS + 600_000]), st.integers(0, 1))
PANES = st.dictionaries(PLACES, st.lists(st.tuples(NUMBERS, NAMES), max_size=6), min_size=1, max_size=14)
MODELS = count()


def folded(signal: str, events: Sequence[tuple[float, str | None]]) -> Any:
    """The summary of one pane."""
    layout, rows = LAYOUTS[signal], np.zeros(len(events), np.int64)
    fold: Any = CategoryFold([layout]) if isinstance(layout, CategoryLayout) else NumericFold([layout])
    fold.ensure(1)
    if isinstance(layout, CategoryLayout):
        fold.fold(rows, [[name for _, name in events]])
    else:
        fold.fold(rows, np.array([[number for number, _ in events]]).reshape(1, len(events)))
    return fold.take(0)[0]


def added(signal: str, summaries: list[Any]) -> Any:
    return (sum_categories if isinstance(LAYOUTS[signal], CategoryLayout) else sum_summaries)(summaries)


def rows_of(model: str, panes: dict[tuple[int, int, int], list[Any]]) -> dict[str, list[Any]]:
    rows = empty_rows("panes")
    for (pane_index, late_at_ms, partition), events in panes.items():
        shared = {
            "model": model, "segment": "", "version": "1", "pane_start_ms": START_MS + pane_index * PANE_MS,
            "late_at_ms": late_at_ms, "topic": "events", "partition": partition, "pane_ms": PANE_MS,
        }  # fmt: skip
        for signal, layout in LAYOUTS.items():
            summary = folded(signal, events)
            columns = category_columns if isinstance(layout, CategoryLayout) else numeric_columns
            pane_columns(rows, shared, signal, layout.id, columns(summary))
    return rows


@given(panes=PANES, later_panes=PANES, refreshed=st.booleans())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_tier_holds_what_adding_its_panes_gives(
    store: Store, panes: dict[Any, Any], later_panes: dict[Any, Any], refreshed: bool
) -> None:
    model = f"m{next(MODELS)}"
    store.append("panes", rows_of(model, panes), f"{model} a")
    if refreshed:
        store.refresh(0)
    store.append("panes", rows_of(model, later_panes), f"{model} b")
    every = panes | later_panes  # a pane that comes again replaces itself
    for tier, tier_ms in TIERS.items():
        sums_read = store.read(Query(tier, {"model": model}))
        expected: dict[tuple[str, int, bool], list[Any]] = {}
        for (pane_index, late_at_ms, _), events in every.items():
            start_ms = (START_MS + pane_index * PANE_MS) // tier_ms * tier_ms
            for signal in LAYOUTS:
                expected.setdefault((signal, start_ms, late_at_ms > 0), []).append(folded(signal, events))
        keys = zip(
            sums_read["signal"],
            sums_read["pane_start_ms"].tolist(),
            (sums_read["late"] == 1).tolist(),
            strict=True,
        )
        sums = {key: added(key[0], [summary_of(sums_read, i, LAYOUTS[key[0]])]) for i, key in enumerate(keys)}
        assert sums == {key: added(key[0], summaries) for key, summaries in expected.items()}


@given(panes=PANES, refreshed=st.booleans())
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("table", ["panes", *TIERS])
def test_totals_are_what_adding_all_panes_gives(
    store: Store, table: str, panes: dict[Any, Any], refreshed: bool
) -> None:
    model = f"m{next(MODELS)}"
    store.append("panes", rows_of(model, panes), model)
    if refreshed:
        store.refresh(0)
    totals = store.totals(Query(table, {"model": model}))
    sums = {s: added(s, [summary_of(totals, i, LAYOUTS[s])]) for i, s in enumerate(totals["signal"])}
    assert sums == {s: added(s, [folded(s, events) for events in panes.values()]) for s in LAYOUTS}


def test_totals_are_of_the_panes_that_a_query_chooses(store: Store) -> None:
    starts_ms = [START_MS // HOUR_MS * HOUR_MS + i * HOUR_MS for i in range(6)]
    rows = plain("panes", 6, signal=list("ababab"), pane_start_ms=starts_ms, n=range(6), pane_ms=PANE_MS)
    store.append("panes", rows, "a")
    low, high = {"pane_start_ms": starts_ms[1]}, {"pane_start_ms": starts_ms[5]}
    for table in ("panes", "panes_1h"):
        totals = store.totals(Query(table, {"signal": ["b"]}, low, high))
        assert (totals["signal"], totals["n"].tolist()) == (["b"], [4])
        assert store.totals(Query(table, {"model": "nobody"}))["signal"] == []


def test_totals_of_years_of_far_values_are_exact(store: Store) -> None:
    rows = plain("panes", 3, partition=[1, 2, 3], pane_ms=PANE_MS, sum_q=[-(2**62)] * 3, sum_q2=[2**62] * 3)
    store.append("panes", rows, "a")
    totals = store.totals(Query("panes"))
    assert (totals["sum_q"], totals["sum_q2"]) == ([-3 * 2**62], [3 * 2**62])


@pytest.mark.parametrize("query", [Query("scores"), Query("latest"), Query("panes", limit=1)])
def test_totals_of_anything_but_all_panes_are_refused(store: Store, query: Query) -> None:
    with pytest.raises(StoreError, match="added up"):
        store.totals(query)


def test_every_store_holds_the_same_rows(store: Store) -> None:
    panes = {(i, 0, i % 2): [(i / 7, "abcdefgh"[i % 8]), (float("nan"), None)] for i in range(60)}
    twin = open_store("memory")
    for each in (store, twin):
        each.append("panes", rows_of("m", panes), "a")
        each.append("panes", plain("panes", 3, model="odd", pane_ms=[7_000, 600_000, 20_000], partition=[1, 2, 3]), "b")
    for _ in range(2):
        for tier in TIERS:
            assert exact(DERIVED[tier], store.read(Query(tier))) == exact(DERIVED[tier], twin.read(Query(tier)))
        store.refresh(0)


def test_panes_that_do_not_divide_a_tier_are_left_out_of_it(store: Store) -> None:
    lengths_ms = [7_000, 600_000, 20_000]
    store.append("panes", plain("panes", 3, pane_ms=lengths_ms, partition=[1, 2, 3], n=[1, 10, 100]), "a")
    assert store.read(Query("panes_5m"))["n"].tolist() == [100]
    assert store.read(Query("panes_1h"))["n"].tolist() == [110]


@pytest.mark.parametrize("refreshed", [False, True])
def test_a_tier_is_read_like_any_table(store: Store, refreshed: bool) -> None:
    starts = [START_MS // 300_000 * 300_000 + i * 300_000 for i in range(6)]
    store.append(
        "panes", plain("panes", 6, signal=list("ababab"), pane_start_ms=starts, n=range(6), pane_ms=PANE_MS), "a"
    )
    if refreshed:
        store.refresh(0)
    low, high = {"pane_start_ms": starts[1]}, {"pane_start_ms": starts[5]}
    assert store.read(Query("panes_5m", {"signal": "b"}, low, high))["n"].tolist() == [1, 3]
    by_time = Query("panes_5m", {}, low, high, ("pane_start_ms",), True, limit=2, columns=("pane_start_ms", "n"))
    assert store.read(by_time)["n"].tolist() == [4, 3]
    assert store.read(Query("panes_5m", {"n": [0, 5]}, columns=("signal",))) == {"signal": ["a", "b"]}
    page = Query("panes_5m", order=("pane_start_ms",), limit=4)
    first = store.read(page)
    rest = store.read(Query("panes_5m", order=("pane_start_ms",), after=page.cursor(first)))
    assert [*first["n"], *rest["n"]] == list(range(6))


def test_refreshed_hours_are_read_without_the_panes(sql_store: SqlStore) -> None:
    sql_store.append("panes", rows_of("m", {(i, 0, 0): [(1.0, "a")] for i in range(60)}), "a")
    stored_sums = sql_store.read(Query("panes_5m"))
    sql_store.refresh(0)
    sql_store.command(f"TRUNCATE TABLE {sql_store.altered('panes')}")
    assert exact(DERIVED["panes_5m"], sql_store.read(Query("panes_5m"))) == exact(DERIVED["panes_5m"], stored_sums)
