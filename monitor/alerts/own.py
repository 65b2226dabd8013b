"""Alerts about Leeway itself: every receiver is notified, as of those about models.

They carry :data:`MODEL` in place of a model, a name that no model can have, and the time of the clock: their order is
their own. Writing one again changes only its time, and nobody is notified twice.
"""

from __future__ import annotations

from collections.abc import Mapping

import xxhash

from monitor.alerts.lifecycle import State, Transition, to_columns
from monitor.clock import Clock
from monitor.events import Gap, Partition
from monitor.messages import LOG_TRUNCATED, OFFSETS_LOST, in_log, is_cut
from sinks.store.batch import append
from sinks.store.contract import Store

__all__ = ["MODEL", "OwnAlerts"]

MODEL = "_leeway"


class OwnAlerts:
    """Writes them.

    Parameters
    ----------
    store : Store
    clock : Clock

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.contract import Query
    >>> from sinks.store.memory import MemoryStore
    >>> store = MemoryStore()
    >>> alerts = OwnAlerts(store, ManualClock())
    >>> alerts.lost(("events", 0, 5, 9))
    >>> alerts.pass_gaps({("events", 0): 9})
    >>> store.read(Query("alerts"))["state"]
    ['firing', 'resolved']
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._since_ms: dict[Gap, int] = {}

    def lost(self, gap: Gap) -> None:
        """Messages were gone before they were read."""
        self._since_ms[gap] = self._clock.now_ms()
        self._write(gap, 0, "firing", self._since_ms[gap], ends_ms=0)

    def pass_gaps(self, positions: Mapping[Partition, int]) -> None:
        """Resolve the alerts of gaps that partitions have been read past: the messages stay lost.

        Parameters
        ----------
        positions : mapping of Partition to int
            The next offsets to read.
        """
        now_ms = self._clock.now_ms()
        for gap in [gap for gap in self._since_ms if positions.get(gap[:2], 0) > gap[2]]:
            self._write(gap, 1, "resolved", now_ms, ends_ms=now_ms)
            del self._since_ms[gap]

    def forget(self) -> None:
        """Reading goes back to the checkpoints: a gap that lies behind them is found again."""
        self._since_ms.clear()

    def _write(self, gap: Gap, sequence: int, state: State, at_ms: int, ends_ms: int) -> None:
        topic, partition, first, _following = gap
        name = LOG_TRUNCATED if is_cut(gap) else OFFSETS_LOST
        transition = Transition(
            model=MODEL,
            alert_id=xxhash.xxh3_64_hexdigest(f"{name}|{topic}|{partition}|{first}".encode()),
            sequence=sequence,
            state=state,
            at_ms=at_ms,
            starts_ms=self._since_ms[gap],
            ends_ms=ends_ms,
            version="",
            segment="",
            severity="critical",
            title=_title(gap),
            labels={"alertname": name, "severity": "critical", "topic": topic, "partition": str(partition)},
            signals=[],
        )
        append(self._store, "alerts", to_columns([transition]))


def _title(gap: Gap) -> str:
    topic, partition, first, following = gap
    if is_cut(gap):
        return (
            f"{topic}/{partition} was made anew or cut short behind offset {in_log(first)}; it is read on from offset"
            f" {in_log(following)}"
        )
    return f"{following - first} messages of {topic}/{partition}, from offset {first} on, were lost unread"
