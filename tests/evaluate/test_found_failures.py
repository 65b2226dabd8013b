"""What the alarm rule once missed, found by whole replays: in season, in small segments, gone stale, come again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.clock import ManualClock
from monitor.config import Configuration
from monitor.evaluate.kinds import KINDS
from monitor.evaluate.mark_log import Mark, log_mark
from monitor.evaluate.referred_contrasts import REFERENCE_EVENTS
from monitor.evaluate.windows import first_window_end
from monitor.panes.reading import read_panes
from monitor.watch import compile_watch
from sinks.store.memory import MemoryStore
from tests.monitor.streams import (
    DAY_MS,
    DRIFT_MS,
    HOUR_MS,
    START_MS,
    applications,
    as_lines,
    configured,
    detecting,
    drifting,
    replayed,
    replayed_lines,
    rows,
    written,
)

DAYS = 24
CHANGE_DAY = 21
PER_HOUR = 120
CHANGE_MS = START_MS + CHANGE_DAY * DAY_MS + 10 * HOUR_MS

Hourly = Callable[[np.random.Generator, int], Any]
"""Returns the values of an hour, by its number."""


def watched(window: str = "1h", false_alarms: str = "1 per 30d", time_zone: str = "UTC", **spec: Any) -> Configuration:
    detect = {
        "rule": "change", "false_alarms": false_alarms, "pane": "1h", "defaults": {"window": window},
        "time_zone": time_zone,
    }  # fmt: skip
    schema = {"id": "id", "features": {"x": {"type": "numeric"}, "country": {"type": "category"}}}
    schema = spec.pop("schema", schema)
    return configured(detect=detect, schema=schema, segments=spec.pop("segments", []), **spec)


def lines(seed: int, hourly: Hourly, days: int = DAYS, countries: Sequence[str] = ("DE",)) -> list[bytes]:
    """Events of each hour, evenly spread over it."""
    rng = np.random.default_rng(seed)
    events = []
    for hour in range(days * 24):
        for number, value in enumerate(hourly(rng, hour)):
            at_ms = START_MS + hour * HOUR_MS + number * HOUR_MS // PER_HOUR
            country = countries[number % len(countries)]
            events.append({"id": f"{hour}/{number}", "ts": at_ms, "x": value, "country": country})
    return [json.dumps(event).encode() for event in events]


def onsets(folder: Path, configuration: Configuration, stream: list[bytes], signal: str = "feature:x") -> list[int]:
    """Ends of the windows in which alerts of a signal fired."""
    store, _ = replayed_lines(folder, stream, configuration)
    fired = [alert for alert in rows(store, "alerts") if alert["state"] == "firing"]
    return [alert["at_ms"] for alert in fired if signal in {entry["signal"] for entry in json.loads(alert["signals"])}]


def season(hour: int) -> float:
    return 0.6 * float(np.sin(2 * np.pi * hour / 24)) + 0.3 * (hour // 24 % 7 >= 5)


def at(hour: int) -> int:
    """The start of an hour, ms since the epoch."""
    return START_MS + hour * HOUR_MS


def moved(shift: float) -> Hourly:
    def hourly(rng: np.random.Generator, hour: int) -> Any:
        return (rng.normal(size=PER_HOUR) + season(hour) + shift * (at(hour) >= CHANGE_MS)).tolist()

    return hourly


@pytest.mark.parametrize("shift", [0.5, 1.0])
def test_a_shift_is_found_within_two_windows_of_a_signal_with_a_daily_season(tmp_path: Path, shift: float) -> None:
    fired = onsets(tmp_path, watched(), lines(1, moved(shift)))
    assert [at_ms for at_ms in fired if at_ms <= CHANGE_MS] == []
    assert fired[0] <= CHANGE_MS + 2 * HOUR_MS


@pytest.mark.parametrize("wide", [[0, 200], [0, 10_000], [0, 1_000_000]])
@pytest.mark.parametrize(("factor", "told"), [(1.08, r"typical value 24\.\d+ → 2[67]"), (100, r"2[45][\d.]* → 2,\d+")])
def test_a_range_that_is_far_wider_than_what_comes_hides_nothing(
    tmp_path: Path, wide: list[float], factor: float, told: str
) -> None:
    def hourly(rng: np.random.Generator, hour: int) -> Any:
        return (25 * np.exp(0.1 * rng.normal(size=PER_HOUR)) * (factor if at(hour) >= CHANGE_MS else 1)).tolist()

    configuration = watched(schema={"id": "id", "features": {"x": {"type": "numeric", "range": wide}}})
    store, _ = replayed_lines(tmp_path, lines(8, hourly), configuration)
    fired = [alert for alert in rows(store, "alerts") if alert["state"] == "firing"]
    assert fired[0]["at_ms"] == CHANGE_MS + HOUR_MS
    assert re.search(told, json.loads(fired[0]["signals"])[0]["reason"])


@pytest.mark.parametrize(("usual", "factor", "told"), [(0.002, 2.0, r"0\.0020?\d* → 0\.00"), (0.3, 100.0, r"→ 3\d\b")])
def test_scores_are_told_apart_near_the_ends_of_their_range_and_beyond(
    tmp_path: Path, usual: float, factor: float, told: str
) -> None:
    """A fraud is rare, and so is a score above a hundredth; and a percentage is a score in another unit."""

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        return (usual * np.exp(0.2 * rng.normal(size=PER_HOUR)) * (factor if at(hour) >= CHANGE_MS else 1)).tolist()

    configuration = watched(schema={"id": "id", "features": {"x": {"type": "numeric", "range": [0, 1]}}})
    store, _ = replayed_lines(tmp_path, lines(9, hourly), configuration)
    fired = [alert for alert in rows(store, "alerts") if alert["state"] == "firing"]
    assert fired[0]["at_ms"] == CHANGE_MS + HOUR_MS
    assert re.search(told, json.loads(fired[0]["signals"])[0]["reason"])


def higher_scores(rng: np.random.Generator, hour: int) -> Any:
    return (rng.beta(2, 9, size=PER_HOUR) + 0.1 * (at(hour) >= CHANGE_MS)).tolist()


def another_name(rng: np.random.Generator, hour: int) -> Any:
    shares = [0.35, 0.2, 0.15, 0.3] if at(hour) >= CHANGE_MS else [0.5, 0.3, 0.2, 0.0]
    return rng.choice(list("abcd"), size=PER_HOUR, p=shares).tolist()


@pytest.mark.parametrize(
    ("hourly", "of_x", "fault", "besides"),
    [
        (higher_scores, {"type": "numeric", "range": [0, 1]}, r"typical value 0\.1\d* → 0\.2\d*", "spread "),
        (another_name, {"type": "category"}, r"share of new values 0 % → [23]\d(\.\d)? %", "share of '[abc]' "),
    ],
)
def test_a_fault_stays_in_the_title_when_what_comes_along_with_it_is_found(
    tmp_path: Path, hourly: Hourly, of_x: dict[str, Any], fault: str, besides: str
) -> None:
    """The shape of values changes with them, and other names have less of all once another one has some."""
    schema = {"id": "id", "features": {"x": of_x, "country": {"type": "category"}}}
    store, _ = replayed_lines(tmp_path, lines(1, hourly, days=CHANGE_DAY + 1), watched(schema=schema))
    firing, *updates = [alert["title"] for alert in rows(store, "alerts")]
    assert re.fullmatch(rf"loans: feature:x moved \({fault}\)", firing)
    assert updates
    for title in updates:
        assert re.fullmatch(rf"loans: feature:x moved \({fault}; {besides}.*\)", title)


def test_what_a_day_shows_is_told_as_it_ends_though_its_last_windows_are_empty(tmp_path: Path) -> None:
    """Levels differ from day to day, so that only days show the shift; traffic comes in five hours of each."""
    levels = np.random.default_rng(1_004).normal(0, 0.25, 28)

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        shift = 0.7 if hour // 24 >= CHANGE_DAY else 0.0
        return (rng.normal(size=PER_HOUR) + levels[hour // 24] + shift).tolist() if hour % 24 < 5 else []

    store, _ = replayed_lines(tmp_path, lines(4, hourly, days=27), watched())
    ends_ms = START_MS + 25 * DAY_MS
    [score] = rows(store, "scores", signal="feature:x", detector="change", window_end_ms=ends_ms)
    assert (score["n"], score["status"], score["detail"]) == (0, "drift", "typical value 0.024 → 0.819 over the day")
    [alert] = [alert for alert in rows(store, "alerts") if alert["state"] == "firing"]
    reason = json.loads(alert["signals"])[0]["reason"]
    assert alert["at_ms"] == ends_ms
    assert "since about 2024-01-25 00:00 UTC" in reason
    assert "over the day up to 2024-01-26 00:00 UTC, compared with the same hours of earlier days" in reason


@pytest.mark.parametrize(("per_hour", "shift", "windows"), [(18, 1.5, 2), (4, 1.5, 8)])
def test_a_shift_is_found_where_windows_hold_few_events(
    tmp_path: Path, per_hour: int, shift: float, windows: int
) -> None:
    fired = onsets(tmp_path, watched(), lines(2, few(per_hour, shift)))
    assert [at_ms for at_ms in fired if at_ms <= CHANGE_MS] == []
    assert fired[0] <= CHANGE_MS + windows * HOUR_MS


def few(per_hour: int, shift: float) -> Hourly:
    def hourly(rng: np.random.Generator, hour: int) -> Any:
        return (rng.normal(size=rng.poisson(per_hour)) + season(hour) + shift * (at(hour) >= CHANGE_MS)).tolist()

    return hourly


def test_a_drift_in_little_traffic_alarms_within_two_windows(tmp_path: Path) -> None:
    # Some sixty events in each window of six hours, and a change on the eighth day.
    configuration = configured(detect=detecting(rule="change"))
    store, _ = replayed_lines(tmp_path, as_lines(applications(3, change=drifting)), configuration)
    fired = [alert["at_ms"] for alert in rows(store, "alerts") if alert["state"] == "firing"]
    assert DRIFT_MS[0] < min(fired) <= DRIFT_MS[0] + 2 * 6 * HOUR_MS


def test_a_number_learns_until_it_has_enough_values_and_says_how_many(tmp_path: Path) -> None:
    store, _ = replayed_lines(tmp_path, lines(2, few(8, 0.0), days=2), watched())
    scores = rows(store, "scores", signal="feature:x", detector="change")
    statuses = [score["status"] for score in scores]
    learning = statuses.index("ok")
    assert (set(statuses[:learning]), set(statuses[learning:])) == ({"learning"}, {"ok"})
    values = np.cumsum([score["n"] for score in scores])
    # The window that completes the reference is part of it.
    assert values[learning - 2] < REFERENCE_EVENTS <= values[learning - 1]
    assert scores[5]["detail"] == "learning: 6 of 10 windows seen"
    assert scores[12]["detail"] == f"learning: {values[12]} of 200 values seen"


@pytest.mark.parametrize(("factor", "offset"), [(2.0, 0.0), (1.0, 0.5)])
def test_a_change_is_found_where_the_first_windows_had_no_values(tmp_path: Path, factor: float, offset: float) -> None:
    """Ten windows of a night are the first reference of a number that is elsewhere by day."""
    evening_ms = CHANGE_MS + 5 * HOUR_MS

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        is_changed = at(hour) >= evening_ms
        of_hour = 5 * float(np.sin(2 * np.pi * hour / 24))
        values = of_hour + (factor if is_changed else 1) * rng.normal(size=PER_HOUR) + offset * is_changed
        return values.tolist()

    configuration = watched(baseline={"kind": "rolling"})
    fired = onsets(tmp_path, configuration, lines(1, hourly))
    assert [at_ms for at_ms in fired if at_ms <= evening_ms] == []
    assert fired[0] <= evening_ms + 3 * HOUR_MS


def test_a_daily_season_alone_does_not_alarm(tmp_path: Path) -> None:
    assert onsets(tmp_path, watched(), lines(2, moved(0.0))) == []


def told(folder: Path, stream: list[bytes], time_zone: str = "UTC") -> list[tuple[str, str, dict[str, Any]]]:
    """State, title and the first signal's entry of every transition of an alert, in order."""
    store, _ = replayed_lines(folder, stream, watched(time_zone=time_zone))
    alerts = sorted(rows(store, "alerts"), key=lambda alert: (alert["at_ms"], alert["sequence"]))
    return [(alert["state"], alert["title"], json.loads(alert["signals"])[0]) for alert in alerts]


