"""What is beyond the quota of a namespace is refused, with the numbers; what was there before may stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.config import ConfigError, Configuration, Service, load, with_posted
from monitor.config.quotas import quota_refusals
from tests.service import shop

BEYOND_MODELS = "namespace risk may have 2 models (`spec.quotas`); this would be the 3rd"


def of_risk(name: str, **spec: Any) -> dict[str, Any]:
    document = shop.model(name, {"http": name}, **spec)
    return {**document, "metadata": {"name": name, "namespace": "risk"}}


def written(folder: Path, count: int, **quota: float) -> Path:
    models = [of_risk(f"m{number}") for number in range(count)]
    elsewhere = shop.model("elsewhere", {"http": "elsewhere"})
    return shop.configured(folder, *models, elsewhere, store={"kind": "memory"}, quotas={"risk": quota})


def refusals(path: Path) -> list[tuple[str, str, str]]:
    with pytest.raises(ConfigError) as refused:
        load(path)
    return [(Path(each.file).name, each.path, each.message) for each in refused.value.mistakes]


def posted(configuration: Configuration, name: str, features: int = 0, namespace: str = "risk") -> Configuration:
    fields = "".join(f", f{number}: {{type: numeric}}" for number in range(features))
    text = f"""
apiVersion: leeway/v1
kind: Model
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  sources: [{{http: {name}, event_time: ts}}]
  schema: {{features: {{amount: {{type: numeric}}{fields}}}}}
"""
    return with_posted(configuration, name, text)


def test_a_model_of_a_file_beyond_the_quota_is_refused_with_its_number(tmp_path: Path) -> None:
    load(written(tmp_path / "within", 2, models=2))
    assert refusals(written(tmp_path, 3, models=2)) == [("m2.yaml", "metadata.namespace", BEYOND_MODELS)]


def test_series_are_signals_in_all_traffic_and_in_each_segment(tmp_path: Path) -> None:
    # amount, country, score and the volume of two models
    load(written(tmp_path / "within", 2, series=8))
    text = "namespace risk may have 7 series (`spec.quotas`); with the 4 of this model it would have 8"
    assert refusals(written(tmp_path, 2, series=7)) == [("m1.yaml", "metadata.namespace", text)]
    model = of_risk("m0", segments=[{"by": ["country"], "values": ["DE", "FR"]}])
    load(shop.configured(tmp_path / "12", model, store={"kind": "memory"}, quotas={"risk": {"series": 12}}))
    assert refusals(shop.configured(tmp_path / "11", model, store={"kind": "memory"}, quotas={"risk": {"series": 11}}))


def beyond(configuration: Configuration, changed: Configuration, name: str) -> list[str]:
    return quota_refusals(configuration.models, changed.models[name], configuration.service.spec.quotas)


def test_a_document_of_the_api_is_counted_with_those_of_files(tmp_path: Path) -> None:
    configuration = posted(load(written(tmp_path, 1, models=2)), "second")
    assert beyond(configuration, posted(configuration, "third"), "third") == [BEYOND_MODELS]
    assert not beyond(configuration, posted(configuration, "third", namespace="free"), "third")
    assert not beyond(configuration, posted(configuration, "second", features=3), "second")


def test_what_has_more_series_than_it_may_may_shrink_and_not_grow(tmp_path: Path) -> None:
    configuration = posted(load(written(tmp_path, 1, series=10)), "wide", features=4)
    smaller = replace(configuration, service=Service.model_validate({"spec": {"quotas": {"risk": {"series": 8}}}}))
    assert not beyond(smaller, posted(smaller, "wide", features=3), "wide")
    text = "namespace risk may have 8 series (`spec.quotas`); with the 7 of this model it would have 11"
    assert beyond(smaller, posted(smaller, "wide", features=5), "wide") == [text]
