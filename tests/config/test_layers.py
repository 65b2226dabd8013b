"""Defaults of all models, of a namespace, and what a model's own file says above them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config import ConfigError, Configuration, load
from monitor.config.baseline import FirstEventsBaseline
from monitor.config.references import uses_for
from monitor.watch import compile_watch

EVERYBODYS = """\
apiVersion: leeway/v1
kind: Defaults
metadata: {labels: {tier: "2", site: eu}}
spec:
  sources: [{kafka: "scores.{model}", where: {team: "{namespace}"}, event_time: ts}]
  schema:
    id: event_id
    features: {amount: {type: numeric, range: [0, 100]}, country: {type: category}}
  baseline: {kind: rolling, span: 14d}
  detect:
    defaults: {window: 10m}
    rules:
      - {on: "feature:*", use: [wasserstein]}
      - {on: "prediction:*", use: [psi: {min_effect: 0.1}]}
  alerts: {for: 10m}
"""
PAYMENTS = """\
apiVersion: leeway/v1
kind: Defaults
metadata: {namespace: payments, owner: pay@example.com, labels: {tier: "1"}}
spec:
  detect:
    defaults: {min_samples: 50}
    rules: [{on: "feature:amount", use: [wasserstein: {min_effect: 0.3}]}]
"""
DURATION = "expected a duration with its unit, such as 30s, 5m, 1h30m or 28d"


def own(name: str, more: str = "", namespace: str = "payments") -> str:
    return f"apiVersion: leeway/v1\nkind: Model\nmetadata: {{name: {name}, namespace: {namespace}}}\n{more}"


def folder_of(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def loaded(folder: Path, **files: str) -> Configuration:
    return load(folder_of(folder, **files))


def mistakes_of(folder: Path, **files: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        loaded(folder, **files)
    return [str(mistake).removeprefix(f"{folder}/") for mistake in refused.value.mistakes]


def test_a_model_of_nothing_but_a_name_has_what_defaults_say(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, all=EVERYBODYS, payments=PAYMENTS, fraud=own("fraud"))
    model = configuration.models["fraud"]
    assert model.spec.sources[0].kafka == ["scores.fraud"]
    assert model.spec.sources[0].where == {"team": "payments"}
    assert (model.metadata.owner, model.metadata.labels) == ("pay@example.com", {"tier": "1", "site": "eu"})
    assert (model.spec.detect.defaults.window, model.spec.detect.defaults.min_samples) == (600_000, 50)
    assert uses_for(model)["feature:amount"]["wasserstein"] == {"min_effect": 0.3}


def test_defaults_stand_in_the_services_file_or_in_one_that_it_names(tmp_path: Path) -> None:
    service = "apiVersion: leeway/v1\nkind: Service\nspec: {models: ['models/*.yaml']}\n---\n" + EVERYBODYS
    folder_of(tmp_path, leeway=service)
    folder_of(tmp_path / "models", payments=PAYMENTS, fraud=own("fraud"), churn=own("churn", namespace="growth"))
    models = load(tmp_path / "leeway.yaml").models
    assert {name: model.spec.detect.defaults.min_samples for name, model in models.items()} == {
        "churn": 500,
        "fraud": 50,
    }


def test_what_a_model_says_counts_and_its_rules_come_last(tmp_path: Path) -> None:
    spec = """\
spec:
  sources: [{http: fraud}]
  schema: {features: {amount: {range: [0, 5]}, country: null}, prediction: {score: {type: numeric}}}
  baseline: {kind: first_events, count: 100}
  detect: {defaults: {window: 1h}, rules: [{on: "feature:amount", use: [wasserstein: {min_effect: 0.4}]}]}
