"""Reading the store page by page: what the API's routes and the command line share.

A cursor is the place of the last row of a page in the order of the query. Rows that are added behind it are found,
rows before it are not shown twice, whatever is written meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from monitor.errors import InputError
from sinks.store.contract import TABLES, Columns, Query, Store

__all__ = [
    "MAX_LIMIT",
    "CursorError",
    "Page",
    "decode_cursor",
    "encode_cursor",
    "query_for",
    "read_all",
    "read_page",
    "readable",
]

Row = dict[str, Any]

MAX_LIMIT = 10_000
"""Most rows of one page."""

TIME_COLUMNS = {"scores": "window_end_ms", "findings": "event_ms", "alerts": "at_ms", "dead_letters": "record_ms"}
"""The column that ``from`` and ``to`` mean, and that rows are ordered by."""


class CursorError(InputError):
    """The cursor is not one that this query gave."""


@dataclass(frozen=True)
class Page:
    """Some rows, and where to go on; ``next_cursor`` is None when there are no more for now."""

    rows: list[Row]
    next_cursor: str | None


def query_for(
    table: str,
    where: Mapping[str, str | int | None],
    *,
    from_ms: int | None = None,
    to_ms: int | None = None,
    limit: int = 1_000,
    descending: bool = False,
) -> Query:
    """Return the query for rows of ``table`` in the order of time; a condition of None is none.

    Examples
    --------
    >>> query_for("scores", {"model": "fraud", "signal": None}, from_ms=10).low
    {'window_end_ms': 10}
    """
    time = TIME_COLUMNS[table]
    return Query(
        table,
        where={name: value for name, value in where.items() if value is not None},
        low={} if from_ms is None else {time: from_ms},
        high={} if to_ms is None else {time: to_ms},
        order=(time,),
        descending=descending,
        limit=limit,
    )


def read_page(store: Store, query: Query, cursor: str | None = None) -> Page:
    """Read the page behind ``cursor``; ``query.limit`` is its size.

    Raises
    ------
    CursorError
    StoreError
    """
    assert query.limit is not None
    after = _place(query, cursor) if cursor else ()
    # One row more tells whether there is another page.
    rows = _rows(store.read(replace(query, after=after, limit=query.limit + 1)))
    page = rows[: query.limit]
    return Page(page, _cursor_of(query, page[-1]) if len(rows) > len(page) else None)


def read_all(store: Store, query: Query) -> Iterator[Row]:
    """Yield every row that ``query`` asks for, holding one page of them at a time; its limit does not count."""
    after = query.after
    while True:
        rows = _rows(store.read(replace(query, after=after, limit=MAX_LIMIT)))
        yield from rows
        if len(rows) < MAX_LIMIT:
            return
        after = tuple(rows[-1][name] for name in query.sort_columns())


def readable(row: Row) -> Row:
    """Return a row of ``dead_letters`` with its payload as text and as base64."""
    payload: bytes = row["payload"]
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = None
    return row | {"payload": text, "payload_base64": base64.b64encode(payload).decode()}


def encode_cursor(kind: str, values: list[str | int]) -> str:
    """Return a cursor: a place in the order of ``kind``, opaque to callers.

    Examples
    --------
    >>> decode_cursor("alerts", encode_cursor("alerts", [5, "a"]), (int, str))
    [5, 'a']
    """
    text = json.dumps([kind, *values], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(kind: str, cursor: str, types: tuple[type, ...]) -> list[Any]:
    """Return the place that ``cursor`` stands for.

    Raises
    ------
    CursorError
        If it was not made by :func:`encode_cursor` for ``kind`` and values of ``types``.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise CursorError(f"{cursor!r} is not a cursor") from error
    if not isinstance(values, list) or [type(v) for v in values] != [str, *types] or values[0] != kind:
        raise CursorError(f"{cursor!r} is a cursor of another query")
    return values[1:]


def _kind(query: Query) -> str:
    return f"{query.table}{'-' if query.descending else '+'}"


def _place(query: Query, cursor: str) -> tuple[Any, ...]:
    table = TABLES[query.table]
    types = tuple({"str": str, "int": int}[table.column(name).kind] for name in query.sort_columns())
    place = decode_cursor(_kind(query), cursor, types)
    if any(isinstance(value, int) and not -(2**63) <= value < 2**63 for value in place):
        raise CursorError(f"{cursor!r} is not a cursor")
    return tuple(place)


def _cursor_of(query: Query, row: Row) -> str:
    return encode_cursor(_kind(query), [row[name] for name in query.sort_columns()])


def _rows(columns: Columns) -> list[Row]:
    lists = [values.tolist() if hasattr(values, "tolist") else values for values in columns.values()]
    return [dict(zip(columns, values, strict=True)) for values in zip(*lists, strict=True)]
