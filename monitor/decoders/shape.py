"""From the paths that models want to the columns of scanned messages.

What the scanner could not read is a document, parsed by the standard library; its values are looked up path by path.
A path that is both a field and the parent of another is a scalar to the scanner, and absent below a scalar.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType, NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.sketch import Coded
from monitor.decoders import scan, scan_kernel, tokens
from monitor.decoders.arrays import Arrays
from monitor.decoders.values import NotAnObject
from monitor.packed import Packed

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
    >>> columns.coded(("id",)).tolist(), columns.numbers([("f", "x")])
    ([7, None], array([[ 2., nan]]))
    >>> columns.at(("f", "x"), 1)
    NotAnObject(parent=3)
    """

    def __init__(self, paths: Mapping[Path, Iterable[str]]) -> None:
        split_up = {above for path in paths for above in _above(path)}
        leaves = [path for path in paths if not any(above in paths for above in _above(path))]
        self._numbers = {path for path in leaves if set(paths[path]) == {"number"} and path not in split_up}
        # Numbers first, in the order in which they are wanted: so the columns of a model lie side by side.
        leaves.sort(key=lambda path: path not in self._numbers)
        self.slots = {path: slot for slot, path in enumerate(leaves)}
        parents = sorted({(), *(above for path in leaves for above in _above(path))})
        nodes: list[dict[str, tuple[int, int]]] = [{} for _ in parents]
        for number, path in enumerate(parents):
            if path:
                nodes[parents.index(path[:-1])][path[-1]] = (scan_kernel.CHILD, number)
        for path, slot in self.slots.items():
            kind = scan_kernel.NUMBER if path in self._numbers else scan_kernel.SCALAR
            nodes[parents.index(path[:-1])][path[-1]] = (kind, slot)
        self.keys = scan.Keys.of(nodes, len(leaves))

    def numbers_only(self, path: Path) -> bool:
        """Whether only numbers are wanted at ``path``: anything else there is a number that cannot be used."""
        return path in self._numbers


