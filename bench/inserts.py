"""Ten million rows through clickhouse-driver while two hundred connections break: is anything lost or doubled?

Scores and predictions go to the tests' server, which drops connections before and after it executes an insert, within
its data, and within its answer. The same blocks go to an embedded store that nothing happens to; in the end both must
hold the same rows. Merging is off in the tables that are written: a row that came twice stays a row too many.

Run ``python -m bench.inserts``; it takes some minutes. The last line is JSON; the exit code is 1 if a row is missing,
doubled or different.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import timeit
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import structlog
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench.rows import MINUTE_MS, predictions, scores
from sinks.store.chdb import ChdbStore
from sinks.store.clickhouse import ClickhouseStore
from sinks.store.clients import Address
from sinks.store.sqlstore import SqlStore
from tests.services.clickhouse import Endpoint

__all__ = ["main", "soak"]

Block = tuple[str, int, int]
"""Table, number of its first row, how many rows."""

WRITTEN = ("scores", "predictions")
COMPARED = (*WRITTEN, "latest")
KINDS = ("drop_in_data", "drop_before", "drop_after", "drop_in_result")
SIGNALS = 200
THREADS = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print what was found, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.inserts", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--block", type=int, default=5_000, help="rows of an insert")
    parser.add_argument("--failures", type=int, default=200, help="at least so many connections break")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    # Hundreds of attempts fail, as they should.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    found = soak(options.rows, options.block, options.failures, options.seed)
    for name, value in found.items():
        print(f"{name:28} {value:,}" if isinstance(value, int) else f"{name:28} {value}")
    print(json.dumps(found))
    return int(bool(found["lost"] or found["doubled"] or found["different tables"]))


def soak(rows: int, size: int, failures: int, seed: int) -> dict[str, Any]:
    """Insert ``rows`` rows in blocks of ``size`` while at least ``failures`` connections break; return what is there.

    Raises
    ------
    RuntimeError
        If fewer connections broke.
    """
    blocks = list(_blocks(rows, size))
    with tempfile.TemporaryDirectory() as folder, Endpoint() as endpoint:
        server = ClickhouseStore(Address((endpoint.address,), "soak"))
        with closing(server), closing(ChdbStore(folder)) as embedded:
            for store in (server, embedded):
                store.migrate()
                _never_merge(store)
            endpoint.faults.at_random(min(0.5, 1.1 * failures / len(blocks)), seed=seed, kinds=KINDS)
            taken_s = timeit.timeit(lambda: _append(blocks, server, embedded), number=1)
            broken = endpoint.faults.injected
            if broken.total() < failures:
                raise RuntimeError(f"only {broken.total()} connections broke, {failures} should have")
            endpoint.faults.clear()
            return {
                "rows": rows,
                "inserts": len(blocks),
                "broken connections": broken.total(),
                **{f"broken by {kind}": broken[kind] for kind in KINDS},
                **_difference(server, embedded, rows),
                "seconds": round(taken_s, 1),
            }


def _blocks(rows: int, size: int) -> Iterator[Block]:
    of_each = rows // len(WRITTEN)
    for first in range(0, of_each, size):
        for table in WRITTEN:
            yield table, first, min(size, of_each - first)


def _never_merge(store: SqlStore) -> None:
    for table in WRITTEN:
        store.command(
            f"ALTER TABLE {store.altered(table)} MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1, "
            "parts_to_delay_insert = 0, parts_to_throw_insert = 1000000, max_avg_part_size_for_too_many_parts = 1"
        )


def _append(blocks: Sequence[Block], *stores: SqlStore) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as progress, ThreadPoolExecutor(THREADS) as pool:
        task = progress.add_task("inserts", total=len(blocks))

        def append(block: Block) -> None:
            table, first, count = block
            rows = scores("fraud", SIGNALS, MINUTE_MS, first, count) if table == "scores" else predictions(first, count)
            for store in stores:
                store.append(table, rows, f"{table}/{first}")
            progress.advance(task)

        list(pool.map(append, blocks))


def _difference(server: SqlStore, embedded: SqlStore, rows: int) -> dict[str, Any]:
    stored = sum(_count(server, table, final=0) for table in WRITTEN)
    distinct = sum(_count(server, table, final=1) for table in WRITTEN)
    different = [table for table in COMPARED if _digest(server, table) != _digest(embedded, table)]
    return {"lost": rows - distinct, "doubled": stored - distinct, "different tables": different}


def _count(store: SqlStore, table: str, *, final: int) -> int:
    return int(store.query(f"SELECT count() AS n FROM {table} SETTINGS final = {final}")["n"][0])


def _digest(store: SqlStore, table: str) -> tuple[int, int]:
    """Return how many rows there are, and a sum of hashes of all of their values."""
    # The sum wraps around, in any order of adding to the same number.
    found = store.query(f"SELECT count() AS n, sum(cityHash64(*)) AS digest FROM {table}")
    return int(found["n"][0]), int(found["digest"][0])


if __name__ == "__main__":
    sys.exit(main())
