"""How long it takes to add up a long span of a model's signals, as comparisons and distributions do.

Sums of panes of an hour with 64 cells in an embedded store, added up by the store, and read and added up in Python, by
turns; both have to give the same::

    python -m bench.long_spans [--days 366] [--signals 50]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench.rows import LAYOUT, START_MS, panes
from sinks.store.chdb import ChdbStore
from sinks.store.contract import TOTALS, Columns, Query, Store
from sinks.store.derived import totals_of

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
ROWS_AT_ONCE = 2_000


def filled(folder: Path, days: int, signals: int) -> ChdbStore:
    """Return a store with sums of an hour of every signal."""
    store = ChdbStore(folder / "store")
    store.migrate()
    for day in range(days):
        count = 24 * signals
        rows = panes("fraud", signals, START_MS, day * count, count)
        starts_ms = START_MS // DAY_MS * DAY_MS + day * DAY_MS + np.arange(count) // signals * HOUR_MS
        store.append("panes", rows | {"pane_start_ms": starts_ms, "pane_ms": np.full(count, HOUR_MS)}, token=str(day))
    store.refresh(settle_ms=0)
    return store


def read_and_added(store: Store, days: int, signals: int) -> Columns:
    """Return the columns of ``TOTALS`` of all hours, which are read some at a time."""
    names = tuple(column.name for column in TOTALS.columns)
    first_ms, step_ms = START_MS // DAY_MS * DAY_MS, ROWS_AT_ONCE // signals * HOUR_MS
    parts = []
    for low_ms in range(first_ms, first_ms + days * DAY_MS, step_ms):
        span = {"pane_start_ms": low_ms}, {"pane_start_ms": low_ms + step_ms}
        parts.append(totals_of(store.read(Query("panes_1h", {"model": "fraud"}, *span, columns=names))))
    return totals_of({name: [item for part in parts for item in part[name]] for name in names})


def seconds(rounds: int, ways: dict[str, Callable[[], Any]]) -> dict[str, list[float]]:
    """Time ways by turns."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - begun)
    return times


def main() -> None:
    """Print a row for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=366)
    parser.add_argument("--signals", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    days, signals = arguments.days, arguments.signals
    with tempfile.TemporaryDirectory() as folder:
        store = filled(Path(folder), days, signals)
        ways: dict[str, Callable[[], Columns]] = {
            "added up by the store": lambda: store.totals(Query("panes_1h", {"model": "fraud", "layout": LAYOUT})),
            "read and added up in Python": lambda: read_and_added(store, days, signals),
        }
        answers = [way() for way in ways.values()]
        is_same = len({str([list(map(str, columns)) for columns in answer.values()]) for answer in answers}) == 1
        times = seconds(arguments.rounds, ways)
        store.close()
    print(f"{days} days of {signals} signals: {days * 24 * signals:,} sums of an hour")
    for name, of_way in times.items():
        print(f"{name:28} {min(of_way):8.2f} s best  {median(of_way):8.2f} s median")
    print("both give the same" if is_same else "the two differ")


if __name__ == "__main__":
    main()
