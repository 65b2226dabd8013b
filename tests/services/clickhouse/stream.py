"""Bytes that arrive in pieces, read as the numbers and strings of ClickHouse's protocol."""

from __future__ import annotations

import struct
from collections.abc import Callable

__all__ = ["Stream", "string", "varint"]


def varint(number: int) -> bytes:
    r"""Return a number that is not negative, seven bits a byte, lowest first.

    Examples
    --------
    >>> varint(300)
    b'\xac\x02'
    """
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def string(value: str | bytes) -> bytes:
    r"""Return a string with its length before it.

    Examples
    --------
    >>> string("abc")
    b'\x03abc'
    """
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return varint(len(data)) + data


class Stream:
    r"""What ``more`` gives, piece by piece, as one sequence.

    Parameters
    ----------
    more : callable
        Returns the next bytes; none at all mean the end, which is an ``EOFError`` for who wanted more.

    Examples
    --------
    >>> pieces = iter([b"\x03a", b"bc\x07", b""])
    >>> stream = Stream(lambda: next(pieces))
    >>> stream.string(), stream.varint(), stream.ended()
    ('abc', 7, True)
    """

    def __init__(self, more: Callable[[], bytes]) -> None:
        self._more = more
        self._data = b""
        self._at = 0

    @classmethod
    def of(cls, data: bytes) -> Stream:
        """Return a stream of bytes that are all there."""
        pieces = iter([data])
        return cls(lambda: next(pieces, b""))

    @property
    def buffered(self) -> bool:
        """Whether a byte is there without asking for more."""
        return self._at < len(self._data)

    def ended(self) -> bool:
        """Whether nothing comes any more; waits for the next byte to know."""
        if self.buffered:
            return False
        try:
            self._fill(1)
        except EOFError:
            return True
        return False

    def read(self, count: int) -> bytes:
        """Return exactly ``count`` bytes."""
        if len(self._data) - self._at < count:
            self._fill(count)
        start, self._at = self._at, self._at + count
        return self._data[start : self._at]

    def _fill(self, count: int) -> None:
        pieces = [self._data[self._at :]]
        size = len(pieces[0])
        while size < count:
            piece = self._more()
            if not piece:
                raise EOFError(f"{count - size} bytes are missing")
            pieces.append(piece)
            size += len(piece)
        self._data, self._at = b"".join(pieces), 0

    def byte(self) -> int:
        """Return the next byte as a number."""
        return self.read(1)[0]

    def number(self, form: str) -> int:
        """Return a little-endian number; ``form`` is its letter in :mod:`struct`."""
        (value,) = struct.unpack("<" + form, self.read(struct.calcsize(form)))
        return int(value)

    def varint(self) -> int:
        """Return a number written seven bits a byte."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def raw_string(self) -> bytes:
        """Return a string's bytes."""
        return self.read(self.varint())

    def string(self) -> str:
        """Return a string; bytes that are no UTF-8 survive a way there and back."""
        return self.raw_string().decode("utf-8", "surrogateescape")

    def strings(self, count: int) -> bytes:
        """Return ``count`` strings as they stand, each with its length before it.

        A column of strings says nowhere how long it is: this hop from length to length is where a block's end is
        found, hence a loop without calls.
        """
        pieces = []
        while True:
            data, start = self._data, self._at
            at, end = start, len(data)
            while count and at < end:
                length = data[at]
                following = at + 1 + length
                if length > 0x7F:
                    following = self._after_long_string(data, at)
                if following > end:
                    break
                at = following
                count -= 1
            pieces.append(data[start:at])
            self._at = at
            if not count:
                return b"".join(pieces)
            self._fill(len(data) - at + 1)

    @staticmethod
    def _after_long_string(data: bytes, at: int) -> int:
        """Return where the string at ``at`` ends; beyond ``data`` if its length is cut off."""
        length = shift = 0
        while at < len(data):
            length |= (data[at] & 0x7F) << shift
            at += 1
            if data[at - 1] < 0x80:
                return at + length
            shift += 7
        return len(data) + 1
