"""What becomes of messages with a problem: they are counted, sent to topics of dead letters, and stored."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.erasure.erased import ErasureList
from monitor.events import Partition, Problem
from monitor.ingest.counters import Counters
from monitor.ingest.dead_letters import DeadLetters
from monitor.ingest.readers import Readers
from monitor.ingest.stopwatch import Stopwatch
from monitor.messages import MAX_PAYLOAD_BYTES, NO_MESSAGE, Message
from monitor.privacy.privacy import quoting_nothing
from sinks.store.batch import Rows

__all__ = ["Problems"]


class Problems:
    """Makes rows of ``dead_letters``, and sends the messages on; those of erased subjects leave no trace.

    Parameters
    ----------
    readers : Readers
    erasures : ErasureList
    letters : DeadLetters or None
        Sends them to topics as well.
    counters : Counters
    """

    def __init__(
        self, readers: Readers, erasures: ErasureList, letters: DeadLetters | None, counters: Counters
    ) -> None:
        self.readers, self._erasures, self.letters, self._counters = readers, erasures, letters, counters

    def close(self) -> None:
        """Let go of the topics; what is not acknowledged by then is sent by whoever reads it again."""
        if self.letters is not None:
            self.letters.close()

    def open(self) -> None:
        """Connect to the topics.

        Raises
        ------
        SourceError
        """
        if self.letters is not None:
            self.letters.open()

    def flush(self, stopwatch: Stopwatch) -> None:
        """Wait until everything that was sent is acknowledged.

        Raises
        ------
        SourceError
        """
        if self.letters is not None:
            with stopwatch.step("dead_letters"):
                self.letters.flush()

    def rows(self, partition: Partition, problems: Iterable[tuple[str, Problem, Message]]) -> Rows:
        """Count and send; return what is to be stored.

        Parameters
        ----------
        partition : Partition
        problems : iterable of (str, Problem, Message)
            The model is empty where the message itself is at fault.

        Raises
        ------
        SourceError
        """
        stored = []
        is_withheld = self.readers.withholds(partition[0])
        for model, complete_problem, message in problems:
            problem = quoting_nothing(complete_problem) if is_withheld else complete_problem
            self._counters.problem(model, problem, len(message.payload))
            self._send(partition, model, problem, message)
            if not (self._erasures and self._is_erased(partition[0], model, message)):
                stored.append((model, problem, message))
        # Column by column: there may be one for every message.
        return {
            "topic": [partition[0]] * len(stored),
            "partition": [partition[1]] * len(stored),
            "offset": [problem.offset for _, problem, _ in stored],
            "model": [model for model, _, _ in stored],
            "field": [problem.field for _, problem, _ in stored],
            "action": [problem.action for _, problem, _ in stored],
            "reason": [problem.reason for _, problem, _ in stored],
            "detail": [problem.detail for _, problem, _ in stored],
            "record_ms": [message.record_ms for _, _, message in stored],
            "payload": [b"" if is_withheld else message.payload[:MAX_PAYLOAD_BYTES] for _, _, message in stored],
            "payload_bytes": [len(message.payload) for _, _, message in stored],
        }

    def _send(self, partition: Partition, model: str, problem: Problem, message: Message) -> None:
        if self.letters is None or message is NO_MESSAGE:
            return
        # A topic has readers of all models, so that any model's erasure counts.
        if self._erasures and any(
            self._is_erased(partition[0], watch.name, message) for watch, _ in self.readers[partition[0]]
        ):
            return
        if self.readers.withholds(partition[0]):
            self.letters.send_withheld(partition, model, problem, message)
        else:
            self.letters.send(partition, model, problem, message)

    def _is_erased(self, topic: str, model: str, message: Message) -> bool:
        """Whether the message is of an erased subject; one that cannot be read is of nobody."""
        path = self.readers.subject_path(model)
        if path is None:
            return False
        # Larger than a decoder takes, it still is somebody's.
        subject = self.readers.decoder(topic).text_at(message.value, message.headers, path)
        return subject != "" and self._erasures.covers(model, subject, message.record_ms)
