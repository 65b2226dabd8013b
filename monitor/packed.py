"""Many byte strings, or texts, in one buffer: what messages and identities are before anything looks into them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import kernel

__all__ = ["Packed", "Texts"]

Integers = NDArray[np.int64]


class Packed(Sequence["bytes | None"]):
    r"""Byte strings that lie in one buffer, each followed by a byte 0; some may be absent.

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
    (b'one\x00\x00\x00', [b'one', None, b''], b'one', [None, b''])
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
        starts = _starts(sizes)
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

    def compact(self) -> Packed:
        """The same in a buffer of their own, so that a few of them do not keep a large one alive."""
        sizes = np.maximum(self.lengths, 0)
        starts = _starts(sizes)
        buffer = bytearray(int(sizes.sum()) + len(sizes))
        _gather(_bytes(self.buffer), self.starts, sizes, _bytes(buffer), starts)
        return Packed(buffer, starts, self.lengths)

    @property
    def total_bytes(self) -> int:
        """How many bytes the strings have, without those between them."""
        return int(np.maximum(self.lengths, 0).sum())


class Texts(Sequence["str | None"]):
    """Texts in one buffer, in UTF-8; some may be absent.

    Parameters
    ----------
    packed : Packed

    Examples
    --------
    >>> texts = Texts.of(["é", None, "b"])
    >>> texts.tolist(), texts[0], texts.take(np.array([2, 1])) == ["b", None]
    (['é', None, 'b'], 'é', True)
    """

    __slots__ = ("packed",)
    __hash__ = None  # type: ignore[assignment] # equal to a list of the same texts, which has none either

    def __init__(self, packed: Packed) -> None:
        self.packed = packed

    @classmethod
    def of(cls, texts: Sequence[str | None]) -> Texts:
        """Pack what is not packed yet."""
        if isinstance(texts, Texts):
            return texts
        return cls(Packed.of([None if text is None else text.encode() for text in texts]))

    @classmethod
    def joined(cls, parts: Sequence[Texts]) -> Texts:
        """One after the other, in a buffer of their own."""
        packed = [part.packed.compact() for part in parts]
        firsts = np.cumsum([0, *(len(part.buffer) for part in packed)]).tolist()
        starts = [part.starts + first for part, first in zip(packed, firsts, strict=False)]
        buffer = b"".join(part.buffer for part in packed)
        return cls(Packed(buffer, np.concatenate(starts), np.concatenate([part.lengths for part in packed])))

    def __len__(self) -> int:
        return len(self.packed)

    @overload
    def __getitem__(self, index: int) -> str | None: ...
    @overload
    def __getitem__(self, index: slice) -> Texts: ...
    def __getitem__(self, index: int | slice) -> str | Texts | None:
        if isinstance(index, slice):
            return Texts(self.packed[index])
        text = self.packed[index]
        return None if text is None else text.decode()

    def __iter__(self) -> Iterator[str | None]:
        return (None if text is None else text.decode() for text in self.packed)

    def __eq__(self, other: object) -> bool:
        return self.tolist() == (other.tolist() if isinstance(other, Texts) else other)

    def __repr__(self) -> str:
        return f"Texts.of({self.tolist()!r})"

    def take(self, indices: Sequence[int] | Integers) -> Texts:
        """Those at ``indices``, in the same buffer."""
        return Texts(self.packed.take(indices))

    def tolist(self) -> list[str | None]:
        """The texts one by one."""
        return list(self)

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which of them are there, bool [n]."""
        return np.asarray(self.packed.lengths >= 0)


def _starts(sizes: Integers) -> Integers:
    """Where strings of so many bytes begin that lie one behind the other, each with its byte 0."""
    return np.cumsum(sizes + 1) - sizes - 1


def _bytes(buffer: bytes | bytearray) -> NDArray[np.uint8]:
    return np.frombuffer(buffer, dtype=np.uint8)


@kernel
def _gather(source: Any, starts: Integers, sizes: Integers, target: Any, places: Integers) -> None:
    for i in range(starts.size):
        # Of what cannot be negative the compiler makes one copy of many bytes at a time: 15 ns for 450, not 600.
        start, goal = np.uint64(starts[i]), np.uint64(places[i])
        for at in range(np.uint64(sizes[i])):
            target[goal + at] = source[start + at]
