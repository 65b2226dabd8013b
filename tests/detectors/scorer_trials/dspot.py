"""DSPOT is SPOT on what is left without the mean of the last observations."""

from __future__ import annotations

from tests.detectors.scorer_trials.spot import QUICK, Spot
from tests.detectors.trial import ScorerTrial

TRIAL = ScorerTrial(
    twin=Spot,
    settings=(
        {"warm_up": 100, "quantile": 0.9, "refit": 4, "depth": 20},
        {"warm_up": 100, "quantile": 0.8, "peaks": 30, "refit": 8, "depth": 1, "anomalies": "skip"},
    ),
    quick=QUICK | {"depth": 10},
    length=350,
)
