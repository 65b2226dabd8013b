"""The tree of routes: who is notified of an alert, together with which others, and when.

Alertmanager's rules (0.28). An alert that a route matches goes down to its children; the first child that matches takes
it, and if that one says `continue` the next ones are asked too. A route none of whose children match notifies its own
receiver. What a route does not say it has from its parent, but for the intervals in which it is muted or active.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from monitor.routing.flapping import Hold
from monitor.routing.intervals import Interval, any_holds
from monitor.routing.matcher_index import MatcherIndex
from monitor.routing.matchers import Labels, Matcher, matches_all, quoted

__all__ = ["Route", "RouteOptions", "Step", "labels_text"]


@dataclass(frozen=True)
class Step:
    """Whom else to notify if nobody acknowledges an alert.

    Parameters
    ----------
    after_ms : int
    receiver : str
    """

    after_ms: int
    receiver: str


@dataclass(frozen=True)
class RouteOptions:
    """What a route hands down to its children.

    Attributes
    ----------
    receiver : str
    group_by : frozenset of str, or None
        Labels that alerts of one notification share; None is all labels.
    group_wait_ms, group_interval_ms, repeat_interval_ms : int
        How long a new group waits for more alerts; how often a group is looked at; after how long an unchanged one is
        notified again.
    late_ends : bool
        Leeway's own: whether an end that is kept quiet is notified later.
    hold : Hold or None
        Leeway's own: from when, and for how long, alerts that flap are held.
    only_changes : bool
        Leeway's own: whether alerts are left out that are as the receiver knows them.
    escalate : tuple of Step
        Leeway's own: who else is notified if nobody acknowledges an alert.
    every_change : bool
        Leeway's own: whether each transition of an alert is notified, at once and in order, rather than what the next
        look at the group finds.
    """

    receiver: str = ""
    group_by: frozenset[str] | None = frozenset()
    group_wait_ms: int = 30_000
    group_interval_ms: int = 300_000
    repeat_interval_ms: int = 14_400_000
    late_ends: bool = False
    hold: Hold | None = None
    only_changes: bool = False
    escalate: tuple[Step, ...] = ()
    every_change: bool = False

    def group_of(self, labels: Labels) -> dict[str, str]:
        """Return the labels by which an alert is grouped."""
        return {name: value for name, value in labels.items() if self.group_by is None or name in self.group_by}


@dataclass(eq=False)
class Route:
    """A node of the tree.

    Parameters
    ----------
    options : RouteOptions
    matchers : sequence of Matcher
        All of them have to match.
    goes_on : bool
        Whether the next siblings are asked too when this one matches: `continue`.
    mute, active : sequence of str
        Intervals in which the route is muted; intervals outside of which it is.
    routes : list of Route
        The children.
    name : str
        Of a route that stands beside the tree: its keys begin with it.
    own_key : str
        The key, where it is not made of matchers; other systems know groups by it.

    Examples
    --------
    >>> pagers = Route(RouteOptions("pager"), [Matcher("severity", "=", "critical")])
    >>> root = Route(RouteOptions("mail", group_by=frozenset({"model"})), routes=[pagers])
    >>> [route.options.receiver for route in root.matching({"severity": "critical"})]
    ['pager']
    >>> root.group_key({"model": "fraud", "severity": "info"})
    '{}:{model="fraud"}'
    """

    options: RouteOptions
    matchers: Sequence[Matcher] = ()
    goes_on: bool = False
    mute: Sequence[str] = ()
    active: Sequence[str] = ()
    routes: list[Route] = field(default_factory=list)
    name: str = ""
    own_key: str = ""
    parent: Route | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.matchers = sorted(self.matchers, key=lambda matcher: matcher.order)
        for route in self.routes:
            route.parent = self

    def matching(self, labels: Labels) -> list[Route]:
        """Return the routes that take an alert, in the order of the tree; the root's matchers count, too."""
        return self._matching(labels) if matches_all(self.matchers, labels) else []

    def _matching(self, labels: Labels) -> list[Route]:
        if not self.routes:
            return [self]
        routes: list[Route] = []
        for index in self._index.candidates(labels):
            route = self.routes[index]
            if matches_all(route.matchers, labels):
                routes += route._matching(labels)
                if not route.goes_on:
                    break
        return routes or [self]

    @cached_property
    def _index(self) -> MatcherIndex:
        return MatcherIndex(route.matchers for route in self.routes)

    @cached_property
    def key(self) -> str:
        """The matchers from the root down to here; groups of routes with the same key share their log."""
        if self.own_key:
            return self.own_key
        above = self.name if self.parent is None else f"{self.parent.key}/"
        return f"{above}{{{','.join(map(str, self.matchers))}}}"

    @cached_property
    def id(self) -> str:
        """The same with the places among siblings, so that no two routes have the same."""
        own = f"{{{','.join(map(str, self.matchers))}}}"
        return (
            f"{self.name}{own}" if self.parent is None else f"{self.parent.id}/{own}/{self.parent.routes.index(self)}"
        )

    def group_key(self, labels: Labels) -> str:
        """The key of the group in which an alert with these labels is notified."""
        return f"{self.key}:{labels_text(self.options.group_of(labels))}"

    def muted(self, intervals: Mapping[str, Sequence[Interval]], at_ms: int) -> str:
        """Say why this route is muted at a time; empty if it is not.

        Parameters
        ----------
        intervals : mapping of str to sequence of Interval
            By name.
        at_ms : int
        """
        if self.active and any_holds(self.active, intervals, at_ms) is None:
            return f"outside of {', '.join(self.active)}"
        name = any_holds(self.mute, intervals, at_ms) if self.mute else None
        return "" if name is None else f"within {name}"

    def walk(self) -> Iterator[Route]:
        """Yield this route and all below it."""
        yield self
        for route in self.routes:
            yield from route.walk()


def labels_text(labels: Labels) -> str:
    """Return labels as group keys have them.

    Examples
    --------
    >>> labels_text({"model": "fraud", "cause": "volume"})
    '{cause="volume", model="fraud"}'
    """
    return f"{{{', '.join(f'{name}={quoted(labels[name])}' for name in sorted(labels))}}}"
