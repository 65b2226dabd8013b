"""Writes the tables of a new store as all migrations leave them: ``python -m tests.sinks.store.new_store``."""

from __future__ import annotations

import re
import tempfile
from contextlib import closing
from pathlib import Path

from sinks.store.chdb import ChdbStore
from sinks.store.new_store import FILE
from sinks.store.schema import migrations

TABLES = """
SELECT formatQuery(create_table_query) AS text, currentDatabase() AS own FROM system.tables
WHERE database = currentDatabase() ORDER BY engine = 'View', engine = 'MaterializedView', name
"""


def tables_in_sql(store: ChdbStore) -> str:
    """What makes the tables and views of ``store``."""
    rows, statements = store.query(TABLES), []
    for text, own in zip(rows["text"], rows["own"], strict=True):
        bare = re.sub(rf"(?<![\w.`']){re.escape(own)}\.(?=[\w`])", "", text)
        statements.append(re.sub(r"^CREATE ((?:MATERIALIZED )?VIEW|TABLE) ", r"CREATE \1 IF NOT EXISTS ", bare))
    newest = migrations()[-1].version
    first = f"-- The tables after migration {newest}; written by `python -m tests.sinks.store.new_store`.\n"
    return first + ";\n\n".join(statements) + ";\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, closing(ChdbStore(Path(folder) / "store")) as store:
        for step in migrations():
            for statement in step.statements:
                store.command(statement)
        Path(str(FILE)).write_text(tables_in_sql(store), encoding="utf-8")


if __name__ == "__main__":
    main()
