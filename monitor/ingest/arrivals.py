"""What has come of each model, by partition, stated to whoever watches for silence: through the store.

The table ``arrivals`` says by the clock, and not by event time, how many events of a model came from a partition, when
the last of them came, and whether the partition is read to its end. Rows are written every ten seconds, also if nothing
comes: where they stop, nobody reads, which is not the model's silence. A replay writes none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from monitor.clock import Clock
from monitor.events import Partition
from monitor.ingest.stopwatch import Timer
from sinks.store.batch import Rows, add_row, append, empty_rows
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["BEHIND", "COMPLETE", "GONE", "Arrivals", "Flow"]

EVERY_S = 10.0
NEAR_MS = 30_000
"""A partition whose last record that was read is no older is as good as read to its end."""

BEHIND, COMPLETE, GONE, UNANSWERED = 0, 1, 2, 3
"""How a partition stands: there is more than was read; all was read; there is no such partition any more; no broker
answers, so that nobody knows what there is."""


@dataclass(frozen=True)
class Flow:
    """What comes from one partition for one model; the key of a row.

    Attributes
    ----------
    model, topic : str
    partition : int
    signal : str
        Empty, since every event counts.
    """

    model: str
    topic: str
    partition: int
    signal: str = ""


@dataclass
class _Arrived:
    """The values of a row."""

    since_ms: int
    events: int = 0
    last_ms: int = 0
    number: int = 0
    standing: int = BEHIND
    counted: int = 0
    """How many events of those that were read have been taken in."""


class Arrivals:
    """What one reader has seen come.

    Parameters
    ----------
    store : Store
    clock : Clock

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> store, clock = MemoryStore(), ManualClock(now_ms=60_000)
    >>> arrivals, events = Arrivals(store, clock), Flow("fraud", "payments", 0)
    >>> arrivals.look({events: 0}, {}, at_end={("payments", 0)})
    >>> clock.advance(10)
    >>> arrivals.look({events: 3}, {}, at_end={("payments", 0)})
    >>> [(row["events"], row["last_ms"]) for row in rows_of(store.read(Query("arrivals")))]
    [(3, 70000)]
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._due = Timer(clock, EVERY_S, due=True)
        self._arrived: dict[Flow, _Arrived] = {}
        self._stored: dict[Flow, dict[str, Any]] | None = None
        self._complete: frozenset[Partition] = frozenset()

    def look(
        self,
        counts: Mapping[Flow, int],
        record_ms: Mapping[Partition, int],
        at_end: Collection[Partition],
        unanswered: Collection[Partition] = (),
    ) -> None:
        """Note what has come since the last look, and state it when that is due.

        What comes from a partition that was read to its end comes now. Of what waited there the record's own time says
        when it came; what was counted before is read again after a failure, and does not come again.

        Parameters
        ----------
        counts : mapping of Flow to int
            How many events were read of each so far, of every partition that is read.
        record_ms : mapping of Partition to int
            The own time of the last record that was read; missing or negative where there is none.
        at_end : collection of Partition
            Which are read to their end.
        unanswered : collection of Partition
            For which no broker answers.

        Raises
        ------
        StoreError
        """
        now_ms = self._clock.now_ms()
        for flow, count in counts.items():
            arrived = self._of(flow, now_ms)
            partition = (flow.topic, flow.partition)
            came = count - arrived.counted
            arrived.counted = count
            # Where much comes, there is always a little more than was read.
            is_near = 0 <= now_ms - record_ms.get(partition, 0) <= NEAR_MS
            if partition in at_end or is_near:
                arrived.standing = COMPLETE
            elif partition in unanswered and arrived.standing == BEHIND:
                arrived.standing = UNANSWERED
            if came > 0:
                self._note(arrived, came, now_ms, None if partition in self._complete else record_ms.get(partition))
        self._complete = frozenset(at_end)
        if self._due.is_due:
            self._due.restart()
            self._state({flow: self._arrived[flow] for flow in counts})
            for arrived in self._arrived.values():
                arrived.standing = BEHIND  # until it is at its end again, once before the next statement

    def retire(self, partitions: Collection[Partition], is_gone: Callable[[str], bool]) -> None:
        """State that nothing more is waited for of partitions that their topics do not have, or whose topics are gone.

        Parameters
        ----------
        partitions : collection of Partition
            All that the source has now.
        is_gone : callable
            Says of a topic whether it is.

        Raises
        ------
        StoreError
        """
        topics = {topic for topic, _ in partitions}
        gone: dict[Flow, _Arrived] = {}
        for flow, row in self._rows().items():
            is_missing = flow.topic in topics and (flow.topic, flow.partition) not in partitions
            if row["standing"] != GONE and (is_missing or is_gone(flow.topic)):
                row["standing"] = GONE
                gone[flow] = _Arrived(row["since_ms"], row["events"], row["last_ms"], row["number"], GONE)
        self._state(gone)

    def forget(self, partitions: Collection[Partition] | None = None) -> None:
        """Others read these partitions (all of them if None) from now on, or they are read again from a checkpoint."""
        for flow in list(self._arrived):
            if partitions is None or (flow.topic, flow.partition) in partitions:
                del self._arrived[flow]
        self._complete = frozenset() if partitions is None else self._complete - set(partitions)
        self._stored = None

    def _note(self, arrived: _Arrived, came: int, now_ms: int, record_ms: int | None) -> None:
        at_ms = now_ms if record_ms is None or record_ms <= 0 else min(record_ms, now_ms)
        if record_ms is None or at_ms > arrived.last_ms:
            arrived.events += came
            arrived.last_ms = at_ms

    def _of(self, flow: Flow, now_ms: int) -> _Arrived:
        if flow not in self._arrived:
            row = self._rows().get(flow, {"last_ms": 0, "number": 0})
            self._arrived[flow] = _Arrived(now_ms, 0, row["last_ms"], row["number"])
        return self._arrived[flow]

    def _state(self, flows: Mapping[Flow, _Arrived]) -> None:
        rows: Rows = empty_rows("arrivals")
        now_ms = self._clock.now_ms()
        for flow, arrived in flows.items():
            # Of two rows the larger number counts: clocks go back.
            arrived.number = max(arrived.number + 1, now_ms)
            counted = {name: getattr(arrived, name) for name in ("since_ms", "events", "last_ms", "number", "standing")}
            add_row(rows, vars(flow) | counted)
        append(self._store, "arrivals", rows)

    def _rows(self) -> dict[Flow, dict[str, Any]]:
        if self._stored is None:
            rows = rows_of(self._store.read(Query("arrivals")))
            self._stored = {Flow(row["model"], row["topic"], row["partition"], row["signal"]): row for row in rows}
        return self._stored
