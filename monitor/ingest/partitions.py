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
    >>> said = Partitions(store)
    >>> said.know([("events", 0), ("events", 1)])
    >>> said.say({("events", 0): 7}, silent={("events", 0)})
    >>> store.read(Query("partitions"))["idle"].tolist()
    [1, 0]
    >>> said.wake(("events", 0), 9)
    >>> store.read(Query("partitions"))["idle"].tolist()
    [0, 0]
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: set[Partition] = set()
        self._said: dict[Partition, bool | None] = {}
        # A statement may be made, taken back and made again: no two of them are one append.
        self._name, self._count = uuid.uuid4().hex, 0

    def know(self, partitions: Iterable[Partition]) -> None:
        """Make partitions known, whoever reads them."""
        new = sorted(set(partitions) - self._known)
        self._append(dict.fromkeys(new, (UNREAD, False)))
        self._known.update(new)

    def retire(self, is_gone: Callable[[str], bool]) -> None:
        """Nobody waits any more for topics that are gone, until somebody reads them again.

        Parameters
        ----------
        is_gone : callable
            Says of a topic whether it is.
        """
        rows = self._store.read(Query("partitions", columns=("topic", "partition", "next_offset", "idle")))
        names = zip(rows["topic"], *(rows[name].tolist() for name in ("partition", "next_offset", "idle")), strict=True)
        gone = {(topic, number): (at, True) for topic, number, at, idle in names if not idle and is_gone(topic)}
        self._append(gone)
        self.forget(gone)
        self._known.difference_update(gone)

    def begin(self, partition: Partition, position: int) -> None:
        """Reading begins at ``position``: whether the partition is silent is not known, whatever was said before."""
        self._append({partition: (position, False)})
        self._said[partition] = None

    def say(self, positions: Mapping[Partition, int], silent: Collection[Partition]) -> None:
        """Say where partitions stand that are read here, and which of them are silent, as far as that is news.

        Parameters
        ----------
        positions : mapping of Partition to int
            The next offset of every partition that is read here.
        silent : collection of Partition
        """
        self.forget(self._said.keys() - positions.keys())
        news = {p: (at, p in silent) for p, at in positions.items() if self._is_news(p, p in silent)}
        self._append(news)
        for partition, (_, idle) in news.items():
            # Not silent as far as is known; the first messages, with their offset, will say so more loudly.
            self._said[partition] = True if idle else None

    def _is_news(self, partition: Partition, idle: bool) -> bool:
        return partition not in self._said or (self._said[partition] is True) != idle

    def wake(self, partition: Partition, position: int) -> None:
        """Messages have come, up to ``position``; call it before anything is written that depends on them."""
        if self._said.get(partition) is not False:
            self._append({partition: (position, False)})
            self._said[partition] = False

    def leave(self, positions: Mapping[Partition, int]) -> None:
        """Reading ends: nobody knows any more whether these partitions are silent."""
        self._append({p: (at, False) for p, at in positions.items() if self._said.get(p)})
        self.forget(list(self._said))

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Others read these partitions from now on, or they are read anew."""
        for partition in partitions:
            self._said.pop(partition, None)

    def _append(self, statements: Mapping[Partition, tuple[int, bool]]) -> None:
        rows: Rows = empty_rows("partitions")
        for (topic, partition), (offset, idle) in sorted(statements.items()):
            add_row(rows, {"topic": topic, "partition": partition, "next_offset": offset, "idle": int(idle)})
        if statements:
            self._count += 1
            self._store.append("partitions", rows, token=f"partitions/{self._name}/{self._count}")
