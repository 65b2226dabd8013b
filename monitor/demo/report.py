"""What the demonstration says: alerts as they fire, and a summary of the year."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from monitor.alerts.lifecycle import Transition
from monitor.demo.flights import CONSTANT_FROM, INJECTED

__all__ = ["Told", "fired", "tell"]

BLIZZARD = ("2013-02-08", "2013-02-09")
"""The nor'easter of February 2013, by New York's days."""


@dataclass(frozen=True)
class Told:
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


def tell(transition: Transition) -> list[str]:
    """Lines for an alert that fires or ends; none for other transitions."""
    day = _day(transition.starts_ms)
    injected = "  [INJECTED FAILURE]" if transition.model == INJECTED else ""
    if transition.state == "resolved":
        return [f"{_day(transition.ends_ms - 1)}  resolved  {transition.model}: what began on {day} is over"]
    if transition.state != "firing":
        return []
    lines = [f"{day}  FIRING    {transition.severity}: {transition.title}{injected}"]
    lines += [f"              · {signal['reason']}" for signal in transition.signals[:3]]
    more = len(transition.signals) - 3
    return [*lines, f"              · and {more} more"] if more > 0 else lines


def fired(transitions: Iterable[Transition]) -> list[Told]:
    """Every alert that fired, with its last title, in the order of their starts."""
    last = {(t.model, t.alert_id): t for t in transitions if t.state in {"firing", "updated", "resolved"}}
    found = []
    # Each model is judged at its own pace, so the transitions of several come in no order that would last.
    for t in sorted(last.values(), key=lambda t: (t.starts_ms, t.model, t.alert_id)):
        day, until = _day(t.starts_ms), _day(t.ends_ms - 1) if t.ends_ms else "still firing"
        found.append(Told(t.model, day, until, t.severity, t.title, _why(t.model, day)))
    return found


def _why(model: str, day: str) -> str:
    if day in BLIZZARD:
        return "blizzard"
    return "injected" if model == INJECTED and day >= CONSTANT_FROM[:10] else "other"


def _day(time_ms: int) -> str:
    """New York's day, as the configuration cuts days: from 05:00 UTC."""
    return datetime.fromtimestamp(time_ms / 1000 - 5 * 3600, UTC).strftime("%Y-%m-%d")
