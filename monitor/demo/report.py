"""What the demonstration says: alerts as they fire, and a summary of the year."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from monitor.alerts.transition import Transition
from monitor.demo.flights import CANDIDATE, CONSTANT_FROM, INJECTED

__all__ = ["FiredAlert", "fired", "lines"]

KNOWN = {
    "2013-02-08": "blizzard",
    "2013-02-09": "blizzard",
    "2013-11-28": "Thanksgiving",
    "2013-11-29": "Thanksgiving",
    "2013-12-31": "data gap",
}
"""What happened on some of New York's days of 2013: a nor'easter, a feast, and the end of the weather's records."""


@dataclass(frozen=True)
class FiredAlert:
    """One alert of the summary.

    Attributes
    ----------
    alert_id, model, day, until, severity, title, why : str
        ``why`` is one of `KNOWN`, ``injected``, ``bad version`` or ``other``.
    """

    alert_id: str
    model: str
    day: str
    until: str
    severity: str
    title: str
    why: str


def lines(transition: Transition) -> list[str]:
    """Return the lines for an alert that fires or ends; none for other transitions."""
    day = _day(transition.starts_ms)
    injected = "  [INJECTED FAILURE]" if transition.model == INJECTED or transition.version == CANDIDATE else ""
    if transition.state == "resolved":
        return [f"{_day(transition.ends_ms - 1)}  resolved  {transition.model}: what started on {day} is over"]
    if transition.state != "firing":
        return []
    shown = [f"{day}  FIRING    {transition.severity}: {transition.title}{injected}"]
    shown += [f"              · {signal['reason']}" for signal in transition.signals[:3]]
    hidden = len(transition.signals) - 3
    return [*shown, f"              · and {hidden} more"] if hidden > 0 else shown


def fired(transitions: Iterable[Transition]) -> list[FiredAlert]:
    """Every alert that fired, with its last title, in the order of their starts."""
    newest = {(t.model, t.alert_id): t for t in transitions if t.state in {"firing", "updated", "resolved"}}
    alerts = []
    # Each model is evaluated at its own pace, so the transitions of several come in no lasting order.
    for t in sorted(newest.values(), key=lambda t: (t.starts_ms, t.model, t.alert_id)):
        day, until = _day(t.starts_ms), _day(t.ends_ms - 1) if t.ends_ms else "still firing"
        alerts.append(FiredAlert(t.alert_id, t.model, day, until, t.severity, t.title, _why(t, day)))
    return alerts


def _why(transition: Transition, day: str) -> str:
    if transition.model == INJECTED and day >= CONSTANT_FROM[:10]:
        return "injected"
    if transition.version == CANDIDATE:
        return "bad version"
    return KNOWN.get(day, "other")


def _day(time_ms: int) -> str:
    """New York's day, as the configuration cuts days: from 05:00 UTC."""
    return datetime.fromtimestamp(time_ms / 1000 - 5 * 3600, UTC).strftime("%Y-%m-%d")
