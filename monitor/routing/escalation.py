"""Whom to tell of a group that nobody has taken on.

A step is due when an alert of the group has fired for its receivers for `after`, and nobody has taken on any alert of
the group that fires. Whoever was told then is told like the route's own receiver until all is over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from monitor.routing.routes import Step
from monitor.values import format_duration
from sinks.receivers.times import utc

__all__ = ["why_escalated"]


def why_escalated(
    step: Step, since_ms: Mapping[str, int], taken_on: Collection[str], now_ms: int, *, was_notified: bool
) -> tuple[str, str]:
    """Decide whether a step's receiver is asked like the route's own.

    Parameters
    ----------
    step : Step
    since_ms : mapping of str to int
        Since when the route's receiver is told of what fires.
    taken_on : collection of str
        Alerts that somebody has taken on.
    now_ms : int
    was_notified : bool
        Whether it was told before of something in the group, and not that all is over.

    Returns
    -------
    tuple of str
        ``escalated``, ``acknowledged``, ``waiting`` or ``known``, and why.

    Examples
    --------
    >>> step = Step(after_ms=900_000, receiver="boss")
    >>> why_escalated(step, {"a": 0}, [], 899_999, was_notified=False)
    ('waiting', 'it is told at 1970-01-01 00:15 UTC if nobody takes an alert of the group on')
    >>> why_escalated(step, {"a": 0}, [], 900_000, was_notified=False)
    ('escalated', 'nobody took an alert of the group on within 15m')
    >>> why_escalated(step, {"a": 0}, ["a"], 900_000, was_notified=False)
    ('acknowledged', 'somebody has taken an alert of the group on')
    """
    if was_notified:
        return "escalated", "it was told when nobody took an alert of the group on"
    if not since_ms:
        return "known", "nothing fires of which it was told"
    if any(name in taken_on for name in since_ms):
        return "acknowledged", "somebody has taken an alert of the group on"
    due_ms = min(since_ms.values()) + step.after_ms
    if now_ms < due_ms:
        return "waiting", f"it is told at {utc(due_ms)} if nobody takes an alert of the group on"
    return "escalated", f"nobody took an alert of the group on within {format_duration(step.after_ms)}"
