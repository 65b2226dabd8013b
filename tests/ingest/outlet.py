"""Topics in memory, for tests of what is sent to topics."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.errors import SourceError
from monitor.messages import Message, Written

__all__ = ["MemoryOutlet"]


class MemoryOutlet:
    """Topics in memory.

    Attributes
    ----------
    topics : dict of str to list of Message
        What was acknowledged, by topic.
    refuses : str
        Why nothing is acknowledged; empty if it is.
    opened : list of list of str
        The topics that each ``open`` named.
    closings : int
    """

    def __init__(self) -> None:
        self.topics: dict[str, list[Message]] = {}
        self.partitions: list[int | None] = []
        self.refuses = ""
        self.opened: list[list[str]] = []
        self.closings = 0
        self._waiting: list[tuple[str, Message]] = []
        self._failure: SourceError | None = None

    def open(self, topics: Iterable[str]) -> None:
        """Forget what was not acknowledged."""
        self.opened.append(list(topics))
        self._waiting, self._failure = [], None

    def send(self, topic: str, message: Message, partition: int | None = None) -> None:
        """Keep a message until it is flushed."""
        self._check()
        self._waiting.append((topic, message))
        self.partitions.append(partition)

    def flush(self) -> list[Written]:
        """Acknowledge everything, or nothing."""
        self._check()
        if self.refuses and self._waiting:
            self._failure = SourceError(self.refuses, retryable=True)
            raise self._failure
        places = []
        for (topic, message), partition in zip(self._waiting, self.partitions[-len(self._waiting) :], strict=False):
            written = self.topics.setdefault(topic, [])
            places.append(Written(partition or 0, len(written)))
            written.append(message)
        self._waiting = []
        return places

    def close(self) -> None:
        """Note it."""
        self.closings += 1

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
