"""Bodies of posted events: unpacked within a limit, cut into messages."""

from __future__ import annotations

import re
import zlib

import msgspec

from monitor.api.body_limit import too_large
from monitor.api.problems import ProblemError

__all__ = ["ARRAY_TYPES", "LINE_TYPES", "split_messages", "unpack"]

ARRAY_TYPES = ("application/json",)
LINE_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
ENCODINGS = ("identity", "gzip", "x-gzip")

_GZIP = 16 + zlib.MAX_WBITS
_FIRST_PIECE = 64


def unpack(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """Return what a body holds. It takes time, and is not for the event loop.

    Parameters
    ----------
    body : bytes
    encoding : str
        The header Content-Encoding; empty is ``identity``.
    max_bytes : int
        Of what the body unpacks to; at no time is more of it held.

    Raises
    ------
    ProblemError
        ``body-too-large``, ``unsupported-media-type``, or ``bad-body`` for a gzip stream that is damaged or ends early.

    Examples
    --------
    >>> unpack(zlib.compress(b"[1]", wbits=31), "gzip", 100)
    b'[1]'
    """
    encoding = encoding.strip().lower() or "identity"
    if encoding not in ENCODINGS:
        raise ProblemError(
            "unsupported-media-type", f"Content-Encoding {encoding!r}; supported are {', '.join(ENCODINGS)}"
        )
    return body if encoding == "identity" else _gunzip(body, max_bytes)


def _gunzip(packed: bytes, max_bytes: int) -> bytes:
    """Unpack one gzip member after another (RFC 1952: a stream is a series of them)."""
    unpacked = bytearray()
    start = 0
    while start < len(packed) or not start:
        start = _unpack_member(packed, start, unpacked, max_bytes)
    return bytes(unpacked)


def _unpack_member(packed: bytes, start: int, unpacked: bytearray, max_bytes: int) -> int:
    """Add what the member holds that starts there, and return where it ends."""
    member = zlib.decompressobj(_GZIP)
    at, length = start, _FIRST_PIECE
    while not member.eof:
        if at >= len(packed):
            raise _bad(f"the gzip body ends early, after {len(packed)} bytes", len(packed))
        try:
            # One byte more than allowed shows that a body does not fit.
            unpacked += member.decompress(packed[at : at + length], max_bytes - len(unpacked) + 1)
        except zlib.error as error:
            raise _bad(f"the gzip member that starts at byte {start} is damaged: {error}", start) from error
        if len(unpacked) > max_bytes:
            raise too_large(max_bytes)
        at = min(at + length, len(packed))
        # What stands behind the member is copied: pieces as long as what came before cost no more than that did.
        length = at - start
    return at - len(member.unused_data)


def split_messages(body: bytes, content_type: str) -> list[bytes]:
    """Cut a body into messages, each exactly as it was sent.

    Parameters
    ----------
    body : bytes
    content_type : str
        ``application/json``: one value, or an array with a message per item, checked to be JSON.
        ``application/x-ndjson``: a message per line, not checked: a bad line becomes a dead letter of its own.

    Raises
    ------
    ProblemError
        ``unsupported-media-type``, or ``bad-body`` with ``position``, counted in bytes from 0.

    Examples
    --------
    >>> split_messages(b'[{"a": 1}, {"a":2}]', "application/json")
    [b'{"a": 1}', b'{"a":2}']
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in LINE_TYPES:
        messages = [line for line in (line.strip() for line in body.split(b"\n")) if line]
    elif kind in ARRAY_TYPES:
        messages = _json_messages(body)
    else:
        supported = ", ".join([*ARRAY_TYPES, *LINE_TYPES])
        raise ProblemError("unsupported-media-type", f"Content-Type {kind!r}; supported are {supported}")
    if not messages:
        raise _bad("the body holds no message", 0)
    return messages


def _json_messages(body: bytes) -> list[bytes]:
    try:
        if body.lstrip()[:1] == b"[":
            return [bytes(item) for item in msgspec.json.decode(body, type=list[msgspec.Raw])]
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _bad(f"the body is not JSON: {error}", _position(error, body)) from error
    except RecursionError as error:
        raise ProblemError("bad-body", "the body is nested too deep") from error
    return [body.strip()]


def _position(error: Exception, body: bytes) -> int:
    located = re.search(r"(trailing characters )?\(byte (\d+)\)", str(error))
    if not located:
        return len(body)
    # Of what stands behind the value, msgspec has already read the first byte.
    return int(located[2]) - 1 if located[1] else int(located[2])


def _bad(detail: str, position: int) -> ProblemError:
    return ProblemError("bad-body", detail, position=position)
