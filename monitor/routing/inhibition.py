"""Inhibition: while one alert is there, others that follow from it are not notified.

Alertmanager's rules (0.28): an alert that matches both sides of a rule does not inhibit, by that rule, another one that
does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from monitor.routing.matchers import Labels, Matcher, matches_all
from monitor.routing.routed_alert import RoutedAlert

__all__ = ["Inhibition", "Rule"]

_Shared = tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """Alerts of the source keep those of the target quiet that share labels with them.

    Parameters
    ----------
    source, target : sequence of Matcher
    equal : sequence of str
        Labels that both have to share; a label that both lack is shared.
    """

    source: Sequence[Matcher]
    target: Sequence[Matcher]
    equal: Sequence[str] = ()

    def shared(self, labels: Labels) -> _Shared:
        """Return the values that another alert has to share."""
        return tuple(labels.get(name, "") for name in self.equal)


@dataclass
class _Sources:
    """The alerts that one rule knows as its source, by what they share with targets.

    Those that are no targets stand apart, too: only they inhibit what matches both sides, and there may be very many
    of these.
    """

    rule: Rule
    alerts: dict[_Shared, dict[str, RoutedAlert]] = field(default_factory=dict)
    no_targets: dict[_Shared, dict[str, RoutedAlert]] = field(default_factory=dict)

    def put(self, alert: RoutedAlert) -> None:
        matched = alert.matched
        is_source = matches_all(self.rule.source, matched)
        is_target = is_source and matches_all(self.rule.target, matched)
        for alerts, belongs in ((self.alerts, is_source), (self.no_targets, is_source and not is_target)):
            if belongs:
                alerts.setdefault(self.rule.shared(alert.labels), {})[alert.fingerprint] = alert
            else:
                self._drop(alerts, alert)

    def forget(self, alert: RoutedAlert) -> None:
        for alerts in (self.alerts, self.no_targets):
            self._drop(alerts, alert)

    def _drop(self, alerts: dict[_Shared, dict[str, RoutedAlert]], alert: RoutedAlert) -> None:
        alerts.get(self.rule.shared(alert.labels), {}).pop(alert.fingerprint, None)

    def inhibiting(self, target: RoutedAlert, now_ms: int) -> RoutedAlert | None:
        if not self.alerts:
            return None
        shared = self.rule.shared(target.labels)
        if not self.alerts.get(shared) or not matches_all(self.rule.target, target.matched):
            return None
        is_source = matches_all(self.rule.source, target.matched)
        alike = (self.no_targets if is_source else self.alerts).get(shared, {})
        return next((alert for alert in alike.values() if not alert.is_over(now_ms)), None)


class Inhibition:
    """All rules, and the alerts that may inhibit.

    Examples
    --------
    >>> from monitor.routing.matchers import parse_matchers
    >>> rule = Rule(parse_matchers("severity=critical"), parse_matchers("severity=info"), ["model"])
    >>> inhibition = Inhibition([rule])
    >>> inhibition.put(RoutedAlert({"severity": "critical", "model": "fraud"}, starts_ms=0))
    >>> inhibition.by(RoutedAlert({"severity": "info", "model": "fraud"}, starts_ms=0), now_ms=5).labels["severity"]
    'critical'
    >>> inhibition.by(RoutedAlert({"severity": "info", "model": "churn"}, starts_ms=0), now_ms=5) is None
    True
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._sources = [_Sources(rule) for rule in rules]

    def put(self, alert: RoutedAlert) -> None:
        """Take up an alert, or what has become of it."""
        for sources in self._sources:
            sources.put(alert)

    def forget(self, alert: RoutedAlert) -> None:
        """Drop an alert that is over."""
        for sources in self._sources:
            sources.forget(alert)

    def by(self, target: RoutedAlert, now_ms: int) -> RoutedAlert | None:
        """Return an alert that inhibits another, or None."""
        for sources in self._sources:
            source = sources.inhibiting(target, now_ms)
            if source is not None:
                return source
        return None
