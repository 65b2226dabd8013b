"""On which routes an alert is told: those that take it, and those that took it before.

Labels are an alert's own for life, but what is said of it changes. Where routes match annotations, an alert stays on
the routes that took it until it is over: whoever was told that it fires hears of its end, and of nothing that is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from monitor.routing.matchers import ANNOTATION
from monitor.routing.routed_alert import RoutedAlert
from monitor.routing.routes import Route
from monitor.routing.sent import Sent, digest

__all__ = ["Staying"]


class Staying:
    """Knows the routes of each alert, if routes match annotations.

    Parameters
    ----------
    sent : mapping of (str, str) to Sent
        What was told before a restart, by the digest of a group's key and the target.
    every : iterable of Route
        All routes that there are.

    Examples
    --------
    >>> from monitor.routing.matchers import parse_matchers
    >>> from monitor.routing.routes import RouteOptions
    >>> money = Route(RouteOptions("money"), parse_matchers("annotation:summary=~.*amount.*"))
    >>> root = Route(RouteOptions("mail"), routes=[money])
    >>> staying = Staying({}, root.walk())
    >>> texts = ["amount moved", "hour and 1 more moved"]
    >>> for alert in [RoutedAlert({"alert_id": "a"}, 0, annotations={"summary": text}) for text in texts]:
    ...     print([route.options.receiver for route in staying.routes(alert, root.matching(alert.matched), 5)])
    ['money']
    ['mail', 'money']
    """

    def __init__(self, sent: Mapping[tuple[str, str], Sent], every: Iterable[Route]) -> None:
        self._sent = sent
        self._ids: dict[str, list[str]] = {}
        self._told_in: dict[str, set[str]] | None = None
        self.set(every)

    def set(self, every: Iterable[Route]) -> None:
        """Set the routes that there are."""
        self._every = {route.id: route for route in every}
        names = (matcher.name for route in self._every.values() for matcher in route.matchers)
        self._is_needed = any(name.startswith(ANNOTATION) for name in names)
        if self._is_needed and self._told_in is None:
            self._told_in = {}
            for (group, _), last in self._sent.items():
                for fingerprint in last.believed:
                    self._told_in.setdefault(fingerprint, set()).add(group)

    def routes(self, alert: RoutedAlert, taking: Sequence[Route], now_ms: int) -> list[Route]:
        """Return the routes on which an alert is told, or on which its end is.

        Parameters
        ----------
        alert : RoutedAlert
        taking : sequence of Route
            Those that match it.
        now_ms : int
        """
        if not self._is_needed:
            return list(taking)
        found = {route.id: route for route in taking}
        for name in self._ids.pop(alert.fingerprint, None) or self._told_on(alert, taking):
            if name in self._every:
                found.setdefault(name, self._every[name])
        if not alert.is_over(now_ms):
            self._ids[alert.fingerprint] = list(found)
        return list(found.values())

    def add(self, alert: RoutedAlert, route: Route) -> None:
        """A new route has taken an alert that fires."""
        if self._is_needed:
            self._ids.setdefault(alert.fingerprint, []).append(route.id)

    def _told_on(self, alert: RoutedAlert, taking: Sequence[Route]) -> list[str]:
        """The routes on which a former process told it, if others take it now."""
        groups = (self._told_in or {}).pop(alert.fingerprint, set())
        groups -= {digest(route.group_key(alert.labels)) for route in taking}
        if not groups:
            return []
        return [name for name, route in self._every.items() if digest(route.group_key(alert.labels)) in groups]
