"""Works out the control limits of ECDD from the Markov chain of its chart: ``python -m tests.detectors.chart_limits``.

For zeros and ones of a known rate p, the weighted rate z is a Markov chain: it becomes ``(1 - w) z + w x``. That of a
chart, which ends above a limit, dies out at a rate that settles; the average run length is one over what is lost at
each step. The chain is followed on a grid of z, between whose points its values are interpolated.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.drift.ecdd import EXCESS, RUN_LENGTHS, WEIGHTS
from detectors.kernel import kernel

UNREACHABLE = 0.002  # of a limit as close to 1 the last digits would decide, so it is put above 1


@kernel
def run_length(limit: float, rate: float, weight: float, points: int) -> float:
    """Return the average run length of a chart that has been running for long."""
    value, following = np.ones(points), np.empty(points)
    step = limit / (points - 1)
    at_rate, ratio = int(min(rate / limit, 1.0) * (points - 1)), 0.0
    for _ in range(int(30.0 / weight)):
        for i in range(points):
            following[i] = 0.0
            for x in range(2):
                position = ((1.0 - weight) * i * step + weight * x) / step
                if position <= points - 1:
                    k = min(int(position), points - 2)
                    between = value[k] + (position - k) * (value[k + 1] - value[k])
                    following[i] += (rate if x == 1 else 1.0 - rate) * between
        ratio = following[at_rate] / value[at_rate]
        value, following = following / following.max(), value
    return 1.0 / max(1.0 - ratio, 1e-15)


def excess(run_length_wanted: float, rate: float, weight: float, points: int = 1000) -> float:
    """Return by how much z has to exceed `rate` for that average run length."""
    low, high = rate, 1.0
    for _ in range(24):
        limit = (low + high) / 2.0
        if run_length(limit, rate, weight, points) > run_length_wanted:
            high = limit
        else:
            low = limit
    return high - rate if high < 1.0 - UNREACHABLE else 1.0 - rate + 0.02


def main() -> None:
    """Print the table as it stands in ``detectors/drift/ecdd.py``."""
    columns = len(EXCESS[0][0])
    for weight in WEIGHTS:
        print(f"    [  # weight {weight}")
        for run_length_wanted in RUN_LENGTHS:
            rates = [max((k / (columns - 1)) ** 2, 1e-6) for k in range(columns)]
            excesses = [excess(run_length_wanted, rate, weight) if rate < 1.0 else 0.02 for rate in rates]
            digits = [f"{value:.4f}".removeprefix("0") for value in excesses]
            third = math.ceil(columns / 3)
            lines = [", ".join(digits[i : i + third]) for i in range(0, columns, third)]
            print("        [" + ",\n         ".join(lines) + "],")
        print("    ],")


if __name__ == "__main__":
    main()
