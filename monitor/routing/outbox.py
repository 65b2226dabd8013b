"""Notifications on their way: from a flush to what each receiver answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

import structlog
import xxhash

from monitor.clock import Clock
from monitor.delivery.attempts import Delivery, Outcome
from monitor.delivery.senders import Senders
from monitor.delivery.target import Target
from monitor.routing.bell import bell_of
from monitor.routing.decision_log import Made, Why
from monitor.routing.digests import Collected, Digests
from monitor.routing.groups import Flush
from monitor.routing.likely_causes import LikelyCauses
from monitor.routing.message import notification_of
from monitor.routing.recipients import Recipients
from monitor.routing.reminders import Reminders
from monitor.routing.routed_alert import RoutedAlert
from monitor.routing.taken import Taken, TakenAlerts
from sinks.receivers.contract import Notification
from sinks.receivers.times import utc
from sinks.store.contract import Store, StoreError

__all__ = ["Job", "Outbox"]

log = structlog.get_logger("leeway.route")


@dataclass(eq=False)
class Job:
    """What one receiver is notified of in a flush.

    Attributes
    ----------
    flush, target, alerts
    likely_causes : mapping of str to str
        What its alerts say of what may be behind them, by their ids.
    future
        None before it is begun.
    answered_s : float or None
        When the receiver answered, by the clock that does not leap; None before.
    is_late : bool
        Whether it is still being sent although its flush has ended.
    """

    flush: Flush
    target: Target
    alerts: tuple[RoutedAlert, ...]
    likely_causes: Mapping[str, str] = field(default_factory=dict)
    future: Future[Delivery] | None = None
    answered_s: float | None = None
    is_late: bool = False

    @property
    def about(self) -> tuple[str, str]:
        """The group and the receiver, as the log of what was sent knows them."""
        return self.flush.group.digest, self.target.name

    @property
    def keys(self) -> list[tuple[str, int]]:
        """The transitions at which its alerts stand."""
        return sorted({alert.key for alert in self.alerts})

    def taken(self, now_s: float) -> Iterator[Taken]:
        """Yield its alerts as a receiver knows them that has taken it now."""
        for alert in self.alerts:
            over_s = now_s if alert.is_over(self.flush.at_ms) else None
            yield Taken(alert, self.likely_causes.get(alert.key[0], ""), over_s)


class Outbox:
    """Sends what flushes say, or has digests collect it.

    Parameters
    ----------
    store : Store
    clock : Clock
    senders : Senders
    digests : Digests
    causes : LikelyCauses or None
    external_url : str

    Attributes
    ----------
    reminders : Reminders
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        senders: Senders,
        digests: Digests,
        causes: LikelyCauses | None,
        external_url: str,
    ) -> None:
        self._store, self._clock, self._senders, self._digests = store, clock, senders, digests
        self._bell = bell_of(store)
        self._causes, self._external_url = causes, external_url
        taken = TakenAlerts(store) if causes is None else TakenAlerts(store, causes.likely_causes)
        self.reminders = Reminders(clock, senders, taken, external_url, self._bell.set)
        self._jobs: list[Job] = []
        self._unwritten: list[tuple[dict[str, list[Any]], str]] = []

    @property
    def backlog(self) -> dict[str, int]:
        """Notifications that were decided on and are not settled, by receiver."""
        backlog = dict.fromkeys(list(self._senders.targets), 0)
        for job in list(self._jobs):
            backlog[job.target.receiver] = backlog.get(job.target.receiver, 0) + 1
        return backlog

    @property
    def has_more(self) -> bool:
        """Whether something is not begun."""
        return bool(self._unbegun)

    @property
    def _unbegun(self) -> list[Job]:
        """What can be begun: no receiver is being sent another notification of the group."""
        late = {job.about for job in self._jobs if job.is_late}
        return [job for job in self._jobs if job.future is None and job.about not in late]

    def pending(self, target: Target) -> set[str]:
        """Return the fingerprints of what an entry is being notified of, or will be."""
        return {alert.fingerprint for job in self._jobs if job.target == target for alert in job.alerts}

    def add(self, flush: Flush) -> None:
        """Take up what a flush says; nothing is sent before :meth:`begin`."""
        self._jobs += [Job(flush, target, alerts) for target, alerts in flush.targets.items()]

    def take_over(self, former: Outbox) -> None:
        """Take up what receivers are still being sent, of which :meth:`settled` yields what has become of it."""
        for job in former._jobs:
            if job.future is not None:
                job.is_late = True
                self._jobs.append(job)

    def withdraw(self, late: Job) -> list[Job]:
        """Return what was not begun because a receiver was being sent another one: the group has to be looked at anew.

        What it was sent may be all that it needs to know.
        """
        withdrawn = [job for job in self._jobs if job.future is None and job.about == late.about]
        self._jobs = [job for job in self._jobs if job not in withdrawn]
        return withdrawn

    def expire(self, now_ms: int) -> list[Job]:
        """Give up on what was not taken before its flush is over; return what is being sent even so.

        :meth:`settled` yields the rest at once, and this once it has been answered.
        """
        overdue = [job for job in self._jobs if not job.is_late and job.flush.until_ms <= now_ms]
        by_target: dict[Target, list[Job]] = {}
        for job in overdue:
            if job.future is None:
                job.future = _settled("gave_up", "the receiver is still being sent what was decided on earlier")
                job.future.add_done_callback(partial(self._answered, job))
            by_target.setdefault(job.target, []).append(job)
        for target, jobs in by_target.items():
            self._senders.withdraw(target, {job.future for job in jobs if job.future is not None})
        late = [job for job in overdue if job.answered_s is None]
        for job in late:
            job.is_late = True
        return late

    def begin(self, recipients: Recipients) -> None:
        """Begin to send what is not begun."""
        # Where there is no time for all of them, each has its turn.
        waiting = sorted(self._unbegun, key=lambda job: job.target not in job.flush.group.untried)
        alerts = chain.from_iterable(job.alerts for job in waiting)
        likely_causes = {} if self._causes is None else self._causes.likely_causes(alerts)
        for job in waiting:
            job.likely_causes = likely_causes
            job.future = self._begun_or_refused(job, recipients)
            job.future.add_done_callback(partial(self._answered, job))

    def settled(self) -> Iterator[tuple[Job, Delivery, int]]:
        """Yield, once each, the notifications whose receivers have answered, what became of them, and how long ago."""
        done = [job for job in self._jobs if job.answered_s is not None]
        self._jobs = [job for job in self._jobs if job not in done]
        for job in done:
            assert job.future is not None
            assert job.answered_s is not None
            delivery = job.future.result()
            if delivery.outcome == "gave_up" and not delivery.attempts:
                job.flush.group.untried.add(job.target)
            else:
                job.flush.group.untried.discard(job.target)
            yield job, delivery, round(1000 * (self._clock.monotonic_s() - job.answered_s))

    def retried(self) -> Iterator[Made]:
        """Yield what is under way to receivers that have taken nothing since they failed, as decisions."""
        for job in self._jobs:
            if job.future is None or job.answered_s is not None or job.is_late:
                continue
            if (failure := self._senders.failure_of(job.target)) is not None:
                detail = f"it has taken nothing since {utc(failure.since_ms)}: {failure.reason}"
                route, at_ms = job.flush.group.route.id, job.flush.at_ms
                yield from (Made(*key, job.target.name, route, at_ms, "retried", detail) for key in job.keys)

    def note(self, job: Job, delivery: Delivery, now_ms: int) -> list[Made]:
        """Keep what became of a notification, which :meth:`write` writes; return it as decisions."""
        if delivery.outcome != "delivered":
            log.warning(
                "notification was not delivered",
                receiver=job.target.name,
                group_key=job.flush.group.key,
                outcome=delivery.outcome,
                reason=delivery.reason,
                attempts=delivery.attempts,
            )
        if job.target.forgets:
            self.reminders.note(job.target, job.taken(self._clock.monotonic_s()), delivery)
        if job.alerts and job.target not in self._digests:
            self._unwritten.append(_rows(job, delivery, now_ms))
        why: Why = delivery.outcome
        detail = delivery.reason
        if why == "delivered":
            detail = job.flush.why(job.target) + (f"; {delivery.reason}" if delivery.reason else "")
        if job.target in self._digests:
            why, detail = "digest", f"it is notified at {utc(self._digests.next_ms(job.target))}; {detail}"
        route, at_ms = job.flush.group.route.id, job.flush.at_ms
        return [Made(*key, job.target.name, route, at_ms, why, detail) for key in job.keys]

    def write(self) -> None:
        """Write what became of notifications.

        Raises
        ------
        StoreError
        """
        while self._unwritten:
            self._store.append("notifications", *self._unwritten[0])
            # Only now: rows that the store did not take are written by the next step, with the same token.
            self._unwritten.pop(0)

    def _answered(self, job: Job, _: Future[Delivery]) -> None:
        job.answered_s = self._clock.monotonic_s()
        self._bell.set()

    def _begun_or_refused(self, job: Job, recipients: Recipients) -> Future[Delivery]:
        try:
            return self._begun(job, recipients)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 -- one notification that cannot be composed delays no other
            return _settled("refused", f"it cannot be composed: {type(error).__name__}")

    def _begun(self, job: Job, recipients: Recipients) -> Future[Delivery]:
        if job.alerts:
            notification = notification_of(job.flush, job.target, self._external_url, job.likely_causes)
            if job.target not in self._digests:
                return self._senders.send(job.target, notification, (job.flush.until_ms - job.flush.at_ms) / 1000)
            sent = recipients.last(job.flush.group, job.target)
            self._digests.collect(job.target, _collected(job, notification), sent.believed if sent else ())
        # It is collected, or only ends are new, which the receiver does not want.
        return _settled("delivered")


def _collected(job: Job, notification: Notification) -> Iterator[Collected]:
    for routed, alert in zip(job.alerts, notification.alerts, strict=True):
        yield Collected(alert, True, *routed.key, job.flush.group.route.id)


def _settled(outcome: Outcome, reason: str = "") -> Future[Delivery]:
    done: Future[Delivery] = Future()
    done.set_result(Delivery(outcome, reason, 0))
    return done


def _rows(job: Job, delivery: Delivery, now_ms: int) -> tuple[dict[str, list[Any]], str]:
    """Rows of ``notifications``, one for each alert of a notification."""
    columns: dict[str, list[Any]] = {
        "alert_id": [alert_id for alert_id, _ in job.keys],
        "sequence": [sequence for _, sequence in job.keys],
    }
    shared = {"receiver": job.target.name, "outcome": delivery.outcome, "reason": delivery.reason}
    for name, value in {**shared, "attempts": delivery.attempts, "at_ms": now_ms}.items():
        columns[name] = [value] * len(job.keys)
    digest = xxhash.xxh3_64_hexdigest(repr(job.keys).encode())
    return columns, f"route/{job.target.name}/{digest}/{now_ms}"
