"""Protobuf: every type, what was not set, and which of a schema's types a message is of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from google.protobuf import duration_pb2, json_format, struct_pb2, timestamp_pb2, wrappers_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decoders import Schemas, decoder_for
from monitor.decoders.document import Refused
from monitor.decoders.protobuf import bare_reader, framed_reader
from monitor.decoders.registry import Registered
from tests.decoders.plans import NOON_MS, plan, records
from tests.decoders.written import CONTEXT, proto_file, proto_type, schemas_of
from tests.services.registry import RegistryServer

WELL_KNOWN = {
    module.DESCRIPTOR.name: module.DESCRIPTOR for module in (duration_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
}
REPEATED = FieldDescriptorProto.LABEL_REPEATED
OPTIONAL = FieldDescriptorProto.LABEL_OPTIONAL


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


def everything() -> FileDescriptorProto:
    """A file whose type has a field of every kind."""
    scalars = {"d": "DOUBLE", "i64": "INT64", "u64": "UINT64", "f": "FLOAT", "b": "BOOL", "s": "STRING", "raw": "BYTES"}
    file = proto_file("all.proto", "All", scalars, set(scalars), package="test", dependency=list(WELL_KNOWN))
    kind = file.message_type[0]
    kind.enum_type.add(name="Colour").value.add(name="RED", number=0)
    kind.enum_type[0].value.add(name="BLUE", number=1)
    entry = kind.nested_type.add(name="CountsEntry")
    entry.options.map_entry = True
    _field(entry, "key", 1, FieldDescriptorProto.TYPE_BOOL)
    _field(entry, "value", 2, FieldDescriptorProto.TYPE_ENUM, ".test.All.Colour")
    _field(kind, "colour", 20, FieldDescriptorProto.TYPE_ENUM, ".test.All.Colour")
    _field(kind, "colours", 21, FieldDescriptorProto.TYPE_ENUM, ".test.All.Colour", REPEATED)
    _field(kind, "counts", 22, FieldDescriptorProto.TYPE_MESSAGE, ".test.All.CountsEntry", REPEATED)
    _field(kind, "own", 23, FieldDescriptorProto.TYPE_MESSAGE, ".test.All")
    _field(kind, "numbers", 24, FieldDescriptorProto.TYPE_INT32, label=REPEATED)
    for number, (name, known) in enumerate(
        {
            "at": "Timestamp",
            "took": "Duration",
            "maybe": "DoubleValue",
            "maybe_raw": "BytesValue",
            "any_object": "Struct",
            "any_value": "Value",
            "any_list": "ListValue",
        }.items(),
        start=30,
    ):
        _field(kind, name, number, FieldDescriptorProto.TYPE_MESSAGE, f".google.protobuf.{known}")
    return file


def _field(
    kind: DescriptorProto, name: str, number: int, type_: Any, type_name: str = "", label: Any = OPTIONAL
) -> None:
    field = kind.field.add(name=name, number=number, type=type_, label=label)
    if type_name:
        field.type_name = type_name


def well_known() -> list[FileDescriptorProto]:
    files = []
    for descriptor in WELL_KNOWN.values():
        files.append(FileDescriptorProto())
        descriptor.CopyToProto(files[-1])
    return files


FILE = everything()
ALL = proto_type(FILE, "test.All", well_known())
READ = bare_reader(FileDescriptorSet(file=[FILE]).SerializeToString(), "test.All")
UNSET = {"d": 0.0, "i64": 0, "u64": 0, "f": 0.0, "b": False, "s": "", "raw": "", "colour": "RED"}


def made(written: dict[str, Any]) -> bytes:
    """A message that another program makes of JSON."""
    return json_format.ParseDict(written, ALL()).SerializeToString()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ({}, {}),
        ({"d": 1.5, "f": 0.5, "b": True, "s": "ä"}, {"d": 1.5, "f": 0.5, "b": True, "s": "ä"}),
        ({"i64": str(-(2**63)), "u64": str(2**64 - 1)}, {"i64": -(2**63), "u64": 2**64 - 1}),
        ({"raw": "/wA=", "colour": "BLUE"}, {"raw": "/wA=", "colour": "BLUE"}),
        ({"colour": 7, "colours": ["BLUE", "RED", 9]}, {"colour": 7, "colours": ["BLUE", "RED", 9]}),
        ({"counts": {"true": "BLUE"}}, {"counts": {"true": "BLUE"}}),
        ({"numbers": [1, 2]}, {"numbers": [1, 2]}),
        ({"own": {"own": {"d": 2.0}}}, {"own": {**UNSET, "own": {**UNSET, "d": 2.0}}}),
        ({"at": "2023-11-14T22:13:20.123456789Z"}, {"at": "2023-11-14T22:13:20.123456Z"}),
        ({"took": "1.5s", "maybe": 0.0, "maybeRaw": "/wA="}, {"took": 1.5, "maybe": 0.0, "maybe_raw": "/wA="}),
        (
            {"anyObject": {"x": [1.5, None, {"y": "z"}]}, "anyValue": True, "anyList": ["a"]},
            {"any_object": {"x": [1.5, None, {"y": "z"}]}, "any_value": True, "any_list": ["a"]},
        ),
        ({"anyValue": None}, {"any_value": None}),
    ],
)
def test_what_each_type_is_in_a_document(written: dict[str, Any], found: dict[str, Any]) -> None:
    assert READ(made(written), 0) == UNSET | found


def test_a_field_that_can_tell_that_it_was_not_set_is_missing() -> None:
    file = proto_file("e.proto", "E", {"plain": "DOUBLE", "optional": "DOUBLE"}, {"plain"})
    read = bare_reader(FileDescriptorSet(file=[file]).SerializeToString(), "E")
    kind = proto_type(file, "E")

    assert read(b"", 0) == {"plain": 0.0}
    assert read(kind(optional=0.0).SerializeToString(), 0) == {"plain": 0.0, "optional": 0.0}


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_make_it_raise_anything_but_a_refusal(payload: bytes) -> None:
    with suppress(Refused):
        json.dumps(READ(payload, 0))


def nested() -> FileDescriptorProto:
    file = FileDescriptorProto(name="n.proto", syntax="proto3", package="shop")
    file.message_type.add(name="First")
    second = file.message_type.add(name="Second")
    second.nested_type.add(name="Other")
    _field(second.nested_type.add(name="Inner"), "amount", 1, FieldDescriptorProto.TYPE_DOUBLE)
    return file


def test_a_message_says_which_of_its_file_s_types_it_is_of(registry: RegistryServer) -> None:
    inner = proto_type(nested(), "shop.Second.Inner")
    with SchemaRegistryClient({"url": registry.url}) as client:
        write = ProtobufSerializer(inner, client, {"use.deprecated.format": False})
        payload = write(inner(amount=1.5), CONTEXT)
    assert payload is not None
    assert payload[5:8] == bytes([4, 2, 2]), "two levels; the second of its file, and the second in it"
    schema = {"features": {"amount": "numeric"}}
    bad = [
        payload[:5] + path
        for path in (b"", b"\x02", b"\x02\x10", b"\x02\x01", b"\xff" * 11, b"\x01\x02", b"\x04\x02\x10")
    ]

    with schemas_of(registry.url) as schemas:
        decoded = decoder_for([plan(schema, format="protobuf")], schemas).decode(records([payload, *bad]))

    assert decoded.events["m"].numeric.tolist() == [[1.5]]
    assert [(p.offset, p.reason) for _, p in decoded.problems] == [
        (offset, "schema_mismatch") for offset in range(1, len(bad) + 1)
    ]


def test_what_a_file_imports_is_found(registry: RegistryServer) -> None:
    money = proto_file("shop/money.proto", "Money", {"amount": "DOUBLE"}, set(), package="shop")
    order = FileDescriptorProto(name="order.proto", syntax="proto3", package="shop")
    order.dependency.extend(["shop/money.proto", "google/protobuf/timestamp.proto"])
    kind = order.message_type.add(name="Order")
    _field(kind, "total", 1, FieldDescriptorProto.TYPE_MESSAGE, ".shop.Money")
    _field(kind, "created_at", 2, FieldDescriptorProto.TYPE_MESSAGE, ".google.protobuf.Timestamp")
    message = proto_type(order, "shop.Order", [*well_known(), money])()
    message.total.amount = 2.5
    message.created_at.FromMilliseconds(NOON_MS + 7)
    with SchemaRegistryClient({"url": registry.url}) as client:
        write = ProtobufSerializer(type(message), client, {"use.deprecated.format": False})
        payload = write(message, CONTEXT)
    schema = {"features": {"amount": {"type": "numeric", "path": "total.amount"}}}

    with schemas_of(registry.url) as schemas:
        one = decoder_for([plan(schema, format="protobuf", event_time="created_at")], schemas)
        decoded = one.decode(records([payload]))

    assert decoded.problems == []
    assert decoded.events["m"].numeric.tolist() == [[2.5]]
    assert decoded.events["m"].event_ms.tolist() == [NOON_MS + 7]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('syntax = "proto3";', "is not serialized: does the registry know `format=serialized`?"),
        ("/////w==", "is not serialized"),
        ("CgFhGgFi", "'b' is imported, but not there"),
    ],
)
def test_a_schema_that_cannot_be_used_says_why(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        framed_reader(Registered("PROTOBUF", text))


def test_bare_messages_are_read_by_the_descriptors_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "shop.desc").write_bytes(FileDescriptorSet(file=[*well_known(), FILE]).SerializeToString())
    schema = {"features": {"amount": {"type": "numeric", "path": "own.d"}}}
    one = plan(schema, format={"kind": "protobuf", "descriptors": "shop.desc", "message": "test.All"})

    found = decoder_for([one], Schemas(resolve=lambda model, name: tmp_path / name))
    decoded = found.decode(records([made({"own": {"d": 1.5}}), b"\xff"]))

    assert decoded.events["m"].numeric.tolist() == [[1.5]]
    assert [problem.reason for _, problem in decoded.problems] == ["schema_mismatch"]
