"""The only caller of time.

Everything else takes time as an argument or asks a :class:`Clock`, so that results never depend on the
wall clock and tests drive time by hand.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SetBacks", "SystemClock"]

SET_BACK_MS = 2_000
"""A clock that loses less between two looks is only being adjusted."""


class Clock(Protocol):
    """What the service may know about time."""

    def now_ms(self) -> int:
        """Return the wall-clock time in ms since the epoch."""
        ...

    def monotonic_s(self) -> float:
        """Return a time in seconds that never goes back; only differences mean anything."""
        ...

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait until ``event`` is set or ``timeout_s`` has passed; return whether it is set."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.wait(timeout_s)


class ManualClock:
    """A clock that moves only when told to.

    Examples
    --------
    >>> clock = ManualClock(now_ms=1_000)
    >>> clock.advance(2.5)
    >>> clock.now_ms(), clock.monotonic_s()
    (3500, 2.5)
    """

    def __init__(self, now_ms: int = 0) -> None:
        self._start_ms = now_ms
        self._elapsed_s = 0.0

    def now_ms(self) -> int:
        return self._start_ms + round(self._elapsed_s * 1000)

    def monotonic_s(self) -> float:
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Move on by ``seconds`` (≥ 0)."""
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds} s")
        self._elapsed_s += seconds

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        if not event.is_set():
            self.advance(timeout_s)
        return event.is_set()


class SetBacks:
    """Notices that a clock was set back: what waits for a time would wait until that time comes again.

    Parameters
    ----------
    clock : Clock

    Examples
    --------
    >>> set_backs = SetBacks(ManualClock())
    >>> set_backs.is_new()
    False
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead_ms = self._ahead()

    def is_new(self) -> bool:
        """Return whether it was set back since the last look."""
        former, self._ahead_ms = self._ahead_ms, self._ahead()
        return self._ahead_ms < former - SET_BACK_MS

    def _ahead(self) -> float:
        return self._clock.now_ms() - 1000 * self._clock.monotonic_s()
