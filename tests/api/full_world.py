"""A world in which every resource has something to show."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from monitor.config import Service
from monitor.routing.subscription_log import SubscriptionLog
from monitor.routing.subscriptions import Subscription
from tests.api.estimated import with_estimates
from tests.api.expected_day import expected_volume
from tests.api.world import HOUR_MS, NOW_MS, World, score, step
from tests.slices.labelled import drawn, stored

__all__ = ["ADMIN", "SUBSCRIPTION", "full_world"]

ADMIN = "admin" * 10
"""The secret of an administrator, where tokens are asked for."""

SUBSCRIPTION = Subscription((), "log")


def rollout() -> dict[str, Any]:
    """A rollout of `fraud` that runs."""
    metrics = [{"signal": "missing:amount", "better": "lower", "max_loss": 0.01}]
    return {
        "id": "r", "model": "fraud", "candidate": "v2", "champion": "v1", "metrics": json.dumps(metrics),
        "level": 0.05, "lasts_ms": 90_000, "stratum_ms": 1_000, "created_by": "ann", "reason": "faster",
    }  # fmt: skip


def full_world(*, asks_for_tokens: bool = False) -> World:
    """A model `fraud` with scores, panes, findings, alerts, and what people have said of them."""
    world = World()
    SubscriptionLog(world.store, world.clock).add(SUBSCRIPTION)
    routes = {"route": {"receiver": "log", "group_by": ["model"]}}
    access = {"tokens": [{"name": "ann", "role": "admin", "token": ADMIN}]} if asks_for_tokens else None
    # Their clock stands still, and wrong tokens are tried by the hundred.
    rates = {"requests_per_s": 1e9, "burst": 10**9, "failed_logins_per_minute": 1e9}
    service = Service.model_validate({"spec": {"alerting": routes, "access": access, "api": {"rates": rates}}})
    world.configuration = replace(world.configuration, service=service)
    nights = '[{"times": [{"start_time": "22:00", "end_time": "24:00"}], "weekdays": ["monday:friday"]}]'
    quiet = {"id": "quiet", "matchers": "model=fraud", "ends_ms": 2 * NOW_MS, "intervals": nights, "tells": '["log"]'}
    world.add("silences", [quiet])
    moved = {"signal": "feature:amount", "segment": "", "version": "v1", "since_ms": 1_000, "reason": "amount moved"}
    signals = json.dumps([moved])
    world.add("alerts", [step("b", 0, "firing", 2_000, signals=signals)])
    for name, of_day in expected_volume(2).items():
        world.add(name, of_day)
    world.add("scores", [score(5, effect=float("nan")), score(10, status="drift")])
    world.add(
        "alerts", [step("a", n, state, 2_000 + n, signals=signals) for n, state in enumerate(("firing", "resolved"))]
    )
    world.add("notifications", [{"alert_id": "a", "receiver": "log", "outcome": "delivered"}])
    made = {"alert_id": "a", "receiver": "log/0", "route": "{}", "why": "delivered", "detail": "it was never notified"}
    world.add("decisions", [made])
    world.add("marks", [{"id": "m", "model": "fraud", "signal": "volume", "says": "false", "from_ms": 5, "to_ms": 9}])
    world.add("deployments", [{"id": "b7", "at_ms": 2_000, "name": "new", "models": ["fraud"], "labels": "{}"}])
    world.add("versions", [{"model": "fraud", "version": "v1", "first_ms": 0}])
    world.add("rollouts", [rollout()])
    sides = {f"{side}_{name}": n for side in ("candidate", "champion") for name, n in (("n", 900), ("squares", 8.1))}
    means = {"candidate_mean": 0.05, "champion_mean": 0.01}
    for end_ms in (1_000, 2_000):
        stratum = {"model": "fraud", "rollout": "r", "end_ms": end_ms, "signal": "missing:amount", "verdict": "hold"}
        world.add("rollout_strata", [stratum | sides | means])
    world.add("tokens", [{"id": "t", "name": "ci", "role": "viewer", "digest": "ab", "created_by": "ann"}])
    world.add("audit", [{"at_ms": 5, "id": "i", "who": "ann", "operation": "POST /v1/marks", "status": 200}])
    run = {"started_ms": 5, "job": "keep_lifetimes", "instance": "a:8080", "ended_ms": 9, "outcome": "done"}
    world.add("job_runs", [run])
    world.add("job_pauses", [{"job": "log_status", "is_paused": 1, "since_ms": 5, "created_by": "ann"}])
    head = {"model": "fraud", "version": 1, "digest": "d", "owner": "api", "author": "ann"}
    schema = {"features": {"amount": {"type": "numeric", "range": [0, 100]}}}
    spec = {"sources": [{"http": "fraud"}], "schema": schema}
    head["document"] = json.dumps(
        {"apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": "fraud"}, "spec": spec}
    )
    world.add("configurations", [head])
    world.add("erasures", [{"subject_hash": "ab", "state": "done", "report": "{}"}])
    world.add("findings", [{"model": "fraud", "signal": "feature:amount", "status": "drift"}])
    like = {"model": "any-score", "topic": "t", "name": "late", "reason": "too_many", "messages": 3}
    world.add("unregistered_models", [like])
    world.add("dead_letters", [{"topic": "t", "action": "rejected", "payload": b"\xff"}])
    came = {"delay_hours": [0, 2], "delay_labels": [1, 1], "classes": ["other", "yes"]}
    came |= {"class_predictions": [1, 2], "class_labelled": [1, 1]}
    world.labelled_hour(NOW_MS // HOUR_MS * HOUR_MS - 5 * HOUR_MS, [0.9, 0.2, 0.7], ["yes", "no", None], **came)
    with_estimates(world).numbers("estimated:accuracy", NOW_MS // HOUR_MS * HOUR_MS - 5 * HOUR_MS, [0.9, 0.8, 0.7])
    stored(world, drawn(12))
    for start_ms in (0, 10_000):
        world.numbers("feature:amount", start_ms, [1.0, 2.0, 2.0 + start_ms])
        world.names("feature:country", start_ms, {"DE": 3}, other=1, n=4)
    return world
