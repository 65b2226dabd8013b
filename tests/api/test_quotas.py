"""A namespace gets what it may have through the API, and hears what more would be."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client import CollectorRegistry, generate_latest

from monitor.clock import ManualClock
from monitor.config import Service, with_posted
from monitor.config.quotas import Quota
from monitor.errors import SourceError
from monitor.ingest.arrivals import Flow
from monitor.quotas.event_rates import EventRates
from tests.api.world import Client, World

DOCUMENT = """
apiVersion: leeway/v1
kind: Model
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  sources: [{{http: {name}, event_time: ts}}]
  schema: {{features: {{amount: {{type: numeric}}{more}}}}}
"""


def limited(**quota: float) -> World:
    """A world whose namespace `fraud-team`, of the one model `fraud`, has a quota."""
    world = World()
    service = Service.model_validate({"spec": {"quotas": {"fraud-team": quota}}})
    world.configuration = replace(world.configuration, service=service)
    return world


def applied(
    client: Client, name: str, namespace: str = "fraud-team", features: int = 1, query: str = ""
) -> tuple[int, str]:
    more = "".join(f", f{number}: {{type: numeric}}" for number in range(1, features))
    text = DOCUMENT.format(name=name, namespace=namespace, more=more)
    headers = {"content-type": "application/yaml"}
    address = f"/v1/models/{name}/configuration{query}"
    answer = client.request("PUT", address, content=text.encode(), headers=headers)
    return answer.status_code, answer.json().get("detail", "")


def test_a_model_beyond_the_quota_is_refused_also_before_those_before_it_are_in_force() -> None:
    client = Client(limited(models=3))
    assert [applied(client, name)[0] for name in ("second", "third")] == [200, 200]
    status, detail = applied(client, "fourth")
    assert (status, detail) == (422, "namespace fraud-team may have 3 models (`spec.quotas`); this would be the 4th")
    assert applied(client, "third")[0] == 200, "it is there already"
    assert applied(client, "fifth", namespace="free")[0] == 200


def test_a_model_may_take_the_place_of_one_that_was_given_up_at_once() -> None:
    world = limited(models=2)
    client = Client(world)
    assert applied(client, "second")[0] == 200
    document = client.get("/v1/models/second/configuration").json()["document"]
    world.configuration = with_posted(world.configuration, "second", document)
    assert applied(client, "third")[0] == 422
    assert client.request("DELETE", "/v1/models/second/configuration").status_code == 200
    assert applied(client, "third")[0] == 200


def test_models_that_grow_are_counted_before_their_versions_are_in_force() -> None:
    world = limited(series=17)  # of which the model `fraud` has four
    client = Client(world)
    for name in ("second", "third"):
        assert applied(client, name)[0] == 200
    in_force = {name: client.get(f"/v1/models/{name}/configuration").json()["document"] for name in ("second", "third")}
    for name, document in in_force.items():
        world.configuration = with_posted(world.configuration, name, document)
    assert applied(client, "second", features=8)[0] == 200
    status, detail = applied(client, "third", features=8)
    expected = "namespace fraud-team may have 17 series (`spec.quotas`); with the 9 of this model it would have 22"
    assert (status, detail) == (422, expected)
    assert applied(client, "third", features=8, query="?dry_run=true") == (422, expected)
    assert applied(client, "second")[0] == 200, "it may shrink"
    assert applied(client, "third", features=8)[0] == 200


def test_events_beyond_the_rate_are_refused_until_they_are_made_up_for() -> None:
    world = limited(events_per_s=10)
    client = Client(world)

    def post(stream: str, count: int) -> tuple[int, str | None]:
        answer = client.post(f"/v1/events/{stream}", b"{}\n" * count, content_type="application/x-ndjson")
        return answer.status_code, answer.headers.get("Retry-After")

    assert post("fraud", 70) == (202, None), "a body is taken whole"
    assert post("fraud", 5) == (429, "3")
    assert post("churn", 500) == (202, None), "another namespace is not held up"
    assert len(world.accepted["fraud"]) == 70
    world.clock.advance(3)
    world.broken_source = SourceError("the disk is full", retryable=True)
    assert [post("fraud", 500)[0] for _ in range(2)] == [503, 503], "what is not taken is not counted"
    world.broken_source = None
    assert post("fraud", 5) == (202, None)
    assert 'leeway_quota_refused_events_total{namespace="fraud-team"} 5.0' in generate_latest(world.metrics).decode()


def test_events_for_models_that_register_themselves_are_counted_before_one_has() -> None:
    world = limited(events_per_s=10)
    fraud = world.configuration.models["fraud"]
    world.configuration = replace(world.configuration, models={}, templates={"fraud": fraud})
    client = Client(world)
    posts = [client.post("/v1/events/fraud", b"{}\n" * 70, content_type="application/x-ndjson") for _ in range(2)]
    assert [answer.status_code for answer in posts] == [202, 429]


def test_a_namespace_of_which_too_much_is_read_is_named_once_five_minutes_are_known() -> None:
    world, clock, read = World(), ManualClock(), dict[Flow, int]()
    rates = EventRates({"fraud-team": Quota(events_per_s=10, models=5)}, world.watches, lambda: dict(read), clock)
    flow, other = Flow("fraud", "payments", 0), Flow("churn", "payments", 0)

    def minutes(count: int, per_s: int) -> dict[str, str] | None:
        for _ in range(6 * count):
            clock.advance(10)
            for each in (flow, other):
                read[each] = read.get(each, 0) + 10 * per_s
            holding = rates.holding()
        return holding

    assert rates.holding() is None
    assert minutes(4, per_s=20) is None
    holding = minutes(1, per_s=20)
    assert holding is not None
    assert holding["fraud-team"].startswith(
        "fraud-team: 20 events a second were read in the last 5 minutes, and it may have 10 (`spec.quotas`). All of"
    )
    read.clear()  # its partitions are begun again
    assert minutes(5, per_s=9) == {}

    registry = CollectorRegistry()
    registry.register(rates)
    text = generate_latest(registry).decode()
    assert 'leeway_quota{namespace="fraud-team",quota="events_per_s"} 10.0' in text
    assert 'leeway_quota_use{namespace="fraud-team",quota="models"} 1.0' in text
    assert 'leeway_quota_use{namespace="fraud-team",quota="series"} 4.0' in text
    assert f'leeway_namespace_events_total{{namespace="churn-team"}} {300 * 20 + 300 * 9}.0' in text
