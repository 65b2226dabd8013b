"""Routes, held against Alertmanager's own: who is told about an alert, in which group, and when not."""

from __future__ import annotations

import json
from typing import Any

from monitor.config.alerting import Alerting
from monitor.routing.routes import Route
from sinks.receivers.contract import fingerprint
from tests.routing.alertmanager import START_MS, configurations, labels
from tests.services.alertmanager import ask

TREES = 2_000
YEAR_MS = 366 * 86_400_000


def routed(alerting: Alerting, route: Route, alert: dict[str, str], times: list[int]) -> dict[str, Any]:
    options, intervals = route.options, alerting.intervals
    return {
        "receiver": options.receiver,
        "id": route.id,
        "group_key": route.group_key(alert),
        "group_wait_ms": options.group_wait_ms,
        "group_interval_ms": options.group_interval_ms,
        "repeat_interval_ms": options.repeat_interval_ms,
        "muted": [route.muted(intervals, at_ms) != "" for at_ms in times],
    }


def test_random_trees_route_as_alertmanager_s() -> None:
    questions, ours = [], []
    for rng, document, alerting in configurations(1, TREES):
        alerts = [labels(rng) for _ in range(4)]
        times = [rng.randrange(START_MS, START_MS + YEAR_MS) for _ in range(4)]
        questions.append({"config": json.dumps(document), "alerts": alerts, "times": times})
        root = alerting.route.build()
        found = [[routed(alerting, route, alert, times) for route in root.matching(alert)] for alert in alerts]
        ours.append({"fingerprints": [fingerprint(alert) for alert in alerts], "routes": found})
    theirs = ask(questions)
    assert sum(len(routes) > 1 for said in theirs for routes in said["routes"]) > TREES / 2
    for question, said, expected in zip(questions, ours, theirs, strict=True):
        assert said == expected, question
