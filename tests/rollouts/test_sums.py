"""What versions may be compared by, and how well it is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.rollouts.sums import fields_of, step_between
from monitor.watch import compile_watch
from sinks.store.memory import MemoryStore
from tests.monitor.streams import START_MS, configured, replayed, written
from tests.rollouts.traffic import watched

NUMBER = {"type": "numeric"}


def test_a_feature_and_a_prediction_of_one_name_are_told_apart() -> None:
    fields: dict[str, Any] = {"features": {"x": NUMBER, "z": NUMBER}, "prediction": {"x": NUMBER}}
    watch = compile_watch(configured(schema={"id": "id", **fields}, segments=[]), "loans")
    rates = {name: signal for name, signal in fields_of(watch).items() if name.startswith("missing:")}
    assert rates == {
        "missing:feature:x": "feature:x",
        "missing:prediction:x": "prediction:x",
        "missing:z": "feature:z",
    }


@pytest.mark.parametrize(("level", "spread", "is_coarse"), [(1e6, 30.0, True), (50.0, 10.0, False), (0.3, 0.1, False)])
def test_a_number_far_from_0_for_its_spread_is_told_no_better_than_its_cells_are_wide(
    tmp_path: Path, level: float, spread: float, is_coarse: bool
) -> None:
    store, rng = MemoryStore(), np.random.default_rng(3)
    events = [
        {
            "id": f"e{number}",
            "ts": START_MS + number * 10_000,
            "version": "v1",
            "x": rng.normal(level, spread),
            "y": 0.5,
        }
        for number in range(2_000)
    ]
    replayed(watched(), written(tmp_path, [[json.dumps(event).encode() for event in events]]), store)
    step = step_between(store, compile_watch(watched(), "loans"), "feature:x", "v1")
    assert (step > spread) == is_coarse
    assert bool(step) == is_coarse
