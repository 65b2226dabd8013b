"""What became of the drift of :func:`tests.web.browser.site.drifted`: who was notified, what failed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np

from monitor.config.keep import Keep
from tests.api.labelled_days import labelled
from tests.api.world import HOUR_MS, MINUTE_MS, World
from tests.slices.labelled import stored
from tests.web.browser.site import FEATURES, HOSTILE, MARKUP, NOW_MS

__all__ = ["FORMULA", "operated"]

FORMULA = "=HYPERLINK(1)"
"""A country whose name a spreadsheet would run."""


def operated(world: World) -> World:
    """Add notifications, decisions, an acknowledgement, dead letters, jobs, and a rollout."""
    _label(world)
    _store_events(world)
    fired_ms = NOW_MS - 9 * HOUR_MS
    sent = {"alert_id": "a", "sequence": 0, "attempts": 1, "at_ms": fired_ms + MINUTE_MS}
    world.add("notifications", [sent | {"receiver": "log/0", "outcome": "delivered"}])
    made = {"alert_id": "a", "sequence": 0, "at_ms": fired_ms + MINUTE_MS, "route": "{}"}
    world.add("decisions", [made | {"receiver": "log/0", "why": "delivered", "detail": "it was never notified"}])
    letter = {"topic": MARKUP, "model": "fraud", "action": "rejected", "reason": "not_json", "record_ms": fired_ms}
    letters = [letter | {"offset": n, "payload": b"\xff<b>", "payload_bytes": 4, "detail": MARKUP} for n in range(3)]
    world.add("dead_letters", letters)
    run = {"started_ms": fired_ms, "ended_ms": fired_ms + 40, "instance": "a:8080"}
    failed = {"job": "keep_lifetimes", "outcome": "failed", "reason": MARKUP, "failures": 1}
    world.add("job_runs", [run | {"job": "log_status", "outcome": "done"}, run | failed])
    world.add("versions", [{"model": "fraud", "version": "v8", "first_ms": fired_ms - HOUR_MS}])
    metrics = [{"signal": "missing:amount", "better": "lower", "max_loss": 0.01}]
    rollout = {
        "id": "r", "model": "fraud", "candidate": "v8", "champion": "v7", "metrics": json.dumps(metrics),
        "level": 0.05, "lasts_ms": 14 * 24 * HOUR_MS, "from_ms": fired_ms, "stratum_ms": HOUR_MS, "created_by": "ann",
        "created_ms": fired_ms, "reason": MARKUP,
    }  # fmt: skip
    world.add("rollouts", [rollout])
    sides = {f"{side}_{name}": n for side in ("candidate", "champion") for name, n in (("n", 900), ("squares", 8.1))}
    for hour in range(1, 9):
        means = {"candidate_mean": 0.012 + 0.002 * (hour % 3), "champion_mean": 0.01}
        row = {"model": "fraud", "rollout": "r", "end_ms": fired_ms + hour * HOUR_MS, "signal": "missing:amount"}
        world.add("rollout_strata", [row | {"verdict": "hold"} | sides | means])
    return world


def _store_events(world: World) -> None:
    """Events of the last hours: the model errs where one hostile field is large, and in a country of a hostile name."""
    rng, events = np.random.default_rng(3), list[dict[str, Any]]()
    for number in range(240):
        is_fraud, is_wrong = bool(rng.random() < 0.4), bool(rng.random() < 0.3)
        fields = {name: round(float(rng.normal(70 if is_wrong and name == HOSTILE else 50, 8)), 1) for name in FEATURES}
        score = round(float(rng.uniform(0.5, 1) if is_fraud != is_wrong else rng.uniform(0, 0.49)), 3)
        country = FORMULA if is_wrong and number % 2 else "DE"
        event = {"id": f"{MARKUP}{number}", "at": NOW_MS - HOUR_MS - number * 60_000, "customer": "c", "score": score}
        events.append(fields | event | {"country": country, "fraud": "yes" if is_fraud else "no"})
    stored(world, events, features=(*FEATURES, "country"))


def _label(world: World) -> None:
    """Two days of labels, which take up to a day; the last version is worse."""
    model, compared = world.configuration.models["fraud"], labelled().spec
    schema = model.spec.schema_.model_copy(update={"id": "id", "labels": compared.schema_.labels})
    spec = model.spec.model_copy(
        update={
            "schema_": schema,
            "sources": compared.sources,
            "performance": compared.performance,
            "keep": Keep(events=1.0, subject="customer"),
        }
    )
    world.configuration = replace(world.configuration, models={"fraud": model.model_copy(update={"spec": spec})})
    world.__dict__.pop("watches", None)
    rng = np.random.default_rng(5)
    for hour in range(-48, 0):
        positive = rng.random(60) < 0.3
        scores = 1 / (1 + np.exp(-rng.normal((1 if hour > -20 else 3) * positive - 1.5, 1.0)))
        is_known = rng.integers(0, 24, 60) < -hour
        labels = [("yes" if one else "no") if known else None for one, known in zip(positive, is_known, strict=True)]
        world.labelled_hour(NOW_MS + hour * HOUR_MS, scores.tolist(), labels, version="v8" if hour > -20 else "v7")
