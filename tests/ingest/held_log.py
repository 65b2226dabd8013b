"""A log in memory, of which a test holds what a member of a group may read and is told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.events import Change, Partition, Records
from monitor.sources.contract import Resume, Source
from tests.service import shop

TOPICS = ("payments", "refunds")
EVENTS: Sequence[bytes] = shop.traffic(3, windows=8, partitions=1)[0][0]


class HeldLog(Source):
    """Topics of one partition each, as a member of a group reads them: begun by a poll, and rewound without closing."""

    guarantee = "once from the checkpoint on"
    bounded = False

    def __init__(self, *topics: str) -> None:
        self.gaps = []
        self._next: dict[str, int | None] = dict.fromkeys(topics)
        self._resume: Resume = lambda topic, partition: None
        self.changed: list[Change] = []

    def open(self, resume: Resume) -> None:
        self._resume = resume

    def rewind(self) -> bool:
        self._next = dict.fromkeys(self._next)
        return True

    def poll(self, max_records: int, timeout_s: float) -> list[Records]:
        for topic in [topic for topic, offset in self._next.items() if offset is None]:
            self._next[topic] = self._resume(topic, 0) or 0
        return [records for topic in self._next if len(records := self._polled(topic, max_records))]

    def _polled(self, topic: str, max_records: int) -> Records:
        first = self._next[topic] or 0
        payloads = list(EVENTS[first : first + max_records])
        self._next[topic] = first + len(payloads)
        offsets = np.arange(first, first + len(payloads))
        return Records(topic, 0, offsets, np.full(len(payloads), shop.START_MS), payloads)

    def changes(self) -> list[Change]:
        changes, self.changed = self.changed, []
        return changes

    def partitions(self) -> frozenset[Partition]:
        return frozenset((topic, 0) for topic in self._next)

    assigned = partitions

    def at_end(self) -> frozenset[Partition]:
        return frozenset((topic, 0) for topic, offset in self._next.items() if (offset or 0) >= len(EVENTS))

    def ends(self) -> dict[Partition, int]:
        return {(topic, 0): len(EVENTS) for topic, offset in self._next.items() if offset is not None}

    def close(self) -> None:
        pass
