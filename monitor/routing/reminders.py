"""Reminders: what fires is posted again, about once a minute, to receivers that forget what they were sent.

An Alertmanager keeps alerts in memory, and Prometheus posts its own again and again for that reason. A reminder repeats
what the receiver took last of an alert that fires, and that it would be notified of now. It is no notification: it is
tried once, has no row, and changes nothing of what is notified when. For a while it repeats ends, too, as Prometheus
does, so that a firing alert which arrives late, from a process that has been stopped, does not stand for ever.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future

import structlog

from monitor.clock import Clock
from monitor.delivery.attempts import Delivery
from monitor.delivery.senders import Senders
from monitor.delivery.target import Target
from monitor.routing.message import composed
from monitor.routing.routed_alert import RoutedAlert
from monitor.routing.taken import Taken, TakenAlerts
from sinks.receivers.contract import Notification

__all__ = ["REMINDED_EVERY_S", "Reminders"]

REMINDED_EVERY_S = 60.0
ENDS_FOR_S = 900.0
"""For so long an end is repeated."""

ALERTS_AT_ONCE = 100
"""Of one post: a proxy on the way may take no more than 1 MB."""

GROUP_KEY = "reminder"
log = structlog.get_logger("leeway.route")


class Reminders:
    """Reminds receivers; each has one post on its way at most.

    Parameters
    ----------
    clock : Clock
    senders : Senders
    taken : TakenAlerts
    external_url : str
    wake : callable
        Called when a receiver has answered.

    Attributes
    ----------
    counts : Counter of (str, str)
        Posts by receiver and by what became of them.
    """

    def __init__(
        self,
        clock: Clock,
        senders: Senders,
        taken: TakenAlerts,
        external_url: str,
        wake: Callable[[], None],
    ) -> None:
        self._clock, self._senders, self._taken = clock, senders, taken
        self._external_url, self._wake = external_url, wake
        self.counts: Counter[tuple[str, str]] = Counter()
        self._due_s = clock.monotonic_s()
        self._waiting: dict[Target, deque[str]] = {}
        self._deferred: dict[Target, deque[str]] = {}
        """What is first the next time, so that a post which is never taken keeps no other back."""
        self._posts: dict[Target, Future[Delivery]] = {}
        self._reasons: dict[Target, str] = {}

    @property
    def is_due(self) -> bool:
        """Whether it is time to begin anew; never where no receiver forgets."""
        return self._clock.monotonic_s() >= self._due_s and bool(self._targets)

    def begin(self, standing: Mapping[Target, Collection[RoutedAlert]], needed: Collection[str]) -> None:
        """Take up what to remind receivers of; who is not through with the last time goes on with that.

        Parameters
        ----------
        standing : mapping of Target to collection of RoutedAlert
            Alerts that fire, of which the entry took that they do and would be notified now.
        needed : collection of str
            Fingerprints of what groups hold.

        Raises
        ------
        StoreError
        """
        now_s = self._clock.monotonic_s()
        self._taken.forget(needed, now_s - ENDS_FOR_S)
        for target in self._targets:
            alerts = standing.get(target, ())
            self._taken.read(target, alerts)
            if target not in self._waiting and target not in self._posts:
                ended = self._taken.ended_since(target, now_s - ENDS_FOR_S)
                names = dict.fromkeys([*(alert.fingerprint for alert in alerts), *ended])
                first = dict.fromkeys(name for name in self._deferred.pop(target, ()) if name in names)
                self._waiting[target] = deque(first | names)
        self._due_s = now_s + REMINDED_EVERY_S

    def note(self, target: Target, alerts: Iterable[Taken], delivery: Delivery) -> None:
        """Take up what became of a notification."""
        self._taken.note(target, alerts, delivery)

    def step(self, pending: Callable[[Target], Collection[str]]) -> None:
        """Post what waits, as far as receivers have answered the post before it.

        Parameters
        ----------
        pending : callable
            Returns the fingerprints of what an entry is being notified of.
        """
        for target in list(dict.fromkeys([*self._posts, *self._waiting])):
            while self._is_free(target) and target in self._waiting:
                self._post(target, pending(target))

    @property
    def _targets(self) -> list[Target]:
        return [target for entries in self._senders.targets.values() for target in entries if target.forgets]

    def _is_free(self, target: Target) -> bool:
        post = self._posts.get(target)
        if post is None:
            return True
        if post.done():
            del self._posts[target]
            self._note(target, post.result())
        return post.done()

    def _post(self, target: Target, pending: Collection[str]) -> None:
        names = self._waiting[target]
        batch = [names.popleft() for _ in range(min(ALERTS_AT_ONCE, len(names)))]
        if not names:
            del self._waiting[target]
        alerts = [
            composed(taken.alert, taken.status, self._external_url, taken.likely_cause)
            for name in batch
            # What it is being notified of may reach it before this, and says more.
            if name not in pending and (taken := self._taken.get(target, name)) is not None
        ]
        if alerts:
            at_ms = self._clock.now_ms()
            reminder = Notification(target.receiver, GROUP_KEY, {}, tuple(alerts), self._external_url, at_ms=at_ms)
            self._posts[target] = self._senders.send(target, reminder, for_s=0.0)
            self._posts[target].add_done_callback(lambda _: self._wake())

    def _note(self, target: Target, delivery: Delivery) -> None:
        self.counts[target.receiver, delivery.outcome] += 1
        former = self._reasons.pop(target, None)
        if delivery.outcome == "delivered":
            if former is not None:
                log.info("standing alerts are posted again", receiver=target.name)
            return
        if delivery.outcome == "gave_up" and target in self._waiting:
            self._deferred[target] = self._waiting.pop(target)
        self._reasons[target] = delivery.reason
        if delivery.reason != former:
            outcome, reason = delivery.outcome, delivery.reason
            log.warning("standing alerts were not posted again", receiver=target.name, outcome=outcome, reason=reason)
