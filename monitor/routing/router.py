"""The alert stage with routes: follows the transitions of alerts, groups them, and tells those whom routes name.

:mod:`monitor.routing.dispatch` decides; this acts. What each receiver was told last about a group is kept in the store
(:mod:`monitor.routing.sent_log`), written after the receiver answered. Before it is sent what is new it is
noted that the receiver may know of it. A process that ends in between tells the group again, under the same key, and
what is over by then as an end. After a start, groups are formed anew from the alerts that are not over, and wait their
`group_wait`; the log says what need not be told. How often alerts changed that may be held for flapping is kept as
well (stage :data:`FLAPPING`).

For the router an alert begins when it hears of it: event time may be long past, and nothing would ever wait for
company.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
import xxhash

from monitor.alerts.lifecycle import POSTED
from monitor.checkpoint import decode_state, encode_state
from monitor.clock import Clock
from monitor.delivery.attempts import Delivering, Delivery
from monitor.delivery.patience import TOLD_STATES, Patience
from monitor.delivery.senders import Senders
from monitor.delivery.target import Target
from monitor.errors import InputError
from monitor.routing.acknowledgement_log import AcknowledgementLog
from monitor.routing.decision_log import DecisionLog, Made, Why, kept_quiet, looked_at
from monitor.routing.digests import Collected, Digests
from monitor.routing.dispatch import Dispatcher, Flush
from monitor.routing.flapping import Flapping
from monitor.routing.former_notifications import SINGLE_ALERTS, FormerNotifications
from monitor.routing.incident_labels import LABEL, IncidentNames
from monitor.routing.inhibition import Inhibition, Rule
from monitor.routing.intervals import Interval
from monitor.routing.message import alert_of, annotations_of
from monitor.routing.posted_log import Posting
from monitor.routing.routed_alert import RoutedAlert
from monitor.routing.routes import Route
from monitor.routing.sent_log import SentLog
from monitor.routing.silence_log import SilenceLog
from monitor.routing.silence_notices import Notices
from monitor.routing.silences import Silences
from monitor.routing.subscription_log import SubscriptionLog
from monitor.routing.subscriptions import Subscription
from monitor.routing.timetable import Digest
from monitor.routing.transitions import Following
from sinks.receivers.contract import Notification, Receiver, Status
from sinks.receivers.times import utc
from sinks.store.contract import Query, Store, StoreError
from sinks.store.rows import rows_of

__all__ = ["FLAPPING", "Plan", "Router"]

FLAPPING = "flapping"
ROUTE = "route"
MOST_WAIT_S = 1.0
FORGET_EVERY_MS = 60_000

Row = dict[str, Any]
log = structlog.get_logger("leeway.route")


@dataclass(frozen=True)
class Plan:
    """Who is told what, as configured.

    Attributes
    ----------
    root : Route
    receivers : mapping of Target to Receiver
    rules : sequence of Rule
    intervals : mapping of str to sequence of Interval
    silence_notices : sequence of str
        Receivers that are told of the beginning and the end of every silence.
    digests : mapping of str to Digest
        Receivers that are sent summaries.
    reached : callable
        From a subscription to the entries that it tells, each with what builds its receiver; InputError, if it cannot
        tell anybody.
    incidents : IncidentNames or None
        Where alerts have the label of their incident.
    """

    root: Route
    receivers: Mapping[Target, Receiver]
    rules: Sequence[Rule] = ()
    intervals: Mapping[str, Sequence[Interval]] | None = None
    silence_notices: Sequence[str] = ()
    digests: Mapping[str, Digest] = field(default_factory=dict)
    reached: Callable[[Subscription], Mapping[Target, Callable[[], Receiver]]] = lambda _: {}
    incidents: IncidentNames | None = None


@dataclass
class _Alert:
    """What is known of an alert, under one set of labels."""

    row: Row
    told: RoutedAlert
    first_ms: int
    ends_ms: int = 0


@dataclass
class _Job:
    flush: Flush
    target: Target
    alerts: tuple[RoutedAlert, ...]
    places: list[tuple[str, int]]
    future: Future[Delivery] | None = None
    """None: it is not begun."""


class Router:
    """Tells people about alerts by routes.

    Parameters
    ----------
    store : Store
    plan : Plan
    clock : Clock
    external_url : str
        How people reach the API; links start with it. Empty: no links.
    models : iterable of str
        Whose alerts are told; with the one of posted alerts, what becomes of those is written here.
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
        self._store, self._plan, self._clock, self._external_url = store, plan, clock, external_url
        self._models = list(models)
        self._following = Following(store, clock, self._models, ROUTE)
        self._posting = Posting(store, clock) if POSTED in self._models else None
        self._silences = SilenceLog(store, clock)
        self._acknowledgements = AcknowledgementLog(store, clock)
        self._decisions = DecisionLog()
        self._flapping = Flapping(filter(None, {route.options.hold for route in plan.root.walk()}))
        self._subscriptions = SubscriptionLog(store, clock)
        self._subscribed: Mapping[str, Subscription] = {}
        self._senders = Senders(plan.receivers, clock)
        self._notices = Notices(store, clock, self._senders.targets, plan.silence_notices, external_url, self._send)
        self._digests = Digests(store, clock, plan.digests, self._senders.targets, external_url, self._send)
        self._patience = patience or Patience()
        self._names: dict[str, str] = {}
        self._unnamed: list[Row] = []
        self._alerts: dict[str, _Alert] = {}
        self._jobs: list[_Job] = []
        repeats = (route.options for route in plan.root.walk() if not route.options.every_change)
        self.sent_log = SentLog(max((options.repeat_interval_ms for options in repeats), default=0))
        self._unwritten: list[tuple[str, dict[str, list[Any]], str]] = []
        self._dispatcher: Dispatcher | None = None
        self._former: FormerNotifications | None = None
        self._forget_ms = 0

    @property
    def backlog(self) -> dict[str, int]:
        """Notifications that were decided on and are not settled, by receiver."""
        found = dict.fromkeys(list(self._senders.targets), 0)
        for job in list(self._jobs):
            found[job.target.receiver] = found.get(job.target.receiver, 0) + 1
        return found

    def open(self) -> None:
        """Read what was told before, and form the groups; call it before anything can write transitions.

        Raises
        ------
        StoreError
        """
        if self._dispatcher is not None:
            return
        now_ms = self._clock.now_ms()
        sent = self.sent_log.load(self._store)
        subscriptions = self._subscriptions.all()
        flapping = rows_of(self._store.read(Query("checkpoints", where={"stage": FLAPPING})))
        self._digests.open()
        former = FormerNotifications(self._store, self._targets_before_routes(), self._models)
        self._following.open(former.starts_ms)
        rows = self._new_rows()
        known, waiting = former.read(rows)
        for place in known.keys() - sent.keys():
            sent[place] = known[place]
            self.sent_log.knows(place, now_ms)
        self._former = former
        self._dispatcher = Dispatcher(
            self._plan.root,
            self._senders.targets,
            Inhibition(self._plan.rules),
            Silences(),
            self._plan.intervals or {},
            sent,
            now_ms,
        )
        self._dispatcher.flapping, self._dispatcher.collecting = self._flapping, self._plan.digests
        for row in flapping:
            self._flapping.read(row["name"], decode_state(row["state"]))
        self._subscribe(subscriptions, now_ms)
        firing = {fingerprint for last in sent.values() for fingerprint in last.believed}
        latest = {row["alert_id"]: row for row in rows if row["state"] in TOLD_STATES}
        in_order = self._notified_in_order(latest) | waiting
        for row in rows:
            self._note_change(row)
            # Of what is over, or was once under other labels, only that is of interest which somebody takes to fire.
            is_live = row is latest.get(row["alert_id"]) and row["state"] != "resolved"
            if is_live or row["alert_id"] in in_order or _fingerprint(row) in firing:
                self._take(row, now_ms)
        self._decisions.load(self._store, self._names)
        self._notices.open()

    def _targets_before_routes(self) -> list[Target]:
        """Entries of receivers that single alerts go to, as they did before every service had routes."""
        names = {route.options.receiver for route in self._plan.root.walk() if route.own_key == SINGLE_ALERTS}
        return [target for name in names for target in self._senders.targets.get(name, ())]

    def _notified_in_order(self, latest: Mapping[str, Row]) -> set[str]:
        """Alerts of which every transition is taken up: they fire, or ended before any process looked at them."""
        if not any(route.options.every_change for route in self._plan.root.walk()):
            return set()
        over = {alert_id for alert_id, row in latest.items() if row["state"] == "resolved"}
        return latest.keys() - over | over - looked_at(self._store, over)

    def _looks(self, now_ms: int) -> int:
        """Look at the groups whose time has come; a look may end at once, and let in the change that waited for it."""
        assert self._dispatcher is not None
        settled = 0
        while (flushes := self._dispatcher.due(now_ms)) or any(job.future is None for job in self._jobs):
            for flush in flushes:
                self._tell(flush)
            self._write()
            self._begin()
            settled += self._settle()
            self._write()
        return settled

    def step(self) -> int:
        """Do what is due; return how many notifications were settled.

        Raises
        ------
        StoreError
            If the store fails in a way that waiting does not mend.
        """
        try:
            self.open()
            assert self._dispatcher is not None
            self._write()
            now_ms = self._clock.now_ms()
            self._subscribe(self._subscriptions.all(), now_ms)
            self._take_posts()
            for row in self._new_rows():
                self._note_change(row)
                self._take(row, now_ms)
            settled = self._settle()
            self._read_what_people_said(now_ms)
            settled += self._looks(now_ms)
            for made in (*self._notices.step(self._firing), *self._digests.step(self._ended_ms)):
                self._decisions.note(made)
            self._write()
            self._forget(now_ms)
        except StoreError as error:
            if not error.retryable:
                raise
            log.warning("the store did not answer", error=str(error))
            return 0
        return settled

    def run(self, stop: threading.Event, every_s: float = MOST_WAIT_S) -> None:
        """Step until ``stop`` is set; receivers are told by threads of their own, so that a sick one delays no other.

        What is not sent by then is sent after the next start.

        Raises
        ------
        StoreError
        """
        self._senders.start()
        try:
            while not self._clock.wait(stop, self._wait_s(every_s)):
                self.step()
        finally:
            self._senders.stop()
        self._settle()
        for made in self._digests.settle():
            self._decisions.note(made)
        self._write()

    def _wait_s(self, every_s: float) -> float:
        """Until the next look at a group, if that comes sooner."""
        due_ms = None if self._dispatcher is None else self._dispatcher.due_ms()
        if due_ms is None:
            return every_s
        return min(every_s, max(0.0, (due_ms - self._clock.now_ms()) / 1000))

    def close(self) -> None:
        """Close the receivers."""
        self._senders.close()

    # -- subscriptions -----------------------------------------------------------------------------------------

    def _subscribe(self, wanted: Mapping[str, Subscription], now_ms: int) -> None:
        """Tell those who have subscribed since the last step, too, and those no longer who have ended it."""
        assert self._dispatcher is not None
        if wanted.keys() == self._subscribed.keys():
            return
        self._subscribed = wanted
        routes: list[Route] = []
        used = set(self._plan.receivers)
        for subscription in wanted.values():
            try:
                reached = self._plan.reached(subscription)
                for target in reached.keys() - used:
                    if target not in self._senders:
                        self._senders.add(target, reached[target]())
            except (InputError, ValueError) as error:
                log.warning("a subscription tells nobody", subscription=subscription.id, error=str(error))
                continue
            used |= reached.keys()
            routes.append(subscription.route)
        self._dispatcher.tell_beside(routes, now_ms)
        for target in [target for entries in self._senders.targets.values() for target in entries]:
            if target not in used:
                self._senders.drop(target)

    # -- alerts ------------------------------------------------------------------------------------------------

    def _new_rows(self) -> list[Row]:
        """Transitions that were not taken up before, with the label of their incident where there is one."""
        rows = self._unnamed or self._following.new()
        if self._plan.incidents is not None:
            # Should the store fail now, they are not given again.
            self._unnamed = rows
            rows = self._plan.incidents.labelled(rows)
            self._unnamed = []
        return rows

    def _take(self, row: Row, now_ms: int) -> None:
        """Take up a transition. An alert whose labels have changed is over under those that it had."""
        if row["state"] not in TOLD_STATES:
            return
        told, change = self._told_of(row, now_ms), list[RoutedAlert]()
        known = self._names.get(row["alert_id"])
        before = None if known is None else self._alerts.get(known)
        if before is not None and known != told.fingerprint:
            before.ends_ms = row["at_ms"]
            former_row = {**before.row, "ends_ms": row["at_ms"]}
            change.append(replace(self._told_of(former_row, now_ms), ends_ms=now_ms))
        self._names[row["alert_id"]] = told.fingerprint
        first_ms = row["at_ms"] if before is None else before.first_ms
        if row["state"] == "resolved":
            told = replace(told, ends_ms=now_ms)
        self._alerts[told.fingerprint] = _Alert(row, told, first_ms, row["ends_ms"])
        self._put([*change, told], now_ms)

    def _take_posts(self) -> None:
        """Write what has become of alerts that others post; of those that fire what was said last is told."""
        if self._posting is None:
            return
        self._posting.step()
        for alert_id, said in self._posting.said.items():
            alert = self._alerts.get(self._names.get(alert_id, ""))
            if alert is not None and alert.row["alert_id"] == alert_id and alert.row["signals"] != said:
                alert.row = {**alert.row, "signals": said}
                alert.told = self._told_of(alert.row, alert.told.starts_ms)
                self._put([alert.told], self._clock.now_ms())

    def _told_of(self, row: Row, now_ms: int) -> RoutedAlert:
        """The alert as a transition has it, beginning now."""
        said = annotations_of(row, self._external_url)
        labels = json.loads(row["labels"])
        return RoutedAlert(
            labels, now_ms, annotations=said, updated_ms=now_ms, sequence=row["sequence"], transition=row
        )

    def _note_change(self, row: Row) -> None:
        """Count how often an alert begins and ends, where a route holds what flaps."""
        if self._flapping.is_off or row["state"] not in TOLD_STATES:
            return
        told = self._told_of(row, row["at_ms"])
        routes = () if row["state"] == "resolved" else self._plan.root.matching(told.matched)
        holds = [route.options.hold for route in routes if route.options.hold is not None]
        self._flapping.note(told.condition, row["alert_id"], row["at_ms"], holds)

    def _put(self, change: Sequence[RoutedAlert], now_ms: int) -> None:
        assert self._dispatcher is not None
        self._dispatcher.put(change, now_ms)

    def _forget(self, now_ms: int) -> None:
        """Drop what is over and told, and let the next process begin behind it."""
        if now_ms < self._forget_ms:
            return
        self._forget_ms = now_ms + FORGET_EVERY_MS
        assert self._dispatcher is not None
        grouped = set().union(*(group.fingerprints for group in self._dispatcher.groups))
        kept = {name for name, alert in self._alerts.items() if name in grouped or not alert.ends_ms}
        self._alerts = {name: self._alerts[name] for name in kept}
        self._names = {alert_id: name for alert_id, name in self._names.items() if name in kept}
        oldest_ms: dict[str, int] = {}
        for alert in self._alerts.values():
            model = alert.row["model"]
            oldest_ms[model] = min(alert.first_ms, oldest_ms.get(model, alert.first_ms))
        if self._following.keep(oldest_ms) and self._former is not None:
            self._former.close()
            self._former = None
        self._flapping.forget(now_ms)
        self.sent_log.tend({group.digest for group in self._dispatcher.groups if group.fingerprints}, now_ms)
        if self._plan.incidents is not None:
            self._plan.incidents.keep({alert.row["alert_id"] for alert in self._alerts.values()})
        self._decisions.keep({alert.row["alert_id"] for alert in self._alerts.values()})

    def _read_what_people_said(self, now_ms: int) -> None:
        """Right before a look at a group: a silence counts at once, and an idle router asks nothing."""
        assert self._dispatcher is not None
        due_ms = self._dispatcher.due_ms()
        if due_ms is not None and due_ms <= now_ms:
            for silence in self._silences.all():
                self._dispatcher.silences.put(silence)
            taken = self._acknowledgements.all()
            rows = {name: alert.row for name, alert in self._alerts.items() if alert.row["alert_id"] in taken}
            self._dispatcher.taken_on = set(rows)
            self._dispatcher.acknowledged = {
                name for name, row in rows.items() if taken[row["alert_id"]].holds(row["sequence"])
            }
            if self._plan.incidents is not None:
                self._plan.incidents.refresh()

    # -- telling -----------------------------------------------------------------------------------------------

    def _tell(self, flush: Flush) -> None:
        route = flush.group.route
        for reason in flush.reasons:
            log.debug("looked at a group", group_key=flush.group.key, **reason._asdict())
        for target, alerts in list(flush.targets.items()):
            places = sorted({alert.key for alert in alerts})
            self._jobs.append(_Job(flush, target, alerts, places))
            self.sent_log.may_know((flush.group.digest, target.name), flush.firing, self._clock.now_ms())
        assert self._dispatcher is not None
        for alert, target, why, detail in kept_quiet(flush, self._dispatcher.entries(route)):
            self._decide(flush, target, alert.key, why, detail)

    def _firing(self) -> list[RoutedAlert]:
        return [alert.told for alert in self._alerts.values() if not alert.ends_ms]

    def _ended_ms(self, fingerprint: str) -> int | None:
        """When an alert ended, as far as is known; None if it fires."""
        known = self._alerts.get(fingerprint)
        return self._clock.now_ms() if known is None else known.ends_ms or None

    def _decide(self, flush: Flush, target: Target, place: tuple[str, int], why: Why, detail: str) -> None:
        self._decisions.note(Made(*place, target.name, flush.group.route.id, flush.at_ms, why, detail))

    def _begin(self) -> None:
        """Begin to send what is not begun."""
        for job in self._jobs:
            if job.future is None:
                job.future = self._sending(job)

    def _sending(self, job: _Job) -> Future[Delivery]:
        if job.alerts and job.target in self._digests:
            assert self._dispatcher is not None
            last = self._dispatcher.sent.get((job.flush.group.digest, job.target.name))
            self._digests.collect(job.target, self._collected(job), last.believed if last else ())
        elif job.alerts:
            for_s = (job.flush.until_ms - job.flush.at_ms) / 1000
            return self._send(job.target, self._composed(job), for_s)
        # It is collected, or only ends are new, which the receiver does not want.
        done: Future[Delivery] = Future()
        done.set_result(Delivery("delivered", "", 0))
        return done

    def _send(self, target: Target, notification: Notification, for_s: float) -> Future[Delivery]:
        def going_to(receiver: Receiver) -> Delivering:
            return Delivering(receiver, notification, for_s, self._clock, self._patience)

        return self._senders.send(target, going_to)

    def _collected(self, job: _Job) -> Iterator[Collected]:
        for told, alert in zip(job.alerts, self._composed(job).alerts, strict=True):
            yield Collected(alert, True, *told.key, job.flush.group.route.id)

    def _composed(self, job: _Job) -> Notification:
        group, said = job.flush.group, []
        named = {told.labels.get(LABEL, "") for told in job.alerts}
        incidents = self._plan.incidents
        likely = {name: "" if incidents is None else incidents.likely_cause(name) for name in named}
        alerts = job.alerts
        if group.route.options.every_change:
            # Titles speak of the first alert: the one that fires, not the one that its higher severity replaces.
            alerts = tuple(sorted(alerts, key=lambda alert: alert.is_over(job.flush.at_ms)))
        for told in alerts:
            status: Status = "resolved" if told.is_over(job.flush.at_ms) else "firing"
            about = {"flaps": told.flaps, "likely_cause": likely[told.labels.get(LABEL, "")]}
            said.append(alert_of(told.transition, dict(told.labels), status, self._external_url, **about))
        return Notification(
            job.target.receiver,
            group.key,
            dict(group.labels),
            tuple(said),
            self._external_url,
            job.flush.unchanged(job.target),
        )

    def _settle(self) -> int:
        """Note what became of notifications whose receivers have answered."""
        done = [job for job in self._jobs if job.future is not None and job.future.done()]
        self._jobs = [job for job in self._jobs if job not in done]
        for job in done:
            assert job.future is not None
            self._note(job, job.future.result())
        return len(done)

    def _note(self, job: _Job, said: Delivery) -> None:
        assert self._dispatcher is not None
        now_ms = self._clock.now_ms()
        delivered = said.outcome == "delivered"
        self._dispatcher.settle(job.flush, job.target, now_ms, delivered=delivered, may_have_it=said.may_have_it)
        if not delivered:
            log.warning(
                "notification was not delivered",
                receiver=job.target.name,
                group_key=job.flush.group.key,
                outcome=said.outcome,
                reason=said.reason,
                attempts=said.attempts,
            )
        why: Why = said.outcome
        detail = said.reason or job.flush.why(job.target)
        if job.target in self._digests:
            why, detail = "digest", f"it is told at {utc(self._digests.next_ms(job.target))}; {detail}"
        for place in job.places:
            self._decide(job.flush, job.target, place, why, detail)
        if job.alerts and job.target not in self._digests:
            self._unwritten.append(self._notifications(job, said, now_ms))
        if delivered:
            self.sent_log.knows((job.flush.group.digest, job.target.name), now_ms)

    def _notifications(self, job: _Job, said: Delivery, now_ms: int) -> tuple[str, dict[str, list[Any]], str]:
        """Rows of ``notifications``, one for each alert that was told."""
        columns: dict[str, list[Any]] = {
            "alert_id": [alert_id for alert_id, _ in job.places],
            "sequence": [sequence for _, sequence in job.places],
        }
        same = {"receiver": job.target.name, "outcome": said.outcome, "reason": said.reason}
        for name, value in {**same, "attempts": said.attempts, "at_ms": now_ms}.items():
            columns[name] = [value] * len(job.places)
        digest = xxhash.xxh3_64_hexdigest(repr(job.places).encode())
        return "notifications", columns, f"route/{job.target.name}/{digest}/{now_ms}"

    # -- what is kept --------------------------------------------------------------------------------------------

    def _changes(self) -> list[tuple[str, dict[str, list[Any]], str]]:
        """How often alerts changed, where it is not written yet."""
        rows = [
            {
                "stage": FLAPPING,
                "name": name,
                "partition": 0,
                "position": at_ms,
                "config": "",
                "state": encode_state(state),
            }
            for name, at_ms, state in self._flapping.unwritten()
        ]
        if not rows:
            return []
        digest = xxhash.xxh3_64_hexdigest(repr(rows).encode())
        return [("checkpoints", {column: [row[column] for row in rows] for column in rows[0]}, f"{FLAPPING}/{digest}")]

    def _write(self) -> None:
        self._digests.write()
        self._decisions.write(self._store)
        self._notices.write()
        self._unwritten += self._changes()
        while self._unwritten:
            self._store.append(*self._unwritten[0])
            self._unwritten.pop(0)
        self.sent_log.write(self._store)


def _fingerprint(row: Row) -> str:
    return RoutedAlert(json.loads(row["labels"]), 0).fingerprint
