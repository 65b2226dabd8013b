"""What becomes of false alarms when values follow one another: alarms in 100,000 observations in which nothing changes.

Run with ``python -m bench.dependence``. Streams are ``x[t] = phi x[t - 1] + noise``, of which the correlation of
neighbours is ``phi``; each has 100,000 observations, and the detector starts anew after an alarm, as it does by itself.
In the last columns a detector is given the mean of every ten observations, which still count as ten. In brackets is the
95 % interval of a Poisson count.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.signal import lfilter

from detectors.bank import Bank
from detectors.drift import DETECTORS

STRETCH = 100_000
PHIS = (0.0, 0.3, 0.6, 0.9)
MEANS_OF = (1, 10)


def stream(phi: float, seed: int) -> NDArray[np.float64]:
    """Return a stretch whose neighbours have the correlation `phi`."""
    noise = np.random.default_rng(seed).normal(0.0, 1.0, STRETCH + 1000)
    return np.asarray(lfilter([1.0], [1.0, -phi], noise)[1000:])


def alarms(name: str, phi: float, means_of: int, stretches: int) -> int:
    """Count the alarms of a detector with default settings."""
    count = 0
    for seed in range(stretches):
        x = stream(phi, seed).reshape(-1, means_of).mean(axis=1)
        count += len(Bank(DETECTORS[name], series=1).update_one(0, x).drifts())
    return count


def interval(count: int, stretches: int) -> str:
    """Return the rate per stretch and its 95 % interval."""
    low = stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    high = stats.chi2.ppf(0.975, 2 * count + 2) / 2
    return f"{count / stretches:.2f} ({low / stretches:.2f}-{high / stretches:.2f})"


def main() -> None:
    """Print a row for each detector of any numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stretches", type=int, default=20)
    options = parser.parse_args()
    cases = [(phi, means_of) for means_of in MEANS_OF for phi in PHIS]
    heads = [f"phi {phi:g}" + (f", means of {k}" if k > 1 else "") for phi, k in cases]
    print(f"{'':14}" + "".join(f"{head:>23}" for head in heads))
    for name, detector in DETECTORS.items():
        if detector.domain == "real":
            cells = [interval(alarms(name, phi, k, options.stretches), options.stretches) for phi, k in cases]
            print(f"{name:14}" + "".join(f"{cell:>23}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
