"""Blocks of columns: found in a stream without being decoded, and written again for the other side.

The protocol's blocks are those of ``FORMAT Native`` but for a byte per column (does it use another serialization?
never, here) and a few bytes of information in front. So values pass through as they stand: what is needed of a type
is how many bytes its values take.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.services.clickhouse.stream import Stream, string, varint

__all__ = ["Block", "Type", "UnknownTypeError", "parsed", "read_block", "read_info"]

CUSTOM_SERIALIZATION = 54454
"""Since this revision each column says whether its values are serialized in another way."""

_UNITS = (
    "Nanosecond",
    "Microsecond",
    "Millisecond",
    "Second",
    "Minute",
    "Hour",
    "Day",
    "Week",
    "Month",
    "Quarter",
    "Year",
)
_WIDTHS = {
    **dict.fromkeys(["Bool", "Int8", "UInt8", "Enum8", "Nothing"], 1),
    **dict.fromkeys(["Int16", "UInt16", "Enum16", "Date", "BFloat16"], 2),
    **dict.fromkeys(["Int32", "UInt32", "Float32", "Date32", "DateTime", "IPv4", "Decimal32", "Time"], 4),
    **dict.fromkeys(["Int64", "UInt64", "Float64", "DateTime64", "Decimal64", "Time64"], 8),
    **dict.fromkeys(["Int128", "UInt128", "UUID", "IPv6", "Decimal128"], 16),
    **dict.fromkeys(["Int256", "UInt256", "Decimal256"], 32),
    **dict.fromkeys([f"Interval{unit}" for unit in _UNITS], 8),
}
_DECIMAL_DIGITS = ((9, 4), (18, 8), (38, 16), (76, 32))
_ELEMENT_NAME = re.compile(r"^(?:`(?:[^`\\]|\\.)*`|[A-Za-z_]\w*) +(?=\S)")


class UnknownTypeError(ValueError):
    """A column has a type whose values this server does not know how to step over."""


class Type(NamedTuple):
    """A type: its name and what stands in its parentheses."""

    name: str
    arguments: tuple[str, ...]


def parsed(text: str) -> Type:
    """Take a type apart.

    Examples
    --------
    >>> parsed("Map(String, Tuple(a Int8, b Array(Int64)))")
    Type(name='Map', arguments=('String', 'Tuple(a Int8, b Array(Int64))'))
    """
    name, parenthesis, rest = text.partition("(")
    return Type(name, tuple(_split(rest[:-1])) if parenthesis else ())


def _split(text: str) -> Iterator[str]:
    depth, quote, start, at = 0, "", 0, 0
    while at < len(text):
        letter = text[at]
        if quote:
            at += letter == "\\"
            quote = "" if letter == quote else quote
        elif letter in "'`":
            quote = letter
        elif letter == "," and depth == 0:
            yield text[start:at].strip()
            start = at + 1
        else:
            depth += (letter == "(") - (letter == ")")
        at += 1
    yield text[start:].strip()


def _elements(arguments: Sequence[str]) -> list[str]:
    """Return the types of a tuple's elements, whose names may stand before them."""
    return [_ELEMENT_NAME.sub("", argument) for argument in arguments]


def _width(kind: Type) -> int:
    if kind.name == "FixedString":
        return int(kind.arguments[0])
    if kind.name == "Decimal":
        return next(width for digits, width in _DECIMAL_DIGITS if int(kind.arguments[0]) <= digits)
    if kind.name not in _WIDTHS:
        raise UnknownTypeError(kind.name)
    return _WIDTHS[kind.name]


def _inner(kind: Type) -> list[str]:
    """Return the types that a composed type writes one after the other, for each of its rows or of its elements."""
    if kind.name in {"Array", "Nullable"}:
        return [kind.arguments[0]]
    if kind.name == "SimpleAggregateFunction":
        return [kind.arguments[1]]
    if kind.name == "Map":
        return list(kind.arguments)
    return _elements(kind.arguments) if kind.name in {"Tuple", "Nested"} else []


def _take_prefix(stream: Stream, text: str, out: list[bytes]) -> None:
    kind = parsed(text)
    if kind.name == "LowCardinality":
        out.append(stream.read(8))  # version of the dictionary's serialization
    for inner in _inner(kind):
        _take_prefix(stream, inner, out)


