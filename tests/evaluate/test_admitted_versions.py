"""So many versions have series of their own, and which they are depends on the panes alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from monitor.checkpoint import decode_state, encode_state
from monitor.evaluate.model import ModelSeries
from monitor.evaluate.windows import first_window_end
from monitor.panes.reading import read_panes
from monitor.watch import Watch, compile_watch
from sinks.store.contract import Query, Store
from sinks.store.rows import as_list
from tests.monitor.streams import (
    DAY_MS,
    HOUR_MS,
    START_MS,
    applications,
    as_lines,
    configured,
    detecting,
    replayed,
    rows,
    scored,
    written,
)

MOST, DAYS, WINDOW_MS, STEP_MS = 3, 8, 12 * HOUR_MS, 6 * HOUR_MS
FIELDS = {"age": {"type": "numeric", "range": [18, 100]}}

Stored = tuple[Store, Watch]


def _spec(most: int) -> dict[str, Any]:
    defaults = {"window": "12h", "every": "6h", "min_samples": 5, "learn_windows": 6}
    schema = {"id": "id", "version": "version", "max_versions": most, "features": FIELDS}
    return {"schema": schema, "segments": [], "detect": detecting(rules=[], defaults=defaults)}


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Two partitions whose versions turn over every two days; each has five at a time, and they share three."""

    def turn(event: dict[str, Any]) -> None:
        number = int(event["id"][1:])
        event["version"] = f"v{(event['ts'] - START_MS) // (2 * DAY_MS) - number % 5 % 2}.{number % 7}"

    lines = as_lines(applications(7, days=DAYS, per_day=150, change=turn))
    configuration = configured(**_spec(MOST))
    paths = written(tmp_path_factory.mktemp("crowded"), [lines[::2], lines[1::2]])
    store, _ = replayed(configuration, paths, batch=200, checkpoint_every=700)
    return store, compile_watch(configuration, "loans")


def as_text(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """Rows as text, whatever the order of their columns."""
    names = sorted(columns)
    return [repr(row) for row in zip(*(as_list(columns[name]) for name in names), strict=True)]


def versions_in(snapshot: Mapping[str, Any]) -> set[str]:
    """The versions that have state."""
    states = [state for name in ("series", "changes") for state in snapshot[name] if "key" in state]
    return {state["key"][0] for state in states} - {""}


def evaluated(
    crowded: Stored, at_once: int, *, restarting: bool = False
) -> tuple[list[str], list[str], dict[str, int]]:
    """Rows of scores and expectations as text, and where versions begin, so many windows at a time."""
    store, watch = crowded
    series, scores, expected = ModelSeries(watch), list[str](), list[str]()
    begun: dict[str, int] = {}
    ends = range(first_window_end(watch, START_MS), START_MS + DAYS * DAY_MS, STEP_MS)
    for start in range(0, len(ends), at_once):
        if restarting:
            restarted = ModelSeries(watch)
            restarted.restore(decode_state(encode_state(series.snapshot())))
            series = restarted
        batch = ends[start : start + at_once]
        for verdicts in series.advance(read_panes(store, watch, batch[0] - WINDOW_MS, batch[-1]), batch):
            scores += as_text(verdicts.rows("loans", ""))
        expected += as_text(series.expectations())
        begun |= series.versions.begun_ms
    return sorted(scores), sorted(expected), begun


def test_no_window_has_more_versions_and_every_event_counts_in_one(crowded: Stored) -> None:
    store, _ = crowded
    versions: defaultdict[int, set[str]] = defaultdict(set)
    events: defaultdict[tuple[int, str], Counter[str]] = defaultdict(Counter)
    for score in scored(store, segment=""):
        end_ms = score["window_end_ms"]
        if score["signal"] == "volume":
            events[end_ms, score["detector"]]["all"] = score["n"]
        elif score["signal"] == "feature:age" and score["detector"] in ("change", "psi"):
            versions[end_ms].add(score["version"])
            events[end_ms, score["detector"]][score["version"]] = score["n"]
    told_apart = {version for of_window in versions.values() for version in of_window}
    assert all(len(of_window - {"other"}) <= MOST for of_window in versions.values())
    # Later versions have their turn.
    assert len(told_apart) > 2 * MOST
    assert "other" in told_apart
    (volumes,) = {detector for _, detector in events if "all" in events[max(events)[0], detector]} & {"change"}
    summed = [
        of.pop("all") == of.total() for (_, detector), of in events.items() if detector == volumes and "all" in of
    ]
    assert summed
    assert all(summed)


@pytest.mark.parametrize(("at_once", "restarting"), [(3, True), (5, False), (200, False)])
def test_neither_batches_nor_restarts_change_a_row(crowded: Stored, at_once: int, *, restarting: bool) -> None:
    store, _ = crowded
    scores, expected, begun = evaluated(crowded, at_once, restarting=restarting)
    assert scores == sorted(as_text(store.read(Query("scores"))))
    assert expected == sorted(as_text(store.read(Query("expectations"))))
    assert begun == {row["version"]: row["first_ms"] for row in rows(store, "versions")}


def test_what_has_made_room_is_forgotten(crowded: Stored) -> None:
    store, watch = crowded
    series = ModelSeries(watch)
    ends = range(first_window_end(watch, START_MS), START_MS + DAYS * DAY_MS, STEP_MS)
    series.advance(read_panes(store, watch, ends[0] - WINDOW_MS, ends[-1]), ends)
    assert len(versions_in(series.snapshot()) - {"other"}) <= MOST


def test_versions_of_a_checkpoint_from_before_there_was_a_bound_make_room(crowded: Stored) -> None:
    store, watch = crowded
    ends = range(first_window_end(watch, START_MS), START_MS + DAYS * DAY_MS, STEP_MS)
    unbounded = compile_watch(configured(**_spec(1_000)), "loans")
    before, after = ModelSeries(unbounded), ModelSeries(watch)
    before.advance(read_panes(store, watch, ends[0] - WINDOW_MS, ends[15]), ends[:16])
    state = before.snapshot()
    assert len(versions_in(state)) > 2 * MOST
    del state["versions"]
    after.restore(state)
    after.advance(read_panes(store, watch, ends[16] - WINDOW_MS, ends[-1]), ends[16:])
    assert len(versions_in(after.snapshot()) - {"other"}) <= MOST
