"""Many posted alerts, beside Alertmanager in the same run: ``python -m bench.posted --alerts 50000``.

Both programs get the same alerts over HTTP, by 500, and then the same again, as from a Prometheus. Printed are the CPU
that this takes until all groups were notified, what an idle program takes, its memory, and how long it takes to read
one alert. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.services.alertmanager import program
from tests.services.processes import free_port

__all__ = ["measure"]

BATCH, READS = 500, 5
IDLE_S, PATIENCE_S = 20.0, 600.0
CONFIGURATION = """\
route: {receiver: none, group_by: [alertname], group_wait: 1s, group_interval: 5m}
receivers: [{name: none}]
"""


def measure(command: Sequence[str], address: str, alerts: int) -> dict[str, float]:
    """Return CPU in seconds, memory in MB, and how long a read takes in ms."""
    with _running([*command, f"--web.listen-address={address}"]) as process, httpx.Client(timeout=PATIENCE_S) as client:
        url = f"http://{address}"
        _wait(lambda: _is_ready(client, url))
        start_s = _cpu_s(process.pid)
        for _ in range(2):
            for first in range(0, alerts, BATCH):
                client.post(f"{url}/api/v2/alerts", json=_batch(first, min(first + BATCH, alerts))).raise_for_status()
        _settle(process.pid)
        taken_s, idle_s = _cpu_s(process.pid) - start_s, _cpu_s(process.pid)
        threading.Event().wait(IDLE_S)
        idle = (_cpu_s(process.pid) - idle_s) / IDLE_S
        reads = [_read_ms(client, url) for _ in range(READS)]
        return {
            "cpu_s": taken_s,
            "idle_share": idle,
            "rss_mb": _rss_mb(process.pid),
            "read_one_ms": statistics.median(reads),
        }


@contextmanager
def _running(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _batch(first: int, end: int) -> list[dict[str, Any]]:
    until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    return [
        {
            "labels": {"alertname": f"alert{number % 100}", "instance": f"host-{number}", "severity": "warning"},
            "annotations": {"summary": f"the disk of host {number} is full", "runbook": "https://example.org/disk"},
            "startsAt": "2026-01-01T00:00:00Z",
            "endsAt": until,
        }
        for number in range(first, end)
    ]


def _settle(pid: int) -> None:
    """Wait until the program does little."""
    before_s = _cpu_s(pid)
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        threading.Event().wait(5.0)
        before_s, spent_s = _cpu_s(pid), _cpu_s(pid) - before_s
        if spent_s < 1.0:
            return


def _read_ms(client: httpx.Client, url: str) -> float:
    start_s = time.perf_counter()
    answer = client.get(f"{url}/api/v2/alerts", params={"filter": 'instance="host-77"'})
    assert len(answer.json()) == 1, answer.text
    return (time.perf_counter() - start_s) * 1000


def _is_ready(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/-/ready").is_success
    except httpx.TransportError:
        return False


def _wait(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError("the program does not answer")
        threading.Event().wait(0.1)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what both programs take, then the same as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.posted")
    parser.add_argument("--alerts", type=int, default=50_000)
    options = parser.parse_args(arguments)
    commands = {
        "alertmanager": [str(program("alertmanager"))],
        "leeway": [sys.executable, "-m", "bench.alertmanager_launcher"],
    }
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="leeway-posted-") as folder:
        file = Path(folder) / "alertmanager.yml"
        file.write_text(CONFIGURATION)
        for name, command in commands.items():
            data = Path(folder) / name
            data.mkdir()
            flags = [f"--config.file={file}", f"--storage.path={data}", "--cluster.listen-address="]
            found[name] = measure([*command, *flags], f"127.0.0.1:{free_port()}", options.alerts)
    print(f"{options.alerts:,} posted alerts, each posted twice")
    for figure in ("cpu_s", "idle_share", "rss_mb", "read_one_ms"):
        print(f"{figure:14}" + "".join(f"{name} {figures[figure]:10.3f}   " for name, figures in found.items()))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
