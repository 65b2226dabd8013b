"""A month of 200 signals judged again: 8,640 windows of each, from stored panes of five minutes.

Run with ``python -m bench backtest``. The history is made from a seed and put into an embedded store: numbers with a
declared range, numbers of which nothing is known, and categories; a twentieth of the signals drift for a day. What is
timed is what ``leeway backtest`` does, in this process and as a command with its start.

The peer computes the same distances of the same windows, baseline and p-values of SciPy included, one window of one
signal after the other, on a sample: what one writes by hand. It decides nothing.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.events import LEEWAY
from bench.replay import _pin, _unpin
from detectors.distance import coarsen
from detectors.sketch import share_layout
from detectors.sketch.layout import SHARE_CELLS
from monitor.config import Configuration, load
from monitor.config.service import ChdbStoreSpec
from monitor.evaluate.backtest import Backtest, backtest, span_of
from monitor.panes.reading import read_panes
from monitor.watch import Watch, compile_watch
from sinks.store import open_store
from sinks.store.batch import append
from sinks.store.contract import TABLES, Query, Store

__all__ = ["configure", "fill", "measure", "report"]

MODEL = "bench"
WINDOW_MS = 300_000
DAY_MS = 86_400_000
START_MS = 1_704_067_200_000
NAMES = [f"n{i:02}" for i in range(40)]
KINDS = ("range", "range", "range", "free", "category")
"""What the signals are, in turn."""

EQUAL, CELLS = SHARE_CELLS, share_layout().cells
"""Cells of a share that hold values, and all of them."""


def configure(folder: Path, signals: int) -> Path:
    """Write a service with one model of so many signals; returns the file."""
    lines = [
        "apiVersion: leeway/v1",
        "kind: Service",
        f"spec: {{models: [model.yaml], store: {{path: {folder}/store}}}}",
    ]
    (folder / "leeway.yaml").write_text("\n".join(lines))
    features: dict[str, dict[str, Any]] = {}
    for i in range(signals):
        kind = KINDS[i % len(KINDS)]
        features[f"f{i:03}"] = {"type": "category" if kind == "category" else "numeric"}
        if kind == "range":
            features[f"f{i:03}"]["range"] = [0, 1]
    model = {
        "apiVersion": "leeway/v1",
        "kind": "Model",
        "metadata": {"name": MODEL},
        "spec": {
            "sources": [{"http": MODEL}],
            "schema": {"features": features},
            "detect": {"pane": "5m", "defaults": {"window": "5m", "min_samples": 100}},
        },
    }
    (folder / "model.yaml").write_text(json.dumps(model))
    return folder / "leeway.yaml"


def fill(store: Store, watch: Watch, days: int) -> int:
    """Put panes of a model into a store; returns how many."""
    windows = days * DAY_MS // WINDOW_MS
    rng = np.random.default_rng(7)
    starts = START_MS + np.arange(windows) * WINDOW_MS
    n = rng.poisson(700 + 400 * np.sin(np.arange(windows) * 2 * np.pi / 288))
    count = 0
    for number, (signal, layout) in enumerate([*watch.layouts.items(), ("volume", None)]):
        drifted = (starts >= START_MS + days * DAY_MS * 2 // 3) & (starts < START_MS + days * DAY_MS * 2 // 3 + DAY_MS)
        shift = np.where(drifted & (number % 20 == 3), 0.2, 0.0)
        columns: dict[str, Any] = dict(_shared(windows, signal, starts, n))
        if layout is not None:
            columns |= _content(rng, KINDS[number % len(KINDS)], layout, n, shift)
            columns["layout"] = [layout.id] * windows
        count += append(store, "panes", columns)
    end_ms = START_MS + windows * WINDOW_MS
    progress = {"closed_ms": end_ms, "newest_ms": end_ms, "next_offset": int(n.sum())}
    append(
        store,
        "progress",
        {"model": [MODEL], "topic": [MODEL], "partition": [0], **{k: [v] for k, v in progress.items()}},
    )
    return count


def _shared(windows: int, signal: str, starts: NDArray[np.int64], n: NDArray[np.int64]) -> Iterator[tuple[str, Any]]:
    none = np.empty(0, dtype=np.int64)
    given = {"model": MODEL, "signal": signal, "topic": MODEL, "pane_ms": WINDOW_MS}
    defaults = {"str": "", "int": 0, "float": 0.0, "ints": none, "strs": ()}
    for column in TABLES["panes"].columns:
        yield column.name, [given.get(column.name, defaults[column.kind])] * windows
    yield "pane_start_ms", starts
    yield "n", n


def _content(
    rng: np.random.Generator, kind: str, layout: Any, n: NDArray[np.int64], shift: NDArray[np.float64]
) -> dict[str, Any]:
    missing = rng.binomial(n, 0.01)
    shares = _shares(kind)
    drawn = rng.multinomial(n - missing, shares[0])
    for row in np.flatnonzero(shift):
        drawn[row] = rng.multinomial(n[row] - missing[row], shares[1])
    occupied = [np.flatnonzero(row) for row in drawn]
    counts = [row[cells] for row, cells in zip(drawn, occupied, strict=True)]
    found: dict[str, Any] = {"n": n - missing, "missing": missing, "counts": counts}
    if kind == "category":
        return found | {"names": [tuple(NAMES[cell] for cell in cells.tolist()) for cells in occupied]}
    ids = layout.ids([1.0])[0] + np.arange(400) if kind == "free" else layout.ids((np.arange(EQUAL) + 0.5) / EQUAL)
    return found | {"cells": [ids[cells] for cells in occupied], "min": np.zeros(len(n)), "max": np.ones(len(n))}


def _shares(kind: str) -> NDArray[np.float64]:
    """Of the cells or names, usually and while drifted."""
    if kind == "category":
        weights = 1.0 / np.arange(1, len(NAMES) + 1)
        return np.asarray(np.array([weights, np.roll(weights, 3)]) / weights.sum())
    cells = 400 if kind == "free" else EQUAL
    at = (np.arange(cells) + 0.5) / cells
    density = np.array([stats.beta.pdf(at, 2, 5), stats.beta.pdf(at, 3, 4)])
    return np.asarray(density / density.sum(axis=1, keepdims=True))


def judge_once(store: Store, watch: Watch) -> tuple[float, Backtest]:
    """One backtest of everything stored; returns seconds and what was found."""
    start = time.perf_counter()
    found = backtest(store, watch, span_of(store, watch))
    return time.perf_counter() - start, found


def peer_once(store: Store, signals: Sequence[str], windows: int) -> tuple[float, int]:
    """PSI, KS and the rate of missing values of each window against all before it; returns seconds and windows."""
    seconds, judged = 0.0, 0
    for signal in signals:
        where = {"model": MODEL, "signal": signal}
        rows = store.read(Query("panes", where, limit=windows, columns=("cells", "counts", "n", "missing")))
        start = time.perf_counter()
        baseline, n, missing = np.zeros(CELLS), 0, 0
        for cells, counts, here, gone in zip(rows["cells"], rows["counts"], rows["n"], rows["missing"], strict=True):
            window = np.zeros(CELLS)
            window[cells] = counts
            if n:
                _compare(baseline, window, np.array([[missing, n], [gone, here]]))
                judged += 1
            baseline += window
            n, missing = n + here, missing + gone
        seconds += time.perf_counter() - start
    return seconds, judged


def _compare(baseline: NDArray[np.float64], window: NDArray[np.float64], table: NDArray[np.int64]) -> None:
    groups = coarsen(baseline)
    a, b = np.bincount(groups, baseline) + 0.5, np.bincount(groups, window) + 0.5
    p, q = a / a.sum(), b / b.sum()
    index = ((p - q) * np.log(p / q)).sum()
    both = 1 / baseline.sum() + 1 / window.sum()
    stats.chi2.sf(index / both, len(p) - 1)
    gap = np.abs(np.cumsum(baseline) / baseline.sum() - np.cumsum(window) / window.sum()).max()
    stats.kstwobign.sf(gap / np.sqrt(both))
    share = table[:, 0] / table.sum(axis=1)
    pooled = table[:, 0].sum() / table.sum()
    z = (share[1] - share[0]) / np.sqrt(pooled * (1 - pooled) * (1 / table[0].sum() + 1 / table[1].sum()))
    stats.norm.sf(abs(z))


def command_once(configuration: Path) -> float:
    """``leeway backtest`` as a process of its own; returns seconds."""
    start = time.perf_counter()
    subprocess.run([*LEEWAY, "backtest", str(configuration)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def measure(days: int = 30, signals: int = 200, rounds: int = 3) -> dict[str, Any]:
    """Measure everything on one core.

    Returns
    -------
    dict
        Seconds, best and median of the rounds, what was judged, and where the time goes.
    """
    cores = _pin()
    try:
        with tempfile.TemporaryDirectory() as folder:
            configuration = load(configure(Path(folder), signals))
            found = _in_process(configuration, days, rounds)
            commands = [command_once(Path(folder) / "leeway.yaml") for _ in range(rounds)]
    finally:
        _unpin(cores)
    return found | {"command_best_s": min(commands), "command_median_s": median(commands)}


def _in_process(configuration: Configuration, days: int, rounds: int) -> dict[str, Any]:
    watch = compile_watch(configuration, MODEL)
    spec = configuration.service.spec.store
    assert isinstance(spec, ChdbStoreSpec)
    store = open_store("chdb", spec.path)
    try:
        panes = fill(store, watch, days)
        judge_once(store, watch)  # compiles, or loads what was compiled
        times = []
        for _ in range(rounds):
            seconds, done = judge_once(store, watch)
            times.append(seconds)
        profile = cProfile.Profile()
        profile.runcall(judge_once, store, watch)
        reading = read_once(store, watch, days)
        numeric = [signal for number, signal in enumerate(watch.layouts) if KINDS[number % len(KINDS)] == "range"][:2]
        peer_s, peer_windows = peer_once(store, numeric, 400)
    finally:
        store.close()
    windows = done.windows * len(watch.layouts)
    return {
        "days": days,
        "signals": len(watch.layouts),
        "panes": panes,
        "windows": done.windows,
        "tests": done.tests,
        "fired": done.fired_within(),
        "best_s": min(times),
        "median_s": median(times),
        "windows_per_s": windows / min(times),
        "peer_windows_per_s": peer_windows / peer_s,
        "ratio": windows / min(times) / (peer_windows / peer_s),
        "rounds": rounds,
        "profile": {"reading alone": round(reading, 2), **_shares_of(profile)},
    }


def _shares_of(profile: cProfile.Profile) -> dict[str, float]:
    """Seconds by what was done in the thread that judges; another one reads ahead of it."""
    wanted = {
        "result": "waiting for panes",
        "windows": "adding panes up to windows",
        "_decide": "judging windows",
        "take": "collecting what was found",
        "follow": "leading alerts through the windows",
    }
    found = dict.fromkeys(wanted.values(), 0.0)
    stats_of: dict[tuple[str, int, str], Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    if lost := wanted.keys() - {name for _, _, name in stats_of}:
        raise LookupError(f"the profile knows no function called {', '.join(sorted(lost))}: it was renamed")
    for (file, _, name), (_, _, _, cumulative, _) in stats_of.items():
        if name in wanted and ("/monitor/" in file or "/concurrent/" in file):
            found[wanted[name]] += cumulative
    return {name: round(seconds, 2) for name, seconds in found.items()}


def read_once(store: Store, watch: Watch, days: int) -> float:
    """Read all panes, three days at a time, and judge nothing; returns seconds."""
    start = time.perf_counter()
    for day in range(0, days, 3):
        low_ms = START_MS + day * DAY_MS
        read_panes(store, watch, low_ms, low_ms + min(3, days - day) * DAY_MS)
    return time.perf_counter() - start


def report(found: dict[str, Any]) -> list[str]:
    """Lines for people."""
    head = (
        f"one core, {found['days']} days of {found['signals']} signals, windows of 5 minutes: "
        f"{found['panes']:,} panes, {found['tests']:,} tests, {found['fired']} alerts; {found['rounds']} rounds"
    )
    times = [f"{'seconds':44}{'best':>12}{'median':>12}"]
    for key, name in (
        ("", "leeway: backtest in the process"),
        ("command_", "leeway: the same as a command, with start"),
    ):
        times.append(f"{name:44}{found[f'{key}best_s']:12.2f}{found[f'{key}median_s']:12.2f}")
    peer = f"{'windows/s: leeway':44}{found['windows_per_s']:12,.0f}"
    loop = f"{'windows/s: a loop with NumPy and SciPy':44}{found['peer_windows_per_s']:12,.0f}"
    ratio = f"{'leeway / loop':44}{found['ratio']:11.0f}x"
    parts = [f"  {name:42}{seconds:12.2f}" for name, seconds in found["profile"].items()]
    return [head, *times, peer, loop, ratio, "profile, seconds:", *parts]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, then all figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.backtest")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--signals", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    found = measure(options.days, options.signals, options.rounds)
    print(*report(found), json.dumps(found), sep="\n")


if __name__ == "__main__":
    main()
