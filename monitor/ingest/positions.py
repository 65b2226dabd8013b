"""How far the partitions of one source have been read and saved, for its own reader and for whoever looks on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from monitor.clock import Clock
from monitor.events import Partition
from monitor.ingest.arrivals import Flow
from monitor.ingest.lag import Lag, Reached, lags
from monitor.ingest.late_events import LateEvents
from monitor.ingest.rejections import Rejections
from monitor.ingest.watermark import MOST_WITNESSES

__all__ = ["Positions"]

MOST_BEHIND = MOST_WITNESSES
"""So many messages behind what is read a checkpoint is current still: they may all be events that wait."""


class Positions:
    """Positions by partition. One thread writes them; others may read, since values are replaced and never changed.

    Parameters
    ----------
    clock : Clock

    Attributes
    ----------
    begun : dict of Partition to int
        Where each partition stands that was begun: the offset behind what is read, also if in part.
    late_events : LateEvents
    rejections : Rejections
    events : dict of Flow to int
        How many events were read of each model since its partition was begun.
    """

    def __init__(self, clock: Clock) -> None:
        self.begun: dict[Partition, int] = {}
        self.late_events, self.rejections = LateEvents(clock), Rejections(clock)
        self.events: dict[Flow, int] = {}
        self._clock = clock
        self._reached: dict[Partition, Reached] = {}

    def begin(self, partition: Partition, offset: int | None) -> None:
        """Reading begins at a checkpoint's offset; None without one."""
        self.begun[partition] = offset or 0
        saved = -1 if offset is None else offset
        self._reached[partition] = Reached(saved, -1, saved, -1, self._clock.monotonic_s())

    def read(self, partition: Partition, next_offset: int, record_ms: int | None = None) -> None:
        """Messages up to ``next_offset`` have been read, the last of them of this time."""
        self.begun[partition] = next_offset
        at = self._at(partition)
        read_ms = at.read_ms if record_ms is None else record_ms
        self._reached[partition] = replace(at, read=next_offset, read_ms=read_ms)

    def count(self, flow: Flow, events: int) -> None:
        """Events have been read."""
        self.events[flow] = self.events.get(flow, 0) + events

    def saved(self, partition: Partition, offset: int, record_ms: int | None = None) -> None:
        """A checkpoint says to go on at ``offset``; with a time, at a record of that time, which waits there."""
        at = self._at(partition)
        self._reached[partition] = replace(at, saved=offset, saved_ms=at.read_ms if record_ms is None else record_ms)

    def all_saved(self) -> None:
        """Checkpoints are current where they are not far behind; a partition that has not moved is where its own is."""
        now_s = self._clock.monotonic_s()
        for partition, at in self._reached.copy().items():
            if at.read - at.saved <= MOST_BEHIND:
                self._reached[partition] = replace(at, saved_s=now_s)

    def forget(self, partitions: Iterable[Partition] | None) -> None:
        """Drop partitions (all of them if None) that others read from now on, or that are read again."""
        forgotten = set(self._reached if partitions is None else partitions)
        for partition in forgotten:
            self._reached.pop(partition, None)
        self.late_events.forget(partitions)
        self.rejections.forget(partitions)
        self.events = {flow: n for flow, n in self.events.items() if (flow.topic, flow.partition) not in forgotten}

    def lags(self, ends: Mapping[Partition, int]) -> list[Lag]:
        """What lies between the positions and the partitions' ends."""
        return list(lags(self._reached.copy(), ends, self._clock.now_ms()))

    def record_ms(self) -> dict[Partition, int]:
        """The own time of the last record that was read of each partition; -1 if there is none."""
        return {partition: at.read_ms for partition, at in self._reached.copy().items()}

    def checkpoint_ages_s(self) -> dict[Partition, float]:
        """Seconds since the checkpoint of each partition that is read was last found to be current."""
        now_s = self._clock.monotonic_s()
        return {partition: now_s - at.saved_s for partition, at in self._reached.copy().items()}

    def _at(self, partition: Partition) -> Reached:
        return self._reached.get(partition) or Reached(saved_s=self._clock.monotonic_s())
