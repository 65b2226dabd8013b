"""Buckets of scores: the same from raw scores, from roll-ups, and from the plain twin in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sinks.store import STORES, open_store
from sinks.store.contract import BUCKETS, TABLES, Buckets, Columns, Store, StoreError
from sinks.store.sqlstore import SqlStore
from tests.sinks.store.conftest import store_of
from tests.sinks.store.samples import exact, plain, take

HOUR_MS = 3_600_000
START_MS = 1_700_000_000_000 // (24 * HOUR_MS) * 24 * HOUR_MS
FLOATS = [0.0, -0.0, 0.1, 0.2, 0.30000000000000004, 1e-300, 5e-324, 1e300, -1e300, 3.5, math.nan, math.inf, -math.inf]
STATUSES = ["ok", "ok", "warning", "drift", "drift", "no_data", "learning"]


def scores(count: int, seed: int = 0, step_ms: int = 600_000, start_ms: int = START_MS) -> Columns:
    """Scores of some series at steps from ``start_ms`` on, with every awkward float."""
    draw = np.random.default_rng(seed)
    pick = [draw.integers(0, n, count).tolist() for n in (2, 3, 2, 2)]
    common = np.append(np.full(len(FLOATS) - 3, 0.0998), [0.001, 0.0005, 0.0005])
    floats = {
        n: draw.choice(FLOATS, count, p=common / common.sum())
        for n in ("statistic", "effect", "min_effect", "p_value", "surprise")
    }
    rows = plain(
        "scores",
        count,
        **floats,
        model=[f"m{i}" for i in pick[0]],
        signal=[f"feature:{i}" for i in pick[1]],
        segment=["country=DE" if i else "" for i in pick[2]],
        detector=["psi" if i else "ks" for i in pick[3]],
        window_end_ms=start_ms + draw.integers(0, max(count // 8, 1), count) * step_ms,
        window_ms=step_ms,
        status=draw.choice(STATUSES, count).tolist(),
        n=draw.integers(0, 10**12, count),
        detail=[f"window {i}" for i in range(count)],
    )
    keys = list(zip(*(rows[name] for name in TABLES["scores"].key), strict=True))
    return take(rows, sorted({key: i for i, key in enumerate(keys)}.values()))


QUESTIONS = {
    "one bucket": Buckets(START_MS, START_MS + 30 * HOUR_MS),
    "a model by hours": Buckets(START_MS, START_MS + 26 * HOUR_MS, HOUR_MS, {"model": "m0"}),
    "two signals by quarters": Buckets(
        START_MS, START_MS + 9 * HOUR_MS, HOUR_MS // 4, {"signal": ["feature:0", "feature:1"]}
    ),
    "days, cut": Buckets(START_MS + 1, START_MS + 50 * HOUR_MS + 7, 24 * HOUR_MS, {"segment": ""}),
    "odd steps": Buckets(START_MS - 5, START_MS + 20 * HOUR_MS, 4_321_000),
    "the worst": Buckets(START_MS, START_MS + 30 * HOUR_MS, 0, {"model": ["m0", "m1"]}, "worst", limit=5),
    "the worst hours": Buckets(START_MS, START_MS + 30 * HOUR_MS, HOUR_MS, {"detector": "psi"}, "worst", limit=40),
    "nothing": Buckets(START_MS, START_MS + HOUR_MS, 0, {"model": "none"}),
    "an empty list": Buckets(START_MS, START_MS + HOUR_MS, 0, {"model": []}),
    "an empty span": Buckets(START_MS, START_MS, HOUR_MS),
}


@pytest.fixture(scope="module", params=list(STORES))
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with a few thousand scores over three days."""
    with store_of(request.param, request, tmp_path_factory.mktemp("store")) as opened:
        opened.append("scores", scores(1_000), "a")
        yield opened


@pytest.fixture(scope="module")
def twin() -> Store:
    store = open_store("memory")
    store.append("scores", scores(1_000), "a")
    return store


@pytest.mark.parametrize("question", list(QUESTIONS))
def test_every_store_gives_the_same_buckets(filled: Store, twin: Store, question: str) -> None:
    answer, expected = filled.buckets(QUESTIONS[question]), twin.buckets(QUESTIONS[question])
    assert list(answer) == [column.name for column in BUCKETS.columns]
    assert exact(BUCKETS, answer) == exact(BUCKETS, expected)
    assert bool(len(answer["model"])) == (question not in {"nothing", "an empty list", "an empty span"})


@pytest.mark.parametrize("step_ms", [0, HOUR_MS, 5 * 60_000])
@pytest.mark.parametrize("order", ["time", "worst"])
def test_pages_hold_every_bucket_once(filled: Store, order: Any, step_ms: int) -> None:
    question = Buckets(START_MS, START_MS + 30 * HOUR_MS, step_ms, {"model": "m0"}, order)
    page, seen = replace(question, limit=150), list[Columns]()
    while len((rows := filled.buckets(page))["model"]):
        seen.append(rows)
        page = replace(page, after=page.cursor(rows))
    all_pages = {name: [value for rows in seen for value in rows[name]] for name in seen[0]}
    assert exact(BUCKETS, all_pages) == exact(BUCKETS, filled.buckets(question))


