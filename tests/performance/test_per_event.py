"""Errors are shown to per-event detectors once, by first labels, in an order that only the log decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.online import Online
from monitor.evaluate.backtest import backtest, span_of
from monitor.events import Partition
from monitor.ingest.ingest import Ingest
from monitor.ingest.readers import Readers
from monitor.performance.alarms import alarm_judged
from monitor.performance.backtest import with_labels
from monitor.performance.error_series import Errors, ErrorSeries
from monitor.performance.per_event import findings_layout, show_errors, shown_ms
from monitor.performance.performance import Performance
from monitor.replay import decisions
from monitor.watch import Watch, compile_watch
from sinks.store.batch import append
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Store
from sinks.store.label_join import EARLIEST_MS
from sinks.store.memory import MemoryStore
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, configured, rows
from tests.performance.test_performance import DETECT, SPEC, Cut, as_bytes, stream

DETECTORS: list[dict[str, dict[str, Any]]] = [
    {"page_hinkley": {"min_instances": 3, "threshold": 1.5, "mean": 0.3, "sd": 0.45, "scores": "plain"}},
    {"hddm_w": {"delta": 0.4, "warning_delta": 0.5}},
]
TABLES = ("findings", "performance_findings")


def watched(**performance: Any) -> Watch:
    spec = {**SPEC, "performance": {**SPEC["performance"], "detectors": DETECTORS, **performance}}
    return compile_watch(configured("m", **spec, baseline={"kind": "rolling"}, detect=DETECT), "m")


@pytest.fixture(scope="module")
def watch() -> Watch:
    return watched()


def run(
    watch: Watch,
    messages: Mapping[Partition, list[bytes]],
    parts: Sequence[tuple[Partition, int]] = (),
    crashes: frozenset[int] = frozenset(),
    store: Store | None = None,
) -> Store:
    """Ingest in these parts, ending without notice behind some of them, and show errors in between."""
    store, everything = store or MemoryStore(), [(partition, 10**6) for partition in messages]
    source, there = Cut(messages, [*parts, *everything]), dict.fromkeys(messages, False)
    ingest = Ingest(Readers([watch]), store, source)
    ingest.open()
    for number in range(len(source._parts)):
        ingest.step(10_000, 0.0)
        show_errors(store, watch, there, lambda: True, page=10 + number)
        if number % 4 == 0:
            ingest.save()
        if number in crashes:
            ingest = Ingest(Readers([watch]), store, source)
            ingest.open()
    source._parts += everything
    while ingest.step(10_000, 0.0) or source._parts:
        pass
    ingest.finish()
    show_errors(store, watch, None)
    return store


def results(store: Store) -> str:
    # NaN equals itself as text.
    return repr({table: rows(store, table) for table in TABLES})


# -- the slow obvious way ----------------------------------------------------------------------------------------------


def reference(watch: Watch, store: Store) -> tuple[set[tuple[Any, ...]], dict[tuple[Any, ...], int]]:
    """Which findings there are, and how many errors of each hour and series, from the rows as they are stored."""
    complete_ms = 1 + max(row["newest_ms"] for table in ("progress", "label_progress") for row in rows(store, table))
    by_event: dict[int, list[dict[str, Any]]] = {}
    for label in rows(store, "labels", signal="label:bad", retracted=0):
        by_event.setdefault(label["id_digest"], []).append(label)
    shown = []
    for predicted in rows(store, "predicted"):
        labels = [
            (
                label["known_ms"] // HOUR_MS * HOUR_MS,
                label["topic"],
                label["partition"],
                label["offset"],
                label["label"],
            )
            for label in by_event.get(predicted["id_digest"], ())
            if label["event_ms"] >= predicted["event_ms"] // HOUR_MS * HOUR_MS - EARLIEST_MS
        ]
        if not labels or not predicted["id_digest"] or not 0 <= predicted["value"] <= 1:
            continue
        hour_ms, *position, truth = min(labels)
        hour_ms = max(hour_ms, predicted["known_ms"] // HOUR_MS * HOUR_MS)
        if hour_ms + HOUR_MS <= complete_ms:
            at = tuple(predicted[name] for name in ("topic", "partition", "offset"))
            error = float((predicted["value"] >= 0.5) != (truth == "true"))
            shown.append(((hour_ms, *position, *at), error, predicted))
    findings, counts = set(), dict[tuple[Any, ...], int]()
    for name, params in findings_layout(watch.judged_plan).uses.items():
        series: dict[tuple[str, str], Online] = {}
        for (hour_ms, *_, topic, partition, offset), error, predicted in sorted(shown, key=lambda each: each[0]):
            for segment in ("", *predicted["segments"]):
                key = predicted["version"], segment
                counts[(hour_ms, *key)] = counts.get((hour_ms, *key), 0) + 1
                if series.setdefault(key, Online(name, **params)).update(error).drift_detected:
                    findings.add((name, *key, topic, partition, offset, predicted["event_ms"], error))
    return findings, {key: count // len(DETECTORS) for key, count in counts.items()}


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 10_000), data=st.data())
def test_whatever_the_cut_and_the_order_of_topics_and_the_crashes_the_findings_are_those_of_a_slow_reference(
    watch: Watch, seed: int, data: st.DataObject
) -> None:
    messages = stream(seed, 100)
    parts = data.draw(st.lists(st.tuples(st.sampled_from(sorted(messages)), st.integers(1, 60)), max_size=14))
    crashes = data.draw(st.frozensets(st.integers(0, 14), max_size=3))
    # when
    cut, whole = run(watch, messages, parts, crashes), run(watch, messages)
    # then
    assert results(cut) == results(whole)
    names = ("detector", "version", "segment", "topic", "partition", "offset", "event_ms", "value")
    findings, counts = reference(watch, whole)
    assert findings
    assert {tuple(row[name] for name in names) for row in rows(whole, "findings")} == findings
    stored = rows(whole, "performance_findings")
    assert {(row["hour_ms"], row["version"], row["segment"]): row["n"] for row in stored} == counts
    fired = sum(row["counts"][row["names"].index(f"{name} findings")] for row in stored for name in _names(row))
    assert fired == len(findings)


def _names(row: Mapping[str, Any]) -> list[str]:
    return sorted({name.partition(" ")[0] for name in row["names"]})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbStore]:
    opened = ChdbStore(tmp_path_factory.mktemp("errors") / "store")
    opened.migrate()
    yield opened
    opened.close()


def test_the_embedded_store_shows_the_same_errors(watch: Watch, store: ChdbStore) -> None:
    parts = [(("truth", 1), 30), (("scores", 0), 40), (("truth", 1), 5), (("scores", 1), 99), (("truth", 0), 50)]
    run(watch, stream(3, 120), parts, frozenset({1, 4}), store)
    assert results(store) == results(run(watch, stream(3, 120)))
    assert rows(store, "findings")


def test_what_a_silent_partition_says_later_is_not_shown_and_a_replay_knows_it(watch: Watch) -> None:
    # given a partition of labels that is taken for silent after a few of them, and one that is added later
    messages = stream(7, 120)
    late, added = ("truth", 1), ("scores", 1)
    first = [(each, 5 if each == late else 999) for each in sorted(messages.keys() - {added})]
    live = MemoryStore()
    ingest = Ingest(Readers([watch]), live, Cut(messages, [*first, (late, 999), (added, 999)]))
    ingest.open()
    for _ in first:
        ingest.step(10_000, 0.0)
    show_errors(live, watch, {each: each == late for each in messages if each != added})
    shown = rows(live, "performance_findings")
    assert shown
    # when they speak
    for _ in range(2):
        ingest.step(10_000, 0.0)
    ingest.finish()
    show_errors(live, watch, None)
    # then what was shown stays, and a replay by what was decided writes the same
    assert [row for row in rows(live, "performance_findings") if row in shown] == shown
    other = MemoryStore()
    for table, columns in decisions(live, ["m"]).items():
        append(other, table, columns)
    assert results(run(watch, messages, store=other)) == results(live)
    assert results(run(watch, messages)) != results(live)


def days(count: int, wrong: Any) -> dict[Partition, list[bytes]]:
    """A prediction each six minutes, whose label comes a quarter of an hour later; ``wrong`` says which ones err."""
    predictions, labels = [], []
    for number in range(count * 240):
        at_ms = START_MS + number * 360_000
        predictions.append({"id": f"p{number}", "at": at_ms, "version": "1", "country": "DE", "score": 0.75})
        labels.append({"id": f"p{number}", "at": at_ms + 900_000, "bad": not wrong(number)})
    return {("scores", 0): as_bytes(predictions), ("truth", 0): as_bytes(labels)}


def test_a_correction_changes_what_is_known_and_no_finding() -> None:
    watch = watched(weight=None, value=None)
    messages = days(1, lambda number: number % 7 == 0 or number > 150)
    corrected = {**messages, ("truth", 1): as_bytes(
        [{"id": f"p{number}", "at": START_MS + 20 * HOUR_MS + number, "bad": False} for number in range(150)]
    )}  # fmt: skip
    untouched, changed = (run(watch, each) for each in ({**messages, ("truth", 1): []}, corrected))
    for each in (untouched, changed):
        Performance(watch, each).advance(None, START_MS, at_once=True)
    assert repr(rows(changed, "performance", age_ms=0)) != repr(rows(untouched, "performance", age_ms=0))
    assert rows(untouched, "findings")
    assert results(changed) == results(untouched)


def test_other_detectors_begin_anew_with_the_next_hour(watch: Watch) -> None:
    # given half a day with some detectors, and the rest with another one
    messages, store, other = days(1, lambda number: number > 60), MemoryStore(), watched(detectors=["ddm"])
    parts = [(each, count) for count in (120, 999) for each in sorted(messages)]
    ingest = Ingest(Readers([watch]), store, Cut(messages, parts))
    ingest.open()
    for _ in messages:
        ingest.step(10_000, 0.0)
    show_errors(store, watch, dict.fromkeys(messages, False))
    next_ms = shown_ms(store, "m")
    # when
    for _ in messages:
        ingest.step(10_000, 0.0)
    ingest.finish()
    show_errors(store, other, None)
    # then
    layouts = {(row["hour_ms"] >= next_ms, row["layout"]) for row in rows(store, "performance_findings")}
    assert layouts == {(at >= 1, findings_layout(each.judged_plan).id) for at, each in enumerate((watch, other))}


def test_how_often_detectors_fire_is_a_signal_and_a_backtest_of_others_says_that_they_did_not_run() -> None:
    def of(detectors: Any, **changes: Any) -> Watch:
        return watched(detectors=detectors, weight=None, value=None, metrics=["accuracy"], **changes)

    watch, store = of(DETECTORS), run(of(DETECTORS), days(2, lambda number: number % 7 == 0 or number > 400))
    Performance(watch, store).advance(None, START_MS, at_once=True)
    alarm_judged(store, watch, Performance(watch, store).progress().judged_ms)
    scores = rows(store, "scores", signal="performance:error", segment="")
    assert [row["status"] for row in scores][:24] == ["learning"] * 24
    # Each hour has the errors that came to be known in it.
    shown = {row["hour_ms"] + HOUR_MS: row["n"] for row in rows(store, "performance_findings", segment="")}
    assert {row["window_end_ms"]: row["n"] for row in scores}.items() <= shown.items()
    assert "performance:error" not in of([]).judged_signals
    assert of(DETECTORS, alarm_on=["accuracy"]).judged_signals == ("performance:accuracy",)
    other = of(["ddm"])
    done = with_labels(store, other, backtest(store, other, span_of(store, other)))
    assert "errors were shown to these detectors" in done.not_judged["performance:error"]
    ran = with_labels(store, watch, backtest(store, watch, span_of(store, watch)), ["performance:error"])
    assert "performance:error" not in ran.not_judged
    assert {row["window_end_ms"] for row in scores} <= set(ran.scores["window_end_ms"])


def test_a_label_that_a_lifetime_outlives_is_no_first_one() -> None:
    # given labels that are kept for three days, and corrections after five
    spec = {**SPEC, "performance": {**SPEC["performance"], "detectors": DETECTORS},
            "keep": {"for": {"predictions": "90d", "labels": "3d"}}}  # fmt: skip
    watch = compile_watch(configured("m", **spec, baseline={"kind": "rolling"}, detect=DETECT), "m")
    messages = {("scores", 0): days(6, lambda number: False)["scores", 0], ("truth", 0): as_bytes(
        [{"id": name, "at": START_MS + 5 * DAY_MS, "bad": False} for name in ("p0", "p900")]
    )}  # fmt: skip
    shown = rows(run(watch, messages), "performance_findings", segment="")
    assert [row["n"] for row in shown] == [1]


def test_a_series_that_had_nothing_for_long_begins_anew() -> None:
    layout = findings_layout(watched().judged_plan)
    series, fresh = ErrorSeries(layout), ErrorSeries(layout)
    zeros = np.zeros(20, dtype=np.int64)
    old = Errors([("1", "")], zeros, np.tile([0.0, 1.0], 10), zeros)
    new = Errors([("1", ""), ("2", "")], np.tile([0, 1], 10), np.ones(20), zeros + 61 * DAY_MS)
    series.update(old)
    assert repr(series.update(new)) == repr(fresh.update(new))
    assert repr(series.counts(new, [])) == repr(fresh.counts(new, []))
    # It is not kept, either.
    assert series.snapshot(122 * DAY_MS)["series"] == []
