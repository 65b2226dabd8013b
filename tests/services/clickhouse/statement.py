"""One statement of a connection: executed, answered, cancelled, or hit by a fault."""

from __future__ import annotations

import secrets
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, TypeVar

from tests.services.clickhouse.blocks import Block
from tests.services.clickhouse.chdb import Context, Engine, Insert, insert_of
from tests.services.clickhouse.compression import METHODS, frames
from tests.services.clickhouse.faults import DroppedError, Fault, statement_of
from tests.services.clickhouse.protocol import (
    PROFILE_EVENTS,
    PROFILE_EVENTS_IN_INSERT,
    FromClient,
    FromServer,
    Query,
    ServerError,
    profile,
    profile_events,
    progress,
    table_columns,
)
from tests.services.clickhouse.stream import string, varint

if TYPE_CHECKING:
    from tests.services.clickhouse.connection import Connection

__all__ = ["Statement"]

T = TypeVar("T")

_INTERACTIVE_DELAY_S = 0.1
"""How often a waiting client is looked at, and shown that its statement goes on."""


class Statement:
    """One statement, with the fault that hits it, if one does.

    Parameters
    ----------
    connection : Connection
    query : Query

    Raises
    ------
    ServerError
        If a setting that matters is unknown.
    """

    def __init__(self, connection: Connection, query: Query) -> None:
        self._connection = connection
        self._query = query
        self._kind = statement_of(query.text)
        self._shows_progress = False
        self._tag = secrets.token_hex(8)
        self._cancelled = False
        self._client_gone = False
        self._started_s = time.monotonic()
        self._fault = connection.plan.take(query.text, query.settings) or Fault("none")
        settings = _known(query, connection.engine.settings)
        self._method = settings.get("network_compression_method", "LZ4").upper()
        if self._method not in METHODS:
            raise ServerError(89, f"Unknown compression method {self._method}. (UNKNOWN_COMPRESSION_METHOD)")
        self._context = Context(connection.before, settings, query.parameters, self._tag)

    def answer(self) -> None:
        """Execute the statement and send all of its answer, or raise the error that is the answer."""
        insert = insert_of(self._query.text)
        if insert is None:
            # What defines tables says nothing until it is done, nor does an insert of the client's rows.
            self._shows_progress = self._kind != "other"
            self._answer_without_data()
        else:
            self._answer_insert(insert)

    # Results

    def _answer_without_data(self) -> None:
        self._suffer("drop_in_data", "drop_before", "error", "delay_before")
        blocks = self._connection.engine.run(self._query.text, self._context)
        sent = rows = size_bytes = 0
        try:
            for block in self._until_cancelled(blocks):
                if not sent:
                    self._suffer("drop_after", "error_after", "delay")
                self._send_block(block)
                sent += 1
                rows += block.rows
                size_bytes += block.size_bytes
        finally:
            blocks.close()
        if not sent:
            self._suffer("drop_after", "drop_in_result", "error_after", "delay")
        self._finish(sent, rows, size_bytes)

    def _until_cancelled(self, blocks: Iterator[Block]) -> Iterator[Block]:
        try:
            while (block := self._watched(lambda: next(blocks, None))) is not None and not self._cancelled:
                yield block
        except ServerError:
            if not self._cancelled:
                raise

    def _finish(self, sent: int, rows: int, size_bytes: int) -> None:
        connection = self._connection
        if Engine.changes_session(self._query.text):
            connection.before += (self._query.text,)
        packets = []
        if not self._cancelled and (sent or self._kind == "insert"):
            packets.append(self._progress(rows, size_bytes))
            if connection.revision >= PROFILE_EVENTS:
                packets.append(profile_events(connection.revision, {"SelectedRows": rows}))
        if not self._cancelled and sent:
            packets = [profile(rows, sent - 1, size_bytes), *packets, self._data(Block())]
        connection.send(*packets, varint(FromServer.END_OF_STREAM))

    def _send_block(self, block: Block) -> None:
        packet = self._data(block)
        if block.rows and self._fault.kind == "drop_in_result":
            self._connection.send(packet[: len(packet) // 2])
            self._drop()
        self._connection.send(packet)

    def _data(self, block: Block) -> bytes:
        body = block.wire(self._connection.revision)
        return varint(FromServer.DATA) + string("") + (frames(body, self._method) if self._query.compressed else body)

    def _progress(self, rows: int = 0, size_bytes: int = 0) -> bytes:
        return progress(self._connection.revision, rows, size_bytes, time.monotonic() - self._started_s)

    # Inserts

    def _answer_insert(self, insert: Insert) -> None:
        connection = self._connection
        sample = connection.engine.sample(insert, self._context)
        connection.send(table_columns(sample.columns), self._data(sample))
        blocks = self._received()
        self._suffer("drop_before", "error", "delay_before")
        if blocks:  # all of it is here: that the client may go meanwhile changes nothing
            connection.engine.insert(insert, blocks, self._context)
        self._suffer("drop_after", "drop_in_result", "error_after", "delay")
        rows = sum(block.rows for block in blocks)
        connection.send(self._events(rows), varint(FromServer.END_OF_STREAM))  # no progress: clients do not expect it

    def _received(self) -> list[Block]:
        connection = self._connection
        blocks: list[Block] = []
        while True:
            connection.expect(FromClient.DATA)
            if self._fault.kind == "drop_in_data":
                connection.stream.read(8)
                self._drop()
            _, block = connection.receive_block(self._query.compressed)
            if not block.columns:
                return blocks
            if block.rows:
                blocks.append(block)
            connection.send(self._events(block.rows))

    def _events(self, rows: int) -> bytes:
        revision = self._connection.revision
        return profile_events(revision, {"InsertedRows": rows}) if revision >= PROFILE_EVENTS_IN_INSERT else b""

    # Cancelling

    def _watched(self, work: Callable[[], T]) -> T:
        """Do work in the other thread, and look here for the client's wish to cancel it, or for its end."""
        future: Future[T] = self._connection.worker.submit(work)
        while not wait([future], _INTERACTIVE_DELAY_S).done:
            self._cancel_if_wanted()
            if self._shows_progress and not self._cancelled:
                self._connection.send(self._progress())
        self._cancel_if_wanted()
        if self._client_gone:
            raise EOFError("the client left its statement")
        return future.result()

    def _cancel_if_wanted(self) -> None:
        if self._cancelled or not self._is_readable():
            return
        self._cancelled = True
        self._client_gone = self._connection.stream.ended()
        self._connection.engine.cancel(self._tag)
        if not self._client_gone:
            self._connection.expect(FromClient.CANCEL)

    def _is_readable(self) -> bool:
        connection = self._connection
        # TLS may hold decrypted bytes of which the socket itself shows nothing.
        if connection.stream.buffered or getattr(connection.socket, "pending", int)():
            return True
        return bool(select.select([connection.socket], [], [], 0)[0])

    # Faults

    def _suffer(self, *kinds: str) -> None:
        """Bear the statement's fault here, if it is one of ``kinds``."""
        fault = self._fault
        if fault.kind not in kinds:
            return
        if fault.kind in {"delay", "delay_before"}:
            time.sleep(fault.delay_s)
        elif fault.kind in {"error", "error_after"}:
            raise ServerError(fault.code, f"{fault.message} (INJECTED)")
        else:
            self._drop()

    def _drop(self) -> None:
        if self._fault.reset:  # a linger time of nothing makes close() a reset
            linger = struct.pack("ii", 1, 0)
            self._connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        raise DroppedError


def _known(query: Query, settings: frozenset[str]) -> dict[str, str]:
    """Return the settings of a statement that exist; others are passed over, unless they are important."""
    unknown = query.settings.keys() - settings
    for name in unknown & query.important:
        raise ServerError(115, f"Setting {name} is neither a builtin setting nor a custom one. (UNKNOWN_SETTING)")
    return {name: value for name, value in query.settings.items() if name not in unknown}
