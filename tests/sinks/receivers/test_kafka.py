"""The topic of alerts, on a real broker."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from monitor.config.kafka import KafkaCluster
from monitor.sources.kafka.outlet import producer
from sinks.receivers.contract import Delivered, Retry
from sinks.receivers.kafka import Kafka, KafkaParameters
from sinks.receivers.webhook import body
from tests.service.shop import wait_until
from tests.services.kafka import Cluster
from tests.sinks.receivers.notifications import notification


def alerts_in(topic: str, **written: str) -> KafkaParameters:
    return KafkaParameters.model_validate({"kind": "kafka", "name": "alerts", "topic": topic} | written)


@pytest.mark.kafka
def test_notifications_are_messages_with_the_groups_key_in_order(kafka: Cluster, topic: str) -> None:
    cluster = KafkaCluster(bootstrap=kafka.addresses)
    receiver = Kafka(alerts_in(topic), connect=lambda: producer(cluster))
    sent = [notification(), notification("resolved")]
    assert [receiver.send(each) for each in sent] == [Delivered()] * 2
    receiver.close()
    consumer = KafkaConsumer(bootstrap_servers=kafka.addresses, auto_offset_reset="earliest", enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, 0)])
    found: list[Any] = []
    while len(found) < 2:
        found += [record for records in consumer.poll(1000).values() for record in records]
    consumer.close()
    assert [json.loads(record.value) for record in found] == [body(each) for each in sent]
    assert {record.key.decode() for record in found} == {sent[0].group_key}


@pytest.mark.kafka
def test_a_topic_that_is_not_there_is_tried_again_and_works_once_it_is(kafka: Cluster, topic_name: str) -> None:
    options = {"bootstrap_servers": kafka.addresses, "max_block_ms": 500, "allow_auto_create_topics": False}
    receiver = Kafka(alerts_in(topic_name, timeout="5s"), connect=lambda: KafkaProducer(**options))
    missing = receiver.send(notification())
    kafka.create_topic(topic_name)
    # Half a second may be too short to hear of it on a busy machine.
    wait_until(lambda: receiver.send(notification()) == Delivered(), "the topic is there")
    receiver.close()
    assert isinstance(missing, Retry)
    assert topic_name in missing.reason


def test_a_cluster_that_does_not_answer_is_tried_again() -> None:
    def nobody() -> Any:
        raise ConnectionError("no answer from Kafka at 127.0.0.1:1")

    assert Kafka(alerts_in("t"), connect=nobody).send(notification()) == Retry("no answer from Kafka at 127.0.0.1:1")
