"""Which partitions there are and which are silent: what windows wait for, stated to every process through the store.

Whoever reads a partition says so in the table ``partitions``: where it stands and whether it is silent. Whoever
evaluates reads it there (:mod:`monitor.evaluate.horizon`), in the same process or another. Of several rows of a
partition the one with the largest offset counts, so that an owner who has lost the partition without knowing it changes
nothing once another one has read on. A partition that wakes up is stated under the offset behind its first messages.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping

from monitor.events import Partition
from sinks.store.batch import Rows, add_row, empty_rows
from sinks.store.contract import Query, Store

__all__ = ["Partitions"]

UNREAD = -1
"""The offset under which a partition is made known by somebody who does not read it: any reader's counts more."""


class Partitions:
    """What one reader says of the partitions; only changes are written.

    Parameters
    ----------
    store : Store

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> store = MemoryStore()
    >>> partitions = Partitions(store)
    >>> partitions.know(frozenset({("events", 0), ("events", 1)}))
    >>> partitions.say({("events", 0): 7}, silent={("events", 0)})
    >>> store.read(Query("partitions"))["idle"].tolist()
    [1, 0]
    >>> partitions.wake(("events", 0), 9)
    >>> store.read(Query("partitions"))["idle"].tolist()
    [0, 0]
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._partitions: frozenset[Partition] | None = None
        self._stated: set[Partition] = set()
        # Whether a partition is silent, as last stated; None where a statement may be overtaken by another reader's.
        self._silent: dict[Partition, bool | None] = {}
        # Whether what was said of topics that are gone may have been overtaken by what their last messages said.
        self._is_overtaken = False
        # A statement may be made, taken back and made again: no two of them are one append.
        self._name, self._count = uuid.uuid4().hex, 0

    def know(self, partitions: frozenset[Partition], is_gone: Callable[[str], bool] = lambda topic: False) -> None:
        """State which partitions there are, whoever reads them; nobody waits any more for topics that are gone.

        Parameters
        ----------
        partitions : frozenset of Partition
        is_gone : callable
            Says of a topic whether it is.
        """
        if partitions == self._partitions and not self._is_overtaken:
            return
        new = sorted(partitions - self._stated)
        self._append(dict.fromkeys(new, (UNREAD, False)))
        self._stated.update(new)
        self._retire(is_gone)
        self._partitions = partitions

    def begin(self, partition: Partition, position: int) -> None:
        """Reading begins at ``position``: whether the partition is silent is not known, whatever was said before."""
        self._state({partition: (position, False)})
        self._silent[partition] = None

    def say(self, positions: Mapping[Partition, int], silent: Collection[Partition]) -> None:
        """State where partitions stand that are read here, and which of them are silent, as far as that is news.

        Parameters
        ----------
        positions : mapping of Partition to int
            The next offset of every partition that is read here.
        silent : collection of Partition
        """
        self.forget(self._silent.keys() - positions.keys())
        news = {p: (at, p in silent) for p, at in positions.items() if self._is_news(p, p in silent)}
        self._state(news)
        for partition, (_, idle) in news.items():
            # Not silent as far as is known; the first messages, with their offset, will say so more loudly.
            self._silent[partition] = True if idle else None

    def _is_news(self, partition: Partition, idle: bool) -> bool:
        return partition not in self._silent or (self._silent[partition] is True) != idle

    def wake(self, partition: Partition, position: int) -> None:
        """Messages have come, up to ``position``; call it before anything is written that depends on them."""
        if self._silent.get(partition) is not False:
            self._state({partition: (position, False)})
            self._silent[partition] = False

    def leave(self, positions: Mapping[Partition, int]) -> None:
        """Reading ends: nobody knows any more whether these partitions are silent."""
        self._state({p: (at, False) for p, at in positions.items() if self._silent.get(p)})
        self.forget(list(self._silent))

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Others read these partitions from now on, or reading goes back to their checkpoints."""
        for partition in partitions:
            self._silent.pop(partition, None)

    def _retire(self, is_gone: Callable[[str], bool]) -> None:
        rows = self._store.read(Query("partitions", columns=("topic", "partition", "next_offset", "idle")))
        names = zip(rows["topic"], *(rows[name].tolist() for name in ("partition", "next_offset", "idle")), strict=True)
        gone = {(topic, number): (at, True) for topic, number, at, idle in names if not idle and is_gone(topic)}
        self._append(gone)
        self.forget(gone)
        self._stated.difference_update(gone)
        self._is_overtaken = False

    def _state(self, statements: Mapping[Partition, tuple[int, bool]]) -> None:
        self._is_overtaken |= self._partitions is not None and not statements.keys() <= self._partitions
        self._append(statements)

    def _append(self, statements: Mapping[Partition, tuple[int, bool]]) -> None:
        rows: Rows = empty_rows("partitions")
        for (topic, partition), (offset, idle) in sorted(statements.items()):
            add_row(rows, {"topic": topic, "partition": partition, "next_offset": offset, "idle": int(idle)})
        if statements:
            self._count += 1
            self._store.append("partitions", rows, token=f"partitions/{self._name}/{self._count}")
