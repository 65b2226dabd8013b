"""One JSON message into columns, as a kernel: a loop over bytes that follows the wanted keys from object to object."""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.kernel import inlined, kernel
from monitor.decoders.tokens import (
    BACKSLASH,
    BIG,
    ESCAPED,
    FALSE,
    HARD,
    HASH_BITS,
    INTEGER,
    MINUS,
    MISSING,
    NONFINITE,
    QUOTE,
    SPACE,
    TEXT,
    TRUE,
    ZERO,
    equal,
    read_nonfinite,
    read_number,
    read_text,
    skip_space,
    wide,
)

__all__ = ["CHILD", "MAX_DEPTH", "NUMBER", "SCALAR", "scan_messages"]

NUMBER, SCALAR, CHILD = range(3)
"""What a key holds: a number alone, any scalar, or an object with wanted keys of its own."""

OBJECT, ARRAY = -1, -2
"""Nodes of a message of which no key is wanted."""

MAX_DEPTH = 32
_COMMA, _COLON, _OPEN, _CLOSE, _OPEN_ARRAY, _CLOSE_ARRAY = (ord(c) for c in ",:{}[]")
_INFINITE = ord("I")
_TRUE, _FALSE, _NULL = (np.frombuffer(word, dtype=np.uint8) for word in (b"true", b"false", b"null"))

# Columns of an entry.
_START, _LENGTH, _HASH, _KIND, _TARGET = range(5)


@inlined
def _entry(buffer: Any, at: int, length: int, code: int, text: Any, entries: Any, low: int, high: int) -> int:
    for e in range(low, high):
        matches = entries[e, _HASH] == code and entries[e, _LENGTH] == length
        if matches and equal(buffer, at, text, entries[e, _START], length):
            return e
    return -1


@kernel
def scan_messages(
    buffer: Any,
    starts: Any,
    lengths: Any,
    text: Any,
    entries: Any,
    nodes: Any,
    follow: Any,
    met: Any,
    path: Any,
    previous: Any,
    ok: Any,
    kinds: Any,
    values: Any,
    value_starts: Any,
    value_stops: Any,
) -> None:
    """Read messages into their rows; those that the parsers must have a look at are not ok. Arrays, not objects."""
    for row in range(starts.shape[0]):
        if ok[row]:
            start = starts[row]
            end = _message(
                buffer,
                start,
                row,
                text,
                entries,
                nodes,
                follow,
                met,
                path,
                previous,
                kinds,
                values,
                value_starts,
                value_stops,
            )
            ok[row] = end == start + lengths[row]


@kernel
def _message(  # noqa: PLR0911, PLR0912, PLR0915  # one loop over bytes: in pieces it would not be faster to read
    buffer: Any,
    at: int,
    row: int,
    text: Any,
    entries: Any,
    nodes: Any,
    follow: Any,
    met: Any,
    path: Any,
    previous: Any,
    kinds: Any,
    values: Any,
    value_starts: Any,
    value_stops: Any,
) -> int:
    """Read one message into its row; return its end, or -1 where the parsers must have a look."""
    at = skip_space(buffer, at)
    if buffer[at] != _OPEN:
        return -1
    at = skip_space(buffer, at + 1)
    depth = 0
    path[0] = 0
    previous[0] = entries.shape[0]
    opened = True
    while True:
        node = path[depth]
        entry = -1
        closing = opened and buffer[at] == (_CLOSE_ARRAY if node == ARRAY else _CLOSE)
        opened = False
        if not closing:
            if node != ARRAY:
                if buffer[at] != QUOTE:
                    return -1
                begin = at + 1
                at = begin
                if node >= 0:
                    entry = follow[previous[depth]]
                # The expected key is one that came before, so it holds neither quotes nor what ends a message.
                length = 0 if entry < 0 else entries[entry, _LENGTH]
                if length > 0 and equal(buffer, at, text, entries[entry, _START], length):
                    at += length
                if length == 0 or buffer[at] != QUOTE or at == begin:
                    at = begin
                    code = wide(0)
                    while buffer[at] != QUOTE:
                        if buffer[at] < SPACE or buffer[at] == BACKSLASH:
                            return -1
                        code = (code * 131 + wide(buffer[at])) & HASH_BITS
                        at += 1
                    entry = -1
                    if node >= 0:
                        entry = _entry(buffer, begin, at - begin, code, text, entries, nodes[node], nodes[node + 1])
                if entry >= 0:
                    if met[entry] == row:
                        return -1
                    met[entry] = row
                    follow[previous[depth]] = entry
                    previous[depth] = entry
                at = skip_space(buffer, at + 1)
                if buffer[at] != _COLON:
                    return -1
                at = skip_space(buffer, at + 1)
            # The value.
            kind = -1 if entry < 0 else entries[entry, _KIND]
            slot = 0 if entry < 0 else entries[entry, _TARGET]
            byte = buffer[at]
            if byte in (_OPEN, _OPEN_ARRAY):
                if (kind == CHILD and byte != _OPEN) or kind in (NUMBER, SCALAR) or depth + 1 == MAX_DEPTH:
                    return -1
                depth += 1
                path[depth] = slot if kind == CHILD else OBJECT if byte == _OPEN else ARRAY
                previous[depth] = entries.shape[0] + slot
                opened = True
                at = skip_space(buffer, at + 1)
                continue
            if kind == CHILD:
                return -1
            begin = at
            value = np.nan
            value_kind = MISSING
            if byte == QUOTE:
                begin = at + 1
                at, value_kind = read_text(buffer, begin)
                if at < 0:
                    return -1
                end = at
                at += 1
            elif (byte == MINUS and buffer[at + 1] != _INFINITE) or (byte >= ZERO and byte < ZERO + 10):
                at, value_kind, value = read_number(buffer, at)
                if at < 0:
                    return -1
                end = at
            else:
                if equal(buffer, at, _TRUE, 0, 4):
                    value_kind, value = TRUE, 1.0
                    at += 4
                elif equal(buffer, at, _FALSE, 0, 5):
                    value_kind, value = FALSE, 0.0
                    at += 5
                elif equal(buffer, at, _NULL, 0, 4):
                    at += 4
                else:
                    at, value_kind = read_nonfinite(buffer, at), NONFINITE
                    if at < 0:
                        return -1
                end = at
            if entry >= 0 and value_kind != MISSING:
                kinds[slot, row] = value_kind
                # A number that cannot be used is infinite.
                values[slot, row] = np.inf if kind == NUMBER and value_kind in (TEXT, ESCAPED, NONFINITE) else value
                if value_kind in (TEXT, ESCAPED, BIG, HARD, NONFINITE) or (value_kind == INTEGER and kind == SCALAR):
                    value_starts[slot, row] = begin
                    value_stops[slot, row] = end
        # Behind a value: the next one, or the end of one or more objects.
        while True:
            at = at if closing else skip_space(buffer, at)
            node = path[depth]
            if buffer[at] == (_CLOSE_ARRAY if node == ARRAY else _CLOSE):
                closing = False
                at += 1
                if depth == 0:
                    return skip_space(buffer, at)
                depth -= 1
            elif buffer[at] == _COMMA:
                at = skip_space(buffer, at + 1)
                break
            else:
                return -1
