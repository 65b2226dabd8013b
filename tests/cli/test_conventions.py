"""What every command keeps: the help, exit codes, errors on stderr, and no slow import before it is needed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import structlog

from monitor.cli import COMMANDS, EXIT_CODES, cli, execute
from monitor.errors import CheckpointError, InputError, LeewayError, SourceError
from sinks.store import open_store
from sinks.store.chdb import ChdbStore
from sinks.store.contract import StoreError
from tests.cli.console import Console
from tests.service import shop

MANUAL = Path(__file__).parents[2] / "docs" / "cli.md"
HEAVY = ("numpy", "numba", "pydantic", "pyarrow", "rich", "httpx", "fastapi", "yaml", "chdb", "kafka")


def test_help_names_every_command_and_exit_code(leeway: Console) -> None:
    said = leeway("--help")
    assert said.code == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", said.out, flags=re.MULTILINE)
    for code in EXIT_CODES:
        assert re.search(rf"^  {code} ", said.out, flags=re.MULTILINE)


def test_help_imports_nothing_heavy() -> None:
    probe = "import sys; from monitor.cli import execute; execute(['--help']); "
    probe += f"print([m for m in {HEAVY} if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"


def test_checking_windowed_detectors_does_not_import_the_compiler(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(
        "apiVersion: leeway/v1\nkind: Model\nmetadata: {name: m}\n"
        "spec: {sources: [{http: m}], schema: {features: {x: {type: numeric}}}}\n"
    )
    # A distance states its facts beside its kernel, for which it names numpy; to compile it takes numba.
    heavy = tuple(name for name in HEAVY if name not in {"pydantic", "yaml", "rich", "numpy"})
    probe = f"import sys; from monitor.cli import execute; execute(['check', {str(file)!r}]); "
    probe += f"print([m for m in {heavy} if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_own_help(name: str, leeway: Console) -> None:
    said = leeway(name, "--help")
    assert said.code == 0
    assert said.out.startswith(f"Usage: leeway {name} ")


@pytest.mark.parametrize(
    "command",
    [
        ["sql", "SELECT 1 AS one", "--format", "csv", "--store", "{store}"],
        ["models", "--json", "--store", "{store}"],
        ["store", "status", "--json", "--store", "{store}"],
        ["token", "list", "--json", "--store", "{store}"],
        ["export", "--subject", "anna", "--config", "{config}"],
    ],
    ids=lambda command: command[0],
)
def test_what_a_store_warns_of_is_not_among_the_answer(
    command: list[str], tmp_path: Path, leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {"store": tmp_path / "store", "config": shop.configured(tmp_path, shop.model("shop", {"http": "shop"}))}
    open_store("chdb", str(places["store"])).close()
    asked = [argument.format(**places) for argument in command]
    quiet = leeway(*asked)
    close = ChdbStore.close

    def warn(store: ChdbStore) -> None:
        structlog.get_logger("leeway.store").warning("the store is left open")
        close(store)

    monkeypatch.setattr(ChdbStore, "close", warn)
    warned = leeway(*asked)
    assert (warned.code, len(warned.out.splitlines())) == (quiet.code, len(quiet.out.splitlines())), warned
    assert "the store is left open" in warned.err


def test_the_manual_lists_commands_and_exit_codes() -> None:
    text = MANUAL.read_text()
    assert dict(re.findall(r"^\| `([\w-]+)` \| (.+) \|$", text, flags=re.MULTILINE)) == {
        name: line for name, (_, line) in COMMANDS.items()
    }
    codes = re.findall(r"^\| (\d+) \| (.+) \|$", text, flags=re.MULTILINE)
    assert codes == [(str(code), meaning) for code, meaning in EXIT_CODES.items()]


def test_a_wrong_command_is_a_usage_error(leeway: Console) -> None:
    said = leeway("chekc")
    assert (said.code, said.out) == (2, "")
    assert said.err.endswith("\nerror: No such command 'chekc'. Did you mean 'check'?\n")
    missing = leeway("explain", "fraud", "volume", "--json")
    assert (missing.code, missing.out, missing.err.splitlines()[-1]) == (2, "", "error: Missing option '--at'.")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("no such file"), 2, "error: no such file\n"),
        (CheckpointError("of another version"), 2, "error: of another version\n"),
        (LeewayError("one\ntwo"), 2, "error: one\nerror: two\n"),
        (SourceError("no broker", retryable=True), 3, "error: no broker\n"),
        (StoreError("in use"), 3, "error: in use\n"),
        (KeyError("x"), 4, "internal error: KeyError: 'x'\nthis is a bug; LEEWAY_DEBUG=1 shows where it happened\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_errors_become_exit_codes_without_a_traceback(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LEEWAY_DEBUG", raising=False)
    monkeypatch.setattr(cli, "get_command", lambda ctx, name: failing(error))
    assert execute(["fail"]) == code
    assert capsys.readouterr().err.endswith(said)


def test_debugging_shows_where_it_happened(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LEEWAY_DEBUG", "1")
    monkeypatch.setattr(cli, "get_command", lambda ctx, name: failing(KeyError("x")))
    assert execute(["fail"]) == 4
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def failing(error: BaseException) -> click.Command:
    def fail() -> None:
        raise error

    return click.Command("fail", callback=fail)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str, leeway: Console) -> None:
    said = leeway("completion", shell)
    assert said.code == 0
    assert "_LEEWAY_COMPLETE" in said.out


def test_completion_offers_commands_without_importing_them() -> None:
    environment = {**os.environ, "_LEEWAY_COMPLETE": "bash_complete", "COMP_WORDS": "leeway de", "COMP_CWORD": "1"}
    program = [sys.executable, "-c", "from monitor.cli import main; main()"]
    said = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert [line.partition(",")[2] for line in said.stdout.splitlines()] == [
        "demo",
        "detect",
        "detectors",
        "dead-letters",
        "deployments",
    ]


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -c 'from monitor.cli import main; main()' detectors | head -1; echo ${{PIPESTATUS[0]}}"
    said = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "0"
    assert said.stderr == ""


def test_the_version_is_the_packages(leeway: Console) -> None:
    assert re.fullmatch(r"leeway \d+\.\d+\.\d+\S*\n", leeway("--version").out)
