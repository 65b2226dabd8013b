"""What fine panes and their sums take on the disk: bytes of a model's day, by table.

Panes of 64 cells of every signal in every partition, for an hour of event time, worked out to a day::

    python -m bench.pane_bytes [--partitions 24] [--signals 100] [--pane 10]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from bench.rows import START_MS, panes
from sinks.store.chdb import ChdbStore
from sinks.store.upkeep import merge, status

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
TABLES = ("panes", "panes_5m", "panes_1h")


def measured(partitions: int, signals: int, pane_ms: int, folder: Path) -> dict[str, tuple[int, float]]:
    """Return how many rows an hour leaves in each table, and the bytes of one."""
    store = ChdbStore(folder / "store")
    store.migrate()
    count = HOUR_MS // pane_ms * signals
    for number in range(partitions):
        rows = panes("fraud", signals, START_MS, number * count, count)
        starts_ms = START_MS + np.arange(count) // signals * pane_ms
        rows |= {"pane_start_ms": starts_ms, "pane_ms": np.full(count, pane_ms), "partition": np.full(count, number)}
        store.append("panes", rows, token=str(number))
    store.refresh(settle_ms=0)
    for name in TABLES:
        merge(store, name)
    tables = {table.name: table for table in status(store).tables}
    store.close()
    return {name: (tables[name].rows, tables[name].bytes / tables[name].rows) for name in TABLES}


def main() -> None:
    """Print a row for each table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--partitions", type=int, default=24)
    parser.add_argument("--signals", type=int, default=100)
    parser.add_argument("--pane", type=int, default=10, help="seconds")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(arguments.partitions, arguments.signals, arguments.pane * 1_000, Path(folder))
    for name, (rows, row_bytes) in found.items():
        day = rows * row_bytes * DAY_MS / HOUR_MS
        print(f"{name:9} {rows:9,} rows an hour  {row_bytes:6.1f} bytes a row  {day / 1e6:10,.1f} MB a day")


if __name__ == "__main__":
    main()
