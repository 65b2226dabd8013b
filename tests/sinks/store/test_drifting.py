"""Which series drifted: the same from raw scores, from the hours written down, and from the plain twin in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sinks.store import STORES, open_store
from sinks.store.chdb import ChdbStore
from sinks.store.contract import BUCKETS, DRIFTING, Buckets, Columns, Drifting, Store, StoreError
from sinks.store.rows import rows_of
from sinks.store.schema import migrations
from sinks.store.sqlstore import SqlStore
from tests.sinks.store.conftest import store_of
from tests.sinks.store.samples import exact, plain
from tests.sinks.store.test_rollups import HOUR_MS, START_MS, both, interrupted, scores, wait_for_the_next_ms

WHOLE = Drifting(START_MS, START_MS + 30 * HOUR_MS)
QUESTIONS = {
    "everything": WHOLE,
    "a model, cut within hours": Drifting(START_MS + 1, START_MS + 9 * HOUR_MS + 77, {"model": "m0"}),
    "some signals of a segment": Drifting(
        START_MS, START_MS + 25 * HOUR_MS, {"signal": ["feature:0", "feature:1"], "segment": ""}
    ),
    "what one detector saw": Drifting(START_MS, START_MS + 26 * HOUR_MS, {"detector": "psi", "version": "a"}),
    "cut into parts of no whole hours": replace(WHOLE, parts=7),
    "parts of a ms, and less": Drifting(START_MS + HOUR_MS, START_MS + HOUR_MS + 3, parts=5),
    "the first three of any part": replace(WHOLE, parts=14, limit=3),
    "all times in parts": Drifting(-(2**62), 2**62, parts=3),
    "the first three": replace(WHOLE, limit=3),
    "nothing": Drifting(START_MS, START_MS + HOUR_MS, {"model": "none"}),
    "an empty list": Drifting(START_MS, START_MS + HOUR_MS, {"model": []}),
    "an empty span": Drifting(START_MS, START_MS),
    "a span that ends before it begins": Drifting(START_MS, START_MS - HOUR_MS),
    "all times": Drifting(-(2**62), 2**62),
}


def same_as(twin: Store, store: Store) -> None:
    for name, question in QUESTIONS.items():
        assert exact(DRIFTING, store.drifting(question)) == exact(DRIFTING, twin.drifting(question)), name


@pytest.fixture(scope="module", params=list(STORES))
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with a few thousand scores over some days."""
    with store_of(request.param, request, tmp_path_factory.mktemp("store")) as opened:
        opened.append("scores", scores(1_000), "a")
        yield opened


@pytest.fixture(scope="module")
def twin() -> Store:
    store = open_store("memory")
    store.append("scores", scores(1_000), "a")
    return store


@pytest.mark.parametrize("question", list(QUESTIONS))
def test_every_store_ranks_series_alike(filled: Store, twin: Store, question: str) -> None:
    ranked, expected = filled.drifting(QUESTIONS[question]), twin.drifting(QUESTIONS[question])
    assert list(ranked) == [column.name for column in DRIFTING.columns]
    assert exact(DRIFTING, ranked) == exact(DRIFTING, expected)
    empty = question in {"nothing", "an empty list", "an empty span", "a span that ends before it begins"}
    assert bool(ranked["model"]) != empty


def drift(*windows: tuple[str, str, int, float, float], **others: Any) -> Columns:
    """Windows of signals and detectors, so many minutes behind the start, with their effects and the least of these."""
    names, detectors, minutes, effects, least = zip(*windows, strict=True)
    ends = [START_MS + minute * 60_000 for minute in minutes]
    columns: dict[str, Any] = {"signal": list(names), "detector": list(detectors), "window_end_ms": ends}
    values = {"model": "m", "status": "drift"} | others
    return plain("scores", len(windows), **columns, effect=list(effects), min_effect=list(least), **values)


