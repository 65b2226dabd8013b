"""Whether something has held for long enough to be believed."""

from __future__ import annotations

from collections.abc import Callable

from monitor.clock import Clock

__all__ = ["Lasting"]


class Lasting:
    """Follows whether something holds, as often as it is asked.

    Parameters
    ----------
    clock : Clock
    holds : callable
    for_s : float
        For so long it is to have held.

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> clock, is_open = ManualClock(), [True]
    >>> lasting = Lasting(clock, lambda: is_open[0], for_s=30)
    >>> clock.advance(29)
    >>> lasting.is_settled()
    False
    >>> clock.advance(1)
    >>> lasting.is_settled()
    True
    """

    def __init__(self, clock: Clock, holds: Callable[[], bool], for_s: float) -> None:
        self._clock, self._holds, self._for_s = clock, holds, for_s
        self._since_s = clock.monotonic_s()

    def is_settled(self) -> bool:
        """Whether it holds, and has whenever it was asked in the last ``for_s`` seconds, or since it was made."""
        now_s = self._clock.monotonic_s()
        if not self._holds():
            self._since_s = now_s
        return now_s - self._since_s >= self._for_s
