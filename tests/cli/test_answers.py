"""`history`, `alerts` and `dead-letters`: the same answers from a running service and from its store."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from monitor.api.app import create_app
from sinks.store import open_store
from tests.api.world import World, score, step
from tests.cli.console import Console


def fill(world: World) -> None:
    world.add("scores", [score(end, effect=end / 10, statistic=end / 10) for end in range(1, 13)])
    world.add("scores", [score(12, detector="ks", status="drift", p_value=float("nan"), effect=9.0)])
    world.add("alerts", [step("a", 0, "firing", 2_000), step("b", 0, "firing", 3_000), step("b", 1, "resolved", 4_000)])
    letter = {"topic": "t", "model": "fraud", "field": "feature:amount", "action": "kept", "reason": "not_a_number"}
    world.add("dead_letters", [letter | {"offset": 3, "record_ms": 9, "payload": b"{}"}])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded store that no service has open."""
    path = tmp_path_factory.mktemp("answers") / "store"
    opened = open_store("chdb", str(path))
    fill(World(store=opened))
    opened.close()
    return path


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A running service with the same rows."""
    world = World()
    fill(world)
    app = create_app(world)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    socket = server.config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    server.should_exit = True
    thread.join(20)
    socket.close()


QUESTIONS = [
    ("history", "--model", "fraud"),
    ("history", "--model", "fraud", "--detector", "psi", "--from", "300000", "--limit", "3"),
    ("history", "--model", "fraud", "--step", "5m"),
    ("history", "--model", "fraud", "--segment", "country=DE"),
    ("alerts",),
    ("alerts", "--state", "resolved"),
    ("dead-letters", "list"),
    ("dead-letters", "list", "--reason", "not_json"),
]


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
@pytest.mark.parametrize("form", ["--json", None])
def test_a_store_answers_as_the_service_does(
    question: tuple[str, ...], form: str | None, url: str, store: Path, leeway: Console
) -> None:
    forms = (form,) if form else ()
    asked, read = leeway(*question, *forms, "--url", url), leeway(*question, *forms, "--store", store)
    assert (asked.code, asked.err, read.code, read.err) == (0, "", 0, "")
    assert asked.out == read.out


def test_scores_are_complete_in_every_form(url: str, leeway: Console) -> None:
    lines = leeway("history", "--model", "fraud", "--json", "--url", url).lines
    assert len(lines) == 13
    rows = list(csv.DictReader(io.StringIO(leeway("history", "--model", "fraud", "--csv", "--url", url).out)))
    assert [row["window_end_ms"] for row in rows] == [str(line["window_end_ms"]) for line in lines]
    assert {row["p_value"] for row in rows} == {""}
    table = leeway("history", "--model", "fraud", "--url", url).out
    assert table.count("feature:amount") == 13
    assert "1970-01-01T00:12:00Z" in table


def test_buckets_have_a_column_for_each_part_in_csv(url: str, leeway: Console) -> None:
    said = leeway("history", "--model", "fraud", "--step", "1h", "--csv", "--url", url)
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert [(row["detector"], row["windows"], row["statuses_drift"], row["worst_effect"]) for row in rows] == [
        ("ks", "1", "1", "9"),
        ("psi", "12", "0", "1.2"),
    ]


def test_no_more_than_the_limit_is_shown_over_any_number_of_pages(
    url: str, leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.api.reading.MAX_LIMIT", 4)
    assert len(leeway("history", "--model", "fraud", "--json", "--url", url, "--limit", 9).lines) == 9
    assert len(leeway("history", "--model", "fraud", "--json", "--url", url, "--limit", 99).lines) == 13


@pytest.mark.parametrize(("state", "code"), [("firing", 1), ("resolved", 1), ("pending", 0)])
def test_alerts_that_fired_fail_when_that_is_asked_for(state: str, code: int, url: str, leeway: Console) -> None:
    assert leeway("alerts", "--state", state, "--fail-on-alert", "--url", url).code == code


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--model", "fruad"], 2, "no model is named 'fruad'; known are fraud, churn"),
        (["--model", "fraud", "--from", "noon"], 2, "'noon' is not a time"),
        (["--model", "fraud", "--step", "5"], 2, "expected a duration"),
        (["--model", "fraud", "--store", "."], 2, "--url and --store exclude each other"),
        (["--model", "fraud", "--json", "--csv"], 2, "exclude each other"),
        ([], 2, "Missing option '--model'"),
    ],
)
def test_a_wrong_question_says_what_would_be_right(
    arguments: list[str], code: int, message: str, url: str, leeway: Console
) -> None:
    said = leeway("history", *arguments, "--url", url)
    assert (said.code, said.out) == (code, "")
    assert message in said.err


def test_a_service_that_is_away_is_told_from_a_wrong_question(leeway: Console) -> None:
    said = leeway("alerts", "--url", "http://127.0.0.1:9")
    assert said.code == 3
    assert said.err.startswith("error: http://127.0.0.1:9 cannot be reached: ")


def test_a_directory_that_is_no_store_is_left_alone(tmp_path: Path, leeway: Console) -> None:
    said = leeway("alerts", "--store", tmp_path)
    assert (said.code, said.err) == (2, f"error: no store at {tmp_path}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_a_service_has_open_is_told(tmp_path: Path, leeway: Console) -> None:
    opened = open_store("chdb", str(tmp_path))
    try:
        assert leeway("alerts", "--store", tmp_path).code == 3
    finally:
        opened.close()
