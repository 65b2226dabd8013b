"""What receivers know from versions in which a service without routes had a notifier of its own.

It kept a row of ``notifications`` for each transition and receiver, and for each receiver and model the transition from
which to go on (table ``checkpoints``, stage :data:`NOTIFY`). At the first start of a version with routes for everybody
this becomes what the log of routes says, so that nobody is notified again and nothing that waited is lost. The stage
is closed once nothing from before the start is needed any more.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from monitor.delivery.target import Target
from monitor.routing.routed_alert import RoutedAlert
from monitor.routing.routes import labels_text
from monitor.routing.sent import Sent, digest, perhaps
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["NOTIFY", "SINGLE_ALERTS", "FormerNotifications"]

NOTIFY = "notify"
SINGLE_ALERTS = "{}"
"""What the keys of its groups began with, and still do where a service has no ``alerting``."""

CLOSED_MS = 1 << 62
"""The position of a receiver that was carried over; of two rows the one of the higher position counts."""

LOADED_AT_ONCE = 1_000

Row = Mapping[str, Any]
_Outcomes = dict[tuple[str, str], dict[int, Row]]


class FormerNotifications:
    """What the former notifier left of some receivers and models.

    Parameters
    ----------
    store : Store
    targets : collection of Target
    models : collection of str

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> former = FormerNotifications(MemoryStore(), [Target("mail")], ["fraud"])
    >>> former.open()
    >>> former.starts_ms
    {}
    """

    def __init__(self, store: Store, targets: Collection[Target], models: Collection[str]) -> None:
        self._store, self._targets, self._models = store, targets, models
        self._positions: dict[tuple[Target, str], int] = {}

    def open(self) -> None:
        """Read how far each receiver had come.

        Raises
        ------
        StoreError
        """
        rows = rows_of(self._store.read(Query("checkpoints", where={"stage": NOTIFY}))) if self._targets else []
        positions = {row["name"]: row["position"] for row in rows if row["position"] < CLOSED_MS}
        for target in self._targets:
            names = {model: f"{target.receiver}/{model}" for model in self._models}
            self._positions |= {(target, model): positions[name] for model, name in names.items() if name in positions}

    @property
    def starts_ms(self) -> dict[str, int]:
        """By model, the first transition of which some receiver may not have been notified."""
        starts_ms: dict[str, int] = {}
        for (_, model), position in self._positions.items():
            starts_ms[model] = min(position, starts_ms.get(model, position))
        return starts_ms

    def read(self, rows: Collection[Row]) -> tuple[dict[tuple[str, str], Sent], set[str]]:
        """Return what receivers know of the groups of alerts, and the alerts of which a transition waited.

        Parameters
        ----------
        rows : collection of mapping
            Transitions of alerts, those of an alert in order.

        Raises
        ------
        StoreError
        """
        if not self._positions:
            return {}, set()
        transitions: dict[str, list[Row]] = {}
        for row in rows:
            transitions.setdefault(row["alert_id"], []).append(row)
        outcomes = self._outcomes(transitions)
        sent_log: dict[tuple[str, str], Sent] = {}
        waiting: set[str] = set()
        for (target, model), position in self._positions.items():
            for alert_id in [name for name, of_alert in transitions.items() if of_alert[0]["model"] == model]:
                settled = outcomes.get((alert_id, target.receiver), {})
                sent = _sent(transitions[alert_id], settled)
                if sent is not None:
                    sent_log[digest(f"{SINGLE_ALERTS}:{labels_text({'alert_id': alert_id})}"), target.name] = sent
                new = (row for row in transitions[alert_id] if row["at_ms"] >= position)
                if any(row["sequence"] not in settled for row in new):
                    waiting.add(alert_id)
        return sent_log, waiting

    def close(self) -> None:
        """Note that all of this is in the log of routes.

        Raises
        ------
        StoreError
        """
        for target, model in self._positions:
            name = f"{target.receiver}/{model}"
            row = {"stage": NOTIFY, "name": name, "partition": 0, "position": CLOSED_MS, "config": "", "state": b""}
            columns = {column: [value] for column, value in row.items()}
            self._store.append("checkpoints", columns, f"{NOTIFY}/{name}/closed")
        self._positions.clear()

    def _outcomes(self, alert_ids: Iterable[str]) -> _Outcomes:
        outcomes: _Outcomes = {}
        names = sorted(alert_ids)
        for first in range(0, len(names), LOADED_AT_ONCE):
            where = {"alert_id": names[first : first + LOADED_AT_ONCE]}
            for row in rows_of(self._store.read(Query("notifications", where=where))):
                outcomes.setdefault((row["alert_id"], row["receiver"]), {})[row["sequence"]] = row
        return outcomes


def _sent(transitions: Iterable[Row], settled: Mapping[int, Row]) -> Sent | None:
    """What a receiver knows of an alert after what was settled of its transitions."""
    sent = None
    for alert, notification in _settled(transitions, settled):
        if notification["outcome"] == "delivered":
            sent = _after(sent, alert, notification["at_ms"])
        # What was given up on may have arrived; what was refused has not.
        elif notification["outcome"] == "gave_up" and not alert.is_over(0):
            sent = perhaps(sent, frozenset({alert.fingerprint}))
    return sent


def _settled(transitions: Iterable[Row], settled: Mapping[int, Row]) -> Iterator[tuple[RoutedAlert, Row]]:
    for row in transitions:
        if row["sequence"] in settled:
            alert = RoutedAlert(json.loads(row["labels"]), 0, dated_ms=row["at_ms"])
            yield (alert if row["state"] != "resolved" else alert.resolved(0)), settled[row["sequence"]]


def _after(sent: Sent | None, alert: RoutedAlert, at_ms: int) -> Sent:
    """What a receiver knows that took a transition; one with other labels resolved the alert under the former ones."""
    name = frozenset({alert.fingerprint})
    stood_at = dict(() if sent is None else sent.stood_at) | {alert.fingerprint: alert.dated_ms}
    resolved = frozenset() if sent is None else (sent.firing | sent.resolved) - name
    over = alert.is_over(0)
    return Sent(
        at_ms,
        firing=frozenset() if over else name,
        resolved=resolved | name if over else resolved,
        stood_at=frozenset(stood_at.items()),
    )
