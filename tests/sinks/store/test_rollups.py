"""Buckets of scores: the same from raw scores, from roll-ups, and from the plain twin in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sinks.store import STORES, open_store
from sinks.store.contract import BUCKETS, TABLES, Buckets, Columns, Store, StoreError
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
    "an empty stretch": Buckets(START_MS, START_MS, HOUR_MS),
}


@pytest.fixture(scope="module", params=list(STORES))
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with a few thousand scores over three days."""
    with store_of(request.param, request, tmp_path_factory.mktemp("store")) as opened:
        opened.append("scores", scores(3_000), "a")
        yield opened


@pytest.fixture(scope="module")
def twin() -> Store:
    store = open_store("memory")
    store.append("scores", scores(3_000), "a")
    return store


@pytest.mark.parametrize("question", list(QUESTIONS))
def test_every_store_gives_the_same_buckets(filled: Store, twin: Store, question: str) -> None:
    found, expected = filled.buckets(QUESTIONS[question]), twin.buckets(QUESTIONS[question])
    assert list(found) == [column.name for column in BUCKETS.columns]
    assert exact(BUCKETS, found) == exact(BUCKETS, expected)
    assert bool(len(found["model"])) == (question not in {"nothing", "an empty list", "an empty stretch"})


@pytest.mark.parametrize("step_ms", [0, HOUR_MS, 5 * 60_000])
@pytest.mark.parametrize("order", ["time", "worst"])
def test_pages_hold_every_bucket_once(filled: Store, order: Any, step_ms: int) -> None:
    question = Buckets(START_MS, START_MS + 30 * HOUR_MS, step_ms, {"model": "m0"}, order)
    page, seen = replace(question, limit=23), list[Columns]()
    while len((rows := filled.buckets(page))["model"]):
        seen.append(rows)
        page = replace(page, after=page.cursor(rows))
    whole = {name: [value for rows in seen for value in rows[name]] for name in seen[0]}
    assert exact(BUCKETS, whole) == exact(BUCKETS, filled.buckets(question))


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
