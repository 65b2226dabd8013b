"""Kafka: whether brokers answer, let the service in, and let it read its topics and its group."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from monitor.build import group_members, kafka_topics, topic_sample
from monitor.clock import SystemClock
from monitor.config import Configuration
from monitor.doctor.finding import Finding, fine, unknown, wrong
from monitor.errors import LeewayError, SourceError

__all__ = ["kafka"]

POLL_S, SIDE_BY_SIDE = 3.0, 4
TRIES, PAUSE_S = 3, 1.0
"""A group without members has no coordinator in a cluster that is new."""


def kafka(configuration: Configuration) -> Iterator[Finding]:
    """Look at every topic that models read, and at the group; nothing is committed, and no group joined."""
    topics = kafka_topics(configuration)
    if not topics:
        yield fine("kafka", "", "no model reads it")
        return
    finding, is_reached = _group(configuration)
    yield finding
    if not is_reached:
        return
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield from pool.map(lambda topic: _topic(configuration, topic), topics)


def _group(configuration: Configuration) -> tuple[Finding, bool]:
    """Look at the group, again while a broker settles; say also whether one answers at all."""
    cluster = configuration.service.spec.kafka
    where, tries, clock = ", ".join(cluster.bootstrap), TRIES, SystemClock()
    while True:
        tries -= 1
        try:
            members = group_members(configuration)
        except LeewayError as error:
            may_pass = isinstance(error, SourceError) and error.retryable
            if may_pass and tries:
                clock.wait(threading.Event(), PAUSE_S)
                continue
            advice = "see docs/sources.md: addresses, `kafka.tls`, `kafka.sasl`, rights"
            return wrong("kafka", where, str(error), advice), not may_pass
        count = "it settles" if members is None else f"{len(members)} members"
        return fine("kafka", where, f"it answers; the group {cluster.group or 'of the store'}: {count}"), True


def _topic(configuration: Configuration, topic: str) -> Finding:
    try:
        source = topic_sample(configuration.service.spec.kafka, topic, 1)
    except LeewayError as error:
        return wrong("kafka", f"topic {topic}", str(error), "mend `spec.kafka`")
    try:
        source.open(lambda topic, partition: None)
        records = source.poll(1, POLL_S)
        partitions = source.partitions()
    except LeewayError as error:
        return wrong("kafka", f"topic {topic}", str(error), "create the topic, or give the service's user Read on it")
    finally:
        source.close()
    if not partitions:
        return unknown("kafka", f"topic {topic}", "no topic matches yet")
    return fine(
        "kafka", f"topic {topic}", f"{len(partitions)} partitions, {'readable' if records else 'no message yet'}"
    )
