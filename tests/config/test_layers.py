"""Defaults of all models, of a namespace, and what a model's own file says above them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

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
UNCHECKED = "(models that have these defaults are checked in full once this is mended)"


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
        f"all.yaml:15:3: spec.alrts: unknown key; did you mean 'alerts'? {UNCHECKED}",
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
        ("metadata: a\n", "3:1: metadata: a section belongs here"),
        ("spec: a\n", "3:1: spec: a section belongs here"),
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


WHOLE: dict[str, Any] = {
    "apiVersion": "leeway/v1",
    "kind": "Model",
    "metadata": {"name": "fraud", "namespace": "payments", "labels": {"tier": "1"}},
    "spec": {
        "sources": [{"kafka": "scores", "event_time": {"path": "ts", "unit": "ms"}}],
        "schema": {
            "id": "event_id",
            "features": {
                "zip": {"type": "category", "max_values": 9},
                "amount": {"type": "numeric", "range": [0, 100]},
                "age": {"type": "numeric", "path": "client.age"},
            },
            "prediction": {"score": {"type": "numeric"}, "label": {"type": "category"}},
        },
        "baseline": {"kind": "first_events", "count": 100},
        "detect": {
            "defaults": {"window": "1h", "min_samples": 20},
            "vectors": {"both": ["feature:amount", "feature:age"], "all": ["feature:age", "feature:amount"]},
            "rules": [{"on": "feature:*", "use": [use]} for use in ("wasserstein", "page_hinkley", "adwin")],
        },
    },
}
ORDERED = [("features", "schema"), ("prediction", "schema"), ("vectors", "detect")]


def leaves_of(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not isinstance(value, dict):
        yield path, value
        return
    for key, part in value.items():
        yield from leaves_of(part, (*path, key))


def put(document: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *sections, key = path
    for section in sections:
        document = document.setdefault(section, {})
    document[key] = value


def split(draw: st.DrawFn) -> dict[str, str]:
    """``WHOLE`` as a model's file and two of defaults, as the documentation says that it may be split."""
    heads = {"fraud": WHOLE["metadata"], "payments": {"namespace": "payments"}, "all": {}}
    files: dict[str, dict[str, Any]] = {name: {"metadata": dict(head), "spec": {}} for name, head in heads.items()}
    levels = list(files)
    # Features in the model's file stand there in their order; what does not moves from the end.
    for section, above in ORDERED:
        named = section != "vectors" and draw(st.booleans())
        names = list(WHOLE["spec"][above][section])
        cuts = sorted(
            draw(st.lists(st.sampled_from(levels), min_size=len(names), max_size=len(names))), key=levels.index
        )
        for name, level in zip(names, cuts, strict=True):
            if named:
                put(files["fraud"], ("spec", above, section, name), {})
            else:
                put(files[level], ("spec", above, section, name), WHOLE["spec"][above][section][name])
        if named:
            for path, value in leaves_of(WHOLE["spec"][above][section]):
                put(files[draw(st.sampled_from(levels))], ("spec", above, section, *path), value)
    rules = WHOLE["spec"]["detect"]["rules"]
    first, second = sorted(draw(st.tuples(*[st.integers(0, len(rules))] * 2)))
    for level, part in {"all": rules[:first], "payments": rules[first:second], "fraud": rules[second:]}.items():
        put(files[level], ("spec", "detect", "rules"), part)
    for path, value in leaves_of(WHOLE["spec"]):
        if path == ("detect", "rules") or any(section in path for section, _ in ORDERED):
            continue
        level = draw(st.sampled_from(levels))
        put(files[level], ("spec", *path), value)
        if path[0] == "baseline":
            put(files[level], ("spec", "baseline", "kind"), WHOLE["spec"]["baseline"]["kind"])
    kinds = {"fraud": "Model", "payments": "Defaults", "all": "Defaults"}
    return {
        name: yaml.safe_dump({"apiVersion": "leeway/v1", "kind": kinds[name], **document}, sort_keys=False)
        for name, document in files.items()
    }


