"""Of thousands of names a window always has some that its baseline never saw: p-values hold all the same."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from detectors.distance import DISTANCES
from detectors.distance.compare import compare
from detectors.distance.contract import NO_TEST
from detectors.sketch import CategoryLayout, CategorySummary
from detectors.sketch.category import summarize
from monitor.panes.compare import Measured, measure_all, stacked, unseen

WINDOWS = 300
TESTS = [
    name
    for name, distance in DISTANCES.items()
    if "category" in distance.fits and distance.p_value != NO_TEST and (not distance.is_rate or name == "new_category")
]
Floats = npt.NDArray[np.float64]


class Setting(NamedTuple):
    """Of how many names events are drawn, by which of Zipf's laws, for a baseline and a window of which sizes."""

    names: int
    exponent: float
    baseline: int
    window: int


SETTINGS = [
    Setting(5_000, 1.2, 10_000, 1_000),
    Setting(5_000, 1.0, 100_000, 1_000),
    Setting(500, 1.0, 1_000, 1_000),
    Setting(500, 1.5, 1_000, 200),
    Setting(500, 0.0, 1_000, 10_000),
    Setting(50, 1.5, 1_000, 10_000),
]
of_many_names = pytest.mark.parametrize("setting", SETTINGS, ids=str)


def shares(names: int, exponent: float) -> Floats:
    weights = np.arange(1.0, names + 1) ** -exponent
    return np.asarray(weights / weights.sum())


def measured(layout: CategoryLayout, baseline: Mapping[str, int], window: Mapping[str, int]) -> dict[str, Measured]:
    sides = summarize(layout, baseline), summarize(layout, window)
    stacks = stacked({name: ["x"] for name in TESTS}, {"x": layout}, {"x": sides})
    return {name: measure_all(name, stacks[name])["x"] for name in TESTS}


@cache
def windows(setting: Setting, new_share: float = 0.0, sample: int = 512) -> dict[str, list[Measured]]:
    """What each distance says of windows whose events are drawn as their baselines' are, but for one new name."""
    rng = np.random.default_rng((setting.names, setting.baseline, setting.window, sample))
    names = [f"name {i}" for i in range(setting.names)]
    layout = CategoryLayout(("brand new",) if new_share else (), sample=sample)
    of_baseline = shares(setting.names, setting.exponent)
    of_window = np.append(of_baseline * (1 - new_share), new_share)
    found: dict[str, list[Measured]] = {name: [] for name in TESTS}
    for _ in range(WINDOWS):
        baseline = dict(zip(names, rng.multinomial(setting.baseline, of_baseline).tolist(), strict=True))
        window = dict(zip([*names, "brand new"], rng.multinomial(setting.window, of_window).tolist(), strict=True))
        for name, of_window_one in measured(layout, baseline, window).items():
            found[name].append(of_window_one)
    return found


def share_below(level: float, of_windows: list[Measured]) -> float:
    return float(np.mean([each.p_value <= level for each in of_windows]))


@pytest.mark.parametrize("name", TESTS)
@of_many_names
def test_p_values_hold_where_nothing_changed(setting: Setting, name: str) -> None:
    for level in (0.1, 0.01):
        # Three standard errors, and a fifth for the approximation of the tail.
        assert share_below(level, windows(setting)[name]) <= 1.2 * level + 3 * math.sqrt(level / WINDOWS)


@pytest.mark.parametrize("name", ["new_category", "chi_squared"])
def test_p_values_hold_where_names_are_more_than_are_told_apart(name: str) -> None:
    of_windows = windows(Setting(2_000, 1.0, 5_000, 1_000), sample=64)[name]
    for level in (0.1, 0.01):
        assert share_below(level, of_windows) <= 1.2 * level + 3 * math.sqrt(level / WINDOWS)


@of_many_names
def test_new_names_that_were_to_be_expected_are_no_material_change(setting: Setting) -> None:
    effects = [each.effect for each in windows(setting)["new_category"]]
    assert np.mean(effects) < DISTANCES["new_category"].default_min_effect / 2
    psi = [each.effect for each in windows(setting)["psi"]]
    assert np.mean(psi) < DISTANCES["psi"].default_min_effect


