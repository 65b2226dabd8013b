"""JSON Schema of configuration files: it takes what loads, and refuses what is wrong in itself."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from monitor import check
from monitor.config import ConfigError
from monitor.config.document import read_documents
from monitor.config.json_schema import KINDS, json_schema
from tests.cli.console import Console
from tests.config.broken import BROKEN, written
from tests.config.mutants import MODEL, SERVICE, configurations, examples
from tests.config.test_layers import EVERYBODYS, PAYMENTS, own

ROOT = Path(__file__).parents[2]


@pytest.fixture
def leeway(capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(capsys)


@cache
def validator(kind: str) -> Any:
    return jsonschema.Draft202012Validator(json_schema(kind))


def objections(file: Path) -> list[str]:
    """What the schemas of a file's documents have against it."""
    return [
        f"{error.json_path}: {error.message}"
        for document in read_documents(file)
        for error in validator(document.value["kind"].lower()).iter_errors(document.value)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_that_comes_with_leeway_is_that_of_the_code(kind: str, leeway: Console) -> None:
    said = leeway("schema", kind)
    assert json.loads(said.out) == json_schema(kind), "run: make docs"
    jsonschema.Draft202012Validator.check_schema(json_schema(kind))


OURS = configurations()


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.stem)
def test_every_file_of_ours_is_right_by_the_schema(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEEWAY_TOKEN", "a" * 32)
    assert objections(file) == []


def test_what_loads_is_right_by_the_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADDRESS", "http://localhost/hook")
    (tmp_path / "model.yaml").write_text(MODEL)
    file = tmp_path / "file.yaml"
    loaded = 0
    for text in examples():
        file.write_text(text)
        try:
            check.load(file)
        except ConfigError:
            continue
        loaded += 1
        assert objections(file) == [], text
    assert loaded > 15


def test_a_file_may_state_a_part_of_what_layers_state_together(tmp_path: Path) -> None:
    parts = {
        "all": EVERYBODYS,
        "payments": PAYMENTS,
        "fraud": own("fraud"),
        "churn": own("churn", "spec: {schema: {features: {amount: {range: [0, 1]}, country: null}}}\n"),
        "risk": own("risk", "spec: {baseline: {span: 7d}, alerts: {severity: {info: null}}}\n"),
    }
    for name, text in parts.items():
        (tmp_path / f"{name}.yaml").write_text(text)
        assert objections(tmp_path / f"{name}.yaml") == []


def test_variables_stand_for_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"apiVersion": "leeway/v1", "kind": "Service", "spec": {"api": {"port": "${PORT}"}}}
    assert list(validator("service").iter_errors(document)) == []
    document["spec"] = {"api": {"port": "high"}}
    assert list(validator("service").iter_errors(document))


@pytest.mark.parametrize("defect", [name for name, broken in BROKEN.items() if broken.is_of_one_value])
def test_what_is_wrong_in_itself_is_refused_by_the_schema(defect: str, tmp_path: Path) -> None:
    file = written(tmp_path, BROKEN[defect])
    assert objections(file)


def test_the_files_that_are_broken_are_right_without_the_defect(tmp_path: Path) -> None:
    for text in (MODEL, SERVICE):
        (tmp_path / "model.yaml").write_text(MODEL)
        (tmp_path / "file.yaml").write_text(text)
        assert objections(tmp_path / "file.yaml") == []
