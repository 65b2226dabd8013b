"""Which label a prediction has depends on the two of them, and not on what is joined with them."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from monitor.performance import join
from monitor.performance.join import NONE, Pairs
from monitor.values import DAY_MS
from sinks.store.spans import HOUR_MS

NEVER_MS = np.iinfo(np.int64).max


def predictions(event_ms: Any, id_digest: Any) -> dict[str, Any]:
    return {"event_ms": np.array(event_ms), "known_ms": np.array(event_ms), "id_digest": np.array(id_digest)}


def labels_at(event_ms: Any, id_digest: Any) -> dict[str, Any]:
    count = len(event_ms)
    return {
        **predictions(event_ms, id_digest),
        "signal": ["label:y"] * count,
        "topic": ["truth"] * count,
        "partition": np.zeros(count, dtype=np.int64),
        "offset": np.arange(count),
        "value": np.arange(count) * 1.0,
        "retracted": np.zeros(count, dtype=np.int64),
    }


def test_labels_from_long_before_an_hour_are_not_found_whatever_other_hours_are_joined_with_it() -> None:
    labels = labels_at([DAY_MS, 4 * DAY_MS], [8, 9])
    alone = Pairs(predictions([10 * DAY_MS, 10 * DAY_MS], [8, 9]), labels)
    beside = Pairs(predictions([10 * DAY_MS, 10 * DAY_MS, 2 * DAY_MS], [8, 9, 7]), labels)
    for pairs, count in ((alone, 2), (beside, 3)):
        assert pairs.by(np.full(count, NEVER_MS), "label:y").label.tolist()[:2] == [NONE, 1]


def test_an_id_that_stands_for_many_events_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    # given predictions of ten hours that all have one id, and as many labels for it
    event_ms, count = np.arange(2_000) * (HOUR_MS // 200), 2_000
    predicted, labels = predictions(event_ms, np.full(count, 7)), labels_at(event_ms, np.full(count, 7))
    until_ms = event_ms // HOUR_MS * HOUR_MS + 2 * HOUR_MS
    whole = Pairs(predicted, labels).by(until_ms, "label:y")
    monkeypatch.setattr(join, "PAIRS", 5_000)
    # when
    tracemalloc.start()
    joined = Pairs(predicted, labels).by(until_ms, "label:y")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # then it is far less than the four million pairs that there are
    assert peak_bytes < 2_000_000
    assert joined.label.tolist() == whole.label.tolist() == np.minimum(event_ms // HOUR_MS * 200 + 399, 1_999).tolist()
    assert joined.delay_ms.tolist() == whole.delay_ms.tolist()
