"""How far the performance of a model is worked out: a row that is written after all that it speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.evaluate.horizon import NOTHING_MS
from monitor.events import Partition
from sinks.store.batch import add_row, append, empty_rows
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["Progress"]


@dataclass(frozen=True)
class Progress:
    """How far one model is.

    Attributes
    ----------
    number : int
        Grows with each row.
    config : str
        What was compared with what, as a digest.
    judged_ms : int
        Every hour is judged whose time to be judged is not later.
    offsets : mapping of Partition to int
        Up to where predictions and labels were looked at.
    touched : mapping of int to int
        The hours to be worked out anew, each with the time at which it was touched.

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> store = MemoryStore()
    >>> Progress(1, "c", 7_200_000, {("labels", 0): 9}, {0: 5}).write(store, "fraud")
    >>> Progress.read(store, "fraud", "c").touched, Progress.read(store, "fraud", "another").number
    ({0: 5}, 1)
    """

    number: int = 0
    config: str = ""
    judged_ms: int = NOTHING_MS
    offsets: Mapping[Partition, int] = field(default_factory=dict)
    touched: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def read(cls, store: Store, model: str, config: str) -> Progress:
        """Return how far a model is; under another configuration it begins anew.

        Raises
        ------
        StoreError
        """
        for row in rows_of(store.read(Query("performance_progress", {"model": model}))):
            if row["config"] != config:
                return cls(row["number"], config)
            names = (name.rpartition("/") for name in row["partitions"])
            partitions = [(topic, int(number)) for topic, _, number in names]
            offsets = dict(zip(partitions, map(int, row["offsets"]), strict=True))
            touched = dict(zip(map(int, row["hours_ms"]), map(int, row["since_ms"]), strict=True))
            return cls(row["number"], config, row["judged_ms"], offsets, touched)
        return cls(config=config)

    def write(self, store: Store, model: str) -> None:
        """Store it.

        Raises
        ------
        StoreError
        """
        rows = empty_rows("performance_progress")
        partitions, hours = sorted(self.offsets), sorted(self.touched)
        row = {
            "model": model,
            "number": self.number,
            "config": self.config,
            "judged_ms": self.judged_ms,
            "partitions": [f"{topic}/{number}" for topic, number in partitions],
            "offsets": [self.offsets[partition] for partition in partitions],
            "hours_ms": hours,
            "since_ms": [self.touched[hour_ms] for hour_ms in hours],
        }
        add_row(rows, row)
        append(store, "performance_progress", rows)
