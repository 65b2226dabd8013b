"""A model whose answers are worth less in one part of its events, and what turned out to be true of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from monitor.config import Configuration, load

START_MS = 1_700_000_000_000
EVERY_MS = 15_000
EVENTS = 3_000


class Stream:
    """Events of which the share of a hard kind is known; the model's score is a calibrated probability on easy ones.

    Parameters
    ----------
    seed, count : int
    hard : float or float64 array [count]
        Share of events on which the score says nothing.
    """

    def __init__(self, seed: int, count: int = EVENTS, hard: float | NDArray[np.float64] = 0.1) -> None:
        random = np.random.default_rng(seed)
        self.is_hard = random.random(count) < hard
        self.score = random.beta(0.5, 0.5, count).round(6)
        probability = np.where(self.is_hard, 0.5, self.score)
        self.is_positive = random.random(count) < probability
        self.right = ((self.score >= 0.5) == self.is_positive).astype(np.float64)
        self.amount = random.lognormal(size=count).round(4)
        self.missing = random.random(count) < 0.05

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield events as they come."""
        for i in range(len(self.score)):
            yield {
                "ts": START_MS + i * EVERY_MS,
                "id": f"e{i}",
                "amount": None if self.missing[i] else float(self.amount[i]),
                "kind": "hard" if self.is_hard[i] else "easy",
                "score": float(self.score[i]),
            }

    def write(self, path: Path) -> Path:
        """Write labelled events as a Parquet file."""
        rows = list(self.events())
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        columns["outcome"] = ["yes" if positive else "no" for positive in self.is_positive]
        pq.write_table(pa.table(columns), path)
        return path


def model(**performance: Any) -> dict[str, Any]:
    """The model's document."""
    return {
        "apiVersion": "leeway/v1",
        "kind": "Model",
        "metadata": {"name": "loans"},
        "spec": {
            "sources": [
                {"kafka": "loans", "event_time": {"path": "ts", "unit": "ms"}, "allowed_lateness": "5s"},
                {"kafka": "outcomes", "kind": "labels", "event_time": {"path": "ts", "unit": "ms"}},
            ],
            "schema": {
                "id": "id",
                "features": {"amount": {"type": "numeric"}, "kind": {"type": "category"}},
                "prediction": {"score": {"type": "numeric", "range": [0, 1]}},
                "labels": {"defaulted": {"type": "category", "path": "outcome"}},
            },
            "detect": {"pane": "10m", "defaults": {"window": "1h", "min_samples": 50}, "false_alarms": "1 per 7d"},
            "performance": {"positive": "yes", **performance},
        },
    }


def configured(folder: Path, **performance: Any) -> Configuration:
    """Write and load a service that watches the model."""
    (folder / "loans.yaml").write_text(json.dumps(model(**performance)))
    service = {"models": ["loans.yaml"], "store": {"kind": "memory"}}
    document = {"apiVersion": "leeway/v1", "kind": "Service", "spec": service}
    (folder / "leeway.yaml").write_text(json.dumps(document))
    return load(folder / "leeway.yaml")
