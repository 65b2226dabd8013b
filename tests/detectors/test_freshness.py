"""How long a stream may be silent follows from its own gaps, within a budget of false alarms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detectors.freshness import Gaps
from tests.detectors.freshness_streams import (
    KINDS,
    MINUTE_MS,
    MONDAY_MS,
    Traffic,
    bursts,
    day_and_night,
    office_hours,
    poisson,
    tried,
)

PAGE = Path(__file__).parents[2] / "docs" / "freshness.md"


@pytest.mark.parametrize(
    ("traffic", "first_week", "found_within_m"),
    [
        (poisson(60), 0, 30),
        (day_and_night(1_200), 0, 5),
        (office_hours(1_200), 1, 5),
        (bursts(24), 5, 150),
    ],
    ids=["even", "day and night", "office hours", "bursts"],
)
def test_a_stream_that_ends_is_found_and_its_own_gaps_raise_no_alarm(
    traffic: Traffic, first_week: int, found_within_m: int
) -> None:
    trial = tried(traffic, seed=3, streams=4, weeks=3)
    assert trial.early <= 4 * first_week
    assert trial.false <= 1, trial.days
    assert trial.delays_m.max() <= found_within_m


def test_the_page_shows_every_kind_of_stream_that_is_measured() -> None:
    assert [name for name in KINDS if f"\n| {name} | " not in PAGE.read_text()] == []


def test_streams_do_not_depend_on_each_other_nor_on_where_a_state_was_kept() -> None:
    draw = np.random.default_rng(1)
    events = draw.poisson(0.2, (3_000, 3)).astype(np.float64)
    quiet, watched_s = np.zeros(3, np.bool_), np.full(3, 60.0)
    together, alone = Gaps.empty(3), [Gaps.empty(1) for _ in range(3)]
    for minute in range(3_000):
        at_ms = MONDAY_MS + minute * MINUTE_MS
        together.observe(at_ms, events[minute], watched_s, quiet)
        for i in range(3):
            alone[i] = Gaps.joined([alone[i].state(0)])
            alone[i].observe(at_ms, events[minute, i : i + 1], watched_s[:1], quiet[:1])
    joined = Gaps.joined([gaps.state(0) for gaps in alone])
    assert all(
        np.array_equal(getattr(joined, name), getattr(together, name)) for name in ("cells", "lengths", "numbers")
    )


def test_a_silence_lasts_only_while_it_is_watched() -> None:
    gaps, nobody = Gaps.empty(1), np.zeros(1, np.bool_)
    gaps.observe(MONDAY_MS, np.ones(1), np.full(1, 60.0), nobody)
    gaps.observe(MONDAY_MS + 60 * MINUTE_MS, np.zeros(1), np.zeros(1), nobody)
    gaps.observe(MONDAY_MS + 61 * MINUTE_MS, np.zeros(1), np.full(1, 60.0), nobody)
    assert gaps.silences(MONDAY_MS + 61 * MINUTE_MS).age_s.tolist() == [60.0]
