"""Replays under random crashes, for as long as you like: ``python -m bench.soak --minutes 10``.

Each turn makes a new stream of rough events (late and repeated ones, wrong clocks, missing and odd values, new
versions, more of them than are told apart, lines that are no JSON), spreads it over some partitions, and replays it
once without a break. Then the same files are replayed into another store in portions of random size, with checkpoints
now and then, by processes that die at random writes, before or after the write, and are started again until the end is
reached. Both stores must hold the same rows. A turn that differs is printed with its seed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.events import FEATURES, START_MS, configure
from monitor.config import Configuration, load
from monitor.replay import Replay, assign_files
from monitor.sources.files import FileSource
from sinks.store.contract import Columns, Query
from sinks.store.memory import MemoryStore

__all__ = ["Crash", "CrashingStore", "rough_lines", "turn"]

EVERY_MS = 1_000
RULES = """\
    max_versions: 2
  segments:
    - {by: [country], values: [DE, US]}
  baseline: {kind: rolling, span: 1d}
  detect:
    false_alarms: 1 per 1h
    pane: 30s
    defaults: {window: 2m, min_samples: 20, learn_windows: 5}
    rules:
      - {on: "feature:feat_*", use: [adwin, page_hinkley, js, wasserstein]}
  alerts: {resolve_after: 5m}
"""
TABLES = ("panes", "scores", "findings", "alerts", "dead_letters")
BATCH_DEPENDENT = {"dead_letters": {"payload", "payload_bytes", "record_ms"}}
"""An event that waited for the clock is no longer at hand when it is refused: its dead letter points to the log."""


class Crash(BaseException):
    """The process dies."""


class CrashingStore:
    """A store whose process dies at a given write, before or after it.

    Parameters
    ----------
    store : MemoryStore
        What survives.
    writes : int
        How many succeed.
    after : bool
        Whether the next one takes effect.
    """

    def __init__(self, store: MemoryStore, writes: int, *, after: bool) -> None:
        self._store, self._left, self._after = store, writes, after

    def migrate(self) -> None:
        """Create what is missing."""
        self._store.migrate()

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        """Write, or die."""
        self._left -= 1
        if self._left < 0 and not self._after:
            raise Crash
        self._store.append(table, columns, token)
        if self._left < 0:
            raise Crash

    def read(self, query: Query) -> Columns:
        """Read what is there."""
        return self._store.read(query)

    def close(self) -> None:
        """Leave the survivor open."""


def rough_lines(rng: random.Random, count: int) -> Iterator[bytes]:
    """Yield events as a careless producer writes them."""
    recent: list[bytes] = []
    for number in range(count):
        ts = START_MS + number * EVERY_MS - (rng.random() < 0.02) * rng.randrange(200_000)
        event: dict[str, Any] = {
            "event_id": f"e{number}",
            "version": "v1" if rng.random() < 0.7 or number < count // 3 else "v2",
            "ts": ts + (rng.random() < 0.001) * 10_000_000,
            "country": rng.choice(["DE", "US", "BR", None, f"new{number % 50}"]),
            **{name: rng.gauss(0, 1) + 3 * (number > count // 2) for name in FEATURES},
        }
        for _ in range(rng.random() < 0.05):
            event[rng.choice(FEATURES)] = rng.choice([None, "odd", 1e999, True, 10**30])
        line = json.dumps(event).encode()
        if rng.random() < 0.01:
            line = line[: rng.randrange(1, len(line))]
        yield line
        recent = [*recent[-20:], line]
        if rng.random() < 0.02:
            yield rng.choice(recent)


def turn(seed: int, folder: Path, count: int) -> tuple[bool, Counter[str]]:
    """Replay one stream without and with crashes.

    Returns
    -------
    same : bool
    counts : Counter
    """
    rng = random.Random(seed)
    files = [folder / f"{seed}-{number}.jsonl" for number in range(rng.randint(1, 3))]
    writers = [path.open("wb") for path in files]
    for line in rough_lines(rng, count):
        rng.choice(writers).write(line + b"\n")
    for writer in writers:
        writer.close()
    configuration = load(configure(folder, RULES))
    whole, broken = MemoryStore(), MemoryStore()
    done = _replay(configuration, whole, files, rng, checkpoint_every=0)
    crashes = _replay_with_crashes(configuration, broken, files, rng)
    for path in files:
        path.unlink()
    rows = {table: _rows(whole, table) for table in TABLES}
    same = all(_equal(rows[table], _rows(broken, table)) for table in TABLES)
    counts = Counter({f"rows of {table}": len(next(iter(columns.values()))) for table, columns in rows.items()})
    return same, counts + Counter(turns=1, events=done, crashes=crashes)


def _replay(
    configuration: Configuration, store: Any, files: list[Path], rng: random.Random, checkpoint_every: int
) -> int:
    store.migrate()
    source = FileSource(assign_files(configuration, map(str, files)))
    replay = Replay(configuration, store, source)
    return replay.run(rng.choice([20, 97, 200, 1_000]), checkpoint_every=checkpoint_every).counters.events


def _replay_with_crashes(
    configuration: Configuration, store: MemoryStore, files: list[Path], rng: random.Random
) -> int:
    crashes = 0
    while True:
        # Later and later, so that the end comes even where there is no checkpoint.
        writes = rng.randrange(1, 10 + 5 * crashes)
        dying = CrashingStore(store, writes, after=rng.random() < 0.5)
        try:
            _replay(configuration, dying, files, rng, rng.choice([0, 500, 3_000]))
        except Crash:
            crashes += 1
        else:
            return crashes


def _rows(store: MemoryStore, table: str) -> dict[str, Any]:
    left_out = BATCH_DEPENDENT.get(table, set())
    return {name: values for name, values in store.read(Query(table)).items() if name not in left_out}


def _equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(_same(values, other[name]) for name, values in one.items())


def _same(one: Any, other: Any) -> bool:
    if len(one) != len(other):
        return False
    if isinstance(one, np.ndarray):
        return one.tobytes() == np.asarray(other).tobytes()
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Turn until the time is over; print what was compared."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of the first turn")
    parser.add_argument("--events", type=int, default=3_000, help="in each turn")
    options = parser.parse_args(arguments)
    until_s = time.monotonic() + 60 * options.minutes
    counts: Counter[str] = Counter()
    different: list[int] = []
    seed = options.seed
    with tempfile.TemporaryDirectory() as folder:
        while not counts or time.monotonic() < until_s:
            same, counted = turn(seed, Path(folder), options.events)
            counts += counted
            if not same:
                different.append(seed)
                print(f"turn {seed}: the rows differ", flush=True)
            seed += 1
    for name, number in counts.items():
        print(f"{name:24}{number:14,}")
    print(f"{len(different)} turns differ" if different else "all rows are the same")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
