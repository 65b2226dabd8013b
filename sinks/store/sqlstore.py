"""What the stores that speak ClickHouse's SQL share: tables by migrations, checked rows in, Arrow out.

A new one says how a block is inserted and a statement is run; the rest is here.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sinks.store.connection import Connection
from sinks.store.contract import READABLE, Buckets, Columns, Drifting, Query, Table
from sinks.store.derived import TIERS
from sinks.store.new_store import create_tables, is_new
from sinks.store.rollups import SETTLE_MS, read_buckets, read_drifting, read_totals, refresh, tier_question
from sinks.store.rows import (
    checked_buckets,
    checked_columns,
    checked_drifting,
    checked_query,
    checked_totals,
    row_count,
    table_named,
)
from sinks.store.schema import RECORD, Migration, pending
from sinks.store.sql import select

__all__ = ["SqlStore", "token_digest"]


class SqlStore(Connection):
    """A store whose tables are ClickHouse's; see :class:`sinks.store.contract.Store` for what it promises."""

    @abstractmethod
    def close(self) -> None:
        """Release the store once calls under way have ended; closing twice is allowed."""

    @abstractmethod
    def _insert(self, table: Table, rows: Columns, token: str) -> None:
        """Insert ``rows``, which are checked and not none, as one block under ``token``, a digest in hex."""

    def migrate(self) -> None:
        """Create or upgrade the tables; see :class:`sinks.store.contract.Store`."""
        # On a cluster each table is two, which only the migrations say.
        if not self.is_replicated and is_new(self):
            create_tables(self)
        for step in pending(self):
            for statement in self._statements(step):
                self.command(statement)
            # Recorded last: a step that was cut off before runs once more, which is harmless. So is a second record.
            self.command_again(
                f"INSERT INTO {RECORD} SELECT {{version:Int64}}, {{name:String}}",
                {"version": step.version, "name": step.name},
            )

    def is_current(self) -> bool:
        """Return whether ``migrate`` would do nothing; see :class:`sinks.store.contract.Store`."""
        return not pending(self)

    def _statements(self, step: Migration) -> Sequence[str]:
        return step.statements

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        """Write rows as one block; see :class:`sinks.store.contract.Store`."""
        definition = table_named(table)
        self.write(definition, checked_columns(definition, columns), token)

    def write(self, table: Table, rows: Columns, token: str) -> None:
        """Write rows, which are checked, into any table, those included that follow from others.

        Raises
        ------
        StoreError
        """
        if row_count(rows):
            self._insert(table, rows, token_digest(token))

    def read(self, query: Query) -> Columns:
        """Return the rows that ``query`` asks for."""
        query = checked_query(query)
        statement = tier_question(self, query) if query.table in TIERS else select(query)
        return self.fetch(*statement, {column.name: column.kind for column in READABLE[query.table].columns})

    def totals(self, query: Query) -> Columns:
        """Return panes, or sums of them, added up."""
        return read_totals(self, checked_totals(query))

    def buckets(self, buckets: Buckets) -> Columns:
        """Return what the scores were like in each span of time."""
        return read_buckets(self, checked_buckets(buckets))

    def drifting(self, drifting: Drifting) -> Columns:
        """Return the series that drifted, the worst first."""
        return read_drifting(self, checked_drifting(drifting))

    def refresh(self, settle_ms: int = SETTLE_MS, is_enough: Callable[[], bool] = lambda: False) -> int:
        """Bring roll-ups up to date; see :func:`sinks.store.rollups.refresh`."""
        return refresh(self, settle_ms, is_enough)


def token_digest(token: str) -> str:
    """Return ``token`` as 32 hexadecimal digits: a setting cannot be bound like a value.

    Examples
    --------
    >>> token_digest("events/0/7")
    '2bc45ab440e8b51b0f990cb163d685de'
    """
    return hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
