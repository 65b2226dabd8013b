"""History, findings, dead letters, models: what is stored is what is shown."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.api.buckets import LADDER_MS, bucket_rows, chosen_step_ms, read_buckets
from monitor.api.reading import query_for, read_page
from sinks.store.memory import MemoryStore
from tests.api.world import MINUTE_MS, NOW_MS, Client, World, score


def test_scores_come_in_the_order_of_time_with_nan_as_null() -> None:
    world = World()
    world.add("scores", [score(10, detector="psi"), score(5, detector="psi"), score(5, detector="ks")])
    items = Client(world).items("/v1/history", model="fraud")
    assert [(item["window_end_ms"] // MINUTE_MS, item["detector"]) for item in items] == [
        (5, "ks"),
        (5, "psi"),
        (10, "psi"),
    ]
    assert items[0]["p_value"] is None


@pytest.mark.parametrize(
    ("parameters", "ends"),
    [
        ({"signal": "feature:amount"}, [5, 15]),
        ({"segment": "country=DE"}, [10]),
        ({"segment": ""}, [5, 15]),
        ({"version": "v2"}, [15]),
        ({"detector": "ks"}, [10]),
        ({"from_": 10 * MINUTE_MS, "to": 15 * MINUTE_MS}, [10]),
        ({"from_": "1970-01-01T00:10:00Z"}, [10, 15]),
        ({"order": "desc"}, [15, 10, 5]),
    ],
)
def test_scores_are_chosen_by_their_series_and_time(parameters: dict[str, Any], ends: list[int]) -> None:
    world = World()
    other = {"signal": "feature:country", "segment": "country=DE", "detector": "ks"}
    world.add("scores", [score(5), score(10, **other), score(15, version="v2"), score(20, model="churn")])
    items = Client(world).items("/v1/history", model="fraud", **parameters)
    assert [item["window_end_ms"] // MINUTE_MS for item in items] == ends


def test_relative_times_count_from_the_services_clock() -> None:
    world = World()
    now_min = NOW_MS // MINUTE_MS
    world.add("scores", [score(now_min - 61), score(now_min - 59)])
    document = Client(world).get("/v1/history", model="fraud", from_="-1h").json()
    assert document["from_ms"] == NOW_MS - 60 * MINUTE_MS
    assert [item["window_end_ms"] // MINUTE_MS for item in document["items"]] == [now_min - 59]


def test_pages_hold_every_row_once_while_rows_are_added() -> None:
    world = World()
    world.add("scores", [score(end) for end in range(10)])
    client = Client(world)
    first = client.get("/v1/history", model="fraud", limit=4).json()
    world.add("scores", [score(1, detector="ks"), score(20)])
    second = client.get("/v1/history", model="fraud", limit=50, cursor=first["next_cursor"]).json()
    ends = [item["window_end_ms"] // MINUTE_MS for item in first["items"] + second["items"]]
    assert ends == [*range(10), 20]
    assert second["next_cursor"] is None


def test_a_cursor_of_another_query_is_refused() -> None:
    world = World()
    world.add("scores", [score(end) for end in range(3)])
    client = Client(world)
    cursor = client.get("/v1/history", model="fraud", limit=1).json()["next_cursor"]
    for path in ("/v1/findings?model=fraud", "/v1/history?model=fraud&order=desc", "/v1/history?model=fraud&step=1h"):
        answer = client.get(f"{path}&cursor={cursor}")
        assert answer.json()["type"] == "/v1/problems#bad-cursor", path


def test_a_bucket_shows_its_worst_window_and_counts_the_others() -> None:
    world = World()
    world.add(
        "scores",
        [
            score(5, statistic=0.2, effect=0.2),
            score(30, statistic=0.8, effect=0.8, status="drift"),
            score(60, statistic=math.nan, effect=math.nan, status="no_data"),
            score(65, statistic=0.1, effect=0.1),
        ],
    )
    first, second = Client(world).items("/v1/history", model="fraud", step="1h")
    assert (first["bucket_start_ms"], first["bucket_end_ms"]) == (0, 60 * MINUTE_MS)
    assert (first["windows"], first["n"], second["windows"]) == (3, 300, 1)
    assert (first["statistic_min"], first["statistic_mean"], first["statistic_max"]) == (0.2, 0.5, 0.8)
    assert first["statuses"] == {"ok": 1, "warning": 0, "drift": 1, "no_data": 1, "learning": 0}
    assert first["worst"]["window_end_ms"] == 30 * MINUTE_MS


windows = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(["psi", "ks"]), st.floats(0, 2) | st.just(math.nan)),
    max_size=30,
    unique_by=lambda window: window[:2],
)


@settings(max_examples=60, deadline=None)
@given(windows, st.integers(1, 12), st.integers(1, 5))
def test_buckets_in_pages_are_the_buckets_in_one(rows: list[Any], step_min: int, size: int) -> None:
    world = World(store=MemoryStore())
    world.add("scores", [score(end, detector=name, effect=effect, statistic=effect) for end, name, effect in rows])
    asked = world.store, {"model": "fraud"}, (None, None), step_min * MINUTE_MS
    whole = read_buckets(*asked, limit=1000)
    paged: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = read_buckets(*asked, limit=size, cursor=cursor)
        paged += bucket_rows(page)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert str(paged) == str(bucket_rows(whole))  # as text, since NaN is not equal to itself
    assert sum(bucket["windows"] for bucket in paged) == len(rows)
    for bucket in paged:
        inside = [
            effect
            for end, name, effect in rows
            if name == bucket["detector"]
            and bucket["bucket_start_ms"] < end * MINUTE_MS <= bucket["bucket_end_ms"]
            and not math.isnan(effect)
        ]
        if inside:
            assert bucket["worst"]["effect"] == max(inside)


@given(st.integers(1, 2**50), st.integers(1, 5_000), st.integers(1, 48).map(lambda n: n * 5 * MINUTE_MS))
def test_the_chosen_step_gives_no_more_points_than_asked_for_and_no_fewer_than_needed(
    span_ms: int, points: int, window_ms: int
) -> None:
    step_ms = chosen_step_ms(span_ms, points, window_ms)
    assert span_ms <= points * step_ms
    finer = [step for step in (window_ms, *LADDER_MS) if window_ms <= step < step_ms]
    assert all(span_ms > points * step for step in finer)


@pytest.mark.parametrize(
    ("asked", "step_min"),
    [
        ({}, 5),  # from the first to the last window: two hours
        ({"points": 10}, 15),
        ({"points": 2}, 60),
        ({"from_": 0, "to": 30 * 24 * 60 * MINUTE_MS}, 6 * 60),
        ({"signal": "feature:country"}, 5),
    ],
)
def test_auto_chooses_the_step_for_the_span(asked: dict[str, Any], step_min: int) -> None:
    world = World()
    world.add("scores", [score(5), score(120)])
    document = Client(world).get("/v1/history", model="fraud", step="auto", **asked).json()
    assert document["step_ms"] == step_min * MINUTE_MS
    assert document["items"] == Client(world).items(
        "/v1/history",
        model="fraud",
        step=f"{step_min}m",
        **{name: value for name, value in asked.items() if name != "points"},
    )


def test_further_pages_keep_the_step_while_the_span_grows() -> None:
    world = World()
    world.add("scores", [score(end) for end in (5, 10, 15)])
    client = Client(world)
    first = client.get("/v1/history", model="fraud", step="auto", points=3, limit=1).json()
    world.add("scores", [score(500)])
    second = client.get("/v1/history", model="fraud", step="auto", points=3, cursor=first["next_cursor"]).json()
    assert first["step_ms"] == second["step_ms"] == 5 * MINUTE_MS
    ends = [item["bucket_end_ms"] // MINUTE_MS for item in first["items"] + second["items"]]
    assert ends == [5, 10, 15, 500]


@settings(max_examples=40, deadline=None)
@given(windows, st.integers(1, 7), st.booleans())
def test_pages_are_the_rows_in_order(rows: list[Any], size: int, descending: bool) -> None:
    world = World(store=MemoryStore())
    world.add("scores", [score(end, detector=name) for end, name, _ in rows])
    found: list[tuple[int, str]] = []
    cursor = None
    while True:
        query = query_for("scores", {"model": "fraud"}, limit=size, descending=descending)
        page = read_page(world.store, query, cursor)
        found += [(row["window_end_ms"] // MINUTE_MS, row["detector"]) for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == sorted(((end, name) for end, name, _ in rows), reverse=descending)


def test_findings_are_chosen_by_event_time_and_detector() -> None:
    world = World()
    row = {"model": "fraud", "signal": "feature:amount", "topic": "t", "status": "drift", "score": math.inf}
    world.add("findings", [row | {"detector": d, "offset": o, "event_ms": o} for o, d in ((7, "adwin"), (3, "cusum"))])
    client = Client(world)
    assert [item["offset"] for item in client.items("/v1/findings", model="fraud")] == [3, 7]
    assert [item["offset"] for item in client.items("/v1/findings", model="fraud", detector="adwin")] == [7]
    assert [item["offset"] for item in client.items("/v1/findings", model="fraud", to=7)] == [3]
    assert client.items("/v1/findings", model="fraud")[0]["score"] is None


def test_an_anomaly_is_shown_with_its_level_and_a_drift_without_one() -> None:
    world = World()
    row = {"model": "fraud", "signal": "feature:amount", "topic": "t", "score": 9.5}
    level = 1.0 - 2.0**-30
    world.add("findings", [row | {"detector": "adwin", "status": "drift", "level": math.nan, "event_ms": 1}])
    world.add("findings", [row | {"detector": "robust_z", "status": "anomaly", "level": level, "event_ms": 2}])
    drift, anomaly = Client(world).items("/v1/findings", model="fraud")
    assert (drift["status"], drift["level"]) == ("drift", None)
    assert (anomaly["status"], anomaly["level"]) == ("anomaly", level)


def test_dead_letters_come_without_their_payload_where_it_is_not_wanted() -> None:
    world = World()
    world.add("dead_letters", [{"topic": "t", "offset": 7, "action": "rejected", "payload": b"x", "payload_bytes": 1}])
    world.add("retries", [{"topic": "t", "offset": 7, "attempt": 1, "at_ms": 5}, {"topic": "t", "offset": 8}])
    (row,) = Client(world).items("/v1/dead-letters", payload="false")
    assert (row["offset"], row["payload"], row["payload_base64"], row["payload_bytes"]) == (7, None, "", 1)
    assert (row["retries"], row["retried_ms"]) == (1, 5)
    assert Client(world).items("/v1/dead-letters", topic="t", partition=0, offset=7)[0]["payload"] == "x"
    assert not Client(world).items("/v1/dead-letters", topic="t", partition=0, offset=8)


def test_dead_letters_come_newest_first_with_their_payload() -> None:
    world = World()
    letters = [
        {"topic": "t", "offset": 1, "reason": "not_json", "action": "rejected", "record_ms": 5, "payload": b"{\xff"},
        {"topic": "t", "offset": 2, "reason": "bad_number", "action": "kept", "record_ms": 6, "payload": "{ü".encode()},
    ]
    world.add("dead_letters", letters)
    client = Client(world)
    newest, oldest = client.items("/v1/dead-letters")
    assert (newest["payload"], oldest["payload"], oldest["payload_base64"]) == ("{ü", None, "e/8=")
    assert [item["offset"] for item in client.items("/v1/dead-letters", reason="not_json")] == [1]
    assert [item["offset"] for item in client.items("/v1/dead-letters", action="kept")] == [2]
    assert client.items("/v1/dead-letters", topic="u") == []


def test_models_are_listed_by_name() -> None:
    items = Client(World()).items("/v1/models")
    assert [(item["name"], item["signals"], item["sources"]) for item in items] == [
        ("churn", 4, ["churn"]),
        ("fraud", 4, ["fraud"]),
    ]


def test_a_model_shows_the_newest_state_of_its_series() -> None:
    world = World()
    world.add(
        "scores",
        [
            score(5, status="drift"),
            score(10, status="ok"),
            score(10, detector="ks", status="learning"),
            score(10, signal="prediction:score", status="drift"),
            score(10, signal="prediction:score", detector="ks"),
        ],
    )
    document = Client(world).get("/v1/models/fraud").json()
    assert [(series["signal"], series["state"]) for series in document["series"]] == [
        ("feature:amount", "learning"),
        ("prediction:score", "drift"),
    ]
    assert document["series"][1]["detectors"] == {"ks": "ok", "psi": "drift"}
    assert document["configuration"]["spec"]["schema"]["features"]["amount"]["range"] == [0.0, 100.0]
    assert list(document["uses"]["feature:country"]) == [
        "psi",
        "chi_squared",
        "missing_rate",
        "invalid_rate",
        "new_category",
    ]
