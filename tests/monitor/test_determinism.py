"""Results are a pure function of the log: batches, partitions, stores and crashes do not show in them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config import Configuration
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Store
from tests.monitor.streams import (
    DAY_MS,
    START_MS,
    TOPIC,
    applications,
    as_lines,
    configured,
    detecting,
    drifting,
    outcome,
    replayed,
    replayed_lines,
    rows,
    troubled,
    written,
)


@pytest.fixture(scope="module")
def troubles() -> list[bytes]:
    return troubled(1, days=11)


@pytest.fixture(scope="module")
def unbroken(troubles: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    store, _ = replayed_lines(tmp_path_factory.mktemp("unbroken"), troubles)
    return outcome(store)


def test_the_stream_of_these_tests_shows_everything(unbroken: dict[str, list[str]]) -> None:
    reasons = Counter(json.loads(row)["reason"] for row in unbroken["dead_letters"])
    assert {"future", "duplicate", "not_json", "wrong_type", "not_finite"} <= set(reasons)
    assert any(json.loads(row)["late_at_ms"] for row in unbroken["panes"])
    statuses = {json.loads(row)["status"] for row in unbroken["scores"]}
    assert {"ok", "drift", "learning", "no_data"} <= statuses
    assert len(unbroken["alerts"]) >= 2
    assert [json.loads(row)["version"] for row in unbroken["versions"]] == ["v1", "v2"]
    assert {json.loads(row)["status"] for row in unbroken["findings"]} == {"drift", "anomaly"}


def test_a_second_replay_gives_the_same_bytes(
    troubles: list[bytes], unbroken: dict[str, list[str]], tmp_path: Path
) -> None:
    store, _ = replayed_lines(tmp_path, troubles)
    assert outcome(store) == unbroken


@pytest.mark.parametrize("batch", [7, 1_000, 100_000])
def test_the_size_of_batches_does_not_show(
    batch: int, troubles: list[bytes], unbroken: dict[str, list[str]], tmp_path: Path
) -> None:
    store, _ = replayed_lines(tmp_path, troubles, batch=batch)
    assert outcome(store) == unbroken


@pytest.fixture(scope="module")
def short_troubles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    lines = troubled(5, days=6, per_day=120, drift_ms=(START_MS + 3 * DAY_MS, START_MS + 4 * DAY_MS))
    return written(tmp_path_factory.mktemp("short"), [lines[::2], lines[1::2]])


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    """Any windows that are sums of any panes, under any rule."""
    pane = draw(st.sampled_from([7, 30, 60, 90, 360, 1_440]))
    step = pane * draw(st.integers(1, 4))
    detect = detecting(
        rule=draw(st.sampled_from(["change", "variation"])),
        pane=f"{pane}m",
        time_zone=draw(st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Apia"])),
        false_alarms=draw(st.sampled_from(["1 per 30d", "10 per 1d"])),
        defaults={
            "window": f"{step * draw(st.integers(1, 4))}m",
            "every": f"{step}m",
            "offset": f"{pane * draw(st.integers(0, 20))}m",
            "min_samples": draw(st.sampled_from([2, 20])),
            "learn_windows": draw(st.integers(4, 8)),
        },
    )
    source = {
        "kafka": TOPIC,
        "event_time": {"path": "ts", "unit": "ms"},
        "allowed_lateness": draw(st.sampled_from(["0s", "5m", "12h"])),
        "max_ahead": draw(st.sampled_from(["1m", "6h"])),
    }
    baseline = draw(st.sampled_from([{"kind": "rolling", "span": "30d"}, {"kind": "first_events", "count": 200}]))
    return configured(detect=detect, sources=[source], baseline=baseline)


@settings(deadline=None, max_examples=12)
@given(configuration=configurations(), batch=st.integers(20, 500), every=st.integers(50, 500))
def test_neither_batches_nor_checkpoints_show_whatever_is_configured(
    configuration: Configuration, batch: int, every: int, short_troubles: list[Path]
) -> None:
    at_once, _ = replayed(configuration, short_troubles)
    in_parts, _ = replayed(configuration, short_troubles, batch=batch, checkpoint_every=every)
    assert outcome(in_parts) == outcome(at_once)


def test_one_event_at_a_time_gives_the_same_bytes(tmp_path: Path) -> None:
    lines = troubled(2, days=6, per_day=200)
    assert len(lines) <= 3_000
    whole, _ = replayed_lines(tmp_path / "whole", lines)
    single, done = replayed_lines(tmp_path / "single", lines, batch=1)
    assert done.counters.records == len(lines)
    assert outcome(single) == outcome(whole)


@pytest.mark.parametrize("every", [400, 1_500])
def test_checkpoints_do_not_show(
    every: int, troubles: list[bytes], unbroken: dict[str, list[str]], tmp_path: Path
) -> None:
    store, _ = replayed_lines(tmp_path, troubles, batch=317, checkpoint_every=every)
    assert outcome(store) == unbroken


def test_a_run_after_the_end_changes_nothing(
    troubles: list[bytes], unbroken: dict[str, list[str]], tmp_path: Path
) -> None:
    store, _ = replayed_lines(tmp_path, troubles, batch=500, checkpoint_every=1_700)
    replayed_lines(tmp_path, troubles, store=store, batch=300, checkpoint_every=900)
    assert outcome(store) == unbroken


def summed(store: Store) -> dict[str, dict[str, Any]]:
    """Panes added over partitions."""
    total: dict[str, dict[str, Any]] = {}
    for row in rows(store, "panes"):
        key = json.dumps([row[name] for name in ("signal", "segment", "version", "pane_start_ms", "layout")])
        sums = total.setdefault(key, {"cells": Counter(), "min": float("inf"), "max": float("-inf")})
        for name in ("n", "missing", "invalid", "out_of_range", "other", "sum_q", "sum_q2"):
            sums[name] = sums.get(name, 0) + row[name]
        labels = row["names"] or row["cells"]
        sums["cells"].update(dict(zip(labels, row["counts"], strict=True)))
        sums["min"], sums["max"] = min(sums["min"], row["min"]), max(sums["max"], row["max"])
    return total


WINDOWED_ONLY = configured(detect=detecting(rules=[]))
"""Per-event detectors are of one partition: how often they fire shows how many there are."""


@pytest.mark.parametrize(("count", "batch"), [(2, 50_000), (8, 400)])
def test_how_the_log_is_partitioned_does_not_show(count: int, batch: int, tmp_path: Path) -> None:
    # given events in order, with duplicates that share a partition because they share a key
    events = applications(3, change=drifting)
    doubled = [twin for event in events for twin in ([event, event] if event["id"].endswith("7") else [event])]
    partitions: list[list[bytes]] = [[] for _ in range(count)]
    for event in doubled:
        partitions[int(event["id"][1:]) * 7919 % count].append(json.dumps(event).encode())
    # when they are read from one partition and from several
    one, _ = replayed_lines(tmp_path / "one", as_lines(doubled), WINDOWED_ONLY)
    several, done = replayed(WINDOWED_ONLY, written(tmp_path / "several", partitions), batch=batch)
    # then nothing differs
    assert done.counters.reasons["duplicate"] == len(doubled) - len(events)
    assert summed(several) == summed(one)
    for table in ("scores", "alerts"):
        assert outcome(several)[table] == outcome(one)[table]
    assert outcome(one)["alerts"]


def test_a_partition_that_begins_later_or_holds_nothing_does_not_show(tmp_path: Path) -> None:
    events = applications(4, days=5)
    early = [event for event in events if event["ts"] < events[0]["ts"] + 2 * DAY_MS]
    late = [event for event in events if event["ts"] >= events[0]["ts"] + 2 * DAY_MS]
    one, _ = replayed_lines(tmp_path / "one", as_lines(events), WINDOWED_ONLY)
    parts = [as_lines(late), [], as_lines(early[2:]), as_lines(early[:2])]
    for batch in (3, 50_000):
        several, _ = replayed(WINDOWED_ONLY, written(tmp_path / "several", parts), batch=batch)
        assert summed(several) == summed(one)
        assert outcome(several)["scores"] == outcome(one)["scores"]


def test_the_embedded_store_holds_the_same_rows_as_the_one_in_memory(tmp_path: Path) -> None:
    lines = troubled(5, days=8, per_day=200)
    memory, _ = replayed_lines(tmp_path / "memory", lines, batch=700)
    embedded = ChdbStore(tmp_path / "store")
    try:
        replayed_lines(tmp_path / "embedded", lines, store=embedded, batch=900, checkpoint_every=1_000)
        assert outcome(embedded) == outcome(memory)
    finally:
        embedded.close()
