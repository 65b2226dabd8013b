"""Reads ordinary JSON straight into columns, without making an object of any message.

The scanner accepts less than JSON and says so: a message with an escape in a key, a wanted key that comes twice, a
value where none can be, very long digits, deep nesting or any mistake is left to the parser, which knows better. What
the scanner does accept it reads as the parser does, to the last bit.

Each message is followed by a byte 0, which is allowed nowhere in JSON: every loop ends there by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.kernel import inlined, kernel
from monitor.packed import Packed

__all__ = ["BIG", "CHILD", "ESCAPED", "FALSE", "FLOAT", "HARD", "INTEGER", "KINDS", "MISSING", "NUMBER", "SCALAR"]
__all__ += ["TEXT", "TRUE", "Keys", "Scanned", "integers", "intern", "scan"]

NUMBER, SCALAR, CHILD = range(3)
"""What a key holds: a number alone, any scalar, or an object with wanted keys of its own."""

MISSING, TEXT, ESCAPED, INTEGER, BIG, FLOAT, HARD, TRUE, FALSE = range(9)
KINDS = 9
"""What was found. ESCAPED texts hold escapes; BIG integers and HARD fractions need more than one operation to read."""

OBJECT, ARRAY = -1, -2
"""Places in a message where nothing is wanted."""

MAX_DEPTH = 32
MAX_DIGITS = 300
DISTINCT = 128
# Arithmetic of bytes in 64 bits, whether compiled or not.
_wide: Any = np.int64
_QUOTE, _BACKSLASH, _COMMA, _COLON, _MINUS, _PLUS, _POINT = (ord(c) for c in '"\\,:-+.')
_OPEN, _CLOSE, _OPEN_ARRAY, _CLOSE_ARRAY, _ZERO, _SPACE = (ord(c) for c in "{}[]0 ")
_TRUE, _FALSE, _NULL = (np.frombuffer(word, dtype=np.uint8) for word in (b"true", b"false", b"null"))
_ESCAPES = np.frombuffer(b'"\\\\/bfnrt', dtype=np.uint8)
_U = ord("u")
_EXACT = 1 << 53
_ROOM = 9 * 10**17
"""A smaller mantissa has room for one more digit in 64 bits."""
_SPLIT = 2.0**27 + 1
_POWERS = np.array([10.0**k for k in range(23)])
_HASH_BITS = 0xFFFFFFFF

# Columns of an entry.
_START, _LENGTH, _HASH, _KIND, _TARGET = range(5)

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
    """What was found in n messages.

    Attributes
    ----------
    buffer : bytes or bytearray
        The messages, each followed by a byte 0.
    ok : bool array [n]
        Which messages were read; of the others nothing here counts.
    kinds : uint8 array [slots, n]
    values : float64 array [slots, n]
        Numbers; NaN where there is none.
    first, last : int32 array [slots, n]
        Where texts, BIG and HARD numbers and the integers of scalars lie in ``buffer``; undefined elsewhere.
    escaped : dict
        ESCAPED texts by slot and row.
    """

    buffer: bytes | bytearray
    ok: NDArray[np.bool_]
    kinds: NDArray[np.uint8]
    values: NDArray[np.float64]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    escaped: dict[tuple[int, int], str] = field(default_factory=dict)

    def is_at(self, slot: int, byte: bytes) -> NDArray[np.bool_]:
        """Whether the text or number of each message begins with ``byte``; says nothing where there is none."""
        places = np.minimum(np.maximum(self.first[slot], 0), len(self.buffer) - 1)
        return np.asarray(np.frombuffer(self.buffer, dtype=np.uint8)[places] == byte[0])

    def bytes_at(self, slot: int, row: int) -> bytes:
        """The text or number as it is written."""
        return bytes(self.buffer[self.first[slot, row] : self.last[slot, row]])


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
    >>> keys = Keys.of([{"x": (NUMBER, 0), "name": (SCALAR, 1)}], 2)
    >>> found = scan(keys, [b'{"name": "a", "x": 1.5}', b'{"x": 2, "y": [{}]}', b'{"x": 01}'], 100)
    >>> found.ok.tolist(), found.values[0].tolist()[:2]
    ([True, True, False], [1.5, 2.0])
    >>> found.buffer[found.first[1, 0] : found.last[1, 0]]
    b'a'
    """
    packed = Packed.of(payloads)
    ok = (packed.lengths >= 0) & (packed.lengths <= max_bytes)
    # What lies between the messages may be anything.
    _check_utf8(np.frombuffer(packed.buffer, dtype=np.uint8), packed.starts, packed.lengths, ok)
    shape = (keys.slots, len(packed))
    kinds, values = np.zeros(shape, dtype=np.uint8), np.full(shape, np.nan)
    first, last = np.empty(shape, dtype=np.int32), np.empty(shape, dtype=np.int32)
    if len(packed.buffer) > np.iinfo(np.int32).max:
        ok[:] = False
    entries = len(keys.entries)
    # What followed a key last time most likely follows it again.
    follow = np.full(entries + len(keys.nodes), -1, dtype=np.int64)
    met = np.full(entries, -1, dtype=np.int64)
    places, previous = np.zeros(MAX_DEPTH, dtype=np.int64), np.zeros(MAX_DEPTH, dtype=np.int64)
    _scan(
        np.frombuffer(packed.buffer, dtype=np.uint8),
        packed.starts,
        packed.lengths,
        keys.text,
        keys.entries,
        keys.nodes,
        follow,
        met,
        places,
        previous,
        ok,
        kinds,
        values,
        first,
        last,
    )
    found = Scanned(packed.buffer, ok, kinds, values, first, last)
    _finish(found)
    return found


