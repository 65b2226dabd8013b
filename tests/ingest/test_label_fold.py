"""What is known of an event by some time follows from the log of the labels alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decoders import JsonDecoder
from monitor.decoders.contract import TopicPlan
from monitor.evaluate.horizon import read_closed
from monitor.events import ENDED, Records
from monitor.ingest.label_clock import AHEAD_MS, LabelClock
from monitor.ingest.label_fold import LabelFold
from monitor.ingest.watermark import NEVER
from monitor.replay import Replay
from monitor.sources.files import FileSource
from monitor.watch import Watch, compile_watch
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore
from tests.monitor.streams import SPEC, START_MS, TOPIC, applications, as_lines, configured, rows, written

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
LABELS: dict[str, Any] = {
    "sources": [
        *SPEC["sources"],
        {"kafka": "outcomes", "kind": "labels", "event_time": {"path": "at", "unit": "ms"}, "allowed_lateness": "1h"},
    ],
    "schema": {
        **SPEC["schema"],
        "labels": {"defaulted": {"type": "category"}, "loss": {"type": "numeric", "path": "what.loss"}},
    },
}


@pytest.fixture(scope="module")
def watch() -> Watch:
    return compile_watch(configured(**LABELS), "loans")


def folded(watch: Watch, labels: list[dict[str, Any]], first: int = 0, fold: LabelFold | None = None) -> Any:
    """Return the rows of labels, and the fold behind them."""
    source = next(source for source in watch.model.spec.sources if source.kind == "labels")
    fold = fold or LabelFold(watch, source, ("outcomes", 0))
    payloads = [json.dumps(label).encode() for label in labels]
    offsets = np.arange(first, first + len(labels))
    records = Records("outcomes", 0, offsets, np.full(len(labels), -1), payloads)
    decoder = JsonDecoder([TopicPlan(watch.name, source, watch.model.spec.schema_)])
    out = fold.process(decoder.decode(records).events[watch.name])
    columns = out.rows.get("labels", {"offset": []})
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)], fold


def test_a_field_that_is_null_takes_back_what_was_said_and_one_that_is_missing_says_nothing(watch: Watch) -> None:
    at = START_MS
    labels = [
        {"id": "a", "at": at, "defaulted": True, "what": {"loss": 3}},
        {"id": "a", "at": at + 1, "defaulted": None},
        {"id": "a", "at": at + 2, "what": {"loss": None}},
        {"id": "b", "at": at + 3, "what": None},
        {"id": "c", "at": at + 4, "defaulted": "null", "what": {"loss": 1e400}},
    ]
    rows_of, _ = folded(watch, labels)
    said = [(row["id"], row["signal"], row["label"], row["retracted"]) for row in rows_of]
    assert sorted(said) == [
        ("a", "label:defaulted", "", 1),
        ("a", "label:defaulted", "true", 0),
        ("a", "label:loss", "", 0),
        ("a", "label:loss", "", 1),
        ("c", "label:defaulted", "null", 0),
    ]


def test_a_label_is_known_at_its_own_time_or_when_the_labels_of_its_partition_were_further(watch: Watch) -> None:
    hours = [10, 11, 14, 12, 30, 9]
    labels = [{"id": "a", "at": START_MS + hour * HOUR_MS, "defaulted": True} for hour in hours]
    rows_of, fold = folded(watch, labels)
    # the clock is an hour behind the newest label
    assert [(row["known_ms"] - START_MS) / HOUR_MS for row in rows_of] == [10, 11, 14, 13, 30, 29]
    assert fold.clock.closed_ms == START_MS + 29 * HOUR_MS


@given(
    hours=st.lists(st.integers(0, 24 * 40), min_size=1, max_size=40),
    cuts=st.sets(st.integers(1, 39)),
    lateness_ms=st.sampled_from([0, HOUR_MS]),
)
def test_batches_and_restarts_do_not_show_in_where_labels_stand(
    hours: list[int], cuts: set[int], lateness_ms: int
) -> None:
    times = np.array(hours) * HOUR_MS
    whole, parts = LabelClock(lateness_ms), LabelClock(lateness_ms)
    watermarks = []
    for batch in np.split(times, sorted(cut for cut in cuts if cut < len(times))):
        watermarks += parts.advance(batch).tolist()
        state, parts = parts.snapshot(), LabelClock(lateness_ms)
        parts.restore(state)
    assert watermarks == whole.advance(times).tolist()
    assert watermarks == sorted(watermarks)
    assert parts.snapshot() == whole.snapshot()
    assert parts.newest_ms <= times.max()


def test_one_label_from_the_future_does_not_move_the_clock_and_two_do() -> None:
    clock = LabelClock(0)
    year_ms = 365 * DAY_MS
    assert clock.advance(np.array([5, 6, year_ms, 7]))[-1] == 7
    assert clock.advance(np.array([year_ms, year_ms + AHEAD_MS]))[-1] == year_ms + AHEAD_MS


def test_labels_from_long_after_their_records_never_move_the_clock() -> None:
    # given a clock that is a year ahead, and speaks often
    times = START_MS + np.array([400 * DAY_MS, 0, HOUR_MS, 365 * DAY_MS, 365 * DAY_MS, 365 * DAY_MS + 1, 2 * HOUR_MS])
    records = np.full(len(times), START_MS + 3 * HOUR_MS)
    clock = LabelClock(0)
    watermarks = clock.advance(times, records)
    # then only the others do
    stands = np.array([0, HOUR_MS, HOUR_MS, HOUR_MS, HOUR_MS, 2 * HOUR_MS])
    assert watermarks[2:].tolist() == (START_MS + stands[1:]).tolist()
    assert clock.newest_ms == START_MS + 2 * HOUR_MS
    # and where records have no times of their own, two of them do
    assert LabelClock(0).advance(times, np.full(len(times), -1))[-1] > START_MS + 364 * DAY_MS


def test_checkpoints_from_before_labels_had_a_clock_are_gone_on_from(watch: Watch) -> None:
    label = {"id": "a", "at": START_MS, "defaulted": True}
    _, fold = folded(watch, [label])
    assert fold.restore({"config": "labels", "next_offset": 1, "newest_ms": NEVER, "closed_ms": NEVER})
    rows_of, _ = folded(watch, [label, {**label, "at": START_MS + HOUR_MS}], 0, fold)
    assert [(row["offset"], row["known_ms"]) for row in rows_of] == [(1, START_MS + HOUR_MS)]


def test_windows_wait_for_no_label_and_where_labels_stand_can_be_read(tmp_path: Path) -> None:
    # given labels that stand a year behind the events
    events = applications(4, days=1)
    outcomes = [{"id": event["id"], "at": event["ts"] - 365 * DAY_MS, "defaulted": True} for event in events]
    files = {
        TOPIC: written(tmp_path / "events", [as_lines(events)]),
        "outcomes": written(tmp_path / "outcomes", [as_lines(outcomes)]),
    }
    store: Store = MemoryStore()
    done = Replay(configured(**LABELS), store, FileSource(files)).run(batch=50)
    assert done.windows > 0
    assert {topic for topic, _ in read_closed(store, ["loans"])["loans"]} == {TOPIC}
    (stands,) = rows(store, "label_progress")
    assert (stands["topic"], stands["closed_ms"], stands["newest_ms"]) == ("outcomes", ENDED, outcomes[-1]["at"])
    assert store.read(Query("labels"))["known_ms"].min() == outcomes[0]["at"]
