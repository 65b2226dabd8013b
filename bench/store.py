"""How many rows a second the stores take, at several block sizes, and how long the common reads last.

Panes have 64 cells each; scores are those of 200 signals and two detectors every five minutes. Reads run over a
million scores, then over the panes that the appends left.

Run ``python -m bench.store``; the last line is JSON.
"""

from __future__ import annotations

import json
import tempfile
import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

from sinks.store import STORES, open_store
from sinks.store.contract import Query, Store

START_MS = 1_700_000_000_000
WINDOW_MS = 300_000
PANE_MS = 10_000
SIGNALS = [f"feature:{number:03d}" for number in range(200)]
DETECTORS = ["ks", "psi"]
SERIES = len(SIGNALS) * len(DETECTORS)
SCORES = 1_000_000
CELLS = np.arange(64, dtype=np.int64)
APPENDS = {100: 100, 1_000: 50, 10_000: 10, 100_000: 2}
ROUNDS = 15


def main() -> None:
    found: dict[str, float] = {}
    for kind in STORES:
        for table, rows_of in (("panes", panes), ("scores", scores)):
            with tempfile.TemporaryDirectory() as path:
                store = open_store(kind, path)
                found |= {f"{kind} {table} {size}": rate(store, table, rows_of, size) for size in APPENDS}
                found |= reads(store, kind, table)
                store.close()
    print(json.dumps({name: round(value, 2) for name, value in found.items()}))


def rate(store: Store, table: str, rows_of: Callable[[int, int], dict[str, Any]], size: int) -> float:
    """Append distinct blocks of ``size`` rows and return rows per second."""
    count, first = APPENDS[size], 1_000_000 * size  # far from the rows of other sizes
    blocks = [rows_of(first + number * size, size) for number in range(count)]
    times = [
        timeit.timeit(lambda block=block, number=number: store.append(table, block, f"{size}/{number}"), number=1)
        for number, block in enumerate(blocks)
    ]
    per_second = size / float(np.median(times))
    print(
        f"{type(store).__name__:12} {table:7} blocks of {size:7,}: {per_second:11,.0f} rows/s, "
        f"append {np.median(times) * 1e3:7.2f} ms, slowest of {count}: {max(times) * 1e3:7.2f} ms"
    )
    return per_second


def reads(store: Store, kind: str, table: str) -> dict[str, float]:
    """Return the median time in ms of each read."""
    queries = pane_reads() if table == "panes" else score_reads(store)
    found: dict[str, float] = {}
    for name, query in queries.items():
        count = len(store.read(query)["model"])
        times = timeit.repeat(lambda query=query: store.read(query), number=1, repeat=ROUNDS)
        found[f"{kind} {name}"] = float(np.median(times)) * 1e3
        print(f"{type(store).__name__:12} read {name:40} {count:6} rows {found[f'{kind} {name}']:8.2f} ms")
    return found


def score_reads(store: Store) -> dict[str, Query]:
    for first in range(0, SCORES, 50_000):
        store.append("scores", scores(first, 50_000), f"all/{first}")
    end_ms = START_MS + SCORES // SERIES * WINDOW_MS
    one = {"model": "fraud", "signal": SIGNALS[77]}
    by_time = Query("scores", {"model": "fraud"}, order=("window_end_ms",), descending=True, limit=100)
    middle = (end_ms - 86_400_000, "fraud", SIGNALS[77], "", "1", "psi")
    day, window = {"window_end_ms": end_ms - 86_400_000}, {"window_end_ms": end_ms - WINDOW_MS}
    end = {"window_end_ms": end_ms}
    return {
        "a day of one series": Query("scores", one | {"detector": "psi"}, day, end),
        "the newest window of all series": Query("scores", {"model": "fraud"}, window, end),
        "the newest 100 of a signal": Query("scores", one, {}, end, ("window_end_ms",), True, limit=100),
        "a page of 100 by time": Query(**(by_time.__dict__ | {"after": middle})),
        "all drift of a day": Query("scores", {"model": "fraud", "status": "drift"}, day, end),
    }


def pane_reads() -> dict[str, Query]:
    low = START_MS + 1_000_000 * 100_000 // len(SIGNALS) * PANE_MS
    where: dict[str, Any] = {"model": "fraud", "late_at_ms": 0}
    return {
        "5 panes of 200 signals": Query("panes", where, {"pane_start_ms": low}, {"pane_start_ms": low + 5 * PANE_MS})
    }


def scores(first: int, count: int) -> dict[str, Any]:
    """Rows number ``first`` and on of an endless series of windows, each with all signals and detectors."""
    rows, draw = np.arange(first, first + count), np.random.default_rng(first).random
    series = (rows % SERIES).tolist()
    ends_ms = START_MS + rows // SERIES * WINDOW_MS
    return {
        "model": ["fraud"] * count,
        "signal": [SIGNALS[number // len(DETECTORS)] for number in series],
        "segment": [""] * count,
        "version": ["1"] * count,
        "detector": [DETECTORS[number % len(DETECTORS)] for number in series],
        "window_end_ms": ends_ms,
        "window_ms": np.full(count, WINDOW_MS),
        "statistic": draw(count),
        "effect": draw(count),
        "min_effect": np.full(count, 0.1),
        "p_value": draw(count),
        "surprise": draw(count),
        "surprise_limit": np.full(count, 4.5),
        "status": ["drift" if number % 500 == 0 else "ok" for number in rows.tolist()],
        "n": 10_000 + rows % 500,
        "baseline_n": np.full(count, 1_000_000),
        "baseline_from_ms": ends_ms - 2_592_000_000,
        "baseline_to_ms": ends_ms - WINDOW_MS,
        "idle": [""] * count,
        "detail": [""] * count,
    }


def panes(first: int, count: int) -> dict[str, Any]:
    """Rows number ``first`` and on of an endless series of panes, each with all signals."""
    rows = np.arange(first, first + count)
    draws = np.random.default_rng(first).poisson(100, (count, len(CELLS)))
    n = draws.sum(axis=1)
    return {
        "model": ["fraud"] * count,
        "signal": [SIGNALS[number] for number in (rows % len(SIGNALS)).tolist()],
        "segment": [""] * count,
        "version": ["1"] * count,
        "pane_start_ms": START_MS + rows // len(SIGNALS) * PANE_MS,
        "late_at_ms": np.zeros(count, np.int64),
        "topic": ["predictions"] * count,
        "partition": np.zeros(count, np.int64),
        "pane_ms": np.full(count, PANE_MS),
        "layout": ["q-4f1a"] * count,
        "n": n,
        "missing": n // 50,
        "invalid": n // 1_000,
        "out_of_range": n // 2_000,
        "cells": [CELLS] * count,
        "counts": list(draws),
        "names": [()] * count,
        "other": np.zeros(count, np.int64),
        "sum_q": n * 1_000,
        "sum_q2": n * 1_000_000,
        "min": np.zeros(count),
        "max": np.ones(count),
    }


if __name__ == "__main__":
    main()
