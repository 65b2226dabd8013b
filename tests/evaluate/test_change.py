"""What is said of series of the rule `change` in their first days: how far they are, and their part of the budget."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detectors.change.skew import VERDICT
from detectors.change.threshold import bound
from monitor.config import Configuration
from monitor.evaluate.change import Changes
from monitor.evaluate.windows import first_window_end
from monitor.panes.reading import read_panes
from monitor.watch import Watch, compile_watch
from sinks.store.contract import Store
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, as_lines, configured, replayed_lines, rows, scored

VERSIONS = 12
DETECT = {
    "rule": "change",
    "false_alarms": "1 per 30d",
    "pane": "1h",
    "defaults": {"window": "1h", "learn_windows": 4},
    "default_rules": False,
    "rules": [{"on": "feature:*", "use": ["missing_rate"]}, {"on": "volume", "use": ["volume"]}],
}

BY_DAY = {"rule": "change", "false_alarms": "1 per 30d", "pane": "1h", "defaults": {"window": "1d"}}


def watched(**spec: Any) -> Configuration:
    schema = {"id": "id", "version": "version", "features": {"x": {"type": "numeric"}}}
    return configured(detect=DETECT, schema=schema, segments=[], **spec)


def of_numbers(detect: dict[str, Any]) -> Configuration:
    """One number, and no versions."""
    return configured(detect=detect, schema={"id": "id", "features": {"x": {"type": "numeric"}}}, segments=[])


def lines(days: int, versions: int) -> list[bytes]:
    """Thirty events of each version and hour; versions begin one after the other, hour by hour."""
    rng = np.random.default_rng(1)
    events = [
        {
            "id": f"{hour}/{version}/{number}",
            "ts": START_MS + hour * HOUR_MS + number * 120_000,
            "version": f"v{version:02d}",
            "x": float(rng.normal()),
        }
        for hour in range(24 * days)
        for number in range(30)
        for version in range(min(versions, hour + 1))
    ]
    return as_lines(events)


@pytest.fixture(scope="module")
def many_versions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Watch]:
    store, _ = replayed_lines(tmp_path_factory.mktemp("versions"), lines(2, VERSIONS), watched())
    return store, compile_watch(watched(), "loans")


def test_series_share_the_budget_from_their_first_window_on(many_versions: tuple[Store, Watch]) -> None:
    thresholds = defaultdict(set)
    for score in scored(many_versions[0]):
        if not math.isnan(score["surprise_limit"]):
            thresholds[(score["window_end_ms"] - START_MS) // HOUR_MS].add(score["surprise_limit"])
    # Those configured are the signals of one version, and the volume; beside it each version has its own.
    configured_signals = 1 + len(many_versions[1].layouts)
    for hour, of_hour in thresholds.items():
        series = 1 + len(many_versions[1].layouts) * min(hour, VERSIONS)
        rate = 0.5 / 30 / max(series, configured_signals)
        assert list(of_hour) == [pytest.approx(bound(rate, 24))], hour
    assert min(thresholds) < VERSIONS


def evaluated(stored: tuple[Store, Watch], at_once: int, days: int = 2) -> list[str]:
    """Rows of scores and expectations, so many windows at a time, with a restart after each time."""
    store, watch = stored
    ends = range(first_window_end(watch, START_MS), START_MS + days * DAY_MS, HOUR_MS)
    kind, rows = Changes(watch, None), list[str]()
    for start in range(0, len(ends), at_once):
        batch, state = ends[start : start + at_once], kind.snapshot()
        kind = Changes(watch, None)
        kind.restore(state)
        for verdicts in kind.advance(read_panes(store, watch, batch[0] - HOUR_MS, batch[-1]), batch):
            rows += [repr(row) for row in zip(*verdicts.rows("loans", "").values(), strict=True)]
        rows += [repr(row) for row in zip(*kind.expectations().values(), strict=True)]
    return sorted(rows)


@pytest.mark.parametrize("at_once", [1, 5])
def test_thresholds_of_the_first_day_depend_on_no_batch_or_restart(
    at_once: int, many_versions: tuple[Store, Watch]
) -> None:
    assert evaluated(many_versions, at_once) == evaluated(many_versions, 48)


@pytest.fixture(scope="module")
def coming(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Watch]:
    """Two versions, the values of which come after thirty hours."""
    events = [json.loads(line) for line in lines(3, 2)]
    for event in events:
        event["x"] = event["x"] if event["ts"] >= START_MS + 30 * HOUR_MS else None
    store, _ = replayed_lines(tmp_path_factory.mktemp("coming"), as_lines(events), watched())
    return store, compile_watch(watched(), "loans")


@pytest.mark.parametrize("at_once", [1, 5])
def test_where_values_come_depends_on_no_batch_or_restart(at_once: int, coming: tuple[Store, Watch]) -> None:
    at_a_time = evaluated(coming, at_once, days=3)
    assert at_a_time == evaluated(coming, 72, days=3)
    assert sum("values come, which it never had" in row for row in at_a_time) == 2


@pytest.fixture(scope="module")
def skewed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Watch]:
    folder = tmp_path_factory.mktemp("skewed")
    rng = np.random.default_rng(11)
    pq.write_table(pa.table({"x": rng.normal(size=2_000)}), folder / "training.parquet")
    configuration = watched(baseline={"kind": "dataset", "uri": str(folder / "training.parquet")})
    store, _ = replayed_lines(folder, lines(5, 1), configuration)
    return store, compile_watch(configuration, "loans")


def test_a_skew_learns_for_days_and_says_so(skewed: tuple[Store, Watch]) -> None:
    details = defaultdict(set)
    for score in scored(skewed[0], detector="skew", signal="feature:x"):
        details[(score["window_end_ms"] - START_MS - 1) // DAY_MS].add((score["status"], score["detail"]))
        assert math.isfinite(score["effect"]) == (score["status"] != "learning")
        assert not str(score["surprise"]).startswith("-")
    # What a day says is said from its last window on.
    seen = {day: sorted(detail for status, detail in of_day if status == "learning") for day, of_day in details.items()}
    assert seen == {
        0: ["learning: 0 of 3 days seen", "learning: 1 of 3 days seen"],
        1: ["learning: 1 of 3 days seen", "learning: 2 of 3 days seen"],
        2: ["learning: 2 of 3 days seen"],
        3: [],
        4: [],
    }
    assert {status for status, _ in details[4]} == {"ok"}


def test_a_checkpoint_without_days_seen_goes_on(skewed: tuple[Store, Watch]) -> None:
    store, watch = skewed
    kind = Changes(watch, None)
    ends = range(first_window_end(watch, START_MS), START_MS + 30 * HOUR_MS, HOUR_MS)
    list(kind.advance(read_panes(store, watch, START_MS, ends[-1]), ends))
    state, *contrasts = kind.snapshot()
    older = Changes(watch, None)
    # Nor did it number contrasts within their series, which makes no difference to the first one.
    state["newest_skews"] = state.pop("skews_of_series")[:, : VERDICT - 1]
    older.restore([state, *contrasts])
    later = range(ends[-1] + HOUR_MS, START_MS + 4 * DAY_MS, HOUR_MS)
    panes = read_panes(store, watch, ends[-1], later[-1])
    rows = [[verdicts.rows("loans", "")["status"] for verdicts in each.advance(panes, later)] for each in (kind, older)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize(("usual", "at_once"), [(0.3, 20_000), (10.0, 60_000)])
def test_a_backfill_says_how_many_events_came(usual: float, at_once: int, tmp_path: Path) -> None:
    """Two thousand times what is usual and more: once its alert had 95 digits, and of fewer events there was none."""
    rng, backfilled = np.random.default_rng(3), 17 * 24 + 10
    counts = [at_once if hour == backfilled else int(rng.poisson(usual)) for hour in range(20 * 24)]
    events = [
        {"id": f"{hour}/{i}", "ts": START_MS + hour * HOUR_MS + i * HOUR_MS // count, "x": float(i % 7)}
        for hour, count in enumerate(counts)
        for i in range(count)
    ]
    store, _ = replayed_lines(tmp_path, as_lines(events), of_numbers(DETECT))
    [fired] = [
        alert
        for alert in rows(store, "alerts", state="firing")
        if alert["at_ms"] == START_MS + (backfilled + 1) * HOUR_MS
    ]
    assert f"→ {at_once:,})" in fired["title"]


@pytest.mark.parametrize("moves_on", [10, 14])
def test_values_in_windows_of_a_day_are_watched_once_learn_windows_are_over(moves_on: int, tmp_path: Path) -> None:
    """Their reference was made of ten days, and they learned for ten more, which nothing said."""
    rng = np.random.default_rng(5)
    events = [
        {"id": f"{day}/{i}", "ts": START_MS + day * DAY_MS + i * DAY_MS // 300, "x": float(x)}
        for day in range(moves_on + 2)
        for shift in [2.0 * (day >= moves_on)]
        for i, x in enumerate(rng.normal(size=300) + shift)
    ]
    store, _ = replayed_lines(tmp_path, as_lines(events), of_numbers(BY_DAY))
    first = next(alert for alert in rows(store, "alerts") if alert["state"] == "firing")
    assert first["at_ms"] == START_MS + (moves_on + 1) * DAY_MS
    assert "feature:x" in first["title"]


def test_windows_of_a_day_say_that_values_learn_which_came_to_a_reference_late(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    events = [
        {"id": f"{day}/{i}", "ts": START_MS + day * DAY_MS + i * DAY_MS // 60, "x": float(rng.normal())}
        for day in range(16)
        for i in range(60)
    ]
    store, _ = replayed_lines(tmp_path, as_lines(events), of_numbers(BY_DAY))
    by_day = {
        (score["window_end_ms"] - START_MS) // DAY_MS: (score["status"], score["detail"])
        for score in scored(store, detector="change", signal="feature:x")
    }
    # Two hundred values take four days, and ten days from the fourth on are enough.
    assert by_day[12] == ("learning", "learning: 8 of 10 windows seen")
    assert by_day[14][0] == "ok"
