"""Whom else to notify of a group that nobody has acknowledged.

A step is due when an alert of the group has fired for its receivers for `after`, and nobody has taken on any alert of
the group that fires. Whoever was notified then is notified like the route's own receiver until all is over.
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
        Since when the route's receiver is notified of what fires.
    taken_on : collection of str
        Alerts that somebody has taken on.
    now_ms : int
    was_notified : bool
        Whether it was notified of something in the group before, and not that all is over.

    Returns
    -------
    tuple of str
        ``escalated``, ``acknowledged``, ``waiting`` or ``known``, and why.

    Examples
    --------
    >>> step = Step(after_ms=900_000, receiver="boss")
    >>> why_escalated(step, {"a": 0}, [], 899_999, was_notified=False)
    ('waiting', 'it is notified at 1970-01-01 00:15 UTC if nobody acknowledges an alert of the group')
    >>> why_escalated(step, {"a": 0}, [], 900_000, was_notified=False)
    ('escalated', 'nobody acknowledged an alert of the group within 15m')
    >>> why_escalated(step, {"a": 0}, ["a"], 900_000, was_notified=False)
    ('acknowledged', 'somebody has acknowledged an alert of the group')
    """
    if was_notified:
        return "escalated", "it was notified when nobody acknowledged an alert of the group"
    if not since_ms:
        return "known", "nothing fires of which it was notified"
    if any(name in taken_on for name in since_ms):
        return "acknowledged", "somebody has acknowledged an alert of the group"
    due_ms = min(since_ms.values()) + step.after_ms
    if now_ms < due_ms:
        return "waiting", f"it is notified at {utc(due_ms)} if nobody acknowledges an alert of the group"
    return "escalated", f"nobody acknowledged an alert of the group within {format_duration(step.after_ms)}"
