"""Six days of a model's predictions with their labels; its version of the last two days is worse."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from monitor.clock import ManualClock
from monitor.config.model import Model
from tests.api.world import HOUR_MS, NOW_MS, World, configured, model

__all__ = ["DAYS", "NOON_MS", "labelled", "labelled_days"]

DAYS, PER_HOUR = 6, 40
LABELS_TAKE_H = 30
NOON_MS = NOW_MS // (24 * HOUR_MS) * 24 * HOUR_MS + 12 * HOUR_MS


def labelled(**performance: Any) -> Model:
    """A model whose scores are compared with the label `fraud`."""
    schema = {
        "id": "id",
        "features": {"amount": {"type": "numeric"}},
        "prediction": {"score": {"type": "numeric"}},
        "labels": {"fraud": {"type": "category"}},
    }
    sources = [{"http": "fraud"}, {"http": "truth", "kind": "labels"}]
    return model("fraud", schema=schema, sources=sources, performance={"positive": "yes", **performance})


def labelled_days() -> World:
    """Labels take up to 30 hours, so that the last day has some of them."""
    worth = {"tp": 120, "fp": -8, "fn": -450, "tn": 0}
    naive = {"prior": {"kind": "prior"}, "nothing": {"kind": "constant", "answer": 0, "loss": "error"}}
    compared = labelled(value=worth, currency="EUR", baselines=naive)
    world = World(clock=ManualClock(NOON_MS), configuration=configured(compared))
    random = np.random.default_rng(7)
    for hour in range(-24 * DAYS, 0):
        is_new = hour >= -48
        positive = random.random(PER_HOUR) < 0.2
        score = np.round(1 / (1 + np.exp(-random.normal((1.0 if is_new else 2.0) * positive - 1.5, 1.0))), 3)
        takes = random.integers(0, LABELS_TAKE_H, PER_HOUR)
        came = takes < -hour
        classes = np.where(score >= 0.5, "yes", "other")
        of_class, of_labelled, delays = Counter(classes.tolist()), Counter(classes[came].tolist()), Counter(takes[came])
        world.labelled_hour(
            NOON_MS + hour * HOUR_MS,
            score.tolist(),
            [("yes" if one else "no") if known else None for one, known in zip(positive, came, strict=True)],
            version="v8" if is_new else "v7",
            classes=sorted(of_class),
            class_predictions=[of_class[name] for name in sorted(of_class)],
            class_labelled=[of_labelled[name] for name in sorted(of_class)],
            delay_hours=sorted(map(int, delays)),
            delay_labels=[delays[hours] for hours in sorted(delays)],
        )
    return world
