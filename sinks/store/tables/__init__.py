"""Every table of the store, by what its rows are about. A new one is a declaration in one of these files.

:class:`sinks.store.tables.table.Table` says what each fact means, ``docs/schema.md`` lists them all.
"""

from __future__ import annotations

from sinks.store.tables import access, alerts, configurations, events, jobs, performance, progress, results
from sinks.store.tables.table import Table

__all__ = ["DERIVED", "EVERY_TABLE", "READABLE", "TABLES", "erased_by"]

EVERY_TABLE: dict[str, Table] = {
    declared.name: declared
    for room in (results, alerts, progress, events, performance, access, configurations, jobs)
    for declared in room.DECLARED
}
"""Every table that a store has, by name, those included that only the store itself uses."""

READABLE: dict[str, Table] = {name: declared for name, declared in EVERY_TABLE.items() if declared.readable}
"""Every table that ``Query`` may name."""

TABLES: dict[str, Table] = {name: declared for name, declared in READABLE.items() if not declared.source}
"""Every table that is written."""

DERIVED: dict[str, Table] = {name: declared for name, declared in READABLE.items() if declared.source}
"""Tables that a store derives from those of ``TABLES``: to be read like them, and never stale; not to be written."""


def erased_by(erasure: str) -> list[tuple[Table, str]]:
    """Return the tables and columns with which an erasure does one thing, a key of ``ERASURES``.

    Examples
    --------
    >>> [(table.name, column) for table, column in erased_by("packed")]
    [('checkpoints', 'state')]
    """
    return [
        (declared, column.name)
        for declared in EVERY_TABLE.values()
        for column in declared.columns
        if column.erasure == erasure
    ]
