"""Alarms that are called false raise the threshold of their signal, so far that such ones come at the accepted rate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from detectors.change.false_marks import PER_MARK
from detectors.change.legend import BY_WINDOW, EXCEEDS, LOCATION, SCORE, STATUS
from detectors.change.model import ModelCharts
from tests.detectors.change_streams import charts_of, evidence_of, is_weekend

Floats = npt.NDArray[np.float64]

SIGNALS, WINDOWS, EVENTS = 4, 96, 400


def spikes(day: int, rate: float = 0.7) -> Floats:
    """Each signal is higher by half a standard deviation for one window of most days."""
    rng = np.random.default_rng([7, day])
    levels = rng.normal(size=(SIGNALS, WINDOWS)) / np.sqrt(EVENTS)
    for signal in np.flatnonzero(rng.random(SIGNALS) < rate).tolist():
        levels[signal, rng.integers(WINDOWS)] += 0.5
    return np.asarray(levels)


def of_day(charts: ModelCharts, day: int, says: str = "", levels: Floats | None = None) -> list[int]:
    """Lead charts through a day, in the morning of which is said what the alarms of the day before were.

    Returns the signals that alarm.
    """
    charts.begin(day, weekend=is_weekend(day))
    for signal in range(SIGNALS) if says else ():
        if says == "real":
            charts.call_real(signal, range(day - 1, day))
        else:
            charts.teach(signal, range(day - 1, day), is_false=says == "false")
    drawn = spikes(day) if levels is None else levels
    verdicts = charts.watch(evidence_of(drawn, EVENTS, series=SIGNALS))
    charts.close()
    return np.flatnonzero((verdicts[:, :, STATUS] == EXCEEDS).any(axis=1)).tolist()


def led(says: str = "", days: int = 42) -> tuple[ModelCharts, list[int]]:
    """Charts after some days, and how many signals alarmed on each."""
    charts = charts_of(*[((SCORE, LOCATION),)] * SIGNALS, windows_per_day=WINDOWS)
    return charts, [len(of_day(charts, day, says)) for day in range(days)]


@pytest.fixture(scope="module")
def marked() -> tuple[ModelCharts, list[int]]:
    return led("false")


@pytest.fixture(scope="module")
def unmarked() -> tuple[ModelCharts, list[int]]:
    return led()


def test_alarms_that_are_called_false_become_rare(
    marked: tuple[ModelCharts, list[int]], unmarked: tuple[ModelCharts, list[int]]
) -> None:
    assert sum(unmarked[1][28:]) >= 20, "or there is nothing to mark"
    assert sum(marked[1][28:]) <= sum(unmarked[1][28:]) / 8


def test_harmless_ones_do_not_for_they_are_real(unmarked: tuple[ModelCharts, list[int]]) -> None:
    charts, alarms = led("harmless")
    assert (charts.limits() == charts.thresholds).all()
    assert sum(alarms[28:]) > sum(unmarked[1][28:]) / 2


def test_a_lasting_change_is_still_found(marked: tuple[ModelCharts, list[int]]) -> None:
    charts = restored(marked[0])
    levels = spikes(42, rate=0.0)
    levels[:, WINDOWS // 2 :] += 0.5
    assert of_day(charts, 42, levels=levels) == list(range(SIGNALS))


def test_a_mark_adds_so_much_at_most() -> None:
    charts, _ = led("", 21)
    shifted = spikes(21, rate=0.0)
    shifted[0, 40] += 5.0
    assert of_day(charts, 21, levels=shifted) == [0]
    of_day(charts, 22, "false", spikes(22, rate=0.0))
    raised = charts.limits()[:, BY_WINDOW] - charts.thresholds[BY_WINDOW]
    assert raised[0] == pytest.approx(PER_MARK, rel=0.02)
    assert not raised[1:].any(), "of a signal that did nothing, a mark says nothing"


def test_a_slip_is_taken_back() -> None:
    charts, _ = led("", 21)
    shifted = spikes(21, rate=0.0)
    shifted[0, 40] += 5.0
    of_day(charts, 21, levels=shifted)
    charts.begin(22, weekend=False)
    unmarked = charts.limits()
    charts.teach(0, range(21, 22), is_false=True)
    assert charts.limits()[0, BY_WINDOW] > unmarked[0, BY_WINDOW]
    charts.call_real(0, range(21, 22))
    assert (charts.limits() == unmarked).all()


def test_a_threshold_stays_raised_while_that_goes_on_and_no_longer(marked: tuple[ModelCharts, list[int]]) -> None:
    goes_on, ends = restored(marked[0]), restored(marked[0])
    raised = marked[0].limits()[:, BY_WINDOW]
    alarms = 0
    for day in range(42, 112):
        alarms += len(of_day(goes_on, day))
        of_day(ends, day, levels=spikes(day, rate=0.0))
    assert alarms <= 10, "of some 200 spikes"
    assert (goes_on.limits()[:, BY_WINDOW] > raised / 2).all()
    assert (ends.limits() == ends.thresholds).all()


def restored(charts: ModelCharts) -> ModelCharts:
    """The same charts from a checkpoint."""
    again = ModelCharts(charts.settings)
    again.restore(charts.snapshot())
    return again


def test_a_checkpoint_goes_on_alike_and_one_of_an_earlier_version_too(marked: tuple[ModelCharts, list[int]]) -> None:
    charts, again = restored(marked[0]), restored(marked[0])
    assert (again.limits() == charts.limits()).all()
    snapshot = marked[0].snapshot()
    del snapshot["passed"]
    snapshot["series"] = snapshot["series"][:, :-4]
    earlier = ModelCharts(charts.settings)
    earlier.restore(snapshot)
    assert (earlier.limits() == earlier.thresholds).all()
    assert of_day(charts, 42) == of_day(again, 42)
    of_day(earlier, 42, "false")


def test_an_alarm_that_is_over_teaches_on_the_same_day() -> None:
    """Most are marked minutes after they end: what is said at noon of an alarm of the morning counts."""
    half = WINDOWS // 2
    limits, weights = [], []
    for says in ("", "false", "harmless"):
        charts, _ = led("", 21)
        charts.begin(21, weekend=False)
        levels = spikes(21, rate=0.0)
        levels[0, 10:12] += 1.0
        morning, evening = (evidence_of(part, EVENTS, series=SIGNALS) for part in np.split(levels, 2, axis=1))
        morning.places[:], evening.places[:] = np.split((np.arange(WINDOWS) + 0.5) / WINDOWS, 2)
        verdicts = charts.watch(morning)
        assert (verdicts[0, :half, STATUS] == EXCEEDS).any()
        if says:
            charts.teach(0, range(21, 22), is_false=says == "false")
        charts.watch(evening)
        charts.close()
        charts.begin(22, weekend=False)
        limits.append(charts.limits()[0, BY_WINDOW] - charts.thresholds[BY_WINDOW])
        weights.append(charts.state.weights[0, 21])
    assert weights == [0.0, 1.0, 1.0]
    assert limits[0] == limits[2] == 0
    assert limits[1] > 1
