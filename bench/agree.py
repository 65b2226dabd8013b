"""The demo's year of flights, replayed into the embedded store and through clickhouse-driver: the same rows?

The server is the tests' own; `LEEWAY_TEST_CLICKHOUSE=host:port` names another. Every table is compared row for row,
floats by their bits. Run ``python -m bench.agree``; the last line is JSON, the exit code 1 if a row differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import timeit
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from monitor.cli.progress import Progress
from monitor.config import load
from monitor.demo.flights import load_flights, write_events
from monitor.logs import warn_on_stderr
from monitor.replay import Replay
from monitor.sources.files import FileSource
from sinks.store import open_store
from sinks.store.contract import READABLE, Columns, Query, Store
from tests.services.clickhouse import named_or_started

__all__ = ["main"]

CONFIG = Path(__file__).parents[1] / "configs" / "demo.yaml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay twice, compare, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.agree", description=__doc__)
    parser.add_argument("--events", type=int, help="only so many of the year's flights")
    options = parser.parse_args(arguments)
    warn_on_stderr()
    with tempfile.TemporaryDirectory() as folder, named_or_started() as target:
        events = _events(Path(folder), options.events)
        found: dict[str, Any] = {"events": sum(1 for _ in events.open("rb"))}
        embedded = open_store("chdb", str(Path(folder) / "store"))
        settings: dict[str, Any] = {
            "user": target.user,
            "password": target.password,
            "tls": {} if target.secure else None,
        }
        driver = open_store("clickhouse", hosts=[target.address], database="leeway_agree", **settings)
        with closing(embedded), closing(driver):
            for name, store in (("embedded", embedded), ("driver", driver)):
                found[f"{name}: seconds"] = round(timeit.timeit(partial(_replay, events, store), number=1), 1)
            different = {table: _differences(table, embedded, driver) for table in READABLE}
            found |= {f"rows of {table}": _rows(embedded.read(Query(table))) for table in READABLE}
        with target.client() as client:
            client.execute("DROP DATABASE leeway_agree")
    found["different rows"] = sum(different.values())
    print(*(f"{name:24} {value:>10}" for name, value in found.items()), sep="\n")
    print(json.dumps(found))
    return int(found["different rows"] > 0)


def _events(folder: Path, count: int | None) -> Path:
    whole, cut = folder / "flights.jsonl", folder / "cut.jsonl"
    write_events(load_flights(), whole)
    if count is None:
        return whole
    cut.write_bytes(b"".join(whole.read_bytes().splitlines(keepends=True)[:count]))
    return cut


def _replay(events: Path, store: Store) -> None:
    total = events.stat().st_size
    with Progress("replaying", lambda: total) as progress:
        replay = Replay(load(CONFIG), store, FileSource({"flights": [events]}))
        replay.run(
            batch=10_000,
            on_progress=lambda counters: progress.at(counters.records, counters.records),
            checkpoint_every=50_000,
        )


def _differences(table: str, one: Store, other: Store) -> int:
    """Return how many rows differ, or are in one store only."""
    left, right = one.read(Query(table)), other.read(Query(table))
    if _rows(left) != _rows(right):
        return max(1, abs(_rows(left) - _rows(right)))
    differs = np.zeros(_rows(left), bool)
    for name, values in left.items():
        pairs = zip(values, right[name], strict=True)
        differs |= np.fromiter((_bits(a) != _bits(b) for a, b in pairs), bool, len(differs))
    return int(differs.sum())


def _bits(value: Any) -> Any:
    return value.tobytes() if isinstance(value, (np.ndarray, np.generic)) else value


def _rows(columns: Columns) -> int:
    return len(next(iter(columns.values())))


if __name__ == "__main__":
    sys.exit(main())
