"""Groups of alerts, and when each is told: Alertmanager's dispatcher as a state machine that is handed the time.

An alert goes into a group for each route that tells about it. A new group waits `group_wait` for more, and is looked
at every `group_interval` from then on. At each look what is inhibited, silenced, or muted by the time is left out, and
each receiver is told unless it knows everything already. What is over leaves the group once every receiver has taken
that look.

That is so also if the end was silenced, inhibited or muted: a receiver that was told of the beginning never hears of
the end. A route with `late_ends`, which Alertmanager does not have, keeps such an alert until nothing keeps it quiet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple

from monitor.delivery.target import Target
from monitor.routing.escalation import why_escalated
from monitor.routing.flapping import Flapping, Hold
from monitor.routing.inhibition import Inhibition
from monitor.routing.intervals import Interval
from monitor.routing.matcher_index import MatcherIndex
from monitor.routing.matchers import matches_all
from monitor.routing.routed_alert import NO_END, RoutedAlert
from monitor.routing.routes import Route
from monitor.routing.sent import Content, Sent, digest, perhaps, why_notified
from monitor.routing.silences import Silences
from monitor.routing.staying import Staying
from monitor.values import format_duration
from sinks.receivers.times import utc

__all__ = ["Dispatcher", "Flush", "Group", "Reason"]

SWEEP_MS = 30_000
"""How often groups without alerts are dropped."""

FORGET_MS = 1_800_000
"""How often alerts that are over are dropped from what is known of all alerts."""

NEVER_MS = 1 << 62
"""A `repeat_interval` that is never over."""

PATIENCE_MS = 10_000
"""A look takes at least this long before it counts as failed, else `group_interval`."""

_OLDEST_FIRST = attrgetter("starts_ms", "fingerprint")


class Reason(NamedTuple):
    """Why a receiver is told, or not, about an alert or a group.

    Attributes
    ----------
    told : bool
    why : str
        ``held``, ``inhibited``, ``silenced``, ``muted``, ``sent``, ``known``, ``acknowledged`` or ``waiting``.
    detail : str
    fingerprint : str
        Empty if it is about the whole group.
    target : str
        Empty if it is about every entry of the receiver.
    """

    told: bool
    why: str
    detail: str
    fingerprint: str = ""
    target: str = ""


@dataclass
class Group:
    """Alerts that are told together."""

    route: Route
    labels: Mapping[str, str]
    key: str
    next_ms: int
    alerts: dict[str, RoutedAlert] = field(default_factory=dict)
    was_flushed: bool = False
    flush: Flush | None = None
    since: frozenset[tuple[str, int]] = frozenset()
    is_looked_at: bool = True
    queue: deque[Sequence[RoutedAlert]] = field(default_factory=deque)
    """Where the route has `every_change`: changes that wait until the one before them was looked at."""

    @cached_property
    def digest(self) -> str:
        """Stands for the key where label values have no place."""
        return digest(self.key)

    def put(self, change: Sequence[RoutedAlert], now_ms: int) -> None:
        """Take up what has become of an alert; one that began long ago does not wait for others."""
        if self.route.options.every_change and not (self.is_looked_at and self.flush is None):
            self.queue.append(change)
            return
        self.is_looked_at = False
        for alert in change:
            self.alerts[alert.fingerprint] = alert
            began_long_ago = alert.starts_ms + self.route.options.group_wait_ms < now_ms
            if (not self.was_flushed and began_long_ago) or (self.was_flushed and self.route.options.every_change):
                self.next_ms = now_ms

    def go_on(self, now_ms: int) -> None:
        """Take up the change that waited for the look that has ended."""
        self.flush = None
        if self.queue and self.is_looked_at:
            self.put(self.queue.popleft(), now_ms)

    @property
    def is_needed(self) -> bool:
        """Whether it holds anything, or somebody is being notified of what it held."""
        return bool(self.alerts or self.queue or self.flush)

    @property
    def fingerprints(self) -> set[str]:
        """Of all alerts that it holds, or will."""
        return {*self.alerts, *(alert.fingerprint for change in self.queue for alert in change)}


@dataclass
class Flush:
    """One look at a group: who is to be told what.

    Attributes
    ----------
    group : Group
    at_ms : int
    alerts : frozenset of str
        Fingerprints of all that the group held.
    over : tuple of RoutedAlert
    targets : dict of Target to tuple of RoutedAlert
        What to send; it may be nothing, where only ends are new to a receiver that does not want them.
    firing, resolved : frozenset of str
        Fingerprints that are noted as told.
    flapping : frozenset of str
        Of those that fire, the ones that stand for a condition that is held.
    stand_at : frozenset of (str, int)
        The transitions at which alerts stand, where the route has `only_changes` or `every_change`.
    since : frozenset of (str, int)
        Since when the route's receiver is told of those that fire, where the route has `escalate`.
    held : frozenset of str
        Of those that are over, the ones that stay for their end to be told later.
    reasons : list of Reason
    """

    group: Group
    at_ms: int
    alerts: frozenset[str]
    over: tuple[RoutedAlert, ...]
    targets: dict[Target, tuple[RoutedAlert, ...]] = field(default_factory=dict)
    firing: frozenset[str] = frozenset()
    resolved: frozenset[str] = frozenset()
    flapping: frozenset[str] = frozenset()
    stand_at: frozenset[tuple[str, int]] = frozenset()
    since: frozenset[tuple[str, int]] = frozenset()
    held: frozenset[str] = frozenset()
    reasons: list[Reason] = field(default_factory=list)
    waiting: set[Target] = field(default_factory=set)
    failed: bool = False

    def why(self, target: Target) -> str:
        """Why a receiver is told."""
        return next(reason.detail for reason in self.reasons if reason.target == target.name)

    def unchanged(self, target: Target) -> int:
        """How many that fire a receiver is not told, since it knows them as they are."""
        return len(self.firing.difference(alert.fingerprint for alert in self.targets[target]))

    @property
    def until_ms(self) -> int:
        """When those that have not been told by then count as failed."""
        return self.at_ms + max(PATIENCE_MS, self.group.route.options.group_interval_ms)


class Dispatcher:
    """All groups.

    Parameters
    ----------
    root : Route
    targets : mapping of str to sequence of Target
        The entries of each receiver.
    inhibition : Inhibition
    silences : Silences
    intervals : mapping of str to sequence of Interval
    sent : dict of (str, str) to Sent
        By :attr:`Group.digest` and target: what was told before, kept up to date.
    now_ms : int
    """

    def __init__(
        self,
        root: Route,
        targets: Mapping[str, Sequence[Target]],
        inhibition: Inhibition,
        silences: Silences,
        intervals: Mapping[str, Sequence[Interval]],
        sent: dict[tuple[str, str], Sent],
        now_ms: int,
    ) -> None:
        self.root, self.silences, self.sent = root, silences, sent
        self.acknowledged: set[str] = set()
        """Fingerprints of alerts that somebody has taken on: a group in which no others fire is not repeated."""
        self.taken_on: set[str] = set()
        """The same, also of those that have changed since: a group in which one of them fires is not escalated."""
        self.collecting: Collection[str] = ()
        """Receivers that collect what they are told: nothing is repeated to them."""
        self.flapping = Flapping()
        self._targets, self._inhibition, self._intervals = targets, inhibition, intervals
        self._staying = Staying(sent, root.walk())
        self._known: dict[str, RoutedAlert] = {}
        self._groups: dict[tuple[str, str], Group] = {}
        self._beside: list[Route] = []
        self._beside_index = MatcherIndex([])
        self._sweep_ms, self._forget_ms = now_ms + SWEEP_MS, now_ms + FORGET_MS

    @property
    def groups(self) -> list[Group]:
        """Every group, also those whose alerts are gone and that are not dropped yet."""
        return list(self._groups.values())

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
            former = self._known.get(news.fingerprint)
            alert = news.after(former)
            self._known[alert.fingerprint] = alert
            self._inhibition.put(alert)
            if former is not None and former.annotations != alert.annotations:
                self.silences.forget(alert.fingerprint)
            routes = [*self.root.matching(alert.matched), *self._matching_beside(alert)]
            for route in self._staying.routes(alert, routes, now_ms):
                group = self._group(route, alert, now_ms)
                if not self._is_past(alert, group):
                    changes.setdefault((route.id, group.key), []).append(alert)
        for key, alerts in changes.items():
            self._groups[key].put(alerts, now_ms)
        return [self._groups[key] for key in changes]

    def _is_past(self, alert: RoutedAlert, group: Group) -> bool:
        """Whether everybody was notified of a later transition, as after a start, when all are read again."""
        if not group.route.options.every_change:
            return False
        logs = [self.sent.get((group.digest, target.name)) for target in self.entries(group.route)]
        return bool(logs) and all(last is not None and last.is_past(alert) for last in logs)

    def tell_beside(self, routes: Sequence[Route], now_ms: int) -> None:
        """Set the routes that stand beside the tree, each of which tells about all alerts that it matches.

        A new one takes up what fires; a group of one that is gone is dropped.
        """
        before, ids = {route.id for route in self._beside}, {route.id for route in routes}
        self._beside, self._beside_index = list(routes), MatcherIndex(route.matchers for route in routes)
        self._staying.set([*self.root.walk(), *routes])
        gone = before - ids
        self._groups = {key: group for key, group in self._groups.items() if group.route.id not in gone}
        for alert in [alert for alert in self._known.values() if not alert.is_over(now_ms)]:
            for route in self._matching_beside(alert):
                if route.id not in before:
                    self._group(route, alert, now_ms).put([alert], now_ms)
                    self._staying.add(alert, route)

    def _matching_beside(self, alert: RoutedAlert) -> list[Route]:
        candidates = [self._beside[place] for place in self._beside_index.candidates(alert.matched)]
        return [route for route in candidates if matches_all(route.matchers, alert.matched)]

    def _group(self, route: Route, alert: RoutedAlert, now_ms: int) -> Group:
        key = route.group_key(alert.labels)
        group = self._groups.get((route.id, key))
        if group is None:
            labels = route.options.group_of(alert.labels)
            group = Group(route, labels, key, now_ms + route.options.group_wait_ms)
            self._groups[route.id, key] = group
        return group

    def due_ms(self) -> int | None:
        """When something has to be done next, if nothing comes; None if never."""
        return min((group.next_ms for group in self._groups.values() if group.flush is None), default=None)

    def due(self, now_ms: int) -> list[Flush]:
        """Look at the groups whose time has come; return the looks at which somebody may be told."""
        self._sweep(now_ms)
        ready = [group for group in self._groups.values() if group.next_ms <= now_ms and group.flush is None]
        flushes = []
        for group in sorted(ready, key=lambda group: group.next_ms):
            group.next_ms = now_ms + group.route.options.group_interval_ms
            group.was_flushed = group.is_looked_at = True
            if group.alerts:
                group.flush = self._look(group, now_ms)
                flushes.append(group.flush)
                self._finish(group.flush, now_ms)
        return flushes

    def settle(self, flush: Flush, target: Target, now_ms: int, *, delivered: bool, may_have_it: bool = False) -> None:
        """Note what became of a notification; the receiver may have what was not delivered."""
        if target not in flush.waiting:
            return
        place = flush.group.digest, target.name
        if delivered:
            open_ends = self._open_ends(flush, target)
            known = flush.firing, flush.resolved, open_ends, flush.flapping, flush.stand_at, flush.since
            self.sent[place] = Sent(now_ms, *known)
        elif may_have_it:
            self.sent[place] = perhaps(self.sent.get(place), flush.firing)
        flush.failed = flush.failed or not delivered
        flush.waiting.discard(target)
        self._finish(flush, now_ms)

    def _finish(self, flush: Flush, now_ms: int) -> None:
        """What is over leaves the group, if every receiver has taken the look and nothing has changed since."""
        group = flush.group
        if flush.waiting or group.flush is not flush:
            return
        for alert in () if flush.failed else flush.over:
            if group.alerts.get(alert.fingerprint) is alert and alert.fingerprint not in flush.held:
                del group.alerts[alert.fingerprint]
                if alert.fingerprint not in self._known:
                    self.silences.forget(alert.fingerprint)
        group.go_on(now_ms)

    def _open_ends(self, flush: Flush, target: Target) -> frozenset[str]:
        """What a receiver believes to fire although this look keeps it quiet, if it is to hear of ends later."""
        last = self.sent.get((flush.group.digest, target.name))
        if last is None or not (flush.group.route.options.late_ends and target.send_resolved):
            return frozenset()
        return (last.believed & flush.alerts) - flush.firing - flush.resolved

    def _look(self, group: Group, now_ms: int) -> Flush:
        alerts = sorted(group.alerts.values(), key=_OLDEST_FIRST)
        over = tuple(alert for alert in alerts if alert.is_over(now_ms))
        flush = Flush(group, now_ms, frozenset(group.alerts), over)
        left = alerts if group.route.options.hold is None else self._held(alerts, group.route.options.hold, flush)
        left = self._without(left, flush, "inhibited", self._inhibited)
        if left and (muted := group.route.muted(self._intervals, now_ms)):
            flush.reasons.append(Reason(False, "muted", muted))
            left = []
        left = self._without(left, flush, "silenced", self._silenced)
        if left:
            self._tell(flush, left)
        if flush.over and group.route.options.late_ends:
            waited_for = set().union(*(self._open_ends(flush, target) for target in self.entries(group.route)))
            flush.held = frozenset(alert.fingerprint for alert in flush.over if alert.fingerprint in waited_for)
        return flush

    def entries(self, route: Route) -> Sequence[Target]:
        """Return those that a route may tell: of its receiver, and of those that it escalates to."""
        own = self._targets.get(route.options.receiver, ())
        if not own or not route.options.escalate:
            return own
        others = (target for step in route.options.escalate for target in self._targets.get(step.receiver, ()))
        return list(dict.fromkeys([*own, *others]))

    def _held(self, alerts: list[RoutedAlert], hold: Hold, flush: Flush) -> list[RoutedAlert]:
        """Of what flaps leave the alert that came first, by condition and severity: it fires until that is steady."""
        first: dict[tuple[str, str], str] = {}
        for alert in flush.group.alerts.values():
            first.setdefault((alert.condition, alert.labels.get("severity", "")), alert.fingerprint)
        left = []
        for alert in alerts:
            changes = self.flapping.held(hold, alert.condition, flush.at_ms)
            if changes is None or changes.held_ms is None:
                left.append(alert)
                continue
            steady = format_duration(hold.until_steady_ms)
            detail = f"it flaps: held since {utc(changes.held_ms)} until it is steady for {steady}"
            flush.reasons.append(Reason(False, "held", detail, alert.fingerprint))
            if alert.fingerprint == first[alert.condition, alert.labels.get("severity", "")]:
                left.append(replace(alert, ends_ms=NO_END, flaps=detail))
        flush.flapping = frozenset(alert.fingerprint for alert in left if alert.flaps)
        flush.over = tuple(alert for alert in flush.over if alert.fingerprint not in flush.flapping)
        return left

    def _without(
        self, alerts: list[RoutedAlert], flush: Flush, why: str, by: Callable[[RoutedAlert, int], str | None]
    ) -> list[RoutedAlert]:
        left = []
        for alert in alerts:
            detail = by(alert, flush.at_ms)
            if detail is None:
                left.append(alert)
            else:
                flush.reasons.append(Reason(False, why, detail, alert.fingerprint))
        return left

    def _inhibited(self, alert: RoutedAlert, now_ms: int) -> str | None:
        source = self._inhibition.by(alert, now_ms)
        return None if source is None else f"by alert {source.fingerprint}"

    def _silenced(self, alert: RoutedAlert, now_ms: int) -> str | None:
        silence = self.silences.by(alert.fingerprint, alert.matched, now_ms)
        return None if silence is None else f"by silence {silence.id}"

    def _tell(self, flush: Flush, alerts: list[RoutedAlert]) -> None:
        over, told_of = {alert.fingerprint for alert in flush.over}, {alert.fingerprint for alert in alerts}
        flush.resolved, flush.firing = frozenset(told_of & over), frozenset(told_of - over)
        flush.flapping &= flush.firing
        options = flush.group.route.options
        if options.only_changes or options.every_change:
            flush.stand_at = frozenset((alert.fingerprint, alert.sequence) for alert in alerts)
        steady = flush.firing - flush.flapping if options.every_change else frozenset()
        changed = frozenset((name, sequence) for name, sequence in flush.stand_at if name in steady)
        content = Content(flush.firing, flush.resolved, flush.flapping, changed)
        repeats = not flush.firing or not flush.firing <= self.acknowledged
        repeat_ms = flush.group.route.options.repeat_interval_ms if repeats else NEVER_MS
        escalated = self._escalated(flush) if flush.group.route.options.escalate else {}
        for target in self.entries(flush.group.route):
            step = escalated.get(target)
            if step is not None and step[0] != "escalated":
                flush.reasons.append(Reason(False, *step, target=target.name))
                continue
            told, detail = why_notified(
                self.sent.get((flush.group.digest, target.name)),
                content,
                flush.at_ms,
                repeat_ms=NEVER_MS if target.receiver in self.collecting else repeat_ms,
                send_resolved=target.send_resolved,
            )
            why = "sent" if told else "known"
            if not told and not repeats:
                why, detail = "acknowledged", "nothing is new, and somebody has taken on all that fires"
            elif told and step is not None:
                detail = f"escalated: {step[1]}; {detail}"
            flush.reasons.append(Reason(told, why, detail, target=target.name))
            if told:
                wanted = [alert for alert in alerts if target.send_resolved or alert.fingerprint not in over]
                flush.targets[target] = self._changed(flush, target, wanted)
                flush.waiting.add(target)

    def _escalated(self, flush: Flush) -> dict[Target, tuple[str, str]]:
        """Whether those are told to whom a route escalates: a word, and why."""
        group, options = flush.group, flush.group.route.options
        since_ms = self._since_ms(flush)
        group.since = flush.since = frozenset(since_ms.items())
        found: dict[Target, tuple[str, str]] = {}
        for step in options.escalate:
            for target in self._targets.get(step.receiver, ()):
                last = self.sent.get((group.digest, target.name))
                was_told = last is not None and not last.believed.isdisjoint(flush.firing | flush.resolved)
                said = why_escalated(step, since_ms, self.taken_on, flush.at_ms, was_told=was_told)
                if target not in self._targets.get(options.receiver, ()):
                    found.setdefault(target, said)
        return found

    def _since_ms(self, flush: Flush) -> dict[str, int]:
        """Since which look the route's receiver is told of what fires, whether it took it or not."""
        before = dict(flush.group.since)
        found = {name: before.get(name, flush.at_ms) for name in flush.firing}
        for target in self.entries(flush.group.route):
            last = self.sent.get((flush.group.digest, target.name))
            for name, since_ms in () if last is None else last.since:
                if name in found:
                    found[name] = min(found[name], since_ms)
        return found

    def _changed(self, flush: Flush, target: Target, alerts: list[RoutedAlert]) -> tuple[RoutedAlert, ...]:
        """What a receiver does not know as it is, if that is all that it wants; everything, if that is nothing."""
        last = self.sent.get((flush.group.digest, target.name))
        if last is None or not flush.group.route.options.only_changes:
            return tuple(alerts)
        return tuple(alert for alert in alerts if not last.knows(alert, flush.at_ms)) or tuple(alerts)

    def _sweep(self, now_ms: int) -> None:
        """Drop groups without alerts, and alerts that are over, when it is time to."""
        if now_ms >= self._sweep_ms:
            self._groups = {
                key: group for key, group in self._groups.items() if group.alerts or group.queue or group.flush
            }
            self._sweep_ms += (now_ms - self._sweep_ms) // SWEEP_MS * SWEEP_MS + SWEEP_MS
        if now_ms >= self._forget_ms:
            for alert in [alert for alert in self._known.values() if alert.is_over(now_ms)]:
                del self._known[alert.fingerprint]
                self._inhibition.forget(alert)
                self.silences.forget(alert.fingerprint)
            self._forget_ms += (now_ms - self._forget_ms) // FORGET_MS * FORGET_MS + FORGET_MS
