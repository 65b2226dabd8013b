"""Reading the store page by page: what the API's routes and the command line share.

A cursor is the place of the last row of a page in the order of the query. Rows that are added behind it are found,
rows before it are not shown twice, whatever is written meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from monitor.alerts.alert_log import ALERTS, read_alert_log
from monitor.errors import InputError
from sinks.store.contract import TABLES, Columns, Query, Store
from sinks.store.rows import rows_of

__all__ = [
    "MAX_LIMIT",
    "CursorError",
    "Order",
    "Page",
    "decode_cursor",
    "encode_cursor",
    "is_storable",
    "pages_of",
    "query_for",
    "read_all",
    "read_page",
    "readable",
    "stored_models",
]

Row = dict[str, Any]
R = TypeVar("R")

MAX_LIMIT = 10_000
"""Most rows of one page."""

TIME_COLUMNS = {
    "scores": "window_end_ms",
    "findings": "event_ms",
    "alerts": "at_ms",
    "dead_letters": "record_ms",
    "audit": "at_ms",
    "job_runs": "started_ms",
}
"""The column that ``from`` and ``to`` mean, and that rows are ordered by."""


class CursorError(InputError):
    """The cursor is not one that this query gave."""


@dataclass(frozen=True)
class Page:
    """Some rows, and the cursor of the next ones.

    Attributes
    ----------
    columns : dict
        The rows, column by column, as the store gives them.
    next_cursor : str or None
        None when there are no more for now.
    """

    columns: Columns
    next_cursor: str | None

    @classmethod
    def of(cls, rows: Sequence[Row], names: Sequence[str], next_cursor: str | None = None) -> Page:
        """Return the page that holds ``rows``, of which each has at least ``names``.

        Examples
        --------
        >>> Page.of([{"n": 1}, {"n": 2}], ["n"]).columns
        {'n': [1, 2]}
        """
        return cls({name: [row[name] for row in rows] for name in names}, next_cursor)

    @property
    def rows(self) -> list[Row]:
        """The rows, each by itself."""
        return rows_of(self.columns)


def query_for(
    table: str,
    where: Mapping[str, str | int | list[str] | None],
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
    # One row more shows whether there is another page.
    columns = _read(store, replace(query, after=after, limit=query.limit + 1))
    if len(next(iter(columns.values()))) <= query.limit:
        return Page(columns, None)
    page = {name: values[: query.limit] for name, values in columns.items()}
    return Page(page, encode_cursor(_kind(query), [_plain(value) for value in query.cursor(page)]))


def pages_of(
    store: Store, table: str, where: Mapping[str, Any], span: tuple[int | None, int | None], *, descending: bool = False
) -> Callable[[int, str | None], Page]:
    """Return what reads the pages of a table in the order of time."""
    from_ms, to_ms = span

    def read(limit: int, cursor: str | None) -> Page:
        query = query_for(table, where, from_ms=from_ms, to_ms=to_ms, limit=limit, descending=descending)
        return read_page(store, query, cursor)

    return read


@dataclass(frozen=True)
class Order:
    """The order of rows that are held in memory, so that cursors can stand for positions in it.

    Attributes
    ----------
    kind : str
        Of the cursors.
    types : tuple of type
        Of a position.
    position : callable
        Gives a row's position; rows come in descending order.
    """

    kind: str
    types: tuple[type, ...]
    position: Callable[[Any], tuple[Any, ...]]

    def page(self, rows: Iterable[R], limit: int, cursor: str | None) -> tuple[list[R], str | None]:
        """Return at most ``limit`` rows behind a cursor, and the cursor of the next page.

        Raises
        ------
        CursorError
        """
        ordered = sorted(rows, key=self.position, reverse=True)
        if last_shown := self.place(cursor):
            ordered = [row for row in ordered if self.position(row) < last_shown]
        page = ordered[:limit]
        return page, self.cursor(page[-1]) if len(ordered) > limit else None

    def place(self, cursor: str | None) -> tuple[Any, ...]:
        """Return the position that a cursor stands for; empty without one.

        Raises
        ------
        CursorError
        """
        return tuple(decode_cursor(self.kind, cursor, self.types)) if cursor else ()

    def cursor(self, row: Any) -> str:
        """Return the cursor behind a row."""
        return encode_cursor(self.kind, list(self.position(row)))


def read_all(store: Store, query: Query) -> Iterator[Row]:
    """Yield every row that ``query`` asks for, holding one page of them at a time; its limit does not count."""
    after = query.after
    while True:
        rows = rows_of(_read(store, replace(query, after=after, limit=MAX_LIMIT)))
        yield from rows
        if len(rows) < MAX_LIMIT:
            return
        after = tuple(rows[-1][name] for name in query.sort_columns())


def _read(store: Store, query: Query) -> Columns:
    """Read a table; with the alerts of models, those about their silence."""
    return read_alert_log(store, query) if query.table == ALERTS else store.read(query)


def stored_models(store: Store) -> list[str]:
    """Return the names of the models of which there are scores, or events, in order.

    Raises
    ------
    StoreError
    """
    return sorted(
        {name for table in ("latest", "progress") for name in store.read(Query(table, columns=("model",)))["model"]}
    )


def readable(letters: Page) -> Page:
    """Return a page of ``dead_letters`` with payloads as text, None where they are none, and as base64."""
    payloads: list[bytes] = letters.columns["payload"]
    texts = list(map(_text, payloads))
    encoded = [base64.b64encode(payload).decode() for payload in payloads]
    return Page(letters.columns | {"payload": texts, "payload_base64": encoded}, letters.next_cursor)


def _text(payload: bytes) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None


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
    if not all(map(is_storable, values)):
        raise CursorError(f"{cursor!r} is not a cursor")
    return values[1:]


def is_storable(value: str | int) -> bool:
    """Whether a column can hold it: 64 bits with a sign, or text that has a UTF-8 form."""
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _kind(query: Query) -> str:
    return f"{query.table}{'-' if query.descending else '+'}"


def _place(query: Query, cursor: str) -> tuple[Any, ...]:
    table = TABLES[query.table]
    types = tuple({"str": str, "int": int}[table.column(name).kind] for name in query.sort_columns())
    return tuple(decode_cursor(_kind(query), cursor, types))


def _plain(value: Any) -> str | int:
    return value if isinstance(value, str) else int(value)
