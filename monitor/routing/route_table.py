"""On which routes an alert is notified: those that match it, and those that matched it before.

Beside the tree of the configuration stand the routes of subscriptions, each of which takes all alerts that it matches.

Labels are an alert's own for life, but what is said of it changes. Where routes match annotations, an alert stays on
the routes that took it until it is over: whoever was notified that it fires hears of its end, and of nothing that is
none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.routing.matcher_index import MatcherIndex
from monitor.routing.matchers import ANNOTATION, matches_all
from monitor.routing.routed_alert import RoutedAlert
from monitor.routing.routes import Route
from monitor.routing.sent import Sent, digest

__all__ = ["RouteTable"]


class RouteTable:
    """All routes, and which alerts are on them.

    Parameters
    ----------
    root : Route
    sent : mapping of (str, str) to Sent
        What was notified before a restart, by the digest of a group's key and the target.

    Examples
    --------
    >>> from monitor.routing.matchers import parse_matchers
    >>> from monitor.routing.routes import RouteOptions
    >>> money = Route(RouteOptions("money"), parse_matchers("annotation:summary=~.*amount.*"))
    >>> table = RouteTable(Route(RouteOptions("mail"), routes=[money]), {})
    >>> for text in ("amount moved", "hour and 1 more moved"):
    ...     alert = RoutedAlert({"alert_id": "a"}, 0, annotations={"summary": text})
    ...     print([route.options.receiver for route in table.of(alert, 5)])
    ['money']
    ['mail', 'money']
    """

    def __init__(self, root: Route, sent: Mapping[tuple[str, str], Sent]) -> None:
        self._root, self._sent = root, sent
        self._subscribed: Sequence[Route] = ()
        self._index = MatcherIndex([])
        self._routes: dict[str, Route] = {}
        self._ids: dict[str, list[str]] = {}
        self._groups_before: dict[str, set[str]] | None = None
        self.subscribe(())

    def subscribe(self, routes: Sequence[Route]) -> tuple[set[str], set[str]]:
        """Set the routes that stand beside the tree; return the ids of those that are new, and of those that are gone.

        Alerts that fire are not on new ones before :meth:`add` puts them there.
        """
        former, ids = {route.id for route in self._subscribed}, {route.id for route in routes}
        self._subscribed, self._index = list(routes), MatcherIndex(route.matchers for route in routes)
        self._routes = {route.id: route for route in (*self._root.walk(), *routes)}
        names = (matcher.name for route in self._routes.values() for matcher in route.matchers)
        self._match_annotations = any(name.startswith(ANNOTATION) for name in names)
        return ids - former, former - ids

    def subscribed(self, alert: RoutedAlert) -> list[Route]:
        """Return the routes beside the tree that match an alert."""
        candidates = [self._subscribed[index] for index in self._index.candidates(alert.matched)]
        return [route for route in candidates if matches_all(route.matchers, alert.matched)]

    def of(self, alert: RoutedAlert, now_ms: int) -> list[Route]:
        """Return the routes on which an alert is notified, or on which its end is."""
        matching = [*self._root.matching(alert.matched), *self.subscribed(alert)]
        if not self._match_annotations:
            return matching
        routes = {route.id: route for route in matching}
        for name in self._ids.pop(alert.fingerprint, None) or self._before_restart(alert, matching):
            if name in self._routes:
                routes.setdefault(name, self._routes[name])
        if not alert.is_over(now_ms):
            self._ids[alert.fingerprint] = list(routes)
        return list(routes.values())

    def add(self, alert: RoutedAlert, route: Route) -> None:
        """Put an alert that fires on a new route."""
        if self._match_annotations:
            self._ids.setdefault(alert.fingerprint, []).append(route.id)

    def _before_restart(self, alert: RoutedAlert, matching: Sequence[Route]) -> list[str]:
        """The routes on which a former process notified it, if others take it now."""
        if self._groups_before is None:
            self._groups_before = {}
            for (group, _), sent in self._sent.items():
                for fingerprint in sent.believed:
                    self._groups_before.setdefault(fingerprint, set()).add(group)
        groups = self._groups_before.pop(alert.fingerprint, set())
        groups -= {digest(route.group_key(alert.labels)) for route in matching}
        if not groups:
            return []
        return [name for name, route in self._routes.items() if digest(route.group_key(alert.labels)) in groups]
