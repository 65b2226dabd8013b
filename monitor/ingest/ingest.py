"""The ingest stage: records into panes, findings and dead letters; checkpoints.

One :class:`Ingest` drives one source, with a :class:`~monitor.ingest.lane.Lane` for each of its partitions. The order
of writes keeps the promises:

1. dead letters, findings, panes and single events, of one batch or of several;
2. the partitions' progress, which says up to where their panes are closed;
3. now and then, when what went to topics of dead letters is acknowledged, a checkpoint: state together with the next
   offset.

A crash between any two of them repeats rows, under the same keys and with the same content, and loses none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from monitor.clock import Clock, SystemClock
from monitor.decoders import Decoded
from monitor.erasure.erased import ErasureList
from monitor.errors import SourceError
from monitor.events import REJECTED, Appearance, Change, Gap, Partition, Problem, Records
from monitor.ingest.arrivals import Flow
from monitor.ingest.checkpoints import Checkpoints
from monitor.ingest.counters import Counters, add
from monitor.ingest.dead_letters import DeadLetters
from monitor.ingest.fold import Folded
from monitor.ingest.lane import Lane
from monitor.ingest.pending import Unwritten
from monitor.ingest.positions import Positions
from monitor.ingest.problems import Problems
from monitor.ingest.readers import Readers
from monitor.ingest.sightings import Sightings
from monitor.ingest.stopwatch import Stopwatch
from monitor.ingest.unregistered import union
from monitor.messages import LOG_TRUNCATED, NO_MESSAGE, OFFSETS_LOST, Message, is_cut, lost_text
from monitor.sources.contract import Resume, Source
from monitor.tracing.spans import Note, span
from sinks.store.contract import Store

__all__ = ["Ingest"]

log = structlog.get_logger("leeway.ingest")


class Ingest:
    """Drives one source.

    Parameters
    ----------
    readers : Readers
    store : Store
    source : Source
    erasures : ErasureList or None
        Read from the store if None.
    letters : DeadLetters or None
        Sends them to topics as well.
    clock : Clock or None
        For metrics; the machine's if None.

    Attributes
    ----------
    counters : Counters
    positions : Positions
    lost : list of Gap
        Messages that were gone before they were read, as they are found; whoever notifies people takes them off.
    """

    def __init__(
        self,
        readers: Readers,
        store: Store,
        source: Source,
        *,
        erasures: ErasureList | None = None,
        letters: DeadLetters | None = None,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self.source, self.counters, self.positions = source, Counters(), Positions(clock)
        self.lost: list[Gap] = []
        self._store, self._readers = store, readers
        self._erasures = ErasureList(store) if erasures is None else erasures
        self._problems = Problems(readers, self._erasures, letters, self.counters)
        self._checkpoints = Checkpoints(store, readers)
        self._lanes: dict[Partition, Lane] = {}
        self._unwritten = Unwritten()
        self._stopwatch = Stopwatch(clock, self.counters.seconds)

    @property
    def unwritten(self) -> int:
        """How many rows wait to be written."""
        return len(self._unwritten)

    def appeared(self) -> list[Appearance]:
        """The models that have to be registered before partitions are read on."""
        return [each for lane in list(self._lanes.values()) for each in lane.waits_for]

    def waiting(self) -> frozenset[Partition]:
        """Partitions that are not read on until models are registered."""
        return frozenset((each.topic, each.partition) for each in self.appeared())

    def beyond_room(self) -> dict[str, set[str]]:
        """The names of models for which there is no room, by template."""
        return union(lane.unregistered.beyond(self._readers.names) for lane in list(self._lanes.values()))

    def flows(self) -> dict[Flow, int]:
        """How many events were read of each model, from every partition that is read here now."""
        assigned = sorted(self.source.assigned())
        flows = [Flow(watch.name, *partition) for partition in assigned for watch, _ in self._readers[partition[0]]]
        return {flow: self.positions.events.get(flow, 0) for flow in flows}

    @property
    def sightings(self) -> Sightings:
        """What the messages have shown so far."""
        return self._readers.sightings

    @property
    def decoded(self) -> dict[str, int]:
        """How many messages went each way through the decoders that have several ways."""
        return self._readers.decoded

    def read_as(
        self,
        readers: Readers,
        source: Source | None = None,
        letters: DeadLetters | None = None,
        *,
        is_saved: bool = False,
    ) -> None:
        """Go by other configurations, and read from another source if there is one, once partitions are begun anew.

        Parameters
        ----------
        readers : Readers
        source : Source or None
        letters : DeadLetters or None
        is_saved : bool
            Whether all that was read is in checkpoints.

        Raises
        ------
        StoreError
        """
        checkpoints = Checkpoints(self._store, readers, self._checkpoints)
        if is_saved:
            checkpoints.leave(self._lanes)
            checkpoints.catch_ups.note_whole(self._checkpoints.whole)
        readers.go_on_from(self._readers)
        self._readers, self._checkpoints = readers, checkpoints
        self._problems.readers = readers
        if source is not None:
            self._problems.close()
            self.source, self._problems.letters = source, letters

    def open(self, on_begin: Callable[[Partition, int], None] = lambda partition, position: None) -> None:
        """Connect the source; every partition starts at its checkpoint.

        ``on_begin`` is called with each partition and its position before anything of it is read.

        Raises
        ------
        SourceError
        StoreError
        CheckpointError
            A checkpoint cannot be used, or its partition is another configuration's by now.
        """

        # The source calls it when a partition is assigned, which may be much later, and on any thread.
        def resume(topic: str, number: int) -> int | None:
            partition = (topic, number)
            self._readers.check(topic)
            offset, mark = self._checkpoints.resume(partition, self.source.ends().get(partition))
            self.source.recall(partition, mark)
            self.positions.begin(partition, offset)
            on_begin(partition, self.positions.begun[partition])
            return offset

        self._problems.open()
        self._open(resume)

    def _open(self, resume: Resume) -> None:
        while True:
            try:
                return self.source.open(resume)
            except SourceError as error:
                self._set_aside(error)

    def _polled(self, max_records: int, timeout_s: float) -> Sequence[Records]:
        try:
            return self.source.poll(max_records, timeout_s)
        except SourceError as error:
            self._set_aside(error)
            return []

    def _set_aside(self, error: SourceError) -> None:
        """Read on without the topics that an error is about: nobody who may only change a model stops all reading."""
        may_wait = error.retryable or self._readers.are_changing(error.topics)
        if not (error.topics and may_wait and self.source.set_aside(error.topics, str(error))):
            raise error

    def close(self) -> None:
        """Read no more: let go of the topics of dead letters. The source is the caller's to close."""
        self._problems.close()

    def forget(self, partitions: Iterable[Partition] | None = None) -> None:
        """Drop the state of partitions (all of them if None) that others read from now on, or that are read again.

        What was made of their events and not written yet is what will be made of them again, so it may as well be
        written beside that of other partitions.
        """
        if partitions is None:
            self._unwritten.clear()
        else:
            self._checkpoints.forget(partitions)
        for partition in list(self._lanes) if partitions is None else partitions:
            self._lanes.pop(partition, None)
        self.positions.forget(partitions)

    @property
    def has_caught_up(self) -> bool:
        """Whether partitions that were read under former configurations are to be begun under the present ones."""
        read = {partition: lane.next_offset for partition, lane in self._lanes.items()}
        return self._checkpoints.catch_ups.are_over(self._checkpoints.resumed | read, self.source)

    @property
    def catching_up(self) -> dict[Partition, tuple[str, ...]]:
        """Partitions that are read under former configurations here, with the models of which these are."""
        assigned = self.source.assigned()
        return {
            partition: models
            for partition, models in self._checkpoints.catch_ups.going_on.items()
            if partition in assigned
        }

    def end_catch_ups(self) -> None:
        """All that was read is in checkpoints: behind them partitions are begun under the present configurations."""
        self._checkpoints.catch_ups.note_whole(self._checkpoints.whole)

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
        with span("ingest") as ingesting:
            count = self._step(max_records, timeout_s, on_change, on_records)
            if write:
                self.write()
            ingesting.note(records=count)
            if not count:
                ingesting.forget()
        return count

    def _step(
        self,
        max_records: int,
        timeout_s: float,
        on_change: Callable[[Change], None],
        on_records: Callable[[Records], None],
    ) -> int:
        count = 0
        with self._stopwatch.step("poll") as polling:
            polled = self._polled(max_records, timeout_s)
            if not polled:
                polling.forget()
        for change in self.source.changes():
            add(self.counters.changes, change[0])
            self.forget(change[1])
            on_change(change)
        self._note_starts()
        self._record_gaps()
        for records in polled:
            on_records(records)
            with self._checkpoints.catch_ups.folding((records.topic, records.partition)):
                self._process(records)
            count += len(records)
        return count

    def _note_starts(self) -> None:
        """Where a partition starts stands in its first checkpoint, which is written before anything is made of it."""
        for partition, offset in self.source.starts().items():
            lane = self._lane(partition)
            lane.start(offset)
            self.positions.read(partition, offset)
            self._save(lane)

    def write(self) -> int:
        """Write the rows that wait; returns how many.

        Raises
        ------
        StoreError
        """
        with self._stopwatch.step("write") as writing:
            rows = self._unwritten.write(self._store)
            writing.note(rows=rows)
            if not rows:
                writing.forget()
        return rows

    def set_clocks(self) -> None:
        """Take up the clocks that people want to have set back.

        Raises
        ------
        StoreError
        """
        self._checkpoints.set_clocks(self._lanes)

    def holding(self) -> frozenset[Partition]:
        """Partitions of which events wait for those behind them."""
        return frozenset(partition for partition, lane in self._lanes.items() if lane.resume_offset < lane.next_offset)

    def finish(self) -> None:
        """The input has ended: close every pane. Only for bounded sources."""
        for partition in sorted(self.source.assigned()):
            lane = self._lane(partition)
            self._collect(lane, lane.finish(), None)
            self._unwritten.add("unregistered_models", lane.unregistered.rows())
        self.write()

    def save(self, *, is_last: bool = False) -> dict[Partition, int]:
        """Write a checkpoint of every partition that has moved; returns the offsets to go on from.

        Whoever was erased meanwhile, by another process too, is known from here on. With ``is_last`` nothing more is
        read, and the checkpoints say that nothing was written behind them.
        """
        for lane in self._lanes.values():
            self._unwritten.add("unregistered_models", lane.unregistered.rows())
        self.write()
        self._problems.flush(self._stopwatch)
        saved: dict[Partition, int] = {}
        with self._stopwatch.step("checkpoint") as saving:
            self._erasures.reload()
            for partition, lane in sorted(self._lanes.items()):
                if (offset := self._save(lane, is_last=is_last)) is not None:
                    saved[partition] = offset
            saving.note(partitions=len(saved))
            if not saved:
                saving.forget()
        self.positions.all_saved()
        return saved

    def _save(self, lane: Lane, *, is_last: bool = False) -> int | None:
        offset = self._checkpoints.save(lane, self.source.mark(lane.partition), is_last=is_last)
        if offset is not None:
            self.positions.saved(lane.partition, offset, lane.resume_record_ms)
        return offset

    def _lane(self, partition: Partition) -> Lane:
        lane = self._lanes.get(partition)
        if lane is None:
            topic = partition[0]
            readers = self._checkpoints.catch_ups.readers(partition)
            lane = Lane(partition, readers.decoder(topic), readers[topic], self._erasures)
            self._checkpoints.restore(lane)
            self._lanes[partition] = lane
        return lane

    def _process(self, records: Records) -> None:
        partition = (records.topic, records.partition)
        lane = self._lane(partition)
        if len(records) == 0 or lane.waits_for:
            return
        attributes = _attributes(records)
        with self._stopwatch.step("decode", **attributes):
            records, decoded = self._decoded(lane, records)
        if len(records) == 0:
            return
        self.counters.records += len(records)
        self.counters.bytes += records.payload_bytes
        self.counters.unmatched += decoded.unmatched
        if partition not in self._checkpoints.catch_ups.going_on:
            # They are of the present configurations; others may have had other fields.
            self._readers.sightings.note(records, self._readers.plans, decoded)
        self._report(lane, decoded.problems, records)
        for name, events in decoded.events.items():
            self.positions.count(Flow(name, *partition), len(events))
            if lane.carries_labels(name):
                self.counters.labels += len(events)
            else:
                self.counters.events += len(events)
        for gap_rows in lane.close_gaps(decoded.events):
            self._unwritten.add("gaps", gap_rows)
        with self._stopwatch.step("fold", **attributes, models=len(decoded.events)):
            folded = lane.fold(decoded.events, records)
        self._collect(lane, folded, records)
        self._note_rejected(lane, decoded, folded)
        lane.hold(records)
        self.positions.read(partition, lane.next_offset, int(records.timestamps_ms[-1]))

    def _decoded(self, lane: Lane, records: Records) -> tuple[Records, Decoded]:
        """Decode messages, up to the first one of a model that is to be registered."""
        names = self._readers.names
        if not names.sources(records.topic):
            return records, lane.decode(records)
        records, decoded = lane.decode_up_to_new(records, names)
        self.counters.unregistered += lane.unregistered.count(decoded.named, names)
        return records, decoded

    def _note_rejected(self, lane: Lane, decoded: Decoded, folded: Mapping[str, Folded]) -> None:
        of_fold = [(name, problem) for name, out in folded.items() for problem in out.problems]
        rejected = Counter(name for name, problem in of_fold if problem.action == REJECTED)
        events = {watch.name: 0 for watch, _ in self._readers[lane.partition[0]]}
        events |= {name: max(len(each) - rejected[name], 0) for name, each in decoded.events.items()}
        self.positions.rejections.note(lane.partition, events, [*decoded.problems, *of_fold])

    def _collect(self, lane: Lane, folded: Mapping[str, Folded], records: Records | None) -> None:
        for name, out in folded.items():
            self._report(lane, ((name, problem) for problem in out.problems), records)
            self.counters.late += out.late
            if out.events:
                clock_ms = lane.newest_ms(name)
                self.positions.late_events.note(
                    name, lane.partition, out.events, out.late, clock_ms, out.newest_late_ms
                )
            self.counters.findings += len(out.rows.get("findings", {"model": ()})["model"])
            for table, rows in out.rows.items():
                self._unwritten.add(table, rows)
        self._unwritten.add("progress", lane.progress())
        self._unwritten.add("label_progress", lane.label_progress())

    def _report(self, lane: Lane, problems: Iterable[tuple[str, Problem]], records: Records | None) -> None:
        messages = ((model, problem, lane.message(records, problem.offset)) for model, problem in problems)
        self._unwritten.add("dead_letters", self._problems.rows(lane.partition, messages))

    def _record_gaps(self) -> None:
        """Messages that were gone before they were read: a dead letter at the first of them, and the windows marked."""
        while self.source.gaps:
            gap = self.source.gaps.pop(0)
            partition, cut = gap[:2], is_cut(gap)
            lane = self._lane(partition)
            lacking = lane.lacking(gap)
            if not lacking:
                log.info("messages are gone that had been read", topic=gap[0], partition=gap[1], offsets=gap[2:])
                continue
            gap = (*partition, min(each[2] for each in lacking.values()), max(each[3] for each in lacking.values()))
            self.lost.append(gap)
            problems: list[tuple[str, Problem, Message]] = []
            if cut:
                problems += lane.begin_life(gap[3])
                self.positions.read(partition, gap[3])
            for rows in lane.open_gaps(lacking):
                self._unwritten.add("gaps", rows)
            reason = LOG_TRUNCATED if cut else OFFSETS_LOST
            problems.append(("", Problem(gap[2], REJECTED, reason, "", lost_text(gap)), NO_MESSAGE))
            self._unwritten.add("dead_letters", self._problems.rows(partition, problems))


def _attributes(records: Records) -> dict[str, Note]:
    """Where messages stand, as spans say it."""
    first, newest = int(records.offsets[0]), int(records.offsets[-1])
    return {"topic": records.topic, "partition": records.partition, "first_offset": first, "last_offset": newest}
