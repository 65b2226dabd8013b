"""`leeway backtest`, as it is typed, over a store that a replay left; and the example of docs/backtest.md."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from monitor.cli import execute
from tests.cli.console import Console
from tests.monitor.streams import SPEC, TOPIC, troubled, written

MANUAL = Path(__file__).parents[2] / "docs" / "backtest.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user has: the configuration that ran, the store it left, and the file of the manual's example."""
    folder = tmp_path_factory.mktemp("loans")
    model = {"apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": "loans"}, "spec": SPEC}
    (folder / "loans.yaml").write_text(yaml.safe_dump(model, sort_keys=False))
    (folder / "trial.yaml").write_text(changed(yaml.safe_dump(model, sort_keys=False)))
    (events,) = written(folder, [troubled(1, days=14)])
    store = str(folder / "data" / "store")
    assert execute(["replay", str(folder / "loans.yaml"), "--events", f"{TOPIC}={events}", "--store", store]) == 0
    return folder


def changed(model: str) -> str:
    """The model with the part of it that the manual changes."""
    document = yaml.safe_load(model)
    document["spec"] |= yaml.safe_load(blocks("yaml")[0])
    return yaml.safe_dump(document, sort_keys=False)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", MANUAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def test_the_example_of_the_manual_prints_what_the_manual_shows(there: Path, leeway: Console) -> None:
    typed = [line for block in blocks("sh") for line in block.splitlines() if "trial.yaml" in line]
    shown = blocks("text")
    assert len(typed) == len(shown) >= 1
    for command, expected in zip(typed, shown, strict=True):
        said = leeway(*shlex.split(command)[1:])
        assert said.code == 0, said.err
        assert [line.rstrip() for line in said.out.splitlines()] == expected.splitlines()


def test_the_configuration_that_ran_fires_what_fired(there: Path, leeway: Console) -> None:
    said = leeway("backtest", "loans.yaml", "--store", "data/store", "--json")
    (found,) = said.lines
    assert said.code == 0
    assert {alert["which"] for alert in found["alerts"]} == {"both"}
    assert found["fired_now"] == found["fired_before"] == len(found["alerts"]) >= 1
    assert all(count["before"] == count["now"] for count in found["signals"].values())


def test_a_script_learns_that_an_alert_would_have_fired(there: Path, leeway: Console) -> None:
    ask = ("backtest", "loans.yaml", "--store", "data/store", "--fail-on-alert")
    assert leeway(*ask).code == 1
    assert leeway(*ask, "--to", "2024-01-07").code == 0


def test_the_windows_of_a_signal_can_be_looked_at(there: Path, leeway: Console) -> None:
    said = leeway(
        "backtest",
        "loans.yaml",
        "--store",
        "data/store",
        "--json",
        "--detail",
        "feature:amount",
        "--from",
        "2024-01-08",
    )
    rows = said.lines[0]["detail"]
    assert {row["signal"] for row in rows} == {"feature:amount"}
    assert {"ok", "drift"} <= {row["status"] for row in rows}
    assert min(row["window_end_ms"] for row in rows) > said.lines[0]["from_ms"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--store", "nowhere"), "error: no store at nowhere; --store names the one to evaluate"),
        (("--store", "data/store", "--model", "cards"), "error: no model cards in the configuration; it has loans"),
        (("--store", "data/store", "--from", "2024-03-01"), "leaves nothing"),
        (("--store", "data/store", "--from", "yesterday"), "'yesterday' is not a time"),
        (("--store", "data/store", "--detail", "feature:x"), "loans has no signal 'feature:x'; it has feature:amount"),
    ],
)
def test_what_cannot_be_judged_is_said_in_a_line(
    arguments: tuple[str, ...], words: str, there: Path, leeway: Console
) -> None:
    said = leeway("backtest", "loans.yaml", *arguments)
    assert said.code == 2
    assert words in said.err
    assert said.out == ""
    assert "Traceback" not in said.err


def test_the_store_is_the_configuration_s_own_unless_another_is_named(there: Path, leeway: Console) -> None:
    assert leeway("backtest", "loans.yaml").out == leeway("backtest", "loans.yaml", "--store", "data/store").out


def test_json_is_one_document_for_each_model(there: Path, leeway: Console) -> None:
    said = leeway("backtest", "trial.yaml", "--store", "data/store", "--json")
    assert [json.loads(line)["model"] for line in said.out.splitlines()] == ["loans"]
