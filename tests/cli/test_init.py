"""`leeway init`: from a file to a model's file that runs unchanged, with what was guessed."""

from __future__ import annotations

import csv
import gzip
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.check import load
from monitor.cli import trial
from tests.cli.console import Console
from tests.service import shop
from tests.services.kafka import Cluster

START_MS = 1_700_000_000_000


def rows(count: int = 400) -> list[dict[str, Any]]:
    draw = random.Random(5)
    return [
        {
            "event_id": f"e{i}",
            "ts": START_MS + i * 3_000,
            "version": "v1",
            "amount": round(draw.lognormvariate(3, 1), 2),
            "country": draw.choice(["DE", "FR", "PL"]),
            "email": f"person{i}@example.org",
            "score": round(draw.random(), 3),
        }
        for i in range(count)
    ]


def written(path: Path, events: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(events), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, list(events[0]))
            table.writeheader()
            table.writerows(events)
    else:
        path.write_text("".join(json.dumps(each) + "\n" for each in events))
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_what_is_written_checks_and_replays_unchanged(
    suffix: str, leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = written(tmp_path / f"events{suffix}", rows())

    said = leeway("init", "fraud", "--from", data.name)

    assert said.code == 0, said.err
    assert "fraud.yaml, leeway.yaml" in said.out
    assert "personal, and left out: email" in said.err
    assert leeway("check", "fraud.yaml", "--events", data.name).code == 0
    replayed = leeway("replay", "leeway.yaml", "--events", data.name)
    assert replayed.code == 0, replayed.err
    assert replayed.out.split("events ")[1].split()[0] == "400"
    schema = load("leeway.yaml").models["fraud"].spec.schema_
    assert (schema.id, schema.version, list(schema.features), list(schema.prediction)) == (
        "event_id",
        "version",
        ["amount", "country"],
        ["score"],
    )
    assert "person1" not in said.out + Path("fraud.yaml").read_text()


def test_nested_fields_are_watched_under_their_own_names(
    leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    events = [
        {"id": row["event_id"], "at": row["ts"], "features": {"amount": row["amount"]}, "output": {"p": row["score"]}}
        for row in rows(100)
    ]
    data = written(tmp_path / "events.jsonl", events)

    assert leeway("init", "fraud", "--from", data.name).code == 0

    schema = load("fraud.yaml").models["fraud"].spec.schema_
    assert schema.paths() == {"amount": "features.amount", "p": "output.p"}
    assert (list(schema.features), list(schema.prediction)) == (["amount"], ["p"])
    assert leeway("check", "fraud.yaml", "--events", data.name).code == 0


def test_each_guess_stands_beside_its_line_and_in_the_table(leeway: Console, tmp_path: Path) -> None:
    data = written(tmp_path / "events.jsonl", rows())
    said = leeway("init", "fraud", "--from", data, "-o", "-")
    assert said.code == 0, said.err
    assert not (tmp_path / "leeway.yaml").exists()
    lines = {line.partition("#")[0].strip(): line.partition("#")[2].strip() for line in said.out.splitlines()}
    assert lines["event_time: {path: ts, unit: ms}"] == f"numbers in ms; from {START_MS}"
    assert lines["country: {type: category}"].startswith("3 values; ")
    assert lines["defaults: {window: 1h, min_samples: 240}"] == "1,200 events in a usual window"
    assert [each for each in lines if each.startswith("- {by: [country], values: [")]

    as_data = json.loads(leeway("init", "fraud", "--from", data, "-o", "-", "--json").out)
    roles = {each["field"]: each["role"] for each in as_data["fields"]}
    assert (roles["ts"], roles["amount"], roles["email"]) == ("time", "feature", "personal")
    assert as_data["text"] == said.out
    assert as_data["false_alarms_per_year"] == pytest.approx(12.2, abs=0.1)


def test_a_file_that_exists_is_kept_unless_it_may_be_overwritten(leeway: Console, tmp_path: Path) -> None:
    data, target = written(tmp_path / "events.jsonl", rows(50)), tmp_path / "fraud.yaml"
    target.write_text("mine")
    said = leeway("init", "fraud", "--from", data, "-o", target)
    assert (said.code, target.read_text()) == (2, "mine")
    assert "--force overwrites it" in said.err
    assert leeway("init", "fraud", "--from", data, "-o", target, "--force").code == 0
    assert target.read_text() != "mine"


def test_a_service_that_is_there_is_left_alone_and_named(leeway: Console, tmp_path: Path) -> None:
    service = tmp_path / "service.yaml"
    service.write_text("apiVersion: leeway/v1\nkind: Service\nspec: {models: ['models/*.yaml']}\n")
    data = written(tmp_path / "events.jsonl", rows(50))
    (tmp_path / "models").mkdir()

    watched = leeway("init", "fraud", "--from", data, "-o", tmp_path / "models/fraud.yaml")
    beside = leeway("init", "fraud", "--from", data, "-o", tmp_path / "fraud.yaml")

    assert "under `models`" not in watched.out
    assert f"name {tmp_path / 'fraud.yaml'} under `models` in {service}" in beside.out
    for said in (watched, beside):
        assert f"`leeway run {service}`" in said.out
    assert not list(tmp_path.rglob("leeway.yaml"))
    (tmp_path / "others").mkdir()
    assert leeway("init", "fraud", "--from", data, "-o", tmp_path / "others/fraud.yaml").code == 0
    assert (tmp_path / "others/leeway.yaml").exists(), "the service above does not watch it"


def test_a_service_may_name_its_models_by_absolute_patterns(leeway: Console, tmp_path: Path) -> None:
    service = tmp_path / "service.yaml"
    service.write_text(f"apiVersion: leeway/v1\nkind: Service\nspec: {{models: ['{tmp_path}/fraud*.yaml']}}\n")
    data = written(tmp_path / "events.jsonl", rows(50))
    said = leeway("init", "fraud", "--from", data, "-o", tmp_path / "fraud.yaml")
    assert said.code == 0, said.err
    assert "under `models`" not in said.out


def test_a_check_with_messages_reads_the_beginning_of_a_csv_file(
    leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data = tmp_path / "fraud.yaml", written(tmp_path / "events.csv", rows(100))
    assert leeway("init", "fraud", "--from", written(tmp_path / "train.csv", rows(50)), "-o", model).code == 0
    with data.open("a") as file:
        file.write("too,few\n")
    monkeypatch.setattr(trial, "MOST_CSV_BYTES", 1_000, raising=False)
    said = leeway("check", model, "--events", data)
    assert said.code == 0, said.err
    assert 0 < int(said.out.split("messages")[1].split()[0]) < 100


def test_training_data_without_times_is_a_baseline_and_replays_evenly(
    leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw = random.Random(1)
    frame = [{"mean radius": draw.gauss(14, 3), "petal.length": draw.random(), "target": i % 2} for i in range(300)]
    data = written(tmp_path / "train.csv", frame)

    said = leeway("init", "tumour", "--from", data.name, "--events-per-hour", 600)

    assert said.code == 0, said.err
    assert "leeway replay tumour.yaml --events train.csv --events-per-hour 600`" in said.out
    spec = load("tumour.yaml").models["tumour"].spec
    assert (spec.baseline.kind, spec.baseline.uri) == ("dataset", "train.csv")
    assert list(spec.schema_.features) == ["mean_radius", "petal.length"]
    assert leeway("check", "tumour.yaml", "--events", data.name, "--events-per-hour", 50).code == 0
    replayed = leeway("replay", "tumour.yaml", "--events", data.name)
    assert replayed.code == 2
    assert "--events-per-hour" in replayed.err
    replayed = leeway("replay", "tumour.yaml", "--events", data.name, "--events-per-hour", 50, "--json")
    assert replayed.code == 0, replayed.err
    windows = {line["window_end_ms"] for line in replayed.lines if line.get("signal") == "feature:mean_radius"}
    assert len(windows) == 5
    skews = [line for line in replayed.lines if line.get("detector") == "skew"]
    assert {line["signal"] for line in skews} == {"feature:mean_radius", "feature:petal.length"}


def test_a_data_set_that_does_not_fit_the_sample_is_left_out_and_said(leeway: Console, tmp_path: Path) -> None:
    events = [*rows(60), rows(1)[0] | {"amount": "much"}]
    data, target = written(tmp_path / "events.jsonl", events), tmp_path / "fraud.yaml"
    said = leeway("init", "fraud", "--from", data, "-o", target, "--rows", 50)
    assert said.code == 0, said.err
    assert "note: no data set: " in said.err
    assert load(target).models["fraud"].spec.baseline.uri is None


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("none.csv", None, "none.csv"),
        ("a.csv", "a,b\n1,2\n1,2,3\n", "Row #3"),
        ("a.csv", "a;b\n1;2\n1;3\n", "values have to be separated by ',', not by ';'"),
        ("a.csv", "a;b\n1,5;2,5\n", "values have to be separated by ',', not by ';'"),
        ("a.tsv", "a\tb\n1\t2\n", "each line is one, of a file whose name does not end in .csv"),
        ("a.json", '[{"a": 1}, {"a": 2}]', "each line is one"),
        ("a.csv.gz", "nonsense", "a.csv.gz"),
        ("a.csv", "a,a\n1,2\n", "several columns are called 'a'"),
        ("a.csv", "name,x\nM\udcfcller,1\n", "the texts of column 'name' are not UTF-8"),
        ("a.csv", "", "not a readable csv file"),
        ("a.parquet", "nonsense", "not a Parquet file"),
        ("a.jsonl", '{"a": 1}\n\n[1]\n{"a"\n', "a.jsonl, line 3: not a JSON object"),
        ("a.jsonl", "", "there is nothing in it"),
        ("a.jsonl", '{"a": 1}\n{"a": 1}\n', "no field in it can be watched: a: it is always 1"),
        ("a.jsonl.gz", "nonsense", "a.jsonl.gz"),
        ("mlflow:fraud", None, "expected mlflow:MODEL/VERSION"),
        ("orders", None, "--bootstrap HOST:PORT"),
    ],
)
def test_what_cannot_be_a_sample_is_refused_with_its_line(
    name: str, content: str | None, complaint: str, leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / name).write_bytes(content.encode(errors="surrogateescape"))
    said = leeway("init", "fraud", "--from", name)
    assert said.code == 2, said.out
    assert complaint in said.err
    assert not (tmp_path / "fraud.yaml").exists()


def test_what_python_and_editors_write_is_read_as_the_service_reads_it(
    leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    events = [each | ({"amount": float("nan")} if i % 4 == 0 else {}) for i, each in enumerate(rows(200))]
    text = "".join(json.dumps(each) + "\n" for each in events)
    Path("events.jsonl").write_text(text, encoding="utf-8-sig")

    said = leeway("init", "fraud", "--from", "events.jsonl")

    assert said.code == 0, said.err
    assert "no JSON" not in said.err
    assert "no data set" not in said.err
    assert "50 are NaN or infinite" in said.out
    checked = leeway("check", "fraud.yaml", "--events", "events.jsonl", "--json")
    counted = json.loads(checked.out)["events"]
    assert counted["messages"] == counted["events"] == 200


@pytest.mark.parametrize("name", ["events.csv.gz", "events.jsonl.gz"])
def test_a_packed_file_is_drafted_from_and_is_a_data_set(
    name: str, leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = written(tmp_path / name.removesuffix(".gz"), rows())
    Path(name).write_bytes(gzip.compress(plain.read_bytes()))

    assert leeway("init", "fraud", "--from", name).code == 0
    assert load("fraud.yaml").models["fraud"].spec.baseline.uri == name
    assert leeway("check", "fraud.yaml", "--events", name).code == 0


def test_whole_numbers_of_a_frame_that_lacks_some_are_categories_that_can_be_used(
    leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    events = [each | {"has_card": (None, 0.0, 1.0)[i % 3], "version": 2.0} for i, each in enumerate(rows())]
    written(tmp_path / "events.parquet", events)

    assert leeway("init", "fraud", "--from", "events.parquet").code == 0
    assert load("fraud.yaml").models["fraud"].spec.schema_.features["has_card"].type == "category"
    checked = leeway("check", "fraud.yaml", "--events", "events.parquet", "--json")
    assert json.loads(checked.out)["events"]["reasons"] == []


def test_times_that_cannot_be_read_and_a_row_of_names_that_is_none_are_said(leeway: Console, tmp_path: Path) -> None:
    local = [each | {"ts": f"{1 + i % 28}.05.2024 10:00:00"} for i, each in enumerate(rows(100))]
    said = leeway("init", "fraud", "--from", written(tmp_path / "local.csv", local), "-o", "-")
    assert "ts holds times that are not ISO 8601" in said.err
    nameless = tmp_path / "nameless.csv"
    nameless.write_text(
        "".join(f"{i},2024-05-06T{i % 24:02}:00:00Z,{i}.5,{'DE' if i % 3 else 'FR'}\n" for i in range(90))
    )
    said = leeway("init", "fraud", "--from", nameless, "-o", "-")
    assert "the first row is taken for names, and holds values such as 2024-05-06T00:00:00Z" in said.err


@pytest.mark.parametrize("model", ["with space", "../up", ""])
def test_a_name_that_no_model_may_have_is_refused(model: str, leeway: Console, tmp_path: Path) -> None:
    said = leeway("init", model, "--from", written(tmp_path / "e.jsonl", rows(20)), "-o", tmp_path / "m.yaml")
    assert said.code == 2
    assert "metadata.name" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["e.jsonl"]


@pytest.mark.kafka
def test_a_topic_of_another_format_is_refused_with_the_log_position(
    kafka: Cluster, topic_name: str, leeway: Console, tmp_path: Path
) -> None:
    target = tmp_path / "fraud.yaml"
    service = shop.configured(tmp_path / "service", kafka={"bootstrap": [kafka.bootstrap]})
    kafka.create_topic(topic_name)
    empty = leeway("init", "fraud", "--from", topic_name, "--bootstrap", kafka.bootstrap, "-o", target)
    shop.produce(kafka, topic_name, [[b"Obj\x01\x04", b"1,2,3", b'{"x": 1}']])
    said = leeway("init", "fraud", "--from", topic_name, "--config", service, "-o", target)
    assert (empty.code, said.code) == (2, 2)
    assert f"topic {topic_name}: there is nothing in it" in empty.err
    assert f"{topic_name}/0/0: not a JSON object" in said.err
    assert not target.exists()


def test_a_broker_that_is_away_is_said(leeway: Console, tmp_path: Path) -> None:
    said = leeway("init", "fraud", "--from", "orders", "--bootstrap", "127.0.0.1:1", "-o", tmp_path / "m.yaml")
    assert said.code == 3
    assert "no answer from Kafka at 127.0.0.1:1" in said.err
