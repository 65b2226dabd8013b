"""Two windows side by side: cells line up, and the distances are those of SciPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency, wasserstein_distance

from tests.api.world import Client, World


def numbers(low: list[float], high: list[float], count: list[int], **more: Any) -> dict[str, Any]:
    counts = {"n": sum(count), "missing": 0, "invalid": 0, "out_of_range": 0}
    return {"kind": "numeric", **counts, "low": low, "high": high, "count": count, **more}


def names(counts: dict[str, int], other: int = 0) -> dict[str, Any]:
    found = {"n": sum(counts.values()) + other, "missing": 1, "invalid": 2, "out_of_range": 0}
    return {"kind": "category", **found, "names": list(counts), "count": list(counts.values()), "other": other}


def ask(world: World, signal: str, **more: Any) -> dict[str, Any]:
    asked = {"model": "fraud", "signal": signal, "from": 10, "to": 20, **more}
    document: dict[str, Any] = Client(world).get("/v1/distributions", **asked).json()
    return document


AGAINST = {"against_from": 0, "against_to": 10}


def test_one_window_is_shown_as_it_is() -> None:
    world = World(windows={(10, 20): numbers([-math.inf, 0], [0, math.inf], [3, 4], mean=1.5)})
    document = ask(world, "feature:amount")
    assert document["cells"] == {"low": [None, 0], "high": [0, None], "current": [3, 4]}
    assert (document["current"]["n"], document["current"]["mean"]) == (7, 1.5)
    assert (document["baseline"], document["distances"]) == (None, [])


def test_numeric_cells_line_up_where_only_one_window_has_them() -> None:
    world = World(windows={(0, 10): numbers([0, 2], [1, 3], [5, 6]), (10, 20): numbers([1, 2], [2, 3], [7, 8])})
    cells = ask(world, "feature:amount", **AGAINST)["cells"]
    assert cells == {"low": [0, 1, 2], "high": [1, 2, 3], "baseline": [5, 0, 6], "current": [0, 7, 8]}


def test_names_line_up_and_all_others_are_the_last_cell() -> None:
    world = World(windows={(0, 10): names({"DE": 5, "FR": 1}), (10, 20): names({"AT": 2, "DE": 3}, other=4)})
    cells = ask(world, "feature:country", **AGAINST)["cells"]
    assert cells["names"] == ["AT", "DE", "FR", None]
    assert (cells["baseline"], cells["current"]) == ([0, 5, 1, 0], [2, 3, 0, 4])


def test_windows_of_different_bins_are_not_compared() -> None:
    world = World(windows={(0, 10): numbers([0, 2], [2, 4], [5, 6]), (10, 20): numbers([1], [3], [7])})
    assert ask(world, "feature:amount", **AGAINST)["type"] == "/v1/problems#different-layouts"


def test_the_distances_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(200, 400, 10), rng.integers(200, 400, 10)
    low = np.arange(10.0)
    world = World(
        windows={
            (0, 10): numbers(list(low), list(low + 1), a.tolist()),
            (10, 20): numbers(list(low), list(low + 1), b.tolist()),
        }
    )
    found = {distance["detector"]: distance for distance in ask(world, "feature:amount", **AGAINST)["distances"]}
    assert list(found) == ["psi", "jensen_shannon", "ks", "wasserstein", "chi_squared"]
    middles = low + 0.5
    assert found["wasserstein"]["statistic"] == pytest.approx(wasserstein_distance(middles, middles, a, b))
    gap = np.abs(np.cumsum(a) / a.sum() - np.cumsum(b) / b.sum()).max()
    assert found["ks"]["statistic"] == pytest.approx(gap)
    oracle = chi2_contingency(np.array([a, b]), correction=False)
    assert found["chi_squared"]["statistic"] == pytest.approx(oracle.statistic)
    assert found["chi_squared"]["p_value"] == pytest.approx(oracle.pvalue)
    assert found["wasserstein"]["p_value"] is None


def test_names_have_no_distance_that_needs_an_order() -> None:
    world = World(windows={(0, 10): names({"DE": 500, "FR": 400}), (10, 20): names({"DE": 100, "FR": 800})})
    found = [distance["detector"] for distance in ask(world, "feature:country", **AGAINST)["distances"]]
    assert found == ["psi", "jensen_shannon", "chi_squared"]


def test_an_empty_window_has_no_distances_but_is_no_error() -> None:
    world = World(windows={(0, 10): numbers([], [], []), (10, 20): numbers([0], [1], [5])})
    document = ask(world, "feature:amount", **AGAINST)
    assert document["baseline"]["n"] == 0
    assert {distance["effect"] for distance in document["distances"]} == {None}
