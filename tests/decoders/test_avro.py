"""Avro: every type, the schemas of a topic that change, and bytes that nobody should trust."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import pytest
from confluent_kafka.schema_registry import Schema as ConfluentSchema
from confluent_kafka.schema_registry import SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decoders import Schemas, decoder_for
from monitor.decoders.avro import MAX_NESTING, avro_reader
from monitor.decoders.document import Refused
from monitor.errors import InputError
from tests.decoders.plans import NOON_MS, plan, records
from tests.decoders.written import CONTEXT, schemas_of
from tests.services.registry import RegistryServer

AMOUNT = {"features": {"amount": "numeric"}}
NODE = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


def record(*types: Any, name: str = "Event") -> dict[str, Any]:
    """A record of the fields a, b and so on."""
    fields = [{"name": field, "type": kind} for field, kind in zip("abcdefghijklmn", types, strict=False)]
    return {"type": "record", "name": name, "fields": fields}


def written(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def read(schema: Any, value: Any) -> dict[str, object]:
    return avro_reader(json.dumps(schema), {})(written(schema, value), 0)


def logical(kind: str, meant: str, /, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": meant, **more}


NOON = datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC)
AT_NOON = "2023-11-14T22:13:20.123000Z"


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        (logical("long", "timestamp-millis"), NOON, AT_NOON),
        (logical("long", "timestamp-micros"), NOON, AT_NOON),
        (logical("long", "timestamp-nanos"), 1_700_000_000_123_000_000, AT_NOON),
        (logical("long", "local-timestamp-millis"), NOON.replace(tzinfo=None), AT_NOON.removesuffix("Z")),
        (logical("long", "local-timestamp-micros"), NOON.replace(tzinfo=None), AT_NOON.removesuffix("Z")),
        (logical("long", "timestamp-millis"), 2**62, f"{2**62}/1000 s since 1970"),
        (logical("int", "date"), date(2023, 11, 14), "2023-11-14"),
        (logical("int", "time-millis"), time(22, 13, 20, 500_000), "22:13:20.500000"),
        (logical("long", "time-micros"), time(22, 13, 20), "22:13:20"),
        (logical("bytes", "decimal", precision=9, scale=2), Decimal("-12.34"), -12.34),
        (logical("bytes", "decimal", precision=9), Decimal(1234), 1234),
        (logical("fixed", "decimal", precision=9, scale=3, size=4, name="D"), Decimal("0.001"), 0.001),
        (logical("string", "uuid"), UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (logical("fixed", "uuid", size=16, name="U"), UUID(int=7).bytes, "00000000-0000-0000-0000-000000000007"),
        (logical("long", "unheard-of"), 7, 7),
        ({"type": "enum", "name": "E", "symbols": ["RED", "BLUE"]}, "BLUE", "BLUE"),
        ("bytes", b"\xff\x00", "/wA="),
        ({"type": "fixed", "name": "F", "size": 2}, b"\xff\x00", "/wA="),
        (["null", "long"], None, None),
        (["null", logical("long", "timestamp-millis")], NOON, AT_NOON),
        (["string", logical("long", "timestamp-millis"), "bytes", "null"], "x", "x"),
        (["string", logical("long", "timestamp-millis"), "bytes", "null"], b"x", "eA=="),
        ({"type": "array", "items": logical("int", "date")}, [date(1970, 1, 2)], ["1970-01-02"]),
        ({"type": "map", "values": ["null", "bytes"]}, {"x": b"x", "y": None}, {"x": "eA==", "y": None}),
        (
            record("int", logical("int", "date"), name="Inner"),
            {"a": 1, "b": date(1970, 1, 2)},
            {"a": 1, "b": "1970-01-02"},
        ),
        (
            [record("bytes", name="One"), record("int", "bytes", name="Two"), "null"],
            {"a": 5, "b": b"x"},
            {"a": 5, "b": "eA=="},
        ),
    ],
)
def test_what_each_type_is_in_a_document(kind: Any, value: Any, found: Any) -> None:
    assert read(record("string", kind), {"a": "before", "b": value}) == {"a": "before", "b": found}


def test_a_type_may_hold_one_of_its_own_kind_but_not_without_end() -> None:
    schema: dict[str, Any] = {
        "type": "record",
        "name": "Node",
        "fields": [{"name": "at", "type": logical("int", "date")}],
    }
    schema["fields"].append({"name": "next", "type": ["null", "Node"]})
    assert read(schema, {"at": date(1970, 1, 1), "next": {"at": date(1970, 1, 2), "next": None}}) == {
        "at": "1970-01-01",
        "next": {"at": "1970-01-02", "next": None},
    }
    read_node = avro_reader(json.dumps(NODE), {})
    assert read_node(b"\x02" * (MAX_NESTING - 1) + b"\x00", 0)
    for depth in (MAX_NESTING, 999, 1_001, 100_000, 1_000_000):
        with pytest.raises(Refused, match=f"nested more than {MAX_NESTING} deep"):
            read_node(b"\x02" * depth + b"\x00", 0)


@pytest.mark.parametrize("scale", [999_999_999, 1_001])
def test_a_decimal_whose_scale_would_take_minutes_is_no_schema(scale: int) -> None:
    schema = record("string", {"type": "bytes", "logicalType": "decimal", "precision": 10**9, "scale": scale})
    with pytest.raises(ValueError, match="scale"):
        avro_reader(json.dumps(schema), {})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "enum", "name": "E", "symbols": ["1 2"]},
        record("string", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": -1}),
        {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "default": "x"}]},
        {"type": "record", "name": "R", "fields": {"a": 1}},
    ],
)
def test_what_is_no_schema_is_refused_whoever_finds_out(schema: Any) -> None:
    with pytest.raises(ValueError, match="no Avro schema"):
        avro_reader(json.dumps(schema), {})


@pytest.mark.parametrize("scale", [0, 2, 900])
def test_a_decimal_beyond_all_numbers_is_none_that_can_be_used(scale: int) -> None:
    kind = {"type": "bytes", "logicalType": "decimal", "precision": 10**9, "scale": scale}
    read_record = avro_reader(json.dumps(record("string", kind)), {})
    # Lengths are written as twice themselves, seven bits a byte.
    assert read_record(b"\x02a" + b"\x80\x80\x80\x02" + b"\x7f" * 2**21, 0)["b"] == math.inf


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"\x02", "EOFError"),
        (b"\x02\x02a\x00", "1 bytes are left behind"),
        (b"\x02\xff\xff\xff\xff\x0fabc", "schema_mismatch"),
        (b"\x02\x02\xff", "UnicodeDecodeError"),
        (b"\x06\x02a", "IndexError"),
    ],
)
def test_bytes_that_are_not_of_the_schema_are_refused(payload: bytes, message: str) -> None:
    with pytest.raises(Refused, match=message) as raised:
        avro_reader(json.dumps(record(["null", "string"])), {})(payload, 0)
    assert raised.value.reason == "schema_mismatch"


@pytest.mark.parametrize("items", ["null", {"type": "record", "name": "Nil", "fields": []}, record("null", name="N")])
def test_a_schema_by_which_a_few_bytes_stand_for_any_number_of_values_is_not_used(items: Any) -> None:
    with pytest.raises(ValueError, match="items that take no bytes"):
        avro_reader(json.dumps(record({"type": "array", "items": items})), {})


def test_what_is_no_record_is_no_event() -> None:
    with pytest.raises(Refused, match='expected a record, found "x"') as raised:
        read("string", "x")
    assert raised.value.reason == "not_an_object"


VALUES = st.fixed_dictionaries(
    {
        "a": st.none() | st.integers(-(2**63), 2**63 - 1),
        "b": st.floats(allow_nan=False),
        "c": st.text(),
        "d": st.lists(st.booleans()),
        "e": st.dictionaries(st.text(), st.integers(-(2**31), 2**31 - 1)),
    }
)


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_what_another_program_writes_is_read_to_the_last_bit(value: dict[str, Any]) -> None:
    kinds = (
        ["null", "long"],
        "double",
        "string",
        {"type": "array", "items": "boolean"},
        {"type": "map", "values": "int"},
    )
    assert read(record(*kinds), value) == value


def test_messages_are_read_by_the_schema_that_they_were_written_with(registry: RegistryServer) -> None:
    old = record("double")
    new: dict[str, Any] = {
        "type": "record",
        "name": "Event",
        "fields": [{"name": "x", "type": "string"}, *old["fields"]],
    }
    new["fields"][1] = {"name": "a", "type": ["null", "int"]}
    with SchemaRegistryClient({"url": registry.url}) as client:
        payloads = [
            AvroSerializer(client, json.dumps(old))({"a": 1.5}, CONTEXT),
            AvroSerializer(client, json.dumps(new))({"x": "x", "a": 2}, CONTEXT),
            AvroSerializer(client, json.dumps(old))({"a": 3.5}, CONTEXT),
        ]
    schema = {"features": {"amount": {"type": "numeric", "path": "a"}}}
    with schemas_of(registry.url) as schemas:
        decoded = decoder_for([plan(schema, format="avro")], schemas).decode(records(payloads))

    assert decoded.problems == []
    assert decoded.events["m"].numeric.tolist() == [[1.5, 2.0, 3.5]]


def test_types_of_other_subjects_are_found(registry: RegistryServer) -> None:
    money = {"type": "record", "name": "Money", "namespace": "shop", "fields": [{"name": "amount", "type": "double"}]}
    line = {"type": "record", "name": "Line", "namespace": "shop", "fields": [{"name": "price", "type": "Money"}]}
    fields = [{"name": "line", "type": "shop.Line"}, {"name": "total", "type": "shop.Money"}]
    order = {"type": "record", "name": "Order", "fields": fields}
    to_money = SchemaReference("shop.Money", "money", 1)
    with SchemaRegistryClient({"url": registry.url}) as client:
        client.register_schema("money", ConfluentSchema(json.dumps(money), "AVRO"))
        client.register_schema("line", ConfluentSchema(json.dumps(line), "AVRO", [to_money]))
        references = [SchemaReference("shop.Line", "line", 1), to_money]
        write = AvroSerializer(client, ConfluentSchema(json.dumps(order), "AVRO", references))
        payload = write({"line": {"price": {"amount": 1.5}}, "total": {"amount": 2.5}}, CONTEXT)
    schema = {"features": {n: {"type": "numeric", "path": n} for n in ("line.price.amount", "total.amount")}}
    with schemas_of(registry.url) as schemas:
        decoded = decoder_for([plan(schema, format="avro")], schemas).decode(records([payload]))

    assert decoded.problems == []
    assert decoded.events["m"].numeric.tolist() == [[1.5], [2.5]]


@pytest.mark.parametrize("name", ["timestamp-millis", "timestamp-micros"])
@pytest.mark.parametrize("unit", ["auto", "iso"])
def test_a_timestamp_knows_its_unit(name: str, unit: str, registry: RegistryServer) -> None:
    schema = record(logical("long", name))
    moments = [NOON, NOON + timedelta(milliseconds=1)]
    number = registry.register("t-value", json.dumps(schema))
    payloads = [b"\x00" + number.to_bytes(4, "big") + written(schema, {"a": moment}) for moment in moments]
    with schemas_of(registry.url) as schemas:
        one = decoder_for([plan(AMOUNT, format="avro", event_time={"path": "a", "unit": unit})], schemas)
        decoded = one.decode(records(payloads))

    assert decoded.events["m"].event_ms.tolist() == [NOON_MS + 123, NOON_MS + 124]


def test_each_kind_of_unusable_message_has_a_reason_of_its_own(registry: RegistryServer) -> None:
    good = registry.register("t-value", json.dumps(record("double")))
    of_json = registry.register("j-value", "{}", "JSON")
    broken = registry.register("b-value", '{"type": "recrd"}')
    heads = [b"\x00" + number.to_bytes(4, "big") for number in (good, 99, of_json, broken)]
    body = written(record("double"), {"a": 1.0})
    payloads = [heads[0] + body, heads[1] + body, heads[2] + body, heads[3] + body, heads[0] + body[:3], b"{}", None]
    payloads += [b"\x00\x00", heads[1]]
    with schemas_of(registry.url) as schemas:
        one = decoder_for([plan(AMOUNT, format="avro")], schemas)
        decoded = one.decode(records(payloads))
        one.decode(records(payloads, first=9))

    assert [(problem.offset, problem.reason) for _, problem in decoded.problems] == [
        (1, "unknown_schema"),
        (2, "unusable_schema"),
        (3, "unusable_schema"),
        (4, "schema_mismatch"),
        (5, "not_framed"),
        (6, "empty"),
        (7, "not_framed"),
        (8, "unknown_schema"),
    ]
    asked = [path.rpartition("/")[2] for path in registry.asked]
    assert {number: asked.count(number) for number in asked} == {str(good): 1, "99": 2, str(of_json): 1, str(broken): 1}


def test_bare_messages_are_read_by_the_schema_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "event.avsc").write_text(json.dumps(record("double")))
    schema = {"features": {"amount": {"type": "numeric", "path": "a"}}}
    one = plan(schema, format={"kind": "avro", "schema": "event.avsc"})

    found = decoder_for([one], Schemas(resolve=lambda model, name: tmp_path / name))
    decoded = found.decode(records([written(record("double"), {"a": 1.5}), b"\x00"]))

    assert decoded.events["m"].numeric.tolist() == [[1.5]]
    assert [problem.reason for _, problem in decoded.problems] == ["schema_mismatch"]


def test_without_a_registry_or_the_file_nothing_is_decoded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="schema_registry"):
        decoder_for([plan(AMOUNT, format="avro")])
    with pytest.raises(InputError, match="No such file"):
        decoder_for([plan(AMOUNT, format={"kind": "avro", "schema": str(tmp_path / "none")})])