class Columns:
    """The values of messages by path. Each path is looked up once, however often it is asked for.

    Parameters
    ----------
    shape : Shape
    scanned : scan.Scanned
    documents : mapping of int to object
        By index, what was not scanned; a message in neither has no values.
    beside : mapping of path to sequence
        Values that stand beside the documents; the shape knows nothing of their paths.
    arrays : Arrays or None
        Lists that were cut out of what was scanned.
    """

    def __init__(
        self,
        shape: Shape,
        scanned: scan.Scanned,
        documents: Mapping[int, object],
        beside: Mapping[Path, Sequence[Any]] = MappingProxyType({}),
        arrays: Arrays | None = None,
    ) -> None:
        self._shape, self._found, self._documents, self._beside = shape, scanned, documents, beside
        self._arrays = arrays
        self._coded: dict[Path, Coded[Any]] = {path: _encoded(values) for path, values in beside.items()}

    def coded(self, path: Path) -> Coded[Any]:
        """The values at ``path``, one per message."""
        if path not in self._coded:
            slot, below = self._place(path)
            values = self._scalars(slot)
            for key in below:
                values = Coded([_member(value, key) for value in values.names], values.codes)
            if self._documents:
                rows = list(self._documents)
                codes = values.codes.copy()
                codes[rows] = len(values.names) + np.arange(len(rows))
                values = Coded([*values.names, *(self.at(path, index) for index in rows)], codes)
            self._coded[path] = values
        return self._coded[path]

    def numbers(self, paths: Sequence[Path]) -> NDArray[np.float64]:
        """The numbers at ``paths``, each for numbers only, as a float64 array [paths, n].

        NaN in documents, infinite where :meth:`unusable` says so.
        """
        slots = [self._shape.slots[path] for path in paths]
        first = slots[0] if slots else 0
        adjacent = slots == list(range(first, first + len(slots)))
        values = self._found.values[first : first + len(slots)] if adjacent else self._found.values[slots]
        if not self._found.ok.all():
            # Each model completes them by itself, so they must be its own.
            values = np.where(self._found.ok, values, np.nan)
        return values

    def unusable(self, path: Path, chosen: NDArray[np.int64] | None) -> list[tuple[int, object]]:
        """What messages that were scanned have at ``path``, for numbers only, that is no number, with their index.

        The index is that among the ``chosen``, ascending ones, or among all.
        """
        slot = self._shape.slots[path]
        kinds = np.where(self._found.ok, self._found.kinds[slot], tokens.MISSING)
        kinds = kinds if chosen is None else kinds[chosen]
        rows = np.flatnonzero((kinds == tokens.TEXT) | (kinds == tokens.ESCAPED) | (kinds == tokens.NONFINITE))
        messages = rows if chosen is None else chosen[rows]
        each = zip(rows.tolist(), messages.tolist(), kinds[rows].tolist(), strict=True)
        return [(row, self._scalar(slot, message, kind)) for row, message, kind in each]

    def vectors(self, path: Path, dimension: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The lists of so many numbers at ``path``, float64 array [n, dimension], and which messages have one."""
        out, present = np.empty((len(self._found.ok), dimension)), np.zeros(len(self._found.ok), dtype=np.bool_)
        if self._arrays is not None and path in self._shape.slots:
            rows, which, _ = self._arrays.of_slot(self._found, self._shape.slots[path], dimension)
            out[rows], present[rows] = self._arrays.vectors(which, dimension), True
        return out, present

    def whole(self, path: Path) -> NDArray[np.int64] | None:
        """The values at ``path`` if every message has an integer of 64 bits there, else None."""
        if path in self._beside:
            return None
        slot, below = self._place(path)
        kinds = self._found.kinds[slot]
        integer = kinds == tokens.INTEGER
        if below or not self._found.ok.all() or not (integer | (kinds == tokens.BIG)).all():
            return None
        if integer.all():
            return np.asarray(self._found.values[slot].astype(np.int64))
        return scan.integers(self._found, slot)

    def texts(self, path: Path) -> tuple[Packed, NDArray[np.int64]]:
        """The texts at ``path``, absent where there is none; and which rows hold something else than one.

        An integer counts as the text that it is written as.
        """
        scanned = self._found
        slot, below = (0, path) if path in self._beside else self._place(path)
        if below:
            return Packed.of([None] * len(scanned.ok)), np.arange(len(scanned.ok))
        kinds = scanned.kinds[slot]
        starts = scanned.starts[slot].astype(np.int64)
        sizes = scanned.stops[slot] - starts
        integer = (kinds == tokens.INTEGER) | (kinds == tokens.BIG)
        # -0 is written otherwise than it is; other negative digits may go the long way as well.
        usual = scanned.ok & ((kinds == tokens.TEXT) | (integer & ((sizes != 2) | ~scanned.is_at(slot, b"-"))))
        odd = ~usual & ~(scanned.ok & (kinds == tokens.MISSING))
        sizes[~usual | (sizes == 0)] = -1
        starts[~usual] = 0
        return Packed(scanned.buffer, starts, sizes), np.flatnonzero(odd)

    def texts_only(self, path: Path) -> bool:
        """Whether every message has a text at ``path``, and not an empty one."""
        if path in self._beside:
            return False
        slot, below = self._place(path)
        scanned = self._found
        texts = (scanned.kinds[slot] == tokens.TEXT) & (scanned.stops[slot] > scanned.starts[slot])
        return not below and bool(scanned.ok.all()) and bool(texts.all())

    def value(self, path: Path, index: int) -> object:
        """The value at ``path`` of one message."""
        if index in self._documents or path in self._beside:
            return self.at(path, index)
        slot, below = self._place(path)
        value = self._scalar(slot, index, int(self._found.kinds[slot, index])) if self._found.ok[index] else None
        for key in below:
            value = _member(value, key)
        return value

    def at(self, path: Path, index: int) -> object:
        """The value at ``path`` of a document."""
        if path in self._beside:
            return self._beside[path][index]
        value = self._documents[index]
        for key in path:
            value = _member(value, key)
        return value

    def document(self, index: int) -> object:
        """What was parsed because it was not scanned, or None."""
        return self._documents.get(index)

    def _place(self, path: Path) -> tuple[int, Path]:
        """The slot that holds ``path`` or a scalar above it, and what is left of the path."""
        depth = next(n for n in range(1, len(path) + 1) if path[:n] in self._shape.slots)
        return self._shape.slots[path[:depth]], path[depth:]

    def _scalars(self, slot: int) -> Coded[Any]:
        scanned = self._found
        kinds = np.where(scanned.ok, scanned.kinds[slot], tokens.MISSING)
        present = np.bincount(kinds, minlength=tokens.KINDS)
        names: list[Any] = [None]
        codes = np.zeros(len(kinds), dtype=np.int64)
        if present[tokens.TEXT]:
            spans, codes = scan.intern(scanned, slot)
            names += [scanned.buffer[start:stop].decode() for start, stop in spans]
            codes += 1
        for kind in np.flatnonzero(present).tolist():
            if kind in {tokens.MISSING, tokens.TEXT}:
                continue
            rows = np.flatnonzero(kinds == kind)
            if kind in {tokens.INTEGER, tokens.FLOAT, tokens.HARD}:
                # By their bits, which tell -0.0 from 0.0.
                _, first, which = np.unique(
                    scanned.values[slot, rows].view(np.int64), return_index=True, return_inverse=True
                )
                codes[rows] = len(names) + which
                rows = rows[first]
            else:
                codes[rows] = len(names) + np.arange(len(rows))
            names += [self._scalar(slot, index, kind) for index in rows.tolist()]
        return Coded(names, codes)

    def _scalar(self, slot: int, index: int, kind: int) -> object:
        if kind == tokens.MISSING:
            return None
        if kind == tokens.TEXT:
            return self._found.bytes_at(slot, index).decode()
        if kind == tokens.ESCAPED:
            return self._found.escaped[slot, index]
        if kind in {tokens.BIG, tokens.NONFINITE}:
            written = self._found.bytes_at(slot, index)
            return int(written) if kind == tokens.BIG else float(written)
        value = float(self._found.values[slot, index])
        if kind == tokens.INTEGER:
            return int(value)
        return value if kind in {tokens.FLOAT, tokens.HARD} else kind == tokens.TRUE


def _encoded(values: Sequence[Any]) -> Coded[Any]:
    """Values of any kind; only texts share codes, since 1, 1.0 and true are equal and an object has no hash."""
    if set(map(type, values)) <= {str, NoneType}:
        return Coded.of(values)
    return Coded(list(values), np.arange(len(values)))


def _above(path: Path) -> list[Path]:
    return [path[:depth] for depth in range(1, len(path))]


def _member(document: object, key: str) -> object:
    if isinstance(document, dict):
        return document.get(key)
    if document is None or isinstance(document, NotAnObject):
        return document
    return NotAnObject(document)
