"""The state of a river object as plain data, and back, without running anything that the data names.

A pickle says which functions are to be called, so that who can write one can run what they like; checkpoints are read
from a store that others may write to. Here data is only data. What is kept of an object are the numbers, texts and
collections in its attributes, in the order in which it made them, so that equal histories give equal bytes. What is
restored goes into an object that was just made from the configuration:

* Functions, methods and factories are never kept: they stay those of the object that was just made.
* An object inside it that the new one does not have yet, such as a node of a tree, is made empty if it is of a class in
  river, and of nothing else; no initialiser runs.
* Two places that share one list or object share it again.

What cannot be kept so is refused when the configuration is read, not when a checkpoint is due.
"""

from __future__ import annotations

import collections
import importlib
import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["UnkeepableError", "keep", "restore", "seed_what_has_no_seed"]

Packed = Any
_VECTOR = ["river._river_rust.vectordict", "VectorDict"]
_SIMPLE = (type(None), bool, float, str, bytes)
_DICTS: tuple[type, ...] = (dict, collections.defaultdict, collections.OrderedDict, collections.Counter)


class UnkeepableError(TypeError):
    """An object holds something that is neither data nor of river; the message says what."""


def keep(value: object) -> dict[str, Packed]:
    """Return the state of a river object as nested lists, dicts, numbers and texts.

    Raises
    ------
    UnkeepableError
    """
    packer = _Packer()
    root = packer.pack(value)
    packer.work()
    return {"root": root, "shared": packer.shared}


def restore(made: object, state: Mapping[str, Packed]) -> None:
    """Give `made`, an object fresh from its constructor, the state that :func:`keep` returned of its like.

    Raises
    ------
    UnkeepableError
        When the state is not of such an object.
    """
    unpacker = _Unpacker(state["shared"])
    if unpacker.unpack(state["root"], made) is not made:
        raise UnkeepableError(f"the state is not that of a {type(made).__qualname__}")


def seed_what_has_no_seed(made: object) -> None:
    """Give every random generator inside a new object of river's a fixed seed, if its owner has none."""
    for attribute in list(vars(made).values()) if hasattr(made, "__dict__") else []:
        if type(attribute) is random.Random and getattr(made, "seed", None) is None:
            attribute.seed(0)
        elif _is_rivers(attribute):
            seed_what_has_no_seed(attribute)


class _Packer:
    """Numbers every list, dict and object at first sight; a list of what is to do keeps deep trees off the stack."""

    def __init__(self) -> None:
        self.shared: list[Packed] = []
        self._places: dict[int, int] = {}
        self._waiting: list[tuple[int, Any]] = []
        self._alive: list[Any] = []  # an id means something only while its object lives

    def pack(self, value: Any) -> Packed:
        if type(value) in _SIMPLE:
            return value
        if type(value) is int:
            return value if -(2**63) <= value < 2**63 else ["int", str(value)]
        if isinstance(value, np.generic):
            return ["number", value.dtype.str, value.tobytes()]
        if type(value) is tuple:
            return ["tuple", [self.pack(part) for part in value]]
        if callable(value) and not _is_rivers(value):
            return ["function"]
        index = self._places.get(id(value))
        if index is None:
            index = self._places[id(value)] = len(self.shared)
            self.shared.append(None)
            self._alive.append(value)
            self._waiting.append((index, value))
        return ["at", index]

    def work(self) -> None:
        while self._waiting:
            index, value = self._waiting.pop()
            self.shared[index] = self._content(value)

    def _content(self, value: Any) -> Packed:
        if type(value) is list:
            return ["list", [self.pack(part) for part in value]]
        if type(value) is collections.deque:
            return ["deque", value.maxlen, [self.pack(part) for part in value]]
        if type(value) in _DICTS:
            return ["dict", _DICTS.index(type(value)), [[self.pack(k), self.pack(v)] for k, v in value.items()]]
        if type(value) is np.ndarray and value.dtype.kind in "biuf":
            return ["array", value.copy()]
        if type(value) is random.Random:
            version, numbers, gauss = value.getstate()
            return ["random", version, list(numbers), gauss]
        if not _is_rivers(value):
            raise UnkeepableError(f"a {type(value).__module__}.{type(value).__qualname__} cannot be kept")
        return self._object(value)

    def _object(self, value: Any) -> Packed:
        name = [type(value).__module__, type(value).__qualname__]
        if name == _VECTOR:
            _, (items, *rest) = value.__reduce__()
            if rest != [None, None, True]:
                raise UnkeepableError("a VectorDict with a factory or a mask cannot be kept")
            return ["vector", [[self.pack(k), self.pack(v)] for k, v in items.items()]]
        state = value.__getstate__()
        if type(state) is bytes:
            return ["compiled", name, [self.pack(part) for part in value.__getnewargs__()], state]
        attributes, slots = state if type(state) is tuple and len(state) == 2 else (state, None)
        if not (attributes is None or type(attributes) is dict) or not (slots is None or type(slots) is dict):
            raise UnkeepableError(f"a {'.'.join(name)} cannot be kept: it has a way of its own")
        both = {**(attributes or {}), **(slots or {})}
        return ["object", name, [[key, self.pack(part)] for key, part in both.items()]]


