"""How long the common questions about drift history take, over HTTP, from a store of ten million scores.

Fills an embedded store with the scores of 4,000 series (20 models of 200 signals, 15-minute windows), alerts, and a
day of panes of one model; starts `leeway run` on it, and asks each question with other models, signals and times every
time, one after the other over one connection, by another process than the one that answers.

Run ``python -m bench.history``; ``--rows`` makes the store smaller, ``--at FOLDER`` keeps it for the next run. Beside
the times it prints how busy other programs kept the machine, and what the service takes while nobody asks. The last
line is JSON.

Times of two runs cannot be compared on a machine that does other work: ``--beside CHECKOUT``, another version with an
environment of its own in `.venv`, lets both answer each question, in turn and from copies of one store, and prints the
ratios of this version's times to the other's.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from bench.rows import MINUTE_MS, START_MS, alerts, panes, scores
from sinks.store import open_store
from sinks.store.sqlstore import SqlStore
from sinks.store.upkeep import merge

Floats = NDArray[np.float64]

MODELS, SIGNALS, WINDOW_MS = 20, 200, 15 * MINUTE_MS
BLOCK = 100_000
ROLL_UPS = ("scores_1h", "scores_1d", "drifts_1h")
DAY_MS = 1440 * MINUTE_MS
WARM_UP = 5
IDLE_S = 5.0
"""How long the service is watched while nobody asks."""
MODEL = """\
apiVersion: leeway/v1
kind: Model
metadata: {{name: {model}, namespace: team-{team}}}
spec:
  sources: [{{http: {model}, event_time: ts}}]
  schema:
    features: {{{features}}}
  detect: {{defaults: {{window: 15m}}, rules: [{{on: "*", use: [psi, ks]}}]}}