def _finish(found: Scanned) -> None:
    """Read what takes more than the kernel does; what cannot be read is not ok."""
    odd = (
        (found.kinds == HARD) | ((found.kinds == BIG) & np.isnan(found.values)) | (found.kinds == ESCAPED)
    ) & found.ok
    slots, rows = np.nonzero(odd)
    starts, stops = found.first[slots, rows].tolist(), found.last[slots, rows].tolist()
    for slot, row, start, stop in zip(slots.tolist(), rows.tolist(), starts, stops, strict=True):
        written = bytes(found.buffer[start:stop])
        if found.kinds[slot, row] == ESCAPED:
            try:
                found.escaped[slot, row] = msgspec.json.decode(b'"' + written + b'"', type=str)
            except msgspec.DecodeError:  # half of a surrogate pair
                found.ok[row] = False
        else:
            found.values[slot, row] = value = float(written)
            found.ok[row] &= math.isfinite(value)


def intern(found: Scanned, slot: int) -> tuple[list[tuple[int, int]], Integers]:
    """The distinct texts of a slot, as places in the buffer, and which of them each message has; -1 for none."""
    n = found.kinds.shape[1]
    codes = np.empty(n, dtype=np.int64)
    buffer = np.frombuffer(found.buffer, dtype=np.uint8)
    # Mostly there are few, and a small table stays in the processor's nearest cache.
    for distinct in (DISTINCT, n):
        table = np.full((1 << (4 * distinct - 1).bit_length(), 3), -1, dtype=np.int64)
        spans = np.empty((distinct, 2), dtype=np.int64)
        codes.fill(-1)
        count = _intern(buffer, found.ok, found.kinds[slot], found.first[slot], found.last[slot], table, spans, codes)
        if count >= 0:
            break
    return list(map(tuple, spans[:count].tolist())), codes


def integers(found: Scanned, slot: int) -> Integers | None:
    """The integers of a slot that holds nothing else, None if one of them takes more than 64 bits."""
    result = np.empty(found.kinds.shape[1], dtype=np.int64)
    buffer = np.frombuffer(found.buffer, dtype=np.uint8)
    fit = _integers(buffer, found.first[slot], found.last[slot], result)
    return result if fit else None


def _hash(text: bytes) -> int:
    value = 0
    for byte in text:
        value = (value * 131 + byte) & _HASH_BITS
    return value


@kernel
def _check_utf8(buffer: Any, starts: Any, lengths: Any, ok: Any) -> None:
    """Messages that are not UTF-8 are not ok (RFC 3629, section 4)."""
    for row in range(ok.shape[0]):
        if not ok[row]:
            continue
        # Of what cannot be negative the compiler reads many bytes at a time.
        start = np.uint64(starts[row])
        high = np.uint8(0)
        for k in range(np.uint64(lengths[row])):
            high |= buffer[start + k]
        if high >= 0x80:
            ok[row] = _is_utf8(buffer, starts[row], starts[row] + lengths[row])


