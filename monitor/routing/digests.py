"""Digests: notifications are collected, and sent as one summary at fixed times.

For routes, a digest is a receiver that takes everything at once. What it took since its last summary, and what still
fires of what it took before, is kept in the store (table ``checkpoints``, stage :data:`DIGEST`), before it counts as
delivered. A summary is tried until it is taken, or the next one is due, which then holds all of it. It is noted after
the receiver answered: a process that ends in between sends it again, under the same key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple

import structlog

from monitor.checkpoint import decode_state, encode_state
from monitor.clock import Clock
from monitor.delivery.attempts import Delivery
from monitor.delivery.senders import Senders
from monitor.delivery.target import Target
from monitor.routing.decision_log import Made
from monitor.routing.timetable import Digest
from sinks.receivers.contract import Alert, Notification
from sinks.receivers.times import rfc3339, utc
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["DIGEST", "Collected", "Digests", "summary"]

DIGEST = "digest"
TRIED_S = 60.0
"""For so long a receiver is asked before a summary is composed anew."""

AGAIN_MS = 300_000
"""After so long a summary that was not taken is tried again."""

GONE_MS = 5 * 86_400_000
"""For so long it is said what a digest had collected that is not configured any more."""

SET_BACK_MS = 60_000
"""A clock that loses less is only being adjusted, and what it has sent is not due again."""

LINES_AT_MOST = 100
"""Alerts that a summary names."""

Kind = Literal["began", "began and ended", "ended", "still fires"]
KINDS: tuple[Kind, ...] = ("began", "began and ended", "ended", "still fires")

Ended = Callable[[str], int | None]
"""Gives when the alert of a fingerprint ended; None if it fires."""

log = structlog.get_logger("leeway.route")


@dataclass(frozen=True)
class Collected:
    """An alert that belongs into a summary.

    Attributes
    ----------
    alert : Alert
        As it was when it was collected last.
    is_new : bool
        Whether no summary has had it.
    alert_id, sequence, route : str, int, str
        The transition that it stood at, and the route that it came by.
    """

    alert: Alert
    is_new: bool
    alert_id: str
    sequence: int
    route: str

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.alert.status == "resolved"

    @property
    def kind(self) -> Kind:
        """What became of it since the last summary."""
        if self.is_over:
            return "began and ended" if self.is_new else "ended"
        return "began" if self.is_new else "still fires"


class _State(NamedTuple):
    """What is collected for an entry of a receiver, and the time of its last summary."""

    sent_ms: int
    alerts: dict[str, Collected]


@dataclass(frozen=True)
class _Job:
    due_ms: int
    alerts: Mapping[str, Collected]
    future: Future[Delivery]


class Digests:
    """Collects, and sends summaries when they are due.

    Parameters
    ----------
    store : Store
    clock : Clock
    senders : Senders
    digests : mapping of str to Digest
        By the names of receivers.
    external_url : str
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        senders: Senders,
        digests: Mapping[str, Digest],
        external_url: str,
    ) -> None:
        self._store, self._clock, self._senders = store, clock, senders
        self._digests, self._external_url = digests, external_url
        self._states: dict[Target, _State] = {}
        self._jobs: dict[Target, _Job] = {}
        self._again_ms: dict[Target, int] = {}
        self._positions: dict[str, int] = {}
        self._changed: set[Target] = set()
        self._left_behind: list[Made] = []
        self._unwritten: list[tuple[dict[str, list[Any]], str]] = []

    def __contains__(self, target: Target) -> bool:
        return target.receiver in self._digests

    def open(self) -> None:
        """Read what was collected before. The first summary of a digest is about what comes from now on.

        Raises
        ------
        StoreError
        """
        stored = {row["name"]: row for row in rows_of(self._store.read(Query("checkpoints", where={"stage": DIGEST})))}
        for target in self._all():
            row = stored.get(target.name)
            if row is None:
                self._states[target] = _State(self._clock.now_ms(), {})
                self._changed.add(target)
            else:
                state = decode_state(row["state"])
                alerts = {name: _read(written) for name, written in state["alerts"].items()}
                self._states[target] = _State(state["sent_ms"], alerts)
                self._positions[target.name] = row["position"]
        for name in stored.keys() - {target.name for target in self._all()}:
            self._leave_behind(name, stored[name])

    def _leave_behind(self, name: str, row: Mapping[str, Any]) -> None:
        """Say of what a digest had collected that is not configured any more why nobody is notified of it."""
        at_ms, collected = row["position"], decode_state(row["state"])["alerts"]
        if not collected or self._clock.now_ms() - at_ms > GONE_MS:
            return
        log.warning("a digest is not configured any more: what it had collected is sent to nobody", receiver=name)
        for entry in map(_read, collected.values()):
            # Dated as it was collected last, so that another start says the same again, in the same row.
            self._left_behind.append(
                Made(
                    entry.alert_id, entry.sequence, name, entry.route, at_ms, "gave_up", "the digest is not configured"
                )
            )

    def take_over(self, former: Digests) -> None:
        """Take up the summaries that receivers are still being sent."""
        self._jobs.update(former._jobs)

    def collect(self, target: Target, alerts: Iterable[Collected], believed: Collection[str]) -> None:
        """Take up alerts of which an entry is notified; it takes those of ``believed`` to fire already."""
        collected = self._states[target].alerts
        for entry in alerts:
            name = entry.alert.fingerprint
            former = collected.get(name)
            # A summary had the end before this notification of it, which something kept back.
            if former is not None or not (entry.is_over and name in believed):
                collected[name] = replace(entry, is_new=former is None or former.is_new)
        self._changed.add(target)

    def next_ms(self, target: Target) -> int:
        """Return when the next summary of an entry is due."""
        return self._digests[target.receiver].timetable.next(self._clock.now_ms())

    def step(self, ended: Ended) -> list[Made]:
        """Begin to send what is due; return what became of what was sent before.

        Parameters
        ----------
        ended : callable
            Asked of alerts that fired when they were collected, since their ends may have been kept quiet.
        """
        made, self._left_behind = self._left_behind + self.settle(), []
        now_ms = self._clock.now_ms()
        for target in self._all():
            if self._states[target].sent_ms > now_ms + SET_BACK_MS:
                # A clock that was ahead sent it: nobody waits until that time has come again.
                self._states[target] = self._states[target]._replace(sent_ms=now_ms)
                self._changed.add(target)
            due_ms = self._digests[target.receiver].timetable.last(now_ms)
            waits = target in self._jobs or now_ms < self._again_ms.get(target, 0)
            if due_ms > self._states[target].sent_ms and not waits:
                self._begin(target, due_ms, ended)
        return made + self.settle()

    def settle(self) -> list[Made]:
        """Return what became of summaries whose receivers have answered."""
        done = [(target, job) for target, job in self._jobs.items() if job.future.done()]
        return [made for target, job in done for made in self._settled(target, job)]

    def write(self) -> None:
        """Write what was collected, and what became of summaries.

        Raises
        ------
        StoreError
        """
        now_ms = self._clock.now_ms()
        for target in sorted(self._changed, key=lambda target: target.name):
            self._store.append("checkpoints", *self._row(target, now_ms))
            self._changed.discard(target)
        while self._unwritten:
            self._store.append("notifications", *self._unwritten[0])
            self._unwritten.pop(0)

    def _all(self) -> list[Target]:
        return [target for name in self._digests for target in self._senders.targets.get(name, ())]

    def _begin(self, target: Target, due_ms: int, ended: Ended) -> None:
        state = self._states[target]
        for name, entry in list(state.alerts.items()):
            ended_ms = None if entry.is_over or entry.alert.annotations.get("flapping") else ended(name)
            if ended_ms is not None:
                state.alerts[name] = replace(entry, alert=replace(entry.alert, status="resolved", ends_at_ms=ended_ms))
        if not state.alerts and not self._digests[target.receiver].send_empty:
            self._states[target] = _State(due_ms, {})
            self._changed.add(target)
            return
        notification = summary(target.receiver, due_ms, state.alerts.values(), self._external_url)
        self._jobs[target] = _Job(due_ms, dict(state.alerts), self._senders.send(target, notification, TRIED_S))

    def _settled(self, target: Target, job: _Job) -> list[Made]:
        del self._jobs[target]
        now_ms, delivery = self._clock.now_ms(), job.future.result()
        if delivery.outcome == "delivered":
            # A configuration that came meanwhile may have no such digest any more.
            if (state := self._states.get(target)) is not None:
                self._states[target] = _State(job.due_ms, dict(self._left(state.alerts, job.alerts)))
                self._changed.add(target)
        else:
            self._again_ms[target] = now_ms + AGAIN_MS
            log.warning("a digest was not delivered", at=utc(job.due_ms), receiver=target.name, **asdict(delivery))
        if job.alerts:
            self._unwritten.append(_notifications(target, job, delivery, now_ms))
        detail = f"in the digest of {utc(job.due_ms)}" + (f"; {delivery.reason}" if delivery.reason else "")
        return [
            Made(entry.alert_id, entry.sequence, target.name, entry.route, now_ms, delivery.outcome, detail)
            for entry in job.alerts.values()
        ]

    @staticmethod
    def _left(collected: Mapping[str, Collected], sent: Mapping[str, Collected]) -> Iterable[tuple[str, Collected]]:
        """What the next summary begins with: what was not in this one, or has changed since, and what fires."""
        for name, entry in collected.items():
            if name not in sent:
                yield name, entry
            elif entry != sent[name] or not entry.is_over:
                yield name, replace(entry, is_new=False)

    def _row(self, target: Target, now_ms: int) -> tuple[dict[str, list[Any]], str]:
        state = self._states[target]
        # Of two rows the one of the higher position counts.
        position = self._positions[target.name] = max(now_ms, self._positions.get(target.name, 0) + 1)
        written = {"sent_ms": state.sent_ms, "alerts": {name: asdict(entry) for name, entry in state.alerts.items()}}
        row = {"stage": DIGEST, "name": target.name, "partition": 0, "position": position, "config": ""}
        columns: dict[str, list[Any]] = {column: [value] for column, value in row.items()}
        return columns | {"state": [encode_state(written)]}, f"{DIGEST}/{target.name}/{position}"


