"""The topic of alerts, on a real broker."""

from __future__ import annotations

import json
import threading
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


def test_an_attempt_takes_no_longer_than_the_time_out_and_what_hangs_is_not_begun_again() -> None:
    may_go_on, is_closed = threading.Event(), threading.Event()

    class Hanging:
        def send(self, *_: Any) -> Any:
            return self

        def get(self) -> None:
            may_go_on.wait()

        def close(self, timeout: float) -> None:
            is_closed.set()

    receiver = Kafka(alerts_in("t", timeout="50ms"), connect=Hanging)
    late, refrained = receiver.send(notification()), receiver.send(notification())
    may_go_on.set()
    assert late == Retry("topic 't': no answer in time", may_have_it=True)
    assert refrained == Retry("topic 't': an attempt is still under way after its time was up")
    assert is_closed.wait(120)
    wait_until(lambda: receiver.send(notification()) == Delivered(), "another is begun once it has ended")
    receiver.close()


def test_what_connects_for_too_long_sends_nothing_once_it_is_connected() -> None:
    may_go_on, is_closed, sent = threading.Event(), threading.Event(), threading.Event()

    class Producer:
        def send(self, *_: Any) -> Any:
            sent.set()

        def close(self, timeout: float) -> None:
            is_closed.set()

    def connect() -> Producer:
        may_go_on.wait()
        return Producer()

    receiver = Kafka(alerts_in("t", timeout="50ms"), connect=connect)
    assert receiver.send(notification()) == Retry("topic 't': no answer in time")
    may_go_on.set()
    assert is_closed.wait(120)
    assert not sent.is_set()
