"""Packets of ClickHouse's native protocol, as a server reads and writes them.

What a packet holds depends on the revision that both sides know. Revisions from 54412 (2018, the oldest server that
Linux distributions ship) to 54468 (the newest that clickhouse-driver 0.2.11 speaks) are known here.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from tests.services.clickhouse.blocks import Block
from tests.services.clickhouse.stream import Stream, string, varint

__all__ = [
    "OLDEST_REVISION",
    "REVISION",
    "FromClient",
    "FromServer",
    "Hello",
    "Query",
    "ServerError",
    "exception",
    "hello",
    "profile",
    "profile_events",
    "progress",
    "read_hello",
    "read_query",
    "table_columns",
]

REVISION = 54468
OLDEST_REVISION = 54412

_SETTINGS_AS_STRINGS = 54429
_INTERSERVER_SECRET = 54441
_OPENTELEMETRY = 54442
_DISTRIBUTED_DEPTH = 54448
_QUERY_START_TIME = 54449
PROFILE_EVENTS = 54451
"""Since this revision a server counts aloud what a query did."""
_PARALLEL_REPLICAS = 54453
PROFILE_EVENTS_IN_INSERT = 54456
"""Since this revision a client waits for events after each block that it sends."""
ADDENDUM = 54458
"""Since this revision a client adds its quota key to the greeting once it knows the server's revision."""
_PARAMETERS = 54459
_QUERY_TIME_IN_PROGRESS = 54460
_PASSWORD_RULES = 54461
_INTERSERVER_NONCE = 54462
_TOTAL_BYTES_IN_PROGRESS = 54463
_WRITE_INFO = 54420


class FromClient(IntEnum):
    """Types of packets that a client sends."""

    HELLO = 0
    QUERY = 1
    DATA = 2
    CANCEL = 3
    PING = 4


class FromServer(IntEnum):
    """Types of packets that a server sends."""

    HELLO = 0
    DATA = 1
    EXCEPTION = 2
    PROGRESS = 3
    PONG = 4
    END_OF_STREAM = 5
    PROFILE_INFO = 6
    TABLE_COLUMNS = 11
    PROFILE_EVENTS = 14


