"""Clocks of partitions follow the machine's when it is right again after it ran ahead.

What it has carried away while it was wrong is known: the clocks of the partitions that are read here and that are ahead
of it now. They are set back as a person would have it, through the store (:mod:`monitor.ingest.set_clocks`), so that a
replay sets them back at the same events.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from monitor.clock import Clock, Leaps
from monitor.ingest.late_events import SPAN_S, LateShare
from monitor.ingest.set_clocks import SetClock, ask_to_set
from sinks.parameters import format_duration
from sinks.store.contract import Store

__all__ = ["ReturnedClock"]

AHEAD_MS = 30_000
"""Events may be so far ahead, as other machines' clocks are not quite this one's."""

log = structlog.get_logger("leeway.service")


class ReturnedClock:
    """Sets clocks back.

    Parameters
    ----------
    store : Store
    clock : Clock
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock, self._leaps = store, clock, Leaps(clock)
        self._asked: dict[str, int] = {}
        self._until_s, self._reason = 0.0, ""

    def step(self, shares: Iterable[LateShare]) -> None:
        """Look at the clock, and for ten minutes after its return at those of partitions: some may still catch up.

        Parameters
        ----------
        shares : iterable of LateShare
            Of the partitions that are read here.

        Raises
        ------
        StoreError
        """
        returned_ms, now_s = self._leaps.take_return_ms(), self._clock.monotonic_s()
        if returned_ms:
            self._until_s, self._asked = now_s + SPAN_S, {}
            self._reason = f"the clock of this machine ran {format_duration(round(returned_ms, -3))} ahead"
            log.warning("the clock is right again, and those of partitions follow", reason=self._reason)
        if now_s < self._until_s:
            self._follow(shares)

    def _follow(self, shares: Iterable[LateShare]) -> None:
        now_ms = self._clock.now_ms()
        for share in shares:
            if share.clock_ms > now_ms + AHEAD_MS and share.clock_ms != self._asked.get(share.name):
                request = SetClock(share.model, *share.partition, now_ms, "leeway", self._reason)
                ask_to_set(self._store, self._clock, request)
                self._asked[share.name] = share.clock_ms
