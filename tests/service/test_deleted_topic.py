"""A topic that is deleted under a service: people learn of it once, and it is read on when it is there again."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from kafka.errors import TopicAlreadyExistsError
from structlog.testing import capture_logs

from monitor.alerts.own import MODEL, TOPIC_GONE
from monitor.logs import log_to_stderr
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.service import shop
from tests.services.kafka import Cluster


def event(number: int) -> bytes:
    return json.dumps({"id": f"e{number}", "ts": shop.START_MS + number, "amount": 1.0}).encode()


@pytest.mark.kafka
def test_a_deleted_topic_is_named_until_it_is_there_again_and_then_read_on(
    kafka: Cluster, topic_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.1)
    staying, leaving = (f"{topic_name}-{suffix}" for suffix in "ab")
    for name in (staying, leaving):
        kafka.create_topic(name)
    model = shop.model("shop", {"kafka": [staying, leaving]})
    configuration, store = shop.on_kafka(tmp_path, kafka, model, refresh="300ms"), MemoryStore()

    def own_alerts() -> list[dict[str, Any]]:
        alerts = rows_of(store.read(Query("alerts", {"model": MODEL})))
        return [alert for alert in alerts if json.loads(alert["labels"])["alertname"] == TOPIC_GONE]

    def is_created() -> bool:
        try:
            kafka.create_topic(leaving)
        except TopicAlreadyExistsError:
            return False
        return True

    with capture_logs() as log, shop.serving(configuration, store) as service:
        for name in (staying, leaving):
            shop.produce(kafka, name, [[event(0)]])
        shop.wait_until(lambda: service.counters.records == 2, "both topics are read")
        assert service.ready() == []

        kafka.delete_topic(leaving)
        [reason] = shop.wait_until(service.ready, "it is not ready")
        shop.wait_until(own_alerts, "it is alerted about")
        shop.produce(kafka, staying, [[event(1)]])
        shop.wait_until(lambda: service.counters.records == 3, "the other topic is read on")

        shop.wait_until(is_created, "the topic is made anew")
        shop.produce(kafka, leaving, [[event(2)]])
        shop.wait_until(lambda: service.counters.records == 4, "it is read on")
        shop.wait_until(lambda: len(own_alerts()) == 2, "the alert is over")
        assert service.ready() == []
    assert reason.startswith(f"topic {leaving} is gone since 20")
    [firing, resolved] = own_alerts()
    assert (firing["state"], resolved["state"]) == ("firing", "resolved")
    assert json.loads(firing["labels"]) == {"alertname": TOPIC_GONE, "severity": "critical", "topic": leaving}
    assert firing["title"].startswith(f"topic {leaving} is gone since 20")
    changes = [line["event"] for line in log if line["event"].startswith("a topic")]
    assert changes == ["a topic is gone", "a topic is there again"]


def test_what_the_kafka_client_says_again_and_again_is_in_the_log_three_times(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    log_to_stderr(as_json=False)
    client, another = logging.getLogger("kafka.cluster"), logging.getLogger("somebody.else")
    for _ in range(50):
        client.error("Topic %s not found in cluster metadata", "payments")
        another.error("this counts")
    client.error("Connection failed: %s", "reset")
    lines = capsys.readouterr().err.splitlines()
    repeated = [line for line in lines if "payments" in line]
    assert len(repeated) == 3
    assert repeated[-1].endswith("(more of this kind is left out for ten minutes)")
    assert len([line for line in lines if "this counts" in line]) == 50
    assert lines[-1].endswith("Connection failed: reset")
