"""`leeway get --effective`: the whole configuration of a model, and where each value comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor import check
from monitor.config import Model, load
from monitor.config.effective import as_yaml, effective
from tests.api.world import World, serving
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


SECRETIVE = """\
spec:
  sources:
    - {kafka: ["${S}.topic", plain], where: {team: "${S}"}, dead_letters: "${S}.dead", event_time: "${S}"}
    - {kafka: rows, kind: labels, format: {kind: csv, columns: ["${S}", event_id, chargeback], missing: ["${S}"]}}
  schema:
    features: {country: {path: "client.${S}"}, place: {type: category}}
    labels: {chargeback: {type: category, path: "${S}"}}
  segments: [{by: [country], values: ["${S}", [DE]]}, {by: [country, place], values: [[FR, "a ${S} b"]]}]
  keep: {events: "${SHARE}"}
  detect:
    holidays: ["${DAY}"]
    defaults: {window: "${WINDOW}"}
    rules: [{on: "${RULE}", use: ["${DETECTOR}"]}, {on: "feature:*", use: ["${DETECTOR}", psi: {min_effect: 0.5}]}]
  alerts: {severity: {critical: ["${RULE}", volume], warning: "${RULE}"}}
"""
SECRETIVE_DEFAULTS = """\
apiVersion: leeway/v1
kind: Defaults
metadata: {owner: "${S}", labels: {site: "${S}", "m": "{model} ${S}"}}
spec:
  schema: {features: {country: {type: category}}, version: "{model}.${S}.v", id: event_id}
  freshness: {expect: "${WINDOW}"}
"""


def test_what_a_variable_holds_is_not_shown(tmp_path: Path, leeway: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    held = {"S": "sekret", "DAY": "2031-03-07", "WINDOW": "77m", "DETECTOR": "kuiper", "NAME": "mole", "SHARE": "1%"}
    held["RULE"] = "feature:c*y"
    for name, value in held.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "mole.yaml").write_text(own('"${NAME}"', SECRETIVE))
    (tmp_path / "all.yaml").write_text(SECRETIVE_DEFAULTS)
    out = leeway("get", "mole", "--effective", "--config", tmp_path).out
    (document,) = leeway("get", "mole", "--effective", "--config", tmp_path, "--json").lines
    # The place of a file may have any name.
    for shown in (out.replace(str(tmp_path), ""), str([setting["value"] for setting in document["settings"]])):
        assert [name for name, value in held.items() if value in shown.replace("mole.yaml", "")] == []
    assert reloaded(out, tmp_path) == load(tmp_path).models


def reloaded(text: str, folder: Path) -> dict[str, Model]:
    """The models of a file that says by itself what a folder says."""
    alone = folder / "alone"
    alone.mkdir(exist_ok=True)
    (alone / "model.yaml").write_text(text)
    return load(alone).models


def test_what_is_shown_is_a_file_that_says_the_same_by_itself(folder: Path, leeway: Console) -> None:
    out = leeway("get", "fraud", "--effective", "--config", folder).out
    assert reloaded(out, folder) == load(folder).models


AWKWARD = [
    "on",
    "yes",
    "~",
    "1e-6",
    "12",
    "2026-12-25",
    "a\nb",
    " a ",
    "a: b",
    "a #b",
    "-",
    "a-",
    "- a",
    "<<",
    "=",
    "a\u2028b",
]
TEXTS = st.sampled_from(AWKWARD) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="$"), max_size=6)


@settings(max_examples=8, deadline=None)
@example(owner="a\nb", mapping={text: text for text in AWKWARD})
@given(owner=TEXTS, mapping=st.dictionaries(TEXTS, TEXTS, max_size=4))
def test_texts_are_shown_as_a_file_has_to_write_them(
    owner: str, mapping: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("texts")
    texts = list(dict.fromkeys(mapping.values()))
    metadata = {"name": "fraud", "owner": owner, "labels": mapping}
    segments = [{"by": ["country"], "values": texts}, {"by": ["place"], "values": [[text] for text in texts]}]
    features = {"country": {"type": "category", "path": owner}, "place": {"type": "category"}}
    spec = {"sources": [{"http": "m", "where": mapping}], "schema": {"features": features}, "segments": segments}
    model = {"apiVersion": "leeway/v1", "kind": "Model", "metadata": metadata, "spec": spec}
    (folder / "fraud.yaml").write_text(yaml.safe_dump(model, default_style='"'))
    configuration = load(folder)
    assert reloaded(as_yaml(effective(configuration, "fraud")), folder) == configuration.models


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


def test_a_service_says_the_same_of_its_files_as_the_files_do(folder: Path, leeway: Console) -> None:
    files = ("get", "fraud", "--effective", "--config", folder)
    with serving(World(configuration=check.load(folder))) as url:
        service = ("get", "fraud", "--effective", "--url", url)
        assert leeway(*service).out == leeway(*files).out
        assert leeway(*service, "--json").lines == leeway(*files, "--json").lines


def test_a_model_that_is_not_there_is_named(folder: Path, leeway: Console) -> None:
    said = leeway("get", "frud", "--effective", "--config", folder)
    assert (said.code, said.err) == (2, "error: no model is called 'frud'; there are fraud\n")


def test_the_line_numbers_are_those_of_the_files(folder: Path, leeway: Console) -> None:
    (document,) = leeway("get", "fraud", "--effective", "--config", folder, "--json").lines
    for setting in document["settings"]:
        if setting["file"]:
            line = Path(setting["file"]).read_text().splitlines()[setting["line"] - 1]
            key = setting["path"].rpartition(".")[2]
            assert line[setting["column"] - 1 :].startswith(key) or key.isdigit()
    assert yaml.safe_load(leeway("get", "fraud", "--effective", "--config", folder).out)["kind"] == "Model"
