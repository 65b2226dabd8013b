"""A step in the life of an alert, and its row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["POSTED", "State", "Transition", "as_json", "to_columns"]

POSTED = "_posted"
"""What stands in the place of a model for alerts that others post, a name that no model can have."""

State = Literal["pending", "firing", "updated", "resolved", "cancelled"]


@dataclass(frozen=True)
class Transition:
    """One step in the life of an alert; a row of the table ``alerts``.

    Attributes
    ----------
    model, alert_id : str
    sequence : int
        0, 1, 2 … within the alert.
    state : {"pending", "firing", "updated", "resolved", "cancelled"}
    at_ms : int
        End of the window that decided it.
    starts_ms, ends_ms : int
        The span of event time in which the condition held: start of the first alarmed window, and end of the
        last one; ``ends_ms`` is 0 until the alert is resolved or cancelled.
    version, segment : str
        What the alert is about, as the grouping says; without the version in the grouping, and of a fault that goes
        on in the next one, the version it began in. Empty if there are several.
    severity, title : str
    labels : dict of str to str
        Who the alert is, for receivers.  They stay as they were at the start, except a severity that rises.
    signals : list of dict
        What moved: in its last alarmed window, first what alarms now, strongest first, and then what does no longer;
        once the alert is over, in its strongest window, strongest first.
    """

    model: str
    alert_id: str
    sequence: int
    state: State
    at_ms: int
    starts_ms: int
    ends_ms: int
    version: str
    segment: str
    severity: str
    title: str
    labels: dict[str, str]
    signals: list[dict[str, Any]]

    def to_row(self) -> dict[str, Any]:
        """Return the row: column name to value, with ``labels`` and ``signals`` as JSON with sorted keys."""
        return vars(self) | {"labels": as_json(self.labels), "signals": as_json(self.signals)}


def to_columns(transitions: Sequence[Transition]) -> dict[str, list[Any]]:
    """Return ``transitions`` as columns of the table ``alerts``; no columns without transitions."""
    rows = [transition.to_row() for transition in transitions]
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def as_json(value: Any) -> str:
    """Return strict JSON with sorted keys: the same value is the same text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
