"""Incidents: alerts of one or several models that have one cause.

Alerts are taken in the order in which they fired, in event time. Each joins an incident that began at most
``shared_ms`` before and with which it has something in common, a change or an upstream topic; or one that began at most
``together_ms`` before; else it begins an incident of its own, which has its id. Of several incidents the one with which
it has most in common counts, then the youngest.

Nothing here reads a clock or a store: the same alerts and changes give the same incidents, in whatever order they
become known. An alert of a model that lags, or a deployment that is announced afterwards, is therefore as if it had
been known at once: it may become the first of an incident, which then has another id. Any alert's id finds the incident
that it is part of, so that ids in notifications go on leading there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

__all__ = [
    "WEIGHTS",
    "YOUNG",
    "Change",
    "Firing",
    "Incident",
    "Joined",
    "Kind",
    "Reach",
    "incidents",
    "length",
    "title",
]

Kind = Literal["deployment", "version", "messages_lost", "alert", "topic", "together"]

WEIGHTS: dict[Kind, float] = {
    "deployment": 1.0,
    "version": 0.9,
    "messages_lost": 0.8,
    "alert": 0.7,
    "topic": 0.6,
    "together": 0.1,
}
"""How much a kind of cause counts for, all else equal: what somebody announced most, what only fits in time least."""

YOUNG = 24
"""A version is young for so many times what an incident takes alerts: so long its own alerts may be due to it."""


@dataclass(frozen=True)
class Reach:
    """How far apart alerts of one incident may be.

    Attributes
    ----------
    together_ms : int
        From the first alert, for those that have nothing else in common.
    shared_ms : int
        From the first alert, and from a change to the windows of its alerts, for those that have.
    """

    together_ms: int = 600_000
    shared_ms: int = 3_600_000


@dataclass(frozen=True)
class Firing:
    """An alert that fired.

    Attributes
    ----------
    model, alert_id : str
    fired_ms, starts_ms : int
        End of the window at which it fired, and start of its first alarmed window.
    labels : mapping of str to str
    topics : frozenset of str
        What its model reads.
    lost : str
        The topic whose messages were lost unread, if the alert is about that.
    elsewhere : bool
        Whether others posted it.
    """

    model: str
    alert_id: str
    fired_ms: int
    starts_ms: int
    labels: Mapping[str, str] = field(default_factory=dict)
    topics: frozenset[str] = frozenset()
    lost: str = ""
    elsewhere: bool = False


@dataclass(frozen=True)
class Change:
    """Something that was changed, and may be why models behave differently.

    Attributes
    ----------
    kind : {"deployment", "version"}
        Whether somebody announced it, or events with a new version were seen.
    id, name : str
    at_ms : int
    version : str
    models, topics : frozenset of str
    labels : mapping of str to str
        Models that are named, that read one of the topics, or whose alerts have all labels, are affected.
    link : str
    """

    kind: Literal["deployment", "version"]
    id: str
    name: str
    at_ms: int
    version: str = ""
    models: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    link: str = ""

    def affects(self, firing: Firing) -> bool:
        """Whether an alert is about something that was changed."""
        labelled = bool(self.labels) and self.labels.items() <= firing.labels.items()
        return labelled or firing.model in self.models or not self.topics.isdisjoint(firing.topics)

    @property
    def text(self) -> str:
        """What it is called in a sentence."""
        if self.kind == "version":
            return f"version {self.version} of {self.name}"
        return f"deployment {self.name}" + (f" ({self.version})" if self.version else "")


class Joined(NamedTuple):
    """An alert of an incident, and why it belongs to it."""

    firing: Firing
    because: str


@dataclass
class Incident:
    """Alerts that have one cause.

    Attributes
    ----------
    id : str
        Of the alert that began it.
    alerts : list of Joined
        In the order in which they fired.
    """

    id: str
    alerts: list[Joined] = field(default_factory=list)
    topics: set[str] = field(default_factory=set)
    changes: dict[str, tuple[Change, list[Firing]]] = field(default_factory=dict)
    """By its id each change, and the alerts that it may explain."""

    def take(self, firing: Firing, changes: Iterable[Change], because: str) -> None:
        """Take up an alert."""
        self.alerts.append(Joined(firing, because))
        self.topics |= firing.topics
        for change in changes:
            self.changes.setdefault(change.id, (change, []))[1].append(firing)

    @property
    def began_ms(self) -> int:
        """When its first alert fired."""
        return self.alerts[0].firing.fired_ms

    @property
    def firings(self) -> list[Firing]:
        """Its alerts alone."""
        return [joined.firing for joined in self.alerts]

    @property
    def models(self) -> list[str]:
        """Whose alerts it has, by name."""
        return sorted({firing.model for firing in self.firings})


def incidents(
    firings: Iterable[Firing],
    changes: Collection[Change] = (),
    reach: Reach = Reach(),
) -> list[Incident]:
    """Return the incidents that alerts belong to, in the order in which they began.

    Parameters
    ----------
    firings : iterable of Firing
        In any order.
    changes : collection of Change
    reach : Reach

    Examples
    --------
    >>> firings = [
    ...     Firing("churn", "c1", 900_000, 600_000, topics=frozenset({"clicks"})),
    ...     Firing("fraud", "f1", 300_000, 0, topics=frozenset({"payments"})),
    ...     Firing("risk", "r1", 1_800_000, 1_500_000, topics=frozenset({"payments"})),
    ...     Firing("spam", "s1", 1_800_000, 1_500_000, topics=frozenset({"mails"})),
    ... ]
    >>> [(incident.id, [alert.because for alert in incident.alerts]) for incident in incidents(firings)]
    [('f1', ['first', 'fired 10 min after it', 'reads payments too']), ('s1', ['first'])]
    """
    by_id: dict[str, Incident] = {}
    recent: deque[Incident] = deque()
    in_time = sorted(changes, key=lambda change: (change.at_ms, change.id))
    for firing in sorted(firings, key=lambda firing: (firing.fired_ms, firing.model, firing.alert_id)):
        while recent and firing.fired_ms - recent[0].began_ms > reach.shared_ms:
            recent.popleft()
        explaining = _explaining(firing, in_time, reach) if in_time else []
        name, because = _joined(firing, explaining, recent, reach)
        incident = by_id.setdefault(name, Incident(name))
        incident.take(firing, explaining, because)
        if name == firing.alert_id:
            recent.append(incident)
    return list(by_id.values())


def _explaining(firing: Firing, in_time: Sequence[Change], reach: Reach) -> list[Change]:
    """The changes that may be why an alert fired: before the end of its window, and not long before its start.

    A version is evaluated once windows of its own were learned from: what brought it may be long before its alerts.
    """
    near_ms = firing.starts_ms - reach.shared_ms
    low = bisect_left(in_time, firing.starts_ms - YOUNG * reach.shared_ms, key=lambda change: change.at_ms)
    high = bisect_right(in_time, firing.fired_ms, key=lambda change: change.at_ms)
    version = firing.labels.get("version")
    return [
        change
        for change in in_time[low:high]
        if change.affects(firing) and (change.at_ms >= near_ms or change.version == version)
    ]


def _joined(firing: Firing, explaining: list[Change], recent: Iterable[Incident], reach: Reach) -> tuple[str, str]:
    """Return the id of the incident to which an alert belongs, and why."""
    if not (explaining or firing.topics):
        return _together(firing, recent, reach)
    candidates = [
        (strength, incident.began_ms, incident.id, because)
        for incident in recent
        for strength, because in _links(firing, explaining, incident, reach)
    ]
    if not candidates:
        return firing.alert_id, "first"
    # Of equal links the youngest incident counts, then the larger id: never the order in which alerts became known.
    _, _, name, because = max(candidates)
    return name, because


def _together(firing: Firing, recent: Iterable[Incident], reach: Reach) -> tuple[str, str]:
    """Return the same of an alert that has nothing but the time in common with others, as thousands at once may."""
    near = [
        (incident.began_ms, incident.id)
        for incident in recent
        if firing.fired_ms - incident.began_ms <= reach.together_ms
    ]
    if not near:
        return firing.alert_id, "first"
    began_ms, name = max(near)
    return name, f"fired {length(firing.fired_ms - began_ms)} after it"


def _links(firing: Firing, explaining: list[Change], incident: Incident, reach: Reach) -> Iterator[tuple[float, str]]:
    for change in explaining:
        if change.id in incident.changes:
            yield WEIGHTS[change.kind], f"came after {change.text} too"
    if shared := sorted(firing.topics & incident.topics):
        yield WEIGHTS["topic"], f"reads {shared[0]} too"
    after_ms = firing.fired_ms - incident.began_ms
    if after_ms <= reach.together_ms:
        yield WEIGHTS["together"], f"fired {length(after_ms)} after it"


def title(incident: Incident, first: str) -> str:
    """Return the headline of an incident whose first alert has a title.

    Examples
    --------
    >>> [incident] = incidents([Firing("fraud", "f1", 5, 0), Firing("churn", "c1", 6, 0)])
    >>> title(incident, "fraud: feature:amount moved")
    'fraud: feature:amount moved; and 1 more alert (churn)'
    """
    others = [joined.firing.model for joined in incident.alerts[1:]]
    if not others:
        return first
    return f"{first}; and {len(others)} more alert{'s' * (len(others) > 1)} ({', '.join(sorted(set(others)))})"


def length(length_ms: int) -> str:
    """Write a length of time in one unit.

    Examples
    --------
    >>> length(5_000), length(150_000), length(5_400_000)
    ('5 s', '2 min', '90 min')
    """
    if length_ms < 60_000:
        return f"{length_ms // 1000} s"
    return f"{length_ms // 60_000} min" if length_ms < 7_200_000 else f"{length_ms // 3_600_000} h"
