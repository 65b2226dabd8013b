"""Print a digest of all that every detector says of some streams, for comparing interpreters, with and without jit."""

from __future__ import annotations

import hashlib

import numpy as np

from detectors.bank import Bank
from detectors.drift import DETECTORS
from tests.detectors import streams
from tests.detectors.trials import TRIALS


def digests() -> dict[str, str]:
    """Return a digest of score, flag, state and memory, by detector."""
    x = np.concatenate([stream[::4] for stream in streams.adversarial().values()])
    x[::97] = np.nan
    found = {}
    for name, detector in DETECTORS.items():
        bank = Bank(detector, TRIALS[name].often, series=3)
        flags = bank.update(np.arange(len(x)) // 7 % 3, streams.suited(detector.domain, x))
        assert len(flags.drifts()) > 5, f"{name} is not tried"
        kept = bank.snapshot()
        content = b"".join(a.tobytes() for a in (flags.score, flags.flag, kept["state"], kept["memory"]))
        found[name] = hashlib.sha256(content).hexdigest()
    return found


if __name__ == "__main__":
    for name, digest in digests().items():
        print(name, digest)
