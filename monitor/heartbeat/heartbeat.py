"""Pings receivers that expect it, while everything works."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import structlog

from monitor.clock import Clock
from monitor.freshness.follower import Follower
from monitor.heartbeat.pulses import PULSE_EVERY_S, STAGES
from monitor.ingest.stopwatch import Timer
from sinks.receivers.contract import Alert, Delivered, Notification, Receiver
from sinks.store.contract import Query, Store, StoreError
from sinks.store.rows import rows_of

__all__ = ["HEARTBEAT", "Heartbeat"]

HEARTBEAT = "LeewayHeartbeat"
WORKS_WITHIN_S = 60.0
"""A stage that has not been heard of for so long does not work."""

EXPIRES_AFTER = 3
"""So many pings may be missed before what was handed to an Alertmanager is over there."""

log = structlog.get_logger("leeway.heartbeat")


class Heartbeat:
    """Sends the pings; one process does so.

    Parameters
    ----------
    store : Store
    clock : Clock
    receivers : sequence of Receiver
    every_s : float
    """

    def __init__(self, store: Store, clock: Clock, receivers: Sequence[Receiver], every_s: float) -> None:
        self._store, self._clock, self._receivers, self._every_s = store, clock, receivers, every_s
        self._follower = Follower(store, clock)
        self._heard: dict[str, tuple[int, float]] = {}
        self._reasons: list[str] = []

    def run(self, stop: threading.Event) -> None:
        """Ping every so often until ``stop`` is set."""
        due = Timer(self._clock, self._every_s)
        while not self._clock.wait(stop, min(self._every_s, PULSE_EVERY_S)):
            if due.is_due:
                due.restart()
                self.step()
            else:
                self.missing()
        for receiver in self._receivers:
            receiver.close()

    def step(self) -> bool:
        """Ping if everything works; return whether it does."""
        reasons = self.missing()
        if reasons != self._reasons:
            log.warning("no heartbeat is sent", reasons=reasons) if reasons else log.info("heartbeats are sent again")
        self._reasons = reasons
        for receiver in () if reasons else self._receivers:
            outcome = receiver.send(self._ping(receiver.name))
            if not isinstance(outcome, Delivered):
                log.warning("a heartbeat was not taken", receiver=receiver.name, reason=outcome.reason)
        return not reasons

    def missing(self) -> list[str]:
        """Return why no ping is sent; empty if everything works."""
        try:
            pulses = {row["stage"]: row["number"] for row in rows_of(self._store.read(Query("pulses")))}
            flows = self._follower.look()
        except StoreError as error:
            return [f"the store does not answer: {error}"]
        now_s = self._clock.monotonic_s()
        for stage, number in pulses.items():
            # What is met for the first time may have been stated by a process that is gone.
            former = self._heard.setdefault(stage, (number, -math.inf))
            if former[0] != number:
                self._heard[stage] = number, now_s
        news_s = {stage: self._heard[stage][1] for stage in pulses}
        silent = [stage for stage in STAGES if now_s - news_s.get(stage, -math.inf) >= WORKS_WITHIN_S]
        unseen = [flow for flow, heard in flows.items() if heard.why_unwatched in ("unread", "unanswered")]
        unread = sorted({f"{flow.topic}/{flow.partition}" for flow in unseen})
        return [f"{stage} does not work" for stage in silent] + [f"{name} is not read" for name in unread]

    def _ping(self, receiver: str) -> Notification:
        now_ms = self._clock.now_ms()
        labels = {"alertname": HEARTBEAT, "severity": "none"}
        text = "Leeway reads, evaluates and notifies. While this is repeated, no news is good news."
        expires_ms = now_ms + round(EXPIRES_AFTER * self._every_s * 1000)
        alert = Alert("firing", labels, {"summary": text}, now_ms, expires_at_ms=expires_ms)
        return Notification(receiver, HEARTBEAT, {"alertname": HEARTBEAT}, (alert,), at_ms=now_ms)