@inlined
def _is_utf8(buffer: Any, at: int, end: int) -> bool:
    while at < end:
        byte = buffer[at]
        at += 1
        if byte < 0x80:
            continue
        if byte < 0xC2 or byte > 0xF4:
            return False
        more = 1 if byte < 0xE0 else 2 if byte < 0xF0 else 3
        # The first byte that follows bears on the whole: no longer form than need be, no surrogate, none beyond 10FFFF.
        low = 0xA0 if byte == 0xE0 else 0x90 if byte == 0xF0 else 0x80
        high = 0x9F if byte == 0xED else 0x8F if byte == 0xF4 else 0xBF
        for _ in range(more):
            if at == end or buffer[at] < low or buffer[at] > high:
                return False
            low, high = 0x80, 0xBF
            at += 1
    return True


@inlined
def _same(one: Any, at: int, two: Any, start: int, length: int) -> bool:
    for i in range(length):  # noqa: SIM110 -- a kernel has no generators
        if one[at + i] != two[start + i]:
            return False
    return True


@inlined
def _space(buffer: Any, at: int) -> int:
    # Most messages have no white space, or one blank.
    while buffer[at] <= _SPACE and (buffer[at] == _SPACE or buffer[at] == 9 or buffer[at] == 10 or buffer[at] == 13):
        at += 1
    return at


@inlined
def _digits(buffer: Any, at: int) -> int:
    while buffer[at] >= _ZERO and buffer[at] < _ZERO + 10:
        at += 1
    return at


@inlined
def _text(buffer: Any, at: int) -> Any:
    """The end of a text (-1 if it is none), and whether it holds escapes."""
    found = TEXT
    while buffer[at] != _QUOTE:
        if buffer[at] < _SPACE:
            return -1, MISSING
        if buffer[at] == _BACKSLASH:
            found = ESCAPED
            at = _escape(buffer, at + 1)
            if at < 0:
                return -1, MISSING
        at += 1
    return at, found


@kernel
def _escape(buffer: Any, at: int) -> int:
    """The last byte of an escape, given the byte behind its backslash; -1 if it is none."""
    if buffer[at] == _U:
        for digit in range(at + 1, at + 5):
            small = buffer[digit] | 32
            if not (buffer[digit] >= _ZERO and buffer[digit] < _ZERO + 10) and not (small >= 97 and small <= 102):
                return -1
        return at + 4
    for i in range(_ESCAPES.shape[0]):
        if buffer[at] == _ESCAPES[i]:
            return at
    return -1


@inlined
def _number(buffer: Any, at: int) -> Any:  # noqa: PLR0911, PLR0912, PLR0915 -- the grammar of numbers
    """The end of a number (-1 if it is none), its kind and value."""
    start = at
    negative = buffer[at] == _MINUS
    if negative:
        at += 1
    mantissa = _wide(0)
    first = at
    while buffer[at] >= _ZERO and buffer[at] < _ZERO + 10 and mantissa < _ROOM:
        mantissa = mantissa * 10 + (_wide(buffer[at]) - _ZERO)
        at += 1
    whole = at
    at = _digits(buffer, at)
    # JSON allows no zero before other digits.
    if at == first or (buffer[first] == _ZERO and at > first + 1):
        return -1, MISSING, 0.0
    long = at > whole
    kind = INTEGER
    scale = _wide(0)
    if buffer[at] == _POINT:
        kind = FLOAT
        at += 1
        point = at
        while buffer[at] >= _ZERO and buffer[at] < _ZERO + 10 and mantissa < _ROOM:
            mantissa = mantissa * 10 + (_wide(buffer[at]) - _ZERO)
            at += 1
        scale = point - at
        whole = at
        at = _digits(buffer, at)
        long = long or at > whole
        if at == point:
            return -1, MISSING, 0.0
    if buffer[at] == 101 or buffer[at] == 69:  # e, E
        kind = FLOAT
        at += 1
        sign = _wide(1)
        if buffer[at] == _MINUS or buffer[at] == _PLUS:
            sign = _wide(-1) if buffer[at] == _MINUS else _wide(1)
            at += 1
        point = at
        power = _wide(0)
        while buffer[at] >= _ZERO and buffer[at] < _ZERO + 10 and at - point < 6:
            power = power * 10 + (_wide(buffer[at]) - _ZERO)
            at += 1
        if at == point or _digits(buffer, at) != at:
            return -1, MISSING, 0.0
        scale += sign * power
    if at - start > MAX_DIGITS:
        return -1, MISSING, 0.0
    if kind == INTEGER and mantissa > _EXACT:
        # The conversion rounds to the nearest double, as the parser does.
        value = np.nan if long else float(mantissa)
        return at, BIG, -value if negative else value
    if long or scale < -22 or scale > 22 or (mantissa > _EXACT and scale > 0):
        return at, BIG if kind == INTEGER else HARD, np.nan
    if mantissa > _EXACT:
        certain, value = _quotient(mantissa, _POWERS[-scale])
        if not certain:
            return at, HARD, 0.0
    else:
        # Both operands exact and one operation: the result is the nearest double (Clinger, 1990).
        value = mantissa * _POWERS[scale] if scale >= 0 else mantissa / _POWERS[-scale]
    if negative and (kind == FLOAT or mantissa != 0):
        value = -value
    return at, kind, value