"""
    model = loaded(tmp_path, all=EVERYBODYS, payments=PAYMENTS, fraud=own("fraud", spec)).models["fraud"]
    assert not model.spec.sources[0].where
    assert list(model.spec.schema_.features) == ["amount"]
    assert model.spec.schema_.features["amount"].model_dump(include={"range"}) == {"range": (0, 5)}
    assert model.spec.baseline == FirstEventsBaseline(kind="first_events", count=100)
    assert (model.spec.detect.defaults.window, model.spec.detect.defaults.min_samples) == (3_600_000, 50)
    assert [rule.on for rule in model.spec.detect.rules] == ["feature:*", "prediction:*", *["feature:amount"] * 2]
    assert uses_for(model)["feature:amount"]["wasserstein"] == {"min_effect": 0.4}


def test_without_default_rules_those_of_lower_layers_end(tmp_path: Path) -> None:
    spec = 'spec: {detect: {default_rules: false, rules: [{on: "feature:*", use: [kuiper]}]}}\n'
    model = loaded(tmp_path, all=EVERYBODYS, payments=PAYMENTS, fraud=own("fraud", spec)).models["fraud"]
    assert uses_for(model)["feature:amount"] == {"kuiper": {}}


def test_a_mistake_in_defaults_is_reported_once_where_it_stands(tmp_path: Path) -> None:
    wrong = EVERYBODYS.replace("window: 10m", "window: 10").replace("alerts: {for", "alrts: {for")
    models = {name: own(name) for name in ("a", "b", "c")}
    assert mistakes_of(tmp_path, all=wrong, **models) == [
        f"all.yaml:11:16: spec.detect.defaults.window: {DURATION}, got 10",
        "all.yaml:15:3: spec.alrts: unknown key; did you mean 'alerts'?",
    ]


def test_a_mistake_in_defaults_that_no_model_has_is_reported(tmp_path: Path) -> None:
    unused = PAYMENTS.replace("namespace: payments", "namespace: search").replace("min_samples: 50", "min_samples: 1")
    assert mistakes_of(tmp_path, all=EVERYBODYS, search=unused, fraud=own("fraud")) == [
        "search.yaml:6:16: spec.detect.defaults.min_samples: Input should be greater than or equal to 2"
    ]


def test_an_unknown_detector_in_defaults_is_reported_once(tmp_path: Path) -> None:
    wrong = EVERYBODYS.replace("[wasserstein]", "[wasserstien]")
    (only,) = mistakes_of(tmp_path, all=wrong, payments=PAYMENTS, a=own("a"), b=own("b"))
    assert only.startswith("all.yaml:13:33: spec.detect.rules.0.use.0: unknown detector 'wasserstien'; did you mean")


def test_a_mistake_of_a_model_is_reported_in_its_own_file(tmp_path: Path) -> None:
    fraud = own("fraud", "spec: {detect: {rules: [{on: volume, use: [ks]}], defaults: {windw: 5m}}}\n")
    assert mistakes_of(tmp_path, all=EVERYBODYS, payments=PAYMENTS, fraud=fraud) == [
        "fraud.yaml:4:62: spec.detect.defaults.windw: unknown key; did you mean 'window'?"
    ]
    fraud = fraud.replace(", defaults: {windw: 5m}", "")
    (only,) = mistakes_of(tmp_path, all=EVERYBODYS, payments=PAYMENTS, fraud=fraud)
    assert only.startswith("fraud.yaml:4:44: spec.detect.rules.0.use.0: ks is for numeric fields")


def test_a_rule_of_defaults_may_be_for_signals_that_only_some_models_have(tmp_path: Path) -> None:
    score = "spec: {schema: {prediction: {score: {type: numeric}}}}\n"
    assert loaded(tmp_path, all=EVERYBODYS, a=own("a"), b=own("b", score)).models.keys() == {"a", "b"}
    unmatched = EVERYBODYS.replace("prediction:*", "predicton:*")
    (only,) = mistakes_of(tmp_path, all=unmatched, a=own("a"), b=own("b", score))
    assert only.startswith("all.yaml:14:10: spec.detect.rules.1.on: matches no signal; ")


def test_what_a_model_lacks_is_its_own_mistake(tmp_path: Path) -> None:
    sources = '  sources: [{kafka: "scores.{model}", where: {team: "{namespace}"}, event_time: ts}]\n'
    assert mistakes_of(tmp_path, all=EVERYBODYS.replace(sources, ""), a=own("a"), b=own("b", "spec: {}\n")) == [
        "a.yaml:1:1: spec.sources: required key is missing",
        "b.yaml:4:1: spec.sources: required key is missing",
    ]


def test_defaults_of_one_namespace_stand_in_one_place(tmp_path: Path) -> None:
    (only,) = mistakes_of(tmp_path, all=EVERYBODYS, one=PAYMENTS, two=PAYMENTS, fraud=own("fraud"))
    assert only == f"two.yaml:2:1: kind: second defaults of namespace 'payments'; the first: {tmp_path}/one.yaml"


@pytest.mark.parametrize(
    ("wrong", "mistake"),
    [
        ("metadata: {namespace: [a]}\n", "3:12: metadata.namespace: Input should be a valid string"),
        ("metadata: {name: a}\n", "3:12: metadata.name: unknown key; did you mean 'namespace'?"),
        ("metadata: a\n", "3:1: metadata: Input should be a valid dictionary or instance of DefaultsMetadata"),
        ("spec: a\n", "3:1: spec: Input should be a valid dictionary"),
        ("spec: {sources: [{kind: event}]}\n", "3:18: spec.sources.0: name exactly one of kafka, file, http; found n"),
        ("spec: {schema: {features: {a: {kind: numeric}}}}\n", "3:28: spec.schema.features.a.type: required key is "),
    ],
)
def test_wrong_defaults_are_refused_and_not_fatal(wrong: str, mistake: str, tmp_path: Path) -> None:
    first, *_ = mistakes_of(tmp_path, all=f"apiVersion: leeway/v1\nkind: Defaults\n{wrong}", fraud=own("fraud"))
    assert first.startswith(f"all.yaml:{mistake}")


def hashes_of(folder: Path, **files: str) -> dict[str, tuple[str, str]]:
    """What decides whether a model goes on from what it has learned, and from open panes."""
    configuration = loaded(folder, **files)
    watches = {name: compile_watch(configuration, name) for name in configuration.models}
    return {name: (watch.config_hash, watch.fold_hash) for name, watch in watches.items()}


def test_from_which_layer_a_value_comes_restarts_no_learning(tmp_path: Path) -> None:
    score = '      - {on: "prediction:*", use: [psi: {min_effect: 0.1}]}\n'
    layered = {"all": EVERYBODYS.replace(score, ""), "payments": PAYMENTS, "fraud": own("fraud")}
    whole: dict[str, Any] = yaml.safe_load(EVERYBODYS.replace("{model}", "fraud").replace("{namespace}", "payments"))
    whole |= {"kind": "Model", "metadata": yaml.safe_load(own("fraud"))["metadata"]}
    whole["spec"]["detect"]["defaults"]["min_samples"] = 50
    whole["spec"]["detect"]["rules"] = [
        {"on": on, "use": use}
        for on, use in [
            ("feature:*", ["wasserstein"]),
            ("feature:amount", [{"wasserstein": {"min_effect": 0.3}}]),
        ]
    ]
    written_out = hashes_of(tmp_path / "whole", fraud=yaml.safe_dump(whole))
    assert hashes_of(tmp_path / "layered", **layered) == written_out


def test_a_change_of_one_model_or_of_one_namespace_touches_no_other(tmp_path: Path) -> None:
    files = {"all": EVERYBODYS, "payments": PAYMENTS, "a": own("a"), "b": own("b"), "c": own("c", namespace="growth")}
    before = hashes_of(tmp_path, **files)
    after = hashes_of(tmp_path, **files | {"a": own("a", "spec: {detect: {defaults: {window: 1h}}}\n")})
    assert [name for name in before if before[name] != after[name]] == ["a"]
    after = hashes_of(tmp_path, **files | {"a": own("a"), "payments": PAYMENTS.replace("0.3", "0.2")})
    assert [name for name in before if before[name] != after[name]] == ["a", "b"]


def test_a_key_has_the_name_of_files_and_not_that_of_the_code(tmp_path: Path) -> None:
    (only,) = mistakes_of(tmp_path, all=EVERYBODYS.replace("alerts: {for:", "alerts: {for_ms:"), fraud=own("fraud"))
    assert only == "all.yaml:15:12: spec.alerts.for_ms: unknown key; did you mean 'for'?"
