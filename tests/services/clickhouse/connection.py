"""One client of the server, from its greeting to its end."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from tests.services.clickhouse.blocks import Block, UnknownTypeError, read_block, read_info
from tests.services.clickhouse.chdb import Engine
from tests.services.clickhouse.compression import ChecksumError, read_frame
from tests.services.clickhouse.faults import DroppedError, Plan
from tests.services.clickhouse.protocol import (
    ADDENDUM,
    OLDEST_REVISION,
    REVISION,
    FromClient,
    FromServer,
    ServerError,
    exception,
    hello,
    read_hello,
    read_query,
)
from tests.services.clickhouse.statement import Statement
from tests.services.clickhouse.stream import Stream, varint

__all__ = ["Connection"]

_RECEIVE_BYTES = 1 << 20


class Connection:
    """Answers the packets of one client.

    Parameters
    ----------
    connection : socket
    engine : Engine
    plan : Plan
    users : mapping of str to str

    Attributes
    ----------
    revision : int
        Of the protocol, as agreed with the client.
    before : tuple of str
        Statements that changed what later ones run in: SET and USE.
    worker : ThreadPoolExecutor
        One thread for the engine's work, so that this one can see the client cancel it.
    """

    def __init__(self, connection: socket.socket, engine: Engine, plan: Plan, users: Mapping[str, str]) -> None:
        self.socket = connection
        self.engine = engine
        self.plan = plan
        self.stream = Stream(lambda: connection.recv(_RECEIVE_BYTES))
        self.revision = 0
        self.before: tuple[str, ...] = ()
        self.worker = ThreadPoolExecutor(1)
        self._users = users

    def serve(self) -> None:
        """Answer until the client goes, which is an ``EOFError`` or ``OSError`` unless it went between statements."""
        with self.worker:
            try:
                self.expect(FromClient.HELLO)
                self._greet()
            except ServerError as error:
                self.send(exception(error))
                return
            while not self.stream.ended():
                self._answer(self.stream.varint())

    def expect(self, wanted: FromClient) -> None:
        """Read the type of the next packet; ServerError if it is another one."""
        found = self.stream.varint()
        if found != wanted:
            raise ServerError(101, f"Unexpected packet {found} received from client. (UNEXPECTED_PACKET_FROM_CLIENT)")

    def send(self, *packets: bytes) -> None:
        """Send packets."""
        self.socket.sendall(b"".join(packets))

    def receive_block(self, compressed: bool) -> tuple[str, Block]:
        """Return the name and the content of a data packet, whose type has been read."""
        name = self.stream.string()
        stream = Stream(lambda: read_frame(self.stream)) if compressed else self.stream
        try:
            read_info(stream)
            return name, read_block(stream, self.revision)
        except (ChecksumError, UnknownTypeError) as error:
            # Where the next packet begins is unknown from here on.
            code, label = (40, "CHECKSUM_DOESNT_MATCH") if isinstance(error, ChecksumError) else (50, "UNKNOWN_TYPE")
            self.send(exception(ServerError(code, f"{error} ({label})")))
            raise DroppedError from error

    def _greet(self) -> None:
        greeting = read_hello(self.stream)
        if greeting.revision < OLDEST_REVISION:
            raise ServerError(20, f"Revision {greeting.revision} is too old. (UNSUPPORTED_PARAMETER)")
        self.revision = min(REVISION, greeting.revision)
        if self._users.get(greeting.user) != greeting.password:
            reason = "Authentication failed: password is incorrect, or there is no user with such name."
            raise ServerError(516, f"{greeting.user}: {reason} (AUTHENTICATION_FAILED)")
        if greeting.database:
            self._use(greeting.database)
        engine = self.engine
        self.send(hello(engine.version, engine.timezone, engine.host, self.revision))
        if self.revision >= ADDENDUM:
            self.stream.raw_string()

    def _use(self, database: str) -> None:
        if database not in self.engine.databases():
            raise ServerError(81, f"Database {database} does not exist. (UNKNOWN_DATABASE)")
        escaped = database.replace("\\", "\\\\").replace("`", "\\`")
        self.before = (f"USE `{escaped}`",)

    def _answer(self, packet: int) -> None:
        if packet == FromClient.PING:
            self.send(varint(FromServer.PONG))
        elif packet == FromClient.QUERY:
            self._answer_query()
        elif packet != FromClient.CANCEL:  # one that comes too late is no error: its statement has been answered
            self.send(exception(ServerError(99, f"Unknown packet {packet} from client. (UNKNOWN_PACKET_FROM_CLIENT)")))
            raise DroppedError

    def _answer_query(self) -> None:
        query = read_query(self.stream, self.revision, self.engine.numeric_settings)
        try:
            self._receive_external_tables(query.compressed)
            Statement(self, query).answer()
        except ServerError as error:
            self.send(exception(error))

    def _receive_external_tables(self, compressed: bool) -> None:
        named = False
        while True:
            self.expect(FromClient.DATA)
            name, block = self.receive_block(compressed)
            if not block.columns:
                break
            named = named or bool(name)
        if named:
            raise ServerError(48, "External tables are not supported by this endpoint. (NOT_IMPLEMENTED)")