@pytest.mark.parametrize("setting", [each for each in SETTINGS if each.window >= 1_000], ids=str)
def test_a_name_that_is_really_new_is_found_though_it_takes_two_events_in_a_hundred(setting: Setting) -> None:
    assert share_below(0.001, windows(setting, new_share=0.02)["new_category"]) > 0.9


def test_many_new_names_are_found_though_each_occurs_once() -> None:
    rng = np.random.default_rng(3)
    baseline, window = (Counter(rng.choice(2_000, size, p=shares(2_000, 1.0)).tolist()) for size in (10_000, 900))
    counts = {f"name {i}": n for i, n in baseline.items()}, {f"name {i}": n for i, n in window.items()}
    layout = CategoryLayout((), sample=4_000)
    garbage = {f"garbage {i}": 1 for i in range(100)}
    assert measured(layout, counts[0], counts[1])["new_category"].p_value > 0.05
    assert measured(layout, counts[0], counts[1] | garbage)["new_category"].p_value < 1e-6


def test_chi_squared_is_that_of_scipy_in_groups_of_names_that_are_about_as_frequent_on_both_sides_together() -> None:
    rng = np.random.default_rng(4)
    a, b = (rng.multinomial(size, shares(300, 1.1)) for size in (3_000, 800))
    groups: dict[tuple[str, int], list[int]] = {}
    for i, both in enumerate((a + b).tolist()):
        if both:
            key = ("alone", i) if 20 * both >= 3_800 else ("about", both.bit_length())
            row = groups.setdefault(key, [0, 0])
            row[0] += int(a[i])
            row[1] += int(b[i])
    expected = stats.chi2_contingency(np.array(list(groups.values())).T, correction=False)
    names = [f"name {i}" for i in range(300)]
    sides = (dict(zip(names, side.tolist(), strict=True)) for side in (a, b))
    assert measured(CategoryLayout(()), *sides)["chi_squared"].statistic == pytest.approx(expected.statistic)


@pytest.mark.parametrize(("baseline", "window"), [(2_000, 200), (500, 500), (300, 2_000)])
def test_the_p_value_of_new_names_is_that_of_permutations(baseline: int, window: int) -> None:
    """Events of both sides are dealt out again, 20,000 times, and new names counted."""
    rng = np.random.default_rng((5, baseline, window))
    a, b = (rng.multinomial(size, shares(400, 1.0)) for size in (baseline, window))
    # Some names move to the window, so that the p-value is none of the common ones.
    for i in np.flatnonzero((a == 1) & (b > 0))[:8]:
        a[i], b[i] = 0, b[i] + 1
    p_value = compare("new_category", [np.append(0, a)], [np.append(0, b)]).p_value[0]
    dealt = rng.multivariate_hypergeometric(a + b, int(b.sum()), 20_000, method="marginals")
    is_new = (dealt == a + b) & (dealt > 0)
    new = (a == 0) & (b > 0)
    as_many = (is_new.sum(axis=1) >= new.sum()).mean()
    as_frequent = (np.where(is_new, dealt, 0).max(axis=1) >= b[new].max()).mean()
    assert 0.0005 < as_many < 0.2
    expected = 2 * min(as_many, as_frequent)
    assert 0.9 * expected < p_value < 2 * expected


def test_a_declared_name_that_the_baseline_lacks_is_new_whatever_the_baseline_does_not_tell_apart() -> None:
    declared = [f"declared {i}" for i in range(20)]
    layout = CategoryLayout(tuple(declared), sample=4)
    baseline = summarize(layout, {f"name {i}": 5 for i in range(200)})
    assert baseline.other
    assert unseen(baseline, summarize(layout, dict.fromkeys(declared, 1))) == dict.fromkeys(declared, 1)


def test_a_name_that_only_the_window_tells_apart_is_not_new() -> None:
    layout = CategoryLayout((), sample=8)
    everything = {f"name {i}": 3 for i in range(100)}

    def few(count: int) -> CategorySummary:
        return summarize(layout, dict(list(everything.items())[:count]))

    assert unseen(summarize(layout, everything), few(10)) == {}
    assert unseen(few(100), few(20)) == {}
