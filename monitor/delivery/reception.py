"""Which receivers and subscribers take what they are sent, and since when others have taken nothing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import structlog

from monitor.delivery.target import Target
from sinks.receivers.contract import Delivered, Outcome
from sinks.receivers.times import utc
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["Failing", "Reception", "failing_by_store"]

NAMES_AT_ONCE = 1_000

log = structlog.get_logger("leeway.notify")


@dataclass(frozen=True)
class Failing:
    """A receiver that has taken nothing since its first failure.

    Attributes
    ----------
    since_ms : int
        When it did not take a notification for the first time.
    reason : str
        What it said to the newest try.
    """

    since_ms: int
    reason: str


class Reception:
    """What the receivers of one store answer, whoever sends to them: routers come and go.

    Attributes
    ----------
    counts : Counter of (str, str)
        Notifications that were settled, by configured receiver and outcome.

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> reception, pager = Reception(), Target("pager")
    >>> reception.follow(MemoryStore(), [pager])
    >>> reception.failing, reception.is_taken_by("pager")
    ({}, False)
    >>> reception.hear(pager, Delivered(), now_ms=3_000)
    >>> reception.failing, reception.is_taken_by("pager")
    ({}, True)
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._turn = threading.Lock()
        self._configured: tuple[Target, ...] | None = None
        self._pinged: tuple[Target, ...] = ()
        self._failing: dict[Target, Failing] = {}
        self._taking: set[Target] = set()
        self._gone: set[str] = set()

    @staticmethod
    def of(store: Store) -> Reception:
        """Return the one of a store, which everybody shares who notifies of what is in it."""
        return _BY_STORE.setdefault(store, Reception())

    @property
    def _followed(self) -> tuple[Target, ...]:
        return (*(self._configured or ()), *self._pinged)

    @property
    def receivers(self) -> list[str]:
        """The names of configured receivers."""
        return sorted({target.receiver for target in self._followed})

    @property
    def failing(self) -> dict[str, Failing]:
        """Configured receivers of which an entry has taken nothing since it failed: the one that failed first."""
        with self._turn:
            failing = [(target, self._failing[target]) for target in self._followed if target in self._failing]
        failing.sort(key=lambda each: (each[0].receiver, -each[1].since_ms))
        return {target.receiver: failure for target, failure in failing}

    def failure_of(self, target: Target) -> Failing | None:
        """Return since when an entry has taken nothing, and why; None if it takes what it is sent, or nobody knows."""
        with self._turn:
            return self._failing.get(target)

    def is_taken_by(self, receiver: str) -> bool:
        """Whether each entry of a receiver is known to take what it is sent; also of one that is configured no more."""
        entries = {target for target in self._followed if target.receiver == receiver}
        return self._configured is not None and entries <= self._taking

    @property
    def failing_subscribers(self) -> int:
        """How many addresses of subscriptions have taken nothing since they failed."""
        with self._turn:
            return len(self._failing.keys() - set(self._followed))

    def notes(self) -> list[str]:
        """What people should know; answers of receivers are not for everybody."""
        notes = [
            f"the receiver {name} has taken nothing since {utc(failure.since_ms)}; the log says what it answers"
            for name, failure in self.failing.items()
        ]
        if count := self.failing_subscribers:
            notes.append(f"addresses of subscriptions that take nothing: {count}; `leeway subscriptions` names them")
        return notes

    def follow(self, store: Store, targets: Iterable[Target]) -> None:
        """Go by these configured entries; the first time after a start by what the store has of them.

        Raises
        ------
        StoreError
        """
        targets = tuple(targets)
        unknown = targets if self._configured is None else ()
        with self._turn:
            self._configured = targets
            self._failing = {target: failure for target, failure in self._failing.items() if target in self._followed}
        self.meet(store, unknown)

    def follow_pings(self, targets: Iterable[Target]) -> None:
        """Go by these entries, too, which are pinged and get nothing else: the first ping says how they are."""
        with self._turn:
            self._pinged = tuple(targets)

    def meet(self, store: Store, targets: Iterable[Target]) -> None:
        """Take up what the store has of entries of which nothing has been heard in this process.

        Raises
        ------
        StoreError
        """
        by_name = {target.name: target for target in targets}
        taken_ms, failing = _newest(store, by_name)
        failing_ms = {name: _failing_since(store, name, taken_ms.get(name, -1)) for name in failing}
        with self._turn:
            self._taking.update(by_name[name] for name in taken_ms.keys() - failing.keys())
            for name, (_, reason) in failing.items():
                self._failing.setdefault(by_name[name], Failing(failing_ms[name], reason))

    def hear(self, target: Target, answer: Outcome, now_ms: int) -> None:
        """Take up what an entry answered."""
        with self._turn:
            former = self._failing.pop(target, None)
            if isinstance(answer, Delivered):
                self._taking.add(target)
            else:
                self._taking.discard(target)
                failure = Failing(now_ms, answer.reason)
                self._failing[target] = failure if former is None else replace(former, reason=answer.reason)
        if former is not None and isinstance(answer, Delivered):
            log.info("a receiver takes notifications again", receiver=target.name, since=utc(former.since_ms))
        elif former is None and not isinstance(answer, Delivered):
            # What the address of a subscription answers, which somebody chose for themselves, is not for the log yet.
            reason = {"reason": answer.reason} if target in self._followed else {}
            log.warning("a receiver does not take notifications", receiver=target.name, **reason)

    def miss(self, gone: Mapping[str, int]) -> None:
        """Say once which entries are configured no more although they were notified of so many alerts that fire."""
        for name in sorted(gone.keys() - self._gone):
            log.warning("a receiver that is configured no more hears no ends", receiver=name, alerts=gone[name])
        self._gone = set(gone)

    def count(self, target: Target, outcome: str) -> None:
        """Count a notification that is settled."""
        with self._turn:
            if target in (self._configured or ()):
                self.counts[target.receiver, outcome] += 1

    def forget_all(self) -> None:
        """Know no more than after a start: another process notifies, and hears what they answer."""
        with self._turn:
            self._configured, self._failing, self._taking = None, {}, set()

    def forget(self, target: Target) -> None:
        """An entry is gone."""
        with self._turn:
            self._failing.pop(target, None)
            self._taking.discard(target)