class _Unpacker:
    def __init__(self, shared: list[Packed]) -> None:
        self._shared = shared
        self._made: dict[int, Any] = {}
        self._reused: set[int] = set()
        self._kinds: dict[str, Callable[..., Any]] = {
            "list": self._list,
            "deque": self._deque,
            "dict": self._dict,
            "array": lambda index, fresh, array: np.array(array),
            "random": self._random,
            "compiled": self._compiled,
            "vector": self._vector,
            "object": self._object,
        }

    def unpack(self, packed: Packed, fresh: Any) -> Any:
        """Return the value; `fresh` is what the object that was just made has in the same place."""
        if not isinstance(packed, list):
            return packed
        match packed:
            case ["int", str(text)]:
                return int(text)
            case ["number", str(dtype), bytes(raw)]:
                return np.frombuffer(raw, dtype=dtype)[0]
            case ["tuple", list(parts)]:
                old = fresh if type(fresh) is tuple and len(fresh) == len(parts) else [None] * len(parts)
                return tuple(self.unpack(part, was) for part, was in zip(parts, old, strict=True))
            case ["function"] if callable(fresh):
                return fresh
            case ["at", int(index)] if 0 <= index < len(self._shared):
                return self._at(index, fresh)
        raise UnkeepableError(f"the state holds what nothing restores: {str(packed)[:80]}")

    def _at(self, index: int, fresh: Any) -> Any:
        if index not in self._made:
            kind, *content = self._shared[index]
            if kind not in self._kinds:
                raise UnkeepableError(f"the state holds what nothing restores: {kind!r}")
            self._made.setdefault(index, self._kinds[kind](index, fresh, *content))
        return self._made[index]

    def _list(self, index: int, fresh: Any, parts: list[Packed]) -> list[Any]:
        old = fresh if type(fresh) is list and len(fresh) == len(parts) else [None] * len(parts)
        made = self._made[index] = []
        made += [self.unpack(part, was) for part, was in zip(parts, old, strict=True)]
        return made

    def _deque(self, index: int, fresh: Any, longest: int | None, parts: list[Packed]) -> Any:
        made = self._made[index] = collections.deque(maxlen=longest)
        made.extend(self.unpack(part, None) for part in parts)
        return made

    def _dict(self, index: int, fresh: Any, which: int, items: list[list[Packed]]) -> Any:
        old = dict(fresh) if isinstance(fresh, dict) else {}
        made = self._made[index] = _DICTS[which]()
        if isinstance(made, collections.defaultdict) and isinstance(fresh, collections.defaultdict):
            made.default_factory = fresh.default_factory
        for packed_key, packed_value in items:
            key = self.unpack(packed_key, None)
            made[key] = self.unpack(packed_value, old.get(key))
        return made

    def _random(self, index: int, fresh: Any, version: int, numbers: list[int], gauss: float | None) -> Any:
        made = random.Random(0)  # noqa: S311 -- it goes on from the state that river kept
        made.setstate((version, tuple(numbers), gauss))
        return made

    def _vector(self, index: int, fresh: Any, items: list[list[Packed]]) -> Any:
        return _rivers_class(_VECTOR)({self.unpack(k, None): self.unpack(v, None) for k, v in items})

    def _compiled(self, index: int, fresh: Any, name: list[str], arguments: list[Packed], state: bytes) -> Any:
        cls = _rivers_class(name)
        made = cls.__new__(cls, *[self.unpack(part, None) for part in arguments])
        made.__setstate__(state)
        return made

    def _object(self, index: int, fresh: Any, name: list[str], items: list[list[Packed]]) -> Any:
        cls = _rivers_class(name)
        reused = type(fresh) is cls and id(fresh) not in self._reused
        made = self._made[index] = fresh if reused else object.__new__(cls)
        self._reused.add(id(fresh))
        for attribute, packed in items:
            object.__setattr__(made, attribute, self.unpack(packed, getattr(fresh, attribute, None)))
        return made


def _is_rivers(value: Any) -> bool:
    """Whether `value` is an instance of a class of river, not a class or a function itself."""
    return not isinstance(value, type) and type(value).__module__.split(".")[0] == "river"


def _rivers_class(name: list[str]) -> type[Any]:
    module, qualname = name
    if module.split(".")[0] != "river":
        raise UnkeepableError(f"the state names {module}.{qualname}, which is not of river")
    value: Any = importlib.import_module(module)
    for part in qualname.split("."):
        value = getattr(value, part, None)
    # A function or another module that river imports is not a class of river.
    if not isinstance(value, type) or value.__module__ != module:
        raise UnkeepableError(f"river has no class {module}.{qualname}")
    return value
