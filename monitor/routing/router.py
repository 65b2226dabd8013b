"""The alert stage: follows the transitions of alerts, groups them, and notifies those whom routes name.

:mod:`monitor.routing.dispatch` decides; this acts. What each receiver was sent last of a group is kept in the store
(:mod:`monitor.routing.sent_log`), written after the receiver answered. Before something new is sent it is noted that
the receiver may know of it. A process that ends in between notifies the group again, under the same key, and what is
over by then as an end. After a start, groups are formed again from the alerts that are not over, and wait their
`group_wait`; the log says what need not be sent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from itertools import chain

import structlog

from monitor.clock import Clock
from monitor.delivery.patience import Patience
from monitor.delivery.reception import Reception
from monitor.delivery.senders import Senders
from monitor.delivery.target import Target
from monitor.routing.bell import bell_of
from monitor.routing.decision_log import DecisionLog, kept_quiet
from monitor.routing.digests import Digests
from monitor.routing.dispatch import Dispatcher
from monitor.routing.groups import Flush, Group
from monitor.routing.interventions import Interventions
from monitor.routing.known_alerts import KnownAlerts
from monitor.routing.outbox import Outbox
from monitor.routing.plan import Plan
from monitor.routing.recipients import Recipients
from monitor.routing.routed_alert import RoutedAlert
from monitor.routing.sent_log import SentLog
from monitor.routing.silence_log import KEPT_MS
from monitor.routing.silence_notices import Notices
from monitor.routing.silences import Silences
from sinks.store.contract import Store, StoreError

__all__ = ["Router"]

MOST_WAIT_S = 1.0
NOTICE_STOP_S = 0.25
LEAVE_S = 12.0
"""So long a receiver has to answer when everything stops: somewhat more than the usual time-out."""

FORGET_EVERY_MS = 60_000
log = structlog.get_logger("leeway.route")


class Router:
    """Notifies people by routes.

    Parameters
    ----------
    store : Store
    plan : Plan
    clock : Clock
    external_url : str
        How people reach the API; links start with it. Empty: no links.
    models : iterable of str
        Whose alerts are notified.
    patience : Patience or None
    """

    def __init__(
        self,
        store: Store,
        plan: Plan,
        clock: Clock,
        external_url: str,
        models: Iterable[str],
        patience: Patience | None = None,
    ) -> None:
        self._store, self._clock = store, clock
        self._senders = senders = Senders(plan.receivers, clock, patience or Patience(), Reception.of(store))
        self.sent_log = SentLog(plan.longest_repeat_ms)
        recipients = Recipients(senders.targets, self.sent_log.sent)
        self._dispatcher = Dispatcher(plan, recipients, clock.now_ms(), Silences.of(store))
        self._alerts = KnownAlerts(store, clock, plan, list(models), external_url, self._dispatcher.flapping)
        self._interventions = Interventions(store, clock, plan, senders)
        self._decisions = DecisionLog()
        self._notices = Notices(store, clock, senders, plan.silence_notices, external_url)
        self._digests = Digests(store, clock, senders, plan.digests, external_url)
        self._outbox = Outbox(store, clock, senders, self._digests, plan.incidents or plan.changes, external_url)
        self._forget_ms: int | None = None
        """None before it is open."""

    @property
    def backlog(self) -> dict[str, int]:
        """Notifications that were decided on and are not settled, by receiver."""
        return self._outbox.backlog

    @property
    def incomplete(self) -> Mapping[str, int]:
        """Notifications that were delivered without all of their pictures, by receiver."""
        return self._senders.incomplete

    @property
    def reminders(self) -> Mapping[tuple[str, str], int]:
        """Posts that remind receivers of what fires, by receiver and outcome."""
        return self._outbox.reminders.counts

    def open(self) -> None:
        """Read what was notified before, and form the groups; call it before anything can write transitions.

        Raises
        ------
        StoreError
        """
        if self._forget_ms is not None:
            return
        now_ms = self._clock.now_ms()
        # Before subscriptions come: what people ask for themselves is not configured.
        Reception.of(self._store).follow(self._store, chain.from_iterable(self._senders.targets.values()))
        self.sent_log.load(self._store, now_ms)
        self._digests.open()
        self._notices.open()
        self._interventions.subscribe(self._dispatcher, now_ms)
        for change in self._alerts.open(self.sent_log, now_ms):
            self._dispatcher.put(change, now_ms)
        self._dispatcher.is_formed()
        firing = {alert.fingerprint for alert in self._alerts.firing()}
        Reception.of(self._store).miss(self._dispatcher.recipients.gone(firing))
        self._decisions.load(self._store, self._alerts.ids)
        self._forget_ms = 0

    def step(self) -> int:
        """Do what is due; return how many notifications were settled.

        Raises
        ------
        StoreError
            If the store fails in a way that waiting does not mend.
        """
        try:
            return self._step()
        except StoreError as error:
            if not error.retryable:
                raise
            log.warning("the store did not answer", error=str(error))
            return 0

    def run(
        self,
        stop: threading.Event,
        every_s: float = MOST_WAIT_S,
        *,
        has_successor: Callable[[], bool] = lambda: False,
        on_round: Callable[[], None] = lambda: None,
    ) -> None:
        """Step until ``stop`` is set, or another router is to go on; ``on_round`` is called after each step.

        Each receiver has a thread of its own, so that a sick one delays no other. What is not sent by then is sent
        after the next start, or by the other router, which has to :meth:`take_over` what is being sent.

        Raises
        ------
        StoreError
        """
        self._senders.start()
        try:
            while not (self._rest(stop, every_s) or has_successor()):
                self.step()
                on_round()
        finally:
            self._senders.stop()
        if stop.is_set() and (unanswered := self._senders.wait(LEAVE_S)):
            log.warning(
                "receivers have not answered: they are notified again after the next start", receivers=unanswered
            )
        self._settle()
        for made in (*self._digests.settle(), *self._notices.settle()):
            self._decisions.note(made)
        self._write_rest(stop)

    def take_over(self, former: Router) -> None:
        """Take up what receivers are still being sent by a router that has ended, and note what becomes of it.

        Nobody waits for that but these receivers. What waited there for its group does not wait anew: call it before
        :meth:`open`.
        """
        self._dispatcher.take_over(former._dispatcher)
        self._senders.follow(former._senders)
        self._outbox.take_over(former._outbox)
        self._digests.take_over(former._digests)
        self._notices.take_over(former._notices)

    def wake(self) -> None:
        """Have :meth:`run` look at once whether another router is to go on."""
        bell_of(self._store).set()

    def forget_reception(self) -> None:
        """Forget what receivers answered: another process hears it, and the store has it."""
        Reception.of(self._store).forget_all()

    def close(self) -> None:
        """Close the receivers."""
        self._senders.close()

    def _step(self) -> int:
        self.open()
        # What a store that was away has not got comes first: nothing new is sent before it is known what was.
        self._write()
        now_ms = self._clock.now_ms()
        self._interventions.subscribe(self._dispatcher, now_ms)
        for change in self._alerts.step(now_ms):
            self._dispatcher.put(change, now_ms)
        settled = self._settle()
        for job in self._outbox.expire(now_ms):
            # It has to hear of ends as if it had taken this; what it answers is noted even so.
            self._dispatcher.settle(job.flush, job.target, now_ms, delivered=False, may_have_it=True)
        settled += self._settle()
        # A silence counts at once, and an idle router asks nothing.
        if (due_ms := self._dispatcher.due_ms()) is not None and due_ms <= now_ms:
            self._interventions.read(self._dispatcher, self._alerts)
        settled += self._notify(now_ms)
        for made in self._outbox.retried():
            self._decisions.note(made)
        for made in (*self._notices.step(self._alerts.firing), *self._digests.step(self._alerts.ended_ms)):
            self._decisions.note(made)
        self._write()
        self._remind(now_ms)
        self._forget(now_ms)
        return settled

    def _rest(self, stop: threading.Event, every_s: float) -> bool:
        """Wait until something is due, or news come; return whether to stop."""
        bell, until_s = bell_of(self._store), self._clock.monotonic_s() + self._wait_s(every_s)
        while not (stop.is_set() or bell.is_set()) and (left_s := until_s - self._clock.monotonic_s()) > 0:
            self._clock.wait(bell, min(left_s, NOTICE_STOP_S))
        bell.clear()
        return stop.is_set()

    def _wait_s(self, every_s: float) -> float:
        """Until the next look at a group, if that comes sooner."""
        due_ms = self._dispatcher.due_ms()
        return every_s if due_ms is None else min(every_s, max(0.0, (due_ms - self._clock.now_ms()) / 1000))

    def _notify(self, now_ms: int) -> int:
        """Notify of the groups whose time has come; return how many notifications were settled."""
        settled = 0
        # A flush may end at once, and let in the change that waited for it.
        while (flushes := self._dispatcher.due(now_ms)) or self._outbox.has_more:
            for flush in flushes:
                self._note_flush(flush)
                self._outbox.add(flush)
            self._write()
            self._outbox.begin(self._dispatcher.recipients)
            settled += self._settle()
            self._write()
        return settled

    def _note_flush(self, flush: Flush) -> None:
        """Note what is decided before anything is sent: why others are not notified, and who may know more soon."""
        group = flush.group
        for reason in flush.reasons:
            log.debug("looked at a group", group_key=group.key, **reason._asdict())
        for target in flush.targets:
            self.sent_log.may_know((group.digest, target.name), flush.content.firing, self._clock.now_ms())
        for made in kept_quiet(flush, self._dispatcher.recipients.of(group.route)):
            self._decisions.note(made)

    def _remind(self, now_ms: int) -> None:
        """Post what fires again where that is forgotten."""
        reminders = self._outbox.reminders
        if reminders.is_due:
            self._interventions.read(self._dispatcher, self._alerts)
            standing: dict[Target, list[RoutedAlert]] = {}
            for target, alert in self._dispatcher.standing(now_ms):
                # A group looks at one change after the other: it may have to catch up with the end.
                if alert.flaps or self._alerts.ended_ms(alert.fingerprint) is None:
                    standing.setdefault(target, []).append(alert)
            held = chain.from_iterable(group.held for group in self._dispatcher.groups)
            reminders.begin(standing, {alert.fingerprint for alert in held})
        reminders.step(self._outbox.pending)

    def _settle(self) -> int:
        """Note what became of notifications whose receivers have answered; return how many."""
        answered = list(self._outbox.settled())
        for job, delivery, ago_ms in answered:
            now_ms, delivered = self._clock.now_ms(), delivery.outcome == "delivered"
            self._dispatcher.settle(
                job.flush, job.target, now_ms, ago_ms, delivered=delivered, may_have_it=delivery.may_have_it
            )
            for made in self._outbox.note(job, delivery, now_ms):
                self._decisions.note(made)
            if delivered:
                self._note_taken(job.flush.group, job.target, now_ms)
            elif not delivery.may_have_it:
                self._note_untaken(job.flush.group, job.target, now_ms)
            for withdrawn in self._outbox.withdraw(job) if job.is_late else ():
                self._dispatcher.repeat(withdrawn.flush, withdrawn.target, now_ms)
        return len(answered)

    def _note_taken(self, group: Group, target: Target, now_ms: int) -> None:
        key = group.digest, target.name
        self.sent_log.knows(key, now_ms)
        if group.route.options.every_change:
            # Changes that waited for this one are notified by whoever goes on from here.
            waiting = frozenset(alert.fingerprint for alert in group.held if not alert.is_over(now_ms))
            self.sent_log.may_know(key, waiting, now_ms)

    def _note_untaken(self, group: Group, target: Target, now_ms: int) -> None:
        key = group.digest, target.name
        self.sent_log.does_not_know(key, now_ms)
        if group.route.options.every_change:
            waiting = frozenset(alert.fingerprint for alert in chain(*group.queue) if not alert.is_over(now_ms))
            self.sent_log.may_know(key, waiting, now_ms)

    def _forget(self, now_ms: int) -> None:
        """Drop what nothing depends on any more, now and then."""
        if self._forget_ms is not None and now_ms >= self._forget_ms:
            self._forget_ms = now_ms + FORGET_EVERY_MS
            # Several routes may have a group of one key, and so of one digest: what each of them holds is needed.
            groups = [group for group in self._dispatcher.groups if group.is_needed]
            self._alerts.forget(list(chain.from_iterable(group.held for group in groups)), now_ms)
            self.sent_log.tend({group.digest for group in groups}, now_ms)
            self._decisions.keep(self._alerts.ids)
            self._dispatcher.silences.forget_over(now_ms - KEPT_MS)

    def _write_rest(self, stop: threading.Event) -> None:
        """Write what another router is to go on from; a store that is away is waited for, unless everything stops."""
        while not self._is_written():
            if self._clock.wait(stop, MOST_WAIT_S):
                log.warning("what was notified last is not stored, and is notified again after the next start")
                return

    def _is_written(self) -> bool:
        try:
            self._write()
        except StoreError as error:
            if not error.retryable:
                raise
            log.warning("the store did not answer", error=str(error))
            return False
        return True

    def _write(self) -> None:
        """Write everything that is not written; what a receiver was sent comes last, so that nothing is lost."""
        self._digests.write()
        self._decisions.write(self._store)
        self._notices.write()
        self._alerts.write()
        self._outbox.write()
        self.sent_log.write(self._store)
