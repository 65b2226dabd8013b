"""Finds the records in the bytes of Kafka record batches (message format 2), without making an object of any.

A record is ``length attributes timestamp_delta offset_delta key_length key value_length value header_count headers``,
with numbers as zigzag varints. Nothing is read or written outside of the record whose length was checked, and a batch
in which anything is unusual is left to the client's own code.

The byte behind a value is the first of the header count, and the one behind a key the first of the value's length.
Once read, both are overwritten with 0, so that keys and values can stay where they are and are what
:class:`~monitor.packed.Packed` wants.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.kernel import inlined, kernel

__all__ = ["BATCH_COLUMNS", "MIN_RECORD_BYTES", "RECORD_COLUMNS", "scan"]

MIN_RECORD_BYTES = 7
"""A record of a null key and value without headers: so many at most are in a number of bytes."""

BATCH_COLUMNS = 8
"""Start and end in bytes, number of records, base offset, last offset less base offset, time in ms, whether all records
have that time (else it is the first's), and, written by :func:`scan`, the sum of the records' sizes."""

RECORD_COLUMNS = 8
"""Offset, time in ms, start and length of key and value (-1 is null), start of headers and their number."""

# Arithmetic of bytes in 64 bits, whether compiled or not.
_wide: Any = np.int64
_LARGEST = np.iinfo(np.int64).max
_SMALLEST = np.iinfo(np.int64).min
_LAST_SHIFT = 63


@inlined
def _varint(data: Any, at: int, stop: int) -> Any:
    """A number and the place behind it; -1 if it does not end before ``stop`` or has more than 64 bits."""
    value = _wide(0)
    shift = _wide(0)
    while at < stop:
        byte = _wide(data[at])
        at += 1
        if shift == _LAST_SHIFT and byte > 1:
            return _wide(0), -1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            # The sign bit must not be shifted in.
            return ((value >> 1) & _LARGEST) ^ -(value & 1), at
        shift += 7
    return _wide(0), -1


@inlined
def _behind(data: Any, at: int, stop: int) -> Any:
    """The start, length and end of bytes with a length before them, null as -1; the end is -1 if they do not fit."""
    length, at = _varint(data, at, stop)
    if at < 0 or length > stop - at:
        return at, length, -1
    return (at, _wide(-1), at) if length < 0 else (at, length, at + length)


@inlined
def _headers_end(data: Any, at: int, stop: int, count: int) -> int:
    for _ in range(count):
        _, length, at = _behind(data, at, stop)
        if at < 0 or length < 0:
            return -1
        _, _, at = _behind(data, at, stop)
        if at < 0:
            return -1
    return at


@inlined
def _record(data: Any, at: int, stop: int, columns: Any, row: int) -> bool:  # noqa: PLR0911 -- a check a line
    """Read a record that has to end exactly at ``stop``; its offset and time are still those within the batch."""
    if at >= stop or data[at] > 0x7F:
        return False
    delta_ms, at = _varint(data, at + 1, stop)
    if at < 0:
        return False
    delta, at = _varint(data, at, stop)
    if at < 0:
        return False
    key, key_length, value_at = _behind(data, at, stop)
    if value_at < 0:
        return False
    value, value_length, headers_at = _behind(data, value_at, stop)
    if headers_at < 0:
        return False
    count, headers = _varint(data, headers_at, stop)
    # A header has two bytes at least.
    if headers < 0 or count < 0 or count > (stop - headers) // 2 or _headers_end(data, headers, stop, count) != stop:
        return False
    data[value_at] = 0
    data[headers_at] = 0
    columns[0, row], columns[1, row] = delta, delta_ms
    columns[2, row], columns[3, row] = key, key_length
    columns[4, row], columns[5, row] = value, value_length
    columns[6, row], columns[7, row] = headers, count
    return True


@inlined
def _add(first: int, second: int) -> Any:
    """The sum, and whether it has 64 bits."""
    if (second >= 0 and first > _LARGEST - second) or (second < 0 and first < _SMALLEST - second):
        return _wide(0), False
    return first + second, True


@kernel
def scan(data: Any, batches: Any, columns: Any) -> Any:  # noqa: PLR0911 -- a check a line
    """Find all records of batches that lie one behind the other.

    Parameters
    ----------
    data : uint8 array
        The decompressed records of all batches; see above for what is overwritten.
    batches : int64 array [batches, BATCH_COLUMNS]
    columns : int64 array [RECORD_COLUMNS, n]
        Filled; n is at least the sum of the batches' numbers of records, those left out that their bytes cannot hold.

    Returns
    -------
    int, int
        How many batches were read, and how many records they have: less than all if the next has something unusual.
    """
    row = 0
    for b in range(batches.shape[0]):
        at, end = batches[b, 0], batches[b, 1]
        first = row
        if batches[b, 2] > (end - at) // MIN_RECORD_BYTES:
            return b, first
        previous = _wide(-1)
        size = _wide(0)
        for _ in range(batches[b, 2]):
            length, at = _varint(data, at, end)
            if at < 0 or length < 0 or length > end - at:
                return b, first
            if not _record(data, at, at + length, columns, row):
                return b, first
            delta = columns[0, row]
            if delta <= previous or delta > batches[b, 4]:
                return b, first
            previous = delta
            offset, offset_fits = _add(batches[b, 3], delta)
            time_ms, time_fits = _add(batches[b, 5], columns[1, row])
            if batches[b, 6]:
                time_ms, time_fits = batches[b, 5], True
            if not offset_fits or not time_fits:
                return b, first
            columns[0, row], columns[1, row] = offset, time_ms
            size += length
            at += length
            row += 1
        if at != end:
            return b, first
        batches[b, 7] = size
    return batches.shape[0], row
