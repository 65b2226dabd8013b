"""Alerts about streams whose events come late, and the way back of event time after a wrong clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from monitor.alerts.own import LATE_EVENTS, StandingAlerts
from monitor.clock import Clock
from monitor.ingest.intake import Intake
from monitor.ingest.late_events import LateShare
from monitor.ingest.returned_clock import ReturnedClock
from monitor.watch import Watch
from sinks.store.contract import Store

__all__ = ["LateStreams"]


class LateStreams:
    """Looks at how many events come late, stream by stream.

    Parameters
    ----------
    store : Store
    clock : Clock
    watches : mapping of str to Watch
    intake : Intake
    """

    def __init__(self, store: Store, clock: Clock, watches: Mapping[str, Watch], intake: Intake) -> None:
        self._clock, self._watches, self._intake = clock, watches, intake
        self._alerts = StandingAlerts(store, clock, LATE_EVENTS, "stream")
        self._returned = ReturnedClock(store, clock)

    def step(self) -> None:
        """Have event time follow a clock that is right again, and alert about events of a wrong one.

        Raises
        ------
        StoreError
        """
        shares = self._intake.late_shares()
        self._returned.step(shares)
        self._alerts.step(self._late(shares), partial(self._is_on_time, shares))

    def _late(self, shares: Sequence[LateShare]) -> dict[str, str]:
        now_ms = self._clock.now_ms()
        return {share.name: share.sentence(self._allowed_ms(share), now_ms) for share in shares if share.is_alarming}

    def _is_on_time(self, shares: Sequence[LateShare], stream: str) -> bool:
        """Whether enough is known of a stream that does not come late, or no model reads it any more."""
        if any(share.is_settled for share in shares if share.name == stream):
            return True
        model, _, partition = stream.partition(" ")
        watch = self._watches.get(model)
        return watch is None or watch.model.spec.source_of(partition.rpartition("/")[0]) is None

    def _allowed_ms(self, share: LateShare) -> int:
        watch = self._watches.get(share.model)
        source = None if watch is None else watch.model.spec.source_of(share.partition[0])
        return 0 if source is None else source.allowed_lateness
