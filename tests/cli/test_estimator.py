"""`leeway estimator fit` and `show`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.console import Console
from tests.estimators.classes import ClassStream, class_configured
from tests.estimators.streams import Stream, configured

COUNT = 600


@pytest.fixture
def labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    configured(tmp_path)
    monkeypatch.chdir(tmp_path)
    return Stream(1, count=COUNT, hard=0.5).write(tmp_path / "labelled.parquet")


def test_an_estimator_is_fitted_shown_named_and_checked(labelled: Path, tmp_path: Path, leeway: Console) -> None:
    fitted = leeway("estimator", "fit", "leeway.yaml", "--kind", "cbpe", "--from", labelled)
    assert (fitted.code, fitted.err) == (0, "")
    first, *lines = fitted.out.splitlines()
    assert first.startswith("loans.cbpe.json: cbpe for prediction:score of loans, a calibrated score")
    assert [line.split("  ")[1] for line in lines[:2]] == ["fitted on", "looks at"]
    assert any(line.startswith("  is off by") and "points on average" in line for line in lines)
    assert leeway("estimator", "show", "loans.cbpe.json").out == fitted.out
    (document,) = leeway("estimator", "show", "loans.cbpe.json", "--json").lines
    assert (document["covariate_shift"], document["concept_drift"], document["unseen_regions"]) == (True, False, False)
    assert (document["kind"], document["fitted"]["events"]) == ("cbpe", COUNT)
    configured(tmp_path, estimates={"accuracy": {"uri": "loans.cbpe.json"}})
    checked = leeway("check", "leeway.yaml")
    assert checked.code == 0
    assert "estimated:accuracy" in checked.out
    (tmp_path / "loans.cbpe.json").write_text("{}")
    damaged = leeway("check", "leeway.yaml")
    assert damaged.code == 2
    assert "spec.performance.estimates.accuracy.uri" in damaged.err
    assert "no fitted estimator" in damaged.err


def test_a_kind_that_does_not_fit_is_refused(labelled: Path, leeway: Console) -> None:
    refused = leeway("estimator", "fit", "leeway.yaml", "--kind", "dle", "--from", labelled)
    assert refused.code == 2
    assert "dle is for numbers: use mpp" in refused.err


def test_several_classes_are_fitted_by_their_probabilities_and_a_model_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leeway: Console
) -> None:
    monkeypatch.chdir(tmp_path)
    class_configured(tmp_path)
    labelled = ClassStream(1, count=400).write(tmp_path / "labelled.jsonl")
    fitted = leeway("estimator", "fit", "leeway.yaml", "--kind", "cbpe", "--from", labelled)
    assert (fitted.code, fitted.err) == (0, "")
    assert fitted.out.startswith("loans.cbpe.json: cbpe for prediction:animal of loans, a calibrated score")
    assert "looks at       prediction:p_cat, prediction:p_dog, prediction:p_7, prediction:animal\n" in fitted.out
    (document,) = leeway("estimator", "show", "loans.cbpe.json", "--json").lines
    assert "calibrations" not in document
    class_configured(tmp_path, estimates={"accuracy": {"uri": "loans.cbpe.json"}})
    assert leeway("check", "leeway.yaml").code == 0
    class_configured(tmp_path, probabilities={}, estimates={"accuracy": {"uri": "loans.cbpe.json"}})
    refused = leeway("check", "leeway.yaml")
    assert (refused.code, "other probabilities of classes" in refused.err) == (2, True)


def test_a_model_that_compares_nothing_is_told_what_to_add(labelled: Path, tmp_path: Path, leeway: Console) -> None:
    text = (tmp_path / "loans.yaml").read_text()
    (tmp_path / "loans.yaml").write_text(text.replace('"performance": {"positive": "yes"}', '"freshness": "off"'))
    refused = leeway("estimator", "fit", "leeway.yaml", "--from", labelled)
    assert refused.code == 2
    assert "add `performance`" in refused.err
    assert leeway("estimator", "fit", "leeway.yaml", "--model", "cards", "--from", labelled).code == 2


def test_without_scikit_learn_it_says_what_to_install(
    labelled: Path, leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    refused = leeway("estimator", "fit", "leeway.yaml", "--from", labelled)
    assert (refused.code, "pip install 'leeway[estimators]'" in refused.err) == (2, True)