def summary(name: str, due_ms: int, alerts: Iterable[Collected], external_url: str) -> Notification:
    """Return what a digest says.

    Examples
    --------
    >>> alert = Alert("firing", {"model": "fraud", "severity": "warning"}, {"summary": "fraud: amount moved"}, 0)
    >>> said = summary("daily", 86_400_000, [Collected(alert, True, "a", 0, "{}")], "")
    >>> said.group_key, said.title
    ('digest/daily/1970-01-02T00:00:00Z', 'daily: 1 began, 0 ended, 0 still fire')
    >>> print(said.text)
    fraud
    - began: fraud: amount moved (warning), since 1970-01-01 00:00 UTC
    """
    alerts = list(alerts)
    firing = {entry.alert_id for entry in alerts if not entry.is_over}
    # One that goes on under other labels, with a higher severity, is not over.
    alerts = [entry for entry in alerts if not entry.is_over or entry.alert_id not in firing]
    ordered = sorted(alerts, key=_order)
    count = Counter(entry.kind for entry in ordered)
    began, ended = (sum(count[kind] for kind in KINDS if word in kind) for word in ("began", "ended"))
    return Notification(
        receiver=name,
        group_key=f"digest/{name}/{rfc3339(due_ms)}",
        group_labels={"digest": name, "at": rfc3339(due_ms)},
        alerts=tuple(
            replace(entry.alert, annotations={**entry.alert.annotations, "digest": entry.kind}) for entry in ordered
        ),
        external_url=external_url,
        title=f"{name}: {began} began, {ended} ended, {count['still fires']} still fire",
        text="\n".join(_lines(ordered)) or "Nothing began, nothing ended, and nothing fires.",
        at_ms=due_ms,
    )


