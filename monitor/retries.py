"""Putting rejected messages back on their streams, for another try.

A retried message is a new message at the end of its stream, with the key, the headers, the partition and the time of
the old one, and headers that say which it is. What was put back stands in the table ``retries``, written when the
stream has acknowledged it: after a crash in between a message is back without a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Protocol

from monitor.clock import Clock
from monitor.config import Configuration
from monitor.config.model import SourceSpec
from monitor.decoders import Decoder, Schemas, TopicPlan, decoder_for
from monitor.decoders.schemas import NO_SCHEMAS
from monitor.erasure.erased import ErasureList
from monitor.events import REJECTED
from monitor.ingest.intake import EventLog
from monitor.messages import LOG_TRUNCATED, OFFSETS_LOST, LogPosition, Message, Outlet, Written, life_of, of_life
from sinks.store.batch import append
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["Lookup", "Retried", "Retries", "Streams", "refusal"]

MARK = "leeway.retry."
_NAMES = ("topic", "partition", "offset", "attempt")
_COUNTED_ONCE = "duplicate"
_GONE = {OFFSETS_LOST, LOG_TRUNCATED}

Row = dict[str, Any]


class Lookup(Protocol):
    """Reads single messages where they stand."""

    def read(self, places: Iterable[LogPosition]) -> dict[LogPosition, Message]:
        """Return the messages that are still there.

        Raises
        ------
        SourceError
        """
        ...


@dataclass(frozen=True)
class Streams:
    """Where messages are read, and put back.

    Attributes
    ----------
    lookup : Lookup
        Reads Kafka topics.
    outlet : callable
        Gives what writes to Kafka topics; called when it is needed.
    log : EventLog or None
        Of HTTP streams, where there are any.
    """

    lookup: Lookup
    outlet: Callable[[], Outlet]
    log: EventLog | None = None


@dataclass(frozen=True)
class Retried:
    """What became of one dead letter.

    Attributes
    ----------
    topic, partition, offset : str, int, int
    outcome : str
        ``retried``, ``planned`` in a dry run, or ``refused``.
    detail : str
        Why it was refused.
    taken_from : str
        ``log``: as it stands in its stream; ``store``: the payload that was kept, without key and headers. Empty if it
        was refused.
    attempt : int
        How many times it was put back, this one included; 0 if it was refused.
    to_partition, to_offset : int
        Where it now stands; -1 if it was not put back.
    """

    topic: str
    partition: int
    offset: int
    outcome: str
    detail: str = ""
    taken_from: str = ""
    attempt: int = 0
    to_partition: int = -1
    to_offset: int = -1


def refusal(letters: Sequence[Row], readers: Mapping[str, SourceSpec]) -> str:
    """Say why a message is not put back; empty if it is.

    Parameters
    ----------
    letters : sequence of dict
        The rows of ``dead_letters`` at its place.
    readers : mapping of str to SourceSpec
        The models that read its topic.

    Examples
    --------
    >>> refusal([{"action": "kept", "reason": "wrong_type"}], {"fraud": SourceSpec(kafka="scores")})
    'it counted, but for a field: put back, it would count twice'
    >>> refusal([{"action": "rejected", "reason": "not_json"}], {"fraud": SourceSpec(kafka="scores")})
    ''
    """
    reasons = {row["reason"] for row in letters if row["action"] == REJECTED}
    checks = (
        (not letters, "no dead letter has this place"),
        (not reasons, "it counted, but for a field: put back, it would count twice"),
        (not readers, "no model reads its topic"),
        (any(source.file for source in readers.values()), "files cannot be retried: mend the file, or replay it"),
        (bool(_GONE & reasons), "it was gone before it was read"),
        (reasons == {_COUNTED_ONCE}, "the first message with its identity counted"),
    )
    return next((why for holds, why in checks if holds), "")


class Retries:
    """Puts messages back.

    Parameters
    ----------
    store : Store
    configuration : Configuration
    clock : Clock
    streams : Streams
    erasures : ErasureList
    schemas : Schemas
        For decoders, which know whom a message is about.
    """

    def __init__(
        self,
        store: Store,
        configuration: Configuration,
        clock: Clock,
        streams: Streams,
        erasures: ErasureList,
        schemas: Schemas = NO_SCHEMAS,
    ) -> None:
        self._store, self._clock, self._streams, self._erasures = store, clock, streams, erasures
        self._models, self._schemas = configuration.models, schemas
        self._decoders: dict[str, Decoder] = {}

    def retry(self, positions: Iterable[LogPosition], *, dry_run: bool = False) -> list[Retried]:
        """Put messages back; one that cannot be is refused, and the others are.

        Parameters
        ----------
        positions : iterable of LogPosition
            Each is taken once.
        dry_run : bool
            Only say what would be done.

        Returns
        -------
        list of Retried
            In the order of ``positions``.

        Raises
        ------
        StoreError
        SourceError
            A stream takes no messages. Of those given, some may be back; they have no row if it was not acknowledged.
        """
        chosen = list(dict.fromkeys(positions))
        letters = self._at("dead_letters", chosen)
        refused = {position: refusal(letters.get(position, []), self._readers_of(position)) for position in chosen}
        messages, from_store = self._messages([position for position in chosen if not refused[position]], letters)
        for position in chosen:
            refused[position] = refused[position] or self._refusal_of(position, messages.get(position))
        accepted = {position: messages[position] for position in chosen if not refused[position]}
        earlier = {position: len(rows) for position, rows in self._at("retries", list(accepted)).items()}
        marked = {
            position: marked_as(position, message, earlier.get(position, 0)) for position, message in accepted.items()
        }
        done = {
            position: Retried(
                *position,
                "planned",
                taken_from="store" if position in from_store else "log",
                attempt=earlier.get(position, 0) + 1,
            )
            for position in accepted
        }
        if not dry_run:
            written = self._put_back(marked)
            done = {position: _written(planned, written[position]) for position, planned in done.items()}
            self._record(done.values())
        return [done.get(position) or Retried(*position, "refused", refused[position]) for position in chosen]

    def _readers_of(self, position: LogPosition) -> dict[str, SourceSpec]:
        return self._sources(position[0])

    def _sources(self, topic: str) -> dict[str, SourceSpec]:
        """The source by which each model reads a topic, of those that do."""
        sources = {name: model.spec.source_of(topic) for name, model in self._models.items()}
        return {name: source for name, source in sources.items() if source is not None}

    def _is_kafka(self, position: LogPosition) -> bool:
        return any(source.kafka is not None for source in self._readers_of(position).values())

    def _life(self, topic: str, partition: int) -> int:
        """In which life a log is, as far as its checkpoint knows."""
        where = {"stage": "ingest", "name": topic, "partition": partition}
        positions = self._store.read(Query("checkpoints", where, columns=("position",)))["position"]
        return life_of(int(positions[0])) if len(positions) else 0

    def _is_there_yet(self, position: LogPosition) -> bool:
        """Whether the log has not been made anew since: what now stands at the same offset of it is another message."""
        return life_of(position[2]) == self._life(*position[:2])

    def _at(self, table: str, positions: Sequence[LogPosition]) -> dict[LogPosition, list[Row]]:
        """The rows at places, by place."""
        rows_at: dict[LogPosition, list[Row]] = {}
        distinct = set(positions)
        for (topic, partition), group in groupby(sorted(distinct), key=lambda position: position[:2]):
            where = {"topic": topic, "partition": partition, "offset": [position[2] for position in group]}
            for row in rows_of(self._store.read(Query(table, where))):
                rows_at.setdefault((row["topic"], row["partition"], row["offset"]), []).append(row)
        return rows_at

    def _messages(
        self, positions: Sequence[LogPosition], letters: Mapping[LogPosition, list[Row]]
    ) -> tuple[dict[LogPosition, Message], set[LogPosition]]:
        """The messages, and which of them come from the store: whole, but without key and headers."""
        messages = self._streams.lookup.read(
            [position for position in positions if self._is_kafka(position) and self._is_there_yet(position)]
        )
        if self._streams.log is not None:
            messages |= self._streams.log.lookup([position for position in positions if not self._is_kafka(position)])
        from_store: set[LogPosition] = set()
        for position in positions:
            row = letters[position][0]
            if position not in messages and row["payload_bytes"] and len(row["payload"]) == row["payload_bytes"]:
                messages[position] = Message(row["payload"], row["record_ms"])
                from_store.add(position)
        return messages, from_store

    def _refusal_of(self, position: LogPosition, message: Message | None) -> str:
        if message is None:
            return "it is gone from its stream, and the store has at most its start"
        if self._streams.log is None and not self._is_kafka(position):
            return "this process takes no events of HTTP streams: ask one with the role `ingest`"
        return "its subject was erased" if self._erasures and self._is_of_erased(position[0], message) else ""

    def _is_of_erased(self, topic: str, message: Message) -> bool:
        """Whether any model that reads the topic knows the message as one of an erased subject."""
        for name in self._sources(topic):
            path = self._models[name].spec.keep.subject
            if path is not None:
                subject = self._decoder(topic).text_at(message.value, message.headers, path)
                if subject and self._erasures.covers(name, subject, message.record_ms):
                    return True
        return False

    def _decoder(self, topic: str) -> Decoder:
        if topic not in self._decoders:
            specs = [(name, source, self._models[name].spec) for name, source in self._sources(topic).items()]
            plans = [TopicPlan(name, source, spec.schema_, spec.keep.subject) for name, source, spec in specs]
            self._decoders[topic] = decoder_for(plans, self._schemas)
        return self._decoders[topic]

    def _put_back(self, messages: Mapping[LogPosition, Message]) -> dict[LogPosition, Written]:
        kafka = [position for position in messages if self._is_kafka(position)]
        written: dict[LogPosition, Written] = {}
        if kafka:
            outlet = self._streams.outlet()
            try:
                outlet.open(())
                for position in kafka:
                    outlet.send(position[0], messages[position], partition=position[1])
                written |= {
                    position: to._replace(offset=of_life(self._life(position[0], to.partition), to.offset))
                    for position, to in zip(kafka, outlet.flush(), strict=True)
                }
            finally:
                outlet.close()
        for position in messages:
            if position not in written:
                assert self._streams.log is not None
                written[position] = Written(0, self._streams.log.append(position[0], [messages[position].payload])[0])
        return written

    def _record(self, done: Iterable[Retried]) -> None:
        at_ms = self._clock.now_ms()
        names = ("topic", "partition", "offset", "attempt", "to_partition", "to_offset")
        rows: dict[str, list[Any]] = {name: [getattr(retried, name) for retried in done] for name in names}
        append(self._store, "retries", rows | {"at_ms": [at_ms] * len(rows["topic"])})


def marked_as(position: LogPosition, message: Message, earlier_attempts: int) -> Message:
    """Return a message with headers that say which one it is: of a message that was retried already, the first.

    Parameters
    ----------
    position : LogPosition
        Where it stands now.
    message : Message
    earlier_attempts : int
        How many times it was put back from there.

    Examples
    --------
    >>> once = marked_as(("scores", 0, 7), Message(b"{"), 0)
    >>> dict(marked_as(("scores", 0, 99), once, 0).headers)["leeway.retry.offset"]
    b'7'
    >>> dict(marked_as(("scores", 0, 99), once, 0).headers)["leeway.retry.attempt"]
    b'2'
    """
    marked = {
        name: (value or b"").decode("utf-8", "replace") for name, value in message.headers if name.startswith(MARK)
    }
    topic, partition, offset = (
        marked.get(f"{MARK}{name}", str(own)) for name, own in zip(_NAMES, position, strict=False)
    )
    earlier = marked.get(f"{MARK}attempt", "")
    attempt = earlier_attempts + 1 + (int(earlier) if earlier.isdecimal() else 0)
    marks = zip(_NAMES, (topic, partition, offset, str(attempt)), strict=True)
    own = tuple(header for header in message.headers if header[0] not in {f"{MARK}{name}" for name in _NAMES})
    return message._replace(headers=own + tuple((f"{MARK}{name}", value.encode()) for name, value in marks))


def _written(retried: Retried, to: Written) -> Retried:
    return replace(retried, outcome="retried", to_partition=to.partition, to_offset=to.offset)
