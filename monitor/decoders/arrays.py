"""Lists of numbers, cut out of JSON before it is scanned: the scanner knows scalars and objects.

A list of as many numbers as some vector has becomes an empty text and blanks, and its numbers go to a column of their
own. Where the scanner then finds that very text as a vector, by its place, the list is the vector. A message in which a
list was cut that turns out to be something else goes the slow way, as it does if one of the numbers is hard to read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import kernel
from monitor.decoders.scan import Scanned
from monitor.decoders.tokens import BIG, HARD, TEXT, read_number, read_text, skip_space
from monitor.packed import Packed

__all__ = ["Arrays", "cut"]

Integers = NDArray[np.int64]
_OPEN, _CLOSE, _COMMA, _QUOTE, _BLANK = (ord(c) for c in '[]," ')


@dataclass(frozen=True)
class Arrays:
    """Lists that were cut out.

    Attributes
    ----------
    at, row : int64 array [k]
        Where each begins in the buffer, ascending, and in which message.
    first : int64 array [k + 1]
        Where the numbers of each begin.
    numbers : float64 array
    """

    at: Integers
    row: Integers
    first: Integers
    numbers: NDArray[np.float64]

    def of_slot(self, scanned: Scanned, slot: int, dimension: int) -> tuple[Integers, Integers, Integers]:
        """Find lists in a slot: messages with one of so many numbers, which list that is, and lists of another size."""
        rows = np.flatnonzero(scanned.ok & (scanned.kinds[slot] == TEXT))
        positions = scanned.starts[slot, rows].astype(np.int64) - 1
        which = np.minimum(np.searchsorted(self.at, positions), max(len(self.at) - 1, 0))
        cut = self.at[which] == positions if len(self.at) else np.zeros(len(rows), dtype=np.bool_)
        rows, which = rows[cut], which[cut]
        fits = np.diff(self.first)[which] == dimension
        return rows[fits], which[fits], which[~fits]

    def vectors(self, which: Integers, dimension: int) -> NDArray[np.float64]:
        """Lists of so many numbers, float64[which, dimension]."""
        if (np.diff(self.first) == dimension).all():
            return np.asarray(self.numbers.reshape(-1, dimension)[which])
        return np.asarray(self.numbers[self.first[which][:, None] + np.arange(dimension)])

    def refuse(self, scanned: Scanned, slots: Iterable[tuple[int, int]]) -> None:
        """Leave messages to the slow way in which a list is not what one of ``slots``, with its dimension, wants."""
        vectors, wrong = np.zeros(len(self.at), dtype=np.bool_), np.zeros(len(self.at), dtype=np.bool_)
        for slot, dimension in slots:
            _, which, misfits = self.of_slot(scanned, slot, dimension)
            vectors[which] = True
            wrong[misfits] = True
        scanned.ok[self.row[wrong | ~vectors]] = False


def cut(payloads: Packed, dimensions: Collection[int]) -> tuple[Packed, Arrays]:
    """Cut lists of numbers out of messages.

    Parameters
    ----------
    payloads : Packed
    dimensions : collection of int
        How many numbers a list must hold to be cut out.

    Examples
    --------
    >>> json, arrays = cut(Packed.of([b'{"x": [1, 2.5], "y": [1], "z": "[3, 4]"}']), {2})
    >>> json[0], arrays.numbers.tolist()
    (b'{"x": ""      , "y": [1], "z": "[3, 4]"}', [1.0, 2.5])
    """
    copy = bytearray(payloads.buffer)
    # Each number has a comma or a bracket behind it, and each list has two; memory that is not used costs nothing.
    most = len(copy) // 2 + 1
    at, row, first = (np.empty(most, dtype=np.int64) for _ in range(3))
    numbers = np.empty(most)
    first[0] = 0
    sizes = np.zeros(max(dimensions) + 1, dtype=np.bool_)
    sizes[list(dimensions)] = True
    count = _cut(np.frombuffer(copy, dtype=np.uint8), payloads.starts, payloads.lengths, sizes, at, row, first, numbers)
    arrays = Arrays(at[:count].copy(), row[:count].copy(), first[: count + 1].copy(), numbers[: first[count]])
    return Packed(copy, payloads.starts, payloads.lengths), arrays


@kernel
def _cut(
    buffer: Any, starts: Any, lengths: Any, sizes: Any, at: Any, row: Any, first: Any, numbers: Any
) -> int:  # fmt: skip
    """Blank lists; return how many."""
    count = 0
    filled = 0
    for i in range(starts.shape[0]):
        position = starts[i]
        stop = starts[i] + lengths[i]
        while position < stop:
            if buffer[position] == _QUOTE:
                position, _ = read_text(buffer, position + 1)
                if position < 0:
                    break
            elif buffer[position] == _OPEN:
                end, size = _numbers(buffer, position + 1, sizes.shape[0], filled, numbers)
                if size > 0 and sizes[size]:
                    at[count] = position
                    row[count] = i
                    count += 1
                    filled += size
                    first[count] = filled
                    buffer[position] = _QUOTE
                    buffer[position + 1] = _QUOTE
                    buffer[position + 2 : end] = _BLANK
                    position = end - 1
            position += 1
    return count


@kernel
def _numbers(buffer: Any, at: int, most: int, filled: int, numbers: Any) -> Any:
    """Read the numbers of a list; return where it ends and how many they are, 0 if it holds anything else."""
    size = 0
    while size + 1 < most:
        at = skip_space(buffer, at)
        at, kind, value = read_number(buffer, at)
        if at < 0 or kind in (BIG, HARD):
            return -1, 0
        numbers[filled + size] = value
        size += 1
        at = skip_space(buffer, at)
        if buffer[at] == _CLOSE:
            return at + 1, size
        if buffer[at] != _COMMA:
            return -1, 0
        at += 1
    return -1, 0
