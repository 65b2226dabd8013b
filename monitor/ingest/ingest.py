"""The ingest stage: records into panes, findings and dead letters; checkpoints.

One :class:`Ingest` drives one source. For each partition it keeps a decoder's state and one
:class:`~monitor.ingest.fold.PartitionFold` per model that reads the topic. The order of writes keeps the promises:

1. dead letters, findings, panes and single events, of one batch or of several;
2. the partitions' progress, which says up to where their panes are closed;
3. now and then, when what went to topics of dead letters is acknowledged, a checkpoint: state together with the next
   offset.

A crash between any two of them repeats rows, under the same keys and with the same content, and loses none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from monitor import checkpoint
from monitor.clock import Clock, SystemClock
from monitor.decoders import Decoder, Schemas, TopicPlan, decoder_for
from monitor.decoders.schemas import NO_SCHEMAS
from monitor.erasure.erased import ErasureList
from monitor.errors import LeewayError
from monitor.events import ENDED, REJECTED, Change, Gap, Partition, Problem, Records
from monitor.ingest.counters import Counters, add
from monitor.ingest.dead_letters import DeadLetters
from monitor.ingest.epochs import Epochs
from monitor.ingest.fold import Folded, PartitionFold
from monitor.ingest.gaps import OpenGap
from monitor.ingest.label_fold import LABELS, LabelFold
from monitor.ingest.lag import Reached
from monitor.ingest.pending import Unwritten
from monitor.ingest.readers import Readers
from monitor.ingest.stopwatch import Stopwatch
from monitor.ingest.watermark import NEVER
from monitor.messages import LOG_TRUNCATED, MAX_PAYLOAD_BYTES, NO_MESSAGE, OFFSETS_LOST, Message, is_cut, lost_text
from monitor.sources.contract import Source
from monitor.watch import Watch
from sinks.store.batch import Rows, add_row, empty_rows
from sinks.store.contract import Store

__all__ = ["Ingest"]


@dataclass
class _Lane:
    """One partition: a decoder shared with its topic, and a fold per model."""

    topic: str
    partition: int
    decoder: Decoder
    folds: dict[str, PartitionFold | LabelFold]
    reported_ms: dict[str, int] = field(default_factory=dict)
    held: dict[int, Message] = field(default_factory=dict)
    gaps: dict[str, list[OpenGap]] = field(default_factory=dict)
    next_offset: int = 0
    saved_offset: int = -1
    ended: bool = False

    @property
    def resume_offset(self) -> int:
        """From where a successor has to read, so that no fold misses anything."""
        return min([self.next_offset, *(offset for fold in self.folds.values() for offset in fold.held_offsets)])

    def message(self, records: Records | None, offset: int) -> Message:
        """The message at ``offset``, also if it came in an earlier batch and was held since."""
        i = -1 if records is None else int(records.offsets.searchsorted(offset))
        if records is None or i >= len(records) or int(records.offsets[i]) != offset:
            return self.held.get(offset, NO_MESSAGE)
        key = None if records.keys is None else records.keys[i]
        headers = () if records.headers is None else records.headers[i]
        return Message(records.payloads[i], int(records.timestamps_ms[i]), key, headers)

    def hold(self, records: Records) -> None:
        """Keep the messages of events that the folds hold, for their dead letters."""
        offsets = {offset for fold in self.folds.values() for offset in fold.held_offsets}
        self.held = {offset: self.message(records, offset) for offset in offsets}


class Ingest:
    """Drives one source.

    Parameters
    ----------
    watches : iterable of Watch
    store : Store
    source : Source
    counters : Counters or None
    erasures : ErasureList or None
        The store's, read anew if None.
    letters : DeadLetters or None
        Sends them to topics as well.
    schemas : Schemas
        For decoders.
    clock : Clock or None
        For metrics; the machine's if None.
    """

    def __init__(
        self,
        watches: Iterable[Watch],
        store: Store,
        source: Source,
        counters: Counters | None = None,
        erasures: ErasureList | None = None,
        letters: DeadLetters | None = None,
        schemas: Schemas = NO_SCHEMAS,
        clock: Clock | None = None,
    ) -> None:
        self._store, self._source, self._letters = store, source, letters
        self._erasures = ErasureList(store) if erasures is None else erasures
        self._schemas = schemas
        self._epochs = Epochs(store)
        self.counters = counters or Counters()
        watches = list(watches)
        self._readers = Readers(watches)
        self._subjects = {watch.name: watch.model.spec.keep.subject for watch in watches}
        self._decoders: dict[str, Decoder] = {}
        self._lanes: dict[Partition, _Lane] = {}
        self._states: dict[Partition, tuple[int, Mapping[str, Any]]] = {}
        self._on_begin: Callable[[Partition, int], None] = lambda partition, position: None
        self.positions: dict[Partition, int] = {}
        """Where each partition stands that was begun: the offset behind what is read, also if in part."""
        self._unwritten = Unwritten()
        self._clock = clock or SystemClock()
        self._watch = Stopwatch(self._clock, self.counters.seconds)
        self.reached: dict[Partition, Reached] = {}
        """How far partitions are, for whoever looks on; its values do not change, they are replaced."""
        self.lost: list[Gap] = []
        """Messages that were gone before they were read, as they are found; for whoever has to be told."""

    def open(self, on_begin: Callable[[Partition, int], None] = lambda partition, position: None) -> None:
        """Connect the source; every partition starts at its checkpoint.

        ``on_begin`` is called with each partition and its position before anything of it is read.
        """
        self._on_begin = on_begin
        if self._letters is not None:
            self._letters.open()
        self._source.open(self.resume)

    def resume(self, topic: str, partition: int) -> int | None:
        """The next offset of a partition by its checkpoint, or None. Called by the source on assignment.

        Raises
        ------
        StoreError
        CheckpointError
            The checkpoint cannot be used, or the partition is another configuration's by now.
        """
        loaded = checkpoint.load(self._store, "ingest", topic, partition)
        position, state = (0, {}) if loaded is None else loaded
        folds = state.get("folds", {})
        labels = {name: saved for name, saved in folds.items() if saved["config"] == LABELS}
        configs = {watch.name: watch.fold_hash for watch, spec in self._readers[topic] if spec.kind != "labels"}
        others = {name: saved for name, saved in folds.items() if name not in labels}
        position, going = self._epochs.settle((topic, partition), configs, position, others)
        if (recall := getattr(self._source, "recall", None)) is not None:
            recall((topic, partition), state.get("log", {}))
        self.positions[topic, partition] = position
        self._states[topic, partition] = position, {**state, "folds": labels | going}
        begun = -1 if loaded is None else position
        self.reached[topic, partition] = Reached(begun, -1, begun, -1, self._clock.monotonic_s())
        self._on_begin((topic, partition), position)
        return None if loaded is None else position

    def forget(self, partitions: Iterable[Partition] | None = None) -> None:
        """Drop the state of partitions (all of them if None) that are read elsewhere, or anew, from now on.

        What was made of their events and not written yet is what will be made of them again, so it may as well be
        written beside that of other partitions.
        """
        if partitions is None:
            self._unwritten.clear()
        for partition in list(self._lanes) if partitions is None else partitions:
            self._lanes.pop(partition, None)
        for partition in list(self.reached) if partitions is None else partitions:
            self.reached.pop(partition, None)

    def step(
        self,
        max_records: int,
        timeout_s: float,
        on_change: Callable[[Change], None] = lambda change: None,
        on_records: Callable[[Records], None] = lambda records: None,
        *,
        write: bool = True,
    ) -> int:
        """Read and fold what is there; returns the number of records.

        ``on_change`` is called for partitions that changed hands, ``on_records`` before records are folded. With
        ``write=False`` rows wait for a call of :meth:`write`.
        """
        count = 0
        with self._watch.step("poll"):
            polled = self._source.poll(max_records, timeout_s)
        for change in self._source.changes():
            add(self.counters.changes, change[0])
            self.forget(change[1])
            on_change(change)
        self._record_gaps()
        for records in polled:
            on_records(records)
            self._process(records)
            count += len(records)
        if write:
            self.write()
        return count

    @property
    def decoded(self) -> dict[str, int]:
        """How many messages went each way through the decoders that have several ways."""
        decoders = list(self._decoders.values())
        return {way: sum(getattr(decoder, way, 0) for decoder in decoders) for way in ("scanned", "parsed")}

    @property
    def unwritten(self) -> int:
        """How many rows wait to be written."""
        return len(self._unwritten)

    def write(self) -> int:
        """Write the rows that wait; returns how many.

        Raises
        ------
        StoreError
        """
        with self._watch.step("write"):
            return self._unwritten.write(self._store)

    def _record_gaps(self) -> None:
        """Messages that were gone before they were read: a dead letter at the first of them, and the windows marked."""
        dead = empty_rows("dead_letters")
        while self._source.gaps:
            topic, partition, first, _following = gap = self._source.gaps.pop(0)
            self.lost.append(gap)
            lane = self._lane(topic, partition)
            if is_cut(gap):
                self._begin_life(dead, lane, gap)
            self._open_gap(lane, gap)
            reason = LOG_TRUNCATED if is_cut(gap) else OFFSETS_LOST
            problem = Problem(first, REJECTED, reason, "", lost_text(gap))
            self._problem(dead, (topic, partition), "", problem, NO_MESSAGE)
        self._unwritten.add("dead_letters", dead)

    def _begin_life(self, dead: Rows, lane: _Lane, gap: Gap) -> None:
        """Go on in the log's next life: what waits for witnesses could not be read again, and is not believed."""
        for name, fold in lane.folds.items():
            if isinstance(fold, PartitionFold):
                self._problems(dead, lane, [(name, problem) for problem in fold.let_go()], None)
        partition, position = gap[:2], gap[3]
        lane.held = {}
        lane.next_offset = self.positions[partition] = position
        self.reached[partition] = replace(self.reached.get(partition, Reached()), read=position)

    def _open_gap(self, lane: _Lane, gap: Gap) -> None:
        for name, fold in lane.folds.items():
            if isinstance(fold, PartitionFold):
                found = OpenGap(*gap[2:], fold.closed_ms)
                lane.gaps.setdefault(name, []).append(found)
                self._unwritten.add("gaps", found.row(gap[:2], name))

    def _close_gaps(self, lane: _Lane, name: str, event_ms: int) -> None:
        """An event has come: messages may be missing up to it, and not behind it."""
        [(spec, pane_ms)] = [
            (spec, watch.model.spec.detect.pane) for watch, spec in self._readers[lane.topic] if watch.name == name
        ]
        for gap in lane.gaps.pop(name, ()):
            to_ms = gap.closed_by(event_ms, spec.allowed_lateness, pane_ms)
            self._unwritten.add("gaps", gap.row((lane.topic, lane.partition), name, to_ms))

    def holding(self) -> frozenset[Partition]:
        """Partitions of which events wait for those behind them."""
        return frozenset(partition for partition, lane in self._lanes.items() if lane.resume_offset < lane.next_offset)

    def finish(self) -> None:
        """The input has ended: close every pane. Only for bounded sources."""
        for partition in sorted(self._source.assigned()):
            lane = self._lane(*partition)
            if lane.ended:
                continue
            lane.ended = True
            folded = {name: fold.finish() for name, fold in sorted(lane.folds.items())}
            self._collect(lane, empty_rows("dead_letters"), folded, None)
        self.write()

    def save(self) -> dict[Partition, int]:
        """Write a checkpoint of every partition that has moved; returns the offsets to go on from.

        Whoever was erased meanwhile, by another process too, is known from here on.
        """
        self.write()
        if self._letters is not None:
            with self._watch.step("dead_letters"):
                self._letters.flush()
        with self._watch.step("checkpoint"):
            saved = self._save()
        now_s = self._clock.monotonic_s()
        for partition, at in self.reached.copy().items():
            # A partition that has not moved is where its checkpoint says.
            self.reached[partition] = replace(at, saved_s=now_s)
        return saved

    def _save(self) -> dict[Partition, int]:
        self._erasures.reload()
        saved = {}
        for partition, lane in sorted(self._lanes.items()):
            offset = lane.resume_offset
            if lane.next_offset == lane.saved_offset or lane.ended:
                continue
            state: dict[str, Any] = {
                "decoder": lane.decoder.state(lane.partition),
                "next_offset": lane.next_offset,
                "folds": {name: fold.snapshot() for name, fold in lane.folds.items()},
                "gaps": {name: [[g.first, g.following, g.from_ms] for g in gaps] for name, gaps in lane.gaps.items()},
            }
            if (mark := getattr(self._source, "mark", None)) is not None:
                state["log"] = dict(mark(partition))
            config = " ".join(f"{name}={state['folds'][name]['config']}" for name in sorted(lane.folds))
            checkpoint.save(self._store, "ingest", lane.topic, lane.partition, offset, state, config)
            lane.saved_offset = lane.next_offset
            saved[partition] = offset
            at = self.reached.get(partition, Reached())
            self.reached[partition] = replace(at, saved=offset, saved_ms=at.read_ms)
        return saved

    # -- one batch ---------------------------------------------------------------------------------------------

    def _process(self, records: Records) -> None:
        lane = self._lane(records.topic, records.partition)
        if len(records) == 0:
            return
        with self._watch.step("decode"):
            decoded = lane.decoder.decode(records)
        self.counters.records += len(records)
        self.counters.bytes += records.payload_bytes
        self.counters.unmatched += decoded.unmatched
        dead = empty_rows("dead_letters")
        self._problems(dead, lane, decoded.problems, records)
        for name, events in decoded.events.items():
            kind = "labels" if isinstance(lane.folds[name], LabelFold) else "events"
            setattr(self.counters, kind, getattr(self.counters, kind) + len(events))
            if lane.gaps and len(events):
                self._close_gaps(lane, name, int(events.event_ms[0]))
        with self._watch.step("fold"):
            folded = {name: lane.folds[name].process(events) for name, events in decoded.events.items()}
        lane.next_offset = self.positions[lane.topic, lane.partition] = int(records.offsets[-1]) + 1
        self._collect(lane, dead, folded, records)
        lane.hold(records)
        at = self.reached.get((lane.topic, lane.partition), Reached(saved_s=self._clock.monotonic_s()))
        read_ms = int(records.timestamps_ms[-1])
        self.reached[lane.topic, lane.partition] = replace(at, read=lane.next_offset, read_ms=read_ms)

    def _collect(self, lane: _Lane, dead: Rows, folded: Mapping[str, Folded], records: Records | None) -> None:
        for name, out in folded.items():
            self._problems(dead, lane, [(name, problem) for problem in out.problems], records)
            self.counters.late += out.late
            self.counters.findings += len(out.findings["model"])
            for table, rows in {"findings": out.findings, "panes": out.panes, **out.kept}.items():
                self._unwritten.add(table, rows)
        self._unwritten.add("dead_letters", dead)
        self._unwritten.add("progress", self._progress(lane))

    def _progress(self, lane: _Lane) -> Rows:
        rows = empty_rows("progress")
        for name, fold in sorted(lane.folds.items()):
            if fold.newest_ms == NEVER or lane.reported_ms.get(name, NEVER) == fold.closed_ms:
                continue
            lane.reported_ms[name] = fold.closed_ms
            row = {
                "model": name,
                "topic": lane.topic,
                "partition": lane.partition,
                "closed_ms": fold.closed_ms,
                "newest_ms": fold.newest_ms,
                "next_offset": fold.next_offset + (fold.closed_ms >= ENDED),
            }
            add_row(rows, row)
        return rows

    def _problems(
        self, dead: Rows, lane: _Lane, problems: Iterable[tuple[str, Problem]], records: Records | None
    ) -> None:
        for model, problem in problems:
            message = lane.message(records, problem.offset)
            self._problem(dead, (lane.topic, lane.partition), model, problem, message)

    def _problem(self, dead: Rows, partition: Partition, model: str, problem: Problem, message: Message) -> None:
        self.counters.problem(problem, len(message.payload))
        if self._letters is not None and message is not NO_MESSAGE and not self._is_anybodys(partition[0], message):
            self._letters.send(partition, model, problem, message)
        if self._erasures and self._is_erased(partition[0], model, message):
            return
        row = {
            "topic": partition[0],
            "partition": partition[1],
            "offset": problem.offset,
            "model": model,
            "field": problem.field,
            "action": problem.action,
            "reason": problem.reason,
            "detail": problem.detail,
            "record_ms": message.record_ms,
            "payload": message.payload[:MAX_PAYLOAD_BYTES],
            "payload_bytes": len(message.payload),
        }
        add_row(dead, row)

    def _is_anybodys(self, topic: str, message: Message) -> bool:
        """Whether any model that reads the topic knows the message as one of an erased subject."""
        readers = self._readers[topic] if self._erasures else ()
        return any(self._is_erased(topic, watch.name, message) for watch, _ in readers)

    def _is_erased(self, topic: str, model: str, message: Message) -> bool:
        """Whether the message is of an erased subject; one that cannot be read is of nobody."""
        path = self._subjects.get(model)
        if path is None:
            return False
        # Larger than a decoder takes, it still is somebody's.
        subject = self._decoder(topic).text_at(message.value, message.headers, path)
        return subject != "" and self._erasures.covers(model, subject, message.record_ms)

    # -- partitions --------------------------------------------------------------------------------------------

    def _lane(self, topic: str, partition: int) -> _Lane:
        lane = self._lanes.get((topic, partition))
        if lane is None:
            lane = self._lanes[topic, partition] = self._new_lane(topic, partition)
        return lane

    def _decoder(self, topic: str) -> Decoder:
        if topic not in self._decoders:
            plans = [
                TopicPlan(watch.name, spec, watch.model.spec.schema_, watch.model.spec.keep.subject)
                for watch, spec in self._readers[topic]
            ]
            self._decoders[topic] = decoder_for(plans, self._schemas)
        return self._decoders[topic]

    def _new_lane(self, topic: str, partition: int) -> _Lane:
        readers = self._readers[topic]
        if not readers:
            raise LeewayError(f"no model reads {topic!r}")
        decoder = self._decoder(topic)
        decoder.forget(partition)
        folds: dict[str, PartitionFold | LabelFold] = {
            watch.name: (LabelFold if spec.kind == "labels" else PartitionFold)(
                watch, spec, topic, partition, self._erasures
            )
            for watch, spec in readers
        }
        lane = _Lane(topic, partition, decoder, folds)
        position, state = self._states.pop((topic, partition), (0, {}))
        lane.next_offset = lane.saved_offset = position
        if "decoder" in state:
            decoder.restore(partition, state["decoder"])
        for name, saved in state.get("folds", {}).items():
            if name in folds:
                folds[name].restore(saved)
        for name, gaps in state.get("gaps", {}).items():
            if name in folds:
                lane.gaps[name] = [OpenGap(*gap) for gap in gaps]
        return lane
