"""Alerts about receivers that take nothing: whoever is notified elsewhere learns that others are not."""

from __future__ import annotations

from monitor.alerts.own import RECEIVER_FAILING, StandingAlerts
from monitor.clock import Clock
from monitor.delivery.reception import Reception
from monitor.ingest.stopwatch import Timer
from sinks.receivers.times import utc
from sinks.store.contract import Store

__all__ = ["FailingReceivers"]

HOLDS_S = 900.0
"""For so long nothing was taken: a restart of the other side is over by then, and the group was flushed again."""

LOOK_EVERY_S = 60.0


class FailingReceivers:
    """Alerts about them, in the process that notifies.

    Parameters
    ----------
    store : Store
    clock : Clock
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._clock, self._reception = clock, Reception.of(store)
        self._alerts = StandingAlerts(store, clock, RECEIVER_FAILING, "receiver")
        self._look = Timer(clock, LOOK_EVERY_S, due=True)

    def step(self) -> None:
        """Look at them, once a minute: what they answer may change with every try.

        Raises
        ------
        StoreError
        """
        if not self._look.is_due:
            return
        self._look.restart()
        now_ms = self._clock.now_ms()
        recent = range(now_ms - round(HOLDS_S * 1000) + 1, now_ms + 1)
        # What began at a time that has not come yet was dated by a clock that was wrong: nobody waits for that.
        failing = {name: each for name, each in self._reception.failing.items() if each.since_ms not in recent}
        titles = {
            name: f"the receiver {name} has taken nothing since {utc(each.since_ms)}: {each.reason}"
            for name, each in failing.items()
        }
        reasons = {name: each.reason for name, each in failing.items()}
        self._alerts.step(titles, self._reception.is_taken_by, reasons)
