"""Which panes a store holds of a model: their layouts, their lengths, and how far they reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from monitor.fold import ENDED
from sinks.store.contract import Query, Store
from sinks.store.sqlstore import SqlStore

__all__ = ["Panes", "complete_ms", "first_ms", "panes_of"]

DAY_MS = 86_400_000

_SQL = """
SELECT signal, segment, layout, pane_ms, min(pane_start_ms) AS first_ms, max(pane_start_ms) AS last_ms,
    toInt64(sum(length(counts))) AS cells
FROM panes
PREWHERE model = {model:String} AND late_at_ms = 0
    AND pane_start_ms >= {low:Int64} AND pane_start_ms < {high:Int64}
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


def panes_of(store: Store, model: str, low_ms: int, high_ms: int) -> list[Panes]:
    """Return what kinds of panes of a model, on time, start within ``[low_ms, high_ms)``."""
    if isinstance(store, SqlStore):
        found = store.query(_SQL, {"model": model, "low": low_ms, "high": high_ms})
        return [Panes(*kind) for kind in zip(*map(_listed, found.values()), strict=True)]
    columns = ("signal", "segment", "layout", "pane_ms", "pane_start_ms", "counts")
    where, low, high = {"model": model, "late_at_ms": 0}, {"pane_start_ms": low_ms}, {"pane_start_ms": high_ms}
    read = store.read(Query("panes", where, low, high, columns=columns))
    panes: dict[tuple[Any, ...], list[tuple[int, int]]] = {}
    for *kind, start, counts in zip(*(_listed(read[name]) for name in columns), strict=True):
        panes.setdefault(tuple(kind), []).append((start, len(counts)))
    kinds = [Panes(*(*kind, min(of)[0], max(of)[0], sum(cells for _, cells in of))) for kind, of in panes.items()]
    return sorted(kinds, key=lambda kind: (kind.signal, kind.segment, kind.first_ms, kind.layout, kind.pane_ms))


def _listed(column: Any) -> list[Any]:
    return list(column.tolist() if hasattr(column, "tolist") else column)


def first_ms(store: Store, model: str) -> int | None:
    """Return where a model's first pane on time starts; None if there is none."""
    where, column = {"model": model, "late_at_ms": 0}, ("pane_start_ms",)
    starts = store.read(Query("panes", where, order=column, limit=1, columns=column))["pane_start_ms"]
    return int(starts[0]) if len(starts) else None


def complete_ms(store: Store, model: str) -> int | None:
    """Return up to where a model's panes are complete; None if no partition has closed one.

    A partition more than a day behind the most advanced one is taken as idle.
    """
    rows = store.read(Query("progress", {"model": model}))
    closed = rows["closed_ms"].tolist()
    going = [ms for ms in closed if ms < ENDED]
    if going:
        return int(min(ms for ms in going if ms >= max(going) - DAY_MS))
    return int(max(rows["newest_ms"].tolist())) + 1 if closed else None
