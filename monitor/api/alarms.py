"""Alerts as they stand now, from the log of their transitions."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from monitor.api.reading import Page, Row, decode_cursor, encode_cursor, query_for, read_all
from monitor.api.tables import of_table
from sinks.store.contract import Query, Store

__all__ = [
    "ALERT_TYPES",
    "STANDING",
    "TRANSITIONS",
    "TRANSITION_TYPES",
    "by_day",
    "counted",
    "overlaps",
    "read_alert",
    "read_alerts",
    "standing_alerts",
    "started",
    "transition",
    "transitions",
]

TRANSITIONS = ("pending", "firing", "updated", "resolved", "cancelled")
STANDING = ("pending", "firing", "resolved", "cancelled")
"""What an alert can be: one that was updated is still firing."""
KIND = "standing"
DAY_MS = 86_400_000

_MOVED = (
    "labels:map signals:[version:str segment:str signal:str detector:str since_ms:int last_ms:int statistic:float "
    "effect:float min_effect:float peak_effect:float peak_detector:str peak_at_ms:int surprise:float "
    "surprise_limit:float p_value:float n:int baseline_n:int baseline_from_ms:int baseline_to_ms:int alarmed:bool "
    "status:str reason:str]"
)
TRANSITION_TYPES = of_table("alerts", without=["labels", "signals"], more=_MOVED)
ALERT_TYPES = of_table("alerts", without=["labels", "signals"], more=f"transition:str {_MOVED}")
"""The columns of alerts in every form but JSON; there, ``signals`` may hold more."""


def transition(row: Row) -> Row:
    """Return a row of the log with its JSON read; ``ends_ms`` is None while the alert lives."""
    return row | {
        "labels": json.loads(row["labels"]),
        "signals": json.loads(row["signals"]),
        "ends_ms": row["ends_ms"] or None,
    }


def transitions(log: Page) -> Page:
    """Return a page of the log with its JSON read."""
    return Page.of([transition(row) for row in log.rows], TRANSITION_TYPES.names, log.next_cursor)


def standing_alerts(store: Store, models: Sequence[str] | None = None) -> list[Row]:
    """Return alerts as they stand, the latest changed first.

    The log is read whole: alarms are few by design.

    Parameters
    ----------
    store : Store
    models : sequence of str or None
        Only theirs.

    Raises
    ------
    StoreError
    """
    newest: dict[tuple[str, str], Row] = {}
    for row in read_all(store, Query("alerts", where={"model": list(models)} if models is not None else {})):
        newest[row["model"], row["alert_id"]] = row  # the natural key ends with the sequence: the last one stays
    return [_view(row) for row in sorted(newest.values(), key=_place, reverse=True)]


def read_alerts(
    store: Store,
    *,
    models: Sequence[str] | None = None,
    state: str | None = None,
    severity: str | None = None,
    signal: str | None = None,
    span: tuple[int | None, int | None] = (None, None),
    limit: int = 1_000,
    cursor: str | None = None,
) -> Page:
    """Return alerts as they stand, the latest changed first.

    Parameters
    ----------
    store : Store
    models : sequence of str or None
    state : str or None
        One of :data:`STANDING`.
    severity : str or None
    signal : str or None
        Alerts in which this signal moved.
    span : (int or None, int or None)
        Alerts whose condition held at some time in ``[from_ms, to_ms)``.
    limit : int
    cursor : str or None

    Raises
    ------
    CursorError
    StoreError
    """
    place = tuple(decode_cursor(KIND, cursor, (int, str, str))) if cursor else None
    alerts = [
        row
        for row in standing_alerts(store, models)
        if (state is None or row["state"] == state)
        and (severity is None or row["severity"] == severity)
        and (signal is None or any(moved.get("signal") == signal for moved in row["signals"]))
        and overlaps(row, span)
        and (place is None or _place(row) < place)
    ]
    next_cursor = encode_cursor(KIND, list(_place(alerts[limit - 1]))) if len(alerts) > limit else None
    return Page.of(alerts[:limit], ALERT_TYPES.names, next_cursor)


def read_alert(store: Store, alert_id: str) -> Row | None:
    """Return one alert with its transitions and notifications, oldest first; None if there is no such alert."""
    rows = list(read_all(store, query_for("alerts", {"alert_id": alert_id})))
    if not rows:
        return None
    told = read_all(store, Query("notifications", where={"alert_id": alert_id}))
    return {
        "alert": _view(rows[-1]),
        "transitions": [transition(row) for row in rows],
        "notifications": list(told),
    }


def by_day(alerts: Iterable[Row], span: tuple[int | None, int | None]) -> list[Row]:
    """Count alerts by the day (UTC) of their start, model and severity.

    Parameters
    ----------
    alerts : iterable of dict
        As :func:`standing_alerts` gives them.
    span : (int or None, int or None)
        Alerts that started in ``[from_ms, to_ms)``; those that never fired do not count.

    Returns
    -------
    list of dict
        By day, model, severity: ``day_ms``, ``model``, ``severity``, ``fired``, ``resolved``, ``firing``, and how
        long those that are resolved held, ``mean_resolve_ms`` and ``longest_resolve_ms``, None without any.
    """
    groups: dict[tuple[int, str, str], list[Row]] = {}
    for row in started(alerts, span):
        key = row["starts_ms"] // DAY_MS * DAY_MS, row["model"], row["severity"]
        groups.setdefault(key, []).append(row)
    return [
        {"day_ms": day, "model": model, "severity": severity, **counted(rows)}
        for (day, model, severity), rows in sorted(groups.items())
    ]


def started(alerts: Iterable[Row], span: tuple[int | None, int | None]) -> list[Row]:
    """Return those of ``alerts`` that fired, and started in ``span``."""
    from_ms, to_ms = span
    return [
        row
        for row in alerts
        if row["state"] in ("firing", "resolved")
        and (from_ms is None or row["starts_ms"] >= from_ms)
        and (to_ms is None or row["starts_ms"] < to_ms)
    ]


def counted(alerts: Sequence[Row]) -> Row:
    """Return how many of ``alerts``, which all fired, are over, and how long those held."""
    lasted = [row["ends_ms"] - row["starts_ms"] for row in alerts if row["state"] == "resolved"]
    return {
        "fired": len(alerts),
        "resolved": len(lasted),
        "firing": len(alerts) - len(lasted),
        "mean_resolve_ms": round(statistics.mean(lasted)) if lasted else None,
        "longest_resolve_ms": max(lasted, default=None),
    }


def overlaps(alert: Row, span: tuple[int | None, int | None]) -> bool:
    """Whether the condition of an alert held at some time in ``span``."""
    from_ms, to_ms = span
    ended = alert["ends_ms"] is not None and from_ms is not None and alert["ends_ms"] <= from_ms
    return not ended and (to_ms is None or alert["starts_ms"] < to_ms)


def _view(row: Row) -> Row:
    return transition(row) | {"state": _standing(row), "transition": row["state"]}


def _standing(row: Row) -> str:
    return "firing" if row["state"] == "updated" else str(row["state"])


def _place(row: Row) -> tuple[Any, ...]:
    return row["at_ms"], row["model"], row["alert_id"]
