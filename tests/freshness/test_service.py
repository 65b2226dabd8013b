"""A running service notices that nothing comes any more, and notifies whom routes name."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.alerts.alert_log import FRESHNESS_ALERTS
from monitor.api.app import create_app
from monitor.client.inprocess import InProcess
from monitor.config import load
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.services.kafka import Cluster
from tests.sinks.receivers.listener import Listener


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.ingest.arrivals.EVERY_S", 0.1)
    monkeypatch.setattr("monitor.freshness.freshness.LOOK_EVERY_S", 0.1)


def event(number: int) -> bytes:
    return json.dumps({"id": f"e{number}", "ts": shop.START_MS + number, "amount": 1.0, "score": 0.5}).encode()


def test_a_model_that_stops_is_notified_and_listed_and_a_replay_knows_nothing_of_it(tmp_path: Path) -> None:
    with Listener() as listener:
        hook: dict[str, Any] = {"kind": "webhook", "name": "hook", "url": listener.url(), "allow_private": True}
        document = shop.model("shop", {"http": "shop"}, freshness={"expect": "1s"})
        configuration, store = load(shop.configured(tmp_path, document, receivers=[hook])), MemoryStore()
        with shop.serving(configuration, store) as service:
            service.accept("shop", [event(number) for number in range(10)])

            def bodies() -> list[dict[str, Any]]:
                """Notifications of silences that events came before."""
                titles = ((request.body, request.body["alerts"][0]["annotations"]) for request in listener.requests)
                return [body for body, annotations in titles if "last" in annotations["summary"]]

            shop.wait_until(bodies, "it is notified")
            with httpx.Client(transport=InProcess(create_app(service)), base_url="http://leeway") as api:
                [alert] = api.get("/v1/alerts", params={"model": "shop", "state": "firing"}).json()["items"]

                def why() -> str:
                    shown = api.get(f"/v1/alerts/{alert['alert_id']}/explain").json()
                    return str(shown["receivers"][0]["why"])

                shop.wait_until(lambda: why() == "delivered", "and noted")
            assert alert["title"].startswith("shop: no events for ")
            numbers = count(10)

            def end() -> list[dict[str, Any]]:
                # They go on coming: whoever is slow to notify finds no silence that has begun again.
                service.accept("shop", [event(next(numbers))])
                return bodies()[1:2]

            shop.wait_until(end, "and that events come again")
            # Before it stops, nothing may have come for long enough once more.
            notified = bodies()[:2]
        assert [body["status"] for body in notified] == ["firing", "resolved"]
        assert notified[0]["alerts"][0]["labels"]["alertname"] == "LeewayFreshness"
    replayed = shop.replayed(tmp_path, configuration, {"shop": [[event(number) for number in range(next(numbers))]]})
    for table in ("arrivals", "freshness", FRESHNESS_ALERTS):
        assert len(store.read(Query(table))["model"])
        assert not len(replayed.read(Query(table))["model"])


@pytest.mark.kafka
def test_partitions_of_a_broker_are_read_to_their_ends_also_those_in_which_nothing_is(
    kafka: Cluster, topic_name: str, tmp_path: Path
) -> None:
    kafka.create_topic(topic_name, partitions=3)
    shop.produce(kafka, topic_name, [[event(number) for number in range(10)]])
    document = shop.model("shop", {"kafka": topic_name}, freshness={"expect": "1s"})
    configuration, store = shop.on_kafka(tmp_path, kafka, document), MemoryStore()
    with shop.serving(configuration, store):
        titles = Query(FRESHNESS_ALERTS, columns=("title",))
        shop.wait_until(lambda: any("last at" in title for title in store.read(titles)["title"]), "it is found")
    assert sorted(store.read(Query("arrivals"))["partition"].tolist()) == [0, 1, 2]
