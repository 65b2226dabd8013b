"""`leeway init --from mlflow:…`, with a registry of MLflow's own in a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.check import load
from tests.cli.console import Console
from tests.cli.test_init import rows, written

SIGNATURE = {
    "inputs": json.dumps([{"type": "double", "name": "amount"}]),
    "outputs": json.dumps([{"type": "double", "name": "score"}]),
}
EXAMPLE = {"artifact_path": "input_example.json", "type": "dataframe", "pandas_orient": "split"}


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of an empty registry; the working directory is beside it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.chdir(tmp_path)
    from mlflow import MlflowClient

    return MlflowClient()


def registered(
    client: Any, folder: Path, *, trained_on: Path | None = None, example: dict[str, Any] | None = None
) -> None:
    """Register a version of `fraud`: what MLflow keeps of one beside the model itself."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    run = client.create_run("0")
    if trained_on is not None:
        source = json.dumps({"uri": str(trained_on)})
        data_set = Dataset(name="training", digest="d", source_type="local", source=source)
        client.log_inputs(run.info.run_id, [DatasetInput(data_set, [InputTag("mlflow.data.context", "training")])])
    model = folder / "model"
    model.mkdir()
    about: dict[str, Any] = {"run_id": run.info.run_id, "flavors": {}, "signature": SIGNATURE, "artifact_path": "model"}
    if example is not None:
        (model / "input_example.json").write_text(json.dumps(example))
        about["saved_input_example_info"] = EXAMPLE
    (model / "MLmodel").write_text(json.dumps(about))  # JSON is YAML
    client.log_artifacts(run.info.run_id, str(model), "model")
    client.create_registered_model("fraud")
    client.create_model_version("fraud", f"{run.info.artifact_uri}/model", run.info.run_id)
    client.set_registered_model_alias("fraud", "champion", "1")


@pytest.mark.parametrize("reference", ["mlflow:fraud/1", "mlflow:fraud@champion"])
def test_a_file_is_drafted_from_what_a_registered_model_was_trained_on(
    reference: str, registry: Any, leeway: Console, tmp_path: Path
) -> None:
    registered(registry, tmp_path, trained_on=written(tmp_path / "training.csv", rows(50)))
    said = leeway("init", "fraud", "--from", reference)
    assert said.code == 0, said.err
    model = load("fraud.yaml", data_sets=True).models["fraud"].spec
    assert {"amount", "country"} <= set(model.schema_.features)
    assert "training.csv" in model.baseline.model_dump_json()
    assert "the model answers with score (double)" in said.err + said.out


def test_an_input_example_tells_types_and_is_no_baseline(registry: Any, leeway: Console, tmp_path: Path) -> None:
    example = {"columns": ["amount", "country"], "data": [[1.5, "DE"], [2.25, "FR"], [3.0, "DE"]]}
    registered(registry, tmp_path, example=example)
    said = leeway("init", "fraud", "--from", "mlflow:fraud/1")
    assert said.code == 0, said.err
    model = load("fraud.yaml").models["fraud"].spec
    assert {name: each.type for name, each in model.schema_.features.items()} == {
        "amount": "numeric",
        "country": "category",
    }
    assert model.baseline.kind == "rolling"
    assert "3 rows, the model's input example" in said.err + said.out


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ("mlflow:fraud/1", "no data set; no input example"),
        ("mlflow:fraud/7", "not found"),
        ("mlflow:churn/1", "churn"),
        ("mlflow:fraud@challenger", "challenger"),
    ],
)
def test_what_is_not_there_is_named(
    reference: str, complaint: str, registry: Any, leeway: Console, tmp_path: Path
) -> None:
    registered(registry, tmp_path)
    said = leeway("init", "fraud", "--from", reference)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert said.err.startswith(f"error: {reference}: ")
    assert complaint in said.err
    assert not (tmp_path / "fraud.yaml").exists()


def test_a_data_set_that_is_no_file_is_named(registry: Any, leeway: Console, tmp_path: Path) -> None:
    registered(registry, tmp_path, trained_on=tmp_path / "training.xlsx")
    (tmp_path / "training.xlsx").write_bytes(b"")
    assert "training.xlsx is none of .csv" in leeway("init", "fraud", "--from", "mlflow:fraud/1").err


def test_without_mlflow_it_says_what_to_install(leeway: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    said = leeway("init", "fraud", "--from", "mlflow:fraud/1")
    assert (said.code, "pip install 'leeway[mlflow]'" in said.err) == (2, True)
