"""Whether every event that was accepted counts once, and everybody was notified of every transition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor.alerts.alert_log import ALERT_TABLES
from monitor.messages import LogPosition
from monitor.routing.transitions import NOTIFIED_STATES
from sinks.store.contract import Query, Store

__all__ = ["Balance", "Ledger", "Stored", "balance", "read_stored", "unheard"]

EXAMPLES = 3


@dataclass
class Ledger:
    """What was sent.

    Attributes
    ----------
    accepted : dict of LogPosition to str
        Acknowledged messages, with the identities of their events; empty where a message has none that can be read.
    unanswered : set of str
        Identities of what was sent without an answer: it may be there, once.
    refused : Counter of str
        Messages that were not taken, by the answer.
    """

    accepted: dict[LogPosition, str] = field(default_factory=dict)
    unanswered: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)


@dataclass
class Stored:
    """What the store says of messages.

    Attributes
    ----------
    counted : dict of LogPosition to (str, int)
        The identity and the time of each event that counts.
    rejected : dict of LogPosition to str
        Why each of the others does not.
    panes : Counter of (str, int, int)
        How many events are in panes, by topic, partition and start; late ones included.
    late : Counter of (str, int, int)
        How many of them came late: a copy of a late event counts, since identities are forgotten when a pane closes.
    closed_ms : dict of (str, int) to int
        Up to which time panes are written.
    pane_ms : int
    """

    counted: dict[LogPosition, tuple[str, int]]
    rejected: dict[LogPosition, str]
    panes: Counter[tuple[str, int, int]]
    late: Counter[tuple[str, int, int]]
    closed_ms: dict[tuple[str, int], int]
    pane_ms: int


@dataclass
class Balance:
    """What the two sides come to.

    Attributes
    ----------
    counts : Counter of str
    wrong : list of str
        Sentences, one for each way in which they differ.
    """

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def blame(self, what: str, cases: Iterable[Any]) -> None:
        """Note cases of something that must not be."""
        listed = list(cases)
        if listed:
            self.wrong.append(f"{what}: {len(listed)}, such as {', '.join(map(str, listed[:EXAMPLES]))}")


def balance(ledger: Ledger, stored: Stored) -> Balance:
    """Compare what was accepted with what the store says of it.

    Parameters
    ----------
    ledger : Ledger
    stored : Stored
    """
    result = Balance()
    accepted, counted, rejected = ledger.accepted.keys(), stored.counted.keys(), stored.rejected.keys()
    result.blame("accepted and neither counted nor rejected", sorted(accepted - counted - rejected))
    result.blame("counted and rejected", sorted(counted & rejected))
    unknown = (counted | rejected) - accepted
    result.blame(
        "in the store, and never sent",
        sorted(position for position in unknown & counted if stored.counted[position][0] not in ledger.unanswered),
    )
    _blame_copies(stored, result)
    _balance_panes(stored, result)
    result.counts |= Counter(
        {
            "messages accepted": len(accepted),
            "events counted": len(counted),
            "events counted late": stored.late.total(),
            "messages without an answer, and there": len(unknown),
            **{f"rejected: {reason}": n for reason, n in sorted(Counter(stored.rejected.values()).items())},
            **{f"not taken: {answer}": n for answer, n in sorted(ledger.refused.items())},
        }
    )
    return result


def _blame_copies(stored: Stored, result: Balance) -> None:
    """Find identities that count twice, unless all but one of each may have come late into their pane."""
    panes: dict[str, list[tuple[str, int, int]]] = {}
    for (topic, partition, _), (identity, event_ms) in stored.counted.items():
        if identity:
            panes.setdefault(identity, []).append((topic, partition, event_ms // stored.pane_ms * stored.pane_ms))
    copies = {identity: where for identity, where in panes.items() if len(where) > 1}
    excess: Counter[tuple[str, int, int]] = Counter()
    for where in copies.values():
        excess[where[0]] += len(where) - 1
    late = {identity for identity, where in copies.items() if excess[where[0]] <= stored.late[where[0]]}
    result.blame("counted twice", sorted(copies.keys() - late))
    result.counts["copies of late events counted"] = len(late)


def _balance_panes(stored: Stored, result: Balance) -> None:
    """Compare the sums of closed panes with the single events in them."""
    expected: Counter[tuple[str, int, int]] = Counter()
    for (topic, partition, _), (_, event_ms) in stored.counted.items():
        start_ms = event_ms // stored.pane_ms * stored.pane_ms
        if start_ms < stored.closed_ms.get((topic, partition), 0):
            expected[topic, partition, start_ms] += 1
    wrong = [key for key in expected.keys() | stored.panes.keys() if expected[key] != stored.panes[key]]
    result.blame(
        "panes whose sum is not that of their events",
        (f"{key} {stored.panes[key]} for {expected[key]}" for key in sorted(wrong)),
    )
    result.counts["panes compared"] = len(expected)
    result.counts["events in them"] = sum(expected.values())


def read_stored(store: Store, pane_ms: int) -> Stored:
    """Read what the store says of the messages of all models."""
    events = store.read(Query("events", columns=(*_POSITION, "model", "event_ms", "id")))
    letters = store.read(Query("dead_letters", where={"action": "rejected"}))
    panes = store.read(Query("panes", where={"signal": "volume", "segment": ""}))
    progress = store.read(Query("progress"))
    sums, late = Counter[tuple[str, int, int]](), Counter[tuple[str, int, int]]()
    for *key, n, late_at_ms in _rows(panes, "topic", "partition", "pane_start_ms", "n", "late_at_ms"):
        pane = key[0], key[1], key[2]
        sums[pane] += n
        late[pane] += n if late_at_ms > 0 else 0
    return Stored(
        {row[:3]: (row[3], row[4]) for row in _rows(events, *_POSITION, "id", "event_ms")},
        {row[:3]: row[3] for row in _rows(letters, *_POSITION, "reason")},
        sums,
        late,
        {(topic, partition): at for topic, partition, at in _rows(progress, "topic", "partition", "closed_ms")},
        pane_ms,
    )


_POSITION = ("topic", "partition", "offset")


def _rows(columns: Mapping[str, Any], *names: str) -> Iterable[tuple[Any, ...]]:
    plain = [columns[name].tolist() if hasattr(columns[name], "tolist") else columns[name] for name in names]
    return zip(*plain, strict=True)


def unheard(store: Store, heard: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the transitions in the store that a receiver has not taken, by title and status.

    Parameters
    ----------
    store : Store
    heard : collection of (str, str)
        What it has taken: titles and statuses.
    """
    due = set()
    for table in ALERT_TABLES:
        for title, state in _rows(store.read(Query(table, columns=("title", "state"))), "title", "state"):
            if state in NOTIFIED_STATES:
                due.add((title, "resolved" if state == "resolved" else "firing"))
    return sorted(due.difference(heard))


