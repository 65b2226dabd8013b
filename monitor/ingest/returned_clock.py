"""Clocks of partitions follow the machine's when it is right again after it ran ahead.

What it has carried away while it was wrong is known: the clocks of the partitions that are read here and that are
further ahead of it now than before. They are set back as a person would have it, through the store
(:mod:`monitor.ingest.set_clocks`), so that a replay sets them back at the same events.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from monitor.clock import Clock, Leaps
from monitor.ingest.late_events import SPAN_S, LateShare
from monitor.ingest.set_clocks import ASKED, SetClock, ask_to_set, read_set_clocks
from sinks.parameters import format_duration
from sinks.store.contract import Store

__all__ = ["ReturnedClock"]

AHEAD_MS = 30_000
"""Events may be so far ahead, as other machines' clocks are not quite this one's."""

MOST_REQUESTS = 3
"""A partition that is carried away again has another clock that is wrong: that is for people to mend."""

log = structlog.get_logger("leeway.service")


@dataclass
class _Request:
    """The last that was asked of a partition since the clock came back.

    Attributes
    ----------
    id : str
    number : int
        How many there were.
    newest_late_ms : int or None
        The event time of the last late event when it was seen to be taken up; None before.
    """

    id: str
    number: int
    newest_late_ms: int | None = None


class ReturnedClock:
    """Sets clocks back.

    Parameters
    ----------
    store : Store
    clock : Clock
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock, self._leaps = store, clock, Leaps(clock)
        self._requests: dict[str, _Request] = {}
        self._usual_ms: dict[str, int] = {}
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
            self._until_s, self._requests = now_s + SPAN_S, {}
            self._reason = f"the clock of this machine ran {format_duration(round(returned_ms, -3))} ahead"
            log.warning("the clock is right again, and those of partitions follow", reason=self._reason)
        if now_s < self._until_s:
            self._follow(shares)
        elif self._leaps.ahead_ms() == 0:
            now_ms = self._clock.now_ms()
            self._usual_ms = {share.name: max(0, share.clock_ms - now_ms) for share in shares}

    def _follow(self, shares: Iterable[LateShare]) -> None:
        now_ms = self._clock.now_ms()
        for share in shares:
            usual_ms = self._usual_ms.get(share.name, 0) + AHEAD_MS
            if share.clock_ms > now_ms + usual_ms and self._is_to_be_asked(share):
                request = SetClock(share.model, *share.partition, now_ms, "leeway", self._reason)
                former = self._requests.get(share.name)
                request_id = ask_to_set(self._store, self._clock, request).id
                self._requests[share.name] = _Request(request_id, 1 if former is None else former.number + 1)

    def _is_to_be_asked(self, share: LateShare) -> bool:
        """Whether nothing was asked, or what was is taken up and events have come late since."""
        request = self._requests.get(share.name)
        if request is None:
            return True
        if request.number == MOST_REQUESTS:
            return False
        if request.newest_late_ms is None:
            clocks = read_set_clocks(self._store, share.partition)
            if any(each.id == request.id and each.from_offset != ASKED for each in clocks):
                request.newest_late_ms = share.newest_late_ms
            return False
        return share.newest_late_ms != request.newest_late_ms
