"""The alerts that a router has heard of: from transitions in the store to what has become of each.

For the router an alert begins when it hears of it: event time may be long past, and nothing would ever wait for
company. An alert is known by its labels; one whose labels change is over under those that it had.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from monitor.alerts.alert_log import ALERTS, FRESHNESS_ALERTS, PERFORMANCE_ALERTS, table_of
from monitor.alerts.transition import POSTED
from monitor.checkpoint import decode_state, encode_state
from monitor.clock import Clock
from monitor.delivery.target import Target
from monitor.routing.acknowledgement_log import Acknowledgement
from monitor.routing.decision_log import looked_at
from monitor.routing.flapping import Flapping
from monitor.routing.former_notifications import SINGLE_ALERTS, FormerNotifications
from monitor.routing.held_row import HeldRow
from monitor.routing.message import annotations_of
from monitor.routing.plan import Plan
from monitor.routing.posted import Posted
from monitor.routing.posted_log import as_posted
from monitor.routing.posting import Posting
from monitor.routing.quarantine import Quarantine
from monitor.routing.routed_alert import RoutedAlert
from monitor.routing.sent_log import SentLog
from monitor.routing.stages import Acknowledged
from monitor.routing.transitions import NOTIFIED_STATES, TransitionReader
from sinks.store.batch import append
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["FLAPPING", "ROUTES", "KnownAlerts"]

FLAPPING = "flapping"
"""The stage of ``checkpoints`` that holds how often alerts changed that may be held for flapping."""

ROUTES = {ALERTS: "route", FRESHNESS_ALERTS: "route_freshness", PERFORMANCE_ALERTS: "route_performance"}
"""By log of alerts, the stage of ``checkpoints`` that holds the transition from which each model is read."""

Row = dict[str, Any]
Change = list[RoutedAlert]
"""What has become of an alert: the alert, and before it the one with its former labels, if they have changed."""


@dataclass(slots=True)
class _Known:
    """An alert under one set of labels; `ends_ms` is 0 while it fires."""

    alert: RoutedAlert
    first_ms: int
    ends_ms: int = 0


class KnownAlerts:
    """Follows transitions.

    Parameters
    ----------
    store : Store
    clock : Clock
    plan : Plan
    models : sequence of str
        Whose alerts are notified; with the one of posted alerts, what becomes of those is written here.
    external_url : str
    flapping : Flapping
    """

    def __init__(
        self, store: Store, clock: Clock, plan: Plan, models: Sequence[str], external_url: str, flapping: Flapping
    ) -> None:
        self._store, self._clock, self._plan, self._external_url = store, clock, plan, external_url
        self._flapping = flapping
        self._posting = Posting(store, clock) if POSTED in models else None
        own = {POSTED} & set(models)
        self._logs = [TransitionReader(store, clock, models, stage, table, own) for table, stage in ROUTES.items()]
        self._former = FormerNotifications(store, list(_of_single_alerts(plan)), models)
        self._fingerprints: dict[str, str] = {}
        self._known: dict[str, _Known] = {}
        self._unlabelled: list[Row] = []
        self._unwritten: dict[str, Row] = {}

    def open(self, log: SentLog, now_ms: int) -> list[Change]:
        """Read on where the process before this one ended; return what has become of alerts since.

        Parameters
        ----------
        log : SentLog
            Is given what receivers know from a version that kept it elsewhere.
        now_ms : int
            The router's time of this step: alerts begin at it.

        Raises
        ------
        StoreError
        """
        for row in rows_of(self._store.read(Query("checkpoints", where={"stage": FLAPPING}))):
            self._flapping.read(row["name"], decode_state(row["state"]))
        self._former.open()
        for transitions in self._logs:
            transitions.open(self._former.starts_ms if transitions.table == ALERTS else {}, self._plan.former_models)
        # Kept until everything is read: the reader does not give rows twice, should the store fail below.
        rows = self._unlabelled = self._new_rows()
        former_sent, pending = self._former.read(rows)
        log.adopt(former_sent, now_ms)
        believed = {fingerprint for sent in log.sent.values() for fingerprint in sent.believed}
        latest = {row["alert_id"]: row for row in rows if row["state"] in NOTIFIED_STATES}
        in_order = self._notified_in_order(latest) | pending
        self._unlabelled = []
        changes = []
        for row in rows:
            self._note_flapping(row)
            # Of what is over, or was once under other labels, only that is of interest which somebody takes to fire,
            # and what became of it later, if under other labels.
            fires = row is latest.get(row["alert_id"]) and row["state"] != "resolved"
            is_followed = row["alert_id"] in in_order or row["alert_id"] in self._fingerprints
            if fires or is_followed or _fingerprint(row) in believed:
                changes.append(self._take(row, now_ms))
        return changes

    def step(self, now_ms: int) -> Iterator[Change]:
        """Yield what has become of alerts since the last step.

        Parameters
        ----------
        now_ms : int
            The router's time of this step: alerts begin and end at it. A later one would lie ahead of the groups that
            are looked at in the same step, and an end would count as one to come.

        Raises
        ------
        StoreError
        """
        if self._posting is not None:
            self._posting.step()
            yield from self._posted_again(self._posting.news, now_ms)
        for row in self._new_rows():
            self._note_flapping(row)
            yield self._take(row, now_ms)

    def firing(self) -> list[RoutedAlert]:
        """Return the alerts that fire."""
        return [record.alert for record in self._known.values() if not record.ends_ms]

    def ended_ms(self, fingerprint: str) -> int | None:
        """When an alert ended, as far as is known; None if it fires."""
        record = self._known.get(fingerprint)
        return self._clock.now_ms() if record is None else record.ends_ms or None

    @property
    def ids(self) -> set[str]:
        """The ids of all of them."""
        return set(self._fingerprints)

    def acknowledged(self, taken: Mapping[str, Acknowledgement]) -> Acknowledged:
        """Return which of them somebody has taken on, by the ids of alerts."""
        keys = {name: record.alert.key for name, record in self._known.items()}
        ever = {name for name, (alert_id, _) in keys.items() if alert_id in taken}
        as_they_stand = {name for name in ever if taken[keys[name][0]].holds(keys[name][1])}
        return Acknowledged(as_they_stand, ever)

    def forget(self, grouped: Collection[RoutedAlert], now_ms: int) -> None:
        """Drop what is over and in no group, and let the next process begin behind it.

        Parameters
        ----------
        grouped : collection of RoutedAlert
            What groups hold. Of the same labels it may be several, one of which receivers are being notified of while
            those that came after it wait.
        now_ms : int

        Raises
        ------
        StoreError
        """
        needed = {alert.fingerprint for alert in grouped}
        self._known = {name: each for name, each in self._known.items() if name in needed or not each.ends_ms}
        self._fingerprints = {alert_id: name for alert_id, name in self._fingerprints.items() if name in self._known}
        starts = [(each.alert, each.first_ms) for each in self._known.values()]
        oldest_ms: dict[str, dict[str, int]] = {table: {} for table in ROUTES}
        for alert, at_ms in (*starts, *((alert, alert.dated_ms) for alert in grouped)):
            model, of_table = alert.transition["model"], oldest_ms[table_of(alert.labels)]
            of_table[model] = min(at_ms, of_table.get(model, at_ms))
        are_noted = [transitions.keep(oldest_ms[transitions.table]) for transitions in self._logs]
        if all(are_noted):
            # Nothing from before the first start with routes is needed any more.
            self._former.close()
        self._flapping.forget(now_ms)
        if self._plan.incidents is not None:
            self._plan.incidents.keep({record.alert.key[0] for record in self._known.values()})

    def write(self) -> None:
        """Write how often alerts changed, where it is not written yet.

        Raises
        ------
        StoreError
        """
        for name, at_ms, state in self._flapping.unwritten():
            row = {"stage": FLAPPING, "name": name, "partition": 0, "position": at_ms, "config": ""}
            self._unwritten[name] = row | {"state": encode_state(state)}
        if self._unwritten:
            rows = list(self._unwritten.values())
            append(self._store, "checkpoints", {column: [row[column] for row in rows] for column in rows[0]})
            self._unwritten.clear()

    def _new_rows(self) -> list[Row]:
        """Transitions that were not taken up before, with the label of their incident where there is one."""
        for transitions in self._logs:
            # Its reader does not give them again, should the store fail before all are here.
            self._unlabelled += self._usable(transitions)
        rows = self._unlabelled
        if self._plan.incidents is not None:
            rows = self._plan.incidents.labelled(rows)
        self._unlabelled = []
        return rows

    def _usable(self, transitions: TransitionReader) -> list[Row]:
        return Quarantine.of(self._store).usable(transitions.table, "alert_id", transitions.new(), self._checked)

    def _checked(self, row: Row) -> Row:
        """Return a row from which an alert can be made; an error if none can."""
        msgspec.json.decode(row["labels"], type=dict[str, str])
        annotations_of(row, self._external_url)
        return row

    def _notified_in_order(self, latest: Mapping[str, Row]) -> set[str]:
        """Alerts of which every transition is taken up: they fire, or ended before any process looked at them."""
        if not self._plan.notifies_every_change:
            return set()
        over = {alert_id for alert_id, row in latest.items() if row["state"] == "resolved"}
        return latest.keys() - over | over - looked_at(self._store, over)

    def _take(self, row: Row, now_ms: int) -> Change:
        if row["state"] not in NOTIFIED_STATES:
            return []
        alert, change = self._routed(row, self._heard_ms(row, now_ms)), list[RoutedAlert]()
        former = self._known.get(self._fingerprints.get(row["alert_id"], ""))
        if former is not None and former.alert.fingerprint != alert.fingerprint:
            # Other systems know an alert by its labels, and would wait for ever for the end of the former ones.
            former.ends_ms = row["at_ms"]
            former_row = {**former.alert.transition, "ends_ms": row["at_ms"]}
            change.append(self._routed(former_row, now_ms).resolved(now_ms))
        self._fingerprints[row["alert_id"]] = alert.fingerprint
        if row["state"] == "resolved":
            alert = alert.resolved(min(row["ends_ms"], now_ms) if row["model"] == POSTED else now_ms)
        first_ms = row["at_ms"] if former is None else former.first_ms
        self._known[alert.fingerprint] = _Known(alert, first_ms, row["ends_ms"])
        return [*change, alert]

    def _posted_again(self, posts: Mapping[str, Posted], now_ms: int) -> Iterator[Change]:
        """What has changed of alerts that were posted again: what is said of them, their starts and their ends."""
        for alert_id, post in posts.items():
            record = self._known.get(self._fingerprints.get(alert_id, ""))
            if record is None or record.alert.key[0] != alert_id:
                continue
            former = record.alert.transition
            news = as_posted(post, now_ms, is_over=bool(record.ends_ms))
            if any(former[name] != value for name, value in news.items()):
                row = {**former, **news}
                alert = self._routed(row, now_ms)
                record.alert = alert.resolved(row["ends_ms"]) if record.ends_ms else alert
                record.ends_ms = row["ends_ms"]
                yield [record.alert]

    @staticmethod
    def _heard_ms(row: Row, now_ms: int) -> int:
        """When the router heard of a transition: of one of an alert from elsewhere, which it wrote itself, then."""
        return int(row["at_ms"]) if row["model"] == POSTED else now_ms

    def _note_flapping(self, row: Row) -> None:
        """Count how often an alert begins and ends, where a route holds what flaps."""
        if self._flapping.is_off or row["state"] not in NOTIFIED_STATES:
            return
        alert = self._routed(row, row["at_ms"])
        routes = () if row["state"] == "resolved" else self._plan.root.matching(alert.matched)
        holds = [route.options.hold for route in routes if route.options.hold is not None]
        self._flapping.note(alert.condition, row["alert_id"], row["at_ms"], holds)

    def _routed(self, row: Row, now_ms: int) -> RoutedAlert:
        """The alert as a transition has it: one of Leeway's own begins now, one from elsewhere when its post says."""
        return RoutedAlert(
            msgspec.json.decode(row["labels"]),
            row["starts_ms"] if row["model"] == POSTED else now_ms,
            annotations=annotations_of(row, self._external_url),
            updated_ms=now_ms,
            dated_ms=row["at_ms"],
            transition=HeldRow(row),
        )


def _of_single_alerts(plan: Plan) -> Iterator[Target]:
    """The entries of receivers whose routes have taken the place of the former notifier."""
    names = {route.options.receiver for route in plan.root.walk() if route.own_key == SINGLE_ALERTS}
    return (target for target in plan.receivers if target.receiver in names)


def _fingerprint(row: Row) -> str:
    return RoutedAlert(json.loads(row["labels"]), 0).fingerprint