def unnoted(store: Store, receivers: Iterable[str]) -> list[str]:
    """Return the transitions of which the store does not say that each receiver took them, or may have.

    Who took one, and could not say so before the router gave up on it, may have it. The end of an alert that a
    receiver certainly has not got is not sent to it: a decision says so then.

    Parameters
    ----------
    store : Store
    receivers : iterable of str
        Those that are notified of every transition by itself.
    """
    key = ("alert_id", "sequence", "receiver")
    rows = store.read(Query("notifications", where={"outcome": ["delivered", "gave_up"]}))
    noted = set(_rows(rows, *key))
    taken = {(row[0], row[2]) for row in _rows(rows, *key, "outcome") if row[3] == "delivered"}
    unsent = set(_rows(store.read(Query("decisions", where={"why": "known"})), *key))
    names = list(receivers)
    missing = []
    for table in ALERT_TABLES:
        columns = store.read(Query(table, columns=("alert_id", "sequence", "state", "title")))
        for alert_id, sequence, state, title in _rows(columns, "alert_id", "sequence", "state", "title"):
            for name in names if state in NOTIFIED_STATES else ():
                own = alert_id, sequence, f"{name}/0"
                is_unsent = state == "resolved" and own in unsent and (alert_id, own[2]) not in taken
                if own not in noted and not is_unsent:
                    missing.append(f"{title!r} ({state}) by {name}")
    return missing
