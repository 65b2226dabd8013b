"""Many byte strings in one buffer: what a batch of messages is before anything looks into it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["Packed"]

Integers = NDArray[np.int64]


class Packed(Sequence["bytes | None"]):
    """Byte strings that lie in one buffer, each followed by a byte 0; some may be absent.

    The byte 0 is for scanners: it is allowed nowhere in JSON, so a loop over the buffer ends there by itself.

    Parameters
    ----------
    buffer : bytes or bytearray
    starts, lengths : int64 array [n]
        In bytes; a length of -1 is an absent one (None).

    Examples
    --------
    >>> packed = Packed.of([b"one", None, b""])
    >>> packed.buffer, list(packed), packed[0], list(packed[1:])
    (b'one\\x00\\x00\\x00', [b'one', None, b''], b'one', [None, b''])
    """

    __slots__ = ("buffer", "lengths", "starts")

    def __init__(self, buffer: bytes | bytearray, starts: Integers, lengths: Integers) -> None:
        self.buffer, self.starts, self.lengths = buffer, starts, lengths

    @classmethod
    def of(cls, items: Sequence[bytes | None]) -> Packed:
        """Pack what is not packed yet."""
        if isinstance(items, Packed):
            return items
        buffer = b"\x00".join([*(item or b"" for item in items), b""])
        sizes = np.fromiter((0 if item is None else len(item) for item in items), dtype=np.int64, count=len(items))
        starts = np.cumsum(sizes + 1) - sizes - 1
        absent = [index for index, item in enumerate(items) if item is None] if None in items else []
        sizes[absent] = -1
        return cls(buffer, starts, sizes)

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> bytes | None: ...
    @overload
    def __getitem__(self, index: slice) -> Packed: ...
    def __getitem__(self, index: int | slice) -> bytes | Packed | None:
        if isinstance(index, slice):
            return Packed(self.buffer, self.starts[index], self.lengths[index])
        start, length = int(self.starts[index]), int(self.lengths[index])
        return None if length < 0 else bytes(self.buffer[start : start + length])

    def __iter__(self) -> Iterator[bytes | None]:
        for start, length in zip(self.starts.tolist(), self.lengths.tolist(), strict=True):
            yield None if length < 0 else bytes(self.buffer[start : start + length])

    def take(self, indices: Sequence[int] | Integers) -> Packed:
        """Those at ``indices``, in the same buffer."""
        chosen = np.asarray(indices, dtype=np.int64)
        return Packed(self.buffer, self.starts[chosen], self.lengths[chosen])

    @property
    def total_bytes(self) -> int:
        """How many bytes the strings have, without those between them."""
        return int(np.maximum(self.lengths, 0).sum())
