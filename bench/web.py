"""What the API does under many clients: idle streams of alerts, very many posted alerts, comparisons of long spans.

``python -m bench.web`` starts a service with a chDB store. Beside streams that nothing happens on it asks ``/healthz``;
once alerts were posted it asks for the lists that show them, and ends the service; two halves of 44 days are compared
several times at once. CPU time and memory are the service's own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np

from monitor.check import load
from monitor.values import DAY_MS
from monitor.watch import compile_watch
from sinks.store import open_store
from sinks.store.contract import TABLES

STREAMS = (0, 300, 1_000)
PROBES, IDLE_S = 50, 10.0
POSTED, BLOCK, NAMES = (1_000, 10_000, 50_000), 5_000, 100
COMPARED = (1, 4)
FAR = "2099-01-01T00:00:00Z"
LISTS = (
    "/v1/incidents",
    "/api/v2/alerts",
    "/api/v2/alerts?filter=alertname=Disk7",
    "/api/v2/alerts/groups",
    "/v1/alerts",
)

SERVICE = """
apiVersion: leeway/v1
kind: Service
spec:
  models: [model.yaml]
  store: {kind: chdb, path: store}
  api: {port: 0, max_streams: 2000, max_connections: 3000}
  ingest_log: ingest.log
  receivers: [{kind: log}]
  alerting:
    route: {receiver: log, group_by: [alertname], group_wait: 1s, group_interval: 10s, repeat_interval: 4h}
"""
SIGNALS, DAYS, CELLS, HOUR_MS = 100, 44, 300, 3_600_000
MODEL = """
apiVersion: leeway/v1
kind: Model
metadata: {name: fraud}
spec:
  sources: [{http: fraud}]
  schema:
    features:
""" + "".join(f"      f{number}: {{type: numeric}}\n" for number in range(SIGNALS))


@contextmanager
def service(folder: Path, more: str = "") -> Iterator[tuple[str, int]]:
    """A running service: its address, and the id of its process."""
    (folder / "leeway.yaml").write_text(SERVICE + more)
    (folder / "model.yaml").write_text(MODEL)
    command = [str(Path(sys.executable).with_name("leeway")), "run", "leeway.yaml"]
    log = folder / "log"
    with log.open("w") as writing, subprocess.Popen(command, cwd=folder, stderr=writing) as running:
        try:
            while "listening on" not in log.read_text():
                assert running.poll() is None, log.read_text()
                time.sleep(0.05)
            yield re.findall(r"listening on (\S+)", log.read_text())[0], running.pid
        finally:
            running.terminate()


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


def posted(count: int) -> dict[str, Any]:
    """How long questions take with so many posted alerts that fire, and the end of the service."""
    with tempfile.TemporaryDirectory() as folder:
        figures: dict[str, Any] = {"posted": count}
        with service(Path(folder)) as (url, pid):
            began_s = time.perf_counter()
            for first in range(0, count, BLOCK):
                post(url, [one_alert(number) for number in range(first, min(first + BLOCK, count))])
            figures["post_s"] = round(time.perf_counter() - began_s, 2)
            while firing(url) < count:
                time.sleep(1)
            figures["known_s"] = round(time.perf_counter() - began_s, 2)
            for path in LISTS:
                figures[path] = round(min(timed(url, path) for _ in range(3)), 3)
            figures["rss_mb"] = rss_mb(pid)
            began_s = time.perf_counter()
        figures["end_s"] = round(time.perf_counter() - began_s, 1)
        return figures


def compared(count: int) -> dict[str, Any]:
    """What so many comparisons at once take."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder)
        half_ms, end_ms = DAYS // 2 * DAY_MS, DAYS * DAY_MS
        path = f"/v1/compare?model=fraud&from={half_ms}&to={end_ms}&against_from=0&against_to={half_ms}"
        with service(folder) as (url, pid), ThreadPoolExecutor(count) as clients:
            before_mb, began_s = rss_mb(pid), time.perf_counter()
            statuses = list(clients.map(lambda _: status(url, path), range(count)))
            return {
                "at_once": count,
                "statuses": statuses,
                "all_s": round(time.perf_counter() - began_s, 1),
                "rss_mb_before": before_mb,
                "rss_mb_peak": rss_mb(pid, "VmHWM"),
            }


def fill(folder: Path) -> None:
    """Store a pane in each hour, of all signals and days."""
    (folder / "leeway.yaml").write_text(SERVICE)
    (folder / "model.yaml").write_text(MODEL)
    watch = compile_watch(load(folder / "leeway.yaml"), "fraud")
    store = open_store("chdb", str(folder / "store"))
    store.migrate()
    rng = np.random.default_rng(7)
    signals = [f"feature:f{number}" for number in range(SIGNALS)]
    for day in range(DAYS):
        starts_ms = [day * DAY_MS + hour * HOUR_MS for hour in range(24) for _ in signals]
        rows = len(starts_ms)
        columns: dict[str, Any] = {
            "signal": signals * 24,
            "layout": [watch.layouts[signal].id for signal in signals] * 24,
            "pane_start_ms": starts_ms,
            "cells": [np.arange(CELLS)] * rows,
            "counts": list(rng.integers(1, 100, (rows, CELLS))),
            "n": [CELLS] * rows,
            **{name: ["fraud"] * rows for name in ("model", "topic")},
            "pane_ms": [10_000] * rows,
        }
        empty: dict[str, Any] = {
            "str": "",
            "int": 0,
            "float": 0.0,
            "bytes": b"",
            "ints": np.zeros(0, np.int64),
            "strs": [],
        }
        whole = {c.name: columns.get(c.name, [empty[c.kind]] * rows) for c in TABLES["panes"].columns}
        store.append("panes", whole, token=f"day {day}")
    store.close()


def status(url: str, path: str) -> int:
    """What a question is answered with, its answer read."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=600)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def one_alert(number: int) -> dict[str, Any]:
    """An alert as Prometheus posts it."""
    labels = {
        "alertname": f"Disk{number % NAMES}",
        "instance": f"host-{number}:9100",
        "severity": "warning",
        "job": "node",
    }
    return {"labels": labels, "annotations": {"summary": f"disk of host-{number} is full"}, "endsAt": FAR}


def post(url: str, alerts: list[dict[str, Any]]) -> None:
    """Post alerts; those that are refused end the bench."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=300)
    connection.request("POST", "/api/v2/alerts", json.dumps(alerts), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()[:1000]
    connection.close()


def firing(url: str) -> int:
    """How many alerts fire, by their transitions."""
    return int(json.loads(answered(url, "/v1/alerts/summary"))["firing"])


def timed(url: str, path: str) -> float:
    """How long an answer takes, read whole."""
    began_s = time.perf_counter()
    answered(url, path)
    return time.perf_counter() - began_s


def answered(url: str, path: str) -> bytes:
    """What is answered."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=600)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, body[:1000]
    connection.close()
    return body


def rss_mb(pid: int, which: str = "VmRSS") -> int:
    """Memory of a process."""
    return int(re.findall(which + r":\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0]) // 1024


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
    parser.add_argument("--posted", type=int, nargs="*", default=POSTED)
    parser.add_argument("--compared", type=int, nargs="*", default=COMPARED)
    options = parser.parse_args(arguments)
    found: dict[str, list[dict[str, Any]]] = {}
    for name, measure in (("streams", streams), ("posted", posted), ("compared", compared)):
        for count in getattr(options, name):
            found.setdefault(name, []).append(figures := measure(count))
            print(*(f"{key} {value}" for key, value in figures.items()), sep="  ", flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
