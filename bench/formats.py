"""How many messages a second become columns, in every format, beside the library that knows the format alone.

A message is that of ``bench.decode``: 20 numbers, a category, an identity, a version and a time. The libraries make an
object of each message and no columns; what we add to that is the difference. Seconds are CPU time of the process.

Run ``python -m bench.formats``; the last line is JSON. Needs the packages that tests need.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any, cast

import fastavro
import numpy as np
import orjson
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from bench.decode import BATCH, COUNT, NAMES, START_MS, messages
from monitor.config.model import SourceSpec
from monitor.config.schema import Schema
from monitor.decoders import Decoder, Schemas, TopicPlan, decoder_for
from monitor.decoders.registry import Registered, Registry
from monitor.events import Headers, Records

ROUNDS = 5
HEAD = b"\x00\x00\x00\x00\x01"
COLUMNS = {"event_id": "string", "version": "string", "ts": "long", "country": "string"} | dict.fromkeys(
    NAMES, "double"
)
BINARY: Headers = (("ce_specversion", b"1.0"), ("ce_id", b"e1"), ("ce_source", b"/shop"), ("ce_type", b"order"))
STRUCTURED: Headers = (("content-type", b"application/cloudevents+json"),)
ENVELOPE = b'{"specversion":"1.0","id":"e1","source":"/shop","type":"order","time":"2023-11-14T22:13:20Z","data":%s}'


@dataclass(frozen=True)
class Case:
    """Messages of one format, and what else makes objects of them."""

    format: Any
    payloads: list[bytes]
    alone: dict[str, Callable[[bytes], object]]
    headers: Headers = ()
    schema: Registered | None = None


class Known:
    """A registry that holds one schema."""

    def __init__(self, schema: Registered | None) -> None:
        self._schema = schema

    def schema(self, number: int, form: str = "") -> Registered | None:
        return self._schema


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.formats", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args(arguments).rounds
    written = messages()
    objects = [json.loads(payload) for payload in written]
    cases = {
        "json": Case("json", written, {"orjson": orjson.loads}),
        "avro": avro(objects),
        "protobuf": protobuf(objects),
        "json_schema": json_schema(written),
        "json_schema, not validated": json_schema(written, validate=False),
        "cloudevents, binary": Case("cloudevents", written, {"orjson": orjson.loads}, BINARY),
        "cloudevents, structured": Case(
            "cloudevents", [ENVELOPE % p for p in written], {"orjson": orjson.loads}, STRUCTURED
        ),
        "csv": rows_of(objects),
    }
    contestants: dict[str, Callable[[], object]] = {}
    for name, case in cases.items():
        contestants[name] = partial(decoded, decoder_of(case, objects[0]), batches(case))
        contestants |= {
            f"{name}: {library} alone": partial(each, load, case.payloads) for library, load in case.alone.items()
        }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            start_s = time.process_time()
            run()
            seconds[name].append(time.process_time() - start_s)
    print(f"{COUNT} messages in batches of {BATCH}: microseconds of CPU a message, best and median of {rounds}")
    for name, taken in seconds.items():
        best, middle = min(taken), median(taken)
        print(f"{name:42} {1e6 * best / COUNT:7.2f} {1e6 * middle / COUNT:7.2f}  {COUNT / best:11,.0f} messages/s")
    print(json.dumps({name: round(COUNT / min(taken)) for name, taken in seconds.items()}))


def decoder_of(case: Case, first_event: dict[str, Any]) -> Decoder:
    features: dict[str, Any] = {name: {"type": "numeric"} for name in NAMES} | {"country": {"type": "category"}}
    schema = Schema.model_validate({"id": "event_id", "version": "version", "features": features})
    source = SourceSpec.model_validate({"kafka": "scores", "event_time": "ts", "format": case.format})
    schemas = Schemas(cast("Registry", Known(case.schema)))
    decoder = decoder_for([TopicPlan("model", source, schema)], schemas)
    first = decoder.decode(batches(case)[0])
    assert not first.problems
    assert np.array_equal(first.events["model"].numeric[:, 0], [first_event[name] for name in NAMES])
    return decoder


def batches(case: Case) -> list[Records]:
    found = []
    for start in range(0, COUNT, BATCH):
        payloads = case.payloads[start : start + BATCH]
        offsets = np.arange(start, start + len(payloads), dtype=np.int64)
        headers = [case.headers] * len(payloads) if case.headers else None
        found.append(Records("scores", 0, offsets, START_MS + offsets, payloads, headers=headers))
    return found


def decoded(decoder: Decoder, records: Sequence[Records]) -> None:
    for batch in records:
        decoder.decode(batch)


def each(load: Callable[[bytes], object], payloads: Sequence[bytes]) -> None:
    for payload in payloads:
        load(payload)


def avro(objects: Sequence[dict[str, Any]]) -> Case:
    fields = [{"name": name, "type": kind} for name, kind in COLUMNS.items()]
    written = {"type": "record", "name": "Event", "fields": fields}
    parsed = fastavro.parse_schema(written)

    def write(value: dict[str, Any]) -> bytes:
        out = io.BytesIO(HEAD)
        out.seek(len(HEAD))
        fastavro.schemaless_writer(out, parsed, value)
        return out.getvalue()

    def load(payload: bytes) -> object:
        return fastavro.schemaless_reader(io.BytesIO(payload[len(HEAD) :]), parsed, None)

    return Case("avro", list(map(write, objects)), {"fastavro": load}, schema=Registered("AVRO", json.dumps(written)))


def protobuf(objects: Sequence[dict[str, Any]]) -> Case:
    kinds = {"string": FieldDescriptorProto.TYPE_STRING, "long": FieldDescriptorProto.TYPE_INT64}
    file = FileDescriptorProto(name="event.proto", syntax="proto3")
    event = file.message_type.add(name="Event")
    for number, (name, kind) in enumerate(COLUMNS.items(), start=1):
        label, type_ = FieldDescriptorProto.LABEL_OPTIONAL, kinds.get(kind, FieldDescriptorProto.TYPE_DOUBLE)
        event.field.add(name=name, number=number, label=label, type=type_)
    pool = DescriptorPool()
    pool.Add(file)
    made = GetMessageClass(pool.FindMessageTypeByName("Event"))
    payloads = [HEAD + b"\x00" + made(**value).SerializeToString() for value in objects]

    registered = Registered("PROTOBUF", b64encode(file.SerializeToString()).decode())
    return Case("protobuf", payloads, {"protobuf": lambda one: made.FromString(one[6:])}, schema=registered)


def json_schema(written: Sequence[bytes], *, validate: bool = True) -> Case:
    kinds = {"string": "string", "long": "integer", "double": "number"}
    properties = {name: {"type": kinds[kind]} for name, kind in COLUMNS.items()}
    schema = {"type": "object", "properties": properties, "required": list(COLUMNS)}
    return Case(
        {"kind": "json_schema", "validate": validate},
        [HEAD + payload for payload in written],
        {},
        schema=Registered("JSON", json.dumps(schema)),
    )


def rows_of(objects: Sequence[dict[str, Any]]) -> Case:
    payloads = []
    for value in objects:
        out = io.StringIO()
        csv.writer(out).writerow([value[name] for name in COLUMNS])
        payloads.append(out.getvalue().encode())
    load: dict[str, Callable[[bytes], object]] = {"csv": lambda payload: next(csv.reader([payload.decode()]))}
    return Case({"kind": "csv", "columns": list(COLUMNS)}, payloads, load)


if __name__ == "__main__":
    main()
