"""A service that is killed between a rejected message and its checkpoint loses no dead letter of its topic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.admin import OffsetSpec

from tests.service import shop
from tests.service.process import Running
from tests.services.kafka import Cluster

PORTIONS, MESSAGES, EVERY = 3, 900, 3


def portion(number: int) -> list[bytes]:
    """Messages of one partition, of which every third is not JSON and says which one it is."""
    logs, _ = shop.traffic(seed=number, windows=3, per_window=MESSAGES // 3, partitions=1)
    return [b"broken %d/%d" % (number, i) if i % EVERY == 0 else line for i, line in enumerate(logs[0][:MESSAGES])]


def sent(kafka: Cluster, topic: str) -> list[Any]:
    """Everything that is in a topic of one partition now."""
    with kafka.admin() as admin:
        (ends,) = admin.list_partition_offsets({TopicPartition(topic, 0): OffsetSpec.LATEST}).values()
    return shop.consumed(kafka, topic, ends.offset)


@pytest.mark.slow
def test_every_rejected_message_is_in_its_topic_however_often_the_service_is_killed(
    kafka: Cluster, topic_name: str, tmp_path: Path
) -> None:
    dead = f"{topic_name}-bad"
    for name in (topic_name, dead):
        kafka.create_topic(name)
    model = shop.model("shop", {"kafka": topic_name})
    shop.on_kafka(tmp_path, kafka, model, dead_letters=dead, session_timeout="6s")
    messages: list[bytes] = []
    for number in range(PORTIONS - 1):
        messages += portion(number)
        shop.produce(kafka, topic_name, [portion(number)])
        with Running("run", tmp_path / "leeway.yaml", "--port", 0) as service:
            shop.wait_until(rejecting(service), "messages are being rejected")
            service.kill()
    messages += portion(PORTIONS - 1)
    shop.produce(kafka, topic_name, [portion(PORTIONS - 1)])
    expected = {offset: value for offset, value in enumerate(messages) if value.startswith(b"broken")}

    def found() -> dict[int, bytes]:
        headers = [(dict(one.headers), one.value) for one in sent(kafka, dead)]
        return {int(said["leeway.offset"]): value for said, value in headers if said["leeway.reason"] == b"not_json"}

    with Running("run", tmp_path / "leeway.yaml", "--port", 0):
        shop.wait_until(lambda: found().keys() >= expected.keys(), "all of them are in the topic")
    assert found() == expected


def rejecting(service: Running) -> Callable[[], bool]:
    return lambda: 'leeway_problems_total{reason="not_json"}' in service.get("/metrics").text
