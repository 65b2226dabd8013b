"""Two windows side by side: cells line up, and the distances are those of SciPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from detectors.distance import DISTANCES
from detectors.distance.contract import GROUPED
from tests.api.world import Client, World

AMOUNT, COUNTRY = "feature:amount", "feature:country"
EARLY, LATE = 0, 10_000
AGAINST = {"against_from": EARLY, "against_to": LATE}


def ask(world: World, signal: str, **more: Any) -> dict[str, Any]:
    asked = {"model": "fraud", "signal": signal, "from": LATE, "to": 2 * LATE, **more}
    document: dict[str, Any] = Client(world).get("/v1/distributions", **asked).json()
    return document


def test_one_window_is_shown_as_it_is() -> None:
    world = World()
    world.numbers(AMOUNT, LATE, [-5.0, 3.0, 3.0, None])
    document = ask(world, AMOUNT)
    assert (document["cells"]["low"][0], document["cells"]["high"][0]) == (-5.0625, -5.0)
    assert document["cells"]["current"] == [1, 2]
    side = document["current"]
    assert (side["n"], side["missing"], side["out_of_range"], side["min"], side["max"]) == (3, 1, 1, -5.0, 3.0)
    assert side["mean"] == pytest.approx(1 / 3, abs=1e-3)
    assert (document["baseline"], document["distances"]) == (None, [])


def test_numeric_cells_line_up_where_only_one_window_has_them() -> None:
    world = World()
    world.numbers(AMOUNT, EARLY, [10.0] * 5 + [90.0] * 6)
    world.numbers(AMOUNT, LATE, [50.0] * 7 + [90.0] * 8)
    cells = ask(world, AMOUNT, **AGAINST)["cells"]
    assert (cells["baseline"], cells["current"]) == ([5, 0, 6], [0, 7, 8])
    assert all(low <= value < high for low, value, high in zip(cells["low"], [10, 50, 90], cells["high"], strict=True))


def test_names_line_up_and_all_others_are_the_last_cell() -> None:
    world = World()
    world.names(COUNTRY, EARLY, {"DE": 5, "FR": 1})
    world.names(COUNTRY, LATE, {"AT": 2, "DE": 3}, other=4, n=9)
    cells = ask(world, COUNTRY, **AGAINST)["cells"]
    assert cells["names"] == ["AT", "DE", "FR", None]
    assert (cells["baseline"], cells["current"]) == ([0, 5, 1, 0], [2, 3, 0, 4])


def test_versions_are_added_up_unless_one_is_asked_for() -> None:
    world = World()
    world.names(COUNTRY, LATE, {"DE": 2}, version="v1")
    world.names(COUNTRY, LATE, {"DE": 3}, version="v2")
    assert ask(world, COUNTRY)["current"]["n"] == 5
    assert ask(world, COUNTRY, version="v2")["current"]["n"] == 3


def test_windows_of_different_bins_are_not_compared() -> None:
    world = World()
    world.numbers(AMOUNT, EARLY, [1.0], layout="of another day")
    world.numbers(AMOUNT, LATE, [1.0])
    assert ask(world, AMOUNT, **AGAINST)["type"] == "/v1/problems#different-layouts"


def test_the_distances_are_those_of_scipy() -> None:
    """A value per cell, at its middle, so that the cells say all there is to say."""
    rng = np.random.default_rng(1)
    a, b = rng.integers(200, 400, 10), rng.integers(200, 400, 10)
    middles = np.arange(10) * 10 + 100 / 256
    world = World()
    world.numbers(AMOUNT, EARLY, np.repeat(middles, a).tolist())
    world.numbers(AMOUNT, LATE, np.repeat(middles, b).tolist())
    found = {distance["detector"]: distance for distance in ask(world, AMOUNT, **AGAINST)["distances"]}
    assert set(found) == set(DISTANCES) - {"new_category"}
    ks = ks_2samp(np.repeat(middles, a), np.repeat(middles, b))
    assert found["ks"]["statistic"] == pytest.approx(ks.statistic)
    oracle = chi2_contingency(np.array([a, b]), correction=False)
    assert found["chi_squared"]["statistic"] == pytest.approx(oracle.statistic)
    # SciPy's is of the limit, ours of the moments: at 1e-20 they differ in the exponent's third digit.
    assert math.log(found["chi_squared"]["p_value"]) == pytest.approx(math.log(oracle.pvalue), rel=0.01)
    assert found["wasserstein"]["p_value"] is None


def test_names_have_no_distance_that_needs_an_order() -> None:
    world = World()
    world.names(COUNTRY, EARLY, {"DE": 500, "FR": 400})
    world.names(COUNTRY, LATE, {"DE": 100, "FR": 800})
    found = {distance["detector"] for distance in ask(world, COUNTRY, **AGAINST)["distances"]}
    unordered = {name for name, distance in DISTANCES.items() if distance.reads == GROUPED}
    assert found == unordered | {"missing_rate", "invalid_rate", "new_category"}


def test_an_empty_window_has_no_distances_but_is_no_error() -> None:
    world = World()
    world.numbers(AMOUNT, LATE, [1.0] * 5)
    document = ask(world, AMOUNT, **AGAINST)
    assert document["baseline"]["n"] == 0
    assert {distance["effect"] for distance in document["distances"]} == {None}


def test_a_constant_that_moved_is_answered_though_some_distances_have_no_bound() -> None:
    world = World()
    world.numbers(AMOUNT, EARLY, [1.0] * 50)
    world.numbers(AMOUNT, LATE, [500.0] * 50)
    found = {distance["detector"]: distance for distance in ask(world, AMOUNT, **AGAINST)["distances"]}
    assert found["energy"]["effect"] == 1
    assert found["pai"]["effect"] is found["wasserstein"]["effect"] is None
