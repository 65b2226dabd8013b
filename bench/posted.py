"""Many posted alerts, beside Alertmanager in the same run: ``python -m bench.posted --alerts 50000 100000``.

Both programs get the same alerts over HTTP, by 500, and then the same again, as from a Prometheus. Printed are the CPU
that this takes until all groups were notified, what an idle program takes, its memory before and after it was asked,
how long it takes to answer with one alert, with all of them and with all groups, and to end. Leeway alone is asked for
incidents. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml

from bench.alertmanager_launcher import service
from bench.events import LEEWAY
from tests.services.alertmanager import program
from tests.services.processes import free_port

__all__ = ["measure"]

BATCH, READS = 500, 5
IDLE_S, PATIENCE_S = 30.0, 600.0
ROUTES = {
    "route": {"receiver": "none", "group_by": ["alertname"], "group_wait": "1s", "group_interval": "5m"},
    "receivers": [{"name": "none"}],
}
ONE = '/api/v2/alerts?filter=instance%3D"host-77"'
READ = {"one_ms": ONE, "all_ms": "/api/v2/alerts", "groups_ms": "/api/v2/alerts/groups"}
INCIDENTS = {"incidents_ms": "/v1/incidents"}
UNITS = {
    "cpu_s": "s of CPU to take them twice",
    "idle_cores": "of a core while idle",
    "rss_mb": "MB before it is asked",
    "rss_asked_mb": "MB after it was asked",
    "one_ms": "ms: one alert",
    "all_ms": "ms: all alerts",
    "groups_ms": "ms: all groups",
    "incidents_ms": "ms: incidents, the first page",
    "end_s": "s from SIGTERM to the end",
}

Samples = dict[str, list[float]]


def measure(command: Sequence[str], address: str, alerts: int, asked: dict[str, str]) -> Samples:
    """Return what a program takes, each figure as often as it was taken."""
    url = f"http://{address}"
    with _running(command) as process, httpx.Client(timeout=PATIENCE_S) as client:
        _wait(lambda: _is_ready(client, url))
        start_s = _cpu_s(process.pid)
        for _ in range(2):
            for first in range(0, alerts, BATCH):
                client.post(f"{url}/api/v2/alerts", json=_batch(first, min(first + BATCH, alerts))).raise_for_status()
        _settle(process.pid)
        samples = {"cpu_s": [_cpu_s(process.pid) - start_s]}
        idle_from_s = _cpu_s(process.pid)
        threading.Event().wait(IDLE_S)
        samples["idle_cores"] = [(_cpu_s(process.pid) - idle_from_s) / IDLE_S]
        samples["rss_mb"] = [_rss_mb(process.pid)]
        for name, path in asked.items():
            samples[name] = [_read_ms(client, url + path, 1 if path == ONE else alerts) for _ in range(READS)]
        samples["rss_asked_mb"] = [_rss_mb(process.pid)]
        samples["end_s"] = [_end_s(process)]
        return samples


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


def _read_ms(client: httpx.Client, url: str, alerts: int) -> float:
    start_s = time.perf_counter()
    answer = client.get(url).raise_for_status()
    elapsed_ms = (time.perf_counter() - start_s) * 1000
    assert _count(answer.json()) == alerts, answer.text[:1_000]
    return elapsed_ms


def _count(answer: Any) -> int:
    """How many alerts are in an answer, be it of alerts, groups or incidents."""
    rows = answer["items"] if isinstance(answer, dict) else answer
    return sum(row["alert_count"] if "alert_count" in row else len(row.get("alerts", "1")) for row in rows)


def _end_s(process: subprocess.Popen[bytes]) -> float:
    start_s = time.perf_counter()
    process.terminate()
    process.wait(PATIENCE_S)
    return time.perf_counter() - start_s


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


def _alertmanager(alerts: int) -> Samples:
    with tempfile.TemporaryDirectory(prefix="leeway-posted-") as folder:
        file, address = Path(folder) / "alertmanager.yml", f"127.0.0.1:{free_port()}"
        file.write_text(yaml.safe_dump(ROUTES))
        flags = [f"--config.file={file}", f"--storage.path={folder}/data", f"--web.listen-address={address}"]
        command = [str(program("alertmanager")), *flags, "--cluster.listen-address="]
        return measure(command, address, alerts, READ)


def _leeway(alerts: int) -> Samples:
    with tempfile.TemporaryDirectory(prefix="leeway-posted-") as folder:
        file, address = Path(folder) / "service.yaml", f"127.0.0.1:{free_port()}"
        made = service(ROUTES, address, {"path": str(Path(folder) / "store")})
        made["spec"]["api"]["max_posted_alerts"] = alerts
        file.write_text(yaml.safe_dump(made))
        return measure([*LEEWAY, "run", str(file)], address, alerts, READ | INCIDENTS)


def _table(samples: dict[str, Samples]) -> Iterator[str]:
    """The best of each figure, and its median; and how many times the reference's median Leeway's is."""
    for figure, unit in UNITS.items():
        taken = {name: of_program[figure] for name, of_program in samples.items() if figure in of_program}
        columns = [f"{name} {min(values):10.3f} ({statistics.median(values):10.3f})" for name, values in taken.items()]
        medians = {name: statistics.median(values) for name, values in taken.items()}
        times = f"x{medians['leeway'] / medians['alertmanager']:.1f}" if medians.get("alertmanager") else ""
        yield f"{unit:30}  {'   '.join(columns)}   {times}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what both programs take, then the same as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.posted")
    parser.add_argument("--alerts", type=int, nargs="+", default=[50_000])
    parser.add_argument("--runs", type=int, default=1)
    options = parser.parse_args(arguments)
    all_samples: dict[str, dict[str, Samples]] = {}
    for alerts in options.alerts:
        samples: dict[str, Samples] = {}
        for _ in range(options.runs):
            for name, run in (("alertmanager", _alertmanager), ("leeway", _leeway)):
                for figure, values in run(alerts).items():
                    samples.setdefault(name, {}).setdefault(figure, []).extend(values)
        print(f"{alerts:,} posted alerts, each posted twice: the best (the median)", *_table(samples), sep="\n")
        all_samples[str(alerts)] = samples
    print(json.dumps(all_samples))


if __name__ == "__main__":
    main()
