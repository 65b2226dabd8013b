"""Where river's and frouros' KSWIN fire, which take milliseconds for each observation.

``python -m tests.detectors.recorded.kswin`` writes it down in ``kswin.json``: by peer and stream, the positions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from river import drift

from tests.detectors import streams
from tests.services.peers import Frouros

__all__ = ["HALVES", "STREAMS", "recorded", "rivers_drifts"]

# Half of the window against the other half leaves nothing to draw, so that random numbers do not matter.
HALVES: dict[str, Any] = {"window_size": 40, "stat_size": 20, "alpha": 0.005}
STREAMS = {**streams.adversarial(240), **{f"random {i}": x for i, x in enumerate(streams.random(30, 240))}}
_FILE = Path(__file__).with_suffix(".json")


def recorded() -> dict[str, dict[str, list[int]]]:
    """Return what is written down, by peer and stream."""
    recorded: dict[str, dict[str, list[int]]] = json.loads(_FILE.read_text())
    return recorded


def rivers_drifts(x: streams.Stream) -> list[int]:
    """Ask river."""
    detector = drift.KSWIN(**HALVES, seed=1)
    recorded = []
    for i, value in enumerate(x.tolist()):
        detector.update(value)
        if detector.drift_detected:
            recorded.append(i)
    return recorded


def main() -> None:
    """Ask both peers about every stream."""
    options = {"min_num_instances": 40, "num_test_instances": 20, "alpha": 0.005, "seed": 1}
    with Frouros() as frouros:
        of_frouros = frouros.drifts("KSWIN", options, list(STREAMS.values()))
    peers = {
        "river": {name: rivers_drifts(x) for name, x in STREAMS.items()},
        "frouros": dict(zip(STREAMS, of_frouros, strict=True)),
    }
    _FILE.write_text(json.dumps(peers, indent=1) + "\n")


if __name__ == "__main__":
    main()
