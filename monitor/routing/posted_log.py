"""Alerts from elsewhere in the store: what was posted, and the transitions that follow from it.

Who takes posts (the API) writes the table ``posted``, a row for each alert. Who notifies people looks at it, and writes
what has become of alerts as transitions of the model ``_posted``, like those of Leeway's own: from then on they are
routed, explained and kept as all others are. An alert is one for as long as it fires; when it comes back, it is another
one with the same labels.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from monitor.alerts.lifecycle import POSTED, Transition, to_columns
from monitor.clock import Clock
from monitor.routing.posted import Posted
from monitor.routing.quarantine import Quarantine
from sinks.receivers.contract import fingerprint
from sinks.store.batch import append
from sinks.store.change_log import ChangeLog, Row
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["PostedLog", "Posting", "read"]

SKEW_MS = 30_000
"""The clocks of processes that take posts may differ by so much."""


class PostedLog:
    """What was posted to one store.

    Parameters
    ----------
    store : Store

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> log = PostedLog(MemoryStore())
    >>> log.put([Posted({"alertname": "Disk"}, {}, 10, 100, 10), Posted({"alertname": "Disk"}, {}, 20, 200, 20)])
    >>> [(alert.starts_ms, alert.ends_ms) for alert in log.firing(150)]
    [(10, 200)]
    """

    def __init__(self, store: Store) -> None:
        self._log, self._quarantine = ChangeLog(store, "posted"), Quarantine.of(store)

    def since(self, position: int) -> dict[str, Row]:
        """Return the rows of alerts that were posted since, by fingerprint, unread; :func:`read` reads one.

        Raises
        ------
        StoreError
        """
        return {row["fingerprint"]: row for row in self._log.rows(low={"position": position})}

    def firing(self, now_ms: int) -> list[Posted]:
        """Return what is not over.

        Raises
        ------
        StoreError
        """
        rows = self._log.rows(low={"ends_ms": now_ms + 1})
        return self._quarantine.usable("posted", "fingerprint", rows, read)

    def all(self, names: Iterable[str], now_ms: int) -> dict[str, Row]:
        """Return the rows of alerts that are not over, and of some that may be, by fingerprint.

        Raises
        ------
        StoreError
        """
        rows = self._log.rows(low={"ends_ms": now_ms + 1})
        return {row["fingerprint"]: row for row in rows} | self._log.named(names)

    def put(self, alerts: Iterable[Posted]) -> None:
        """Take alerts up, each merged with the one that stands.

        Raises
        ------
        StoreError
        """
        posts = list(alerts)
        if not posts:
            return
        stored = self._log.named(alert.fingerprint for alert in posts)
        former = self._quarantine.usable("posted", "fingerprint", stored.values(), read)
        merged = {alert.fingerprint: alert for alert in former}
        for alert in posts:
            merged[alert.fingerprint] = alert.after(merged.get(alert.fingerprint))
        self._log.put(map(_row, merged.values()), replaced=stored)


class Posting:
    """Turns what was posted into transitions; one process does so.

    Parameters
    ----------
    store : Store
    clock : Clock

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> store, clock = MemoryStore(), ManualClock(now_ms=50)
    >>> PostedLog(store).put([Posted({"alertname": "Disk"}, {}, 10, 100, 10)])
    >>> posting = Posting(store, clock)
    >>> posting.step()
    >>> clock.advance(60)
    >>> posting.step()
    >>> store.read(Query("alerts"))["state"]
    ['firing', 'resolved']
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock, self._log = store, clock, PostedLog(store)
        self._quarantine = Quarantine.of(store)
        self._latest: dict[str, Row] | None = None
        self._posts: dict[str, Posted] = {}
        self._positions: dict[str, int] = {}
        self._fresh: set[str] = set()
        self._at_ms = self._read_to = 0
        self.said: dict[str, str] = {}
        """By their ids, the ``signals`` of the transitions of alerts that fire and were posted since the last step."""

    def step(self) -> None:
        """Write what has become of alerts since the last step.

        Raises
        ------
        StoreError
        """
        latest = self._live()
        # Transitions are read by their time: it never goes back.
        now_ms = self._at_ms = max(self._clock.now_ms(), self._at_ms)
        self._read_posts(latest, now_ms)
        firing = {name for name, alert in self._posts.items() if alert.fires(now_ms)}
        begun = {name: _begins(self._posts[name], name, now_ms) for name in sorted(firing - latest.keys())}
        over = {name: _ends(latest[name], self._posts.get(name), now_ms) for name in sorted(latest.keys() - firing)}
        if begun or over:
            append(self._store, "alerts", to_columns([*begun.values(), *over.values()]))
        for name, transition in begun.items():
            latest[name] = transition.to_row()
        for name in over:
            del latest[name]
        self._posts = {name: alert for name, alert in self._posts.items() if name in firing}
        self.said = {latest[name]["alert_id"]: _as_signals(self._posts[name]) for name in self._fresh if name in latest}
        self._fresh.clear()

    def _read_posts(self, latest: Mapping[str, Row], now_ms: int) -> None:
        """Take up what was posted since the last step."""
        rows = self._log.since(self._read_to - SKEW_MS) if self._read_to else self._log.all(latest, now_ms)
        fresh = [row for name, row in rows.items() if self._positions.get(name) != row["position"]]
        for alert in self._quarantine.usable("posted", "fingerprint", fresh, read):
            self._posts[alert.fingerprint] = alert
            self._fresh.add(alert.fingerprint)
        # What was posted longer ago is not given again.
        self._read_to = max([self._read_to, *(row["position"] for row in rows.values())])
        self._positions = {name: row["position"] for name, row in rows.items()}

    def _live(self) -> dict[str, Row]:
        """The last transition of each alert that is not over, by fingerprint."""
        if self._latest is None:
            rows = rows_of(self._store.read(Query("alerts", where={"model": POSTED})))
            newest = {row["alert_id"]: row for row in rows}
            live = [row for row in newest.values() if row["state"] != "resolved"]
            self._at_ms = max((row["at_ms"] for row in rows), default=0)
            self._latest = dict(self._quarantine.usable("alerts", "alert_id", live, _by_labels))
        return self._latest


