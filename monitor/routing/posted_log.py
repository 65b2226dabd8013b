"""Alerts from elsewhere in the store: what was posted, and the transitions that follow from it.

Who takes posts (the API) writes the table ``posted``, a row for each alert. Who notifies people looks at it, and writes
what has become of alerts as transitions of the model ``_posted``, like those of Leeway's own: from then on they are
routed, explained and kept as all others are. An alert is one for as long as it fires; when it comes back, it is another
one with the same labels.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from monitor.alerts.lifecycle import POSTED, Transition, to_columns
from monitor.clock import Clock
from monitor.routing.bell import bell_of
from monitor.routing.matchers import ANNOTATION, Matcher
from monitor.routing.posted import FORGET_MS, Posted
from monitor.routing.quarantine import Quarantine
from monitor.routing.routed_alert import INCIDENT
from sinks.receivers.contract import fingerprint
from sinks.store.batch import append
from sinks.store.change_log import ChangeLog, Row, after
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["PostedLog", "Posting", "as_posted", "read"]

SKEW_MS = 30_000
"""The clocks of processes that take posts may differ by so much."""

MOST_NAMED = 1_000
"""Of more alerts all rows of a time are read, which is faster than to name them."""

LOOK_BACK_EVERY_MS = 5_000
"""How often it is looked for what clocks that are behind have dated."""

MOST_AT_ONCE = 500
"""Transitions that are dated with one millisecond: readers read their newest one again."""

LEAST_ENDS = 1_000
"""So many ends that do not count any more are kept in any case."""


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
        self._store = store
        self._log, self._quarantine = ChangeLog(store, "posted"), Quarantine.of(store)

    def since(self, position: int) -> dict[str, int]:
        """Return the positions of alerts that were posted since, by fingerprint; :meth:`at` reads them.

        Raises
        ------
        StoreError
        """
        query = Query("posted", low={"position": position}, columns=("fingerprint", "position"))
        columns = self._store.read(query)
        return dict(zip(columns["fingerprint"], map(int, columns["position"]), strict=True))

    def at(self, positions: Mapping[str, int]) -> dict[str, Row]:
        """Return the rows of alerts that stand at positions, by fingerprint, unread; :func:`read` reads one.

        Raises
        ------
        StoreError
        """
        if len(positions) <= MOST_NAMED:
            return self._log.named(positions) if positions else {}
        rows = self._log.rows(low={"position": min(positions.values())})
        return {row["fingerprint"]: row for row in rows if row["fingerprint"] in positions}

    def firing(self, now_ms: int, choices: Sequence[Sequence[Matcher]] = ((),)) -> list[Posted]:
        """Return what is not over.

        Parameters
        ----------
        now_ms : int
        choices : sequence of sequence of Matcher
            Only what all matchers of one of them may match; whether they do, whoever asks finds out.

        Raises
        ------
        StoreError
        """
        parts = [_parts(matchers) for matchers in choices]
        rows = (
            row
            for row in self._log.rows(low={"ends_ms": now_ms + 1})
            if any(all(part in row["labels"] for part in each) for each in parts)
        )
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
        bell_of(self._store).set()


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
        self._store, self._clock = store, clock
        self._quarantine = Quarantine.of(store)
        self._unread = _Unread(PostedLog(store))
        self._latest: dict[str, Row] | None = None
        self._posts: dict[str, Posted] = {}
        self._ends: list[tuple[int, str]] = []
        self._ended: dict[str, tuple[int, str]] = {}
        self._fresh: set[str] = set()
        self._due: set[str] = set()
        self._at_ms = 0
        self.news: dict[str, Posted] = {}
        """By their ids, alerts that were posted since the last step: such as fire, or were over by then."""

    def step(self) -> None:
        """Write what has become of alerts since the last step.

        Raises
        ------
        StoreError
        """
        latest, now_ms = self._live(), self._clock.now_ms()
        self._read_posts(latest, now_ms)
        while self._ends and self._ends[0][0] <= now_ms:
            self._due.add(heapq.heappop(self._ends)[1])
        changed = self._fresh | self._due
        firing = {name for name in changed if name in self._posts and self._posts[name].fires(now_ms)}
        # In time that depends on what has changed, not on what there is.
        begun = {name: _begins(self._posts[name], name, now_ms) for name in sorted(firing) if name not in latest}
        ended = (name for name in sorted(changed - firing) if name in latest)
        over = {name: _ends(latest[name], self._posts.get(name), now_ms) for name in ended}
        if begun or over:
            append(self._store, "alerts", to_columns(self._dated([*begun.values(), *over.values()])))
        self._note(latest, begun, over, now_ms)
        for name in changed - firing:
            self._posts.pop(name, None)
        self._fresh.clear()
        self._due.clear()

    def _dated(self, transitions: Sequence[Transition]) -> list[Transition]:
        """Return transitions of now in their order, some of each millisecond; the next come behind them."""
        # Transitions are read by their time: it never goes back, also where the clock does.
        start_ms = after(self._at_ms, self._clock.now_ms())
        self._at_ms = start_ms + (len(transitions) - 1) // MOST_AT_ONCE
        return [replace(each, at_ms=start_ms + number // MOST_AT_ONCE) for number, each in enumerate(transitions)]

    def _note(
        self, latest: dict[str, Row], begun: Mapping[str, Transition], over: Mapping[str, Transition], now_ms: int
    ) -> None:
        """Note what was written, and which posts say more of what was written before."""
        for name, transition in begun.items():
            latest[name] = transition.to_row()
            self._ended.pop(name, None)
        standing = {name: latest[name]["alert_id"] for name in self._fresh if name in latest and name not in over}
        ended = {name: self._ended[name][1] for name in self._fresh if name in self._ended}
        self.news = {alert_id: self._posts[name] for name, alert_id in (standing | ended).items()}
        for name, transition in over.items():
            self._ended[name] = now_ms, transition.alert_id
            del latest[name]
        # In the order in which they ended.
        while self._ended and next(iter(self._ended.values()))[0] + FORGET_MS <= now_ms:
            del self._ended[next(iter(self._ended))]

    def _read_posts(self, latest: Mapping[str, Row], now_ms: int) -> None:
        """Take up what was posted since the last step."""
        rows = self._unread.rows(latest, now_ms)
        for alert in self._quarantine.usable("posted", "fingerprint", rows.values(), read):
            self._posts[alert.fingerprint] = alert
            self._fresh.add(alert.fingerprint)
            heapq.heappush(self._ends, (alert.ends_ms, alert.fingerprint))
        if len(self._ends) > 4 * len(self._posts) + LEAST_ENDS:
            # Ends that later posts have moved.
            self._ends = sorted((alert.ends_ms, name) for name, alert in self._posts.items())

    def _live(self) -> dict[str, Row]:
        """The last transition of each alert that is not over, by fingerprint."""
        if self._latest is None:
            rows = rows_of(self._store.read(Query("alerts", where={"model": POSTED})))
            newest = {row["alert_id"]: row for row in rows}
            live = [row for row in newest.values() if row["state"] != "resolved"]
            self._at_ms = max((row["at_ms"] for row in rows), default=0)
            self._latest = dict(self._quarantine.usable("alerts", "alert_id", live, _by_labels))
            # Those of which no post is left are over.
            self._due.update(self._latest)
        return self._latest


class _Unread:
    """Reads the table ``posted`` forward.

    Parameters
    ----------
    log : PostedLog
    """

    def __init__(self, log: PostedLog) -> None:
        self._log, self._read_to, self._look_back_ms = log, 0, 0
        self._positions: dict[str, int] = {}

    def rows(self, latest: Iterable[str], now_ms: int) -> dict[str, Row]:
        """Return what was not given before; the first time what is not over, and what there is of ``latest``.

        Raises
        ------
        StoreError
        """
        if not self._read_to:
            rows = self._log.all(latest, now_ms)
            self._positions = {name: row["position"] for name, row in rows.items()}
        else:
            looks_back = not 0 < self._look_back_ms - now_ms <= LOOK_BACK_EVERY_MS
            # A clock that was set back dates posts before those that are read already.
            newest_ms = min(self._read_to, now_ms)
            positions = self._log.since(newest_ms - SKEW_MS if looks_back else newest_ms)
            unread = {name: at for name, at in positions.items() if self._positions.get(name) != at}
            rows = self._log.at(unread)
            self._positions = positions if looks_back else self._positions | positions
            self._look_back_ms = now_ms + LOOK_BACK_EVERY_MS if looks_back else self._look_back_ms
        # What was posted longer ago is not given again.
        self._read_to = max([self._read_to, *self._positions.values()])
        return rows


def _parts(matchers: Sequence[Matcher]) -> list[str]:
    """What the labels of an alert hold, as they are stored, if it matches; to look for that is faster than to read."""
    return [
        _json({matcher.name: matcher.value})[1:-1]
        for matcher in matchers
        # An incident is no label that was posted.
        if matcher.operator == "="
        and matcher.value
        and matcher.name != INCIDENT
        and not matcher.name.startswith(ANNOTATION)
    ]


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
    unchanged = {name: row[name] for name in ("model", "alert_id", "version", "segment", "severity", "title")}
    return Transition(
        **unchanged,
        sequence=row["sequence"] + 1,
        state="resolved",
        at_ms=now_ms,
        starts_ms=row["starts_ms"] if alert is None else alert.starts_ms,
        ends_ms=now_ms if alert is None else min(alert.ends_ms, now_ms),
        labels=json.loads(row["labels"]),
        signals=json.loads(row["signals"] if alert is None else _as_signals(alert)),
    )


def as_posted(alert: Posted, now_ms: int, *, is_over: bool) -> Row:
    """Return what a post says of an alert, as its transition has it."""
    ends: Row = {"ends_ms": min(alert.ends_ms, now_ms)} if is_over else {}
    return {"starts_ms": alert.starts_ms, "signals": _as_signals(alert), **ends}


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
    alert = Posted(
        json.loads(row["labels"]),
        json.loads(row["annotations"]),
        row["starts_ms"],
        row["ends_ms"],
        row["updated_ms"],
        bool(row["has_timeout"]),
        row["link"],
    )
    # To work it out again takes longer than all the rest.
    vars(alert)["fingerprint"] = row["fingerprint"]
    return alert


def _json(names: Mapping[str, str]) -> str:
    return json.dumps(dict(names), ensure_ascii=False, sort_keys=True)
