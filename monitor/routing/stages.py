"""What happens to the alerts of a group when it is looked at: Alertmanager's notification pipeline.

Each stage has one method. It passes on the alerts that somebody may be notified of and notes why others are not; the
last one decides for each receiver. Nothing here acts: what a stage finds is in the flush.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from monitor.delivery.target import Target
from monitor.routing.escalation import why_escalated
from monitor.routing.flapping import Flapping, Hold
from monitor.routing.groups import Flush, Reason
from monitor.routing.inhibition import Inhibition
from monitor.routing.intervals import Interval
from monitor.routing.recipients import Recipients
from monitor.routing.routed_alert import NO_END, RoutedAlert
from monitor.routing.sent import Content, why_notified
from monitor.routing.silences import Silences
from monitor.values import format_duration
from sinks.receivers.times import utc

__all__ = ["Acknowledged", "Decide", "Escalate", "HoldFlapping", "Inhibit", "Mute", "Silence", "Stage"]

NEVER_MS = 1 << 62
"""A `repeat_interval` that is never over."""

Alerts = list[RoutedAlert]


@dataclass
class Acknowledged:
    """Fingerprints of alerts that somebody has taken on.

    Attributes
    ----------
    as_they_stand : set of str
        A group in which no others fire is not repeated.
    ever : set of str
        Also those that have changed since: a group in which one of them fires is not escalated.
    """

    as_they_stand: set[str] = field(default_factory=set)
    ever: set[str] = field(default_factory=set)


class Stage(Protocol):
    """One stage of the pipeline."""

    def pass_on(self, flush: Flush, alerts: Alerts) -> Alerts:
        """Return the alerts that go on, and note in ``flush`` why others do not."""
        ...


class HoldFlapping:
    """Of what flaps passes on the alert that came first, by condition and severity: it fires until that is steady."""

    def __init__(self, flapping: Flapping) -> None:
        self._flapping = flapping

    def pass_on(self, flush: Flush, alerts: Alerts) -> Alerts:
        """See :class:`Stage`."""
        hold = flush.group.route.options.hold
        return alerts if hold is None else self._pass_on(hold, flush, alerts)

    def _pass_on(self, hold: Hold, flush: Flush, alerts: Alerts) -> Alerts:
        # By the order of arrival, whoever fires now: the one that receivers know stays the one that they hear of.
        first: dict[tuple[str, str], str] = {}
        for alert in flush.group.alerts.values():
            first.setdefault((alert.condition, alert.labels.get("severity", "")), alert.fingerprint)
        passed = []
        for alert in alerts:
            changes = self._flapping.held(hold, alert.condition, flush.at_ms)
            if changes is None or changes.held_ms is None:
                passed.append(alert)
                continue
            steady = format_duration(hold.until_steady_ms)
            detail = f"it flaps: held since {utc(changes.held_ms)} until it is steady for {steady}"
            flush.reasons.append(Reason(False, "held", detail, alert.fingerprint))
            if alert.fingerprint == first[alert.condition, alert.labels.get("severity", "")]:
                passed.append(replace(alert, ends_ms=NO_END, flaps=detail))
        flush.flapping = frozenset(alert.fingerprint for alert in passed if alert.flaps)
        flush.over = tuple(alert for alert in flush.over if alert.fingerprint not in flush.flapping)
        return passed


class Inhibit:
    """Keeps alerts quiet that follow from another one."""

    def __init__(self, inhibition: Inhibition) -> None:
        self._inhibition = inhibition

    def pass_on(self, flush: Flush, alerts: Alerts) -> Alerts:
        """See :class:`Stage`."""
        quiet = {
            alert.fingerprint: f"by alert {source.fingerprint}"
            for alert in alerts
            if (source := self._inhibition.by(alert, flush.at_ms)) is not None
        }
        return _without(flush, alerts, "inhibited", quiet)


class Mute:
    """Keeps everything quiet at the times at which the route notifies nobody."""

    def __init__(self, intervals: Mapping[str, Sequence[Interval]]) -> None:
        self._intervals = intervals

    def pass_on(self, flush: Flush, alerts: Alerts) -> Alerts:
        """See :class:`Stage`."""
        muted = flush.group.route.muted(self._intervals, flush.at_ms) if alerts else ""
        if not muted:
            return alerts
        flush.reasons.append(Reason(False, "muted", muted))
        return []


class Silence:
    """Keeps alerts quiet that a silence matches."""

    def __init__(self, silences: Silences) -> None:
        self._silences = silences

    def pass_on(self, flush: Flush, alerts: Alerts) -> Alerts:
        """See :class:`Stage`."""
        loud = []
        for alert in alerts:
            silence = self._silences.by(alert, flush.at_ms)
            if silence is None:
                loud.append(alert)
                continue
            reason = Reason(False, "silenced", f"by silence {silence.id}", alert.fingerprint, silence=silence.id)
            flush.reasons.append(reason)
        return loud


class Escalate:
    """Finds out to whom else the group goes, since nobody has taken an alert of it on."""

    def __init__(self, recipients: Recipients, acknowledged: Acknowledged) -> None:
        self._recipients, self._acknowledged = recipients, acknowledged

    def pass_on(self, flush: Flush, alerts: Alerts) -> Alerts:
        """See :class:`Stage`."""
        if alerts and flush.group.route.options.escalate:
            self._decide(flush, {alert.fingerprint for alert in alerts})
        return alerts

    def _decide(self, flush: Flush, names: set[str]) -> None:
        group, options = flush.group, flush.group.route.options
        since_ms = self._since_ms(flush, names - {alert.fingerprint for alert in flush.over})
        group.since = flush.since = frozenset(since_ms.items())
        own = self._recipients.named(options.receiver)
        for step in options.escalate:
            for target in self._recipients.named(step.receiver):
                sent = self._recipients.last(group, target)
                was_notified = sent is not None and not sent.believed.isdisjoint(names)
                decision = why_escalated(
                    step, since_ms, self._acknowledged.ever, flush.at_ms, was_notified=was_notified
                )
                # The first step of several to the same receiver decides, and the route's own receiver needs none.
                if target not in own:
                    flush.escalated.setdefault(target, decision)

    def _since_ms(self, flush: Flush, firing: Collection[str]) -> dict[str, int]:
        """Since which flush the route's receiver is notified of what fires, whether it took it or not."""
        former = dict(flush.group.since)
        since_ms = {name: former.get(name, flush.at_ms) for name in firing}
        for target in self._recipients.of(flush.group.route):
            sent = self._recipients.last(flush.group, target)
            for name, at_ms in () if sent is None else sent.since:
                if name in since_ms:
                    since_ms[name] = min(since_ms[name], at_ms)
        return since_ms


