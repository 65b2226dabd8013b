"""How long a replay of a few events takes as a process of its own: with nothing compiled, and with all of it on disk.

Run with ``python -m bench.startup``; the last line is JSON. What is compiled lands in a folder of its own, which is
empty at first and then kept.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.events import LEEWAY, configure, write_events

__all__ = ["measure"]


def measure(events: int = 2_000, rounds: int = 5) -> dict[str, float]:
    """Return seconds: the first process, best and median of those that follow."""
    with tempfile.TemporaryDirectory() as folder:
        path, model = Path(folder) / "events.jsonl", configure(Path(folder))
        write_events(path, events)
        command = [*LEEWAY, "replay", str(model), "--events", str(path)]
        environment = os.environ | {"NUMBA_CACHE_DIR": str(Path(folder) / "cache")}
        spent = []
        for _ in range(1 + rounds):
            start = time.perf_counter()
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            spent.append(time.perf_counter() - start)
    return {"compiling_s": spent[0], "cached_best_s": min(spent[1:]), "cached_median_s": median(spent[1:])}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the seconds, then the same as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.startup")
    parser.add_argument("--events", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    found = measure(options.events, options.rounds)
    print(f"a replay of {options.events} events as a process, seconds")
    for name, seconds in found.items():
        print(f"{name:24}{seconds:8.2f}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
