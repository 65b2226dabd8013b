"""`leeway check` warns of detectors that are not for the signals that they are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.signal import lfilter

from tests.cli.console import Console, with_rules

RULE = '{on: "feature:amount", use: [page_hinkley, cusum]}'
REASON = "24 alarms in 100,000 where half of each deviation is carried on, 980 where nine tenths are"


def with_data_set(folder: Path, amounts: Any, *rules: str) -> Path:
    pq.write_table(pa.table({"amount": amounts}), folder / "data.parquet")
    file = with_rules(folder, *rules)
    file.write_text(f"{file.read_text()}  baseline: {{kind: dataset, uri: data.parquet}}\n")
    return file


def followers(phi: float, n: int = 3_000) -> Any:
    return lfilter([1.0], [1.0, -phi], np.random.default_rng(5).normal(size=n))


def test_what_the_data_set_shows_is_said_with_a_detector_that_works(tmp_path: Path, leeway: Console) -> None:
    said = leeway("check", with_data_set(tmp_path, followers(0.9), RULE))
    assert said.code == 0
    (caution,) = [line for line in said.out.splitlines() if line.startswith("caution")]
    assert caution == (
        "caution: feature:amount: page_hinkley is not for values that follow one another, as in the data set "
        f"(neighbours correlate by 0.90): {REASON}; take cusum"
    )
    assert said.out.endswith("fine: 1 model\n")


def test_what_the_data_set_does_not_show_is_not_said(tmp_path: Path, leeway: Console) -> None:
    assert "caution" not in leeway("check", with_data_set(tmp_path, followers(0.0), RULE)).out


def test_rare_errors_are_said_of_the_data_set(tmp_path: Path, leeway: Console) -> None:
    errors = (np.arange(4_000) % 200 == 3).astype(float)
    file = with_data_set(tmp_path, errors, '{on: "feature:amount", use: [hddm_w, ddm]}')
    file.write_text(file.read_text().replace("[0, 100]", "[0, 1]"))
    (document,) = leeway("check", file, "--json").lines
    (caution,) = document["models"][0]["cautions"]
    assert (caution["detector"], caution["kind"], caution["instead"]) == ("hddm_w", "few errors", "ddm")
    assert caution["seen"] == "0.5 % are 1"


@pytest.mark.parametrize(
    ("amounts", "message"),
    [([], "column 'amount' holds no number"), (["ten", "eleven"], "column 'amount' is not numeric")],
    ids=["empty", "text"],
)
def test_a_data_set_that_cannot_be_used_is_a_mistake(
    tmp_path: Path, leeway: Console, amounts: list[Any], message: str
) -> None:
    file = with_data_set(tmp_path, pa.array(amounts, pa.string() if amounts else pa.float64()), RULE)
    said = leeway("check", file)
    assert said.code == 2
    assert f"{file.name}:" in said.err
    assert "spec.baseline.uri: " in said.err
    assert message in said.err
    assert said.err.endswith("1 mistake\n")


def test_without_a_data_set_every_kind_is_named_once(tmp_path: Path, leeway: Console) -> None:
    file = with_rules(tmp_path, '{on: "*", use: [page_hinkley]}')
    cautions = [line for line in leeway("check", file).out.splitlines() if line.startswith("caution")]
    assert cautions == [
        (
            "caution: feature:amount, prediction:score: page_hinkley is not for values that follow one another: "
            f"{REASON}; take cusum if they are so"
        )
    ]


def test_distances_and_scorers_need_no_caution(tmp_path: Path, leeway: Console) -> None:
    (document,) = leeway("check", with_rules(tmp_path, '{on: "*", use: [psi, robust_z]}'), "--json").lines
    assert document["models"][0]["cautions"] == []


def test_the_list_of_detectors_says_what_each_is_not_for(leeway: Console) -> None:
    (document,) = leeway("detectors", "page_hinkley", "--json").lines
    neighbours = {each["signals"]: each for each in document["unsuited"]}["neighbours"]
    assert (neighbours["meaning"], neighbours["instead"]) == ("values that follow one another", "cusum")
    assert neighbours["reason"] == REASON
    assert REASON in leeway("detectors", "page_hinkley").out


def scored(folder: Path, prediction: str, labels: str = "{}") -> Path:
    file = folder / "fraud.yaml"
    file.write_text(
        f"apiVersion: leeway/v1\nkind: Model\nmetadata: {{name: fraud, labels: {labels}}}\nspec:\n"
        "  sources: [{http: scores, event_time: ts}]\n"
        f"  schema: {{prediction: {{score: {prediction}}}}}\n"
    )
    return file


@pytest.mark.parametrize("fallback", [-1, 1.5])
def test_a_fallback_outside_of_the_range_is_said(tmp_path: Path, leeway: Console, fallback: float) -> None:
    file = scored(tmp_path, f"{{type: numeric, range: [0, 1], fallback: {fallback}}}")
    said = leeway("check", file)
    assert said.code == 0
    (caution,) = [line for line in said.out.splitlines() if line.startswith("caution")]
    assert caution == (
        f"caution: prediction:score: its `fallback` {fallback:g} is outside of its `range`: each such answer also "
        "counts as out of range; widen the range"
    )
    (document,) = leeway("check", file, "--json").lines
    assert document["models"][0]["fallbacks_out_of_range"] == {"prediction:score": fallback}


@pytest.mark.parametrize(
    "prediction",
    [
        "{type: numeric, range: [0, 1], fallback: 1}",
        "{type: numeric, fallback: -1}",
        "{type: category, fallback: none}",
    ],
)
def test_a_fallback_that_may_come_is_not_said(tmp_path: Path, leeway: Console, prediction: str) -> None:
    assert "caution" not in leeway("check", scored(tmp_path, prediction)).out


def test_labels_of_which_alerts_have_leeways_own_value_are_said(tmp_path: Path, leeway: Console) -> None:
    file = scored(tmp_path, "{type: numeric}", "{severity: page, team: risk, incident: none}")
    said = leeway("check", file)
    assert said.code == 0
    assert [line for line in said.out.splitlines() if line.startswith("caution")] == [
        f"caution: metadata.labels.{name}: alerts have Leeway's own value of this label; take another name"
        for name in ("incident", "severity")
    ]
    (document,) = leeway("check", file, "--json").lines
    assert document["models"][0]["replaced_labels"] == ["incident", "severity"]
