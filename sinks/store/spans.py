"""Spans of time, and which of them roll-ups may answer for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["DAY_MS", "HOUR_MS", "MOST_SPANS", "Plan", "Span", "merged", "plan", "without"]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MOST_SPANS = 64
"""Spans that a statement names one by one; of more, only their beginning and their end count."""

Span = tuple[int, int]
"""From and to, in ms; whether an end belongs to it is the caller's."""


@dataclass(frozen=True)
class Plan:
    """From where each part of a span is read; the parts are disjoint, and together they are the span."""

    raw: tuple[Span, ...]
    hours: tuple[Span, ...]
    days: tuple[Span, ...]


def plan(span: Span, step_ms: int, changed: Iterable[int]) -> Plan:
    """Say what to read from hours and days, and what from rows.

    Parameters
    ----------
    span : tuple of int
    step_ms : int
        Length of the buckets into which it is cut, at multiples of itself; 0 if it is not cut.
    changed : iterable of int
        Beginnings of hours, ascending, that the roll-ups may not hold yet.

    Examples
    --------
    >>> plan((0, 3 * HOUR_MS), 0, [HOUR_MS]).hours == ((0, HOUR_MS), (2 * HOUR_MS, 3 * HOUR_MS))
    True
    >>> plan((-5, 2 * DAY_MS), DAY_MS, []).days == ((0, 2 * DAY_MS),)
    True
    """
    if step_ms % HOUR_MS:
        return Plan((span,), (), ())
    whole_hours = _whole(span, HOUR_MS)  # a roll-up knows its buckets as wholes, so that the edges come from the rows
    current_hours = without(whole_hours, merged(changed))
    days = tuple(
        part for part in (_whole(part, DAY_MS) for part in current_hours) if part[0] < part[1] and not step_ms % DAY_MS
    )
    hours = tuple(rest for part in current_hours for rest in without(part, days))
    return Plan(without(span, current_hours), hours, days)


def merged(changed: Iterable[int]) -> tuple[Span, ...]:
    """Return the spans that the hours ``changed`` make up, at most ``MOST_SPANS``.

    Examples
    --------
    >>> merged([0, HOUR_MS, 5 * HOUR_MS]) == ((0, 2 * HOUR_MS), (5 * HOUR_MS, 6 * HOUR_MS))
    True
    """
    spans: list[Span] = []
    for hour_ms in changed:
        from_ms = spans.pop()[0] if spans and spans[-1][1] == hour_ms else hour_ms
        spans.append((from_ms, hour_ms + HOUR_MS))
    return tuple(spans) if len(spans) <= MOST_SPANS else ((spans[0][0], spans[-1][1]),)


def without(span: Span, holes: Iterable[Span]) -> tuple[Span, ...]:
    """Return what is left of ``span`` outside ``holes``, which ascend.

    Examples
    --------
    >>> without((0, 10), [(2, 3), (8, 12)])
    ((0, 2), (3, 8))
    """
    remaining: list[Span] = []
    from_ms, to_ms = span
    for start, end in holes:
        if end > from_ms and start < to_ms:
            remaining.append((from_ms, start))
            from_ms = end
    return tuple(part for part in (*remaining, (from_ms, to_ms)) if part[0] < part[1])


def _whole(span: Span, step_ms: int) -> Span:
    from_ms = -(-span[0] // step_ms) * step_ms
    return from_ms, max(from_ms, span[1] // step_ms * step_ms)
