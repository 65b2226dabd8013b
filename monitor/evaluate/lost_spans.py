"""Spans of event time that lack messages, and the windows that say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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

    A window that a partition is missing from says that alone, since what it lost may be found out later.

    Examples
    --------
    >>> scores = {"window_end_ms": [10, 20, 30], "window_ms": [10, 10, 10], "idle": ["", "t/1", ""]}
    >>> marked(scores, [(12, 15, "t/0:lost"), (12, 15, "t/1:lost")])
    ['', 't/1,t/0:lost', '']
    """
    columns = (scores[name] for name in ("window_end_ms", "window_ms", "idle"))
    return [
        ",".join([*filter(None, [idle]), *_lost_of(end_ms - size_ms, end_ms, idle, lost)])
        for end_ms, size_ms, idle in zip(*columns, strict=True)
    ]


def _lost_of(start_ms: int, end_ms: int, idle: str, lost: Sequence[tuple[int, int, str]]) -> Iterator[str]:
    missing = idle.split(",")
    for low, high, name in lost:
        if low < end_ms and high > start_ms and name.removesuffix(":lost") not in missing:
            yield name
