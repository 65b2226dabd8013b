"""What there is to say of a table: once, in its declaration in :mod:`sinks.store.tables`.

Migrations make the tables; a test compares what they make with what is declared. Checks of rows, statements, lifetimes,
erasure, backups and ``docs/schema.md`` follow from the declaration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["ERASURES", "FORMS", "PAGE_ROWS", "Column", "Form", "Table", "table"]

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

ERASURES: dict[str, str] = {
    "own": "names nobody: words of Leeway and of the configuration, hashes, ids",
    "rows": "is of single events: rows of the subject are deleted",
    "names": "counts by name: where a category is read from the subject's path, the name is replaced; its count stays",
    "segment": "names segments: rows of one that is the subject alone are deleted, or taken out of arrays",
    "quoted": "sentences of Leeway's own, which quote such names: they are written with the replacement",
    "document": "JSON with such sentences, or with what others wrote: the same, text by text",
    "packed": "states of stages: the name is replaced in open panes, baselines, firing alerts and digests",
    "free": "what people, programs and receivers wrote: the name is replaced wherever it stands as a word",
    "left": "by this alerts are told apart, matched or addressed, or models watched: it stays, and rows are counted",
}
"""What an erasure does with a column, by what the column holds."""

_OWN_FORMS = frozenset({"name"})
"""Forms of texts that repeat, and come from Leeway or the configuration unless a column says otherwise."""


@dataclass(frozen=True)
class Column:
    """One column: its name, its kind, the form in which it is kept, and what an erasure does with it.

    Attributes
    ----------
    name : str
    kind : str
        ``str``, ``bytes``, ``int``, ``float``, ``ints`` or ``strs`` (arrays); ``floats`` only where no query reads it.
    form : str
        A key of :data:`FORMS`; the kind's own if empty.
    erasure : str
        A key of :data:`ERASURES`.
    """

    name: str
    kind: str
    form: str = ""
    erasure: str = "own"


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
    rising : str
        A column that is not smaller in a row than in those of the same key that it replaces, as ``newest_by`` is.
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
    rising: str = ""
    row: str = ""
    time: str = ""
    keep: str = ""
    part: Literal["", "week", "month", "year"] = ""
    span_ms: int = 0
    page_rows: int = PAGE_ROWS
    source: str = ""
    readable: bool = True

    @property
    def is_personal(self) -> bool:
        """Whether somebody who is erased may stand in its rows: an erasure looks through them."""
        return any(column.erasure != "own" for column in self.columns)

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
        ``name:form`` of each, or ``name:form:erasure``: free texts and packed bytes have to say what an erasure does
        with them.
    key : str
        Names of columns.
    **facts
        The other attributes of :class:`Table`. A table with a ``time`` has a lifetime of its own unless ``keep`` names
        another.

    Raises
    ------
    ValueError
        If a column does not say what an erasure does with it, but has to.

    Examples
    --------
    >>> table("visits", "page:name n:count note:text:free", "page").columns[2]
    Column(name='note', kind='str', form='text', erasure='free')
    """
    if facts.get("time"):
        facts.setdefault("keep", name)
    declared = tuple(_column(name, *item.split(":")) for item in columns.split())
    return Table(name, declared, tuple(key.split()), **facts)


def _column(table: str, name: str, form: str, erasure: str = "") -> Column:
    kind = FORMS[form].kind
    if not erasure and kind in ("str", "strs", "bytes") and form not in _OWN_FORMS:
        raise ValueError(f"column {table}.{name} may name people: say what an erasure does with it, {name}:{form}:…")
    if erasure and erasure not in ERASURES:
        raise ValueError(f"column {table}.{name}: an erasure knows {', '.join(ERASURES)}, not {erasure!r}")
    return Column(name, kind, form, erasure or "own")
