"""A candidate beside its champion: it is promoted, held or rolled back, and whoever looks again finds the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import ManualClock
from monitor.replay import Replay, decisions
from monitor.rollouts.course import Courses
from monitor.rollouts.rollout_log import Metric, log_stop, read_rollouts
from monitor.sources.files import FileSource
from monitor.watch import compile_watch
from sinks.store.batch import append
from sinks.store.contract import Store
from sinks.store.memory import MemoryStore
from tests.monitor.streams import HOUR_MS, START_MS, TOPIC, replayed, rows, written
from tests.rollouts.traffic import notified, started, traffic, watched

ROW = dict[str, Any]


def compared(folder: Path, lines: list[bytes], store: Store, window: str = "1h", pane: str = "1h") -> list[ROW]:
    replayed(watched(window, pane), written(folder, [lines]), store)
    return rows(store, "rollout_strata")


def test_a_candidate_that_misses_more_is_rolled_back_and_the_alert_says_why(tmp_path: Path) -> None:
    store, rollout = started()

    strata = compared(tmp_path, traffic(missing=0.3), store)

    ends_ms = strata[-1]["end_ms"]
    assert strata[-1]["verdict"] == "rollback"
    assert ends_ms < START_MS + 15 * HOUR_MS
    assert {row["verdict"] for row in strata if row["end_ms"] < ends_ms} == {"hold"}
    firing, resolved = notified(store)
    assert (firing["state"], firing["at_ms"], firing["severity"]) == ("firing", ends_ms, "critical")
    assert firing["title"].startswith("loans: v2 beside v1: roll back, missing:x ")
    labels = {"verdict": "rollback", "version": "v2", "champion": "v1", "rollout": rollout.id, "model": "loans"}
    assert labels.items() <= firing["labels"].items()
    assert [signal["verdict"] for signal in firing["signals"]] == ["rollback", "hold"]
    assert "since 2024-01-01 00:00 UTC" in firing["signals"][0]["reason"]
    assert (resolved["state"], resolved["at_ms"]) == ("resolved", ends_ms + 24 * HOUR_MS)


def test_an_equally_good_candidate_is_promoted_although_hours_differ(tmp_path: Path) -> None:
    store, _ = started()

    # It gets most of the traffic where `y` is low for both.
    strata = compared(tmp_path, traffic(share=lambda hour: 0.2 if hour % 24 < 12 else 0.7), store)

    assert strata[-1]["verdict"] == "promote"
    assert {alert["severity"] for alert in notified(store)} == {"info"}


def test_in_windows_of_a_day_the_hour_is_no_difference_between_versions(tmp_path: Path) -> None:
    """Of a number that follows the hour, a version that has the traffic of the night has the lower mean of the day."""
    store, _ = started(metrics=(Metric("prediction:y", "same", 0.3),), lasts_ms=10 * 24 * HOUR_MS)
    lines = traffic(hours=24 * 6, share=lambda hour: 0.2 if hour % 24 < 12 else 0.7)

    strata = compared(tmp_path, lines, store, window="1d")

    assert strata[-1]["verdict"] == "promote"
    assert strata[1]["end_ms"] - strata[0]["end_ms"] == HOUR_MS


def test_a_version_that_takes_over_within_a_span_is_compared_while_both_were_there(tmp_path: Path) -> None:
    store, _ = started(metrics=(Metric("prediction:y", "same", 0.3),), lasts_ms=10 * 24 * HOUR_MS)
    lines = traffic(hours=40, slope=60.0, is_turned=True)

    strata = compared(tmp_path, lines, store, pane="5m")

    assert {row["verdict"] for row in strata} == {"hold"}
    assert [row["end_ms"] for row in strata if row["candidate_n"] and row["champion_n"]] == []


def test_a_number_that_one_cell_holds_is_not_compared(tmp_path: Path) -> None:
    """Its mean is known no better than the cell is wide, whatever the largest of either version is."""
    store, _ = started(metrics=(Metric("feature:x", "same", 0.01),))
    lines = [json.dumps({**json.loads(line), "x": 1e6 + number % 61}).encode() for number, line in enumerate(traffic())]

    assert {row["verdict"] for row in compared(tmp_path, lines, store)} == {"hold"}


def test_what_is_undecided_at_the_end_is_held(tmp_path: Path) -> None:
    store, _ = started(lasts_ms=10 * HOUR_MS, metrics=(Metric("missing:x", "lower", 0.001),))

    strata = compared(tmp_path, traffic(), store)

    assert [row["verdict"] for row in strata] == ["hold"] * 10
    [alert] = [alert for alert in notified(store) if alert["state"] == "firing"]
    assert alert["title"] == "loans: v2 beside v1: hold, undecided at the end: missing:x"
    assert read_rollouts(store)[0].until_ms == alert["at_ms"] == START_MS + 10 * HOUR_MS


def test_a_rollout_that_is_stopped_compares_no_more(tmp_path: Path) -> None:
    store, rollout = started()
    lines = traffic(missing=0.12)
    source = FileSource({TOPIC: written(tmp_path / "first", [lines[:1500]])})
    replay = Replay(watched(), store, source)
    replay.run(checkpoint_every=100)
    log_stop(store, ManualClock(START_MS), rollout, "ann", "a bug")

    replayed(watched(), written(tmp_path / "all", [lines]), store)

    assert max(row["end_ms"] for row in rows(store, "rollout_strata")) < read_rollouts(store)[0].ends_ms
    assert notified(store) == []


def test_a_verdict_of_long_ago_is_notified_once_and_forgotten(tmp_path: Path) -> None:
    store, _ = started(lasts_ms=4 * HOUR_MS)
    lines = traffic(hours=40, missing=0.12)
    compared(tmp_path, lines, store)
    courses = Courses(store, compile_watch(watched(), "loans"), HOUR_MS)
    transitions = notified(store)

    assert [alert["state"] for alert in transitions] == ["firing", "resolved"]
    later_ms = START_MS + 41 * HOUR_MS
    ends = range(later_ms, later_ms + 1, HOUR_MS)
    assert courses.advance(courses.take_up(ends), ends, {}) == []
    assert notified(store) == transitions


@pytest.mark.parametrize("batch", [600, 20_000])
def test_whoever_evaluates_again_writes_the_same_rows(batch: int, tmp_path: Path) -> None:
    store, _ = started()
    lines = traffic(missing=0.3)
    compared(tmp_path, lines, store)

    again = MemoryStore()
    again.migrate()
    for table, columns in decisions(store, ["loans"]).items():
        append(again, table, columns)
    files = written(tmp_path / "again", [lines])
    replayed(watched(), files, again, batch=batch, checkpoint_every=1_000)

    for table in ("rollouts", "rollout_strata", "alerts"):
        assert rows(again, table) == rows(store, table)


def test_evaluation_that_goes_on_from_a_checkpoint_repeats_nothing_else(tmp_path: Path) -> None:
    store, _ = started()
    lines = traffic(missing=0.3)
    expected = compared(tmp_path, lines, store)
    again, _ = started()
    for count in (1_700, 2_900, len(lines)):
        replayed(watched(), written(tmp_path / str(count), [lines[:count]]), again, checkpoint_every=500)

    assert rows(again, "rollout_strata") == expected
    assert notified(again) == notified(store)
