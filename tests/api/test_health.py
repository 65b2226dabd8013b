"""Alive, ready, counted."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client import Gauge
from prometheus_client.parser import text_string_to_metric_families

from monitor.config import Service
from tests.api.world import Client, World, configured, model


def test_a_process_that_is_not_ready_is_still_alive() -> None:
    client = Client(World(reasons=["no partition is assigned", "the store is being upgraded"]))
    assert client.get("/healthz").json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (
        503,
        ["no partition is assigned", "the store is being upgraded"],
    )


def test_a_ready_service_says_so() -> None:
    assert Client(World()).get("/readyz").json() == {"status": "ready", "notes": []}


def test_the_status_is_the_services_own() -> None:
    status = {"roles": ["ingest", "evaluate"], "lag": {"fraud": 3}, "unseen": []}
    assert Client(World()).get("/v1/status").json() == status


def test_metrics_hold_the_services_and_the_apis_own() -> None:
    world = World()
    Gauge("leeway_lag", "Records behind.", registry=world.metrics).set(7)
    client = Client(world)
    client.get("/v1/models/nothing")
    client.get("/etc/passwd")
    answer = client.get("/metrics")
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["leeway_lag",] == 7
    labels = (("method", "GET"), ("route", "/v1/models/{model}"), ("status", "404"))
    assert samples["leeway_http_requests_total", *labels] == 1
    unknown = (("method", "GET"), ("route", "other"), ("status", "404"))
    assert samples["leeway_http_requests_total", *unknown] == 1


def test_answers_to_errors_of_the_services_own_are_counted_too() -> None:
    class Broken(World):
        def status(self) -> dict[str, object]:
            raise RuntimeError("broken")

    client = Client(Broken())
    assert client.get("/v1/status").status_code == 500
    metrics = client.get("/metrics").text
    assert 'leeway_http_requests_total{method="GET",route="/v1/status",status="500"} 1.0' in metrics
    assert 'leeway_http_response_seconds_count{route="/v1/status"} 1.0' in metrics


def test_alertmanagers_probes_are_answered() -> None:
    ready, lame = Client(World()), Client(World(reasons=["no partition is assigned"]))
    assert [ready.get(path).text for path in ("/-/healthy", "/-/ready")] == ["OK", "OK"]
    assert [lame.request("HEAD", path).status_code for path in ("/-/healthy", "/-/ready")] == [200, 503]
    assert "/v1/status" in ready.get("/").text


def test_a_post_reloads_who_is_notified() -> None:
    world = World()
    assert Client(world).post("/-/reload", b"").status_code == 200
    assert world.reloads == 1


def test_all_routes_may_be_below_a_path() -> None:
    service = Service.model_validate({"spec": {"api": {"prefix": "/leeway"}}})
    client = Client(World(configuration=replace(configured(model("fraud")), service=service)))
    assert client.get("/leeway/healthz").json() == {"status": "ok"}
    assert client.get("/leeway/api/v2/silence/x").json() == "there is no silence x"
    assert (client.get("/healthz").status_code, client.get("/healthz").text) == (404, "the API is at /leeway/")
