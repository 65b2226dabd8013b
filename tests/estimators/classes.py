"""A model of three classes that is surer of itself than it may be, and what turned out to be true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from monitor.config import Configuration, load
from tests.estimators.streams import EVERY_MS, START_MS, model

CLASSES = ("cat", "dog", "7")
PROBABILITIES = {"cat": "p_cat", "dog": "p_dog", "7": "p_7"}


class ClassStream:
    """Events whose true class is as probable as is known; the model says the squares of that.

    Parameters
    ----------
    seed, count : int
    clear : float
        How much of an event is of one class; less is harder.
    """

    def __init__(self, seed: int, count: int = 2_000, clear: float = 2.0) -> None:
        random = np.random.default_rng(seed)
        likely = random.dirichlet(np.full(3, 1 / clear), count)
        self.truth = (likely.cumsum(axis=1) < random.random(count)[:, None]).sum(axis=1).clip(max=2)
        self.scores = (likely**2 / (likely**2).sum(axis=1, keepdims=True)).round(6)
        self.predicted = self.scores.argmax(axis=1)
        self.right = (self.predicted == self.truth).astype(np.float64)

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield events as they come; every hundredth lacks a probability, and one more says a class that has none."""
        for i, (scores, predicted) in enumerate(zip(self.scores.tolist(), self.predicted.tolist(), strict=True)):
            event = {"ts": START_MS + i * EVERY_MS, "id": f"e{i}", "animal": CLASSES[predicted]}
            event |= dict(zip(PROBABILITIES.values(), scores, strict=True))
            if i % 100 == 0:
                event["p_dog"] = None
            elif i % 100 == 1:
                event["animal"] = "cow"
            yield event

    def write(self, path: Path) -> Path:
        """Write labelled events as JSON lines."""
        labelled = zip(self.events(), self.truth.tolist(), strict=True)
        path.write_text("".join(json.dumps(event | {"outcome": CLASSES[true]}) + "\n" for event, true in labelled))
        return path


def class_model(**performance: Any) -> dict[str, Any]:
    """The model's document."""
    document = model()
    spec = document["spec"]
    probability = {"type": "numeric", "range": [0, 1]}
    spec["schema"]["features"] = {}
    spec["schema"]["prediction"] = {"animal": {"type": "category"}} | dict.fromkeys(PROBABILITIES.values(), probability)
    spec["performance"] = {"prediction": "animal", "probabilities": PROBABILITIES, **performance}
    return document


def class_configured(folder: Path, **performance: Any) -> Configuration:
    """Write and load a service that watches the model."""
    (folder / "loans.yaml").write_text(json.dumps(class_model(**performance)))
    service = {"models": ["loans.yaml"], "store": {"kind": "memory"}}
    document = {"apiVersion": "leeway/v1", "kind": "Service", "spec": service}
    (folder / "leeway.yaml").write_text(json.dumps(document))
    return load(folder / "leeway.yaml")
