"""`leeway check`: a format that cannot be read is named with its line, before anything is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from monitor.config import load
from tests.cli.console import Console, by_line
from tests.decoders.written import proto_file

MODEL = """\
apiVersion: leeway/v1
kind: Model
metadata: {{name: {name}}}
spec:
  sources:
    - {place}
      format: {format}
  schema:
    features: {{amount: {{type: numeric}}}}
"""
SERVICE = """\
apiVersion: leeway/v1
kind: Service
spec:
  models: [fraud.yaml]
  schema_registry: {registry}
"""
AVSC = {"type": "record", "name": "Event", "fields": [{"name": "amount", "type": "double"}]}


def model(folder: Path, form: str, place: str = "kafka: t", name: str = "fraud") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(MODEL.format(name=name, place=place, format=form))
    return file


def service(folder: Path, registry: str) -> Path:
    file = folder / "leeway.yaml"
    file.write_text(SERVICE.format(registry=registry))
    return file


@pytest.mark.parametrize(
    ("form", "path", "message"),
    [
        ("avor", "format", "the formats are json, parquet, avro, protobuf, json_schema, cloudevents and csv"),
        ("{kind: avro, shema: a.avsc}", "format.shema", "unknown key"),
        ("{kind: avro, schema: none.avsc}", "format.schema", "no such file"),
        ("{kind: avro, schema: bad.avsc}", "format.schema", "is no Avro schema"),
        ("avro", "format", "avro needs a schema_registry in the service's file, or a file that is named here"),
        ("protobuf", "format", "protobuf needs a schema_registry in the service's file, or a file"),
        ("json_schema", "format", "json_schema needs a schema_registry in the service's file"),
        ("{kind: protobuf, message: shop.Order}", "format", "bare messages need both descriptors and message"),
        ("{kind: protobuf, descriptors: shop.desc, message: shop.Ordre}", "format.descriptors", "'shop.Ordre'"),
        ("{kind: protobuf, descriptors: bad.avsc, message: shop.Order}", "format.descriptors", "no set of descriptors"),
        ("csv", "format.columns", "required key is missing"),
        ("{kind: csv, columns: []}", "format.columns", "at least 1 item"),
        ("{kind: csv, columns: [a, b, a]}", "format", "'a' is named twice"),
        ("{kind: csv, columns: [a.b]}", "format.columns.0", "pattern"),
        ('{kind: csv, columns: [a], delimiter: ";;"}', "format.delimiter", "pattern"),
        ("{kind: csv, columns: [a], delimiter: ';', quote: ';'}", "format", "delimiter and quote are both ';'"),
        ("parquet", "", "parquet is a format of files"),
    ],
)
def test_a_wrong_format_is_named_with_its_place(
    form: str, path: str, message: str, tmp_path: Path, leeway: Console
) -> None:
    (tmp_path / "bad.avsc").write_text('{"type": "recrd", "name": "X"}')
    (tmp_path / "shop.desc").write_bytes(descriptors())
    file = model(tmp_path, form)

    said = leeway("check", file)

    assert said.code == 2
    place = f"{file}:7: spec.sources.0.{path}: " if path else f"{file}:6: spec.sources.0: "
    assert by_line(said.err).startswith(place), said.err
    assert message in said.err


@pytest.mark.parametrize(
    ("place", "form", "message"),
    [
        ("file: data.txt", "{kind: csv, columns: [amount]}", "files are read as json or parquet, not as csv"),
        ("file: data.csv", "{kind: csv, columns: [amount]}", "data.csv has a row of names, which says its columns"),
        ("file: data.csv", "json", "data.csv is read as csv, as its name says, not as json: leave `format` out"),
        ("file: 'in/*.parquet'", "json", "in/*.parquet is read as parquet, as its name says, not as json"),
        ("file: a.jsonl.gz", "parquet", "a.jsonl.gz is read as JSON lines, as its name says, not as parquet"),
        ("file: a.parquet\n      follow: true", "parquet", "a.parquet cannot be followed: only JSON lines grow"),
        ("http: stream", "cloudevents", "HTTP streams take json, not cloudevents"),
    ],
)
def test_a_format_that_the_place_cannot_hold_is_a_mistake(
    place: str, form: str, message: str, tmp_path: Path, leeway: Console
) -> None:
    said = leeway("check", model(tmp_path, form, place))

    assert said.code == 2
    assert message in said.err


def test_models_that_differ_on_a_topic_s_format_are_a_mistake(tmp_path: Path, leeway: Console) -> None:
    model(tmp_path, "{kind: csv, columns: [amount, x]}", name="a")
    other = model(tmp_path, "{kind: csv, columns: [x, amount]}", name="b")

    said = leeway("check", tmp_path)

    assert said.code == 2
    assert by_line(said.err).startswith(f"{other}:7: spec.sources.0.format: model 'a' gives 't' another format")


@pytest.mark.parametrize(
    ("registry", "path", "message"),
    [
        ("{}", "url", "required key is missing"),
        ("{url: registry:8081}", "url", "pattern"),
        ("{url: [http://a], pasword: x}", "pasword", "unknown key"),
        ("{url: 'http://me:secret@registry'}", "url", "belong in user and password"),
        ("{url: http://a, user: me, token: x}", "", "name a user or a token, not both"),
        ("{url: http://a, timeout: 5}", "timeout", "expected a duration with its unit"),
        ("{url: http://a, tls: {cert: x}}", "tls.cert", "unknown key"),
        ("{url: http://a, password: '${LEEWAY_NOT_SET}'}", "password", "LEEWAY_NOT_SET is not set"),
    ],
)
def test_a_wrong_registry_is_named_with_its_place(
    registry: str, path: str, message: str, tmp_path: Path, leeway: Console
) -> None:
    model(tmp_path, "avro")
    file = service(tmp_path, registry)

    said = leeway("check", file)

    assert said.code == 2
    assert by_line(said.err).startswith(f"{file}:5: spec.schema_registry{'.' if path else ''}{path}: "), said.err
    assert message in said.err
    assert "secret" not in said.err.replace("secrets", "")


def test_formats_load_by_name_or_with_their_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_PASSWORD", "x")
    (tmp_path / "event.avsc").write_text(json.dumps(AVSC))
    (tmp_path / "shop.desc").write_bytes(descriptors())
    bare = ("{kind: avro, schema: event.avsc}", "{kind: protobuf, descriptors: shop.desc, message: shop.Order}")
    for form in (*bare, "cloudevents", "{kind: csv, columns: [amount], quote: null}", "{kind: json}"):
        load(model(tmp_path, form))
    address = "url: [http://a:8081, http://b:8081/path]"
    registry = service(tmp_path, f"{{{address}, user: me, password: '${{REGISTRY_PASSWORD}}', timeout: 2s}}")
    for form in ("avro", "protobuf", "json_schema"):
        model(tmp_path, form)
        assert load(registry).models["fraud"].spec.sources[0].format.kind == form
    load(model(tmp_path, "{kind: json_schema, validate: false}"))


def descriptors() -> bytes:
    file = proto_file("shop.proto", "Order", {"amount": "DOUBLE"}, set(), package="shop")
    return FileDescriptorSet(file=[file]).SerializeToString()
