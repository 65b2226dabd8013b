"""What the README and the docs tell people to type works as it stands there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from monitor.cli import cli, execute
from monitor.config import load

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DAY_MS = 86_400_000


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def leeway_commands(document: Path) -> Iterator[list[str]]:
    for block in blocks(document, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            command = line.partition("#")[0].partition(" > ")[0].strip()
            words = shlex.split(command)
            if words and Path(words[0]).name == "leeway":
                yield words[1:]


ALL = [(document.name, words) for document in DOCUMENTS for words in leeway_commands(document)]
OFFLINE = [
    words for name, words in ALL if name == "README.md" and words[0] in {"check", "replay", "detect", "detectors"}
]


@pytest.fixture
def demo_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout after `make demo`, with two days of events instead of a year."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    (tmp_path / "data/demo").mkdir(parents=True)
    features = {"hour": 9, "dep_delay": 1.0, "distance": 700, "temp": 50.0, "wind_speed": 5.0, "visib": 10.0}
    names = {"carrier": "UA", "origin": "EWR", "dest": "ORD"}
    with (tmp_path / "data/demo/flights.jsonl").open("w") as file:
        for i in range(2_000):
            event = {
                "event_id": f"e{i}",
                "ts": 1_357_016_400_000 + i * 2 * DAY_MS // 2_000,
                "model": "flights",
                "version": "january",
                "features": features | names,
                "prediction": {"late": 0.2},
            }
            file.write(json.dumps(event) + "\n")
    landing = {"event_id": "e0", "ts": 1_357_020_000_000, "model": "flights", "outcome": "on time"}
    (tmp_path / "data/demo/landings.jsonl").write_text(json.dumps(landing) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_readme_opens_with_the_two_commands_that_set_everything_up() -> None:
    first = blocks(DOCUMENTS[0], "sh")[0]
    assert [line.partition("#")[0].strip() for line in first.splitlines()] == ["make demo", "make test"]


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in [*DOCUMENTS, ROOT / "CONTRIBUTING.md"]:
        named = set(
            re.findall(r"`?\bmake ([a-z]+)\b(?=[`\s]|$)", "\n".join(re.findall(r"`[^`]*`", document.read_text())))
        )
        assert named <= targets, f"{document.name}: {named - targets}"


@pytest.mark.parametrize(("name", "words"), ALL, ids=[f"{name}: {' '.join(words)}" for name, words in ALL])
def test_every_documented_command_has_the_options_it_is_shown_with(name: str, words: list[str]) -> None:
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None, f"{name} names a command that does not exist: {words[0]}"
    command.make_context(words[0], list(words[1:]))


@pytest.mark.parametrize("words", OFFLINE, ids=[" ".join(words) for words in OFFLINE])
def test_the_commands_of_the_readme_run(
    words: list[str], demo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = execute(words)

    said = capsys.readouterr()
    assert code == 0, said.err
    assert "error" not in said.err


def test_the_readme_s_example_is_a_valid_configuration(tmp_path: Path) -> None:
    (example,) = blocks(DOCUMENTS[0], "yaml")
    (tmp_path / "fraud.yaml").write_text(example)

    assert list(load(tmp_path / "fraud.yaml").models) == ["fraud"]


def test_every_link_between_documents_leads_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
