"""What a command prints can be run as it stands, also where no shell finds `leeway`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest

from monitor.cli import cli
from sinks.store.contract import StoreError
from tests.cli.console import Console
from tests.cli.test_conventions import failing

ERRORS = [StoreError("it lacks tables: `leeway store migrate` makes them"), click.UsageError("`leeway store backup`")]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `leeway` in a folder of its own, by whose path this process was called."""
    path = tmp_path / "my venv" / "leeway"
    path.parent.mkdir()
    path.write_text("")
    path.chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(path)])
    return path


@pytest.mark.parametrize("on_path", [False, True])
def test_commands_are_spelled_as_the_program_was_called(
    on_path: bool, leeway: Console, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(script.parent) if on_path else "/nowhere")
    called = "leeway" if on_path else shlex.quote(str(script))
    assert f"Usage: {called} check " in leeway("check", "--help").out
    assert f"{called} --help" in leeway("nonsense").err
    assert f": {called} alerts explain …" in leeway("alerts", "--json", "explain", "v").err
    for error in ERRORS:
        monkeypatch.setattr(cli, "get_command", lambda ctx, name, error=error: failing(error))
        assert f"`{called} store " in leeway("fail").err
