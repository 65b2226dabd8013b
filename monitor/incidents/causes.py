"""What may be behind an incident: changes, lost messages, alerts of others, a topic, or nothing but the time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest

from monitor.incidents.incidents import WEIGHTS, Firing, Incident, Kind, Reach, length
from sinks.receivers.times import utc

__all__ = ["Cause", "causes"]

CAUSES_AT_MOST = 10
"""Causes that an incident lists: who looks at ten knows enough."""


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


def causes(incident: Incident, readers: Mapping[str, int], reach: Reach) -> list[Cause]:
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
    >>> from monitor.incidents.incidents import Change, Firing, Reach, incidents
    >>> change = Change("version", "fraud/v2", "fraud", 180_000, version="v2", models=frozenset({"fraud"}))
    >>> [incident] = incidents([Firing("fraud", "f1", 300_000, 0)], [change])
    >>> [(cause.score, cause.reason) for cause in causes(incident, {}, Reach())]
    [(0.9, 'version v2 of fraud was first seen at 1970-01-01 00:03 UTC, 2 min before the alert')]
    """
    candidates = [
        *_changes(incident, reach),
        *_losses(incident),
        *_elsewhere(incident),
        *_topics(incident, readers),
        *_together(incident),
    ]
    return sorted(candidates, key=lambda cause: (-cause.score, -cause.at_ms, cause.kind, cause.name))[:CAUSES_AT_MOST]


def _changes(incident: Incident, reach: Reach) -> Iterator[Cause]:
    announced = {
        (change.version, firing.model)
        for change, firings in incident.changes.values()
        for firing in firings
        if change.kind == "deployment"
    }
    for change, firings in incident.changes.values():
        # A new version that somebody announced is one change, not two.
        if change.kind == "version" and (change.version, change.name) in announced:
            continue
        lag_ms = max(0, min(firing.starts_ms for firing in firings) - change.at_ms)
        nearness = 1 - min(lag_ms, reach.shared_ms) / (2 * reach.shared_ms) if reach.shared_ms else 1.0
        until_ms = min(firing.fired_ms for firing in firings) - change.at_ms
        was = "was first seen at" if change.kind == "version" else "was at"
        alert = "alert" if len(incident.alerts) == 1 else "first alert"
        reason = f"{change.text} {was} {utc(change.at_ms)}, {length(until_ms)} before the {alert}"
        cause = _cause(incident, change.kind, change.name, firings, reason, nearness)
        yield replace(cause, at_ms=change.at_ms, link=change.link)


def _losses(incident: Incident) -> Iterator[Cause]:
    for topic in sorted({firing.lost for firing in incident.firings if firing.lost}):
        readers = [firing for firing in incident.firings if topic in firing.topics]
        yield _cause(incident, "messages_lost", topic, readers, f"messages of {topic} were lost")


def _elsewhere(incident: Incident) -> Iterator[Cause]:
    """Alerts that others posted, of what models of Leeway's alerts read or are, and before those.

    Very many may be posted at once: only those that explain most alerts become causes.
    """
    own = _OwnAlerts(incident.firings)
    counted = ((own.count(posted), posted) for posted in incident.firings if posted.elsewhere)
    best = nsmallest(CAUSES_AT_MOST, (each for each in counted if each[0]), key=lambda each: (-each[0], _name(each[1])))
    for _, posted in best:
        about = own.about(posted)
        lead = length(about[0].fired_ms - posted.fired_ms)
        reason = f"{_name(posted)} was posted {lead} before the first alert of what it is about"
        yield _cause(incident, "alert", _name(posted), [posted, *about], reason)


def _name(posted: Firing) -> str:
    return posted.labels.get("alertname", posted.alert_id)


class _OwnAlerts:
    """Leeway's alerts of an incident, by what a posted one may be about."""

    def __init__(self, firings: Iterable[Firing]) -> None:
        self._firings = [firing for firing in firings if not firing.elsewhere]
        self._by_model: dict[str, list[int]] = {}
        self._by_topic: dict[str, list[int]] = {}
        for index, firing in enumerate(self._firings):
            self._by_model.setdefault(firing.model, []).append(index)
            for topic in firing.topics:
                self._by_topic.setdefault(topic, []).append(index)
        self._by_subject: dict[tuple[str, frozenset[str]], list[Firing]] = {}

    def about(self, posted: Firing) -> list[Firing]:
        """Those of its model or its topics that fired with it or later."""
        related = self._related(posted)
        return related[bisect_left(related, posted.fired_ms, key=lambda firing: firing.fired_ms) :]

    def count(self, posted: Firing) -> int:
        """How many those are."""
        related = self._related(posted)
        return len(related) - bisect_left(related, posted.fired_ms, key=lambda firing: firing.fired_ms)

    def _related(self, posted: Firing) -> list[Firing]:
        subject = posted.model, posted.topics
        if subject not in self._by_subject:
            indices = set(self._by_model.get(posted.model, ()))
            indices.update(*(self._by_topic.get(topic, ()) for topic in posted.topics))
            self._by_subject[subject] = [self._firings[index] for index in sorted(indices)]
        return self._by_subject[subject]


def _topics(incident: Incident, readers: Mapping[str, int]) -> Iterator[Cause]:
    for topic in sorted(incident.topics):
        firings = [firing for firing in incident.firings if topic in firing.topics and "model" in firing.labels]
        alarmed = len({firing.model for firing in firings})
        if alarmed > 1:
            reading = max(alarmed, readers.get(topic, 0))
            reason = f"{alarmed} of the {reading} models that read {topic} have alerts"
            yield _cause(incident, "topic", topic, firings, reason, alarmed / reading)


def _together(incident: Incident) -> Iterator[Cause]:
    firings = incident.firings
    # Of those that fired at the same time none has set off the others.
    if len({firing.fired_ms for firing in firings}) > 1:
        first = firings[0]
        name = first.labels.get("cause", "") or first.alert_id
        reason = f"they fired within {length(firings[-1].fired_ms - first.fired_ms)}, {name} of {first.model} first"
        yield _cause(incident, "together", first.model, firings, reason)


def _cause(
    incident: Incident, kind: Kind, name: str, explained: Sequence[Firing], reason: str, fit: float = 1.0
) -> Cause:
    share = len(explained) / len(incident.alerts)
    alone = len(incident.alerts) == 1
    sentence = reason if alone else f"{reason}: {len(explained)} of {len(incident.alerts)} alerts"
    alert_ids = tuple(firing.alert_id for firing in explained)
    return Cause(kind, name, round(WEIGHTS[kind] * share * fit, 4), sentence, 0, alert_ids)
