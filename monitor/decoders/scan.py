"""Reads ordinary JSON straight into columns, without making an object of any message.

The scanner accepts less than JSON and says so: a message with an escape in a key, a wanted key that comes twice, a
value where none can be, very long digits, deep nesting or any mistake is left to the parser, which knows better. What
the scanner does accept it reads as the parser does, to the last bit.

:mod:`monitor.decoders.scan_kernel` goes over a message's objects, and :mod:`monitor.decoders.tokens`
reads texts and numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.kernel import kernel
from monitor.decoders.scan_kernel import MAX_DEPTH, scan_messages
from monitor.decoders.tokens import BIG, ESCAPED, HARD, HASH_BITS, MINUS, TEXT, ZERO, check_utf8, equal, wide
from monitor.packed import Packed

__all__ = ["Keys", "Scanned", "integers", "intern", "scan"]

DISTINCT = 128
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Keys:
    """The wanted keys of all nodes (objects of the document), node after node; node 0 is the message itself.

    Attributes
    ----------
    text : uint8 array
        All keys, joined.
    entries : int64 array [entries, 5]
        Where a key starts, its length, its hash, its kind, and the slot or node that it leads to.
    nodes : int64 array [nodes + 1]
        The first entry of each node.
    slots : int
    """

    text: NDArray[np.uint8]
    entries: Integers
    nodes: Integers
    slots: int

    @classmethod
    def of(cls, nodes: Sequence[Mapping[str, tuple[int, int]]], slots: int) -> Keys:
        """Lay out nodes, each a mapping from key to kind and target.

        Examples
        --------
        >>> from monitor.decoders.scan_kernel import CHILD, NUMBER
        >>> Keys.of([{"f": (CHILD, 1)}, {"x": (NUMBER, 0)}], 1).nodes.tolist()
        [0, 1, 2]
        """
        text, entries, firsts = b"", [], [0]
        for node in nodes:
            for key, (kind, target) in node.items():
                written = key.encode()
                entries.append([len(text), len(written), _hash(written), kind, target])
                text += written
            firsts.append(len(entries))
        table = np.array(entries, dtype=np.int64).reshape(len(entries), 5)
        return cls(np.frombuffer(text, dtype=np.uint8), table, np.array(firsts, dtype=np.int64), slots)


@dataclass(frozen=True, slots=True)
class Scanned:
    """What n messages hold.

    Attributes
    ----------
    buffer : bytes or bytearray
        The messages, each followed by a byte 0.
    ok : bool array [n]
        Which messages were read; of the others nothing here counts.
    kinds : uint8 array [slots, n]
    values : float64 array [slots, n]
        Numbers; NaN where there is none, infinite where something else than a finite number stands for one.
    starts, stops : int32 array [slots, n]
        Where texts, BIG, HARD and NONFINITE numbers and the integers of scalars lie in ``buffer``; undefined elsewhere.
    escaped : dict
        ESCAPED texts by slot and row.
    """

    buffer: bytes | bytearray
    ok: NDArray[np.bool_]
    kinds: NDArray[np.uint8]
    values: NDArray[np.float64]
    starts: NDArray[np.int32]
    stops: NDArray[np.int32]
    escaped: dict[tuple[int, int], str] = field(default_factory=dict)

    def is_at(self, slot: int, byte: bytes) -> NDArray[np.bool_]:
        """Whether the text or number of each message begins with ``byte``; says nothing where there is none."""
        positions = np.minimum(np.maximum(self.starts[slot], 0), len(self.buffer) - 1)
        return np.asarray(np.frombuffer(self.buffer, dtype=np.uint8)[positions] == byte[0])

    def bytes_at(self, slot: int, row: int) -> bytes:
        """The text or number as it is written."""
        return bytes(self.buffer[self.starts[slot, row] : self.stops[slot, row]])


def scan(keys: Keys, payloads: Sequence[bytes | None], max_bytes: int) -> Scanned:
    """Scan messages.

    Parameters
    ----------
    keys : Keys
    payloads : sequence of bytes or None
        A :class:`~monitor.packed.Packed` is scanned where it lies.
    max_bytes : int
        Longer messages are not ok.

    Examples
    --------
    >>> from monitor.decoders.scan_kernel import NUMBER, SCALAR
    >>> keys = Keys.of([{"x": (NUMBER, 0), "name": (SCALAR, 1)}], 2)
    >>> scanned = scan(keys, [b'{"name": "a", "x": 1.5}', b'{"x": 2, "y": [{}]}', b'{"x": 01}'], 100)
    >>> scanned.ok.tolist(), scanned.values[0].tolist()[:2]
    ([True, True, False], [1.5, 2.0])
    >>> scanned.bytes_at(1, 0)
    b'a'
    """
    packed = Packed.of(payloads)
    ok = (packed.lengths >= 0) & (packed.lengths <= max_bytes)
    # What lies between the messages may be anything.
    check_utf8(np.frombuffer(packed.buffer, dtype=np.uint8), packed.starts, packed.lengths, ok)
    shape = (keys.slots, len(packed))
    kinds, values = np.zeros(shape, dtype=np.uint8), np.full(shape, np.nan)
    starts, stops = np.empty(shape, dtype=np.int32), np.empty(shape, dtype=np.int32)
    if len(packed.buffer) > np.iinfo(np.int32).max:
        ok[:] = False
    entries = len(keys.entries)
    # What followed a key last time most likely follows it again.
    follow = np.full(entries + len(keys.nodes), -1, dtype=np.int64)
    met = np.full(entries, -1, dtype=np.int64)
    path, previous = np.zeros(MAX_DEPTH, dtype=np.int64), np.zeros(MAX_DEPTH, dtype=np.int64)
    scan_messages(
        np.frombuffer(packed.buffer, dtype=np.uint8),
        packed.starts,
        packed.lengths,
        keys.text,
        keys.entries,
        keys.nodes,
        follow,
        met,
        path,
        previous,
        ok,
        kinds,
        values,
        starts,
        stops,
    )
    scanned = Scanned(packed.buffer, ok, kinds, values, starts, stops)
    _finish(scanned)
    return scanned


def _finish(scanned: Scanned) -> None:
    """Read what takes more than the kernel does; what cannot be read is not ok."""
    odd = (
        (scanned.kinds == HARD) | ((scanned.kinds == BIG) & np.isnan(scanned.values)) | (scanned.kinds == ESCAPED)
    ) & scanned.ok
    slots, rows = np.nonzero(odd)
    starts, stops = scanned.starts[slots, rows].tolist(), scanned.stops[slots, rows].tolist()
    for slot, row, start, stop in zip(slots.tolist(), rows.tolist(), starts, stops, strict=True):
        written = bytes(scanned.buffer[start:stop])
        if scanned.kinds[slot, row] == ESCAPED:
            try:
                scanned.escaped[slot, row] = msgspec.json.decode(b'"' + written + b'"', type=str)
            except msgspec.DecodeError:  # half of a surrogate pair
                scanned.ok[row] = False
        else:
            scanned.values[slot, row] = value = float(written)
            scanned.ok[row] &= math.isfinite(value)


def intern(scanned: Scanned, slot: int) -> tuple[list[tuple[int, int]], Integers]:
    """The distinct texts of a slot, as spans of the buffer, and which of them each message has; -1 for none."""
    n = scanned.kinds.shape[1]
    codes = np.empty(n, dtype=np.int64)
    buffer = np.frombuffer(scanned.buffer, dtype=np.uint8)
    # Mostly there are few, and a small table stays in the processor's nearest cache.
    for distinct in (DISTINCT, n):
        table = np.full((1 << (4 * distinct - 1).bit_length(), 3), -1, dtype=np.int64)
        spans = np.empty((distinct, 2), dtype=np.int64)
        codes.fill(-1)
        count = _intern(
            buffer, scanned.ok, scanned.kinds[slot], scanned.starts[slot], scanned.stops[slot], table, spans, codes
        )
        if count >= 0:
            break
    return list(map(tuple, spans[:count].tolist())), codes


def integers(scanned: Scanned, slot: int) -> Integers | None:
    """The integers of a slot that holds nothing else, None if one of them takes more than 64 bits."""
    result = np.empty(scanned.kinds.shape[1], dtype=np.int64)
    buffer = np.frombuffer(scanned.buffer, dtype=np.uint8)
    fit = _integers(buffer, scanned.starts[slot], scanned.stops[slot], result)
    return result if fit else None


def _hash(text: bytes) -> int:
    value = 0
    for byte in text:
        value = (value * 131 + byte) & HASH_BITS
    return value


@kernel
def _intern(buffer: Any, ok: Any, kinds: Any, starts: Any, stops: Any, table: Any, spans: Any, codes: Any) -> int:
    """Number the distinct texts; return how many, or -1 if there are too many."""
    count = 0
    for row in range(codes.shape[0]):
        if not ok[row] or kinds[row] != TEXT:
            continue
        begin, length = wide(starts[row]), wide(stops[row]) - wide(starts[row])
        code = wide(0)
        for at in range(begin, begin + length):
            code = (code * 131 + wide(buffer[at])) & HASH_BITS
        bucket = (code * 40503 >> 7) % table.shape[0]
        while table[bucket, 0] >= 0:
            text = table[bucket, 0]
            matches = table[bucket, 1] == code and table[bucket, 2] == length
            if matches and equal(buffer, begin, buffer, spans[text, 0], length):
                break
            bucket = (bucket + 1) % table.shape[0]
        if table[bucket, 0] < 0:
            if count == spans.shape[0]:
                return -1
            table[bucket, 0], table[bucket, 1], table[bucket, 2] = count, code, length
            spans[count, 0], spans[count, 1] = begin, begin + length
            count += 1
        codes[row] = table[bucket, 0]
    return count


@kernel
def _integers(buffer: Any, starts: Any, stops: Any, result: Any) -> bool:
    """Read integers of at most 18 digits, or 19 that begin with less than 9."""
    for row in range(result.shape[0]):
        at = wide(starts[row])
        negative = buffer[at] == MINUS
        if negative:
            at += 1
        digits = stops[row] - at
        if digits > 19 or (digits == 19 and buffer[at] >= ZERO + 9):
            return False
        value = wide(0)
        while at < stops[row]:
            value = value * 10 + (wide(buffer[at]) - ZERO)
            at += 1
        result[row] = -value if negative else value
    return True
