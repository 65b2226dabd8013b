"""The OpenAPI document is valid, says what is answered, and the manual lists the same routes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from monitor.api.problems import PROBLEMS
from monitor.config import Service
from monitor.routing.subscription_log import SubscriptionLog
from monitor.routing.subscriptions import Subscription
from tests.api.world import NOW_MS, Client, World, score, step

MANUAL = Path(__file__).parents[2] / "docs" / "api.md"

SAMPLES = [
    "/healthz",
    "/readyz",
    "/v1/status",
    "/v1/problems",
    "/v1/models",
    "/v1/models/{model}",
    "/v1/series",
    "/v1/series/summary",
    "/v1/explain?signal=feature:amount&at=500000",
    "/v1/history",
    "/v1/history?step=1h",
    "/v1/history?step=auto&points=3",
    "/v1/top",
    "/v1/findings",
    "/v1/distributions?signal=feature:amount&from=10000&to=20000",
    "/v1/distributions?signal=feature:amount&from=10000&to=20000&against_from=0&against_to=10000",
    "/v1/compare?from=10000&to=20000&against_from=0&against_to=10000",
    "/v1/compare?from=10000&to=20000&against_from=0&against_to=10000&cells=true&signal=feature:country",
    "/v1/alerts",
    "/v1/alerts/summary",
    "/v1/alerts?transitions=true",
    "/v1/alerts/{alert_id}",
    "/v1/alerts/{alert_id}/explain",
    "/v1/incidents",
    "/v1/incidents/{incident_id}",
    "/v1/subscriptions",
    "/v1/subscriptions/{subscription}",
    "/v1/deployments",
    "/v1/marks",
    "/v1/dead-letters",
    "/v1/erasures",
    "/api/v2/status",
    "/api/v2/receivers",
    "/api/v2/alerts",
    "/api/v2/alerts/groups",
    "/api/v2/silences",
    "/api/v2/silence/{name}",
    "/v1/silences/{silence_id}",
]

SUBSCRIPTION = Subscription((), "log")


@pytest.fixture(scope="module")
def client() -> Client:
    world = World()
    SubscriptionLog(world.store, world.clock).add(SUBSCRIPTION)
    routes = {"route": {"receiver": "log", "group_by": ["model"]}}
    service = Service.model_validate({"spec": {"alerting": routes}})
    world.configuration = replace(world.configuration, service=service)
    nights = '[{"times": [{"start_time": "22:00", "end_time": "24:00"}], "weekdays": ["monday:friday"]}]'
    quiet = {"id": "quiet", "matchers": "model=fraud", "ends_ms": 2 * NOW_MS, "intervals": nights, "tells": '["log"]'}
    world.add("silences", [quiet])
    world.add("alerts", [step("b", 0, "firing", 2_000)])
    world.add("scores", [score(5, effect=float("nan")), score(10, status="drift")])
    world.add("alerts", [step("a", 0, "firing", 2_000), step("a", 1, "resolved", 3_000)])
    world.add("notifications", [{"alert_id": "a", "receiver": "log", "outcome": "delivered"}])
    made = {"alert_id": "a", "receiver": "log/0", "route": "{}", "why": "delivered", "detail": "it was never notified"}
    world.add("decisions", [made])
    world.add("marks", [{"id": "m", "model": "fraud", "signal": "volume", "says": "false", "from_ms": 5, "to_ms": 9}])
    world.add("deployments", [{"id": "b7", "at_ms": 2_000, "name": "new", "models": ["fraud"], "labels": "{}"}])
    world.add("erasures", [{"subject_hash": "ab", "state": "done", "report": "{}"}])
    world.add("findings", [{"model": "fraud", "signal": "feature:amount", "status": "drift"}])
    world.add("dead_letters", [{"topic": "t", "action": "rejected", "payload": b"\xff"}])
    for start_ms in (0, 10_000):
        world.numbers("feature:amount", start_ms, [1.0, 2.0, 2.0 + start_ms])
        world.names("feature:country", start_ms, {"DE": 3}, other=1, n=4)
    return Client(world)


@pytest.fixture(scope="module")
def document(client: Client) -> dict[str, Any]:
    described: dict[str, Any] = client.get("/openapi.json").json()
    return described


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


@pytest.mark.parametrize("sample", SAMPLES)
def test_answers_are_as_the_document_says(sample: str, client: Client, document: dict[str, Any]) -> None:
    route = sample.partition("?")[0]
    path = sample.replace("{model}", "fraud").replace("{alert_id}", "a").replace("{name}", "quiet")
    path = path.replace("{silence_id}", "quiet").replace("{incident_id}", "a")
    path = path.replace("{subscription}", SUBSCRIPTION.id)
    if route in {"/v1/history", "/v1/findings", "/v1/distributions", "/v1/compare", "/v1/explain"}:
        path += ("&" if "?" in path else "?") + "model=fraud"
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    schema = document["paths"][route]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(answer.json(), {**strict(schema), "components": strict(document["components"])})


def test_problems_are_as_the_document_says(client: Client, document: dict[str, Any]) -> None:
    answer = client.get("/v1/history", limit="many")
    failures = document["paths"]["/v1/history"]["get"]["responses"]
    schema = failures["default"]["content"]["application/problem+json"]["schema"]
    assert failures["422"]["content"]["application/problem+json"]["schema"] == schema
    jsonschema.validate(answer.json(), {**schema, "components": document["components"]})


def test_every_route_with_an_answer_in_json_is_sampled(document: dict[str, Any]) -> None:
    described = {
        path
        for path, methods in document["paths"].items()
        for content in [methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})]
        if "application/json" in content
    }
    assert described == {sample.partition("?")[0] for sample in SAMPLES}


def test_the_manual_lists_exactly_the_routes(document: dict[str, Any]) -> None:
    listed = re.findall(r"^### `(\w+) (/\S*)`$", MANUAL.read_text(), flags=re.MULTILINE)
    routes = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert sorted(listed) == sorted(routes)


def test_the_manual_lists_exactly_the_problems() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (\d+) \| (.+) \|$", MANUAL.read_text(), flags=re.MULTILINE)
    assert rows == [(name, str(kind.status), kind.title) for name, kind in PROBLEMS.items()]


def strict(schema: Any) -> Any:
    """Allow no field that the document does not name, where it names any."""
    if isinstance(schema, dict):
        found = {name: strict(part) for name, part in schema.items()}
        return {"additionalProperties": False, **found} if "properties" in found else found
    return [strict(part) for part in schema] if isinstance(schema, list) else schema
