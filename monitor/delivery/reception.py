"""Which receivers take what they are sent, and since when others have taken nothing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any
from weakref import WeakKeyDictionary

import structlog

from monitor.delivery.target import Target
from sinks.receivers.contract import Delivered, Outcome
from sinks.receivers.times import utc
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["Failing", "Reception"]

ROWS_READ = 10_000
"""Of the newest notifications, after a start."""

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
        self._failing: dict[Target, Failing] = {}
        self._taking: set[Target] = set()

    @staticmethod
    def of(store: Store) -> Reception:
        """Return the one of a store, which everybody shares who notifies of what is in it."""
        return _BY_STORE.setdefault(store, Reception())

    @property
    def receivers(self) -> list[str]:
        """The names of configured receivers."""
        return sorted({target.receiver for target in self._configured or ()})

    @property
    def failing(self) -> dict[str, Failing]:
        """Configured receivers of which an entry has taken nothing since it failed: the one that failed first."""
        with self._turn:
            failing = [(target, self._failing[target]) for target in self._configured or () if target in self._failing]
        failing.sort(key=lambda each: (each[0].receiver, -each[1].since_ms))
        return {target.receiver: failure for target, failure in failing}

    def is_taken_by(self, receiver: str) -> bool:
        """Whether each entry of a receiver is known to take what it is sent; also of one that is configured no more."""
        entries = {target for target in self._configured or () if target.receiver == receiver}
        return self._configured is not None and entries <= self._taking

    def notes(self) -> list[str]:
        """What people should know; answers of receivers are not for everybody."""
        return [
            f"the receiver {name} has taken nothing since {utc(failure.since_ms)}; the log says what it answers"
            for name, failure in self.failing.items()
        ]

    def follow(self, store: Store, targets: Iterable[Target]) -> None:
        """Go by these configured entries; the first time after a start by what the store has of them.

        Raises
        ------
        StoreError
        """
        targets = tuple(targets)
        stored = self._stored(store) if self._configured is None else {}
        with self._turn:
            self._configured = targets
            self._failing = {target: failure for target, failure in self._failing.items() if target in targets}
            for target in targets:
                rows = stored.get(target.name, [])
                failed = list(takewhile(lambda row: row["outcome"] != "delivered", rows))
                if rows and not failed:
                    self._taking.add(target)
                elif failed:
                    self._failing.setdefault(target, Failing(failed[-1]["at_ms"], failed[0]["reason"]))

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
            reason = {"reason": answer.reason} if target in (self._configured or ()) else {}
            log.warning("a receiver does not take notifications", receiver=target.name, **reason)

    def count(self, target: Target, outcome: str) -> None:
        """Count a notification that is settled."""
        with self._turn:
            if target in (self._configured or ()):
                self.counts[target.receiver, outcome] += 1

    def forget(self, target: Target) -> None:
        """An entry is gone."""
        with self._turn:
            self._failing.pop(target, None)
            self._taking.discard(target)

    @staticmethod
    def _stored(store: Store) -> Mapping[str, list[dict[str, Any]]]:
        """The newest notifications that were tried, by entry, the newest first."""
        columns = ("receiver", "outcome", "reason", "attempts", "at_ms")
        query = Query("notifications", columns=columns, order=("at_ms",), descending=True, limit=ROWS_READ)
        by_name: dict[str, list[dict[str, Any]]] = {}
        for row in rows_of(store.read(query)):
            # What a process that ended had not tried yet says nothing of the receiver.
            if row["attempts"]:
                by_name.setdefault(row["receiver"], []).append(row)
        return by_name


_BY_STORE: WeakKeyDictionary[Store, Reception] = WeakKeyDictionary()
