"""The lists of tables in ``docs/schema.md``: ``python -m sinks.store.reference docs/schema.md``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from sinks.store.tables import EVERY_TABLE, TABLES, erased_by
from sinks.store.tables.table import ERASURES, Table

__all__ = ["reference", "rewrite"]

_BEGIN, _END = "<!-- written by `make docs` -->\n", "<!-- to here -->\n"
_UNITS = ((604_800_000, "week"), (86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"))


def reference() -> str:
    """Return the lists, between the marks that stand around them."""
    own = (table for name, table in EVERY_TABLE.items() if name not in TABLES)
    sections = [
        "## Tables that are written\n",
        "All are `ReplacingMergeTree` on their natural key: a replay writes the same keys and so overwrites itself.\n",
        _listed(TABLES.values()),
        "## Tables of the store's own\n",
        "Nobody else writes these. All but `schema_migrations` and `fillings` follow from others, never stale.\n",
        _listed(own),
        "## What an erasure does with each column\n",
        "Columns that are not listed name nobody: words of Leeway and of the configuration, hashes, ids, numbers.\n",
        _erased(),
    ]
    return _BEGIN + "\n".join(sections) + _END


def _listed(tables: Iterable[Table]) -> str:
    rows = ["| table | a row is | sorted by | in parts by | kept as long as |", "|---|---|---|---|---|"]
    rows += (
        f"| `{table.name}` | {table.row} | {', '.join(_sorted_by(table))} | {table.part} | "
        f"{f'`{table.keep}`' if table.keep else 'the store'} |"
        for table in tables
    )
    return "".join(f"{row}\n" for row in rows)


def _erased() -> str:
    rows = ["| columns | what they hold, and what happens |", "|---|---|"]
    for erasure, meaning in ERASURES.items():
        columns = ", ".join(f"`{table.name}.{column}`" for table, column in erased_by(erasure))
        rows += [f"| {columns} | {meaning} |"] if erasure != "own" else []
    return "".join(f"{row}\n" for row in rows)


def _sorted_by(table: Table) -> Iterator[str]:
    first, *others = (f"`{name}`" for name in table.key)
    yield first
    if table.span_ms:
        yield f"{_span(table.span_ms)} of `{table.time}`"
    yield from others


def _span(duration_ms: int) -> str:
    """Return a span in the largest unit of which it is a whole number.

    Examples
    --------
    >>> _span(300_000), _span(86_400_000)
    ('5 minutes', 'a day')
    """
    length_ms, unit = next((ms, unit) for ms, unit in _UNITS if duration_ms % ms == 0)
    count = duration_ms // length_ms
    return f"{'an' if unit == 'hour' else 'a'} {unit}" if count == 1 else f"{count} {unit}s"


def rewrite(document: Path) -> None:
    """Put the lists of today in the place of those that ``document`` has."""
    text = document.read_text(encoding="utf-8")
    marked = re.compile(re.escape(_BEGIN) + ".*" + re.escape(_END), re.DOTALL)
    document.write_text(marked.sub(lambda _: reference(), text), encoding="utf-8")


if __name__ == "__main__":
    rewrite(Path(sys.argv[1]))