def _take_values(stream: Stream, text: str, rows: int, out: list[bytes]) -> None:
    kind = parsed(text)
    _TAKERS.get(kind.name, _take_fixed)(stream, kind, rows, out)


def _take_fixed(stream: Stream, kind: Type, rows: int, out: list[bytes]) -> None:
    out.append(stream.read(_width(kind) * rows))


def _take_strings(stream: Stream, kind: Type, rows: int, out: list[bytes]) -> None:
    out.append(stream.strings(rows))


def _take_inner(stream: Stream, kind: Type, rows: int, out: list[bytes]) -> None:
    for inner in _inner(kind):
        _take_values(stream, inner, rows, out)


def _take_nullable(stream: Stream, kind: Type, rows: int, out: list[bytes]) -> None:
    out.append(stream.read(rows))
    _take_inner(stream, kind, rows, out)


def _take_array(stream: Stream, kind: Type, rows: int, out: list[bytes]) -> None:
    ends = stream.read(8 * rows)
    out.append(ends)
    (count,) = struct.unpack("<Q", ends[-8:]) if rows else (0,)
    _take_inner(stream, kind, count, out)


def _take_low_cardinality(stream: Stream, kind: Type, rows: int, out: list[bytes]) -> None:
    if not rows:
        return
    head = stream.read(16)
    flags, keys = struct.unpack("<QQ", head)
    out.append(head)
    (inner,) = kind.arguments
    # A dictionary holds no NULL map: the first key stands for NULL.
    _take_values(stream, inner[len("Nullable(") : -1] if inner.startswith("Nullable(") else inner, keys, out)
    out.append(stream.read(8))
    out.append(stream.read(rows << (flags & 0xF)))


_TAKERS: dict[str, Callable[[Stream, Type, int, list[bytes]], None]] = {
    "String": _take_strings,
    "Nullable": _take_nullable,
    "Array": _take_array,
    "Map": _take_array,
    "Nested": _take_array,
    "Tuple": _take_inner,
    "SimpleAggregateFunction": _take_inner,
    "LowCardinality": _take_low_cardinality,
}


@dataclass(frozen=True)
class Block:
    """Columns of equal length, each as the bytes of its values.

    Attributes
    ----------
    columns : tuple of (str, str)
        Names and types.
    rows : int
    values : list of bytes
        A piece for each column; none if there are no rows.
    """

    columns: tuple[tuple[str, str], ...] = ()
    rows: int = 0
    values: list[bytes] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        """Bytes of the values alone."""
        return sum(map(len, self.values))

    def header(self) -> Block:
        """Return the block without its rows."""
        return Block(self.columns)

    def native(self) -> bytes:
        """Return the block as ``FORMAT Native`` has it."""
        return self._written(b"")

    def wire(self, revision: int) -> bytes:
        """Return the block as the protocol has it."""
        # Field 1: no overflow row; field 2: no bucket (-1); 0 ends the fields.
        info = b"\x01\x00\x02\xff\xff\xff\xff\x00"
        return info + self._written(b"\x00" if revision >= CUSTOM_SERIALIZATION else b"")

    def _written(self, flag: bytes) -> bytes:
        parts = [varint(len(self.columns)), varint(self.rows)]
        for index, (name, kind) in enumerate(self.columns):
            parts += [string(name), string(kind), flag]
            parts += self.values[index : index + 1]
        return b"".join(parts)


def read_info(stream: Stream) -> None:
    """Step over what the protocol puts before a block: numbered fields, then 0."""
    while number := stream.varint():
        stream.read({1: 1, 2: 4}[number])


def read_block(stream: Stream, revision: int = 0) -> Block:
    """Return the next block.

    Parameters
    ----------
    stream : Stream
    revision : int
        Of the protocol; 0 for ``FORMAT Native``.
    """
    width, rows = stream.varint(), stream.varint()
    columns, values = [], []
    for _ in range(width):
        name, kind = stream.string(), stream.string()
        columns.append((name, kind))
        if revision >= CUSTOM_SERIALIZATION and stream.byte():
            raise UnknownTypeError(f"{kind}, serialized in another way")
        if rows:
            out: list[bytes] = []
            _take_prefix(stream, kind, out)
            _take_values(stream, kind, rows, out)
            values.append(b"".join(out))
    return Block(tuple(columns), rows, values)
