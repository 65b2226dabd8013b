"""Whether kernels are being compiled: once on a machine that takes minutes, in which nothing else is heard.

The compiler itself tells when it is at work, and not of what a cache on disk has.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import structlog

from monitor.clock import Clock, SystemClock

__all__ = ["TOLD_AFTER_S", "Compiling", "compiling"]

TOLD_AFTER_S, PAUSE_S = 5.0, 5.0
"""A kernel or two are compiled in less than the first. Between two of them less than the second passes."""

log = structlog.get_logger("leeway.service")


class Compiling:
    """Since when kernels have been compiled, one after another.

    Parameters
    ----------
    clock : Clock

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> clock = ManualClock()
    >>> compiling = Compiling(clock)
    >>> compiling.begin()
    >>> compiling.note()
    ''
    >>> clock.advance(60)
    >>> compiling.note().partition(":")[0]
    'kernels are being compiled, for 60 s so far'
    >>> compiling.end()
    >>> clock.advance(60)
    >>> compiling.note()
    ''
    """

    def __init__(self, clock: Clock) -> None:
        self._clock, self._turn = clock, threading.Lock()
        self._under_way, self._since_s, self._until_s = 0, 0.0, -PAUSE_S
        self._is_logged = False

    def begin(self) -> None:
        """Note that one is begun."""
        with self._turn:
            now_s = self._clock.monotonic_s()
            if not self._is_at_it(now_s):
                self._since_s = now_s
            self._under_way += 1

    def end(self) -> None:
        """Note that one is done."""
        with self._turn:
            self._under_way, self._until_s = self._under_way - 1, self._clock.monotonic_s()

    def note(self) -> str:
        """Return what people should know; empty if nothing is compiled, or has been for a moment only."""
        with self._turn:
            lasts_s = self._lasts_s()
        if lasts_s < TOLD_AFTER_S:
            return ""
        return (
            f"kernels are being compiled, for {lasts_s:.0f} s so far: once on a machine this takes minutes, in which"
            " few windows are evaluated"
        )

    def follow(self) -> None:
        """Log that it lasts, and that it is over; to be called often."""
        note = self.note()
        if note and not self._is_logged:
            log.info("compiling: once on a machine this takes minutes, in which few windows are evaluated")
        elif self._is_logged and not note:
            log.info("compiled", seconds=round(self._until_s - self._since_s, 1))
        self._is_logged = bool(note)

    def _lasts_s(self) -> float:
        now_s = self._clock.monotonic_s()
        return now_s - self._since_s if self._is_at_it(now_s) else 0.0

    def _is_at_it(self, now_s: float) -> bool:
        return self._under_way > 0 or now_s - self._until_s < PAUSE_S


@cache
def compiling() -> Compiling:
    """Return what is compiled in this process from now on."""
    # Only here: it takes over a second to load.
    import numba.core.event

    heard = Compiling(SystemClock())
    base: Any = numba.core.event.Listener

    class Listener(base):  # type: ignore[misc]  # Numba has no types
        def on_start(self, event: object) -> None:
            heard.begin()

        def on_end(self, event: object) -> None:
            heard.end()

    register: Any = numba.core.event.register
    register("numba:compile", Listener())
    return heard
