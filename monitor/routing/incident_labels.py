"""The label ``incident`` of alerts, and what is said of its likeliest cause.

Incidents follow from what is stored, so that one may get another id when an alert becomes known that fired before its
first. Labels may not change while an alert lives, since other systems know it by them. An alert therefore keeps the
name of the incident under which it was notified first (table ``incident_alerts``), which its other alerts take as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from monitor.alerts.alert_log import read_alert_log
from monitor.incidents.causes import causes
from monitor.incidents.incidents import YOUNG, Change, Firing, Incident, Reach, incidents
from monitor.incidents.reading import FIRING_COLUMNS, Topics, firing_of, read_changes, read_topics
from monitor.routing.routed_alert import INCIDENT, RoutedAlert
from monitor.routing.routes import Route
from monitor.routing.transitions import NOTIFIED_STATES
from sinks.store.batch import append
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["IncidentNames", "groups_by_incident", "read_names", "with_incidents"]

LOOK_BACK = 24
"""Incidents are worked out from the alerts of so many times what one lasts: enough, unless it never was quiet since."""

Row = dict[str, Any]


def groups_by_incident(root: Route) -> bool:
    """Whether a route notifies alerts of an incident together.

    Examples
    --------
    >>> from monitor.routing.routes import RouteOptions
    >>> groups_by_incident(Route(RouteOptions("mail", frozenset({"incident", "severity"}))))
    True
    """
    return any(INCIDENT in (route.options.group_by or ()) for route in root.walk())


def read_names(store: Store, alert_ids: Collection[str]) -> dict[str, str]:
    """Return the incidents under which alerts were notified.

    Raises
    ------
    StoreError
    """
    rows = store.read(Query("incident_alerts", {"alert_id": sorted(alert_ids)}))
    return dict(zip(rows["alert_id"], rows["incident"], strict=True))


def with_incidents(store: Store, root: Route, alerts: Sequence[Row]) -> list[Row]:
    """Return alerts with the label under which they were notified, if routes group by it.

    Raises
    ------
    StoreError
    """
    names = read_names(store, [alert["alert_id"] for alert in alerts]) if groups_by_incident(root) else {}
    return [
        alert | {"labels": alert["labels"] | {INCIDENT: names[alert["alert_id"]]}}
        if alert["alert_id"] in names
        else alert
        for alert in alerts
    ]


class IncidentNames:
    """Names the incidents of alerts as these become known.

    Parameters
    ----------
    store : Store
    is_watched : mapping of str to callable
        By model, whether it reads a topic.
    reach : Reach
    """

    def __init__(self, store: Store, is_watched: Mapping[str, Callable[[str], bool]], reach: Reach) -> None:
        self._store, self._is_watched, self._reach = store, is_watched, reach
        self._names: dict[str, str] = {}
        self._firings: dict[str, Firing] = {}
        self._topics = Topics({})
        self._changes: list[Change] = []
        self._found: dict[str, Incident] = {}
        """By the ids of their alerts."""

    def labelled(self, rows: Sequence[Row]) -> list[Row]:
        """Return transitions with the label, naming the incidents of alerts that are met for the first time.

        Raises
        ------
        StoreError
        """
        fresh = {row["alert_id"] for row in rows if row["state"] in NOTIFIED_STATES} - self._names.keys()
        if fresh:
            self._meet(fresh)
        return [_with_label(row, self._names.get(row["alert_id"])) for row in rows]

    def refresh(self) -> None:
        """Take in what was changed meanwhile, as it is known now.

        Raises
        ------
        StoreError
        """
        if self._firings:
            former, self._changes = self._changes, self._read_changes()
            if self._changes != former:
                self._find()

    def likely_causes(self, alerts: Iterable[RoutedAlert]) -> Mapping[str, str]:
        """Say what is likeliest behind the incident of each alert, by its id."""
        names = {alert.transition["alert_id"]: alert.labels.get(INCIDENT, "") for alert in alerts}
        reasons = {name: self._likely_cause(name) for name in set(names.values())}
        return {alert_id: reasons[name] for alert_id, name in names.items()}

    def _likely_cause(self, name: str) -> str:
        incident = self._found.get(name)
        likely = [] if incident is None else causes(incident, self._topics.readers, self._reach)
        return likely[0].reason if likely else ""

    def keep(self, alert_ids: Iterable[str]) -> None:
        """Forget all incidents but those of some alerts."""
        needed = {id(self._found[name]) for name in alert_ids if name in self._found}
        self._firings = {name: firing for name, firing in self._firings.items() if id(self._found[name]) in needed}
        self._names = {name: incident for name, incident in self._names.items() if name in self._firings}
        self._find()

    def _meet(self, fresh: Collection[str]) -> None:
        began = self._fired({"alert_id": sorted(fresh)})
        if began:
            low_ms = min(int(row["at_ms"]) for row in began) - LOOK_BACK * self._reach.shared_ms
            near = began + self._fired({}, low_ms)
            self._topics = read_topics(self._store, self._is_watched)
            self._firings |= {row["alert_id"]: firing_of(row, self._topics) for row in near}
            self._changes = self._read_changes()
        self._names |= read_names(self._store, [*fresh, *self._firings])
        self._find()
        unnamed = sorted(fresh - self._names.keys())
        names = {name: self._name_of(name) for name in unnamed}
        columns: dict[str, list[Any]] = {
            "alert_id": unnamed,
            "incident": [names[name] for name in unnamed],
            "fired_ms": [self._firings[name].fired_ms if name in self._firings else 0 for name in unnamed],
        }
        append(self._store, "incident_alerts", columns)
        # Not before: what is not stored is met again, else the next process would give other names.
        self._names |= names

    def _name_of(self, alert_id: str) -> str:
        """The name under which an incident was notified, else its id."""
        if alert_id not in self._found:
            return alert_id  # Its beginning is kept no more.
        incident = self._found[alert_id]
        notified = (self._names[firing.alert_id] for firing in incident.firings if firing.alert_id in self._names)
        return next(notified, incident.id)

    def _fired(self, where: Mapping[str, Any], low_ms: int = 0) -> list[Row]:
        low = {"at_ms": low_ms} if low_ms else {}
        return rows_of(
            read_alert_log(self._store, Query("alerts", {"state": "firing", **where}, low, columns=FIRING_COLUMNS))
        )

    def _read_changes(self) -> list[Change]:
        oldest_ms = min(firing.starts_ms for firing in self._firings.values())
        return read_changes(self._store, max(0, oldest_ms - YOUNG * self._reach.shared_ms))

    def _find(self) -> None:
        new = incidents(self._firings.values(), self._changes, self._reach)
        self._found = {firing.alert_id: incident for incident in new for firing in incident.firings}


def _with_label(row: Row, name: str | None) -> Row:
    if name is None:
        return row
    labels = json.loads(row["labels"]) | {INCIDENT: name}
    return row | {"labels": json.dumps(labels, sort_keys=True, separators=(",", ":"), ensure_ascii=False)}
