"""A receiver that writes to a Kafka topic."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from kafka.errors import KafkaError, RetriableError

from sinks.receivers.contract import Delivered, Notification, Outcome, Refused, Retry
from sinks.receivers.webhook import body

__all__ = ["Kafka"]

CLOSE_S = 5.0


class Kafka:
    """Writes the body that a webhook is posted, as a message with the group's key.

    Delivered means that all replicas in sync have it. One group's messages stay in order, as they have one key.

    Parameters
    ----------
    name : str
    topic : str
    connect : callable
        Returns a ``KafkaProducer``, or raises ConnectionError; it is called by the first notification.
    timeout_ms : int
        For the acknowledgement.
    send_resolved : bool
    """

    def __init__(
        self,
        name: str,
        topic: str,
        connect: Callable[[], Any],
        *,
        timeout_ms: int = 30_000,
        send_resolved: bool = True,
    ) -> None:
        self.name = name
        self.send_resolved = send_resolved
        self._topic, self._connect, self._timeout_s = topic, connect, timeout_ms / 1000
        self._producer: Any = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Kafka:
        """Take the parameters by their names."""
        return cls(**config)

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
