"""Alerts about processes that are no more: each process ends only its own, and these would fire for ever."""

from __future__ import annotations

from collections.abc import Collection

from monitor.alerts.own import INSTANCE, end_alerts, firing_alerts
from monitor.alerts.transition import Transition
from monitor.clock import Clock
from monitor.heartbeat.pulses import pulse_of
from monitor.ingest.stopwatch import Timer
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["GoneInstances"]

LOOK_EVERY_S = 60.0
GONE_AFTER_S = 300.0
"""Who restarts is back sooner."""


class GoneInstances:
    """Ends the alerts of processes that have not stated for a while that they live.

    Those that name no process are from before alerts did, and end in the same way.

    Parameters
    ----------
    store : Store
    clock : Clock
    alertnames : collection of str
    instance : str
        This process, which ends its own.

    Examples
    --------
    >>> from monitor.alerts.own import STAGE_FAILED, StandingAlerts
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> store, clock = MemoryStore(), ManualClock(now_ms=1_000)
    >>> StandingAlerts(store, clock, STAGE_FAILED, "stage", instance="a:8080").step({"alert": "it fails"})
    >>> gone = GoneInstances(store, clock, [STAGE_FAILED], "b:8080")
    >>> for _ in range(7):
    ...     gone.step()
    ...     clock.advance(60)
    >>> store.read(Query("alerts"))["title"]
    ['it fails', 'its process is gone: it fails']
    """

    def __init__(self, store: Store, clock: Clock, alertnames: Collection[str], instance: str) -> None:
        self._store, self._clock, self._alertnames, self._instance = store, clock, alertnames, instance
        self._look = Timer(clock, LOOK_EVERY_S, due=True)
        self._heard: dict[str, tuple[int, float]] = {}

    def step(self) -> None:
        """Look at them, once a minute.

        Raises
        ------
        StoreError
        """
        if not self._look.is_due:
            return
        self._look.restart()
        alerts: dict[str, list[Transition]] = {}
        for alert in firing_alerts(self._store, self._alertnames):
            alerts.setdefault(alert.labels.get(INSTANCE, ""), []).append(alert)
        alerts.pop(self._instance, None)
        for instance, silent_s in self._silent_s(alerts).items():
            if silent_s >= GONE_AFTER_S:
                because = "its process is gone" if instance else "over"
                end_alerts(self._store, self._clock, alerts[instance], because)

    def _silent_s(self, instances: Collection[str]) -> dict[str, float]:
        """For how long nothing has been heard of each, as far as it was listened to here."""
        rows = rows_of(self._store.read(Query("pulses"))) if instances else []
        numbers = {row["stage"]: row["number"] for row in rows}
        now_s, heard = self._clock.monotonic_s(), self._heard
        newest = {instance: numbers.get(pulse_of(instance), 0) for instance in instances}
        self._heard = {
            instance: heard[instance] if heard.get(instance, (None,))[0] == number else (number, now_s)
            for instance, number in newest.items()
        }
        return {instance: now_s - since_s for instance, (_, since_s) in self._heard.items()}
