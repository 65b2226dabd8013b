"""Alerts as they stand now, from the log of their transitions."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from monitor.alerts.alert_log import ALERT_TABLES, ALERTS, read_alert_log
from monitor.alerts.own import MESSAGES_REJECTED
from monitor.alerts.own import MODEL as OWN
from monitor.api.reading import MAX_LIMIT, Order, Page, Row
from monitor.api.tables import schema
from monitor.resources.alerts import Transition
from monitor.routing.matchers import Matcher, matches_all
from monitor.routing.message import annotations_of
from monitor.routing.routed_alert import RoutedAlert
from monitor.values import DAY_MS
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = [
    "STANDING_ORDER",
    "Span",
    "as_it_stands",
    "by_day",
    "counted",
    "is_matched",
    "overlaps",
    "rejected_models",
    "standing_alerts",
    "started",
    "transition",
    "transitions",
]

STANDING_ORDER = Order("standing", (int, str, str), lambda alert: (alert["at_ms"], alert["model"], alert["alert_id"]))
Span = tuple["int | None", "int | None"]


def transition(row: Row) -> Row:
    """Return a row of the log with its JSON read; ``ends_ms`` is None while the alert lives."""
    return row | {
        "labels": json.loads(row["labels"]),
        "signals": json.loads(row["signals"]),
        "ends_ms": row["ends_ms"] or None,
    }


def transitions(log: Page) -> Page:
    """Return a page of the log with its JSON read."""
    return Page.of([transition(row) for row in log.rows], schema(Transition).names, log.next_cursor)


def standing_alerts(
    store: Store,
    models: Sequence[str] | None = None,
    span: Span = (None, None),
    state: str | None = None,
    tables: Sequence[str] = ALERT_TABLES,
    *,
    besides: Sequence[str] = (),
) -> list[Row]:
    """Return alerts as they stand, the latest changed first.

    The log is read whole: alarms are few by design.

    Parameters
    ----------
    store : Store
    models : sequence of str or None
        Only theirs.
    span : (int or None, int or None)
        Alerts whose condition held at some time in ``[from_ms, to_ms)``.
    state : str or None
        One of :data:`~monitor.resources.alerts.STANDING`.
    tables : sequence of str
        Of :data:`~monitor.alerts.alert_log.ALERT_TABLES`.
    besides : sequence of str
        Models whose alerts are left out.

    Raises
    ------
    StoreError
    """
    where = {"model": list(models)} if models is not None else {}
    query = Query("alerts", where, without={"model": list(besides)} if besides else {}, limit=MAX_LIMIT)
    newest = _newest(store, query, tables)
    standing = [row for row in newest if overlaps(row, span) and state in (None, _standing(row))]
    return [as_it_stands(row) for row in sorted(standing, key=STANDING_ORDER.position, reverse=True)]


def rejected_models(store: Store) -> dict[str, Row]:
    """Return the models of which nearly all that comes on a stream is rejected, with the alerts that say so.

    Raises
    ------
    StoreError
    """
    firing = standing_alerts(store, [OWN], state="firing", tables=[ALERTS])
    rejected = [alert for alert in firing if alert["labels"].get("alertname") == MESSAGES_REJECTED]
    # Model and topic: names of models have no blanks.
    return {alert["labels"]["stream"].partition(" ")[0]: alert for alert in rejected}


def _newest(store: Store, query: Query, tables: Sequence[str]) -> Iterator[Row]:
    """Yield the last transition of each alert: rows come by alert, and then by sequence."""
    carried: Row | None = None
    while True:
        columns = read_alert_log(store, query, tables)
        names = list(zip(columns["model"], columns["alert_id"], strict=True))
        # The last alert of a page may continue at the top of the next one.
        if carried is not None and names[:1] != [(carried["model"], carried["alert_id"])]:
            yield carried
        ends = [i for i, name in enumerate(names) if names[i + 1 : i + 2] != [name]]
        rows = rows_of({name: _at(values, ends) for name, values in columns.items()})
        if len(names) < MAX_LIMIT:
            yield from rows
            return
        yield from rows[:-1]
        carried, query = rows[-1], replace(query, after=query.cursor(columns))


def _at(values: Any, indices: list[int]) -> Any:
    return values[indices] if hasattr(values, "tolist") else [values[i] for i in indices]


def is_matched(row: Row, matchers: Sequence[Matcher]) -> bool:
    """Whether matchers match the labels and the annotations of an alert."""
    annotations = annotations_of(row, "") if matchers else {}
    return matches_all(matchers, RoutedAlert(row["labels"], 0, annotations=annotations).matched)


def by_day(alerts: Iterable[Row], span: Span) -> list[Row]:
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


def started(alerts: Iterable[Row], span: Span) -> list[Row]:
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
    lasted_ms = [row["ends_ms"] - row["starts_ms"] for row in alerts if row["state"] == "resolved"]
    return {
        "fired": len(alerts),
        "resolved": len(lasted_ms),
        "firing": len(alerts) - len(lasted_ms),
        "mean_resolve_ms": round(statistics.mean(lasted_ms)) if lasted_ms else None,
        "longest_resolve_ms": max(lasted_ms, default=None),
    }


def overlaps(row: Row, span: Span) -> bool:
    """Whether the condition of an alert held at some time in ``span``; ``row`` is one of the log."""
    from_ms, to_ms = span
    ended = row["ends_ms"] != 0 and from_ms is not None and row["ends_ms"] <= from_ms
    return not ended and (to_ms is None or row["starts_ms"] < to_ms)


def as_it_stands(row: Row) -> Row:
    """Return the last transition of an alert as the alert."""
    return transition(row) | {"state": _standing(row), "transition": row["state"]}


def _standing(row: Row) -> str:
    return "firing" if row["state"] == "updated" else str(row["state"])
