"""The pieces of JSON text as kernels: white space, texts and numbers, read as the parser reads them, to the last bit.

Each message is followed by a byte 0, which is allowed nowhere in JSON: every loop ends there by itself. A function that
meets what it does not take returns -1 in place of where it ends.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.kernel import inlined, kernel

__all__ = ["BACKSLASH", "BIG", "ESCAPED", "FALSE", "FLOAT", "HARD", "HASH_BITS", "INTEGER", "KINDS", "MINUS", "MISSING"]
__all__ += ["NONFINITE", "QUOTE", "SPACE", "TEXT", "TRUE", "ZERO", "check_utf8", "equal", "read_nonfinite"]
__all__ += ["read_number", "read_text", "skip_space", "wide"]

MISSING, TEXT, ESCAPED, INTEGER, BIG, FLOAT, HARD, TRUE, FALSE, NONFINITE = range(10)
KINDS = 10
"""What a value is. ESCAPED texts hold escapes; BIG integers and HARD fractions need more than one operation to read."""

MAX_DIGITS = 300
HASH_BITS = 0xFFFFFFFF
# Arithmetic of bytes in 64 bits, whether compiled or not.
wide: Any = np.int64
QUOTE, BACKSLASH, MINUS, ZERO, SPACE = (ord(c) for c in '"\\-0 ')
_PLUS, _POINT, _U = (ord(c) for c in "+.u")
_NAN, _INFINITY = (np.frombuffer(word, dtype=np.uint8) for word in (b"NaN", b"Infinity"))
_ESCAPES = np.frombuffer(b'"\\/bfnrt', dtype=np.uint8)
_EXACT = 1 << 53
_ROOM = 9 * 10**17
"""A smaller mantissa has room for one more digit in 64 bits."""
_SPLIT = 2.0**27 + 1
_POWERS = np.array([10.0**k for k in range(23)])


@kernel
def check_utf8(buffer: Any, starts: Any, lengths: Any, ok: Any) -> None:
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
        following = 1 if byte < 0xE0 else 2 if byte < 0xF0 else 3
        # The first byte that follows bears on the whole: no longer form than need be, no surrogate, none beyond 10FFFF.
        low = 0xA0 if byte == 0xE0 else 0x90 if byte == 0xF0 else 0x80
        high = 0x9F if byte == 0xED else 0x8F if byte == 0xF4 else 0xBF
        for _ in range(following):
            if at == end or buffer[at] < low or buffer[at] > high:
                return False
            low, high = 0x80, 0xBF
            at += 1
    return True


@inlined
def equal(text: Any, at: int, other: Any, start: int, length: int) -> bool:
    """Whether two spans of so many bytes are the same."""
    for i in range(length):  # noqa: SIM110 -- a kernel has no generators
        if text[at + i] != other[start + i]:
            return False
    return True


@inlined
def skip_space(buffer: Any, at: int) -> int:
    """The next byte that is no white space."""
    # Most messages have no white space, or one blank.
    while buffer[at] <= SPACE and (buffer[at] == SPACE or buffer[at] == 9 or buffer[at] == 10 or buffer[at] == 13):
        at += 1
    return at


@inlined
def skip_digits(buffer: Any, at: int) -> int:
    while buffer[at] >= ZERO and buffer[at] < ZERO + 10:
        at += 1
    return at


@inlined
def read_text(buffer: Any, at: int) -> Any:
    """The end of a text (-1 if it is none), given the byte behind its quote, and TEXT or ESCAPED."""
    kind = TEXT
    while buffer[at] != QUOTE:
        if buffer[at] < SPACE:
            return -1, MISSING
        if buffer[at] == BACKSLASH:
            kind = ESCAPED
            at = _read_escape(buffer, at + 1)
            if at < 0:
                return -1, MISSING
        at += 1
    return at, kind


@kernel
def _read_escape(buffer: Any, at: int) -> int:
    """The last byte of an escape, given the byte behind its backslash; -1 if it is none."""
    if buffer[at] == _U:
        for digit in range(at + 1, at + 5):
            small = buffer[digit] | 32
            if not (buffer[digit] >= ZERO and buffer[digit] < ZERO + 10) and not (small >= 97 and small <= 102):
                return -1
        return at + 4
    for i in range(_ESCAPES.shape[0]):
        if buffer[at] == _ESCAPES[i]:
            return at
    return -1


@inlined
def read_nonfinite(buffer: Any, at: int) -> int:
    """The end of what is no JSON, and yet what Python's writer makes of a number that is none; -1 if it is not that."""
    if equal(buffer, at, _NAN, 0, 3):
        return at + 3
    start = at + 1 if buffer[at] == MINUS else at
    return start + 8 if equal(buffer, start, _INFINITY, 0, 8) else -1


@inlined
def read_number(buffer: Any, at: int) -> Any:  # noqa: PLR0911, PLR0912, PLR0915 -- the grammar of numbers
    """The end of a number (-1 if it is none), its kind and value."""
    start = at
    negative = buffer[at] == MINUS
    if negative:
        at += 1
    mantissa = wide(0)
    first = at
    while buffer[at] >= ZERO and buffer[at] < ZERO + 10 and mantissa < _ROOM:
        mantissa = mantissa * 10 + (wide(buffer[at]) - ZERO)
        at += 1
    digits_to = at
    at = skip_digits(buffer, at)
    # JSON allows no zero before other digits.
    if at == first or (buffer[first] == ZERO and at > first + 1):
        return -1, MISSING, 0.0
    long = at > digits_to
    kind = INTEGER
    scale = wide(0)
    if buffer[at] == _POINT:
        kind = FLOAT
        at += 1
        point = at
        while buffer[at] >= ZERO and buffer[at] < ZERO + 10 and mantissa < _ROOM:
            mantissa = mantissa * 10 + (wide(buffer[at]) - ZERO)
            at += 1
        scale = point - at
        digits_to = at
        at = skip_digits(buffer, at)
        long = long or at > digits_to
        if at == point:
            return -1, MISSING, 0.0
    if buffer[at] == 101 or buffer[at] == 69:  # e, E
        kind = FLOAT
        at += 1
        sign = wide(1)
        if buffer[at] == MINUS or buffer[at] == _PLUS:
            sign = wide(-1) if buffer[at] == MINUS else wide(1)
            at += 1
        point = at
        power = wide(0)
        while buffer[at] >= ZERO and buffer[at] < ZERO + 10 and at - point < 6:
            power = power * 10 + (wide(buffer[at]) - ZERO)
            at += 1
        if at == point or skip_digits(buffer, at) != at:
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
    low = float(mantissa - wide(high))
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
