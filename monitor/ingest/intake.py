"""What one process reads with: a worker for each source, and what the workers share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from monitor.alerts.wording import listed
from monitor.decoders import Schemas
from monitor.erasure.erased import ErasureList
from monitor.errors import SourceError
from monitor.events import Appearance
from monitor.ingest.arrivals import Flow
from monitor.ingest.counters import Counters
from monitor.ingest.dead_letters import DeadLetters
from monitor.ingest.foreign_members import ForeignMembers
from monitor.ingest.late_events import LateShare
from monitor.ingest.rejections import Rejected
from monitor.ingest.sightings import Sightings
from monitor.ingest.unregistered import union
from monitor.ingest.worker import Worker
from monitor.messages import LogPosition, Message
from sinks.receivers.times import utc
from sinks.store.contract import Query, Store

__all__ = ["EventLog", "Intake", "Reading"]

MOST_NOTES = 20
"""About models, in an answer that a probe asks for every few seconds."""


class EventLog(Protocol):
    """The log in which events that came by HTTP wait to be read."""

    def lookup(self, places: Iterable[LogPosition]) -> dict[LogPosition, Message]:
        """Return the messages that are still there."""
        ...

    def append(self, stream: str, payloads: Sequence[bytes]) -> tuple[int, int]:
        """Append messages durably; return the offsets of the first and the last."""
        ...

    def trim(self, stream: str, before_offset: int) -> None:
        """Drop what lies before an offset."""
        ...

    def count(self, chosen: Mapping[str, Callable[[bytes], bool]]) -> int:
        """Return how many messages are chosen, by stream."""
        ...

    def select(self, chosen: Mapping[str, Callable[[bytes], bool]]) -> Iterator[tuple[str, int, bytes]]:
        """Yield stream, offset and payload of each chosen message."""
        ...

    def erase(self, chosen: Mapping[str, Callable[[bytes], bool]]) -> int:
        """Delete the chosen messages from the disk; return how many they were."""
        ...

    def close(self) -> None:
        """Close the log."""
        ...


@dataclass(frozen=True)
class Reading:
    """A worker; and what its source reads, and where dead letters go, in a form that can be compared."""

    plan: object
    worker: Worker


class Intake:
    """The workers of a process, with their dead letters, schemas, erasures and the log of HTTP events.

    Parameters
    ----------
    schemas : Schemas
    erasures : ErasureList

    Attributes
    ----------
    reading : dict of (str, str or int) to Reading
        By the source; none in a process that does not ingest.
    letters : list of DeadLetters
    http_log : EventLog or None
        None if no model reads an HTTP stream here.
    members : ForeignMembers or None
        What is known of the group that the workers are members of; None if they are in none.
    unopened : mapping of str to str
        HTTP streams whose log cannot be opened, with the reason.
    refused_names : set of str
        Models that could not be registered.
    """

    def __init__(self, schemas: Schemas, erasures: ErasureList) -> None:
        self.schemas, self.erasures = schemas, erasures
        self.reading: dict[tuple[str, str | int], Reading] = {}
        self.letters: list[DeadLetters] = []
        self._sent: dict[str, tuple[int, int]] = {}
        self.http_log: EventLog | None = None
        self.members: ForeignMembers | None = None
        self.unopened: Mapping[str, str] = {}
        self.refused_names: set[str] = set()

    @property
    def workers(self) -> list[Worker]:
        """All of them; other threads look at this too."""
        return [reading.worker for reading in list(self.reading.values())]

    def unready(self) -> list[str]:
        """Return what is not read and why, and who reads in our place: one sentence each."""
        reasons = [
            f"source {worker.name} is not open yet{worker.status.trouble}"
            for worker in self.workers
            if not worker.status.opened
        ]
        refused = [f"nothing of {topic} is read: {why}" for topic, why in sorted(self.refused_topics().items())]
        return [*reasons, *refused, *self.gone_topics().values(), *self.foreign_members().values()]

    def refused_topics(self) -> dict[str, str]:
        """Return topics and streams of which nothing is read, while others are, with the reason."""
        refused = dict(self.unopened)
        for worker in self.workers:
            refused |= worker.status.refused
        return refused

    def catching_up(self) -> dict[str, list[str]]:
        """Return the partitions that are read under former configurations here, by model."""
        partitions: dict[str, list[str]] = {}
        for worker in self.workers:
            for (topic, number), models in worker.status.catching_up.items():
                for model in models:
                    partitions.setdefault(model, []).append(f"{topic}/{number}")
        return {model: sorted(names) for model, names in sorted(partitions.items())}

    def notes(self) -> list[str]:
        """Return what people should know of what is read all the same: one sentence each."""
        catching_up = self.catching_up()
        notes = [
            f"model {model} catches up: {listed(partitions)} {'is' if len(partitions) == 1 else 'are'} read under its"
            " former configuration, as far as a killed process may have come"
            for model, partitions in islice(catching_up.items(), MOST_NOTES)
        ]
        if (others := len(catching_up) - MOST_NOTES) > 0:
            notes.append(f"{others:,} more models catch up: `leeway_partitions_catching_up` has all of them")
        alarming = [each.sentence for each in self.rejected() if each.is_alarming]
        if (others := len(alarming) - MOST_NOTES) > 0:
            alarming[MOST_NOTES:] = [f"nearly everything is rejected of {others:,} more streams of models"]
        return notes + alarming

    def gone_topics(self) -> dict[str, str]:
        """Return what people should know of topics that were deleted, by topic."""
        since_ms: dict[str, int] = {}
        for worker in self.workers:
            for topic, at_ms in worker.status.gone_since.items():
                since_ms[topic] = min(at_ms, since_ms.get(topic, at_ms))
        return {topic: _gone(topic, at_ms) for topic, at_ms in sorted(since_ms.items())}

    def topics(self) -> set[str]:
        """Return the topics of which partitions are read here."""
        return {topic for worker in self.workers for topic, _ in worker.status.assigned}

    @property
    def group(self) -> str:
        """The group of Kafka that the workers are members of; empty if they are in none."""
        return "" if self.members is None else self.members.group

    def foreign_members(self) -> dict[str, str]:
        """Return what people should know of members of the group that do not share the store, by group."""
        return {} if self.members is None or not self.members.count else {self.group: self.members.sentence}

    def look_at_group(self) -> None:
        """Find out who is in the group."""
        if self.members is not None:
            self.members.look()

    def accept(self, stream: str, payloads: Sequence[bytes]) -> tuple[int, int]:
        """Append messages to an HTTP stream, durably.

        Raises
        ------
        SourceError
        """
        why = self.unopened.get(stream)
        if self.http_log is None:
            raise SourceError(why or "no model reads an HTTP stream", retryable=why is not None)
        return self.http_log.append(stream, payloads)

    def trim(self, store: Store, streams: Collection[str]) -> None:
        """Drop HTTP events that lie before the checkpoints of their streams."""
        if self.http_log is None:
            return
        rows = store.read(Query("checkpoints", {"stage": "ingest", "name": sorted(streams)}))
        for stream, position in zip(rows["name"], rows["position"].tolist(), strict=True):
            self.http_log.trim(stream, position)

    @contextmanager
    def standstill(self) -> Iterator[None]:
        """Hold every worker; afterwards each continues from its checkpoints."""
        with ExitStack() as held:
            for worker in self.workers:
                held.enter_context(worker.standstill())
            yield

    def close(self) -> None:
        """Close what the workers share; they themselves have ended."""
        for letters in self.letters:
            letters.close()
        if self.http_log is not None:
            self.http_log.close()
        self.schemas.close()

    def appeared(self) -> list[Appearance]:
        """Return the models that have to be registered before partitions are read on."""
        return [each for worker in self.workers for each in worker.appeared()]

    def beyond_room(self) -> dict[str, list[str]]:
        """Return the names of models for which there is no room, by template."""
        return {template: sorted(names) for template, names in union(w.beyond_room() for w in self.workers).items()}

    # -- figures -----------------------------------------------------------------------------------------------

    @property
    def counters(self) -> Counters:
        """What was read, over all sources."""
        return Counters.sum([worker.counters for worker in self.workers])

    @property
    def registry_failures(self) -> int:
        """Requests that a schema registry did not answer as it should."""
        return self.schemas.registry.failures if self.schemas.registry is not None else 0

    def send_letters(self, new: DeadLetters | None) -> None:
        """Know of new ones, and of those that are closed no more than what they have sent."""
        closed = [letters for letters in self.letters if letters.is_closed]
        self._sent = _sum_of_sent(self._sent, closed)
        self.letters = [letters for letters in (*self.letters, new) if letters is not None and letters not in closed]

    def dead_letters_sent(self) -> dict[str, tuple[int, int]]:
        """Return how many messages and bytes topics of dead letters have acknowledged, by topic."""
        return _sum_of_sent(self._sent, self.letters)

    def events(self) -> dict[Flow, int]:
        """Return how many events were read of each model, by partition, since it was begun."""
        return {flow: count for worker in self.workers for flow, count in worker.events().items()}

    def late_shares(self) -> list[LateShare]:
        """Return how many events came late in the last minutes, by model and partition."""
        return [share for worker in self.workers for share in worker.late_shares()]

    def rejected(self) -> list[Rejected]:
        """Return what became of the newest messages of each model and topic, as the reader that lost most sees it."""
        newest = {each.name: each for each in sorted(self._rejected(), key=lambda each: each.rejected)}
        return [each for _, each in sorted(newest.items())]

    def _rejected(self) -> Iterator[Rejected]:
        for worker in self.workers:
            yield from worker.rejected()

    def sightings(self) -> list[Sightings]:
        """Return what the messages of each worker have shown so far."""
        return [worker.sightings for worker in self.workers]

    def checkpoint_age_s(self) -> float:
        """Return the seconds since the oldest of the workers' last checkpoints."""
        return max((worker.checkpoint_age_s() for worker in self.workers), default=0.0)


def _sum_of_sent(
    sent: Mapping[str, tuple[int, int]], every_letters: Iterable[DeadLetters]
) -> dict[str, tuple[int, int]]:
    total = dict(sent)
    for letters in every_letters:
        for topic, (count, size_bytes) in letters.sent.items():
            counted, counted_bytes = total.get(topic, (0, 0))
            total[topic] = counted + count, counted_bytes + size_bytes
    return total


def _gone(topic: str, since_ms: int) -> str:
    return (
        f"topic {topic} is gone since {utc(since_ms)}: it was deleted, is named wrongly, or the service has no right to"
        " see it. Nothing comes from it, and windows of its models wait. It is read when it is there; if it is not to"
        " come, take it out of the models' sources"
    )
