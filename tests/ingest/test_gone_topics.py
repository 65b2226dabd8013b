"""Windows wait for no topic of a pattern that is gone, whenever the group takes its partitions away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.clock import ManualClock
from monitor.config import load
from monitor.evaluate.horizon import standing
from monitor.events import Partition, Records
from monitor.ingest.ingest import Ingest
from monitor.ingest.readers import Readers
from monitor.ingest.worker import REPORT_EVERY_S, Worker
from monitor.watch import compile_watch
from sinks.store.memory import MemoryStore
from tests.ingest.held_log import EVENTS, TOPICS, HeldLog
from tests.service import shop

STAYING, LEAVING = TOPICS
GONE = 3
"""The poll from which on the topic that leaves is not there any more."""


class LosesATopic(HeldLog):
    """Learns that a topic is gone some polls before the group takes its partition away.

    Parameters
    ----------
    revoked : int
        The poll with which it does.
    late : int
        The poll that returns the last messages of the topic.
    each_poll : callable
        Called with the number of each poll.
    """

    def __init__(self, revoked: int, late: int, each_poll: Callable[[int], None]) -> None:
        super().__init__(*TOPICS)
        self._revoked, self._late, self._each_poll = revoked, late, each_poll
        self._polls = 0

    def poll(self, max_records: int, timeout_s: float) -> list[Records]:
        self._polls += 1
        self._each_poll(self._polls)
        self._read_to = len(EVENTS) if self._polls >= self._late else 10
        polled = super().poll(max_records, timeout_s)
        if self._polls == self._revoked:
            del self._next[LEAVING]
            self.changed = [("revoked", frozenset({(LEAVING, 0)}))]
        return polled

    def _polled(self, topic: str, max_records: int) -> Records:
        if topic == STAYING:
            return super()._polled(topic, max_records)
        return super()._polled(topic, min(max_records, max(self._read_to - (self._next[topic] or 0), 0)))

    def partitions(self) -> frozenset[Partition]:
        return frozenset((topic, 0) for topic in TOPICS if not self.is_gone(topic))

    def assigned(self) -> frozenset[Partition]:
        return frozenset((topic, 0) for topic in self._next)

    def is_gone(self, topic: str) -> bool:
        return topic == LEAVING and self._polls >= GONE


@pytest.mark.parametrize("revoked", range(2, 8))
@pytest.mark.parametrize("late", [1, 4, 6, 7])
def test_nobody_waits_for_a_topic_that_is_gone_whenever_it_is_taken_away(
    tmp_path: Path, revoked: int, late: int
) -> None:
    store, clock, stop = MemoryStore(), ManualClock(), threading.Event()
    store.migrate()
    seen: list[bool] = []

    def note(poll: int) -> None:
        clock.advance(REPORT_EVERY_S)
        if poll > max(revoked, GONE) + 1:
            seen.append(standing(store)[LEAVING, 0])
        if poll == 12:
            stop.set()

    document = shop.model("orders", {"kafka": list(TOPICS)})
    watch = compile_watch(load(shop.configured(tmp_path, document, models=["models/orders.yaml"])), "orders")
    ingest = Ingest(Readers([watch]), store, LosesATopic(revoked, late, note))
    Worker(ingest, store, clock, stop, checkpoint_every_s=1e6, idle_after_s=1e6).run()

    assert seen
    assert all(seen)
    assert standing(store) == {(STAYING, 0): False, (LEAVING, 0): True}
