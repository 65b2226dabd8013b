"""Writes messages to Kafka topics: dead letters, and messages that are put back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError, RecordListTooLargeError

from monitor.config.kafka import KafkaCluster
from monitor.errors import SourceError
from monitor.messages import MAX_PAYLOAD_BYTES, Message, Written
from monitor.sources.kafka.connection import connected
from monitor.sources.kafka.security import security_of

__all__ = ["KafkaOutlet", "producer"]

_BLOCK_MS = 15_000
_DELIVERY_MS = 30_000
_CLOSE_S = 5.0
_LARGEST = 1 << 30
"""How large a message may be is for the topic to say."""

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
_OURS: dict[str, Any] = {
    "acks": "all",
    "enable_idempotence": True,  # a retry inside the client neither doubles nor reorders
    "allow_auto_create_topics": False,  # a mistyped name would become a topic that nobody looks at
    "max_block_ms": _BLOCK_MS,
    "delivery_timeout_ms": _DELIVERY_MS,
    "request_timeout_ms": _DELIVERY_MS // 2,
    "max_request_size": _LARGEST,
    "linger_ms": 5,
    "metrics_enabled": False,
}


@dataclass(slots=True)
class _Sent:
    topic: str
    message: Message
    partition: int | None
    future: Any


class KafkaOutlet:
    """Writes to topics of one cluster; one thread at a time.

    Guarantee: what was sent before a :meth:`flush` that returned is acknowledged by all replicas in sync, once for each
    time it was sent.

    Parameters
    ----------
    cluster : KafkaCluster
    """

    def __init__(self, cluster: KafkaCluster) -> None:
        self._options = _options(cluster)
        self._where = ", ".join(cluster.bootstrap)
        self._producer: Any = None
        self._sent: list[_Sent] = []
        self._failure: SourceError | None = None

    def open(self, topics: Iterable[str]) -> None:
        """Connect, and forget what was not acknowledged.

        Raises
        ------
        SourceError
            No broker answers, or a topic is missing.
        """
        self.close()
        self._sent, self._failure = [], None
        self._connect()
        for topic in topics:
            self._find(topic)

    def send(self, topic: str, message: Message, partition: int | None = None) -> None:
        """Begin to write a message; with its time only if ``partition`` says that it is put back in its place.

        A message that is larger than the topic takes goes with the start of its value, unless it is put back.

        Raises
        ------
        SourceError
            This message, or one before it, was refused; nothing is written any more until it is opened anew.
        """
        self._check()
        self._sent.append(_Sent(topic, message, partition, self._begin(topic, message, partition)))

    def flush(self) -> list[Written]:
        """Wait until everything is acknowledged; return where each message since the last call now stands.

        Raises
        ------
        SourceError
        """
        self._check()
        if not self._sent:
            return []
        self._await()
        refused = [sent for sent in self._sent if sent.partition is None and _is_too_large(sent)]
        if refused:
            self._send_cut(refused)
        places = [self._place(sent) for sent in self._sent]
        self._sent = []
        return places

    def close(self) -> None:
        """Let go of everything; what was not flushed may be lost."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            producer.close(timeout=0 if self._failure is not None else _CLOSE_S)

    def _connect(self) -> None:
        try:
            self._producer = connected(self._options, self._where, KafkaProducer)
        except SourceError as error:
            self._failure = error
            raise

    def _find(self, topic: str) -> None:
        try:
            self._producer.partitions_for(topic)
        except KafkaTimeoutError as error:
            raise self._failed(f"topic {topic!r} does not exist at {self._where}; dead letters go there") from error
        except KafkaError as error:
            raise self._failed(f"topic {topic!r} at {self._where}: {_said(error)}") from error

    def _send_cut(self, refused: Iterable[_Sent]) -> None:
        """Send anew what was refused for its size, and what an idempotent client gave up with it."""
        self.close()
        self._connect()
        for sent in refused:
            short = sent.message._replace(value=sent.message.value and sent.message.value[:MAX_PAYLOAD_BYTES])
            sent.future = self._begin(sent.topic, short, None)
        self._await()

    def _begin(self, topic: str, message: Message, partition: int | None) -> Any:
        # The client takes neither a message without key and value nor a header without a value.
        value = b"" if message.value is None and message.key is None else message.value
        headers = [(name, content or b"") for name, content in message.headers]
        # A dead letter is as old as its rejection: retention by its message's time would take it at once.
        time_ms = message.record_ms if partition is not None and message.record_ms >= 0 else None
        try:
            return self._producer.send(topic, value, message.key, headers, partition, time_ms)
        except (KafkaError, ValueError) as error:
            raise self._failed(f"{topic!r} at {self._where} takes no messages: {_said(error)}") from error

    def _await(self) -> None:
        try:
            self._producer.flush(timeout=2 * _DELIVERY_MS / 1000)
        except KafkaError as error:
            raise self._failed(f"{self._where} did not take messages in time: {_said(error)}") from error

    def _place(self, sent: _Sent) -> Written:
        if sent.future.failed():
            error = sent.future.exception
            raise self._failed(f"{sent.topic!r} at {self._where} refused a message: {_said(error)}") from error
        return Written(sent.future.value.partition, sent.future.value.offset)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _failed(self, message: str) -> SourceError:
        # Kept: whoever shares this must hear of it before a checkpoint passes what was lost.
        self._failure = SourceError(message, retryable=True)
        return self._failure


def producer(cluster: KafkaCluster) -> Any:
    """Return a producer that is connected to the cluster.

    Raises
    ------
    ConnectionError
        No broker answers, or it refuses the service.
    """
    try:
        return connected(_options(cluster), ", ".join(cluster.bootstrap), KafkaProducer)
    except SourceError as error:
        raise ConnectionError(str(error)) from error


def _is_too_large(sent: _Sent) -> bool:
    return bool(sent.future.failed()) and isinstance(sent.future.exception, _TOO_LARGE)


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _options(cluster: KafkaCluster) -> dict[str, Any]:
    """What the cluster's consumers are given and producers know too: how to connect."""
    connecting = {name: value for name, value in cluster.options.items() if name in KafkaProducer.DEFAULT_CONFIG}
    return {**connecting, **security_of(cluster), **_OURS, "bootstrap_servers": cluster.bootstrap}
