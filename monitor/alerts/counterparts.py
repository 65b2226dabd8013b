"""Two sets of alerts about the same time, side by side: which of them mean the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from monitor.alerts.alert_log import is_no_alarm

__all__ = ["Fired", "Outcome", "compare", "fired"]

Which = Literal["both", "only before", "only now"]


@dataclass(frozen=True)
class Fired:
    """One alert that fired.

    Attributes
    ----------
    alert_id : str
    at_ms : int
        End of the window at which it fired.
    starts_ms, ends_ms : int
        The span in which its condition held; an alert that is still firing reaches to the end of the span asked for.
    ended : bool
    severity, title : str
        As they were last.
    signals : frozenset of str
        Everything that belonged to it.
    """

    alert_id: str
    at_ms: int
    starts_ms: int
    ends_ms: int
    ended: bool
    severity: str
    title: str
    signals: frozenset[str]

    def meets(self, other: Fired) -> bool:
        """Whether both held at the same time for the same signal.

        Examples
        --------
        >>> first = Fired("a", 20, 10, 30, True, "warning", "", frozenset({"volume"}))
        >>> first.meets(Fired("b", 30, 20, 40, True, "warning", "", frozenset({"volume", "feature:x"})))
        True
        >>> first.meets(Fired("b", 40, 30, 40, True, "warning", "", frozenset({"volume"})))
        False
        """
        together = self.starts_ms < other.ends_ms and other.starts_ms < self.ends_ms
        return together and not self.signals.isdisjoint(other.signals)


@dataclass(frozen=True)
class Outcome:
    """One alert, or those on either side that mean the same.

    Attributes
    ----------
    which : {"both", "only before", "only now"}
    before, now : tuple of Fired
        In the order of their starts.
    """

    which: Which
    before: tuple[Fired, ...]
    now: tuple[Fired, ...]

    @property
    def starts_ms(self) -> int:
        """The start of the first of them."""
        return min(alert.starts_ms for alert in (*self.before, *self.now))


def fired(transitions: Iterable[Mapping[str, Any]], from_ms: int, to_ms: int) -> list[Fired]:
    """Return the alerts that fired and held at some time within ``[from_ms, to_ms)``, in the order of their starts.

    Parameters
    ----------
    transitions : iterable of mapping
        Rows of ``alerts``; those after ``to_ms`` are not known yet at that time, and left out, as verdicts on rollouts
        are, which are no alarms.
    from_ms, to_ms : int
    """
    by_alert: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(transitions, key=lambda row: int(row["sequence"])):
        if row["at_ms"] <= to_ms and not is_no_alarm(row["labels"]):
            by_alert.setdefault(row["alert_id"], []).append(row)
    alerts = [_fired(rows, to_ms) for rows in by_alert.values() if any(row["state"] == "firing" for row in rows)]
    within = [alert for alert in alerts if alert.starts_ms < to_ms and alert.ends_ms > from_ms]
    return sorted(within, key=lambda alert: (alert.starts_ms, alert.alert_id))


def _fired(rows: Sequence[Mapping[str, Any]], to_ms: int) -> Fired:
    newest = rows[-1]
    (at_ms,) = [int(row["at_ms"]) for row in rows if row["state"] == "firing"]
    ended = newest["state"] == "resolved"
    signals = frozenset(signal["signal"] for signal in json.loads(newest["signals"]))
    ends_ms = int(newest["ends_ms"]) if ended else to_ms
    return Fired(
        newest["alert_id"],
        at_ms,
        int(newest["starts_ms"]),
        ends_ms,
        ended,
        newest["severity"],
        newest["title"],
        signals,
    )


def compare(stored: Sequence[Fired], now: Sequence[Fired]) -> list[Outcome]:
    """Put alerts side by side that held at the same time for the same signal.

    One alert may have become two, or two one: all that are connected by such overlaps are one outcome.

    Examples
    --------
    >>> one = Fired("a", 20, 10, 30, True, "warning", "", frozenset({"volume"}))
    >>> other = Fired("b", 60, 50, 70, True, "warning", "", frozenset({"volume"}))
    >>> [outcome.which for outcome in compare([one], [one, other])]
    ['both', 'only now']
    """
    remaining = [(alert, "before") for alert in stored] + [(alert, "now") for alert in now]
    outcomes: list[Outcome] = []
    while remaining:
        group = [remaining.pop(0)]
        for alert, side in group:  # grows while it is walked through
            joined = [item for item in remaining if item[1] != side and alert.meets(item[0])]
            remaining = [item for item in remaining if item not in joined]
            group += joined
        sides = {side: tuple(a for a, s in group if s == side) for side in ("before", "now")}
        which: Which = "both" if all(sides.values()) else "only before" if sides["before"] else "only now"
        outcomes.append(Outcome(which, _by_start(sides["before"]), _by_start(sides["now"])))
    return sorted(outcomes, key=lambda outcome: (outcome.starts_ms, outcome.which))


def _by_start(alerts: Iterable[Fired]) -> tuple[Fired, ...]:
    return tuple(sorted(alerts, key=lambda alert: (alert.starts_ms, alert.alert_id)))
