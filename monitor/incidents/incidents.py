"""Incidents: alerts of one or several models that have one cause, and what that cause may be.

Alerts are taken in the order in which they fired, in event time. Each joins an incident that began at most
``shared_ms`` before and with which it has something in common, a change or an upstream topic; or one that began at most
``together_ms`` before; else it begins an incident of its own, which has its id. Of several incidents the one with which
it has most in common counts, then the youngest.

Nothing here reads a clock or a store: the same alerts and changes give the same incidents, in whatever order they
became known. An alert of a model that lags, or a deployment that is announced afterwards, is therefore as if it had
been known at once: it may become the first of an incident, which then has another id. Any alert's id finds the incident
that it is part of, so that ids which people were told go on leading there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from sinks.receivers.times import utc

__all__ = [
    "YOUNG",
    "Cause",
    "Change",
    "Firing",
    "Incident",
    "Joined",
    "Reach",
    "causes",
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

CAUSES_AT_MOST = 10
"""Causes that an incident lists: who looks at ten knows enough."""


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
    >>> [(found.id, [alert.because for alert in found.alerts]) for found in incidents(firings)]
    [('f1', ['first', 'fired 10 min after it', 'reads payments too']), ('s1', ['first'])]
    """
    found: dict[str, Incident] = {}
    recent: deque[Incident] = deque()
    in_time = sorted(changes, key=lambda change: (change.at_ms, change.id))
    for firing in sorted(firings, key=lambda one: (one.fired_ms, one.model, one.alert_id)):
        while recent and firing.fired_ms - recent[0].began_ms > reach.shared_ms:
            recent.popleft()
        before = _before(firing, in_time, reach)
        name, because = _joined(firing, before, recent, reach)
        incident = found.setdefault(name, Incident(name))
        incident.take(firing, before, because)
        if name == firing.alert_id:
            recent.append(incident)
    return list(found.values())


def _before(firing: Firing, in_time: Sequence[Change], reach: Reach) -> list[Change]:
    """The changes that may be why an alert fired: before the end of its window, and not long before its start.

    A version is judged once windows of its own were learned from: what brought it may be long before its alerts.
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


def _joined(firing: Firing, before: list[Change], recent: Iterable[Incident], reach: Reach) -> tuple[str, str]:
    """Return the id of the incident to which an alert belongs, and why."""
    candidates = [
        (strength, incident.began_ms, incident.id, because)
        for incident in recent
        for strength, because in _links(firing, before, incident, reach)
    ]
    if not candidates:
        return firing.alert_id, "first"
    _, _, name, because = max(candidates)
    return name, because


def _links(firing: Firing, before: list[Change], incident: Incident, reach: Reach) -> Iterator[tuple[float, str]]:
    for change in before:
        if change.id in incident.changes:
            yield WEIGHTS[change.kind], f"came after {change.text} too"
    if shared := sorted(firing.topics & incident.topics):
        yield WEIGHTS["topic"], f"reads {shared[0]} too"
    after_ms = firing.fired_ms - incident.began_ms
    if after_ms <= reach.together_ms:
        yield WEIGHTS["together"], f"fired {length(after_ms)} after it"


# -- causes ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cause:
    """What may be behind an incident.

    Attributes
    ----------
    kind : {"deployment", "version", "messages_lost", "alert", "topic", "together"}
    name : str
    score : float
        From 0 to 1: how well it explains the incident; to compare causes of one incident by.
    reason : str
        One sentence.
    at_ms : int
        Of a change; else 0.
    alerts : tuple of str
        Ids of those that it explains.
    link : str
    """

    kind: Kind
    name: str
    score: float
    reason: str
    at_ms: int
    alerts: tuple[str, ...]
    link: str = ""


def causes(incident: Incident, readers: Mapping[str, int], reach: Reach = Reach()) -> list[Cause]:
    """Return what may be behind an incident, the likeliest first, :data:`CAUSES_AT_MOST`.

    The score is the weight of the cause's kind, times the share of the alerts that it explains, times a half to one for
    a change by how closely the first of their windows follows it, or the share of a topic's models that have alerts.

    Parameters
    ----------
    incident : Incident
    readers : mapping of str to int
        How many models read each topic.
    reach : Reach

    Examples
    --------
    >>> change = Change("version", "fraud/v2", "fraud", 180_000, version="v2", models=frozenset({"fraud"}))
    >>> [found] = incidents([Firing("fraud", "f1", 300_000, 0)], [change])
    >>> [(cause.score, cause.reason) for cause in causes(found, {})]
    [(0.9, 'version v2 of fraud was first seen at 1970-01-01 00:03 UTC, 2 min before the first alert: 1 of 1 alerts')]
    """
    found = [
        *_changes(incident, reach),
        *_losses(incident),
        *_elsewhere(incident),
        *_topics(incident, readers),
        *([_together(incident)] if len(incident.alerts) > 1 else []),
    ]
    return sorted(found, key=lambda cause: (-cause.score, -cause.at_ms, cause.kind, cause.name))[:CAUSES_AT_MOST]


def _changes(incident: Incident, reach: Reach) -> Iterator[Cause]:
    announced = {
        (change.version, one.model)
        for change, firings in incident.changes.values()
        for one in firings
        if change.kind == "deployment"
    }
    for change, firings in incident.changes.values():
        # A new version that somebody announced is one change, not two.
        if change.kind == "version" and (change.version, change.name) in announced:
            continue
        lag_ms = max(0, min(one.starts_ms for one in firings) - change.at_ms)
        nearness = 1 - min(lag_ms, reach.shared_ms) / (2 * reach.shared_ms) if reach.shared_ms else 1.0
        until_ms = min(one.fired_ms for one in firings) - change.at_ms
        was = "was first seen at" if change.kind == "version" else "was at"
        score = WEIGHTS[change.kind] * len(firings) / len(incident.alerts) * nearness
        reason = f"{change.text} {was} {utc(change.at_ms)}, {length(until_ms)} before the first alert"
        yield _cause(change.kind, change.name, score, reason, firings, incident, change.at_ms, change.link)


def _losses(incident: Incident) -> Iterator[Cause]:
    for topic in sorted({one.lost for one in incident.firings if one.lost}):
        firings = [one for one in incident.firings if topic in one.topics]
        score = WEIGHTS["messages_lost"] * len(firings) / len(incident.alerts)
        yield _cause("messages_lost", topic, score, f"messages of {topic} were lost", firings, incident)


def _elsewhere(incident: Incident) -> Iterator[Cause]:
    """Alerts that others posted, of what models of Leeway's alerts read or are, and before those."""
    for cause in incident.firings:
        if cause.elsewhere:
            after = [one for one in incident.firings if one.fired_ms >= cause.fired_ms and not one.elsewhere]
            firings = [one for one in after if one.model == cause.model or not one.topics.isdisjoint(cause.topics)]
            if firings:
                name = cause.labels.get("alertname", cause.alert_id)
                score = WEIGHTS["alert"] * (len(firings) + 1) / len(incident.alerts)
                before = length(firings[0].fired_ms - cause.fired_ms)
                reason = f"{name} was posted {before} before the first alert of what it is about"
                yield _cause("alert", name, score, reason, [cause, *firings], incident)


