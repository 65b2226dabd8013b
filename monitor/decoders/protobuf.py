"""Decodes Protobuf, by the schema whose number stands in front of each message, or by one type for all of them.

Fields have the names that the schema gives them, not those that Protobuf's JSON would make of them.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from monitor.decoders.contract import TopicPlan
from monitor.decoders.document import Refused
from monitor.decoders.protobuf_values import document_of
from monitor.decoders.registry import Registered
from monitor.decoders.typed import Read, TypedDecoder
from monitor.errors import InputError

__all__ = ["ProtobufDecoder", "bare_reader", "framed_reader"]

_MOST_BITS = 63
_WELL_KNOWN = "google/protobuf/"


class ProtobufDecoder(TypedDecoder):
    """Decodes one topic's messages, each a Protobuf message."""

    kind = "PROTOBUF"
    form = "serialized"

    def _reader(self, schema: Registered) -> Read:
        return framed_reader(schema)

    def _bare_reader(self, plan: TopicPlan) -> Read | None:
        name, message = plan.source.format.files.get("descriptors"), getattr(plan.source.format, "message", None)
        if name is None or message is None:
            return None
        try:
            return bare_reader(self._schemas.read(plan.model, name), message)
        except ValueError as error:
            raise InputError(f"model {plan.model!r}: {name}: {error}") from error


def bare_reader(descriptors: bytes, message: str) -> Read:
    """Return what reads messages of one type.

    Parameters
    ----------
    descriptors : bytes
        A serialized ``FileDescriptorSet`` with all that its files import.
    message : str
        The type's full name.

    Raises
    ------
    ValueError
    """
    try:
        files = FileDescriptorSet.FromString(descriptors).file
    except DecodeError as error:
        raise ValueError("no set of descriptors, as protoc --descriptor_set_out writes it") from error
    read = _message_reader(_Files({file.name: file for file in files}).type(message))
    return lambda payload, start: read(payload[start:])


def framed_reader(schema: Registered) -> Read:
    """Return what reads messages that say by numbers which of a schema's types they are of.

    Raises
    ------
    ValueError
    """
    main = _file(schema.text, "the schema itself")
    files = _Files({main.name: main, **dict(_references(schema.references))})
    readers: dict[tuple[int, ...], Callable[[bytes], dict[str, object]]] = {}

    def read(payload: bytes, start: int) -> dict[str, object]:
        path, begin = _path(payload, start)
        if path not in readers:
            try:
                readers[path] = _message_reader(files.type(_name_at(main, path)))
            except (IndexError, ValueError) as error:
                raise Refused("schema_mismatch", f"the schema has no type at {list(path)}: {error}") from error
        return readers[path](payload[begin:])

    return read


class _Files:
    """Files of descriptors by the names under which they import each other."""

    def __init__(self, files: Mapping[str, FileDescriptorProto]) -> None:
        self._files = files
        self._pool = DescriptorPool()
        self._added: set[str] = set()
        for name in files:
            self._add(name)

    def type(self, name: str) -> Descriptor:
        """A message type by its full name. Raises ValueError."""
        try:
            return self._pool.FindMessageTypeByName(name)
        except KeyError as error:
            raise ValueError(f"no message type {name!r}") from error

    def _add(self, name: str) -> None:
        if name in self._added:
            return
        self._added.add(name)
        file = self._files.get(name) or _well_known(name)
        if file is None:
            raise ValueError(f"{name!r} is imported, but not there")
        for imported in file.dependency:
            self._add(imported)
        try:
            self._pool.Add(file)
            self._pool.FindFileByName(name)
        except (TypeError, KeyError) as error:
            raise ValueError(f"{name!r} cannot be used: {error}") from error


def _well_known(name: str) -> FileDescriptorProto | None:
    """A file that comes with Protobuf itself."""
    if not name.startswith(_WELL_KNOWN):
        return None
    try:
        import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
        descriptor = descriptor_pool.Default().FindFileByName(name)
    except (ImportError, KeyError):
        return None
    file = FileDescriptorProto()
    descriptor.CopyToProto(file)
    return file


def _file(text: str, name: str) -> FileDescriptorProto:
    try:
        return FileDescriptorProto.FromString(b64decode(text, validate=True))
    except (binascii.Error, DecodeError) as error:
        raise ValueError(f"{name} is not serialized: does the registry know `format=serialized`?") from error


def _references(references: Mapping[str, Registered]) -> Iterator[tuple[str, FileDescriptorProto]]:
    for name, schema in references.items():
        file = _file(schema.text, name)
        file.name = name
        yield name, file
        yield from _references(schema.references)


def _name_at(file: FileDescriptorProto, path: tuple[int, ...]) -> str:
    names = [file.package] if file.package else []
    types: Any = file.message_type
    for index in path:
        message_type: DescriptorProto = types[index]
        names.append(message_type.name)
        types = message_type.nested_type
    return ".".join(names)


def _message_reader(descriptor: Descriptor) -> Callable[[bytes], dict[str, object]]:
    parse = GetMessageClass(descriptor).FromString
    document = document_of(descriptor)

    def read(payload: bytes) -> dict[str, object]:
        try:
            message = parse(payload)
        except DecodeError as error:
            raise Refused("schema_mismatch", f"no {descriptor.full_name}: {error}") from error
        made: dict[str, object] = document(message)
        return made

    return read


def _path(payload: bytes, start: int) -> tuple[tuple[int, ...], int]:
    """Which type a message is of: the places of it and of those around it; and where the message begins.

    Examples
    --------
    >>> _path(bytes([4, 2, 0, 10]), 0), _path(bytes([0, 10]), 0)
    (((1, 0), 3), ((0,), 1))
    """
    count, at = _varint(payload, start)
    if count == 0:
        return (0,), at
    if not 0 < count <= len(payload):
        raise Refused("schema_mismatch", f"a type cannot be {count} levels deep")
    path = []
    for _ in range(count):
        number, at = _varint(payload, at)
        if number < 0:
            raise Refused("schema_mismatch", f"a type cannot stand at {number}")
        path.append(number)
    return tuple(path), at


def _varint(payload: bytes, at: int) -> tuple[int, int]:
    """A zigzag number and where the next one begins."""
    value = shift = 0
    while at < len(payload) and shift <= _MOST_BITS:
        value |= (payload[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if payload[at - 1] < 0x80:
            return (value >> 1) ^ -(value & 1), at
    raise Refused("schema_mismatch", "it ends before it says which of the schema's types it is of")
