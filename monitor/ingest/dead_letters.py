"""Dead letters as messages: which topics they go to, and what their headers say.

The table ``dead_letters`` has every one of them. A topic beside it is for those who want the whole message again, with
its key and headers: to look at, to repair, to send again. They are acknowledged before the checkpoint that passes them
is written; after a crash some are sent once more, and their coordinates show that they are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitor.config.model import DeadLetterTopic, Model
from monitor.config.service import Service
from monitor.config.streams import matches, reader_of
from monitor.events import KEPT, Headers, Partition, Problem
from monitor.messages import LOG_TRUNCATED, OFFSETS_LOST, LogPosition, Message, Outlet

__all__ = [
    "FOLD_REASONS",
    "DeadLetters",
    "headers_of",
    "routes_of",
]

FOLD_REASONS = ("future", "duplicate", "late", "too_late", "no_id", OFFSETS_LOST, LOG_TRUNCATED)
"""Reasons that are not a decoder's: of the fold, of labels, and of sources."""

MOST_PENDING = 5_000
MOST_PENDING_BYTES = 32 << 20
"""So much waits for its acknowledgement at most: it is held in memory."""

Routes = Mapping[tuple[str, str], tuple[DeadLetterTopic, ...]]
"""Where dead letters go, by the topic that they were read from and the model; the empty model is the message's own
fault, and goes where any of the topic's models wants it."""


def routes_of(service: Service, models: Iterable[Model]) -> Routes:
    """Return where dead letters go.

    Examples
    --------
    >>> service = Service.model_validate({"spec": {"kafka": {"dead_letters": "bad"}}})
    >>> spec = {"sources": [{"kafka": "scores"}], "schema": {"features": {"x": {"type": "numeric"}}}}
    >>> head = {"apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": "fraud"}}
    >>> routes = routes_of(service, [Model.model_validate({**head, "spec": spec})])
    >>> {place: [topic.topic for topic in topics] for place, topics in routes.items()}
    {('scores', 'fraud'): ['bad'], ('scores', ''): ['bad']}
    """
    default = service.spec.kafka.dead_letters
    routes: dict[tuple[str, str], tuple[DeadLetterTopic, ...]] = {}
    for model in models:
        for source in model.spec.sources:
            target = source.dead_letters or default
            for stream in source.kafka or ():
                routes[stream, model.name] = () if target is None else (target,)
                anyone = routes.get((stream, ""), ())
                if target is not None and target.topic not in {topic.topic for topic in anyone}:
                    routes[stream, ""] = (*anyone, target)
    return routes if any(routes.values()) else {}


def route_of(routes: Routes, topic: str, model: str) -> tuple[DeadLetterTopic, ...]:
    """Return where dead letters of a topic go: a model's, or, with no model's name, anybody's."""
    streams = [stream for stream, name in routes if name == model]
    if model:
        reader = reader_of(streams, topic)
        return () if reader is None else routes[reader, model]
    anyone = {target.topic: target for stream in streams if matches(stream, topic) for target in routes[stream, ""]}
    return tuple(anyone.values())


def headers_of(log_position: LogPosition, model: str, problem: Problem, message: Message) -> Headers:
    """Return the message's own headers, and behind them what is wrong with it.

    Examples
    --------
    >>> problem = Problem(7, "rejected", "not_json", "", "unexpected end")
    >>> dict(headers_of(("scores", 0, 7), "", problem, Message(b"{", 5)))["leeway.reason"]
    b'not_json'
    """
    topic, partition, offset = log_position
    facts: dict[str, str | int] = {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "model": model,
        "field": problem.field,
        "action": problem.action,
        "reason": problem.reason,
        "detail": problem.detail,
        "record_ms": message.record_ms,
        "value_bytes": -1 if message.value is None else len(message.value),
    }
    # A message that was a dead letter before, elsewhere, says so no more: its reader wants one answer.
    own = tuple(header for header in message.headers if header[0].removeprefix("leeway.") not in facts)
    # Half a surrogate pair may stand in a detail that quotes the message.
    return own + tuple((f"leeway.{name}", str(value).encode("utf-8", "replace")) for name, value in facts.items())


class DeadLetters:
    """Sends dead letters of one worker to the topics that want them.

    Parameters
    ----------
    routes : mapping
        As :func:`routes_of` gives it.
    outlet : Outlet

    Attributes
    ----------
    is_closed : bool
    """

    def __init__(self, routes: Routes, outlet: Outlet) -> None:
        self._routes, self._outlet = routes, outlet
        self.is_closed = False
        self._sent: dict[str, tuple[int, int]] = {}
        self._pending: list[tuple[str, int]] = []
        self._pending_bytes = 0

    @property
    def sent(self) -> Mapping[str, tuple[int, int]]:
        """How many messages were acknowledged, and how many bytes, by topic."""
        return self._sent.copy()

    def open(self) -> None:
        """Start afresh: what was not acknowledged is read again, and sent then.

        Raises
        ------
        SourceError
        """
        self._forget()
        self.is_closed = False
        self._outlet.open(sorted({target.topic for topics in self._routes.values() for target in topics}))

    def topics_for(self, topic: str, model: str, action: str) -> tuple[str, ...]:
        """Return the topics that a problem goes to."""
        topics = route_of(self._routes, topic, model)
        return tuple(target.topic for target in topics if action != KEPT or target.kept)

    def send(self, partition: Partition, model: str, problem: Problem, message: Message) -> None:
        """Begin to send a message to every topic that wants it.

        Raises
        ------
        SourceError
        """
        if topics := self.topics_for(partition[0], model, problem.action):
            headers = headers_of((*partition, problem.offset), model, problem, message)
            self._send(topics, message._replace(headers=headers))

    def send_withheld(self, partition: Partition, model: str, problem: Problem, message: Message) -> None:
        """Send where a message stands and what is wrong with it, but nothing of its own.

        Raises
        ------
        SourceError
        """
        if topics := self.topics_for(partition[0], model, problem.action):
            headers = headers_of((*partition, problem.offset), model, problem, message._replace(headers=()))
            # An empty value: without one it would be a tombstone.
            self._send(topics, message._replace(value=b"", key=None, headers=headers))

    def _send(self, topics: Iterable[str], message: Message) -> None:
        for topic in topics:
            self._outlet.send(topic, message)
            self._pending.append((topic, len(message.payload)))
            self._pending_bytes += len(message.payload)
        if len(self._pending) >= MOST_PENDING or self._pending_bytes >= MOST_PENDING_BYTES:
            self.flush()

    def flush(self) -> None:
        """Wait until everything is acknowledged.

        Raises
        ------
        SourceError
        """
        self._outlet.flush()
        for topic, size in self._pending:
            count, total = self._sent.get(topic, (0, 0))
            self._sent[topic] = (count + 1, total + size)
        self._forget()

    def close(self) -> None:
        """Let go of the connection."""
        self.is_closed = True
        self._outlet.close()

    def _forget(self) -> None:
        self._pending, self._pending_bytes = [], 0
