"""The demonstration keeps what it promises, on the real flights."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import execute
from monitor.demo.canary import Canary, canary_story
from monitor.demo.flights import CANDIDATE_FROM, CONSTANT_FROM, INJECTED
from monitor.demo.quality import Quality, story
from monitor.estimators.artefact import read_artefact
from tests.cli.console import Console
from tests.demo.year import checkout, demo
from tests.service import shop
from tests.service.process import ROOT, Running, leeway
from tests.test_readme import leeway_commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def year(folder: Path) -> dict[str, Any]:
    return demo(folder)


def test_the_blizzard_is_one_alert_that_names_what_moved(year: dict[str, Any]) -> None:
    [blizzard] = [alert for alert in year["alerts"] if alert["why"] == "blizzard"]
    assert (blizzard["model"], blizzard["day"], blizzard["until"]) == ("flights", "2013-02-08", "2013-02-09")
    assert "volume events" in blizzard["title"]


def test_thanksgiving_and_the_end_of_the_weather_are_told(year: dict[str, Any]) -> None:
    by_reason = {alert["why"]: alert for alert in year["alerts"]}
    # Its title is about what still alarmed in its last window.
    assert "events 975 → 661" in by_reason["Thanksgiving"]["title"]
    assert "missing 0 %" in by_reason["data gap"]["title"]


def test_the_injected_failure_alarms_on_its_first_day_and_says_so(year: dict[str, Any]) -> None:
    injected, *by_labels = [alert for alert in year["alerts"] if alert["why"] == "injected"]
    assert (injected["model"], injected["day"]) == (INJECTED, CONSTANT_FROM[:10])
    assert injected["title"].startswith(f"{INJECTED}: prediction:late is stuck at 0.25 (")
    assert injected["title"].removeprefix(f"{INJECTED}: ") in (ROOT / "README.md").read_text()
    assert injected["severity"] == "critical"
    # A day later, once those flights have landed, labels say what it costs.
    assert by_labels[0]["day"] == CONSTANT_FROM[:10]
    # Recall fired alone; another metric has joined it since.
    assert by_labels[0]["title"].startswith(
        f"{INJECTED}: 2 performance metrics moved together (strongest: performance:"
    )
    assert "recall 75 % → 0 % over the day, which is worse" in by_labels[0]["title"]
    assert len(by_labels) == 1


def test_a_bad_version_is_caught_by_its_labels_alone(year: dict[str, Any]) -> None:
    canary = Canary(**year["canary"])
    assert canary.verdict == "rollback"
    assert canary.decided.startswith(CANDIDATE_FROM[:10])
    (champion, candidate), (of_champion, of_candidate) = canary.scores, canary.estimates
    assert candidate == pytest.approx(champion, abs=0.02)
    assert of_candidate == pytest.approx(of_champion, abs=0.02)
    [alert] = [alert for alert in year["alerts"] if alert["why"] == "bad version"]
    assert "since version june came" in alert["title"]


def test_the_readme_has_what_the_demo_says(year: dict[str, Any]) -> None:
    readme = (ROOT / "README.md").read_text()
    said = [*canary_story(Canary(**year["canary"])), *story([Quality(**row) for row in year["quality"]])]
    assert len(said) == 8
    assert [line for line in said if line not in readme] == []


def test_what_is_estimated_at_departure_is_near_what_comes_of_it(year: dict[str, Any]) -> None:
    months = [row for row in year["quality"] if row["model"] == "flights"][:12]
    fidelity = read_artefact(ROOT / "configs" / "models" / "flights.cbpe.json").fidelity
    # The model was fitted on January itself: there it is better than what is estimated of others' flights.
    off_by = [abs(row["estimated"] - row["accuracy"]) for row in months[1:]]
    assert sum(off_by) / len(off_by) < fidelity.error
    assert all(row["estimated"] is None for row in year["quality"] if row["model"] == INJECTED)


def test_a_year_stays_within_its_budget(year: dict[str, Any]) -> None:
    unexplained = [alert for alert in year["alerts"] if alert["why"] == "other"]
    assert year["outside"] == len(unexplained)
    # One in 30 days, of which nobody knows that something happened.
    assert sum(alert["model"] == "flights" for alert in unexplained) <= 365 / 30
    assert year["events"] > 400_000


def test_a_constant_flatters_one_figure_and_costs_what_flights_show_once_they_have_landed(year: dict[str, Any]) -> None:
    months = [row for row in year["quality"] if row["model"] == "flights"][:12]
    assert len(months) == 12
    assert all(0.85 < row["low"] < row["accuracy"] < row["high"] < 0.95 for row in months)
    assert all(row["labelled"] <= row["flights"] < 1.02 * row["labelled"] for row in months)
    model, twin = (row for row in year["quality"] if row["span"].startswith("16 September"))
    assert (twin["recall"], twin["specificity"]) == (0.0, 1.0)
    assert twin["specificity"] > model["specificity"]
    assert twin["value"] < model["value"] - 5


def test_the_store_it_leaves_answers_the_commands_that_it_prints(
    year: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = folder / "data" / "demo" / "store"
    in_here = Console(capsys)
    listed = in_here("alerts", "--model", "flights", "--store", store, "--json").lines
    assert {alert["title"] for alert in listed} == {a["title"] for a in year["alerts"] if a["model"] == "flights"}

    asked = ("--model", "flights", "--signal", "volume", "--detector", "change")
    days = in_here("history", *asked, "--from", "2013-02-01", "--to", "2013-02-14", "--store", store, "--json").lines
    assert len(days) == 13
    assert "drift" in {day["status"] for day in days}


@pytest.mark.parametrize("verb", ["alerts", "compare", "explain", "history", "top"])
def test_what_the_readme_asks_of_the_demo_is_answered(
    verb: str, year: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [command] = [words for words in leeway_commands(ROOT / "README.md") if words[0] == verb]
    config = ["--config", str(ROOT / "configs" / "demo.yaml")] if verb == "compare" else []
    assert execute([*command, "--store", str(folder / "data" / "demo" / "store"), *config]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 2


def test_a_backtest_of_the_configuration_that_ran_fires_what_fired(
    year: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = folder / "data" / "demo" / "store"
    said = Console(capsys)("backtest", ROOT / "configs" / "demo.yaml", "--store", store, "--json")
    found = {document["model"]: document for document in said.lines}
    assert found
    for model, document in found.items():
        assert document["fired_now"] == sum(alert["model"] == model for alert in year["alerts"])
        assert all(outcome["before"] == outcome["now"] for outcome in document["alerts"])
        assert all(count["before"] == count["now"] for count in document["signals"].values())


def test_a_demo_does_not_take_the_store_from_one_that_serves(tmp_path: Path) -> None:
    checkout(tmp_path)
    config = shop.configured(tmp_path / "other", shop.model("shop", {"http": "shop"}))
    spec = json.loads(config.read_text())
    spec["spec"]["store"]["path"] = str(tmp_path / "data" / "demo" / "store")
    config.write_text(json.dumps(spec))
    with Running("run", config, "--port", 0) as serving:
        said = leeway("demo", "--no-serve", cwd=tmp_path)
        assert said.returncode == 3
        assert f"process {serving.process.pid} still serves" in said.stderr
        assert serving.get("/readyz").status_code == 200


def test_a_port_in_use_shows_before_the_year_is_replayed(tmp_path: Path) -> None:
    checkout(tmp_path)
    (tmp_path / "configs").unlink()
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (tmp_path / "configs" / "demo.yaml").open("a") as file:
            file.write(f"  api: {{port: {port}}}\n")
        said = leeway("demo", cwd=tmp_path)
    assert said.returncode == 3
    assert said.stderr == f"error: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_the_readme_shows_the_figures_of_the_blizzard(
    year: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--model", "flights", "--signal", "volume", "--detector", "change")
    store = folder / "data" / "demo" / "store"
    bounds = ("--from", "2013-02-09", "--to", "2013-02-10")
    [day] = Console(capsys)("history", *asked, *bounds, "--store", store, "--json").lines
    readme = (ROOT / "README.md").read_text()
    assert f"· volume: {day['detail']}, since 2013-02-08" in readme
    assert f"{day['n']} events in the window up to 2013-02-09 05:00 UTC" in readme
    assert f"evidence {day['statistic']:.3g} against a threshold of {day['surprise_limit']:.3g}" in readme


@pytest.mark.kafka
def test_a_winter_gives_the_same_alerts_through_kafka(year: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    # A week beyond the blizzard.
    until = "2013-02-16"
    through_kafka = demo(tmp_path, "--source", "kafka", "--until", until)
    whole, part = ((at / "data" / "demo" / "flights.jsonl").read_bytes() for at in (folder, tmp_path))
    assert whole.startswith(part)
    assert through_kafka["events"] == part.count(b"\n")
    assert through_kafka["alerts"] == [alert for alert in year["alerts"] if alert["day"] < until]
    assert any(alert["why"] == "blizzard" for alert in through_kafka["alerts"])
