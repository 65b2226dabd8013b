"""The number of events, against the same hours of earlier weeks and days."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from monitor.alerts.verdict import Verdict
from monitor.alerts.wording import detail
from monitor.evaluate.volume import VolumeSeries
from monitor.watch import compile_watch
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, configured, detecting

WEEK = [900, 910, 905, 915, 920, 500, 700]


def series(window: str = "1d") -> VolumeSeries:
    detect = detecting(rule="variation", pane="1h", defaults={"window": window, "min_samples": 10, "learn_windows": 6})
    return VolumeSeries(compile_watch(configured(detect=detect), "loans"), "")


def judged(volume: VolumeSeries, ends_ms: Sequence[int], events: Sequence[int]) -> list[Verdict]:
    found = volume.verdicts(np.array(ends_ms, dtype=np.int64), np.array(events, dtype=np.int64))
    return [found.verdict(t, 0) for t in range(len(ends_ms))]


def days(volume: VolumeSeries, numbers: range, events: Sequence[int]) -> list[Verdict]:
    return judged(volume, [START_MS + day * DAY_MS for day in numbers], events)


def fed(count: int) -> tuple[VolumeSeries, list[str]]:
    volume = series()
    found = days(volume, range(count), [WEEK[day % 7] + day % 3 for day in range(count)])
    return volume, [verdict.status for verdict in found]


def test_a_week_s_pattern_is_no_news_once_it_is_known() -> None:
    _, states = fed(70)
    assert "drift" not in states
    assert states[-30:] == ["ok"] * 30


def test_a_third_of_the_usual_events_alarms_and_says_what_was_expected() -> None:
    volume, _ = fed(42)
    (verdict,) = days(volume, range(42, 43), [300])
    assert verdict.status == "drift"
    assert "300 events, 901 expected from 6 earlier weeks" in detail(verdict)


def test_no_events_at_all_alarm_and_so_do_twice_as_many() -> None:
    for n in (0, 1_900):
        volume, _ = fed(42)
        assert days(volume, range(42, 43), [n])[0].status == "drift"


def test_a_lasting_drop_stays_alarmed() -> None:
    volume, _ = fed(42)
    assert {verdict.status for verdict in days(volume, range(42, 72), [250] * 30)} == {"drift"}


def test_windows_at_once_are_judged_as_one_by_one() -> None:
    volume, _ = fed(10)
    together, _ = fed(10)
    events = [WEEK[day % 7] * (3 if day == 55 else 1) for day in range(10, 80)]
    single = [days(volume, range(day, day + 1), [n])[0] for day, n in zip(range(10, 80), events, strict=True)]
    assert repr(days(together, range(10, 80), events)) == repr(single)
    assert "drift" in {verdict.status for verdict in single}


def test_a_checkpoint_changes_nothing() -> None:
    volume, _ = fed(40)
    restored = series()
    restored.restore(volume.snapshot())
    assert repr(days(restored, range(40, 140), [400] * 100)) == repr(days(volume, range(40, 140), [400] * 100))


def test_hours_are_compared_with_the_same_hour_of_other_days() -> None:
    volume = series("1h")
    ends = [START_MS + hour * HOUR_MS for hour in range(6 * 24 + 11)]
    events = [1_000 if hour % 24 == 9 else 10 for hour in range(6 * 24 + 10)] + [1_000]
    nine, ten = judged(volume, ends, events)[-2:]
    assert nine.effect == 0
    assert ten.effect == math.log(1_001 / 11)


def test_too_few_days_compare_with_nothing() -> None:
    volume = series()
    last = days(volume, range(4), [100] * 4)[-1]
    assert (last.status, detail(last)) == ("learning", "too few earlier days at this time")