def _topics(incident: Incident, readers: Mapping[str, int]) -> Iterator[Cause]:
    for topic in sorted(incident.topics):
        firings = [one for one in incident.firings if topic in one.topics and "model" in one.labels]
        alarmed = len({one.model for one in firings})
        if alarmed > 1:
            known = max(alarmed, readers.get(topic, 0))
            score = WEIGHTS["topic"] * len(firings) / len(incident.alerts) * alarmed / known
            reason = f"{alarmed} of the {known} models that read {topic} have alerts"
            yield _cause("topic", topic, score, reason, firings, incident)


def _together(incident: Incident) -> Cause:
    firings = incident.firings
    first, last = firings[0], firings[-1]
    name = first.labels.get("cause", "")
    reason = (
        f"they fired within {length(last.fired_ms - first.fired_ms)}, {name or first.alert_id} of {first.model} first"
    )
    return _cause("together", first.model, WEIGHTS["together"], reason, firings, incident)


def _cause(
    kind: Kind,
    name: str,
    score: float,
    reason: str,
    firings: Sequence[Firing],
    incident: Incident,
    at_ms: int = 0,
    link: str = "",
) -> Cause:
    said = f"{reason}: {len(firings)} of {len(incident.alerts)} alerts"
    return Cause(kind, name, round(score, 4), said, at_ms, tuple(one.alert_id for one in firings), link)


def title(incident: Incident, first: str) -> str:
    """Return the headline of an incident whose first alert has a title.

    Examples
    --------
    >>> [found] = incidents([Firing("fraud", "f1", 5, 0), Firing("churn", "c1", 6, 0)])
    >>> title(found, "fraud: feature:amount moved")
    'fraud: feature:amount moved; and 1 more alert (churn)'
    """
    more = len(incident.alerts) - 1
    if not more:
        return first
    others = sorted({joined.firing.model for joined in incident.alerts[1:]})
    return f"{first}; and {more} more alert{'s' * (more > 1)} ({', '.join(others)})"


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
