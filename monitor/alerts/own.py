"""Alerts about Leeway itself: every receiver is notified, as of those about models.

They carry :data:`MODEL` in place of a model, a name that no model can have, and the time of the clock: their order is
their own. Writing one again changes only its time, and nobody is notified twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import xxhash

from monitor.alerts.transition import Transition, to_columns
from monitor.clock import Clock
from monitor.events import Gap
from monitor.messages import LOG_TRUNCATED, OFFSETS_LOST, in_log, is_cut
from monitor.values import DAY_MS
from sinks.store.batch import append
from sinks.store.change_log import after
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = [
    "ALERTS_REFUSED",
    "CERTIFICATE",
    "EVENTS_UNREAD",
    "FOREIGN_MEMBER",
    "INSTANCE",
    "JOB_FAILING",
    "JOB_PAUSED",
    "LATE_EVENTS",
    "MESSAGES_REJECTED",
    "MISFIT",
    "MODEL",
    "MODELS_UNREGISTERED",
    "NAMES",
    "QUOTA_EXCEEDED",
    "RECEIVER_FAILING",
    "SELF_TEST_FAILED",
    "STAGE_FAILED",
    "STORE_DAMAGED",
    "STORE_UNREADABLE",
    "TOO_MANY_VERSIONS",
    "TOPIC_GONE",
    "TOPIC_REFUSED",
    "UNUSABLE_ROWS",
    "WINDOWS_WAIT",
    "OwnAlerts",
    "StandingAlerts",
    "end_alerts",
    "firing_alerts",
    "firing_values",
]

MODEL = "_leeway"
STAGE_FAILED, UNUSABLE_ROWS, LATE_EVENTS = "stage_failed", "unusable_rows", "late_events"
TOO_MANY_VERSIONS, ALERTS_REFUSED = "too_many_versions", "posted_alerts_refused"
FOREIGN_MEMBER, TOPIC_GONE, EVENTS_UNREAD = "foreign_group_member", "topic_gone", "events_unread"
MISFIT, WINDOWS_WAIT, TOPIC_REFUSED = "configuration_misfit", "windows_wait", "topic_refused"
CERTIFICATE, QUOTA_EXCEEDED = "certificate_renewal", "quota_exceeded"
MODELS_UNREGISTERED = "models_unregistered"
MESSAGES_REJECTED, RECEIVER_FAILING = "messages_rejected", "receiver_failing"
STORE_DAMAGED, STORE_UNREADABLE = "store_damaged", "store_unreadable"
JOB_FAILING, JOB_PAUSED, SELF_TEST_FAILED = "job_failing", "job_paused", "self_test_failed"
NAMES = frozenset(
    {
        ALERTS_REFUSED,
        CERTIFICATE,
        EVENTS_UNREAD,
        FOREIGN_MEMBER,
        JOB_FAILING,
        JOB_PAUSED,
        LATE_EVENTS,
        LOG_TRUNCATED,
        MESSAGES_REJECTED,
        MISFIT,
        MODELS_UNREGISTERED,
        OFFSETS_LOST,
        QUOTA_EXCEEDED,
        RECEIVER_FAILING,
        SELF_TEST_FAILED,
        STAGE_FAILED,
        STORE_DAMAGED,
        STORE_UNREADABLE,
        TOO_MANY_VERSIONS,
        TOPIC_GONE,
        TOPIC_REFUSED,
        UNUSABLE_ROWS,
        WINDOWS_WAIT,
    }
)
"""Every value that `alertname` has in these alerts; nobody else may post one."""

INSTANCE = "instance"
"""The label of alerts about one process, as Prometheus has it: who it is, also after a restart."""

LOOK_EVERY_S = 60.0
"""How often a process looks whether others have ended alerts about it."""


def _dated(store: Store, clock: Clock) -> int:
    """Return when a transition of now is dated: they are read by their time, which never goes back, as a clock may."""
    newest = Query("alerts", {"model": MODEL}, order=("at_ms",), descending=True, limit=1)
    rows = store.read(newest)["at_ms"]
    return after(int(rows[0]), clock.now_ms()) if len(rows) else clock.now_ms()


class OwnAlerts:
    """Writes them.

    Parameters
    ----------
    store : Store
    clock : Clock

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.contract import Query
    >>> from sinks.store.memory import MemoryStore
    >>> store = MemoryStore()
    >>> alerts = OwnAlerts(store, ManualClock())
    >>> alerts.lost(("events", 0, 5, 9))
    >>> alerts.lost(("events", 0, 5, 9))
    >>> store.read(Query("alerts"))["title"]
    ['4 messages of events/0, from offset 5 on, were lost unread']
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def lost(self, gap: Gap) -> None:
        """Messages were gone before they were read; once for a gap, which is found again until a checkpoint is past it.

        :class:`~monitor.heartbeat.lost_messages.LostMessages` ends the alert.

        Raises
        ------
        StoreError
        """
        topic, partition, first, following = gap
        name = LOG_TRUNCATED if is_cut(gap) else OFFSETS_LOST
        alert_id = xxhash.xxh3_64_hexdigest(f"{name}|{topic}|{partition}|{first}|{following}".encode())
        stored = self._store.read(Query("alerts", {"model": MODEL, "alert_id": alert_id}, limit=1))
        if len(stored["at_ms"]):
            return
        at_ms = _dated(self._store, self._clock)
        transition = Transition(
            model=MODEL,
            alert_id=alert_id,
            sequence=0,
            state="firing",
            at_ms=at_ms,
            starts_ms=at_ms,
            ends_ms=0,
            version="",
            segment="",
            severity="critical",
            title=_title(gap),
            labels={"alertname": name, "severity": "critical", "topic": topic, "partition": str(partition)},
            signals=[],
        )
        append(self._store, "alerts", to_columns([transition]))


