"""The files around the code say the same thing as the code."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from packaging.requirements import Requirement

from monitor.cli import cli

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
PYTHONS = ["3.11.0", "3.12.0", "3.13.0"]
RULE_OF_SUBJECTS_SINCE = "2026-11-27T06:00:00Z"
"""From when on subjects keep to the rule."""
SUBJECT = re.compile(r"(bench|build|chore|ci|docs|feat|fix|perf|refactor|revert|style|test)(\([\w/-]+\))?!?: \S.*")


def wanted() -> list[Requirement]:
    groups = PROJECT["dependency-groups"].values()
    everything = [*PROJECT["project"]["dependencies"], *(item for group in groups for item in group)]
    return [Requirement(written) for written in everything if isinstance(written, str)]


def pins() -> list[Requirement]:
    return [Requirement(line.rstrip("\\ ")) for line in LOCK.splitlines() if re.match(r"[a-z]", line)]


def spelled_alike(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # What the make that runs these tests was given is not for this one.
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def targets() -> list[str]:
    return re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)


def test_the_license_is_the_one_that_is_declared() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    newest = re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert re.match(rf"(Unreleased|{re.escape(PROJECT['project']['version'])})\b", newest[1])


def is_installed(name: str) -> bool:
    return any(importlib.metadata.distributions(name=name))


def is_for(pin: Requirement, python: str) -> bool:
    return pin.marker is None or pin.marker.evaluate({"python_full_version": python})


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_the_lock_has_one_version_and_the_project_accepts_it(requirement: Requirement, python: str) -> None:
    name = spelled_alike(requirement.name)
    (found,) = [pin for pin in pins() if spelled_alike(pin.name) == name and is_for(pin, python)]
    (exact,) = found.specifier
    assert requirement.specifier.contains(exact.version)


def test_every_locked_package_is_exact_and_has_hashes() -> None:
    blocks = re.split(r"\n(?=[a-z])", LOCK)
    assert len(blocks) == len(pins())
    for block in blocks:
        assert re.match(r"[a-z0-9.-]+(?:\[[a-z, ]+\])?==\S+", block)
        assert "--hash=sha256:" in block


def test_extras_that_locked_packages_ask_for_are_locked_with_them() -> None:
    """Otherwise pip takes the extra for a package without a pin as soon as there is a newer version, and refuses."""
    locked = {spelled_alike(pin.name): pin.extras for pin in pins()}
    for name in locked:
        for written in importlib.metadata.requires(name) or [] if is_installed(name) else []:
            asked = Requirement(written)
            if asked.marker is None or asked.marker.evaluate({"extra": ""}):
                assert asked.extras <= locked[spelled_alike(asked.name)], f"{name} asks for {written}"


def test_the_lock_names_no_place_to_download_from() -> None:
    assert not re.findall(r"://|--(?:extra-)?index|--find-links|--trusted-host|^-", LOCK, re.MULTILINE)


def test_make_alone_lists_every_target_with_what_it_does() -> None:
    listed = dict(re.findall(r"^make (\S+) +(\S.*)$", make().stdout, re.MULTILINE))
    assert listed.keys() == set(targets())


def test_every_target_that_is_no_file_is_declared_so() -> None:
    declared = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert declared is not None
    assert sorted(declared[1].split()) == sorted(targets())


def test_run_without_a_configuration_says_how_to_name_one() -> None:
    done = make("run", "--old-file=.venv/.installed")
    assert done.returncode != 0
    assert "make run CONFIG=" in done.stderr


def leeway_commands() -> list[list[str]]:
    """Return what the Makefile would run of `leeway`, as words; variables have their defaults."""
    lines = [make("--dry-run", "--old-file=.venv/.installed", *target).stdout for target in TARGETS_OF_LEEWAY]
    return [line.replace('"', "").split()[1:] for text in lines for line in text.splitlines() if "bin/leeway" in line]


TARGETS_OF_LEEWAY = (["demo"], ["demo", "SERVE=0", "SOURCE=file"], ["run", "CONFIG=configs/compose.yaml"])


@pytest.mark.parametrize("words", leeway_commands(), ids=" ".join)
def test_the_command_line_accepts_what_make_gives_it(words: list[str]) -> None:
    with click.Context(cli) as context:
        command = cli.get_command(context, words[0])
        assert command is not None
        command.make_context(words[0], words[1:])


def test_the_command_line_says_what_it_can_do() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("leeway"), "--help"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "leeway [OPTIONS] COMMAND" in done.stdout


@pytest.mark.parametrize("script", sorted((ROOT / ".ci").iterdir()), ids=lambda path: path.name)
def test_every_script_can_be_run_and_is_sound_shell(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", script], check=True)


def test_a_program_that_is_missing_is_named_with_its_package(tmp_path: Path) -> None:
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    fake_id = tmp_path / "id"
    fake_id.write_text("#!/usr/bin/env bash\necho 1000\n")
    fake_id.chmod(0o755)
    done = subprocess.run(
        ["/usr/bin/bash", ROOT / ".ci" / "packages", "mvn", "bash"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Missing: mvn. Debian's packages for them are: maven." in done.stderr


def test_a_public_host_runs_what_everybody_runs() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    (job,) = workflow["jobs"].values()
    # PyYAML reads the key `on` as a truth value.
    assert workflow.keys() == {"name", True, "permissions", "jobs"}
    assert job.keys() == {"runs-on", "container", "timeout-minutes", "steps"}
    assert job["container"].startswith(f"python:{PROJECT['project']['requires-python'].removeprefix('>=')}-")
    *preparations, last = job["steps"]
    assert last == {"run": "bash .ci/run"}
    assert all(step.keys() <= {"uses", "with"} for step in preparations)
    actions = {step["uses"].partition("@")[0]: step["with"] for step in preparations}
    assert actions.keys() == {f"actions/{action}" for action in ("checkout", "setup-java", "setup-go", "cache")}
    assert (actions["actions/setup-java"]["java-version"], actions["actions/cache"]["path"]) == ("17", ".cache")


def test_the_subject_of_a_commit_says_its_kind_in_72_characters_at_most() -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    # In a container the checkout may belong to another user.
    log = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "log", "--format=%s", f"--since={RULE_OF_SUBJECTS_SINCE}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if log.returncode != 0:
        pytest.skip(f"the history is not here: {log.stderr.strip()}")
    subjects = log.stdout.splitlines()
    assert [subject for subject in subjects if len(subject) > 72 or not SUBJECT.fullmatch(subject)] == []
