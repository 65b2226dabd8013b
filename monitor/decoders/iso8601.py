"""Reads many times that are written as most producers write ISO 8601: ``2026-11-24T23:46:11.123Z`` and the like.

Whatever is written otherwise is left to the standard library, which reads more forms; where this reads a time, it reads
the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import inlined, kernel
from monitor.packed import Packed

__all__ = ["times"]

_LEAST = 19
# Arithmetic of bytes in 64 bits, whether compiled or not.
_wide: Any = np.int64
_ZERO, _T, _SPACE, _DASH, _COLON, _POINT, _Z, _PLUS = (ord(c) for c in "0T -:.Z+")
_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def times(texts: Packed) -> NDArray[np.int64] | None:
    """Return ms since 1970, cut to whole ones, if every text is a time after 1970 began, in the common form; else None.

    Parameters
    ----------
    texts : Packed [n]
        ``YYYY-MM-DD``, ``T`` or a blank, ``hh:mm:ss``, a fraction or none, and ``Z``, ``±hh:mm`` or nothing, which is
        UTC as well.

    Examples
    --------
    >>> times(Packed.of([b"1970-01-02T00:00:00.0019Z", b"1970-01-01 01:00:00+00:30"]))
    array([86400001,  1800000])
    >>> times(Packed.of([b"19700102T000000Z"])) is None
    True
    """
    result = np.empty(len(texts), dtype=np.int64)
    read = _times(np.frombuffer(texts.buffer, dtype=np.uint8), texts.starts, texts.lengths, result)
    return result if read else None


@inlined
def _two(buffer: Any, at: int) -> Any:
    """The number that two digits write; a hundred or more if they are none."""
    high, low = _wide(buffer[at]) - _ZERO, _wide(buffer[at + 1]) - _ZERO
    if high < 0 or high > 9 or low < 0 or low > 9:
        return 100
    return high * 10 + low


@inlined
def _days(year: int, month: int, day: int) -> int:
    """Days since 1970 of a date in the Gregorian calendar, whose years here begin in March."""
    year -= month <= 2
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return 365 * year + year // 4 - year // 100 + year // 400 + of_year - 719468


@kernel
def _times(buffer: Any, starts: Any, lengths: Any, result: Any) -> bool:  # noqa: PLR0911, PLR0912 -- a check a line
    for i in range(result.size):
        at = starts[i]
        end = at + lengths[i]
        if lengths[i] < _LEAST:
            return False
        century, rest, month, day = _two(buffer, at), _two(buffer, at + 2), _two(buffer, at + 5), _two(buffer, at + 8)
        hour, minute, second = _two(buffer, at + 11), _two(buffer, at + 14), _two(buffer, at + 17)
        if buffer[at + 4] != _DASH or buffer[at + 7] != _DASH or (buffer[at + 10] != _T and buffer[at + 10] != _SPACE):
            return False
        if buffer[at + 13] != _COLON or buffer[at + 16] != _COLON:
            return False
        if century > 99 or rest > 99 or month < 1 or month > 12 or hour > 23 or minute > 59 or second > 59:
            return False
        year = century * 100 + rest
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        if day < 1 or day > _DAYS[month] + (leap and month == 2):
            return False
        at += _LEAST
        ms = _wide(0)
        if at < end and buffer[at] == _POINT:
            first = at + 1
            at = first
            weight = _wide(100)
            while at < end and buffer[at] >= _ZERO and buffer[at] < _ZERO + 10:
                ms += (_wide(buffer[at]) - _ZERO) * weight
                weight //= 10
                at += 1
            if at == first:
                return False
        ahead = _wide(0)
        if at < end and buffer[at] == _Z:
            at += 1
        elif at < end:
            sign = 1 if buffer[at] == _PLUS else -1
            if end - at != 6 or (buffer[at] != _PLUS and buffer[at] != _DASH) or buffer[at + 3] != _COLON:
                return False
            hours, minutes = _two(buffer, at + 1), _two(buffer, at + 4)
            if hours > 23 or minutes > 59:
                return False
            ahead = sign * (hours * 60 + minutes)
            at = end
        if at != end:
            return False
        days = _days(year, month, day)
        result[i] = (((days * 24 + hour) * 60 + minute - ahead) * 60 + second) * 1000 + ms
        if result[i] <= 0:
            return False
    return True
