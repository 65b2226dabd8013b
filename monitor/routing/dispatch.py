"""Groups of alerts, and when each is notified: Alertmanager's dispatcher as a state machine that is handed the time.

An alert goes into a group for each route that takes it. A new group waits `group_wait` for more, and is looked at
every `group_interval` from then on: its alerts pass the stages, which leave out what is inhibited, silenced, or muted
by the time, and each receiver is notified unless it knows everything already. What is over leaves the group once every
receiver has taken that flush.

That is so also if the end was silenced, inhibited or muted: a receiver that was notified of the beginning never hears
of the end. A route with `late_ends`, which Alertmanager does not have, keeps such an alert until nothing keeps it
quiet. One with `every_change`, which it does not have either, looks at a group when an alert changes, and lets in one
change after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from monitor.delivery.target import Target
from monitor.routing.flapping import Flapping
from monitor.routing.groups import Flush, Group
from monitor.routing.inhibition import Inhibition
from monitor.routing.plan import Plan
from monitor.routing.recipients import Recipients
from monitor.routing.route_table import RouteTable
from monitor.routing.routed_alert import RoutedAlert
from monitor.routing.routes import Route
from monitor.routing.silences import Silences
from monitor.routing.stages import (
    Acknowledged,
    Decide,
    Escalate,
    HoldFlapping,
    Inhibit,
    Mute,
    Silence,
    Stage,
)

__all__ = ["Dispatcher"]

SWEEP_MS = 30_000
"""How often groups without alerts are dropped."""

NOTIFYING = (Escalate, Decide)
"""The last stages, which say who is notified; those before them say what is kept quiet."""

FORGET_MS = 1_800_000
"""How often alerts that are over are dropped from what is known of all alerts."""


class Dispatcher:
    """All groups.

    Parameters
    ----------
    plan : Plan
    recipients : Recipients
    now_ms : int
    silences : Silences or None

    Attributes
    ----------
    flapping : Flapping
    silences : Silences
    acknowledged : Acknowledged
        What people want and what alerts did, as the stages see it; whoever knows keeps it up to date.
    """

    def __init__(self, plan: Plan, recipients: Recipients, now_ms: int, silences: Silences | None = None) -> None:
        self.recipients = recipients
        self.flapping, self.acknowledged = Flapping(plan.holds), Acknowledged()
        self.silences = Silences() if silences is None else silences
        self._inhibition = Inhibition(plan.rules)
        self._stages: list[Stage] = [
            HoldFlapping(self.flapping),
            Inhibit(self._inhibition),
            Mute(plan.intervals),
            Silence(self.silences),
            Escalate(recipients, self.acknowledged),
            Decide(recipients, self.acknowledged, plan.digests),
        ]
        self._routes = RouteTable(plan.root, recipients.sent)
        self._alerts: dict[str, RoutedAlert] = {}
        self._groups: dict[tuple[str, str], Group] = {}
        self._begun_ms: dict[str, int] = {}
        """When alerts began, by fingerprint, as routes knew them that these are to go on from."""
        self._sweep_ms, self._forget_ms = now_ms + SWEEP_MS, now_ms + FORGET_MS

    @property
    def groups(self) -> list[Group]:
        """Every group, also those whose alerts are gone and that are not dropped yet."""
        return list(self._groups.values())

    def take_over(self, former: Dispatcher) -> None:
        """Have alerts that are :meth:`put` until :meth:`is_formed` begin when they began there.

        What has waited does not wait anew, however often routes are taken up.
        """
        self._begun_ms = former._begun_ms | {name: alert.starts_ms for name, alert in former._alerts.items()}

    def is_formed(self) -> None:
        """What there was has been put; whatever comes from now on is new."""
        self._begun_ms = {}

    def put(self, change: Sequence[RoutedAlert], now_ms: int) -> list[Group]:
        """Take up an alert, or what has become of it; return the groups that it is in.

        Parameters
        ----------
        change : sequence of RoutedAlert
            The alert; where its labels have changed, also the one with its former labels, which is over.
        now_ms : int
        """
        self._sweep(now_ms)
        changes: dict[tuple[str, str], list[RoutedAlert]] = {}
        for news in change:
            former = self._alerts.get(news.fingerprint)
            begun_ms = min(news.starts_ms, self._begun_ms.get(news.fingerprint, news.starts_ms))
            alert = self._alerts[news.fingerprint] = replace(news, starts_ms=begun_ms).after(former)
            # Any alert may inhibit others, also one that no route takes.
            self._inhibition.put(alert)
            for route in self._routes.of(alert, now_ms):
                group = self._group(route, alert, now_ms)
                if not self.recipients.know_more(group, alert):
                    changes.setdefault((route.id, group.key), []).append(alert)
        for key, alerts in changes.items():
            self._groups[key].put(alerts, now_ms)
        return [self._groups[key] for key in changes]

    def subscribe(self, routes: Sequence[Route], now_ms: int) -> None:
        """Set the routes that stand beside the tree, each of which takes all alerts that it matches.

        A new one takes up what fires; a group of one that is gone is dropped.
        """
        added, gone = self._routes.subscribe(routes)
        self._groups = {key: group for key, group in self._groups.items() if group.route.id not in gone}
        for alert in [alert for alert in self._alerts.values() if not alert.is_over(now_ms)]:
            for route in self._routes.subscribed(alert):
                if route.id in added:
                    self._group(route, alert, now_ms).put([alert], now_ms)
                    self._routes.add(alert, route)

    def due_ms(self) -> int | None:
        """When something has to be done next, if nothing comes; None if never."""
        return min((group.next_ms for group in self._groups.values() if group.flush is None), default=None)

    def due(self, now_ms: int) -> list[Flush]:
        """Look at the groups whose time has come; return the flushes of which somebody may be notified."""
        self._sweep(now_ms)
        ready = [group for group in self._groups.values() if group.next_ms <= now_ms and group.flush is None]
        flushes = []
        # After a pause many groups may be due: those that have waited longest come first.
        for group in sorted(ready, key=lambda group: group.next_ms):
            group.begin(now_ms)
            if group.alerts:
                group.flush = self._flush(group, now_ms)
                flushes.append(group.flush)
                self._finish(group.flush, now_ms)
        return flushes

    def settle(
        self, flush: Flush, target: Target, now_ms: int, ago_ms: int = 0, *, delivered: bool, may_have_it: bool = False
    ) -> None:
        """Note what became of a notification so long ago; the receiver may have what was not delivered.

        From when it answered it is waited for `repeat_interval`, however late that is noted: the flush may have ended
        without it.
        """
        if delivered:
            self.recipients.take(flush, target, now_ms - ago_ms)
        elif may_have_it:
            self.recipients.may_have(flush, target)
        if target in flush.waiting:
            flush.failed = flush.failed or not delivered
            flush.waiting.discard(target)
            self._finish(flush, now_ms)

    def repeat(self, flush: Flush, target: Target, now_ms: int) -> None:
        """Look at a group anew in place of notifying an entry: it has heard of the group from elsewhere meanwhile."""
        flush.is_repeated = True
        self.settle(flush, target, now_ms, delivered=False)

    def standing(self, now_ms: int) -> Iterator[tuple[Target, RoutedAlert]]:
        """Yield what entries that forget took to fire, and would be notified of now: nothing keeps it quiet.

        A group that is not repeated, since all that fires is acknowledged, is left out.
        """
        for group in self._groups.values():
            targets = [target for target in self.recipients.of(group.route) if target.forgets]
            alerts = list(group.alerts.values()) if targets else []
            look = Flush(group, now_ms, tuple(alerts), ())
            for stage in self._stages:
                if not isinstance(stage, NOTIFYING):
                    alerts = stage.pass_on(look, alerts)
            firing = {alert.fingerprint: alert for alert in alerts if not alert.is_over(now_ms)}
            if firing.keys() <= self.acknowledged.as_they_stand:
                continue
            for target in targets:
                sent = self.recipients.last(group, target)
                names = firing.keys() & (frozenset() if sent is None else sent.firing)
                yield from ((target, alert) for name, alert in firing.items() if name in names)

    def _group(self, route: Route, alert: RoutedAlert, now_ms: int) -> Group:
        key = route.group_key(alert.labels)
        group = self._groups.get((route.id, key))
        if group is None:
            labels = route.options.group_of(alert.labels)
            # It waits from when the alert was heard of, which may be before somebody looks.
            begun_ms = self._begun_ms.get(alert.fingerprint, now_ms)
            heard_ms = min(alert.updated_ms or now_ms, begun_ms, now_ms)
            group = Group(route, labels, key, heard_ms + route.options.group_wait_ms)
            self._groups[route.id, key] = group
        return group

    def _flush(self, group: Group, now_ms: int) -> Flush:
        alerts = group.ordered
        over = tuple(alert for alert in alerts if alert.is_over(now_ms))
        flush = Flush(group, now_ms, tuple(group.alerts.values()), over)
        for stage in self._stages:
            alerts = stage.pass_on(flush, alerts)
        if flush.over and group.route.options.late_ends:
            targets = self.recipients.of(group.route)
            awaited = set().union(*(self.recipients.open_ends(flush, target) for target in targets))
            flush.held = frozenset(alert.fingerprint for alert in flush.over if alert.fingerprint in awaited)
        return flush

    def _finish(self, flush: Flush, now_ms: int) -> None:
        """What is over leaves the group, if every receiver has taken the flush and nothing has changed since."""
        group = flush.group
        if flush.waiting or group.flush is not flush:
            return
        for alert in () if flush.failed else flush.over:
            # Another object of the same labels has come since, and has not been notified.
            if group.alerts.get(alert.fingerprint) is alert and alert.fingerprint not in flush.held:
                del group.alerts[alert.fingerprint]
                if alert.fingerprint not in self._alerts:
                    self.silences.forget(alert.fingerprint)
        group.end(now_ms)

    def _sweep(self, now_ms: int) -> None:
        """Drop groups without alerts, and alerts that are over, when it is time to."""
        if now_ms >= self._sweep_ms:
            self._groups = {key: group for key, group in self._groups.items() if group.is_needed}
            # In steps of its own, as Alertmanager's ticker: a late call does not move the later ones.
            self._sweep_ms += (now_ms - self._sweep_ms) // SWEEP_MS * SWEEP_MS + SWEEP_MS
        if now_ms >= self._forget_ms:
            for alert in [alert for alert in self._alerts.values() if alert.is_over(now_ms)]:
                del self._alerts[alert.fingerprint]
                self._inhibition.forget(alert)
                self.silences.forget(alert.fingerprint)
            self._forget_ms += (now_ms - self._forget_ms) // FORGET_MS * FORGET_MS + FORGET_MS
