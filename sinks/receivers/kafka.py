"""A receiver that writes to a Kafka topic."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, Literal

from kafka.errors import KafkaError, RetriableError
from pydantic import Field

from sinks.parameters import DurationMs
from sinks.receivers.contract import Delivered, Notification, Outcome, Refused, Retry
from sinks.receivers.parameters import Parameters
from sinks.receivers.webhook import body
from sinks.time_limit import begun

__all__ = ["Kafka", "KafkaParameters"]

CLOSE_S = 5.0
"""By then a message that is still buffered is given up: its ``send`` has answered already."""


class KafkaParameters(Parameters):
    """Writes the webhook's body to a topic of the service's Kafka cluster, with the group's key."""

    kind: Literal["kafka"]
    topic: str = Field(min_length=1)
    timeout: DurationMs = Field(default=30_000, gt=0, description="for connecting and the acknowledgement, altogether")


class Kafka:
    """Writes the body that a webhook is posted, as a message with the group's key.

    Delivered means that all replicas in sync have it. One group's messages stay in order, as they have one key. What
    takes longer than the time-out goes on in a thread of its own, for the client cannot be told to end it; until it has
    ended by itself, nothing else is begun.

    Parameters
    ----------
    parameters : KafkaParameters
    connect : callable
        Returns a ``KafkaProducer``, or raises ConnectionError; it is called by the first notification.
    """

    Parameters = KafkaParameters

    def __init__(self, parameters: KafkaParameters, *, connect: Callable[[], Any]) -> None:
        self.name, self.send_resolved = parameters.name, parameters.send_resolved
        self._topic, self._connect, self._timeout_s = parameters.topic, connect, parameters.timeout / 1000
        self._producer: Any = None
        self._unfinished: Future[None] | None = None

    def send(self, notification: Notification) -> Outcome:
        """Write it, and wait until it is acknowledged."""
        if self._unfinished is not None and not self._unfinished.done():
            return Retry(f"topic {self._topic!r}: an attempt is still under way after its time was up")
        value = json.dumps(body(notification), ensure_ascii=False).encode()
        writing = _Writing(self._producer, self._connect)
        self._unfinished = written = begun(
            f"kafka-{self.name}", partial(writing.run, self._topic, value, notification.group_key.encode())
        )
        if not wait([written], self._timeout_s).done:
            self._producer = None
            writing.give_up()
            written.add_done_callback(lambda _: writing.close())
            return Retry(f"topic {self._topic!r}: no answer in time", may_have_it=writing.is_sending)
        self._producer = writing.producer
        try:
            written.result()
        except ConnectionError as error:
            return Retry(str(error))
        except KafkaError as error:
            # After a failure a producer may go on trying what it has; a new one starts with nothing.
            self.close()
            reason = f"topic {self._topic!r}: {type(error).__name__}: {error}"
            return Retry(reason, may_have_it=True) if isinstance(error, RetriableError) else Refused(reason)
        return Delivered()

    def close(self) -> None:
        """Let go of the connection; a message whose ``send`` did not return may or may not have arrived."""
        producer, self._producer = self._producer, None
        _close(producer)


class _Writing:
    """One message on its way, in a thread of its own."""

    def __init__(self, producer: Any, connect: Callable[[], Any]) -> None:
        self.producer, self._connect = producer, connect
        self._is_given_up = self.is_sending = False

    def run(self, topic: str, value: bytes, key: bytes) -> None:
        """Write it, and wait for as long as the client tries."""
        if self.producer is None:
            self.producer = self._connect()
        self.is_sending = True
        # Either whoever waited no longer sees that it is being sent, or it is seen here that nobody waits.
        if not self._is_given_up:
            self.producer.send(topic, value, key).get()

    def give_up(self) -> None:
        """Send nothing any more."""
        self._is_given_up = True

    def close(self) -> None:
        """Let go of the connection."""
        _close(self.producer)


def _close(producer: Any) -> None:
    if producer is not None:
        producer.close(timeout=CLOSE_S)
