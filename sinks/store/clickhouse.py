"""A ClickHouse server, or a cluster of them, through clickhouse-driver's native protocol.

Guarantee: what ``append`` acknowledged is on the server; on a cluster it is on most replicas of its shard, and every
later read sees it, whichever replica answers. How safe it is there is the server's business. An insert is one block
under one token, and is repeated only under that token: whatever happens on the way, its rows are there once or not at
all. A token is remembered for the newest 10,000 inserts of a table (of a shard's table, on a cluster). ``append``
begins no attempt after ``append_timeout_ms``, and an attempt waits ``timeout_ms`` for an answer: well within the 5
minutes after which Kafka gives a silent consumer's partitions away.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import structlog
from clickhouse_driver.protocol import ServerPacketTypes
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_before_delay, wait_random_exponential

from sinks.store.arrow import arrow_array
from sinks.store.blocks import BlockReader
from sinks.store.clients import Address, Clients
from sinks.store.cluster import Cluster
from sinks.store.contract import Columns, StoreError, Table
from sinks.store.failures import EngineError
from sinks.store.filling import IDENTITY
from sinks.store.schema import Migration
from sinks.store.sqlstore import SqlStore

if TYPE_CHECKING:
    import pyarrow
    from clickhouse_driver import Client

__all__ = ["ClickhouseStore"]

T = TypeVar("T")

log = structlog.get_logger("leeway.store")

_SETTINGS: dict[str, Any] = {
    "final": 1,  # queries see the newest row of each key, those of users too
    "do_not_merge_across_partitions_select_final": 1,  # a key never lies in two partitions
    "async_insert": 0,  # an asynchronous insert ignores its token, and is acknowledged before it is written
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,  # off by default before 26.2
    "distributed_product_mode": "global",  # a join of two tables means all of their rows, on whatever shard
    "max_partitions_per_insert_block": 0,  # a backfill may reach over years
    "distributed_foreground_insert": 1,  # acknowledged once the shards have the rows, not once they are queued
}
_QUORUM: dict[str, Any] = {
    # Replicas know which inserts have their quorum only if these follow one another: a parallel one cannot be read so.
    "insert_quorum_parallel": 0,
    # A replica that lacks such an insert refuses the read, and the next one is asked.
    "select_sequential_consistency": 1,
}
_ON_ONE_SHARD = {IDENTITY}
"""Whoever asks first makes the row: keys that differ must meet the same token, which each shard knows for itself."""

_READ_ONLY = {"readonly": 2}  # 2 rather than 1, which would refuse a query's own SETTINGS clause
_COMMAND_TIMEOUT_S = 3_600.0
_UNKNOWN_DATABASE = 81
_NAME = re.compile(r"[\w.-]+")


class ClickhouseStore(SqlStore):
    """Tables in a database of a ClickHouse server; any thread may call it.

    Parameters
    ----------
    address : Address
        ``migrate`` makes the database if it is not there. Several hosts must be replicas or shards of ``cluster``:
        servers that know nothing of each other do not know each other's tokens either.
    cluster : str
        A cluster of the server's configuration: tables are replicated and distributed over its shards.
    quorum : int
        Replicas of a shard that must have an insert before it is acknowledged; 0 for most of them. With 1 a read may
        miss what another replica acknowledged. Only with ``cluster``.
    append_timeout_ms : int
        How long ``append`` tries again; a read does so for the address's ``connect_timeout_ms``, since people wait.

    Raises
    ------
    StoreError
        If the settings contradict each other. Nothing is sent to the server yet.
    """

    def __init__(
        self, address: Address, *, cluster: str = "", quorum: int = 0, append_timeout_ms: int = 90_000
    ) -> None:
        for kind, name in (("database", address.database), ("cluster", cluster or "none")):
            if not _NAME.fullmatch(name):  # it stands in statements, where a value cannot be bound
                raise StoreError(f"{name!r} is no name of a {kind}: letters, digits and _ . -")
        if not cluster and (len(address.hosts) > 1 or quorum):
            raise StoreError("several hosts and a quorum need the name of the cluster that they belong to")
        self.retries = 0
        """Calls that were tried again, so far."""
        self.where = str(address)
        self._address = address
        self._cluster = Cluster(cluster, address.database) if cluster else None
        self._append_timeout_s = append_timeout_ms / 1000
        self._inserting = {"max_execution_time": math.ceil(address.timeout_ms / 1000)}
        consistent = _consistent(quorum, address.timeout_ms) if cluster else {}
        self._clients = Clients(address, _SETTINGS | consistent, _returns_arrow)

    @classmethod
    def from_settings(cls, **settings: Any) -> ClickhouseStore:
        """Return the store that a configuration describes: fields of :class:`Address` and parameters of the store."""
        address = {name: settings.pop(name) for name in Address.__dataclass_fields__ if name in settings}
        return cls(Address.from_settings(**address), **settings)

    def hear_answers(self, hear: Callable[[str], None]) -> bool:
        """Have ``hear`` called with what becomes of calls; see :meth:`Connection.hear_answers`."""
        self._clients.hear = hear
        return True

    def migrate(self) -> None:
        """Create the database and create or upgrade the tables; see :class:`sinks.store.contract.Store`."""
        try:
            super().migrate()
        except EngineError as error:
            if error.code != _UNKNOWN_DATABASE:
                raise
            self._create_database()
            super().migrate()

    def is_current(self) -> bool:
        """Return whether ``migrate`` would do nothing; False where there is no database yet."""
        try:
            return super().is_current()
        except EngineError as error:
            if error.code != _UNKNOWN_DATABASE:
                raise
            return False

    def _create_database(self) -> None:
        on = self._cluster.clause if self._cluster else ""
        outside = Clients(self._address.within(""), {}, _returns_arrow)
        try:
            with outside.client() as client:
                client.execute(f"CREATE DATABASE IF NOT EXISTS `{self._address.database}`{on}")
        finally:
            outside.close()

    def _statements(self, step: Migration) -> Sequence[str]:
        return self._cluster.statements(step.statements) if self._cluster else step.statements

    def altered(self, table: str) -> str:
        """Return what ALTER TABLE names: on a cluster the tables of all servers behind the distributed one."""
        return self._cluster.altered(table) if self._cluster else super().altered(table)

    def stored(self, table: str) -> str:
        """Return the name of the table that holds rows: on a cluster the one behind the distributed one."""
        return f"`{table}_local`" if self._cluster else super().stored(table)

    @property
    def is_replicated(self) -> bool:
        """Whether several servers may have the same rows."""
        return self._cluster is not None

    def everywhere(self, table: str) -> str:
        """Return what to read in place of a system table: on a cluster those of all servers."""
        return self._cluster.everywhere(table) if self._cluster else table

    def _insert(self, table: Table, rows: Columns, token: str) -> None:
        names = ", ".join(f"`{column.name}`" for column in table.columns)
        columns = [_PLAIN[column.kind](rows[column.name]) for column in table.columns]
        # One block: a token names the whole of what is sent under it.
        settings = self._inserting | {"insert_deduplication_token": token, "insert_block_size": len(columns[0])}
        if self._cluster and table.name in _ON_ONE_SHARD:
            settings["insert_shard_id"] = 1

        def insert(client: Client) -> None:
            client.execute(f"INSERT INTO `{table.name}` ({names}) VALUES", columns, columnar=True, settings=settings)

        self._again(insert, self._append_timeout_s)

    def _again(self, call: Callable[[Client], T], budget_s: float) -> T:
        """Call with a client until it succeeds, fails for good, or ``budget_s`` is over."""

        def once() -> T:
            with self._clients.client() as client:
                return call(client)

        return self._trying(budget_s)(once)

    def _trying(self, budget_s: float) -> Retrying:
        return Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, StoreError) and error.retryable),
            stop=stop_before_delay(budget_s),
            wait=wait_random_exponential(multiplier=0.1, max=5.0),
            before_sleep=self._again_soon,
            reraise=True,
        )

    def _again_soon(self, state: RetryCallState) -> None:
        self.retries += 1
        _say(state)

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement that returns nothing. Once: whether it may be repeated, only the caller knows.

        It may take an hour, through which a server says nothing while it merges or alters.
        """
        with self._clients.client() as client, client.connection.timeout_setter(_COMMAND_TIMEOUT_S):
            client.execute(sql, _plain_parameters(parameters))

    def command_again(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run an INSERT … SELECT that may run twice, for as long as an append is tried again.

        On a cluster the server refuses it while an append into the same table waits for its quorum.
        """
        self._trying(self._append_timeout_s)(self.command, sql, parameters)

    def _arrow(self, sql: str, parameters: Mapping[str, Any] | None) -> pyarrow.Table:
        values = _plain_parameters(parameters)

        def fetch(client: Client) -> pyarrow.Table:
            table: pyarrow.Table | None = client.execute(sql, values, columnar=True, settings=_READ_ONLY)
            if table is None:  # a SET, for one; inside the call, so that the connection is not used again
                raise StoreError("the statement returns no table; only those that read are allowed")
            return table

        return self._again(fetch, self._address.connect_timeout_ms / 1000)

    def close(self) -> None:
        """Close all connections once calls under way have ended; closing twice is allowed."""
        self._clients.close()


def _consistent(quorum: int, timeout_ms: int) -> dict[str, Any]:
    """Return the settings with which every replica gives the same answer, also to what INSERT … SELECT has written."""
    if quorum == 1:
        return {}
    return {"insert_quorum": quorum or "auto", "insert_quorum_timeout": timeout_ms, **_QUORUM}


def _say(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    log.warning("the store does not answer; trying again", error=str(error), attempt=state.attempt_number)


def _returns_arrow(client: Client) -> None:
    client.query_result_cls = _ArrowResult
    blocks = client.connection.get_block_in_stream
    client.connection.get_block_in_stream = lambda: BlockReader(blocks())


class _ArrowResult:
    """Takes the place of the driver's collection of results: each block becomes Arrow as it comes.

    The driver would keep every value as a Python object until the last block is there.
    """

    def __init__(self, packets: Any, with_column_types: bool = False, columnar: bool = False) -> None:
        self._packets = packets

    def get_result(self) -> pyarrow.Table | None:
        """Return the result, or None if the statement has none."""
        import pyarrow

        kinds: list[tuple[str, str]] = []
        chunks: list[list[Any]] = []
        for packet in self._packets:
            if packet.type == ServerPacketTypes.DATA and packet.block.columns_with_types:
                kinds = kinds or packet.block.columns_with_types
                data = packet.block.get_columns() or [() for _ in kinds]
                chunks.append([arrow_array(kind, values) for (_, kind), values in zip(kinds, data, strict=True)])
        if not kinds:
            return None
        columns = [pyarrow.chunked_array(parts) for parts in zip(*chunks, strict=True)]
        return pyarrow.table(columns, names=[name for name, _ in kinds])


# The driver writes from lists. It has a way for numpy arrays, which needs pandas, is slower for rows with many names
# (each becomes a pandas Categorical: 5.2 instead of 1.5 ms for 1000 scores), equal for 100,000, and none for arrays.
def _listed(values: Any) -> list[Any]:
    return list(values.tolist())


def _listed_arrays(values: Any) -> list[list[Any]]:
    return [array.tolist() for array in values]


def _as_given(values: Any) -> Any:
    return values


def _utf8(values: Sequence[str]) -> list[bytes]:
    # Names repeat thousands of times in a block: each is encoded once.
    encoded = {value: value.encode() for value in set(values)}
    return [encoded[value] for value in values]


def _utf8_lists(values: Sequence[Sequence[str]]) -> list[list[bytes]]:
    return [[item.encode() for item in value] for value in values]


_PLAIN: dict[str, Callable[[Any], Sequence[Any]]] = {
    "int": _listed,
    "float": _listed,
    "str": _utf8,
    "bytes": _as_given,
    "ints": _listed_arrays,
    "floats": _listed_arrays,
    "strs": _utf8_lists,
}


def _plain_parameters(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in (parameters or {}).items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain_value(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
