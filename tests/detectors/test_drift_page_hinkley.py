"""Page–Hinkley and GMA go on learning what they compare with."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.bank import Bank
from detectors.contract import ParameterError
from detectors.drift import find
from tests.detectors import streams

both = pytest.mark.parametrize("name", ["page_hinkley", "gma"])


@both
def test_mean_and_sd_are_those_of_all_that_was_seen_but_for_an_eighth(name: str) -> None:
    x = np.random.default_rng(3).normal(1e6, 2.0, 5000)
    bank = Bank(find(name), series=1)
    assert not bank.update_one(0, x).drifts().size
    n = int(bank.state["n"][0])
    assert 8 * n >= 7 * 5000
    assert n + np.ceil(n / 8) - bank.state["left"][0] == 5000
    assert bank.state["mean"][0] == pytest.approx(x[:n].mean(), rel=1e-14)
    assert bank.state["sd"][0] == pytest.approx(x[:n].std(ddof=1), rel=1e-9)


@both
def test_scale_and_offset_do_not_matter(name: str) -> None:
    x = streams.step(1, 1.0, n=1500, at=1000)
    plain, scaled = (Bank(find(name), series=1).update_one(0, y).drifts().tolist() for y in (x, 1e6 + 250.0 * x))
    assert plain == scaled != []


@both
@pytest.mark.parametrize(("scores", "differing"), [("clipped", 2), ("plain", 1)])
def test_values_that_are_equal_for_long_are_no_baseline_until_some_differ(
    name: str, scores: str, differing: int
) -> None:
    bank = Bank(find(name), {"min_instances": 10, "scores": scores}, series=1)
    bank.update_one(0, np.full(1000, 0.1))
    for _ in range(differing):
        assert bank.ready.tolist() == [False]
        bank.update_one(0, [0.2])
    assert bank.ready.tolist() == [True]


@pytest.mark.parametrize("scores", ["clipped", "plain"])
def test_with_mean_and_sd_page_hinkley_is_a_cusum(scores: str) -> None:
    settings = {"mean": 0.0, "sd": 1.0, "scores": scores}
    for seed in range(5):
        x = streams.step(seed, 1.0)
        page, cusum = (Bank(find(name), settings, series=1).update_one(0, x) for name in ("page_hinkley", "cusum"))
        assert page.score.tolist() == cusum.score.tolist()
        assert page.drifts().tolist() == cusum.drifts().tolist() != []


@both
@pytest.mark.parametrize("alone", ["mean", "sd"])
def test_mean_without_sd_is_refused(name: str, alone: str) -> None:
    with pytest.raises(ParameterError, match=f"give both mean and sd, or neither; {alone} is given"):
        Bank(find(name), {alone: 1.0})


@pytest.mark.parametrize("name", ["page_hinkley", "gma", "cusum"])
def test_raw_scores_have_no_baseline_that_could_be_given(name: str) -> None:
    with pytest.raises(ParameterError, match="leave out mean and sd"):
        Bank(find(name), {"scores": "raw", "mean": 0.0, "sd": 1.0})
