"""What receivers that forget took last of each alert: what they can be reminded of.

It is what the receiver took, and not what has become of the alert since. Where nobody knows what the receiver has,
since it refused a part of a notification or did not answer in time, nothing is said of the alert until the receiver
takes the next notification of it, which the next look at the group tries.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from monitor.alerts.alert_log import table_of
from monitor.delivery.attempts import Delivery
from monitor.delivery.target import Target
from monitor.routing.held_row import HeldRow
from monitor.routing.message import annotations_of
from monitor.routing.quarantine import Quarantine
from monitor.routing.routed_alert import RoutedAlert
from sinks.receivers.contract import Status
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["Taken", "TakenAlerts"]

LOADED_AT_ONCE = 1_000

Row = Mapping[str, Any]
_Transition = tuple[str, int]


@dataclass(frozen=True)
class Taken:
    """An alert as a receiver took it.

    Attributes
    ----------
    alert : RoutedAlert
    likely_cause : str
        Empty if nothing was said of any.
    over_s : float or None
        When the receiver took its end, by the clock that does not leap; None if it took that it fires.
    """

    alert: RoutedAlert
    likely_cause: str
    over_s: float | None = None

    @property
    def status(self) -> Status:
        """What the receiver takes it for."""
        return "firing" if self.over_s is None else "resolved"


class TakenAlerts:
    """What entries took, by the fingerprints of alerts.

    Parameters
    ----------
    store : Store
    likely_causes : callable
        Returns what may be behind alerts, by their ids.
    """

    def __init__(
        self, store: Store, likely_causes: Callable[[Iterable[RoutedAlert]], Mapping[str, str]] = lambda _: {}
    ) -> None:
        self._store, self._likely_causes = store, likely_causes
        self._taken: dict[Target, dict[str, Taken | None]] = {}
        """None: nobody knows what the receiver has."""

    def get(self, target: Target, fingerprint: str) -> Taken | None:
        """Return what an entry took of an alert last, if that is known."""
        return self._taken.get(target, {}).get(fingerprint)

    def ended_since(self, target: Target, since_s: float) -> Iterator[str]:
        """Yield the alerts of which an entry has taken the end since."""
        for name, taken in self._taken.get(target, {}).items():
            if taken is not None and taken.over_s is not None and taken.over_s >= since_s:
                yield name

    def note(self, target: Target, alerts: Iterable[Taken], delivery: Delivery) -> None:
        """Take up what became of a notification."""
        taken = self._taken.setdefault(target, {})
        for entry in alerts:
            if delivery.outcome == "delivered":
                taken[entry.alert.fingerprint] = entry
            # An Alertmanager that refuses one alert of several takes the others.
            elif delivery.may_have_it or delivery.outcome == "refused":
                taken[entry.alert.fingerprint] = None

    def read(self, target: Target, alerts: Iterable[RoutedAlert]) -> None:
        """Find out what an entry took of alerts that this process has not notified it of.

        Of an alert from elsewhere only what is said of it now is stored, and likely causes are worked out anew.

        Parameters
        ----------
        target : Target
        alerts : iterable of RoutedAlert
            Of which it took that they fire.

        Raises
        ------
        StoreError
        """
        taken = self._taken.setdefault(target, {})
        unread = [alert for alert in alerts if alert.fingerprint not in taken]
        if not unread:
            return
        numbers = self._numbers(target, unread)
        transitions = {(alert.key[0], numbers[alert.key]) for alert in unread}
        former = self._transitions([alert for alert in unread if numbers[alert.key] != alert.key[1]], transitions)
        likely_causes = self._likely_causes(unread)
        for alert in unread:
            number = numbers[alert.key]
            row = alert.transition if number == alert.key[1] else former.get((alert.key[0], number))
            taken[alert.fingerprint] = None
            if row is not None:
                taken[alert.fingerprint] = Taken(replace(alert, transition=row), likely_causes.get(alert.key[0], ""))

    def forget(self, needed: Collection[str], since_s: float) -> None:
        """Drop all but these alerts, and those that have ended since."""
        for target, taken in self._taken.items():
            names = {*needed, *self.ended_since(target, since_s)}
            self._taken[target] = {name: entry for name, entry in taken.items() if name in names}

    def _numbers(self, target: Target, alerts: Sequence[RoutedAlert]) -> dict[_Transition, int | None]:
        """By the transition at which an alert stands, the one that an entry took last; None if that is not known."""
        outcomes: dict[str, dict[int, str]] = {}
        names = sorted({alert.key[0] for alert in alerts})
        for first in range(0, len(names), LOADED_AT_ONCE):
            where = {"alert_id": names[first : first + LOADED_AT_ONCE], "receiver": target.name}
            for row in rows_of(self._store.read(Query("notifications", where=where))):
                outcomes.setdefault(row["alert_id"], {})[row["sequence"]] = row["outcome"]
        return {alert.key: _taken_last(outcomes.get(alert.key[0], {}), alert.key[1]) for alert in alerts}

    def _transitions(
        self, alerts: Iterable[RoutedAlert], transitions: Collection[tuple[str, int | None]]
    ) -> dict[tuple[str, int | None], HeldRow]:
        """Return the rows of former transitions."""
        tables: dict[str, set[str]] = {}
        for alert in alerts:
            tables.setdefault(table_of(alert.labels), set()).add(alert.key[0])
        former: dict[tuple[str, int | None], HeldRow] = {}
        for table, alert_ids in tables.items():
            names = sorted(alert_ids)
            for first in range(0, len(names), LOADED_AT_ONCE):
                where = {"alert_id": names[first : first + LOADED_AT_ONCE]}
                rows = [
                    row
                    for row in rows_of(self._store.read(Query(table, where=where)))
                    if (row["alert_id"], row["sequence"]) in transitions
                ]
                for row in Quarantine.of(self._store).usable(table, "alert_id", rows, _checked):
                    former[row["alert_id"], row["sequence"]] = row
        return former


def _taken_last(outcomes: Mapping[int, str], sequence: int) -> int | None:
    numbers = [number for number in outcomes if number <= sequence]
    if not numbers:
        # Its row is older than the store keeps them.
        return sequence
    return max(numbers) if outcomes[max(numbers)] == "delivered" else None


def _checked(row: Row) -> HeldRow:
    """Return a row from which an alert can be composed; an error if none can."""
    annotations_of(row, "")
    return HeldRow(row)
