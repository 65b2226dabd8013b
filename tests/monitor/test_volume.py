"""The number of events, against the same hours of earlier weeks and days."""

from __future__ import annotations

import math

from monitor.series import VolumeSeries
from monitor.volume import VolumeHistory
from monitor.watch import compile_watch
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, configured, detecting

WEEK = [900, 910, 905, 915, 920, 500, 700]


def series() -> VolumeSeries:
    detect = detecting(pane="1h", defaults={"window": "1d", "min_samples": 10, "learn_windows": 6})
    return VolumeSeries(compile_watch(configured(detect=detect), "loans"), "")


def fed(days: int) -> tuple[VolumeSeries, list[str]]:
    volume = series()
    states = [volume.conclude(START_MS + day * DAY_MS, WEEK[day % 7] + day % 3).status for day in range(days)]
    return volume, states


def test_a_week_s_pattern_is_no_news_once_it_is_known() -> None:
    _, states = fed(70)
    assert "drift" not in states
    assert states[-30:] == ["ok"] * 30


def test_a_third_of_the_usual_events_alarms_and_says_what_was_expected() -> None:
    volume, _ = fed(42)
    verdict = volume.conclude(START_MS + 42 * DAY_MS, 300)
    assert verdict.status == "drift"
    assert "300 events, 901 expected from 6 earlier weeks" in verdict.detail


def test_no_events_at_all_alarm_and_so_do_twice_as_many() -> None:
    for n in (0, 1_900):
        volume, _ = fed(42)
        assert volume.conclude(START_MS + 42 * DAY_MS, n).status == "drift"


def test_a_lasting_drop_stays_alarmed() -> None:
    volume, _ = fed(42)
    assert {volume.conclude(START_MS + day * DAY_MS, 250).status for day in range(42, 72)} == {"drift"}


def test_a_checkpoint_changes_nothing() -> None:
    volume, _ = fed(40)
    restored = series()
    restored.restore(volume.snapshot())
    for day in range(40, 50):
        at_ms = START_MS + day * DAY_MS
        assert repr(restored.conclude(at_ms, 400)) == repr(volume.conclude(at_ms, 400))


def test_hours_are_compared_with_the_same_hour_of_other_days() -> None:
    history = VolumeHistory(step_ms=HOUR_MS)
    for hour in range(6 * 24):
        history.add(START_MS + hour * HOUR_MS, 1_000 if hour % 24 == 9 else 10)
    nine = history.measure("day", START_MS + (6 * 24 + 9) * HOUR_MS, 1_000)
    ten = history.measure("day", START_MS + (6 * 24 + 10) * HOUR_MS, 1_000)
    assert nine is not None
    assert ten is not None
    assert nine.effect == 0
    assert ten.effect == math.log(1_001 / 11)


def test_too_few_days_compare_with_nothing() -> None:
    history = VolumeHistory(step_ms=DAY_MS)
    for day in range(3):
        history.add(START_MS + day * DAY_MS, 100)
    assert history.measure("day", START_MS + 3 * DAY_MS, 100) is None