def _lines(ordered: Sequence[Collected]) -> Iterable[str]:
    model = None
    for entry in ordered[:LINES_AT_MOST]:
        if _model(entry) != model:
            model = _model(entry)
            yield model
        alert = entry.alert
        about = alert.annotations.get("summary") or alert.labels.get("alertname", "")
        severity = alert.labels.get("severity", "alert")
        until = f", until {utc(alert.ends_at_ms)}" if entry.is_over else ""
        yield f"- {entry.kind}: {about} ({severity}), since {utc(alert.starts_at_ms)}{until}"
    if len(ordered) > LINES_AT_MOST:
        yield f"and {len(ordered) - LINES_AT_MOST} more"


def _order(entry: Collected) -> tuple[str, int, int, str]:
    return _model(entry), KINDS.index(entry.kind), entry.alert.starts_at_ms, entry.alert_id


def _model(entry: Collected) -> str:
    return entry.alert.labels.get("model", "(no model)")


def _read(written: Mapping[str, Any]) -> Collected:
    return Collected(**{**written, "alert": Alert(**written["alert"])})


def _notifications(target: Target, job: _Job, delivery: Delivery, now_ms: int) -> tuple[dict[str, list[Any]], str]:
    alerts = list(job.alerts.values())
    columns: dict[str, list[Any]] = {
        "alert_id": [entry.alert_id for entry in alerts],
        "sequence": [entry.sequence for entry in alerts],
    }
    shared = {"receiver": target.name, "outcome": delivery.outcome, "reason": delivery.reason}
    for name, value in {**shared, "attempts": delivery.attempts, "at_ms": now_ms}.items():
        columns[name] = [value] * len(alerts)
    return columns, f"{DIGEST}/{target.name}/{job.due_ms}/{now_ms}"
