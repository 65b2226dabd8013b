"""Hours that labels judge make the same verdicts and alerts however many of them come at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.performance import add_up
from detectors.performance.sums import Quantity
from monitor import checkpoint
from monitor.alerts.transition import Transition
from monitor.checkpoint import Checkpoint
from monitor.evaluate.expectations import read_day
from monitor.evaluate.unwatched import UNWATCHED
from monitor.events import ENDED
from monitor.performance.alarms import JudgedSignals, alarm_judged, measured_hours
from monitor.performance.contrasts import JudgedRow, contrasts_for
from monitor.performance.job import end_unjudged
from monitor.watch import Watch, compile_watch
from sinks.receivers.times import utc
from sinks.store.batch import append, empty_rows
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Store
from sinks.store.memory import MemoryStore
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, configured, rows
from tests.performance.test_alarms import SPEC

DAYS = 10
DROP_MS = START_MS + 8 * DAY_MS
METRICS = ["accuracy", "recall", "roc_auc", "log_loss", "value_per_event"]
WORTH = {"tp": 120, "fp": -8, "fn": -450, "tn": 0}


def compiled(detect: Mapping[str, Any] | None = None, **performance: Any) -> Watch:
    changed = {"performance": {**SPEC["performance"], **performance}, "detect": {**SPEC["detect"], **(detect or {})}}
    return compile_watch(configured("m", **{**SPEC, **changed}), "m")


@pytest.fixture(scope="module")
def watch() -> Watch:
    return compiled(metrics=METRICS, value=WORTH, currency="EUR")


@pytest.fixture(scope="module")
def judged(watch: Watch) -> dict[str, list[Any]]:
    """Rows of ``performance``: two versions, a segment with few labels, hours without any, a drop, and few labels."""
    plan, rng, written = watch.model.spec.performance_plan, np.random.default_rng(3), empty_rows("performance")
    assert plan is not None
    for hour in range(DAYS * 24):
        hour_ms = START_MS + hour * HOUR_MS
        if hour % 29 == 5:
            continue
        dropped = 0.25 * (hour_ms >= DROP_MS)
        for segment, labels in (("", 60), ("country=DE", 4)):
            version = "2" if hour >= 120 else "1"
            count = int(rng.poisson(labels * 1.25))
            labelled = int(rng.binomial(count, 0.3 if hour >= 9 * 24 else 0.8))
            score, wrong = rng.random(labelled), rng.random(labelled) < 0.1 + dropped
            truths = np.where((score >= 0.5) != wrong, "true", "false").tolist()
            for name, value in {
                "model": "m", "hour_ms": hour_ms, "age_ms": HOUR_MS, "version": version, "segment": segment,
                "predictions": count, "labelled": labelled, "classes": ["other", "true"],
                "class_predictions": [count - count // 2, count // 2],
                "class_labelled": [labelled - labelled // 2, labelled // 2], "delay_hours": [], "delay_labels": [],
                **plan.scheme.fold(score, truths).to_row(),
            }.items():  # fmt: skip
                written[name].append(value)
    return written


TABLES = ("scores", "expectations", "performance_alerts", "marks")


class Dying(MemoryStore):
    """Ends a process before one of the appends."""

    appends_before_death = 10**9

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        self.appends_before_death -= 1
        if self.appends_before_death < 0:
            raise KeyboardInterrupt
        super().append(table, columns, token)


def evaluated(store: Store, watch: Watch, judged: dict[str, list[Any]], until: list[int]) -> Store:
    append(store, "performance", judged)
    for hours in [*until, DAYS * 24 + 1]:
        alarm_judged(store, watch, START_MS + hours * HOUR_MS)
    return store


def results(store: Store) -> dict[str, list[dict[str, Any]]]:
    return {table: rows(store, table) for table in TABLES}


@pytest.fixture(scope="module")
def whole(watch: Watch, judged: dict[str, list[Any]]) -> dict[str, list[dict[str, Any]]]:
    return results(evaluated(MemoryStore(), watch, judged, []))


def test_a_drop_and_labels_that_stop_are_found_in_every_way_and_named(whole: dict[str, list[dict[str, Any]]]) -> None:
    fired = [row for row in whole["performance_alerts"] if row["state"] in ("firing", "updated")]
    assert all(row["at_ms"] > DROP_MS for row in fired)
    moved = {signal["signal"]: signal for row in fired for signal in json.loads(row["signals"])}
    # A loss that began to be learned ten days ago is not sure yet, and says what it sees.
    assert {f"performance:{name}" for name in METRICS} - {"performance:log_loss"} | {"coverage"} <= moved.keys()
    losses = [
        row["detail"] for row in whole["scores"] if row["signal"] == "performance:log_loss" and not row["segment"]
    ]
    assert losses[-1].startswith("evidence") or losses[-1].startswith("log_loss")
    assert re.search(r"log_loss 0\.4\d* → 0\.[678]\d*, which is worse", losses[-1])
    assert " EUR → -" in moved["performance:value_per_event"]["reason"]
    assert "predictions, each judged 1h after" in moved["coverage"]["reason"]
    assert moved["coverage"]["onset_ms"] >= START_MS + 9 * DAY_MS - 2 * HOUR_MS


def test_what_labels_say_of_a_model_ends_when_nobody_watches_it_and_begins_anew_when_it_is_back(
    watch: Watch, judged: dict[str, list[Any]], whole: dict[str, list[dict[str, Any]]]
) -> None:
    fires_ms = min(row["at_ms"] for row in whole["performance_alerts"] if row["state"] == "firing")
    store = MemoryStore()
    append(store, "performance", judged)
    alarm_judged(store, watch, fires_ms + 2 * HOUR_MS)
    fired = rows(store, "performance_alerts")
    end_unjudged([], store)
    assert rows(store, "performance_alerts") == fired
    for _ in range(2):
        end_unjudged(["m"], store)
    former = rows(store, "performance_alerts")
    assert [(row["state"], row["sequence"]) for row in former[-1:]] == [("resolved", fired[-1]["sequence"] + 1)]
    assert {signal["reason"] for signal in json.loads(former[-1]["signals"])} == {UNWATCHED}
    assert former[-1]["at_ms"] >= fired[-1]["at_ms"]
    assert len(former) == len(fired) + 1
    alarm_judged(store, watch, START_MS + (DAYS * 24 + 1) * HOUR_MS)
    ids = {row["alert_id"] for row in former}
    assert [row for row in rows(store, "performance_alerts") if row["alert_id"] in ids] == former
    assert {row["alert_id"] for row in rows(store, "performance_alerts")} - ids


@settings(max_examples=3, deadline=None)
@given(
    until=st.lists(st.integers(1, DAYS * 24), max_size=6).map(sorted),
    deaths=st.lists(st.integers(0, 6), max_size=3),
)
def test_neither_batches_nor_deaths_change_a_row(
    watch: Watch, judged: dict[str, list[Any]], whole: dict[str, list[dict[str, Any]]], until: list[int],
    deaths: list[int],
) -> None:  # fmt: skip
    store = Dying()
    append(store, "performance", judged)
    # More often than it dies.
    for number, hours in enumerate([*until, *[DAYS * 24 + 1] * 4]):
        store.appends_before_death = deaths[number] if number < len(deaths) else 10**9
        try:
            alarm_judged(store, watch, START_MS + hours * HOUR_MS)
        except KeyboardInterrupt:
            continue
    # Numbers that are undefined equal nothing.
    assert repr(results(store)) == repr(whole)


def test_hours_are_added_up_to_the_windows_of_the_model_whatever_comes_at_a_time(judged: dict[str, list[Any]]) -> None:
    detect = {"defaults": {"window": "6h", "offset": "2h"}}
    watch = compiled(detect, metrics=METRICS, value=WORTH, currency="EUR")
    at_once, bit_by_bit = MemoryStore(), MemoryStore()
    evaluated(at_once, watch, judged, [])
    evaluated(bit_by_bit, watch, judged, [5, 6, 7, 20, 21, 100, 101, 150])

    assert repr(results(at_once)) == repr(results(bit_by_bit))
    scores = [row for row in rows(at_once, "scores") if row["signal"] == "coverage" and not row["segment"]]
    assert {(row["window_end_ms"] - START_MS) // HOUR_MS % 6 for row in scores} == {2}
    labelled = sum(n for n, segment in zip(judged["predictions"], judged["segment"], strict=True) if not segment)
    # The last window is over with the next day's second hour.
    assert labelled - 4 * 120 < sum(row["n"] for row in scores) <= labelled
    [first, *_] = [row for row in rows(at_once, "performance_alerts") if row["state"] == "firing"]
    assert DROP_MS < first["at_ms"] <= DROP_MS + 36 * HOUR_MS


def test_no_hour_is_left_out_when_windows_become_shorter(judged: dict[str, list[Any]]) -> None:
    def by(window: str) -> Watch:
        return compiled({"defaults": {"window": window}}, metrics=METRICS[:1], value=WORTH, currency="EUR")

    def ends_of(signal: str) -> list[int]:
        scores = [row for row in rows(store, "scores") if row["signal"] == signal and not row["segment"]]
        return sorted({(row["window_end_ms"] - START_MS) // HOUR_MS for row in scores})

    store = MemoryStore()
    append(store, "performance", judged)
    # The eighth day is over, and the ninth, on which accuracy drops, has begun.
    alarm_judged(store, by("1d"), START_MS + (8 * 24 + 3) * HOUR_MS)
    alarm_judged(store, by("1h"), START_MS + (8 * 24 + 5) * HOUR_MS)
    assert ends_of("coverage")[-5:] == [8 * 24 + hours for hours in range(5)]
    alarm_judged(store, by("1h"), START_MS + (8 * 24 + 13) * HOUR_MS)
    [firing, *_] = rows(store, "performance_alerts")
    assert DROP_MS < firing["at_ms"] <= DROP_MS + 12 * HOUR_MS


@pytest.mark.parametrize(
    ("defaults", "hours", "learned"),
    [
        ({"window": "90m", "offset": "5h30m"}, (1, 0), 24),
        ({"window": "7h", "offset": "7h"}, (6, 1), 10),
        ({"window": "36h"}, (24, 0), 10),
        ({"window": "7d", "every": "1d", "offset": "5h30m", "learn_windows": 4}, (24, 5), 4),
        ({"window": "1d", "every": "10m"}, (1, 0), 24),
        ({"window": "1m", "learn_windows": 1440}, (1, 0), 24),
    ],
)
def test_windows_are_of_whole_hours_and_make_up_days(
    defaults: dict[str, Any], hours: tuple[int, int], learned: int
) -> None:
    signals = JudgedSignals(compiled({"defaults": defaults}))
    assert signals.windows == tuple(each * HOUR_MS for each in hours)
    assert signals.settings.learn_windows == learned


def test_few_metrics_alarm_unless_somebody_chooses() -> None:
    def of(**performance: Any) -> tuple[str, ...]:
        return compiled(**{"metrics": [], **performance}).judged_signals

    few = ("performance:accuracy", "performance:precision", "performance:recall", "performance:brier", "coverage")
    assert sorted(of()) == sorted(few)
    assert sorted(of(value=WORTH)) == sorted((*few, "performance:value_per_event"))
    assert of(metrics=["mcc"]) == ("performance:mcc", "coverage")
    assert of(alarm_on=["roc_auc"]) == ("performance:roc_auc",)
    assert of(alarm_on=[]) == ()


def test_the_embedded_store_holds_the_same(
    watch: Watch, judged: dict[str, list[Any]], whole: dict[str, list[dict[str, Any]]], tmp_path: Any
) -> None:
    store = ChdbStore(tmp_path / "store")
    store.migrate()
    try:
        assert repr(results(evaluated(store, watch, judged, [30, 150]))) == repr(whole)
    finally:
        store.close()


def test_another_version_inherits_what_the_one_before_it_has_learned(whole: dict[str, list[dict[str, Any]]]) -> None:
    of_second = [row for row in whole["scores"] if row["version"] == "2" and row["signal"] == "performance:roc_auc"]
    assert of_second[0]["status"] == "ok"


def test_hours_of_few_labels_are_added_up_and_none_is_left_out(watch: Watch) -> None:
    plan, rng = watch.model.spec.performance_plan, np.random.default_rng(5)
    assert plan is not None
    contrasts = contrasts_for(plan, "performance:log_loss")
    rows_of_hours = [plan.scheme.fold(rng.random(4), ["true", "false"] * 2) for _ in range(200)]
    said = [contrasts.observe(JudgedRow(4, 4, sums), hour * HOUR_MS) for hour, sums in enumerate(rows_of_hours)]
    completed = [hour for hour, (_, (observed,)) in enumerate(said) if observed is not None]
    # The first 200 labels give a scale, and then every eight hours make 30 labels.
    assert completed == list(range(49, 200, 8))
    assert [said[hour][0] for hour in completed] == [200, *[32] * (len(completed) - 1)]
    pooled = add_up(rows_of_hours[50:58], plan.scheme.id)
    (value,) = said[57][1]
    scale = contrasts.scale()
    assert value is not None
    assert scale is not None
    mean = float(pooled.exact(Quantity.LOG_LOSS)) / 32
    assert scale.value(value.value) == pytest.approx(mean)


def without_positives(watch: Watch, positive: float, hours: int, from_hour: int) -> dict[str, list[dict[str, Any]]]:
    """Hours of which no label says the positive class from one of them on; what is said of metrics in each, by name."""
    plan, rng, judged = watch.model.spec.performance_plan, np.random.default_rng(4), {}
    assert plan is not None
    for hour in range(hours):
        score, is_positive = rng.random(60), rng.random(60) < positive * (hour < from_hour)
        sums = plan.scheme.fold(score, np.where(is_positive, "true", "false").tolist())
        judged[START_MS + (hour + 1) * HOUR_MS] = {("1", ""): JudgedRow(60, 60, sums)}
    written: dict[str, list[dict[str, Any]]] = {}
    signals = JudgedSignals(watch)
    # Some hours at a time, through a checkpoint.
    for first in range(0, hours, 50):
        ends_ms = range(START_MS + (first + 1) * HOUR_MS, START_MS + (min(first + 50, hours) + 1) * HOUR_MS, HOUR_MS)
        for verdicts in signals.advance({end_ms: judged[end_ms] for end_ms in ends_ms}, ends_ms)[0]:
            columns = verdicts.rows("m", "")
            said = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
            written.setdefault(verdicts.key[2], []).extend(said)
        state, signals = signals.snapshot(), JudgedSignals(watch)
        signals.restore(state)
    return written


def test_a_metric_that_labels_leave_without_events_is_not_judged_and_says_why(watch: Watch) -> None:
    said = without_positives(watch, 0.3, 240, 200)
    recall = [(row["status"], row["detail"]) for row in said["performance:recall"]]
    assert {status for status, _ in recall[25:200]} == {"ok"}
    assert set(recall[200:]) == {("no_data", "no event was positive")}
    # Areas under curves are said of some hours together.
    assert said["performance:roc_auc"][-1]["status"] == "no_data"
    assert said["performance:roc_auc"][-1]["detail"] == "all events are of one class"
    assert "no_data" not in {row["status"] for row in said["performance:log_loss"]}


def test_an_alert_says_that_no_label_is_positive_before_anybody_takes_the_metric_for_better(watch: Watch) -> None:
    plan, rng, judged = watch.model.spec.performance_plan, np.random.default_rng(4), {}
    assert plan is not None
    for hour in range(260):
        score = rng.random(60)
        is_positive = rng.random(60) < score * (hour < 220)
        sums = plan.scheme.fold(score, np.where(is_positive, "true", "false").tolist())
        judged[START_MS + (hour + 1) * HOUR_MS] = {("1", ""): JudgedRow(60, 60, sums)}
    _, transitions = JudgedSignals(watch).advance(judged, range(min(judged), max(judged) + 1, HOUR_MS))
    fired = [each for each in transitions if each.at_ms > START_MS + 220 * HOUR_MS]
    assert fired
    reasons = [signal["reason"] for transition in fired for signal in transition.signals]
    assert all("; no label says the positive class any more, so that labels may have changed" in r for r in reasons)
    assert not any("positive class" in repr(each) for each in transitions if each not in fired)


def test_a_metric_of_few_events_is_judged_while_none_of_them_may_be_chance(watch: Watch) -> None:
    said = without_positives(watch, 0.01, 400, 300)
    statuses = [row["status"] for row in said["performance:recall"]]
    assert statuses[100:300].count("no_data") <= 10
    assert set(statuses[320:]) == {"no_data"}


def test_a_model_that_is_nearly_always_right_does_not_alarm_at_each_error_and_does_when_they_become_usual() -> None:
    watch, rng, judged = compiled(metrics=[], alarm_on=["log_loss"]), np.random.default_rng(8), {}
    plan, hours = watch.model.spec.performance_plan, 24 * 24
    assert plan is not None
    for hour in range(hours):
        wrong = rng.random(60) < (2e-2 if hour >= 22 * 24 else 5e-4)
        score = np.where(rng.random(60) < 0.5, 1e-4 * rng.random(60), 1 - 1e-4 * rng.random(60))
        truths = np.where((score >= 0.5) != wrong, "true", "false").tolist()
        judged[START_MS + (hour + 1) * HOUR_MS] = {("1", ""): JudgedRow(60, 60, plan.scheme.fold(score, truths))}
    _, transitions = JudgedSignals(watch).advance(judged, range(min(judged), max(judged) + 1, HOUR_MS))
    fired = [(each.at_ms - START_MS) // HOUR_MS for each in transitions if each.state == "firing"]
    # An error comes every 33 hours or so.
    assert len([hour for hour in fired if hour <= 22 * 24]) <= 1
    assert any(22 * 24 < hour <= 24 * 24 for hour in fired)


def test_a_changed_configuration_learns_again_and_alarms_about_nothing_that_is_behind(
    watch: Watch, judged: dict[str, list[Any]]
) -> None:
    store = evaluated(MemoryStore(), watch, judged, [8 * 24])
    before = len(rows(store, "performance_alerts"))
    assert before
    changed = compiled(metrics=METRICS[:1], value=WORTH, currency="EUR")
    later = JudgedSignals(changed)
    assert later.config != JudgedSignals(watch).config
    alarm_judged(store, changed, START_MS + (DAYS * 24 + 1) * HOUR_MS)
    assert len(rows(store, "performance_alerts")) == before


def test_an_hour_that_did_not_wait_for_a_silent_partition_says_so(watch: Watch, judged: dict[str, list[Any]]) -> None:
    store = MemoryStore()
    ends = START_MS + 3 * HOUR_MS
    decided: dict[str, list[Any]] = {"model": ["m"], "at_ms": [ends + HOUR_MS], "partitions": [["truth/0", "truth/1"]]}
    append(store, "performance_horizons", {**decided, "counted_ms": [[ENDED, 5]]})
    evaluated(store, watch, judged, [])
    marked = {(row["window_end_ms"], row["idle"]) for row in rows(store, "scores") if row["idle"]}
    assert marked == {(ends, "truth/1")}


def test_what_is_left_when_there_is_enough_comes_with_the_next_call(
    watch: Watch, judged: dict[str, list[Any]], whole: dict[str, list[dict[str, Any]]]
) -> None:
    store = MemoryStore()
    append(store, "performance", judged)
    judged_ms = START_MS + (DAYS * 24 + 1) * HOUR_MS
    alarm_judged(store, watch, judged_ms, lambda: True)
    assert max(row["window_end_ms"] for row in rows(store, "scores")) == START_MS + 7 * DAY_MS
    alarm_judged(store, watch, judged_ms, lambda: True)
    assert repr(results(store)) == repr(whole)


def of_classes(classes: int, stops: str) -> tuple[Watch, dict[str, list[Any]]]:
    """Rows of a model of several classes: every two hours two begin, the second a larger one; one loses its labels."""
    schema = {**SPEC["schema"], "prediction": {"kind": {"type": "category"}}}
    performance = {"label": "bad", "judge_at": ["1h"], "alarm_on": ["coverage"]}
    watch = compile_watch(configured("m", **{**SPEC, "schema": schema, "performance": performance}), "m")
    rng, written = np.random.default_rng(4), empty_rows("performance")
    names = [f"c{k:02}" for k in range(classes)]
    for hour in range(DAYS * 24):
        hour_ms = START_MS + hour * HOUR_MS
        begun = [2 * ((k + 1) // 2) <= hour for k in range(classes)]
        counts = [int(rng.poisson(45 - 15 * (k % 2))) if begun[k] else 0 for k in range(classes)]
        labelled = [int(rng.binomial(count, 0.8)) for count in counts]
        if hour_ms >= DROP_MS:
            labelled[names.index(stops)] = 0
        come = [k for k, count in enumerate(counts) if count]
        for name, value in {
            "model": "m", "hour_ms": hour_ms, "age_ms": HOUR_MS, "version": "1", "segment": "",
            "predictions": sum(counts), "labelled": sum(labelled),
            "classes": [names[k] for k in come], "class_predictions": [counts[k] for k in come],
            "class_labelled": [labelled[k] for k in come], "delay_hours": [], "delay_labels": [],
            **watch.judged_plan.scheme.fold(["c00"], ["c00"]).to_row(),
        }.items():  # fmt: skip
            written[name].append(value)
    return watch, written


@pytest.mark.parametrize(("classes", "stops"), [(12, "c07"), (3, "c01")])
def test_of_several_classes_the_one_whose_labels_stop_is_named_whatever_comes_at_a_time(
    classes: int, stops: str
) -> None:
    watch, judged = of_classes(classes, stops)
    whole = results(evaluated(MemoryStore(), watch, judged, []))
    fired = [row for row in whole["performance_alerts"] if row["state"] in ("firing", "updated")]
    assert fired[0]["at_ms"] <= DROP_MS + 4 * HOUR_MS
    assert all(row["at_ms"] > DROP_MS for row in fired)
    (signal,) = json.loads(fired[0]["signals"])
    assert re.search(rf"coverage of predicted {stops!r} (7|8)\d\.?\d? % → 0 %", signal["reason"])
    assert repr(results(evaluated(MemoryStore(), watch, judged, [3, 7, 8, 100, 8 * 24 + 1]))) == repr(whole)


def test_of_more_classes_than_are_followed_every_window_says_how_those_are_that_are() -> None:
    watch, judged = of_classes(12, "c07")
    store = evaluated(MemoryStore(), watch, judged, [])
    expected = [row for row in rows(store, "expectations") if row["signal"] == "coverage"]
    day, ends_ms = read_day(expected[-1]), range(DROP_MS + HOUR_MS, DROP_MS + 7 * HOUR_MS, HOUR_MS)
    measured = measured_hours(store, watch, ("1", "", "coverage"), day, ends_ms)
    names = {"coverage", *(f"coverage of predicted 'c{k:02}'" for k in (*range(9), 10))}
    assert {contrast.name for contrast in day.contrasts} == names
    assert all(names <= of_hour.keys() for of_hour in measured)


NO_POSITIVE, NO_LABEL = "no event was positive", "no label has come"


def without_a_value(hours: int, at_once: int, why: str = NO_POSITIVE) -> tuple[list[dict[str, Any]], list[Transition]]:
    """Hours of which recall falls at the 150th, has no value from the 200th to the 259th, and is as it was then."""
    watch, rng, judged = compiled(metrics=[], alarm_on=["recall"]), np.random.default_rng(6), {}
    plan = watch.model.spec.performance_plan
    assert plan is not None
    for hour in range(hours):
        is_positive = rng.random(60) < (0.0 if 200 <= hour < 260 else 0.5)
        is_found = rng.random(60) < (0.3 if 150 <= hour < 200 else 0.8)
        truths = np.where(is_positive, "true", "false").tolist()
        labelled = 0 if why == NO_LABEL and 200 <= hour < 260 else 60
        sums = plan.scheme.fold(np.where(is_positive & is_found, 0.9, 0.1)[:labelled], truths[:labelled])
        judged[START_MS + (hour + 1) * HOUR_MS] = {("1", ""): JudgedRow(60, labelled, sums)}
    written: list[dict[str, Any]] = []
    transitions: list[Transition] = []
    store, signals = MemoryStore(), JudgedSignals(watch)
    store.migrate()
    for first in range(0, hours, at_once):
        newest_ms = START_MS + min(first + at_once, hours) * HOUR_MS
        ends_ms = range(START_MS + (first + 1) * HOUR_MS, newest_ms + 1, HOUR_MS)
        verdicts, of_hours = signals.advance({end_ms: judged[end_ms] for end_ms in ends_ms}, ends_ms)
        for of_series in (each for each in verdicts if each.key[2] == "performance:recall"):
            columns = of_series.rows("m", "")
            written += [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        transitions += of_hours
        checkpoint.save(store, Checkpoint("performance", "m", 0, newest_ms, signals.config, signals.snapshot()))
        loaded, signals = checkpoint.load(store, "performance", "m", 0), JudgedSignals(watch)
        assert loaded is not None
        _, state = loaded
        signals.restore(state)
        signals.lifecycle.restore(state["lifecycle"])
    return written, transitions


@pytest.mark.parametrize("why", [NO_POSITIVE, NO_LABEL])
def test_an_alarm_of_a_metric_that_has_no_value_any_more_goes_on_and_says_so_once(why: str) -> None:
    """Also if no label comes at all: a day later the alert was resolved."""
    written, transitions = without_a_value(320, 320, why)
    silence = f"no value since {utc(START_MS + 200 * HOUR_MS)}: {why}"
    falling, silent, back = written[160:200], written[200:260], written[260:]
    assert {row["status"] for row in silent} == {"drift"}
    assert all(row["detail"].endswith(f"; {silence}") for row in silent)
    assert not any("no value" in row["detail"] for row in (*falling, *back))
    (firing, *_), resolved = [each for each in transitions if each.at_ms <= START_MS + 200 * HOUR_MS], transitions[-1]
    silenced = [each for each in transitions if START_MS + 200 * HOUR_MS < each.at_ms <= START_MS + 260 * HOUR_MS]
    assert [each.state for each in silenced] == ["updated"]
    assert f"; {silence}" in silenced[0].signals[0]["reason"]
    assert (silenced[0].alert_id, resolved.alert_id, resolved.state) == (firing.alert_id, firing.alert_id, "resolved")


@pytest.mark.parametrize("why", [NO_POSITIVE, NO_LABEL])
def test_what_is_said_of_a_metric_without_a_value_depends_on_no_batch_or_restart(why: str) -> None:
    written, transitions = without_a_value(280, 280, why)
    in_parts, transitions_of_parts = without_a_value(280, 7, why)
    assert repr(in_parts) == repr(written)
    assert repr(transitions_of_parts) == repr(transitions)
