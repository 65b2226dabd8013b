"""Statements, run by the ClickHouse that chDB embeds. One directory, any number of threads.

A server says so when its disk is full; this engine does not (`sinks/store/full_disk.py`). So what it wrote then is
looked at, and an insert of which nobody can be sure is refused, and is no repetition when it comes again.

Every statement gets a session of its own, which takes less than a millisecond: what one connection sets, another
never sees, and nothing that a failed statement left behind reaches the next.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from sinks.store.contract import StoreError
from sinks.store.cut_parts import engine_configuration
from sinks.store.full_disk import FullDisk
from tests.services.clickhouse.blocks import Block, UnknownTypeError, read_block
from tests.services.clickhouse.protocol import ServerError
from tests.services.clickhouse.stream import Stream

__all__ = ["Context", "Engine", "Insert", "insert_of"]

FREE_BYTES = 128 * 2**20
LOOK_EVERY_S = 2.0

_TOKEN = "insert_deduplication_token"

# A statement must begin with a word that says what it does, as on a server.
_SETTINGS = {"implicit_select": "0"}
_NOT_STREAMED = "Streaming query is not supported"
_ERROR = re.compile(r"Code: (\d+)\. DB::Exception: (.*)", re.DOTALL)

_COMMENT = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_NAME = r"(?:`(?:[^`\\]|\\.)+`|\"(?:[^\"\\]|\\.)+\"|\w+)"
_INSERT = re.compile(
    rf"{_COMMENT}INSERT\s+INTO\s+(?:TABLE\s+)?(?P<table>{_NAME}(?:\s*\.\s*{_NAME})?)\s*"
    rf"(?:\((?P<columns>[^()]*)\))?\s*(?P<settings>SETTINGS\s.+?)?\s*\b(?:VALUES|FORMAT\s+\w+)[\s;]*",
    re.IGNORECASE | re.DOTALL,
)
_FORMAT = re.compile(r"\sFORMAT\s+[A-Za-z]\w*[\s;]*$", re.IGNORECASE)
_READS = re.compile(rf"{_COMMENT}\(*{_COMMENT}(SHOW|DESC|DESCRIBE|EXISTS|EXPLAIN|CHECK)\b", re.IGNORECASE | re.DOTALL)
_WRITES = re.compile(
    rf"{_COMMENT}(ALTER|CREATE|DELETE|DROP|INSERT|OPTIMIZE|RENAME|TRUNCATE|UPDATE)\b", re.IGNORECASE | re.DOTALL
)
_FOR_SESSION = re.compile(rf"{_COMMENT}(SET|USE)\s", re.IGNORECASE | re.DOTALL)


class Insert(NamedTuple):
    """An INSERT whose rows come from the client.

    Attributes
    ----------
    table : str
        As written, quoted or not.
    columns : list of str
        Without quotes; empty if the statement names none.
    settings : str
        The statement's own SETTINGS clause, or nothing.
    """

    table: str
    columns: list[str]
    settings: str


def insert_of(text: str) -> Insert | None:
    """Return what an INSERT without rows of its own says; None for every other statement.

    Examples
    --------
    >>> insert_of("INSERT INTO t (a, `b c`) VALUES")
    Insert(table='t', columns=['a', 'b c'], settings='')
    >>> insert_of("INSERT INTO t VALUES (1)"), insert_of("INSERT INTO t SELECT 1")
    (None, None)
    """
    found = _INSERT.fullmatch(text)
    if found is None:
        return None
    columns = [name.strip().strip('`"') for name in (found["columns"] or "").split(",") if name.strip()]
    return Insert(found["table"], columns, found["settings"] or "")


@dataclass(frozen=True)
class Context:
    """What a statement runs in.

    Attributes
    ----------
    before : tuple of str
        Statements that changed the connection: SET and USE.
    settings, parameters : mapping of str to str
        For this statement only.
    tag : str
        A name under which :meth:`Engine.cancel` finds the statement.
    """

    before: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    tag: str = ""


class Engine:
    """ClickHouse in this process.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        from chdb.session import Session

        self._configuration = os.memfd_create("configuration")
        os.write(self._configuration, engine_configuration(FREE_BYTES))
        configuration = f"/proc/self/fd/{self._configuration}"
        self._open: Callable[[], Any] = lambda: Session(f"{path}?config-file={configuration}")
        # The engine lives as long as any session does.
        self._kept: Any = self._open()
        self._disk = FullDisk(path, FREE_BYTES, self._asked, look_every_s=LOOK_EVERY_S)
        self._disk.start()
        self.version, self.timezone, self.host = self._row("SELECT version(), timezone(), hostName()")
        kinds = dict(self._rows("SELECT name, type FROM system.settings"))
        self.settings = frozenset(kinds)
        self.numeric_settings = frozenset(name for name, kind in kinds.items() if _is_number(kind))

    def _asked(self, sql: str) -> str:
        try:
            return str(self._kept.query(sql, "JSONCompactEachRow"))
        except RuntimeError as error:
            raise StoreError(str(error)) from error

    def _rows(self, sql: str) -> list[list[str]]:
        with _errors():
            return [line.split("\t") for line in str(self._kept.query(sql, "TSV")).splitlines()]

    def _row(self, sql: str) -> list[str]:
        (row,) = self._rows(sql)
        return row

    def databases(self) -> set[str]:
        """Return the names of the databases there are."""
        return {name for (name,) in self._rows("SELECT name FROM system.databases")}

    @contextmanager
    def _session(self, context: Context) -> Iterator[Any]:
        with _errors():
            session = self._open()
            try:
                for statement in (*context.before, _set(_SETTINGS | dict(context.settings), context.tag)):
                    session.query(statement)
                yield session
            finally:
                session.close()

    def run(self, text: str, context: Context) -> Generator[Block]:
        """Run a statement that brings its own data, if any.

        Yields
        ------
        Block
            First one without rows, which says what the columns are; then the rows. None if there is no result.
        """
        text = _FORMAT.sub("", text)
        with self._room() if _WRITES.match(text) else self._disk.reading():
            yield from self._run(text, context)

    def _run(self, text: str, context: Context) -> Iterator[Block]:
        with self._session(context) as session:
            try:
                yield from self._with_header(_streamed(session, text, context), session, text, context)
                return
            except Exception as error:
                if _NOT_STREAMED not in str(error):
                    raise
            data = bytes(session.query(text, "Native", params=dict(context.parameters) or None).bytes())
            if data or _READS.match(text):
                yield from self._with_header(_blocks(data), session, text, context)

    def _with_header(self, blocks: Iterator[Block], session: Any, text: str, context: Context) -> Iterator[Block]:
        try:
            first = next(blocks, None)
        except RuntimeError as error:
            if _NOT_STREAMED not in str(error) and (header := _header_if_sound(session, text, context)):
                yield header
            raise
        if first is None:
            yield _header(session, text, context)
            return
        yield first.header()
        yield first
        yield from blocks

    @staticmethod
    def changes_session(text: str) -> bool:
        """Whether a statement is about those that follow it on the same connection."""
        return _FOR_SESSION.match(text) is not None

    def sample(self, insert: Insert, context: Context) -> Block:
        """Return a block without rows, with the columns that an INSERT takes.

        Raises
        ------
        ServerError
            If there is no such table, or no such column in it.
        """
        with self._disk.reading(), self._session(context) as session:
            data = session.query(f"DESCRIBE TABLE {insert.table}", "JSONCompactColumns")
            names, kinds, defaults = _json(data)[:3]
        known = {
            name: kind
            for name, kind, default in zip(names, kinds, defaults, strict=True)
            if default not in {"ALIAS", "MATERIALIZED"}
        }
        for name in insert.columns:
            if name not in known:
                raise ServerError(16, f"No such column {name} in table {insert.table}. (NO_SUCH_COLUMN_IN_TABLE)")
        return Block(tuple((name, known[name]) for name in insert.columns or known))

    def insert(self, insert: Insert, blocks: Sequence[Block], context: Context) -> None:
        """Insert blocks, all of them in one statement."""
        names = ", ".join(_quoted_name(name) for name, _ in blocks[0].columns)
        settings = dict(context.settings)
        with self._room() as suffix, _file_of(block.native() for block in blocks) as path:
            if settings.get(_TOKEN):
                settings[_TOKEN] += suffix
            with self._session(replace(context, settings=settings)) as session:
                session.query(
                    f"INSERT INTO {insert.table} ({names}) FROM INFILE '{path}' {insert.settings} FORMAT Native"
                )

    @contextmanager
    def _room(self) -> Iterator[str]:
        """Refuse what would write without room, as a server does."""
        if self._disk.free() < FREE_BYTES:
            raise ServerError(243, "There is not enough space on the disk. (NOT_ENOUGH_SPACE)")
        try:
            with self._disk.writing() as suffix:
                yield suffix
        except StoreError as error:
            raise ServerError(243, f"{error} (NOT_ENOUGH_SPACE)") from error

    def cancel(self, tag: str) -> None:
        """Have a statement end with error 394, if it still runs."""
        with self._session(Context()) as session:
            session.query(f"KILL QUERY WHERE Settings['log_comment'] = '{tag}' ASYNC")


