"""A thread's work: one source, read until told to stop, with checkpoints in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import structlog

from monitor.alerts.own import OwnAlerts
from monitor.clock import Clock
from monitor.errors import SourceError
from monitor.events import Change, Gap, Partition, Records
from monitor.ingest.counters import Counters, add
from monitor.ingest.ingest import Ingest
from monitor.ingest.lag import Lag, lags
from monitor.ingest.partitions import Partitions
from monitor.messages import is_cut
from monitor.sources.contract import Source
from sinks.store.contract import StoreError

__all__ = ["Worker"]

MAX_RECORDS = 20_000
POLL_S = 0.25
TELL_EVERY_S = 0.25
WRITE_ROWS = 20_000
"""So many rows are written at once; fewer when there is nothing to read, or others are told something."""
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 30.0
log = structlog.get_logger("leeway.worker")


class Worker:
    """Drives an :class:`~monitor.ingest.ingest.Ingest`.

    A source or store that does not answer is asked again, waiting twice as long each time up to half a minute;
    meanwhile nothing is read, so nothing is lost. After a failed write the source goes back to the checkpoints: it
    stays open if it can (a member of a Kafka group stays in it), and is opened anew otherwise.

    Parameters
    ----------
    ingest : Ingest
    source : Source
    partitions : Partitions
        Where others learn what this worker knows of its partitions.
    alerts : OwnAlerts
    clock : Clock
    stop : threading.Event
    checkpoint_every_s : float
    idle_after_s : float
        A partition that is read to its end is silent after so long without a message.
    """

    def __init__(
        self,
        ingest: Ingest,
        source: Source,
        partitions: Partitions,
        alerts: OwnAlerts,
        clock: Clock,
        stop: threading.Event,
        *,
        checkpoint_every_s: float,
        idle_after_s: float,
    ) -> None:
        self._ingest, self._source, self._partitions, self._alerts = ingest, source, partitions, alerts
        self._lost: list[Gap] = []
        self._clock, self._stop = clock, stop
        self._checkpoint_every_s, self._idle_after_s = checkpoint_every_s, idle_after_s
        self._saved_s = clock.monotonic_s()
        self._told_s = float("-inf")
        self._active_s: dict[Partition, float] = {}
        self._there: frozenset[Partition] | None = None
        self._turn = threading.Lock()
        self._anew = False
        self._source_open = False
        self.opened = False
        self.assigned: frozenset[Partition] = frozenset()
        self._ends: Mapping[Partition, int] = {}
        self.trouble = ""
        self.name = type(source).__name__.removesuffix("Source").lower()

    @property
    def counters(self) -> Counters:
        """What has come through this worker."""
        return self._ingest.counters

    def run(self) -> None:
        """Read until told to stop, or until a bounded source ends; leave with a checkpoint."""
        retry_s = FIRST_RETRY_S
        while not self._stop.is_set():
            try:
                if self._read():
                    return
                continue
            except (SourceError, StoreError) as error:
                if not error.retryable:
                    raise
                self.trouble = f": {error}"
                log.warning("reading failed; trying again", source=self.name, error=str(error), wait_s=retry_s)
                keep = isinstance(error, StoreError)
                add(self.counters.failures, "store" if keep else "source")
            if self.opened:
                retry_s = FIRST_RETRY_S
            self._leave(keep=keep)
            self._clock.wait(self._stop, retry_s)
            retry_s = min(2 * retry_s, LAST_RETRY_S)
        if self._source_open:
            self._source.close()

    def _read(self) -> bool:
        """Read to the end; False if it is to be begun anew at the checkpoints."""
        with self._turn:
            self._anew = False
            if not self._source_open:
                self._ingest.open(self._partitions.begin)
                self._source_open = True
                self._know()
                self.opened, self.trouble = True, ""
        try:
            while not self._stop.is_set():
                with self._turn:
                    if self._anew:
                        self._leave()
                        return False
                    ended = self._step()
                    self.opened, self.trouble = True, ""
                    if ended:
                        break
            with self._turn:
                if not self._anew:
                    self.save()
                    self._partitions.leave(self._positions())
        finally:
            if self._stop.is_set() or self._source.bounded:
                self._source.close()
        return True

    def _step(self) -> bool:
        """Read, write, tell and save what is due, which changes no row; True at the end of a bounded source."""
        count = self._ingest.step(MAX_RECORDS, POLL_S, on_change=self._note_change, on_records=self._note, write=False)
        begun = self._alarm()
        now_s = self._clock.monotonic_s()
        due = now_s - self._told_s >= TELL_EVERY_S
        if due or not count or self._ingest.unwritten >= WRITE_ROWS:
            self._ingest.write()
        if due:
            self._tell()
        # In which life a partition is has to be known before anything of it is read: later the log may not say so.
        if begun or now_s - self._saved_s >= self._checkpoint_every_s:
            self.save()
        ended = self._source.bounded and not count and self._source.at_end() >= self._source.assigned()
        if ended:
            self._ingest.finish()
        return ended

    def _alarm(self) -> bool:
        """People learn of lost messages at once; True if a log's next life has begun with them."""
        begun = any(map(is_cut, self._ingest.lost))
        while self._ingest.lost:
            gap = self._ingest.lost.pop(0)
            log.error("messages are lost", topic=gap[0], partition=gap[1], first_offset=gap[2], next_offset=gap[3])
            self._alerts.lost(gap)
            self._lost.append(gap)
        return begun

    def look_on(self) -> None:
        """Behind the end of a bounded source: partitions fall silent when their time has come."""
        while not self._clock.wait(self._stop, TELL_EVERY_S):
            self._tell()

    def _leave(self, *, keep: bool = False) -> None:
        """Forget what was read behind the checkpoints; let go of the source, unless it can be kept and go back."""
        keep = keep and self._source_open and not self._source.bounded
        rewind: Callable[[], None] | None = getattr(self._source, "rewind", None) if keep else None
        self.opened = False
        if rewind is None:
            self._source.close()
            self._source_open = False
        else:
            rewind()
        self._ingest.forget()
        self._lost.clear()
        self._partitions.forget(self._ingest.positions)

    @contextmanager
    def standstill(self) -> Iterator[None]:
        """Hold the worker between two batches, its checkpoints written; it then begins anew at the checkpoints.

        Another thread's to call.

        Raises
        ------
        StoreError
        """
        with self._turn:
            if self.opened and not self._stop.is_set():
                self.save()
                self._anew = True
            yield

    def save(self) -> None:
        """Write checkpoints, then tell the source, for lag tools."""
        self._ingest.write()
        # Before the checkpoint: whoever begins before the gap again finds it again, and ends the alert again.
        passed = [gap for gap in self._lost if self._ingest.positions.get(gap[:2], 0) > gap[2]]
        for gap in passed:
            self._alerts.passed(gap)
            self._lost.remove(gap)
        positions = self._ingest.save()
        self._saved_s = self._clock.monotonic_s()
        commit: Callable[[dict[Partition, int]], None] | None = getattr(self._source, "commit", None)
        if commit is not None and positions:
            commit(positions)

    def _note(self, records: Records) -> None:
        partition = (records.topic, records.partition)
        self._active_s[partition] = self._clock.monotonic_s()
        self._partitions.wake(partition, int(records.offsets[-1]) + 1)

    def _note_change(self, change: Change) -> None:
        what, changed = change
        log.info(f"partitions {what}", partitions=[f"{topic}/{partition}" for topic, partition in sorted(changed)])
        self._partitions.forget(changed)
        for partition in changed:
            self._active_s.pop(partition, None)

    def _tell(self) -> None:
        self._told_s = self._clock.monotonic_s()
        self._know()
        self._partitions.say(self._positions(), self._silent())
        self.assigned, self._ends = self._source.assigned(), self._source.ends()

    def _know(self) -> None:
        """Say which partitions there are, and of which topics nobody has to wait any more."""
        there = self._source.partitions()
        if there != self._there:
            self._partitions.know(there)
            if (is_gone := getattr(self._source, "is_gone", None)) is not None:
                self._partitions.retire(is_gone)
            self._there = there

    def _positions(self) -> dict[Partition, int]:
        begun = self._ingest.positions
        return {partition: begun[partition] for partition in self._source.assigned() if partition in begun}

    def _silent(self) -> set[Partition]:
        """Partitions read to their end and without a message for so long."""
        now_s = self._clock.monotonic_s()
        ended = self._source.at_end()
        return {p for p in ended if now_s - self._active_s.setdefault(p, now_s) >= self._idle_after_s}

    @property
    def paused_s(self) -> float:
        """Seconds for which a source that has to go on polling was paused, so far."""
        paused_s: float = getattr(self._source, "paused_s", 0.0)
        return paused_s

    @property
    def decoded(self) -> dict[str, int]:
        """How many messages went each way through the decoders."""
        return self._ingest.decoded

    def lags(self) -> list[Lag]:
        """What lies between the partitions' positions and their ends, as of a moment ago."""
        return list(lags(self._ingest.reached.copy(), self._ends, self._clock.now_ms()))

    def checkpoint_ages_s(self) -> dict[Partition, float]:
        """Seconds since the checkpoint of each partition that is read was last found to be current."""
        now_s = self._clock.monotonic_s()
        return {partition: now_s - at.saved_s for partition, at in self._ingest.reached.copy().items()}

    def checkpoint_age_s(self) -> float:
        """Seconds since the last checkpoint."""
        return self._clock.monotonic_s() - self._saved_s
