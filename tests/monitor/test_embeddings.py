"""Embeddings: fields that hold a list of numbers, watched from the message to the alert."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.config.references import uses_for
from monitor.errors import InputError
from monitor.ingest.counters import Counters
from monitor.watch import compile_watch
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore
from tests.monitor.streams import HOUR_MS, START_MS, configured, drifts, outcome, replayed, rows, written

DIMENSION = 16
WINDOWS, TURNED = 102, 98
SPEC: dict[str, Any] = {
    "sources": [{"kafka": "loans", "event_time": {"path": "ts", "unit": "ms"}, "allowed_lateness": "10m"}],
    "schema": {
        "features": {
            "text": {"type": "vector", "dimension": DIMENSION, "path": "features.text"},
            "country": {"type": "category"},
        },
        "prediction": {"score": {"type": "numeric", "range": [0, 1]}},
    },
    "segments": [{"by": ["country"], "values": ["DE"]}],
    "baseline": {"kind": "rolling", "span": "7d"},
    "detect": {
        "pane": "10m",
        "defaults": {"window": "1h", "min_samples": 50, "learn_windows": 6},
        "rules": [
            {
                "on": "feature:text",
                "use": [
                    {"mmd": {"min_effect": 0.1}},
                    "reconstruction",
                    {"half_space_trees": {"false_alarm_rate": 0.001}},
                ],
            }
        ],
    },
}


def embedded(rng: np.random.Generator, turned: bool) -> list[float]:
    """A vector of length 1 near one of two topics; what is turned is of a third one."""
    topic = 4 if turned else int(rng.integers(0, 2))
    vector = rng.normal(0, 0.2, DIMENSION)
    vector[topic] += 1
    return [round(float(x), 6) for x in vector / np.linalg.norm(vector)]


def events(seed: int = 1, per_window: int = 100) -> list[bytes]:
    """Embeddings of which a half comes to be of a new topic; some are none."""
    rng = np.random.default_rng(seed)
    times = START_MS + np.sort(rng.integers(0, WINDOWS * HOUR_MS, WINDOWS * per_window))
    lines = []
    for number, at_ms in enumerate(times.tolist()):
        turned = at_ms >= START_MS + TURNED * HOUR_MS and rng.random() < 0.5
        vector: Any = embedded(rng, turned)
        if number % 50 == 0:
            vector = [None, vector[1:], [*vector[1:], "x"], "text"][number // 50 % 4]
        event = {"ts": at_ms, "features": {"text": vector}, "country": "DE" if rng.random() < 0.6 else "FR"}
        lines.append(json.dumps(event | {"score": round(float(rng.random()), 4)}).encode())
    return lines


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return written(tmp_path_factory.mktemp("embeddings"), [events()])


@pytest.fixture(scope="module")
def store(paths: list[Path]) -> Store:
    return replayed(configured(**SPEC), paths)[0]


def test_a_new_topic_alarms_and_distances_show_how_far_vectors_are(store: Store) -> None:
    uses = uses_for(configured(**SPEC).models["loans"])["feature:text"]
    assert list(uses) == ["mmd", "missing_rate", "invalid_rate", "reconstruction", "half_space_trees"]
    found = {(row["signal"], row["detector"]) for row in drifts(store, segment="")}
    assert found == {("feature:text", "change")}
    assert min(row["window_end_ms"] for row in drifts(store)) <= START_MS + (TURNED + 2) * HOUR_MS
    newest = {row["detector"]: row for row in rows(store, "scores", signal="feature:text", segment="")}
    assert all(newest[name]["effect"] > newest[name]["min_effect"] for name in ("mmd", "reconstruction"))
    assert {row["signal"] for row in rows(store, "findings")} == {"feature:text"}


def test_what_is_no_vector_is_counted_and_leaves_a_dead_letter(store: Store) -> None:
    panes = [row for row in rows(store, "panes", signal="feature:text") if not row["segment"]]
    total = len(events())
    assert {name: sum(row[name] for row in panes) for name in ("n", "missing", "invalid")} == {
        "n": total - total // 50,
        "missing": total // 200,
        "invalid": total * 3 // 200,
    }
    letters = Counter(row["reason"] for row in rows(store, "dead_letters"))
    assert letters == {"wrong_length": total // 200, "wrong_type": total // 100}
    (detail,) = {row["detail"] for row in rows(store, "dead_letters", reason="wrong_length")}
    assert detail == f"{DIMENSION - 1} numbers"


@pytest.mark.parametrize("batch", [11, 100_000])
def test_the_size_of_batches_does_not_show(batch: int, paths: list[Path], store: Store) -> None:
    again, _ = replayed(configured(**SPEC), paths, batch=batch, checkpoint_every=500)
    assert outcome(again) == outcome(store)


class Died(Exception):  # noqa: N818 -- not an error of ours
    """The process is gone."""


def test_deaths_between_checkpoints_do_not_show(paths: list[Path], store: Store) -> None:
    again: Store = MemoryStore()
    for dies_at in (900, 2_000, 4_100, 8_100, 10**9):

        def dies(counters: Counters, dies_at: int = dies_at) -> None:
            if again.read(Query("progress"))["next_offset"].max(initial=0) >= dies_at:
                raise Died

        with contextlib.suppress(Died):
            replayed(configured(**SPEC), paths, again, batch=130, checkpoint_every=400, on_progress=dies)
    assert outcome(again) == outcome(store)


def test_a_data_set_is_the_baseline(tmp_path: Path, paths: list[Path]) -> None:
    rng = np.random.default_rng(5)
    vectors: list[Any] = [embedded(rng, turned=False) for _ in range(2_000)]
    vectors[:3] = [None, vectors[1][1:], [*vectors[2][1:], None]]
    pq.write_table(pa.table({"text": vectors}), tmp_path / "train.parquet")
    baseline = {"kind": "dataset", "uri": str(tmp_path / "train.parquet")}
    configuration = configured(**SPEC | {"baseline": baseline, "segments": []})
    watch = compile_watch(configuration, "loans")
    summary = watch.reference["", "feature:text"]
    assert (summary.n, summary.missing, summary.invalid) == (1_997, 1, 2)
    found, _ = replayed(configuration, paths)
    assert min(row["window_end_ms"] for row in drifts(found)) in range(
        START_MS + (TURNED + 1) * HOUR_MS, START_MS + (TURNED + 2) * HOUR_MS + 1
    )
    pq.write_table(pa.table({"text": ["a", "b"]}), tmp_path / "train.parquet")
    with pytest.raises(InputError, match="column 'text' does not hold lists of numbers"):
        compile_watch(configuration, "loans")
    pq.write_table(pa.table({"text": [[1.0], [2.0]]}), tmp_path / "train.parquet")
    with pytest.raises(InputError, match="column 'text' holds no list of 16 numbers"):
        compile_watch(configuration, "loans")


def refused(**changes: Any) -> str:
    with pytest.raises(ValueError, match=r".") as refusal:
        configured(**SPEC | changes)
    return str(refusal.value)


def test_fields_that_cannot_be_are_refused() -> None:
    fields = {"text": {"type": "vector"}}
    assert "a vector needs its `dimension`" in refused(schema={"features": fields})
    assert "nothing else has one" in refused(schema={"features": {"text": {"type": "numeric", "dimension": 3}}})
    assert "less than or equal to 4096" in refused(schema={"features": {"text": {"type": "vector", "dimension": 5000}}})
    source = SPEC["sources"][0] | {"format": {"kind": "csv", "columns": ["ts", "text"]}}
    assert "rows of csv hold no vectors, such as feature:text" in refused(sources=[source])
