"""Partitions that are read under former configurations for a while, before the present ones come into force there.

Behind a checkpoint there may be rows that a process has written and has not saved, because it was killed, or has lost
the partition. The next one makes them again, the same, as long as it goes by the same configuration. Where that has
changed since, it would leave some of them behind, and others would be half of one configuration and half of the other.
So it reads under the former one again, as far as that process can have come: to the end that the log has by now. Then
it writes a checkpoint, and the present configuration comes into force behind that. Behind the last checkpoints of a
process that has stopped there is nothing, which they say (`checkpoints`): the present one comes into force there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog

from monitor.errors import LeewayError
from monitor.events import Partition
from monitor.ingest.epochs import REMOVED, Epoch
from monitor.ingest.readers import Readers
from monitor.sources.contract import Source
from monitor.watch import Watch
from sinks.store.contract import StoreError

__all__ = ["CatchUps"]

log = structlog.get_logger("leeway.epochs")


class CatchUps:
    """Which partitions are behind what others may have written, and which of them go by former configurations.

    Parameters
    ----------
    readers : Readers
        Under the present configurations.
    """

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._former: dict[Partition, Readers] = {}
        self._models: dict[Partition, tuple[str, ...]] = {}
        self._ends: dict[Partition, int | None] = {}
        """Of those that are behind: where the log ended when that was first known."""
        self._whole: dict[Partition, int] = {}
        self._failed: set[Partition] = set()

    def note_whole(self, positions: Mapping[Partition, int]) -> None:
        """Nothing was written of these partitions behind checkpoints of these positions."""
        self._whole |= positions

    def is_behind(self, partition: Partition) -> bool:
        """Whether others may have written rows of a partition that are not made again yet."""
        return partition in self._ends

    @property
    def going_on(self) -> dict[Partition, tuple[str, ...]]:
        """Partitions that go by former configurations, with the models of which these are."""
        return {partition: self._models[partition] for partition in self._former}

    def begin(self, partition: Partition, position: int, epochs: Mapping[str, Epoch], end: int | None) -> Readers:
        """Return the readers with which a partition goes on from a checkpoint's position.

        Parameters
        ----------
        partition : Partition
        position : int
        epochs : mapping of str to Epoch
            The newest of each model.
        end : int or None
            Where the log ends, if that is known by now.
        """
        self._former.pop(partition, None)
        self._ends.pop(partition, None)
        if self._whole.pop(partition, None) == position or (end is not None and position >= end):
            return self._readers
        self._ends[partition] = end
        former = {} if partition in self._failed else self._former_watches(partition, epochs)
        if former:
            log.info(
                "a partition catches up under former configurations",
                topic=partition[0],
                partition=partition[1],
                models=sorted(former),
                from_offset=position,
            )
            self._former[partition] = self._readers.with_former(former)
            self._models[partition] = tuple(sorted(former))
        return self.readers(partition)

    def _former_watches(self, partition: Partition, epochs: Mapping[str, Epoch]) -> dict[str, Watch]:
        present = {watch.name: watch.fold_hash for watch, source in self._readers[partition[0]]}
        changed = {
            model: epoch.config
            for model, epoch in epochs.items()
            if epoch.config not in (present.get(model), REMOVED) and model not in self._readers.unread
        }
        former = {model: self._readers.former(model, config) for model, config in changed.items()}
        if lost := sorted(model for model, watch in former.items() if watch is None and model in present):
            log.error(
                "rows that a killed process has written are not made again: the former version of their model is not"
                " found or cannot be used",
                topic=partition[0],
                partition=partition[1],
                models=lost,
            )
        return {model: watch for model, watch in former.items() if watch is not None}

    @contextmanager
    def folding(self, partition: Partition) -> Iterator[None]:
        """Give a catch-up up in which folding fails: those messages would be read for ever."""
        try:
            yield
        except (StoreError, LeewayError):
            raise
        except Exception as error:
            if partition in self._former:
                self._failed.add(partition)
                log.error(
                    "a partition does not catch up: a former configuration fails",
                    topic=partition[0],
                    partition=partition[1],
                    error=repr(error),
                )
            raise

    def readers(self, partition: Partition) -> Readers:
        """Return the readers of a partition."""
        return self._former.get(partition, self._readers)

    def are_over(self, positions: Mapping[Partition, int], source: Source) -> bool:
        """Whether all partitions that go by former configurations are as far as others can have come.

        Parameters
        ----------
        positions : mapping of Partition to int
            How far partitions are read.
        source : Source
        """
        if not (self._ends or self._former):
            return False
        ends, at_end, assigned, refused = source.ends(), source.at_end(), source.assigned(), source.refused()
        for partition, known_end in list(self._ends.items()):
            end = ends.get(partition) if known_end is None else known_end
            self._ends[partition] = end
            if partition in at_end or (end is not None and positions.get(partition, 0) >= end):
                del self._ends[partition]
        caught_up = {partition for partition in self._former if partition in assigned and partition[0] not in refused}
        return bool(caught_up) and not caught_up & self._ends.keys()

    def forget(self, partition: Partition) -> None:
        """Others may have read a partition meanwhile."""
        self._whole.pop(partition, None)

    def give_up(self, partition: Partition) -> None:
        """A partition is not begun after all."""
        self._former.pop(partition, None)
        self._ends.pop(partition, None)
