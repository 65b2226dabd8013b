"""A thread's work: one source, read until it ends or the service stops, with checkpoints in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from monitor.alerts.own import OwnAlerts
from monitor.clock import Clock
from monitor.errors import SourceError
from monitor.events import Appearance, Change, Partition, Records
from monitor.ingest.activity import Activity
from monitor.ingest.arrivals import Arrivals, Flow
from monitor.ingest.counters import Counters, add
from monitor.ingest.dead_letters import DeadLetters
from monitor.ingest.ingest import Ingest
from monitor.ingest.lag import Lag
from monitor.ingest.late_events import LateShare
from monitor.ingest.partitions import Partitions
from monitor.ingest.readers import Readers
from monitor.ingest.rejections import Rejected
from monitor.ingest.sightings import Sightings
from monitor.ingest.stopwatch import Timer
from monitor.messages import is_cut
from monitor.sources.contract import Source
from sinks.receivers.times import utc
from sinks.store.contract import Store, StoreError

__all__ = ["Status", "Worker"]

MAX_RECORDS = 20_000
POLL_S = 0.25
REPORT_EVERY_S = 0.25
WRITE_ROWS = 20_000
"""So many rows are written at once; fewer when there is nothing to read, or when others get a report."""
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 30.0
log = structlog.get_logger("leeway.worker")


@dataclass(slots=True)
class Status:
    """How a source is, for other threads: its values are replaced, never changed.

    Attributes
    ----------
    opened : bool
    trouble : str
        Why it is not, as the end of a sentence.
    assigned : frozenset of Partition
    ends : mapping of Partition to int
        The offset behind the last message of each partition, as far as it is known.
    gone_since : mapping of str to int
        Topics that were deleted, with since when, in ms.
    refused : mapping of str to str
        Topics of which nothing is read, with the reason.
    catching_up : mapping of Partition to tuple of str
        Partitions that are read under former configurations, with the models of which these are.
    """

    opened: bool = False
    trouble: str = ""
    assigned: frozenset[Partition] = frozenset()
    ends: Mapping[Partition, int] = field(default_factory=dict)
    gone_since: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    catching_up: Mapping[Partition, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Stated:
    """What others learn of what is read here, through the store."""

    partitions: Partitions
    arrivals: Arrivals
    alerts: OwnAlerts


@dataclass
class _Course:
    """What the worker does next, as other threads have it.

    Attributes
    ----------
    goes_back : bool
        To the checkpoints; with the source open if it ``stays_open``.
    source_open : bool
    former : Source or None
        Another source has taken its place, and it is to be closed.
    has_failed : bool
        Some of what was read may be half taken, and is in no checkpoint before it is forgotten.
    """

    goes_back: bool = False
    stays_open: bool = False
    source_open: bool = False
    former: Source | None = None
    has_failed: bool = False


class Worker:
    """Drives an :class:`~monitor.ingest.ingest.Ingest`.

    A source or store that does not answer is tried again, after twice as long each time up to half a minute; meanwhile
    nothing is read, so nothing is lost. After a failed write the source goes back to the checkpoints: it stays open if
    it can (a member of a Kafka group stays in it), and is opened again otherwise.

    Parameters
    ----------
    ingest : Ingest
    store : Store
        Where others learn which partitions there are, and about lost messages.
    clock : Clock
    stop : threading.Event
    checkpoint_every_s : float
    idle_after_s : float
        A partition that is read to its end is idle after so long without a message.

    Attributes
    ----------
    status : Status
    on_report : callable
        Called each time that it has said how it is, some times a second while it works.
    """

    def __init__(
        self,
        ingest: Ingest,
        store: Store,
        clock: Clock,
        stop: threading.Event,
        *,
        checkpoint_every_s: float,
        idle_after_s: float,
    ) -> None:
        self.status = Status()
        self.on_report: Callable[[], None] = lambda: None
        self._ingest, self._clock, self._stop = ingest, clock, stop
        self._stated = _Stated(Partitions(store), Arrivals(store, clock), OwnAlerts(store, clock))
        self._activity = Activity(clock, idle_after_s)
        self._checkpoints = Timer(clock, checkpoint_every_s)
        self._reports = Timer(clock, REPORT_EVERY_S, due=True)
        # Held for each batch, so that another thread can hold the worker between two of them.
        self._turn = threading.Lock()
        self._course = _Course()
        self._retired = threading.Event()

    @property
    def name(self) -> str:
        """The kind of the source, such as ``kafka``."""
        return type(self._ingest.source).__name__.removesuffix("Source").lower()

    @property
    def _is_over(self) -> bool:
        return self._stop.is_set() or self._retired.is_set()

    @property
    def _is_whole(self) -> bool:
        """Whether everything that was read may be in a checkpoint."""
        return self.status.opened and not self._is_over and not self._course.has_failed

    def run(self) -> None:
        """Read until a bounded source ends or the service stops; leave with a checkpoint."""
        self._run()
        if self._retired.is_set():
            self._ingest.close()

    def _run(self) -> None:
        retry_s = FIRST_RETRY_S
        while not self._is_over:
            try:
                if self._read():
                    return
                continue
            except (SourceError, StoreError) as error:
                if not error.retryable:
                    raise
                self.status.trouble = f": {error}"
                log.warning("reading failed; trying again", source=self.name, error=str(error), wait_s=retry_s)
                by_store = isinstance(error, StoreError)
                add(self.counters.failures, "store" if by_store else "source")
            if self.status.opened:
                retry_s = FIRST_RETRY_S
            with self._turn:
                self._go_back(stay_open=by_store)
            self._clock.wait(self._stop, retry_s)
            retry_s = min(2 * retry_s, LAST_RETRY_S)
        if self._course.source_open:
            self._ingest.source.close()

    def mend(self) -> None:
        """Have the next :meth:`run` go on from the checkpoints, after it failed."""
        with self._turn:
            self._go_back()

    def look_on(self) -> None:
        """Behind the end of a bounded source: partitions fall idle when their time has come."""
        while not self._is_over and not self._clock.wait(self._stop, REPORT_EVERY_S):
            self._report()

    @contextmanager
    def standstill(self) -> Iterator[None]:
        """Hold the worker between two batches, its checkpoints written; then it goes back to them.

        Another thread's to call.

        Raises
        ------
        StoreError
        """
        with self._turn:
            if self._is_whole:
                self.save()
                self._course.goes_back = True
            yield

    def read_as(self, readers: Readers, source: Source | None = None, letters: DeadLetters | None = None) -> None:
        """Go by other configurations from the next message on, which is where their epochs begin.

        Another thread's to call.

        Parameters
        ----------
        readers : Readers
        source : Source or None
            What reads in place of the source that there is, where other streams are to be read.
        letters : DeadLetters or None
            Where its dead letters go.

        Raises
        ------
        SourceError
        StoreError
            Everything stays as it was.
        """
        with self._turn:
            if is_saved := self._is_whole:
                self.save()
            former = self._ingest.source
            self._ingest.read_as(readers, source, letters, is_saved=is_saved)
            self._course.goes_back = self._course.stays_open = True
            if source is not None and self._course.source_open:
                self._course.former, self._course.source_open = former, False

    def retire(self) -> None:
        """Read no more, with a checkpoint of what was read."""
        self._retired.set()

    def save(self, *, is_last: bool = False) -> None:
        """Write checkpoints, show them to the source, for lag tools, and set clocks back as people have asked.

        Parameters
        ----------
        is_last : bool
            Whether nothing more is read.

        Raises
        ------
        SourceError
        StoreError
        """
        self._ingest.write()
        positions = self._ingest.save(is_last=is_last)
        self._checkpoints.restart()
        if positions:
            self._ingest.source.commit(positions)
        self._ingest.set_clocks()

    # -- figures -----------------------------------------------------------------------------------------------

    @property
    def counters(self) -> Counters:
        """What has come through this worker."""
        return self._ingest.counters

    @property
    def decoded(self) -> dict[str, int]:
        """How many messages went each way through the decoders."""
        return self._ingest.decoded

    @property
    def paused_s(self) -> float:
        """Seconds for which a source that has to go on polling was paused, so far."""
        return self._ingest.source.paused_s

    def lags(self) -> list[Lag]:
        """What lies between the partitions' positions and their ends, as of a moment ago."""
        return self._ingest.positions.lags(self.status.ends)

    def appeared(self) -> list[Appearance]:
        """The models that have to be registered before partitions are read on."""
        return self._ingest.appeared()

    def beyond_room(self) -> dict[str, set[str]]:
        """The names of models for which there is no room, by template."""
        return self._ingest.beyond_room()

    @property
    def sightings(self) -> Sightings:
        """What the messages have shown so far."""
        return self._ingest.sightings

    def events(self) -> dict[Flow, int]:
        """How many events were read of each model, by partition, since it was begun."""
        return self._ingest.positions.events.copy()

    def late_shares(self) -> list[LateShare]:
        """How many events came late in the last minutes."""
        return self._ingest.positions.late_events.shares()

    def rejected(self) -> list[Rejected]:
        """What became of the newest messages, by model and topic."""
        return self._ingest.positions.rejections.newest()

    def checkpoint_ages_s(self) -> dict[Partition, float]:
        """Seconds since the checkpoint of each partition that is read was last found to be current."""
        return self._ingest.positions.checkpoint_ages_s()

    def checkpoint_age_s(self) -> float:
        """Seconds since the last checkpoint."""
        return self._checkpoints.elapsed_s

    # -- reading -----------------------------------------------------------------------------------------------

    def _read(self) -> bool:
        """Read to the end; False if reading has gone back to the checkpoints."""
        with self._turn:
            self._course.goes_back = self._course.stays_open = False
            self._leave_former()
            source = self._ingest.source
            if not self._course.source_open:
                self._ingest.open(self._stated.partitions.begin)
                self._course.source_open = True
                self._stated.partitions.know(source.partitions(), source.is_gone)
                self._note_opened()
        try:
            while not self._is_over:
                with self._own_turn():
                    if self._course.goes_back:
                        self._go_back(stay_open=self._course.stays_open)
                        return False
                    ended = self._step()
                    self._note_opened()
                    if ended:
                        break
            with self._own_turn():
                if not self._course.goes_back:
                    self.save(is_last=self._is_over)
                    self._stated.partitions.leave(self._positions())
        finally:
            if self._is_over or source.bounded:
                source.close()
        return True

    @contextmanager
    def _own_turn(self) -> Iterator[None]:
        with self._turn:
            try:
                yield
            except BaseException:
                self._course.has_failed = True
                raise

    def _step(self) -> bool:
        """Read, write, report and save what is due, which changes no row; True at the end of a bounded source."""
        source = self._ingest.source
        count = self._ingest.step(MAX_RECORDS, POLL_S, on_change=self._note_change, on_records=self._note, write=False)
        next_life = self._alert()
        reports = self._reports.is_due
        if reports or not count or self._ingest.unwritten >= WRITE_ROWS:
            self._ingest.write()
        if reports:
            self._report()
        # In which life a partition is has to be known before anything of it is read: later the log may not say so.
        has_caught_up = self._ingest.has_caught_up
        if next_life or has_caught_up or self._checkpoints.is_due:
            self.save()
        if has_caught_up:
            self._ingest.end_catch_ups()
            self._course.goes_back = self._course.stays_open = True
        is_read = source.bounded and not count and source.at_end() >= source.assigned()
        ended = is_read and not self._ingest.appeared()
        if ended:
            self._ingest.finish()
        return ended

    def _alert(self) -> bool:
        """People learn of lost messages at once; True if a log's next life has begun with them."""
        next_life = any(map(is_cut, self._ingest.lost))
        while self._ingest.lost:
            gap = self._ingest.lost.pop(0)
            log.error("messages are lost", topic=gap[0], partition=gap[1], first_offset=gap[2], next_offset=gap[3])
            self._stated.alerts.lost(gap)
        return next_life

    def _go_back(self, *, stay_open: bool = False) -> None:
        """Forget what was read behind the checkpoints; the next reading starts there."""
        self.status.opened = self._course.has_failed = False
        if self._course.former is not None:
            self._leave_former()
        elif not (stay_open and self._course.source_open and self._ingest.source.rewind()):
            self._ingest.source.close()
            self._course.source_open = False
        self._ingest.forget()
        self._stated.partitions.forget(self._ingest.positions.begun)
        self._stated.arrivals.forget()

    def _leave_former(self) -> None:
        """Close the source that another one has replaced."""
        former, self._course.former = self._course.former, None
        if former is not None:
            former.close()

    def _note_opened(self) -> None:
        self.status.opened, self.status.trouble = True, ""

    def _note(self, records: Records) -> None:
        partition = (records.topic, records.partition)
        self._activity.note(partition)
        self._stated.partitions.wake(partition, int(records.offsets[-1]) + 1)

    def _note_change(self, change: Change) -> None:
        kind, changed = change
        log.info(f"partitions {kind}", partitions=[f"{topic}/{partition}" for topic, partition in sorted(changed)])
        self._stated.partitions.forget(changed)
        self._activity.forget(changed)
        self._stated.arrivals.forget(changed)

    def _report(self) -> None:
        """Tell others which partitions there are, where they stand and which are idle, as far as that is news."""
        source = self._ingest.source
        self._reports.restart()
        partitions = source.partitions()
        self._stated.partitions.know(partitions, source.is_gone)
        # What waits for a model to be registered is not read to its end, though nothing comes behind it.
        at_end = source.at_end() - self._ingest.waiting()
        # A group takes the partitions of a topic away some time after the topic is gone.
        present = {p: at for p, at in self._positions().items() if p in partitions or not source.is_gone(p[0])}
        self._stated.partitions.say(present, self._activity.idle(at_end))
        self.status.assigned, self.status.ends = source.assigned(), source.ends()
        self.status.catching_up = self._ingest.catching_up
        self._note_gone(source.gone_since())
        self._note_refused(source.refused())
        if not source.bounded:  # of what ends nothing more is waited for
            flows, record_ms = self._ingest.flows(), self._ingest.positions.record_ms()
            self._stated.arrivals.look(flows, record_ms, at_end, source.unanswered())
            self._stated.arrivals.retire(partitions, source.is_gone)
        self.on_report()

    def _note_gone(self, gone_since: Mapping[str, int]) -> None:
        for topic in gone_since.keys() - self.status.gone_since.keys():
            log.error("a topic is gone", topic=topic, since=utc(gone_since[topic]))
        for topic in self.status.gone_since.keys() - gone_since.keys():
            log.info("a topic is there again", topic=topic)
        self.status.gone_since = gone_since

    def _note_refused(self, refused: Mapping[str, str]) -> None:
        for topic in refused.keys() - self.status.refused.keys():
            log.error("a topic is not read; trying again", topic=topic, reason=refused[topic])
        for topic in self.status.refused.keys() - refused.keys():
            log.info("a topic is read again", topic=topic)
        self.status.refused = refused

    def _positions(self) -> dict[Partition, int]:
        begun = self._ingest.positions.begun
        return {partition: begun[partition] for partition in self._ingest.source.assigned() if partition in begun}