@pytest.mark.parametrize(
    "wrong",
    [
        {"where": {"status": "drift"}},
        {"where": {"model": 5}},
        {"step_ms": -1},
        {"order": "best"},
        {"limit": -1},
        {"after": (1, "m0")},
        {"from_ms": 2**63},
        {"to_ms": 1.5},
        {"order": "worst", "after": (math.nan, 1, "m", "s", "", "", "psi")},
    ],
)
def test_buckets_that_make_no_sense_are_refused(filled: Store, wrong: dict[str, Any]) -> None:
    with pytest.raises(StoreError):
        filled.buckets(replace(Buckets(0, 100), **wrong))


# --- roll-ups


ROLLED = ("a model by hours", "days, cut", "the worst")


def same_as(twin: Store, store: Store) -> None:
    for name in ROLLED:
        assert exact(BUCKETS, store.buckets(QUESTIONS[name])) == exact(BUCKETS, twin.buckets(QUESTIONS[name])), name


def both(rows: Columns, token: str, *stores: Store) -> None:
    for store in stores:
        store.append("scores", rows, token)


def test_answers_stay_the_same_whenever_roll_ups_are_refreshed(sql_store: SqlStore) -> None:
    twin = open_store("memory")
    both(scores(600), "a", sql_store, twin)
    assert sql_store.refresh(0) > 20
    same_as(twin, sql_store)
    both(scores(100, seed=1), "b", sql_store, twin)  # replaces some rows, and adds others
    same_as(twin, sql_store)
    assert 0 < sql_store.refresh(0) < 20
    assert sql_store.refresh(0) == 0
    same_as(twin, sql_store)


def test_refreshed_hours_are_answered_without_the_scores(sql_store: SqlStore) -> None:
    question = Buckets(START_MS + 1, START_MS + 49 * HOUR_MS, 0, {"model": "m0"})
    sql_store.append("scores", scores(1_000), "a")
    from_rows = sql_store.buckets(question)
    sql_store.refresh(0)
    sql_store.command(f"TRUNCATE TABLE {sql_store.altered('scores')}")
    lost = from_rows["windows"].sum() - sql_store.buckets(question)["windows"].sum()
    assert from_rows["windows"].sum() > 200
    assert 0 <= lost < 20  # the windows of the last hour, which is cut


def test_a_replay_counts_nothing_twice(sql_store: SqlStore) -> None:
    twin = open_store("memory")
    rows = scores(300)
    count = len(rows["model"])
    both(rows, "a", sql_store, twin)
    sql_store.refresh(0)
    for size in (count, 111, 70):
        for start in range(0, count, size):
            sql_store.append("scores", take(rows, range(start, min(start + size, count))), f"{size}/{start}")
        sql_store.refresh(0)
        same_as(twin, sql_store)


def test_an_hour_is_not_refreshed_until_it_has_been_left_alone(sql_store: SqlStore) -> None:
    sql_store.append("scores", scores(100), "a")
    assert sql_store.refresh() == 0
    assert sql_store.query("SELECT count() AS n FROM scores_1h")["n"] == [0]


class KilledError(Exception):
    """Stands for the end of the process."""


def interrupted(store: SqlStore, number: int, run: Callable[[str, Any], None]) -> Any:
    """The store's ``command``, but that ``run`` does the statement with that number."""
    command, countdown = store.command, iter(range(number, -1, -1))

    def counted(sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        (run if next(countdown, -1) == 0 else command)(sql, parameters)

    return counted


@pytest.mark.parametrize("executed", [False, True])
def test_a_refresh_that_is_killed_anywhere_is_finished_by_the_next(
    sql_store: SqlStore, monkeypatch: pytest.MonkeyPatch, executed: bool
) -> None:
    twin, command = open_store("memory"), sql_store.command

    def die(sql: str, parameters: Any) -> None:
        if executed:
            command(sql, parameters)
        raise KilledError

    for number in range(4):
        both(scores(150, seed=number), str(number), sql_store, twin)
        monkeypatch.setattr(sql_store, "command", interrupted(sql_store, number, die))
        with pytest.raises(KilledError):
            sql_store.refresh(0)
        monkeypatch.undo()
        same_as(twin, sql_store)
    sql_store.refresh(0)
    same_as(twin, sql_store)


@pytest.mark.parametrize("number", range(3))
def test_of_two_refreshes_at_once_the_later_one_prevails(
    sql_store: SqlStore, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    twin, command = open_store("memory"), sql_store.command
    both(scores(300), "a", sql_store, twin)

    def overtaken(sql: str, parameters: Any) -> None:
        """The first refresh has its statement ready; before it is run, more comes and another refreshes all."""
        monkeypatch.undo()
        wait_for_the_next_ms(sql_store)
        both(scores(300, seed=1), "b", sql_store, twin)
        sql_store.refresh(0)
        command(sql, parameters)

    monkeypatch.setattr(sql_store, "command", interrupted(sql_store, number, overtaken))
    sql_store.refresh(0)
    same_as(twin, sql_store)
    sql_store.refresh(0)
    same_as(twin, sql_store)


def wait_for_the_next_ms(store: SqlStore) -> None:
    sql = "SELECT toUnixTimestamp64Milli(now64(3)) AS now_ms"
    now_ms = store.query(sql)["now_ms"][0]
    while store.query(sql)["now_ms"][0] <= now_ms:
        pass


def test_any_number_may_refresh_and_read_at_once(sql_store: SqlStore) -> None:
    twin = open_store("memory")
    both(scores(400), "a", sql_store, twin)
    with ThreadPoolExecutor(4) as pool:
        for work in [pool.submit(sql_store.refresh, 0) for _ in range(3)] + [pool.submit(same_as, twin, sql_store)]:
            work.result()
    same_as(twin, sql_store)