def failing_by_store(store: Store, names: Collection[str]) -> dict[str, str]:
    """Return what the newest notification of each entry met that was not delivered, if its newest was not.

    Parameters
    ----------
    store : Store
    names : collection of str
        Of entries (:attr:`Target.name`), also of such as another process notifies.

    Raises
    ------
    StoreError

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> store = MemoryStore()
    >>> row = {"alert_id": "a", "sequence": 0, "receiver": "mail/0", "outcome": "gave_up", "reason": "it is down"}
    >>> store.append("notifications", {k: [v] for k, v in {**row, "attempts": 2, "at_ms": 60_000}.items()}, "1")
    >>> failing_by_store(store, ["mail/0", "pager/0"])
    {'mail/0': 'it did not take the newest notification, at 1970-01-01 00:01 UTC: it is down'}
    """
    _, failing = _newest(store, names)
    return {
        name: f"it did not take the newest notification, at {utc(at_ms)}: {reason}"
        for name, (at_ms, reason) in failing.items()
    }


def _newest(store: Store, names: Iterable[str]) -> tuple[dict[str, int], dict[str, tuple[int, str]]]:
    """When entries took something last; and of those that have not taken what came since, when and why.

    Each is asked for by itself: notifications of others may be many.
    """
    in_order, taken_ms, failing = sorted(names), dict[str, int](), dict[str, tuple[int, str]]()
    for first in range(0, len(in_order), NAMES_AT_ONCE):
        newest = Query(
            "notifications",
            # What a process that ended had not tried yet says nothing of the receiver.
            {"receiver": in_order[first : first + NAMES_AT_ONCE]},
            low={"attempts": 1},
            order=("at_ms",),
            descending=True,
            first_by=("receiver", "outcome"),
            columns=("receiver", "outcome", "reason", "at_ms"),
        )
        for row in rows_of(store.read(newest)):
            name, at_ms = row["receiver"], row["at_ms"]
            if row["outcome"] == "delivered":
                taken_ms[name] = at_ms
            elif at_ms > failing.get(name, (-1, ""))[0]:
                failing[name] = at_ms, row["reason"]
    return taken_ms, {name: each for name, each in failing.items() if each[0] > taken_ms.get(name, -1)}


def _failing_since(store: Store, name: str, taken_ms: int) -> int:
    """When an entry that fails did not take something for the first time since it took anything."""
    low = {"attempts": 1, "at_ms": taken_ms + 1}
    first = Query("notifications", {"receiver": name}, low, order=("at_ms",), limit=1, columns=("at_ms",))
    return int(store.read(first)["at_ms"][0])


_BY_STORE: WeakKeyDictionary[Store, Reception] = WeakKeyDictionary()
