"""Runs benchmarks: all, or those named. ``python -m bench replay store --json``.

Each runs as a process of its own, so that none inherits another's memory, caches or settings.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

__all__ = ["BENCHES", "main"]

BENCHES = (
    "replay",
    "startup",
    "config",
    "decode",
    "formats",
    "detectors",
    "anomaly",
    "scorers",
    "sketches",
    "distances",
    "windows",
    "vectors",
    "store",
    "history",
    "backtest",
    "corrupt",
    "fetch",
    "kafka",
    "latency",
    "routing",
    "init",
    "versions",
    "web",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; the exit code is 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("benches", nargs="*", metavar="BENCH", help=f"of: {', '.join(BENCHES)}; all without a name")
    parser.add_argument("--json", action="store_true", help="one JSON object with what each bench found")
    options = parser.parse_args(arguments)
    if unknown := set(options.benches) - set(BENCHES):
        parser.error(f"no bench is called {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    found: dict[str, Any] = {}
    failed = False
    for name in options.benches or BENCHES:
        if not options.json:
            print(f"\n== {name} ==", flush=True)
        run = subprocess.run([sys.executable, "-m", f"bench.{name}"], stdout=subprocess.PIPE, text=True, check=False)
        failed |= run.returncode != 0
        lines = run.stdout.splitlines()
        found[name] = _object(lines)
        if not options.json:
            print(*(lines if "lines" in found[name] else lines[:-1]), sep="\n", flush=True)
    if options.json:
        print(json.dumps(found, indent=1))
    return int(failed)


def _object(lines: list[str]) -> dict[str, Any]:
    """What a bench's last line says as JSON; its lines where it is none."""
    try:
        value = json.loads(lines[-1]) if lines else None
    except json.JSONDecodeError:
        value = None
    return value if isinstance(value, dict) else {"lines": lines}


if __name__ == "__main__":
    sys.exit(main())
