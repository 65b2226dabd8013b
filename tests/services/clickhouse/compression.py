"""Compressed frames: a checksum, the method, two lengths, the compressed bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable

import lz4.block  # type: ignore[import-untyped]
import zstandard
from clickhouse_cityhash.cityhash import CityHash128  # type: ignore[import-untyped]

from tests.services.clickhouse.stream import Stream

__all__ = ["METHODS", "ChecksumError", "frames", "read_frame"]

FRAME_BYTES = 1 << 20
"""Uncompressed bytes of the largest frame that is sent, as in a real server."""

_NONE, _LZ4, _ZSTD = 0x02, 0x82, 0x90
_HEAD = struct.Struct("<BII")  # method; bytes of head and compressed data; bytes of uncompressed data

METHODS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "NONE": (_NONE, bytes),
    "LZ4": (_LZ4, lambda data: bytes(lz4.block.compress(data, store_size=False))),
    "LZ4HC": (_LZ4, lambda data: bytes(lz4.block.compress(data, mode="high_compression", store_size=False))),
    "ZSTD": (_ZSTD, lambda data: zstandard.compress(data, 1)),
}
"""Values of the setting ``network_compression_method``."""


class ChecksumError(ValueError):
    """A frame is not what its sender hashed."""


def frames(data: bytes, method: str = "LZ4") -> bytes:
    """Return ``data`` as one frame or several.

    Examples
    --------
    >>> from tests.services.clickhouse.stream import Stream
    >>> read_frame(Stream.of(frames(b"abc" * 9, "ZSTD"))) == b"abc" * 9
    True
    """
    return b"".join(_frame(data[at : at + FRAME_BYTES], method) for at in range(0, len(data), FRAME_BYTES))


def _frame(data: bytes, method: str) -> bytes:
    byte, compress = METHODS[method]
    compressed = compress(data)
    body = _HEAD.pack(byte, _HEAD.size + len(compressed), len(data)) + compressed
    return _checksum(body) + body


def _checksum(body: bytes) -> bytes:
    number = CityHash128(body)
    return struct.pack("<QQ", number >> 64, number & (1 << 64) - 1)


def read_frame(stream: Stream) -> bytes:
    """Return what the next frame holds; ChecksumError if it was damaged."""
    checksum, head = stream.read(16), stream.read(_HEAD.size)
    method, size, plain = _HEAD.unpack(head)
    compressed = stream.read(size - _HEAD.size)
    if _checksum(head + compressed) != checksum:
        raise ChecksumError("Checksum doesn't match: corrupted data.")
    if method == _NONE:
        return compressed
    if method == _ZSTD:
        return zstandard.decompress(compressed, max_output_size=plain)
    return bytes(lz4.block.decompress(compressed, uncompressed_size=plain))
