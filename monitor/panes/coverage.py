"""Which panes a store holds of a model: their layouts, their lengths, and how far they reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monitor.events import ENDED
from monitor.values import DAY_MS
from monitor.watch import Watch
from sinks.store.contract import Query, Store
from sinks.store.derived import TIERS
from sinks.store.rows import as_list
from sinks.store.sqlstore import SqlStore

__all__ = ["ON_TIME", "Panes", "begins_ms", "complete_ms", "first_ms", "panes_of", "sums_begin_ms", "table_for"]

LATEST_MS = 1 << 62
ON_TIME = {"late_at_ms": 1}
"""As an upper bound: panes of events that came in time, and additions to them after a clock was set back."""

_SQL = """
SELECT signal, segment, layout, pane_ms, min(pane_start_ms) AS first_ms, max(pane_start_ms) AS last_ms,
    toInt64(sum(length(counts))) AS cells
FROM {table}
PREWHERE model = {{model:String}} AND {late} <= 0
    AND pane_start_ms >= {{low:Int64}} AND pane_start_ms < {{high:Int64}}
GROUP BY signal, segment, layout, pane_ms
ORDER BY signal, segment, first_ms, layout, pane_ms
SETTINGS final = 0
"""


@dataclass(frozen=True)
class Panes:
    """Panes of one signal and segment that have one layout and one length.

    Attributes
    ----------
    signal, segment, layout : str
    pane_ms : int
    first_ms, last_ms : int
        Starts of the first and of the last one.
    cells : int
        Counts in all of them together.
    """

    signal: str
    segment: str
    layout: str
    pane_ms: int
    first_ms: int
    last_ms: int
    cells: int


def panes_of(store: Store, model: str, low_ms: int, high_ms: int, table: str = "panes") -> list[Panes]:
    """Return what kinds of panes of a model, on time, start within ``[low_ms, high_ms)``.

    Of a table of sums, those that are about to be worked out again may be missing.
    """
    if isinstance(store, SqlStore):
        sql = _SQL.format(table=table, late="late" if table in TIERS else "late_at_ms")
        rows = store.query(sql, {"model": model, "low": low_ms, "high": high_ms})
        return [Panes(*kind) for kind in zip(*map(as_list, rows.values()), strict=True)]
    columns = ("signal", "segment", "layout", "pane_ms", "pane_start_ms", "counts")
    where, low, high = {"model": model}, {"pane_start_ms": low_ms}, {"pane_start_ms": high_ms, **ON_TIME}
    read = store.read(Query("panes", where, low, high, columns=columns))
    panes: dict[tuple[Any, ...], list[tuple[int, int]]] = {}
    for *kind, start, counts in zip(*(as_list(read[name]) for name in columns), strict=True):
        panes.setdefault(tuple(kind), []).append((start, len(counts)))
    kinds = [Panes(*(*kind, min(of)[0], max(of)[0], sum(cells for _, cells in of))) for kind, of in panes.items()]
    return sorted(kinds, key=lambda kind: (kind.signal, kind.segment, kind.first_ms, kind.layout, kind.pane_ms))


def first_ms(store: Store, model: str) -> int | None:
    """Return where a model's first pane on time starts; None if there is none."""
    column = ("pane_start_ms",)
    query = Query("panes", {"model": model}, high=ON_TIME, order=column, limit=1, columns=column)
    starts = store.read(query)["pane_start_ms"]
    return int(starts[0]) if len(starts) else None


def table_for(store: Store, watch: Watch) -> str:
    """Return the table from which windows are added up soonest: the one of the longest panes that they consist of.

    Parameters
    ----------
    store : Store
    watch : Watch
    """
    if not isinstance(store, SqlStore):
        return "panes"
    defaults = watch.model.spec.detect.defaults
    fine = panes_of(store, watch.name, 0, LATEST_MS)
    for table, length_ms in sorted(TIERS.items(), key=lambda tier: -tier[1]):
        # Windows must begin and end where sums do …
        if any(part % length_ms for part in (defaults.window, defaults.step_ms, defaults.offset)):
            continue
        # … and sums of panes of another length would lack some of them.
        if any(length_ms % kind.pane_ms for kind in fine):
            continue
        if any(kind.pane_ms < length_ms for kind in fine) or _reaches_further(store, watch.name, table, fine):
            return table
    return "panes"


def _reaches_further(store: SqlStore, model: str, table: str, fine: Sequence[Panes]) -> bool:
    """Whether sums are left of panes that are not."""
    begins = min((kind.first_ms for kind in panes_of(store, model, 0, LATEST_MS, table)), default=LATEST_MS)
    return begins + TIERS[table] <= min((kind.first_ms for kind in fine), default=LATEST_MS)


def begins_ms(store: Store, model: str, table: str) -> int | None:
    """Return where a model's panes on time begin; None if there are none.

    A sum begins where its panes might have; while those are there, the first of them counts.
    """
    fine = first_ms(store, model)
    if table not in TIERS:
        return fine
    sums = min((kind.first_ms for kind in panes_of(store, model, 0, LATEST_MS, table)), default=None)
    if sums is None or (fine is not None and fine < sums + TIERS[table]):
        return fine
    return sums


def sums_begin_ms(store: Store, model: str) -> int | None:
    """Return where the sums of a model's panes begin if they reach further back than these; else None."""
    fine = first_ms(store, model)
    if not isinstance(store, SqlStore):
        return None
    begins = min(
        (kind.first_ms for table in TIERS for kind in panes_of(store, model, 0, LATEST_MS, table)), default=None
    )
    # A sum of an hour begins before its panes do.
    return None if begins is None or (fine is not None and fine < begins + max(TIERS.values())) else begins


def complete_ms(store: Store, model: str) -> int | None:
    """Return up to where a model's panes are complete; None if no partition has closed one.

    A partition more than a day behind the most advanced one is taken as idle.
    """
    rows = store.read(Query("progress", {"model": model}))
    closed = rows["closed_ms"].tolist()
    unended = [ms for ms in closed if ms < ENDED]
    if unended:
        return int(min(ms for ms in unended if ms >= max(unended) - DAY_MS))
    return int(max(rows["newest_ms"].tolist())) + 1 if closed else None
