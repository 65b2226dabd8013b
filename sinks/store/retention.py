"""How long rows are kept: lifetimes by table, put into the tables as ClickHouse's TTL.

A row's age is counted from its own time (a pane's start, a window's end, an event's time), against the machine's clock:
the one place where what is stored depends on today's date. A row without a time of its own has no age.

The store in memory ends with its process and forgets nothing before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sinks.store.connection import Connection
from sinks.store.contract import Store
from sinks.store.sql import quoted_text
from sinks.store.tables import EVERY_TABLE
from sinks.store.tables.table import Table

__all__ = ["AGING", "Change", "Lifetimes", "present", "retain", "ttl"]

AGING: dict[str, Table] = {name: table for name, table in EVERY_TABLE.items() if table.time}
"""The tables whose rows grow old."""

_NEVER_S = 4_294_967_295
"""The last second of ClickHouse's DateTime, in 2106."""


@dataclass(frozen=True)
class Lifetimes:
    """How long one table's rows are kept.

    Attributes
    ----------
    default_ms : int or None
        Whole seconds; None is for ever.
    by_model : mapping of str to int or None
        Models whose rows are kept for another time.
    """

    default_ms: int | None = None
    by_model: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """What :func:`retain` did to a table: its TTL before and after, empty where there is none."""

    table: str
    before: str
    after: str


def ttl(column: str, lifetimes: Lifetimes) -> str:
    """Return the TTL expression of a table; empty if all of its rows are kept for ever.

    Parameters
    ----------
    column : str
        Holds each row's time in ms.
    lifetimes : Lifetimes

    Examples
    --------
    >>> print(ttl("event_ms", Lifetimes(60_000)))
    toDateTime(if(event_ms <= 0, 4294967295, least(intDiv(event_ms, 1000) + 60, 4294967295)))
    """
    different = {model: ms for model, ms in lifetimes.by_model.items() if ms != lifetimes.default_ms}
    if lifetimes.default_ms is None and not different:
        return ""
    seconds = _seconds(lifetimes.default_ms)
    if different:
        cases = [f"model = {quoted_text(model)}, {_seconds(ms)}" for model, ms in sorted(different.items())]
        seconds = f"multiIf({', '.join(cases)}, {seconds})"
    # Without the bounds a time far in the future would wrap around into the past.
    return f"toDateTime(if({column} <= 0, {_NEVER_S}, least(intDiv({column}, 1000) + {seconds}, {_NEVER_S})))"


def _seconds(duration_ms: int | None) -> str:
    return str(_NEVER_S if duration_ms is None else duration_ms // 1000)


def present(store: Connection) -> dict[str, str]:
    """Return the TTL of every table that has one, as the engine writes it."""
    engines = store.query(
        "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase() AND engine_full LIKE '% TTL %'"
    )
    ttls = {}
    for name, engine in zip(engines["name"], engines["engine_full"], strict=True):
        match = re.search(r" TTL (.+?)(?: SETTINGS |$)", engine, re.DOTALL)
        if match:
            ttls[name.removesuffix("_local")] = match[1]
    return ttls


def retain(store: Store, lifetimes_by_table: Mapping[str, Lifetimes]) -> list[Change]:
    """Give tables their lifetimes; those that have them already are left alone.

    Rows that are too old go in the background, within hours; :func:`sinks.store.upkeep.vacuum` removes them at once.

    Parameters
    ----------
    store : Store
        One without SQL keeps everything.
    lifetimes_by_table : mapping of str to Lifetimes
        By table, a key of :data:`AGING`.

    Returns
    -------
    list of Change

    Raises
    ------
    StoreError
    """
    if not isinstance(store, Connection):
        return []
    present_ttls = present(store)
    changes = []
    for table, lifetimes in lifetimes_by_table.items():
        if ttl(AGING[table].time, lifetimes) == "" and table not in present_ttls:
            continue
        after = _normal(store, ttl(AGING[table].time, lifetimes))
        if present_ttls.get(table, "") == after:
            continue
        # Not waited for: a service does not begin later because a large table is being rewritten.
        action = f"MODIFY TTL {after} SETTINGS mutations_sync = 0" if after else "REMOVE TTL"
        store.command(f"ALTER TABLE {store.altered(table)} {action}")
        changes.append(Change(table, present_ttls.get(table, ""), after))
    return changes


def _normal(store: Connection, expression: str) -> str:
    """Return ``expression`` as the engine writes it."""
    if not expression:
        return ""
    formatted = store.query("SELECT formatQuerySingleLine({sql:String}) AS sql", {"sql": f"SELECT {expression}"})
    return str(formatted["sql"][0]).removeprefix("SELECT ")
