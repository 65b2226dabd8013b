"""What there is to say of a table: once, in its declaration in :mod:`sinks.store.tables`.

Migrations make the tables; a test compares what they make with what is declared. Checks of rows, statements, lifetimes,
erasure, backups and ``docs/schema.md`` follow from the declaration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["FORMS", "PAGE_ROWS", "Column", "Form", "Table", "table"]

PAGE_ROWS = 200_000


@dataclass(frozen=True)
class Form:
    """How a column is kept: its kind to Python, and its type and codec to ClickHouse."""

    kind: str
    type: str
    codec: str = ""


FORMS: dict[str, Form] = {
    "name": Form("str", "LowCardinality(String)"),  # repeats: each is stored once in a part
    "str": Form("str", "String"),
    "text": Form("str", "String", "ZSTD(1)"),
    "document": Form("str", "String", "ZSTD(3)"),
    "bytes": Form("bytes", "String", "ZSTD(1)"),
    "int": Form("int", "Int64"),
    "count": Form("int", "Int64", "T64, ZSTD(1)"),  # uses few of its 64 bits
    "even": Form("int", "Int64", "DoubleDelta, ZSTD(1)"),  # grows in even steps: times, offsets
    "uneven": Form("int", "Int64", "Delta(8), ZSTD(1)"),
    "largest": Form("int", "SimpleAggregateFunction(max, Int64)", "ZSTD(1)"),
    "float": Form("float", "Float64", "ZSTD(1)"),  # noise, which no codec for floats makes smaller
    "counts": Form("ints", "Array(Int64)", "T64, ZSTD(1)"),
    "ints": Form("ints", "Array(Int64)", "ZSTD(1)"),
    "floats": Form("floats", "Array(Float64)", "ZSTD(1)"),
    "strs": Form("strs", "Array(String)"),
    "texts": Form("strs", "Array(String)", "ZSTD(1)"),
    "names": Form("strs", "Array(LowCardinality(String))", "ZSTD(1)"),
}
"""Every form that a column may have; ``docs/schema.md`` says what each was measured against."""


@dataclass(frozen=True)
class Column:
    """One column: its name, its kind, and the form in which it is kept.

    Attributes
    ----------
    name : str
    kind : str
        ``str``, ``bytes``, ``int``, ``float``, ``ints`` or ``strs`` (arrays); ``floats`` only where no query reads it.
    form : str
        A key of :data:`FORMS`; the kind's own if empty.
    """

    name: str
    kind: str
    form: str = ""


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes
    ----------
    name : str
    columns : tuple of Column
    key : tuple of str
        The natural key, which is also the order in which rows are read.
    newest_by : str
        Of rows with the same key the one with the largest value here stays; empty: the one appended last.
    row : str
        What a row is, for ``docs/schema.md``.
    time : str
        The row's own time, from which its age counts. Rows without one do not grow old.
    keep : str
        The key of ``spec.store.keep``, or of a model's ``spec.keep.for``, that says how long they are kept.
    part : {"", "week", "month", "year"}
        Span of ``time`` that shares a partition.
    span_ms : int
        Length of the spans of ``time`` by which rows are sorted before their series; 0 where they are not.
    impersonal : str
        What the rows hold, if nobody who could be erased can stand in them; empty: an erasure looks through them.
    page_rows : int
        Rows that a backup reads at a time.
    source : str
        The table that this one is derived from; such tables are not written.
    readable : bool
        Whether a query may name it.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    newest_by: str = ""
    row: str = ""
    time: str = ""
    keep: str = ""
    part: Literal["", "week", "month", "year"] = ""
    span_ms: int = 0
    impersonal: str = ""
    page_rows: int = PAGE_ROWS
    source: str = ""
    readable: bool = True

    def column(self, name: str) -> Column:
        """Return the column ``name``; KeyError if the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name!r} has no column {name!r}")


def table(name: str, columns: str, key: str, **facts: Any) -> Table:
    """Declare a table.

    Parameters
    ----------
    name : str
    columns : str
        ``name:form`` of each.
    key : str
        Names of columns.
    **facts
        The other attributes of :class:`Table`. A table with a ``time`` has a lifetime of its own unless ``keep`` names
        another.

    Examples
    --------
    >>> table("visits", "page:name n:count", "page").columns[1]
    Column(name='n', kind='int', form='count')
    """
    if facts.get("time"):
        facts.setdefault("keep", name)
    pairs = (item.split(":") for item in columns.split())
    return Table(name, tuple(Column(n, FORMS[form].kind, form) for n, form in pairs), tuple(key.split()), **facts)
