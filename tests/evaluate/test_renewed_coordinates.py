"""A number that leaves its first windows for good gets other coordinates, in which what it has learned goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.change.renewal import RESOLVED, Renewal, Scores
from detectors.sketch import universal_layout
from monitor.evaluate.contrasts import SignalEvidence
from monitor.evaluate.number_contrasts import NumberContrasts
from monitor.evaluate.value_contrasts import referred_contrasts
from monitor.watch import Watch, compile_watch
from sinks.store.contract import Store
from tests.evaluate.batches import evaluated
from tests.evaluate.summaries import windows_of
from tests.monitor.streams import HOUR_MS, START_MS, as_lines, configured, replayed_lines, rows

Floats = NDArray[np.float64]
Draws = Callable[[np.random.Generator, float], Floats]

LAYOUT = universal_layout()
PER_WINDOW, PERIOD, DAYS_BETWEEN = 400, 56, 28


def normal(rng: np.random.Generator, level: float) -> Floats:
    return rng.normal(level, 1.0, PER_WINDOW)


def narrow(rng: np.random.Generator, level: float) -> Floats:
    """Hours of a temperature: they differ by more than what is in them."""
    return rng.normal(4 * level, 0.3, PER_WINDOW)


def skewed(rng: np.random.Generator, level: float) -> Floats:
    return np.exp(rng.normal(0.4 * level, 0.5, PER_WINDOW))


def followed() -> NumberContrasts:
    contrasts = referred_contrasts(LAYOUT, None, 30, follows=True)
    assert isinstance(contrasts, NumberContrasts)
    return contrasts


def shown(contrasts: NumberContrasts, draws: Draws, rng: np.random.Generator, levels: Floats) -> SignalEvidence:
    """The evidence of windows with such levels."""
    return contrasts.evidence(*windows_of(LAYOUT, [draws(rng, level) for level in levels.tolist()]))


def renewal_of(
    draws: Draws, rng: np.random.Generator, levels: Floats
) -> tuple[NumberContrasts, NumberContrasts, Renewal]:
    """Contrasts that have had windows with such levels for weeks, what takes their place, and how."""
    contrasts = followed()
    shown(contrasts, draws, rng, np.zeros(30))
    assert contrasts.renewed(1) is None
    shown(contrasts, draws, rng, levels)
    made = contrasts.renewed(1 + DAYS_BETWEEN)
    assert made is not None
    return contrasts, *made


@pytest.mark.parametrize("draws", [normal, narrow, skewed])
@pytest.mark.parametrize("seed", range(3))
def test_what_was_learned_lies_where_windows_then_are(draws: Draws, seed: int) -> None:
    rng = np.random.default_rng(seed)
    contrasts, after, renewal = renewal_of(draws, rng, rng.uniform(-0.5, 6.0, PERIOD))
    values = [draws(rng, level) for level in rng.uniform(0.0, 5.0, 200).tolist()]
    former = contrasts.evidence(*windows_of(LAYOUT, values))
    renewed = after.evidence(*windows_of(LAYOUT, values))
    (locations, spreads), (new_locations, new_spreads) = former.values[:2], renewed.values[:2]
    resolved = former.units[1] > 0
    observed = np.exp(2 * (spreads + renewal.former.own_spread(locations)))[resolved].mean() - renewal.former.floor
    variance = renewal.variance_of_windows(locations[resolved], float(observed))
    moved, wider = renewal.moved(locations, variance)
    assert abs(np.mean(moved - new_locations)) < 0.1
    assert np.std(moved - new_locations) < 0.2 * np.std(new_locations)
    if draws is narrow:
        # Of hours with a temperature of their own hardly any spread was known: it begins anew.
        assert resolved.mean() < RESOLVED / 5
    else:
        assert abs(np.mean((spreads + wider - new_spreads)[resolved])) < 0.15


@given(
    scores=st.lists(st.tuples(st.floats(0.01, 1.0), st.floats(0.01, 1.0), st.integers(1, 99)), min_size=1, max_size=30),
    locations=st.lists(st.floats(-20, 20), min_size=2, max_size=10),
    variance=st.floats(0.0, 3.0),
)
def test_a_higher_score_stays_a_higher_one(
    scores: list[tuple[float, float, int]], locations: list[float], variance: float
) -> None:
    former, renewed, counts = np.array(scores, dtype=np.float64).T
    shape = np.zeros((2, 1))
    renewal = Renewal(Scores(np.cumsum(former), shape, 0.1), Scores(np.cumsum(renewed), shape, 0.1), counts)
    moved, wider = renewal.moved(np.sort(locations), variance)
    assert np.isfinite(moved).all()
    assert np.isfinite(wider).all()
    assert (np.diff(moved) >= -1e-9 * np.abs(moved).max()).all()


def test_a_constant_far_away_is_where_it_is() -> None:
    rng, contrasts = np.random.default_rng(1), followed()
    shown(contrasts, normal, rng, np.zeros(30))
    assert contrasts.renewed(1) is None
    constant = np.full(PERIOD, 50.0)
    location = shown(contrasts, lambda _, level: np.full(PER_WINDOW, level), rng, constant).values[0]
    made = contrasts.renewed(1 + DAYS_BETWEEN)
    assert made is not None
    after, renewal = made
    moved, wider = renewal.moved(location, 1.0)
    np.testing.assert_allclose(
        moved, shown(after, lambda _, level: np.full(PER_WINDOW, level), rng, constant).values[0], atol=1e-9
    )
    assert np.isfinite(wider).all()


def test_coordinates_stay_while_values_are_within_them() -> None:
    rng, contrasts = np.random.default_rng(1), followed()
    shown(contrasts, normal, rng, np.zeros(30))
    for month in range(6):
        shown(contrasts, normal, rng, np.zeros(PERIOD))
        assert contrasts.renewed(month * DAYS_BETWEEN) is None


def test_coordinates_of_less_than_a_day_are_looked_at_after_a_whole_one_and_begin_anew() -> None:
    rng, contrasts = np.random.default_rng(1), referred_contrasts(LAYOUT, None, 10, follows=True)
    assert isinstance(contrasts, NumberContrasts)
    shown(contrasts, normal, rng, np.zeros(10))
    assert contrasts.renewed(1) is None
    shown(contrasts, normal, rng, np.full(24, 3.0))
    made = contrasts.renewed(2)
    assert made is not None
    assert {0, 1} <= set(made[1].anew)
    # The next looks are after a week, and four weeks later.
    for day, level in ((9, 9.0), (9 + DAYS_BETWEEN, 18.0)):
        shown(made[0], normal, rng, np.full(24, level))
        assert made[0].renewed(day - 1) is None
        made = made[0].renewed(day)
        assert made is not None
        assert 0 not in made[1].anew


def test_coordinates_wait_while_an_alarm_stands() -> None:
    rng, contrasts = np.random.default_rng(1), followed()
    shown(contrasts, normal, rng, np.zeros(30))
    assert contrasts.renewed(1) is None
    shown(contrasts, normal, rng, np.full(PERIOD, 5.0))
    assert contrasts.renewed(1 + DAYS_BETWEEN, may_renew=False) is None
    assert contrasts.renewed(2 + DAYS_BETWEEN) is not None


def test_contrasts_that_are_restored_renew_their_coordinates_alike() -> None:
    rng, contrasts, restored = np.random.default_rng(1), followed(), followed()
    shown(contrasts, normal, rng, np.zeros(30))
    contrasts.renewed(1)
    shown(contrasts, normal, rng, np.full(PERIOD, 3.0))
    restored.restore(contrasts.snapshot())
    made, again = contrasts.renewed(1 + DAYS_BETWEEN), restored.renewed(1 + DAYS_BETWEEN)
    assert made is not None
    assert again is not None
    assert again[0].groups() == made[0].groups()
    np.testing.assert_array_equal(again[1].counts, made[1].counts)


# -- from events to alerts -------------------------------------------------------------------------------------------

DAYS, WINDOW_MS, PER_EVENTS = 66, 6 * HOUR_MS, 60
DETECT = {
    "rule": "change",
    "false_alarms": "1 per 30d",
    "pane": "6h",
    "defaults": {"window": "6h", "learn_windows": 4},
}


def leaving() -> list[dict[str, Any]]:
    """A level that is somewhere else each week, as that of a temperature is, and of a prediction."""
    rng, made = np.random.default_rng(5), []
    for window in range(DAYS * 4):
        level = 2.5 * np.sin(2 * np.pi * window / 4 / 50) + rng.normal(0, 0.5)
        for number, value in enumerate((level + rng.normal(size=PER_EVENTS)).tolist()):
            at_ms = START_MS + window * WINDOW_MS + number * WINDOW_MS // PER_EVENTS
            made.append({"id": f"{window}/{number}", "ts": at_ms, "x": value, "y": 2 * value})
    return made


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Watch]:
    folder: Path = tmp_path_factory.mktemp("renewed")
    schema = {
        "id": "id",
        "features": {"x": {"type": "numeric"}},
        "prediction": {"y": {"type": "numeric"}},
    }
    configuration = configured(detect=DETECT, schema=schema, segments=[], baseline={"kind": "rolling"})
    store, _ = replayed_lines(folder, as_lines(leaving()), configuration)
    of_days = [json.loads(row["contrasts"]) for row in rows(store, "expectations")]
    ends = {str(day["groups"]["ends"]) for day in of_days if day["groups"] is not None}
    # Both signals have had coordinates of their own more than once.
    assert len(ends) >= 4
    return store, compile_watch(configuration, "loans")


@pytest.fixture(scope="module")
def at_a_time(stored: tuple[Store, Watch]) -> dict[str, list[str]]:
    return evaluated(*stored, DAYS, [1])


@pytest.mark.parametrize("sizes", [[1000], [11, 30, 7]])
def test_rows_depend_on_no_batch_or_restart(
    sizes: list[int], stored: tuple[Store, Watch], at_a_time: dict[str, list[str]]
) -> None:
    assert evaluated(*stored, DAYS, sizes) == at_a_time
