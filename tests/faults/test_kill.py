"""A process killed at any step boundary, and what else may be wrong with what it left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.errors import CheckpointError
from monitor.replay import Replay
from monitor.sources.files import FileSource
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore
from tests.faults.killing import SPEC, steps
from tests.monitor.streams import TOPIC, applications, as_lines, configured, outcome, replayed, rows, written


@pytest.mark.slow
def test_a_run_killed_between_any_two_tables_ends_with_the_rows_of_an_unbroken_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.killing", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    unbroken = json.loads((tmp_path / "unbroken.json").read_text())
    assert all(unbroken["outcome"].values()), "the stream does not fill every table"
    outcomes = [o for path in sorted(tmp_path.glob("outcomes-*.json")) for o in json.loads(path.read_text())]
    assert {o["deaths"][0] for o in outcomes} >= set(steps(unbroken["appended"]))
    for found in outcomes:
        assert set(found["ends"]) == {-signal.SIGKILL}, (found["deaths"], done.stderr)
        assert found["last"] == 0, (found["deaths"], done.stderr)
        for table, expected in unbroken["outcome"].items():
            assert found["outcome"][table] == expected, (found["deaths"], table)


class StoppingStore(MemoryStore):
    """A store in memory that refuses after so many appends, as a crash would."""

    def __init__(self, appends: int) -> None:
        super().__init__()
        self.left = appends

    def append(self, table: str, columns: Any, token: str) -> None:
        if self.left == 0:
            raise InterruptedError("stopped on purpose")
        self.left -= 1
        super().append(table, columns, token)


def interrupted(tmp_path: Path, appends: int = 34) -> tuple[StoppingStore, list[Path]]:
    paths = written(tmp_path, [as_lines(applications(11, days=5, per_day=300))])
    store = StoppingStore(appends)
    with pytest.raises(InterruptedError):
        replayed(configured(**SPEC), paths, store, batch=150, checkpoint_every=150)
    store.left = -1
    assert len(store.read(Query("checkpoints"))["name"]) == 2
    return store, paths


@pytest.mark.parametrize(("batch", "step"), [(1, 23), (90, 1)])
def test_every_cut_of_a_run_in_memory_ends_with_the_rows_of_an_unbroken_one(
    batch: int, step: int, tmp_path: Path
) -> None:
    paths = written(tmp_path, [as_lines(applications(12, days=1, per_day=300)), []])
    whole, _ = replayed(configured(**SPEC), paths)
    endless = StoppingStore(-1)
    replayed(configured(**SPEC), paths, endless, batch=batch, checkpoint_every=1)
    appends = -1 - endless.left
    # The first few say what becomes of events that are held before anything has settled.
    for stop in [*range(12), *range(12, appends, step)]:
        store = StoppingStore(stop)
        with pytest.raises(InterruptedError):
            replayed(configured(**SPEC), paths, store, batch=batch, checkpoint_every=1)
        store.left = -1
        replayed(configured(**SPEC), paths, store, batch=90, checkpoint_every=90)
        assert outcome(store) == outcome(whole), stop


def psi_of_amount(store: Store) -> dict[int, dict[str, Any]]:
    """Scores by the end of their window."""
    return {row["window_end_ms"]: row for row in rows(store, "scores", signal="feature:amount", detector="psi")}


def test_a_changed_baseline_goes_on_from_the_checkpoint_and_learns_from_the_panes_that_are_stored(
    tmp_path: Path,
) -> None:
    # given a run that was cut off once its signals were known
    store, paths = interrupted(tmp_path)
    judged = psi_of_amount(store)
    assert {row["status"] for row in judged.values()} == {"learning", "ok"}
    position = rows(store, "checkpoints", stage="evaluate")[0]["position"]
    # when it goes on under another configuration
    changed = configured(**{**SPEC, "baseline": {"kind": "rolling", "span": "3d"}})
    _, done = replayed(changed, paths, store, batch=150)
    # then no event is read twice, and what was judged before the checkpoint stays
    assert 0 < done.counters.records < 1_500
    now = psi_of_amount(store)
    assert all(repr(now[end_ms]) == repr(row) for end_ms, row in judged.items() if end_ms < position)
    # and what comes after it is what the other configuration would have said all along, of the same panes
    whole, _ = replayed(changed, paths)
    unbroken = psi_of_amount(whole)
    assert now.keys() == unbroken.keys()
    assert all(repr(row) == repr(unbroken[end_ms]) for end_ms, row in now.items() if end_ms >= position)
    assert outcome(store)["panes"] == outcome(whole)["panes"]


def damage(store: Store, stage: str, change: Any) -> None:
    columns = store.read(Query("checkpoints", {"stage": stage}))
    columns["state"] = [change(state) for state in columns["state"]]
    columns["position"] = np.asarray(columns["position"]) + 1
    store.append("checkpoints", columns, token=f"damage/{stage}")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state[:-3], "damaged"),
        (lambda state: state[:40] + b"\x00\x01\x02" + state[43:], "damaged"),
        (lambda state: b"\x63" + state[1:], "unknown checkpoint format 63"),
        (lambda state: b"", "unknown checkpoint format empty"),
    ],
)
@pytest.mark.parametrize(("stage", "name"), [("ingest", TOPIC), ("evaluate", "loans")])
def test_a_damaged_checkpoint_is_refused_and_named(
    stage: str, name: str, change: Any, words: str, tmp_path: Path
) -> None:
    store, paths = interrupted(tmp_path)
    damage(store, stage, change)
    with pytest.raises(CheckpointError, match=words) as refused:
        Replay(configured(**SPEC), store, FileSource({TOPIC: paths})).run()
    assert stage in str(refused.value)
    assert name in str(refused.value)
