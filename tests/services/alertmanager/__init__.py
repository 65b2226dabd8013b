"""Prometheus Alertmanager, the reference for routing: its own packages, asked many questions at once, and its programs.

The first use builds them with Go into the cache, which takes a minute.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.services.cache import UnavailableError, default_cache, digest, once
from tests.services.processes import free_port, watch_over

__all__ = ["VERSION", "alertmanager", "amtool", "ask", "module", "program", "run_go"]

HERE = Path(__file__).parent
SOURCES = HERE / "go.mod", HERE / "oracle_test.go"
VERSION = "0.28.1"
MODULE = "github.com/prometheus/alertmanager"
PROGRAMS = f"{MODULE}/cmd"
PREFIX = "answer "
PATIENCE_S = 120.0


def ask(questions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return Alertmanager's answers; the questions are described in `oracle_test.go`."""
    oracle = once(default_cache() / f"alertmanager-oracle-{digest(*SOURCES)}", "alertmanager", _build) / "oracle"
    asked = "".join(json.dumps(question) + "\n" for question in questions)
    done = subprocess.run(
        [oracle, "-test.run", "TestOracle"], input=asked, capture_output=True, text=True, check=False, timeout=800
    )
    if done.returncode:
        raise UnavailableError(f"Alertmanager's packages failed:\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}")
    lines = done.stdout.split("\n")
    return [json.loads(line.removeprefix(PREFIX)) for line in lines if line.startswith(PREFIX)]


def amtool(*arguments: str) -> str:
    """Run `amtool`; return what it printed."""
    return _run([str(program("amtool")), *arguments])


@contextmanager
def alertmanager(configuration: Path, data: Path, port: int | None = None) -> Iterator[str]:
    """Run a real Alertmanager meanwhile, at a port if one is named; yield its address, once it answers."""
    address = f"127.0.0.1:{port or free_port()}"
    flags = [f"--config.file={configuration}", f"--storage.path={data}", f"--web.listen-address={address}"]
    running = subprocess.Popen(
        [program("alertmanager"), *flags, "--cluster.listen-address="],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    watch = watch_over(running.pid)
    try:
        _wait_for(f"http://{address}/-/ready", running)
        yield f"http://{address}"
    finally:
        running.kill()
        running.wait()
        watch.kill()
        watch.communicate()


def _wait_for(url: str, running: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            if httpx.get(url).is_success:
                return
        except httpx.TransportError as error:
            if running.poll() is not None or time.monotonic() > deadline_s:
                raise UnavailableError(f"Alertmanager does not answer at {url}") from error
        threading.Event().wait(0.05)


def _build(folder: Path) -> None:
    folder.mkdir()
    for source in SOURCES:
        shutil.copy(source, folder)
    _run(["go", "test", "-mod=mod", "-c", "-o", "oracle", "."], folder)


def _build_amtool(folder: Path) -> None:
    _build_program(folder, "amtool")


def _build_alertmanager(folder: Path) -> None:
    _build_program(folder, "alertmanager")


def _build_program(folder: Path, name: str) -> None:
    folder.mkdir()
    for source in SOURCES:
        shutil.copy(source, folder)
    _run(["go", "build", "-mod=mod", "-o", name, f"{PROGRAMS}/{name}"], folder)


def program(name: str) -> Path:
    """Return one of Alertmanager's programs: `alertmanager` or `amtool`."""
    build = {"alertmanager": _build_alertmanager, "amtool": _build_amtool}[name]
    return once(default_cache() / f"{name}-{digest(SOURCES[0])}", "alertmanager", build) / name


def module() -> Path:
    """Return the folder with the sources of Alertmanager's module, which is not to be written."""
    with tempfile.TemporaryDirectory() as folder:
        done = run_go(["mod", "download", "-json", f"{MODULE}@v{VERSION}"], Path(folder))
    return Path(json.loads(done)["Dir"])


def run_go(arguments: list[str], folder: Path) -> str:
    """Run Go in a folder, with modules in the cache; return what it printed."""
    return _run(["go", *arguments], folder)


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
