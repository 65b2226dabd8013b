"""Which hours are to be worked out, at which ages, and how long those wait that were touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.evaluate.horizon import NOTHING_MS
from monitor.performance.hours import NOW
from sinks.store.spans import HOUR_MS, Span

__all__ = ["LONGEST_DELAY_MS", "Due", "delay_ms"]

LONGEST_DELAY_MS = HOUR_MS


@dataclass(frozen=True)
class Due:
    """What is to be worked out.

    Attributes
    ----------
    judged_ms, complete_ms : int
        Hours are judged whose end and age lie behind the first of these times and not behind the second.
    ages_ms : sequence of int
    touched : frozenset of int
        Hours that are worked out anew.
    oldest_ms : int
        Hours before this are not judged.

    Examples
    --------
    >>> due = Due(0, 3 * HOUR_MS, [HOUR_MS], frozenset({9 * HOUR_MS}))
    >>> [hour_ms // HOUR_MS for span in due.spans() for hour_ms in span], due.ages_of(HOUR_MS), due.ages_of(9 * HOUR_MS)
    ([-1, 2, 9, 10], [3600000], [0])
    """

    judged_ms: int
    complete_ms: int
    ages_ms: Sequence[int]
    touched: frozenset[int]
    oldest_ms: int = NOTHING_MS

    def ages_of(self, hour_ms: int) -> list[int]:
        """The ages at which an hour is due."""
        end_ms = hour_ms + HOUR_MS
        ages_ms = self.ages_ms if hour_ms >= self.oldest_ms else ()
        ages = [age_ms for age_ms in ages_ms if self.judged_ms < end_ms + age_ms <= self.complete_ms]
        return [NOW, *ages] if hour_ms in self.touched else ages

    def spans(self) -> list[Span]:
        """Where the hours are of which something is due, merged and ascending."""
        spans = [(hour_ms, hour_ms + HOUR_MS) for hour_ms in self.touched]
        oldest_ms = _hour_of(self.oldest_ms + HOUR_MS - 1)
        for age_ms in self.ages_ms:
            spans.append((max(_hour_of(self.judged_ms - age_ms), oldest_ms), _hour_of(self.complete_ms - age_ms)))
        merged: list[Span] = []
        for from_ms, to_ms in sorted(span for span in spans if span[0] < span[1]):
            if merged and from_ms <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(merged[-1][1], to_ms)
            else:
                merged.append((from_ms, to_ms))
        return merged


def delay_ms(hour_ms: int, now_ms: int) -> int:
    """Return how long an hour that was touched waits to be worked out anew, so that more may come together.

    That is a hundredth of its age, and an hour at most.

    Examples
    --------
    >>> [delay_ms(0, (1 + 24 * days) * HOUR_MS) // 60_000 for days in (0, 1, 3, 90)]
    [0, 14, 43, 60]
    """
    return min(max(now_ms - hour_ms - HOUR_MS, 0) // 100, LONGEST_DELAY_MS)


def _hour_of(at_ms: int) -> int:
    return at_ms // HOUR_MS * HOUR_MS
