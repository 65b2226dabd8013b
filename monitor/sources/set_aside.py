"""Topics of which a source reads nothing for a while, so that it reads the others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from monitor.clock import Clock

__all__ = ["SetAside"]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
TRIED_FOR_S = 5.0
"""What has not failed for so long since it was tried again is read."""


@dataclass
class _Refusal:
    why: str
    pause_s: float
    due_s: float
    tried_s: float | None = None


class SetAside:
    """What was refused, why, and when it is tried again.

    Parameters
    ----------
    clock : Clock

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> clock = ManualClock()
    >>> topics = SetAside(clock)
    >>> topics.note(["orders"], "no right to read it")
    >>> topics.waits("orders"), topics.waits("returns"), topics.reasons
    (True, False, {})
    >>> clock.advance(FIRST_PAUSE_S)
    >>> topics.waits("orders")
    False
    >>> topics.note(["orders"], "no right to read it")
    >>> topics.reasons
    {'orders': 'no right to read it'}
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refusals: dict[str, _Refusal] = {}

    def __bool__(self) -> bool:
        return bool(self._refusals)

    @property
    def reasons(self) -> dict[str, str]:
        """Why each topic is set aside, of those that were refused twice: what is over in a second concerns nobody."""
        refusals = sorted(self._refusals.copy().items())
        return {topic: each.why for topic, each in refusals if each.pause_s > FIRST_PAUSE_S and not self._is_over(each)}

    def note(self, topics: Collection[str], why: str) -> None:
        """Topics were refused: the pause before they are tried again doubles each time."""
        now_s = self._clock.monotonic_s()
        for topic in topics:
            former = self._refusals.get(topic)
            pause_s = FIRST_PAUSE_S if former is None else min(2 * former.pause_s, LONGEST_PAUSE_S)
            self._refusals[topic] = _Refusal(why, pause_s, now_s + pause_s)

    def try_now(self) -> None:
        """Try everything again, since something has changed."""
        for refusal in self._refusals.values():
            refusal.due_s = self._clock.monotonic_s()

    def waits(self, topic: str) -> bool:
        """Whether nothing of a topic is to be read now."""
        refusal, now_s = self._refusals.get(topic), self._clock.monotonic_s()
        if refusal is None or now_s < refusal.due_s:
            return refusal is not None
        refusal.tried_s = now_s if refusal.tried_s is None else refusal.tried_s
        if self._is_over(refusal):
            del self._refusals[topic]
        return False

    def _is_over(self, refusal: _Refusal) -> bool:
        return refusal.tried_s is not None and self._clock.monotonic_s() - refusal.tried_s >= TRIED_FOR_S
