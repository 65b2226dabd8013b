"""Pings receivers that expect it, while everything works."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial

import structlog

from monitor.clock import Clock
from monitor.delivery.attempts import Delivery
from monitor.delivery.patience import Patience
from monitor.delivery.reception import Reception
from monitor.delivery.senders import Senders
from monitor.delivery.target import Target
from monitor.freshness.follower import Follower
from monitor.heartbeat.pulses import PULSE_EVERY_S, STAGES
from monitor.ingest.stopwatch import Timer
from sinks.receivers.contract import Alert, Notification, Receiver
from sinks.store.contract import Query, Store, StoreError
from sinks.store.rows import rows_of

__all__ = ["HEARTBEAT", "NOT_TAKEN", "Heartbeat"]

HEARTBEAT = "LeewayHeartbeat"
WORKS_WITHIN_S = 60.0
"""A stage that has not been heard of for so long does not work."""

EXPIRES_AFTER = 3
"""So many pings may be missed before what was handed to an Alertmanager is over there."""

NOT_TAKEN = "a heartbeat was not taken"

_PREFIX = "heartbeat/"
"""Names of receivers have no stroke: none of those that are notified of alerts is taken for one that is pinged."""

log = structlog.get_logger("leeway.heartbeat")


class Heartbeat:
    """Sends the pings; one process does so. Each receiver gets them by a thread of its own: a sick one delays no other.

    Parameters
    ----------
    store : Store
    clock : Clock
    receivers : sequence of Receiver
    every_s : float
    """

    def __init__(self, store: Store, clock: Clock, receivers: Sequence[Receiver], every_s: float) -> None:
        self._store, self._clock, self._every_s = store, clock, every_s
        self._targets = [Target(f"{_PREFIX}{receiver.name}", number) for number, receiver in enumerate(receivers)]
        reception = Reception.of(store)
        reception.follow_pings(self._targets)
        self._senders = Senders(dict(zip(self._targets, receivers, strict=True)), clock, Patience(), reception)
        self._pings: dict[Target, Future[Delivery]] = {}
        self._follower = Follower(store, clock)
        self._heard: dict[str, tuple[int, float]] = {}
        self._reasons: list[str] = []

    def run(self, stop: threading.Event) -> None:
        """Ping every so often until ``stop`` is set."""
        self._senders.start()
        due = Timer(self._clock, self._every_s)
        while not self._clock.wait(stop, min(self._every_s, PULSE_EVERY_S)):
            if due.is_due:
                due.restart()
                self.step()
            else:
                self.missing()
        self._senders.stop()
        self._senders.close()

    def step(self) -> bool:
        """Ping if everything works; return whether it does.

        Pings have been answered when this returns, unless :meth:`run` is under way.
        """
        reasons = self.missing()
        if reasons != self._reasons:
            log.warning("no heartbeat is sent", reasons=reasons) if reasons else log.info("heartbeats are sent again")
        self._reasons = reasons
        for target in () if reasons else self._targets:
            self._ping(target)
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

    def _ping(self, target: Target) -> None:
        """Send one ping, which is not tried again: the next one comes soon, and says more."""
        receiver = target.receiver.removeprefix(_PREFIX)
        if target in self._pings and not self._pings[target].done():
            log.warning(NOT_TAKEN, receiver=receiver, reason="the one before it is still being sent")
            return
        self._pings[target] = self._senders.send(target, self._notification(receiver), for_s=0.0)
        self._pings[target].add_done_callback(partial(_note, receiver))

    def _notification(self, receiver: str) -> Notification:
        now_ms = self._clock.now_ms()
        labels = {"alertname": HEARTBEAT, "severity": "none"}
        text = "Leeway reads, evaluates and notifies. While this is repeated, no news is good news."
        expires_ms = now_ms + round(EXPIRES_AFTER * self._every_s * 1000)
        alert = Alert("firing", labels, {"summary": text}, now_ms, expires_at_ms=expires_ms)
        return Notification(receiver, HEARTBEAT, {"alertname": HEARTBEAT}, (alert,), at_ms=now_ms)


def _note(receiver: str, ping: Future[Delivery]) -> None:
    if ping.result().outcome != "delivered":
        log.warning(NOT_TAKEN, receiver=receiver, reason=ping.result().reason)
