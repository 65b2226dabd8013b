"""Lists of numbers: read in every format that has them, and refused where they are something else."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.decoders import Decoded, JsonDecoder, decoder_for
from tests.decoders.plans import plan, records
from tests.decoders.written import CONTEXT, proto_file, proto_type, schemas_of
from tests.services.registry import RegistryServer

SCHEMA: dict[str, Any] = {
    "id": "id",
    "features": {
        "amount": "numeric",
        "country": "category",
        "first": {"type": "vector", "dimension": 3},
        "second": {"type": "vector", "dimension": 2, "path": "more.second"},
    },
    "prediction": {"score": "numeric"},
}
PLANS = [plan(SCHEMA), plan({"features": {"plain": {"type": "numeric", "path": "first"}}}, "other")]
EVENT: dict[str, Any] = {
    "id": "a",
    "amount": 1,
    "country": "DE",
    "first": [1, -0.5, 2e-3],
    "more": {"second": [0.1, 2]},
    "score": 0.5,
}


def with_(**changes: Any) -> bytes:
    return json.dumps(EVENT | changes).encode()


def read(*payloads: bytes, fast: bool = True) -> Decoded:
    return JsonDecoder(PLANS[:1], fast=fast).decode(records(payloads))


@pytest.mark.parametrize("fast", [True, False])
def test_lists_are_read_where_they_stand(fast: bool) -> None:
    found = read(with_(), b'{"first":[ 1.0 ,2 , 3e0 ],"more":{"second":[0,-0]}}', fast=fast)
    first, second = found.events["m"].vectors
    assert first.tolist() == [[1, -0.5, 0.002], [1, 2, 3]]
    assert second.tolist() == [[0.1, 2], [0, 0]]
    assert not found.problems
    assert found.events["m"].numeric[0].tolist()[0] == 1


WRONG = {
    b"null": ("", np.nan),
    b"[]": ("wrong_length", np.inf),
    b"[1,2]": ("wrong_length", np.inf),
    b"[1,2,3,4]": ("wrong_length", np.inf),
    b"[1,2,null]": ("wrong_type", np.inf),
    b"[1,2,true]": ("wrong_type", np.inf),
    b'[1,2,"3"]': ("wrong_type", np.inf),
    b"[1,2,[3]]": ("wrong_type", np.inf),
    b"[1,2,NaN]": ("not_finite", np.inf),
    b"[1,2,1e400]": ("not_finite", np.inf),
    b"[1,2," + b"9" * 400 + b"]": ("not_finite", np.inf),
    b'"[1,2,3]"': ("wrong_type", np.inf),
    b"7": ("wrong_type", np.inf),
    b'""': ("wrong_type", np.inf),
    b'{"x":[1,2,3]}': ("wrong_type", np.inf),
}


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("value", WRONG)
def test_what_is_no_list_of_so_many_numbers_is_invalid(value: bytes, fast: bool) -> None:
    reason, number = WRONG[value]
    found = read(b'{"id": "a", "first": %s, "more": {"second": [1, 2]}}' % value, with_(), fast=fast)
    first, second = found.events["m"].vectors
    assert np.array_equal(first, [[number] * 3, EVENT["first"]], equal_nan=True)
    assert second.tolist() == [[1, 2], [0.1, 2]]
    problems = [(problem.offset, problem.field, problem.reason, problem.action) for _, problem in found.problems]
    assert problems == ([(0, "feature:first", reason, "kept")] if reason else [])


def test_a_list_is_no_number_and_no_name_for_who_wants_one() -> None:
    vector = [1, 2, 3]
    found = JsonDecoder(PLANS).decode(records([with_(amount=vector, country=vector, id=vector), with_(first=[])]))
    assert np.isinf(found.events["m"].numeric[0][0])
    wrong = {(model, problem.offset, problem.field, problem.reason) for model, problem in found.problems}
    assert wrong == {
        *(("m", 0, field, "wrong_type") for field in ("feature:amount", "feature:country", "id")),
        ("other", 0, "feature:plain", "wrong_type"),
        ("other", 1, "feature:plain", "wrong_type"),
        ("m", 1, "feature:first", "wrong_length"),
    }


def test_avro_and_protobuf_have_lists_too() -> None:
    event = {"ts": 1_700_000_000_000, "amount": 1.5, "first": [0.25, -0.5, 3.0]}
    mine = {"features": {"amount": "numeric", "first": {"type": "vector", "dimension": 3}}}
    fields = [
        {"name": "ts", "type": "long"},
        {"name": "amount", "type": "double"},
        {"name": "first", "type": {"type": "array", "items": "float"}},
    ]
    file = proto_file("event.proto", "Event", {"ts": "INT64", "amount": "DOUBLE"}, {"ts", "amount"})
    file.message_type[0].field.add(
        name="first", number=3, label=FieldDescriptorProto.LABEL_REPEATED, type=FieldDescriptorProto.TYPE_FLOAT
    )
    kind = proto_type(file, "Event")
    with RegistryServer() as server, SchemaRegistryClient({"url": server.url}) as client:
        avro = AvroSerializer(client, json.dumps({"type": "record", "name": "Event", "fields": fields}))
        proto = ProtobufSerializer(kind, client, {"use.deprecated.format": False})
        payloads = {"avro": avro(event, CONTEXT), "protobuf": proto(kind(**event), CONTEXT)}
        for format_, payload in payloads.items():
            with schemas_of(server.url) as schemas:
                decoder = decoder_for([plan(mine, format=format_, event_time="ts")], schemas)
                found = decoder.decode(records([payload]))
            assert found.events["m"].vectors[0].tolist() == [event["first"]]
            assert found.events["m"].numeric.tolist() == [[1.5]]
            assert not found.problems


NUMBERS = st.one_of(
    st.integers(-9, 9).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["1e400", "NaN", "01", "null", "true", '"1"', "[2]", "{}", "-0", "-0.0", "1e-5", "9" * 30, ""]),
)
LISTS = st.builds(
    lambda numbers, blank: "[" + f"{blank},{blank}".join(numbers) + blank + "]",
    st.one_of(st.lists(NUMBERS, max_size=4), st.lists(st.floats(-9, 9).map(repr), min_size=2, max_size=3)),
    st.sampled_from(["", " ", "\n\t"]),
)
VALUES = st.one_of(LISTS, LISTS, st.sampled_from(["7", "null", '"[1,2,3]"', '"\\"[1,2,3]"', '""', '"a', "[[1,2,3]]"]))
OBJECTS = st.lists(
    st.tuples(st.sampled_from(["first", "second", "amount", "country", "id", "x", "fir\\u0073t"]), VALUES), max_size=5
).map(lambda pairs: "{" + ",".join(f'"{key}":{value}' for key, value in pairs) + "}")
MESSAGES = st.lists(
    st.tuples(OBJECTS, st.one_of(OBJECTS, VALUES)).map(lambda parts: f'{parts[0][:-1]},"more":{parts[1]}}}'), max_size=4
)
FAST, SLOW = JsonDecoder(PLANS), JsonDecoder(PLANS, fast=False)
ALONE = [JsonDecoder(PLANS[:1], fast=fast) for fast in (True, False)]


@settings(max_examples=400, deadline=None)
@given(MESSAGES)
@example(['{"first":[1,2,3],"first":[4,5,6],"more":{"second":[1,2]}}', '{"x":[1,2,3],"first":null,"more":{}}'])
@example(['{"country":[1,2,3],"more":1}', '{"first":[1,2],"more":{"second":[1,2,3]}}'])
def test_which_way_a_list_took_does_not_show(messages: list[str]) -> None:
    payloads = records([message.encode() for message in messages])
    for fast, slow in ((FAST, SLOW), ALONE):
        one, other = fast.decode(payloads), slow.decode(payloads)
        assert one.problems == other.problems
        assert one.events.keys() == other.events.keys()
        for model, events in one.events.items():
            twin = other.events[model]
            assert np.array_equal(events.numeric, twin.numeric, equal_nan=True)
            assert [column.tolist() for column in events.category] == [column.tolist() for column in twin.category]
            for mine, theirs in zip(events.vectors, twin.vectors, strict=True):
                assert mine.view(np.int64).tolist() == theirs.view(np.int64).tolist()


def test_ordinary_messages_with_lists_are_scanned() -> None:
    decoder = JsonDecoder(PLANS[:1])
    decoder.decode(records([with_(), with_(first=[0.1] * 3), with_(first=None)]))
    assert (decoder.scanned, decoder.parsed) == (3, 0)