class Decide:
    """Decides for each receiver whether it is notified, and of which alerts.

    Parameters
    ----------
    recipients : Recipients
    acknowledged : Acknowledged
    collecting : collection of str
        Receivers that collect what they are sent: nothing is repeated to them.
    """

    def __init__(self, recipients: Recipients, acknowledged: Acknowledged, collecting: Collection[str]) -> None:
        self._recipients, self._acknowledged, self._collecting = recipients, acknowledged, collecting

    def pass_on(self, flush: Flush, alerts: Alerts) -> Alerts:
        """See :class:`Stage`."""
        if alerts:
            flush.content = _content(flush, alerts)
            flush.flapping = flush.content.flapping
            options = flush.group.route.options
            if options.only_changes or options.every_change:
                flush.stand_at = frozenset((alert.fingerprint, alert.dated_ms) for alert in alerts)
            for target in self._recipients.of(flush.group.route):
                reason = self._reason(flush, target)
                flush.reasons.append(reason)
                if reason.notify:
                    flush.targets[target] = self._news(flush, target, alerts)
                    if (sent := self._recipients.last(flush.group, target)) is not None:
                        flush.former_ms[target] = sent.taken_ms(flush.at_ms)
                    flush.waiting.add(target)
        return alerts

    def _reason(self, flush: Flush, target: Target) -> Reason:
        escalated = flush.escalated.get(target)
        if escalated is not None and escalated[0] != "escalated":
            return Reason(False, *escalated, target=target.name)
        firing = flush.content.firing
        repeats = not firing or not firing <= self._acknowledged.as_they_stand
        # A digest says in its next summary what still fires.
        never = target.receiver in self._collecting or not repeats
        notify, detail = why_notified(
            self._recipients.last(flush.group, target),
            flush.content,
            flush.at_ms,
            repeat_ms=NEVER_MS if never else flush.group.route.options.repeat_interval_ms,
            send_resolved=target.send_resolved,
        )
        if not notify and not repeats:
            detail = "nothing is new, and somebody has acknowledged all that fires"
            return Reason(False, "acknowledged", detail, target=target.name)
        if notify and escalated is not None:
            detail = f"escalated: {escalated[1]}; {detail}"
        return Reason(notify, "sent" if notify else "known", detail, target=target.name)

    def _news(self, flush: Flush, target: Target, alerts: Alerts) -> tuple[RoutedAlert, ...]:
        """What a receiver does not know as it is, if that is all that it wants; everything, if that is nothing."""
        resolved = flush.content.resolved
        expected = [alert for alert in alerts if target.send_resolved or alert.fingerprint not in resolved]
        sent = self._recipients.last(flush.group, target)
        if sent is None or not flush.group.route.options.only_changes:
            return tuple(expected)
        return tuple(alert for alert in expected if not sent.knows(alert, flush.at_ms)) or tuple(expected)


def _content(flush: Flush, alerts: Alerts) -> Content:
    names, over = {alert.fingerprint for alert in alerts}, {alert.fingerprint for alert in flush.over}
    firing = frozenset(names - over)
    flapping = flush.flapping & firing
    steady = firing - flapping if flush.group.route.options.every_change else ()
    changed = frozenset((alert.fingerprint, alert.dated_ms) for alert in alerts if alert.fingerprint in steady)
    return Content(firing, frozenset(names & over), flapping, changed)


def _without(flush: Flush, alerts: Alerts, why: str, quiet: Mapping[str, str]) -> Alerts:
    if not quiet:
        return alerts
    flush.reasons += [Reason(False, why, detail, fingerprint) for fingerprint, detail in quiet.items()]
    return [alert for alert in alerts if alert.fingerprint not in quiet]
