"""Alerts about lost messages: nothing that anybody does brings those back, so they are over once people know."""

from __future__ import annotations

from monitor.alerts.own import end_alerts, firing_alerts
from monitor.clock import Clock
from monitor.ingest.stopwatch import Timer
from monitor.messages import LOG_TRUNCATED, OFFSETS_LOST
from sinks.store.contract import Store

__all__ = ["LostMessages"]

LOOK_EVERY_S = 60.0
STANDS_S = 3_600.0
"""How long such an alert stands: longer than groups wait, so that everybody is notified of it."""

NOTIFIES_WITHIN_S = 900.0
"""So much of that is left to a process that begins to notify later, since the one before it may have told nobody."""


class LostMessages:
    """Ends the alerts about lost messages, in the process that notifies of them.

    Parameters
    ----------
    store : Store
    clock : Clock

    Examples
    --------
    >>> from monitor.alerts.own import OwnAlerts
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.contract import Query
    >>> from sinks.store.memory import MemoryStore
    >>> store, clock = MemoryStore(), ManualClock(now_ms=1_000)
    >>> OwnAlerts(store, clock).lost(("events", 0, 5, 9))
    >>> lost = LostMessages(store, clock)
    >>> for _ in range(62):
    ...     lost.step()
    ...     clock.advance(60)
    >>> rows = store.read(Query("alerts"))
    >>> list(zip(rows["state"], rows["at_ms"].tolist()))
    [('firing', 1000), ('resolved', 3601000)]
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._look = Timer(clock, LOOK_EVERY_S, due=True)
        self._seen_s: dict[str, float] = {}

    def step(self) -> None:
        """Look at them, once a minute.

        Raises
        ------
        StoreError
        """
        if not self._look.is_due:
            return
        self._look.restart()
        now_ms, now_s = self._clock.now_ms(), self._clock.monotonic_s()
        alerts = firing_alerts(self._store, [OFFSETS_LOST, LOG_TRUNCATED])
        self._seen_s = {alert.alert_id: self._seen_s.get(alert.alert_id, now_s) for alert in alerts}
        ended = []
        for alert in alerts:
            here_s, stood_s = now_s - self._seen_s[alert.alert_id], (now_ms - alert.starts_ms) / 1000
            # What is dated by a clock that ran ahead would stand until that time has come.
            if here_s >= STANDS_S or (stood_s >= STANDS_S and here_s >= NOTIFIES_WITHIN_S):
                ended.append(alert)
        end_alerts(self._store, self._clock, ended)