@pytest.fixture(scope="module")
def written_out(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    return hashes_of(tmp_path_factory.mktemp("whole"), fraud=yaml.safe_dump(WHOLE, sort_keys=False))


@settings(max_examples=12, deadline=None)
@given(files=st.composite(split)())
def test_what_moves_to_defaults_restarts_no_learning(
    files: dict[str, str], written_out: dict[str, tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert hashes_of(tmp_path_factory.mktemp("split"), **files) == written_out


def test_a_models_file_gives_features_of_defaults_their_order(tmp_path: Path) -> None:
    b = "apiVersion: leeway/v1\nkind: Defaults\nspec: {schema: {features: {b: {type: numeric}}}}\n"
    features = {
        "first": "{b: {}, a: {type: numeric}}",
        "last": "{a: {type: numeric}, b: {}}",
        "unnamed": "{a: {type: numeric}}",
    }
    spec = "spec: {{sources: [{{http: m}}], schema: {{features: {}}}}}\n"
    models = loaded(tmp_path, all=b, **{name: own(name, spec.format(text)) for name, text in features.items()}).models
    assert {name: "".join(model.spec.schema_.features) for name, model in models.items()} == {
        "first": "ba",
        "last": "ab",
        "unnamed": "ab",
    }


def test_what_a_model_replaces_is_never_what_is_wrong(tmp_path: Path) -> None:
    lacking = "spec: {sources: [{kafka: fraud, event_time: {unit: ms}}], baseline: {kind: first_events}}\n"
    everybodys = EVERYBODYS.replace("event_time: ts", "event_time: {path: ts}")
    assert mistakes_of(tmp_path, all=everybodys, payments=PAYMENTS, fraud=own("fraud", lacking)) == [
        "fraud.yaml:4:33: spec.sources.0.event_time.path: required key is missing",
        "fraud.yaml:4:59: spec.baseline.count: required key is missing",
    ]


@pytest.mark.parametrize("more", ["", "spec: {baseline: {kind: first_events, count: 100}}\n"])
def test_a_baseline_of_defaults_says_of_which_kind_it_is(more: str, tmp_path: Path) -> None:
    wrong = EVERYBODYS.replace("{kind: rolling, span: 14d}", "{span: 14d}")
    (only,) = mistakes_of(tmp_path, all=wrong, fraud=own("fraud", more))
    assert only.removesuffix(f" {UNCHECKED}") == (
        "all.yaml:9:3: spec.baseline.kind: required key is missing; it is dataset, first_events, rolling or period"
    )


def test_models_whose_defaults_are_not_known_are_not_blamed(tmp_path: Path) -> None:
    wrong = EVERYBODYS.replace("metadata: {", "metadata: {namespace: [a], ")
    assert mistakes_of(tmp_path, all=wrong, fraud=own("fraud")) == [
        f"all.yaml:3:12: metadata.namespace: Input should be a valid string {UNCHECKED}"
    ]


def test_every_file_that_cannot_be_read_is_named_before_models_are_looked_at(tmp_path: Path) -> None:
    first, last = mistakes_of(tmp_path, all=f"{EVERYBODYS}]", fraud=own("fraud"), payments=f"{PAYMENTS}]")
    assert first.startswith("all.yaml:16:1: not YAML: ")
    assert last.startswith("payments.yaml:8:1: not YAML: ")
    assert last.endswith(" (the other files are checked once this is mended)")


def test_a_change_of_one_model_or_of_one_namespace_touches_no_other(tmp_path: Path) -> None:
    files = {"all": EVERYBODYS, "payments": PAYMENTS, "a": own("a"), "b": own("b"), "c": own("c", namespace="growth")}
    before = hashes_of(tmp_path, **files)
    after = hashes_of(tmp_path, **files | {"a": own("a", "spec: {detect: {defaults: {window: 1h}}}\n")})
    assert [name for name in before if before[name] != after[name]] == ["a"]
    after = hashes_of(tmp_path, **files | {"a": own("a"), "payments": PAYMENTS.replace("0.3", "0.2")})
    assert [name for name in before if before[name] != after[name]] == ["a", "b"]


def test_a_key_has_the_name_of_files_and_not_that_of_the_code(tmp_path: Path) -> None:
    (only,) = mistakes_of(tmp_path, all=EVERYBODYS.replace("alerts: {for:", "alerts: {for_ms:"), fraud=own("fraud"))
    assert only == f"all.yaml:15:12: spec.alerts.for_ms: unknown key; did you mean 'for'? {UNCHECKED}"


def test_a_model_that_says_more_of_keep_still_keeps_nothing_if_its_defaults_say_none(tmp_path: Path) -> None:
    defaults = "apiVersion: leeway/v1\nkind: Defaults\nspec: {keep: none}\n"
    fields = "spec: {sources: [{kafka: t}], schema: {features: {a: {type: numeric}}}, keep: {%s}}\n"
    configuration = loaded(tmp_path, all=defaults, model=own("m", fields % "subject: user.id"))
    assert configuration.models["m"].spec.keep.summaries_only
    [mistake] = mistakes_of(tmp_path, model=own("m", fields % "events: true"))
    assert "only summaries are to be kept" in mistake
    free = loaded(tmp_path, model=own("m", fields % "events: true, summaries_only: false"))
    assert not free.models["m"].spec.keep.summaries_only
