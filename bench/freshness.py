"""What the watch for silence makes of simulated streams: the table of ``docs/freshness.md``.

Run ``python -m bench.freshness``; it takes some minutes.
"""

from __future__ import annotations

import numpy as np

from tests.detectors.freshness_streams import KINDS, Traffic, tried

SEED, STREAMS = 20_260_105, 20
HEAD = """\
| traffic | alarms in the first week | false alarms later, in 90 days | median, nine of ten found after |
|---|---|---|---|"""


def row(name: str, traffic: Traffic) -> str:
    """Return the line of a kind of traffic."""
    trial = tried(traffic, SEED, STREAMS)
    delays = [_lasting(float(np.quantile(trial.delays_m, share, method="nearest"))) for share in (0.5, 0.9)]
    later = 90 * trial.false / trial.days
    return f"| {name} | {trial.early / STREAMS:.2g} | {later:.2g} | {delays[0]}, {delays[1]} |"


def _lasting(minutes: float) -> str:
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"


if __name__ == "__main__":
    print(HEAD)
    for name, traffic in KINDS.items():
        print(row(name, traffic), flush=True)
