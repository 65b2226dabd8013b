"""Estimates are signals: stored, the same on every replay, and alarmed about before any label comes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import structlog

from monitor.config.document import ConfigError
from monitor.configurations.in_force import compiled
from monitor.estimators.artefact import read_artefact, write_artefact
from monitor.replay import Replay
from monitor.sources.files import FileSource
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from tests.estimators.streams import Stream, configured
from tests.estimators.test_fitting import fitted

SIGNAL = "estimated:accuracy"
COUNT = 48_000
TURN = 45_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a fitted estimator, and events that turn hard after a week."""
    folder = tmp_path_factory.mktemp("estimates")
    write_artefact(folder / "loans.mpp.json", fitted("mpp", Stream(1).write(folder / "labelled.parquet")))
    hard = np.where(np.arange(COUNT) < TURN, 0.1, 0.6)
    stream = Stream(2, count=COUNT, hard=hard)
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in stream.events()))
    return folder


def replayed(folder: Path, batch: int) -> tuple[Replay, MemoryStore]:
    configuration = configured(folder, estimates={"accuracy": {"uri": "loans.mpp.json"}})
    store = MemoryStore()
    replay = Replay(configuration, store, FileSource({"loans": [folder / "events.jsonl"], "outcomes": []}))
    replay.run(batch)
    return replay, store


def rows(store: MemoryStore, table: str, **where: Any) -> list[dict[str, Any]]:
    columns = store.read(Query(table, {"model": "loans", **where}))
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def test_estimates_are_the_same_whatever_the_batch_and_alarm_before_a_label_comes(folder: Path) -> None:
    stores = [replayed(folder, batch)[1] for batch in (10_000, 777)]
    panes = [rows(store, "panes", signal=SIGNAL) for store in stores]
    assert repr(panes[0]) == repr(panes[1])
    assert sum(row["n"] for row in panes[0]) == COUNT
    alerts = [row for row in rows(stores[0], "alerts") if row["state"] != "resolved"]
    signals = {signal["signal"] for row in alerts for signal in json.loads(row["signals"])}
    assert SIGNAL in signals


def test_an_estimator_that_does_not_fit_is_refused_with_its_file_and_place(folder: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        configured(folder, threshold=0.4, estimates={"accuracy": {"uri": "none.json"}})
    assert "spec.performance.estimates.accuracy.uri" in str(refused.value)
    assert "no such file" in str(refused.value)


def test_a_file_that_is_replaced_in_place_is_not_taken_up_in_silence(folder: Path, tmp_path: Path) -> None:
    artefact = read_artefact(folder / "loans.mpp.json")
    write_artefact(tmp_path / "loans.mpp.json", artefact)
    configuration = configured(tmp_path, estimates={"accuracy": {"uri": "loans.mpp.json"}})
    watch = compiled(configuration, "loans", {})
    with structlog.testing.capture_logs() as quiet:
        assert compiled(configuration, "loans", {"loans": watch}) is watch
    write_artefact(tmp_path / "loans.mpp.json", msgspec.structs.replace(artefact, model="another"))
    with structlog.testing.capture_logs() as logs:
        assert compiled(configuration, "loans", {"loans": watch}) is watch
    assert (quiet, [(each["signal"], each["log_level"]) for each in logs]) == ([], [(SIGNAL, "error")])
