"""The expected co-displacement is what rrcf 0.4.4 has on average over the cuts that it draws.

Recorded with 4,000 trees of rrcf: ``tree = RCTree(sample()); tree.insert_point(x, index="p"); tree.codisp("p")``;
the standard error of its means is 1.2 % at most.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from detectors.anomaly import SCORERS, AnomalyBank
from tests.detectors import streams

RRCF = {
    (0.13, -0.13, 0.64): 0.960,  # five times in the sample
    (0.0, 0.0, 0.0): 3.165,
    (1.5, -1.0, 0.5): 4.683,
    (-1.5, 1.5, -1.5): 6.472,
    (1.7, 1.0, -1.0): 6.508,
    (-1.01, -0.21, -0.16): 2.211,  # once in the sample
}


def sample() -> streams.Stream:
    x = np.round(np.random.default_rng(0).normal(size=(64, 3)), 2)
    x[:5] = x[0]
    return x


@pytest.mark.parametrize("taken_out", [0, 200])
def test_scores_are_the_mean_of_those_of_rrcf_whatever_was_taken_out_again(taken_out: int) -> None:
    x = sample()
    assert {tuple(x[0]), tuple(x[10])} <= set(RRCF)
    once = np.random.default_rng(1).uniform(x.min(axis=0), x.max(axis=0), (taken_out, 3))
    bank = AnomalyBank(
        SCORERS["random_cut_forest"],
        {"trees": 1000, "sample": 64, "share": 1.0, "scale": "none"},
        series=1,
        dimension=3,
    )
    bank.update(np.zeros(taken_out + 64, dtype=np.int64), np.vstack((once, x)))
    taken_in, results = bank.snapshot(), []
    for probe in RRCF:
        results.append(bank.update([0], [probe]).score[0] * 64)
        bank.restore(taken_in)
    assert_allclose(results, list(RRCF.values()), rtol=0.05)
