"""From the paths that models want to a typed structure that msgspec decodes in one pass.

msgspec builds objects only for the fields that a type names and skips the rest, which is most of the time saved.
A path that is both a field and the parent of another is kept as plain Python values and walked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.decoders.values import NotAnObject

__all__ = ["Columns", "Path", "Shape", "split"]

Path = tuple[str, ...]
_NUMBER = float | bool | None
_SCALAR = str | int | float | bool | None


def split(path: str) -> Path:
    """Return the keys of a dotted path.

    Examples
    --------
    >>> split("features.amount")
    ('features', 'amount')
    """
    return tuple(path.split("."))


class Shape:
    """The union of paths as a type, and the columns of decoded objects.

    Parameters
    ----------
    paths : mapping of path to set of str
        What each path is used as: ``number``, ``text``, ``time`` or ``where``.

    Attributes
    ----------
    type : type
        A msgspec structure. Number fields accept JSON numbers and booleans, others any scalar; msgspec refuses the
        rest, and such a message is built by :meth:`from_document`.

    Examples
    --------
    >>> shape = Shape({("f", "x"): {"number"}, ("id",): {"text"}})
    >>> rows = [msgspec.json.decode(b'{"f": {"x": 2}, "id": 7}', type=shape.type), shape.from_document({"f": 3})]
    >>> columns = shape.columns(rows)
    >>> columns.of(("f", "x")), columns.of(("id",))
    ([2.0, NotAnObject(parent=3)], [7, None])
    """

    def __init__(self, paths: Mapping[Path, Iterable[str]]) -> None:
        self._root = _Node({path: frozenset(uses) for path, uses in paths.items()})
        self.type: type[Any] = self._root.type
        self._numbers = {path for path, uses in paths.items() if set(uses) == {"number"}}

    def numbers_only(self, path: Path) -> bool:
        """Whether msgspec lets nothing but numbers, booleans and null through at ``path``."""
        return path in self._numbers and self._root.is_plain(path)

    def from_document(self, document: Mapping[str, object]) -> Any:
        """Return a structure that holds whatever the document has at each path, unchecked."""
        return self._root.build(document)

    def columns(self, rows: Sequence[Any]) -> Columns:
        """Return access to the values of ``rows`` by path."""
        return Columns(self._root, rows)


class _Node:
    """An object of the document: a structure with a field per key that is wanted."""

    def __init__(self, paths: Mapping[Path, frozenset[str]]) -> None:
        self.attribute: dict[str, str] = {}
        self.children: dict[str, _Node] = {}
        fields: list[tuple[str, Any, Any]] = []
        for key in dict.fromkeys(path[0] for path in paths):
            name = f"f{len(fields)}"
            self.attribute[key] = name
            below = {path[1:]: uses for path, uses in paths.items() if path[0] == key and len(path) > 1}
            if (key,) not in paths:
                self.children[key] = child = _Node(below)
                fields.append((name, child.type, msgspec.field(default_factory=child.type)))
            elif below:
                fields.append((name, Any, None))
            elif paths[(key,)] == {"number"}:
                fields.append((name, _NUMBER, math.nan))
            else:
                fields.append((name, _SCALAR, None))
        rename = {name: key for key, name in self.attribute.items()}
        # JSON has no cycles, so the garbage collector need not look at the rows.
        self.type: type[Any] = msgspec.defstruct("Row", fields, rename=rename, gc=False)

    def is_plain(self, path: Path) -> bool:
        if len(path) == 1:
            return path[0] in self.attribute
        return path[0] in self.children and self.children[path[0]].is_plain(path[1:])

    def build(self, document: object) -> Any:
        values = {}
        for key, name in self.attribute.items():
            value = _member(document, key)
            values[name] = self.children[key].build(value) if key in self.children else value
        return self.type(**values)


class Columns:
    """The values of rows by path. Each path is looked up once, however often it is asked for.

    Parameters
    ----------
    root : _Node
    rows : sequence of Shape.type
    """

    def __init__(self, root: _Node, rows: Sequence[Any]) -> None:
        self._count = len(rows)
        self._objects: dict[Path, tuple[_Node, Sequence[Any]]] = {(): (root, rows)}
        self._values: dict[Path, list[Any]] = {}
        self._numbers: dict[tuple[Path, ...], NDArray[np.float64]] = {}

    def of(self, path: Path) -> list[Any]:
        """The values at ``path``, one per row; not to be changed."""
        if path not in self._values:
            node, objects, depth = self._parent(path)
            values = list(map(attrgetter(node.attribute[path[depth]]), objects))
            for key in path[depth + 1 :]:
                values = [_member(value, key) for value in values]
            self._values[path] = values
        return self._values[path]

    def numbers(self, paths: tuple[Path, ...]) -> NDArray[np.float64]:
        """The numbers at ``paths`` as a float64 array [paths, n], not to be changed; null is NaN.

        All rows must come from msgspec, and every path must be for numbers only.
        """
        if paths not in self._numbers:
            found = np.empty((len(paths), self._count), dtype=np.float64)
            siblings: dict[Path, list[int]] = {}
            for position, path in enumerate(paths):
                siblings.setdefault(path[:-1], []).append(position)
            for parent, positions in siblings.items():
                node, objects, _ = self._parent((*parent, ""))
                found[positions] = _matrix([node.attribute[paths[position][-1]] for position in positions], objects)
            self._numbers[paths] = found
        return self._numbers[paths]

    def _parent(self, path: Path) -> tuple[_Node, Sequence[Any], int]:
        """The objects that hold the deepest part of ``path`` that is a structure, and how deep they lie."""
        depth = 0
        node, objects = self._objects[()]
        while path[depth] in node.children and depth + 1 < len(path):
            key, depth = path[depth], depth + 1
            if path[:depth] not in self._objects:
                inner = list(map(attrgetter(node.attribute[key]), objects))
                self._objects[path[:depth]] = (node.children[key], inner)
            node, objects = self._objects[path[:depth]]
        return node, objects, depth


def _matrix(attributes: Sequence[str], objects: Sequence[Any]) -> NDArray[np.float64]:
    """Attributes of objects as a float64 array [attributes, n]."""
    # One tuple per object is faster than one pass per attribute; the second name makes it one even for one attribute.
    rows = map(attrgetter(*attributes, attributes[0]), objects)
    width = len(attributes) + 1
    try:
        flat = np.fromiter(chain.from_iterable(rows), np.float64, len(objects) * width)
    except TypeError:  # a None, which only np.array reads as NaN
        rows = map(attrgetter(*attributes, attributes[0]), objects)
        flat = np.array(list(chain.from_iterable(rows)), dtype=np.float64)
    return flat.reshape(-1, width).T[:-1]


def _member(document: object, key: str) -> object:
    if isinstance(document, dict):
        return document.get(key)
    if document is None or isinstance(document, NotAnObject):
        return document
    return NotAnObject(document)
