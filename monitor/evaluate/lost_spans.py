"""Spans of event time that lack messages, and the windows that say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["lost_spans", "marked"]


def lost_spans(store: Store, model: str) -> list[tuple[int, int, str]]:
    """Return when messages of a model may be missing: from, to, and the partition as windows name it."""
    rows = rows_of(store.read(Query("gaps", {"model": model})))
    return [(row["from_ms"], row["to_ms"], f"{row['topic']}/{row['partition']}:lost") for row in rows]


def marked(scores: Mapping[str, Sequence[Any]], lost: Sequence[tuple[int, int, str]]) -> list[str]:
    """Return the column ``idle`` of scores, with the partitions added that lost messages of the window.

    Examples
    --------
    >>> scores = {"window_end_ms": [10, 20, 30], "window_ms": [10, 10, 10], "idle": ["", "t/1", ""]}
    >>> marked(scores, [(12, 15, "t/0:lost")])
    ['', 't/1,t/0:lost', '']
    """
    columns = (scores[name] for name in ("window_end_ms", "window_ms", "idle"))
    return [
        ",".join(filter(None, [idle, *(name for low, high, name in lost if low < end_ms and high > end_ms - size_ms)]))
        for end_ms, size_ms, idle in zip(*columns, strict=True)
    ]