"""
SERVICE = """\
apiVersion: leeway/v1
kind: Service
spec: {store: {kind: chdb, path: store}, ingest_log: ingest.log, api: {port: 0}}
"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.history", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="scores in the store")
    parser.add_argument("--requests", type=int, default=300, help="of each question")
    parser.add_argument("--at", type=Path, help="a folder that keeps the store for the next run, or has one of before")
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="another version to compare with")
    options = parser.parse_args(arguments)
    windows = max(1, options.rows // (MODELS * SIGNALS))
    if options.beside:
        with tempfile.TemporaryDirectory() as temporary:
            print(json.dumps(beside(options.beside.absolute(), Path(temporary), windows, options.requests)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        path = options.at or Path(temporary)
        if not (path / "filled").exists():
            filled_s = fill(path, windows)
            print(f"{windows * MODELS * SIGNALS:,} scores of {MODELS * SIGNALS:,} series, filled in {filled_s:.0f} s")
        with service(path) as (url, pid):
            print(f"the service takes {idle_cores(pid):.3f} of a core while nobody asks", flush=True)
            found = {"scores": windows * MODELS * SIGNALS} | measure(url, pid, windows, options.requests)
    print(json.dumps(found))


def fill(path: Path, windows: int) -> float:
    """Write configuration and rows; return the seconds that the rows took."""
    (path / "models").mkdir(parents=True)
    (path / "leeway.yaml").write_text(SERVICE)
    features = ", ".join(f"f{number:03d}: {{type: numeric, range: [0, 1]}}" for number in range(SIGNALS))
    for number in range(MODELS):
        text = MODEL.format(model=model_name(number), team=number % 4, features=features)
        (path / "models" / f"{model_name(number)}.yaml").write_text(text)
    start = time.perf_counter()
    store = open_store("chdb", path=str(path / "store"))
    per_model = windows * SIGNALS
    blocks = [(number, first) for first in range(0, per_model, BLOCK) for number in range(MODELS)]
    for number, first in track(blocks, "scores", transient=True, disable=not sys.stderr.isatty()):
        block = scores(model_name(number), SIGNALS, WINDOW_MS, first, min(BLOCK, per_model - first))
        store.append("scores", block, f"{number}/{first}")
    for number in range(MODELS):
        store.append("alerts", alerts(model_name(number), windows * WINDOW_MS), f"alerts/{number}")
    minutes = min(windows * WINDOW_MS, DAY_MS) // MINUTE_MS
    first_ms = START_MS + windows * WINDOW_MS - minutes * MINUTE_MS
    for first in range(0, minutes * SIGNALS, BLOCK):
        block = panes(model_name(0), SIGNALS, first_ms, first, min(BLOCK, minutes * SIGNALS - first))
        store.append("panes", block, f"{first}")
    assert isinstance(store, SqlStore)
    store.refresh(0)  # as the service's job would have done by and by
    for table in ROLL_UPS:  # as the engine does within six hours (0014_merged.sql)
        merge(store, table)
    store.close()
    (path / "filled").touch()
    return time.perf_counter() - start


def model_name(number: int) -> str:
    return f"model-{number:02d}"


@contextmanager
def service(path: Path, python: Sequence[str] = (sys.executable,)) -> Iterator[tuple[str, int]]:
    """Run `leeway run` and yield its address and its process."""
    command = [*python, "-c", "from monitor.cli import main; main()", "run", str(path / "leeway.yaml")]
    log = path / "service.log"
    with log.open("w") as stderr, subprocess.Popen(command, cwd=path, stderr=stderr) as process:
        try:
            while not (match := re.search(r"listening on (\S+)", log.read_text())):
                if process.poll() is not None:
                    raise RuntimeError(f"the service did not start: {log.read_text()}")
                time.sleep(0.1)
            yield match[1], process.pid
        except httpx.HTTPStatusError as error:
            process.terminate()
            process.wait()
            raise RuntimeError(f"{error.response.text}\n{log.read_text()[-4000:]}") from error
        finally:
            process.terminate()


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has taken so far, as Linux counts them."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_s() -> float:
    """Seconds of processor time that all programs together have taken so far."""
    user, nice, system, _, _, *others = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    return (user + nice + system + sum(others[:2])) / os.sysconf("SC_CLK_TCK")


def idle_cores(pid: int) -> float:
    """How much of a core the service takes while nobody asks."""
    start, before = time.perf_counter(), cpu_s(pid)
    time.sleep(IDLE_S)
    return (cpu_s(pid) - before) / (time.perf_counter() - start)


def questions(windows: int) -> dict[str, Callable[[random.Random], tuple[str, dict[str, Any]]]]:
    end_ms = START_MS + windows * WINDOW_MS

    def signal(draw: random.Random) -> str:
        return f"feature:f{draw.randrange(SIGNALS):03d}"

    def model(draw: random.Random) -> str:
        return model_name(draw.randrange(MODELS))

    def until(draw: random.Random) -> int:
        return end_ms - draw.randrange(min(windows, 48)) * WINDOW_MS

    def history(draw: random.Random) -> tuple[str, dict[str, Any]]:
        to_ms = until(draw)
        where = {"model": model(draw), "signal": signal(draw), "from": to_ms - 30 * DAY_MS, "to": to_ms}
        return "/v1/history", {**where, "step": "auto"}

    def top_of_model(draw: random.Random) -> tuple[str, dict[str, Any]]:
        to_ms = until(draw)
        return "/v1/top", {"model": model(draw), "from": to_ms - DAY_MS, "to": to_ms, "limit": 20}

    def top_of_namespace(draw: random.Random) -> tuple[str, dict[str, Any]]:
        to_ms, team = until(draw), f"team-{draw.randrange(4)}"
        return "/v1/top", {"namespace": team, "from": to_ms - 7 * DAY_MS, "to": to_ms, "limit": 20}

    def state(draw: random.Random) -> tuple[str, dict[str, Any]]:
        return f"/v1/models/{model(draw)}", {}

    def protection(draw: random.Random) -> tuple[str, dict[str, Any]]:
        return "/v1/series", {"model": model(draw)}

    def raised(draw: random.Random) -> tuple[str, dict[str, Any]]:
        to_ms = until(draw)
        return "/v1/alerts", {"model": model(draw), "from": to_ms - 7 * DAY_MS, "to": to_ms, "limit": 100}

    def compare(draw: random.Random) -> tuple[str, dict[str, Any]]:
        to_ms = end_ms - draw.randrange(1, 12) * 60 * MINUTE_MS
        hour = 60 * MINUTE_MS
        sides = {"from": to_ms - hour, "to": to_ms, "against_from": to_ms - 2 * hour, "against_to": to_ms - hour}
        return "/v1/compare", {"model": model_name(0), **sides, "limit": 20}

    return {
        "a signal over 30 days": history,
        "top drift of a model, a day": top_of_model,
        "top drift of a namespace, a week": top_of_namespace,
        "a model's state now": state,
        "what protects a model, since when": protection,
        "a model's alerts of a week": raised,
        "an hour against the one before, 200 signals": compare,
    }


def measure(url: str, pid: int, windows: int, requests: int) -> dict[str, float]:
    """Ask every question ``requests`` times; milliseconds at the client, and of processor time of the service."""
    found: dict[str, float] = {}
    draw = random.Random(1)
    with httpx.Client(base_url=url, timeout=60) as client:
        for name, question in questions(windows).items():
            times_ms, size = [], 0
            for number in range(requests + WARM_UP):
                path, parameters = question(draw)
                if number == WARM_UP:
                    machine = _Machine(pid)
                start = time.perf_counter()
                answer = client.get(path, params=parameters)
                elapsed_ms = (time.perf_counter() - start) * 1e3
                answer.raise_for_status()
                if number == 0:
                    found[f"{name}: first"] = round(elapsed_ms, 2)
                elif number >= WARM_UP:
                    times_ms.append(elapsed_ms)
                size = len(answer.content)
            p50, p99 = np.percentile(times_ms, [50, 99]).round(2).tolist()
            found |= {f"{name}: p50": p50, f"{name}: p99": p99}
            print(
                f"{name:44} p50 {p50:8.2f} ms  p99 {p99:8.2f} ms  {size:9,} bytes  {machine.said(requests)}", flush=True
            )
    return found


def beside(checkout: Path, folder: Path, windows: int, requests: int) -> dict[str, float]:
    """Ask this version and another one each question in turn; return the ratios of times and of processor time."""
    python = ("env", f"PYTHONPATH={checkout}", str(checkout / ".venv/bin/python"))
    # By the other version, since older ones may refuse the store of a newer one.
    filling = (
        "import pathlib, sys; from bench import history;"
        "windows, history.MODELS, history.SIGNALS = map(int, sys.argv[2:]);"
        "history.fill(pathlib.Path(sys.argv[1]), windows)"
    )
    arguments = [str(folder / "other"), *map(str, (windows, MODELS, SIGNALS))]
    subprocess.run([*python, "-c", filling, *arguments], check=True, cwd=checkout)
    shutil.copytree(folder / "other", folder / "own", symlinks=True)
    found: dict[str, float] = {}
    draw = random.Random(1)
    with service(folder / "own") as own, service(folder / "other", python) as other:
        for name, question in questions(windows).items():
            asked = [question(draw) for _ in range(requests + WARM_UP)]
            ratios = _ratios(_costs_in_turn([own, other], asked))
            found |= {f"{name}: {of}": ratio for of, ratio in ratios.items()}
            said = "  ".join(f"{of} {ratio:.2f}" for of, ratio in ratios.items())
            print(f"{name:44} {said or 'the other version cannot answer'}", flush=True)
    return found


def _costs_in_turn(services: Sequence[tuple[str, int]], asked: Sequence[tuple[str, dict[str, Any]]]) -> Floats:
    """Milliseconds and processor seconds of each answer, float64[services, answers, 2]; none if a service has none."""
    costs = np.empty((len(services), len(asked), 2))
    clients = [httpx.Client(base_url=url, timeout=60) for url, _ in services]
    with ExitStack() as stack:
        for client in clients:
            stack.enter_context(client)
        for number, (path, parameters) in enumerate(asked):
            # Who answers first finds other things in the processor's caches than who answers second.
            for index in (range(len(services)), reversed(range(len(services))))[number % 2]:
                pid, start, cpu = services[index][1], time.perf_counter(), cpu_s(services[index][1])
                answer = clients[index].get(path, params=parameters)
                costs[index, number] = (time.perf_counter() - start) * 1e3, cpu_s(pid) - cpu
                if answer.status_code == httpx.codes.NOT_FOUND:
                    return costs[:, :0]
                answer.raise_for_status()
    return costs[:, WARM_UP:]


def _ratios(costs: Floats) -> dict[str, float]:
    """What the first service takes as a multiple of the second: at best, in the middle, pair by pair, of processors."""
    if not costs.shape[1]:
        return {}
    (own_ms, other_ms), cpu = costs[:, :, 0], costs[:, :, 1].sum(axis=1)
    ratios = {
        "best": own_ms.min() / other_ms.min(),
        "p50": np.median(own_ms) / np.median(other_ms),
        "paired": np.median(own_ms / other_ms),
        # The kernel counts hundredths of a second.
        "cpu": (cpu[0] + 0.01) / (cpu[1] + 0.01),
    }
    return {of: round(float(ratio), 3) for of, ratio in ratios.items()}


class _Machine:
    """What the service and other programs take from now on."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._start_s, self._cpu_s, self._busy_s, self._own_s = self._now()

    def _now(self) -> tuple[float, float, float, float]:
        return time.perf_counter(), cpu_s(self._pid), busy_s(), time.process_time()

    def said(self, requests: int) -> str:
        """Say what the service took for each request, what it does by itself included, and what other programs took."""
        now_s, cpu, busy, own = self._now()
        cpu_ms = (cpu - self._cpu_s) / requests * 1e3
        others_s = (busy - self._busy_s) - (cpu - self._cpu_s) - (own - self._own_s)
        return f"cpu {cpu_ms:6.2f} ms  others {max(others_s, 0.0) / (now_s - self._start_s):.2f} cores"


if __name__ == "__main__":
    main()
