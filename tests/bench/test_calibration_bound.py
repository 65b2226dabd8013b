"""What could be found is worked out from streams as they are drawn, at the false alarms that are stated."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t

from bench.calibration.bound import (
    BLOCK_DAYS,
    CASES,
    REMEMBERED_DAYS,
    Case,
    Filter,
    Learner,
    Procedure,
    learned_lines,
    lines,
)
from bench.calibration.grid import GRIDS
from bench.calibration.power import NEVER
from bench.calibration.streams import STREAMS

Floats = NDArray[np.float64]


@pytest.mark.parametrize("window", ["1h", "1d"])
@pytest.mark.parametrize("stream", sorted({case.stream for case in CASES}))
def test_innovations_of_drawn_levels_are_independent_and_vary_by_one(stream: str, window: str) -> None:
    grid, rng = GRIDS[window], np.random.default_rng(7)
    levels = STREAMS[stream].levels(rng, grid, 1, 6_000)[0]
    means = levels + rng.normal(size=6_000) / np.sqrt(grid.events * (1 - STREAMS[stream].missing))

    innovations = Filter(stream, grid).innovations(means)[200:]

    assert innovations.std() == pytest.approx(1, abs=0.04)
    assert np.corrcoef(innovations[:-1], innovations[1:])[0, 1] == pytest.approx(0, abs=0.04)
    assert np.corrcoef(innovations[:-24], innovations[24:])[0, 1] == pytest.approx(0, abs=0.04)


def test_the_statistic_is_the_sum_of_the_likelihood_ratios_of_all_beginnings() -> None:
    rng = np.random.default_rng(3)
    traces, innovations = rng.normal(size=(2, 3, 5)), rng.normal(size=9)

    statistics = Procedure(traces).statistics(innovations)

    ratios = []
    for thing in traces:
        for begun in range(5, 9):  # the last window is the ninth; earlier beginnings are not remembered any more
            trace = thing[begun % 3, : 9 - begun] if begun > 4 else thing[begun % 3]
            ratios.append(np.exp(trace @ innovations[begun:] - trace @ trace / 2))
        oldest = thing[4 % 3]
        ratios.append(np.exp(oldest @ innovations[4:] - oldest @ oldest / 2))
    assert statistics[-1] == pytest.approx(np.log(sum(ratios) / 2))


def test_whoever_has_to_learn_compares_all_days_by_their_predictive_densities() -> None:
    """Of normal levels of which nothing is known the next one has Student's distribution, given those before."""
    rng = np.random.default_rng(5)
    levels, steps = rng.normal(2, 3, size=14), np.array([1.5, -4.0])

    statistics = Learner(11, steps).statistics(levels)

    def evidence(observed: Floats) -> float:
        """The density of all but the first two, given those."""
        densities = [
            t(n - 1, observed[:n].mean(), observed[:n].std(ddof=1) * np.sqrt(1 + 1 / n)).logpdf(observed[n])
            for n in range(2, len(observed))
        ]
        return float(np.sum(densities))

    ratios = []
    for step in steps:
        for begun in range(11, 14):
            shifted = levels - step * (np.arange(14) >= begun)
            ratios.append(np.exp(evidence(shifted) - evidence(levels)))
    assert statistics[-1] == pytest.approx(np.log(sum(ratios) / len(steps)))


def test_whoever_has_learned_for_longer_finds_more() -> None:
    cells = [line.split(" | ") for line in learned_lines(blocks=400, trials=400)][2:]
    found = [[int(part.split()[0]) for part in cell[2:]] for cell in cells]
    assert [cell[1] for cell in cells] == ["21 days", "35 days", "84 days"]
    assert found == sorted(found)
    assert all(all_of_it > half for all_of_it, half in found)


def test_it_alarms_falsely_as_often_as_stated() -> None:
    procedure = Procedure(Filter("daylevels", GRIDS["1d"]).traces("mean0.5")[None])
    threshold = procedure.threshold(alarm_days=2 * BLOCK_DAYS)

    rng = np.random.default_rng(11)
    highest = [
        procedure.statistics(rng.normal(size=REMEMBERED_DAYS + BLOCK_DAYS))[REMEMBERED_DAYS:].max() for _ in range(400)
    ]

    assert np.mean(np.array(highest) > threshold) == pytest.approx(1 - np.exp(-0.5), abs=0.08)


def test_what_is_large_is_found_at_once_and_what_is_nothing_as_seldom_as_a_false_alarm() -> None:
    filtered = Filter("daylevels", GRIDS["1d"])
    procedure = Procedure(filtered.traces("mean1")[None])
    threshold = procedure.threshold(blocks=100)

    large = procedure.delays_days(10 * filtered.traces("mean1"), 0, threshold, trials=50)
    nothing = procedure.delays_days(0 * filtered.traces("mean1"), 0, threshold, trials=50)

    assert set(large) == {1.0}
    assert np.mean(nothing == NEVER) > 0.7


def test_the_table_says_what_each_procedure_finds_in_time() -> None:
    head, _, row = lines([Case("1d", "daylevels", "mean1", 7)], blocks=20, trials=20)

    assert head == "| window | stream | what happens | within | told all | told that it is a step |"
    found = re.fullmatch(
        r"\| 1d \| daylevels \| mean1 \| 7 days \| (\d+) %, half after \d\.\d days \| (\d+) %, half after .*", row
    )
    assert found is not None
    assert min(map(int, found.groups())) > 80
