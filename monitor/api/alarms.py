"""Alerts as they stand now, from the log of their transitions."""

from __future__ import annotations

import json

from monitor.api.reading import Page, Row, decode_cursor, encode_cursor, query_for, read_all
from sinks.store.contract import Query, Store

__all__ = ["STANDING", "TRANSITIONS", "read_alert", "read_alerts", "transition"]

TRANSITIONS = ("pending", "firing", "updated", "resolved", "cancelled")
STANDING = ("pending", "firing", "resolved", "cancelled")
"""What an alert can be: one that was updated is still firing."""
KIND = "standing"


def transition(row: Row) -> Row:
    """Return a row of the log with its JSON read; ``ends_ms`` is None while the alert lives."""
    return row | {
        "labels": json.loads(row["labels"]),
        "signals": json.loads(row["signals"]),
        "ends_ms": row["ends_ms"] or None,
    }


def read_alerts(
    store: Store,
    *,
    model: str | None = None,
    state: str | None = None,
    from_ms: int | None = None,
    to_ms: int | None = None,
    limit: int = 1_000,
    cursor: str | None = None,
) -> Page:
    """Return alerts as they stand, the latest changed first.

    The log is read whole: alarms are few by design.

    Parameters
    ----------
    store : Store
    model : str or None
    state : str or None
        One of :data:`STANDING`.
    from_ms, to_ms : int or None
        Alerts whose condition held at some time in ``[from_ms, to_ms)``.
    limit : int
    cursor : str or None

    Raises
    ------
    CursorError
    StoreError
    """
    newest: dict[tuple[str, str], Row] = {}
    for row in read_all(store, Query("alerts", where={"model": model} if model else {})):
        newest[row["model"], row["alert_id"]] = row  # the natural key ends with the sequence: the last one stays
    place = tuple(decode_cursor(KIND, cursor, (int, str, str))) if cursor else None
    alerts = [
        row
        for row in sorted(newest.values(), key=_place, reverse=True)
        if (state is None or _standing(row) == state)
        and _overlaps(row, from_ms, to_ms)
        and (place is None or _place(row) < place)
    ]
    page = alerts[:limit]
    next_cursor = encode_cursor(KIND, list(_place(page[-1]))) if len(alerts) > limit else None
    return Page([_view(row) for row in page], next_cursor)


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


def _view(row: Row) -> Row:
    return transition(row) | {"state": _standing(row), "transition": row["state"]}


def _standing(row: Row) -> str:
    return "firing" if row["state"] == "updated" else str(row["state"])


def _place(row: Row) -> tuple[int, str, str]:
    return row["at_ms"], row["model"], row["alert_id"]


def _overlaps(row: Row, from_ms: int | None, to_ms: int | None) -> bool:
    ended = row["ends_ms"] != 0 and from_ms is not None and row["ends_ms"] <= from_ms
    return not ended and (to_ms is None or row["starts_ms"] < to_ms)
