"""A resource is declared once: HTTP, Arrow, the command line and the client follow, and a new one takes three files."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest

from monitor.api.app import ROUTERS
from monitor.cli import COMMANDS, cli
from monitor.client import Leeway
from monitor.resources import names, questions
from monitor.resources.alerts import Alerts
from monitor.resources.contract import Question, parameters, wire_name
from tests.api.world import Client, World

QUESTIONS = list(questions().values())


@pytest.fixture(scope="module")
def paths() -> dict[str, Any]:
    described: dict[str, Any] = Client(World()).get("/openapi.json").json()["paths"]
    return described


def test_each_resource_has_its_routes_in_the_file_of_its_name() -> None:
    files = {router.routes[0].endpoint.__module__ for router in ROUTERS}  # type: ignore[attr-defined]
    assert {f"monitor.api.{name}" for name in names()} <= files


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.__name__)
def test_http_takes_what_a_question_declares(question: type[Question], paths: dict[str, Any]) -> None:
    described = {parameter["name"] for parameter in paths[question.path]["get"].get("parameters", [])}
    form = {"format", "limit", "cursor"} if question.is_paged else {"format"}
    assert described - {"order"} == {wire_name(each) for each in parameters(question)} | form


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.__name__)
def test_the_client_takes_what_a_question_declares(question: type[Question]) -> None:
    (method,) = [each for each in vars(Leeway).values() if getattr(each, "__doc__", "") == question.__doc__] or [
        lambda self: None
    ]
    assert list(inspect.signature(method).parameters)[1:] == [each.name for each in fields(question)]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.__name__)
def test_tables_show_fields_that_rows_have(question: type[Question]) -> None:
    declared = {each.name for each in fields(question.answer)}  # type: ignore[arg-type]
    columns = [column if isinstance(column, str) else column[1] for column in question.answer.table]
    assert columns
    assert {column.partition(".")[0] for column in columns if isinstance(column, str)} <= declared


def test_an_option_says_what_the_parameter_says(paths: dict[str, Any]) -> None:
    command = cli.get_command(click.Context(cli), "top")
    assert isinstance(command, click.Command)
    (namespace,) = [each for each in command.params if isinstance(each, click.Option) and each.name == "namespace"]
    (described,) = [each for each in paths["/v1/top"]["get"]["parameters"] if each["name"] == "namespace"]
    assert (described["description"], namespace.help) == (
        "the models of this namespace",
        "The models of this namespace.",
    )


def test_only_what_is_not_a_default_is_sent() -> None:
    assert Alerts(matchers=["a=b"], acknowledged=False, from_="-1h").wire() == {
        "matcher": ["a=b"],
        "acknowledged": "false",
        "from": "-1h",
    }


RESOURCE = '''
"""Outages: when a model was not served."""
from __future__ import annotations
from dataclasses import dataclass
from monitor.resources.contract import LengthMs, Question, Row, TimeMs, described

@dataclass(frozen=True, kw_only=True)
class Outage(Row):
    """One outage."""
    table = ("model", ("since", "start_ms"), "length_ms")
    model: str
    start_ms: TimeMs
    length_ms: LengthMs = described("how long it took")

@dataclass(frozen=True, kw_only=True)
class Outages(Question):
    """When models were not served, the latest first."""
    path = "/v1/outages"
    answer = Outage
    is_paged = False
    verb = "Show when models were not served."
    model: str | None = described("only this model's", default=None)
'''
ROUTE = '''
"""Outages."""
from __future__ import annotations
from typing import Annotated
from fastapi import APIRouter, Depends, Response
from monitor.api.forms import Whole, listed_whole, lists
from monitor.api.parameters import TheService, question_of
from monitor.resources.outages import Outage, Outages

router = APIRouter(prefix="/v1", tags=["outages"])

@lists(router, Outages)
def outages(service: TheService, form: Whole, question: Annotated[Outages, Depends(question_of(Outages))]) -> Response:
    rows = [{"model": name, "start_ms": 60_000, "length_ms": 5_000} for name in ("churn", "fraud")]
    return listed_whole(form, [row for row in rows if question.model in (None, row["model"])], Outage, {})
'''
METHOD = """
import sys
import monitor.resources, monitor.api
monitor.resources.__path__.append(sys.argv[1] + "/resources")
monitor.api.__path__.append(sys.argv[1] + "/api")
from monitor.client.leeway import Leeway, asks
from monitor.resources.outages import Outages

class Longer(Leeway):
    outages = asks(Outages)  # the third file: a line of monitor/client/leeway.py

from monitor.cli import execute
from tests.api.world import World, serving
with serving(World()) as url:
    with Longer(url) as leeway:
        print(leeway.outages(model="fraud").arrow().to_pylist())
    sys.exit(execute(["outages", "--url", url]))
"""


def test_a_new_route_with_its_verb_and_its_method_is_three_files(tmp_path: Path) -> None:
    for folder, text in (("resources", RESOURCE), ("api", ROUTE)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "outages.py").write_text(text)
    run = subprocess.run([sys.executable, "-c", METHOD, str(tmp_path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    rows, *table = run.stdout.splitlines()
    assert "'length_ms': 5000" in rows
    assert "churn" not in rows
    assert [line.split() for line in table if "churn" in line or "fraud" in line] == [
        ["churn", "1970-01-01T00:01:00Z", "5s"],
        ["fraud", "1970-01-01T00:01:00Z", "5s"],
    ]


def test_every_question_is_a_command() -> None:
    assert set(questions()) <= set(COMMANDS)
