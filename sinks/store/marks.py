"""Marks of hours that are to be added up: which are overdue, and from which hours too much is gone to do so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sinks.store.connection import Connection
from sinks.store.retention import present
from sinks.store.spans import DAY_MS, HOUR_MS, Span

__all__ = ["MARKS", "leave_aged", "now_ms_of", "record", "unsummed"]

MARKS = "touched"
"""The table that has them."""

FIRST = {
    "scores": ("window_end_ms", f"hour_ms - positiveModulo(hour_ms, {DAY_MS}) + 1"),
    "panes": ("pane_start_ms", "hour_ms"),
}
"""The time of a source's rows, and the first one that is worked out together with an hour: of scores a whole day is."""

AGED = (
    "INSERT INTO touched SELECT {{source:String}}, model, hour_ms, 0, {{seen_ms:Int64}} FROM (SELECT model, hour_ms, "
    "{first} AS {time} FROM touched WHERE source = {{source:String}} GROUP BY model, hour_ms "
    "HAVING max(touched_ms) > max(refreshed_ms) AND max(touched_ms) <= {{seen_ms:Int64}} AND max(refreshed_ms) > 0) "
    "WHERE {ttl} < now() + 3600 SETTINGS final = 0"
)
"""An hour ahead of the lifetime, since a refresh takes its time."""

WAITING = (
    "SELECT model, hour_ms, max(touched_ms) AS marked_ms, max(refreshed_ms) AS summed_ms FROM touched "
    "WHERE source = 'panes' AND has({model:Array(String)}, model) "
    "AND hour_ms < transform(toString(model), {model:Array(String)}, {to_ms:Array(Int64)}, toInt64(0)) "
    "GROUP BY model, hour_ms HAVING marked_ms > summed_ms"
)

OVERDUE_MS = 3_600_000

UNSUMMED_OVERDUE = (
    f"SELECT DISTINCT model FROM ({WAITING}) WHERE marked_ms < {{overdue_ms:Int64}} "
    "AND hour_ms >= transform(toString(model), {model:Array(String)}, {from_ms:Array(Int64)}, toInt64(0)) "
    "SETTINGS final = 0"
)

UNSUMMED_AT_ALL = (
    "SELECT DISTINCT model FROM panes WHERE late_at_ms = 0 AND pane_start_ms < {before_ms:Int64} "
    "AND (model, pane_start_ms - positiveModulo(pane_start_ms, 3600000)) IN "
    f"(SELECT model, hour_ms FROM ({WAITING}) WHERE summed_ms = 0) SETTINGS final = 0"
)

AGED_BY_DEFAULT = (
    "SELECT name, hour_ms FROM (SELECT name, hour_ms, '' AS model, hour_ms AS pane_start_ms FROM "
    "(SELECT model AS name, hour_ms FROM touched WHERE source = 'panes' GROUP BY name, hour_ms "
    "HAVING max(touched_ms) > max(refreshed_ms) AND max(touched_ms) <= {{seen_ms:Int64}} AND max(refreshed_ms) > 0)) "
    "WHERE {ttl} < now() + 3600 SETTINGS final = 0"
)
"""The lifetime of a model without a name is the default one: one that is behind has none, and may have lost panes."""

COUNTS = (
    "SELECT model, hour_ms, late, sum(n) AS counted FROM (SELECT model, n, {late} AS late, "
    "pane_start_ms - positiveModulo(pane_start_ms, 3600000) AS hour_ms FROM {table} FINAL "
    "WHERE model IN {{model:Array(String)}} AND hour_ms IN {{hour_ms:Array(Int64)}} "
    "AND pane_start_ms >= {{from_ms:Int64}} AND pane_start_ms < {{to_ms:Int64}}) GROUP BY model, hour_ms, late"
)


def unsummed(store: Connection, spans: Mapping[str, Span]) -> set[str]:
    """Return the models of which panes would go before they are added up.

    Parameters
    ----------
    store : Connection
    spans : mapping of str to Span
        By model: before the first time panes are gone, or go now; those after the second one stay for long.

        Late panes hold nothing back before the first time: they count in no sum any more. Between both times a mark
        waits for its turn, and is overdue after :data:`OVERDUE_MS`.

    Raises
    ------
    StoreError
    """
    if not spans:
        return set()
    parameters = {
        "model": list(spans),
        "from_ms": [from_ms for from_ms, _ in spans.values()],
        "to_ms": [to_ms for _, to_ms in spans.values()],
        "before_ms": max(to_ms for _, to_ms in spans.values()),
        "overdue_ms": now_ms_of(store) - OVERDUE_MS,
    }
    statements = (UNSUMMED_OVERDUE, UNSUMMED_AT_ALL)
    return {model for statement in statements for model in store.query(statement, parameters)["model"]}


def now_ms_of(store: Connection) -> int:
    """Return the time of the server, which is that of its marks."""
    return int(store.query("SELECT toUnixTimestamp64Milli(now64(3)) AS now_ms")["now_ms"][0])


def record(store: Connection, source: str, marks: Mapping[str, Sequence[Any]], seen_ms: int) -> None:
    """Take marks until ``seen_ms`` from hours."""
    recorded = "SELECT {source:String}, mark.1, mark.2, 0, {seen_ms:Int64}"
    pairs = "(SELECT arrayJoin(arrayZip({model:Array(String)}, {hour_ms:Array(Int64)})) AS mark)"
    store.command_again(f"INSERT INTO touched {recorded} FROM {pairs}", {**marks, "source": source, "seen_ms": seen_ms})


def leave_aged(store: Connection, source: str, seen_ms: int) -> None:
    """Take marks from hours that were worked out before their rows began to go: what is left of these is less."""
    time, first = FIRST[source]
    ttl = present(store).get(source, "")
    if ttl:
        store.command_again(AGED.format(time=time, first=first, ttl=ttl), {"source": source, "seen_ms": seen_ms})
    if ttl and source == "panes":
        _leave_incomplete(store, ttl, seen_ms)


def _leave_incomplete(store: Connection, ttl: str, seen_ms: int) -> None:
    """Take marks from hours of which panes are gone although their model keeps its panes now.

    Their age alone does not say so: who reads an old topic for the first time has all panes.
    """
    aged = store.query(AGED_BY_DEFAULT.format(ttl=ttl), {"seen_ms": seen_ms})
    if not aged["name"]:
        return
    hours = list(zip(aged["name"], aged["hour_ms"].tolist(), strict=True))
    sums, panes = _counts(store, "panes_1h", hours), _counts(store, "panes", hours)
    gone = {(model, hour_ms) for (model, hour_ms, late), n in sums.items() if n > panes.get((model, hour_ms, late), 0)}
    if incomplete := sorted(gone.intersection(hours)):
        models, hours_ms = zip(*incomplete, strict=True)
        record(store, "panes", {"model": models, "hour_ms": hours_ms}, seen_ms)


def _counts(store: Connection, table: str, hours: Sequence[tuple[str, int]]) -> dict[tuple[str, int, int], int]:
    hours_ms = sorted({hour_ms for _, hour_ms in hours})
    values = {"model": sorted({model for model, _ in hours}), "hour_ms": hours_ms}
    span = {"from_ms": hours_ms[0], "to_ms": hours_ms[-1] + HOUR_MS}
    late = "toInt64(late_at_ms > 0)" if table == "panes" else "toInt64(late > 0)"
    counts = store.query(COUNTS.format(table=table, late=late), {**values, **span})
    keys = zip(counts["model"], counts["hour_ms"].tolist(), counts["late"].tolist(), strict=True)
    return dict(zip(keys, map(int, counts["counted"]), strict=True))
