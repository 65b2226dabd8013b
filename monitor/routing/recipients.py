"""Whom routes may notify, and what each of them was sent last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from monitor.delivery.target import Target
from monitor.routing.groups import Flush, Group
from monitor.routing.routed_alert import RoutedAlert
from monitor.routing.routes import Route
from monitor.routing.sent import Sent, perhaps

__all__ = ["Recipients"]

SUBSCRIBED = ("email:", "webhook:")
"""What names of entries begin with that are addresses of subscriptions."""


class Recipients:
    """The entries of receivers.

    Parameters
    ----------
    targets : mapping of str to sequence of Target
        By the names of receivers; who keeps it may add some and drop some.
    sent : dict of (str, str) to Sent
        By the digest of a group and the name of an entry: the last notification, kept up to date here.
    """

    def __init__(self, targets: Mapping[str, Sequence[Target]], sent: dict[tuple[str, str], Sent]) -> None:
        self._targets, self.sent = targets, sent

    def named(self, receiver: str) -> Sequence[Target]:
        """Return the entries of a receiver."""
        return self._targets.get(receiver, ())

    def of(self, route: Route) -> Sequence[Target]:
        """Return those that a route may notify: of its receiver, and of those that it escalates to."""
        own = self.named(route.options.receiver)
        if not own or not route.options.escalate:
            return own
        others = (target for step in route.options.escalate for target in self.named(step.receiver))
        return list(dict.fromkeys([*own, *others]))

    def last(self, group: Group, target: Target) -> Sent | None:
        """Return the last notification of a group that an entry took."""
        return self.sent.get((group.digest, target.name))

    def know_more(self, group: Group, alert: RoutedAlert) -> bool:
        """Whether all took a later transition of an alert, as after a start, when transitions are read again."""
        if not group.route.options.every_change:
            return False
        logs = [self.last(group, target) for target in self.of(group.route)]
        return bool(logs) and all(sent is not None and sent.is_past(alert) for sent in logs)

    def open_ends(self, flush: Flush, target: Target) -> frozenset[str]:
        """Return what an entry believes to fire although this flush keeps it quiet, if it is to hear of ends later."""
        sent = self.last(flush.group, target)
        if sent is None or not (flush.group.route.options.late_ends and target.send_resolved):
            return frozenset()
        held = sent.believed.intersection(alert.fingerprint for alert in flush.alerts)
        return held - flush.content.firing - flush.content.resolved

    def gone(self, firing: Collection[str]) -> Counter[str]:
        """Count, by entries that are configured no more, the alerts that fire of which they were notified.

        Addresses that somebody subscribed for themselves are left out: their subscriptions end as they want.
        """
        names = {target.name for targets in self._targets.values() for target in targets}
        counts: Counter[str] = Counter()
        for (_, name), sent in self.sent.items():
            if name not in names and not name.startswith(SUBSCRIBED):
                counts[name] += len(sent.believed.intersection(firing))
        return +counts

    def take(self, flush: Flush, target: Target, now_ms: int) -> None:
        """Note that an entry took a notification."""
        content, open_ends = flush.content, self.open_ends(flush, target)
        notified = content.firing, content.resolved, open_ends, content.flapping, flush.stand_at, flush.since
        self.sent[flush.group.digest, target.name] = Sent(now_ms, *notified)

    def may_have(self, flush: Flush, target: Target) -> None:
        """Note that an entry may have taken a notification, or may not."""
        key = flush.group.digest, target.name
        self.sent[key] = perhaps(self.sent.get(key), flush.content.firing)
