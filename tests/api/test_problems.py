"""Errors are problem documents, whatever goes wrong."""

from __future__ import annotations

import pytest

from monitor.api.problems import PROBLEMS
from monitor.errors import SourceError
from sinks.store.contract import Columns, Query, StoreError
from sinks.store.memory import MemoryStore
from tests.api.world import Client, World, configured, model


class BrokenStore(MemoryStore):
    """Fails every read."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def read(self, query: Query) -> Columns:
        raise self.error


@pytest.mark.parametrize(
    ("path", "kind", "detail"),
    [
        ("/v1/nothing", "not-found", "/v1/nothing is no route"),
        ("/v1/models/fruad", "unknown-model", "known are fraud, churn"),
        ("/v1/history?model=fruad", "unknown-model", "known are fraud, churn"),
        ("/v1/history", "bad-parameter", "model: Field required"),
        ("/v1/history?model=fraud&limit=10001", "bad-parameter", "limit: "),
        ("/v1/history?model=fraud&limit=0", "bad-parameter", "limit: "),
        ("/v1/history?model=fraud&from=yesterday", "bad-parameter", "'yesterday' is not a time"),
        ("/v1/history?model=fraud&from=9&to=9", "bad-parameter", "must be before"),
        ("/v1/history?model=fraud&step=5", "bad-parameter", "expected a duration"),
        ("/v1/history?model=fraud&step=0s", "bad-parameter", "longer than 0"),
        ("/v1/history?model=fraud&step=1h&order=desc", "bad-parameter", "buckets are ascending"),
        ("/v1/history?model=fraud&signal=feature:amuont", "unknown-signal", "did you mean 'feature:amount'?"),
        ("/v1/findings?model=fraud&signal=nope", "unknown-signal", "known are volume, feature:amount"),
        ("/v1/history?model=fraud&signl=volume", "bad-parameter", "unknown here: signl; did you mean 'signal'?"),
        ("/v1/models?verbose=1", "bad-parameter", "unknown here: verbose; "),
        ("/v1/history?model=fraud&cursor=nonsense", "bad-cursor", "'nonsense'"),
        ("/v1/history?model=fraud&cursor=%F0%9F%98%80", "bad-cursor", "cursor"),
        ("/v1/alerts/deadbeef", "unknown-alert", "deadbeef"),
        ("/v1/alerts?state=updated", "bad-parameter", "is firing"),
        ("/v1/alerts?state=odd", "bad-parameter", "state: "),
        ("/v1/alerts/stream?model=fruad", "unknown-model", "known are fraud"),
        ("/v1/distributions?model=fraud&signal=feature:amuont", "unknown-signal", "feature:amount"),
        ("/v1/distributions?model=fraud&signal=feature:amount&from=5", "bad-parameter", "required here: to"),
    ],
)
def test_a_wrong_request_says_what_would_be_right(path: str, kind: str, detail: str) -> None:
    answer = Client(World()).get(path)
    document = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (document["type"], document["status"]) == (f"/v1/problems#{kind}", PROBLEMS[kind].status)
    assert (answer.status_code, document["title"]) == (PROBLEMS[kind].status, PROBLEMS[kind].title)
    assert detail in document["detail"]
    assert document["instance"] == path.partition("?")[0]


def test_a_wrong_parameter_is_named_as_a_field() -> None:
    document = Client(World()).get("/v1/history", model="fraud", limit="many").json()
    assert [error["field"] for error in document["errors"]] == ["limit"]


def test_a_wrong_method_says_which_are_allowed() -> None:
    answer = Client(World()).request("DELETE", "/v1/models")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json()["type"] == "/v1/problems#method-not-allowed"


def test_a_bug_is_answered_without_internals() -> None:
    client = Client(World(store=BrokenStore(RuntimeError("password=hunter2"))))
    answer = client.get("/v1/alerts")
    assert (answer.status_code, answer.json()["type"]) == (500, "/v1/problems#internal-error")
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(("retryable", "status"), [(True, 503), (False, 500)])
def test_a_failing_store_says_whether_to_try_again(retryable: bool, status: int) -> None:
    error = StoreError("the disk is full", retryable=retryable)
    answer = Client(World(store=BrokenStore(error))).get("/v1/alerts")
    assert (answer.status_code, answer.json()["detail"]) == (status, "the disk is full")
    assert ("retry-after" in answer.headers) == retryable


@pytest.mark.parametrize(("retryable", "status"), [(True, 503), (False, 500)])
def test_events_that_cannot_be_kept_are_not_accepted(retryable: bool, status: int) -> None:
    world = World(broken_source=SourceError("the disk is full", retryable=retryable))
    answer = Client(world).post("/v1/events/fraud", b"{}", content_type="application/json")
    assert (answer.status_code, answer.json()["detail"]) == (status, "the disk is full")


def test_every_kind_of_problem_can_be_looked_up() -> None:
    kinds = {kind["name"]: kind["status"] for kind in Client(World()).get("/v1/problems").json()}
    assert kinds == {name: kind.status for name, kind in PROBLEMS.items()}


def test_of_very_many_models_a_problem_names_the_nearest_and_some() -> None:
    models = [model(f"loans-{number}") for number in range(300)]
    client = Client(World(configuration=configured(*models)))
    detail = client.get("/v1/history", model="laons-217").json()["detail"]
    assert "did you mean 'loans-217'? known are loans-0, loans-1, " in detail
    assert (detail.endswith(" and 280 others"), len(detail) < 400) == (True, True)


def test_of_very_many_signals_a_problem_names_the_nearest_and_some() -> None:
    features = {f"f{number}": {"type": "numeric"} for number in range(300)}
    schema = {"features": features, "prediction": {"score": {"type": "numeric"}}}
    client = Client(World(configuration=configured(model("fraud", schema=schema))))
    for path in ("/v1/history", "/v1/distributions", "/v1/expected"):
        asked = {"model": "fraud", "signal": "feature:f2x17", "from": "-1h", "to": "now"}
        assert len(client.get(path, **asked).json()["detail"]) < 500
