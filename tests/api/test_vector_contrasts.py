"""Embeddings of sixty events an hour: what has moved is found, told, explained, and accepted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from monitor.config import Configuration
from sinks.store.contract import Store
from tests.api.world import Client, World
from tests.monitor.streams import HOUR_MS, START_MS, configured, drifts, replayed_lines, rows

Vectors = npt.NDArray[np.float64]

DIMENSION, HOURS, MOVED = 8, 9 * 24, 8 * 24 + 9
OF_DIRECTIONS = {f"{aspect} along direction {number}" for number in range(1, 9) for aspect in ("position", "spread")}


def watched(norm: float = 3.0) -> Configuration:
    return configured(
        sources=[{"kafka": "loans", "event_time": {"path": "ts", "unit": "ms"}, "allowed_lateness": "1m"}],
        schema={"features": {"text": {"type": "vector", "dimension": DIMENSION, "norm": norm}}},
        segments=[],
        baseline={"kind": "rolling", "span": "30d"},
        detect={"false_alarms": "1 per 7d", "pane": "1h", "defaults": {"window": "1h"}},
    )


def higher(vectors: Vectors) -> Vectors:
    """All coordinates are 0.7 standard deviations higher."""
    return vectors + 0.7


def lines(change: Callable[[Vectors], Vectors] = higher, hours: int = HOURS) -> list[bytes]:
    """Independent coordinates, which are changed from an hour on."""
    rng = np.random.default_rng(11)
    times = START_MS + np.sort(rng.integers(0, hours * HOUR_MS, hours * 60))
    vectors = rng.normal(size=(len(times), DIMENSION))
    later = times >= START_MS + MOVED * HOUR_MS
    vectors[later] = change(vectors[later])
    return [
        json.dumps({"ts": at_ms, "text": [round(x, 5) for x in vector]}).encode()
        for at_ms, vector in zip(times.tolist(), vectors.tolist(), strict=True)
    ]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return replayed_lines(tmp_path_factory.mktemp("embedded"), lines(), watched())[0]


@pytest.fixture(scope="module")
def client(store: Store) -> Client:
    return Client(World(store=store, configuration=watched()))


def explained(client: Client, hour: int) -> dict[str, Any]:
    at_ms = START_MS + hour * HOUR_MS + 1
    answer = client.get("/v1/explain", model="loans", signal="feature:text", at=str(at_ms))
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return {**document, "by_name": {contrast["contrast"]: contrast for contrast in document["contrasts"]}}


def test_one_alert_within_two_windows_says_how_far_along_which_direction(client: Client, store: Store) -> None:
    [alert] = client.items("/v1/alerts", model="loans")
    [moved] = alert["signals"]
    [first_ms, *_] = [row["window_end_ms"] for row in drifts(store)]
    assert START_MS + (MOVED + 1) * HOUR_MS <= first_ms <= START_MS + (MOVED + 2) * HOUR_MS
    assert alert["state"] == "firing"
    assert alert["title"].startswith("loans: feature:text moved (position along direction ")
    assert (moved["contrast"] in OF_DIRECTIONS, moved["detector"]) == (True, "change")
    assert " sd → " in moved["reason"]


def test_a_window_is_explained_direction_by_direction(client: Client) -> None:
    window = explained(client, MOVED - 5)
    assert window["outcome"] == "quiet"
    assert set(window["by_name"]) == {
        *OF_DIRECTIONS,
        "spread over all directions",
        "missing",
        "invalid",
        "out of range",
    }
    position, spread = (window["by_name"][f"{aspect} along direction 1"] for aspect in ("position", "spread"))
    assert (position["unit"], spread["unit"]) == ("sd", "factor")
    assert position["alarms_below"] < position["actual"] < position["alarms_above"]
    assert abs(position["actual"]) < 0.5
    assert 0.7 < spread["actual"] < 1.4
    assert {row["detector"] for row in window["scores"]} == {"change", "mmd", "missing_rate", "invalid_rate"}


def test_the_smallest_shift_that_is_found_is_said(client: Client) -> None:
    series = client.items("/v1/series", model="loans", signal="feature:text")
    assert {row["detector"] for row in series} == {"change"}
    shifts = {shift["contrast"]: shift for row in series for shift in row["detectable"]}
    position = shifts["position along direction 2"]
    assert position["unit"] == "sd"
    assert 0.05 < position["week_high"] <= position["day_high"] <= position["window_high"] < 2
    assert shifts["spread over all directions"]["unit"] == "factor"


def test_vectors_that_are_all_one_are_said_to_be_nearly_constant(tmp_path: Path) -> None:
    constant = replayed_lines(tmp_path, lines(lambda x: np.full_like(x, 0.4), 10 * 24), watched())[0]
    titles = [row["title"] for row in rows(constant, "alerts")]
    assert titles
    assert all("nearly constant, spread over all directions" in title for title in titles)


def test_vectors_too_long_for_their_norm_are_blind_and_say_so(tmp_path: Path) -> None:
    """They were `protecting`, and nothing was ever found."""
    blind = Client(World(store=replayed_lines(tmp_path, lines(), watched(0.05))[0], configuration=watched(0.05)))
    [row] = [row for row in blind.items("/v1/series", model="loans", signal="feature:text") if not row["segment"]]
    assert row["state"] == "blind"
    assert "so much longer than their `norm`" in row["reason"]
    assert blind.items("/v1/alerts", model="loans") == []


def test_where_vectors_lie_now_is_accepted(client: Client) -> None:
    [alert] = client.items("/v1/alerts", model="loans")
    body = {"model": "loans", "signal": "feature:text", "says": "accepted", "reason": "a new encoder"}
    answer = client.request("POST", "/v1/marks", json=body | {"created_by": "ann", "at": alert["starts_ms"]})
    assert answer.status_code == 200, answer.text
