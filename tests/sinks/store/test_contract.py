"""What every store promises."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sinks.store import open_store
from sinks.store.contract import TABLES, Columns, Query, Store, StoreError
from tests.sinks.store.samples import STRINGS, awkward, exact, plain, sorted_rows, take

ROUND_TRIPS = pytest.mark.parametrize("name", list(TABLES))


@ROUND_TRIPS
def test_every_value_comes_back_to_the_bit(store: Store, name: str) -> None:
    table, rows = TABLES[name], awkward(TABLES[name])
    store.append(name, rows, "one")
    stored = store.read(Query(name))
    assert exact(table, stored) == exact(table, sorted_rows(table, rows))


def test_numbers_come_as_arrays_that_the_caller_owns_and_the_rest_as_lists(store: Store) -> None:
    store.append("panes", plain("panes", 2, partition=[0, 1]), "a")
    stored = store.read(Query("panes"))
    assert stored["n"].dtype == np.int64
    assert stored["min"].dtype == np.float64
    assert [array.dtype for array in stored["cells"]] == [np.int64, np.int64]
    assert isinstance(stored["model"], list)
    stored["n"][0] = stored["cells"][0][0] = 99
    again = store.read(Query("panes"))
    assert again["n"][0] == 1
    assert again["cells"][0][0] == 1


def test_what_the_caller_changes_after_an_append_is_not_changed_in_the_store(store: Store) -> None:
    rows = plain("panes", 1)
    rows["n"], rows["cells"] = np.array([5]), [np.array([1, 2])]
    store.append("panes", rows, "a")
    rows["n"][0] = rows["cells"][0][0] = 99
    stored = store.read(Query("panes"))
    assert (stored["n"][0], stored["cells"][0].tolist()) == (5, [1, 2])


def test_an_empty_table_has_every_column_of_its_kind(store: Store) -> None:
    stored = store.read(Query("panes"))
    assert list(stored) == [column.name for column in TABLES["panes"].columns]
    assert stored["n"].dtype == np.int64
    assert stored["n"].size == 0
    assert stored["model"] == stored["cells"] == stored["names"] == []


def test_an_append_of_no_rows_does_nothing(store: Store) -> None:
    store.append("scores", {column.name: [] for column in TABLES["scores"].columns}, "a")
    store.append("scores", plain("scores", 1), "a")
    assert len(store.read(Query("scores"))["n"]) == 1


def test_a_row_with_a_known_key_replaces_the_row(store: Store) -> None:
    store.append("scores", plain("scores", 3, window_end_ms=[10, 20, 30], statistic=0.1), "a")
    store.append("scores", plain("scores", 2, window_end_ms=[20, 40], statistic=0.9), "b")
    stored = store.read(Query("scores"))
    assert stored["window_end_ms"].tolist() == [10, 20, 30, 40]
    assert stored["statistic"].tolist() == [0.1, 0.9, 0.1, 0.9]


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if table.newest_by])
def test_where_a_table_says_so_the_row_with_the_largest_version_stays(store: Store, name: str) -> None:
    table = TABLES[name]
    own = {table.newest_by, *table.key}
    # What a row says beside its key and its version, if it says anything.
    other = next((column for column in table.columns if column.name not in own and column.kind in ("int", "str")), None)
    [first] = plain(name, 1)[table.newest_by]
    for token, (position, value) in enumerate([(5, 50), (9, 90), (7, 70), (-3, -10)]):
        said = {} if other is None else {other.name: str(value) if other.kind == "str" else value}
        store.append(name, plain(name, 1, **{table.newest_by: first + position}, **said), str(token))
    stored = store.read(Query(name))
    assert stored[table.newest_by].tolist() == [first + 9]
    assert other is None or [int(item) for item in stored[other.name]] == [90]


def test_of_equal_versions_the_one_appended_last_stays(store: Store) -> None:
    store.append("checkpoints", plain("checkpoints", 1, position=5, state=b"first"), "a")
    store.append("checkpoints", plain("checkpoints", 1, position=5, state=b"second"), "b")
    assert store.read(Query("checkpoints"))["state"] == [b"second"]


def test_a_repeated_token_is_one_append(store: Store) -> None:
    store.append("scores", plain("scores", 1, statistic=0.1), "first")
    store.append("scores", plain("scores", 1, statistic=0.2), "second")
    store.append("scores", plain("scores", 1, statistic=0.1), "first")
    assert store.read(Query("scores"))["statistic"].tolist() == [0.2]


def test_the_same_token_in_another_table_is_another_append(store: Store) -> None:
    store.append("scores", plain("scores", 1), "a")
    store.append("progress", plain("progress", 1), "a")
    assert len(store.read(Query("scores"))["n"]) == len(store.read(Query("progress"))["model"]) == 1


def test_any_text_may_be_a_token(store: Store) -> None:
    for number, token in enumerate(STRINGS):
        store.append("scores", plain("scores", 1, window_end_ms=number, statistic=0.1), token)
        store.append("scores", plain("scores", 1, window_end_ms=number, statistic=0.2), f"{token}!")
        store.append("scores", plain("scores", 1, window_end_ms=number, statistic=0.1), token)
    assert store.read(Query("scores"))["statistic"].tolist() == [0.2] * len(STRINGS)


def test_a_replay_cut_into_other_blocks_gives_the_same_rows(store: Store) -> None:
    rows = plain("scores", 60, window_end_ms=range(0, 600, 10), statistic=list(np.linspace(0, 1, 60)))
    for block in (7, 60, 1, 23):
        for start in range(0, 60, block):
            places = range(start, min(start + block, 60))
            store.append("scores", take(rows, places), f"{start}+{len(places)}")
        assert exact(TABLES["scores"], store.read(Query("scores"))) == exact(TABLES["scores"], rows)


def test_rows_of_many_months_may_come_in_one_append(store: Store) -> None:
    month_ms = 31 * 86_400_000
    rows = plain("scores", 130, window_end_ms=range(0, 130 * month_ms, month_ms))
    store.append("scores", rows, "a")
    store.append("scores", rows, "a")
    assert len(store.read(Query("scores"))["n"]) == 130


def _numbered(store: Store, count: int = 100) -> None:
    signals = [f"feature:f{number % 5}" for number in range(count)]
    rows = plain(
        "scores", count, signal=signals, window_end_ms=range(count), effect=[number / 10 for number in range(count)]
    )
    store.append("scores", rows, "numbered")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query("scores", where={"window_end_ms": 7}), [7]),
        (Query("scores", where={"window_end_ms": [7, 99, 100, 7]}), [7, 99]),
        (Query("scores", where={"window_end_ms": np.array([3, 4])}), [3, 4]),
        (Query("scores", where={"signal": "feature:f4"}, high={"window_end_ms": 20}), [4, 9, 14, 19]),
        (Query("scores", where={"signal": ["feature:f4", "feature:f3", "no"]}, high={"window_end_ms": 9}), [3, 4, 8]),
        (Query("scores", where={"signal": []}), []),
        (Query("scores", where={"effect": 0.7}), [7]),
        (Query("scores", where={"effect": [0.7, float("nan")]}), [7]),
        (Query("scores", low={"window_end_ms": 97}), [97, 98, 99]),
        (Query("scores", low={"window_end_ms": 3}, high={"window_end_ms": 5}), [3, 4]),
        (Query("scores", low={"window_end_ms": 3.5}, high={"window_end_ms": 5.5}), [4, 5]),
        (Query("scores", low={"window_end_ms": 3}, high={"window_end_ms": 3}), []),
        (Query("scores", low={"effect": 0.3}, high={"effect": 0.5}), [3, 4]),
        (Query("scores", low={"window_end_ms": float("inf")}), []),
        (Query("scores", high={"window_end_ms": float("-inf")}), []),
        (Query("scores", low={"window_end_ms": float("-inf")}, high={"window_end_ms": 2}), [0, 1]),
        (Query("scores", low={"window_end_ms": 98}, high={"window_end_ms": 2**70}), [98, 99]),
        (Query("scores", where={"window_end_ms": 3}, low={"window_end_ms": 2**70}), []),
        (Query("scores", low={"window_end_ms": 97}, without={"window_end_ms": [98, 5]}), [97, 99]),
        (Query("scores", low={"window_end_ms": 97}, without={"window_end_ms": []}), [97, 98, 99]),
        (
            Query("scores", high={"window_end_ms": 3}, without={"window_end_ms": 1}, where={"window_end_ms": [1, 2]}),
            [2],
        ),
    ],
)
def test_conditions_pick_rows(store: Store, query: Query, expected: list[int]) -> None:
    _numbered(store)
    assert sorted(store.read(query)["window_end_ms"].tolist()) == expected


@pytest.mark.parametrize(
    ("floors", "others", "expected"),
    [
        ({"a": 5, "it's": 1, "none": 0}, {}, [("a", 5), ("a", 6), ("it's", 1), ("it's", 2)]),
        ({"a": 5, "it's": 1}, {"where": {"model": ["a", "b"]}}, [("a", 5), ("a", 6)]),
        ({"b": -(2**63)}, {}, [("b", 0)]),
        ({"a": 2**63 - 1, "b": 0}, {"limit": 1}, [("b", 0)]),
        ({"a": 0}, {"high": {"window_end_ms": 2}}, [("a", 0), ("a", 1)]),
        ({}, {}, []),
    ],
)
def test_each_model_may_have_a_floor_of_its_own(
    store: Store, floors: dict[str, int], others: dict[str, Any], expected: list[tuple[str, int]]
) -> None:
    keys = [("a", n) for n in range(7)] + [("b", 0)] + [("it's", n) for n in range(3)]
    models, ends = zip(*keys, strict=True)
    store.append("scores", plain("scores", len(keys), model=list(models), window_end_ms=list(ends)), "a")
    stored = store.read(Query("scores", floors={"window_end_ms": floors}, **others))
    assert list(zip(stored["model"], stored["window_end_ms"].tolist(), strict=True)) == expected


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ([['"job": "it\'s"']], ["a", "b"]),
        ([['"job": "it\'s"', "100%_"]], ["b"]),
        ([["100%_"], ['"job": "x"']], ["b", "c"]),
        ([[]], ["a", "b", "c"]),
        ([], []),
    ],
)
def test_texts_are_found_in_a_column_as_they_stand(store: Store, choices: list[list[str]], expected: list[str]) -> None:
    labels = ['{"job": "it\'s"}', '{"job": "it\'s", "n": "100%_"}', '{"job": "x"}']
    store.append("posted", plain("posted", 3, fingerprint=["a", "b", "c"], labels=labels), "a")
    assert store.read(Query("posted", containing={"labels": choices}))["fingerprint"] == expected


def test_a_row_that_was_written_again_later_is_found_by_its_later_time_alone(store: Store) -> None:
    for token, at_ms in (("first", 10), ("again", 30)):
        store.append("alerts", plain("alerts", 1, model=["fraud"], alert_id=["a"], at_ms=[at_ms]), token)
        store.append("posted", plain("posted", 1, fingerprint=["a"], position=[at_ms]), token)
    for at_ms, count in ((5, 1), (10, 1), (20, 1), (30, 1), (31, 0)):
        by_model = store.read(Query("alerts", floors={"at_ms": {"fraud": at_ms}}))["at_ms"]
        assert by_model.tolist() == store.read(Query("alerts", low={"at_ms": at_ms}))["at_ms"].tolist() == [30] * count
        assert store.read(Query("posted", low={"position": at_ms}))["position"].tolist() == [30] * count
    assert store.read(Query("alerts", low={"at_ms": 5}, high={"at_ms": 20}))["at_ms"].tolist() == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query("scores", limit=3), [0, 5, 10]),
        (Query("scores", limit=3, descending=True), [99, 94, 89]),
        (Query("scores", limit=0), []),
        (Query("scores", order=("window_end_ms",), limit=3), [0, 1, 2]),
        (Query("scores", order=("window_end_ms",), descending=True, limit=3), [99, 98, 97]),
        (Query("scores", order=("effect",), descending=True, limit=2), [99, 98]),
        (Query("scores", order=("status", "window_end_ms"), limit=2), [0, 1]),
        (Query("scores", first_by=("signal",), limit=3), [0, 1, 2]),
        (Query("scores", first_by=("signal",), order=("window_end_ms",), descending=True, limit=2), [99, 98]),
        (
            Query("scores", first_by=("signal",), order=("signal", "window_end_ms"), descending=True),
            [99, 98, 97, 96, 95],
        ),
    ],
)
def test_rows_come_in_the_order_asked_for(store: Store, query: Query, expected: list[int]) -> None:
    _numbered(store)
    assert store.read(query)["window_end_ms"].tolist() == expected


@pytest.mark.parametrize("descending", [False, True])
def test_nan_sorts_last_either_way(store: Store, descending: bool) -> None:
    effects = [float("nan"), 2.0, float("-inf"), float("nan"), 1.0]
    store.append("scores", plain("scores", 5, window_end_ms=range(5), effect=effects), "a")
    stored = store.read(Query("scores", order=("effect",), descending=descending))
    assert np.isnan(stored["effect"]).tolist() == [False] * 3 + [True] * 2


def test_strings_sort_by_their_bytes(store: Store) -> None:
    signals = ["b", "a", "", "B", "é", "\U0001f600", "\uffff", "a\0", "aa"]
    store.append("scores", plain("scores", len(signals), signal=signals), "a")
    assert store.read(Query("scores"))["signal"] == sorted(signals, key=str.encode)


def test_only_the_columns_asked_for_come_in_the_order_asked_for(store: Store) -> None:
    _numbered(store, 3)
    stored = store.read(Query("scores", columns=("effect", "signal")))
    assert list(stored) == ["effect", "signal"]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("order", [(), ("window_end_ms",), ("status", "signal")])
def test_pages_hold_every_row_once_while_rows_are_appended(
    store: Store, order: tuple[str, ...], descending: bool
) -> None:
    _numbered(store, 50)
    query = Query("scores", order=order, descending=descending, limit=7)
    seen: list[int] = []
    for number in range(20):
        page = store.read(query)
        seen += page["window_end_ms"].tolist()
        if number < 8:  # some fall before the page's end, some behind it
            store.append(
                "scores", plain("scores", 1, signal=f"feature:f{number % 5}", window_end_ms=1_000 + number), str(number)
            )
        query = replace(query, after=query.cursor(page) or query.after)
    originals = [window_end_ms for window_end_ms in seen if window_end_ms < 50]
    assert sorted(originals) == list(range(50))
    assert len(set(seen)) == len(seen)


def _without(rows: Columns, name: str) -> Columns:
    return {key: values for key, values in rows.items() if key != name}


BAD_ROWS: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "an unknown table": ("nothing", lambda: plain("scores", 1)),
    "a missing column": ("scores", lambda: _without(plain("scores", 1), "n")),
    "an unknown column": ("scores", lambda: plain("scores", 1) | {"more": [1]}),
    "unequal lengths": ("scores", lambda: plain("scores", 2) | {"n": [1]}),
    "a number among strings": ("scores", lambda: plain("scores", 2, signal=["a", 1])),
    "None among strings": ("scores", lambda: plain("scores", 2, signal=["a", None])),
    "a lone surrogate": ("scores", lambda: plain("scores", 1, signal="\ud800")),
    "a fraction among integers": ("scores", lambda: plain("scores", 1, n=1.5)),
    "an integer beyond 64 bits": ("scores", lambda: plain("scores", 1, n=2**63)),
    "an unsigned integer beyond 63 bits": ("scores", lambda: plain("scores", 1) | {"n": np.array([2**63], "u8")}),
    "a string among numbers": ("scores", lambda: plain("scores", 1, effect="0.5")),
    "text among bytes": ("checkpoints", lambda: plain("checkpoints", 1, state="text")),
    "a matrix among arrays": ("panes", lambda: plain("panes", 1) | {"cells": [np.zeros((2, 2), int)]}),
    "a string in place of a list of them": ("panes", lambda: plain("panes", 1) | {"names": ["abc"]}),
    "a number in place of an array": ("panes", lambda: plain("panes", 1) | {"cells": [7]}),
}


@pytest.mark.parametrize("name", list(BAD_ROWS))
def test_rows_that_the_table_cannot_hold_are_refused_whole(store: Store, name: str) -> None:
    table, rows = BAD_ROWS[name]
    with pytest.raises(StoreError) as refusal:
        store.append(table, rows(), "a")
    assert not refusal.value.retryable
    assert all(len(store.read(Query(table_name))[TABLES[table_name].key[0]]) == 0 for table_name in TABLES)


BAD_QUERIES = {
    "an unknown table": Query("nothing"),
    "an unknown column in where": Query("scores", where={"more": 1}),
    "an unknown column in low": Query("scores", low={"more": 1}),
    "an unknown column in order": Query("scores", order=("more",)),
    "an unknown column in columns": Query("scores", columns=("n`, version() AS `n",)),
    "a string for an integer": Query("scores", where={"n": "1 OR 1 = 1"}),
    "an integer for a string": Query("scores", where={"signal": 1}),
    "None": Query("scores", where={"signal": None}),
    "a fraction for an integer": Query("scores", where={"n": 1.5}),
    "bytes in where": Query("checkpoints", where={"state": b""}),
    "arrays in where": Query("panes", where={"cells": [1]}),
    "a bound for strings": Query("scores", low={"signal": 1}),
    "a bound that is a string": Query("scores", low={"n": "1"}),  # type: ignore[dict-item]
    "a bound that is not a number": Query("scores", low={"n": float("nan")}),
    "a floor that is no integer": Query("scores", floors={"n": {"a": 1.5}}),  # type: ignore[dict-item]
    "a floor beyond 64 bits": Query("scores", floors={"n": {"a": 2**63}}),
    "a floor of a fraction": Query("scores", floors={"effect": {"a": 1}}),
    "floors of a table without models": Query("notifications", floors={"at_ms": {"a": 1}}),
    "an order by arrays": Query("panes", order=("cells",)),
    "a column twice in order": Query("scores", order=("n", "n")),
    "a limit below 0": Query("scores", limit=-1),
    "too few values in after": Query("scores", after=("a",)),
    "an integer for a string in after": Query("notifications", after=(1, 1, "a")),
    "an order by floats with after": Query("notifications", order=("attempts",), after=("a", "a", 1, "a")),
}


@pytest.mark.parametrize("name", list(BAD_QUERIES))
def test_queries_that_make_no_sense_are_refused(store: Store, name: str) -> None:
    _numbered(store, 3)
    with pytest.raises(StoreError):
        store.read(BAD_QUERIES[name])
    assert len(store.read(Query("scores"))["n"]) == 3


def test_a_page_cannot_start_at_a_float(store: Store) -> None:
    query = Query("scores", order=("effect",))
    _numbered(store, 3)
    with pytest.raises(StoreError, match="effect"):
        store.read(Query("scores", order=("effect",), after=query.cursor(store.read(query))))


def test_threads_may_append_and_read_at_once(store: Store) -> None:
    start, errors = threading.Barrier(6), []

    def write(worker: int) -> None:
        start.wait()
        for number in range(10):
            rows = plain("scores", 20, signal=f"s{worker}", window_end_ms=range(number * 20, number * 20 + 20))
            store.append("scores", rows, f"{worker}/{number}")
            stored = store.read(Query("scores", where={"signal": f"s{worker}"}, columns=("window_end_ms",)))
            if stored["window_end_ms"].tolist() != list(range(number * 20 + 20)):
                errors.append(worker)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    assert errors == []
    assert len(store.read(Query("scores"))["n"]) == 6 * 200


def test_threads_that_append_the_same_rows_at_once_append_them_once(store: Store) -> None:
    rows = plain("scores", 50, window_end_ms=range(50))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: store.append("scores", rows, "same"), range(8)))
    assert store.read(Query("scores"))["window_end_ms"].tolist() == list(range(50))


def test_migrating_again_keeps_the_rows(store: Store) -> None:
    _numbered(store, 3)
    store.migrate()
    assert len(store.read(Query("scores"))["n"]) == 3


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.read(Query("scores"))
    with pytest.raises(StoreError, match="closed"):
        store.append("scores", plain("scores", 1), "a")


def test_an_unknown_kind_of_store_is_refused_with_the_known_ones() -> None:
    with pytest.raises(StoreError, match="memory, chdb, clickhouse"):
        open_store("sqlite")
