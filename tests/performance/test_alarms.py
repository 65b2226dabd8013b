"""The quality of a model alarms: from labels to alerts, the same whatever happened on the way."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.cli.check import plan
from monitor.clock import ManualClock
from monitor.config import Configuration
from monitor.evaluate.backtest import backtest, span_of
from monitor.evaluate.mark_log import Mark, log_mark, read_marks, take_up
from monitor.events import Partition
from monitor.ingest.ingest import Ingest
from monitor.ingest.readers import Readers
from monitor.performance.alarms import alarm_judged
from monitor.performance.backtest import with_labels
from monitor.performance.job import work_out_ended
from monitor.performance.performance import Performance
from monitor.watch import Watch, compile_watch
from sinks.store.batch import append
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, configured, rows
from tests.performance.test_performance import Cut, as_bytes

SPEC: dict[str, Any] = {
    "sources": [
        {"kafka": "scores", "event_time": {"path": "at", "unit": "ms"}, "allowed_lateness": "10m", "max_ahead": "400d"},
        {"kafka": "truth", "kind": "labels", "event_time": {"path": "at", "unit": "ms"}, "allowed_lateness": "10m"},
    ],
    "schema": {
        "id": "id",
        "version": "version",
        "features": {"country": {"type": "category"}},
        "prediction": {"score": {"type": "numeric"}},
        "labels": {"bad": {"type": "category"}},
    },
    "segments": [{"by": ["country"], "values": ["DE"]}],
    "performance": {
        "label": "bad", "positive": "true", "judge_at": ["1h", "1d"], "metrics": ["accuracy"],
    },
    "baseline": {"kind": "rolling"},
    "detect": {"false_alarms": "1 per 30d", "pane": "10s"},
    "keep": {"for": {"predictions": "forever", "labels": "forever"}},
}  # fmt: skip

DROP_MS = START_MS + 8 * DAY_MS


@pytest.fixture(scope="module")
def configuration() -> Configuration:
    return configured("m", **SPEC)


@pytest.fixture(scope="module")
def watch(configuration: Configuration) -> Watch:
    return compile_watch(configuration, "m")


def stream(
    days: int,
    drop_from_ms: int,
    hourly: int = 60,
    errors: tuple[float, float] = (0.1, 0.3),
    hours: Collection[int] = range(24),
) -> dict[Partition, list[bytes]]:
    rng = np.random.default_rng(7)
    predictions: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    for number in range(days * 24 * hourly):
        at_ms = START_MS + number * HOUR_MS // hourly
        is_wrong = rng.random() < errors[at_ms >= drop_from_ms and at_ms // HOUR_MS % 24 in hours]
        score = float(rng.integers(0, 9)) / 8
        said = (score >= 0.5) != is_wrong
        country = "DE" if rng.random() < 0.5 else "FR"
        predictions.append({"id": f"p{number}", "at": at_ms, "version": "1", "country": country, "score": score})
        labels.append({"id": f"p{number}", "at": at_ms + int(rng.integers(0, 30)) * 60_000, "bad": bool(said)})
    labels.sort(key=lambda label: label["at"])
    return {("scores", 0): as_bytes(predictions), ("truth", 0): as_bytes(labels)}


def ended(watch: Watch, messages: dict[Partition, list[bytes]]) -> Store:
    store = MemoryStore()
    ingest = Ingest(Readers([watch]), store, Cut(messages, [(each, 10**9) for each in messages]))
    ingest.open()
    while ingest.step(10_000, 0.0):
        pass
    ingest.finish()
    work_out_ended([watch], store)
    return store


@pytest.fixture(scope="module")
def dropped(watch: Watch) -> Store:
    return ended(watch, stream(9, DROP_MS))


def test_a_drop_of_accuracy_becomes_an_alert_that_says_from_what_to_what(dropped: Store) -> None:
    firing, *_ = rows(dropped, "performance_alerts")
    assert firing["state"] == "firing"
    assert DROP_MS < firing["at_ms"] <= DROP_MS + 6 * HOUR_MS
    labels, signals = json.loads(firing["labels"]), json.loads(firing["signals"])
    assert (labels["alertname"], labels["cause"]) == ("LeewayPerformance", "performance:accuracy")
    assert signals[0]["contrast"] == "accuracy"
    assert re.search(r"accuracy (89|9\d)\S* % → [567]\S* %, which is worse", firing["title"])
    assert re.search(r"of \d+ labelled predictions, each judged 1h after its hour", signals[0]["reason"])
    # It belongs to no other log.
    assert not rows(dropped, "alerts")


def test_a_drop_of_each_day_is_said_by_the_time_zone_of_the_model() -> None:
    configuration = configured("m", **{**SPEC, "detect": {**SPEC["detect"], "time_zone": "Asia/Tokyo"}})
    days = stream(11, DROP_MS, errors=(0.1, 0.9), hours=(22, 23))
    store = ended(compile_watch(configuration, "m"), days)
    newest = max(
        (row for row in rows(store, "performance_alerts") if row["state"] == "firing"), key=lambda row: row["at_ms"]
    )
    assert newest["title"].endswith("; 3rd time since 2024-01-10, each day (Asia/Tokyo)")
    assert ", each day from about 07:00 to 09:00 (Asia/Tokyo); " in json.loads(newest["signals"])[0]["reason"]


def test_hours_are_scored_behind_those_that_are_learned_from(dropped: Store) -> None:
    scores = [row for row in rows(dropped, "scores") if not row["segment"]]
    by_signal = {
        signal: [row for row in scores if row["signal"] == signal] for signal in {row["signal"] for row in scores}
    }
    assert by_signal.keys() == {"performance:accuracy", "coverage"}
    statuses = [row["status"] for row in by_signal["performance:accuracy"]]
    assert statuses[:24] == ["learning"] * 24
    assert set(statuses[24 : 8 * 24]) == {"ok"}
    assert statuses[-1] == "drift"
    # Labels come in time throughout.
    assert {row["status"] for row in by_signal["coverage"]} == {"learning", "ok"}


def test_a_backtest_finds_the_same_alerts_and_says_where_nothing_was_judged(watch: Watch, dropped: Store) -> None:
    done = with_labels(dropped, watch, backtest(dropped, watch, span_of(dropped, watch)), ["performance:accuracy"])
    assert [(outcome.which, outcome.now[0].alert_id) for outcome in done.outcomes] == [
        ("both", rows(dropped, "performance_alerts")[0]["alert_id"])
    ]
    stored = [row for row in rows(dropped, "scores") if row["signal"] == "performance:accuracy"]
    assert sorted(map(repr, done.scores["surprise"])) == sorted(repr(row["surprise"]) for row in stored)
    count = done.signals["performance:accuracy"]
    assert count.before == count.now > 0
    # Under an age at which nothing was judged nothing is said, and why.
    other = compile_watch(configured("m", **{**SPEC, "performance": {**SPEC["performance"], "judge_at": ["2h"]}}), "m")
    silent = with_labels(dropped, other, backtest(dropped, other, span_of(dropped, other)))
    assert "judged at this age" in silent.not_judged["performance:accuracy"]


def test_a_backtest_judges_no_window_of_which_some_hours_are_not_judged_yet(dropped: Store) -> None:
    changed = {
        "performance": {**SPEC["performance"], "judge_at": ["1d"]},
        "detect": {**SPEC["detect"], "defaults": {"window": "6h", "offset": "2h"}},
    }
    of_day_old = compile_watch(configured("m", **{**SPEC, **changed}), "m")
    done = with_labels(dropped, of_day_old, backtest(dropped, of_day_old, span_of(dropped, of_day_old)), ["coverage"])
    # When all ends, the eighth day is a day old, and of its last window four hours of six.
    ends_ms = {end_ms for end_ms, signal in zip(done.scores["window_end_ms"], done.scores["signal"], strict=True)
               if signal == "coverage"}  # fmt: skip
    assert max(ends_ms) == START_MS + 8 * DAY_MS - 4 * HOUR_MS


def test_an_alert_that_began_with_a_version_says_when_its_first_pane_was_as_those_of_features_do(watch: Watch) -> None:
    deployed_ms = DROP_MS + 23 * 60_000
    messages = stream(9, deployed_ms)
    predictions = [json.loads(message) for message in messages["scores", 0]]
    for prediction in predictions:
        prediction["version"] = "2" if prediction["at"] >= deployed_ms else "1"
        prediction["at"] += 7_000
    store = ended(watch, {**messages, ("scores", 0): as_bytes(predictions)})
    came = "version 2 came at 2024-01-09 00:23 UTC, after 1"
    firing, *_ = rows(store, "performance_alerts")
    assert firing["title"].endswith(f" since {came}")
    assert f"it began when {came}" in json.loads(firing["signals"])[0]["reason"]
    done = with_labels(store, watch, backtest(store, watch, span_of(store, watch)))
    assert firing["title"] in {transition.title for transition in done.transitions}


def test_a_label_that_is_corrected_later_changes_no_score_and_no_alert(watch: Watch) -> None:
    messages = stream(3, START_MS + 10 * DAY_MS, hourly=20)
    corrections = [
        {**label, "at": label["at"] + 3 * HOUR_MS, "bad": not label["bad"]}
        for label in map(json.loads, messages["truth", 0])
    ]
    corrected = ended(watch, {**messages, ("truth", 1): as_bytes(corrections)})
    untouched = ended(watch, {**messages, ("truth", 1): []})
    judged, kept = ({row["hour_ms"]: row for row in rows(store, "performance", age_ms=DAY_MS, segment="")}
                    for store in (corrected, untouched))  # fmt: skip
    assert kept.keys() <= judged.keys()
    assert all(judged[hour_ms]["sums"] != row["sums"] for hour_ms, row in kept.items())
    # Labels that are known for longer let more hours be judged; those that were stay what they are.
    for table in ("scores", "performance_alerts"):
        assert set(map(repr, rows(untouched, table))) <= set(map(repr, rows(corrected, table)))


def test_a_level_that_is_accepted_is_the_new_normal_and_ends_the_alert(watch: Watch, dropped: Store) -> None:
    store = MemoryStore()
    append(store, "performance", {name: list(column) for name, column in dropped.read(Query("performance")).items()})
    alarm_judged(store, watch, DROP_MS + 14 * HOUR_MS)
    mark = Mark("m", "performance:accuracy", "", "", "accepted", DROP_MS, 0, "ann", "a harder product", 0)
    log_mark(store, ManualClock(now_ms=DROP_MS + 15 * HOUR_MS), mark)
    # Windows of events leave it to hours of labels.
    assert take_up(store, "m", DROP_MS + 20 * HOUR_MS, 300_000) == []
    alarm_judged(store, watch, START_MS + 20 * DAY_MS)
    assert [each.effective_ms for each in read_marks(store, "m")] == [DROP_MS + 14 * HOUR_MS]
    scores = [row for row in rows(store, "scores") if row["signal"] == "performance:accuracy" and not row["segment"]]
    assert any("accepted by ann" in row["detail"] for row in scores)
    assert scores[-1]["status"] == "ok"


@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_whatever_the_order_of_topics_and_the_crashes_the_same_is_said(watch: Watch, data: st.DataObject) -> None:
    messages = stream(3, START_MS + 2 * DAY_MS, hourly=8)
    topics = st.sampled_from(sorted(messages))
    parts = data.draw(st.lists(st.tuples(topics, st.integers(1, 300)), max_size=8))
    crashes = data.draw(st.frozensets(st.integers(0, 8), max_size=3))
    whole = ended(watch, messages)
    # when
    store, there = MemoryStore(), dict.fromkeys(messages, False)
    source = Cut(messages, [*parts, *((each, 10**9) for each in messages)])
    ingest = Ingest(Readers([watch]), store, source)
    ingest.open()
    for number in range(len(parts)):
        ingest.step(10_000, 0.0)
        performance = Performance(watch, store)
        performance.advance(there, START_MS + number * HOUR_MS)
        alarm_judged(store, watch, performance.progress().judged_ms)
        if number % 3 == 0:
            ingest.save()
        if number in crashes:
            ingest = Ingest(Readers([watch]), store, source)
            ingest.open()
    source._parts += [(each, 10**9) for each in messages]
    while ingest.step(10_000, 0.0) or source._parts:
        pass
    ingest.finish()
    work_out_ended([watch], store)
    # then
    for table in ("scores", "expectations", "performance_alerts"):
        assert repr(rows(store, table)) == repr(rows(whole, table))


def test_check_names_the_signals_that_labels_make_and_the_metrics_that_have_none() -> None:
    spec = {**SPEC, "performance": {**SPEC["performance"], "metrics": ["accuracy", "ece"]}}
    configuration = configured("m", **spec)
    shown = plan(configuration.models["m"])
    assert shown["judged"] == {
        "signals": ["performance:accuracy", "coverage"], "age_ms": HOUR_MS, "window_ms": HOUR_MS,
        "not_followed": ["ece"],
    }  # fmt: skip
    # Two features and predictions, volume, accuracy and coverage, of all and of a segment.
    assert shown["change"]["signals"] == 2 * (len(shown["signals"]) + 2)
