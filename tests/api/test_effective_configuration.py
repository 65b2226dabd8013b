"""Every value that a model is watched with says what says it, and the schema says what may."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from monitor import check
from monitor.config.effective import effective
from monitor.config.json_schema import json_schema
from tests.api.world import Client, World

FILES = {
    "leeway.yaml": """\
kind: Service
spec: {models: ["models/*.yaml"]}
""",
    "models/defaults.yaml": """\
apiVersion: leeway/v1
kind: Defaults
spec:
  detect: {defaults: {window: 10m}}
""",
    "models/risk.yaml": """\
apiVersion: leeway/v1
kind: Defaults
metadata: {namespace: risk}
spec:
  detect: {defaults: {min_samples: 77}}
""",
    "models/fraud.yaml": """\
apiVersion: leeway/v1
kind: Model
metadata: {name: fraud, namespace: risk, owner: "${OWNER}"}
spec:
  sources: [{http: fraud}]
  schema: {features: {"a.b": {type: numeric, range: [0, 100]}}}
""",
}
POSTED = """\
apiVersion: leeway/v1
kind: Model
metadata: {name: posted}
spec:
  sources:
  - http: posted
  schema: {features: {amount: {type: numeric}}}
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("OWNER", "secret-of-the-environment")
    (tmp_path / "models").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return World(configuration=check.load(tmp_path / "leeway.yaml"))


def test_of_a_file_each_layer_is_named_with_its_line_and_no_variable_is_shown(world: World) -> None:
    answer = Client(world).get("/v1/models/fraud/configuration/effective")
    assert "secret-of-the-environment" not in answer.text
    items = {tuple(item["path"]): item for item in answer.json()["items"]}
    expected = effective(world.configuration, "fraud")
    assert list(items) == [setting.path for setting in expected]
    detect = ("spec", "detect", "defaults")
    shown = {path: (items[path]["value"], items[path]["layer"], items[path]["line"]) for path in items}
    assert shown["metadata", "owner"] == ("${OWNER}", "model", 3)
    assert shown["spec", "schema", "features", "a.b", "range"] == ([0, 100], "model", 6)
    assert shown[*detect, "window"] == ("10m", "defaults", 4)
    assert shown[*detect, "min_samples"] == (77, "namespace", 5)
    assert shown[*detect, "learn_windows"][1:] == ("leeway", 0)
    assert Path(items[*detect, "min_samples"]["file"]).name == "risk.yaml"


def test_a_document_of_the_api_names_its_lines_and_no_file(world: World) -> None:
    world = replace(world, configuration=check.with_posted(world.configuration, "posted", POSTED))
    items = Client(world).get("/v1/models/posted/configuration/effective").json()["items"]
    [topic] = [item for item in items if item["path"] == ["spec", "sources", 0, "http"]]
    assert topic == {"path": topic["path"], "value": "posted", "layer": "model", "file": "", "line": 6, "column": 5}
    assert {item["file"] for item in items} == {""}


def test_a_model_that_nobody_has_is_refused_and_one_without_a_document_too() -> None:
    client = Client(World())
    assert client.get("/v1/models/nobody/configuration/effective").status_code == 404
    assert client.get("/v1/models/fraud/configuration/effective").json()["type"].endswith("#no-configuration")


@pytest.mark.parametrize("kind", ["model", "defaults", "service"])
def test_the_schema_of_each_kind_of_file_is_served(kind: str) -> None:
    client = Client(World())
    assert client.get(f"/v1/schemas/{kind}").json() == json_schema(kind)
    assert client.get("/v1/schemas/other").status_code == 422
