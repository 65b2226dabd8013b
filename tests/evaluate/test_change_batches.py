"""Versions that come, inherit and go: what is said of them depends on no batch and on no restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.watch import Watch, compile_watch
from sinks.store.contract import Store
from tests.evaluate.batches import evaluated
from tests.monitor.streams import HOUR_MS, START_MS, as_lines, configured, replayed_lines

DAYS, WINDOW_MS, PER_WINDOW = 66, 6 * HOUR_MS, 60
SERVED = {"v1": (0, 21), "v2": (16, 20), "v3": (18.25, DAYS), "v4": (19.5, 20.75)}
"""From which day to which each version answers; two are let go of in the midst of what the last one says."""

DETECT = {
    "rule": "change",
    "false_alarms": "1 per 30d",
    "pane": "6h",
    "defaults": {"window": "6h", "learn_windows": 4},
    "default_rules": False,
    "rules": [
        {"on": "feature:*", "use": ["missing_rate"]},
        {"on": "feature:x", "use": [{"robust_z": {"false_alarm_rate": 0.01, "history": 200}}]},
        {"on": "volume", "use": ["volume"]},
    ],
}


def events() -> list[dict[str, Any]]:
    """Odd values come in ever longer spells; all values of v2 have moved, and its alarm stands when it ends."""
    rng, made = np.random.default_rng(5), []
    for window in range(DAYS * 4):
        serving = [version for version, (first, end) in SERVED.items() if first <= window / 4 < end]
        odd = np.arange(PER_WINDOW) < rng.poisson(window / 100)
        values = rng.normal(size=(len(serving), PER_WINDOW)) + 9 * odd
        for number in range(PER_WINDOW):
            for version, value in zip(serving, values[:, number].tolist(), strict=True):
                at_ms = START_MS + window * WINDOW_MS + number * WINDOW_MS // PER_WINDOW
                x = value + 2 * (version == "v2")
                made.append({"id": f"{window}/{version}/{number}", "ts": at_ms, "version": version, "x": x})
    return made


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Watch]:
    folder: Path = tmp_path_factory.mktemp("batches")
    pq.write_table(pa.table({"x": np.random.default_rng(11).normal(size=2_000)}), folder / "training.parquet")
    schema = {"id": "id", "version": "version", "features": {"x": {"type": "numeric"}}}
    baseline = {"kind": "dataset", "uri": str(folder / "training.parquet")}
    configuration = configured(detect=DETECT, schema=schema, segments=[], baseline=baseline)
    store, _ = replayed_lines(folder, as_lines(events()), configuration)
    return store, compile_watch(configuration, "loans")


@pytest.fixture(scope="module")
def at_a_time(stored: tuple[Store, Watch]) -> dict[str, list[str]]:
    return evaluated(*stored, DAYS, [1])


@pytest.mark.parametrize("sizes", [[1000], [11, 30, 7]])
def test_versions_that_come_and_go_depend_on_no_batch_or_restart(
    sizes: list[int], stored: tuple[Store, Watch], at_a_time: dict[str, list[str]]
) -> None:
    assert evaluated(*stored, DAYS, sizes) == at_a_time
