"""From the paths that models want to the columns of scanned messages.

What the scanner could not read is a document, parsed by the standard library; its values are looked up path by path.
A path that is both a field and the parent of another is a scalar to the scanner, and absent below a scalar.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.decoders import scan
from monitor.decoders.values import NotAnObject

__all__ = ["HEADER", "Columns", "Path", "Shape", "split"]

HEADER = "header:"
"""What the path of a message's header starts with; the rest is the header's name, dots and all."""

Path = tuple[str, ...]


def split(path: str) -> Path:
    """Return the keys of a dotted path.

    Examples
    --------
    >>> split("features.amount"), split("header:trace.id")
    (('features', 'amount'), ('header:trace.id',))
    """
    return (path,) if path.startswith(HEADER) else tuple(path.split("."))


class Shape:
    """The union of paths, as the scanner's keys.

    Parameters
    ----------
    paths : mapping of path to set of str
        What each path is used as: ``number``, ``text``, ``time`` or ``where``.

    Attributes
    ----------
    keys : scan.Keys
    slots : dict of path to int

    Examples
    --------
    >>> shape = Shape({("f", "x"): {"number"}, ("id",): {"text"}})
    >>> found = scan.scan(shape.keys, [b'{"f": {"x": 2}, "id": 7}', b'{"f": 3}'], 100)
    >>> columns = Columns(shape, found, {1: {"f": 3}})
    >>> columns.of(("id",)), columns.numbers([("f", "x")])
    ([7, None], array([[ 2., nan]]))
    >>> columns.at(("f", "x"), 1)
    NotAnObject(parent=3)
    """

    def __init__(self, paths: Mapping[Path, Iterable[str]]) -> None:
        leaves = sorted(path for path in paths if not any(above in paths for above in _above(path)))
        split_up = {above for path in paths for above in _above(path)}
        self._numbers = {path for path in leaves if set(paths[path]) == {"number"} and path not in split_up}
        self.slots = {path: slot for slot, path in enumerate(leaves)}
        parents = sorted({(), *(above for path in leaves for above in _above(path))})
        nodes: list[dict[str, tuple[int, int]]] = [{} for _ in parents]
        for number, path in enumerate(parents):
            if path:
                nodes[parents.index(path[:-1])][path[-1]] = (scan.CHILD, number)
        for path, slot in self.slots.items():
            kind = scan.NUMBER if path in self._numbers else scan.SCALAR
            nodes[parents.index(path[:-1])][path[-1]] = (kind, slot)
        self.keys = scan.Keys.of(nodes, len(leaves))

    def numbers_only(self, path: Path) -> bool:
        """Whether the scanner lets nothing but numbers, booleans and null through at ``path``."""
        return path in self._numbers


class Columns:
    """The values of messages by path. Each path is looked up once, however often it is asked for.

    Parameters
    ----------
    shape : Shape
    found : scan.Scanned
    documents : mapping of int to object
        By index, what was not scanned; a message in neither has no values.
    given : mapping of path to list
        Values that stand beside the documents; the shape knows nothing of their paths.
    """

    def __init__(
        self,
        shape: Shape,
        found: scan.Scanned,
        documents: Mapping[int, object],
        given: Mapping[Path, list[Any]] = MappingProxyType({}),
    ) -> None:
        self._shape, self._found, self._documents, self._given = shape, found, documents, given
        self._values: dict[Path, list[Any]] = dict(given)

    def of(self, path: Path) -> list[Any]:
        """The values at ``path``, one per message; not to be changed."""
        if path not in self._values:
            depth = next(n for n in range(1, len(path) + 1) if path[:n] in self._shape.slots)
            values = self._scalars(self._shape.slots[path[:depth]])
            for key in path[depth:]:
                values = [_member(value, key) for value in values]
            for index in self._documents:
                values[index] = self.at(path, index)
            self._values[path] = values
        return self._values[path]

    def numbers(self, paths: Sequence[Path]) -> NDArray[np.float64]:
        """The numbers at ``paths``, each for numbers only, as a float64 array [paths, n]; NaN in documents."""
        values = self._found.values[[self._shape.slots[path] for path in paths]]
        values[:, ~self._found.ok] = np.nan
        return values

    def at(self, path: Path, index: int) -> object:
        """The value at ``path`` of a document."""
        if path in self._given:
            return self._given[path][index]
        value = self._documents[index]
        for key in path:
            value = _member(value, key)
        return value

    def document(self, index: int) -> object:
        """What was parsed because it was not scanned, or None."""
        return self._documents.get(index)

    def _scalars(self, slot: int) -> list[Any]:
        kinds, ok = self._found.kinds[slot], self._found.ok
        present = np.bincount(np.where(ok, kinds, scan.MISSING), minlength=scan.KINDS)
        if present[scan.INTEGER] == len(kinds):
            return list(self._found.values[slot].astype(np.int64).tolist())
        values = self._texts(slot) if present[scan.TEXT] else [None] * len(kinds)
        for kind in np.flatnonzero(present).tolist():
            if kind in {scan.MISSING, scan.TEXT}:
                continue
            for index in np.flatnonzero(ok & (kinds == kind)).tolist():
                values[index] = self._scalar(slot, index, kind)
        return values

    def _scalar(self, slot: int, index: int, kind: int) -> object:
        if kind == scan.ESCAPED:
            return self._found.escaped[slot, index]
        if kind == scan.BIG:
            return int(self._found.bytes_at(slot, index))
        value = float(self._found.values[slot, index])
        if kind == scan.INTEGER:
            return int(value)
        return value if kind in {scan.FLOAT, scan.HARD} else kind == scan.TRUE

    def _texts(self, slot: int) -> list[Any]:
        """Texts, and None for everything else."""
        found = self._found
        interned = scan.intern(found, slot)
        if interned is not None:
            spans, codes = interned
            names = [*(found.buffer[start:stop].decode() for start, stop in spans), None]
            return list(map(names.__getitem__, codes.tolist()))
        values: list[Any] = [None] * len(found.ok)
        there = np.flatnonzero(found.ok & (found.kinds[slot] == scan.TEXT))
        spans_there = zip(found.first[slot, there].tolist(), found.last[slot, there].tolist(), strict=True)
        texts = [found.buffer[start:stop].decode() for start, stop in spans_there]
        if len(texts) == len(values):
            return texts
        for index, text in zip(there.tolist(), texts, strict=True):
            values[index] = text
        return values


def _above(path: Path) -> list[Path]:
    return [path[:depth] for depth in range(1, len(path))]


def _member(document: object, key: str) -> object:
    if isinstance(document, dict):
        return document.get(key)
    if document is None or isinstance(document, NotAnObject):
        return document
    return NotAnObject(document)
