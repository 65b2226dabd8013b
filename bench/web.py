"""What the API does under many clients: how long a probe waits beside idle streams of alerts, and what those cost.

``python -m bench.web`` starts a service with a chDB store, opens streams that nothing happens on, and asks ``/healthz``
meanwhile. CPU time is the service's own.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

STREAMS = (0, 300, 1_000)
PROBES, IDLE_S = 50, 10.0

SERVICE = """
apiVersion: leeway/v1
kind: Service
spec:
  models: [model.yaml]
  store: {kind: chdb, path: store}
  api: {port: 0, max_streams: 2000}
  ingest_log: ingest.log
"""
MODEL = """
apiVersion: leeway/v1
kind: Model
metadata: {name: fraud}
spec:
  sources: [{http: fraud}]
  schema: {features: {amount: {type: numeric}}}
"""


@contextmanager
def service(folder: Path, more: str = "") -> Iterator[tuple[str, int]]:
    """A running service: its address, and the id of its process."""
    (folder / "leeway.yaml").write_text(SERVICE + more)
    (folder / "model.yaml").write_text(MODEL)
    command = [str(Path(sys.executable).with_name("leeway")), "run", "leeway.yaml"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        try:
            line = next(line for line in running.stderr if "listening on" in line)
            yield line.split()[-1], running.pid
        finally:
            running.terminate()
            running.stderr.read()


def idle_stream(url: str) -> socket.socket:
    """A stream on which nothing happens, once its first event is there."""
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.sendall(b"GET /v1/alerts/stream HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n")
    return connection


def streams(count: int) -> dict[str, Any]:
    """How a probe fares beside so many idle streams."""
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as (url, pid), ExitStack() as open_streams:
        for connection in [open_streams.enter_context(idle_stream(url)) for _ in range(count)]:
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        waited_s, before_s = probe(url), cpu_s(pid)
        time.sleep(IDLE_S)
        return {
            "streams": count,
            "healthz_median_ms": round(waited_s[len(waited_s) // 2] * 1000, 1),
            "healthz_longest_ms": round(waited_s[-1] * 1000, 1),
            "cores": round((cpu_s(pid) - before_s) / IDLE_S, 3),
        }


def probe(url: str, path: str = "/healthz", count: int = PROBES) -> list[float]:
    """How long probes wait, each on a connection of its own, the shortest first."""
    waited_s = []
    for _ in range(count):
        began_s = time.perf_counter()
        connection = HTTPConnection(url.removeprefix("http://"), timeout=120)
        connection.request("GET", path)
        assert connection.getresponse().status == 200
        connection.close()
        waited_s.append(time.perf_counter() - began_s)
    return sorted(waited_s)


def cpu_s(pid: int) -> float:
    """CPU time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, nargs="*", default=STREAMS)
    options = parser.parse_args(arguments)
    rows = [streams(count) for count in options.streams]
    for row in rows:
        print(*(f"{name} {value}" for name, value in row.items()), sep="  ")
    print(json.dumps({"streams": rows}))


if __name__ == "__main__":
    main()
