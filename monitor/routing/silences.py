"""Silences: alerts of which nobody is to be notified for a while.

One with intervals, which Alertmanager does not have, recurs: from its start to its end it counts while one of them
holds.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from weakref import WeakKeyDictionary

from monitor.routing.intervals import Interval, Range, span_around
from monitor.routing.matcher_index import MatcherIndex
from monitor.routing.matchers import Labels, Matcher, matches_all
from monitor.routing.routed_alert import RoutedAlert
from sinks.store.contract import Store

__all__ = ["Silence", "SilenceError", "Silences"]
MOST_ALERTS = 100_000
"""Of so many it is remembered what applies to them."""

State = Literal["pending", "active", "expired"]


class SilenceError(ValueError):
    """A silence makes no sense, or is not there."""


@dataclass(frozen=True)
class Silence:
    """Keeps alerts quiet that all matchers match.

    Parameters
    ----------
    id : str
    matchers : sequence of Matcher
        At least one has to match something that is not empty: else every alert would be silenced.
    starts_ms, ends_ms : int
        Both included.
    created_by, comment : str
    updated_ms : int
    intervals : sequence of Interval
        When it counts, if not all the time.
    tells : sequence of str
        Receivers that are notified when it begins, and when it is over.

    Raises
    ------
    SilenceError

    Examples
    --------
    >>> from monitor.routing.matchers import parse_matchers
    >>> silence = Silence("s1", parse_matchers("model=fraud"), 10, 20)
    >>> [silence.state(at) for at in (9, 10, 20, 21)]
    ['pending', 'active', 'active', 'expired']
    >>> nights = Silence("s2", silence.matchers, 0, 86_400_000, intervals=[Interval(times=[(0, 360)])])
    >>> [nights.state(hour * 3_600_000) for hour in (5, 6, 24, 25)]
    ['active', 'pending', 'active', 'expired']
    """

    id: str
    matchers: Sequence[Matcher]
    starts_ms: int
    ends_ms: int
    created_by: str = ""
    comment: str = ""
    updated_ms: int = 0
    intervals: Sequence[Interval] = ()
    tells: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.matchers:
            raise SilenceError("a silence needs a matcher")
        if any(not matcher.name for matcher in self.matchers):
            raise SilenceError("a matcher has no label's name")
        if matches_all(self.matchers, {}):
            raise SilenceError("a matcher has to match something that is not empty: this would silence everything")
        if self.ends_ms < self.starts_ms:
            raise SilenceError("a silence ends after it starts")

    def state(self, now_ms: int) -> State:
        """What it is at a time; between two intervals it is pending."""
        state = self._state(now_ms)
        if state == "active" and self.intervals and not any(interval.holds(now_ms) for interval in self.intervals):
            return "pending"
        return state

    def _state(self, now_ms: int) -> State:
        if now_ms < self.starts_ms:
            return "pending"
        return "active" if now_ms <= self.ends_ms else "expired"

    def span(self, at_ms: int) -> Range | None:
        """Return from when to when it counts, around a time; None if it does not count then."""
        if self.state(at_ms) != "active":
            return None
        if not self.intervals:
            return self.starts_ms, self.ends_ms
        return span_around(self.intervals, at_ms, self.starts_ms, self.ends_ms)

    def matches(self, labels: Labels) -> bool:
        """Whether it is about alerts with these labels."""
        return matches_all(self.matchers, labels)

    def can_become(self, other: Silence, now_ms: int) -> bool:
        """Whether it may be changed into another: else it is ended and replaced, so that the past stays as it was."""
        if (list(self.matchers), list(self.intervals)) != (list(other.matchers), list(other.intervals)):
            return False
        state = self._state(now_ms)
        if state == "active":
            return other.starts_ms // 1000 == self.starts_ms // 1000 and other.ends_ms >= now_ms
        return state == "pending" and other.starts_ms >= now_ms

    def expired(self, now_ms: int) -> Silence:
        """Return it as it is when somebody ends it.

        Raises
        ------
        SilenceError
            It is over already.
        """
        if self.state(now_ms) == "expired":
            raise SilenceError(f"silence {self.id} is over already")
        return replace(self, starts_ms=min(self.starts_ms, now_ms), ends_ms=now_ms, updated_ms=now_ms)


@dataclass
class _Applying:
    """Which silences match an alert, of as many as have been asked so far."""

    annotations: Labels
    asked: int
    ids: list[str]


class Silences:
    """All silences; whether one matches an alert is asked once, as long as its labels and annotations stay.

    Threads may share it.

    Examples
    --------
    >>> from monitor.routing.matchers import parse_matchers
    >>> silences = Silences([Silence("s1", parse_matchers("model=fraud"), 10, 20)])
    >>> alert = RoutedAlert({"model": "fraud"}, starts_ms=0)
    >>> silences.by(alert, 15).id, silences.by(alert, 25)
    ('s1', None)
    """

    def __init__(self, silences: Iterable[Silence] = ()) -> None:
        self._turn = threading.RLock()
        self._silences: dict[str, Silence] = {}
        self._applying: dict[str, _Applying] = {}
        self._index = MatcherIndex()
        self._indexed: list[str] = []
        self._counting: dict[str, bool] = {}
        self._counting_ms = 0
        for silence in silences:
            self.put(silence)

    @staticmethod
    def of(store: Store) -> Silences:
        """Return those of a store, which everybody shares who asks; each puts there what it has read."""
        return _BY_STORE.setdefault(store, Silences())

    def put(self, silence: Silence) -> None:
        """Add or change one."""
        with self._turn:
            former = self._silences.get(silence.id)
            if silence is former:
                return
            self._silences[silence.id] = silence
            self._counting.pop(silence.id, None)
            if former is None:
                self._indexed.append(silence.id)
                self._index.add(silence.matchers)
            elif former.matchers != silence.matchers:
                self._index_anew()

    def forget_over(self, before_ms: int) -> None:
        """Forget silences that were over before a time, once they are most of all: nobody puts them again."""
        with self._turn:
            needed = {name: silence for name, silence in self._silences.items() if silence.ends_ms >= before_ms}
            if 2 * len(needed) < len(self._silences):
                self._silences = needed
                self._counting.clear()
                self._index_anew()

    def _index_anew(self) -> None:
        self._applying.clear()
        self._indexed = list(self._silences)
        self._index = MatcherIndex(silence.matchers for silence in self._silences.values())

    def forget(self, fingerprint: str) -> None:
        """An alert is gone: nobody will ask for it any more."""
        with self._turn:
            self._applying.pop(fingerprint, None)

    def by(self, alert: RoutedAlert, now_ms: int) -> Silence | None:
        """Return a silence that keeps an alert quiet now, or None."""
        with self._turn:
            return next(self._counting_of(alert, now_ms), None)

    def all_by(self, alert: RoutedAlert, now_ms: int) -> list[Silence]:
        """Return the silences that keep an alert quiet now."""
        with self._turn:
            return list(self._counting_of(alert, now_ms))

    def _counting_of(self, alert: RoutedAlert, now_ms: int) -> Iterator[Silence]:
        for name in self._matching(alert):
            silence = self._silences[name]
            if self._counts(silence, now_ms):
                yield silence

    def _counts(self, silence: Silence, now_ms: int) -> bool:
        """Whether one counts now; what recurs is asked once for all alerts, since calendars take their time."""
        if not silence.intervals:
            return silence.state(now_ms) == "active"
        if now_ms != self._counting_ms:
            self._counting, self._counting_ms = {}, now_ms
        counts = self._counting.get(silence.id)
        if counts is None:
            counts = self._counting[silence.id] = silence.state(now_ms) == "active"
        return counts

    def _matching(self, alert: RoutedAlert) -> list[str]:
        applying = self._applying.get(alert.fingerprint)
        if applying is None or applying.annotations != alert.annotations:
            if len(self._applying) >= MOST_ALERTS:
                self._applying.clear()
            candidates = [self._indexed[index] for index in self._index.candidates(alert.matched)]
            applying = self._applying[alert.fingerprint] = _Applying(alert.annotations, len(self._indexed), [])
        else:
            # Only those that have come since.
            candidates = self._indexed[applying.asked :]
            applying.asked = len(self._indexed)
        if candidates:
            labels = alert.matched
            applying.ids += [name for name in candidates if self._silences[name].matches(labels)]
        return applying.ids


_BY_STORE: WeakKeyDictionary[Store, Silences] = WeakKeyDictionary()
