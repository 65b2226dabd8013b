"""`leeway token`, as docs/access.md has it: the first token in the store, others by the service."""

from __future__ import annotations

import os
import pwd
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import httpx
import pytest

from monitor.access.token_log import TokenLog
from monitor.cli import COMMANDS, cli
from monitor.cli.credentials import Credentials
from monitor.client import Leeway
from monitor.client.errors import AccessError
from monitor.clock import SystemClock
from monitor.config.service import Service
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Query
from sinks.store.rows import rows_of
from tests.api.world import World, serving
from tests.cli.console import MODEL, Console

PAGE = (Path(__file__).parents[2] / "docs" / "access.md").read_text()


def commands() -> Iterator[tuple[list[str], str]]:
    """Every command of the page, with the file that its output goes to."""
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            command, _, file = line.partition(" > ")
            if command.startswith("leeway "):
                yield shlex.split(command)[1:], file


FIRST, *OTHERS = commands()


@dataclass
class Guarded:
    """A service that asks for tokens."""

    url: str
    log: TokenLog


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    world = World(clock=SystemClock())  # type: ignore[arg-type]
    service = Service.model_validate({"spec": {"access": {}}})
    world.configuration = replace(world.configuration, service=service)
    with serving(world) as url:
        yield Guarded(url, TokenLog(world.store, world.clock))


