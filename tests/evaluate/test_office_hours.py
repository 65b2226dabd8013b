"""What is said of the number of events of a model that gets them in working hours only."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from detectors.change.legend import VOLUME
from monitor.evaluate.expectations import read_day
from sinks.store.contract import Store
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, as_lines, configured, replayed_lines, rows, scored

PER_HOUR = 60
WEEKS, MOVED = 5, 28
DETECT = {"rule": "change", "false_alarms": "1 per 30d", "pane": "10m", "defaults": {"window": "1h"}}
SCHEMA = {"id": "id", "features": {"x": {"type": "numeric"}}}


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, dict[int, int]]:
    """From nine to five on weekdays, and in the fifth week an hour earlier; and how many events each hour has."""
    rng, events, counts = np.random.default_rng(3), [], {}
    for day in [day for day in range(7 * WEEKS) if day % 7 < 5]:
        for hour in range(8, 16) if day >= MOVED else range(9, 17):
            begins_ms = START_MS + day * DAY_MS + hour * HOUR_MS
            times = np.sort(rng.integers(0, HOUR_MS, int(rng.poisson(PER_HOUR))))
            counts[begins_ms + HOUR_MS] = len(times)
            events += [
                {"id": f"{begins_ms + at}", "ts": begins_ms + at, "x": float(rng.normal())} for at in times.tolist()
            ]
    folder: Path = tmp_path_factory.mktemp("office")
    configuration = configured(detect=DETECT, schema=SCHEMA, segments=[])
    return replayed_lines(folder, as_lines(events), configuration)[0], counts


def test_no_more_events_are_told_than_there_were(moved: tuple[Store, dict[int, int]]) -> None:
    store, counts = moved
    told = 0
    for score in scored(store, signal="volume"):
        if not (found := re.search(r"events ([\d.,]+) → ([\d.,]+)( over the day)?", score["detail"])):
            continue
        expected, after = (float(number.replace(",", "")) for number in found.groups()[:2])
        told += score["status"] == "drift"
        if found.group(3):
            begins_ms = (score["window_end_ms"] - 1) // DAY_MS * DAY_MS
            so_far = sum(count for end_ms, count in counts.items() if begins_ms < end_ms <= score["window_end_ms"])
            assert after == pytest.approx(so_far, rel=0.01)
            assert expected < 9 * 1.2 * PER_HOUR
        else:
            own = counts.get(score["window_end_ms"], 0)
            assert after <= max(2.2 * own, own + 4 * PER_HOUR**0.5) + 1
            assert expected < 1.5 * PER_HOUR
    assert told > 0


def test_what_is_usual_is_that_of_hours_with_events(moved: tuple[Store, dict[int, int]]) -> None:
    friday_ms = START_MS + (MOVED - 3) * DAY_MS
    [of_friday] = rows(moved[0], "expectations", signal="volume", from_ms=friday_ms)
    [volume] = read_day(of_friday).contrasts
    assert volume.kind == VOLUME
    assert volume.in_units(volume.usual) == pytest.approx(PER_HOUR, rel=0.25)


def test_in_hours_without_events_an_alarm_says_what_its_share_is_by_day(tmp_path: Path) -> None:
    rng, events = np.random.default_rng(4), []
    for day in range(17):
        for hour in range(8, 20):
            begins_ms = START_MS + day * DAY_MS + hour * HOUR_MS
            times = np.sort(rng.integers(0, HOUR_MS, int(rng.poisson(PER_HOUR))))
            is_missing = rng.random(len(times)) < (0.3 if day >= 15 else 0.01)
            events += [
                {"id": f"{begins_ms + at}", "ts": begins_ms + at, "x": None if lacks else float(rng.normal())}
                for at, lacks in zip(times.tolist(), is_missing.tolist(), strict=True)
            ]
    configuration = configured(detect=DETECT, schema=SCHEMA, segments=[], alerts={"resolve_after": "1d"})
    store = replayed_lines(tmp_path, as_lines(events), configuration)[0]
    by_night = [row for row in scored(store, signal="feature:x") if row["status"] == "drift" and row["n"] == 0]
    shares = [re.findall(r"missing ([\d.]+) % → ([\d.]+) %", row["detail"])[0] for row in by_night]
    assert len(shares) >= 8
    assert all(float(usual) < 4 and 20 < float(current) < 45 for usual, current in shares), shares
