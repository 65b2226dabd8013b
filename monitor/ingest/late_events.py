"""How many events have come late in the last minutes, by model and partition: for alerts and figures.

Nothing that is stored depends on it, so it goes by this machine's clock.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from monitor.clock import Clock
from monitor.events import Partition
from monitor.values import format_duration
from sinks.receivers.times import utc

__all__ = ["ALARMING", "FEWEST_LATE", "SPAN_S", "LateEvents", "LateShare"]

SPAN_S = 600
STEP_S = 60
FEWEST_EVENTS, FEWEST_LATE, ALARMING = 20, 10, 0.1


@dataclass(frozen=True)
class LateShare:
    """How many of a model's events from one partition came late in the last :data:`SPAN_S`.

    Attributes
    ----------
    model : str
    partition : Partition
    events, late : int
    clock_ms : int
        The partition's clock.
    newest_late_ms : int
        Event time of the last late event; 0 without one.
    """

    model: str
    partition: Partition
    events: int
    late: int
    clock_ms: int = 0
    newest_late_ms: int = 0

    @property
    def name(self) -> str:
        """Model and partition, as alerts name them."""
        topic, number = self.partition
        return f"{self.model} {topic}/{number}"

    @property
    def share(self) -> float:
        """Late events by all of them."""
        return self.late / self.events if self.events else 0.0

    @property
    def is_settled(self) -> bool:
        """Whether there are enough events to say something."""
        return self.events >= FEWEST_EVENTS

    @property
    def is_alarming(self) -> bool:
        """Whether people should know."""
        return self.is_settled and self.late >= FEWEST_LATE and self.share >= ALARMING

    def sentence(self, allowed_ms: int, now_ms: int) -> str:
        """What people should know, and what to do.

        Examples
        --------
        >>> late = LateShare("fraud", ("scores", 0), 800, 400, 1_700_086_400_000, 1_700_000_000_000)
        >>> late.sentence(30_000, 1_700_000_005_000)[:68]
        '400 of 800 events of fraud from scores/0 came late in 10m, and count'
        """
        topic, number = self.partition
        by_ms = max(0, self.clock_ms - self.newest_late_ms) // 1000 * 1000
        fact = (
            f"{self.late:,} of {self.events:,} events of {self.model} from {topic}/{number} came late in"
            f" {format_duration(SPAN_S * 1000)}, and count in no window: its clock stands at {utc(self.clock_ms)},"
            f" {format_duration(by_ms)} ahead of the last of them."
        )
        if self.clock_ms > now_ms + allowed_ms:
            return (
                f"{fact} That time has not come yet: a clock was wrong. `leeway clocks back {self.model}` sets it back"
            )
        return f"{fact} They come later than `allowed_lateness` ({format_duration(allowed_ms)})"


@dataclass
class _Recent:
    """The events of one model and partition: by step of time, how many there were, and how many of them late."""

    steps: deque[list[int]] = field(default_factory=deque)
    clock_ms: int = 0
    newest_late_ms: int = 0

    def drop_before(self, step: int) -> None:
        while self.steps and self.steps[0][0] < step:
            self.steps.popleft()


class LateEvents:
    """Counts them. One thread notes, others may ask.

    Parameters
    ----------
    clock : Clock

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> clock = ManualClock()
    >>> late_events = LateEvents(clock)
    >>> late_events.note("fraud", ("scores", 0), 400, 0)
    >>> late_events.note("fraud", ("scores", 0), 400, 400, clock_ms=90_000, newest_late_ms=1_000)
    >>> [share] = late_events.shares()
    >>> share.late, share.events, share.is_alarming
    (400, 800, True)
    >>> clock.advance(700)
    >>> late_events.shares()
    []
    """

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._recent: dict[tuple[str, Partition], _Recent] = {}

    def note(
        self, model: str, partition: Partition, events: int, late: int, clock_ms: int = 0, newest_late_ms: int = 0
    ) -> None:
        """Count events that were folded, and those of them that were late."""
        step = self._step()
        with self._lock:
            recent = self._recent.setdefault((model, partition), _Recent())
            recent.drop_before(step - SPAN_S // STEP_S + 1)
            if not recent.steps or recent.steps[-1][0] != step:
                recent.steps.append([step, 0, 0])
            recent.steps[-1][1] += events
            recent.steps[-1][2] += late
            recent.clock_ms = clock_ms
            recent.newest_late_ms = newest_late_ms or recent.newest_late_ms

    def forget(self, partitions: Iterable[Partition] | None) -> None:
        """Drop partitions (all of them if None) that others read from now on, or that are read again."""
        with self._lock:
            gone = None if partitions is None else set(partitions)
            self._recent = {key: of for key, of in self._recent.items() if gone is not None and key[1] not in gone}

    def shares(self) -> list[LateShare]:
        """Those of models and partitions of which there were events, by name."""
        first = self._step() - SPAN_S // STEP_S + 1
        with self._lock:
            counts = [(key, of, [step for step in of.steps if step[0] >= first]) for key, of in self._recent.items()]
            shares = [
                LateShare(*key, sum(s[1] for s in steps), sum(s[2] for s in steps), of.clock_ms, of.newest_late_ms)
                for key, of, steps in counts
                if steps
            ]
        return sorted(shares, key=lambda share: (share.model, share.partition))

    def _step(self) -> int:
        return int(self._clock.monotonic_s() // STEP_S)
