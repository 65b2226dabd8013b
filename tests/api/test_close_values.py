"""A number whose spread is small beside its level: what its cells hide is said, and finer cells find it."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from monitor.config import Configuration
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of
from tests.monitor.streams import HOUR_MS, START_MS, configured, replayed_lines

DAYS, PER_HOUR = 4, 60
MOVES_AT = 3 * 24 + 6
"""The hour from which values are five standard deviations higher."""


def watched() -> Configuration:
    features = {
        "coarse": {"type": "numeric"},
        "fine": {"type": "numeric", "path": "coarse", "usual_range": [52.65, 52.85]},
        "wide": {"type": "numeric"},
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
        events.append({"id": str(number), "ts": at_ms, "coarse": close, "wide": wide})
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
