"""What becomes of alerts that others post: transitions in the store, like those of Leeway's own.

From then on they are routed, explained and kept as all others are. An alert is one for as long as it fires; when it
comes back, it is another one with the same labels.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from monitor.alerts.transition import POSTED, Transition, to_columns
from monitor.clock import Clock
from monitor.routing.posted import FORGET_MS, Posted
from monitor.routing.posted_log import MOST_NAMED, PostedLog, as_signals, read
from monitor.routing.quarantine import Quarantine
from sinks.receivers.contract import fingerprint
from sinks.store.batch import append
from sinks.store.change_log import Row, after
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["Posting"]

LOOKS_BACK = {30_000: 5_000, 2_000: 1_000}
"""How far to look back for posts that are dated before others which were read already, and how often, in ms: the clocks
of processes that take posts differ, and each dates a post before it writes it."""

MOST_AT_ONCE = 500
"""Transitions that are dated with one millisecond: readers read their newest one again."""

LEAST_ENDS = 1_000
"""So many ends that do not count any more are kept in any case."""

_Latest = tuple[str, int]
"""The last transition of an alert: its id and its number."""


class Posting:
    """Turns what was posted into transitions; one process does so.

    Of an alert that fires it holds what it is called and when it ends: what else its end says is read when it comes.

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
        self._unread = _Unread(PostedLog(store))
        self._latest: dict[str, _Latest] | None = None
        self._fresh: dict[str, Posted] = {}
        self._due: set[str] = set()
        self._ends_ms: dict[str, int] = {}
        self._ends: list[tuple[int, str]] = []
        self._ended: dict[str, tuple[int, str]] = {}
        self._unwritten: tuple[dict[str, Transition], dict[str, Transition]] = {}, {}
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
        # What the last step could not write the store may have taken all the same: the same again, no other alerts.
        self._write(latest, now_ms)
        self._read_posts(latest, now_ms)
        while self._ends and self._ends[0][0] <= now_ms:
            self._due.add(heapq.heappop(self._ends)[1])
        last_posts = self._unread.log.named(name for name in self._due - self._fresh.keys() if name in latest)
        # Dated by a clock that is behind, or posted a moment ago: they were not read yet.
        self._take_up(alert for alert in last_posts.values() if alert.fires(now_ms))
        changed = self._fresh.keys() | self._due
        firing = {name for name in changed if self._ends_ms.get(name, now_ms) > now_ms}
        # In time that depends on what has changed, not on what there is.
        fresh = sorted(name for name in self._fresh if name in firing and name not in latest)
        begun = {name: _begins(self._fresh[name], name, now_ms) for name in fresh}
        ending = {name: latest[name] for name in sorted(changed - firing) if name in latest}
        over = self._over(ending, last_posts | self._fresh, now_ms)
        self._unwritten = begun, over
        self._write(latest, now_ms)
        standing = {name: latest[name][0] for name in self._fresh if name in latest}
        ended = {name: self._ended[name][1] for name in self._fresh if name in self._ended and name not in over}
        self.news = {alert_id: self._fresh[name] for name, alert_id in (standing | ended).items()}
        for name in changed - firing:
            self._ends_ms.pop(name, None)
            # Also that of which nothing is left, and so no end was written.
            latest.pop(name, None)
        self._fresh.clear()
        self._due.clear()

    def _over(self, latest: Mapping[str, _Latest], posts: Mapping[str, Posted], now_ms: int) -> dict[str, Transition]:
        """The ends of alerts: as they began, but for what their last post says."""
        rows = self._transitions([alert_id for alert_id, _ in latest.values()])
        ends = {
            name: _ends(alert_id, sequence, rows.get(alert_id), posts.get(name), now_ms)
            for name, (alert_id, sequence) in latest.items()
        }
        # Of what somebody deleted there is nothing to say.
        return {name: end for name, end in ends.items() if end is not None}

    def _transitions(self, alert_ids: Sequence[str]) -> dict[str, Row]:
        """The last transitions of alerts."""
        rows: list[Row] = []
        for first in range(0, len(alert_ids), MOST_NAMED):
            where = {"model": POSTED, "alert_id": alert_ids[first : first + MOST_NAMED]}
            rows += rows_of(self._store.read(Query("alerts", where=where)))
        usable = Quarantine.of(self._store).usable("alerts", "alert_id", rows, _checked)
        return {row["alert_id"]: row for row in usable}

    def _dated(self, transitions: Sequence[Transition]) -> list[Transition]:
        """Return transitions of now in their order, some of each millisecond; the next come behind them."""
        # Transitions are read by their time: it never goes back, also where the clock does.
        start_ms = after(self._at_ms, self._clock.now_ms())
        self._at_ms = start_ms + (len(transitions) - 1) // MOST_AT_ONCE
        return [replace(each, at_ms=start_ms + number // MOST_AT_ONCE) for number, each in enumerate(transitions)]

    def _write(self, latest: dict[str, _Latest], now_ms: int) -> None:
        """Write which alerts have begun and which are over, and note it once the store has it."""
        begun, over = self._unwritten
        if begun or over:
            append(self._store, "alerts", to_columns(self._dated([*begun.values(), *over.values()])))
        self._unwritten = {}, {}
        for name, transition in begun.items():
            latest[name] = transition.alert_id, transition.sequence
            self._ended.pop(name, None)
        for name, transition in over.items():
            self._ended[name] = now_ms, transition.alert_id
            latest.pop(name, None)
        # In the order in which they ended.
        while self._ended and next(iter(self._ended.values()))[0] + FORGET_MS <= now_ms:
            del self._ended[next(iter(self._ended))]

    def _read_posts(self, latest: Mapping[str, _Latest], now_ms: int) -> None:
        """Take up what was posted since the last step."""
        rows = self._unread.rows(latest, now_ms)
        self._take_up(Quarantine.of(self._store).usable("posted", "fingerprint", rows.values(), read))
        if len(self._ends) > 4 * len(self._ends_ms) + LEAST_ENDS:
            # Ends that later posts have moved.
            self._ends = sorted((ends_ms, name) for name, ends_ms in self._ends_ms.items())

    def _take_up(self, alerts: Iterable[Posted]) -> None:
        for alert in alerts:
            name = alert.fingerprint
            self._fresh[name], self._ends_ms[name] = alert, alert.ends_ms
            heapq.heappush(self._ends, (alert.ends_ms, name))

    def _live(self) -> dict[str, _Latest]:
        """The last transition of each alert that is not over, by fingerprint."""
        if self._latest is None:
            rows = rows_of(self._store.read(Query("alerts", where={"model": POSTED})))
            newest = {row["alert_id"]: row for row in rows}
            live = [row for row in newest.values() if row["state"] != "resolved"]
            self._at_ms = max((row["at_ms"] for row in rows), default=0)
            self._latest = dict(Quarantine.of(self._store).usable("alerts", "alert_id", live, _by_labels))
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
        self.log, self._read_to = log, 0
        self._positions: dict[str, int] = {}
        self._look_ms = dict.fromkeys(LOOKS_BACK, 0)
        """When to look so far back next."""

    def rows(self, latest: Iterable[str], now_ms: int) -> dict[str, Row]:
        """Return what was not given before; the first time what is not over, and what there is of ``latest``.

        Raises
        ------
        StoreError
        """
        if not self._read_to:
            rows = self.log.all(latest, now_ms)
            self._positions = {name: row["position"] for name, row in rows.items()}
        else:
            back_ms = self._back_ms(now_ms)
            # A clock that was set back dates posts before those that are read already.
            positions = self.log.since(min(self._read_to, now_ms) - back_ms)
            unread = {name: at for name, at in positions.items() if self._positions.get(name) != at}
            rows = self.log.at(unread)
            self._positions = positions if back_ms == max(LOOKS_BACK) else self._positions | positions
            self._look_ms |= {each: now_ms + LOOKS_BACK[each] for each in LOOKS_BACK if each <= back_ms}
        # What was posted longer ago is not given again.
        self._read_to = max([self._read_to, *(row["position"] for row in rows.values())])
        return rows

    def _back_ms(self, now_ms: int) -> int:
        """How far to look back this time; a clock that was set back puts no look off."""
        due = (each for each, every_ms in LOOKS_BACK.items() if not 0 < self._look_ms[each] - now_ms <= every_ms)
        return max(due, default=0)


def _checked(row: Row) -> Row:
    """Return a row of which an end can be made; an error if none can."""
    json.loads(row["signals"])
    json.loads(row["labels"])
    return row


def _by_labels(row: Row) -> tuple[str, _Latest]:
    _checked(row)
    return fingerprint(json.loads(row["labels"])), (row["alert_id"], row["sequence"])


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
        signals=json.loads(as_signals(alert)),
    )


def _ends(alert_id: str, sequence: int, row: Row | None, alert: Posted | None, now_ms: int) -> Transition | None:
    if row is None:
        # Its transition was kept for as long as it may be; None if there is no post of it either.
        begun = None if alert is None else _begins(alert, alert.fingerprint, now_ms)
        row = None if begun is None else begun.to_row()
    if row is None:
        return None
    unchanged = {name: row[name] for name in ("model", "version", "segment", "severity", "title")}
    return Transition(
        **unchanged,
        alert_id=alert_id,
        sequence=sequence + 1,
        state="resolved",
        at_ms=now_ms,
        # A later span that was posted as over makes the alert's no shorter.
        starts_ms=row["starts_ms"] if alert is None else min(row["starts_ms"], alert.starts_ms),
        ends_ms=now_ms if alert is None else min(alert.ends_ms, now_ms),
        labels=json.loads(row["labels"]),
        signals=json.loads(row["signals"] if alert is None else as_signals(alert)),
    )
