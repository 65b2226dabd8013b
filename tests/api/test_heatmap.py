"""How strongly every signal of a model has moved, cell by cell: the same as adding the scores up by hand."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from monitor.api import heatmap
from monitor.resources.history import Status
from sinks.store.memory import MemoryStore
from tests.api.world import MINUTE_MS, Client, World, score

STATUSES: tuple[Status, ...] = ("ok", "warning", "drift", "no_data", "learning")


def scores() -> list[dict[str, Any]]:
    rng = random.Random(8)
    return [
        score(
            end,
            signal=signal,
            detector=detector,
            segment=segment,
            status=status,
            effect=effect,
            min_effect=least,
            **beyond,
        )
        for end in range(5, 180, 5)
        for signal in ("volume", "feature:amount")
        for segment in ("", "country=DE")
        for detector, least in (("psi", 0.1), ("ks", 0.0))
        for status in rng.choices(STATUSES, [5, 1, 2, 1, 2])
        for effect in (rng.choice([rng.random(), float("nan")]),)
        for beyond in ({"surprise": rng.uniform(-1, 12), "surprise_limit": 8.0 if signal == "volume" else 0.0},)
        if rng.random() < 0.9
    ]


def by_hand(rows: list[dict[str, Any]], signal: str, first_min: int, cell_min: int, cells: int) -> list[float | None]:
    """The strongest detector and segment of each cell; where the worst window of one was not judged, it counts too."""
    strengths: list[float | None] = []
    for cell in range(cells):
        low, high = first_min + cell * cell_min, first_min + (cell + 1) * cell_min
        judged = []
        for detector in ("psi", "ks"):
            for segment in ("", "country=DE"):
                windows = [
                    row
                    for row in rows
                    if (row["signal"], row["detector"], row["segment"]) == (signal, detector, segment)
                    and low * MINUTE_MS < row["window_end_ms"] <= high * MINUTE_MS
                ]
                if any(row["status"] in heatmap.JUDGED for row in windows):
                    judged += _near(windows)
        strengths.append(max(judged, default=None))
    return strengths


def _near(windows: list[dict[str, Any]]) -> list[float]:
    """How large the drift of one detector in a cell is, or how near its window with the largest effect was to one."""
    effects = [(row["effect"], row["min_effect"]) for row in windows if row["status"] == "drift"]
    drift = [effect / least if least else 1e6 for effect, least in effects if effect == effect]
    if any(row["status"] == "drift" for row in windows):
        return [round(max([1.0, *drift]), 4)]
    worst = max(
        windows, key=lambda row: (row["effect"] if row["effect"] == row["effect"] else -1, row["window_end_ms"])
    )
    ratios = (
        [worst["effect"] / worst["min_effect"]] if worst["min_effect"] and worst["effect"] == worst["effect"] else []
    )
    ratios += [max(0.0, worst["surprise"]) / worst["surprise_limit"]] if worst["surprise_limit"] else []
    return [round(min(ratios), 4)] if ratios else []


@pytest.fixture
def world() -> World:
    world = World()
    world.add("scores", scores())
    return world


@pytest.mark.parametrize("most_rows", [200_000, 7], ids=["at once", "in pages"])
def test_cells_are_what_the_scores_say(most_rows: int, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heatmap, "MOST_ROWS", most_rows)
    items = Client(world).items("/v1/heatmap", model="fraud", from_=10 * MINUTE_MS, to=150 * MINUTE_MS + 1, cells=11)
    inside = [row for row in scores() if 10 <= row["window_end_ms"] / MINUTE_MS <= 150]
    assert {item["cell_ms"] for item in items} == {15 * MINUTE_MS}
    assert {item["first_cell_ms"] for item in items} == {0}
    for item in items:
        assert item["strengths"] == by_hand(inside, item["signal"], 0, 15, 10)
        assert item["strength"] == max(value for value in item["strengths"] if value is not None)
        own = [row for row in inside if row["signal"] == item["signal"]]
        drift = {int((row["window_end_ms"] / MINUTE_MS - 0.001) // 15) for row in own if row["status"] == "drift"}
        assert item["drift_cells"] == sorted(drift)
        assert item["windows"] == len(own)
        assert item["drift_windows"] == sum(row["status"] == "drift" for row in own)
    assert items == sorted(items, key=lambda item: -item["strength"])


def test_no_more_cells_and_signals_come_than_were_asked_for(world: World) -> None:
    for cells in (1, 2, 3, 7, 40):
        [item] = Client(world).items("/v1/heatmap", model="fraud", cells=cells, limit=1)
        assert len(item["strengths"]) <= max(cells, 2)
        assert item["first_cell_ms"] < 5 * MINUTE_MS
        assert item["first_cell_ms"] + len(item["strengths"]) * item["cell_ms"] >= 175 * MINUTE_MS


def test_a_segment_is_chosen_and_all_traffic_is_the_empty_one(world: World) -> None:
    windows = {
        segment: sum(item["windows"] for item in Client(world).items("/v1/heatmap", model="fraud", segment=segment))
        for segment in ("", "country=DE")
    }
    counts = {segment: sum(row["segment"] == segment for row in scores()) for segment in windows}
    assert windows == counts


def test_a_model_without_scores_has_none_and_an_unknown_one_is_said() -> None:
    client = Client(World(store=MemoryStore()))
    assert client.items("/v1/heatmap", model="fraud") == []
    assert client.get("/v1/heatmap", model="frod").status_code == 404


def test_a_drift_that_is_infinitely_strong_comes_first() -> None:
    world = World()
    infinite = [score(5, signal="feature:a", effect=0.5, min_effect=0.0), score(5, signal="feature:b", effect=math.inf)]
    over = [score(5, signal="feature:c", effect=1e308, min_effect=1e-10), score(5, signal="feature:d", effect=0.5)]
    world.add("scores", [row | {"status": "drift"} for row in (*infinite, *over)])
    client = Client(world)
    strengths = {row["signal"]: row["strengths"] for row in client.items("/v1/heatmap", model="fraud")}
    assert list(strengths) == ["feature:a", "feature:b", "feature:c", "feature:d"]
    assert [row[0] >= 1e6 for row in strengths.values()] == [True, True, True, False]
    [fraud] = (row for row in client.items("/v1/fleet") if row["model"] == "fraud")
    assert (fraud["signal"], fraud["strength"], max(fraud["strengths"])) == ("feature:a", 1e6, 1e6)
