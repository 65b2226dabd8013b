"""Adds up how long each kind of work takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from monitor.clock import Clock

__all__ = ["Stopwatch"]


class Stopwatch:
    """Adds up seconds by the name of a step.

    Parameters
    ----------
    clock : Clock
    seconds : dict of str to float
        To which they are added.

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> clock, seconds = ManualClock(), {}
    >>> with Stopwatch(clock, seconds).step("decode"):
    ...     clock.advance(0.25)
    >>> seconds
    {'decode': 0.25}
    """

    def __init__(self, clock: Clock, seconds: dict[str, float]) -> None:
        self._clock, self._seconds = clock, seconds

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count the time that the body takes, also if it fails."""
        began_s = self._clock.monotonic_s()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + self._clock.monotonic_s() - began_s
