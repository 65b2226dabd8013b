"""An outage that comes again alarms again, however young the signal is, and whatever it has taught."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from bench.outages import DAYS, Outage, measured
from detectors.change.legend import STANDS, STATUS
from detectors.change.model import Evidence
from tests.detectors.change_streams import NUMBER, Number, charts_of, daily_season, follow

Floats = npt.NDArray[np.float64]

SEEDS = range(3)


def outage(
    seed: int, what: str = "missing", *, hour: int = 0, lasts: int = 2, begins: int = 5, every: int = 2,
    events: int = 500, levels: float = 0.25,
) -> Outage:  # fmt: skip
    return Outage(seed, what, hour, lasts, begins, every, events, levels, weekend=0.3)


@pytest.mark.parametrize("hour", [0, 10])
@pytest.mark.parametrize("begins", [4, 5, 6, 8])
def test_what_begins_in_the_first_days_is_told_every_second_day(hour: int, begins: int) -> None:
    for seed in SEEDS:
        recurred = measured(outage(seed, hour=hour, begins=begins))
        # What a first Saturday is like at midnight is not known: it is told when it is over.
        assert recurred.told >= len(recurred.outage.days) - (begins == 5 and hour == 0)
        assert recurred.missed == recurred.others == 0


@pytest.mark.parametrize(("begins", "untold"), [(4, 4), (5, 1), (6, 4), (8, 0)])
def test_of_half_of_the_values_only_a_first_weekend_may_not_be_told(begins: int, untold: int) -> None:
    # What is not told teaches that weekends are like that: of a Sunday, as long as it is in the reference days.
    for seed in SEEDS:
        for hour in (0, 10):
            recurred = measured(outage(seed, "half missing", hour=hour, begins=begins))
            assert recurred.told >= len(recurred.outage.days) - untold


@pytest.mark.parametrize("hour", [0, 10])
def test_an_hour_each_day_is_told_for_six_weeks(hour: int) -> None:
    for seed in SEEDS:
        recurred = measured(outage(seed, hour=hour, lasts=1, begins=20, every=1, levels=0.0))
        assert recurred.told == DAYS - 20


@pytest.mark.parametrize("lasts", [1, 3])
def test_a_shift_from_midnight_is_told_though_days_have_levels(lasts: int) -> None:
    for seed in SEEDS:
        recurred = measured(outage(seed, "-3 sd", lasts=lasts, begins=21, events=5_000, levels=0.1))
        assert recurred.told == len(range(21, DAYS, 2))


def test_a_way_back_from_what_raised_no_alarm_is_told_as_what_it_was_and_stands_no_longer() -> None:
    # Three of the steps that levels of days make: at midnight that is a level, at six in the morning it was none.
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        number, levels = Number(rng, events=5_000), 0.25 * rng.normal(size=23)
        levels[20] = 0.0

        def draw(day: int, number: Number = number, levels: Floats = levels) -> Evidence:
            low = 0.7 * (day == 20) * (np.arange(24) < 6)
            return number.day(daily_season(day) + levels[day] - low)

        course = follow(charts_of(NUMBER), range(23), draw)
        assert course.alarms() == [(20, 6)]
        contrast, shift = course.shift(20, 6)
        assert contrast == 0
        assert shift == pytest.approx(-0.7, abs=0.2)
        assert all((of_day[0, :, STATUS] != STANDS).all() for of_day in course.by_window)
