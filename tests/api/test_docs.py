"""What the pages about history show is what happens: commands, requests, statements and Python."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import monitor.client
from monitor.api.app import create_app
from monitor.client import AsyncLeeway, Leeway
from monitor.client.inprocess import InProcess
from sinks.store import open_store
from sinks.store.contract import Store
from sinks.store.sqlstore import SqlStore
from tests.api import hours
from tests.api.night import ALERT, bad_night, watched
from tests.api.world import serving
from tests.cli.console import Console

DOCS = Path(__file__).parents[2] / "docs"
DEFAULT_URL = "http://127.0.0.1:8080"
ASKING = ("status", "explain", "history", "top", "compare", "findings", "alerts", "dead-letters")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(program: str, *pages: str) -> list[list[str]]:
    """Every line of a shell block that calls a program, as words, without what the shell does."""
    text = "".join(block for page in pages for block in blocks(page, "sh")).replace("\\\n", "")
    return [
        shlex.split(line.partition(" > ")[0], comments=True) for line in text.splitlines() if line.startswith(program)
    ]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(bad_night(watched())) as address:
        yield address


@pytest.fixture(scope="module")
def night() -> Store:
    return bad_night(watched()).store


@pytest.fixture
def leeway(capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(capsys)


@pytest.mark.parametrize("block", blocks("history.md", "console"), ids=lambda block: block.splitlines()[0])
def test_the_page_shows_what_commands_print(block: str, url: str, leeway: Console) -> None:
    command, *shown = block.splitlines()
    said = leeway(*shlex.split(command.removeprefix("$ leeway ")), "--url", url)
    assert said.code == 0, said.err
    assert said.out.splitlines() == shown


@pytest.mark.parametrize("block", blocks("change.md", "console"), ids=lambda block: block.splitlines()[0])
def test_the_page_about_the_rule_shows_what_commands_print(block: str, leeway: Console) -> None:
    command, *shown = block.splitlines()
    with serving(hours.world()) as address:
        said = leeway(*shlex.split(command.removeprefix("$ leeway ")), "--url", address)
    assert said.code == 0, said.err
    assert said.out.splitlines() == shown


@pytest.mark.parametrize(
    "words", [w for w in commands("leeway", "history.md", "cli.md") if w[1] in ASKING], ids=" ".join
)
def test_commands_run(
    words: list[str], url: str, leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = leeway(*words[1:], "--url", url)
    assert said.code == (1 if "--fail-on-alert" in words else 0), said.err


@pytest.mark.parametrize(
    "words", [w for w in commands("curl", "history.md", "api.md") if "POST" not in w], ids=" ".join
)
def test_requests_are_answered(words: list[str], night: Store) -> None:
    (asked,) = [word for word in words if word.startswith(DEFAULT_URL)]
    world = watched()
    world.store = night
    app = create_app(world)
    app.state.stopping.set()
    with httpx.Client(transport=InProcess(app)) as client:
        assert client.get(asked).status_code == 200


def test_statements_find_the_bad_night(tmp_path: Path) -> None:
    store = open_store("chdb", str(tmp_path / "store"))
    assert isinstance(store, SqlStore)
    world = watched()
    world.store = store
    bad_night(world)
    try:
        found = [store.query(at_the_time(statement)) for statement in blocks("sql.md", "sql")]
        views = re.findall(r"^\| `(\w+)` \|", (DOCS / "sql.md").read_text(), flags=re.MULTILINE)
        kept = store.query(
            "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' ORDER BY name"
        )
        assert sorted(views) == kept["name"]
        assert all(store.query(f"SELECT * FROM {view} LIMIT 1") for view in views)
    finally:
        store.close()
    strongest, days, now, alerts, missing, before = found
    assert list(zip(strongest["signal"], strongest["windows"], strict=True)) == [
        ("feature:country", 6),
        ("feature:amount", 6),
    ]
    assert sum(days["drift_windows"]) == 6
    assert len(now["model"]) == 0
    assert (alerts["fired"], list(alerts["mean_s"])) == ([1], [5 * 3600.0])
    assert len(missing["hour"]) == 0
    assert set(before["alert_id"]) == {ALERT}


def at_the_time(statement: str) -> str:
    """A statement as it was on that morning."""
    for function, then in (
        ("now64(3)", "toDateTime64('2024-05-14 08:00:00', 3, 'UTC')"),
        ("today()", "toDate('2024-05-14')"),
    ):
        statement = statement.replace(function, then)
    return statement


def test_python_runs(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    opened: list[Leeway] = []

    class There(Leeway):
        """The service that the page speaks of, and its store."""

        def __init__(self, address: str = DEFAULT_URL, **options: Any) -> None:
            super().__init__(address.replace(DEFAULT_URL, url), **options)
            opened.append(self)

        @classmethod
        def embedded(cls, path: Any, *, config: Any = None) -> Leeway:
            assert (path, config) == ("data/store", "leeway.yaml")
            return cls()

    class AlsoThere(AsyncLeeway):
        def __init__(self, address: str, **options: Any) -> None:
            super().__init__(address.replace(DEFAULT_URL, url), **options)

    monkeypatch.setattr(monitor.client, "Leeway", There)
    monkeypatch.setattr(monitor.client, "AsyncLeeway", AlsoThere)
    names: dict[str, Any] = {}
    for block in blocks("client.md", "python"):
        exec(block, names)
    for each in opened:
        each.close()
    assert names["worst"]["worst_effect"] == 0.28
    assert names["step_ms"] == 3_600_000
    assert len(names["night"]) == 3
    assert names["open_alerts"] == names["alerts"] == []
    assert (names["worst_effect"], names["signals"]) == (0.28, names["top"].shape[0])
    assert (tmp_path / "drift.parquet").exists()


def test_the_page_lists_what_can_be_asked() -> None:
    methods = re.findall(r"^\| `(\w+)\(", (DOCS / "client.md").read_text(), flags=re.MULTILINE)
    public = [n for n, v in vars(Leeway).items() if callable(v) and not n.startswith("_") and n != "close"]
    assert sorted(methods) == sorted(public)
