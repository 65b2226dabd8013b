"""The same events, written in every format by programs that we did not write."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cloudevents.core.bindings.kafka import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from monitor.config.registry import SchemaRegistry
from monitor.decoders import Schemas
from monitor.decoders.registry import Registry
from monitor.events import Headers

__all__ = ["CONTEXT", "EVENTS", "FIELDS", "Written", "proto_file", "proto_type", "schemas_of", "write"]

EVENTS: list[dict[str, Any]] = [
    {"ts": 1_700_000_000_000, "id": "a", "v": 3, "amount": 12.5, "count": 7, "flag": True, "country": "DE"},
    {"ts": 1_700_000_001_000, "id": "b", "v": 3, "amount": -0.1, "count": -(2**40), "flag": False, "country": 'ä,"x"'},
    {"ts": 1_700_000_002_000, "id": "c", "v": 4, "amount": None, "count": 0, "flag": None, "country": None},
    {"ts": 1_700_000_003_000, "id": "d", "v": 4, "amount": 1e300, "count": None, "flag": True, "country": "FR"},
]
FIELDS = {"ts": "long", "id": "string", "v": "int", "amount": "double", "count": "long", "flag": "boolean"} | {
    "country": "string"
}
REQUIRED = ("ts", "id", "v")
CONTEXT = SerializationContext("t", MessageField.VALUE)


@dataclass
class Written:
    """Events as messages.

    Attributes
    ----------
    format : Any
        What a source says of them.
    payloads : list of bytes
    headers : list of Headers or None
    """

    format: Any
    payloads: list[bytes]
    headers: list[Headers] | None = None


def _json(events: Sequence[Mapping[str, Any]], _url: str) -> Written:
    return Written("json", [json.dumps(event).encode() for event in events])


def _avro(events: Sequence[Mapping[str, Any]], url: str) -> Written:
    fields = [{"name": name, "type": kind if name in REQUIRED else ["null", kind]} for name, kind in FIELDS.items()]
    schema = json.dumps({"type": "record", "name": "Event", "fields": fields})
    with SchemaRegistryClient({"url": url}) as client:
        write_one = AvroSerializer(client, schema)
        return Written("avro", [_bytes(write_one(dict(event), CONTEXT)) for event in events])


def _protobuf(events: Sequence[Mapping[str, Any]], url: str) -> Written:
    kinds = {"long": "INT64", "int": "INT32", "double": "DOUBLE", "boolean": "BOOL", "string": "STRING"}
    file = proto_file("event.proto", "Event", {name: kinds[kind] for name, kind in FIELDS.items()}, set(REQUIRED))
    kind = proto_type(file, "Event")
    made = [kind(**{name: value for name, value in event.items() if value is not None}) for event in events]
    with SchemaRegistryClient({"url": url}) as client:
        write_one = ProtobufSerializer(kind, client, {"use.deprecated.format": False})
        return Written("protobuf", [_bytes(write_one(one, CONTEXT)) for one in made])


def _json_schema(events: Sequence[Mapping[str, Any]], url: str) -> Written:
    kinds = {"long": "integer", "int": "integer", "double": "number", "boolean": "boolean", "string": "string"}
    properties = {name: {"type": [kinds[kind], "null"]} for name, kind in FIELDS.items()}
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Event",
        "type": "object",
        "properties": properties,
        "required": list(REQUIRED),
    }
    with SchemaRegistryClient({"url": url}) as client:
        write_one = JSONSerializer(json.dumps(schema), client)
        return Written("json_schema", [_bytes(write_one(dict(event), CONTEXT)) for event in events])


def _cloudevents(convert: Callable[..., Any]) -> Callable[[Sequence[Mapping[str, Any]], str], Written]:
    def write_all(events: Sequence[Mapping[str, Any]], _url: str) -> Written:
        attributes = {"type": "shop.order", "source": "/shop", "datacontenttype": "application/json"}
        made = [convert(CloudEvent({**attributes, "id": event["id"]}, dict(event)), JSONFormat()) for event in events]
        return Written("cloudevents", [one.value for one in made], [tuple(one.headers.items()) for one in made])

    return write_all


def _csv(events: Sequence[Mapping[str, Any]], _url: str) -> Written:
    payloads = []
    for event in events:
        row = io.StringIO()
        csv.writer(row, delimiter=";").writerow(["-" if event[name] is None else event[name] for name in FIELDS])
        payloads.append(row.getvalue().encode())
    return Written({"kind": "csv", "columns": list(FIELDS), "delimiter": ";", "missing": ["-"]}, payloads)


WRITERS: dict[str, Callable[[Sequence[Mapping[str, Any]], str], Written]] = {
    "json": _json,
    "avro": _avro,
    "protobuf": _protobuf,
    "json_schema": _json_schema,
    "cloudevents": _cloudevents(to_binary),
    "cloudevents, structured": _cloudevents(to_structured),
    "csv": _csv,
}
"""By the kind of format, with what else there is to say behind a comma."""


def write(name: str, url: str, events: Sequence[Mapping[str, Any]] = tuple(EVENTS)) -> Written:
    """Write events in a format; schemas go to the registry at ``url``."""
    return WRITERS[name](events, url)


@contextmanager
def schemas_of(url: str, **spec: Any) -> Iterator[Schemas]:
    """Schemas that a registry holds."""
    schemas = Schemas(Registry(SchemaRegistry.model_validate({"url": url, **spec})))
    try:
        yield schemas
    finally:
        schemas.close()


def proto_file(name: str, message: str, fields: Mapping[str, str], plain: set[str], **more: Any) -> FileDescriptorProto:
    """A file with one message; those of its fields that are not ``plain`` can tell whether they were set."""
    file = FileDescriptorProto(name=name, syntax="proto3", **more)
    kind = file.message_type.add(name=message)
    for number, (field_name, field_kind) in enumerate(fields.items(), start=1):
        one = kind.field.add(
            name=field_name,
            number=number,
            label=FieldDescriptorProto.LABEL_OPTIONAL,
            type=FieldDescriptorProto.Type.Value(f"TYPE_{field_kind}"),
        )
        if field_name not in plain:
            one.proto3_optional = True
            one.oneof_index = len(kind.oneof_decl)
            kind.oneof_decl.add(name=f"_{field_name}")
    return file


def proto_type(file: FileDescriptorProto, name: str, imported: Sequence[FileDescriptorProto] = ()) -> Any:
    """The class of a message of a file."""
    pool = DescriptorPool()
    for one in (*imported, file):
        pool.Add(one)
    return GetMessageClass(pool.FindMessageTypeByName(name))


def _bytes(value: bytes | None) -> bytes:
    assert value is not None
    return value
