"""A receiver that writes to a Kafka topic."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from kafka.errors import KafkaError, RetriableError
from pydantic import Field

from sinks.parameters import DurationMs
from sinks.receivers.contract import Delivered, Notification, Outcome, Refused, Retry
from sinks.receivers.parameters import Parameters
from sinks.receivers.webhook import body

__all__ = ["Kafka", "KafkaParameters"]

CLOSE_S = 5.0
"""By then a message that is still buffered is given up: its ``send`` has answered already."""


class KafkaParameters(Parameters):
    """Writes the webhook's body to a topic of the service's Kafka cluster, with the group's key."""

    kind: Literal["kafka"]
    topic: str = Field(min_length=1)
    timeout: DurationMs = Field(default=30_000, gt=0, description="for the acknowledgement")


class Kafka:
    """Writes the body that a webhook is posted, as a message with the group's key.

    Delivered means that all replicas in sync have it. One group's messages stay in order, as they have one key.

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

    def send(self, notification: Notification) -> Outcome:
        """Write it, and wait until it is acknowledged."""
        value = json.dumps(body(notification), ensure_ascii=False).encode()
        try:
            if self._producer is None:
                self._producer = self._connect()
            self._producer.send(self._topic, value, notification.group_key.encode()).get(self._timeout_s)
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
        if producer is not None:
            producer.close(timeout=CLOSE_S)
