"""Print the statements that make a copy of the embedded store in a directory, without any code of the store itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any


def statements(session: Any) -> Iterator[str]:
    """Tables, then rows, then views, so that views which follow inserts add nothing to the rows."""
    tables = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    names = str(session.query(f"{tables} ORDER BY name", "TSV")).split()
    for name in names:
        yield created(session, name)
    for name in names:
        if rows := str(session.query(f"SELECT * FROM `{name}` FINAL ORDER BY ALL", "Values")):
            yield f"INSERT INTO `{name}` VALUES {rows}"
    views = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%View'"
    for name in str(session.query(f"{views} ORDER BY name", "TSV")).split():
        yield created(session, name)


def created(session: Any, name: str) -> str:
    sql = f"SELECT create_table_query FROM system.tables WHERE name = '{name}' AND database = currentDatabase()"
    return str(session.query(sql, "TSVRaw")).strip().replace("default.", "")


if __name__ == "__main__":
    from chdb.session import Session

    print("".join(f"{statement};\n" for statement in statements(Session(sys.argv[1]))), end="")
