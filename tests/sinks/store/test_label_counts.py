"""Labels that correct, take back, or are of nobody are counted alike by every store, and as by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from sinks.store.contract import TABLES, Store
from sinks.store.label_counts import LabelCounts, label_counts
from sinks.store.spans import HOUR_MS
from tests.sinks.store.conftest import store_of

SPAN = (2 * HOUR_MS, 6 * HOUR_MS)


@pytest.fixture(scope="module")
def stores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Store]]:
    with ExitStack() as opened:
        yield [
            opened.enter_context(store_of(kind, request, tmp_path_factory.mktemp(kind))) for kind in ("memory", "chdb")
        ]


def stored(store: Store, table: str, rows: list[dict[str, Any]], token: str) -> None:
    empty: dict[str, Any] = {"str": "", "int": 0, "float": float("nan"), "bytes": b"", "ints": [], "strs": []}
    columns = {each.name: [row.get(each.name, empty[each.kind]) for row in rows] for each in TABLES[table].columns}
    store.append(table, columns, token=token)


def labels_of(model: str, seed: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    return [
        {
            "model": model,
            "signal": str(random.choice(["label:y", "label:weight"])),
            "topic": str(random.choice(["a", "b"])),
            "partition": int(random.integers(0, 2)),
            "offset": offset,
            "id": f"e{(number := int(random.integers(1, 40)))}",
            "id_digest": number,
            "event_ms": int(random.integers(0, 8)) * HOUR_MS,
            "label": str(random.choice(["yes", "no"])),
            "retracted": int(random.random() < 0.2),
        }
        for offset in range(200)
    ]


def by_hand(labels: list[dict[str, Any]], predicted: set[int]) -> LabelCounts:
    corrected = taken_back = unmatched = count = 0
    for label in labels:
        if label["signal"] != "label:y" or not SPAN[0] <= label["event_ms"] < SPAN[1]:
            continue
        places = ("event_ms", "topic", "partition", "offset")
        earlier = [
            other
            for other in labels
            if (other["id_digest"], other["signal"]) == (label["id_digest"], label["signal"])
            and [other[name] for name in places] < [label[name] for name in places]
        ]
        last = max(earlier, key=lambda other: [other[name] for name in places], default=None)
        count += 1
        unmatched += label["id_digest"] not in predicted
        taken_back += label["retracted"]
        says = ("retracted", "label")
        is_other = last is not None and [last[name] for name in says] != [label[name] for name in says]
        corrected += is_other and not label["retracted"]
    return LabelCounts(count, corrected, taken_back, unmatched)


def test_every_store_counts_as_by_hand(stores: list[Store]) -> None:
    labels, predicted = labels_of("fraud", 1), set(range(1, 25))
    for store in stores:
        stored(store, "labels", labels + labels_of("churn", 2), "labels")
        # What is written twice is the same label twice.
        stored(store, "labels", labels[:50], "again")
        rows = [{"model": "fraud", "offset": digest, "id_digest": digest} for digest in predicted]
        stored(store, "predicted", [*rows, {"model": "churn", "offset": 30, "id_digest": 30}], "predicted")
    expected = by_hand(labels, predicted)
    assert min(expected.labels - expected.unmatched, expected.corrected, expected.taken_back, expected.unmatched) > 5
    counts = [label_counts(store, "fraud", "label:y", SPAN) for store in stores]
    assert counts == [expected, expected]
    assert [label_counts(store, "fraud", "label:y", SPAN, most=10) for store in stores] == counts
    assert [label_counts(store, "nobody", "label:y", SPAN) for store in stores] == [LabelCounts()] * 2
