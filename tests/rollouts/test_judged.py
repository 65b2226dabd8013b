"""Rollouts that labels decide: hours as they were judged at the first age, the same whenever somebody looks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss

from monitor.clock import ManualClock
from monitor.config import Configuration
from monitor.replay import Replay, decisions
from monitor.rollouts.course import Courses
from monitor.rollouts.judged import compare_judged, judged_signals
from monitor.rollouts.rollout_log import Metric, log_stop, read_rollouts
from monitor.rollouts.standing import standings
from monitor.sources.files import FileSource
from monitor.watch import compile_watch
from sinks.store.batch import append
from sinks.store.contract import Store
from sinks.store.memory import MemoryStore
from tests.monitor.streams import HOUR_MS, START_MS, configured, rows
from tests.rollouts.traffic import notified, started

PER_HOUR, HOURS = 250, 12
METRICS = (Metric("performance:accuracy", "higher", 0.05), Metric("performance:log_loss", "lower", 0.2))


def judged() -> Configuration:
    moments: dict[str, Any] = {"event_time": {"path": "at", "unit": "ms"}, "allowed_lateness": "0s"}
    return configured(
        sources=[{"kafka": "scores", **moments}, {"kafka": "truth", "kind": "labels", **moments}],
        schema={
            "id": "id",
            "version": "version",
            "features": {"x": {"type": "numeric"}},
            "prediction": {"score": {"type": "numeric"}},
            "labels": {"bad": {"type": "category"}},
        },
        performance={"positive": "yes", "judge_at": ["1h"]},
        keep={"for": {"predictions": "forever", "labels": "forever"}},
        segments=[],
        detect={"false_alarms": "1 per 30d", "pane": "1h", "defaults": {"window": "1h"}},
    )


def labelled(noise: float) -> list[dict[str, Any]]:
    """Predictions of `v1` that are right in 9 of 10, and of `v2`, whose scores are noisier, with their labels."""
    rng, events = np.random.default_rng(3), []
    for number in range(HOURS * PER_HOUR):
        at_ms = START_MS + number * HOUR_MS // PER_HOUR
        version, is_bad = ("v2" if rng.random() < 0.4 else "v1"), rng.random() < 0.3
        is_right = rng.random() < (0.9 - noise * (version == "v2"))
        score = 0.8 if is_bad == is_right else 0.1
        head = {"id": f"{number}", "at": at_ms}
        events.append({**head, "version": version, "score": score, "x": 1.0, "bad": "yes" if is_bad else "no"})
    return events


def replayed(folder: Path, events: list[dict[str, Any]], store: Store) -> Store:
    fields = {"scores": ("id", "at", "version", "score", "x"), "truth": ("id", "at", "bad")}
    files = {}
    for topic, names in fields.items():
        files[topic] = [folder / f"{topic}.jsonl"]
        lines = [json.dumps({name: event[name] for name in names}) for event in events]
        files[topic][0].write_text("\n".join(lines) + "\n")
    Replay(judged(), store, FileSource(files)).run(checkpoint_every=500)
    return store


def test_a_candidate_that_is_less_often_right_is_rolled_back_by_its_labels(tmp_path: Path) -> None:
    store, rollout = started(metrics=METRICS)
    events = labelled(noise=0.25)

    strata = rows(replayed(tmp_path, events, store), "rollout_strata")

    assert strata[-1]["verdict"] == "rollback"
    assert len({row["end_ms"] for row in strata}) < HOURS
    first = {row["signal"]: row for row in strata[:2]}
    for side, version in (("champion", "v1"), ("candidate", "v2")):
        shown = [event for event in events if event["at"] < START_MS + HOUR_MS and event["version"] == version]
        truth, scores = [event["bad"] == "yes" for event in shown], [event["score"] for event in shown]
        accuracy = first["performance:accuracy"]
        assert accuracy[f"{side}_n"] == len(shown)
        assert accuracy[f"{side}_mean"] == pytest.approx(accuracy_score(truth, np.array(scores) >= 0.5))
        assert first["performance:log_loss"][f"{side}_mean"] == pytest.approx(log_loss(truth, scores))
    assert [row for row in rows(store, "alerts") if rollout.id in row["labels"]] == []


def test_nothing_is_compared_while_labels_of_one_outcome_alone_have_come(tmp_path: Path) -> None:
    """Of fraud alone, which is reported within the hour, a version that raises fewer alarms has fewer hits."""
    store, _ = started(metrics=METRICS[:1])
    late = 6 * HOUR_MS
    events = [event for event in labelled(0.5) if event["bad"] == "yes" or event["at"] >= START_MS + late]

    strata = rows(replayed(tmp_path, events, store), "rollout_strata")

    compared = [row["end_ms"] for row in strata if row["candidate_n"]]
    assert compared[0] == START_MS + late + HOUR_MS
    assert {row["verdict"] for row in strata if row["end_ms"] <= START_MS + late} == {"hold"}


def test_hours_are_compared_once_they_are_judged_up_to_the_stop_or_the_end(tmp_path: Path) -> None:
    store, rollout = started(metrics=METRICS)
    every = rows(replayed(tmp_path, labelled(noise=0.0), store), "rollout_strata")
    watch = compile_watch(judged(), "loans")
    assert judged_signals(watch) == ["performance:accuracy", "performance:log_loss", "performance:brier"]
    again = copied(store)

    assert compare_judged(again, watch, START_MS + 2 * HOUR_MS - 1) == 0
    assert compare_judged(again, watch, START_MS + 3 * HOUR_MS) == 2
    assert compare_judged(again, watch, START_MS + 3 * HOUR_MS) == 0
    stopped = log_stop(again, ManualClock(START_MS), rollout, "ann", "a bug")
    again.append("rollouts", _settled(again, stopped.id, START_MS + 5 * HOUR_MS), token="settled")
    assert compare_judged(again, watch, START_MS + 99 * HOUR_MS) == 1
    assert rows(again, "rollout_strata") == every[: 3 * len(METRICS)]

    # Nobody was there in its last hours.
    quiet = copied(store, until_ms=START_MS + 2 * HOUR_MS)
    [row] = rows(quiet, "rollouts")
    ending = row | {"lasts_ms": 5 * HOUR_MS + HOUR_MS // 2, "updated_ms": row["updated_ms"] + 1}
    quiet.append("rollouts", {column: [value] for column, value in ending.items()}, token="ending")
    assert compare_judged(quiet, watch, START_MS + 7 * HOUR_MS - 1) == 2
    assert [standing.state for standing in standings(quiet, read_rollouts(quiet)).values()] == ["running"]
    assert compare_judged(quiet, watch, START_MS + 7 * HOUR_MS) == 1
    assert [standing.state for standing in standings(quiet, read_rollouts(quiet)).values()] == ["over"]
    assert compare_judged(quiet, watch, START_MS + 99 * HOUR_MS) == 0


def test_a_verdict_by_labels_is_notified_once_with_the_next_window_and_again_in_a_replay(tmp_path: Path) -> None:
    store, _ = started(metrics=METRICS)
    events, later = labelled(noise=0.25), quiet_hours(26)
    replayed(tmp_path, events, store)
    last_ms = max(row["window_end_ms"] for row in rows(store, "scores"))
    for more in (later[:2], later):
        replayed(tmp_path, events + more, store)

    firing, resolved = notified(store)
    assert (firing["state"], firing["severity"]) == ("firing", "critical")
    assert firing["at_ms"] == last_ms + HOUR_MS
    assert firing["title"].startswith("loans: v2 beside v1: roll back, performance:accuracy ")
    assert (resolved["state"], resolved["at_ms"]) == ("resolved", firing["at_ms"] + 24 * HOUR_MS)

    # As after a crash between what is settled and the alert.
    courses = Courses(store, compile_watch(judged(), "loans"), HOUR_MS)
    ends = range(firing["at_ms"], firing["at_ms"] + 1, HOUR_MS)
    [repeated] = courses.advance(courses.take_up(ends), ends, {})
    assert (repeated.alert_id, repeated.at_ms, repeated.title) == tuple(
        firing[n] for n in ("alert_id", "at_ms", "title")
    )

    again = MemoryStore()
    again.migrate()
    for table, columns in decisions(store, ["loans"]).items():
        append(again, table, columns)
    replayed(tmp_path, events + later, again)
    assert notified(again) == [firing, resolved]
    for table in ("rollouts", "rollout_strata"):
        assert rows(again, table) == rows(store, table)


def quiet_hours(count: int) -> list[dict[str, Any]]:
    """An event in each hour behind the others."""
    head = {"version": "v1", "score": 0.1, "x": 1.0, "bad": "no"}
    return [head | {"id": f"late {n}", "at": START_MS + (HOURS + n) * HOUR_MS} for n in range(count)]


def copied(store: Store, until_ms: int = START_MS + HOURS * HOUR_MS) -> Store:
    """What was decided and judged of predictions before a time, and nothing compared yet."""
    again = MemoryStore()
    again.migrate()
    for table in ("rollouts", "performance"):
        for row in rows(store, table):
            if row.get("hour_ms", 0) < until_ms:
                again.append(table, {name: [value] for name, value in row.items()}, token=json.dumps(row))
    return again


def _settled(store: Store, name: str, ends_ms: int) -> dict[str, list[Any]]:
    [row] = [row for row in rows(store, "rollouts") if row["id"] == name]
    changed = row | {"ends_ms": ends_ms, "updated_ms": row["updated_ms"] + 1}
    return {column: [value] for column, value in changed.items()}
