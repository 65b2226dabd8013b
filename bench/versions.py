"""What a version that is new in every event costs: memory while it is read and evaluated, and after a restart.

Each case is a process of its own. It replays events into an embedded store, a second of event time apart, all of one
version or each of its own; another process then goes on from the checkpoints. Printed are the resident memory of both
at their end, how long they took, and how many versions have a place. The last line is JSON.

Run ``python -m bench versions``; ``python -m bench.versions --versions 20000`` makes it shorter.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from monitor.config import load
from monitor.logs import warn_on_stderr
from monitor.memory import keep_freed
from monitor.replay import Replay
from monitor.sources.files import FileSource
from sinks.store import open_store
from sinks.store.contract import Query

__all__ = ["main"]

START_MS = 1_704_067_200_000
MODEL = """\
apiVersion: leeway/v1
kind: Model
metadata: {name: bench}
spec:
  sources: [{kafka: events, event_time: {path: ts, unit: ms}, allowed_lateness: 10s, max_ahead: 1h}]
  schema: {version: version, features: {x: {type: numeric}}}
  detect: {rules: [{on: "feature:x", use: [adwin]}]}
"""
CASES = ("one version", "a version in every event")


def main() -> None:
    """Run every case, or one in this process."""
    parser = argparse.ArgumentParser(prog="python -m bench.versions", description=__doc__)
    parser.add_argument("--versions", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    warn_on_stderr()
    if options.folder is not None:
        print(json.dumps(_replayed(options.folder)))
        return
    figures = {}
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), options.versions, each=case == CASES[1])
            for run in ("read", "restarted"):
                figures[f"{case}, {run}"] = _run(Path(folder))
                print(f"{case}, {run}: {figures[f'{case}, {run}']}", flush=True)
    print(json.dumps({"versions": options.versions, **figures}))


def _write(folder: Path, count: int, *, each: bool) -> None:
    (folder / "bench.yaml").write_text(MODEL)
    with (folder / "events.jsonl").open("w") as file:
        for number in range(count):
            version = f"request-{number:08d}" if each else "v1"
            event = {"ts": START_MS + number * 1_000, "version": version, "x": number * 7919 % 1000 / 1000}
            file.write(json.dumps(event) + "\n")


def _run(folder: Path) -> dict[str, Any]:
    run = [sys.executable, "-m", "bench.versions", "--folder", str(folder)]
    printed = subprocess.run(run, stdout=subprocess.PIPE, check=True, text=True).stdout
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


def _replayed(folder: Path) -> dict[str, Any]:
    keep_freed()
    began_s = time.perf_counter()
    with closing(open_store("chdb", path=str(folder / "store"))) as store:
        store.migrate()
        source = FileSource({"events": [folder / "events.jsonl"]})
        Replay(load(folder / "bench.yaml"), store, source).run(batch=2_000, checkpoint_every=20_000)
        rss_mib = _resident_mib()
        versions = len(set(store.read(Query("panes", {"model": "bench"}, columns=("version",)))["version"]))
    return {"seconds": round(time.perf_counter() - began_s, 1), "rss_mib": rss_mib, "versions": versions}


def _resident_mib() -> int:
    status = Path("/proc/self/status").read_text()
    (resident,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(resident.split()[1]) // 1024


if __name__ == "__main__":
    main()