@pytest.fixture
def ann(guarded: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The secret of an administrator; it stands in a file, too."""
    monkeypatch.chdir(tmp_path)
    _, secret = guarded.log.create("ann", "admin", created_by="root")
    Path("ann.token").write_text(f"{secret}\n")
    return secret


def test_the_first_token_is_made_in_the_store_before_there_is_a_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leeway: Console
) -> None:
    monkeypatch.chdir(tmp_path)
    configuration, *_ = re.findall(r"^```yaml\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    Path("leeway.yaml").write_text(configuration)
    Path("models").mkdir()
    Path("models/fraud.yaml").write_text(MODEL.partition("  detect:")[0])
    words, file = FIRST
    none = leeway("token", "list", "--config", "leeway.yaml")
    assert (none.code, "no store at" in none.err) == (2, True)
    assert leeway(*words, "--expires", "0s").code == 2
    long = leeway(*words, "--expires", "36501d")
    assert (long.code, long.err) == (2, "error: --expires: a duration is at most a hundred years, 36500d\n")
    made = leeway(*words)
    assert (made.code, file) == (0, "ann.token"), made.err
    secret = made.out.strip()
    assert re.fullmatch(r"leeway_[\w-]{43}", secret)
    assert "nobody can show this secret again" in made.err
    [row] = leeway("token", "list", "--json", "--config", "leeway.yaml").lines
    assert (row["name"], row["role"], row["state"], row["expires_ms"]) == ("ann", "admin", "good", None)
    assert secret.startswith(row["prefix"])
    again = leeway(*words)
    assert (again.code, again.err) == (
        2,
        "error: a token is named 'ann' already: revoke it first, or take another name\n",
    )
    revoked = leeway("token", "revoke", row["id"], "--config", "leeway.yaml", "--by", "bob", "--json")
    assert [(each["state"], each["revoked_by"]) for each in revoked.lines] == [("revoked", "bob")]
    store = ChdbStore("data/store")
    entries = sorted(rows_of(store.read(Query("audit"))), key=lambda entry: entry["at_ms"])
    store.close()
    assert [(entry["operation"], entry["subject"], entry["status"]) for entry in entries] == [
        ("leeway token create", "ann admin", 422),
        ("leeway token create", "ann admin", 422),
        ("leeway token create", f"ann admin {row['id']}", 200),
        ("leeway token create", "ann admin", 422),
        ("leeway token revoke", f"ann {row['id']}", 200),
    ]
    assert {entry["who"] for entry in entries} == {pwd.getpwuid(os.getuid()).pw_name}
    assert secret not in repr(entries)


def test_the_page_shows_commands_that_work(guarded: Guarded, ann: str, leeway: Console) -> None:
    for words, file in OTHERS:
        said = leeway(*words, "--url", guarded.url)
        assert said.code == 0, said.err
        assert ann not in said.out
        if words[0] == "audit" and "--json" not in words:
            done = "POST /v1/tokens" if "--operation" in words else "DELETE /v1/tokens/{token}"
            assert re.search(rf" ann +{re.escape(done)} +checkout (ingest )?[0-9a-f]{{12}} +200", said.out)
        if file:
            Path(file).write_text(said.out)
        if words[:2] == ["token", "list"]:
            shown = re.search(r"^name +role .*$", PAGE, flags=re.MULTILINE)
            assert shown is not None
            assert said.out.split()[:10] == shown[0].split()
            assert re.search(r"^ *checkout +ingest +all +good +ann ", said.out, flags=re.MULTILINE)
    secret = Path("checkout.token").read_text().strip()
    assert [token.revoked_by for token in guarded.log.all() if secret.startswith(token.prefix)] == ["ann"]


def test_a_command_without_a_good_token_says_what_to_do(
    guarded: Guarded, ann: str, leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (["alerts"], ["silence", "list"], ["token", "list"]):
        said = leeway(*words, "--url", guarded.url)
        assert said.code == 2
        assert "this service asks for a token" in said.err
        assert "set LEEWAY_TOKEN, or name the file of a token with --token-file" in said.err
    _, viewer = guarded.log.create("dashboard", "viewer", created_by="ann")
    monkeypatch.setenv("LEEWAY_TOKEN", viewer)
    guarded.log.create("other", "viewer", created_by="ann")
    said = leeway("silence", "add", "model=fraud", "--for", "1h", "--comment", "x", "--url", guarded.url)
    assert said.code == 2
    assert "POST /api/v2/silences needs the role editor; the token 'dashboard' has viewer; ask an admin" in said.err


def test_the_variable_names_a_token_and_a_file_overrides_it(
    guarded: Guarded, ann: str, leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEEWAY_TOKEN", ann)
    assert leeway("alerts", "--url", guarded.url).code == 0
    monkeypatch.setenv("LEEWAY_TOKEN", "leeway_of_another_service")
    assert leeway("alerts", "--url", guarded.url).code == 2
    assert leeway("alerts", "--url", guarded.url, "--token-file", "ann.token").code == 0
    Path("empty.token").write_text("\n")
    assert leeway("alerts", "--url", guarded.url, "--token-file", "empty.token").code == 2
    assert leeway("alerts", "--url", guarded.url, "--token-file", "nowhere").code == 2
    Path("long.token").write_text("x" * 16_385)
    assert "holds more than 16,384" in leeway("alerts", "--url", guarded.url, "--token-file", "long.token").err
    Path("long.token").write_text("x" * 16_384 + "\n")
    assert Credentials(Path("long.token")).token == "x" * 16_384


def test_the_client_shows_its_token(guarded: Guarded, ann: str) -> None:
    with Leeway(guarded.url, token=ann) as leeway:
        assert list(leeway.alerts()) == []
        assert next(leeway.follow())[1] is None
    with Leeway(guarded.url, retries=0) as leeway, pytest.raises(AccessError) as refused:
        list(leeway.alerts())
    assert (refused.value.status, refused.value.kind) == (401, "unauthorized")


def test_a_table_obeys_no_stranger(guarded: Guarded, ann: str, leeway: Console) -> None:
    assert httpx.get(f"{guarded.url}/v1/%1b%5B2J%C2%9B", timeout=60).status_code == 401
    words = ("audit", "--url", guarded.url, "--token-file", "ann.token")
    said, documents = leeway(*words), leeway(*words, "--json")
    assert r"/v1/\x1b[2J\x9b" in said.out
    assert not {"\x1b", "\x9b"} & {*said.out, *documents.out}
    assert documents.lines[0]["subject"] == "/v1/\x1b[2J\x9b"


def test_a_secret_that_is_pasted_ends_its_token(guarded: Guarded, ann: str, leeway: Console) -> None:
    _, secret = guarded.log.create("ci", "viewer", created_by="ann")
    said = leeway("token", "revoke", secret, "--url", guarded.url, "--token-file", "ann.token")
    assert (said.code, said.out) == (0, "revoked ci (viewer)\n")


def test_every_command_that_asks_a_service_takes_a_token() -> None:
    assert [" ".join(path) for path, names in options() if "url" in names and "token_file" not in names] == []


def options() -> Iterator[tuple[tuple[str, ...], set[Any]]]:
    """Every command, with the names of its options."""
    pending: list[tuple[tuple[str, ...], click.Command]] = []
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        pending.append(((name,), command))
    while pending:
        path, command = pending.pop()
        yield path, {parameter.name for parameter in command.params}
        if isinstance(command, click.Group):
            pending += [((*path, name), child) for name, child in command.commands.items()]
