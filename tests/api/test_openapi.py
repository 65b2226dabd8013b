"""The OpenAPI document is valid, says what is answered, and the manual lists the same routes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from monitor.api.glossary import MEANINGS, OWN
from monitor.api.operations import OPERATIONS
from monitor.api.problems import PROBLEMS
from tests.api.examples import PATH, shape, taken
from tests.api.full_world import ADMIN, SUBSCRIPTION, full_world
from tests.api.generated import outcomes
from tests.api.world import Client

MANUAL = Path(__file__).parents[2] / "docs" / "api.md"

SAMPLES = [
    "/v1/models/{model}/configuration",
    "/v1/models/{model}/configuration/versions",
    "/v1/models/{model}/configuration/diff",
    "/v1/models/{model}/configuration/effective",
    "/v1/schemas/{kind}",
    "/healthz",
    "/readyz",
    "/v1/status",
    "/v1/problems",
    "/v1/models",
    "/v1/fleet",
    "/v1/unregistered-models",
    "/v1/models/{model}",
    "/v1/rollouts",
    "/v1/rollouts/{rollout}",
    "/v1/series",
    "/v1/series/summary",
    "/v1/explain?signal=feature:amount&at=500000",
    "/v1/expected?model=fraud&signal=volume",
    "/v1/history",
    "/v1/history?step=1h",
    "/v1/history?step=auto&points=3",
    "/v1/top",
    "/v1/heatmap?model=fraud",
    "/v1/performance?model=fraud",
    "/v1/labels?model=fraud",
    "/v1/estimates?model=fraud",
    "/v1/findings",
    "/v1/baselines",
    "/v1/distributions?signal=feature:amount&from=10000&to=20000",
    "/v1/distributions?signal=feature:amount&from=10000&to=20000&against_from=0&against_to=10000",
    "/v1/compare?from=10000&to=20000&against_from=0&against_to=10000",
    "/v1/compare?from=10000&to=20000&against_from=0&against_to=10000&cells=true&signal=feature:country",
    "/v1/slices?model=fraud&from=1699999200000&to=1700013600000",
    "/v1/slices?model=fraud&from=1699999200000&to=1700013600000&cells=true&slice=label=yes&against=all",
    "/v1/rows?model=fraud&from=1699999200000&to=1700013600000&slice=worst",
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
    "/v1/clocks",
    "/v1/marks",
    "/v1/dead-letters",
    "/v1/tokens",
    "/v1/whoami",
    "/v1/audit",
    "/v1/jobs",
    "/v1/jobs/runs",
    "/v1/erasures",
    "/api/v2/status",
    "/api/v2/receivers",
    "/api/v2/alerts",
    "/api/v2/alerts/groups",
    "/api/v2/silences",
    "/api/v2/silence/{name}",
    "/v1/silences/{silence_id}",
]


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(full_world())


@pytest.fixture(scope="module")
def document(client: Client) -> dict[str, Any]:
    described: dict[str, Any] = client.get("/openapi.json").json()
    return described


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


@pytest.mark.parametrize("sample", SAMPLES)
def test_answers_are_as_the_document_says(sample: str, client: Client, document: dict[str, Any]) -> None:
    route = sample.partition("?")[0]
    path = (
        sample.replace("{kind}", "model")
        .replace("{model}", "fraud")
        .replace("{alert_id}", "a")
        .replace("{name}", "quiet")
    )
    path = path.replace("{silence_id}", "quiet").replace("{incident_id}", "a")
    path = path.replace("{subscription}", SUBSCRIPTION.id).replace("{rollout}", "r")
    if route in {"/v1/history", "/v1/findings", "/v1/distributions", "/v1/compare", "/v1/explain"}:
        path += ("&" if "?" in path else "?") + "model=fraud"
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    schema = document["paths"][route]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(answer.json(), {**strict(schema), "components": strict(document["components"])})


def test_examples_are_what_the_routes_answer() -> None:
    """``python -m tests.api.examples`` writes them anew."""
    assert shape(json.loads(PATH.read_text())) == shape(taken())


UNANSWERED = {
    # Its answer is a document of fifty kilobytes.
    "GET /v1/schemas/{kind}",
    "GET /v1/models/{model}/configuration/diff",
    "GET /v1/status",
    "DELETE /api/v2/silence/{name}",
    "DELETE /v1/jobs/{job}/pause",
    "DELETE /v1/models/{model}/configuration",
    "DELETE /v1/subscriptions/{subscription}",
    "DELETE /v1/tokens/{token}",
    "POST /v1/erasures",
    "POST /v1/tokens",
}
"""Without an example of an answer: free to change, as those beside them, or not to be had of a store in memory."""


def test_every_operation_shows_its_body_and_its_answer(document: dict[str, Any]) -> None:
    unanswered = set()
    components = strict(document["components"])
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            label = f"{method.upper()} {path}"
            bodies = operation.get("requestBody", {}).get("content", {})
            assert bool(bodies) == any("example" in content for content in bodies.values()), label
            answers = next(each for status, each in operation["responses"].items() if status < "3").get("content", {})
            shown = [content for content in [*bodies.values(), *answers.values()] if "example" in content]
            for content in shown:
                jsonschema.validate(content["example"], {**strict(content["schema"]), "components": components})
            if "application/json" in answers and "example" not in answers["application/json"]:
                unanswered.add(label)
    assert unanswered <= UNANSWERED


def test_problems_are_as_the_document_says(client: Client, document: dict[str, Any]) -> None:
    answer = client.get("/v1/history", limit="many")
    failure = document["paths"]["/v1/history"]["get"]["responses"][str(answer.status_code)]
    schema = failure["content"]["application/problem+json"]["schema"]
    jsonschema.validate(answer.json(), {**schema, "components": document["components"]})


@pytest.mark.parametrize(
    ("operation", "statuses"),
    [
        ("get /v1/problems", "200 421 422 429 500 503"),
        ("get /v1/history", "200 400 404 409 421 422 429 500 503"),
        ("get /v1/alerts/{alert_id}", "200 404 421 422 429 500 503"),
        ("delete /v1/subscriptions/{subscription}", "200 403 404 421 422 429 500 503"),
        ("post /v1/events/{stream}", "202 400 403 404 413 415 421 422 429 500 503"),
    ],
)
def test_each_operation_states_how_it_may_fail(operation: str, statuses: str, document: dict[str, Any]) -> None:
    method, path = operation.split()
    answers = document["paths"][path][method]["responses"]
    assert " ".join(answers) == statuses
    for status, failure in ((status, answer) for status, answer in answers.items() if status >= "4"):
        kinds = re.findall(r"`([\w-]+)`: ", failure["description"])
        assert kinds
        assert {PROBLEMS[kind].status for kind in kinds} == {int(status)}


def test_times_that_routes_require_are_required(document: dict[str, Any]) -> None:
    required = {
        path: {each["name"] for each in methods["get"]["parameters"] if each["required"]}
        for path, methods in document["paths"].items()
        if path in ("/v1/explain", "/v1/compare", "/v1/history")
    }
    assert required == {
        "/v1/explain": {"model", "signal", "at"},
        "/v1/compare": {"model", "from", "to"},
        "/v1/history": {"model"},
    }


def test_a_refused_method_is_answered_with_all_that_are_allowed(client: Client) -> None:
    allowed = {"/v1/subscriptions/x": "DELETE, GET, HEAD", "/v1/marks": "GET, HEAD, POST", "/healthz": "GET, HEAD"}
    for path, methods in allowed.items():
        answer = client.request("PUT", path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)


def test_generated_requests_are_answered_as_the_document_says() -> None:
    app = Client(full_world(asks_for_tokens=True)).app
    app.state.stopping.set()
    by_operation = outcomes(app, 1, phases=["coverage", "fuzzing"], token=ADMIN)
    assert {operation: outcome.failures for operation, outcome in by_operation.items() if outcome.failures} == {}
    assert all(outcome.requests for outcome in by_operation.values())


def test_everything_in_the_document_is_described(document: dict[str, Any]) -> None:
    named = {
        f"{method} {path}": operation for path, each in document["paths"].items() for method, operation in each.items()
    }
    undescribed = [
        name for name, operation in named.items() if not operation["summary"] or not operation["description"]
    ]
    for name, operation in named.items():
        undescribed += [f"{name}: {p['name']}" for p in operation.get("parameters", ()) if not p.get("description")]
    for name, schema in document["components"]["schemas"].items():
        undescribed += [name] if not schema.get("description") else []
        fields = schema.get("properties", {}).items()
        undescribed += [f"{name}.{field}" for field, declared in fields if not declared.get("description")]
    assert undescribed == []


def test_descriptions_are_of_what_there_is(document: dict[str, Any]) -> None:
    operations = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert operations == set(OPERATIONS)
    fields = {
        (name, field)
        for name, each in document["components"]["schemas"].items()
        for field in each.get("properties", ())
    }
    parameters = {
        (path, parameter["name"])
        for path, methods in document["paths"].items()
        for operation in methods.values()
        for parameter in operation.get("parameters", ())
    }
    owned = {tuple(name.rsplit(".", 1)) for name in OWN}
    assert owned <= fields | parameters
    assert set(MEANINGS) <= {name for _, name in fields | parameters}


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
