"""Print a digest of all that detectors, scorers and the alarm rule say of some streams, with and without jit."""

from __future__ import annotations

import hashlib

import numpy as np

from detectors.anomaly import SCORERS, AnomalyBank
from detectors.bank import Bank
from detectors.change.model import Evidence
from detectors.drift import DETECTORS
from tests.detectors import streams
from tests.detectors.change_streams import (
    COUNT,
    NUMBER,
    SHARE,
    Number,
    beside,
    charts_of,
    daily_season,
    evidence_of,
    follow,
)
from tests.detectors.scorer_trials import SCORER_TRIALS
from tests.detectors.trials import TRIALS


def digests() -> dict[str, str]:
    """Return a digest of score, flag, state and memory, by detector."""
    x = np.concatenate([stream[::4] for stream in streams.adversarial().values()])
    x[::97] = np.nan
    digests = {}
    for name, detector in DETECTORS.items():
        bank = Bank(detector, TRIALS[name].often, series=3)
        flags = bank.update(np.arange(len(x)) // 7 % 3, streams.suited(detector.domain, x))
        assert len(flags.drifts()) > 5, f"{name} is not tried"
        snapshot = bank.snapshot()
        content = b"".join(a.tobytes() for a in (flags.score, flags.flag, snapshot["state"], snapshot["memory"]))
        digests[name] = hashlib.sha256(content).hexdigest()
    return digests | _of_scorers(x) | {"alarm rule": _of_alarm_rule()}


def _of_scorers(x: streams.Stream) -> dict[str, str]:
    digests = {}
    for name, scorer in SCORERS.items():
        trial = SCORER_TRIALS[name]
        bank = AnomalyBank(scorer, trial.quick | {"history": 300}, series=3, dimension=trial.dimension)
        scores = bank.update(np.arange(len(x)) // 7 % 3, streams.vectors(x, trial.dimension))
        assert np.isfinite(scores.level).mean() > 0.8, f"{name} is not tried"
        snapshot = bank.snapshot()
        arrays = (*scores, *(snapshot[part][array] for part in ("scorer", "levels") for array in ("state", "memory")))
        digests[name] = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
    return digests


def _of_alarm_rule() -> str:
    rng = np.random.default_rng(168)
    number, charts = Number(rng), charts_of(NUMBER, SHARE, COUNT)

    def day_of(day: int) -> Evidence:
        signal = number.day(daily_season(day) + 0.05 * rng.normal() + (day >= 18))
        signal.values[:2, rng.random(24) < 0.05] = np.nan
        share = evidence_of(rng.binomial(500, 0.9 if day == 15 else 0.1, (1, 24)), 500)
        return beside(signal, share, evidence_of(rng.poisson(500 * np.exp(daily_season(day)))[None]))

    course = follow(charts, range(21), day_of)
    assert all(course.alarms(series) for series in (0, 1)), "the alarm rule is not tried"
    parts = *course.by_window, *course.by_day, *charts.snapshot().values()
    return hashlib.sha256(b"".join(np.asarray(part).tobytes() for part in parts)).hexdigest()


if __name__ == "__main__":
    for name, digest in digests().items():
        print(name, digest)
