"""How many rows a second the stores take, at several block sizes, and how many bytes a row of each table has.

Two stores: the embedded one, and a server through clickhouse-driver. The server is the tests' endpoint, another process
on the same machine that executes with the same engine, so that what the wire costs is all of the difference; set
`LEEWAY_TEST_CLICKHOUSE=host:port` for a real one.

Run ``python -m bench.store``; ``--rounds`` says how often a block of each size is appended. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import timeit
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from bench.rows import MINUTE_MS, START_MS, alerts, panes, predictions, scores
from sinks.store import open_store
from sinks.store.contract import Store
from sinks.store.sqlstore import SqlStore
from sinks.store.upkeep import status
from tests.services.clickhouse import named_or_started

SIZES = (1_000, 10_000, 100_000)
SIGNALS = 200
TABLES: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "scores": lambda first, count: scores("fraud", SIGNALS, 5 * MINUTE_MS, first, count),
    "predictions": predictions,
    "panes": lambda first, count: panes("fraud", SIGNALS, START_MS, first, count),
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.store", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="appends of each table and size")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="rows of a block")
    options = parser.parse_args(arguments)
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as path, named_or_started() as target:
        embedded = open_store("chdb", path=path)
        address: dict[str, Any] = {
            "hosts": [f"{target.host}:{target.port}"],
            "user": target.user,
            "password": target.password,
        }
        driver = open_store("clickhouse", database="leeway_bench", **address)
        try:
            for table, size in ((table, size) for table in TABLES for size in options.sizes):
                found |= rates({"chdb": embedded, "clickhouse": driver}, table, size, options.rounds)
            assert isinstance(embedded, SqlStore)
            found |= sizes(embedded)
        finally:
            embedded.close()
            driver.close()
    print(json.dumps(found))


def rates(stores: dict[str, Store], table: str, size: int, rounds: int) -> dict[str, float]:
    """Append distinct blocks of ``size`` rows to each store in turn; return rows per second, best and median."""
    found: dict[str, float] = {}
    times: dict[str, list[float]] = {name: [] for name in stores}
    for number in range(rounds + 1):
        block = TABLES[table](100_000_000 + (size * 10 + number) * 100_000, size)  # far from rows of other sizes
        for name, store in stores.items():
            append = partial(store.append, table, block, f"{size}/{number}")
            once = timeit.timeit(append, number=1)
            if number:  # the first one warms up
                times[name].append(once)
    for name, taken in times.items():
        best, median = size / min(taken), size / float(np.median(taken))
        found |= {f"{name} {table} {size}: best": round(best), f"{name} {table} {size}: median": round(median)}
        print(
            f"{name:10} {table:11} blocks of {size:7,}: {best:11,.0f} rows/s best, {median:11,.0f} median", flush=True
        )
    return found


def sizes(store: SqlStore) -> dict[str, float]:
    """Return bytes per row of every table, merged, with what the appends left and a hundred alerts."""
    store.append("alerts", alerts("fraud", 86_400_000), "alerts")
    store.refresh(0)
    found = {}
    for table in status(store).tables:
        store.command(f"OPTIMIZE TABLE {table.name} FINAL")
    for table in status(store).tables:
        if table.rows:
            found[f"{table.name}: bytes per row"] = round(table.bytes / table.rows, 1)
            print(f"{table.name:18} {table.bytes / table.rows:8.1f} bytes per row of {table.rows:9,}", flush=True)
    return found


if __name__ == "__main__":
    main()
