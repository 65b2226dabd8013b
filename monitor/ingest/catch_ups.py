"""Partitions that are read under former configurations for a while, before the present ones come into force there.

Behind a checkpoint there may be rows that a process has written and has not saved, because it was killed, or has lost
the partition. The next one makes them again, the same, as long as it goes by the same configuration. Where that has
changed since, it would leave some of them behind, and others would be half of one configuration and half of the other.
So it reads under the former one again, as far as that process can have come: to the end that the log has by now. Then
it writes a checkpoint, and the present configuration comes into force behind that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog

from monitor.events import Partition
from monitor.ingest.epochs import REMOVED, Epoch
from monitor.ingest.readers import Readers
from monitor.sources.contract import Source

__all__ = ["CatchUps"]

MOST_TRIES = 2
"""From one position: messages at which the former configuration fails would otherwise be read for ever."""

log = structlog.get_logger("leeway.epochs")


@dataclass
class _CatchUp:
    readers: Readers
    end: int | None = None


class CatchUps:
    """Which partitions are behind, and where each has caught up.

    Parameters
    ----------
    readers : Readers
        Under the present configurations.
    """

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._of: dict[Partition, _CatchUp] = {}
        self._saved: dict[Partition, int] = {}
        self._tries: Counter[tuple[Partition, int]] = Counter()

    def note_saved(self, positions: Mapping[Partition, int]) -> None:
        """Nothing was written of these partitions behind these checkpoints."""
        self._saved |= positions

    def begin(self, partition: Partition, position: int, epochs: Mapping[str, Epoch]) -> Readers:
        """Return the readers with which a partition goes on from a checkpoint's position.

        Parameters
        ----------
        partition : Partition
        position : int
        epochs : mapping of str to Epoch
            The newest of each model.
        """
        self._of.pop(partition, None)
        is_whole = self._saved.pop(partition, None) == position
        changed = {
            watch.name: epochs[watch.name]
            for watch, source in self._readers[partition[0]]
            if source.kind != "labels"
            and watch.name in epochs
            and epochs[watch.name].config not in (watch.fold_hash, REMOVED)
        }
        if not changed or is_whole or self._tries[partition, position] >= MOST_TRIES:
            return self._readers
        self._tries[partition, position] += 1
        former = {model: self._readers.former(model, epoch.config) for model, epoch in changed.items()}
        usable = {model: watch for model, watch in former.items() if watch is not None}
        if not usable:
            return self._readers
        log.info(
            "a partition catches up under former configurations",
            topic=partition[0],
            partition=partition[1],
            models=sorted(usable),
            from_offset=position,
        )
        self._of[partition] = _CatchUp(self._readers.with_former(usable))
        return self._of[partition].readers

    def readers(self, partition: Partition) -> Readers:
        """Return the readers of a partition."""
        return self._of[partition].readers if partition in self._of else self._readers

    def are_over(self, positions: Mapping[Partition, int], source: Source) -> bool:
        """Whether all partitions that were behind have caught up now, to where the log ended when that was first known.

        Parameters
        ----------
        positions : mapping of Partition to int
            How far they are read.
        source : Source
        """
        if not self._of:
            return False
        ends, at_end, refused = source.ends(), source.at_end(), source.refused()
        behind = {partition: each for partition, each in self._of.items() if partition[0] not in refused}
        for partition, catch_up in behind.items():
            catch_up.end = ends.get(partition) if catch_up.end is None else catch_up.end
        return bool(behind) and all(
            partition in at_end or (catch_up.end is not None and positions.get(partition, 0) >= catch_up.end)
            for partition, catch_up in behind.items()
        )

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Others read these partitions now."""
        for partition in partitions:
            self._of.pop(partition, None)
