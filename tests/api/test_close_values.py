"""A number whose spread is small beside its level: what its cells hide is said, and finer cells find it."""

from __future__ import annotations

import json
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.config import Configuration
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of
from tests.api.world import Client, World, serving
from tests.cli.console import Console
from tests.monitor.streams import HOUR_MS, START_MS, configured, replayed_lines

DAYS, PER_HOUR = 4, 60
MOVES_AT = 3 * 24 + 6
"""The hour from which values are five standard deviations higher."""


def watched() -> Configuration:
    features = {
        "coarse": {"type": "numeric"},
        "fine": {"type": "numeric", "path": "coarse", "usual_range": [52.65, 52.85]},
        "wide": {"type": "numeric"},
        "edge": {"type": "numeric"},
    }
    detect = {"rule": "change", "false_alarms": "1 per 30d", "pane": "1h", "defaults": {"window": "1h"}}
    return configured(detect=detect, schema={"id": "id", "features": features}, segments=[], alerts={})


def lines() -> list[bytes]:
    rng = np.random.default_rng(7)
    events = []
    for number in range(DAYS * 24 * PER_HOUR):
        moved = number >= MOVES_AT * PER_HOUR
        close, wide = 52.75 + 0.02 * float(rng.normal()) + 0.1 * moved, 20 + 3 * float(rng.normal())
        at_ms = START_MS + number * HOUR_MS // PER_HOUR
        events.append({"id": str(number), "ts": at_ms, "coarse": close, "edge": close + 0.23, "wide": wide})
    return [json.dumps(event).encode() for event in events]


@cache
def stored() -> Store:
    with tempfile.TemporaryDirectory() as folder:
        return replayed_lines(Path(folder), lines(), watched())[0]


def scores_of(signal: str) -> list[dict[str, Any]]:
    where = {"signal": signal, "detector": "change"}
    return sorted(rows_of(stored().read(Query("scores", where))), key=lambda row: row["window_end_ms"])


def alarmed_hours(signal: str) -> set[int]:
    drifts = (row["window_end_ms"] for row in scores_of(signal) if row["status"] == "drift")
    return {(end_ms - START_MS) // HOUR_MS - 1 for end_ms in drifts}


def test_a_usual_range_shows_what_moves_within_a_cell() -> None:
    assert alarmed_hours("feature:coarse") == set()
    assert set(range(MOVES_AT + 1, DAYS * 24 - 1)) <= alarmed_hours("feature:fine") <= set(range(MOVES_AT, DAYS * 24))


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(World(store=stored(), configuration=watched()))


def shifts_of(client: Client, signal: str) -> dict[str, dict[str, Any]]:
    [row] = client.items("/v1/series", model="loans", signal=signal)
    return {shift["contrast"]: shift for shift in row["detectable"]}


def test_the_smallest_shift_is_as_wide_as_a_cell_where_that_is_wider_than_values_spread(client: Client) -> None:
    typical = shifts_of(client, "feature:coarse")["typical value"]
    assert typical["step"] == 0.5
    for span in ("window", "day", "week"):
        assert typical[f"{span}_low"] <= typical["usual"] - 0.5 < typical["usual"] + 0.5 <= typical[f"{span}_high"]
        assert typical[f"{span}_shift"] > 10
    spread = shifts_of(client, "feature:coarse")["spread"]
    assert (spread["judged"], spread["week_shift"], spread["step"]) == ("unresolved", None, None)


@pytest.mark.parametrize("signal", ["feature:fine", "feature:wide"])
def test_cells_that_tell_values_apart_limit_nothing(client: Client, signal: str) -> None:
    shifts = shifts_of(client, signal)
    assert shifts["typical value"]["step"] is None
    assert 0 < shifts["typical value"]["week_shift"] < 1
    assert shifts["spread"]["week_shift"] > 0
    assert not any("told apart" in row["detail"] for row in scores_of(signal))


def test_what_may_not_be_seen_is_said_of_each_window_that_is_quiet(client: Client) -> None:
    [row] = client.items("/v1/series", model="loans", signal="feature:coarse")
    assert row["state"] == "protecting"
    assert "values are told apart in steps of 0.5 only: a shift of less may not be seen; `usual_range`" in row["detail"]
    quiet = [score["detail"] for score in scores_of("feature:coarse") if score["status"] == "ok"]
    assert all("told apart in steps of 0.5" in detail for detail in quiet)
    assert len(quiet) > 2 * 24


def test_the_command_writes_steps_and_ends_that_differ_from_what_is_usual(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(World(store=stored(), configuration=watched())) as url:
        [coarse, fine] = [
            next(
                line
                for line in Console(capsys)("status", "loans", signal, "--url", url).out.splitlines()
                if "below" in line
            )
            for signal in ("feature:coarse", "feature:fine")
        ]
    assert "52.8 (in steps of 0.5)" in coarse
    low, high = re.findall(r"below ([\d.]+) or above ([\d.]+)", fine)[-1]
    assert 52.7 < float(low) < 52.85 < float(high) + 0.1
    assert low != high


def test_an_alarm_says_no_more_than_cells_can_tell() -> None:
    alarms = [row["detail"] for row in scores_of("feature:edge") if row["status"] == "drift"]
    assert len(alarms) > 10
    assert "typical value 52.9 → higher by less than a step of 0.5" in alarms[-1]
    assert not any(re.search(r"\d\.\d\d", detail) for detail in alarms)
