"""A service listens on loopback alone unless its configuration says who may ask it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.check import load
from monitor.config.access import Access
from monitor.config.document import ConfigError
from monitor.config.service import ServiceSpec
from tests.cli.console import Console, by_line, with_rules

SECRET = "a" * 64


@pytest.fixture
def leeway(capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(capsys)


def service(folder: Path, spec: str) -> Path:
    with_rules(folder, "{on: 'feature:*', use: [psi]}")
    file = folder / "leeway.yaml"
    file.write_text(
        f"apiVersion: leeway/v1\nkind: Service\nspec:\n  models: [fraud.yaml]\n  store: {{kind: memory}}\n{spec}"
    )
    return file


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "leeway.example.org", "''", "::ffff:0.0.0.0", "127.1"])
def test_an_address_that_others_reach_is_refused_where_nobody_says_who_may_ask(host: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(service(tmp_path, f"  api:\n    host: '{host.strip(chr(39))}'\n"))
    (mistake,) = refused.value.mistakes
    assert (mistake.line, mistake.path) == (7, "spec.api.host")
    assert "`access: none`" in mistake.message


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machine_alone_may_always_ask(host: str, tmp_path: Path) -> None:
    assert load(service(tmp_path, f"  api: {{host: '{host}'}}\n")).service.spec.access is None


@pytest.mark.parametrize("access", ["none", "{}", "{tokens: [{name: ann, role: admin, token: '${LEEWAY_TOKEN}'}]}"])
def test_whoever_says_who_may_ask_listens_anywhere(
    access: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEEWAY_TOKEN", SECRET)
    spec = load(service(tmp_path, f"  api: {{host: 0.0.0.0}}\n  access: {access}\n")).service.spec
    assert spec.access == "none" if access == "none" else isinstance(spec.access, Access)


@pytest.mark.parametrize("command", ["check", "run"])
def test_commands_refuse_it_with_file_and_line(command: str, tmp_path: Path, leeway: Console) -> None:
    said = leeway(command, service(tmp_path, "  api: {host: 0.0.0.0}\n"))
    assert said.code == 2
    assert "leeway.yaml:6: spec.api.host: other machines reach '0.0.0.0'" in by_line(said.out + said.err)


def test_run_refuses_such_an_address_as_an_option(tmp_path: Path, leeway: Console) -> None:
    said = leeway("run", service(tmp_path, ""), "--host", "0.0.0.0")
    assert said.code == 2
    assert "error: --host: other machines reach '0.0.0.0'" in said.err


@pytest.mark.parametrize(
    ("access", "message"),
    [
        ("off", "spec.access: expected `none`, or a section"),
        ("nobody", "spec.access: expected `none`, or a section"),
        ("[]", "spec.access: expected `none`, or a section"),
        ("{metrics: closed}", "spec.access.metrics: Input should be 'viewer' or 'open'"),
        ("{tokens: [{name: a, role: owner, token: '${LEEWAY_TOKEN}'}]}", "spec.access.tokens.0.role: Input should be"),
        ("{tokens: [{name: a, role: admin}]}", "spec.access.tokens.0.token: required key is missing"),
        ("{tokens: [{name: a, role: admin, token: '${SHORT}'}]}", "spec.access.tokens.0.token: a token has at least"),
        (f"{{tokens: [{{name: a, role: admin, token: {SECRET}}}]}}", "spec.access.tokens.0.token: a secret is not"),
        (
            "{tokens: [{name: a, role: admin, token: '${LEEWAY_TOKEN}'}, {name: a, role: viewer, token: '${OTHER}'}]}",
            "spec.access: two tokens are named 'a'",
        ),
        (
            "{tokens: [{name: a, role: admin, token: '${OTHER}'}, {name: b, role: viewer, token: '${OTHER}'}]}",
            "spec.access: the tokens 'a' and 'b' have one secret",
        ),
        ("{tokens: [{name: a, role: admin, token: '${LEEWAY_TOKEN}', namespace: x}]}", "namespace: unknown key"),
    ],
)
def test_what_is_wrong_is_refused_and_no_secret_is_shown(
    access: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, secret in {"LEEWAY_TOKEN": SECRET, "OTHER": "b" * 64, "SHORT": "abc123"}.items():
        monkeypatch.setenv(name, secret)
    with pytest.raises(ConfigError) as refused:
        load(service(tmp_path, f"  access: {access}\n"))
    assert message in str(refused.value)
    assert SECRET not in str(refused.value)
    assert "abc123" not in str(refused.value)


DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = [
    document
    for page in ("access.md", "single-sign-on.md")
    for block in re.findall(r"^```yaml\n(.*?)^```$", (DOCS / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    if (document := yaml.safe_load(re.sub(r"\$\{\w+\}", "x" * 40, block))).keys() <= ServiceSpec.model_fields.keys()
]


@pytest.mark.parametrize("example", EXAMPLES, ids=" ".join)
def test_the_manuals_examples_are_right(example: dict[str, Any]) -> None:
    tls = {"tls": {"certificate": "a.pem", "key": "a.key", "client_ca": "ca.pem"}}
    assert ServiceSpec.model_validate({"api": tls} | example)
