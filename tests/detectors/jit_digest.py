"""Print a digest of all that detectors and scorers say of some streams, to compare runs with and without jit."""

from __future__ import annotations

import hashlib

import numpy as np

from detectors.anomaly import SCORERS, AnomalyBank
from detectors.bank import Bank
from detectors.drift import DETECTORS
from tests.detectors import streams
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
    return digests | _of_scorers(x)


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


if __name__ == "__main__":
    for name, digest in digests().items():
        print(name, digest)