class ServerError(Exception):
    """What a server answers when it cannot do as asked.

    Parameters
    ----------
    code : int
        Of ClickHouse's table of error codes.
    message : str
        Without the words ``DB::Exception``.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Hello:
    """Who connects, and to what."""

    client: str
    revision: int
    database: str
    user: str
    password: str


@dataclass(frozen=True)
class Query:
    """A statement with what came along.

    Attributes
    ----------
    text : str
    query_id : str
        Empty if the server is to choose one.
    settings : dict
        For this statement only, as text.
    important : frozenset of str
        Those settings that may not be passed over if they are unknown.
    parameters : dict
        Values of ``{name:Type}``, escaped as in tab-separated files.
    compressed : bool
        Whether blocks go compressed, in both directions.
    """

    text: str
    query_id: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    important: frozenset[str] = frozenset()
    parameters: dict[str, str] = field(default_factory=dict)
    compressed: bool = False


def read_hello(stream: Stream) -> Hello:
    """Return the greeting, whose packet type has been read."""
    client, _, _, revision = stream.string(), stream.varint(), stream.varint(), stream.varint()
    return Hello(client, revision, stream.string(), stream.string(), stream.string())


def hello(version: str, timezone: str, name: str, revision: int) -> bytes:
    """Return a server's greeting.

    Parameters
    ----------
    version : str
        Such as ``26.9.2``.
    timezone, name : str
    revision : int
        The one that both sides know: it decides what is sent. The server's own is named in any case.
    """
    major, minor, patch = (int(part) for part in version.split(".")[:3])
    parts = [varint(FromServer.HELLO), string("ClickHouse"), varint(major), varint(minor), varint(REVISION)]
    parts += [string(timezone), string(name), varint(patch)]
    if revision >= _PASSWORD_RULES:
        parts.append(varint(0))
    if revision >= _INTERSERVER_NONCE:
        parts.append(struct.pack("<Q", 0))
    return b"".join(parts)


def read_query(stream: Stream, revision: int, numeric: frozenset[str]) -> Query:
    """Return a statement, whose packet type has been read.

    Parameters
    ----------
    stream : Stream
    revision : int
    numeric : frozenset of str
        Settings that old revisions send as a number instead of as text.
    """
    query_id = stream.string()
    _skip_client_info(stream, revision)
    as_text = revision >= _SETTINGS_AS_STRINGS
    settings, flags = _read_settings(stream) if as_text else _read_binary_settings(stream, numeric)
    if revision >= _INTERSERVER_SECRET:
        stream.raw_string()
    stream.varint()  # how far to process: a driver always wants the complete result
    compressed = bool(stream.varint())
    text = stream.string()
    parameters = _read_settings(stream)[0] if revision >= _PARAMETERS else {}
    important = frozenset(name for name, flag in flags.items() if flag & 1)
    return Query(text, query_id, settings, important, {k: _unquoted(v) for k, v in parameters.items()}, compressed)


def _skip_client_info(stream: Stream, revision: int) -> None:
    if not stream.byte():
        return
    for _ in range(3):  # user, query id and address of the first of several servers
        stream.raw_string()
    if revision >= _QUERY_START_TIME:
        stream.read(8)
    stream.byte()  # interface
    for _ in range(3):  # user of the system, host, client
        stream.raw_string()
    for _ in range(3):  # version, revision
        stream.varint()
    stream.raw_string()  # quota key
    if revision >= _DISTRIBUTED_DEPTH:
        stream.varint()
    stream.varint()  # patch
    if revision >= _OPENTELEMETRY and stream.byte():
        stream.read(16 + 8)
        stream.raw_string()
        stream.byte()
    if revision >= _PARALLEL_REPLICAS:
        for _ in range(3):
            stream.varint()


def _read_settings(stream: Stream) -> tuple[dict[str, str], dict[str, int]]:
    values, flags = {}, {}
    while name := stream.string():
        flags[name] = stream.varint()
        values[name] = stream.string()
    return values, flags


def _read_binary_settings(stream: Stream, numeric: frozenset[str]) -> tuple[dict[str, str], dict[str, int]]:
    values = {}
    while name := stream.string():
        values[name] = str(stream.varint()) if name in numeric else stream.string()
    return values, {}


_ESCAPED = re.compile(r"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "r": "\r", "n": "\n", "t": "\t", "0": "\0", "a": "\a", "v": "\v"}


def _unquoted(value: str) -> str:
    r"""Return what a quoted literal says; a parameter comes as one.

    Examples
    --------
    >>> _unquoted(r"'it\'s'")
    "it's"
    """
    return _ESCAPED.sub(_unescaped, value[1:-1]) if value[:1] == "'" else value


def _unescaped(found: re.Match[str]) -> str:
    letter = found[1]
    if len(letter) == 3:
        return chr(int(letter[1:], 16))
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    return letter if letter in "\\'\"`/=" else found[0]


def exception(error: ServerError) -> bytes:
    """Return an error as a packet; it ends what is answered to a statement."""
    parts = [varint(FromServer.EXCEPTION), struct.pack("<i", error.code), string("DB::Exception")]
    return b"".join([*parts, string(f"DB::Exception: {error.message}"), string(""), b"\x00"])


def progress(revision: int, rows: int, size_bytes: int, elapsed_s: float) -> bytes:
    """Return what was read since the last such packet; nothing is ever said of what was written."""
    numbers = [rows, size_bytes, rows]
    if revision >= _TOTAL_BYTES_IN_PROGRESS:
        numbers.append(size_bytes)
    if revision >= _WRITE_INFO:
        numbers += [0, 0]
    if revision >= _QUERY_TIME_IN_PROGRESS:
        numbers.append(int(elapsed_s * 1e9))
    return b"".join(map(varint, [FromServer.PROGRESS, *numbers]))


def profile(rows: int, blocks: int, size_bytes: int) -> bytes:
    """Return what a result amounts to; no limit is ever reported."""
    return b"".join(map(varint, [FromServer.PROFILE_INFO, rows, blocks, size_bytes, 0, 0, 0]))


def table_columns(columns: Sequence[tuple[str, str]]) -> bytes:
    """Return what a client is told of a table's columns before their sample block; a driver passes it over."""
    lines = "".join(f"`{name}` {kind}\n" for name, kind in columns)
    text = f"columns format version: 1\n{len(columns)} columns:\n{lines}"
    return varint(FromServer.TABLE_COLUMNS) + string("") + string(text)


_EVENTS = (
    ("host_name", "String"),
    ("current_time", "DateTime"),
    ("thread_id", "UInt64"),
    ("type", "Enum8('increment' = 1, 'gauge' = 2)"),
    ("name", "String"),
    ("value", "Int64"),
)


def profile_events(revision: int, counts: Mapping[str, int]) -> bytes:
    """Return counters as a block that is never compressed."""
    rows = len(counts)
    names = b"".join(map(string, counts))
    zeros = [b"\x00" * rows, b"\x00" * 4 * rows, b"\x00" * 8 * rows]
    values = [*zeros, b"\x01" * rows, names, struct.pack(f"<{rows}q", *counts.values())]
    return varint(FromServer.PROFILE_EVENTS) + string("") + Block(_EVENTS, rows, values).wire(revision)
