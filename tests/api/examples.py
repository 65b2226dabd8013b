"""The examples of the OpenAPI document: made of what the routes answer in a full world."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import monitor.api
from monitor.api.examples import FILE
from tests.api.full_world import SUBSCRIPTION, full_world
from tests.api.world import NOW_MS, Client

__all__ = ["PATH", "shape", "taken"]

PATH = Path(monitor.api.__file__).with_name(FILE)
LONGEST = 160
ANN = {"created_by": "ann"}
DOCUMENT = {
    "apiVersion": "leeway/v1",
    "kind": "Model",
    "metadata": {"name": "orders"},
    "spec": {
        "sources": [{"http": "orders", "event_time": "ts"}],
        "schema": {"features": {"amount": {"type": "numeric", "range": [0, 100]}}},
    },
}
SPAN = "from=10000&to=20000&against_from=0&against_to=10000"

ASKED = {
    "/healthz": "",
    "/readyz": "",
    "/v1/problems": "",
    "/v1/models": "",
    "/v1/fleet": "",
    "/v1/unregistered-models": "",
    "/v1/models/{model}": "",
    "/v1/models/{model}/configuration": "",
    "/v1/models/{model}/configuration/effective": "",
    "/v1/models/{model}/configuration/versions": "",
    "/v1/series": "",
    "/v1/series/summary": "",
    "/v1/explain": "model=fraud&signal=feature:amount&at=500000",
    "/v1/expected": "model=fraud&signal=volume",
    "/v1/history": "model=fraud",
    "/v1/top": "",
    "/v1/heatmap": "model=fraud",
    "/v1/performance": "model=fraud&metric=recall",
    "/v1/labels": "model=fraud",
    "/v1/estimates": "model=fraud",
    "/v1/findings": "model=fraud",
    "/v1/baselines": "",
    "/v1/distributions": f"model=fraud&signal=feature:amount&{SPAN}",
    "/v1/compare": f"model=fraud&{SPAN}",
    "/v1/slices": "model=fraud&from=1699999200000&to=1700013600000",
    "/v1/rows": "model=fraud&from=1699999200000&to=1700013600000",
    "/v1/alerts": "",
    "/v1/alerts/summary": "",
    "/v1/alerts/{alert_id}": "",
    "/v1/alerts/{alert_id}/explain": "",
    "/v1/incidents": "",
    "/v1/incidents/{incident_id}": "",
    "/v1/subscriptions": "",
    "/v1/subscriptions/{subscription}": "",
    "/v1/deployments": "",
    "/v1/clocks": "",
    "/v1/marks": "",
    "/v1/rollouts": "",
    "/v1/rollouts/{rollout}": "",
    "/v1/dead-letters": "",
    "/v1/tokens": "",
    "/v1/whoami": "",
    "/v1/audit": "",
    "/v1/jobs": "",
    "/v1/jobs/runs": "",
    "/v1/erasures": "",
    "/v1/silences/{silence_id}": "",
    "/api/v2/status": "",
    "/api/v2/receivers": "",
    "/api/v2/alerts": "",
    "/api/v2/alerts/groups": "",
    "/api/v2/silences": "",
    "/api/v2/silence/{name}": "",
}
"""By route, the parameters with which it is asked."""

SENT: dict[str, Any] = {
    "POST /v1/marks": {
        **{"model": "fraud", "signal": "volume", "says": "accepted", "at": "-1h", "reason": "more customers"},
        **ANN,
    },
    "POST /v1/rollouts": {
        **{"model": "fraud", "candidate": "v3", "champion": "v1", "reason": "faster", **ANN},
        "metrics": [{"signal": "missing:amount", "max_loss": 0.005}, {"signal": "feature:amount", "max_loss": 2.5}],
    },
    "POST /v1/rollouts/{rollout}/stop": {**ANN, "reason": "v4 comes instead"},
    "POST /v1/alerts/{alert_id}/ack": {**ANN, "comment": "I look into it"},
    "POST /v1/incidents/{incident_id}/ack": {**ANN, "comment": "I look into it"},
    "POST /v1/subscriptions": {"matchers": ["model=fraud", "severity=critical"], "receiver": "log", **ANN},
    "POST /v1/deployments": {"id": "build-712", "name": "fraud v8", "models": ["fraud"], "version": "v8"},
    "POST /v1/clocks": {"model": "fraud", "reason": "NTP was off on host 7", **ANN},
    "POST /v1/dead-letters/retries": {"places": [{"topic": "fraud", "partition": 0, "offset": 7}], "dry_run": True},
    "POST /v1/jobs/{job}/run": {**ANN, "reason": "lifetimes are shorter now"},
    "PUT /v1/jobs/{job}/pause": {**ANN, "reason": "the store moves tonight"},
    "POST /v1/events": [{"event_id": "1", "ts": "2024-05-01T12:00:00Z", "amount": 12.5}],
    "POST /v1/events/{stream}": [{"event_id": "1", "ts": "2024-05-01T12:00:00Z", "amount": 12.5}],
    "POST /api/v2/alerts": [
        {"labels": {"alertname": "Disk", "severity": "critical"}, "annotations": {"summary": "disk is full"}}
    ],
    "POST /api/v2/silences": {
        **{"matchers": [{"name": "model", "value": "fraud", "isRegex": False}], "comment": "new version"},
        **{"startsAt": "2030-01-01T00:00:00Z", "endsAt": "2030-01-01T02:00:00Z", "createdBy": "ann"},
    },
    "PUT /v1/models/{model}/configuration": DOCUMENT,
    "POST /v1/models/{model}/baseline": {"baseline": {"kind": "rolling", "span": "14d"}},
}
"""By operation, the body that it is sent."""

SHOWN = {
    "POST /v1/erasures": {"subject": "4711", "dry_run": True},
    "POST /v1/exports": {"subject": "4711"},
    "POST /v1/tokens": {"name": "grafana", "role": "viewer", "expires": "90d"},
}
"""Bodies that this world refuses: its store is in memory, and it asks nobody for a token."""

NAMED = {
    "model": "fraud", "alert_id": "b", "incident_id": "b", "subscription": SUBSCRIPTION.id, "name": "quiet",
    "silence_id": "quiet", "job": "keep_lifetimes", "stream": "fraud",
    "rollout": "r",
}  # fmt: skip
QUERIES = {
    "POST /v1/events": "?stream=fraud",
    "PUT /v1/models/{model}/configuration": "?created_by=ann&reason=first+version",
}


def taken() -> dict[str, dict[str, Any]]:
    """Return the examples, as the routes answer now."""
    examples: dict[str, dict[str, Any]] = {label: {"body": body} for label, body in SHOWN.items()}
    world = full_world()
    world.add("progress", [{"model": "fraud", "topic": "fraud", "newest_ms": 2 * NOW_MS, "closed_ms": 5}])
    client = Client(world)
    for route, query in ASKED.items():
        answer = client.get(f"{route.format(**NAMED)}?{query}")
        assert answer.status_code == 200, (route, answer.text)
        examples[f"GET {route}"] = {"answer": cut(answer.json())}
    for label, body in SENT.items():
        method, route = label.split(" ")
        named = NAMED | ({"model": "orders"} if route.startswith("/v1/models/{model}/") else {})
        answer = client.request(method, route.format(**named) + QUERIES.get(label, ""), json=body)
        assert answer.is_success, (label, answer.text)
        is_document = answer.headers.get("content-type") == "application/json" and answer.content
        examples[label] = {"body": body, **({"answer": cut(answer.json())} if is_document else {})}
    # Made by chance, and so another one whenever this is written.
    examples["POST /api/v2/silences"]["answer"]["silenceID"] = "9647f0ea-f14f-4c98-9ba5-66bac126d5fa"
    return examples


def cut(value: Any) -> Any:
    """Return an answer with one of each list, and the beginning of long texts."""
    if isinstance(value, dict):
        return {name: cut(each) for name, each in value.items()}
    if isinstance(value, list):
        return [cut(each) for each in value[:1]]
    return f"{value[:LONGEST]} …" if isinstance(value, str) and len(value) > LONGEST else value


def shape(value: Any) -> Any:
    """Return what a document consists of, without its values."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


if __name__ == "__main__":
    PATH.write_text(json.dumps(taken(), indent=1, ensure_ascii=False, sort_keys=True) + "\n")
