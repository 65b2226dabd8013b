"""Versions that are told apart are bounded, and which they are depends on the log alone."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.sketch import Coded
from monitor.checkpoint import decode_state, encode_state
from monitor.events import Events
from monitor.ingest.fold import PartitionFold
from monitor.watch import Watch
from tests.ingest.test_fold import as_text, cutting, dicts, events_at, folded, joined, steps, times_of, watch_of
from tests.monitor.streams import DAY_MS, HOUR_MS, SPEC, START_MS, detecting

MOST = 3
DETECTORS = [
    "page_hinkley",
    {"river.drift.PageHinkley": {"threshold": 2}},
    {"robust_z": {"warm_up": 8, "history": 128}},
]


def crowded(most: int = MOST) -> Watch:
    rules = [{"on": "feature:amount", "use": DETECTORS}]
    return watch_of(schema={**SPEC["schema"], "max_versions": most}, detect=detecting(rules=rules))


WATCH = crowded()


def fold_of(watch: Watch = WATCH) -> PartitionFold:
    return PartitionFold(watch, watch.model.spec.sources[0], ("loans", 3))


def versioned(event_ms: list[int], versions: list[str], seed: int = 0) -> Events:
    """Random events of these versions."""
    events = events_at(event_ms, seed)
    events.versions = Coded.of(versions)
    return events


def turning_over(event_ms: list[int], seed: int) -> Events:
    """Every two days there are five other versions, three of which go on for a while."""
    draws = np.random.default_rng(seed).integers(0, 8, len(event_ms))
    turns = [int(at_ms) // (2 * DAY_MS) for at_ms in event_ms]
    return versioned(event_ms, [f"v{turn - draw % 2}.{draw}" for turn, draw in zip(turns, draws, strict=True)], seed)


def told_apart(panes: Any) -> dict[int, set[str]]:
    """The versions by day."""
    by_day = defaultdict(set)
    for row in dicts(panes):
        by_day[row["pane_start_ms"] // DAY_MS].add(row["version"])
    return by_day


@settings(deadline=None, max_examples=12)
@given(steps, cutting, st.integers(0, 5), st.integers(0, 80), st.integers(0, 80))
def test_neither_batches_nor_a_restart_change_which_versions_are_told_apart(
    minutes: list[int], cuts: list[int], seed: int, at: int, back: int
) -> None:
    events = turning_over(times_of([9 * step for step in minutes]), seed)
    whole = joined(folded(fold_of(), events))
    pieces = joined(folded(fold_of(), events, cuts))
    assert (as_text(pieces[0]), *pieces[1:]) == (as_text(whole[0]), *whole[1:])
    at = min(at, len(events))
    first, second = fold_of(), fold_of()
    before = [first.process(events.slice(0, at))]
    assert second.restore(decode_state(encode_state(first.snapshot())))
    again = min([at - min(back, at), *(offset // 2 for offset in first.held_offsets)])
    restarted = joined(before + folded(second, events.slice(again, len(events)), cuts))
    assert (as_text(restarted[0]), *restarted[1:]) == (as_text(whole[0]), *whole[1:])


def test_a_version_in_every_event_has_as_many_series_as_are_allowed_and_one_more() -> None:
    count = 10_000
    times = [START_MS + number * DAY_MS * 9 // count for number in range(count)]
    events, fold = versioned(times, [f"request-{number}" for number in range(count)]), fold_of()
    panes, _, _ = joined([*(fold.process(events.slice(at, at + 500)) for at in range(0, count, 500)), fold.finish()])
    by_day = told_apart(panes)
    assert all(len(versions - {"other"}) <= MOST for versions in by_day.values())
    # Those that come no more make room for others after a day.
    assert len(set().union(*by_day.values())) == 5 * MOST + 1
    counted = Counter({row["version"]: 0 for row in dicts(panes)})
    for row in dicts(panes):
        counted[row["version"]] += row["n"] * (row["signal"] == "volume" and not row["segment"])
    assert counted.total() == count
    assert counted["other"] > 0.99 * count
    assert len(encode_state(fold.snapshot())) < 100_000


def test_versions_that_ended_make_room_for_those_that_follow() -> None:
    times, versions = [], []
    for day in range(12):
        times += [START_MS + day * DAY_MS + hour * HOUR_MS for hour in range(24)] * 2
        versions += ["always"] * 24 + [f"v{day}"] * 24
    order = np.argsort(times, kind="stable")
    events = versioned([times[i] for i in order], [versions[i] for i in order])
    panes, _, _ = joined(folded(fold_of(crowded(4)), events))
    assert {version for versions in told_apart(panes).values() for version in versions} == {"always", *versions}


def test_a_version_that_comes_again_starts_with_fresh_detectors() -> None:
    """What a place has seen of another version is nothing that the next one has seen."""
    quiet, loud = fold_of(crowded(1)), fold_of(crowded(1))
    times = [START_MS + minute * 60_000 for minute in range(900)]
    late = [at_ms + 4 * DAY_MS for at_ms in times]
    of_v2 = versioned(late, ["v2"] * 900, seed=7)
    of_v2.offsets += 10_000
    loud.process(versioned(times, ["v1"] * 900, seed=5))
    findings = [row for row in joined([loud.process(of_v2)])[1] if json.loads(row)["version"] == "v2"]
    assert findings == joined([quiet.process(of_v2)])[1]
    assert findings
