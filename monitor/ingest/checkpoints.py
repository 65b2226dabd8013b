"""From where the partitions of a source go on, and as what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from monitor import checkpoint
from monitor.checkpoint import Checkpoint
from monitor.errors import SourceError
from monitor.events import Partition
from monitor.ingest.catch_ups import CatchUps
from monitor.ingest.epochs import Epochs
from monitor.ingest.label_fold import LABELS
from monitor.ingest.lane import Lane
from monitor.ingest.readers import Readers
from monitor.ingest.set_clocks import ASKED, read_set_clocks, take_up
from monitor.sources.contract import Mark
from sinks.store.contract import Store

__all__ = ["Checkpoints"]

STAGE = "ingest"

_COMPLETE = "complete"
"""In a checkpoint's state: nothing was written of what lies behind it, since its process has stopped there."""


class Checkpoints:
    """The checkpoints of the partitions that one process reads.

    A partition is resumed when its source is given it, and restored when its first messages are there: between the two
    it may be taken away and given again, and then the newer checkpoint counts.

    Parameters
    ----------
    store : Store
    readers : Readers
    former : Checkpoints or None
        Those of the configurations that these follow.

    Attributes
    ----------
    catch_ups : CatchUps
    """

    def __init__(self, store: Store, readers: Readers, former: Checkpoints | None = None) -> None:
        self.catch_ups = CatchUps(readers)
        self._store, self._readers = store, readers
        self._epochs = Epochs(store, self._reads, readers.may_change, readers.unread)
        if former is not None:
            self._epochs.go_on_from(former._epochs, readers.changed_since(former._readers))
        self._states: dict[Partition, tuple[int, Mapping[str, Any]]] = {}
        self._saved: dict[Partition, int] = {}
        self._complete: dict[Partition, Checkpoint] = {}
        """Checkpoints behind which nothing was written, without the note that says so."""

    def resume(self, partition: Partition, end: int | None = None) -> tuple[int | None, Mark]:
        """Return the next offset of a partition by its checkpoint, None without one, and which log it is of.

        Parameters
        ----------
        partition : Partition
        end : int or None
            Where the log ends, if that is known by now.

        Raises
        ------
        StoreError
        CheckpointError
            The checkpoint cannot be used, or the partition is another configuration's by now.
        """
        loaded = checkpoint.load(self._store, STAGE, *partition)
        position, state = (0, {}) if loaded is None else loaded
        folds = state.get("folds", {})
        labels = {name: saved for name, saved in folds.items() if saved["config"] == LABELS}
        others = {name: saved for name, saved in folds.items() if name not in labels}
        self._saved[partition] = position
        self._know_complete(partition, position, state)
        epochs = self._epochs.of(partition)
        if any(name in epochs and epochs[name].config != saved["config"] for name, saved in others.items()):
            end = None  # the checkpoint is older than what was folded last: that may lie before it
        readers = self.catch_ups.begin(partition, position, epochs, end)[partition[0]]
        configs = {watch.name: watch.fold_hash for watch, source in readers if source.kind != "labels"}
        try:
            position, resumed = self._epochs.settle(partition, configs, position, others, epochs)
        except SourceError:
            self.catch_ups.give_up(partition)
            raise
        self._states[partition] = position, {**state, "folds": labels | resumed}
        return None if loaded is None else position, state.get("log", {})

    def _know_complete(self, partition: Partition, position: int, state: dict[str, Any]) -> None:
        """Take the note off a state that nothing was written behind it; it holds until something is."""
        self._complete.pop(partition, None)
        if state.pop(_COMPLETE, False):
            self._complete[partition] = Checkpoint(STAGE, *partition, position, _configs_of(state), state)
            self.catch_ups.note_whole({partition: position})

    @property
    def resumed(self) -> dict[Partition, int]:
        """Where partitions go on that are not restored yet."""
        return {partition: position for partition, (position, _) in self._states.items()}

    @property
    def whole(self) -> dict[Partition, int]:
        """The positions of checkpoints behind which nothing was written, if everything that was read is in one."""
        return {partition: at for partition, at in self._saved.items() if not self.catch_ups.is_behind(partition)}

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Others may have read these partitions meanwhile; those that were resumed since go on as they were resumed."""
        for partition in partitions:
            self._saved.pop(partition, None)
            self.catch_ups.forget(partition)

    def leave(self, lanes: Mapping[Partition, Lane]) -> None:
        """Note of partitions that nobody reads under these configurations where their models have ended.

        Raises
        ------
        StoreError
        """
        self._epochs.leave(
            {partition: lane.settled for partition, lane in lanes.items() if not self._readers[partition[0]]}
        )

    def restore(self, lane: Lane) -> None:
        """Take a partition that has just been begun to where :meth:`resume` said that it goes on.

        Rows are written behind its checkpoint from here on, which does not say otherwise any more.

        Raises
        ------
        StoreError
        """
        if (complete := self._complete.pop(lane.partition, None)) is not None:
            checkpoint.save(self._store, complete)
        position, state = self._states.pop(lane.partition, (0, {}))
        lane.know_set_clocks([each for each in read_set_clocks(self._store, lane.partition) if each.has_effect])
        lane.restore(position, state)

    def set_clocks(self, lanes: Mapping[Partition, Lane]) -> None:
        """Take up the clocks that people want to have set back, each from the next event on.

        Raises
        ------
        StoreError
        """
        set_clocks = read_set_clocks(self._store)
        for request in [each for each in set_clocks if each.from_offset == ASKED]:
            lane = lanes.get((request.topic, request.partition))
            stands = None if lane is None else lane.position(request.model)
            if stands is not None:
                set_clocks.append(take_up(self._store, request, *stands))
        with_effect = [each for each in set_clocks if each.has_effect]
        for partition, lane in lanes.items():
            lane.know_set_clocks([each for each in with_effect if (each.topic, each.partition) == partition])

    def _reads(self, topic: str, model: str) -> str:
        return "".join(json.dumps(watch.reads(source)) for watch, source in self._readers[topic] if watch.name == model)

    def save(self, lane: Lane, mark: Mark, *, is_last: bool = False) -> int | None:
        """Write a checkpoint, if the partition has moved; return the offset to go on from.

        Parameters
        ----------
        lane : Lane
        mark : mapping
        is_last : bool
            Whether nothing is written behind it here: it says so, so that another configuration may begin there.

        Raises
        ------
        StoreError
        """
        is_complete = is_last and not lane.ended and not self.catch_ups.is_behind(lane.partition)
        if not (lane.has_moved or is_complete):
            return None
        state = lane.snapshot() | ({"log": dict(mark)} if mark else {}) | ({_COMPLETE: True} if is_complete else {})
        offset = lane.resume_offset
        checkpoint.save(self._store, Checkpoint(STAGE, *lane.partition, offset, _configs_of(state), state))
        lane.saved()
        self._saved[lane.partition] = offset
        return offset


def _configs_of(state: Mapping[str, Any]) -> str:
    """For people who look: under which configurations a state came about."""
    return " ".join(f"{name}={fold['config']}" for name, fold in sorted(state.get("folds", {}).items()))
