"""Whether the store answers: who reads events may have nothing to ask of it for long, and looks healthy meanwhile."""

from __future__ import annotations

import threading
from weakref import WeakKeyDictionary

import structlog

from monitor.clock import Clock
from sinks.receivers.times import utc
from sinks.store.connection import Connection
from sinks.store.contract import Store

__all__ = ["SILENT_FOR_S", "StoreAnswers"]

SILENT_FOR_S = 10.0
"""A connection that breaks is made anew in less, and nobody need know of it."""

log = structlog.get_logger("leeway.service")


class StoreAnswers:
    """Since when a store has not answered, and why.

    Parameters
    ----------
    clock : Clock

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> clock = ManualClock()
    >>> answers = StoreAnswers(clock)
    >>> answers.hear("store at db:9000/leeway: Connection refused")
    >>> answers.silence()
    ''
    >>> clock.advance(10)
    >>> answers.silence()
    'the store has not answered since 1970-01-01 00:00 UTC: store at db:9000/leeway: Connection refused'
    >>> answers.hear("")
    >>> answers.silence()
    ''
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._turn = threading.Lock()
        self._reason = ""
        self._since_ms, self._since_s = 0, 0.0
        self._is_logged = False

    @staticmethod
    def of(store: Store, clock: Clock) -> StoreAnswers:
        """Return what is heard of a store from now on, which everybody shares who uses it."""
        if store not in _BY_STORE:
            answers = _BY_STORE[store] = StoreAnswers(clock)
            if isinstance(store, Connection):
                store.hear_answers(answers.hear)
        return _BY_STORE[store]

    def hear(self, reason: str) -> None:
        """Note that it has answered, or why not."""
        with self._turn:
            if not reason:
                if self._is_logged:
                    log.info("the store answers again", silent_for_s=round(self._silent_s(), 1))
                self._reason, self._is_logged = "", False
                return
            if not self._reason:
                self._since_ms, self._since_s = self._clock.now_ms(), self._clock.monotonic_s()
            self._reason = reason
            if not self._is_logged and self._silent_s() >= SILENT_FOR_S:
                self._is_logged = True
                log.warning("the store has not answered", since=utc(self._since_ms), error=reason)

    def silence(self) -> str:
        """Return why it has not answered for :data:`SILENT_FOR_S`, and since when; empty if it has."""
        with self._turn:
            if not self._reason or self._silent_s() < SILENT_FOR_S:
                return ""
            return f"the store has not answered since {utc(self._since_ms)}: {self._reason}"

    def _silent_s(self) -> float:
        return self._clock.monotonic_s() - self._since_s


_BY_STORE: WeakKeyDictionary[Store, StoreAnswers] = WeakKeyDictionary()
