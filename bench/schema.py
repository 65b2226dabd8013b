"""Keys, granules and codecs of the store's large tables beside their alternatives, and how fast history answers.

What ``sinks/store/migrations`` says was measured, this measures again::

    python -m bench.schema                          # small: shows that it works
    python -m bench.schema --rows 10_000_000 --panes 1_000_000

Scores are those of models with 100 signals and two detectors, a window every five minutes; panes have 64 cells and
last 10 s. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import timeit
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from sinks.store.chdb import ChdbStore
from sinks.store.contract import Buckets, Query
from sinks.store.schema import migrations

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
START_MS = 1_700_006_400_000
WINDOW_MS, PANE_MS = 5 * MINUTE_MS, 10_000
OF_MODEL = 200
"""Series of one model: 100 signals with two detectors, or 200 signals."""
BLOCK = 500_000

SCORES = """SELECT concat('model-', toString(intDiv(number % {series}, 200))) AS model,
    concat('feature:', toString(intDiv(number % 200, 2))) AS signal, '', '1', if(number % 2 = 0, 'psi', 'ks'),
    {start} + intDiv(number, {series}) * {window} + {window}, {window}, draw * 0.05, draw * 0.1,
    if(number % 2 = 0, 0.1, 0.05), sipHash64(number, 1) / 18446744073709551615., sipHash64(number, 2) / 4e18, 4.51,
    if(number % 503 = 0, 'drift', 'ok'), 9000 + sipHash64(intDiv(number, 200)) % 2000, 1000000,
    {start} + intDiv(number, {series}) * {window} - 2592000000, {start} + intDiv(number, {series}) * {window}, '',
    if(number % 503 = 0, 'large and surprising', '')
FROM (SELECT number, sipHash64(number) / 18446744073709551615. AS draw FROM numbers({first}, {count}))"""

PANES = """SELECT concat('model-', toString(intDiv(number % {series}, 200))),
    concat('feature:', toString(number % 200)), '', '1', {start} + intDiv(number, {series}) * {pane}, 0, 'predictions',
    0, {pane}, concat('layout-', toString(number % 200)), 6400, sipHash64(number) % 50, 0, sipHash64(number, 1) % 20,
    range(64) AS cells, arrayMap(cell -> toInt64(60 + sipHash64(number, cell) % 80), cells), [], 0,
    toInt64(sipHash64(number, 3) % 100000000) - 50000000, toInt64(sipHash64(number, 4) % 100000000000),
    sipHash64(number, 5) % 1000 / 1000., 1 + sipHash64(number, 6) % 1000 / 1000.
