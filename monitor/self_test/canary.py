"""A synthetic model, whose events are a pure function of a number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from monitor.config import Configuration, Model, Service
from monitor.events import Gap, Partition, Records
from monitor.sources.contract import Resume, Source

__all__ = ["DRIFT_MS", "END_MS", "MODEL", "START_MS", "CanarySource", "canary", "payloads"]

MODEL = "self-test"
HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000
"""Monday, 2024-01-01T00:00Z: no event of people's models stands beside these, which are in a store of their own."""

DAYS, EVENTS_PER_HOUR, DRIFTED_HOURS = 5, 60, 12
DRIFT_MS = START_MS + (24 * DAYS - DRIFTED_HOURS) * HOUR_MS
END_MS = START_MS + 24 * DAYS * HOUR_MS
MEAN, DEVIATION, SHIFT = 60.0, 15.0, 30.0
COUNTRIES, SHARES = ("DE", "FR", "PL"), (0.6, 0.3, 0.1)


def canary() -> Configuration:
    """Return the model, with a service of its own around it."""
    spec = {
        "sources": [{"http": MODEL, "event_time": {"path": "ts", "unit": "ms"}}],
        "schema": {"features": {"amount": {"type": "numeric", "range": [0, 200]}, "country": {"type": "category"}}},
        "detect": {"false_alarms": "1 per 30d", "defaults": {"window": "1h", "min_samples": 30}},
    }
    document = {"apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": MODEL}, "spec": spec}
    return Configuration(Service(), {MODEL: Model.model_validate(document)}, Path())


def payloads(number: int) -> list[bytes]:
    """Return the events: from :data:`DRIFT_MS` on amounts are twice their deviation higher.

    Examples
    --------
    >>> payloads(7) == payloads(7), payloads(7) == payloads(8)
    (True, False)
    >>> payloads(7)[0]
    b'{"ts":1704067200000,"amount":38.95,"country":"FR"}'
    """
    count = 24 * DAYS * EVENTS_PER_HOUR
    draw = np.random.Generator(np.random.Philox(number))
    times_ms = START_MS + np.arange(count) * (HOUR_MS // EVENTS_PER_HOUR)
    amounts = draw.normal(MEAN, DEVIATION, count) + np.where(times_ms >= DRIFT_MS, SHIFT, 0.0)
    countries = draw.choice(len(COUNTRIES), count, p=SHARES)
    rows = zip(times_ms.tolist(), amounts.tolist(), countries.tolist(), strict=True)
    return [b'{"ts":%d,"amount":%.2f,"country":"%s"}' % (at, amount, COUNTRIES[k].encode()) for at, amount, k in rows]


class CanarySource(Source):
    """Events that are in memory, as one partition.

    Parameters
    ----------
    payloads : sequence of bytes
    """

    guarantee = "every event, exactly once per offset"
    bounded = True

    def __init__(self, payloads: Sequence[bytes]) -> None:
        self._payloads, self._next, self.gaps = payloads, 0, list[Gap]()

    def open(self, resume: Resume) -> None:
        """Go on where ``resume`` says."""
        self._next = resume(MODEL, 0) or 0

    def poll(self, max_records: int, timeout_s: float) -> list[Records]:
        """Return the next ones."""
        part = self._payloads[self._next : self._next + max_records]
        if not part:
            return []
        offsets = np.arange(self._next, self._next + len(part))
        self._next += len(part)
        return [Records(MODEL, 0, offsets, np.full(len(part), -1), part)]

    def partitions(self) -> frozenset[Partition]:
        """The only one."""
        return frozenset({(MODEL, 0)})

    def assigned(self) -> frozenset[Partition]:
        """The only one."""
        return self.partitions()

    def at_end(self) -> frozenset[Partition]:
        """The only one, once all were returned."""
        return self.partitions() if self._next >= len(self._payloads) else frozenset()

    def close(self) -> None:
        """Nothing to release."""