@pytest.mark.parametrize("shift", [0.15, 0.25])
def test_an_alert_says_since_when_and_not_only_when_it_was_sure(tmp_path: Path, shift: float) -> None:
    _, _, entry = told(tmp_path, lines(1, moved(shift)))[0]
    assert entry["since_ms"] > CHANGE_MS + 2 * HOUR_MS
    assert abs(entry["onset_ms"] - CHANGE_MS) <= 3 * HOUR_MS


@pytest.mark.parametrize("seed", [1, 3])
def test_a_day_on_which_it_moved_begins_at_midnight_though_clocks_change_after_it(tmp_path: Path, seed: int) -> None:
    """Days have levels of their own, so that it takes some to be sure: in these clocks go forward in Berlin."""
    levels = np.random.default_rng(seed + 100).normal(0, 0.1, 60)
    changed_hour = 18 * 24 + 23

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        return (rng.normal(size=PER_HOUR) + levels[(hour + 1) // 24] + 0.3 * (hour >= changed_hour)).tolist()

    spring = [json.loads(line) for line in lines(seed, hourly, days=26)]
    stream = [json.dumps(event | {"ts": event["ts"] + 70 * DAY_MS}).encode() for event in spring]
    _, _, entry = told(tmp_path, stream, time_zone="Europe/Berlin")[0]
    # 2024-03-30 00:00 in Berlin; clocks change a day later.
    assert entry["onset_ms"] == at(changed_hour) + 70 * DAY_MS
    assert entry["since_ms"] > entry["onset_ms"] + 3 * DAY_MS


@pytest.mark.parametrize("factor", [3, 10])
def test_traffic_that_grows_moves_no_share_that_stays_what_it_was(tmp_path: Path, factor: int) -> None:
    rng = np.random.default_rng(1)

    def hourly(_: np.random.Generator, hour: int) -> Any:
        return rng.normal(10, 1, rng.poisson(12 * (factor if at(hour) >= CHANGE_MS else 1))).tolist()

    stream = lines(1, hourly, days=CHANGE_DAY + 3, countries=("DE",))
    store, _ = replayed_lines(tmp_path, stream, watched())
    alerts = [alert for alert in rows(store, "alerts") if alert["state"] in ("firing", "updated")]
    assert {entry["signal"] for alert in alerts for entry in json.loads(alert["signals"])} == {"volume"}


def test_a_constant_that_begins_to_vary_is_told_once(tmp_path: Path) -> None:
    def hourly(rng: np.random.Generator, hour: int) -> Any:
        return rng.normal(5, 1, PER_HOUR).tolist() if at(hour) >= CHANGE_MS else [5.0] * PER_HOUR

    transitions = told(tmp_path, lines(1, hourly, days=CHANGE_DAY + 4))
    assert [state for state, _, _ in transitions] == ["firing"]
    assert "spread" in transitions[0][1]


def test_a_constant_is_found_in_its_first_window(tmp_path: Path) -> None:
    def hourly(rng: np.random.Generator, hour: int) -> Any:
        values = rng.normal(size=PER_HOUR) + season(hour)
        return (0 * values + 0.25 if at(hour) >= CHANGE_MS else values).tolist()

    assert onsets(tmp_path, watched(), lines(3, hourly))[0] == CHANGE_MS + HOUR_MS


def test_a_constant_is_told_once_and_not_as_its_season_goes_by(tmp_path: Path) -> None:
    """It was told three times a day for ever, as what moves up, further up, and down, from where the season was."""

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        values = rng.normal(size=PER_HOUR) + 2.5 * season(hour)
        if at(hour) < CHANGE_MS:
            return values.tolist()
        return (0 * values + (0.5 if at(hour) < CHANGE_MS + 2 * DAY_MS else -1.0)).tolist()

    store, _ = replayed_lines(tmp_path, lines(3, hourly, days=CHANGE_DAY + 4), watched())
    alerts = sorted((alert["at_ms"], alert["title"]) for alert in rows(store, "alerts") if alert["state"] != "resolved")
    another_ms = CHANGE_MS + 2 * DAY_MS
    titles = [title for at_ms, title in alerts if at_ms <= another_ms]
    assert "nearly constant" in titles[0]
    assert ["→ 0.50" in title for title in titles if "typical value" in title] == [True]
    # That it is another one is news.
    others = [(at_ms, title) for at_ms, title in alerts if at_ms > another_ms and "typical value" in title]
    assert [("→ -0.9" in title, at_ms <= another_ms + 4 * HOUR_MS) for at_ms, title in others] == [(True, True)]


def test_what_is_back_before_it_could_be_told_from_a_level_of_its_day_says_how_far_off_it_was(tmp_path: Path) -> None:
    """Days differ, so that nothing is odd until the morning: `missing 6.46 % → 8.65 %` was said of 45 %."""
    rates = 0.05 * np.exp(np.random.default_rng(4).normal(0, 0.6, CHANGE_DAY + 1))
    rates[-1] = 0.05

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        is_off = hour // 24 == CHANGE_DAY and hour % 24 < 7
        return [None if rng.random() < (0.3 if is_off else rates[hour // 24]) else 1.0 for _ in range(PER_HOUR)]

    (state, title, entry), *_ = told(tmp_path, lines(6, hourly, days=CHANGE_DAY + 1))
    assert (state, entry["since_ms"] >= START_MS + (CHANGE_DAY * 24 + 7) * HOUR_MS) == ("firing", True)
    words = re.search(r"missing ([\d.]+) % → ([\d.]+) % and back", title)
    assert words is not None, title
    usual, earlier = map(float, words.groups())
    assert usual < 10 < 20 < earlier < 50
    assert "which by itself has" in entry["reason"]


def test_every_recurrence_of_an_outage_alarms(tmp_path: Path) -> None:
    """Two hours without values every second day: often enough to be usual, and told each time."""

    def is_out(hour: int) -> bool:
        return hour // 24 >= 8 and hour // 24 % 2 == 0 and hour % 24 in (10, 11)

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        values = (rng.normal(size=PER_HOUR) + season(hour)).tolist()
        return [None] * PER_HOUR if is_out(hour) else values

    store, _ = replayed_lines(tmp_path, lines(4, hourly), watched())
    firing = sorted((alert["at_ms"], alert["title"]) for alert in rows(store, "alerts") if alert["state"] == "firing")
    fired = [at_ms for at_ms, _ in firing]
    outages = [at(hour + 1) for hour in range(DAYS * 24) if is_out(hour) and hour % 24 == 10]
    assert [at_ms for at_ms in outages if at_ms not in fired] == []
    assert len(fired) == len(outages)
    assert firing[0][1].endswith("(missing 0 % → 100 %)")
    assert firing[-1][1].endswith(f"(missing 0 % → 100 %); {len(outages)}th time since 2024-01-09, every second day")


def test_a_timetable_of_outages_is_said_by_the_time_zone_of_the_model(tmp_path: Path) -> None:
    def is_out(hour: int) -> bool:
        return hour >= 8 * 24 and hour % 24 in (22, 23)

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        values = (rng.normal(size=PER_HOUR) + season(hour)).tolist()
        return [None] * PER_HOUR if is_out(hour) else values

    store, _ = replayed_lines(tmp_path, lines(4, hourly, days=11), watched(time_zone="Asia/Tokyo"))
    newest = max((alert for alert in rows(store, "alerts") if alert["state"] == "firing"), key=lambda row: row["at_ms"])
    assert newest["title"].endswith("; 3rd time since 2024-01-10, each day (Asia/Tokyo)")
    (moved,) = json.loads(newest["signals"])
    timetable = "for the 3rd time since 2024-01-09 22:00 UTC, each day from about 07:00 to 09:00 (Asia/Tokyo); "
    assert timetable in moved["reason"]


@pytest.mark.parametrize("part", [1.0, 0.5])
def test_every_recurrence_of_an_outage_is_told_while_another_alarm_of_the_signal_stands(
    tmp_path: Path, part: float
) -> None:
    """Its level has moved for good, which stands: once the first outage was an update, and the others nothing."""

    def is_out(hour: int) -> bool:
        return hour // 24 >= 16 and hour // 24 % 2 == 0 and hour % 24 in (10, 11)

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        values = (rng.normal(size=PER_HOUR) + season(hour) + 1.0 * (hour >= 14 * 24)).tolist()
        return [None if is_out(hour) and rng.random() < part else value for value in values]

    store, _ = replayed_lines(tmp_path, lines(4, hourly), watched())
    alerts = rows(store, "alerts")
    assert {alert["alert_id"] for alert in alerts if alert["at_ms"] > at(14 * 24)} == {alerts[0]["alert_id"]}
    missing = [
        alert["at_ms"]
        for alert in alerts
        if alert["state"] == "updated" and json.loads(alert["signals"])[0]["contrast"] == "missing"
    ]
    assert missing == [at(hour + 1) for hour in range(DAYS * 24) if is_out(hour) and hour % 24 == 10]


@pytest.mark.parametrize("seed", [71, 72, 73])
def test_every_outage_is_told_of_values_of_which_some_are_missing_for_good(tmp_path: Path, seed: int) -> None:
    """A fifth of them, about which an alarm stands: of four outages of all the others two or three were told."""

    def is_out(hour: int) -> bool:
        return hour // 24 >= 16 and hour // 24 % 2 == 0 and hour % 24 in (10, 11)

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        values, missing = (rng.normal(size=PER_HOUR) + season(hour)).tolist(), 0.2 if hour >= 14 * 24 else 0.02
        return [None if is_out(hour) or rng.random() < missing else value for value in values]

    store, _ = replayed_lines(tmp_path, lines(seed, hourly), watched())
    told_ms = {alert["at_ms"] for alert in rows(store, "alerts") if alert["state"] in ("firing", "updated")}
    outages = [at(hour + 1) for hour in range(DAYS * 24) if is_out(hour) and hour % 24 == 10]
    assert [at_ms for at_ms in outages if not {at_ms, at_ms + HOUR_MS} & told_ms] == []


def test_traffic_in_working_hours_alone_alarms_when_it_fails_and_not_when_it_begins(tmp_path: Path) -> None:
    """From nine to five on weekdays, and nothing else: once an alert on most mornings of six weeks."""

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        is_open = hour // 24 % 7 < 5 and 9 <= hour % 24 < 17
        fails = hour // 24 == 22
        return rng.normal(size=rng.poisson(60 * (is_open and not fails))).tolist()

    schema = {"id": "id", "features": {"x": {"type": "numeric"}}}
    detect = {"rule": "change", "false_alarms": "1 per 30d", "pane": "1h", "defaults": {"window": "1h"}}
    configuration = configured(detect=detect, schema=schema, segments=[])
    fired = onsets(tmp_path, configuration, lines(16, hourly), signal="volume")
    assert [at(22 * 24 + 10) <= at_ms <= at(22 * 24 + 12) for at_ms in fired] == [True]


def test_a_stuck_upstream_that_repeats_its_last_window_is_found(tmp_path: Path) -> None:
    def hourly(rng: np.random.Generator, hour: int) -> Any:
        if at(hour) >= CHANGE_MS:
            rng = np.random.default_rng(99)
        return (rng.normal(size=PER_HOUR) + season(10 if at(hour) >= CHANGE_MS else hour)).tolist()

    assert onsets(tmp_path, watched(), lines(5, hourly))[0] <= CHANGE_MS + 2 * HOUR_MS


@pytest.mark.parametrize("defaults", [{"window": "1d"}, {"window": "2d", "every": "1d"}])
def test_an_upstream_that_repeats_a_day_is_found_in_windows_of_a_day_too(
    tmp_path: Path, defaults: dict[str, str]
) -> None:
    """Of windows that overlap the newest step is looked at: days that have events in common are no repetition."""
    first, last = 36, 39

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        day, hour_of_day = divmod(hour, 24)
        drawn = np.random.default_rng([99, min(day, first - 1) if day < last else day, hour_of_day])
        return drawn.normal(5, 1, 40).tolist()

    schema = {"id": "id", "features": {"x": {"type": "numeric"}}}
    detect = {"rule": "change", "false_alarms": "1 per 30d", "pane": "1d", "defaults": defaults}
    store, _ = replayed_lines(
        tmp_path, lines(17, hourly, days=42), configured(detect=detect, schema=schema, segments=[])
    )
    alerts = sorted(rows(store, "alerts"), key=lambda alert: alert["sequence"])
    assert [alert["state"] for alert in alerts] == ["firing", "resolved"]
    assert alerts[0]["at_ms"] == at((first + 2) * 24)
    assert alerts[1]["at_ms"] >= at((last + 1) * 24)
    assert "repeats the values of the window before it" in alerts[0]["title"]


def test_a_stuck_upstream_of_few_values_is_one_alert_that_says_so_and_ends_when_it_goes_on(tmp_path: Path) -> None:
    """Forty values an hour without a range: too few for its cells to tell, once twelve alerts about its season."""
    first, last = 22 * 24, 25 * 24

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        stuck = first <= hour < last
        values = (
            np.random.default_rng(99).normal(5, 1, 40) if stuck else rng.normal(5, 1, 40) + np.sin(hour / 24 * 6.283)
        )
        return values.tolist()

    schema = {"id": "id", "features": {"x": {"type": "numeric"}}}
    detect = {"rule": "change", "false_alarms": "1 per 30d", "pane": "1h", "defaults": {"window": "1h"}}
    store, _ = replayed_lines(
        tmp_path, lines(17, hourly, days=27), configured(detect=detect, schema=schema, segments=[])
    )
    alerts = sorted(rows(store, "alerts"), key=lambda alert: alert["sequence"])
    assert [alert["state"] for alert in alerts] == ["firing", "resolved"]
    assert at(first) < alerts[0]["at_ms"] <= at(first + 4)
    # After the six hours without drift that alerts of these tests wait for.
    assert alerts[1]["at_ms"] == at(last + 6)
    assert "repeats the values of the window before it" in alerts[0]["title"]


def test_values_that_never_came_are_said_their_coming_is_no_alarm_and_their_next_outage_is(tmp_path: Path) -> None:
    """Missing for the first ten days: once an alarm when they came, which ended when they were missing again."""
    come, gone = 10 * 24, 20 * 24 + 10

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        return rng.normal(5, 1, 40).tolist() if come <= hour < gone else [None] * 40

    store, _ = replayed_lines(tmp_path, lines(18, hourly, days=22), watched())
    fired = [alert for alert in rows(store, "alerts") if alert["state"] == "firing"]
    assert [alert["at_ms"] for alert in fired] == [at(gone + 1)]
    assert "missing 0 % → 100 %" in fired[0]["title"]
    assert [alert["state"] for alert in rows(store, "alerts")] == ["firing"]
    scores = rows(store, "scores", signal="feature:x", detector="change")
    details = {score["window_end_ms"]: (score["status"], score["detail"]) for score in scores}
    assert details[at(come)] == ("learning", "never had a value; learning: 0 of 200 values seen")
    assert details[at(come + 1)] == ("learning", "values come, which it never had; learning: 1 of 10 windows seen")
    assert details[at(come + 24)][0] == "ok"


@pytest.mark.parametrize("share", [0.03, 0.002])
def test_a_field_that_is_missing_by_design_does_not_alarm(tmp_path: Path, share: float) -> None:
    def hourly(rng: np.random.Generator, hour: int) -> Any:
        return [float(value) if rng.random() < share else None for value in rng.normal(5, 1, 40)]

    assert onsets(tmp_path, watched(), lines(19, hourly, days=22)) == []


def test_a_second_change_while_a_first_one_lasts_is_told_as_an_update(tmp_path: Path) -> None:
    def hourly(rng: np.random.Generator, hour: int) -> Any:
        values = rng.normal(size=PER_HOUR) + 1.0 * (hour >= 16 * 24)
        return (0 * values + 1.0 if hour >= 20 * 24 else values).tolist()

    store, _ = replayed_lines(tmp_path, lines(6, hourly), watched())
    transitions = [(alert["state"], alert["at_ms"]) for alert in rows(store, "alerts")]
    assert transitions[0] == ("firing", at(16 * 24 + 1))
    assert ("updated", at(20 * 24 + 1)) in transitions


def test_a_level_that_is_accepted_is_the_new_normal_and_the_next_change_alarms_by_itself(tmp_path: Path) -> None:
    """A new level on day 20, stuck on day 50: once one alarm for ever, which hid the second change."""

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        values = rng.normal(size=24) + season(hour) + 1.0 * (hour >= 20 * 24 + 10)
        return (0 * values + 1.0 if hour >= 50 * 24 else values).tolist()

    store = MemoryStore()
    store.migrate()
    level_ms = at(20 * 24 + 10)
    accepted = Mark("loans", "feature:x", "", "", "accepted", level_ms, 0, "ann", "prices", 0, level_ms + 3 * DAY_MS)
    log_mark(store, ManualClock(START_MS), accepted)
    replayed(watched(), written(tmp_path, [lines(13, hourly, days=52)]), store)
    changes = [alert for alert in rows(store, "alerts") if alert["at_ms"] > level_ms]
    transitions = sorted((alert["at_ms"], alert["state"]) for alert in changes)
    first, second = [at_ms for at_ms, state in transitions if state == "firing"]
    assert level_ms < first <= level_ms + 6 * HOUR_MS
    assert [at_ms for at_ms, state in transitions if state == "resolved"] == [accepted.effective_ms]
    assert at(50 * 24) < second <= at(50 * 24 + 2)


def test_a_segment_with_a_tenth_of_the_traffic_is_found_without_enough_samples(tmp_path: Path) -> None:
    """Twelve events an hour in the segment: far below `min_samples`."""
    countries = ["DE"] * 9 + ["PL"]

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        values = rng.normal(size=PER_HOUR)
        values[9::10] += 1.0 * (at(hour) >= START_MS + 14 * DAY_MS)
        return values.tolist()

    segments = [{"by": ["country"], "values": ["PL"]}]
    fired = onsets(tmp_path, watched(segments=segments), lines(7, hourly, countries=countries))
    assert [at_ms for at_ms in fired if at_ms <= START_MS + 14 * DAY_MS] == []
    assert fired[0] <= START_MS + 21 * DAY_MS


def test_a_segment_that_moves_is_named_in_the_alert_of_the_whole(tmp_path: Path) -> None:
    """A fifth of the traffic moves far: the whole follows a window later, in the same alert, which is counted once."""
    countries = ["DE"] * 4 + ["PL"]

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        values = rng.normal(size=PER_HOUR) + season(hour)
        values[4::5] += 3.0 * (at(hour) >= CHANGE_MS)
        return values.tolist()

    configuration = watched(segments=[{"by": ["country"], "values": ["PL", "DE"]}])
    store, _ = replayed_lines(tmp_path, lines(15, hourly, countries=countries), configuration)
    fired, joined, *more = rows(store, "alerts")
    assert [alert["alert_id"] for alert in (joined, *more)] == [fired["alert_id"]] * (1 + len(more))
    assert (fired["at_ms"], joined["at_ms"]) == (CHANGE_MS + HOUR_MS, CHANGE_MS + 2 * HOUR_MS)
    newest = max(rows(store, "alerts"), key=lambda alert: alert["sequence"])
    members = {(entry["signal"], entry["segment"]) for entry in json.loads(newest["signals"])}
    assert members == {("feature:x", ""), ("feature:x", "country=PL")}
    assert fired["title"].startswith("loans: feature:x [country=PL] moved (typical value ")
    assert joined["title"].startswith("loans: feature:x moved (typical value ")
    assert "; most in country=PL: " in joined["title"]


def test_windows_of_a_day_with_a_baseline_of_a_week_alarm(tmp_path: Path) -> None:
    """A baseline of fewer windows than it needs once never began, and said nothing."""

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        return (rng.normal(size=12) + 1.0 * (hour >= 21 * 24)).tolist()

    configuration = watched("1d", baseline={"kind": "rolling", "span": "7d"})
    assert onsets(tmp_path, configuration, lines(8, hourly))[0] == START_MS + 22 * DAY_MS


@pytest.mark.parametrize(("shift", "within_days"), [(1.0, 4), (0.5, 10), (0.0, 0)])
def test_a_skew_from_the_first_event_is_found_and_stands(tmp_path: Path, shift: float, within_days: int) -> None:
    rng = np.random.default_rng(11)
    table = pa.table({"x": rng.normal(size=5_000), "country": ["DE"] * 5_000})
    pq.write_table(table, tmp_path / "training.parquet")
    baseline = {"kind": "dataset", "uri": str(tmp_path / "training.parquet")}

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        return (rng.normal(size=PER_HOUR) + season(hour) + shift).tolist()

    store, _ = replayed_lines(tmp_path, lines(10, hourly, days=14), watched(baseline=baseline))
    transitions = [(alert["state"], alert["at_ms"]) for alert in rows(store, "alerts")]
    if not within_days:
        assert transitions == []
        return
    assert [state for state, _ in transitions] == ["firing"]
    assert transitions[0][1] <= START_MS + within_days * DAY_MS
    (entry,) = json.loads(rows(store, "alerts")[0]["signals"])
    assert entry["detector"] == "skew"
    assert "in the reference" in entry["reason"]


@pytest.mark.parametrize("factor", [100, -1])
def test_another_unit_on_the_second_day_is_found_in_two_windows_whatever_the_data_set_reached(
    tmp_path: Path, factor: float
) -> None:
    pq.write_table(pa.table({"x": np.random.default_rng(7).lognormal(3, 1, 5000)}), tmp_path / "training.parquet")
    changed_ms = START_MS + DAY_MS + 12 * HOUR_MS

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        return (rng.lognormal(3, 1, PER_HOUR) * (factor if at(hour) >= changed_ms else 1)).tolist()

    # As strict as with a dozen signals.
    baseline = {"kind": "dataset", "uri": str(tmp_path / "training.parquet")}
    dataset = watched(false_alarms="1 per 200d", baseline=baseline)
    store, _ = replayed_lines(tmp_path, lines(19, hourly, days=2), dataset)
    (fired,) = [alert for alert in rows(store, "alerts") if alert["state"] == "firing"]
    assert fired["at_ms"] <= changed_ms + 2 * HOUR_MS
    (entry,) = json.loads(fired["signals"])
    [level] = re.findall(r"typical value \S+ → (\S+?),? ", entry["reason"] + " ")
    assert float(level.replace(",", "")) == pytest.approx(20 * factor, rel=0.3)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_rates_of_few_events_an_hour_are_no_skew_until_they_differ(tmp_path: Path, missing: float) -> None:
    """A rate that never happens was once taken for one of 6 %, where an hour has six events."""
    rng = np.random.default_rng(14)
    pq.write_table(pa.table({"x": rng.normal(size=5_000), "country": ["DE"] * 5_000}), tmp_path / "training.parquet")
    baseline = {"kind": "dataset", "uri": str(tmp_path / "training.parquet")}

    def hourly(rng: np.random.Generator, hour: int) -> Any:
        # None at night, and more by day.
        values = rng.normal(size=rng.poisson(6 * (1 + np.sin(2 * np.pi * hour / 24))))
        return [None if rng.random() < missing else value for value in values.tolist()]

    store, _ = replayed_lines(tmp_path, lines(15, hourly, days=14), watched(baseline=baseline))
    reasons = [entry["reason"] for alert in rows(store, "alerts") for entry in json.loads(alert["signals"])]
    assert bool(reasons) == bool(missing)
    assert all("missing 0 % in the reference" in reason or "missing 0.0" in reason for reason in reasons)


@pytest.mark.parametrize("new_share", [0.0, 0.1])
def test_rare_names_that_a_data_set_lacks_are_no_skew_and_new_ones_are(tmp_path: Path, new_share: float) -> None:
    """Of 500 names some 70 are missing in 5,000 rows, which are 1.5 % of the events."""
    rng = np.random.default_rng(13)
    names = np.array([f"n{number:03}" for number in range(1, 501)])
    shares = 1 / np.arange(1, 501)

    def drawn(count: int) -> list[str]:
        return [str(name) for name in rng.choice(names, count, p=shares / shares.sum())]

    pq.write_table(pa.table({"x": rng.normal(size=5_000), "country": drawn(5_000)}), tmp_path / "training.parquet")
    baseline = {"kind": "dataset", "uri": str(tmp_path / "training.parquet")}
    days = 14
    events = [json.loads(line) for line in lines(14, lambda rng, _: rng.normal(size=PER_HOUR).tolist(), days=days)]
    for event, name, is_new in zip(events, drawn(len(events)), rng.random(len(events)) < new_share, strict=True):
        event["country"] = "Atlantis" if is_new else name
    stream = [json.dumps(event).encode() for event in events]
    store, _ = replayed_lines(tmp_path, stream, watched(baseline=baseline))
    reasons = [entry["reason"] for alert in rows(store, "alerts") for entry in json.loads(alert["signals"])]
    assert bool(reasons) == bool(new_share)
    assert all("new values" in reason for reason in reasons)


def test_a_version_that_no_longer_serves_is_forgotten_after_weeks(tmp_path: Path) -> None:
    """Versions come for ever; what is kept of each must not."""

    def stream() -> list[bytes]:
        events = [json.loads(line) for line in lines(12, lambda rng, hour: rng.normal(size=2).tolist(), days=60)]
        for event in events:
            event["version"] = "old" if event["ts"] < START_MS + 5 * DAY_MS else "new"
        return [json.dumps(event).encode() for event in events]

    detect = {"rule": "change", "pane": "1h", "defaults": {"window": "6h"}}
    schema = {"id": "id", "version": "version", "features": {"x": {"type": "numeric"}}}
    configuration = configured(detect=detect, schema=schema, segments=[])
    store, _ = replayed_lines(tmp_path, stream(), configuration)
    watch = compile_watch(configuration, "loans")
    changes = KINDS["changes"](watch, None)
    versions = []
    for end_ms in range(first_window_end(watch, START_MS), START_MS + 60 * DAY_MS, 6 * HOUR_MS):
        ends = range(end_ms, end_ms + 1, 6 * HOUR_MS)
        list(changes.advance(read_panes(store, watch, end_ms - 6 * HOUR_MS, end_ms), ends))
        versions.append({key[0] for key in changes.snapshot()[0]["begun"] if key[2] != "volume"})
    assert {"old", "new"} in versions
    assert versions[-1] == {"new"}