@inlined
def _quotient(mantissa: int, power: float) -> Any:
    """Whether the double nearest to ``mantissa / power`` is certain, and that double.

    A first quotient is corrected by what it leaves over, which is known exactly: the error of its product with the
    divisor is computed after Dekker (1971). If the sum rounds alike a million times as far off as the correction
    can be wrong, it is right.
    """
    high = float(mantissa)
    low = float(mantissa - _wide(high))
    quotient = high / power
    split = _SPLIT * quotient
    q1 = split - (split - quotient)
    q2 = quotient - q1
    split = _SPLIT * power
    p1 = split - (split - power)
    p2 = power - p1
    product = quotient * power
    error = ((q1 * p1 - product) + q1 * p2 + q2 * p1) + q2 * p2
    correction = (((high - product) - error) + low) / power
    margin = quotient * 1e-22
    value = quotient + (correction - margin)
    return value == quotient + (correction + margin), value


@inlined
def _entry(buffer: Any, at: int, length: int, code: int, text: Any, entries: Any, low: int, high: int) -> int:
    for e in range(low, high):
        same = entries[e, _HASH] == code and entries[e, _LENGTH] == length
        if same and _same(buffer, at, text, entries[e, _START], length):
            return e
    return -1


@kernel
def _scan(  # a kernel takes arrays, not objects
    buffer: Any,
    starts: Any,
    lengths: Any,
    text: Any,
    entries: Any,
    nodes: Any,
    follow: Any,
    met: Any,
    places: Any,
    previous: Any,
    ok: Any,
    kinds: Any,
    values: Any,
    first: Any,
    last: Any,
) -> None:
    for row in range(starts.shape[0]):
        if ok[row]:
            start = starts[row]
            end = _message(
                buffer, start, row, text, entries, nodes, follow, met, places, previous, kinds, values, first, last
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
    places: Any,
    previous: Any,
    kinds: Any,
    values: Any,
    first: Any,
    last: Any,
) -> int:
    """Read one message into its row; return its end, or -1 where the parsers must have a look."""
    at = _space(buffer, at)
    if buffer[at] != _OPEN:
        return -1
    at = _space(buffer, at + 1)
    depth = 0
    places[0] = 0
    previous[0] = entries.shape[0]
    opened = True
    while True:
        node = places[depth]
        entry = -1
        closing = opened and buffer[at] == (_CLOSE_ARRAY if node == ARRAY else _CLOSE)
        opened = False
        if not closing:
            if node != ARRAY:
                if buffer[at] != _QUOTE:
                    return -1
                begin = at + 1
                at = begin
                if node >= 0:
                    entry = follow[previous[depth]]
                # The expected key is one that came before, so it holds neither quotes nor what ends a message.
                length = 0 if entry < 0 else entries[entry, _LENGTH]
                if length > 0 and _same(buffer, at, text, entries[entry, _START], length):
                    at += length
                if length == 0 or buffer[at] != _QUOTE or at == begin:
                    at = begin
                    code = _wide(0)
                    while buffer[at] != _QUOTE:
                        if buffer[at] < _SPACE or buffer[at] == _BACKSLASH:
                            return -1
                        code = (code * 131 + _wide(buffer[at])) & _HASH_BITS
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
                at = _space(buffer, at + 1)
                if buffer[at] != _COLON:
                    return -1
                at = _space(buffer, at + 1)
            # The value.
            kind = -1 if entry < 0 else entries[entry, _KIND]
            slot = 0 if entry < 0 else entries[entry, _TARGET]
            byte = buffer[at]
            if byte in (_OPEN, _OPEN_ARRAY):
                if (kind == CHILD and byte != _OPEN) or kind in (NUMBER, SCALAR) or depth + 1 == MAX_DEPTH:
                    return -1
                depth += 1
                places[depth] = slot if kind == CHILD else OBJECT if byte == _OPEN else ARRAY
                previous[depth] = entries.shape[0] + slot
                opened = True
                at = _space(buffer, at + 1)
                continue
            if kind == CHILD:
                return -1
            begin = at
            value = np.nan
            found = MISSING
            if byte == _QUOTE:
                begin = at + 1
                at, found = _text(buffer, begin)
                if at < 0 or kind == NUMBER:
                    return -1
                end = at
                at += 1
            elif byte == _MINUS or (byte >= _ZERO and byte < _ZERO + 10):
                at, found, value = _number(buffer, at)
                if at < 0:
                    return -1
                end = at
            else:
                if _same(buffer, at, _TRUE, 0, 4):
                    found, value = TRUE, 1.0
                    at += 4
                elif _same(buffer, at, _FALSE, 0, 5):
                    found, value = FALSE, 0.0
                    at += 5
                elif _same(buffer, at, _NULL, 0, 4):
                    at += 4
                else:
                    return -1
                end = at
            if entry >= 0 and found != MISSING:
                kinds[slot, row] = found
                values[slot, row] = value
                if found in (TEXT, ESCAPED, BIG, HARD) or (found == INTEGER and kind == SCALAR):
                    first[slot, row] = begin
                    last[slot, row] = end
        # Behind a value: the next one, or the end of one or more objects.
        while True:
            at = at if closing else _space(buffer, at)
            node = places[depth]
            if buffer[at] == (_CLOSE_ARRAY if node == ARRAY else _CLOSE):
                closing = False
                at += 1
                if depth == 0:
                    return _space(buffer, at)
                depth -= 1
            elif buffer[at] == _COMMA:
                at = _space(buffer, at + 1)
                break
            else:
                return -1


