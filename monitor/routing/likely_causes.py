"""What may be behind alerts that are notified one by one: the change that came before each.

Where routes group by incident, `monitor.routing.incident_labels` says it of the incident instead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

import structlog

from monitor.alerts.alert_log import read_alert_log
from monitor.incidents.causes import causes
from monitor.incidents.incidents import YOUNG, Firing, Reach, incidents
from monitor.incidents.reading import FIRING_COLUMNS, firing_of, read_changes, read_topics
from monitor.routing.routed_alert import RoutedAlert
from monitor.threads import in_words
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["ChangesBefore", "LikelyCauses"]

log = structlog.get_logger("leeway.route")


class LikelyCauses(Protocol):
    """Knows what may be behind alerts."""

    def likely_causes(self, alerts: Iterable[RoutedAlert]) -> Mapping[str, str]:
        """Return a sentence by the id of each alert of which anything is known."""
        ...


class ChangesBefore:
    """Finds what was deployed, and which version came, before alerts about models.

    Parameters
    ----------
    store : Store
    is_watched : mapping of str to callable
        By model, whether it reads a topic.
    reach : Reach
    """

    def __init__(self, store: Store, is_watched: Mapping[str, Callable[[str], bool]], reach: Reach) -> None:
        self._store, self._is_watched, self._reach = store, is_watched, reach

    def likely_causes(self, alerts: Iterable[RoutedAlert]) -> Mapping[str, str]:
        """Return the likeliest change before each alert; none while the store does not say: nobody waits for it."""
        of_models = {
            alert.transition["alert_id"]: alert.transition["model"]
            for alert in alerts
            if alert.transition["model"] in self._is_watched
        }
        if not of_models:
            return {}
        try:
            return self._causes(of_models)
        except Exception as error:  # noqa: BLE001 -- nobody goes without a notification because of a row or the store
            log.warning("a notification goes out without likely causes", reason=in_words(error))
            return {}

    def _causes(self, alert_ids: Collection[str]) -> dict[str, str]:
        firings = self._firings(alert_ids)
        since_ms = min((firing.starts_ms for firing in firings), default=0) - YOUNG * self._reach.shared_ms
        changes = read_changes(self._store, max(0, since_ms)) if firings else []
        reasons = {}
        for firing in firings:
            # Each by itself: what several have in common is what incidents are for.
            [incident] = incidents([firing], changes, self._reach)
            likely = [cause for cause in causes(incident, {}, self._reach) if cause.kind in ("deployment", "version")]
            if likely:
                reasons[firing.alert_id] = likely[0].reason
        return reasons

    def _firings(self, alert_ids: Collection[str]) -> list[Firing]:
        query = Query("alerts", {"state": "firing", "alert_id": sorted(alert_ids)}, columns=FIRING_COLUMNS)
        topics = read_topics(self._store, self._is_watched)
        return [firing_of(row, topics) for row in rows_of(read_alert_log(self._store, query))]
