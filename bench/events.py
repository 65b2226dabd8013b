"""The workload of the replay benchmark and the soak test: one model's events, and what watches them."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["FEATURES", "LEEWAY", "configure", "events", "write_events"]

LEEWAY = [sys.executable, "-c", "from monitor.cli import main; main()"]
"""The command ``leeway``, also where it is not on the path."""


FEATURES = [f"feat_{number:02d}" for number in range(20)]
COUNTRIES = ["DE", "FR", "US", "BR"]
START_MS = 1_700_000_100_000
EVERY_MS = 10
"""One event in so many ms: panes of 10 s hold a thousand, windows of 5 min thirty thousand."""

_MODEL = """\
apiVersion: leeway/v1
kind: Model
metadata: {name: bench}
spec:
  sources:
    - kafka: events
      event_time: {path: ts, unit: ms}
      allowed_lateness: 30s
      max_ahead: 1h
  schema:
    id: event_id
    version: version
    features:
      country: {type: category}
"""
_DETECT = """\
  detect:
    rules:
      - {on: "feature:feat_*", use: [adwin, page_hinkley]}
"""


def configure(folder: Path, rules: str = _DETECT) -> Path:
    """Write a model with twenty numbers and a category; returns the configuration's path."""
    features = "".join(f"      {name}: {{type: numeric}}\n" for name in FEATURES)
    path = folder / "bench.yaml"
    path.write_text(_MODEL + features + rules)
    return path


def events(count: int, seed: int = 1) -> Iterator[dict[str, object]]:
    """Yield events of some 450 bytes; from the middle on the first feature has moved by three standard deviations."""
    rng = random.Random(seed)
    for number in range(count):
        values = {name: round(rng.gauss(0, 1), 4) for name in FEATURES}
        values[FEATURES[0]] = round(values[FEATURES[0]] + 3.0 * (number >= count // 2), 4)
        yield {
            "event_id": f"e{number:09d}",
            "version": "v3",
            "ts": START_MS + number * EVERY_MS,
            "country": rng.choice(COUNTRIES),
            **values,
        }


def write_events(path: Path, count: int) -> None:
    """Write events as JSON lines."""
    with path.open("w") as file:
        file.writelines(json.dumps(event) + "\n" for event in events(count))
