"""`leeway get --effective`: the whole configuration of a model, and where each value comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from monitor.config import load
from tests.cli.console import Console
from tests.config.test_layers import EVERYBODYS, PAYMENTS, own


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    spec = "spec:\n  keep: {events: '${SHARE}'}\n  schema: {prediction: {score: {type: numeric}}}\n"
    for name, text in {"all": EVERYBODYS, "payments": PAYMENTS, "fraud": own("fraud", spec)}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


@pytest.fixture(autouse=True)
def share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARE", "1%")


def test_each_value_is_shown_with_the_file_and_line_that_says_it(folder: Path, leeway: Console) -> None:
    out = leeway("get", "fraud", "--effective", "--config", folder).out
    origins = {line.partition("#")[0].strip(): line.partition("# ")[2] for line in out.splitlines() if "#" in line}
    assert origins["name: fraud"] == f"{folder}/fraud.yaml:3"
    assert origins["owner: pay@example.com"] == f"{folder}/payments.yaml:3, defaults of the namespace"
    assert origins["- kafka: scores.fraud"] == f"{folder}/all.yaml:5, defaults"
    assert origins["range: [0, 100]"] == f"{folder}/all.yaml:8, defaults"
    assert origins["allowed_lateness: 30s"] == "Leeway's default"
    assert origins["- on: feature:amount"] == f"{folder}/payments.yaml:7, defaults of the namespace"
    assert origins["min_samples: 50"] == f"{folder}/payments.yaml:6, defaults of the namespace"


def test_what_a_variable_holds_is_not_shown(folder: Path, leeway: Console) -> None:
    out = leeway("get", "fraud", "--effective", "--config", folder).out
    assert "events: ${SHARE}" in out


def test_what_is_shown_is_a_file_that_says_the_same_by_itself(folder: Path, tmp_path: Path, leeway: Console) -> None:
    out = leeway("get", "fraud", "--effective", "--config", folder).out
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "fraud.yaml").write_text(out)
    assert load(alone).models == load(folder).models


def test_as_json_each_value_has_its_path_and_layer(folder: Path, leeway: Console) -> None:
    (document,) = leeway("get", "fraud", "--effective", "--config", folder, "--json").lines
    settings = {setting["path"]: setting for setting in document["settings"]}
    assert settings["spec.detect.defaults.window"] == {
        "path": "spec.detect.defaults.window",
        "value": "10m",
        "layer": "defaults",
        "file": f"{folder}/all.yaml",
        "line": 11,
        "column": 16,
    }
    assert settings["spec.detect.rules.2.on"]["layer"] == "namespace"
    assert (settings["spec.detect.pane"]["value"], settings["spec.detect.pane"]["layer"]) == ("10s", "leeway")
    assert settings["metadata.name"]["layer"] == "model"


def test_a_model_that_is_not_there_is_named(folder: Path, leeway: Console) -> None:
    said = leeway("get", "frud", "--effective", "--config", folder)
    assert (said.code, said.err) == (2, "error: no model is called 'frud'; there are fraud\n")
    assert leeway("get", "fraud", "--effective").code == 2


def test_the_line_numbers_are_those_of_the_files(folder: Path, leeway: Console) -> None:
    (document,) = leeway("get", "fraud", "--effective", "--config", folder, "--json").lines
    for setting in document["settings"]:
        if setting["file"]:
            line = Path(setting["file"]).read_text().splitlines()[setting["line"] - 1]
            key = setting["path"].rpartition(".")[2]
            assert line[setting["column"] - 1 :].startswith(key) or key.isdigit()
    assert yaml.safe_load(leeway("get", "fraud", "--effective", "--config", folder).out)["kind"] == "Model"