class StandingAlerts:
    """Alerts about what holds of this process, or of its store, for a time.

    Parameters
    ----------
    store : Store
    clock : Clock
    alertname : str
    label : str
        The label that says of what it holds.
    severity : str
    instance : str
        The process that they are about, which sees and ends only its own; empty if they are about the store.
    shared : bool
        Whether every process sees the same, so that they have one alert together, also if they see it at once.

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> store, clock = MemoryStore(), ManualClock(now_ms=1_000)
    >>> alerts = StandingAlerts(store, clock, STAGE_FAILED, "stage")
    >>> alerts.step({"alert": "the stage alert fails"})
    >>> alerts.step({"alert": "the stage alert fails"})
    >>> clock.advance(60)
    >>> StandingAlerts(store, clock, STAGE_FAILED, "stage").step({}, ["alert"].__contains__)
    >>> [(row["state"], row["title"]) for row in rows_of(store.read(Query("alerts")))]
    [('firing', 'the stage alert fails'), ('resolved', 'over: the stage alert fails')]
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        alertname: str,
        label: str,
        severity: str = "critical",
        *,
        instance: str = "",
        shared: bool = False,
    ) -> None:
        assert alertname in NAMES
        self._store, self._clock, self._alertname, self._label = store, clock, alertname, label
        self._severity, self._instance, self._shared = severity, instance, shared
        self._standing: dict[str, Transition] = {}
        self._earlier: dict[str, Transition] | None = None
        self._newest_ids: dict[str, str] = {}
        self._looked_s = clock.monotonic_s()
        self._unwritten: list[Transition] = []

    @property
    def are_firing(self) -> bool:
        """Whether there are some, also of an earlier process that nobody knows to be over."""
        return bool(self._standing or self._earlier)

    def know_earlier(self) -> None:
        """Know what an earlier process has left, also before anybody knows what holds now.

        Raises
        ------
        StoreError
        """
        if self._earlier is None:
            self._earlier = self._stored()

    def step(
        self,
        holding: Mapping[str, str],
        is_over: Callable[[str], bool] = lambda _: False,
        news: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Write what has changed.

        Parameters
        ----------
        holding : mapping of str to str
            Of what it holds, and the alert's title.
        is_over : callable
            Whether an alert that an earlier process left about something that does not hold is to be resolved: that is
            well again, or is nothing that anybody looks at any more. Else it stays as it is.
        news : mapping of str to str
            Of what it holds, and the part of the title that a standing alert has to say, else it is updated.

        Raises
        ------
        StoreError
        """
        if self._unwritten:
            # The store may have taken them all the same: the same again, no other alerts.
            again_ms = _dated(self._store, self._clock)
            self._write([replace(alert, at_ms=again_ms) for alert in self._unwritten])
        stale = [value for value, text in news.items() if not self._says(value, text)]
        if self._earlier is None or (self._shared and (stale or holding.keys() != self._standing.keys())):
            # Another process may have seen the same meanwhile: it is one alert, whoever of them resolves it.
            self._earlier = self._stored()
        self._forget_ended()
        for value in [
            value for value in self._earlier if value in holding or value in self._standing or is_over(value)
        ]:
            self._standing[value] = self._earlier.pop(value)
        begun = sorted(holding.keys() - self._standing)
        updated = sorted(value for value in stale if value in self._standing and not self._says(value, news[value]))
        ended = [alert for value, alert in sorted(self._standing.items()) if value not in holding]
        if begun or updated or ended:
            at_ms = _dated(self._store, self._clock)
            firing = [self._fires(value, holding[value], at_ms) for value in begun]
            changed = [_updated(self._standing[value], at_ms, holding[value]) for value in updated]
            self._write([*firing, *changed, *(_resolved(alert, at_ms, "over") for alert in ended)])

    def _says(self, value: str, text: str) -> bool:
        return value in self._standing and text in self._standing[value].title

    def _stored(self) -> dict[str, Transition]:
        """Those that fire by the store."""
        stored = [
            alert
            for alert in _as_they_stand(self._store, [self._alertname])
            if alert.labels.get(INSTANCE, "") == self._instance
        ]
        self._newest_ids = {alert.labels[self._label]: alert.alert_id for alert in stored}
        return {alert.labels[self._label]: alert for alert in stored if alert.state != "resolved"}

    def _write(self, transitions: list[Transition]) -> None:
        self._unwritten = transitions
        append(self._store, "alerts", to_columns(transitions))
        self._unwritten = []
        for alert in transitions:
            value = alert.labels[self._label]
            if alert.state != "resolved":
                self._standing[value] = alert
            else:
                del self._standing[value]

    def _forget_ended(self) -> None:
        """Once a minute: what fires of a process of which nothing was heard for long is ended by others."""
        now_s = self._clock.monotonic_s()
        if not self._instance or not self._standing or now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        stored = _as_they_stand(self._store, [self._alertname])
        ended_ids = {alert.alert_id for alert in stored if alert.state == "resolved"}
        self._standing = {value: alert for value, alert in self._standing.items() if alert.alert_id not in ended_ids}

    def _fires(self, value: str, title: str, now_ms: int) -> Transition:
        return Transition(
            model=MODEL,
            alert_id=xxhash.xxh3_64_hexdigest(self._identity(value, now_ms).encode()),
            sequence=0,
            state="firing",
            at_ms=now_ms,
            starts_ms=now_ms,
            ends_ms=0,
            version="",
            segment="",
            severity=self._severity,
            title=title,
            labels={"alertname": self._alertname, "severity": self._severity, self._label: value} | self._about,
            signals=[],
        )

    def _identity(self, value: str, now_ms: int) -> str:
        # Processes that see the same at once follow the same alert, and so write the same one.
        when = f"{self._newest_ids.get(value, '')}|{now_ms // DAY_MS}" if self._shared else str(now_ms)
        return "|".join([self._alertname, value, when, *self._about.values()])

    @property
    def _about(self) -> dict[str, str]:
        return {INSTANCE: self._instance} if self._instance else {}