def _is_number(kind: str) -> bool:
    return kind in {"Bool", "UInt64", "Int64", "UInt64Auto", "Seconds", "Milliseconds", "MaxThreads", "NonZeroUInt64"}


def _set(settings: Mapping[str, str], tag: str) -> str:
    pairs = {**settings, "log_comment": tag} if tag else settings
    return "SET " + ", ".join(f"{name} = {_quoted(value)}" for name, value in pairs.items())


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _quoted_name(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def _streamed(session: Any, text: str, context: Context) -> Iterator[Block]:
    stream = session.send_query(text, "Native", params=dict(context.parameters) or None)
    try:
        for chunk in stream:
            yield from _blocks(bytes(chunk.bytes()))
    finally:
        stream.close()


def _blocks(data: bytes) -> Iterator[Block]:
    stream = Stream.of(data)
    while not stream.ended():
        yield read_block(stream)


def _header(session: Any, text: str, context: Context) -> Block:
    """Return the columns of a result without rows, of which the engine's Native format says nothing."""
    params = dict(context.parameters) or None
    if _READS.match(text):
        meta = _json(session.query(text, "JSONCompact", params=params))["meta"]
        return Block(tuple((column["name"], column["type"]) for column in meta))
    select = text.rstrip("; \n")  # and a line's end, in case the last line is a comment
    names, kinds = _json(session.query(f"DESCRIBE ({select}\n)", "JSONCompactColumns", params=params))[:2]
    return Block(tuple(zip(names, kinds, strict=True)))


def _header_if_sound(session: Any, text: str, context: Context) -> Block | None:
    """Return the columns of a statement that failed, if only its execution did: a server has sent them by then."""
    try:
        return _header(session, text, context)
    except RuntimeError:  # it was wrong from the start, which the caller's own error says better
        return None


def _json(result: Any) -> Any:
    return json.loads(str(result))


@contextmanager
def _file_of(pieces: Iterator[bytes]) -> Iterator[str]:
    with open(os.memfd_create("insert"), "wb", buffering=0) as file:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[file.write(rest) :]
        yield f"/proc/self/fd/{file.fileno()}"


@contextmanager
def _errors() -> Iterator[None]:
    """Turn the engine's errors into those of the protocol."""
    try:
        yield
    except UnknownTypeError as error:
        raise ServerError(48, f"This endpoint cannot send the type {error}. (NOT_IMPLEMENTED)") from error
    except RuntimeError as error:
        found = _ERROR.search(str(error))
        if found is None:
            raise
        raise ServerError(int(found[1]), found[2]) from error
