"""What the values of Avro's types are in a document.

Numbers, texts, booleans, null and records are what they are in JSON; an enumeration is the text of its symbol. A
timestamp, date or time is an ISO 8601 text, a decimal is a number, a UUID its usual text, and bytes are Base64.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from monitor.decoders.moments import day_text, instant_text, time_text

__all__ = ["Conversions", "without_logical_types"]

Convert = Callable[[Any], Any]

_LONGS: dict[str, Convert] = {
    "timestamp-millis": lambda value: instant_text(value, 1_000),
    "timestamp-micros": lambda value: instant_text(value, 1_000_000),
    "timestamp-nanos": lambda value: instant_text(value, 1_000_000_000),
    "local-timestamp-millis": lambda value: instant_text(value, 1_000, zone=""),
    "local-timestamp-micros": lambda value: instant_text(value, 1_000_000, zone=""),
    "local-timestamp-nanos": lambda value: instant_text(value, 1_000_000_000, zone=""),
    "time-micros": lambda value: time_text(value, 1_000_000),
}
_INTS: dict[str, Convert] = {"date": day_text, "time-millis": lambda value: time_text(value, 1_000)}
_UUID_BYTES = 16
MAX_SCALE = 1_000
_DECIMAL_BYTES = 128
"""What has more is beyond the largest number of eight bytes, or is written so as to keep us busy."""


class Conversions:
    """How the values of a schema become those of a document.

    Parameters
    ----------
    named : mapping of str to schema
        The schema's named types, as ``fastavro.parse_schema`` collects them.

    Attributes
    ----------
    recursive : bool
        Whether a type holds one of its own kind.
    """

    def __init__(self, named: Mapping[str, Any]) -> None:
        self.recursive = False
        self._named = named
        self._done: dict[str, Convert | None] = {}
        self._begun: set[str] = set()

    def of(self, schema: Any) -> Convert | None:
        """Return what converts a value of a type; None where it stays as it is.

        Raises
        ------
        ValueError
            A few bytes of the type could stand for any number of values, or a decimal has a scale beyond all reason.
        """
        if isinstance(schema, list):
            return self._of_union(schema)
        kind = schema["type"] if isinstance(schema, dict) else schema
        if isinstance(schema, dict) and kind in {"record", "error"}:
            return self._of_named(schema["name"], schema)
        if isinstance(schema, dict) and kind in {"array", "map"}:
            return self._of_many(schema, kind)
        if kind in {"null", "boolean", "int", "long", "float", "double", "string", "bytes", "fixed", "enum"}:
            return _of_simple(kind, schema if isinstance(schema, dict) else {})
        return self.of(kind) if isinstance(kind, (dict, list)) else self._of_named(kind, self._named[kind])

    def _of_named(self, name: str, schema: Any) -> Convert | None:
        if schema["type"] not in {"record", "error"}:
            return self.of(schema)
        if name in self._done:
            return self._done[name]
        if name in self._begun:
            self.recursive = True
            return lambda value: self._converted(name, value)
        self._begun.add(name)
        conversions = {field["name"]: self.of(field["type"]) for field in schema["fields"]}
        fields = {field: convert for field, convert in conversions.items() if convert is not None}
        self._done[name] = (lambda value: _fields_converted(value, fields)) if fields else None
        return self._done[name]

    def _converted(self, name: str, value: Any) -> Any:
        convert = self._done[name]
        return value if convert is None else convert(value)

    def _of_many(self, schema: Mapping[str, Any], kind: str) -> Convert | None:
        if kind == "array" and self._is_empty(schema["items"]):
            raise ValueError("an array of items that take no bytes")
        convert = self.of(schema["values" if kind == "map" else "items"])
        if convert is None:
            return None
        if kind == "map":
            return lambda value: {key: convert(item) for key, item in value.items()}
        return lambda value: [convert(item) for item in value]

    def _of_union(self, branches: list[Any]) -> Convert | None:
        """By what the value is: a union holds one of each kind, except for records and fixed bytes."""
        converts = [(self._branch(branch), self.of(branch)) for branch in branches]
        if not any(convert for _, convert in converts):
            return None

        def convert(value: Any) -> Any:
            for fits, change in converts:
                if fits(value):
                    return value if change is None else change(value)
            return value

        return convert

    def _branch(self, branch: Any) -> Callable[[Any], bool]:
        kind = branch["type"] if isinstance(branch, dict) else branch
        if kind in self._named:
            branch = self._named[kind]
            kind = branch["type"]
        if kind in {"record", "error"}:
            names = {field["name"] for field in branch["fields"]}
            return lambda value: isinstance(value, dict) and value.keys() == names
        if kind == "fixed":
            return lambda value: isinstance(value, bytes) and len(value) == branch["size"]
        types: tuple[type, ...] = _TYPES[kind]
        return lambda value: type(value) in types

    def _is_empty(self, schema: Any, above: frozenset[str] = frozenset()) -> bool:
        """Whether a value of a type can take no bytes at all."""
        kind = schema["type"] if isinstance(schema, dict) else schema
        if isinstance(schema, list):
            return False
        if kind in self._named:
            schema, kind = self._named[kind], self._named[kind]["type"]
        if kind in {"record", "error"}:
            name = schema["name"]
            return name not in above and all(
                self._is_empty(field["type"], above | {name}) for field in schema["fields"]
            )
        return bool(kind == "null" or (kind == "fixed" and schema["size"] == 0))


_TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "int": (int,),
    "long": (int,),
    "float": (float,),
    "double": (float,),
    "string": (str,),
    "enum": (str,),
    "bytes": (bytes,),
    "array": (list,),
    "map": (dict,),
}


def without_logical_types(schema: Any) -> Any:
    """Return a copy of a schema in which every type is only what it is stored as.

    Examples
    --------
    >>> without_logical_types({"type": "long", "logicalType": "timestamp-millis"})
    {'type': 'long'}
    """
    if isinstance(schema, list):
        return [without_logical_types(item) for item in schema]
    if isinstance(schema, dict):
        return {key: without_logical_types(item) for key, item in schema.items() if key != "logicalType"}
    return schema


def _of_simple(kind: str, schema: Mapping[str, Any]) -> Convert | None:
    logical = schema.get("logicalType")
    if kind in {"bytes", "fixed"}:
        if logical == "decimal":
            scale = int(schema.get("scale", 0))
            if not 0 <= scale <= MAX_SCALE:
                raise ValueError(f"a decimal of the scale {scale}, which is from 0 to {MAX_SCALE}")
            divisor = 10**scale
            return lambda value: _decimal(value, divisor)
        if logical == "uuid" and schema.get("size") == _UUID_BYTES:
            return lambda value: str(UUID(bytes=value))
        return lambda value: b64encode(value).decode()
    named = {"long": _LONGS, "int": _INTS}.get(kind, {})
    return named.get(str(logical))


def _decimal(value: bytes, divisor: int) -> int | float:
    if len(value) > _DECIMAL_BYTES:
        return math.inf
    unscaled = int.from_bytes(value, "big", signed=True)
    try:
        return unscaled if divisor == 1 else unscaled / divisor
    except OverflowError:
        return math.inf


def _fields_converted(value: dict[str, Any], fields: Mapping[str, Convert]) -> dict[str, Any]:
    for name, convert in fields.items():
        value[name] = convert(value[name])
    return value