def firing_values(store: Store, alertname: str, label: str) -> set[str]:
    """Return of what an alert with this name fires.

    Raises
    ------
    StoreError
    """
    return {alert.labels[label] for alert in firing_alerts(store, [alertname])}


def firing_alerts(store: Store, alertnames: Collection[str]) -> list[Transition]:
    """Return the last transition of every alert with one of these names that fires.

    Raises
    ------
    StoreError
    """
    return [alert for alert in _as_they_stand(store, alertnames) if alert.state != "resolved"]


def end_alerts(store: Store, clock: Clock, alerts: Sequence[Transition], because: str = "") -> None:
    """Resolve alerts, with what stands before their titles, if anything.

    Raises
    ------
    StoreError
    """
    if alerts:
        at_ms = _dated(store, clock)
        append(store, "alerts", to_columns([_resolved(alert, at_ms, because) for alert in alerts]))


def _as_they_stand(store: Store, alertnames: Collection[str]) -> list[Transition]:
    """The last transition of every alert with one of these names, the alerts in the order in which they began."""
    transitions = map(_read, rows_of(store.read(Query("alerts", where={"model": MODEL}))))
    newest = {alert.alert_id: alert for alert in transitions if alert.labels["alertname"] in alertnames}
    return sorted(newest.values(), key=lambda alert: alert.starts_ms)


def _updated(alert: Transition, now_ms: int, title: str) -> Transition:
    return replace(alert, sequence=alert.sequence + 1, state="updated", at_ms=now_ms, title=title)


def _resolved(alert: Transition, now_ms: int, because: str) -> Transition:
    title = f"{because}: {alert.title}" if because else alert.title
    sequence = alert.sequence + 1
    return replace(alert, sequence=sequence, state="resolved", at_ms=now_ms, ends_ms=now_ms, title=title)


def _read(row: Mapping[str, Any]) -> Transition:
    return Transition(**{**row, "labels": json.loads(row["labels"]), "signals": json.loads(row["signals"])})


def _title(gap: Gap) -> str:
    topic, partition, first, following = gap
    if is_cut(gap):
        return (
            f"{topic}/{partition} was made anew or cut short behind offset {in_log(first)}; it is read on from offset"
            f" {in_log(following)}"
        )
    return f"{following - first} messages of {topic}/{partition}, from offset {first} on, were lost unread"
