"""Whether brokers still answer for each partition: the client keeps the last answer of one that is away for ever."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from kafka import TopicPartition

from monitor.clock import Clock

__all__ = ["Answers"]

ANSWERED_WITHIN_S = 5.0
"""Brokers answer within half a second (``fetch.max.wait.ms``), also where nothing has come."""


class Answers:
    """How long a consumer has waited for an answer, by partition.

    Only time in which it polled counts: nobody answers what nobody asks.

    Parameters
    ----------
    clock : Clock
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answered: set[TopicPartition] = set()
        self._waited_s: dict[TopicPartition, float] = {}

    def listen(self, consumer: Any) -> None:
        """Note every answer that a consumer gets from now on."""
        # Private: highwater marks do not say how old they are, and an answer without news leaves partitions out. The
        # minor version is pinned, and tests tell when it changes.
        fetcher = consumer._fetcher
        handle = fetcher._handle_fetch_response

        def noted(node: Any, partitions: Collection[TopicPartition], sent_s: float, response: Any) -> None:
            if not response.error_code:
                refused = {
                    TopicPartition(topic.topic, part.partition_index)
                    for topic in response.responses
                    for part in topic.partitions
                    if part.error_code
                }
                self._answered |= set(partitions) - refused
            handle(node, partitions, sent_s, response)

        fetcher._handle_fetch_response = noted

    @contextmanager
    def awaited(self, partitions: Collection[TopicPartition]) -> Iterator[None]:
        """Count the time of a poll that asks for these partitions."""
        begun_s = self._clock.monotonic_s()
        yield
        polled_s = self._clock.monotonic_s() - begun_s
        waited_s = self._waited_s
        answered, self._answered = self._answered, set()
        self._waited_s = {p: 0.0 if p in answered else waited_s.get(p, 0.0) + polled_s for p in partitions}

    def is_answered(self, partition: TopicPartition) -> bool:
        """Whether a broker has answered for it of late."""
        return self._waited_s.get(partition, 0.0) < ANSWERED_WITHIN_S
