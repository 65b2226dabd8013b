"""`leeway detect` and `leeway detectors`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from river.drift import ADWIN

from monitor.cli import detectors
from tests.cli.console import Console

VALUES = [float(x) for x in np.random.default_rng(5).normal(0, 1, 600) + np.repeat([0.0, 3.0], 300)]


def write(folder: Path, kind: str, values: list[float]) -> Path:
    file = folder / f"values.{kind}"
    if kind == "parquet":
        pyarrow.parquet.write_table(pa.table({"x": values}), file)
    elif kind == "jsonl":
        file.write_text("".join(json.dumps({"x": value}) + "\n" for value in values))
    else:
        with file.open("w", newline="") as opened:
            csv.writer(opened).writerows([["x"], *([value] for value in values)])
    return file


def test_rivers_own_detector_can_be_named(tmp_path: Path, leeway: Console) -> None:
    file = write(tmp_path, "csv", VALUES)
    mine = leeway("detect", file, "--column", "x", "--detector", "adwin", "--set", "delta=0.01")
    rivers = leeway("detect", file, "--column", "x", "--detector", "river.drift.ADWIN", "--set", "delta=0.01")
    places = [[line["index"] for line in said.lines] for said in (mine, rivers)]
    assert places[0] == places[1] != []


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_a_file_that_is_not_there_is_said_not_to_be(kind: str, tmp_path: Path, leeway: Console) -> None:
    file = tmp_path / f"nowhere.{kind}"
    said = leeway("detect", file, "--column", "x", "--detector", "adwin")
    assert (said.code, said.err) == (2, f"error: {file}: No such file or directory\n")


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_drifts_are_where_river_finds_them(kind: str, tmp_path: Path, leeway: Console) -> None:
    river = ADWIN(delta=0.01)
    expected = []
    for index, value in enumerate(VALUES):
        river.update(value)
        if river.drift_detected:
            expected.append(index)
    file = write(tmp_path, kind, VALUES)
    said = leeway("detect", file, "--column", "x", "--detector", "adwin", "--set", "delta=0.01")
    assert said.code == 0
    assert [line["index"] for line in said.lines] == expected
    assert {line["status"] for line in said.lines} == {"drift"}
    assert said.err == f"600 values, 0 skipped, {len(expected)} drifts\n"


def test_values_that_are_no_numbers_are_left_out_and_rows_keep_their_index(tmp_path: Path, leeway: Console) -> None:
    plain = leeway("detect", write(tmp_path, "csv", VALUES), "--column", "x", "--detector", "adwin").lines
    file = tmp_path / "holes.csv"
    file.write_text("x,y\nn/a,1\n,2\ninf,3\n" + "".join(f"{value},4\n" for value in VALUES))
    said = leeway("detect", file, "--column", "x", "--detector", "adwin")
    assert [line["index"] for line in said.lines] == [line["index"] + 3 for line in plain]
    assert said.err.startswith("600 values, 3 skipped")


@pytest.mark.parametrize("detector", ["ddm", "river.drift.binary.DDM"])
def test_values_that_a_detector_does_not_take_are_counted_and_it_is_said_what_it_takes(
    detector: str, tmp_path: Path, leeway: Console
) -> None:
    values = [float(x) for x in np.random.default_rng(7).random(2600) < np.repeat([0.1, 0.9], [2000, 600])]
    plain = leeway("detect", write(tmp_path, "csv", values), "--column", "x", "--detector", detector)
    odd = [0.5, 3.0, *values]
    said = leeway("detect", write(tmp_path, "csv", odd), "--column", "x", "--detector", detector)
    assert [line["index"] for line in said.lines] == [line["index"] + 2 for line in plain.lines] != []
    reason = f"(2 of them because {detector} takes 0 and 1, where 1 is an error)"
    assert said.err.startswith(f"2600 values, 2 skipped {reason}, ")


def test_an_anomaly_is_printed_with_its_score_and_level(tmp_path: Path, leeway: Console) -> None:
    values = [float(x) for x in np.random.default_rng(6).normal(20.0, 2.0, 1000)]
    values[700] = 90.0
    said = leeway("detect", write(tmp_path, "csv", values), "--column", "x", "--detector", "robust_z")
    (anomaly,) = said.lines
    assert (anomaly["index"], anomaly["status"]) == (700, "anomaly")
    assert anomaly["score"] > 25.0
    assert 1.0 - 1e-5 < anomaly["level"] <= 1.0
    assert said.err == "1000 values, 0 skipped, 1 anomalies\n"


def test_a_scorer_of_vectors_looks_at_several_columns_of_a_row(tmp_path: Path, leeway: Console) -> None:
    rng = np.random.default_rng(7)
    same = rng.normal(0.0, 5.0, 3000)
    other = same + rng.normal(0.0, 0.5, 3000)
    other[2500] = -same[2500] + 20.0
    file = tmp_path / "rows.csv"
    rows = [f"{a},{b}" for a, b in zip(same, other, strict=True)]
    rows[10] = "1.0,"
    file.write_text("a,b\n" + "\n".join(rows) + "\n")
    asked = ("detect", file, "--column", "a", "--column", "b", "--detector")
    said = leeway(*asked, "half_space_trees", "--set", "false_alarm_rate=1e-3")
    assert 2500 in [line["index"] for line in said.lines]
    assert said.err.startswith("2999 values, 1 skipped, ")
    refused = leeway(*asked, "robust_z")
    assert refused.code == 2
    assert "robust_z takes one column; half_space_trees" in refused.err


def test_a_drift_fails_when_that_is_asked_for(tmp_path: Path, leeway: Console) -> None:
    file = write(tmp_path, "csv", VALUES)
    asked = ("detect", file, "--column", "x", "--fail-on-alert", "--detector")
    assert leeway(*asked, "adwin").code == 1
    assert leeway(*asked, "page_hinkley", "--set", "threshold=1e9").code == 0
    assert leeway(*asked, "robust_z", "--set", "false_alarm_rate=0.1").code == 1
    assert leeway(*asked, "robust_z", "--set", "false_alarm_rate=1e-12").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--column", "z", "--detector", "adwin"], "values.csv: no column 'z'; it has x"),
        (["--column", "x", "--detector", "adwim"], "did you mean 'adwin'?"),
        (["--column", "x", "--detector", "robustz"], "did you mean 'robust_z'?"),
        (["--column", "x", "--detector", "robust_z", "--set", "windo=9"], "did you mean 'window'?"),
        (["--column", "x", "--detector", "adwin", "--set", "delta=2"], "adwin: delta=2 is not allowed"),
        (["--column", "x", "--detector", "adwin", "--set", "detla=2"], "did you mean 'delta'?"),
        (["--column", "x", "--detector", "adwin", "--set", "delta"], "'delta' is not NAME=VALUE"),
        (["--detector", "adwin"], "Missing option '--column'"),
    ],
)
def test_a_mistake_says_what_would_be_right(
    arguments: list[str], message: str, tmp_path: Path, leeway: Console
) -> None:
    said = leeway("detect", write(tmp_path, "csv", VALUES), *arguments)
    assert (said.code, said.out) == (2, "")
    assert message in said.err


def test_a_file_that_is_missing_is_named(tmp_path: Path, leeway: Console) -> None:
    said = leeway("detect", tmp_path / "none.csv", "--column", "x", "--detector", "adwin")
    assert said.code == 2
    assert str(tmp_path / "none.csv") in said.err


def test_every_detector_is_listed_with_its_parameters(leeway: Console) -> None:
    from detectors.anomaly import SCORERS
    from detectors.drift import DETECTORS
    from monitor.config.references import WINDOWED

    said = leeway("detectors", "--json")
    (listed,) = (json.loads(said.out),)
    assert [detector["name"] for detector in listed] == [*WINDOWED, *DETECTORS, *SCORERS]
    by_name = {detector["name"]: detector for detector in listed}
    assert [parameter["name"] for parameter in by_name["adwin"]["parameters"]] == [
        parameter.name for parameter in DETECTORS["adwin"].parameters
    ]
    assert by_name["volume"]["parameters"][0]["default"] == 0.5
    assert [parameter["name"] for parameter in by_name["robust_z"]["parameters"]][-3:] == [
        "false_alarm_rate",
        "history",
        "hold_off",
    ]
    text = leeway("detectors").out
    for detector in detectors.described():
        for parameter in detector["parameters"]:
            assert parameter["meaning"] in text


def test_one_detector_is_shown_by_name_or_alias(leeway: Console) -> None:
    (shown,) = leeway("detectors", "js", "--json").lines
    assert shown["name"] == "jensen_shannon"
    said = leeway("detectors", "wassertein")
    assert (said.code, "did you mean 'wasserstein'?" in said.err) == (2, True)


def test_columns_of_mixed_types_beside_the_one_in_question_do_no_harm(tmp_path: Path, leeway: Console) -> None:
    file = tmp_path / "values.jsonl"
    mixed: list[object] = [1, "one", None, [1], {"a": 1}, 2.5, True]
    rows = [{"x": value, "odd": mixed[i % len(mixed)]} for i, value in enumerate(VALUES)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows) + '\n{"x": "n/a", "late": 3}\n')
    files = file, write(tmp_path, "csv", VALUES)
    said, plain = (leeway("detect", each, "--column", "x", "--detector", "adwin") for each in files)
    assert said.lines == plain.lines != []
    assert said.err.startswith("600 values, 1 skipped")
    file.write_text('{"x": 1}\n{"x": "a"}\n{"x": 2\n')
    broken = leeway("detect", file, "--column", "x", "--detector", "adwin")
    assert (broken.code, "values.jsonl:3: not a JSON object" in broken.err) == (2, True)