def _by_labels(row: Row) -> tuple[str, Row]:
    json.loads(row["signals"])  # its end is written with them
    return fingerprint(json.loads(row["labels"])), row


def _begins(alert: Posted, name: str, now_ms: int) -> Transition:
    labels = dict(alert.labels)
    return Transition(
        model=POSTED,
        alert_id=f"{name}-{now_ms}",
        sequence=0,
        state="firing",
        at_ms=now_ms,
        starts_ms=alert.starts_ms,
        ends_ms=0,
        version="",
        segment="",
        severity=labels.get("severity", ""),
        title=alert.annotations.get("summary") or labels.get("alertname", ""),
        labels=labels,
        signals=json.loads(_as_signals(alert)),
    )


def _ends(row: Row, alert: Posted | None, now_ms: int) -> Transition:
    unchanged = {
        name: row[name] for name in ("model", "alert_id", "starts_ms", "version", "segment", "severity", "title")
    }
    return Transition(
        **unchanged,
        sequence=row["sequence"] + 1,
        state="resolved",
        at_ms=now_ms,
        ends_ms=now_ms if alert is None else min(alert.ends_ms, now_ms),
        labels=json.loads(row["labels"]),
        signals=json.loads(row["signals"] if alert is None else _as_signals(alert)),
    )


def _as_signals(alert: Posted) -> str:
    """What was posted with an alert, in the place of the signals that moved."""
    entry = {"signal": "", "reason": "", "annotations": dict(alert.annotations), "link": alert.link}
    return json.dumps([entry], ensure_ascii=False, sort_keys=True)


def _row(alert: Posted) -> Row:
    return {
        "fingerprint": alert.fingerprint,
        "position": alert.updated_ms,
        "labels": _json(alert.labels),
        "annotations": _json(alert.annotations),
        "starts_ms": alert.starts_ms,
        "ends_ms": alert.ends_ms,
        "updated_ms": alert.updated_ms,
        "has_timeout": int(alert.has_timeout),
        "link": alert.link,
    }


def read(row: Row) -> Posted:
    """Return the alert that a row of the table ``posted`` holds."""
    return Posted(
        json.loads(row["labels"]),
        json.loads(row["annotations"]),
        row["starts_ms"],
        row["ends_ms"],
        row["updated_ms"],
        bool(row["has_timeout"]),
        row["link"],
    )


def _json(names: Mapping[str, str]) -> str:
    return json.dumps(dict(names), ensure_ascii=False, sort_keys=True)
