"""A column of few distinct values: the values once, and a code for each place.

What databases call dictionary encoding. Whatever is asked of every value is then asked of each distinct one, which is
what makes columns of names as fast as columns of numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar, overload

import numpy as np
import numpy.typing as npt

__all__ = ["Coded"]

T = TypeVar("T")
Integers = npt.NDArray[np.int64]


class Coded(Sequence[T], Generic[T]):
    """Values ``names[codes[0]], names[codes[1]], …``; a name may stand there twice, or be used by none.

    Parameters
    ----------
    names : list of k values
    codes : int64 array [n]
        From 0 to k - 1.

    Examples
    --------
    >>> column = Coded.of(["DE", "FR", "DE", None])
    >>> column.names, column.codes.tolist(), column.tolist()
    (['DE', 'FR', None], [0, 1, 0, 2], ['DE', 'FR', 'DE', None])
    >>> column[1], column[1:].tolist(), column == ["DE", "FR", "DE", None]
    ('FR', ['FR', 'DE', None], True)
    """

    __slots__ = ("codes", "names")
    __hash__ = None  # type: ignore[assignment] # equal to a list of the same values, which has none either

    def __init__(self, names: list[T], codes: Integers) -> None:
        self.names, self.codes = names, codes

    @classmethod
    def of(cls, values: Sequence[T]) -> Coded[T]:
        """Encode hashable values that are not encoded yet; values that are equal share a code."""
        if isinstance(values, Coded):
            return values
        index = {value: code for code, value in enumerate(dict.fromkeys(values))}
        return cls(list(index), np.fromiter(map(index.__getitem__, values), dtype=np.int64, count=len(values)))

    @classmethod
    def constant(cls, value: T, count: int) -> Coded[T]:
        """The same value ``count`` times."""
        return cls([value], np.zeros(count, dtype=np.int64))

    @classmethod
    def joined(cls, parts: Sequence[Coded[T]]) -> Coded[T]:
        """One column after the other, without names that a part does not use."""
        used = [part._compact() for part in parts]
        firsts = np.cumsum([0, *(len(part.names) for part in used)])
        codes = [part.codes + first for part, first in zip(used, firsts.tolist(), strict=False)]
        return cls([name for part in used for name in part.names], np.concatenate(codes))

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Coded[T]: ...
    def __getitem__(self, index: int | slice) -> T | Coded[T]:
        if isinstance(index, slice):
            return Coded(self.names, self.codes[index])
        return self.names[int(self.codes[index])]

    def __iter__(self) -> Iterator[T]:
        return map(self.names.__getitem__, self.codes.tolist())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Coded):
            return self.tolist() == other.tolist()
        return self.tolist() == other

    def __repr__(self) -> str:
        return f"Coded({self.names!r}, {self.codes!r})"

    def take(self, indices: Integers) -> Coded[T]:
        """Those at ``indices``."""
        return Coded(self.names, self.codes[indices])

    def tolist(self) -> list[T]:
        """The values one by one."""
        return list(self)

    def used(self) -> list[int]:
        """The codes that occur, in the order in which they first do."""
        codes, first = np.unique(self.codes, return_index=True)
        ordered: list[int] = codes[np.argsort(first)].tolist()
        return ordered

    def _compact(self) -> Coded[T]:
        if len(self.names) <= len(self.codes):
            return self
        codes, places = np.unique(self.codes, return_inverse=True)
        return Coded([self.names[code] for code in codes.tolist()], places.astype(np.int64, copy=False))