def test_series_come_by_their_strongest_detector_which_names_the_others_behind_it(filled: Store) -> None:
    rows = drift(
        ("b", "psi", 10, 0.3, 0.1), ("b", "ks", 70, 0.9, 0.1), ("b", "js", 5, 0.9, 0.1),
        ("a", "psi", 30, 0.9, 0.1), ("c", "psi", 30, 0.2, 0.1), ("c", "volume", 200, 0.5, 0.0),
        ("d", "psi", 30, 0.0, 0.1), ("e", "psi", 30, float("nan"), 0.1),
    )  # fmt: skip
    filled.append("scores", rows, "by hand")
    ranked = filled.drifting(Drifting(START_MS, START_MS + 5 * HOUR_MS, {"model": "m"}))
    assert ranked["signal"] == ["c", "a", "b"]
    assert ranked["severity"].tolist() == [float("inf"), 0.9 / 0.1, 0.9 / 0.1]
    assert ranked["detector"] == ["volume", "psi", "js"]
    assert [list(names) for names in ranked["detectors"]] == [["volume", "psi"], ["psi"], ["js", "ks", "psi"]]
    ends = [(ranked[name] - START_MS) // 60_000 for name in ("first_drift_ms", "last_drift_ms")]
    assert [times.tolist() for times in ends] == [[30, 30, 5], [200, 30, 70]]


def test_each_part_of_a_span_has_what_the_same_span_by_itself_has(filled: Store) -> None:
    span, parts = (START_MS + 1, START_MS + 25 * HOUR_MS + 13), 9
    cut = rows_of(exact(DRIFTING, filled.drifting(Drifting(*span, parts=parts))))
    ends = [span[0] + (span[1] - span[0]) * part // parts for part in range(parts + 1)]
    for part in range(parts):
        alone = rows_of(exact(DRIFTING, filled.drifting(Drifting(ends[part], ends[part + 1]))))
        assert [row for row in cut if row["part"] == part] == [row | {"part": part} for row in alone]


@pytest.mark.parametrize(
    "wrong",
    [
        {"where": {"status": "drift"}},
        {"where": {"model": 5}},
        {"limit": -1},
        {"from_ms": 2**63},
        {"to_ms": 1.5},
        {"parts": 0},
        {"parts": 0.5},
    ],
)
def test_questions_that_make_no_sense_are_refused(filled: Store, wrong: dict[str, Any]) -> None:
    with pytest.raises(StoreError):
        filled.drifting(replace(WHOLE, **wrong))


def test_ranks_stay_the_same_whenever_hours_are_written_down(sql_store: SqlStore) -> None:
    twin = open_store("memory")
    both(scores(600), "a", sql_store, twin)
    same_as(twin, sql_store)
    sql_store.refresh(0)
    same_as(twin, sql_store)
    both(scores(100, seed=1), "b", sql_store, twin)  # replaces some rows, and adds others
    same_as(twin, sql_store)
    sql_store.refresh(0)
    same_as(twin, sql_store)


def test_hours_written_down_are_ranked_without_the_scores(sql_store: SqlStore) -> None:
    sql_store.append("scores", scores(600), "a")
    ranks_from_scores = sql_store.drifting(WHOLE)
    sql_store.refresh(0)
    sql_store.command(f"TRUNCATE TABLE {sql_store.altered('scores')}")
    assert len(ranks_from_scores["model"]) > 5
    assert exact(DRIFTING, sql_store.drifting(WHOLE)) == exact(DRIFTING, ranks_from_scores)


def test_a_window_that_is_in_drift_no_longer_is_forgotten(sql_store: SqlStore) -> None:
    sql_store.append("scores", drift(("a", "psi", 10, 0.9, 0.1), ("b", "psi", 70, 0.5, 0.1)), "a")
    sql_store.refresh(0)
    assert sql_store.drifting(WHOLE)["signal"] == ["a", "b"]
    sql_store.append("scores", drift(("a", "psi", 10, 0.9, 0.1), status="ok"), "b")
    assert sql_store.drifting(WHOLE)["signal"] == ["b"]
    wait_for_the_next_ms(sql_store)
    sql_store.refresh(0)
    assert sql_store.drifting(WHOLE)["signal"] == ["b"]


def test_of_two_refreshes_at_once_the_one_that_saw_the_end_of_a_drift_prevails(
    sql_store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = sql_store.command
    sql_store.append("scores", drift(("a", "psi", 10, 0.9, 0.1)), "a")

    def overtaken(sql: str, parameters: Any) -> None:
        """The first has read a window in drift; before it writes, the window changes and another refreshes."""
        monkeypatch.undo()
        read = sql_store.query(sql[sql.index("SELECT") :], parameters)
        assert [list(names) for names in read["signals"]] == [["a"]]
        wait_for_the_next_ms(sql_store)
        sql_store.append("scores", drift(("a", "psi", 10, 0.9, 0.1), status="ok"), "b")
        sql_store.refresh(0)
        stale = f"'m', {START_MS:d}, ['a'], ['a'], ['a'], ['psi'], [{START_MS + 600_000:d}], [0.9], [0.1]"
        command(f"INSERT INTO drifts_1h SELECT {stale}, {read_at_ms(sql)}")

    monkeypatch.setattr(sql_store, "command", interrupted(sql_store, 0, overtaken))
    sql_store.refresh(0)
    assert not sql_store.drifting(WHOLE)["signal"]


def read_at_ms(sql: str) -> int:
    """When the refresh that made ``sql`` began."""
    return int(sql.partition("SELECT *, ")[2].partition(" FROM")[0])


def test_an_upgrade_writes_down_the_hours_that_were_current(tmp_path: Path) -> None:
    twin = open_store("memory")
    with closing(ChdbStore(tmp_path / "store")) as store:
        for step in migrations():
            if step.version < 13:
                for statement in step.statements:
                    store.command(statement)
                store.command(f"INSERT INTO schema_migrations VALUES ({step.version}, '{step.name}')")
        both(scores(400), "a", store, twin)
        store.command("INSERT INTO touched SELECT source, model, hour_ms, touched_ms, touched_ms FROM touched")
        store.migrate()
        same_as(twin, store)
        assert not store.query("SELECT hour_ms FROM touched FINAL WHERE touched_ms > refreshed_ms")["hour_ms"].size


# --- buckets of some series, with some columns


SOME = (("m0", "feature:0", "", "a", "psi"), ("m1", "feature:2", "country=DE", "a", "ks"), ("m9", "", "", "", ""))


@pytest.mark.parametrize("refreshed", [False, True])
@pytest.mark.parametrize("step_ms", [0, HOUR_MS])
def test_buckets_of_some_series_with_some_columns_are_those_of_all(
    sql_store: SqlStore, step_ms: int, *, refreshed: bool
) -> None:
    twin = open_store("memory")
    both(scores(800), "a", sql_store, twin)
    if refreshed:
        sql_store.refresh(0)
    question = Buckets(START_MS + 5, START_MS + 50 * HOUR_MS, step_ms)
    all_buckets = exact(BUCKETS, twin.buckets(question))
    series = list(
        zip(*(all_buckets[name] for name in ("model", "signal", "segment", "version", "detector")), strict=True)
    )
    places = [row_index for row_index, key in enumerate(series) if key in SOME]
    assert len(places) >= 2
    for columns in [(c.name,) for c in BUCKETS.columns] + [("detector", "worst_n", "statistic_mean", "n")]:
        narrowed = replace(question, among=SOME, columns=columns)
        expected = {name: [all_buckets[name][row_index] for row_index in places] for name in columns}
        for store in (twin, sql_store):
            assert exact(BUCKETS, store.buckets(narrowed)) == expected, columns


@pytest.mark.parametrize("wrong", [{"among": (("m0", "feature:0"),)}, {"columns": ("status",)}])
def test_series_and_columns_that_do_not_exist_are_refused(filled: Store, wrong: dict[str, Any]) -> None:
    with pytest.raises(StoreError):
        filled.buckets(replace(Buckets(0, 100), **wrong))
