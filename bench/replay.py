"""Events per second through the whole path on one core, beside a river pipeline that reads the same file.

Run with ``python -m bench replay``. Ours is what ``leeway replay`` does, with the memory store: lines are read,
decoded, checked, cleared of duplicates, put into panes of the default windowed rules, seen by ADWIN and Page–Hinkley on
every number, windows are judged and rows stored. River's pipeline is what one writes by hand for less: ``json.loads``,
then for every number ADWIN, Page–Hinkley and a count in a bin of fixed width. It is slow, so it reads a prefix.

Rounds of both alternate. Compiled code comes from the disk cache, after a round that is not counted. The command's own
figure is that of a whole process, from its start to its end.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from river import drift

from bench.events import FEATURES, LEEWAY, configure, write_events
from monitor.config import Configuration, load
from monitor.logs import warn_on_stderr
from monitor.replay import Replay, assign_files
from monitor.sources.files import FileSource
from sinks.store.memory import MemoryStore

__all__ = ["measure", "replay_once", "report"]

BINS_PER_UNIT = 4


def replay_once(configuration: Configuration, files: list[Path], batch: int = 50_000) -> tuple[float, dict[str, int]]:
    """Replay files; returns seconds and what was counted."""
    store = MemoryStore()
    start = time.perf_counter()
    source = FileSource(assign_files(configuration, map(str, files)))
    done = Replay(configuration, store, source).run(batch)
    seconds = time.perf_counter() - start
    counted = done.counters
    return seconds, {
        "events": counted.events,
        "findings": counted.findings,
        "windows": done.windows,
        "scores": done.scores,
        "fired": done.fired,
    }


def river_once(path: Path, count: int) -> float:
    """River's detectors in a loop over the first ``count`` events; returns seconds."""
    start = time.perf_counter()
    make: Any = drift
    adwin = {name: make.ADWIN() for name in FEATURES}
    page_hinkley = {name: make.PageHinkley() for name in FEATURES}
    counts: dict[str, Counter[int]] = {name: Counter() for name in FEATURES}
    countries: Counter[str] = Counter()
    drifts = 0
    with path.open("rb") as file:
        for line in islice(file, count):
            event = json.loads(line)
            countries[event["country"]] += 1
            for name in FEATURES:
                x = event[name]
                adwin[name].update(x)
                page_hinkley[name].update(x)
                counts[name][int(x * BINS_PER_UNIT // 1)] += 1
                drifts += adwin[name].drift_detected + page_hinkley[name].drift_detected
    return time.perf_counter() - start


def command_once(configuration: Path, path: Path) -> float:
    """``leeway replay`` as a process of its own; returns seconds."""
    start = time.perf_counter()
    command = [*LEEWAY, "replay", str(configuration), "--events", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def measure(events: int = 400_000, river_events: int = 10_000, rounds: int = 5) -> dict[str, float]:
    """Measure all in turn on one core.

    Returns
    -------
    dict
        Events per second, best and median of the rounds, the ratio of the medians, and what the replay counted.
    """
    cores = _pin()
    try:
        with tempfile.TemporaryDirectory() as folder:
            path, model = Path(folder) / "events.jsonl", configure(Path(folder))
            write_events(path, events)
            configuration = load(model)
            counted = replay_once(configuration, [path])[1]
            ours, rivers, commands = [], [], []
            for _ in range(rounds):
                ours.append(events / replay_once(configuration, [path])[0])
                rivers.append(river_events / river_once(path, river_events))
                commands.append(events / command_once(model, path))
            bytes_each = path.stat().st_size / events
    finally:
        _unpin(cores)
    return {
        "leeway_best": max(ours),
        "leeway_median": median(ours),
        "command_best": max(commands),
        "command_median": median(commands),
        "river_best": max(rivers),
        "river_median": median(rivers),
        "ratio_best": max(ours) / max(rivers),
        "ratio_median": median(ours) / median(rivers),
        "bytes_per_event": bytes_each,
        "rounds": rounds,
        **counted,
    }


def report(found: dict[str, float]) -> list[str]:
    """Lines for people."""
    names = {
        "leeway": "leeway: replay into the memory store",
        "command": "leeway: the same as a command, with start",
        "river": "river: ADWIN, Page-Hinkley, bins in a loop",
    }
    head = f"one core, {found['bytes_per_event']:.0f} bytes an event, {len(FEATURES)} numbers and a category"
    rates = [f"{names[key]:44}{found[f'{key}_best']:12,.0f}{found[f'{key}_median']:12,.0f}" for key in names]
    ratio = f"{'leeway / river':44}{found['ratio_best']:11.1f}x{found['ratio_median']:11.1f}x"
    counted = ", ".join(f"{found[name]:,} {name}" for name in ("events", "windows", "scores", "findings"))
    return [f"{head}; {found['rounds']} rounds", f"{'events/s':44}{'best':>12}{'median':>12}", *rates, ratio, counted]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, then all figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.replay")
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--river-events", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    warn_on_stderr()
    found = measure(options.events, options.river_events, options.rounds)
    print(*report(found), json.dumps(found), sep="\n")


def _pin() -> set[int] | None:
    """Stay on one core where the system can do that; returns the cores there were."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    return cores


def _unpin(cores: set[int] | None) -> None:
    if cores is not None:
        os.sched_setaffinity(0, cores)


if __name__ == "__main__":
    main()
