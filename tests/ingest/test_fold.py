"""One partition's events into panes: every event counts once, on time or late, whatever happens in between."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.anomaly import SCORERS, AnomalyBank
from detectors.sketch import Coded
from monitor.checkpoint import decode_state, encode_state
from monitor.events import ENDED, Events, Name
from monitor.ingest.fold import Folded, PartitionFold
from monitor.ingest.segments import SegmentColumns
from monitor.packed import Texts
from monitor.watch import Segmentation, Watch, compile_watch
from sinks.store.batch import Rows, empty_rows, extend
from tests.monitor.streams import HOUR_MS, START_MS, configured, detecting

MINUTE_MS = 60_000
NUMERIC, CATEGORY = 4, 1


def watch_of(lateness: str = "1h", **spec: Any) -> Watch:
    source = {"kafka": "loans", "event_time": "ts", "allowed_lateness": lateness, "max_ahead": "6h"}
    return compile_watch(configured(sources=[source], **spec), "loans")


BANKS: dict[str, Any] = {
    "detect": detecting(
        rules=[
            {"on": "feature:amount", "use": [{"page_hinkley": {"threshold": 5, "min_instances": 5}}]},
            {"on": "prediction:score", "use": [{"adwin": {"delta": 0.3}}, {"cusum": {"mean": 0.0, "sd": 1.0}}]},
            {"on": "feature:age", "use": ["river.drift.ADWIN", {"river.drift.PageHinkley": {"threshold": 5}}]},
            {"on": "feature:age", "use": [{"river.anomaly.GaussianScorer": {"grace_period": 8, "history": 128}}]},
            {"on": "feature:debts", "use": [{"robust_z": {"warm_up": 8, "history": 128, "false_alarm_rate": 0.3}}]},
            {
                "on": "vector:both",
                "use": [
                    {"half_space_trees": {"window": 32, "history": 128, "false_alarm_rate": 0.3}},
                ],
            },
            {"on": "vector:known", "use": ["mmd", "reconstruction"]},
        ],
        vectors={"both": ["prediction:score", "feature:amount"], "known": ["prediction:score", "feature:age"]},
    )
}
WATCH = watch_of(**BANKS)


def fold_of(watch: Watch = WATCH) -> PartitionFold:
    return PartitionFold(watch, watch.model.spec.sources[0], ("loans", 3))


def events_at(event_ms: list[int], seed: int = 0, ids: list[str | None] | None = None, first: int = 0) -> Events:
    """Events with the given times and random contents, that of each the same wherever it stands."""
    n = len(event_ms)
    rng = np.random.default_rng(seed)
    numeric = rng.normal(0, 1, (NUMERIC, n)).cumsum(axis=1)
    numeric[rng.random((NUMERIC, n)) < 0.1] = np.nan
    numeric[rng.random((NUMERIC, n)) < 0.05] = np.inf
    countries: list[Name] = [[None, "DE", "FR", "PL", "IT"][i] for i in rng.integers(0, 5, n)]
    return Events(
        offsets=first + np.arange(n, dtype=np.int64) * 2,
        record_ms=np.full(n, -1, dtype=np.int64),
        event_ms=np.array(event_ms, dtype=np.int64),
        versions=Coded.of([f"v{i}" for i in rng.integers(1, 3, n)]),
        ids=Texts.of(ids or [f"e{i}" for i in range(n)]),
        numeric=numeric,
        category=[Coded.of(countries)],
    )


def folded(fold: PartitionFold, events: Events, cuts: list[int] | None = None) -> list[Folded]:
    """What came of the events, offered in pieces, and of the end."""
    bounds = [0, *sorted(min(cut, len(events)) for cut in cuts or []), len(events)]
    pieces = [fold.process(events.slice(a, b)) for a, b in itertools.pairwise(bounds)]
    return [*pieces, fold.finish()]


def joined(pieces: list[Folded]) -> tuple[Rows, list[str], list[tuple[int, str]]]:
    """All pane rows, findings as text and problems."""
    panes, findings = empty_rows("panes"), empty_rows("findings")
    problems = []
    for piece in pieces:
        extend(panes, piece.rows["panes"])
        extend(findings, piece.rows.get("findings", {}))
        problems += [(problem.offset, problem.reason) for problem in piece.problems]
    written = sorted(json.dumps(row) for row in dicts(findings))
    return panes, written, sorted(problems)


def dicts(rows: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)]


def as_text(panes: Rows) -> list[str]:
    """Rows as sorted text: the order in which panes close may differ, their content may not."""
    plain = [{k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in row.items()} for row in dicts(panes)]
    return sorted(json.dumps(row) for row in plain)


def volume(panes: Mapping[str, Sequence[Any]], *, segment: str = "") -> dict[tuple[int, bool], int]:
    """Events by pane and by whether they were late."""
    total: Counter[tuple[int, bool]] = Counter()
    for row in dicts(panes):
        if row["signal"] == "volume" and row["segment"] == segment:
            total[row["pane_start_ms"], row["late_at_ms"] > 0] += row["n"]
    return dict(total)


# Times in minutes: mostly forward, sometimes hours back or ahead, seldom days.
steps = st.lists(
    st.integers(-5, 20) | st.integers(-5, 20) | st.integers(-300, 300) | st.integers(-9_000, 9_000),
    min_size=1,
    max_size=80,
)
cutting = st.lists(st.integers(0, 80), max_size=6)


def times_of(minutes: list[int]) -> list[int]:
    return [START_MS + 10_000 * MINUTE_MS + int(m) * MINUTE_MS for m in np.clip(np.cumsum(minutes), -9_999, 90_000)]


@settings(deadline=None, max_examples=60)
@given(steps, cutting, st.sampled_from(["0s", "10m", "1h", "5h"]))
def test_on_time_and_late_and_rejected_add_up_to_all_events(minutes: list[int], cuts: list[int], late: str) -> None:
    events = events_at(times_of(minutes))
    watch = watch_of(late)
    pieces = folded(fold_of(watch), events, cuts)
    panes, _, problems = joined(pieces)
    rejected = [(offset, reason) for offset, reason in problems if reason != "late"]
    counts = volume(panes)
    assert sum(counts.values()) + len(rejected) == len(events)
    assert sum(n for (_, is_late), n in counts.items() if is_late) == sum(piece.late for piece in pieces)
    by_pane = Counter((events.event_ms // HOUR_MS * HOUR_MS).tolist())
    for offset, reason in rejected:
        assert reason == "future"
        by_pane[int(events.event_ms[offset // 2]) // HOUR_MS * HOUR_MS] -= 1
    found: Counter[int] = Counter()
    for (start, _), n in counts.items():
        found[start] += n
    assert +found == +by_pane


@settings(deadline=None, max_examples=60)
@given(steps, cutting, st.integers(0, 5))
def test_where_batches_end_changes_no_bit(minutes: list[int], cuts: list[int], seed: int) -> None:
    events = events_at(times_of(minutes), seed)
    whole = joined(folded(fold_of(), events))
    pieces = joined(folded(fold_of(), events, cuts))
    assert as_text(pieces[0]) == as_text(whole[0])
    assert pieces[1:] == whole[1:]


@settings(deadline=None, max_examples=40)
@given(steps, cutting, st.integers(0, 80), st.integers(0, 80))
def test_a_checkpoint_at_any_cut_and_a_replay_from_before_it_change_no_bit(
    minutes: list[int], cuts: list[int], at: int, back: int
) -> None:
    events = events_at(times_of(minutes), seed=9)
    at = min(at, len(events))
    whole = joined(folded(fold_of(), events))
    # given a fold that has gone so far, and its successor that reads again from somewhere before
    first = fold_of()
    before = [first.process(events.slice(0, at))]
    again = min([at - min(back, at), *(offset // 2 for offset in first.held_offsets)])
    second = fold_of()
    assert second.restore(decode_state(encode_state(first.snapshot())))
    # when the successor goes on
    after = folded(second, events.slice(again, len(events)), cuts)
    # then both together wrote what an unbroken fold writes
    found = joined(before + after)
    assert as_text(found[0]) == as_text(whole[0])
    assert found[1:] == whole[1:]


def test_findings_come_from_detectors_of_each_version() -> None:
    _, findings, _ = joined(folded(fold_of(), events_at(times_of([1] * 900))))
    rows = [json.loads(row) for row in findings]
    rivers = {"river.drift.ADWIN", "river.drift.PageHinkley"}
    assert {row["detector"] for row in rows} == {
        "page_hinkley",
        "adwin",
        "cusum",
        "robust_z",
        "half_space_trees",
        *rivers,
    }
    assert {row["version"] for row in rows} == {"v1", "v2"}
    assert all(row["topic"] == "loans" and row["partition"] == 3 and row["offset"] % 2 == 0 for row in rows)


def test_an_anomaly_is_a_finding_of_one_observation_with_its_level() -> None:
    events = events_at(times_of([1] * 900))
    _, findings, _ = joined(folded(fold_of(), events))
    rows = [json.loads(row) for row in findings]
    for row in rows:
        assert row["status"] == ("anomaly" if row["detector"] in SCORERS else "drift")
        assert math.isnan(row["level"]) == (row["status"] == "drift")
    anomalies = [row for row in rows if row["status"] == "anomaly"]
    assert all(0.7 < row["level"] <= 1.0 for row in anomalies)
    debts = column_of("feature:debts")
    for row in anomalies:
        assert row["signal"] in ("feature:debts", "vector:both")
        if row["signal"] == "feature:debts":
            assert row["value"] == events.numeric[debts, row["offset"] // 2]


def column_of(signal: str) -> int:
    return WATCH.carried_by(WATCH.model.spec.sources[0]).numeric.index(signal)


def test_a_vector_is_scored_as_a_whole_and_has_no_value_of_its_own() -> None:
    events = events_at(times_of([1] * 900))
    _, findings, _ = joined(folded(fold_of(), events))
    found = [row for row in map(json.loads, findings) if row["signal"] == "vector:both"]
    assert all(math.isnan(row["value"]) for row in found)
    columns = [column_of(signal) for signal in WATCH.vectors["vector:both"]]
    assert events.versions is not None
    expected: dict[int, float] = {}
    for version in ("v1", "v2"):
        of = np.array([name == version for name in [events.versions.names[c] for c in events.versions.codes]])
        params = {"window": 32, "history": 128, "false_alarm_rate": 0.3}
        bank = AnomalyBank(SCORERS["half_space_trees"], params, series=1, dimension=2)
        scores = bank.update(np.zeros(of.sum(), dtype=np.int64), events.numeric[columns][:, of].T)
        offsets = events.offsets[of]
        expected |= {int(offsets[i]): float(scores.score[i]) for i in scores.anomalies()}
    assert {row["offset"]: row["score"] for row in found} == expected
    assert len(expected) > 20


def test_a_vector_is_not_scored_where_events_carry_only_some_of_it() -> None:
    sources = [
        {"kafka": "loans", "event_time": "ts", "kind": "features"},
        {"kafka": "scores", "event_time": "ts", "kind": "prediction"},
    ]
    rules = [{"on": "vector:*", "use": ["half_space_trees"]}]
    vectors = {"features": ["feature:amount", "feature:age"]}
    watch = compile_watch(configured(sources=sources, detect=detecting(rules=rules, vectors=vectors)), "loans")
    kept = [
        PartitionFold(watch, source, (source.streams[0], 0)).snapshot()["banks"] for source in watch.model.spec.sources
    ]
    assert [list(banks) for banks in kept] == [["vector:features|half_space_trees"], []]


def at_minutes(*minutes: int, ids: list[str | None] | None = None) -> Events:
    return events_at([START_MS + m * MINUTE_MS for m in minutes], ids=ids)


def test_a_pane_is_written_once_the_watermark_has_passed_its_end() -> None:
    fold = fold_of()
    assert not fold.process(at_minutes(0, 30, 59, 61, 119)).rows["panes"]["n"]
    # 120 min minus an hour of lateness: the first hour is over.
    panes = fold.process(events_at([START_MS + 120 * MINUTE_MS], first=100)).rows["panes"]
    assert volume(panes) == {(START_MS, False): 3}
    assert fold.clock.closed_ms == START_MS + HOUR_MS
    fold.finish()
    assert fold.clock.closed_ms == ENDED


def test_late_events_are_rows_of_their_own_keyed_by_where_the_watermark_stood() -> None:
    panes, _, _ = joined(folded(fold_of(), at_minutes(0, 10, 70, 130, 5, 6, 190, 200, 7, 250, 300)))
    rows = [row for row in dicts(panes) if row["signal"] == "volume" and row["pane_start_ms"] == START_MS]
    rows = [row for row in rows if row["segment"] == ""]
    found: Counter[int] = Counter()
    for row in rows:
        found[row["late_at_ms"]] += row["n"]
    assert found == {0: 2, START_MS + HOUR_MS: 2, START_MS + 2 * HOUR_MS: 1}


def test_each_position_of_the_watermark_reports_its_first_late_events_with_their_places() -> None:
    fold = fold_of()
    fold.process(at_minutes(0, 60, 120, 180, 240, 300))
    problems = fold.process(events_at([START_MS + m * MINUTE_MS for m in range(30)], first=100)).problems
    assert {(problem.action, problem.reason) for problem in problems} == {("kept", "late")}
    assert [problem.offset for problem in problems] == list(range(100, 120, 2))
    again = fold.process(events_at([START_MS + 360 * MINUTE_MS, START_MS], first=300, ids=["x", "y"])).problems
    assert [problem.offset for problem in again] == [302]


def test_the_late_row_of_each_signal_holds_what_the_events_hold() -> None:
    events = at_minutes(0, 60, 120, 5, 6, 180, 240, 300)
    panes, _, _ = joined(folded(fold_of(), events))
    late = [row for row in dicts(panes) if row["late_at_ms"] and row["segment"] == ""]
    assert {row["signal"] for row in late} >= {"feature:amount", "feature:country", "prediction:score", "volume"}
    ages = [row for row in late if row["signal"] == "feature:age"]
    column = events.numeric[1, 3:5]
    assert sum(row["n"] for row in ages) == int(np.isfinite(column).sum())
    assert sum(row["missing"] for row in ages) == int(np.isnan(column).sum())


def test_future_events_are_held_and_rejected_when_the_others_disown_them() -> None:
    fold = fold_of()
    fold.process(at_minutes(0, 1, 2))
    day_later = events_at([START_MS + 24 * HOUR_MS], first=100, ids=["later"])
    assert fold.process(day_later).problems == []
    assert fold.held_offsets == [100]
    others = events_at([START_MS + 3 * MINUTE_MS, START_MS + 4 * MINUTE_MS], first=200, ids=["x", "y"])
    problems = fold.process(others).problems
    assert [(p.offset, p.action, p.reason) for p in problems] == [(100, "rejected", "future")]
    assert fold.held_offsets == []
    assert volume(fold.finish().rows["panes"]) == {(START_MS, False): 5}


def test_future_events_are_believed_when_two_more_of_their_kind_follow() -> None:
    fold = fold_of()
    panes, _, problems = joined(folded(fold, at_minutes(0, 1, 2, 1440, 1441, 1442)))
    assert not problems
    assert volume(panes) == {(START_MS, False): 3, (START_MS + 24 * HOUR_MS, False): 3}


def test_a_batch_of_a_wrong_clock_makes_no_other_event_late_and_is_counted_in_its_own_panes() -> None:
    watch = compile_watch(configured(sources=[{"kafka": "loans", "event_time": "ts"}], detect=detecting()), "loans")
    usual = [START_MS + 250 * k for k in range(400)]
    going_on = [usual[-1] + 250 * k for k in range(6_000)]
    for ahead_ms, problem in ((25 * MINUTE_MS, []), (50 * MINUTE_MS, ["future"] * 3)):
        batch = [usual[-1] + ahead_ms + k for k in range(3)]
        pieces = folded(fold_of(watch), events_at(usual + batch + going_on), [401, 402, 3_000])
        assert sum(piece.late for piece in pieces) == 0
        panes, _, problems = joined(pieces)
        assert [reason for _, reason in problems] == problem
        assert sum(volume(panes).values()) == 6_403 - len(problem)


def test_a_second_event_of_one_identity_is_a_duplicate_while_its_pane_is_open() -> None:
    ids: list[str | None] = ["a", "b", "a", None, None, "c", "d", "a"]
    panes, _, problems = joined(folded(fold_of(), at_minutes(0, 1, 2, 3, 4, 60, 120, 5, ids=ids)))
    # The last "a" comes when its pane is closed and its identity forgotten: it is late, and counts there.
    assert problems == [(4, "duplicate"), (14, "late")]
    hours = {(START_MS + hour * HOUR_MS, False): 1 for hour in (1, 2)}
    assert volume(panes) == {(START_MS, False): 4, (START_MS, True): 1} | hours


@pytest.mark.parametrize("values", [["DE", "FR", "PL", "IT"], ["DE", "FR"]])
def test_segments_add_up_to_no_more_than_the_whole(values: list[str]) -> None:
    watch = watch_of(segments=[{"by": ["country"], "values": values}])
    events = events_at(times_of([3] * 200))
    panes, _, _ = joined(folded(fold_of(watch), events))
    countries = Counter(events.category[0])
    for value in values:
        assert sum(volume(panes, segment=f"country={value}").values()) == countries[value]
    whole = volume(panes)
    for pane, n in whole.items():
        inside = sum(volume(panes, segment=f"country={value}").get(pane, 0) for value in values)
        assert inside <= n
    assert sum(whole.values()) == len(events)


def test_many_values_of_several_features_together_take_no_memory_for_their_combinations() -> None:
    names = [f"n{number}" for number in range(1_000)]
    by = ("feature:a", "feature:b", "feature:c", "feature:d")
    combined: dict[tuple[str, ...], str] = {(name, name, name, name): name for name in names}
    columns: list[Coded[Name]] = [Coded.of(["n7", "n999", "n7", "x", None]), Coded.of(["n7", "n999", "n8", "x", "n7"])]
    segments = SegmentColumns([Segmentation(by, combined)], list(by))
    [(_, codes)] = segments.codes([*columns, *columns])
    assert codes.tolist() == [7, 999, -1, -1, -1]


def test_versions_are_kept_apart() -> None:
    events = events_at(times_of([3] * 200))
    panes, _, _ = joined(folded(fold_of(), events))
    counted: Counter[str] = Counter()
    for row in dicts(panes):
        if row["signal"] == "volume" and not row["segment"]:
            counted[row["version"]] += row["n"]
    assert events.versions is not None
    assert counted == Counter(events.versions)


def test_state_of_another_configuration_gives_only_the_offset_and_the_clock() -> None:
    first = fold_of()
    first.process(at_minutes(0, 1, 2, 200, 201))
    second = fold_of(watch_of(detect=detecting(pane="2h")))
    assert not second.restore(first.snapshot())
    assert (second.next_offset, second.clock.newest_ms, second.clock.closed_ms) == (
        first.next_offset,
        first.clock.newest_ms,
        first.clock.closed_ms,
    )
    assert not second.finish().rows["panes"]["n"]


def test_panes_that_are_open_outlive_a_change_of_what_they_are_compared_with() -> None:
    events = at_minutes(0, 1, 2, 55, 100, 150)
    whole = joined(folded(fold_of(), events))
    first = fold_of()
    before = [first.process(events.slice(0, 5))]
    changed = watch_of(
        **{**BANKS, "baseline": {"kind": "rolling", "span": "9d"}, "alerts": {"resolve_after": "2h"}},
    )
    assert changed.config_hash != WATCH.config_hash
    second = fold_of(changed)
    assert second.restore(first.snapshot())
    assert as_text(joined(before + folded(second, events.slice(5, 6)))[0]) == as_text(whole[0])
