"""What the values of Protobuf's types are in a document.

Numbers, texts, booleans and messages are what they are in JSON, 64-bit numbers too; an enumeration is the text of its
symbol. A timestamp is an ISO 8601 text, a duration its seconds, a wrapper the value in it, and bytes are Base64. A
field that was not set is missing where its type can tell; where it cannot, it has its default.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from monitor.decoders.moments import instant_text

__all__ = ["document_of"]

Convert = Callable[[Any], Any]

_PER_SECOND = 1_000_000_000
# Some call each other.
_known: dict[str, Convert] = {
    "google.protobuf.Timestamp": lambda value: instant_text(value.seconds * _PER_SECOND + value.nanos, _PER_SECOND),
    "google.protobuf.Duration": lambda value: (value.seconds * _PER_SECOND + value.nanos) / _PER_SECOND,
    "google.protobuf.BytesValue": lambda value: _base64(value.value),
    "google.protobuf.Struct": lambda value: _struct(value),  # noqa: PLW0108 -- defined below
    "google.protobuf.Value": lambda value: _value(value),  # noqa: PLW0108 -- defined below
    "google.protobuf.ListValue": lambda value: [_value(item) for item in value.values],
}
for _kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String"):
    _known[f"google.protobuf.{_kind}Value"] = lambda value: value.value


def document_of(descriptor: Descriptor, begun: dict[str, list[Convert]] | None = None) -> Convert:
    """Return what makes a document of a message of a type."""
    begun = {} if begun is None else begun
    if descriptor.full_name in begun:
        # A type that holds one of its own kind: it is known by the time a message is read.
        itself = begun[descriptor.full_name]
        return lambda message: itself[0](message)  # noqa: PLW0108 -- it is empty as yet
    begun[descriptor.full_name] = prepared = []
    converts = [(field, _convert(field, begun)) for field in descriptor.fields]
    plain = [field.name for field, convert in converts if convert is None]
    other = [(field, convert) for field, convert in converts if convert is not None]
    # All at once: looked up one by one, fields cost more than parsing the message.
    values_of = attrgetter(*plain) if len(plain) > 1 else lambda message: [getattr(message, name) for name in plain]
    can_tell = [field.name for field, convert in converts if convert is None and field.has_presence]

    def document(message: Any) -> dict[str, Any]:
        values = dict(zip(plain, values_of(message), strict=True))
        was_set = message.HasField
        for name in can_tell:
            if not was_set(name):
                del values[name]
        for field, convert in other:
            value = getattr(message, field.name)
            if was_set(field.name) if field.has_presence else not field.is_repeated or len(value):
                values[field.name] = convert(value)
        return values

    prepared.append(document)
    return document


def _convert(field: FieldDescriptor, begun: dict[str, list[Convert]]) -> Convert | None:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        convert = _convert_one(kind.fields_by_name["value"], begun)
        return lambda value: {_key(key): item if convert is None else convert(item) for key, item in value.items()}
    convert_one = _convert_one(field, begun)
    if field.is_repeated:
        return list if convert_one is None else lambda value: [convert_one(item) for item in value]
    return convert_one


def _convert_one(field: FieldDescriptor, begun: dict[str, list[Convert]]) -> Convert | None:
    if field.message_type is not None:
        return _known.get(field.message_type.full_name) or document_of(field.message_type, begun)
    if field.enum_type is not None:
        symbols = {number: value.name for number, value in field.enum_type.values_by_number.items()}
        return lambda value: symbols.get(value, value)
    return _base64 if field.type == FieldDescriptor.TYPE_BYTES else None


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _base64(value: bytes) -> str:
    return b64encode(value).decode()


def _struct(value: Any) -> dict[str, Any]:
    return {key: _value(item) for key, item in value.fields.items()}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind in {None, "null_value"}:
        return None
    if kind == "struct_value":
        return _struct(value.struct_value)
    if kind == "list_value":
        return [_value(item) for item in value.list_value.values]
    return getattr(value, kind)
