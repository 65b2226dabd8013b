"""The newest score of each series and detector."""

from __future__ import annotations

import pytest

from sinks.store.contract import DERIVED, TABLES, Query, Store, StoreError
from tests.sinks.store.samples import exact, plain, take
from tests.sinks.store.test_rollups import scores

LATEST = DERIVED["latest"]


def test_of_each_series_and_detector_the_newest_window_is_there(store: Store) -> None:
    rows = scores(500)
    store.append("scores", rows, "a")
    keys = list(zip(*(rows[name] for name in LATEST.key), strict=True))
    newest = {
        key: row_index for row_index, key in sorted(enumerate(keys), key=lambda item: rows["window_end_ms"][item[0]])
    }
    expected = take(rows, [newest[key] for key in sorted(newest)])
    assert exact(LATEST, store.read(Query("latest"))) == exact(LATEST, expected)


def test_a_replay_from_long_ago_leaves_the_newest_until_it_comes_to_it(store: Store) -> None:
    store.append("scores", plain("scores", 3, window_end_ms=[10, 20, 30], statistic=0.1), "a")
    store.append("scores", plain("scores", 2, window_end_ms=[10, 20], statistic=0.7), "b")
    assert store.read(Query("latest"))["statistic"].tolist() == [0.1]
    store.append("scores", plain("scores", 1, window_end_ms=30, statistic=0.7), "c")
    assert store.read(Query("latest"))["statistic"].tolist() == [0.7]


def test_a_repeated_token_leaves_scores_and_latest_alike(store: Store) -> None:
    for token, value in (("a", 0.1), ("b", 0.2), ("a", 0.1)):
        store.append("scores", plain("scores", 1, window_end_ms=30, statistic=value), token)
    assert store.read(Query("latest"))["statistic"].tolist() == [0.2]
    assert store.read(Query("scores"))["statistic"].tolist() == [0.2]


def test_latest_is_read_like_any_table(store: Store) -> None:
    rows = plain("scores", 6, signal=list("aabbcc"), window_end_ms=[1, 2, 3, 4, 5, 6], status=["ok", "drift"] * 3)
    store.append("scores", rows, "a")
    newest_rows = store.read(Query("latest", {"status": "drift"}, {"window_end_ms": 3}, limit=1, columns=("signal",)))
    assert newest_rows == {"signal": ["b"]}
    page = Query("latest", order=("window_end_ms",), descending=True, limit=2)
    first = store.read(page)
    rest = store.read(Query("latest", order=("window_end_ms",), descending=True, after=page.cursor(first)))
    assert first["signal"] + rest["signal"] == ["c", "b", "a"]


@pytest.mark.parametrize("name", list(DERIVED))
def test_what_is_derived_is_not_written(store: Store, name: str) -> None:
    with pytest.raises(StoreError, match="follows from others"):
        store.append(name, plain("scores", 1), "a")


def test_nothing_is_derived_from_nothing(store: Store) -> None:
    for name in DERIVED:
        newest_rows = store.read(Query(name))
        assert list(newest_rows) == [column.name for column in DERIVED[name].columns]
        assert len(newest_rows["model"]) == 0
    assert set(DERIVED).isdisjoint(TABLES)
