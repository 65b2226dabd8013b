"""JSON behind the number of its schema: read as JSON is, and refused where it breaks its own schema."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema as ConfluentSchema
from confluent_kafka.schema_registry import SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decoders import JsonDecoder, Schemas, decoder_for
from monitor.packed import Packed
from tests.decoders.plans import plan, records
from tests.decoders.test_both_ways import messages, seen
from tests.decoders.written import CONTEXT, schemas_of
from tests.services.registry import RegistryServer

AMOUNT = {"features": {"amount": "numeric"}, "extra": "count"}
ANYTHING = {"features": {"n": "numeric", "c": "category", "x": {"type": "numeric", "path": "f.x"}}, "id": "id"}


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


@pytest.fixture(scope="module")
def schemas(registry: RegistryServer) -> Iterator[Schemas]:
    with schemas_of(registry.url) as found:
        yield found


def head(registry: RegistryServer, schema: Any) -> bytes:
    return b"\x00" + registry.register("t-value", json.dumps(schema), "JSON").to_bytes(4, "big")


def test_what_breaks_its_own_schema_is_rejected_and_its_neighbours_are_not(
    registry: RegistryServer, schemas: Schemas
) -> None:
    first = head(registry, {"properties": {"amount": {"type": "number", "minimum": 0}}, "required": ["amount"]})
    second = head(registry, {"properties": {"amount": {"type": ["number", "null"]}}})
    payloads: list[bytes | None] = [
        first + b'{"amount": 1}',
        first + b'{"amount": -1}',
        first + b"{}",
        second + b'{"amount": -1, "other": 2}',
        first + b'{"amount": "1"}',
        first + b'{"amount": NaN}',
        first + b'{"amount": 2, "a": "\\ud83d\\ude00", "amount": 3}',
        first + b'{"amount": 1',
        first,
        b'{"amount": 1}',
        b"\x00\x00\x00\x03\xe7{}",
        second + b"[1]",
        second + b'{"amount": "\xff"}',
        None,
        second + b"[" * 100_000,
    ]
    for together in (payloads, Packed.of(payloads)):
        batch = records([])
        batch = records(payloads)
        batch.payloads = together
        decoded = decoder_for([plan(AMOUNT, format="json_schema")], schemas).decode(batch)

        assert decoded.events["m"].numeric.tolist() == [[1.0, -1.0, 3.0]]
        assert [(p.offset, p.reason) for _, p in decoded.problems if p.reason != "extra_field"] == [
            (1, "schema_mismatch"),
            (2, "schema_mismatch"),
            (4, "schema_mismatch"),
            (5, "schema_mismatch"),
            (7, "not_json"),
            (8, "empty"),
            (9, "not_framed"),
            (10, "unknown_schema"),
            (11, "not_an_object"),
            (12, "not_utf8"),
            (13, "empty"),
            (14, "not_json"),
        ]
        assert decoded.extra == {("m", "other"): 1, ("m", "a"): 1}
    details = {problem.offset: problem.detail for _, problem in decoded.problems}
    assert details[1].endswith("amount: -1 is less than the minimum of 0")
    assert details[2].endswith('"amount" is a required property')


def test_without_validation_no_registry_is_asked(registry: RegistryServer) -> None:
    first = head(registry, {"properties": {"amount": {"type": "string"}}})
    asked = len(registry.asked)
    one = decoder_for([plan(AMOUNT, format={"kind": "json_schema", "validate": False})])

    decoded = one.decode(records([first + b'{"amount": 1}', first + b'{"amount": NaN}', b"{}"]))

    assert [x if math.isfinite(x) else "?" for x in decoded.events["m"].numeric[0]] == [1.0, "?"]
    assert [problem.reason for _, problem in decoded.problems] == ["not_finite", "not_framed"]
    assert len(registry.asked) == asked


def test_references_lead_to_what_the_registry_says_and_nowhere_else(registry: RegistryServer, schemas: Schemas) -> None:
    money = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "number", "minimum": 0}
    order = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "http://shop.example/order.json",
        "title": "Order",
        "type": "object",
        "properties": {"amount": {"$ref": "money.json"}},
    }
    with SchemaRegistryClient({"url": registry.url}) as client:
        client.register_schema("money", ConfluentSchema(json.dumps(money), "JSON"))
        reference = SchemaReference("money.json", "money", 1)
        write = JSONSerializer(
            ConfluentSchema(json.dumps(order), "JSON", [reference]), client, conf={"validate": False}
        )
        payloads = [write({"amount": amount}, CONTEXT) for amount in (1.5, -1.5)]
    away = head(registry, {"properties": {"amount": {"$ref": f"{registry.url}/subjects/money/versions/1"}}})
    asked = len(registry.asked)
    one = decoder_for([plan({"features": {"amount": "numeric"}}, format="json_schema")], schemas)

    decoded = one.decode(records([*payloads, away + b'{"amount": 1}']))

    assert decoded.events["m"].numeric.tolist() == [[1.5]]
    problems = [problem for _, problem in decoded.problems]
    assert [problem.reason for problem in problems] == ["schema_mismatch", "unusable_schema"]
    assert "the registry does not say what" in problems[1].detail
    assert [path for path in registry.asked[asked:] if not path.startswith("/schemas/ids/")] == [
        "/subjects/money/versions/1?deleted=true"
    ]


@settings(max_examples=80, deadline=None)
@given(st.lists(messages(), max_size=5), st.booleans())
def test_behind_the_number_is_what_plain_json_would_be(
    registry: RegistryServer, schemas: Schemas, payloads: list[bytes], validate: bool
) -> None:
    any_object = head(registry, {"type": "object"})
    form = {"kind": "json_schema", "validate": validate}

    found = decoder_for([plan(ANYTHING, format=form)], schemas).decode(records([any_object + one for one in payloads]))

    plain = JsonDecoder([plan(ANYTHING)]).decode(records(payloads))
    if not validate:
        assert seen(found) == seen(plain)
        return
    # NaN and half surrogates, which plain JSON keeps, are no values of any schema.
    refused = {problem.offset for _, problem in found.problems if problem.reason == "schema_mismatch"}
    assert {offset for offset in refused if not is_strict(payloads[offset])} == refused
    kept = [problem for _, problem in plain.problems if problem.offset not in refused]
    assert [problem for _, problem in found.problems if problem.offset not in refused] == kept


def is_strict(payload: bytes) -> bool:
    """Whether every value can be one of a schema's."""
    words = [word for word in (b"NaN", b"Infinity", b"\\ud8", b"e309", b"e400", b"99999999") if word in payload]
    return not words
