"""Replays that kill themselves: ``python -m tests.faults.killing FOLDER``.

Everything is imported and compiled once; each run is a fork of that, which opens a store of its own: a copy of one that
has all tables and no row, since making tables takes as long as the run. (A process that has opened the embedded store
cannot be forked, so this one never does.) For every two tables to which an unbroken run appends one after the other,
there is a run that dies by SIGKILL in between. What stands in the stores after a second, undisturbed run goes to
``FOLDER/outcomes.json``.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow

from sinks.store.chdb import ChdbStore
from sinks.store.contract import Columns, Query, Store
from sinks.store.memory import MemoryStore
from tests.monitor.streams import HOUR_MS, START_MS, configured, detecting, outcome, replayed, troubled, written

SPEC: dict[str, Any] = {
    "schema": {
        "id": "id",
        "version": "version",
        "features": {"amount": {"type": "numeric"}, "country": {"type": "category"}},
        "prediction": {"score": {"type": "numeric"}},
    },
    "keep": {"events": "10%", "predictions": "50%", "subject": "id"},
    "segments": [],
    "baseline": {"kind": "rolling", "span": "2d"},
    "detect": detecting(
        false_alarms="1 per 1d",
        defaults={"window": "4h", "min_samples": 30, "learn_windows": 4},
        rules=[{"on": "feature:amount", "use": [{"page_hinkley": {"threshold": 80}}]}],
    ),
}
BATCH, CHECKPOINT_EVERY = 480, 480
SECOND_DEATHS, WORKERS = 3, 2


class DyingStore:
    """A store that ends the process right before its ``deadline``-th append."""

    def __init__(self, store: Store, deadline: int) -> None:
        self._store, self._deadline = store, deadline
        self.is_current, self.refresh = store.is_current, store.refresh
        self.totals, self.buckets, self.drifting = store.totals, store.buckets, store.drifting
        self.appended: list[str] = []

    def migrate(self) -> None:
        self._store.migrate()

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        if len(self.appended) == self._deadline:
            os.kill(os.getpid(), signal.SIGKILL)
        self.appended.append(table)
        self._store.append(table, columns, token)

    def read(self, query: Query) -> Columns:
        return self._store.read(query)

    def close(self) -> None:
        self._store.close()


def stream(folder: Path) -> list[Path]:
    """Two partitions, a large and a small one, of events with troubles, a drift, and scores that are missing."""
    lines = troubled(7, days=3, per_day=500, drift_ms=(START_MS + 48 * HOUR_MS, START_MS + 60 * HOUR_MS))
    gone = range(len(lines) * 2 // 3, len(lines) * 4 // 5)
    lines = [line.replace(b'"score"', b'"former"') if i in gone else line for i, line in enumerate(lines)]
    return written(folder, [[line for i, line in enumerate(lines) if i % 5], lines[::5]])


def run(paths: list[Path], folder: Path, deadline: int = -1) -> dict[str, Any]:
    """One run over a store in ``folder``: to which tables it appended, and what stands in the store then."""
    store = DyingStore(ChdbStore(folder), deadline)
    replayed(configured(**SPEC), paths, store, batch=BATCH, checkpoint_every=CHECKPOINT_EVERY)
    found = {"appended": store.appended, "outcome": outcome(store)}
    store.close()
    return found


def steps(appended: Sequence[str]) -> list[int]:
    """Before which appends to die: the very first, and the last of every kind of step from one table to the next."""
    last = {step: k for k, step in enumerate(pairwise(appended), start=1)}
    return [0, *sorted(last.values())]


def forked(work: Callable[[], Any], result: Path) -> int:
    """Do ``work`` in a fork that writes what it returns to ``result``; return how the fork ended."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        result.write_text(json.dumps(work()))
        os._exit(0)
    except BaseException:  # noqa: BLE001 -- the fork must not return into its parent's code, whatever happens
        traceback.print_exc()
        os._exit(1)


def make_tables(folder: Path) -> None:
    """Leave a store without rows in ``folder``."""
    store = ChdbStore(folder)
    store.migrate()
    store.close()


def broken(paths: list[Path], empty: Path, folder: Path, deaths: Sequence[int]) -> list[int]:
    """Die at each of ``deaths`` in turn, over one store in ``folder``; return how the runs ended."""
    folder.mkdir(parents=True)
    shutil.copytree(empty, folder / "store", symlinks=True)
    return [forked(partial(run, paths, folder / "store", death), folder / "result.json") for death in deaths]


def outcomes(paths: list[Path], empty: Path, folder: Path, all_deaths: Sequence[Sequence[int]]) -> list[dict[str, Any]]:
    """Return what becomes of stores, each after its deaths and a run to the end.

    One process makes all runs to the end: each finds what processes have left that were killed, and the engine starts
    once.
    """
    folders = [folder / str(number) for number in range(len(all_deaths))]
    ends = [broken(paths, empty, own, deaths) for own, deaths in zip(folders, all_deaths, strict=True)]
    result = folder / "result.json"
    last = forked(lambda: [run(paths, own / "store")["outcome"] for own in folders], result)
    contents = json.loads(result.read_text()) if last == 0 else [{} for _ in folders]
    return [
        {"deaths": deaths, "ends": of_deaths, "last": last, "outcome": content}
        for deaths, of_deaths, content in zip(all_deaths, ends, contents, strict=True)
    ]


def main(folder: Path) -> None:
    pyarrow.array([1]).to_numpy()  # imports what every fork would have to import by itself
    paths = stream(folder / "events")
    replayed(configured(**SPEC), paths, MemoryStore(), batch=BATCH, checkpoint_every=CHECKPOINT_EVERY)
    assert forked(lambda: run(paths, folder / "unbroken"), folder / "unbroken.json") == 0
    empty = folder / "empty"
    assert forked(lambda: make_tables(empty), folder / "made.json") == 0
    appended = json.loads((folder / "unbroken.json").read_text())["appended"]
    rng, appends = random.Random(1), len(appended)
    deaths = [[k] for k in steps(appended)]
    # The second death comes while there is something left to do.
    firsts = [rng.randrange(appends // 3, 2 * appends // 3) for _ in range(SECOND_DEATHS)]
    deaths += [[first, rng.randrange(3, appends // 4)] for first in firsts]
    for worker in range(WORKERS):
        if os.fork() == 0:
            work = outcomes(paths, empty, folder / str(worker), deaths[worker::WORKERS])
            (folder / f"outcomes-{worker}.json").write_text(json.dumps(work))
            os._exit(0)
    for _ in range(WORKERS):
        os.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