FROM numbers({first}, {count})"""

SERIES = {"scores": "signal, segment, version, detector", "panes": "signal, segment, version"}
TIMES = {"scores": "window_end_ms", "panes": "pane_start_ms"}
REST = {"scores": "", "panes": ", late_at_ms, topic, partition"}

STRETCHES: dict[str, dict[str, int]] = {
    "scores": {"none": 0, "6 h": 6 * HOUR_MS, "day": DAY_MS, "week": 7 * DAY_MS, "time first": 1},
    "panes": {"none": 0, "5 min": 5 * MINUTE_MS, "hour": HOUR_MS, "day": DAY_MS},
}
"""Stretches of time before the series in the key; 1 is the time itself."""

WIDE = "SETTINGS min_bytes_for_wide_part = 0"

GRANULES = (8192, 1024, 256)

CODECS = {
    "statistic": ("Float64", ["NONE", "ZSTD(1)", "ZSTD(3)", "Gorilla, ZSTD(1)", "FPC, ZSTD(1)"]),
    "min_effect": ("Float64", ["ZSTD(1)", "Gorilla, ZSTD(1)"]),
    "window_end_ms": ("Int64", ["ZSTD(1)", "Delta, ZSTD(1)", "DoubleDelta, ZSTD(1)", "T64, ZSTD(1)"]),
    "baseline_to_ms": ("Int64", ["ZSTD(1)", "Delta, ZSTD(1)", "DoubleDelta, ZSTD(1)", "T64, ZSTD(1)"]),
    "n": ("Int64", ["ZSTD(1)", "Delta, ZSTD(1)", "T64, ZSTD(1)"]),
    "signal": ("String", ["ZSTD(1)"]),
    "status": ("String", ["ZSTD(1)"]),
    "detail": ("String", ["ZSTD(1)", "ZSTD(3)"]),
}
"""Alternatives for columns of scores; those of text are also tried as LowCardinality."""

PANE_CODECS = {
    "counts": ("Array(Int64)", ["ZSTD(1)", "T64, ZSTD(1)", "Delta, ZSTD(1)"]),
    "cells": ("Array(Int64)", ["ZSTD(1)", "T64, ZSTD(1)", "Delta, ZSTD(1)"]),
    "sum_q": ("Int64", ["ZSTD(1)", "T64, ZSTD(1)"]),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=200_000, help="scores")
    options.add_argument("--panes", type=int, default=50_000)
    options.add_argument("--models", type=int, default=20)
    options.add_argument("--rounds", type=int, default=10, help="repetitions of each read")
    options.add_argument("--parts", nargs="*", default=["sizes", "codecs", "keys", "history"])
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as path:
        bench = Bench(ChdbStore(path), chosen)
        found = {part: getattr(bench, part)() for part in chosen.parts}
        bench.store.close()
    print(json.dumps(found))


class Bench:
    """A store with scores and panes, and what is measured in it."""

    def __init__(self, store: ChdbStore, options: argparse.Namespace) -> None:
        self.store, self.rounds = store, options.rounds
        self.series: int = options.models * OF_MODEL
        self.rows: dict[str, int] = {"scores": options.rows, "panes": options.panes}
        store.migrate()
        for table in ("scores", "panes"):
            self._fill(table, table)
        self.end_ms = START_MS + options.rows // self.series * WINDOW_MS

    def _fill(self, table: str, like: str) -> None:
        numbers = {"start": START_MS, "window": WINDOW_MS, "pane": PANE_MS, "series": self.series}
        source, block = (SCORES, BLOCK) if like == "scores" else (PANES, BLOCK // 5)
        for first in range(0, self.rows[like], block):
            count = min(block, self.rows[like] - first)
            self.store.command(f"INSERT INTO {table} {source.format(first=first, count=count, **numbers)}")
        while self.store.query("SELECT count() AS n FROM system.merges")["n"] != [0]:
            pass

    def sizes(self) -> dict[str, float]:
        """Bytes per row of each table, and of the columns that take most of them."""
        self.store.refresh(0)
        found = {}
        for table in ("scores", "scores_1h", "scores_1d", "latest", "panes", "panes_5m", "panes_1h"):
            columns = self._columns_of(table)
            found[table] = sum(columns.values())
            largest = sorted(columns.items(), key=lambda item: -item[1])[:8]
            print(f"{table:10} {found[table]:7.1f} bytes a row: " + ", ".join(f"{n} {b:.2f}" for n, b in largest))
        return found

    def _columns_of(self, table: str) -> dict[str, float]:
        # A copy in which each column has a file of its own, which small tables do not have.
        key = self.store.query("SELECT sorting_key FROM system.tables WHERE name = {t:String}", {"t": table})
        self.store.command(
            f"CREATE TABLE tried AS {table} ENGINE = MergeTree ORDER BY ({key['sorting_key'][0]}) {WIDE}"
        )
        try:
            self.store.command(f"INSERT INTO tried SELECT * FROM {table} FINAL LIMIT 1000000")
            return self._columns("tried")
        finally:
            self.store.command("DROP TABLE tried SYNC")

    def _columns(self, table: str) -> dict[str, float]:
        sql = (
            "SELECT column, sum(column_data_compressed_bytes) / sum(rows) AS bytes FROM system.parts_columns "
            "WHERE database = currentDatabase() AND table = {t:String} AND active GROUP BY column"
        )
        columns = self.store.query(sql, {"t": table})
        return dict(zip(columns["column"], columns["bytes"].tolist(), strict=True))

    def codecs(self) -> dict[str, float]:
        """Bytes per row of single columns, each kind of compression in the order of the table's key."""
        found = {}
        for table, columns in (("scores", CODECS), ("panes", PANE_CODECS)):
            for column, (kind, codecs) in columns.items():
                kinds = [kind, "LowCardinality(String)"] if kind == "String" else [kind]
                for alternative in (f"{type_name} CODEC({codec})" for type_name in kinds for codec in codecs):
                    found[f"{column} {alternative}"] = size = self._column_size(table, column, alternative)
                    print(f"{table}.{column:16} {alternative:44} {size:8.3f} bytes a row")
        return found

    def _column_size(self, table: str, column: str, declared: str) -> float:
        columns = f"(place UInt64, tried {declared})"
        self.store.command(f"CREATE TABLE tried {columns} ENGINE = MergeTree ORDER BY place {WIDE}")
        try:
            place = f"row_number() OVER (ORDER BY {_key(table, *_chosen(table))})"
            self.store.command(f"INSERT INTO tried SELECT {place}, `{column}` FROM {table} LIMIT 1000000")
            return self._columns("tried")["tried"]
        finally:
            self.store.command("DROP TABLE tried SYNC")

    def keys(self) -> dict[str, dict[str, float]]:
        """Medians in ms of reads of panes and scores under other keys and granules."""
        found = {}
        for table, stretches in STRETCHES.items():
            reads = _reads(table, self.end_ms if table == "scores" else self._pane_end_ms())
            print(f"{table:8} {'stretch':10} {'granule':>8} " + " ".join(f"{name:>18}" for name in reads))
            for label, stretch_ms in stretches.items():
                for granule in GRANULES if label in ("none", "day", "5 min") else (1024,):
                    times = self._times(table, stretch_ms, granule, reads)
                    found[f"{table} {label} {granule}"] = times
                    print(f"{table:8} {label:10} {granule:8} " + " ".join(f"{ms:15.1f} ms" for ms in times.values()))
        return found

    def _pane_end_ms(self) -> int:
        return START_MS + self.rows["panes"] // self.series * PANE_MS

    def _times(self, table: str, stretch_ms: int, granule: int, reads: Mapping[str, Any]) -> dict[str, float]:
        time, key = TIMES[table], _key(table, stretch_ms)
        self.store.command(
            f"CREATE TABLE tried AS {table} ENGINE = ReplacingMergeTree "
            f"PARTITION BY toYYYYMM(fromUnixTimestamp64Milli({time})) "
            f"ORDER BY ({key}) SETTINGS index_granularity = {granule}"
        )
        try:
            self._fill("tried", table)
            statements = {name: _statement(time, stretch_ms, *read) for name, read in reads.items()}
            return {name: self._median(partial(self.store.arrow, sql)) for name, sql in statements.items()}
        finally:
            self.store.command("DROP TABLE tried SYNC")

    def _median(self, read: Callable[[], Any]) -> float:
        return float(np.median(timeit.repeat(read, number=1, repeat=self.rounds))) * 1e3

    def history(self) -> dict[str, list[float]]:
        """Median and 99th percentile, in ms, of the questions people ask, after a refresh."""
        self.store.refresh(0)
        found = {}
        for name, ask in self._questions():
            rows = len(ask()["model"])
            times = np.array(timeit.repeat(ask, number=1, repeat=10 * self.rounds)) * 1e3
            found[name] = [float(np.median(times)), float(np.quantile(times, 0.99))]
            print(f"{name:46} {rows:6} rows, median {found[name][0]:7.1f} ms, 99th percentile {found[name][1]:7.1f} ms")
        return found

    def _questions(self) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
        end, model, read, buckets = self.end_ms + 1, {"model": "model-1"}, self.store.read, self.store.buckets
        signal, models = model | {"signal": "feature:77"}, {"model": [f"model-{n}" for n in range(20)]}
        month, week, day = (end - days * DAY_MS for days in (30, 7, 1))
        window = {"window_end_ms": end - DAY_MS}
        yield "a signal's 30 days by hours", lambda: buckets(Buckets(month, end, HOUR_MS, signal))
        yield "a signal's 30 days by days", lambda: buckets(Buckets(month, end, DAY_MS, signal))
        yield "a signal's last day, every window", lambda: read(Query("scores", signal, window))
        yield "a signal's last day by quarters", lambda: buckets(Buckets(day, end, HOUR_MS // 4, signal))
        yield "a model's top 20 of 24 h", lambda: buckets(Buckets(day, end, 0, model, "worst", limit=20))
        yield "a model's top 20 of 7 d", lambda: buckets(Buckets(week, end, 0, model, "worst", limit=20))
        yield "the top 20 of 20 models in 24 h", lambda: buckets(Buckets(day, end, 0, models, "worst", limit=20))
        yield "the top 20 of 20 models in 7 d", lambda: buckets(Buckets(week, end, 0, models, "worst", limit=20))
        yield "a model now", lambda: read(Query("latest", model))
        yield "a model's newest window", lambda: read(Query("scores", model, {"window_end_ms": end - WINDOW_MS}))
        yield "a model's first 1,000 hours of 7 d", lambda: buckets(Buckets(week, end, HOUR_MS, model, limit=1_000))


def _chosen(table: str) -> tuple[int]:
    """The stretch that the migrations have chosen."""
    keys = [s for step in migrations() for s in step.statements if f"{table}_by_time\n" in s and "CREATE" in s]
    return (int(keys[0].split("intDiv(")[1].split(", ")[1].split(")")[0]),)


def _key(table: str, stretch_ms: int) -> str:
    time, series, rest = TIMES[table], SERIES[table], REST[table]
    if stretch_ms == 1:
        return f"model, {time}, {series}{rest}"
    stretch = f"intDiv({time}, {stretch_ms}), " if stretch_ms else ""
    return f"model, {stretch}{series}, {time}{rest}"


def _reads(table: str, end_ms: int) -> dict[str, tuple[str, int, int]]:
    """Reads by name: a condition on the series, and from and to."""
    model, signal = "model = 'model-1'", "model = 'model-1' AND signal = 'feature:77'"
    middle_ms = START_MS + (end_ms - START_MS) // 2 // HOUR_MS * HOUR_MS
    if table == "panes":
        middle_ms = START_MS + (end_ms - START_MS) // 2 // WINDOW_MS * WINDOW_MS
        return {
            "model, 5 min": (model, middle_ms, middle_ms + WINDOW_MS),
            "model, newest": (model, end_ms - WINDOW_MS, end_ms),
            "signal, hour": (signal, middle_ms, middle_ms + HOUR_MS),
            "signal, all": (signal, START_MS, end_ms),
        }
    return {
        "model, hour": (model, middle_ms + 1, middle_ms + HOUR_MS + 1),
        "model, newest": (model, end_ms, end_ms + 1),
        "model, day, drift": (f"{model} AND status = 'drift'", end_ms - DAY_MS + 1, end_ms + 1),
        "signal, day": (signal, end_ms - DAY_MS + 1, end_ms + 1),
        "signal, 30 d": (signal, end_ms - 30 * DAY_MS + 1, end_ms + 1),
        "drift of all, day": ("status = 'drift'", end_ms - DAY_MS + 1, end_ms + 1),
    }


def _statement(time: str, stretch_ms: int, series: str, from_ms: int, to_ms: int) -> str:
    bounds = f"{time} >= {from_ms} AND {time} < {to_ms}"
    if stretch_ms > 1:
        first, last = from_ms // stretch_ms, (to_ms - 1) // stretch_ms
        bounds += f" AND intDiv({time}, {stretch_ms}) BETWEEN {first} AND {last}"
    return f"SELECT * FROM tried FINAL WHERE {series} AND {bounds}"


if __name__ == "__main__":
    main()
