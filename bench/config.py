"""How long a thousand models take that have one file of defaults: ``python -m bench.config``.

Each model's file is its name alone; the defaults say its two hundred features. Printed is how long it takes to load the
files, to check them as ``leeway check`` does, and until a service that watches them all is ready; what that holds in
memory for each series; and how long after a change of one model's file until that is in force, and how many models it
touches. A file's change is taken up at the signal SIGHUP; it is in force where the model's next epoch begins.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from bench.events import LEEWAY
from monitor.cli import execute
from monitor.config import Configuration, load
from monitor.watch import compile_watch
from tests.services.processes import free_port

__all__ = ["measure", "write_models"]

PATIENCE_S = 600
IN_FORCE = "a configuration comes into force"
CHANGED = "spec: {schema: {features: {f000: {range: [0, 2]}}}}\n"


def write_models(folder: Path, models: int, features: int, port: int) -> Path:
    """Write a service's file, one of defaults, and those of the models; return the first."""
    (folder / "models").mkdir()
    fields = "".join(f"      f{index:03}: {{type: numeric, range: [0, 1]}}\n" for index in range(features))
    head = "apiVersion: leeway/v1\nkind: "
    (folder / "models" / "defaults.yaml").write_text(
        f"{head}Defaults\nspec:\n  sources: [{{http: '{{model}}', event_time: ts}}]\n"
        f"  schema:\n    id: id\n    features:\n{fields}  detect: {{defaults: {{window: 10m}}}}\n"
    )
    for index in range(models):
        _model(folder, index).write_text(f"{head}Model\nmetadata: {{name: m{index:04}}}\n")
    service = folder / "leeway.yaml"
    service.write_text(
        f"{head}Service\nspec:\n  models: ['models/*.yaml']\n  store: {{kind: memory}}\n  api: {{port: {port}}}\n"
        f"  ingest_log: {folder / 'ingest.log'}\n"
    )
    return service


def _model(folder: Path, index: int) -> Path:
    return folder / "models" / f"m{index:04}.yaml"


def measure(models: int, features: int, *, serve: bool = True) -> dict[str, float]:
    """Return seconds of each step, bytes of memory for each series, and how many models a change of one touches."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        service = write_models(folder, models, features, port)
        measured: dict[str, float] = {"models": models, "features": features}
        measured["load_s"] = _took(lambda: load(service))
        measured["check_s"] = _took(lambda: _check(service))
        former = load(service)
        file = _model(folder, models // 2)
        if serve:
            began = time.perf_counter()
            with _serving(service, port) as process:
                measured["start_s"] = time.perf_counter() - began
                # Volume is a series, too.
                measured["bytes_a_series"] = _resident_bytes(process.pid) / (models * (features + 1))
                _wait_for_epochs(service, models)
                file.write_text(file.read_text() + CHANGED)
                began = time.perf_counter()
                process.send_signal(signal.SIGHUP)
                _wait_for_epochs(service, models + 1)
                measured["change_s"] = time.perf_counter() - began
        else:
            file.write_text(file.read_text() + CHANGED)
        return measured | {"models_touched": _touched(former, load(service))}


def _check(service: Path) -> None:
    with redirect_stdout(io.StringIO()):
        execute(["check", str(service), "--json"])


def _took(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


@contextmanager
def _serving(service: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A service, from when it is ready until it has ended."""
    log = (service.parent / "log").open("ab")
    process = subprocess.Popen([*LEEWAY, "run", str(service)], cwd=service.parent, stderr=log, stdout=log)
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}/-/ready")
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)
        log.close()


def _wait_for_epochs(service: Path, count: int) -> None:
    """Wait until so many configurations have come into force: each that does is a line of the log."""
    deadline_s = time.monotonic() + PATIENCE_S
    while (service.parent / "log").read_text().count(IN_FORCE) < count:
        if time.monotonic() > deadline_s:
            raise RuntimeError("a configuration does not come into force")
        time.sleep(0.02)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=10):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the service is not ready: exit code {process.poll()}")


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _touched(former: Configuration, current: Configuration) -> int:
    """How many models do not go on as they were: whose windows, or whose panes, are another configuration's."""
    watches = [{name: compile_watch(each, name) for name in each.models} for each in (former, current)]
    hashes = [{name: (watch.config_hash, watch.fold_hash) for name, watch in each.items()} for each in watches]
    return sum(hashes[0][name] != hashes[1][name] for name in hashes[0])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what was measured, then the same as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.config")
    parser.add_argument("--models", type=int, default=1_000)
    parser.add_argument("--features", type=int, default=200)
    parser.add_argument("--files-only", action="store_true", help="start no service")
    options = parser.parse_args(arguments)
    measured = measure(options.models, options.features, serve=not options.files_only)
    for name, value in measured.items():
        print(f"{name:18}{value:12,.2f}")
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
