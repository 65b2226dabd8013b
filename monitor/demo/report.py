"""What the demonstration says: alerts as they fire, and a summary of the year."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from monitor.alerts.lifecycle import Transition
from monitor.demo.flights import CONSTANT_FROM, INJECTED

__all__ = ["FiredAlert", "fired", "lines"]

BLIZZARD = ("2013-02-08", "2013-02-09")
"""The nor'easter of February 2013, by New York's days."""


@dataclass(frozen=True)
class FiredAlert:
    """One alert of the summary.

    Attributes
    ----------
    model, day, until, severity, title, why : str
        ``why`` is ``blizzard``, ``injected`` or ``other``.
    """

    model: str
    day: str
    until: str
    severity: str
    title: str
    why: str


def lines(transition: Transition) -> list[str]:
    """Return the lines for an alert that fires or ends; none for other transitions."""
    day = _day(transition.starts_ms)
    injected = "  [INJECTED FAILURE]" if transition.model == INJECTED else ""
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
        alerts.append(FiredAlert(t.model, day, until, t.severity, t.title, _why(t.model, day)))
    return alerts


def _why(model: str, day: str) -> str:
    if day in BLIZZARD:
        return "blizzard"
    return "injected" if model == INJECTED and day >= CONSTANT_FROM[:10] else "other"


def _day(time_ms: int) -> str:
    """New York's day, as the configuration cuts days: from 05:00 UTC."""
    return datetime.fromtimestamp(time_ms / 1000 - 5 * 3600, UTC).strftime("%Y-%m-%d")
