"""The only caller of time.

Everything else takes time as an argument or asks a :class:`Clock`, so that results never depend on the
wall clock and tests drive time by hand.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

__all__ = ["Clock", "Leaps", "ManualClock", "SetBacks", "SystemClock"]

SET_BACK_MS = 2_000
"""A clock that loses less between two looks is only being adjusted."""

LEAP_MS = 60_000
DOUBTED_FOR_S = 1_800.0
"""So long after a leap either time may be the right one: whoever set a clock wrong has time to notice."""

EVEN_ASLEEP = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux counts sleep in a clock of its own; elsewhere the monotonic one does."""


class Clock(Protocol):
    """What the service may know about time."""

    def now_ms(self) -> int:
        """Return the wall-clock time in ms since the epoch."""
        ...

    def monotonic_s(self) -> float:
        """Return a time in seconds that never goes back; only differences mean anything.

        It stands still while the machine sleeps: nothing came in that time, and nothing was waited for.
        """
        ...

    def boottime_s(self) -> float:
        """Return such a time that goes on while the machine sleeps: one that wakes up has no clock that leapt."""
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

    def boottime_s(self) -> float:
        return time.clock_gettime(EVEN_ASLEEP)

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
    >>> clock.sleep(60)
    >>> clock.now_ms(), clock.monotonic_s(), clock.boottime_s()
    (63500, 2.5, 62.5)
    """

    def __init__(self, now_ms: int = 0) -> None:
        self._start_ms = now_ms
        self._elapsed_s = self._asleep_s = 0.0

    def now_ms(self) -> int:
        return self._start_ms + round(self.boottime_s() * 1000)

    def monotonic_s(self) -> float:
        return self._elapsed_s

    def boottime_s(self) -> float:
        return self._elapsed_s + self._asleep_s

    def advance(self, seconds: float) -> None:
        """Move on by ``seconds`` (≥ 0)."""
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds} s")
        self._elapsed_s += seconds

    def sleep(self, seconds: float) -> None:
        """Move on by ``seconds`` in which the machine sleeps."""
        self._asleep_s += seconds

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
        return self._clock.now_ms() - 1000 * self._clock.boottime_s()


class Leaps:
    """Notices that a clock leapt: for half an hour the time before it and the time after it may both be right.

    A process that starts takes the clock as it is.

    Parameters
    ----------
    clock : Clock

    Examples
    --------
    >>> leaps = Leaps(ManualClock(now_ms=5_000))
    >>> leaps.ahead_ms(), leaps.take_return_ms()
    (0, 0)
    """

    def __init__(self, clock: Clock) -> None:
        self._clock, self._returned_ms = clock, 0
        self._trusted_ms, self._leapt_ms, self._since_s = self._offset_ms(), 0, 0.0

    def ahead_ms(self) -> int:
        """Return how far the clock has leapt ahead, or below 0 back, as long as that is in doubt; else 0."""
        offset_ms, now_s = self._offset_ms(), self._clock.boottime_s()
        leapt_ms = offset_ms - self._trusted_ms
        back_ms = self._leapt_ms - leapt_ms
        # It may have been wrong before it leapt: then it is right again somewhere else.
        if self._leapt_ms > 0 and (abs(leapt_ms) < LEAP_MS or back_ms >= LEAP_MS):
            self._returned_ms = max(self._returned_ms, back_ms)
        if abs(leapt_ms) < LEAP_MS:
            leapt_ms = 0
        elif abs(leapt_ms - self._leapt_ms) >= LEAP_MS:
            self._since_s = now_s
        elif now_s - self._since_s >= DOUBTED_FOR_S:
            leapt_ms = 0
        if leapt_ms == 0:
            self._trusted_ms = offset_ms
        self._leapt_ms = leapt_ms
        return leapt_ms

    def take_return_ms(self) -> int:
        """Return how far ahead the clock was that has come back since the last call; 0 if it has not."""
        self.ahead_ms()
        returned_ms, self._returned_ms = self._returned_ms, 0
        return returned_ms

    def _offset_ms(self) -> int:
        return round(self._clock.now_ms() - 1000 * self._clock.boottime_s())
