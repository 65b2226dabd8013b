"""A thread's work: one source, read until told to stop, with checkpoints in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from monitor.clock import Clock
from monitor.errors import SourceError
from monitor.ingest import Counters, Ingest
from monitor.sources.contract import Partition, Source
from sinks.store.contract import StoreError

__all__ = ["Worker"]

MAX_RECORDS = 20_000
POLL_S = 0.25
WRITE_EVERY_S, WRITE_ROWS = 0.25, 20_000
"""Rows are written when the oldest has waited so long, when there are so many, or when there is nothing to read."""
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 30.0
log = structlog.get_logger("leeway.worker")


class Worker:
    """Drives an :class:`~monitor.ingest.Ingest`.

    A source or store that does not answer is asked again, waiting twice as long each time up to half a minute;
    meanwhile nothing is read, so nothing is lost. After a failed write the source goes back to the checkpoints: it
    stays open if it can (a member of a Kafka group stays in it), and is opened anew otherwise.

    Parameters
    ----------
    ingest : Ingest
    source : Source
    clock : Clock
    stop : threading.Event
    checkpoint_every_s : float
    """

    def __init__(
        self, ingest: Ingest, source: Source, clock: Clock, stop: threading.Event, *, checkpoint_every_s: float
    ) -> None:
        self._ingest, self._source = ingest, source
        self._clock, self._stop = clock, stop
        self._checkpoint_every_s = checkpoint_every_s
        self._saved_s = self._written_s = clock.monotonic_s()
        self._active_s: dict[Partition, float] = {}
        self._turn = threading.Lock()
        self._anew = False
        self._source_open = False
        self.opened = False
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
                self._ingest.open()
                self._source_open = self.opened = True
                self.trouble = ""
        try:
            while not self._stop.is_set():
                with self._turn:
                    if self._anew:
                        self._leave()
                        return False
                    count = self._ingest.step(MAX_RECORDS, POLL_S, on_records=self._note, write=False)
                    self._write(count)
                    ended = self._ended(count)
                    self.opened, self.trouble = True, ""
                    if ended:
                        break
            with self._turn:
                if not self._anew:
                    self.save()
        finally:
            if self._stop.is_set() or self._source.bounded:
                self._source.close()
        return True

    def _write(self, count: int) -> None:
        """Write what waits if it is time, which changes nothing but when rows are seen."""
        now_s = self._clock.monotonic_s()
        if not self._ingest.unwritten:
            self._written_s = now_s
        elif not count or self._ingest.unwritten >= WRITE_ROWS or now_s - self._written_s >= WRITE_EVERY_S:
            self._ingest.write()
            self._written_s = self._clock.monotonic_s()

    def _ended(self, count: int) -> bool:
        if self._clock.monotonic_s() - self._saved_s >= self._checkpoint_every_s:
            self.save()
        ended = self._source.bounded and not count and self._source.at_end() >= self._source.assigned()
        if ended:
            self._ingest.finish()
        return ended

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
        positions = self._ingest.save()
        self._saved_s = self._clock.monotonic_s()
        commit: Callable[[dict[Partition, int]], None] | None = getattr(self._source, "commit", None)
        if commit is not None and positions:
            commit(positions)

    def _note(self, partition: Partition) -> None:
        self._active_s[partition] = self._clock.monotonic_s()

    def partitions(self) -> frozenset[Partition]:
        """Every partition that windows have to wait for."""
        return self._source.partitions()

    def idle(self, idle_after_s: float) -> frozenset[Partition]:
        """Partitions read to their end and silent for so long; all of an ended source."""
        if not self.opened:
            return frozenset()
        now_s = self._clock.monotonic_s()
        silent = set()
        for partition in self._source.at_end():
            since_s = self._active_s.setdefault(partition, now_s)
            if now_s - since_s >= idle_after_s:
                silent.add(partition)
        return frozenset(silent)

    def checkpoint_age_s(self) -> float:
        """Seconds since the last checkpoint."""
        return self._clock.monotonic_s() - self._saved_s
