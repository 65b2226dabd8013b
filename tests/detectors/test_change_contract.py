"""What the alarm rule's charts promise: no cut, no snapshot and no other series changes a bit of what they say."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from detectors.change.legend import (
    ABSENT,
    BY_WINDOW,
    DAY_MEANS_SEEN,
    EVIDENCE,
    EXCEEDS,
    LEARNING,
    LONG_SERIAL_SUM,
    LONG_TRAIL,
    LOOK,
    SERIAL_SUM,
    STATUS,
    THRESHOLD,
    TRAIL,
)
from detectors.change.model import Evidence, ModelCharts, Settings
from detectors.change.threshold import bound
from tests.detectors.change_streams import (
    COUNT,
    NUMBER,
    SHARE,
    Number,
    beside,
    charts_of,
    cut,
    daily_season,
    evidence_of,
    follow,
    is_weekend,
)

Floats = npt.NDArray[np.float64]

DAYS = 18
CHANGED = 15
"""The day from which on the first signal is 1 higher."""


def content(charts: ModelCharts) -> bytes:
    return b"".join(np.asarray(part).tobytes() for part in charts.snapshot().values())


def days_of(seed: int, days: int = DAYS) -> list[Evidence]:
    """Days of a number that changes, a share and a volume, with gaps."""
    rng = np.random.default_rng(seed)
    number, signals = Number(rng), []
    for day in range(days):
        of_number = number.day(daily_season(day) + (day >= CHANGED))
        of_number.values[:2, rng.random(24) < 0.05] = np.nan
        of_share = evidence_of(rng.binomial(500, 0.1, (1, 24)), 500)
        volume = evidence_of(rng.poisson(500 * np.exp(daily_season(day)))[None])
        signals.append(beside(of_number, of_share, volume))
    return signals


def three() -> ModelCharts:
    """Charts of more signals than their budget was made for."""
    return charts_of(NUMBER, SHARE, COUNT, signals_in_all=1)


@pytest.mark.parametrize("seed", range(3))
def test_a_day_may_be_cut_anywhere(seed: int) -> None:
    rng, whole, parts, alarmed = np.random.default_rng(seed), three(), three(), False
    for day, evidence in enumerate(days_of(seed)):
        for charts in (whole, parts):
            charts.begin(day, weekend=is_weekend(day))
        verdicts = whole.watch(evidence)
        cuts = [0, *sorted(rng.choice(np.arange(1, 24), rng.integers(1, 8), replace=False)), 24]
        of_parts = [parts.watch(cut(evidence, a, b)) for a, b in pairwise(cuts)]
        np.testing.assert_array_equal(np.concatenate(of_parts, axis=1), verdicts)
        np.testing.assert_array_equal(parts.close(), whole.close())
        assert content(parts) == content(whole)
        alarmed |= bool((verdicts[..., STATUS] == EXCEEDS).any())
    assert alarmed


@pytest.mark.parametrize("at", [0, 1, 7, 23, 24])
@pytest.mark.parametrize("broken_on", [0, 6, CHANGED, CHANGED + 1])
def test_a_snapshot_of_any_window_goes_on_where_it_was_made(broken_on: int, at: int) -> None:
    unbroken, restored = three(), three()
    for day, evidence in enumerate(days_of(9)):
        unbroken.begin(day, weekend=is_weekend(day))
        verdicts = [unbroken.watch(cut(evidence, 0, at))]
        if day == broken_on:
            restored = ModelCharts(Settings(1 / 30, 1, 24))
            restored.restore(copy.deepcopy(unbroken.snapshot()))
            assert content(restored) == content(unbroken)
        verdicts += [unbroken.watch(cut(evidence, at, 24))]
        whole = unbroken.close()
        if day >= broken_on:
            if day > broken_on:
                restored.begin(day, weekend=is_weekend(day))
                np.testing.assert_array_equal(restored.watch(cut(evidence, 0, at)), verdicts[0])
            np.testing.assert_array_equal(restored.watch(cut(evidence, at, 24)), verdicts[1])
            np.testing.assert_array_equal(restored.close(), whole)
            assert content(restored) == content(unbroken)


def test_a_snapshot_between_two_days_goes_on_where_it_was_made() -> None:
    unbroken, days = three(), days_of(10)
    follow(unbroken, range(CHANGED), days.__getitem__)
    restored = three()
    restored.restore(unbroken.snapshot())
    for charts in (unbroken, restored):
        follow(charts, range(CHANGED, DAYS), days.__getitem__)
    assert content(restored) == content(unbroken)


@pytest.mark.parametrize(("columns", "sums"), [(TRAIL, SERIAL_SUM), (LONG_TRAIL, LONG_SERIAL_SUM)])
def test_a_snapshot_of_a_version_that_knew_less_of_windows_goes_on(columns: int, sums: int) -> None:
    charts, days = three(), days_of(13)
    follow(charts, range(8), days.__getitem__)
    snapshot = charts.snapshot()
    assert (snapshot["moments"][:, BY_WINDOW, SERIAL_SUM] != 0).any()
    for name in ("moments", "sums", "waiting"):
        snapshot[name] = snapshot[name][..., :sums]
    snapshot["filters"] = snapshot["filters"][..., :columns]
    restored = three()
    restored.restore(snapshot)
    assert (restored.state.filters[..., columns:LOOK] == 0).all()
    assert (restored.state.moments[..., sums:] == 0).all()
    np.testing.assert_array_equal(restored.state.filters[..., :columns], charts.state.filters[..., :columns])
    course = follow(restored, range(8, DAYS), days.__getitem__)
    assert np.isfinite(course.evidence).all()
    assert (restored.state.moments[0, BY_WINDOW, [SERIAL_SUM, LONG_SERIAL_SUM, DAY_MEANS_SEEN]] != 0).all()


@pytest.mark.parametrize("first", [1, 2, 23])
def test_the_first_value_of_a_day_is_judged_as_such_whenever_it_comes(first: int) -> None:
    """It was taken for a later one, whose variance it is less sure than, and said nothing, or was no number."""
    rng = np.random.default_rng(14)
    number, shifted = Number(rng), np.where(np.arange(24) >= first, 2.0, 0.0)

    def draw(day: int) -> Evidence:
        evidence = number.day(0.1 * rng.normal() + (day == 27) * shifted)
        if day > 20:
            evidence.values[:2, :first] = np.nan
        return evidence

    course = follow(charts_of(NUMBER), range(28), draw)
    assert np.isfinite(course.evidence[:, 10:]).all()
    assert course.alarms() == [(27, first)]


def test_a_snapshot_does_not_change_when_its_charts_go_on() -> None:
    charts, days = three(), days_of(11)
    follow(charts, range(3), days.__getitem__)
    snapshot = charts.snapshot()
    copied = copy.deepcopy(snapshot)
    follow(charts, range(3, 5), days.__getitem__)
    for name, part in copied.items():
        np.testing.assert_array_equal(snapshot[name], part, err_msg=name)


def alone_and_beside(neighbour_begins: int) -> tuple[Floats, Floats]:
    """Return what is said of a share alone, and beside a number and a volume that begin on a day."""
    alone, among = charts_of(SHARE, signals_in_all=3), charts_of(signals_in_all=3)
    says: tuple[list[Floats], list[Floats]] = ([], [])
    index, kinds = (0, (SHARE,)) if neighbour_begins else (2, ((NUMBER[0],), COUNT, SHARE))
    among.add(kinds, 0)
    for day, evidence in enumerate(days_of(12)):
        of_number, share, volume = (rows_of(evidence, row, s) for s, row in enumerate((0, 3, 4)))
        if day == neighbour_begins and day:
            among.add(((NUMBER[0],), COUNT), day)
        if index:
            signals = [of_number, volume, share]
        else:
            signals = [share, of_number, volume] if day >= neighbour_begins else [share]
        for charts, of_all, i, verdicts in ((alone, [share], 0, says[0]), (among, signals, index, says[1])):
            charts.begin(day, weekend=is_weekend(day))
            verdicts.append(charts.watch(beside(*of_all))[i])
            verdicts.append(charts.close()[i][None])
    return np.concatenate(says[0]), np.concatenate(says[1])


def rows_of(evidence: Evidence, row: int, series: int) -> Evidence:
    """Return one contrast of one series alone."""
    values, events, units = (part[row : row + 1] for part in (evidence.values, evidence.events, evidence.units))
    repeats, present = (part[series : series + 1] for part in (evidence.repeats, evidence.present))
    return Evidence(values, events, units, repeats, present, evidence.places)


@pytest.mark.parametrize("neighbour_begins", [0, 4])
def test_series_of_other_families_change_nothing_of_one(neighbour_begins: int) -> None:
    # Thresholds do, once a hundred signal-days are known: all signals share them. Until then, not a bit.
    alone, among = alone_and_beside(neighbour_begins)
    np.testing.assert_array_equal(among[:, [STATUS, EVIDENCE, THRESHOLD]], alone[:, [STATUS, EVIDENCE, THRESHOLD]])


def test_series_of_the_same_family_change_one_by_what_is_pooled_only() -> None:
    # Of a family are pooled: the variance of steps between days, that of days, and how days depend on each other.
    rng = np.random.default_rng(13)
    alone, among = charts_of(SHARE), charts_of(SHARE, SHARE)
    differs = False
    for day in range(12):
        share = evidence_of(rng.binomial(500, 0.1, (1, 24)), 500)
        # The other one has another level each day.
        other = evidence_of(rng.binomial(500, rng.uniform(0.1, 0.4), (1, 24)), 500)
        for charts, evidence in ((alone, share), (among, beside(share, other))):
            charts.begin(day, weekend=is_weekend(day))
            charts.watch(evidence)
        differs |= bool(alone.state.filters[0].tobytes() != among.state.filters[0].tobytes())
        # What it has learned itself is its own to the bit, but for residuals that are limited and levels that it has.
        for name in ("hours", "hours_known", "weights", "expected", "in_day"):
            np.testing.assert_array_equal(getattr(among.state, name)[:1], getattr(alone.state, name))
        for charts in (alone, among):
            charts.close()
    assert differs


@pytest.mark.parametrize("begins", [0, 4])
def test_series_that_begin_together_may_be_added_one_by_one(begins: int) -> None:
    together, singly, days = charts_of(SHARE), charts_of(SHARE), days_of(18)
    for day, evidence in enumerate(days):
        share = rows_of(evidence, 3, 1)
        others = [*(rows_of(evidence, row, 0) for row in range(3)), rows_of(evidence, 4, 2)]
        for charts in (together, singly):
            charts.begin(day, weekend=is_weekend(day))
            charts.watch(cut(beside(share, *(others if day > begins else [])), 0, 9))
        if day == begins:
            together.add([*([kind] for kind in NUMBER), COUNT], day)
            for kinds in (*([kind] for kind in NUMBER), COUNT):
                singly.add([kinds], day)
            assert content(together) == content(singly)
        for charts in (together, singly):
            charts.watch(cut(beside(share, *(others if day >= begins else [])), 9, 24))
            charts.close()
    assert content(together) == content(singly)


def test_series_that_begin_have_their_part_of_the_budget_from_there_on() -> None:
    charts, days = charts_of(SHARE, signals_in_all=1), days_of(19)
    alone = bound(0.5 / 30, 24)
    charts.begin(0, weekend=False)
    verdicts = charts.watch(cut(rows_of(days[0], 3, 1), 0, 12))
    assert verdicts[0, 11, THRESHOLD] == pytest.approx(alone)
    charts.add([SHARE] * 9, 0)
    verdicts = charts.watch(cut(beside(*[rows_of(days[0], 3, 1)] * 10), 12, 24))
    assert verdicts[0, :, THRESHOLD] == pytest.approx(alone + np.log(10))


def test_a_series_that_begins_in_the_middle_of_a_day_learns_and_is_then_watched() -> None:
    charts, rng = charts_of(SHARE), np.random.default_rng(14)
    for day in range(3):
        share = evidence_of(rng.binomial(500, 0.1, (1, 24)), 500)
        late = evidence_of(rng.binomial(500, 0.3, (1, 24)), 500)
        charts.begin(day, weekend=False)
        if day == 0:
            charts.watch(cut(share, 0, 9))
            charts.add((SHARE,), 0)
            verdicts = charts.watch(cut(beside(share, late), 9, 24))[1]
            assert verdicts[:, STATUS].tolist()[:10] == [LEARNING] * 10
            assert np.isfinite(verdicts[10:, EVIDENCE]).all()
        else:
            assert np.isfinite(charts.watch(beside(share, late))[..., EVIDENCE]).all()
        charts.close()


def test_a_window_without_the_series_is_absent_and_says_nothing() -> None:
    charts, rng = charts_of(SHARE), np.random.default_rng(15)

    def share(day: int) -> Evidence:
        evidence = evidence_of(rng.binomial(500, 0.1, (1, 24)), 500)
        evidence.values[0, 5:8] = np.nan
        evidence.present[0, 5:8] = 0
        return evidence

    course = follow(charts, range(3), share)
    for verdicts in course.by_window:
        assert (verdicts[0, 5:8, STATUS] == ABSENT).all()
        assert np.isnan(verdicts[0, 5:8, EVIDENCE]).all()
        assert (verdicts[0, 8:, STATUS] != ABSENT).all()


@pytest.mark.parametrize("day_after", [6, 9, 70])
def test_days_that_are_left_out_are_like_days_without_anything(day_after: int) -> None:
    filled, left_out = charts_of(SHARE, signals_in_all=1), charts_of(SHARE, signals_in_all=1)
    rng = np.random.default_rng(16)
    days = [evidence_of(rng.binomial(500, 0.1, (1, 24)), 500) for _ in range(60)]
    nothing = evidence_of(np.full((1, 24), np.nan))
    nothing.present[:] = 0
    for charts in (filled, left_out):
        follow(charts, range(60), days.__getitem__)
    follow(filled, range(60, 60 + day_after), lambda _: nothing)
    for charts in (filled, left_out):
        charts.begin(60 + day_after, weekend=False)
    np.testing.assert_array_equal(left_out.state.expected, filled.state.expected)
    np.testing.assert_array_equal(left_out.watch(days[5]), filled.watch(days[5]))
