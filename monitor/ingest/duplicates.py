"""Which identities were seen in each open pane, so that an event that comes twice counts once.

An identity stands as 64 bits of a hash. Among two million in a pane the chance that any two of them share one is
about 1e-7; an event would then be taken for a duplicate, and be named in the dead letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import kernel
from monitor.packed import Texts

__all__ = ["SeenIds", "digests"]

Integers = NDArray[np.int64]
Digests = NDArray[np.uint64]

_LEAST = 64
_FACTOR = np.uint64(0xC6A4A7935BD1E995)
_FOLD = np.uint64(47)
_BYTE = np.uint64(8)
_WORD = 8
_NONE = np.uint64(0)
_ONE = np.uint64(1)


def digests(texts: Texts) -> Digests:
    """Hash texts: MurmurHash64A of A. Appleby (2010), seed 0, over UTF-8; 1 in place of 0.

    Returns
    -------
    uint64 array [n]
        Undefined where a text is absent.

    Examples
    --------
    >>> digests(Texts.of(["a", "b"])).tolist()
    [510903276987443985, 16900879642891266615]
    """
    hashes = np.empty(len(texts), dtype=np.uint64)
    buffer = np.frombuffer(texts.packed.buffer, dtype=np.uint8)
    # The hash multiplies modulo 2**64; without the jit, NumPy would warn of that.
    with np.errstate(over="ignore"):
        _digest(buffer, texts.packed.starts, texts.packed.lengths, hashes)
    return hashes


class SeenIds:
    """The identities of open panes.

    Examples
    --------
    >>> seen = SeenIds()
    >>> panes, ids = np.array([0, 0, 10, 10]), Texts.of(["a", "a", "a", "b"])
    >>> seen.repeated(panes, digests(ids)).tolist()
    [1]
    >>> seen.forget_before(10)
    >>> list(seen.snapshot())
    ['10']
    """

    def __init__(self) -> None:
        self._tables: dict[int, Digests] = {}
        self._counts: dict[int, int] = {}

    def repeated(self, panes: Integers, hashes: Digests) -> Integers:
        """Note identities; return the places of those that their pane had by then.

        Parameters
        ----------
        panes : int64 array [n]
            The pane of each event, in the order of the log.
        hashes : uint64 array [n]
            What :func:`digests` made of the events' identities.
        """
        repeated = np.zeros(len(hashes), dtype=np.bool_)
        # Cut where the pane changes: events mostly come in the order of time, so there are few cuts.
        cuts = [0, *(np.flatnonzero(np.diff(panes)) + 1).tolist(), len(panes)]
        for first, stop in pairwise(cuts):
            if first < stop:
                pane = int(panes[first])
                self._reserve(pane, stop - first)
                self._counts[pane] += _insert(self._tables[pane], hashes, first, stop, repeated)
        return np.flatnonzero(repeated)

    def forget_before(self, closed_ms: int) -> None:
        """Drop panes that start before ``closed_ms``."""
        for pane in [pane for pane in self._tables if pane < closed_ms]:
            del self._tables[pane], self._counts[pane]

    def snapshot(self) -> dict[str, Digests]:
        """The digests of each pane, sorted."""
        return {str(pane): np.sort(table[table != _NONE]) for pane, table in self._tables.items()}

    def restore(self, state: Mapping[str, Digests]) -> None:
        """Go on from a snapshot."""
        self._tables, self._counts = {}, {}
        for pane, hashes in state.items():
            self.repeated(np.full(len(hashes), int(pane), dtype=np.int64), np.asarray(hashes, dtype=np.uint64))

    def _reserve(self, pane: int, added: int) -> None:
        """Make room for so many more, with half of the table left empty."""
        table = self._tables.get(pane)
        count = self._counts.setdefault(pane, 0)
        size = max(_LEAST, 1 << (2 * (count + added) - 1).bit_length())
        if table is None or len(table) < size:
            self._tables[pane] = np.zeros(size, dtype=np.uint64)
            if table is not None:
                hashes = table[table != _NONE]
                _insert(self._tables[pane], hashes, 0, len(hashes), np.zeros(len(hashes), dtype=np.bool_))


@kernel
def _digest(buffer: Any, starts: Integers, lengths: Integers, hashes: Digests) -> None:
    for i in range(hashes.size):
        length = lengths[i]
        at = starts[i]
        end = at + length
        h = np.uint64(length) * _FACTOR
        while at + _WORD <= end:
            word = np.uint64(0)
            for k in range(_WORD):
                word |= np.uint64(buffer[at + k]) << (_BYTE * np.uint64(k))
            word *= _FACTOR
            word ^= word >> _FOLD
            word *= _FACTOR
            h ^= word
            h *= _FACTOR
            at += _WORD
        if at < end:
            word = np.uint64(0)
            for k in range(end - at):
                word |= np.uint64(buffer[at + k]) << (_BYTE * np.uint64(k))
            h ^= word
            h *= _FACTOR
        h ^= h >> _FOLD
        h *= _FACTOR
        h ^= h >> _FOLD
        hashes[i] = h if h != _NONE else _ONE


@kernel
def _insert(table: Digests, hashes: Digests, first: int, stop: int, repeated: NDArray[np.bool_]) -> int:
    """Put digests into a table with room for all of them; mark those that were there, return how many were not."""
    mask = np.uint64(table.size - 1)
    added = 0
    for i in range(first, stop):
        slot = hashes[i] & mask
        while table[slot] != _NONE and table[slot] != hashes[i]:
            slot = (slot + _ONE) & mask
        if table[slot] == _NONE:
            table[slot] = hashes[i]
            added += 1
        else:
            repeated[i] = True
    return added
