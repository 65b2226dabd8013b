"""Whatever a signal does, what its charts know and say stays finite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.change.legend import (
    ABSENT,
    COUNTS,
    EVIDENCE,
    EXCEEDS,
    GROUPS,
    HIGHEST,
    HIGHEST_BY_DAY,
    LEARNING,
    SERIAL_SUM,
    SHIFT,
    STATUS,
    THRESHOLD,
    VARIANCE,
)
from detectors.change.model import Evidence, ModelCharts
from tests.detectors.change_streams import (
    COUNT,
    NUMBER,
    SHARE,
    Course,
    Number,
    beside,
    charts_of,
    evidence_of,
    is_weekend,
)

Floats = npt.NDArray[np.float64]

WINDOWS = ("ordinary", "nothing", "zero of zero", "one event", "all missing", "constant", "far away", "huge", "absent")
DAYS = ("ordinary", "mixed", "all missing", "zero of zero", "absent", "constant", "left out")


def window_counts(rng: np.random.Generator, kind: str) -> tuple[npt.NDArray[np.int64], int]:
    """Return the counts of a window's groups, and its missing values."""
    counts = rng.multinomial(rng.poisson(300), np.full(GROUPS, 1 / GROUPS))
    spread_out = {"huge": (counts * 10**12, 10**9), "ordinary": (counts, int(rng.poisson(6)))}
    at = {"one event": (GROUPS // 2, 1), "constant": (GROUPS // 2, 300), "far away": (GROUPS - 1, 300)}
    if kind in spread_out:
        return spread_out[kind]
    alone = np.zeros(GROUPS, dtype=np.int64)
    if kind in at:
        group, count = at[kind]
        alone[group] = count
    return alone, 300 if kind == "all missing" else 0


def day_of(number: Number, kinds: list[str]) -> Evidence:
    """Return a day of a number, a share and a volume, with such windows."""
    counts, missing = zip(*(window_counts(number.rng, kind) for kind in kinds), strict=True)
    of_number = number.of_counts(np.array(counts), np.array(missing))
    events = np.array(of_number.events[2])
    ones = np.where(events > 0, number.rng.binomial(np.minimum(events, 10**9).astype(np.int64), 0.1), 0)
    evidence = beside(of_number, evidence_of(ones[None], events), evidence_of(events[None]))
    for t, kind in enumerate(kinds):
        if kind in ("nothing", "absent"):
            evidence.values[:, t] = np.nan
        if kind == "absent":
            evidence.present[:, t] = 0
    return evidence


def assert_finite(charts: ModelCharts) -> None:
    state = charts.state
    for name in ("rows", "filters", "charts", "moments", "sums", "sampling", "hours", "day_sums", "weights"):
        assert np.isfinite(getattr(state, name)).all(), name
    assert np.isfinite(np.delete(state.series, [HIGHEST, HIGHEST_BY_DAY], axis=1)).all()
    for name in ("recent", "recent_days", "expected", "hours_known", "waiting", "highest"):
        assert not np.isinf(getattr(state, name)).any(), name
    assert (state.filters[..., VARIANCE] >= 0).all()
    assert (state.moments[..., COUNTS:SERIAL_SUM] >= 0).all()


def assert_says_something(verdicts: Floats) -> None:
    watched = ~np.isin(verdicts[..., STATUS], [ABSENT, LEARNING])
    assert np.isfinite(verdicts[watched][:, [EVIDENCE, THRESHOLD]]).all()
    assert np.isnan(verdicts[~watched][:, EVIDENCE]).all()
    assert np.isfinite(verdicts[verdicts[..., STATUS] == EXCEEDS][:, SHIFT]).all()


def run(kinds_of_days: Sequence[list[str] | None], windows_per_day: int, seed: int, begins: int = 0) -> Course:
    """Lead charts through days, None for one that is left out; the signals begin on a day of their own."""
    number, course = Number(np.random.default_rng(seed)), Course()
    charts = charts_of(windows_per_day=windows_per_day, signals_in_all=3)
    charts.add((NUMBER, SHARE, COUNT), begins)
    for day, kinds_of_day in enumerate(kinds_of_days, start=begins):
        if kinds_of_day is None:
            continue
        charts.begin(day, weekend=is_weekend(day))
        course.by_window.append(charts.watch(day_of(number, kinds_of_day)))
        assert_says_something(course.by_window[-1])
        course.by_day.append(charts.close())
        assert_finite(charts)
    return course


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(),
    windows_per_day=st.sampled_from([1, 4, 24]),
    days=st.lists(st.sampled_from(DAYS), min_size=1, max_size=22),
    seed=st.integers(0, 1000),
    begins=st.sampled_from([0, 5, 300]),
)
def test_whatever_comes_stays_finite(
    data: st.DataObject, windows_per_day: int, days: list[str], seed: int, begins: int
) -> None:
    kinds_of_days: list[list[str] | None] = []
    for kind in days:
        if kind == "mixed":
            kinds_of_days.append(
                data.draw(st.lists(st.sampled_from(WINDOWS), min_size=windows_per_day, max_size=windows_per_day))
            )
        else:
            kinds_of_days.append(None if kind == "left out" else [kind] * windows_per_day)
    run(kinds_of_days, windows_per_day, seed, begins)


@pytest.mark.parametrize("windows_per_day", [1, 24])
@pytest.mark.parametrize("kind", WINDOWS)
def test_a_whole_life_of_one_kind_stays_finite_and_no_alarm_but_of_repeats(kind: str, windows_per_day: int) -> None:
    course = run([[kind] * windows_per_day] * 50, windows_per_day, 1)
    for series in range(3):
        assert len(course.alarms(series)) <= 1


@pytest.mark.parametrize("kind", WINDOWS)
def test_one_odd_window_or_day_stays_finite(kind: str) -> None:
    ordinary = ["ordinary"] * 24
    run([ordinary] * 16 + [[*ordinary[:9], kind, *ordinary[10:]]] + [ordinary, [kind] * 24, ordinary], 24, 2)
