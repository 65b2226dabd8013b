"""Two checkouts over the same events: the same rows? ``python -m bench.same_rows ../earlier`` (with its own ``.venv``).

A refactoring must change no stored row. Both checkouts replay a stream of loan applications with a drift and everything
that goes wrong (late, future, double, broken and odd events, a new version, a field that goes missing, two partitions),
and the first flights of the demo's year with its two models. All tables, states of checkpoints included, are written
to Parquet by ``leeway store backup`` and compared value for value. The last line is JSON; the exit code is 1 if a row
differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet

from monitor.demo.flights import load_flights, write_events
from tests.monitor.streams import SPEC, TOPIC, troubled

__all__ = ["differences", "main"]

ROOT = Path(__file__).resolve().parents[1]
FLIGHTS, SEED, DAYS = 40_000, 11, 10.0
RULES: list[dict[str, Any]] = [
    {"on": "feature:*", "use": ["psi", "wasserstein", "hellinger", "ks", "missing_rate"]},
    {"on": "feature:country", "use": ["psi", "new_category", "g_test"]},
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay with both checkouts, compare, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.same_rows", description=__doc__)
    parser.add_argument("checkout", type=Path, help="the other checkout, with a virtual environment .venv in it")
    parser.add_argument("--flights", type=int, default=FLIGHTS, help="how many of the year's flights")
    parser.add_argument("--seed", type=int, default=SEED, help="of the loan applications")
    parser.add_argument("--days", type=float, default=DAYS, help="of loan applications")
    options = parser.parse_args(arguments)
    compared: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        worlds = [_loans(Path(folder), options.seed, options.days), _flights(Path(folder), options.flights)]
        for config, events in worlds:
            here, other = (_replayed(checkout, config, events) for checkout in (ROOT, options.checkout.resolve()))
            for table, rows, differing in differences(here, other):
                if rows == differing == 0:
                    continue
                compared[f"{config.parent.name}: {table}"] = {"rows": rows, "different": differing}
                print(f"{config.parent.name:8} {table:16} {rows:>8} rows, {differing} different", flush=True)
    different = sum(result["different"] for result in compared.values())
    print(json.dumps(compared | {"different rows": different}))
    return int(different > 0)


def differences(here: Path, other: Path) -> Iterator[tuple[str, int, int]]:
    """Yield each table of two backups with the number of its rows, and of those that the other does not have as well.

    Parameters
    ----------
    here, other : Path
        Folders that ``leeway store backup`` wrote; a table that is in one only counts with all of its rows.
    """
    names = {path.relative_to(folder).parts[0] for folder in (here, other) for path in folder.rglob("*.parquet")}
    for name in sorted(names):
        table = name.removesuffix(".parquet")
        first, second = (_rows(folder, name) for folder in (here, other))
        yield table, len(first), len(first ^ second)


def _rows(folder: Path, name: str) -> set[str]:
    """Every row of a table as text in which floats have all their digits: keys make rows distinct."""
    files = [folder / name] if name.endswith(".parquet") else sorted((folder / name).glob("*.parquet"))
    rows = (row for file in files if file.exists() for row in pyarrow.parquet.read_table(file).to_pylist())
    return {repr(sorted(row.items())) for row in rows}


def _loans(folder: Path, seed: int, days: float) -> tuple[Path, list[str]]:
    """Two partitions of loan applications, of which a feature goes missing for a while."""
    lines = [
        _without_debts(line) if number % 10 == 6 else line for number, line in enumerate(troubled(seed, days=days))
    ]
    detect = SPEC["detect"] | {"rules": SPEC["detect"]["rules"] + RULES}
    spec = SPEC | {"detect": detect, "keep": {"events": 0.3, "predictions": 1.0}}
    home = folder / "loans"
    home.mkdir()
    model = {"apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": "loans"}, "spec": spec}
    (home / "model.yaml").write_text(json.dumps(model))
    events = []
    for partition in range(2):
        path = home / f"{partition}.jsonl"
        path.write_bytes(b"\n".join(lines[partition::2]) + b"\n")
        events.append(f"{TOPIC}={path}")
    return home / "model.yaml", events


def _without_debts(line: bytes) -> bytes:
    try:
        return json.dumps(json.loads(line) | {"debts": None}).encode()
    except (ValueError, TypeError):  # a broken message stays as it is
        return line


def _flights(folder: Path, count: int) -> tuple[Path, list[str]]:
    """The demo's configuration, and the first of its events."""
    home = folder / "flights"
    home.mkdir()
    write_events(load_flights(), home / "year.jsonl")
    (home / "events.jsonl").write_bytes(b"".join((home / "year.jsonl").read_bytes().splitlines(keepends=True)[:count]))
    # A checkout reads its own configuration: what it says is part of what is compared.
    return home / "demo.yaml", [f"flights={home / 'events.jsonl'}"]


def _replayed(checkout: Path, config: Path, events: Sequence[str]) -> Path:
    """Replay with a checkout's own command, and return the folder of the backup of its store."""
    backup = config.parent / f"{checkout.name}.backup"
    store = config.parent / f"{checkout.name}.store"
    config = config if config.exists() else checkout / "configs" / config.name
    leeway = str(checkout / ".venv" / "bin" / "leeway")
    named = [part for file in events for part in ("--events", file)]
    for command in (["replay", str(config), *named, "--store", str(store)], ["store", "backup", "--store", str(store)]):
        last = [str(backup)] if command[0] == "store" else []
        subprocess.run([leeway, *command, *last], cwd=checkout, check=True, capture_output=True)
    return backup


if __name__ == "__main__":
    sys.exit(main())