@kernel
def _intern(buffer: Any, ok: Any, kinds: Any, first: Any, last: Any, table: Any, spans: Any, codes: Any) -> int:
    """Number the distinct texts; return how many, or -1 if there are too many."""
    count = 0
    for row in range(codes.shape[0]):
        if not ok[row] or kinds[row] != TEXT:
            continue
        begin, length = _wide(first[row]), _wide(last[row]) - _wide(first[row])
        code = _wide(0)
        for at in range(begin, begin + length):
            code = (code * 131 + _wide(buffer[at])) & _HASH_BITS
        place = (code * 40503 >> 7) % table.shape[0]
        while table[place, 0] >= 0:
            known = table[place, 0]
            same = table[place, 1] == code and table[place, 2] == length
            if same and _same(buffer, begin, buffer, spans[known, 0], length):
                break
            place = (place + 1) % table.shape[0]
        if table[place, 0] < 0:
            if count == spans.shape[0]:
                return -1
            table[place, 0], table[place, 1], table[place, 2] = count, code, length
            spans[count, 0], spans[count, 1] = begin, begin + length
            count += 1
        codes[row] = table[place, 0]
    return count


@kernel
def _integers(buffer: Any, first: Any, last: Any, result: Any) -> bool:
    """Read integers of at most 18 digits, or 19 that begin with less than 9."""
    for row in range(result.shape[0]):
        at = _wide(first[row])
        negative = buffer[at] == _MINUS
        if negative:
            at += 1
        digits = last[row] - at
        if digits > 19 or (digits == 19 and buffer[at] >= _ZERO + 9):
            return False
        value = _wide(0)
        while at < last[row]:
            value = value * 10 + (_wide(buffer[at]) - _ZERO)
            at += 1
        result[row] = -value if negative else value
    return True
