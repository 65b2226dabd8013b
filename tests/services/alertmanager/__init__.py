"""Prometheus Alertmanager, the reference for routing: its own packages, asked many questions at once, and its programs.

The first use builds them with Go into the cache, which takes a minute.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.services.cache import UnavailableError, default_cache, digest, once

__all__ = ["amtool", "ask"]

HERE = Path(__file__).parent
SOURCES = HERE / "go.mod", HERE / "oracle_test.go"
PROGRAMS = "github.com/prometheus/alertmanager/cmd"
PREFIX = "answer "


def ask(questions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return Alertmanager's answers; the questions are described in `oracle_test.go`."""
    oracle = once(default_cache() / f"alertmanager-oracle-{digest(*SOURCES)}", "alertmanager", _build) / "oracle"
    asked = "".join(json.dumps(question) + "\n" for question in questions)
    done = subprocess.run(
        [oracle, "-test.run", "TestOracle"], input=asked, capture_output=True, text=True, check=False, timeout=240
    )
    if done.returncode:
        raise UnavailableError(f"Alertmanager's packages failed:\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}")
    lines = done.stdout.split("\n")
    return [json.loads(line.removeprefix(PREFIX)) for line in lines if line.startswith(PREFIX)]


def amtool(*arguments: str) -> str:
    """Run `amtool`; return what it printed."""
    program = once(default_cache() / f"amtool-{digest(SOURCES[0])}", "alertmanager", _build_amtool) / "amtool"
    return _run([str(program), *arguments])


def _build(folder: Path) -> None:
    folder.mkdir()
    for source in SOURCES:
        shutil.copy(source, folder)
    _run(["go", "test", "-mod=mod", "-c", "-o", "oracle", "."], folder)


def _build_amtool(folder: Path) -> None:
    folder.mkdir()
    for source in SOURCES:
        shutil.copy(source, folder)
    _run(["go", "build", "-mod=mod", "-o", "amtool", f"{PROGRAMS}/amtool"], folder)


def _run(command: list[str], folder: Path | None = None) -> str:
    modules = {"GOPATH": str((default_cache() / "go").resolve()), "GOFLAGS": "-modcacherw -buildvcs=false"}
    try:
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **modules}, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise UnavailableError(f"{command[0]} is missing: run .ci/packages go (1.25 or newer)") from error
    if done.returncode:
        raise UnavailableError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
