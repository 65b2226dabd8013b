"""A model that stores its events, with predictions and labels: it errs on large amounts, and in Poland."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from monitor.clock import ManualClock
from monitor.config import Service
from monitor.config.model import Model
from monitor.ingest.duplicates import digests
from monitor.packed import Texts
from tests.api.world import HOUR_MS, World, configured, model

__all__ = ["END_MS", "EVENTS", "MARKUP", "SPAN", "START_MS", "drawn", "fraud", "labelled_world", "stored"]

START_MS = 1_700_000_000_000 // HOUR_MS * HOUR_MS
END_MS = START_MS + 4 * HOUR_MS
SPAN = {"from_": START_MS, "to": END_MS}
EVENTS = 400
MARKUP = "<img/src=x/onerror=alert(1)>"

FEATURES: dict[str, Any] = {
    "amount": {"type": "numeric"},
    "age": {"type": "numeric", "privacy": {"bucket": [0, 30, 60]}},
    "income": {"type": "numeric", "privacy": "personal"},
    "merchant": {"type": "category", "privacy": "hash"},
    "country": {"type": "category"},
    "iban": {"type": "category"},
}


def fraud(**spec: Any) -> Model:
    """The model, whose scores are compared with the label `fraud`."""
    schema = {
        "id": "id",
        "features": FEATURES,
        "prediction": {"score": {"type": "numeric"}},
        "labels": {"fraud": {"type": "category"}},
    }
    stated = {
        "schema": schema,
        "sources": [{"http": "fraud"}, {"http": "truth", "kind": "labels"}],
        "performance": {"positive": "yes"},
        "keep": {"events": 1.0, "subject": "customer", "without": ["feature:iban"]},
        "segments": [{"by": ["country"], "values": ["DE", "PL"]}],
    }
    return model("fraud", **(stated | spec))


def drawn(count: int = EVENTS) -> list[dict[str, Any]]:
    """Events: whole amounts, so that every layout tells them apart."""
    rng = np.random.default_rng(11)
    events = []
    for number in range(count):
        is_fraud, is_wrong = bool(rng.random() < 0.4), bool(rng.random() < 0.3)
        says = is_fraud != is_wrong
        score = round(float(rng.uniform(0.5, 1.0) if says else rng.uniform(0.0, 0.499)), 3)
        country = str(rng.choice(["DE", "PL", MARKUP], p=[0.2, 0.7, 0.1] if is_wrong else [0.7, 0.2, 0.1]))
        amount = None if rng.random() < 0.1 else int(rng.integers(20, 60) if is_wrong else rng.integers(0, 40))
        events.append(
            {
                "id": f"e{number}", "at": START_MS + number * 4 * HOUR_MS // count, "amount": amount,
                "age": float(rng.choice([0, 30, 60])), "merchant": f"hashed-{number % 5:016x}", "country": country,
                "score": score, "fraud": "yes" if is_fraud else "no", "customer": f"c{number % 40}",
            }
        )  # fmt: skip
    return events


def stored(
    world: World,
    events: Sequence[Mapping[str, Any]],
    *,
    unlabelled: int = 0,
    features: Sequence[str] = ("amount", "age", "merchant", "country"),
) -> World:
    """Store events as ingest does; the last ones have no label."""
    names = [event["id"] for event in events]
    hashes = digests(Texts.of(names)).view(np.int64).tolist()
    rows: dict[str, list[dict[str, Any]]] = {"events": [], "predicted": [], "labels": []}
    for offset, (event, digest) in enumerate(zip(events, hashes, strict=True)):
        shared = {"model": "fraud", "event_ms": event["at"], "topic": "fraud", "offset": offset, "version": "v1"}
        shared["subject"] = event["customer"]
        fields = {f"feature:{name}": event[name] for name in features}
        fields["prediction:score"] = event["score"]
        rows["events"].append(shared | {"id": event["id"], "fields": json.dumps(fields)})
        known = {"known_ms": event["at"], "id_digest": digest}
        segments = [f"country={event['country']}"] if event["country"] in ("DE", "PL") else []
        nothing = dict.fromkeys(("naive_value", "low", "high"), float("nan"))
        predicted = {"label": event["score"]} if isinstance(event["score"], str) else {"value": event["score"]}
        rows["predicted"].append(shared | known | nothing | {"segments": segments, **predicted})
        if offset < len(events) - unlabelled:
            said = {"signal": "label:fraud", "topic": "truth", "event_ms": event["at"] + HOUR_MS}
            truth = {"label": event["fraud"]} if isinstance(event["fraud"], str) else {"value": event["fraud"]}
            rows["labels"].append(shared | known | said | {"id": event["id"], **truth})
    for table, some in rows.items() if events else ():
        world.add(table, some)
    return world


def labelled_world(count: int = EVENTS, **spec: Any) -> World:
    """A service that shows some of them."""
    service = Service.model_validate({"spec": {"privacy": {"hash_key": "k" * 32}}})
    configuration = replace(configured(fraud(**spec)), service=service)
    return stored(World(clock=ManualClock(END_MS + HOUR_MS), configuration=configuration), drawn(count))
