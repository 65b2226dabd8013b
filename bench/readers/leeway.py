"""Reads a topic as the service does; prints what it cost. Run by :mod:`bench.kafka`."""

from __future__ import annotations

import cProfile
import json
import os
import pstats
import re
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from monitor.clock import SystemClock
from monitor.config import load
from monitor.service import Service

SETTLED_S = 1.0


def main(folder: str, _bootstrap: str, _topic: str, count: str, *flags: str) -> None:
    """Run until all events are read and the last window is judged."""
    service = Service(load(Path(folder) / "leeway.yaml"), SystemClock())
    total, first = int(count), int(count) // 10
    profile = _profiled(service) if "profile" in flags else None
    service.start()
    begun = _wait_for(service, first)
    _wait_for(service, total)
    ended = _settled(service)
    service.stop()
    service.raise_failure()
    events = total - begun["records"]
    parts = {name: 1e6 * (ended["threads"][name] - begun["threads"][name]) / events for name in ended["threads"]}
    ordered = dict(sorted(parts.items(), key=lambda item: -item[1]))
    found = {
        "events": events,
        "cpu_s": ended["cpu_s"] - begun["cpu_s"],
        "wall_s": ended["wall_s"] - begun["wall_s"],
        "whole_cpu_s": time.process_time(),
        "findings": service.counters.findings,
        "windows": sum(service.loop.windows.values()),
        "parts": {name: cost for name, cost in ordered.items() if cost >= 0.005},
    }
    if profile is not None:
        found["profile"] = _costs(profile, total)
    print(json.dumps(found))


def _profiled(service: Service) -> cProfile.Profile:
    """Run the worker under a profiler."""
    worker, profile = service.intake.workers[0], cProfile.Profile()
    run = worker.run
    worker.run = lambda: profile.runcall(run)  # type: ignore[method-assign]
    return profile


def _costs(profile: cProfile.Profile, events: int) -> dict[str, float]:
    """The dearest functions, us an event in each itself."""
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    named = {f"{Path(file).name}:{name}": own for (file, _, name), (_, _, own, _, _) in stats.items()}
    dearest = sorted(named.items(), key=lambda item: -item[1])[:25]
    return {name: 1e6 * own / events for name, own in dearest}


def _sample(service: Service) -> dict[str, Any]:
    return {
        "records": service.counters.records,
        "windows": sum(service.loop.windows.values()),
        "cpu_s": time.process_time(),
        "wall_s": time.perf_counter(),
        "threads": _threads(),
    }


def _wait_for(service: Service, records: int) -> dict[str, Any]:
    while service.counters.records < records:
        service.raise_failure()
        time.sleep(0.02)
    return _sample(service)


def _settled(service: Service) -> dict[str, Any]:
    """The sample of the moment after which no window was judged for a while."""
    last = _sample(service)
    until_s = time.perf_counter() + SETTLED_S
    while time.perf_counter() < until_s:
        time.sleep(0.02)
        if sum(service.loop.windows.values()) > last["windows"]:
            last = _sample(service)
            until_s = time.perf_counter() + SETTLED_S
    return last


def _threads() -> dict[str, float]:
    """CPU seconds by thread, from the system; what is not Python's belongs to the store's engine."""
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    names = {thread.native_id: re.sub(r"[_-]\d.*|-kafka-.*", "", thread.name) for thread in threading.enumerate()}
    found: dict[str, float] = defaultdict(float)
    for task in Path("/proc/self/task").iterdir():
        try:
            text = (task / "stat").read_text()
        except OSError:  # a thread that has ended meanwhile
            continue
        fields = text.rpartition(")")[2].split()
        found[names.get(int(task.name), "store's engine")] += (int(fields[11]) + int(fields[12])) * tick_s
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
