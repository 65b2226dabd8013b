"""What is read to find first labels: what an embedded store leaves out makes no difference, and it leaves out a lot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from monitor.performance.first_labels import doubts, first_labels
from monitor.performance.horizon import Known
from sinks.store.batch import Rows, add_row, append, empty_rows
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Store
from sinks.store.first_labels import KnownSpan, labels_until, predictions_until
from sinks.store.label_join import labels_of
from sinks.store.memory import MemoryStore
from sinks.store.spans import HOUR_MS, Span
from tests.monitor.streams import START_MS

QUARTER_MS, DAY_MS = HOUR_MS // 4, 24 * HOUR_MS
LONG_AGO_MS = START_MS - 1_000 * DAY_MS
SPANS = (0, 10), (10, 20)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbStore]:
    opened = ChdbStore(tmp_path_factory.mktemp("labels") / "store")
    opened.migrate()
    yield opened
    opened.close()


def add(rows: Rows, event_ms: int, known_ms: int, digest: int, partition: int = 0) -> None:
    """Add a prediction or a label, of which nothing else matters here."""
    row: dict[str, Any] = {name: [] if name == "segments" else "" for name in rows}
    numbers = ("value", "naive_value", "low", "high", "retracted")
    row |= dict.fromkeys([name for name in numbers if name in rows], 0)
    row |= {"topic": "scores" if "version" in rows else "truth", "partition": partition, "offset": len(rows["model"])}
    row |= {"model": "m", "event_ms": event_ms, "known_ms": known_ms, "id_digest": digest}
    add_row(rows, row | ({"signal": "label:y"} if "signal" in rows else {}))


def drawn(rng: np.random.Generator, table: str, days: int, ids: int) -> Rows:
    """Rows of some days, in or out of order, that state times up to eight days before they were known."""
    rows = empty_rows(table)
    known_ms = START_MS + rng.integers(0, days * DAY_MS // QUARTER_MS, 30) * QUARTER_MS
    for at_ms in (np.sort(known_ms) if rng.random() < 0.5 else known_ms).tolist():
        before_ms = int(rng.choice([0, 0, HOUR_MS, 5 * HOUR_MS, 8 * DAY_MS]))
        add(rows, at_ms - before_ms, at_ms, int(rng.integers(1, ids + 1)), int(rng.integers(0, 2)))
    return rows


def silences(rng: np.random.Generator, days: int) -> dict[int, Known]:
    """Some hours in which partitions were not waited for."""
    counted: dict[int, Known] = {}
    partitions = [(topic, number) for topic in ("scores", "truth") for number in (0, 1)]
    for number in rng.integers(-1, 24 * days, int(rng.choice([0, 1, 4, 10]))).tolist():
        hour_ms = START_MS + number * HOUR_MS
        known_ms = [hour_ms - 3 * HOUR_MS, hour_ms - 30 * HOUR_MS, hour_ms + HOUR_MS // 2, LONG_AGO_MS]
        counted[hour_ms] = {each: int(rng.choice(known_ms)) for each in partitions if rng.random() < 0.4}
    return {hour_ms: of_hour for hour_ms, of_hour in counted.items() if of_hour}


def found(store: Store, model: str, span: Span, counted: Mapping[int, Known]) -> list[tuple[Any, ...]]:
    part = KnownSpan(model, "label:y", span, doubts(counted))
    predicted = predictions_until(store, part, LONG_AGO_MS)
    labels = labels_until(store, part, predicted)
    first = first_labels(predicted, labels, span, counted)
    places = [
        zip(columns["partition"][rows].tolist(), columns["offset"][rows].tolist(), strict=True)
        for columns, rows in ((predicted, first.prediction), (labels, first.label))
    ]
    return list(zip(first.hour_ms.tolist(), *places, strict=True))


def test_what_is_left_out_is_no_first_label_whoever_was_silent(store: ChdbStore) -> None:
    shown = 0
    for trial in range(8):
        rng, days = np.random.default_rng([1, trial]), (1, 20)[trial % 2]
        model, counted, everything = f"m{trial}", silences(rng, days), MemoryStore()
        ids = int(rng.choice([1, 3, 8]))
        for table in ("predicted", "labels"):
            rows = drawn(rng, table, days, ids)
            rows["model"] = [model] * len(rows["model"])
            append(store, table, rows)
            append(everything, table, rows)
        cuts = [0, *sorted(rng.choice(np.arange(1, 24 * days), 3, replace=False).tolist()), 24 * days]
        for first, stop in pairwise(cuts):
            span = START_MS + first * HOUR_MS, START_MS + stop * HOUR_MS
            expected = found(everything, model, span, counted)
            assert found(store, model, span, counted) == expected
            shown += len(expected)
    assert shown > 100


def test_an_id_that_stands_in_for_many_events_is_not_read_from_the_beginning(store: ChdbStore) -> None:
    # given a week with one id, and a partition that was silent for an hour of it
    for table in ("predicted", "labels"):
        rows = empty_rows(table)
        for at_ms in range(START_MS, START_MS + 7 * DAY_MS, QUARTER_MS):
            add(rows, at_ms, at_ms + HOUR_MS, 7, at_ms // QUARTER_MS % 2)
        append(store, table, rows)
    hour_ms = START_MS + 7 * DAY_MS
    silent_ms = START_MS + DAY_MS
    counted: dict[int, Known] = {silent_ms: {("truth", 0): silent_ms, ("scores", 1): silent_ms}}
    part = KnownSpan("m", "label:y", (hour_ms, hour_ms + HOUR_MS), doubts(counted))
    # when
    predicted = predictions_until(store, part, LONG_AGO_MS)
    labels = labels_until(store, part, predicted)
    # then the four of an hour are read, with four new labels, the first one, and those that may not have counted
    assert len(predicted["event_ms"]) == 4
    assert len(labels["event_ms"]) == 4 + 1 + 2
    first = first_labels(predicted, labels, part.span, counted)
    assert labels["event_ms"][first.label].tolist() == [START_MS] * 4


def test_a_label_from_when_its_prediction_did_not_count_leaves_the_first_one_to_come(store: ChdbStore) -> None:
    # given a prediction whose partition was not waited for in the hour of its first label
    predicted, labels, counted = empty_rows("predicted"), empty_rows("labels"), dict[int, Known]()
    add(predicted, START_MS + 2 * HOUR_MS, START_MS + 2 * HOUR_MS, 70)
    for hour in (3, 12):
        add(labels, START_MS + hour * HOUR_MS, START_MS + hour * HOUR_MS, 70)
    counted[START_MS + 3 * HOUR_MS] = {("scores", 0): START_MS}
    for table, of_table in (("predicted", predicted), ("labels", labels)):
        append(store, table, of_table | {"model": ["silent"] * len(of_table["model"])})
    # then
    shown = [found(store, "silent", (START_MS + a * HOUR_MS, START_MS + b * HOUR_MS), counted) for a, b in SPANS]
    assert shown == [[], [(START_MS + 12 * HOUR_MS, (0, 0), (0, 1))]]


def test_labels_of_some_hours_are_those_of_their_predictions_and_no_others(store: ChdbStore) -> None:
    everything, hours = MemoryStore(), range(10)
    predicted, labels = empty_rows("predicted"), empty_rows("labels")
    for hour in hours:
        for rows, late_ms in ((predicted, 0), (labels, DAY_MS)):
            add(rows, START_MS + hour * HOUR_MS + 5, START_MS + hour * HOUR_MS + 5 + late_ms, hour - 5 or 5)
    for each in (store, everything):
        for table, of_table in (("predicted", predicted), ("labels", labels)):
            append(each, table, of_table | {"model": ["hours"] * len(hours)})
        asked = [START_MS + hour * HOUR_MS for hour in (1, 7, 8)]
        of_hours = labels_of(each, "hours", ["label:y"], asked, START_MS + 9 * DAY_MS)
        assert sorted(of_hours["id_digest"].tolist()) == [-4, 2, 3]
