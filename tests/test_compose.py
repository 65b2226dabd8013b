"""The container files agree with the lock, the broker the tests run, and the code they start."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.access.tokens import digest_of
from monitor.cli import COMMANDS
from monitor.config import load
from monitor.config.access import Access
from tests.services.kafka import version

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    """A token, made as the file says that one is made."""
    (command,) = re.findall(r'echo "LEEWAY_TOKEN=\$\((.+?)\)"', (ROOT / "docker-compose.yml").read_text())
    token = subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.setenv("LEEWAY_TOKEN", token)
    return token


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    text = (ROOT / "docker-compose.yml").read_text()
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def image_version(compose: dict[str, Any], service: str) -> str:
    return str(compose["services"][service]["image"].rpartition(":")[2])


def instruction(name: str) -> list[str]:
    """Return the arguments of the last instruction of that name, which is the one that counts."""
    return re.findall(rf"^{name} (.+)$", DOCKERFILE, re.MULTILINE)[-1:]


def locked_version(name: str) -> str:
    found = re.search(rf"^{name}==([^ ;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("profile", ["", "clickhouse"])
def test_compose_accepts_the_file(profile: str) -> None:
    program = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
    profiles = ["--profile", profile] if profile else []
    done = subprocess.run([*program, *profiles, "config", "-q"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_compose_does_not_start_a_service_without_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEEWAY_TOKEN")
    program = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
    done = subprocess.run([*program, "config", "-q"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "LEEWAY_TOKEN" in done.stderr


def test_the_service_that_compose_starts_asks_for_the_token(token: str) -> None:
    access = load(ROOT / "configs" / "compose.yaml").service.spec.access
    assert isinstance(access, Access)
    assert [(each.role, each.digest) for each in access.configured()] == [("admin", digest_of(token))]


def test_compose_starts_the_kafka_that_the_tests_run_against(compose: dict[str, Any]) -> None:
    assert image_version(compose, "kafka") == version()


def test_the_clickhouse_server_is_the_version_of_the_embedded_one(compose: dict[str, Any]) -> None:
    assert locked_version("chdb-core").startswith(image_version(compose, "clickhouse") + ".")


def test_every_volume_that_is_used_is_declared(compose: dict[str, Any]) -> None:
    named = {volume.partition(":")[0] for service in compose["services"].values() for volume in service["volumes"]}
    assert {name for name in named if not name.startswith(".")} == set(compose["volumes"])


def test_every_port_is_published_to_this_machine_alone(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service["ports"]]
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_service_that_compose_starts_is_a_valid_configuration(compose: dict[str, Any]) -> None:
    spec = load(ROOT / "configs" / "compose.yaml").service.spec
    host, _, port = spec.kafka.bootstrap[0].partition(":")
    assert host in compose["services"]
    assert f"INSIDE://{host}:{port}" in compose["services"]["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert f":{spec.api.port}" in compose["services"]["leeway"]["ports"][0]
    assert spec.store.settings()["path"].startswith(compose["services"]["leeway"]["volumes"][1].partition(":")[2] + "/")


def test_the_image_starts_a_command_that_exists_with_a_file_that_exists() -> None:
    (entry,) = map(json.loads, instruction("ENTRYPOINT"))
    ((command, configuration),) = map(json.loads, instruction("CMD"))
    assert entry == ["leeway"]
    assert command in COMMANDS
    assert (ROOT / "configs" / Path(configuration).relative_to("/etc/leeway")).exists()


def test_the_image_runs_as_nobody_special_and_says_whether_it_is_well() -> None:
    assert instruction("USER") == ["leeway"]
    assert "/healthz" in "".join(instruction("HEALTHCHECK"))


def test_what_the_image_copies_exists_and_is_sent_to_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]
    }
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)


def test_the_builders_own_tools_come_from_the_lock() -> None:
    (script,) = re.findall(r"(awk '.+?' requirements\.lock)", DOCKERFILE)
    printed = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    pinned = [line.partition(" ")[0] for line in printed.splitlines() if not line.startswith(" ")]
    assert pinned == [f"{name}=={locked_version(name)}" for name in ("setuptools", "uv")]
    assert printed.count("--hash=sha256:") > len(pinned)
