"""How long work takes, and when it is due again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from monitor.clock import Clock
from monitor.tracing.spans import Note, Span, span

__all__ = ["Stopwatch", "Timer"]


class Stopwatch:
    """Adds up seconds by the name of a step, each of which is a span.

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
    def step(self, name: str, **attributes: Note) -> Iterator[Span]:
        """Count the time that the body takes, also if it fails."""
        began_s = self._clock.monotonic_s()
        try:
            with span(name, **attributes) as stepping:
                yield stepping
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + self._clock.monotonic_s() - began_s


class Timer:
    """Says when something that is done every so often is due.

    Parameters
    ----------
    clock : Clock
    every_s : float
    due : bool
        Whether it is due at once.

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> clock = ManualClock()
    >>> timer = Timer(clock, every_s=10)
    >>> clock.advance(10)
    >>> timer.is_due
    True
    >>> timer.restart()
    >>> timer.is_due
    False
    """

    def __init__(self, clock: Clock, every_s: float, *, due: bool = False) -> None:
        self._clock, self._every_s = clock, every_s
        self._since_s = float("-inf") if due else clock.monotonic_s()

    @property
    def elapsed_s(self) -> float:
        """Seconds since it was last restarted."""
        return self._clock.monotonic_s() - self._since_s

    @property
    def is_due(self) -> bool:
        """Whether that is long enough."""
        return self.elapsed_s >= self._every_s

    def restart(self) -> None:
        """It has been done."""
        self._since_s = self._clock.monotonic_s()
