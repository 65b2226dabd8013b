"""What a user watches for: real changes alarm with their reason, ordinary traffic does not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors.sketch import NumericSummary
from monitor.evaluate.baselines import add_up
from monitor.evaluate.columns import Columns
from monitor.evaluate.evaluate import Evaluation
from monitor.evaluate.horizon import Horizon
from monitor.evaluate.windows import Blocks, distinct_keys
from monitor.panes.codec import summary_of
from monitor.panes.reading import read_panes
from monitor.watch import compile_watch
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore
from tests.monitor.streams import (
    DAY_MS,
    HOUR_MS,
    START_MS,
    TOPIC,
    application,
    applications,
    as_lines,
    configured,
    detecting,
    drifts,
    replayed_lines,
    rows,
    scored,
)

FROM_MS = START_MS + 9 * DAY_MS
DAILY = detecting(
    pane="1h", default_rules=True, rules=[], defaults={"window": "6h", "min_samples": 40, "learn_windows": 8}
)


def from_day_nine(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    return lambda event: change(event) if event["ts"] >= FROM_MS else None


def watched(tmp_path: Path, change: Callable[[dict[str, Any]], None], days: float = 13, **spec: Any) -> Store:
    configuration = configured(**({"detect": DAILY, "segments": []} | spec))
    events = applications(3, days=days, per_day=400, change=change)
    store, _ = replayed_lines(tmp_path, as_lines(events), configuration)
    return store


def alarmed(store: Store) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in drifts(store):
        found.setdefault(row["signal"], set()).add(row["detector"])
    return found


def nothing(event: dict[str, Any]) -> None:
    """Ordinary traffic."""


def test_ordinary_traffic_raises_no_alert(tmp_path: Path) -> None:
    store = watched(tmp_path, nothing, days=20)
    assert rows(store, "alerts") == []
    assert len(scored(store, status="ok")) > 1_000


def test_a_constant_prediction_alarms_on_the_first_whole_window_although_its_mean_is_the_same(tmp_path: Path) -> None:
    store = watched(tmp_path, from_day_nine(lambda event: event.update(score=0.2857)))
    assert alarmed(store).keys() == {"prediction:score"}
    first = rows(store, "alerts")[0]
    assert (first["state"], first["severity"]) == ("firing", "critical")
    assert first["at_ms"] == FROM_MS + 6 * HOUR_MS


def test_a_change_that_lasts_stays_alarmed_and_is_one_alert(tmp_path: Path) -> None:
    store = watched(tmp_path, from_day_nine(lambda event: event.update(amount=event["amount"] * 5)), days=20)
    states = [row["status"] for row in scored(store, signal="feature:amount", detector="change")]
    assert states[-40:] == ["drift"] * 40
    assert [row["state"] for row in rows(store, "alerts")] == ["firing"]


def test_an_alert_ends_when_the_change_has_ended_for_long_enough(tmp_path: Path) -> None:
    def for_a_day(event: dict[str, Any]) -> None:
        if FROM_MS <= event["ts"] < FROM_MS + DAY_MS:
            event["amount"] *= 5

    firing, resolved = rows(watched(tmp_path, for_a_day), "alerts")
    assert (firing["state"], resolved["state"]) == ("firing", "resolved")
    assert (resolved["starts_ms"], resolved["ends_ms"]) == (FROM_MS, FROM_MS + DAY_MS)
    assert resolved["at_ms"] == FROM_MS + DAY_MS + 6 * HOUR_MS  # resolve_after


def test_what_moves_together_is_one_alert_with_its_signals_ranked(tmp_path: Path) -> None:
    def both(event: dict[str, Any]) -> None:
        event.update(amount=event["amount"] * 5, age=20, score=0.9)

    (alert,) = [row for row in rows(watched(tmp_path, from_day_nine(both)), "alerts") if row["state"] == "firing"]
    signals = json.loads(alert["signals"])
    assert {entry["signal"] for entry in signals} == {"feature:amount", "feature:age", "prediction:score"}
    strengths = [entry["effect"] / entry["min_effect"] for entry in signals]
    assert strengths == sorted(strengths, reverse=True)
    assert "since 2024-01-10 00:00 UTC" in signals[0]["reason"]


def test_a_name_never_seen_before_is_named(tmp_path: Path) -> None:
    def rename(event: dict[str, Any]) -> None:
        if event["id"].endswith("7"):
            event["country"] = "XK"

    store = watched(tmp_path, from_day_nine(rename))
    first = drifts(store, signal="feature:country")[0]
    assert re.match(r"share of new values 0 % → \d+(\.\d+)? %; new: 'XK' \(\d+\)", first["detail"])


@pytest.mark.parametrize(
    ("change", "signal", "contrast"),
    [
        (lambda event: event.pop("debts"), "feature:debts", "missing"),
        (lambda event: event.update(debts="none"), "feature:debts", "invalid"),
        (lambda event: event.update(age=event["age"] + 70), "feature:age", "out of range"),
    ],
)
def test_fields_that_go_bad_alarm(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], signal: str, contrast: str
) -> None:
    def for_one_in_five(event: dict[str, Any]) -> None:
        if int(event["id"][1:]) % 5 == 0:
            change(event)

    store = watched(tmp_path, from_day_nine(for_one_in_five))
    assert re.fullmatch(rf"{contrast} 0 % → (1|2)\d(\.\d)? %", drifts(store, signal=signal)[0]["detail"])


def test_a_value_that_most_events_share_has_a_bin_of_its_own(tmp_path: Path) -> None:
    """Nine in ten debts are 0: half as many alarm, and without a change nothing does."""

    def fewer_zeros(event: dict[str, Any]) -> None:
        if event["debts"] == 0 and int(event["id"][1:]) % 2:
            event["debts"] = 500.0 + int(event["id"][1:]) % 97

    assert "feature:debts" in alarmed(watched(tmp_path / "changed", from_day_nine(fewer_zeros)))
    assert alarmed(watched(tmp_path / "same", nothing)) == {}


def test_traffic_that_falls_to_a_third_alarms_as_volume(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    events = []
    for number, at_ms in enumerate(np.sort(rng.integers(START_MS, START_MS + 20 * DAY_MS, 20 * 400)).tolist()):
        event = application(rng, number, at_ms)
        if at_ms < START_MS + 17 * DAY_MS or number % 3 == 0:
            events.append(event)
    configuration = configured(detect=DAILY | {"defaults": DAILY["defaults"] | {"min_samples": 10}}, segments=[])
    store, _ = replayed_lines(tmp_path, as_lines(events), configuration)
    assert alarmed(store) == {"volume": {"change"}}
    assert drifts(store)[0]["window_end_ms"] <= START_MS + 17 * DAY_MS + 12 * HOUR_MS


def test_an_alarm_that_returns_every_few_days_becomes_the_signal_s_way(tmp_path: Path) -> None:
    def every_third_day(event: dict[str, Any]) -> None:
        if (event["ts"] - START_MS) // DAY_MS % 3 == 2:
            event["amount"] *= 5

    early = watched(tmp_path, every_third_day, days=36, baseline={"kind": "rolling", "span": "6d"})
    late = [row for row in drifts(early) if row["window_end_ms"] > START_MS + 18 * DAY_MS]
    assert late == []


def test_distances_have_no_say_in_a_window_with_too_few_events(tmp_path: Path) -> None:
    few = detecting(rules=[], defaults={"window": "6h", "min_samples": 10_000, "learn_windows": 8})
    store = watched(tmp_path, from_day_nine(lambda event: event.update(score=0.5)), detect=few)
    of_distances = scored(store, signal="prediction:score", detector="psi")
    assert {row["status"] for row in of_distances} == {"no_data"}
    assert of_distances[0]["detail"].endswith("of 10000 events needed")
    # What decides needs no such number.
    assert alarmed(store) == {"prediction:score": {"change"}}


def test_the_first_events_or_a_data_set_can_be_the_baseline(tmp_path: Path) -> None:
    reference = tmp_path / "train.jsonl"
    reference.write_bytes(b"\n".join(as_lines(applications(99, days=10, per_day=400))))
    baselines: list[dict[str, Any]] = [
        {"kind": "first_events", "count": 1_000},
        {"kind": "dataset", "uri": str(reference)},
    ]
    for number, baseline in enumerate(baselines):
        change = from_day_nine(lambda event: event.update(score=0.2857))
        store = watched(tmp_path / str(number), change, baseline=baseline)
        assert alarmed(store).keys() == {"prediction:score"}
        of_distances = scored(store, signal="prediction:score", detector="psi")
        (size,) = {row["baseline_n"] for row in of_distances if row["window_end_ms"] > FROM_MS}
        assert size == 4_000 if baseline["kind"] == "dataset" else 1_000 <= size < 1_200


def test_a_slice_alarms_when_only_it_has_changed(tmp_path: Path) -> None:
    def only_in_france(event: dict[str, Any]) -> None:
        if event["country"] == "FR" and event["ts"] >= START_MS + 20 * DAY_MS:
            event["score"] = 0.2857

    segments = [{"by": ["country"], "values": ["DE", "FR"]}]
    daily = detecting(rules=[], defaults={"window": "1d", "min_samples": 40, "learn_windows": 4})
    store = watched(tmp_path, only_in_france, days=23, segments=segments, detect=daily)
    assert "country=FR" in {row["segment"] for row in drifts(store)}
    assert "country=DE" not in {row["segment"] for row in drifts(store)}


@pytest.mark.parametrize(
    "changed",
    [
        {"baseline": {"kind": "rolling", "span": "3d"}},
        {"detect": DAILY | {"defaults": {"window": "3h", "offset": "1h", "min_samples": 20, "learn_windows": 8}}},
        {"detect": DAILY | {"rules": [{"on": "*:*", "use": [{"psi": {"min_effect": 0.3}}]}]}},
    ],
    ids=["baseline", "windows", "rules"],
)
def test_a_changed_configuration_goes_on_as_if_it_had_run_from_the_start(
    changed: dict[str, Any], tmp_path: Path
) -> None:
    """What it would have learned is learned from the panes that are stored."""
    change = from_day_nine(lambda event: event.update(amount=event["amount"] * 5))
    before = configured(detect=DAILY, segments=[])
    after = configured(**{"detect": DAILY, "segments": []} | changed)
    store = watched(tmp_path, change)
    halfway = MemoryStore()
    halfway.append("panes", store.read(Query("panes")), token="panes")
    upto(halfway, START_MS + 8 * DAY_MS)
    evaluation = Evaluation(compile_watch(before, "loans"), halfway)
    evaluation.advance(Horizon())
    evaluation.save()
    upto(halfway, START_MS + 13 * DAY_MS)
    Evaluation(compile_watch(after, "loans"), halfway).advance(Horizon())

    whole = MemoryStore()
    whole.append("panes", store.read(Query("panes")), token="panes")
    upto(whole, START_MS + 13 * DAY_MS)
    Evaluation(compile_watch(after, "loans"), whole).advance(Horizon())
    later = {"window_end_ms": START_MS + 8 * DAY_MS + 1}
    assert repr(halfway.read(Query("scores", low=later))) == repr(whole.read(Query("scores", low=later)))
    assert [row["at_ms"] for row in rows(halfway, "alerts")] == [row["at_ms"] for row in rows(whole, "alerts")]
    assert drifts(halfway, signal="feature:amount")


def upto(store: Store, closed_ms: int) -> None:
    """Say that everything before a time has come."""
    reach = {"closed_ms": closed_ms, "newest_ms": closed_ms, "next_offset": closed_ms}
    row = {"model": "loans", "topic": TOPIC, "partition": 0} | reach
    store.append("progress", {name: [value] for name, value in row.items()}, token=str(closed_ms))


def test_sliding_windows_are_the_sums_of_their_panes(tmp_path: Path) -> None:
    sliding = detecting(rules=[], defaults={"window": "6h", "every": "1h", "min_samples": 40, "learn_windows": 8})
    configuration = configured(detect=sliding, segments=[])
    store, _ = replayed_lines(tmp_path, as_lines(applications(5, days=2, per_day=400)), configuration)
    panes = store.read(Query("panes", {"late_at_ms": 0}))
    watch = compile_watch(configuration, "loans")
    ends = range(START_MS + 8 * HOUR_MS, START_MS + 20 * HOUR_MS, HOUR_MS)
    flat = read_panes(store, watch, ends[0] - 6 * HOUR_MS, ends[-1])

    for version, segment, signal in flat.series():
        part = flat.of((version, segment, signal))
        columns = Columns(watch.layouts[signal])
        columns = Columns(watch.layouts[signal], distinct_keys(part, columns))
        windows = Blocks(watch, ends).windows(part, columns)
        assert windows.ends_ms.tolist() == list(ends)
        for t, end_ms in enumerate(ends):
            inside = [
                i
                for i, start in enumerate(panes["pane_start_ms"].tolist())
                if end_ms - 6 * HOUR_MS <= start < end_ms
                and (panes["version"][i], panes["segment"][i], panes["signal"][i]) == (version, segment, signal)
            ]
            total = add_up([summary_of(panes, i, watch.layouts[signal]) for i in inside])
            if isinstance(total, NumericSummary):
                total = replace(total, sum_q=0, sum_q2=0)
            assert columns.summary_of(windows.counts[t], windows.sums[t], windows.extremes[t]) == total
    assert len(scored(store, signal="feature:age", detector="psi")) == 2 * 24 - 6


@pytest.mark.parametrize(
    "defaults",
    [
        {"window": "5h"},
        {"window": "6h", "every": "2h", "offset": "1h"},
        {"window": "2d", "every": "16h", "offset": "5h"},
        {"window": "1d", "every": "1h", "offset": "3d"},
    ],
)
def test_a_window_has_the_events_between_its_start_and_its_end(tmp_path: Path, defaults: dict[str, str]) -> None:
    events = applications(7, days=5, per_day=300)
    configuration = configured(detect=detecting(rules=[], defaults=defaults | {"min_samples": 2}), segments=[])
    store, _ = replayed_lines(tmp_path, as_lines(events), configuration)
    times = np.array([event["ts"] for event in events])
    cut = configuration.models["loans"].spec.detect.defaults
    counts = {row["window_end_ms"]: row["n"] for row in scored(store, signal="feature:age", detector="psi")}
    assert counts == {
        end_ms: np.count_nonzero((times >= end_ms - cut.window) & (times < end_ms))
        for end_ms in range(min(counts), max(counts) + 1, cut.step_ms)
    }
    assert (min(counts) - cut.offset) % cut.step_ms == 0
    assert min(counts) - cut.window < START_MS + cut.step_ms
    assert max(counts) + cut.step_ms > times[-1]
