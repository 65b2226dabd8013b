"""Messages written to topics of a real broker: whole, acknowledged, and never silently lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from monitor.config.kafka import KafkaCluster
from monitor.errors import SourceError
from monitor.messages import Message, Written
from monitor.sources.kafka import outlet as kafka_outlet
from monitor.sources.kafka.outlet import KafkaOutlet
from tests.service import shop
from tests.services.kafka import Broker, Cluster

pytestmark = pytest.mark.kafka


@contextmanager
def outlet(kafka: Cluster, *topics: str, **cluster: Any) -> Iterator[KafkaOutlet]:
    made = KafkaOutlet(KafkaCluster(bootstrap=[kafka.bootstrap], **cluster))
    try:
        made.open(topics)
        yield made
    finally:
        made.close()


def test_a_message_keeps_its_value_key_and_headers(kafka: Cluster, topic: str) -> None:
    with outlet(kafka, topic) as out:
        out.send(topic, Message(b"\x00\xff", 5, b"key", (("a", b"1"), ("a", b"2"))))
        out.send(topic, Message(None, 5, b"key"))
        assert out.flush() == [Written(0, 0), Written(0, 1)]
        assert out.flush() == []
    first, second = shop.consumed(kafka, topic, 2)
    assert (first.value, first.key, list(first.headers)) == (b"\x00\xff", b"key", [("a", b"1"), ("a", b"2")])
    assert (second.value, second.key) == (None, b"key")
    assert first.timestamp > 5, "a dead letter is as old as its rejection, so that retention keeps it"


def test_what_the_client_does_not_take_is_sent_empty(kafka: Cluster, topic: str) -> None:
    with outlet(kafka, topic) as out:
        out.send(topic, Message(None, 5, None, (("a", None),)))
        out.flush()
    (found,) = shop.consumed(kafka, topic, 1)
    assert (found.value, found.key, list(found.headers)) == (b"", None, [("a", b"")])


def test_a_message_that_is_put_back_stands_in_its_partition_with_its_own_time(kafka: Cluster, topic_name: str) -> None:
    kafka.create_topic(topic_name, partitions=3)
    with outlet(kafka) as out:
        out.send(topic_name, Message(b"x", 1_700_000_000_000), partition=2)
        assert out.flush() == [Written(2, 0)]
    (found,) = shop.consumed(kafka, topic_name, 1, partition=2)
    assert found.timestamp == 1_700_000_000_000


def test_of_a_message_too_large_for_the_topic_the_start_is_sent(kafka: Cluster, topic_name: str) -> None:
    kafka.create_topic(topic_name, configs={"max.message.bytes": "200000"})
    large = b"x" * 3_000_000
    with outlet(kafka, topic_name) as out:
        out.send(topic_name, Message(b"before"))
        out.send(topic_name, Message(large, headers=(("leeway.value_bytes", b"3000000"),)))
        out.send(topic_name, Message(b"after"))
        assert len(out.flush()) == 3
    found = {record.value: dict(record.headers) for record in shop.consumed(kafka, topic_name, 3)}
    assert found == {b"before": {}, b"after": {}, large[:65_536]: {"leeway.value_bytes": b"3000000"}}


def test_a_message_that_is_put_back_is_not_cut(kafka: Cluster, topic_name: str) -> None:
    kafka.create_topic(topic_name, configs={"max.message.bytes": "2000"})
    with outlet(kafka, topic_name) as out:
        out.send(topic_name, Message(b"x" * 3_000), partition=0)
        with pytest.raises(SourceError, match="refused a message"):
            out.flush()


def test_a_topic_that_is_missing_is_named_at_once(
    kafka: Cluster, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(kafka_outlet._OURS, "max_block_ms", 500)
    with (
        pytest.raises(SourceError, match=f"topic '{topic_name}' does not exist at .*dead letters go there") as caught,
        outlet(kafka, topic_name),
    ):
        pass
    assert caught.value.retryable


# The client forgets a socket at each refused connection; they are collected here, not in some later test.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_broker_that_is_gone_is_trouble_until_the_outlet_is_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kafka_outlet._OURS, "delivery_timeout_ms", 2_000)
    monkeypatch.setitem(kafka_outlet._OURS, "request_timeout_ms", 1_000)
    monkeypatch.setattr(kafka_outlet, "_DELIVERY_MS", 2_000)
    with Broker() as broker:
        broker.create_topic("bad")
        with outlet(broker, "bad") as out:
            broker.stop()
            out.send("bad", Message(b"lost?"))
            for call in (out.flush, out.flush, lambda: out.send("bad", Message(b"x"))):
                with pytest.raises(SourceError) as caught:
                    call()
                assert caught.value.retryable
            broker.start()
            out.open(["bad"])
            out.send("bad", Message(b"again"))
            out.flush()
        assert b"again" in {record.value for record in shop.consumed(broker, "bad", 1)}
