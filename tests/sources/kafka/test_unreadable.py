"""A topic that the service's user may see and not read, in a model of the API: everything else goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kafka.admin import ACLOperation, ResourceType

from monitor.clock import SystemClock
from monitor.config import load
from monitor.configurations.log import Change, ConfigurationLog
from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.services.kafka import SecureBroker
from tests.services.kafka.secure import PASSWORD, USER
from tests.sources.kafka.test_security import allow_only
from tests.sources.reading import produce


def test_a_topic_that_may_not_be_read_holds_up_its_posted_model_alone_and_is_read_once_it_may_be(
    secure_kafka: SecureBroker, topic_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", PASSWORD)
    monkeypatch.setattr("monitor.service.FOLLOW_EVERY_S", 0.1)
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.1)
    monkeypatch.setattr("monitor.sources.set_aside.FIRST_PAUSE_S", 0.2)
    monkeypatch.setattr("monitor.sources.set_aside.TRIED_FOR_S", 2.0)
    refused = f"{topic_name}-refused"
    for topic in (topic_name, refused):
        secure_kafka.create_topic(topic)
    allow_only(secure_kafka, USER, ACLOperation.DESCRIBE, ResourceType.TOPIC, refused)
    sasl = {"mechanism": "PLAIN", "user": USER, "password": "${KAFKA_PASSWORD}"}
    kafka = {"bootstrap": [secure_kafka.sasl], "group": topic_name, "sasl": sasl}
    files = load(shop.configured(tmp_path, shop.model("allowed", {"kafka": topic_name}), kafka=kafka))
    store = MemoryStore()
    store.migrate()
    with shop.serving(files, store) as service:
        posted = shop.model("posted", {"kafka": refused})
        ConfigurationLog(store, SystemClock()).put(Change("posted", json.dumps(posted)))
        said = f"nothing of {refused} is read: Kafka at"
        shop.wait_until(lambda: said in str(service.ready()), "it is said")
        shop.wait_until(lambda: said in str(shop.rows(store, "configurations_taken")), "it is not converged")
        shop.wait_until(lambda: "topic_refused" in str(shop.rows(store, "alerts")), "it is alerted about")
        produce(secure_kafka, topic_name, [b'{"ts": 1}'])
        shop.wait_until(lambda: service.counters.records == 1, "the other one is read")
        allow_only(secure_kafka, USER, ACLOperation.READ, ResourceType.TOPIC, refused)
        produce(secure_kafka, refused, [b'{"ts": 1}'])
        shop.wait_until(lambda: service.counters.records == 2, "it is read")
        shop.wait_until(lambda: not service.ready(), "it is read")
